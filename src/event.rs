//! An event: this device reported this at that time.

use crate::{DateTime, RunState};

/// One report of one device.
///
/// `D` and `U` are whatever names a device and a user: a `u16` address, an EUI-64, a GUID, a UPN.
///
/// ```
/// use runtally::{DateTime, Event, RunState};
///
/// let event = Event {
///     device: 7u16,
///     user: Some(1u16),
///     state: RunState::Success,
///     at: "2026-11-21T09:30:00+01:00".parse()?,
/// };
/// assert_eq!(event.at.to_string(), "2026-11-21T09:30:00+01:00");
/// # Ok::<(), runtally::DateTimeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Event<D, U> {
    /// Who reported.
    pub device: D,
    /// For whom the device ran, if for anyone.
    pub user: Option<U>,
    /// What it reported.
    pub state: RunState,
    /// When it happened by the device's account; orders the events of one device.
    pub at: DateTime,
}

impl<D: Clone, U: Clone> Event<&D, &U> {
    /// The event with its device and user cloned, to keep it beyond the tally it was read from.
    ///
    /// ```
    /// use runtally::{Event, RunState};
    ///
    /// let read = Event { device: &7u16, user: Some(&1u16), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// let kept: Event<u16, u16> = read.cloned();
    /// assert_eq!(kept.device, 7);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub fn cloned(self) -> Event<D, U> {
        Event {
            device: self.device.clone(),
            user: self.user.cloned(),
            state: self.state,
            at: self.at,
        }
    }
}
