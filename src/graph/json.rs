//! JSON out: through serde-json-core, with a length that is known beforehand.

use serde::ser::{Serialize, SerializeStruct, Serializer};
use uuid::Uuid;

use super::BufferFull;
use super::object::Shape;
use super::property::{Field, Property};
use crate::{DateTime, RunState};

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
pub(super) const DATE_TIME: usize = "2026-11-21T09:30:00.1234567+01:00".len() + 2;
pub(super) const RUN_STATE: usize = RunState::NotApplicable.name().len() + 2;

/// The bytes of a string that needs no escape.
pub(super) const fn plain(text: &str) -> usize {
    text.len().saturating_add(2)
}

/// A GUID as the wire has it: hyphenated, in lower case.
pub(super) struct Guid(pub(super) Uuid);

impl Serialize for Guid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

pub(super) struct Instant(pub(super) DateTime);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Opens a resource's object with the name of its type.
pub(super) fn open<S: Serializer>(
    serializer: S,
    shape: &'static Shape,
) -> Result<S::SerializeStruct, S::Error> {
    let mut object = serializer.serialize_struct(shape.odata_type, shape.fields.len())?;
    object.serialize_field(Property::Type.name(), shape.odata_type)?;
    Ok(object)
}

/// Writes a property unless it is `None`.
pub(super) fn given<S: SerializeStruct>(
    object: &mut S,
    property: Property,
    value: Option<&impl Serialize>,
) -> Result<(), S::Error> {
    match value {
        Some(value) => object.serialize_field(property.name(), value),
        None => object.skip_field(property.name()),
    }
}

/// The GUID that a text of 36 characters is.
pub(super) fn guid(text: &str) -> Option<Uuid> {
    // Of the four spellings `Uuid` reads, this length leaves the hyphenated one.
    (text.len() == uuid::fmt::Hyphenated::LENGTH).then(|| Uuid::try_parse(text).ok())?
}
