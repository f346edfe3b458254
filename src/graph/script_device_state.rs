//! One result of one device that ran a management script.

use uuid::Uuid;

use super::resource::{encode, resource};
use super::{BufferFull, Error, Text, Upn};
use crate::{DateTime, Event, RunState};

resource! {
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
    pub struct ScriptDeviceState<'a> = "#microsoft.graph.deviceManagementScriptDeviceState" {
        /// The device.
        #[cfg_attr(feature = "defmt", defmt(Display2Format))]
        pub id: Uuid = "id",
        /// What the device reported.
        pub state: RunState = "runState",
        /// What the script printed.
        pub result_message: Option<Text<'a, 8192>> = "resultMessage" (cut),
        /// When the device reported.
        pub last_update: DateTime = "lastStateUpdateDateTime",
        /// The code of the error.
        pub error_code: Option<i32> = "errorCode",
        /// The description of the error.
        pub error_description: Option<Text<'a, 8192>> = "errorDescription" (cut),
    }
}

impl<'a> ScriptDeviceState<'a> {
    /// The bytes of the longest JSON of any device state.
    ///
    /// ```
    /// use runtally::graph::ScriptDeviceState;
    /// assert!(ScriptDeviceState::MAX_JSON > 2 * 6 * 8192); // a control character is written as six
    /// ```
    pub const MAX_JSON: usize = Self::longest(false);

    /// The bytes of the longest JSON of a [`row`](Self::row).
    ///
    /// ```
    /// use runtally::graph::ScriptDeviceState;
    /// assert!(ScriptDeviceState::MAX_ROW_JSON < ScriptDeviceState::MAX_JSON);
    /// ```
    pub const MAX_ROW_JSON: usize = Self::longest(true);

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
        let mut state = Self::empty();
        state.read(json)?;
        Ok(state)
    }

    /// What is kept of a device: the row behind the counts.
    ///
    /// ```
    /// use runtally::RunState;
    /// use runtally::graph::ScriptDeviceState;
    /// use runtally::uuid::Uuid;
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
        ScriptDeviceState { id, state, last_update, ..ScriptDeviceState::EMPTY }
    }

    /// The event that a tally applies, of the user that the request's path names; that user is
    /// [folded](Upn::folded).
    ///
    /// ```
    /// use runtally::RunState;
    /// use runtally::graph::ScriptDeviceState;
    /// use runtally::uuid::Uuid;
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
    /// use runtally::uuid::Uuid;
    ///
    /// let row = ScriptDeviceState::row(Uuid::nil(), RunState::Fail, "2026-11-21T09:30Z".parse()?);
    /// let mut buffer = [0; ScriptDeviceState::MAX_ROW_JSON];
    /// let length = row.encode(&mut buffer)?;
    /// assert!(str::from_utf8(&buffer[..length])?.contains(r#""runState":"fail""#));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferFull> {
        encode(self, buffer)
    }
}
