//! Documents one by one, in bounded memory: the lines of a file, or the elements of its arrays.

use std::io::{self, BufRead, Read};
use std::{fmt, mem};

use memchr::{memchr, memchr_iter, memrchr};

use crate::input::Input;
use crate::json::{Form, Value, is_space, names};
use crate::pages::{self, Pages};

/// The longest document that is kept, in bytes.
const LONGEST: usize = 1 << 20;

/// The longest text that is kept of a page apart from its elements, in bytes.
const LONGEST_ENVELOPE: usize = 1 << 16;

/// The documents of one source, one after the other in one buffer.
pub(crate) struct Documents<R> {
    input: Input<R>,
    /// How many bytes of the input belong to the document given last, which lies there.
    given: usize,
    form: Option<Form>,
    document: Vec<u8>,
    at: Position,
    /// How many bytes stand before the next line to be read, on that line.
    column: u64,
    /// How many elements of the array at hand were read.
    elements: u64,
    /// The page at hand without its elements.
    envelope: Vec<u8>,
    /// Where it begins.
    envelope_at: Position,
    pub(crate) pages: Pages,
}

/// Where reading stands. Where a document is a line, only the line is kept up to date.
#[derive(Clone, Copy, Default)]
struct Position {
    /// How many lines have begun.
    line: u64,
    /// How many bytes were read before this line, and in all.
    line_begin: u64,
    offset: u64,
}

/// One document.
pub(crate) struct Document<'a> {
    pub(crate) place: Place,
    pub(crate) text: Result<&'a [u8], Fault>,
}

/// Where a document begins.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// The line, counted from 1.
    pub(crate) line: u64,
    /// Of an element of an array, its number, counted from 1.
    pub(crate) element: Option<u64>,
    /// The bytes before it: on its line or, where it may be spread over lines, in the file.
    before: u64,
}

/// Why there is no document to read.
#[derive(Debug)]
pub(crate) enum Fault {
    TooLong,
    /// The file cannot be read any further.
    Structure(String),
}

impl<R: BufRead> Documents<R> {
    /// Of a file; what stands before the first document and says how the text is written is
    /// skipped.
    pub(crate) fn new(source: R) -> io::Result<Self> {
        const UTF_8: &[u8] = b"\xef\xbb\xbf";
        let mut input = Input::new(source);
        let mark = input.look(|bytes, is_all| match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(Mark::Utf16),
            [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Mark::Compressed),
            _ if bytes.starts_with(UTF_8) => Some(Mark::Utf8),
            _ if UTF_8.starts_with(bytes) && !is_all => None,
            _ => Some(Mark::None),
        })?;
        match mark {
            Mark::None => {}
            Mark::Utf8 => input.consume(UTF_8.len()),
            Mark::Utf16 => {
                return Err(io::Error::other("the text is UTF-16; convert it to UTF-8"));
            }
            Mark::Compressed => {
                return Err(io::Error::other(
                    "the file is compressed; unpack it, and pipe it in as -",
                ));
            }
        }
        Ok(Self {
            input,
            given: 0,
            form: None,
            document: Vec::new(),
            at: Position {
                offset: if let Mark::Utf8 = mark { UTF_8.len() as u64 } else { 0 },
                ..Position::default()
            },
            column: 0,
            elements: 0,
            envelope: Vec::new(),
            envelope_at: Position::default(),
            pages: Pages::default(),
        })
    }

    /// The next document; `None` after the last.
    pub(crate) fn next(&mut self) -> io::Result<Option<Document<'_>>> {
        self.input.consume(mem::take(&mut self.given));
        loop {
            let next = match self.form {
                None => {
                    self.open()?;
                    continue;
                }
                Some(Form::Lines) => return self.next_line(),
                Some(Form::Spread) => self.next_spread()?,
                Some(Form::Array(_) | Form::Page(_)) => self.next_element()?,
            };
            match next {
                Next::Document(place) => {
                    return Ok(Some(Document { place, text: Ok(&self.document) }));
                }
                Next::Fault(place, fault) => {
                    return Ok(Some(Document { place, text: Err(fault) }));
                }
                Next::End => self.form = None,
            }
        }
    }

    /// Finds out what comes next: at the start, after every array and what is spread over lines.
    fn open(&mut self) -> io::Result<()> {
        let form = self.input.look(Form::of)?;
        match form {
            // What is left of the line on which an array ended is a line.
            Form::Lines => {
                self.at.line = self.at.line.saturating_sub(1);
                self.column = self.at.offset - self.at.line_begin;
            }
            Form::Spread => self.at.line = self.at.line.max(1),
            Form::Array(opening) | Form::Page(opening) => {
                self.envelope.resize(opening, 0);
                self.input.read_exact(&mut self.envelope)?;
                self.at.line = self.at.line.max(1);
                self.envelope_at = self.at;
                self.at.advance(&self.envelope);
                self.elements = 0;
            }
        }
        self.form = Some(form);
        Ok(())
    }

    fn next_line(&mut self) -> io::Result<Option<Document<'_>>> {
        let before = mem::take(&mut self.column);
        // Nearly every line lies in the input's buffer as a whole, and is read there.
        if let Some(len) = memchr(b'\n', self.input.fill_buf()?) {
            self.at.line += 1;
            self.given = len + 1;
            let place = Place { line: self.at.line, element: None, before };
            let text = match self.input.fill_buf()?.get(..len) {
                Some(text) if len <= LONGEST => Ok(text),
                _ => Err(Fault::TooLong),
            };
            return Ok(Some(Document { place, text }));
        }
        self.document.clear();
        let limit = LONGEST as u64 + 1;
        self.input.by_ref().take(limit).read_until(b'\n', &mut self.document)?;
        if self.document.is_empty() {
            return Ok(None);
        }
        self.at.line += 1;
        let line = self.document.as_slice();
        let ended = line.strip_suffix(b"\n");
        let is_cut = ended.is_none() && line.len() > LONGEST;
        if is_cut {
            self.input.skip_until(b'\n')?;
        }
        let text = if is_cut { Err(Fault::TooLong) } else { Ok(ended.unwrap_or(line)) };
        Ok(Some(Document { place: Place { line: self.at.line, element: None, before }, text }))
    }

    /// An object that is spread over lines, in `document`.
    fn next_spread(&mut self) -> io::Result<Next> {
        self.peek()?;
        self.form = None;
        self.next_value(None, "the document is cut off: it has no }")
    }

    /// The next element of the array, in `document`.
    fn next_element(&mut self) -> io::Result<Next> {
        let first = self.elements == 0;
        match self.peek()? {
            Some(b']') => {
                self.skip(1);
                return self.end_array();
            }
            Some(b',') if !first => {
                self.skip(1);
                if let None | Some(b',' | b']') = self.peek()? {
                    return self.give_up("expected a value after the comma");
                }
            }
            Some(_) if first => {}
            Some(_) => return self.give_up("expected , or ] after an element"),
            None => return self.give_up("the array is cut off: it has no ]"),
        }
        self.elements += 1;
        self.next_value(Some(self.elements), "the array is cut off in the middle of an element")
    }

    /// A value as a document, and what to say if it does not end.
    fn next_value(&mut self, element: Option<u64>, cut_off: &str) -> io::Result<Next> {
        let place = Place { line: self.at.line, element, before: self.at.offset };
        match self.value(Value::default(), LONGEST)? {
            Ended::Whole => Ok(Next::Document(place)),
            Ended::TooLong => Ok(Next::Fault(place, Fault::TooLong)),
            Ended::CutOff => self.give_up(cut_off),
        }
    }

    /// After the `]`: a page goes on.
    fn end_array(&mut self) -> io::Result<Next> {
        let Some(Form::Page(opening)) = self.form else { return Ok(Next::End) };
        let closing_at = self.at;
        let ended = self.value(Value::rest_of_object(), LONGEST_ENVELOPE)?;
        self.envelope.push(b']');
        self.envelope.extend_from_slice(&self.document);
        // First of all: what makes a page too long may be its documents, under that name again.
        if let Some((name, index)) = given_again(&self.envelope) {
            let (mut at, begin) = match index.checked_sub(opening + 1) {
                Some(_) => (closing_at, opening + 1),
                None => (self.envelope_at, 0),
            };
            at.advance(&self.envelope[begin..index]);
            let reason = format!("{name} at byte {}: given before; give it once", at.offset);
            return self.stop(at.line, &reason);
        }
        match ended {
            Ended::Whole => {}
            Ended::TooLong => return self.give_up("too much stands after the page's value"),
            Ended::CutOff => return self.give_up("the page is cut off: it has no }"),
        }
        match serde_json::from_slice(&self.envelope) {
            Ok(page) => {
                self.pages.add(&page)?;
                Ok(Next::End)
            }
            Err(error) => {
                self.give_up(&format!("the page around its elements is no JSON: {error}"))
            }
        }
    }

    /// A value into `document`, at most so many bytes of it.
    fn value(&mut self, mut value: Value, longest: usize) -> io::Result<Ended> {
        self.document.clear();
        let mut is_too_long = false;
        loop {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                return Ok(Ended::CutOff);
            }
            let end = value.end(bytes);
            let bytes = &bytes[..end.unwrap_or(bytes.len())];
            let kept = bytes.len().min(longest - self.document.len());
            is_too_long |= kept < bytes.len();
            self.document.extend_from_slice(&bytes[..kept]);
            self.at.advance(bytes);
            let len = bytes.len();
            self.input.consume(len);
            if end.is_some() {
                return Ok(if is_too_long { Ended::TooLong } else { Ended::Whole });
            }
        }
    }

    /// The next byte that is not white space; it is not gone past.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let space = bytes.iter().take_while(|byte| is_space(**byte)).count();
            let next = bytes.get(space).copied();
            self.at.advance(&bytes[..space]);
            self.input.consume(space);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    /// Goes past bytes of one line.
    fn skip(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.at.offset += bytes as u64;
    }

    /// What is wrong here; nothing that follows is read.
    fn give_up(&mut self, reason: &str) -> io::Result<Next> {
        self.stop(self.at.line, &format!("byte {}: {reason}", self.at.offset))
    }

    /// The same with a reason that says where.
    fn stop(&mut self, line: u64, reason: &str) -> io::Result<Next> {
        io::copy(&mut self.input, &mut io::sink())?;
        self.form = Some(Form::Lines);
        let place = Place { line, element: None, before: 0 };
        let reason = format!("{reason}; the rest of the file is not read");
        Ok(Next::Fault(place, Fault::Structure(reason)))
    }
}

/// A property that is read of a page and stands in it twice, and where it does so again: which of
/// the two is meant cannot be known.
fn given_again(page: &[u8]) -> Option<(&'static str, usize)> {
    let properties = ["value", pages::CONTEXT, pages::NEXT_LINK];
    let mut is_given = [false; 3];
    names(page).find_map(|(at, name)| {
        let name: String = serde_json::from_slice(name).ok()?;
        let index = properties.iter().position(|property| *property == name)?;
        mem::replace(&mut is_given[index], true).then_some((properties[index], at))
    })
}

enum Next {
    Document(Place),
    Fault(Place, Fault),
    End,
}

enum Ended {
    Whole,
    TooLong,
    CutOff,
}

#[derive(Clone, Copy, Default)]
enum Mark {
    #[default]
    None,
    Utf8,
    Utf16,
    Compressed,
}

impl Position {
    fn advance(&mut self, bytes: &[u8]) {
        if let Some(end) = memrchr(b'\n', bytes) {
            self.line += count_lines(bytes);
            self.line_begin = self.offset + end as u64 + 1;
        }
        self.offset += bytes.len() as u64;
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// Whether there is nothing but JSON's white space.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| is_space(*byte))
}

impl Place {
    /// The place of a byte of the document: its line, and its offset as messages have it.
    pub(crate) fn of(self, document: &[u8], at: usize) -> (u64, usize) {
        let before = document.get(..at).unwrap_or_default();
        (self.line + count_lines(before), self.before as usize + at)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {LONGEST} bytes"),
            Self::Structure(reason) => f.write_str(reason),
        }
    }
}
