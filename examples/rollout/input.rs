//! What is read, with a look ahead.

use std::io::{self, BufRead, Read};

/// How far to look for what the input is made of, in bytes.
const FARTHEST: usize = 1 << 16;

/// An input whose start was looked at and will be read all the same.
pub(crate) struct Input<R> {
    ahead: Vec<u8>,
    /// How much of `ahead` was read.
    read: usize,
    rest: R,
}

impl<R: BufRead> Input<R> {
    pub(crate) const fn new(rest: R) -> Self {
        Self { ahead: Vec::new(), read: 0, rest }
    }

    /// What `decide` makes of the next bytes: of a few at first, of more while it cannot tell. The
    /// last time it is told that there are no more to come; what it cannot tell then is the default.
    pub(crate) fn look<T: Default>(
        &mut self,
        decide: impl Fn(&[u8], bool) -> Option<T>,
    ) -> io::Result<T> {
        loop {
            let ahead = &self.ahead[self.read..];
            if let Some(decision) = decide(ahead, false) {
                return Ok(decision);
            }
            let more = if ahead.len() < FARTHEST { self.rest.fill_buf()? } else { &[] };
            if more.is_empty() {
                return Ok(decide(ahead, true).unwrap_or_default());
            }
            let len = more.len();
            self.ahead.extend_from_slice(more);
            self.rest.consume(len);
        }
    }
}

impl<R: BufRead> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read < self.ahead.len() {
            return Ok(&self.ahead[self.read..]);
        }
        self.rest.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if self.read >= self.ahead.len() {
            return self.rest.consume(amount);
        }
        self.read += amount;
        if self.read >= self.ahead.len() {
            self.ahead.clear();
            self.read = 0;
        }
    }
}

impl<R: BufRead> Read for Input<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}
