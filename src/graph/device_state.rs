//! One result of one device: the event on the wire.

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::json::{self, Resource, Value};
use super::object::{Object, Shape};
use super::property::Property;
use super::{BufferFull, Error, Text, Upn};
use crate::{DateTime, Event, RunState};

/// A device's result of running a hardware configuration: `hardwareConfigurationDeviceState`.
///
/// Read from a request it is an event; of it a tally keeps the device, the user, the state and the
/// time, and a [`row`](Self::row) shows those.
///
/// Written, `upn` is always there, null if there is no user; any other property that is `None` is
/// left out. So what was read is written back in full.
///
/// Source: Microsoft Graph beta, `hardwareConfigurationDeviceState`.
///
/// ```
/// use runtally::RunState;
/// use runtally::graph::DeviceState;
///
/// let state = DeviceState::decode(
///     br#"{
///         "id": "74B9FCD8-fcd8-74b9-d8fc-b974d8fcb974",
///         "upn": "Ada@example.com",
///         "lastStateUpdateDateTime": "2026-11-21T09:30:00+01:00",
///         "configurationState": "success"
///     }"#,
/// )?;
/// let event = state.event();
/// assert_eq!(event.device, state.id);
/// assert_eq!(event.state, RunState::Success);
///
/// let mut json = [0; DeviceState::MAX_ROW_JSON];
/// let length = state.encode(&mut json)?;
/// assert_eq!(
///     str::from_utf8(&json[..length])?,
///     concat!(
///         r##"{"@odata.type":"#microsoft.graph.hardwareConfigurationDeviceState","##,
///         r#""id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974","upn":"Ada@example.com","#,
///         r#""lastStateUpdateDateTime":"2026-11-21T09:30:00+01:00","#,
///         r#""configurationState":"success"}"#,
///     )
/// );
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DeviceState<'a> {
    /// The device.
    #[cfg_attr(feature = "defmt", defmt(Display2Format))]
    pub id: Uuid,
    /// What the device is called.
    pub device_name: Option<Text<'a, 255>>,
    /// The version of its operating system.
    pub os_version: Option<Text<'a, 255>>,
    /// The [UPN](Upn) of the user for whom the device ran; an empty one is read as none.
    pub upn: Option<Text<'a, { Upn::MAX_LEN }>>,
    /// The version of the policy.
    pub internal_version: Option<i32>,
    /// When the device reported.
    pub last_update: DateTime,
    /// What the device reported.
    pub state: RunState,
    /// What the configuration's run printed.
    pub output: Option<Text<'a, 8192>>,
    /// What the configuration's run printed on errors.
    pub error: Option<Text<'a, 8192>>,
    /// The assignment filters that were evaluated.
    pub assignment_filter_ids: Option<Text<'a, 8192>>,
    /// The user's id.
    pub user_id: Option<Text<'a, 255>>,
}

const TYPE: &str = "#microsoft.graph.hardwareConfigurationDeviceState";

pub(super) const SHAPE: Shape = Shape {
    odata_type: TYPE,
    fields: &[
        Property::Type.up_to(json::plain(TYPE)),
        Property::Id.up_to(json::GUID),
        Property::DeviceName.up_to(json::string(255)),
        Property::OsVersion.up_to(json::string(255)),
        Property::Upn.up_to(json::string(Upn::MAX_LEN)),
        Property::InternalVersion.up_to(json::INT32),
        Property::LastStateUpdate.up_to(json::DATE_TIME),
        Property::ConfigurationState.up_to(json::RUN_STATE),
        Property::ConfigurationOutput.up_to(json::string(8192)),
        Property::ConfigurationError.up_to(json::string(8192)),
        Property::AssignmentFilterIds.up_to(json::string(8192)),
        Property::UserId.up_to(json::string(255)),
    ],
};

impl<'a> DeviceState<'a> {
    /// The bytes of the longest JSON of any device state.
    ///
    /// ```
    /// let buffer = [0u8; runtally::graph::DeviceState::MAX_JSON]; // any fits
    /// # let _ = buffer;
    /// ```
    pub const MAX_JSON: usize = json::object(SHAPE.fields);

    /// The bytes of the longest JSON of a [`row`](Self::row).
    ///
    /// ```
    /// use runtally::graph::DeviceState;
    /// assert!(DeviceState::MAX_ROW_JSON < DeviceState::MAX_JSON);
    /// ```
    pub const MAX_ROW_JSON: usize = json::object(&[
        Property::Type.up_to(json::plain(TYPE)),
        Property::Id.up_to(json::GUID),
        Property::Upn.up_to(json::string(Upn::MAX_LEN)),
        Property::LastStateUpdate.up_to(json::DATE_TIME),
        Property::ConfigurationState.up_to(json::RUN_STATE),
    ]);

    /// Reads a device state; `id`, `lastStateUpdateDateTime` and `configurationState` are required.
    ///
    /// # Errors
    ///
    /// [`Error`] if the document is not JSON as [the module](super) has it, a value does not fit
    /// its property, or a required property is missing.
    ///
    /// ```
    /// use runtally::graph::DeviceState;
    /// let error = DeviceState::decode(br#"{"configurationState":"done"}"#).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "configurationState at byte 22: \
    ///      expected unknown, success, fail, scriptError, pending or notApplicable"
    /// );
    /// ```
    pub fn decode(json: &'a [u8]) -> Result<Self, Error> {
        let (mut id, mut last_update, mut state) = (None, None, None);
        let (mut device_name, mut os_version, mut user_id) = (None, None, None);
        let (mut output, mut error, mut assignment_filter_ids) = (None, None, None);
        let (mut upn, mut internal_version) = (None, None);
        let mut object = Object::open(json, &SHAPE)?;
        while let Some(property) = object.next() {
            match property {
                Property::Id => id = object.guid(),
                Property::DeviceName => device_name = object.text(),
                Property::OsVersion => os_version = object.text(),
                Property::Upn => upn = object.text().filter(|upn| !upn.is_empty()),
                Property::InternalVersion => internal_version = object.int32(),
                Property::LastStateUpdate => last_update = object.date_time(),
                Property::ConfigurationState => state = object.run_state(),
                Property::ConfigurationOutput => output = object.text(),
                Property::ConfigurationError => error = object.text(),
                Property::AssignmentFilterIds => assignment_filter_ids = object.text(),
                Property::UserId => user_id = object.text(),
                _ => object.skip(),
            }
        }
        object.end()?;
        Ok(Self {
            id: id.ok_or(Property::Id.missing())?,
            device_name,
            os_version,
            upn,
            internal_version,
            last_update: last_update.ok_or(Property::LastStateUpdate.missing())?,
            state: state.ok_or(Property::ConfigurationState.missing())?,
            output,
            error,
            assignment_filter_ids,
            user_id,
        })
    }

    /// What is kept of a device: the row behind the counts.
    ///
    /// ```
    /// use runtally::RunState;
    /// use runtally::graph::DeviceState;
    /// use uuid::Uuid;
    ///
    /// let at = "2026-11-21T09:30:00Z".parse()?;
    /// let row = DeviceState::row(Uuid::nil(), None, RunState::Fail, at);
    /// assert_eq!(row.device_name, None);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub fn row(id: Uuid, upn: Option<&'a Upn>, state: RunState, last_update: DateTime) -> Self {
        Self {
            id,
            device_name: None,
            os_version: None,
            upn: upn.map(Text::from),
            internal_version: None,
            last_update,
            state,
            output: None,
            error: None,
            assignment_filter_ids: None,
            user_id: None,
        }
    }

    /// The event that a tally applies; its user is [folded](Upn::folded).
    ///
    /// ```
    /// use runtally::RunState;
    /// use runtally::graph::DeviceState;
    /// use uuid::Uuid;
    ///
    /// let at = "2026-11-21T09:30:00Z".parse()?;
    /// let ada = "Ada".parse()?;
    /// let row = DeviceState::row(Uuid::nil(), Some(&ada), RunState::Fail, at);
    /// assert_eq!(row.event().user.unwrap().as_str(), "ada");
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn event(&self) -> Event<Uuid, Upn> {
        Event {
            device: self.id,
            user: self.upn.and_then(Upn::fold),
            state: self.state,
            at: self.last_update,
        }
    }

    /// Writes the JSON to the start of `buffer`; gives its length in bytes.
    ///
    /// # Errors
    ///
    /// [`BufferFull`] if it does not fit; [`Self::MAX_JSON`] bytes always do, and for a
    /// [`row`](Self::row) [`Self::MAX_ROW_JSON`].
    ///
    /// ```
    /// use runtally::RunState;
    /// use runtally::graph::DeviceState;
    /// use uuid::Uuid;
    ///
    /// let row = DeviceState::row(Uuid::nil(), None, RunState::Fail, "2026-11-21T09:30Z".parse()?);
    /// let mut buffer = [0; DeviceState::MAX_ROW_JSON];
    /// let length = row.encode(&mut buffer)?;
    /// assert!(buffer[..length].ends_with(br#""configurationState":"fail"}"#));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferFull> {
        json::encode(self, buffer)
    }
}

impl Resource for DeviceState<'_> {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn value(&self, property: Property) -> Value<'_> {
        match property {
            Property::Id => self.id.into(),
            Property::DeviceName => self.device_name.into(),
            Property::OsVersion => self.os_version.into(),
            Property::Upn => Value::from(self.upn).or_null(),
            Property::InternalVersion => self.internal_version.into(),
            Property::LastStateUpdate => self.last_update.into(),
            Property::ConfigurationState => self.state.into(),
            Property::ConfigurationOutput => self.output.into(),
            Property::ConfigurationError => self.error.into(),
            Property::AssignmentFilterIds => self.assignment_filter_ids.into(),
            Property::UserId => self.user_id.into(),
            _ => Value::Absent,
        }
    }
}

impl Serialize for DeviceState<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json::serialize(self, serializer)
    }
}
