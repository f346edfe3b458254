//! JSON out: through serde-json-core, with a length that is known beforehand.

use serde::ser::{Serialize, SerializeStruct, Serializer};
use uuid::Uuid;

use super::object::Shape;
use super::property::{Field, Property};
use super::{BufferFull, Text, Upn};
use crate::{Counts, DateTime, Of, RunState};

pub(super) fn encode(value: &impl Serialize, buffer: &mut [u8]) -> Result<usize, BufferFull> {
    // It has no other error.
    serde_json_core::to_slice(value, buffer).map_err(|_| BufferFull)
}

/// The most bytes of an object of these properties.
pub(super) const fn object(mut fields: &[Field]) -> usize {
    let mut bytes = "}".len();
    while let [field, rest @ ..] = fields {
        bytes = bytes.saturating_add("{'':".len());
        bytes = bytes.saturating_add(field.name.len()).saturating_add(field.longest);
        fields = rest;
    }
    bytes
}

/// The most bytes of a string: a control character is written as six.
pub(super) const fn string(bytes: usize) -> usize {
    bytes.saturating_mul(6).saturating_add(2)
}

pub(super) const COUNT: usize = "2147483647".len();
pub(super) const INT32: usize = "-2147483648".len();
pub(super) const GUID: usize = uuid::fmt::Hyphenated::LENGTH + 2;
pub(super) const DATE_TIME: usize = DateTime::MAX_LEN + 2;
pub(super) const RUN_STATE: usize = RunState::NotApplicable.name().len() + 2;

/// The bytes of a string that needs no escape.
pub(super) const fn plain(text: &str) -> usize {
    text.len().saturating_add(2)
}

/// What a property is written as, unless it is a text.
///
/// One type for many keeps the serialiser to one instance. Texts have another, so that what writes
/// none of them does not carry what unescapes them.
pub(super) enum Value<'a> {
    /// Left out.
    Absent,
    Null,
    Count(u32),
    Int32(i32),
    Guid(Uuid),
    DateTime(DateTime),
    Str(&'a str),
}

/// No value is left out.
impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

impl From<u32> for Value<'_> {
    fn from(count: u32) -> Self {
        Self::Count(count)
    }
}

impl From<i32> for Value<'_> {
    fn from(number: i32) -> Self {
        Self::Int32(number)
    }
}

impl From<Uuid> for Value<'_> {
    fn from(guid: Uuid) -> Self {
        Self::Guid(guid)
    }
}

impl From<DateTime> for Value<'_> {
    fn from(at: DateTime) -> Self {
        Self::DateTime(at)
    }
}

impl From<RunState> for Value<'_> {
    fn from(state: RunState) -> Self {
        Self::Str(state.name())
    }
}

impl<'a> From<&'a Upn> for Value<'a> {
    fn from(upn: &'a Upn) -> Self {
        Self::Str(upn.as_str())
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Null => serializer.serialize_none(),
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::Int32(number) => serializer.serialize_i32(*number),
            Self::Guid(guid) => {
                serializer.serialize_str(guid.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            }
            Self::DateTime(at) => at.serialize(serializer),
            Self::Str(text) => serializer.serialize_str(text),
        }
    }
}

/// A resource being written: its properties in the order of its shape.
pub(super) struct Fields<S> {
    object: S,
}

impl<S: SerializeStruct> Fields<S> {
    /// Begins with the name of the type.
    pub(super) fn open(
        serializer: impl Serializer<SerializeStruct = S, Ok = S::Ok, Error = S::Error>,
        shape: &'static Shape,
    ) -> Result<Self, S::Error> {
        let object = serializer.serialize_struct(shape.odata_type, shape.fields.len())?;
        let mut fields = Self { object };
        fields.put(Property::Type, Value::Str(shape.odata_type))?;
        Ok(fields)
    }

    /// An absent value is left out.
    pub(super) fn put<'a>(
        &mut self,
        property: Property,
        value: impl Into<Value<'a>>,
    ) -> Result<(), S::Error> {
        self.put_named(property.name(), &value.into())
    }

    fn put_named(&mut self, name: &'static str, value: &Value<'_>) -> Result<(), S::Error> {
        match value {
            Value::Absent => self.object.skip_field(name),
            _ => self.object.serialize_field(name, value),
        }
    }

    /// An absent text is left out.
    pub(super) fn put_text<const N: usize>(
        &mut self,
        property: Property,
        text: Option<Text<'_, N>>,
    ) -> Result<(), S::Error> {
        match text {
            Some(text) => self.object.serialize_field(property.name(), &text.escaped()),
            None => self.object.skip_field(property.name()),
        }
    }

    /// An absent text is null.
    pub(super) fn put_text_or_null<const N: usize>(
        &mut self,
        property: Property,
        text: Option<Text<'_, N>>,
    ) -> Result<(), S::Error> {
        match text {
            Some(_) => self.put_text(property, text),
            None => self.put(property, Value::Null),
        }
    }

    /// The counters that the shape has.
    pub(super) fn counts(
        &mut self,
        shape: &'static Shape,
        devices: &Counts,
        users: &Counts,
    ) -> Result<(), S::Error> {
        for field in shape.fields {
            let Property::Count(counter) = field.property else { continue };
            let counts = match counter.of {
                Of::Devices => devices,
                Of::Users => users,
            };
            self.put_named(field.name, &Value::Count(counts[counter.state]))?;
        }
        Ok(())
    }

    pub(super) fn close(self) -> Result<S::Ok, S::Error> {
        self.object.end()
    }
}

/// The GUID that a text of 36 characters is.
pub(super) fn guid(text: &str) -> Option<Uuid> {
    // Of the four spellings `Uuid` reads, this length leaves the hyphenated one.
    (text.len() == uuid::fmt::Hyphenated::LENGTH).then(|| Uuid::try_parse(text).ok())?
}
