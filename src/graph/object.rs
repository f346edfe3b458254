//! One resource read from its document, property by property.

use core::mem;

use uuid::Uuid;

use super::document::Document;
use super::id::parse_guid;
use super::shape::{Field, Rules, Shape};
use super::text::Escaped;
use super::{Error, Name, Reason};
use crate::{DateTime, ParseRunStateError, RunState};

/// The JSON object of one resource, being read.
///
/// After each property that [`next`](Self::next) gives, exactly one value is read. Where one does
/// not fit, `None` is read, nothing follows, and [`end`](Self::end) has the error.
pub(super) struct Object<'a> {
    document: Document<'a>,
    shape: &'static Shape,
    /// Bit `n`: the shape's field `n` was given.
    given: u32,
    /// Bit `n`: and it was null.
    null: u32,
    /// The bit of the field being read.
    bit: u32,
    /// Its name, for errors.
    property: Option<&'static str>,
    /// Where its value begins.
    value: usize,
    is_first: bool,
}

impl<'a> Object<'a> {
    pub(super) fn open(json: &'a [u8], shape: &'static Shape) -> Self {
        let mut document = Document::new(json);
        if document.error().is_none() {
            document.expect(b'{', Reason::NotAnObject);
        }
        Self {
            document,
            shape,
            given: 0,
            null: 0,
            bit: 0,
            property: None,
            value: 0,
            is_first: true,
        }
    }

    /// The next property whose value is the caller's to read; `None` at the end and after an error.
    pub(super) fn next(&mut self) -> Option<&'static Field> {
        while self.document.error().is_none() {
            let field = self.next_field()?;
            if field.member != Field::TYPE {
                return Some(field);
            }
            self.odata_type();
        }
        None
    }

    /// What was wrong, if anything was, or which fields have a value: bit `n` for the shape's field
    /// `n`.
    pub(super) fn end(self) -> Result<u32, Error> {
        match self.document.error() {
            Some(error) => Err(Error { property: self.property, ..*error }),
            None => Ok(self.given & !self.null),
        }
    }

    /// A string of at most `limit` bytes, or null.
    pub(super) fn text_or_null(&mut self, limit: usize, rules: Rules) -> Option<Escaped<'a>> {
        let mut text = self.string_or_null()?;
        if text.len() > limit {
            if !rules.has(Rules::CUT) {
                return self.or_refuse(None, Reason::TooLong { limit });
            }
            text = text.cut(limit);
        }
        if text.len() == 0 && rules.has(Rules::NOT_EMPTY) {
            return self.or_refuse(None, Reason::Empty);
        }
        (text.len() > 0 || !rules.has(Rules::EMPTY_IS_NULL)).then_some(text)
    }

    pub(super) fn guid(&mut self) -> Option<Uuid> {
        let text = self.string(Reason::NotAGuid)?;
        let guid = text.resolve(&mut Name::new()).and_then(parse_guid);
        self.or_refuse(guid, Reason::NotAGuid)
    }

    pub(super) fn count(&mut self) -> Option<u32> {
        let count = self.integer(Reason::NotACount)?.try_into().ok();
        self.or_refuse(count, Reason::NotACount)
    }

    pub(super) fn int32(&mut self) -> Option<i32> {
        self.integer(Reason::NotAnInt32)
    }

    pub(super) fn date_time(&mut self) -> Option<DateTime> {
        let text = self.string(Reason::NotAString)?;
        self.parse_date_time(text)
    }

    /// A date-time, or null.
    pub(super) fn date_time_or_null(&mut self) -> Option<DateTime> {
        let text = self.string_or_null()?;
        self.parse_date_time(text)
    }

    pub(super) fn run_state(&mut self) -> Option<RunState> {
        let reason = Reason::NotARunState(ParseRunStateError);
        let text = self.string(reason)?;
        let state = text.resolve(&mut Name::new()).and_then(|name| name.parse().ok());
        self.or_refuse(state, reason)
    }

    /// Any value.
    pub(super) fn skip(&mut self) {
        self.document.skip();
    }

    /// Goes past the name of the next property of the shape; `None` when the document has ended as
    /// it must, and after an error.
    fn next_field(&mut self) -> Option<&'static Field> {
        loop {
            self.property = None;
            match (self.document.peek(), mem::take(&mut self.is_first)) {
                (Some(b'}'), _) => {
                    self.document.advance();
                    return match self.document.peek() {
                        None => None,
                        Some(_) => self.document.refuse(Reason::TrailingBytes),
                    };
                }
                (_, true) => {}
                (Some(b','), false) => {
                    self.document.advance();
                    self.document.peek();
                }
                (_, false) => return self.document.refuse(Reason::NoCommaInObject),
            }
            let at = self.document.at();
            let found = self.find()?;
            self.document.colon()?;
            let Some((number, field)) = found else {
                self.document.skip()?;
                continue;
            };
            self.property = Some(field.name);
            let bit = 1 << number;
            if self.given & bit != 0 {
                self.document.fail(at, Reason::Duplicate);
                return None;
            }
            self.given |= bit;
            self.bit = bit;
            self.document.peek();
            self.value = self.document.at();
            return Some(field);
        }
    }

    /// The field whose name is next, with its number in the shape.
    #[expect(clippy::option_option, reason = "an error, an unknown name, or a field")]
    fn find(&mut self) -> Option<Option<(u32, &'static Field)>> {
        // Clients keep to an order, most often to the documented one, so the likely name is the one
        // after the last.
        let likely = u32::BITS.wrapping_sub(self.given.leading_zeros());
        if let Some(field) = self.shape.fields.get(likely as usize)
            && self.document.take_name(field.name)
        {
            return Some(Some((likely, field)));
        }
        let mut fields = (0..).zip(self.shape.fields);
        let mut copy = Name::new();
        let name = self.document.name()?.resolve(&mut copy);
        Some(fields.find(|(_, field)| Some(field.name) == name))
    }

    /// The name of the resource's type after its namespace. Any namespace will do, of any length:
    /// clients write `microsoft.graph`, some of Graph's own examples
    /// `microsoft.management.services.api`.
    fn odata_type(&mut self) -> Option<()> {
        let expected = self.shape.odata_type;
        let given = self.string(Reason::NotAString)?;
        let is_same = given.as_str() == Some(expected) || {
            let mut parts = expected.as_bytes().rsplit(|byte| matches!(byte, b'.' | b'#'));
            let name = parts.next().unwrap_or_default();
            // What of the name is still to come, while what came since a separator is its start.
            let mut to_come = Some(name);
            for c in given.chars() {
                to_come = match to_come {
                    _ if matches!(c, '.' | '#') => Some(name),
                    Some([next, rest @ ..]) if char::from(*next) == c => Some(rest),
                    _ => None,
                };
            }
            to_come == Some(&[])
        };
        self.or_refuse(is_same.then_some(()), Reason::OtherType(expected))
    }

    fn string(&mut self, reason: Reason) -> Option<Escaped<'a>> {
        self.document.string(reason)
    }

    fn string_or_null(&mut self) -> Option<Escaped<'a>> {
        if self.document.null()? {
            self.null |= self.bit;
            return None;
        }
        self.string(Reason::NeitherStringNorNull)
    }

    fn integer(&mut self, reason: Reason) -> Option<i32> {
        let number = self.document.number(reason)?;
        let integer = match serde_json_core::from_slice(number) {
            // The one integer that has two spellings.
            Ok((integer, _)) if number != b"-0" => Some(integer),
            _ => None,
        };
        self.or_refuse(integer, reason)
    }

    fn parse_date_time(&mut self, text: Escaped<'a>) -> Option<DateTime> {
        // What is longer than a name is longer than any date-time, so as wrong as none.
        match text.resolve(&mut Name::new()).unwrap_or_default().parse() {
            Ok(at) => Some(at),
            Err(error) => self.or_refuse(None, Reason::NotADateTime(error)),
        }
    }

    /// The value, unless it is one that the property at hand does not take.
    fn or_refuse<T>(&mut self, value: Option<T>, reason: Reason) -> Option<T> {
        if value.is_none() {
            self.document.fail(self.value, reason);
        }
        value
    }
}
