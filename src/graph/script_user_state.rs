//! What is reported of one user of a management script.

use uuid::Uuid;

use super::resource::{encode, resource};
use super::{BufferFull, Error, Upn};

resource! {
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
    pub struct ScriptUserState = "#microsoft.graph.deviceManagementScriptUserState" {
        /// Names the user state; a body that declares one need not have it.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        pub id: Option<Uuid> = "id",
        /// The user's devices on which the script succeeded, 0 to 2 147 483 647.
        pub success_devices: u32 = "successDeviceCount",
        /// The user's devices on which the script failed or broke, 0 to 2 147 483 647.
        pub error_devices: u32 = "errorDeviceCount",
        /// The user: `userPrincipalName`.
        pub upn: Upn = "userPrincipalName" (not_empty),
    }
}

impl ScriptUserState {
    /// The bytes of the longest JSON of any user state.
    ///
    /// ```
    /// use runtally::graph::{ScriptUserState, Upn};
    /// assert!(ScriptUserState::MAX_JSON > 6 * Upn::MAX_LEN); // a control character is written as six
    /// ```
    pub const MAX_JSON: usize = Self::longest(false);

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
        let mut user = Self::empty();
        user.read(json)?;
        Ok(user)
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
        encode(self, buffer)
    }
}
