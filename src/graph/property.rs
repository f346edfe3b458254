//! The Rust types that hold properties: how each is written, and where what is read goes.

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::shape::{COUNT, Part, Rules};
use super::text::{Escaped, Text};
use super::update::{CountsUpdate, SummaryUpdate};
use super::{Error, Upn};
use crate::{Counted, Counter, Counts, DateTime, RunState, Summary};

/// A type that holds a property of a resource, or several.
pub(super) trait Property {
    /// A value must be given, and there is always one to write.
    const RULES: Rules = Rules::REQUIRED;

    /// The most bytes of JSON that a value has.
    const LONGEST: usize;

    fn value(&self, part: Part) -> Value<'_>;
}

/// A type that a property is read into.
pub(super) trait Read<'a> {
    /// What it is before.
    const EMPTY: Self;

    /// Where the value of this part goes.
    fn slot(&mut self, part: Part) -> Slot<'_, 'a>;
}

/// What a document gives of a `T`, which a complete resource has.
pub(super) trait Update<T> {
    /// # Errors
    ///
    /// If what is required was not given.
    fn complete(self, name: &'static str) -> Result<T, Error>;
}

/// What a property is written as.
pub(crate) enum Value<'a> {
    Absent,
    Null,
    Count(u32),
    Int32(i32),
    Guid(Uuid),
    DateTime(DateTime),
    Str(&'a str),
    Text(Escaped<'a>),
}

/// Where the value of a property goes, and with it what kind of value is read.
pub(super) enum Slot<'s, 'a> {
    Count(&'s mut u32),
    Counter(&'s mut CountsUpdate, RunState),
    Int32(&'s mut i32),
    Guid(&'s mut Uuid),
    DateTime(&'s mut DateTime),
    DateTimeOrNull(&'s mut Option<DateTime>),
    RunState(&'s mut RunState),
    TextOrNull(&'s mut dyn Put<'a>),
    /// Any value, to be skipped.
    Nowhere,
}

/// A text of any limit to be.
pub(super) trait Put<'a> {
    /// The most bytes that it may have.
    fn limit(&self) -> usize;

    /// Takes a text of at most that many bytes, or null.
    fn put(&mut self, text: Option<Escaped<'a>>);
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

/// The most bytes of a string: a control character is written as six.
const fn string(bytes: usize) -> usize {
    bytes.saturating_mul(6).saturating_add(2)
}

/// No value is left out.
impl<T: Property> Property for Option<T> {
    const RULES: Rules = Rules::NONE;
    const LONGEST: usize = T::LONGEST;

    fn value(&self, part: Part) -> Value<'_> {
        self.as_ref().map_or(Value::Absent, |value| value.value(part))
    }
}

impl Property for Uuid {
    const LONGEST: usize = uuid::fmt::Hyphenated::LENGTH + 2;

    fn value(&self, _: Part) -> Value<'_> {
        Value::Guid(*self)
    }
}

impl Property for u32 {
    const LONGEST: usize = COUNT;

    fn value(&self, _: Part) -> Value<'_> {
        Value::Count(*self)
    }
}

impl Property for i32 {
    const LONGEST: usize = "-2147483648".len();

    fn value(&self, _: Part) -> Value<'_> {
        Value::Int32(*self)
    }
}

impl Property for DateTime {
    const LONGEST: usize = Self::MAX_LEN + 2;

    fn value(&self, _: Part) -> Value<'_> {
        Value::DateTime(*self)
    }
}

impl Property for RunState {
    const LONGEST: usize = Self::NotApplicable.name().len() + 2;

    fn value(&self, _: Part) -> Value<'_> {
        Value::Str(self.name())
    }
}

impl Property for Upn {
    const LONGEST: usize = string(Self::MAX_LEN);

    fn value(&self, _: Part) -> Value<'_> {
        Value::Str(self.as_str())
    }
}

impl<const N: usize> Property for Text<'_, N> {
    const LONGEST: usize = string(N);

    fn value(&self, _: Part) -> Value<'_> {
        Value::Text(self.0)
    }
}

impl Property for Counts {
    const LONGEST: usize = COUNT;

    fn value(&self, part: Part) -> Value<'_> {
        match part {
            Part::Counter(counter) => Value::Count(self[counter.state]),
            Part::Whole => Value::Absent,
        }
    }
}

impl Property for Summary {
    const LONGEST: usize = DateTime::LONGEST;

    fn value(&self, part: Part) -> Value<'_> {
        match part {
            Part::Counter(Counter { of: Counted::Devices, .. }) => self.devices.value(part),
            Part::Counter(Counter { of: Counted::Users, .. }) => self.users.value(part),
            Part::Whole => self.last_run.value(part),
        }
    }
}

/// Types that begin with a value, which is what is read into.
macro_rules! read_into {
    ($($kind:ty = $empty:expr, $slot:ident;)+) => {$(
        impl<'a> Read<'a> for $kind {
            const EMPTY: Self = $empty;

            fn slot(&mut self, _: Part) -> Slot<'_, 'a> {
                Slot::$slot(self)
            }
        }
    )+};
}

read_into! {
    u32 = 0, Count;
    Uuid = Uuid::nil(), Guid;
    DateTime = DateTime::EPOCH, DateTime;
    RunState = RunState::Unknown, RunState;
}

/// Types that begin with no value. One is put in before it is read: after an error nothing is used.
macro_rules! read_into_option {
    ($($kind:ty, $slot:ident($begin:expr);)+) => {$(
        impl<'a> Read<'a> for Option<$kind> {
            const EMPTY: Self = None;

            fn slot(&mut self, _: Part) -> Slot<'_, 'a> {
                Slot::$slot(self.insert($begin))
            }
        }
    )+};
}

read_into_option! {
    i32, Int32(0);
    Uuid, Guid(Uuid::nil());
    DateTime, DateTime(DateTime::EPOCH);
}

impl<'t, 'a: 't, const N: usize> Read<'a> for Option<Text<'t, N>> {
    const EMPTY: Self = None;

    fn slot(&mut self, _: Part) -> Slot<'_, 'a> {
        Slot::TextOrNull(self)
    }
}

impl<'t, 'a: 't, const N: usize> Read<'a> for Option<Option<Text<'t, N>>> {
    const EMPTY: Self = None;

    fn slot(&mut self, _: Part) -> Slot<'_, 'a> {
        Slot::TextOrNull(self)
    }
}

impl<'a> Read<'a> for CountsUpdate {
    const EMPTY: Self = Self::NOTHING;

    fn slot(&mut self, part: Part) -> Slot<'_, 'a> {
        match part {
            Part::Counter(counter) => Slot::Counter(self, counter.state),
            Part::Whole => Slot::Nowhere,
        }
    }
}

impl<'a> Read<'a> for SummaryUpdate {
    const EMPTY: Self = Self::NOTHING;

    fn slot(&mut self, part: Part) -> Slot<'_, 'a> {
        match part {
            Part::Counter(Counter { of: Counted::Devices, .. }) => self.devices.slot(part),
            Part::Counter(Counter { of: Counted::Users, .. }) => self.users.slot(part),
            Part::Whole => Slot::DateTimeOrNull(self.last_run.insert(None)),
        }
    }
}

impl<'a> Read<'a> for Upn {
    const EMPTY: Self = Self::EMPTY;

    fn slot(&mut self, _: Part) -> Slot<'_, 'a> {
        Slot::TextOrNull(self)
    }
}

impl<'a> Put<'a> for Upn {
    fn limit(&self) -> usize {
        Self::MAX_LEN
    }

    fn put(&mut self, text: Option<Escaped<'a>>) {
        if let Some(text) = text {
            self.set(text);
        }
    }
}

/// Null is no text.
impl<'t, 'a: 't, const N: usize> Put<'a> for Option<Text<'t, N>> {
    fn limit(&self) -> usize {
        N
    }

    fn put(&mut self, text: Option<Escaped<'a>>) {
        *self = text.map(Text);
    }
}

/// Null is no text, but it was given.
impl<'t, 'a: 't, const N: usize> Put<'a> for Option<Option<Text<'t, N>>> {
    fn limit(&self) -> usize {
        N
    }

    fn put(&mut self, text: Option<Escaped<'a>>) {
        *self = Some(text.map(Text));
    }
}

/// An id need not be given.
impl Update<Self> for Option<Uuid> {
    fn complete(self, _: &'static str) -> Result<Self, Error> {
        Ok(self)
    }
}

impl<'a, const N: usize> Update<Text<'a, N>> for Option<Text<'a, N>> {
    fn complete(self, name: &'static str) -> Result<Text<'a, N>, Error> {
        self.ok_or(Error::missing(name))
    }
}

impl Update<DateTime> for Option<DateTime> {
    fn complete(self, name: &'static str) -> Result<DateTime, Error> {
        self.ok_or(Error::missing(name))
    }
}

impl<'a, const N: usize> Update<Option<Text<'a, N>>> for Option<Option<Text<'a, N>>> {
    fn complete(self, _: &'static str) -> Result<Option<Text<'a, N>>, Error> {
        Ok(self.flatten())
    }
}

impl Update<Counts> for CountsUpdate {
    fn complete(self, _: &'static str) -> Result<Counts, Error> {
        CountsUpdate::complete(&self, Counted::Devices)
    }
}

impl Update<Summary> for SummaryUpdate {
    fn complete(self, _: &'static str) -> Result<Summary, Error> {
        SummaryUpdate::complete(&self)
    }
}
