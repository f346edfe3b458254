//! A management script's summary.

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::json::{self, Resource, Value};
use super::object::{Object, Shape};
use super::property::Property;
use super::{BufferFull, Error};

/// The summary of a management script: `deviceManagementScriptRunSummary`.
///
/// A script counts two states where a configuration counts six: success, and error for fail and
/// script error together.
///
/// Written, `id` is left out when it is `None`.
///
/// Source: Microsoft Graph beta, `deviceManagementScriptRunSummary`.
///
/// ```
/// use runtally::graph::ScriptRunSummary;
///
/// let summary = ScriptRunSummary::decode(
///     br#"{"successDeviceCount":2,"errorDeviceCount":0,"successUserCount":0,"errorUserCount":14}"#,
/// )?;
/// assert_eq!(summary.error_users, 14);
/// # Ok::<(), runtally::graph::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScriptRunSummary {
    /// Names the summary; a body that declares one need not have it.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub id: Option<Uuid>,
    /// The devices on which the script succeeded, 0 to 2 147 483 647.
    pub success_devices: u32,
    /// The devices on which the script failed or broke, 0 to 2 147 483 647.
    pub error_devices: u32,
    /// The users for whom the script succeeded, 0 to 2 147 483 647.
    pub success_users: u32,
    /// The users for whom the script failed or broke, 0 to 2 147 483 647.
    pub error_users: u32,
}

const TYPE: &str = "#microsoft.management.services.api.deviceManagementScriptRunSummary";

pub(super) const SHAPE: Shape = Shape {
    odata_type: TYPE,
    fields: &[
        Property::Type.up_to(json::plain(TYPE)),
        Property::Id.up_to(json::GUID),
        Property::SuccessDevices.up_to(json::COUNT),
        Property::ErrorDevices.up_to(json::COUNT),
        Property::SuccessUsers.up_to(json::COUNT),
        Property::ErrorUsers.up_to(json::COUNT),
    ],
};

impl ScriptRunSummary {
    /// The bytes of the longest JSON of any summary.
    ///
    /// ```
    /// let buffer = [0u8; runtally::graph::ScriptRunSummary::MAX_JSON]; // any fits
    /// # let _ = buffer;
    /// ```
    pub const MAX_JSON: usize = json::object(SHAPE.fields);

    /// Reads a summary; its four counts are required.
    ///
    /// # Errors
    ///
    /// [`Error`] if the document is not JSON as [the module](super) has it, a value does not fit
    /// its property, or a count is missing.
    ///
    /// ```
    /// use runtally::graph::ScriptRunSummary;
    /// let error = ScriptRunSummary::decode(br#"{"successDeviceCount":2}"#).unwrap_err();
    /// assert_eq!(error.to_string(), "errorDeviceCount is missing");
    /// ```
    pub fn decode(json: &[u8]) -> Result<Self, Error> {
        let mut id = None;
        let (mut success_devices, mut error_devices) = (None, None);
        let (mut success_users, mut error_users) = (None, None);
        let mut object = Object::open(json, &SHAPE)?;
        while let Some(property) = object.next() {
            match property {
                Property::Id => id = object.guid(),
                Property::SuccessDevices => success_devices = object.count(),
                Property::ErrorDevices => error_devices = object.count(),
                Property::SuccessUsers => success_users = object.count(),
                Property::ErrorUsers => error_users = object.count(),
                _ => object.skip(),
            }
        }
        object.end()?;
        Ok(Self {
            id,
            success_devices: success_devices.ok_or(Property::SuccessDevices.missing())?,
            error_devices: error_devices.ok_or(Property::ErrorDevices.missing())?,
            success_users: success_users.ok_or(Property::SuccessUsers.missing())?,
            error_users: error_users.ok_or(Property::ErrorUsers.missing())?,
        })
    }

    /// Writes the JSON to the start of `buffer`; gives its length in bytes.
    ///
    /// # Errors
    ///
    /// [`BufferFull`] if it does not fit; [`Self::MAX_JSON`] bytes always do.
    ///
    /// ```
    /// use runtally::graph::ScriptRunSummary;
    /// let mut json = [0; ScriptRunSummary::MAX_JSON];
    /// let length = ScriptRunSummary::default().encode(&mut json)?;
    /// assert!(json[..length].ends_with(br#""errorUserCount":0}"#));
    /// # Ok::<(), runtally::graph::BufferFull>(())
    /// ```
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferFull> {
        json::encode(self, buffer)
    }
}

impl Resource for ScriptRunSummary {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn value(&self, property: Property) -> Value<'_> {
        match property {
            Property::Id => self.id.into(),
            Property::SuccessDevices => self.success_devices.into(),
            Property::ErrorDevices => self.error_devices.into(),
            Property::SuccessUsers => self.success_users.into(),
            Property::ErrorUsers => self.error_users.into(),
            _ => Value::Absent,
        }
    }
}

impl Serialize for ScriptRunSummary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json::serialize(self, serializer)
    }
}
