//! One result of one device: the event on the wire.

use uuid::Uuid;

use super::resource::{encode, resource};
use super::{BufferFull, Error, Text, Upn};
use crate::{DateTime, Event, RunState};

resource! {
    /// A device's result of running a hardware configuration: `hardwareConfigurationDeviceState`.
    ///
    /// Read from a request it is an event; of it a tally keeps the device, the user, the state and the
    /// time, and a [`row`](Self::row) shows those.
    ///
    /// Texts of which nothing is kept are cut, at a character, where they are too long: a device must
    /// not go uncounted for the sake of a text. A `upn` that is too long is refused.
    ///
    /// Written, `upn` is always there, null if there is no user; any other property that is `None` is
    /// left out. So what was read is written back.
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
    pub struct DeviceState<'a> = "#microsoft.graph.hardwareConfigurationDeviceState" {
        /// The device.
        #[cfg_attr(feature = "defmt", defmt(Display2Format))]
        pub id: Uuid = "id",
        /// What the device is called.
        pub device_name: Option<Text<'a, 255>> = "deviceName" (cut),
        /// The version of its operating system.
        pub os_version: Option<Text<'a, 255>> = "osVersion" (cut),
        /// The [UPN](Upn) of the user for whom the device ran; an empty one is read as none.
        pub upn: Option<Text<'a, { Upn::MAX_LEN }>> = "upn" (null, empty_is_null),
        /// The version of the policy.
        pub internal_version: Option<i32> = "internalVersion",
        /// When the device reported.
        pub last_update: DateTime = "lastStateUpdateDateTime",
        /// What the device reported.
        pub state: RunState = "configurationState",
        /// What the configuration's run printed.
        pub output: Option<Text<'a, 8192>> = "configurationOutput" (cut),
        /// What the configuration's run printed on errors.
        pub error: Option<Text<'a, 8192>> = "configurationError" (cut),
        /// The assignment filters that were evaluated.
        pub assignment_filter_ids: Option<Text<'a, 8192>> = "assignmentFilterIds" (cut),
        /// The user's id.
        pub user_id: Option<Text<'a, 255>> = "userId" (cut),
    }
}

impl<'a> DeviceState<'a> {
    /// The bytes of the longest JSON of any device state.
    ///
    /// ```
    /// use runtally::graph::DeviceState;
    /// assert!(DeviceState::MAX_JSON > 3 * 6 * 8192); // a control character is written as six
    /// ```
    pub const MAX_JSON: usize = Self::longest(false);

    /// The bytes of the longest JSON of a [`row`](Self::row).
    ///
    /// ```
    /// use runtally::graph::DeviceState;
    /// assert!(DeviceState::MAX_ROW_JSON < DeviceState::MAX_JSON);
    /// ```
    pub const MAX_ROW_JSON: usize = Self::longest(true);

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
    ///
    /// // A name that is too long is cut.
    /// let json = format!(
    ///     r#"{{"id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974","deviceName":"{}",
    ///         "configurationState":"fail","lastStateUpdateDateTime":"2026-11-21T09:30:00Z"}}"#,
    ///     "dock ".repeat(100),
    /// );
    /// assert_eq!(DeviceState::decode(json.as_bytes())?.device_name.unwrap().len(), 255);
    /// # Ok::<(), runtally::graph::Error>(())
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
    /// use runtally::graph::DeviceState;
    /// use runtally::uuid::Uuid;
    ///
    /// let at = "2026-11-21T09:30:00Z".parse()?;
    /// let row = DeviceState::row(Uuid::nil(), None, RunState::Fail, at);
    /// assert_eq!(row.device_name, None);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub fn row(id: Uuid, upn: Option<&'a Upn>, state: RunState, last_update: DateTime) -> Self {
        let mut row = Self::empty();
        row.id = id;
        row.upn = upn.map(Text::from);
        row.state = state;
        row.last_update = last_update;
        row
    }

    /// The event that a tally applies; its user is [folded](Upn::folded).
    ///
    /// ```
    /// use runtally::RunState;
    /// use runtally::graph::DeviceState;
    /// use runtally::uuid::Uuid;
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
    /// use runtally::uuid::Uuid;
    ///
    /// let row = DeviceState::row(Uuid::nil(), None, RunState::Fail, "2026-11-21T09:30Z".parse()?);
    /// let mut buffer = [0; DeviceState::MAX_ROW_JSON];
    /// let length = row.encode(&mut buffer)?;
    /// assert!(buffer[..length].ends_with(br#""configurationState":"fail"}"#));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferFull> {
        encode(self, buffer)
    }
}
