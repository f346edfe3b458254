//! An event: this device reported this at that time.

use core::time::Duration;

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

impl<D, U> Event<D, U> {
    /// The rank of this event among all events of its device: by instant, then
    /// [finality](RunState::finality), then offset, then user, no user being lowest.
    ///
    /// Finality comes before the offset: that the same instant is written in another zone says
    /// nothing about which event came later.
    ///
    /// ```
    /// use runtally::{Event, RunState};
    ///
    /// let fail = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30:00-05:00".parse()? };
    /// let success = Event { state: RunState::Success, at: "2026-11-21T15:30:00+01:00".parse()?, ..fail };
    /// assert!(fail.order() > success.order()); // one instant
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub const fn order(&self) -> EventOrder<'_, U> {
        EventOrder {
            ticks: self.at.ticks(),
            finality: self.state.finality(),
            offset: self.at.offset(),
            user: self.user.as_ref(),
        }
    }

    /// The event with its device and user borrowed.
    ///
    /// ```
    /// use runtally::{Event, RunState};
    /// let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// assert_eq!(event.as_ref().cloned(), event);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub const fn as_ref(&self) -> Event<&D, &U> {
        Event { device: &self.device, user: self.user.as_ref(), state: self.state, at: self.at }
    }

    /// The event as stamped by whoever receives it: with its own date-time if that lies between
    /// `earliest` and `now + ahead`, both included, and else with `now`.
    ///
    /// Stamp an event once, at the edge, and then store, forward and repeat the stamped one. A
    /// device that reports 1970 after a reboot, or 9999, then does no harm. `earliest` is a time
    /// before the roll-out, such as the firmware's build; `ahead` allows for clocks that run fast,
    /// such as a day.
    ///
    /// For a protocol without device time, pass [`DateTime::MIN`] as the event's time.
    ///
    /// ```
    /// use core::time::Duration;
    /// use runtally::{Event, RunState};
    ///
    /// let (now, earliest) = ("2026-11-21T09:30:00Z".parse()?, "2001-01-01T00:00:00Z".parse()?);
    /// let day = Duration::from_secs(24 * 3600);
    /// let rebooted = Event { device: 7, user: None::<u16>, state: RunState::Success, at: "1970-01-01T00:00:05Z".parse()? };
    /// assert_eq!(rebooted.received(now, earliest, day).at, now);
    /// let late = Event { at: "2026-11-20T18:00:00Z".parse()?, ..rebooted };
    /// assert_eq!(late.received(now, earliest, day), late);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub fn received(self, now: DateTime, earliest: DateTime, ahead: Duration) -> Self {
        // Not `as_nanos() / 100`: a division of 128 bits takes 700 bytes of a Cortex-M's flash.
        let seconds = i64::try_from(ahead.as_secs()).unwrap_or(i64::MAX);
        let ahead = seconds
            .saturating_mul(DateTime::TICKS_PER_SECOND)
            .saturating_add((ahead.subsec_nanos() / 100).into());
        let latest = now.ticks().saturating_add(ahead);
        let is_plausible = (earliest.ticks()..=latest).contains(&self.at.ticks());
        Self { at: if is_plausible { self.at } else { now }, ..self }
    }
}

/// The rank of an event among all events of its device: see [`Event::order`].
///
/// ```
/// use runtally::{Event, RunState};
///
/// let pending = Event { device: 7, user: None::<u16>, state: RunState::Pending, at: "2026-11-21T09:30:00Z".parse()? };
/// let success = Event { state: RunState::Success, ..pending };
/// assert_eq!(pending.order().max(success.order()), success.order());
/// # Ok::<(), runtally::DateTimeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EventOrder<'a, U> {
    // Compared in this order.
    ticks: i64,
    finality: u8,
    offset: i16,
    user: Option<&'a U>,
}

impl<'a, U> EventOrder<'a, U> {
    /// Of what happened at an instant with this finality, which is above every state's for a removal.
    pub(crate) const fn new(at: DateTime, finality: u8, user: Option<&'a U>) -> Self {
        Self { ticks: at.ticks(), finality, offset: at.offset(), user }
    }
}

impl<'a, D, U> Event<&'a D, &'a U> {
    /// [`order`](Self::order) of an event whose user is borrowed.
    pub(crate) const fn borrowed_order(&self) -> EventOrder<'a, U> {
        EventOrder {
            ticks: self.at.ticks(),
            finality: self.state.finality(),
            offset: self.at.offset(),
            user: self.user,
        }
    }
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
