//! Records: the facts about one device that shards keep, send and join.

use crate::codec::{self, Key, Writer};
use crate::tally::{RunFrom, Stamp};
use crate::{DateTime, Entry, Event, EventOrder, RunState};

/// The greatest thing known of one device. Joining two records of a device gives the one with the
/// greater [`order`](Self::order).
///
/// ```
/// use runtally::shard::Record;
/// use runtally::{Event, RunState};
///
/// let at = "2026-11-21T09:30Z".parse()?;
/// let event = Event { device: 7u16, user: Some(1u16), state: RunState::Fail, at };
/// let report = Record::Report(event);
/// assert!(report.order() < Record::Retired(event).order());
/// assert!(Record::Retired(event).order() < Record::Removed { device: 7, at }.order());
/// # Ok::<(), runtally::DateTimeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum Record<D, U> {
    /// The device reported.
    Report(Event<D, U>),
    /// The device was retired when this was its greatest event: it goes on counting as any other
    /// does, and is not listed any more.
    Retired(Event<D, U>),
    /// The device was removed: it does not count, and reports up to this instant are stale.
    Removed {
        /// The device.
        device: D,
        /// When it was removed. Only the instant matters, not the offset it is written with.
        at: DateTime,
    },
}

/// The place of a record among all records of its device: see [`Record::order`].
///
/// ```
/// use runtally::shard::Record;
///
/// let [early, late] = ["2026-11-21T09:30Z", "2026-11-21T09:31Z"].map(|at| at.parse().unwrap());
/// let [early, late] = [early, late].map(|at| Record::<u16, u16>::Removed { device: 7, at });
/// assert_eq!(early.order().max(late.order()), late.order());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RecordOrder<'a, U> {
    // Compared in this order.
    event: EventOrder<'a, U>,
    is_retired: bool,
}

/// Above the finality of every state.
const REMOVAL: u8 = 6;

impl<D, U> Record<D, U> {
    /// The device.
    ///
    /// ```
    /// use runtally::shard::Record;
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// assert_eq!(Record::<u16, u16>::Removed { device: 7, at }.device(), &7);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub const fn device(&self) -> &D {
        match self {
            Self::Report(event) | Self::Retired(event) => &event.device,
            Self::Removed { device, .. } => device,
        }
    }

    /// The device's user, if it names one: the user whom the device counts for.
    ///
    /// ```
    /// use runtally::shard::Record;
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// assert_eq!(Record::<u16, u16>::Removed { device: 7, at }.user(), None);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub const fn user(&self) -> Option<&U> {
        match self {
            Self::Report(event) | Self::Retired(event) => event.user.as_ref(),
            Self::Removed { .. } => None,
        }
    }

    /// When it happened.
    ///
    /// ```
    /// use runtally::shard::Record;
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// assert_eq!(Record::<u16, u16>::Removed { device: 7, at }.at(), at);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub const fn at(&self) -> DateTime {
        match self {
            Self::Report(event) | Self::Retired(event) => event.at,
            Self::Removed { at, .. } => *at,
        }
    }

    /// The event; `None` of a removal.
    ///
    /// ```
    /// use runtally::shard::Record;
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// assert_eq!(Record::<u16, u16>::Removed { device: 7, at }.event(), None);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub const fn event(&self) -> Option<&Event<D, U>> {
        match self {
            Self::Report(event) | Self::Retired(event) => Some(event),
            Self::Removed { .. } => None,
        }
    }

    /// The place of this record among all records of its device: by [`Event::order`], a removal above
    /// every state of its instant; and a retired device above the same report of one that is not.
    ///
    /// ```
    /// use runtally::shard::Record;
    /// use runtally::{Event, RunState};
    ///
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// let event = Event { device: 7, user: None::<u16>, state: RunState::Pending, at };
    /// let retired = Record::Retired(event);
    /// assert!(Record::Report(Event { state: RunState::Success, ..event }).order() > retired.order());
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub const fn order(&self) -> RecordOrder<'_, U> {
        let (event, is_retired) = match self {
            Self::Report(event) => (event.order(), false),
            Self::Retired(event) => (event.order(), true),
            Self::Removed { at, .. } => (EventOrder::new(at.to_utc(), REMOVAL, None), false),
        };
        RecordOrder { event, is_retired }
    }

    /// The record with its device and user borrowed.
    ///
    /// ```
    /// use runtally::shard::Record;
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// let record: Record<u16, u16> = Record::Removed { device: 7, at };
    /// assert_eq!(record.as_ref().cloned(), record);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub const fn as_ref(&self) -> Record<&D, &U> {
        match self {
            Self::Report(event) => Record::Report(event.as_ref()),
            Self::Retired(event) => Record::Retired(event.as_ref()),
            Self::Removed { device, at } => Record::Removed { device, at: *at },
        }
    }
}

impl<D: Clone, U: Clone> Record<&D, &U> {
    /// The record with its device and user cloned.
    ///
    /// ```
    /// use runtally::shard::Record;
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// let record: Record<&u16, &u16> = Record::Removed { device: &7, at };
    /// assert_eq!(record.cloned(), Record::Removed { device: 7, at });
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub fn cloned(self) -> Record<D, U> {
        match self {
            Self::Report(event) => Record::Report(event.cloned()),
            Self::Retired(event) => Record::Retired(event.cloned()),
            Self::Removed { device, at } => Record::Removed { device: device.clone(), at },
        }
    }
}

impl<D: Key, U: Key> Record<D, U> {
    /// The most bytes a record is written in.
    ///
    /// ```
    /// use runtally::shard::Record;
    /// assert_eq!(Record::<[u8; 16], [u8; 16]>::MAX_LEN, 43);
    /// ```
    pub const MAX_LEN: usize = codec::device_len::<D, U>();

    /// Reads the record at the start of `bytes`, and how many it took; `None` if there is none.
    ///
    /// ```
    /// use runtally::shard::Record;
    /// assert_eq!(Record::<u16, u16>::read(&[7; 1]), None);
    /// ```
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let (entry, rest) = codec::read(bytes)?;
        Some((Self::of(entry)?, bytes.len().checked_sub(rest.len())?))
    }
}

impl<D: Key, U: Key> Record<&D, &U> {
    /// Writes the record at the start of `bytes`, as the [snapshot](crate::snapshot) does, and
    /// returns how many it took; `None` if there are too few, which there are not if there are
    /// [`MAX_LEN`](Record::MAX_LEN).
    ///
    /// ```
    /// use runtally::shard::Record;
    /// use runtally::{Event, RunState};
    ///
    /// let at = "2026-11-21T09:30Z".parse()?;
    /// let event = Event { device: 7, user: Some(1), state: RunState::Fail, at };
    /// let record: Record<u16, u16> = Record::Report(event);
    /// let mut bytes = [0; Record::<u16, u16>::MAX_LEN];
    /// let len = record.as_ref().write(&mut bytes).expect("there are enough");
    /// assert_eq!(Record::read(&bytes), Some((record, len)));
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    pub fn write(&self, bytes: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(bytes);
        writer.entry(&(*self).into_entry(RunFrom::NEVER))?;
        Some(writer.len())
    }
}

impl<D, U> Record<D, U> {
    /// The entry of a device whose record this is.
    pub(super) fn into_entry(self, run_from: RunFrom) -> Entry<D, U> {
        match self {
            Self::Report(event) => Entry::Device(event),
            Self::Retired(event) => {
                let counted = Stamp::new(event.at, event.state).counted(run_from);
                Entry::Retired { event, counted }
            }
            Self::Removed { device, at } => Entry::Removed { device, at },
        }
    }

    /// The record that an entry holds; `None` if it is of something else than a device.
    pub(super) fn of(entry: Entry<D, U>) -> Option<Self> {
        match entry {
            Entry::Device(event) => Some(Self::Report(event)),
            Entry::Retired { event, .. } => Some(Self::Retired(event)),
            Entry::Removed { device, at } => Some(Self::Removed { device, at }),
            Entry::User { .. } | Entry::Totals(_) => None,
        }
    }

    pub(super) fn stamp(&self) -> Stamp {
        match self {
            Self::Report(event) => Stamp::new(event.at, event.state),
            Self::Retired(event) => Stamp::new(event.at, event.state).buried(),
            Self::Removed { at, .. } => Stamp::removal(*at),
        }
    }
}

/// The order of a record that is kept as a stamp and a user.
pub(super) fn order_of<U>(stamp: Stamp, user: Option<&U>) -> RecordOrder<'_, U> {
    let event = EventOrder::new(stamp.at(), stamp.finality() as u8, user);
    RecordOrder { event, is_retired: !stamp.is_live() }
}

/// The record that is kept as a stamp and a user.
pub(super) fn view<'a, D, U>(
    device: &'a D,
    stamp: Stamp,
    user: Option<&'a U>,
) -> Record<&'a D, &'a U> {
    if stamp.is_removal() {
        return Record::Removed { device, at: stamp.at() };
    }
    let event = Event { device, user, state: stamp.state(), at: stamp.at() };
    if stamp.is_live() { Record::Report(event) } else { Record::Retired(event) }
}

/// A device's record, kept in one row with its user's key.
#[derive(Clone)]
pub(super) struct Kept<U> {
    pub(super) stamp: Stamp,
    pub(super) user: Option<U>,
}

impl<U: Clone> Kept<U> {
    pub(super) fn of<D>(record: &Record<D, U>) -> Self {
        Self { stamp: record.stamp(), user: record.user().cloned() }
    }
}

impl<U> Kept<U> {
    pub(super) fn order(&self) -> RecordOrder<'_, U> {
        order_of(self.stamp, self.user.as_ref())
    }

    pub(super) fn view<'a, D>(&'a self, device: &'a D) -> Record<&'a D, &'a U> {
        view(device, self.stamp, self.user.as_ref())
    }

    /// The state that counts; `None` if it was removed.
    pub(super) fn counted(&self, run_from: RunFrom) -> Option<RunState> {
        (!self.stamp.is_removal()).then(|| self.stamp.counted(run_from))
    }
}
