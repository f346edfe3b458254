//! Changes: anything that may happen to a tally, and what it comes to.

use crate::{Counts, DateTime, Event, RunState, Summary};

/// Anything that may happen to a tally, as a value: checked, written to a log, sent, replayed.
///
/// ```
/// use runtally::{Change, Effect, Event, RunState, Tally};
///
/// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
/// let at = "2026-11-21T09:30:00Z".parse()?;
/// let event = Event { device: 7, user: None, state: RunState::Fail, at };
/// let removal = Change::Remove { device: 7, at: "2026-11-21T12:00:00Z".parse()? };
///
/// // In either order the device is gone, and a late copy of its report does not bring it back.
/// assert_eq!(tally.commit(&removal)?, Effect::Applied { before: None });
/// assert_eq!(tally.commit(&Change::Event(event))?, Effect::Stale);
/// assert_eq!(tally.device_count(), 0);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", rename_all_fields = "camelCase"))]
pub enum Change<D, U> {
    /// A device reported. [`Tally::apply`](crate::Tally::apply) is the fast way to commit one.
    Event(Event<D, U>),
    /// A device is removed. This is ordered like an event of that device, above every state of its
    /// instant: reports up to `at` are stale from now on, and a later one makes the device known
    /// again.
    Remove {
        /// The device.
        device: D,
        /// When it was removed.
        at: DateTime,
    },
    /// A device's row is freed without changing the summary: what was live becomes carried, for the
    /// device and for its user. A later report brings the device back and takes back what was
    /// carried, so it is never counted twice. A device without a row, one that is retired among them,
    /// is [`Unknown`](Effect::Unknown).
    Retire {
        /// The device.
        device: D,
    },
    /// The summary's *reported* totals are set. Reads return exactly those values; later events
    /// adjust them by one. The last run may move back, but not before the latest row's instant.
    Declare(Summary),
    /// A user's *reported* device counts and, where the wire has one, last update are set. The
    /// user's row stays until [`UndeclareUser`](Self::UndeclareUser), even without devices. This
    /// also sets the spelling of the key.
    DeclareUser {
        /// The user.
        user: U,
        /// The user's devices in each state.
        devices: Counts,
        /// The user's last update.
        last_update: Option<DateTime>,
    },
    /// A user's declaration is taken back: carried counts, retired devices among them, become zero.
    /// The row stays while it has devices. Where it goes, retired devices forget whose they were: the
    /// same report once more is then news, not a duplicate.
    UndeclareUser {
        /// The user.
        user: U,
    },
    /// The roll-out begins anew, as an edited policy does: every device whose recorded event is
    /// before this instant counts as pending until it reports again. The latest instant ever given
    /// holds.
    RunFrom(DateTime),
}

/// What a [`Change`] came to.
///
/// ```
/// use runtally::{Effect, Event, RunState, Tally};
///
/// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
/// let event = Event { device: 7, user: None, state: RunState::Pending, at: "2026-11-21T09:30Z".parse()? };
/// assert_eq!(tally.apply(&event)?, Effect::Applied { before: None });
/// assert_eq!(tally.apply(&event)?, Effect::Duplicate);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
#[must_use = "a stale or duplicate change did nothing"]
pub enum Effect {
    /// The change is made.
    Applied {
        /// The state the device counted in before; `None` if it was not counted, and for changes
        /// that are not of one device.
        before: Option<RunState>,
    },
    /// What is recorded is the same; no row and no count changed.
    Duplicate,
    /// What is recorded is later; no row and no count changed.
    Stale,
    /// There is no such device or user; nothing changed.
    Unknown,
}

impl Effect {
    /// True for [`Applied`](Self::Applied).
    ///
    /// ```
    /// use runtally::Effect;
    /// assert!(Effect::Applied { before: None }.is_applied());
    /// assert!(!Effect::Stale.is_applied());
    /// ```
    #[must_use]
    pub const fn is_applied(self) -> bool {
        matches!(self, Self::Applied { .. })
    }
}
