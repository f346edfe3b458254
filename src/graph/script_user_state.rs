//! What is reported of one user of a management script.

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::json::{self, Resource, Value};
use super::object::{Object, Shape};
use super::property::Property;
use super::{BufferFull, Error, Upn};

/// One user's devices by how a management script ended: `deviceManagementScriptUserState`.
///
/// Written, `id` is left out when it is `None`.
///
/// Source: Microsoft Graph beta, `deviceManagementScriptUserState`.
///
/// ```
/// use runtally::graph::ScriptUserState;
///
/// let json = concat!(
///     r##"{"@odata.type":"#microsoft.graph.deviceManagementScriptUserState","##,
///     r#""successDeviceCount":2,"errorDeviceCount":0,"userPrincipalName":"ada@example.com"}"#,
/// );
/// let user = ScriptUserState::decode(json.as_bytes())?;
/// assert_eq!(user.upn.as_str(), "ada@example.com");
///
/// let mut buffer = [0; ScriptUserState::MAX_JSON];
/// let length = user.encode(&mut buffer)?;
/// assert_eq!(&buffer[..length], json.as_bytes());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScriptUserState {
    /// Names the user state; a body that declares one need not have it.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub id: Option<Uuid>,
    /// The user's devices on which the script succeeded, 0 to 2 147 483 647.
    pub success_devices: u32,
    /// The user's devices on which the script failed or broke, 0 to 2 147 483 647.
    pub error_devices: u32,
    /// The user: `userPrincipalName`.
    pub upn: Upn,
}

const TYPE: &str = "#microsoft.graph.deviceManagementScriptUserState";

pub(super) const SHAPE: Shape = Shape {
    odata_type: TYPE,
    fields: &[
        Property::Type.up_to(json::plain(TYPE)),
        Property::Id.up_to(json::GUID),
        Property::SuccessDevices.up_to(json::COUNT),
        Property::ErrorDevices.up_to(json::COUNT),
        Property::UserPrincipalName.up_to(json::string(Upn::MAX_LEN)),
    ],
};

impl ScriptUserState {
    /// The bytes of the longest JSON of any user state.
    ///
    /// ```
    /// let buffer = [0u8; runtally::graph::ScriptUserState::MAX_JSON]; // any fits
    /// # let _ = buffer;
    /// ```
    pub const MAX_JSON: usize = json::object(SHAPE.fields);

    /// Reads a user state; its two counts and its user are required.
    ///
    /// # Errors
    ///
    /// [`Error`] if the document is not JSON as [the module](super) has it, a value does not fit
    /// its property, or a required property is missing.
    ///
    /// ```
    /// use runtally::graph::ScriptUserState;
    /// let error = ScriptUserState::decode(br#"{"userPrincipalName":""}"#).unwrap_err();
    /// assert_eq!(error.to_string(), "userPrincipalName at byte 21: must not be empty");
    /// ```
    pub fn decode(json: &[u8]) -> Result<Self, Error> {
        let (mut id, mut upn) = (None, None);
        let (mut success_devices, mut error_devices) = (None, None);
        let mut object = Object::open(json, &SHAPE)?;
        while let Some(property) = object.next() {
            match property {
                Property::Id => id = object.guid(),
                Property::SuccessDevices => success_devices = object.count(),
                Property::ErrorDevices => error_devices = object.count(),
                Property::UserPrincipalName => upn = object.upn(),
                _ => object.skip(),
            }
        }
        object.end()?;
        Ok(Self {
            id,
            success_devices: success_devices.ok_or(Property::SuccessDevices.missing())?,
            error_devices: error_devices.ok_or(Property::ErrorDevices.missing())?,
            upn: upn.ok_or(Property::UserPrincipalName.missing())?.try_into()?,
        })
    }

    /// Writes the JSON to the start of `buffer`; gives its length in bytes.
    ///
    /// # Errors
    ///
    /// [`BufferFull`] if it does not fit; [`Self::MAX_JSON`] bytes always do.
    ///
    /// ```
    /// use runtally::graph::ScriptUserState;
    ///
    /// let upn = "ada@example.com".parse()?;
    /// let user = ScriptUserState { id: None, success_devices: 2, error_devices: 0, upn };
    /// let mut buffer = [0; ScriptUserState::MAX_JSON];
    /// let length = user.encode(&mut buffer)?;
    /// assert!(str::from_utf8(&buffer[..length])?.contains(r#""successDeviceCount":2"#));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferFull> {
        json::encode(self, buffer)
    }
}

impl Resource for ScriptUserState {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn value(&self, property: Property) -> Value<'_> {
        match property {
            Property::Id => self.id.into(),
            Property::SuccessDevices => self.success_devices.into(),
            Property::ErrorDevices => self.error_devices.into(),
            Property::UserPrincipalName => Value::from(&self.upn),
            _ => Value::Absent,
        }
    }
}

impl Serialize for ScriptUserState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json::serialize(self, serializer)
    }
}
