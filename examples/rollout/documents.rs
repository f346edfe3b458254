//! Documents one by one, in bounded memory: the lines of a file, or the elements of its arrays.

use std::io::{self, BufRead, Read};
use std::{fmt, mem};

use memchr::{memchr, memchr_iter};

use crate::input::Input;
use crate::json::{Form, Value, is_space};

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
    /// How many lines have begun.
    line: u64,
    /// How many bytes were read, for lines not kept up to date.
    offset: u64,
    /// How many elements of the array at hand were read.
    elements: u64,
    /// The page at hand without its elements.
    envelope: Vec<u8>,
    pub(crate) pages: Pages,
}

/// The pages of lists that were read.
#[derive(Default)]
pub(crate) struct Pages {
    /// Whether the last page of a list was among them.
    has_last: bool,
    next_link: Option<String>,
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
    /// Of an element of an array, its number, counted from 1, and the bytes before it in the file.
    pub(crate) element: Option<(u64, u64)>,
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
        }
        Ok(Self {
            input,
            given: 0,
            form: None,
            document: Vec::new(),
            line: 0,
            offset: if let Mark::Utf8 = mark { UTF_8.len() as u64 } else { 0 },
            elements: 0,
            envelope: Vec::new(),
            pages: Pages::default(),
        })
    }

    /// The next document; `None` after the last.
    pub(crate) fn next(&mut self) -> io::Result<Option<Document<'_>>> {
        self.input.consume(mem::take(&mut self.given));
        loop {
            match self.form {
                Some(Form::Lines) => return self.next_line(),
                Some(Form::Array(_) | Form::Page(_)) => match self.next_element()? {
                    Next::Element(place) => {
                        return Ok(Some(Document { place, text: Ok(&self.document) }));
                    }
                    Next::Fault(place, fault) => {
                        return Ok(Some(Document { place, text: Err(fault) }));
                    }
                    Next::End => self.form = None,
                },
                None => self.open()?,
            }
        }
    }

    /// Finds out what comes next, at the start and after every array.
    fn open(&mut self) -> io::Result<()> {
        let form = self.input.look(|bytes, _| Form::of(bytes))?;
        match form {
            // What is left of the line on which an array ended is a line.
            Form::Lines => self.line = self.line.saturating_sub(1),
            Form::Array(opening) | Form::Page(opening) => {
                self.envelope.resize(opening, 0);
                self.input.read_exact(&mut self.envelope)?;
                self.line = self.line.max(1) + count_lines(&self.envelope);
                self.offset += opening as u64;
                self.elements = 0;
            }
        }
        self.form = Some(form);
        Ok(())
    }

    fn next_line(&mut self) -> io::Result<Option<Document<'_>>> {
        // Nearly every line lies in the input's buffer as a whole, and is read there.
        if let Some(len) = memchr(b'\n', self.input.fill_buf()?) {
            self.line += 1;
            self.given = len + 1;
            let place = Place { line: self.line, element: None };
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
        self.line += 1;
        let line = self.document.as_slice();
        let ended = line.strip_suffix(b"\n");
        let is_cut = ended.is_none() && line.len() > LONGEST;
        if is_cut {
            self.input.skip_until(b'\n')?;
        }
        let text = if is_cut { Err(Fault::TooLong) } else { Ok(ended.unwrap_or(line)) };
        Ok(Some(Document { place: Place { line: self.line, element: None }, text }))
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
        let place = Place { line: self.line, element: Some((self.elements, self.offset)) };
        self.document.clear();
        match self.value(Value::default(), LONGEST)? {
            Ended::Whole => Ok(Next::Element(place)),
            Ended::TooLong => Ok(Next::Fault(place, Fault::TooLong)),
            Ended::CutOff => self.give_up("the array is cut off in the middle of an element"),
        }
    }

    /// After the `]`: a page goes on.
    fn end_array(&mut self) -> io::Result<Next> {
        if !matches!(self.form, Some(Form::Page(_))) {
            return Ok(Next::End);
        }
        self.document.clear();
        match self.value(Value::rest_of_object(), LONGEST_ENVELOPE)? {
            Ended::Whole => {}
            Ended::TooLong => return self.give_up("too much stands after the page's value"),
            Ended::CutOff => return self.give_up("the page is cut off: it has no }"),
        }
        self.envelope.push(b']');
        self.envelope.extend_from_slice(&self.document);
        match serde_json::from_slice::<serde_json::Value>(&self.envelope) {
            Ok(page) => {
                match &page["@odata.nextLink"] {
                    serde_json::Value::String(link) => self.pages.next_link = Some(link.clone()),
                    _ => self.pages.has_last = true,
                }
                Ok(Next::End)
            }
            Err(error) => {
                self.give_up(&format!("the page around its elements is no JSON: {error}"))
            }
        }
    }

    /// A value into `document`, at most so many bytes of it.
    fn value(&mut self, mut value: Value, longest: usize) -> io::Result<Ended> {
        let mut is_too_long = false;
        loop {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                return Ok(Ended::CutOff);
            }
            let end = value.end(bytes);
            let bytes = &bytes[..end.unwrap_or(bytes.len())];
            is_too_long |= self.document.len() + bytes.len() > longest;
            if !is_too_long {
                self.document.extend_from_slice(bytes);
            }
            self.line += count_lines(bytes);
            self.offset += bytes.len() as u64;
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
            self.line += count_lines(&bytes[..space]);
            self.offset += space as u64;
            self.input.consume(space);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.offset += bytes as u64;
    }

    /// What is wrong here; nothing that follows is read.
    fn give_up(&mut self, reason: &str) -> io::Result<Next> {
        let place = Place { line: self.line, element: None };
        let at = self.offset;
        io::copy(&mut self.input, &mut io::sink())?;
        self.form = Some(Form::Lines);
        let reason = format!("byte {at}: {reason}; the rest of the file is not read");
        Ok(Next::Fault(place, Fault::Structure(reason)))
    }
}

enum Next {
    Element(Place),
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
}

impl Pages {
    pub(crate) fn add(&mut self, other: Self) {
        self.has_last |= other.has_last;
        self.next_link = other.next_link.or(self.next_link.take());
    }

    /// Where the list goes on, if the last page of it is not among those read.
    pub(crate) fn missing(&self) -> Option<&str> {
        self.next_link.as_deref().filter(|_| !self.has_last)
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
    /// The place of a byte of the document: its line, and its offset as messages have it, in the
    /// line or, for an element, in the file.
    pub(crate) fn of(self, document: &[u8], at: usize) -> (u64, usize) {
        match self.element {
            None => (self.line, at),
            Some((_, begin)) => {
                let before = document.get(..at).unwrap_or_default();
                (self.line + count_lines(before), begin as usize + at)
            }
        }
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
