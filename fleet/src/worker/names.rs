//! The names of a shard's users, in one text: a user's own is found by the number of the user's row.

/// Text that nobody needs is kept until there is more of it than of the rest, and more than this.
const SPARE: usize = 4096;

/// A sixteenth more each time, so that little memory waits for names that may never come.
const GROWTH: usize = 16;

#[derive(Default)]
pub(crate) struct Names {
    /// Where the name of a row begins, plus one; 0 where it is not known.
    starts: Vec<u32>,
    /// For each name its length and its bytes.
    text: Vec<u8>,
    /// Bytes of the text that are no row's any more.
    spare: usize,
}

impl Names {
    /// The name of the user of a row; empty if it is not known.
    pub(crate) fn get(&self, row: u16) -> &str {
        let name = || {
            let start = self.starts.get(usize::from(row))?.checked_sub(1)?;
            let (len, text) = self.text.get(start as usize..)?.split_first()?;
            str::from_utf8(text.get(..usize::from(*len))?).ok()
        };
        name().unwrap_or_default()
    }

    /// Whether the row has a name.
    pub(crate) fn is_known(&self, row: u16) -> bool {
        self.starts.get(usize::from(row)).is_some_and(|start| *start > 0)
    }

    /// Gives a row the name of its user, or none if that is empty.
    pub(crate) fn set(&mut self, row: u16, name: &str) {
        let row = usize::from(row);
        if row >= self.starts.len() {
            if name.is_empty() {
                return;
            }
            let more = row + 1 - self.starts.len();
            reserve(&mut self.starts, more);
            self.starts.resize(row + 1, 0);
        }
        let former = self.get(row as u16).len();
        if std::mem::take(&mut self.starts[row]) > 0 {
            self.spare += 1 + former;
        }
        // A UPN has at most 145 bytes, so that 65 534 of them stay below 10 MB.
        let Ok(len) = u8::try_from(name.len()) else { return };
        if len > 0 {
            self.tidy();
            reserve(&mut self.text, 1 + name.len());
            self.text.push(len);
            self.starts[row] = self.text.len() as u32;
            self.text.extend(name.as_bytes());
        }
    }

    /// Leaves out what is no row's, if that is most of it.
    fn tidy(&mut self) {
        if self.spare <= SPARE.max(self.text.len() / 2) {
            return;
        }
        let text = std::mem::take(&mut self.text);
        self.spare = 0;
        for start in self.starts.iter_mut().filter(|start| **start > 0) {
            let from = *start as usize - 1;
            let name = &text[from..=from + usize::from(text[from])];
            *start = self.text.len() as u32 + 1;
            self.text.extend(name);
        }
    }
}

fn reserve<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        vec.reserve_exact(more.max(vec.len() / GROWTH).max(64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_the_last_name_that_it_was_given() {
        let mut names = Names::default();
        let mut model = std::collections::HashMap::new();
        let mut number = 7_u32;
        for turn in 0..50_000 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let row = (number >> 16) as u16 % 500;
            let name = match number % 5 {
                0 => String::new(),
                _ => format!("user{turn}{}@example.com", "x".repeat((number >> 8) as usize % 120)),
            };
            names.set(row, &name);
            model.insert(row, name);
            assert!(names.text.len() < 500 * 146 * 2 + SPARE + 146, "the text is tidied");
        }
        for row in 0..600 {
            let expected = model.get(&row).map_or("", |name| name);
            assert_eq!((names.get(row), names.is_known(row)), (expected, !expected.is_empty()));
        }
    }
}
