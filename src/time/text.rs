//! Reading and writing the parts of a date-time's text.

use heapless::String;

use super::calendar::TICKS_PER_SECOND;
use super::error::{DateTimeError, Expected, Number, Problem};

/// The length of the longest text written, in bytes.
pub(super) const MAX_LEN: usize = "9999-12-31T23:59:59.9999999-23:59".len();

/// A text being read from its front.
///
/// The first error stays and reading goes on, to no effect: asking once, at the end, is shorter and
/// faster than asking after every part.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// Of the whole text.
    len: usize,
    error: Option<DateTimeError>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { rest: text, len: text.len(), error: None }
    }

    /// Takes a number, or 0 where there is none.
    pub(super) fn number(&mut self, number: Number) -> u32 {
        let (digits, least, most) = number.range();
        if let Some((field, rest)) = self.rest.split_at_checked(digits) {
            let mut value = 0_u32;
            let mut all_digits = true;
            for byte in field {
                let digit = byte.wrapping_sub(b'0');
                all_digits &= digit <= 9;
                value = value.wrapping_mul(10).wrapping_add(u32::from(digit));
            }
            if all_digits && least <= value && value <= most {
                self.rest = rest;
                return value;
            }
        }
        self.fail(Expected::Number(number));
        0
    }

    /// Takes a separator and the number after it.
    pub(super) fn number_after(&mut self, separator: u8, number: Number) -> u32 {
        if !self.skip(separator) {
            self.fail(Expected::Separator(separator));
        }
        self.number(number)
    }

    /// Takes the digits after the dot, as ticks.
    pub(super) fn fraction(&mut self) -> u32 {
        let start = self.rest;
        let mut ticks = 0_u32;
        // From the eighth digit on it is 0, which cuts what is less than a tick.
        let mut weight = TICKS_PER_SECOND / 10;
        for _ in 0..12 {
            let Some(digit) = self.digit() else { break };
            ticks = ticks.wrapping_add(weight.wrapping_mul(digit));
            weight /= 10;
        }
        if self.rest.len() == start.len() || self.digit().is_some() {
            self.rest = start;
            self.fail(Expected::Fraction);
        }
        ticks
    }

    /// Takes `Z` or ±hh:mm, as minutes east of UTC.
    pub(super) fn offset(&mut self, expected: Expected) -> i16 {
        if self.skip(b'Z') {
            return 0;
        }
        let west = self.skip(b'-');
        if !west && !self.skip(b'+') {
            self.fail(expected);
        }
        let hours = self.number(Number::Hour);
        let minutes = self.number_after(b':', Number::Minute).wrapping_add(hours.wrapping_mul(60));
        // At most 1439.
        let minutes = minutes as i16;
        if west { minutes.wrapping_neg() } else { minutes }
    }

    /// Whether all was read, and well.
    pub(super) fn end(mut self) -> Result<(), DateTimeError> {
        if !self.rest.is_empty() {
            self.fail(Expected::End);
        }
        self.error.map_or(Ok(()), Err)
    }

    fn digit(&mut self) -> Option<u32> {
        let (byte, rest) = self.rest.split_first()?;
        let digit = char::from(*byte).to_digit(10)?;
        self.rest = rest;
        Some(digit)
    }

    /// Takes this byte, a letter in either case, if it is the next one.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn skip(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if first.eq_ignore_ascii_case(&byte) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn fail(&mut self, expected: Expected) {
        if self.error.is_none() {
            // At most 38: so long is the longest text that is accepted.
            let at = self.len.wrapping_sub(self.rest.len()) as u8;
            self.error = Some(DateTimeError(Problem::Text { at, expected }));
        }
    }
}

/// A text being written. None is longer than [`MAX_LEN`], so nothing is refused.
pub(super) struct Writer(String<{ MAX_LEN }>);

impl Writer {
    pub(super) const fn new() -> Self {
        Self(String::new())
    }

    pub(super) fn finish(self) -> String<{ MAX_LEN }> {
        self.0
    }

    pub(super) fn two_digits(&mut self, number: u32) {
        self.digit(number / 10);
        self.digit(number % 10);
    }

    /// The digits of a fraction of a second, down to the last that is not zero.
    pub(super) fn fraction(&mut self, ticks: u32) {
        let mut rest = ticks;
        if rest > 0 {
            self.push('.');
        }
        while rest > 0 {
            rest = rest.wrapping_mul(10);
            self.digit(rest / TICKS_PER_SECOND);
            rest %= TICKS_PER_SECOND;
        }
    }

    pub(super) fn offset(&mut self, offset: i16) {
        if offset == 0 {
            return self.push('Z');
        }
        self.push(if offset < 0 { '-' } else { '+' });
        let minutes = u32::from(offset.unsigned_abs());
        self.two_digits(minutes / 60);
        self.push(':');
        self.two_digits(minutes % 60);
    }

    fn digit(&mut self, digit: u32) {
        self.push(char::from_digit(digit, 10).unwrap_or('0'));
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn push(&mut self, character: char) {
        let _ = self.0.push(character);
    }
}
