//! One resource read from its document, property by property.

use core::mem;

use uuid::Uuid;

use super::document::Document;
use super::property::{Field, Property};
use super::text::Escaped;
use super::{Error, Reason, Text, Upn};
use crate::{DateTime, RunState};

/// What a resource looks like: its type's name and its properties, as the wire lists them.
pub(super) struct Shape {
    pub(super) odata_type: &'static str,
    pub(super) fields: &'static [Field],
}

/// The JSON object of one resource, being read.
///
/// After each property that [`next`](Self::next) gives, exactly one value is read.
pub(super) struct Object<'a> {
    document: Document<'a>,
    shape: &'static Shape,
    /// Bit `n`: the shape's property `n` was given.
    given: u32,
    /// The property being read, which errors name.
    property: Option<&'static str>,
    /// Where its value begins.
    value: usize,
    is_first: bool,
}

impl<'a> Object<'a> {
    pub(super) fn open(json: &'a [u8], shape: &'static Shape) -> Result<Self, Error> {
        let mut document = Document::new(json)?;
        document.expect(b'{', Reason::NotAnObject)?;
        Ok(Self { document, shape, given: 0, property: None, value: 0, is_first: true })
    }

    /// The next property whose value is the caller's to read; `None` when the document has ended
    /// as it must.
    pub(super) fn next(&mut self) -> Result<Option<Property>, Error> {
        loop {
            self.property = None;
            if self.document.take(b'}') {
                return match self.document.peek() {
                    None => Ok(None),
                    Some(_) => Err(self.document.refuse(Reason::TrailingBytes)),
                };
            }
            if !mem::take(&mut self.is_first) {
                self.document.expect(b',', Reason::NoCommaInObject)?;
                self.document.peek();
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
                return Err(Error { property: self.property, ..Error::new(at, Reason::Duplicate) });
            }
            self.given |= bit;
            self.document.peek();
            self.value = self.document.at();
            if field.property != Property::Type {
                return Ok(Some(field.property));
            }
            self.odata_type()?;
        }
    }

    /// A string of at most `N` bytes, or null.
    pub(super) fn text<const N: usize>(&mut self) -> Result<Option<Text<'a, N>>, Error> {
        if self.null()? {
            return Ok(None);
        }
        let text = self.string(Reason::NeitherStringNorNull)?.limited();
        text.map(Some).ok_or(self.refuse(Reason::TooLong { limit: N }))
    }

    /// A UPN, or null.
    pub(super) fn upn(&mut self) -> Result<Option<Upn>, Error> {
        let text = self.text::<{ Upn::MAX_LEN }>()?;
        text.map(|text| Upn::try_from(text).map_err(|error| self.refuse(error.reason))).transpose()
    }

    pub(super) fn guid(&mut self) -> Result<Uuid, Error> {
        const LEN: usize = uuid::fmt::Hyphenated::LENGTH;
        let text = self.string(Reason::NotAGuid)?;
        text.resolve(&mut heapless::String::<LEN, u8>::new())
            // Of the four spellings `Uuid` reads, this length leaves the hyphenated one.
            .filter(|text| text.len() == LEN)
            .and_then(|text| Uuid::try_parse(text).ok())
            .ok_or(self.refuse(Reason::NotAGuid))
    }

    pub(super) fn count(&mut self) -> Result<u32, Error> {
        let count = self.integer(Reason::NotACount)?;
        u32::try_from(count).map_err(|_| self.refuse(Reason::NotACount))
    }

    pub(super) fn int32(&mut self) -> Result<i32, Error> {
        self.integer(Reason::NotAnInt32)
    }

    /// A date-time.
    pub(super) fn date_time(&mut self) -> Result<DateTime, Error> {
        let text = self.string(Reason::NotAString)?;
        self.parse_date_time(text)
    }

    /// A date-time, or null.
    pub(super) fn nullable_date_time(&mut self) -> Result<Option<DateTime>, Error> {
        if self.null()? {
            return Ok(None);
        }
        let text = self.string(Reason::NeitherStringNorNull)?;
        self.parse_date_time(text).map(Some)
    }

    pub(super) fn run_state(&mut self) -> Result<RunState, Error> {
        let reason = Reason::NotARunState(crate::ParseRunStateError);
        let text = self.string(reason)?;
        text.resolve(&mut heapless::String::<16, u8>::new())
            .and_then(|name| name.parse().ok())
            .ok_or(self.refuse(reason))
    }

    /// Any value.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        self.document.skip().map_err(|error| self.within(error))
    }

    /// The property whose name is next, with its number in the shape.
    fn find(&mut self) -> Result<Option<(u32, &'static Field)>, Error> {
        let mut fields = (0..).zip(self.shape.fields);
        // Clients keep to an order, most often to the documented one, so the likely name is the one
        // after the last.
        let likely = u32::BITS.saturating_sub(self.given.leading_zeros());
        let likely = fields.clone().nth(likely as usize);
        if likely.is_some_and(|(_, field)| self.document.take_name(field.name)) {
            return Ok(likely);
        }
        let mut copy = heapless::String::<{ Property::MAX_NAME }, u8>::new();
        let name = self.document.name()?.resolve(&mut copy);
        Ok(fields.find(|(_, field)| Some(field.name) == name))
    }

    /// The name of the resource's type after its namespace. Any namespace will do: clients write
    /// `microsoft.graph`, some of Graph's own examples `microsoft.management.services.api`.
    fn odata_type(&mut self) -> Result<(), Error> {
        fn name(odata_type: &str) -> Option<&[u8]> {
            odata_type.as_bytes().rsplit(|&byte| byte == b'.' || byte == b'#').next()
        }
        let given = self.string(Reason::NotAString)?;
        given
            .resolve(&mut heapless::String::<128, u8>::new())
            .filter(|given| {
                *given == self.shape.odata_type || name(given) == name(self.shape.odata_type)
            })
            .map(|_| ())
            .ok_or(self.refuse(Reason::OtherType(self.shape.odata_type)))
    }

    fn null(&mut self) -> Result<bool, Error> {
        self.document.null().map_err(|error| self.within(error))
    }

    fn string(&mut self, reason: Reason) -> Result<Escaped<'a>, Error> {
        self.document.string(reason).map_err(|error| self.within(error))
    }

    fn integer(&mut self, reason: Reason) -> Result<i32, Error> {
        match self.document.peek() {
            Some(b'-' | b'0'..=b'9') => {}
            _ => return Err(self.within(self.document.refuse(reason))),
        }
        let number = self.document.number().map_err(|error| self.within(error))?;
        match serde_json_core::from_slice(number) {
            // The one integer that has two spellings.
            Ok((integer, _)) if number != b"-0" => Ok(integer),
            _ => Err(self.refuse(reason)),
        }
    }

    fn parse_date_time(&self, text: Escaped<'a>) -> Result<DateTime, Error> {
        text.resolve(&mut heapless::String::<64, u8>::new())
            // Longer than any date-time, so as wrong as none.
            .unwrap_or_default()
            .parse()
            .map_err(|error| self.refuse(Reason::NotADateTime(error)))
    }

    /// The error that the value of the property at hand is not what it must be.
    fn refuse(&self, reason: Reason) -> Error {
        self.within(Error::new(self.value, reason))
    }

    fn within(&self, error: Error) -> Error {
        Error { property: self.property, ..error }
    }
}
