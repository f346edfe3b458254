//! Where a JSON value ends, without a look at what it says: reading it strictly is the library's.

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
}

impl Form {
    /// Of what begins with these bytes; nothing where more of them are needed.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let mut at = 0;
        match next(bytes, &mut at)? {
            b'[' => Some(Self::Array(at)),
            b'{' => Self::of_object(bytes, at),
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
            at += Value::default().end(&bytes[at..])?;
            if next(bytes, &mut at)? != b',' {
                return Some(Self::Lines);
            }
        }
    }
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
