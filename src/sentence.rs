//! The sentences that errors display as.
//!
//! `write!` says the same; but with it come padding, precision and signs, which no error wants, and
//! which take 3 KiB of a Cortex-M's flash.

use core::fmt::{self, Write};

/// Writes a template with a text, a character or a whole number in the place of each `{}`.
macro_rules! sentence {
    ($f:expr, $template:literal, $part:expr $(,)?) => {
        $crate::sentence::One::write($part, $f, $template)
    };
    ($f:expr, $template:literal $(, $part:expr)* $(,)?) => {
        $crate::sentence::write($f, $template, &[$($crate::sentence::Part::from($part)),*])
    };
}
pub(crate) use sentence;

/// What may be the only part of a sentence: most have one, so each kind has its own short call.
pub(crate) trait One {
    fn write(self, f: &mut fmt::Formatter<'_>, template: &str) -> fmt::Result;
}

impl One for &str {
    #[inline(never)]
    fn write(self, f: &mut fmt::Formatter<'_>, template: &str) -> fmt::Result {
        write(f, template, &[Part::Text(self)])
    }
}

impl One for usize {
    #[inline(never)]
    fn write(self, f: &mut fmt::Formatter<'_>, template: &str) -> fmt::Result {
        write(f, template, &[Part::Number(self)])
    }
}

impl One for u32 {
    fn write(self, f: &mut fmt::Formatter<'_>, template: &str) -> fmt::Result {
        One::write(self as usize, f, template)
    }
}

impl One for i32 {
    fn write(self, f: &mut fmt::Formatter<'_>, template: &str) -> fmt::Result {
        write(f, template, &[Part::from(self)])
    }
}

impl One for char {
    fn write(self, f: &mut fmt::Formatter<'_>, template: &str) -> fmt::Result {
        write(f, template, &[Part::Char(self)])
    }
}

/// What stands in the place of a `{}`.
pub(crate) enum Part<'a> {
    Text(&'a str),
    Char(char),
    Number(usize),
    Negative(usize),
}

impl<'a> From<&'a str> for Part<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<char> for Part<'_> {
    fn from(c: char) -> Self {
        Self::Char(c)
    }
}

impl From<usize> for Part<'_> {
    fn from(number: usize) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Part<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number as usize)
    }
}

impl From<i32> for Part<'_> {
    fn from(number: i32) -> Self {
        let distance = number.unsigned_abs() as usize;
        if number < 0 { Self::Negative(distance) } else { Self::Number(distance) }
    }
}

#[inline(never)]
pub(crate) fn write(f: &mut fmt::Formatter<'_>, template: &str, parts: &[Part<'_>]) -> fmt::Result {
    let mut rest = template;
    for part in parts {
        let at = rest.bytes().position(|byte| byte == b'{').unwrap_or(rest.len());
        f.write_str(rest.get(..at).unwrap_or_default())?;
        rest = rest.get(at.saturating_add("{}".len())..).unwrap_or_default();
        match *part {
            Part::Text(text) => f.write_str(text)?,
            Part::Char(c) => f.write_char(c)?,
            Part::Number(number) => f.write_str(&digits(number))?,
            Part::Negative(number) => {
                f.write_char('-')?;
                f.write_str(&digits(number))?;
            }
        }
    }
    f.write_str(rest)
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
