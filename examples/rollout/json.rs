//! Where a JSON value ends, without a look at what it says: reading it strictly is the library's.

use std::iter::from_fn;
use std::mem;

use memchr::memchr2;

/// Goes through a value in pieces.
#[derive(Default)]
pub(crate) struct Value {
    /// Objects and arrays that are open.
    depth: u64,
    within: Within,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Within {
    #[default]
    Structure,
    String,
    Escape,
    /// A number, a literal, or what is neither, where it is the whole value.
    Word,
}

impl Value {
    /// The rest of an object, from a place between its properties on.
    pub(crate) const fn rest_of_object() -> Self {
        Self { depth: 1, within: Within::Structure }
    }

    /// How many of these bytes, the next ones, belong to the value, if it ends among them.
    pub(crate) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            if self.within == Within::String {
                // Most of a document is text.
                at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
            }
            let byte = *bytes.get(at)?;
            let is_outermost = self.depth == 0;
            let mut has_ended = false;
            match (self.within, byte) {
                (Within::Escape, _) | (Within::Structure, b'"') => self.within = Within::String,
                (Within::String, b'\\') => self.within = Within::Escape,
                (Within::String, _) => {
                    self.within = Within::Structure;
                    has_ended = is_outermost;
                }
                (Within::Word, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n') => {
                    return Some(at);
                }
                (Within::Structure, b'{' | b'[') => self.depth += 1,
                (Within::Structure, b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    has_ended = self.depth == 0;
                }
                (Within::Structure, _) if is_outermost => self.within = Within::Word,
                (Within::Word | Within::Structure, _) => {}
            }
            at += 1;
            if has_ended {
                return Some(at);
            }
        }
    }
}

/// What a file, or the rest of it, is made of.
#[derive(Debug, Default, PartialEq)]
pub(crate) enum Form {
    /// A document per line.
    #[default]
    Lines,
    /// An array of documents, which begins after this many bytes.
    Array(usize),
    /// An object such as a Graph list answers with: its `value` is an array, which begins after
    /// this many bytes.
    Page(usize),
    /// A document that is spread over lines, as programs print it for people.
    Spread,
}

impl Form {
    /// Of what begins with these bytes; nothing where more of them are needed, unless they are all.
    pub(crate) fn of(bytes: &[u8], is_all: bool) -> Option<Self> {
        let mut at = 0;
        match next(bytes, &mut at)? {
            b'[' => Some(Self::Array(at)),
            b'{' => match Self::of_object(bytes, at) {
                Some(Self::Lines) if is_spread(&bytes[at..]) => Some(Self::Spread),
                None if is_all && is_spread(&bytes[at..]) => Some(Self::Spread),
                form => form,
            },
            _ => Some(Self::Lines),
        }
    }

    /// Looks at the properties, up to one that tells. What is no JSON is for the lines' reader to
    /// refuse.
    fn of_object(bytes: &[u8], mut at: usize) -> Option<Self> {
        loop {
            let name = at;
            if next(bytes, &mut at)? != b'"' {
                return Some(Self::Lines);
            }
            at -= 1;
            at += Value::default().end(&bytes[at..])?;
            let name = bytes[name..at].trim_ascii();
            if next(bytes, &mut at)? != b':' {
                return Some(Self::Lines);
            }
            let first = next(bytes, &mut at)?;
            match name {
                br#""value""# if first == b'[' => return Some(Self::Page(at)),
                // A page has none.
                br#""id""# => return Some(Self::Lines),
                _ => {}
            }
            at -= 1;
            skip(bytes, &mut at)?;
            if next(bytes, &mut at)? != b',' {
                return Some(Self::Lines);
            }
        }
    }
}

/// Whether a line ends between an object's brace and its first name. Where a line was cut off after
/// the brace, it is no name that follows.
fn is_spread(after_brace: &[u8]) -> bool {
    let space = after_brace.iter().take_while(|byte| is_space(**byte)).count();
    after_brace[..space].contains(&b'\n') && after_brace.get(space) == Some(&b'"')
}

/// The names of an object's properties, as they are written, and where each of them begins; up to
/// what is cut off or no JSON.
pub(crate) fn names(object: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    let mut is_first = true;
    from_fn(move || {
        if !mem::take(&mut is_first) {
            skip(object, &mut at)?;
        }
        if !matches!(next(object, &mut at)?, b'{' | b',') || next(object, &mut at)? != b'"' {
            return None;
        }
        at -= 1;
        let begin = at;
        skip(object, &mut at)?;
        let name = &object[begin..at];
        (next(object, &mut at)? == b':').then_some((begin, name))
    })
}

/// Goes past a value, and the white space before it.
fn skip(bytes: &[u8], at: &mut usize) -> Option<()> {
    next(bytes, at)?;
    *at -= 1;
    *at += Value::default().end(&bytes[*at..])?;
    Some(())
}

/// The next byte that is not white space; goes past it.
fn next(bytes: &[u8], at: &mut usize) -> Option<u8> {
    let space = bytes[*at..].iter().take_while(|byte| is_space(**byte)).count();
    let byte = *bytes.get(*at + space)?;
    *at += space + 1;
    Some(byte)
}

/// JSON's white space (RFC 8259, section 2).
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
