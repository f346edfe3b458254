//! One result of one device that ran a management script.

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::json::{self, Resource, Value};
use super::object::{Object, Shape};
use super::property::Property;
use super::{BufferFull, Error, Text, Upn};
use crate::{DateTime, Event, RunState};

/// A device's result of running a management script: `deviceManagementScriptDeviceState`.
///
/// Like a [`DeviceState`](super::DeviceState), but it does not name its user: the request's path
/// does.
///
/// Written, a property that is `None` is left out.
///
/// Source: Microsoft Graph beta, `deviceManagementScriptDeviceState`.
///
/// ```
/// use runtally::RunState;
/// use runtally::graph::ScriptDeviceState;
///
/// let state = ScriptDeviceState::decode(
///     br#"{
///         "id": "74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974",
///         "runState": "scriptError",
///         "lastStateUpdateDateTime": "2026-11-21T09:30:00+01:00",
///         "errorCode": -2147024894
///     }"#,
/// )?;
/// let user = "Ada@example.com".parse()?;
/// assert_eq!(state.event(Some(&user)).state, RunState::ScriptError);
/// assert_eq!(state.event(None).user, None);
/// # Ok::<(), runtally::graph::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScriptDeviceState<'a> {
    /// The device.
    #[cfg_attr(feature = "defmt", defmt(Display2Format))]
    pub id: Uuid,
    /// What the device reported.
    pub state: RunState,
    /// What the script printed.
    pub result_message: Option<Text<'a, 8192>>,
    /// When the device reported.
    pub last_update: DateTime,
    /// The code of the error.
    pub error_code: Option<i32>,
    /// The description of the error.
    pub error_description: Option<Text<'a, 8192>>,
}

const TYPE: &str = "#microsoft.graph.deviceManagementScriptDeviceState";

pub(super) const SHAPE: Shape = Shape {
    odata_type: TYPE,
    fields: &[
        Property::Type.up_to(json::plain(TYPE)),
        Property::Id.up_to(json::GUID),
        Property::RunState.up_to(json::RUN_STATE),
        Property::ResultMessage.up_to(json::string(8192)),
        Property::LastStateUpdate.up_to(json::DATE_TIME),
        Property::ErrorCode.up_to(json::INT32),
        Property::ErrorDescription.up_to(json::string(8192)),
    ],
};

impl<'a> ScriptDeviceState<'a> {
    /// The bytes of the longest JSON of any device state.
    ///
    /// ```
    /// let buffer = [0u8; runtally::graph::ScriptDeviceState::MAX_JSON]; // any fits
    /// # let _ = buffer;
    /// ```
    pub const MAX_JSON: usize = json::object(SHAPE.fields);

    /// The bytes of the longest JSON of a [`row`](Self::row).
    ///
    /// ```
    /// use runtally::graph::ScriptDeviceState;
    /// assert!(ScriptDeviceState::MAX_ROW_JSON < ScriptDeviceState::MAX_JSON);
    /// ```
    pub const MAX_ROW_JSON: usize = json::object(&[
        Property::Type.up_to(json::plain(TYPE)),
        Property::Id.up_to(json::GUID),
        Property::RunState.up_to(json::RUN_STATE),
        Property::LastStateUpdate.up_to(json::DATE_TIME),
    ]);

    /// Reads a device state; `id`, `runState` and `lastStateUpdateDateTime` are required.
    ///
    /// # Errors
    ///
    /// [`Error`] if the document is not JSON as [the module](super) has it, a value does not fit
    /// its property, or a required property is missing.
    ///
    /// ```
    /// use runtally::graph::ScriptDeviceState;
    /// let error = ScriptDeviceState::decode(br#"{"errorCode":1e3}"#).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "errorCode at byte 13: expected an integer from -2147483648 to 2147483647"
    /// );
    /// ```
    pub fn decode(json: &'a [u8]) -> Result<Self, Error> {
        let (mut id, mut state, mut last_update) = (None, None, None);
        let (mut result_message, mut error_code, mut error_description) = (None, None, None);
        let mut object = Object::open(json, &SHAPE)?;
        while let Some(property) = object.next() {
            match property {
                Property::Id => id = object.guid(),
                Property::RunState => state = object.run_state(),
                Property::ResultMessage => result_message = object.text(),
                Property::LastStateUpdate => last_update = object.date_time(),
                Property::ErrorCode => error_code = object.int32(),
                Property::ErrorDescription => error_description = object.text(),
                _ => object.skip(),
            }
        }
        object.end()?;
        Ok(Self {
            id: id.ok_or(Property::Id.missing())?,
            state: state.ok_or(Property::RunState.missing())?,
            result_message,
            last_update: last_update.ok_or(Property::LastStateUpdate.missing())?,
            error_code,
            error_description,
        })
    }

    /// What is kept of a device: the row behind the counts.
    ///
    /// ```
    /// use runtally::RunState;
    /// use runtally::graph::ScriptDeviceState;
    /// use uuid::Uuid;
    ///
    /// let at = "2026-11-21T09:30:00Z".parse()?;
    /// let row = ScriptDeviceState::row(Uuid::nil(), RunState::Fail, at);
    /// assert!(row.encode(&mut [0; ScriptDeviceState::MAX_ROW_JSON]).is_ok());
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub const fn row(
        id: Uuid,
        state: RunState,
        last_update: DateTime,
    ) -> ScriptDeviceState<'static> {
        ScriptDeviceState {
            id,
            state,
            result_message: None,
            last_update,
            error_code: None,
            error_description: None,
        }
    }

    /// The event that a tally applies, of the user that the request's path names; that user is
    /// [folded](Upn::folded).
    ///
    /// ```
    /// use runtally::RunState;
    /// use runtally::graph::ScriptDeviceState;
    /// use uuid::Uuid;
    ///
    /// let at = "2026-11-21T09:30:00Z".parse()?;
    /// let row = ScriptDeviceState::row(Uuid::nil(), RunState::Fail, at);
    /// assert_eq!(row.event(Some(&"Ada".parse()?)).user.unwrap().as_str(), "ada");
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn event(&self, user: Option<&Upn>) -> Event<Uuid, Upn> {
        Event {
            device: self.id,
            user: user.cloned().map(Upn::folded),
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
    /// use runtally::graph::ScriptDeviceState;
    /// use uuid::Uuid;
    ///
    /// let row = ScriptDeviceState::row(Uuid::nil(), RunState::Fail, "2026-11-21T09:30Z".parse()?);
    /// let mut buffer = [0; ScriptDeviceState::MAX_ROW_JSON];
    /// let length = row.encode(&mut buffer)?;
    /// assert!(str::from_utf8(&buffer[..length])?.contains(r#""runState":"fail""#));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferFull> {
        json::encode(self, buffer)
    }
}

impl Resource for ScriptDeviceState<'_> {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn value(&self, property: Property) -> Value<'_> {
        match property {
            Property::Id => self.id.into(),
            Property::RunState => self.state.into(),
            Property::ResultMessage => self.result_message.into(),
            Property::LastStateUpdate => self.last_update.into(),
            Property::ErrorCode => self.error_code.into(),
            Property::ErrorDescription => self.error_description.into(),
            _ => Value::Absent,
        }
    }
}

impl Serialize for ScriptDeviceState<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json::serialize(self, serializer)
    }
}
