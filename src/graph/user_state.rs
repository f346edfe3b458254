//! What is reported of one user of a hardware configuration.

use uuid::Uuid;

use super::resource::{encode, resource};
use super::shape::DEVICE_COUNTERS;
use super::{BufferFull, CountsUpdate, Error, Text, Upn};
use crate::{Counts, DateTime};

resource! {
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
    pub struct UserState<'a> = "#microsoft.graph.hardwareConfigurationUserState" {
        /// Names the user state; a body that creates one need not have it.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        pub id: Option<Uuid> | Option<Uuid> = "id",
        /// The [UPN](Upn) of the user.
        pub upn: Text<'a, { Upn::MAX_LEN }> | Option<Text<'a, { Upn::MAX_LEN }>> = "upn" (not_empty),
        /// The user's e-mail address.
        pub email: Option<Text<'a, 127>> | Option<Option<Text<'a, 127>>> = "userEmail" (null),
        /// The user's full name.
        pub name: Option<Text<'a, 127>> | Option<Option<Text<'a, 127>>> = "userName" (null),
        /// When one of the user's devices last reported.
        pub last_update: DateTime | Option<DateTime> = "lastStateUpdateDateTime",
        /// The user's devices in each run state.
        pub devices: Counts | CountsUpdate = [DEVICE_COUNTERS],
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
    /// Where a null may be given, `Some(None)` is one.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    pub struct UserStateUpdate;
}

impl UserState<'_> {
    /// The bytes of the longest JSON of any user state.
    ///
    /// ```
    /// use runtally::graph::{UserState, Upn};
    /// assert!(UserState::MAX_JSON > 6 * Upn::MAX_LEN); // a control character is written as six
    /// ```
    pub const MAX_JSON: usize = Self::longest(false);

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
        encode(self, buffer)
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
        let mut update = Self::empty();
        update.read(json)?;
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
    pub fn complete(&self) -> Result<UserState<'a>, Error> {
        self.whole()
    }
}
