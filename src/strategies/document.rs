//! A device state written by no particular hand, and what can be done to it.

use std::borrow::ToOwned;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use uuid::Uuid;

use crate::graph::Upn;
use crate::{DateTime, Event, RunState};

/// A valid `hardwareConfigurationDeviceState` and the event it means.
///
/// ```
/// # #[cfg(feature = "proptest")] {
/// use proptest::prelude::*;
/// use runtally::graph::DeviceState;
/// use runtally::strategies::Document;
///
/// proptest!(|(document: Document)| {
///     let state = DeviceState::decode(&document.json).expect("valid");
///     prop_assert_eq!(state.event(), document.event);
/// });
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Document {
    /// The JSON text.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub json: Vec<u8>,
    /// What it says.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub event: Event<Uuid, Upn>,
}

/// What a document says, before it is spelled.
#[derive(Debug)]
#[expect(clippy::option_option, reason = "absent, null or a text")]
pub(super) struct Parts {
    pub(super) id: u128,
    /// Empty stands for none.
    pub(super) user: Option<String>,
    pub(super) state: RunState,
    pub(super) at: DateTime,
    /// The values of [`TEXTS`]; the inner `None` is a null.
    pub(super) texts: Vec<Option<Option<String>>>,
    pub(super) version: Option<i32>,
    pub(super) unknown: Vec<(String, Value)>,
}

/// The optional texts of a device state and the bytes each holds.
const TEXTS: [(&str, usize); 6] = [
    ("deviceName", 255),
    ("osVersion", 255),
    ("configurationOutput", 8192),
    ("configurationError", 8192),
    ("assignmentFilterIds", 8192),
    ("userId", 255),
];

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'static str),
    Integer(i32),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Parts {
    pub(super) fn event(&self) -> Event<Uuid, Upn> {
        let user = self.user.as_deref().map(|user| up_to(Upn::MAX_LEN, user));
        Event {
            device: Uuid::from_u128(self.id),
            user: user.and_then(|user| user.parse().ok()).map(Upn::folded),
            state: self.state,
            at: self.at,
        }
    }

    pub(super) fn properties(&self) -> Vec<(String, Value)> {
        let text = |text: &str| Value::Text(text.to_owned());
        let mut properties = Vec::from([
            ("id".to_owned(), Value::Text(Uuid::from_u128(self.id).to_string())),
            ("configurationState".to_owned(), text(self.state.name())),
            ("lastStateUpdateDateTime".to_owned(), Value::Text(self.at.to_string())),
        ]);
        // Absent or null: one as good as the other.
        if let Some(user) = &self.user {
            properties.push(("upn".to_owned(), text(up_to(Upn::MAX_LEN, user))));
        } else if self.id & 1 == 0 {
            properties.push(("upn".to_owned(), Value::Null));
        }
        if self.id & 2 == 0 {
            let odata_type = "#microsoft.graph.hardwareConfigurationDeviceState";
            properties.push(("@odata.type".to_owned(), text(odata_type)));
        }
        if let Some(version) = self.version {
            properties.push(("internalVersion".to_owned(), Value::Integer(version)));
        }
        for ((name, limit), given) in TEXTS.into_iter().zip(&self.texts) {
            if let Some(given) = given {
                let value = given.as_ref().map(|given| text(up_to(limit, given)));
                properties.push((name.to_owned(), value.unwrap_or(Value::Null)));
            }
        }
        for (name, value) in &self.unknown {
            // No property of a device state begins like this.
            properties.push((format!("x{name}"), value.clone()));
        }
        properties
    }
}

/// As much of the text as fits in so many bytes.
fn up_to(limit: usize, text: &str) -> &str {
    let end = (0..=limit.min(text.len())).rfind(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

impl Document {
    /// `hand` decides, over and over again, how the next thing is spelled.
    pub(super) fn spell(
        event: Event<Uuid, Upn>,
        properties: &[(String, Value)],
        hand: &[u8],
    ) -> Self {
        let mut pen = Pen { json: String::new(), hand: hand.iter().copied().cycle() };
        pen.space();
        pen.object(properties);
        pen.space();
        Self { json: pen.json.into_bytes(), event }
    }
}

struct Pen<I> {
    json: String,
    hand: I,
}

impl<I: Iterator<Item = u8>> Pen<I> {
    /// A number below `choices`; always 0 for an empty hand.
    fn choose(&mut self, choices: u8) -> u8 {
        self.hand.next().and_then(|byte| byte.checked_rem(choices)).unwrap_or(0)
    }

    fn space(&mut self) {
        let space = ["", "", "", " ", "\t", "\r\n", "\n    "];
        let choice = usize::from(self.choose(7));
        self.json.push_str(space.get(choice).unwrap_or(&""));
    }

    fn punctuation(&mut self, mark: char) {
        self.space();
        self.json.push(mark);
        self.space();
    }

    fn object(&mut self, properties: &[(String, Value)]) {
        self.punctuation('{');
        for (number, (name, value)) in properties.iter().enumerate() {
            if number > 0 {
                self.punctuation(',');
            }
            self.text(name);
            self.punctuation(':');
            self.value(value);
        }
        self.punctuation('}');
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.json.push_str("null"),
            Value::Bool(value) => self.json.push_str(if *value { "true" } else { "false" }),
            Value::Number(number) => self.json.push_str(number),
            Value::Integer(integer) => self.json.push_str(&integer.to_string()),
            Value::Text(text) => self.text(text),
            Value::Object(properties) => self.object(properties),
            Value::List(values) => {
                self.punctuation('[');
                for (number, value) in values.iter().enumerate() {
                    if number > 0 {
                        self.punctuation(',');
                    }
                    self.value(value);
                }
                self.punctuation(']');
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.json.push('"');
        for character in text.chars() {
            let short = match character {
                '"' | '\\' | '/' => Some(character),
                '\u{8}' => Some('b'),
                '\u{c}' => Some('f'),
                '\n' => Some('n'),
                '\r' => Some('r'),
                '\t' => Some('t'),
                _ => None,
            };
            let must_escape = matches!(character, '"' | '\\' | '\0'..='\u{1f}');
            match (self.choose(4), short) {
                (0, Some(short)) => self.json.extend(['\\', short]),
                (0 | 1, _) => self.escape(character),
                (_, Some(short)) if must_escape => self.json.extend(['\\', short]),
                _ if must_escape => self.escape(character),
                _ => self.json.push(character),
            }
        }
        self.json.push('"');
    }

    fn escape(&mut self, character: char) {
        let upper = self.choose(2) == 1;
        for unit in character.encode_utf16(&mut [0; 2]) {
            let escape = if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
            self.json.push_str(&escape);
        }
    }
}

/// One thing done to a document's bytes.
#[cfg(feature = "proptest")]
pub(super) struct Damage {
    pub(super) kind: u8,
    pub(super) at: usize,
    pub(super) what: u8,
}

/// What a parser stumbles over.
#[cfg(feature = "proptest")]
const STONES: [&[u8]; 24] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b",",
    b":",
    b"-",
    b"0",
    b"null",
    b"tru",
    b"-0",
    b"5.0",
    b"1e5",
    b"2147483648",
    b"\\ud83d",
    b"\\udE00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\x00",
    b"\"id\":1,",
    b"[[[[[[[[[[[[[[[[",
    b"\"upn\":null,",
];

#[cfg(feature = "proptest")]
impl Damage {
    pub(super) fn done_to(self, mut json: Vec<u8>) -> Vec<u8> {
        let at = self.at.checked_rem(json.len()).unwrap_or(0);
        match self.kind & 7 {
            0 => json.truncate(at),
            1 => drop(json.drain(at..json.len().min(at.saturating_add(1)))),
            2 => {
                if let Some(byte) = json.get_mut(at) {
                    *byte ^= 1 << (self.what & 7);
                }
            }
            3 => {
                let tail: Vec<u8> = json.get(at..).unwrap_or_default().to_vec();
                json.extend(tail);
            }
            _ => {
                let stone = STONES.iter().cycle().nth(self.what.into());
                drop(json.splice(at..at, stone.copied().unwrap_or_default().iter().copied()));
            }
        }
        json
    }
}
