//! The sentences that errors display as: texts and whole numbers, one after the other.
//!
//! `write!` says the same; but with it come padding, precision and signs, which no error wants, and
//! which take 3 KiB of a Cortex-M's flash.

use core::fmt::{self, Write};

/// Writes its parts, each a text or a number, one after the other.
macro_rules! sentence {
    ($f:expr, $($part:expr),+ $(,)?) => {{
        let f: &mut core::fmt::Formatter<'_> = $f;
        $($crate::sentence::Part::write($part, f)?;)+
        Ok(())
    }};
}
pub(crate) use sentence;

/// A part of a sentence.
pub(crate) trait Part {
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl Part for &str {
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Part for char {
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char(self)
    }
}

impl Part for usize {
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&digits(self))
    }
}

impl Part for u32 {
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self as usize).write(f)
    }
}

impl Part for i32 {
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self < 0 { "-" } else { "" })?;
        self.unsigned_abs().write(f)
    }
}

/// A number in decimal.
pub(crate) fn digits(number: usize) -> heapless::String<20, u8> {
    let over = |power| number.checked_div(power).unwrap_or_default();
    let mut power = 1_usize;
    while over(power) > 9 {
        power = power.wrapping_mul(10);
    }
    let mut digits = heapless::String::new();
    while power > 0 {
        // The longest number of 64 bits has 20 digits, so each finds room.
        let _ = digits.push(char::from(b'0'.wrapping_add((over(power) % 10) as u8)));
        power /= 10;
    }
    digits
}
