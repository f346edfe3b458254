//! A management script's summary.

use uuid::Uuid;

use super::resource::{encode, resource};
use super::{BufferFull, Error};

resource! {
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
    pub struct ScriptRunSummary = "#microsoft.management.services.api.deviceManagementScriptRunSummary" {
        /// Names the summary; a body that declares one need not have it.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        pub id: Option<Uuid> = "id",
        /// The devices on which the script succeeded, 0 to 2 147 483 647.
        pub success_devices: u32 = "successDeviceCount",
        /// The devices on which the script failed or broke, 0 to 2 147 483 647.
        pub error_devices: u32 = "errorDeviceCount",
        /// The users for whom the script succeeded, 0 to 2 147 483 647.
        pub success_users: u32 = "successUserCount",
        /// The users for whom the script failed or broke, 0 to 2 147 483 647.
        pub error_users: u32 = "errorUserCount",
    }
}

impl ScriptRunSummary {
    /// The bytes of the longest JSON of any summary.
    ///
    /// ```
    /// use runtally::graph::ScriptRunSummary;
    /// assert!(ScriptRunSummary::default().encode(&mut [0; ScriptRunSummary::MAX_JSON]).is_ok());
    /// ```
    pub const MAX_JSON: usize = Self::longest(false);

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
        let mut summary = Self::empty();
        summary.read(json)?;
        Ok(summary)
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
        encode(self, buffer)
    }
}
