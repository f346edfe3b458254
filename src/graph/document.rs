//! The door: a document read byte by byte, exactly as RFC 8259 has it.

use core::str;

use super::text::{Escape, Escaped};
use super::{Error, MAX_DEPTH, Reason};

/// A position in a document.
///
/// What is read is `None` where it is not as it must be. Nothing is read after that, and
/// [`error`](Self::error) says what was wrong: an error handed up by every function would take more
/// code than what they do.
pub(super) struct Document<'a> {
    text: &'a str,
    at: usize,
    error: Option<Error>,
}

impl<'a> Document<'a> {
    /// At the start.
    pub(super) fn new(json: &'a [u8]) -> Self {
        let mut document = Self { text: "", at: 0, error: None };
        match str::from_utf8(json) {
            Ok(text) => document.text = text,
            Err(error) => document.fail(error.valid_up_to(), Reason::NotUtf8),
        }
        if document.text.starts_with('\u{feff}') {
            document.fail(0, Reason::ByteOrderMark);
        }
        document
    }

    /// What was wrong.
    pub(super) const fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// `reason` is what was wrong, at byte `at`.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn fail(&mut self, at: usize, reason: Reason) {
        self.error = Some(Error::new(at, reason));
    }

    /// The offset in bytes.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is not white space.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn peek(&mut self) -> Option<u8> {
        let mut rest = self.rest();
        while let [b' ' | b'\t' | b'\n' | b'\r', after @ ..] = rest {
            self.step(1);
            rest = after;
        }
        rest.first().copied()
    }

    /// Goes past the byte that [`peek`](Self::peek) gave.
    pub(super) fn advance(&mut self) {
        self.step(1);
    }

    /// Goes past `byte` and the white space before it, if it is the next byte.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.step(1);
        }
        is_next
    }

    /// Goes past `byte`, for the lack of which `reason` is given.
    pub(super) fn expect(&mut self, byte: u8, reason: Reason) -> Option<()> {
        if self.take(byte) { Some(()) } else { self.refuse(reason) }
    }

    /// `reason` is what is wrong with this byte, or there is no byte.
    pub(super) fn refuse<T>(&mut self, reason: Reason) -> Option<T> {
        let reason = if self.at < self.text.len() { reason } else { Reason::Truncated };
        self.fail(self.at, reason);
        None
    }

    /// Goes past the string `name` if it is next, spelled without escapes.
    pub(super) fn take_name(&mut self, name: &str) -> bool {
        let rest = self.rest().strip_prefix(b"\"");
        let is_next =
            matches!(rest.and_then(|rest| rest.strip_prefix(name.as_bytes())), Some([b'"', ..]));
        if is_next {
            self.step(name.len().saturating_add(2));
        }
        is_next
    }

    /// A property's name, which begins here.
    pub(super) fn name(&mut self) -> Option<Escaped<'a>> {
        self.string(Reason::NameNotAString)
    }

    /// The colon after a property's name.
    pub(super) fn colon(&mut self) -> Option<()> {
        self.expect(b':', Reason::NoColon)
    }

    /// A string that begins here; `reason` is given where there is none.
    pub(super) fn string(&mut self, reason: Reason) -> Option<Escaped<'a>> {
        if !self.skip_if(b"\"") {
            return self.refuse(reason);
        }
        let start = self.at;
        let mut shorter = 0_usize;
        loop {
            self.step(plain(self.rest()));
            match self.rest() {
                [b'"', ..] => break,
                [b'\\', after @ ..] => {
                    let escape = match Escape::read(after) {
                        Ok(escape) => escape,
                        Err(Reason::Truncated) => {
                            self.fail(self.text.len(), Reason::Truncated);
                            return None;
                        }
                        Err(reason) => {
                            self.fail(self.at, reason);
                            return None;
                        }
                    };
                    let len = escape.len.saturating_add(1);
                    shorter =
                        shorter.saturating_add(len).saturating_sub(escape.stands_for.len_utf8());
                    self.step(len);
                }
                _ => return self.refuse(Reason::ControlCharacter),
            }
        }
        // Both ends stand beside a quotation mark, so the text is cut between characters.
        let source = self.text.get(start..self.at).unwrap_or_default();
        self.step(1);
        Some(Escaped::new(source, source.len().saturating_sub(shorter)))
    }

    /// Whether `null` begins here; goes past it.
    pub(super) fn null(&mut self) -> Option<bool> {
        let is_null = self.rest().first() == Some(&b'n');
        if is_null {
            self.literal("null")?;
        }
        Some(is_null)
    }

    /// A number that begins here, as it is written; `reason` is given where there is none.
    pub(super) fn number(&mut self, reason: Reason) -> Option<&'a [u8]> {
        if !matches!(self.rest().first(), Some(b'-' | b'0'..=b'9')) {
            return self.refuse(reason);
        }
        let start = self.rest();
        let from = self.at;
        self.skip_if(b"-");
        if !self.skip_if(b"0") {
            self.digits()?;
        }
        if self.skip_if(b".") {
            self.digits()?;
        }
        if self.skip_if(b"eE") {
            self.skip_if(b"+-");
            self.digits()?;
        }
        Some(start.get(..self.at.saturating_sub(from)).unwrap_or_default())
    }

    /// Goes past any one value.
    ///
    /// No recursion: what is open is one bit per level, so the depth of a document costs no stack.
    pub(super) fn skip(&mut self) -> Option<()> {
        // The innermost container is the lowest bit, 1 for an object; above them all is a marker.
        let mut open = 1_u32;
        'value: loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    // The document's own object is the first level.
                    if open >> MAX_DEPTH.saturating_sub(1) != 0 {
                        return self.refuse(Reason::TooDeep);
                    }
                    self.step(1);
                    let is_object = bracket == b'{';
                    open = open << 1 | u32::from(is_object);
                    let is_empty = self.peek() == Some(if is_object { b'}' } else { b']' });
                    if !is_empty {
                        self.key(is_object)?;
                        continue;
                    }
                }
                Some(b'"') => drop(self.string(Reason::NotAString)?),
                Some(b'-' | b'0'..=b'9') => drop(self.number(Reason::NotAValue)?),
                Some(b't') => self.literal("true")?,
                Some(b'f') => self.literal("false")?,
                Some(b'n') => self.literal("null")?,
                _ => return self.refuse(Reason::NotAValue),
            }
            // A value has ended, and with it every container that closes here.
            while open != 1 {
                let is_object = open & 1 == 1;
                if self.take(b',') {
                    self.key(is_object)?;
                    continue 'value;
                }
                if is_object {
                    self.expect(b'}', Reason::NoCommaInObject)?;
                } else {
                    self.expect(b']', Reason::NoCommaInArray)?;
                }
                open >>= 1;
            }
            return Some(());
        }
    }

    /// What stands before a value in an object.
    fn key(&mut self, is_object: bool) -> Option<()> {
        if is_object {
            self.peek();
            self.name()?;
            self.colon()?;
        }
        Some(())
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// `bytes` is at most what is left, so the sum is at most the length of the document.
    fn step(&mut self, bytes: usize) {
        self.at = self.at.wrapping_add(bytes);
    }

    /// Goes past the next byte if it is one of `bytes`.
    fn skip_if(&mut self, bytes: &[u8]) -> bool {
        let is_one = self.rest().first().is_some_and(|next| bytes.contains(next));
        if is_one {
            self.step(1);
        }
        is_one
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return self.refuse(Reason::NotANumber);
        }
        self.step(digits);
        Some(())
    }

    fn literal(&mut self, word: &str) -> Option<()> {
        let rest = self.rest();
        if rest.starts_with(word.as_bytes()) {
            self.step(word.len());
            Some(())
        } else if word.as_bytes().starts_with(rest) {
            self.fail(self.text.len(), Reason::Truncated);
            None
        } else {
            self.refuse(Reason::NotAValue)
        }
    }
}

/// How many bytes from the start are neither `"`, `\` nor a control character.
///
/// One word of the machine at a time: 8 bytes on a 64-bit core, 4 on a Cortex-M.
pub(super) fn plain(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks();
    let mut count = 0_usize;
    for word in words {
        let special = special(usize::from_le_bytes(*word));
        if special != 0 {
            // Bits are numbered as the bytes are: the lowest byte is the first.
            return count.wrapping_add(special.trailing_zeros() as usize / 8);
        }
        count = count.wrapping_add(word.len());
    }
    let is_plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | ..b' ');
    count.wrapping_add(tail.iter().take_while(is_plain).count())
}

/// The top bit of every byte that is `"`, `\` or a control character, exact up to the first one.
///
/// A byte below `n` borrows when `n` is taken from it, and the borrow shows in its top bit unless
/// it had that bit before. A borrow runs on into higher bytes only, hence "up to the first".
const fn special(word: usize) -> usize {
    const ONES: usize = usize::MAX / 0xff;
    const TOPS: usize = ONES << 7;
    const fn below(word: usize, n: usize) -> usize {
        word.wrapping_sub(ONES.wrapping_mul(n)) & !word
    }
    const fn equal(word: usize, byte: u8) -> usize {
        below(word ^ ONES.wrapping_mul(byte as usize), 1)
    }
    (below(word, 0x20) | equal(word, b'"') | equal(word, b'\\')) & TOPS
}
