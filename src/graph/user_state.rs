//! What is reported of one user of a hardware configuration.

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::json::{self, Resource, Value};
use super::object::{Object, Shape};
use super::property::Property;
use super::{BufferFull, CountsUpdate, Error, Text, Upn};
use crate::{Counts, DateTime, Of, RunState};

/// One user's devices by run state: `hardwareConfigurationUserState`.
///
/// Written, `id` is left out when it is `None`; `userEmail` and `userName` are null then.
///
/// Source: Microsoft Graph beta, `hardwareConfigurationUserState`.
///
/// ```
/// use runtally::graph::UserState;
/// use runtally::Counts;
///
/// let user = UserState {
///     id: None,
///     upn: "ada@example.com".try_into()?,
///     email: None,
///     name: Some("Ada".try_into()?),
///     last_update: "2026-11-21T09:30:00Z".parse()?,
///     devices: Counts::ZERO,
/// };
/// let mut json = [0; UserState::MAX_JSON];
/// let length = user.encode(&mut json)?;
/// let json = str::from_utf8(&json[..length])?;
/// assert!(json.contains(r#""upn":"ada@example.com","userEmail":null,"userName":"Ada""#));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UserState<'a> {
    /// Names the user state; a body that creates one need not have it.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub id: Option<Uuid>,
    /// The [UPN](Upn) of the user.
    pub upn: Text<'a, { Upn::MAX_LEN }>,
    /// The user's e-mail address.
    pub email: Option<Text<'a, 127>>,
    /// The user's full name.
    pub name: Option<Text<'a, 127>>,
    /// When one of the user's devices last reported.
    pub last_update: DateTime,
    /// The user's devices in each run state.
    pub devices: Counts,
}

/// What a document gives of a [`UserState`]: all of it to create one, some of it to change one.
///
/// ```
/// use runtally::RunState;
/// use runtally::graph::UserStateUpdate;
///
/// let update = UserStateUpdate::decode(br#"{"upn":"ada","failedDeviceCount":2,"userName":null}"#)?;
/// assert_eq!(update.devices.get(RunState::Fail), Some(2));
/// assert_eq!(update.name, Some(None));
/// assert_eq!(update.email, None);
///
/// let error = update.complete().unwrap_err();
/// assert_eq!(error.to_string(), "lastStateUpdateDateTime is missing");
/// # Ok::<(), runtally::graph::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UserStateUpdate<'a> {
    /// Names the user state.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub id: Option<Uuid>,
    /// The user, if given and not null.
    pub upn: Option<Text<'a, { Upn::MAX_LEN }>>,
    /// The user's e-mail address, if given; `Some(None)` is a null.
    pub email: Option<Option<Text<'a, 127>>>,
    /// The user's full name, if given; `Some(None)` is a null.
    pub name: Option<Option<Text<'a, 127>>>,
    /// When one of the user's devices last reported, if given.
    pub last_update: Option<DateTime>,
    /// The counters given.
    pub devices: CountsUpdate,
}

const fn devices(state: RunState) -> Property {
    Property::count(Of::Devices, state)
}

const TYPE: &str = "#microsoft.graph.hardwareConfigurationUserState";

pub(super) const SHAPE: Shape = Shape {
    odata_type: TYPE,
    fields: &[
        Property::Type.up_to(json::plain(TYPE)),
        Property::Id.up_to(json::GUID),
        Property::Upn.up_to(json::string(Upn::MAX_LEN)),
        Property::UserEmail.up_to(json::string(127)),
        Property::UserName.up_to(json::string(127)),
        Property::LastStateUpdate.up_to(json::DATE_TIME),
        devices(RunState::Success).up_to(json::COUNT),
        devices(RunState::Fail).up_to(json::COUNT),
        devices(RunState::Pending).up_to(json::COUNT),
        devices(RunState::ScriptError).up_to(json::COUNT),
        devices(RunState::NotApplicable).up_to(json::COUNT),
        devices(RunState::Unknown).up_to(json::COUNT),
    ],
};

impl UserState<'_> {
    /// The bytes of the longest JSON of any user state.
    ///
    /// ```
    /// let buffer = [0u8; runtally::graph::UserState::MAX_JSON]; // any fits
    /// # let _ = buffer;
    /// ```
    pub const MAX_JSON: usize = json::object(SHAPE.fields);

    /// Writes the JSON to the start of `buffer`; gives its length in bytes.
    ///
    /// # Errors
    ///
    /// [`BufferFull`] if it does not fit; [`Self::MAX_JSON`] bytes always do.
    ///
    /// ```
    /// use runtally::Counts;
    /// use runtally::graph::UserState;
    ///
    /// let user = UserState {
    ///     id: None,
    ///     upn: "ada@example.com".try_into()?,
    ///     email: None,
    ///     name: None,
    ///     last_update: "2026-11-21T09:30Z".parse()?,
    ///     devices: Counts::ZERO,
    /// };
    /// let mut buffer = [0; UserState::MAX_JSON];
    /// let length = user.encode(&mut buffer)?;
    /// assert!(str::from_utf8(&buffer[..length])?.contains(r#""upn":"ada@example.com""#));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferFull> {
        json::encode(self, buffer)
    }
}

impl<'a> UserStateUpdate<'a> {
    /// Reads what a document gives; nothing is required.
    ///
    /// # Errors
    ///
    /// [`Error`] if the document is not JSON as [the module](super) has it, or a value does not fit
    /// its property; a `upn` must be null or at least one character.
    ///
    /// ```
    /// use runtally::graph::UserStateUpdate;
    /// let update = UserStateUpdate::decode(br#"{"userEmail":"ada\u0040example.com"}"#)?;
    /// assert_eq!(update.email.unwrap().unwrap(), "ada@example.com");
    /// # Ok::<(), runtally::graph::Error>(())
    /// ```
    pub fn decode(json: &'a [u8]) -> Result<Self, Error> {
        let mut update = Self::default();
        let mut object = Object::open(json, &SHAPE)?;
        while let Some(property) = object.next() {
            match property {
                Property::Id => update.id = object.guid(),
                Property::Upn => update.upn = object.upn(),
                Property::UserEmail => update.email = Some(object.text()),
                Property::UserName => update.name = Some(object.text()),
                Property::LastStateUpdate => update.last_update = object.date_time(),
                Property::Count(counter) => update.devices.set(counter.state, object.count()),
                _ => object.skip(),
            }
        }
        object.end()?;
        Ok(update)
    }

    /// The whole resource, as creating one needs it; e-mail address and full name may be missing.
    ///
    /// # Errors
    ///
    /// [`Reason::Missing`](super::Reason::Missing) for the first required property that was not
    /// given.
    ///
    /// ```
    /// use runtally::graph::UserStateUpdate;
    /// let error = UserStateUpdate::default().complete().unwrap_err();
    /// assert_eq!(error.property, Some("upn"));
    /// ```
    pub fn complete(self) -> Result<UserState<'a>, Error> {
        Ok(UserState {
            id: self.id,
            upn: self.upn.ok_or(Property::Upn.missing())?,
            email: self.email.flatten(),
            name: self.name.flatten(),
            last_update: self.last_update.ok_or(Property::LastStateUpdate.missing())?,
            devices: self.devices.complete(Of::Devices)?,
        })
    }
}

impl Resource for UserState<'_> {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn value(&self, property: Property) -> Value<'_> {
        match property {
            Property::Id => self.id.into(),
            Property::Upn => self.upn.into(),
            Property::UserEmail => Value::from(self.email).or_null(),
            Property::UserName => Value::from(self.name).or_null(),
            Property::LastStateUpdate => self.last_update.into(),
            Property::Count(counter) => self.devices[counter.state].into(),
            _ => Value::Absent,
        }
    }
}

impl Serialize for UserState<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json::serialize(self, serializer)
    }
}
