//! How requests are answered: tokens, clock, shape of the answers.

use core::fmt;
use core::time::Duration;

use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::uri::{halves, is_word};
use crate::store::RolloutId;
use crate::{DateTime, Event, UserHandle};

/// How requests are answered.
///
/// With the default settings there are no tokens, so every request is refused.
///
/// ```
/// use runtally::http::{Access, Settings};
///
/// // The second token of each role is being rotated out.
/// let settings = Settings {
///     read_tokens: &["reader", "old reader"],
///     write_tokens: &["writer", "old writer"],
///     ..Settings::default()
/// };
/// assert_eq!(settings.access(Some("Bearer writer")), Some(Access::Write));
/// assert!(!format!("{settings:?}").contains("writer"));
/// ```
#[derive(Clone, Copy, Default)]
pub struct Settings<'a> {
    /// The bearer tokens that may read: Graph's `DeviceManagementConfiguration.Read.All`. An empty
    /// token never matches.
    pub read_tokens: &'a [&'a str],
    /// The bearer tokens that may read and write:
    /// `DeviceManagementConfiguration.ReadWrite.All`. An empty token never matches.
    pub write_tokens: &'a [&'a str],
    /// Sends a summary alone and not as `{"value": summary}`, which is what the documentation shows
    /// but not what Graph's generated clients read.
    pub bare: bool,
    /// Scheme and authority for the link to the next page, such as `http://127.0.0.1:8080`: clients
    /// follow that link as it is. Empty makes the link a path.
    pub origin: &'a str,
    /// The receiver's clock. Without one, the date-times of events are taken as they are.
    pub clock: Option<Clock>,
    /// An index of the users by the ids of their states. Without one, a path that names a user costs
    /// up to one SHA-1 for each user of the roll-out; with one, one.
    pub user_by_id: Option<UserById<'a>>,
}

/// Finds the user of a roll-out whose state has this [id](crate::graph::user_state_id).
///
/// `None` is a 404. A row is checked with one SHA-1; if it is not that user's, that is a 404 too. So
/// the index may keep rows of users who are gone, but must know every user who has a row.
///
/// ```
/// use std::collections::HashMap;
///
/// use runtally::graph::{Upn, user_state_id};
/// use runtally::http::{Request, Settings};
/// use runtally::store::{RolloutId, Store, StoreChange};
/// use runtally::{Change, Counts};
/// use uuid::Uuid;
///
/// let mut store: Store<1, 0, 64, 16> = Store::new();
/// let rollout = RolloutId::configuration(Uuid::from_u128(1));
/// store.insert(rollout)?;
/// let ada: Upn = "ada@example.com".parse()?;
/// let change = Change::DeclareUser { user: ada.clone(), devices: Counts::ZERO, last_update: None };
/// assert!(store.commit(&StoreChange::new(rollout, change))?.is_applied());
///
/// // Kept after each change: here Ada was added.
/// let id = user_state_id(&rollout.id, &ada);
/// let row = store.get(rollout).and_then(|it| it.tally().find_user(&ada)).expect("declared");
/// let index = HashMap::from([((rollout, id), row)]);
///
/// let user_by_id = |rollout, id| index.get(&(rollout, id)).copied();
/// let settings = Settings {
///     read_tokens: &["reader"],
///     user_by_id: Some(&user_by_id),
///     ..Settings::default()
/// };
/// let request = Request {
///     method: "GET",
///     path: &format!("/deviceManagement/hardwareConfigurations/{}/userRunStates/{id}", rollout.id),
///     authorization: Some("Bearer reader"),
///     ..Request::default()
/// };
/// assert_eq!(store.answer(&request, &settings, &mut [0; 4096]).response.status, 200);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub type UserById<'a> = &'a (dyn Fn(RolloutId, Uuid) -> Option<UserHandle> + Sync);

/// What a token allows.
///
/// ```
/// use runtally::http::Access;
/// assert!(Access::Write > Access::Read);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

impl Settings<'_> {
    /// What the value of an `Authorization` header allows; `None` without a known token. Ask before
    /// reading the body.
    ///
    /// Tokens are compared in constant time, so that the time an answer takes does not tell how
    /// much of a guess was right.
    ///
    /// Source: RFC 6750, section 2.1; RFC 9110, section 11.1 (the scheme's case does not matter).
    ///
    /// ```
    /// use runtally::http::{Access, Settings};
    ///
    /// let settings = Settings { read_tokens: &["reader"], ..Settings::default() };
    /// assert_eq!(settings.access(Some("bearer reader")), Some(Access::Read));
    /// assert_eq!(settings.access(Some("Bearer guess")), None);
    /// assert_eq!(settings.access(None), None);
    /// ```
    #[must_use]
    pub fn access(&self, authorization: Option<&str>) -> Option<Access> {
        let token = token(authorization)?;
        match (is_one_of(token, self.write_tokens), is_one_of(token, self.read_tokens)) {
            (true, _) => Some(Access::Write),
            (false, true) => Some(Access::Read),
            (false, false) => None,
        }
    }
}

/// In a time that does not depend on where a known token differs.
#[inline(never)]
fn is_one_of(token: &str, known: &[&str]) -> bool {
    known.iter().fold(false, |found, known| {
        let is_same = bool::from(token.as_bytes().ct_eq(known.as_bytes()));
        found | (!known.is_empty() & is_same)
    })
}

/// The bearer token of an `Authorization` header.
pub(super) fn token(authorization: Option<&str>) -> Option<&str> {
    let (scheme, token) = halves(authorization?, b' ');
    is_word(scheme, "Bearer").then_some(token?.trim_ascii())
}

/// Tokens are secrets, so none is shown.
impl fmt::Debug for Settings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("read_tokens", &Redacted(self.read_tokens.len()))
            .field("write_tokens", &Redacted(self.write_tokens.len()))
            .field("bare", &self.bare)
            .field("origin", &self.origin)
            .field("clock", &self.clock)
            .field("user_by_id", &self.user_by_id.map(|_| "a function"))
            .finish()
    }
}

/// Tokens are secrets, so none is shown.
#[cfg(feature = "defmt")]
impl defmt::Format for Settings<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Settings {{ read_tokens: {} redacted, write_tokens: {} redacted, bare: {}, origin: {=str}, clock: {}, user_by_id: {} }}",
            self.read_tokens.len(),
            self.write_tokens.len(),
            self.bare,
            self.origin,
            self.clock,
            self.user_by_id.map(|_| "a function"),
        );
    }
}

struct Redacted(usize);

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} redacted", self.0)
    }
}

/// The receiver's clock, and the times it accepts from a device's own: see [`Event::received`].
///
/// ```
/// use runtally::http::Clock;
/// let clock = Clock::new("2026-11-21T09:30:00Z".parse()?);
/// assert_eq!(clock.earliest.to_string(), "2001-01-01T00:00:00Z");
/// # Ok::<(), runtally::DateTimeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Clock {
    /// The time now.
    pub now: DateTime,
    /// The earliest time accepted.
    pub earliest: DateTime,
    /// How far a device's clock may be ahead.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub ahead: Duration,
}

impl Clock {
    /// A clock that says `now` and accepts times from 2001-01-01 to 24 hours ahead of it.
    ///
    /// ```
    /// use runtally::http::Clock;
    /// let clock = Clock::new("2026-11-21T09:30:00Z".parse()?);
    /// assert_eq!(clock.ahead.as_secs(), 24 * 3600);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub const fn new(now: DateTime) -> Self {
        const YEAR_2001: i64 = 978_307_200 * DateTime::TICKS_PER_SECOND;
        Self { now, earliest: DateTime::utc(YEAR_2001), ahead: Duration::from_secs(24 * 60 * 60) }
    }

    /// The time of a device's event, as received.
    pub(super) fn received(&self, at: DateTime) -> DateTime {
        let event = Event { device: (), user: None::<()>, state: crate::RunState::Unknown, at };
        event.received(self.now, self.earliest, self.ahead).at
    }
}
