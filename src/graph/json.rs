//! JSON out: of a length that is known beforehand.

use serde::ser::{Serialize, SerializeStruct, Serializer};
use uuid::Uuid;

use super::object::Shape;
use super::property::{Field, Property};
use super::text::Escaped;
use super::writer::Writer;
use super::{BufferFull, Text, Upn};
use crate::{DateTime, RunState};

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

/// What a property is written as.
pub(super) enum Value<'a> {
    /// Left out.
    Absent,
    Null,
    Count(u32),
    Int32(i32),
    Guid(Uuid),
    DateTime(DateTime),
    Str(&'a str),
    Text(Escaped<'a>),
}

impl Value<'_> {
    /// No value is null.
    pub(super) fn or_null(self) -> Self {
        match self {
            Self::Absent => Self::Null,
            value => value,
        }
    }
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

impl<'a, const N: usize> From<Text<'a, N>> for Value<'a> {
    fn from(text: Text<'a, N>) -> Self {
        Self::Text(text.escaped())
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
            Self::Text(text) => text.serialize(serializer),
        }
    }
}

/// A resource that is written: its properties are those of its shape, in that order.
pub(super) trait Resource {
    fn shape(&self) -> &'static Shape;

    /// What a property is written as; `@odata.type` is not asked for.
    fn value(&self, property: Property) -> Value<'_>;
}

/// The properties of a shape that are wanted: bit `n` for its field `n`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Select(pub(super) u32);

impl Select {
    pub(super) const ALL: Self = Self(u32::MAX);
}

/// The JSON of a resource at the start of `buffer`; gives its length in bytes.
pub(super) fn encode(resource: &dyn Resource, buffer: &mut [u8]) -> Result<usize, BufferFull> {
    let mut writer = Writer::new(buffer);
    writer.resource(resource, Select::ALL);
    writer.finish().map(<[u8]>::len)
}

/// A resource for a format that serde knows.
pub(super) fn serialize<S: Serializer>(
    resource: &dyn Resource,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let shape = resource.shape();
    let mut object = serializer.serialize_struct(shape.odata_type, shape.fields.len())?;
    for field in shape.fields {
        match field.value_in(resource) {
            Value::Absent => object.skip_field(field.name)?,
            value => object.serialize_field(field.name, &value)?,
        }
    }
    object.end()
}

impl Field {
    fn value_in<'r>(&self, resource: &'r dyn Resource) -> Value<'r> {
        match self.property {
            Property::Type => Value::Str(resource.shape().odata_type),
            property => resource.value(property),
        }
    }
}

impl Writer<'_> {
    /// The properties of a resource that are wanted. Its type's name is no property and stays.
    pub(super) fn resource(&mut self, resource: &dyn Resource, select: Select) {
        let mut before = b'{';
        let mut bits = select.0;
        for field in resource.shape().fields {
            let is_wanted = bits & 1 != 0 || field.property == Property::Type;
            bits >>= 1;
            let value = if is_wanted { field.value_in(resource) } else { Value::Absent };
            if matches!(value, Value::Absent) {
                continue;
            }
            self.byte(before);
            before = b',';
            self.string(field.name);
            self.byte(b':');
            self.value(&value);
        }
        self.byte(b'}');
    }

    fn value(&mut self, value: &Value<'_>) {
        match *value {
            Value::Absent | Value::Null => self.raw("null"),
            Value::Count(count) => self.number(count),
            Value::Int32(number) => {
                if number < 0 {
                    self.byte(b'-');
                }
                self.number(number.unsigned_abs());
            }
            Value::Guid(guid) => {
                self.string(guid.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
            }
            Value::DateTime(at) => self.string(&at.text()),
            Value::Str(text) => self.string(text),
            Value::Text(text) => {
                self.byte(b'"');
                // A writer has no error of its own.
                let _ = text.write_to(self);
                self.byte(b'"');
            }
        }
    }
}

/// The GUID that a text of 36 characters is.
pub(super) fn guid(text: &str) -> Option<Uuid> {
    // Of the four spellings `Uuid` reads, this length leaves the hyphenated one.
    (text.len() == uuid::fmt::Hyphenated::LENGTH).then(|| Uuid::try_parse(text).ok())?
}
