//! Why a document was refused, and at which byte.

use core::fmt;

use super::MAX_DEPTH;
use crate::sentence::sentence;
use crate::{Counts, DateTimeError, ParseRunStateError};

/// Why a JSON document was refused.
///
/// Displays as the sentence to send back: the property where there is one, the byte, the reason.
///
/// ```
/// use runtally::graph::RunSummaryUpdate;
///
/// let error = RunSummaryUpdate::decode(br#"{"failedDeviceCount":-1}"#).unwrap_err();
/// assert_eq!(error.property, Some("failedDeviceCount"));
/// assert_eq!(error.at, 21);
/// assert_eq!(
///     error.to_string(),
///     "failedDeviceCount at byte 21: expected an integer from 0 to 2147483647"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Error {
    /// The property whose value it is; `None` outside the properties of the resource.
    pub property: Option<&'static str>,
    /// The offset in bytes from the start of the document: where the value begins when the value
    /// is not what the property holds, the byte itself when it is no JSON, and 0 for a property
    /// that is missing.
    pub at: usize,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a JSON document.
///
/// ```
/// use runtally::graph::{DeviceState, Reason};
///
/// let error = DeviceState::decode(b"[]").unwrap_err();
/// assert_eq!(error.reason, Reason::NotAnObject);
/// assert_eq!(error.reason.to_string(), "expected an object");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Reason {
    /// The bytes are not UTF-8 (RFC 8259, section 8.1).
    NotUtf8,
    /// The document begins with U+FEFF (RFC 8259, section 8.1).
    ByteOrderMark,
    /// The bytes end before the object does.
    Truncated,
    /// The document is no object.
    NotAnObject,
    /// Something follows the object.
    TrailingBytes,
    /// Where a property's name must stand is no string.
    NameNotAString,
    /// No colon follows a property's name.
    NoColon,
    /// Neither a comma nor `}` follows a property.
    NoCommaInObject,
    /// Neither a comma nor `]` follows an element.
    NoCommaInArray,
    /// Here stands nothing that begins a value.
    NotAValue,
    /// A number is not written as RFC 8259, section 6, has it.
    NotANumber,
    /// A string holds a raw control character.
    ControlCharacter,
    /// A backslash in a string begins no escape.
    BadEscape,
    /// A `\u` escape is one half of a surrogate pair without the other.
    LoneSurrogate,
    /// More than 16 objects and arrays are open, the document's own object counted.
    TooDeep,
    /// The property was given before.
    Duplicate,
    /// `@odata.type` names another type than this one.
    OtherType(&'static str),
    /// The value is no string.
    NotAString,
    /// The value is neither a string nor null.
    NeitherStringNorNull,
    /// The string, unescaped, has more bytes than the property holds.
    TooLong {
        /// The most bytes it holds.
        limit: usize,
    },
    /// The string is empty.
    Empty,
    /// The value is no GUID of 36 characters.
    NotAGuid,
    /// The value is no count: an integer literal from 0 to 2 147 483 647.
    NotACount,
    /// The value is no `Edm.Int32` written as an integer literal.
    NotAnInt32,
    /// The value is no date-time, and why.
    NotADateTime(DateTimeError),
    /// The value is none of the six run states.
    NotARunState(ParseRunStateError),
    /// A property that is required was not given.
    Missing,
}

impl Error {
    pub(super) const fn new(at: usize, reason: Reason) -> Self {
        Self { property: None, at, reason }
    }

    /// A property that is required was not given.
    pub(crate) const fn missing(property: &'static str) -> Self {
        Self { property: Some(property), at: 0, reason: Reason::Missing }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.property, self.reason) {
            (Some(property), Reason::Missing) => return sentence!(f, "{} is missing", property),
            (Some(property), _) => sentence!(f, "{} at byte {}: ", property, self.at),
            (None, _) => sentence!(f, "byte {}: ", self.at),
        }?;
        self.reason.fmt(f)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::NotUtf8 => "not UTF-8",
            Self::ByteOrderMark => "a byte order mark before the value",
            Self::Truncated => "the document ends before its object does",
            Self::NotAnObject => "expected an object",
            Self::TrailingBytes => "only white space may follow the object",
            Self::NameNotAString => "property names must be strings",
            Self::NoColon => "expected : after the property's name",
            Self::NoCommaInObject => "expected , or }",
            Self::NoCommaInArray => "expected , or ]",
            Self::NotAValue => "expected a value",
            Self::NotANumber => "a number needs digits here",
            Self::ControlCharacter => "a control character in a string must be escaped",
            Self::BadEscape => {
                "a backslash must begin one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX"
            }
            Self::LoneSurrogate => "half a surrogate pair; both halves must be given",
            Self::Duplicate => "given before; give it once",
            Self::NotAString => "expected a string",
            Self::NeitherStringNorNull => "expected a string or null",
            Self::Empty => "must not be empty",
            Self::NotAGuid => "expected a GUID such as 74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974",
            Self::Missing => "is missing",
            Self::TooDeep => return sentence!(f, "nested deeper than {}", MAX_DEPTH),
            Self::OtherType(name) => return sentence!(f, "expected {}", name),
            Self::TooLong { limit } => return sentence!(f, "longer than {} bytes", limit),
            Self::NotACount => return integer(f, 0),
            Self::NotAnInt32 => return integer(f, i32::MIN),
            Self::NotADateTime(error) => return error.fmt(f),
            Self::NotARunState(error) => return error.fmt(f),
        })
    }
}

fn integer(f: &mut fmt::Formatter<'_>, least: i32) -> fmt::Result {
    sentence!(f, "expected an integer from {} to {}", least, Counts::MAX)
}

/// Its source is why a date-time or a run state could not be read.
impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.reason {
            Reason::NotADateTime(error) => Some(error),
            Reason::NotARunState(error) => Some(error),
            _ => None,
        }
    }
}

/// The buffer is too short for the JSON.
///
/// A buffer of the resource's `MAX_JSON` bytes never is.
///
/// ```
/// use runtally::graph::RunSummary;
///
/// let error = RunSummary::default().encode(&mut [0; 16]).unwrap_err();
/// assert_eq!(error.to_string(), "the buffer is too short for the JSON");
/// assert!(RunSummary::default().encode(&mut [0; RunSummary::MAX_JSON]).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BufferFull;

impl fmt::Display for BufferFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the buffer is too short for the JSON")
    }
}

impl core::error::Error for BufferFull {}
