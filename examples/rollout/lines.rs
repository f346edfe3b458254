//! Lines of any length in bounded memory.

use std::error::Error;
use std::fmt;
use std::io::{self, BufRead, Read};

/// The longest line that is kept, in bytes, its end not counted.
const LONGEST: u64 = 1 << 20;

/// The lines of `input`, one after the other in one buffer.
pub(crate) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
}

/// One line, without what ends it.
pub(crate) struct Line<'a> {
    /// Its number, counted from 1.
    pub(crate) number: u64,
    pub(crate) text: Result<&'a [u8], TooLong>,
}

/// A line of more than 1 MiB.
#[derive(Debug)]
pub(crate) struct TooLong;

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, line: Vec::new(), number: 0 }
    }

    /// The next line; `None` after the last.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        self.input.by_ref().take(LONGEST + 1).read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let is_cut = self.line.len() as u64 > LONGEST && !self.line.ends_with(b"\n");
        if is_cut {
            self.input.skip_until(b'\n')?;
        }
        let line = self.line.as_slice();
        let text = if is_cut { Err(TooLong) } else { Ok(line.strip_suffix(b"\n").unwrap_or(line)) };
        Ok(Some(Line { number: self.number, text }))
    }
}

/// Whether there is nothing but JSON's white space.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "longer than {LONGEST} bytes")
    }
}

impl Error for TooLong {}
