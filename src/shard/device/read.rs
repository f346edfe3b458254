//! Reading a device shard: a device, all of them.

use core::hash::Hash;

use super::DeviceShard;
use crate::exact::Exact;
use crate::shard::Record;
use crate::table::Storage;
use crate::tally::Stamp;
use crate::{DateTime, Event, RunState};

impl<D, U, const DEVICES: usize, S: Storage> DeviceShard<D, U, DEVICES, S>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord,
{
    /// The rows that are taken: devices, retired ones and removed ones.
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// assert_eq!(DeviceShard::<u16, u16, 8>::new().row_count(), 0);
    /// ```
    #[must_use]
    pub const fn row_count(&self) -> usize {
        self.rows.len() as usize
    }

    /// The devices that are neither removed nor retired.
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// assert_eq!(DeviceShard::<u16, u16, 8>::new().device_count(), 0);
    /// ```
    #[must_use]
    pub const fn device_count(&self) -> usize {
        self.rows.len().wrapping_sub(self.retired).wrapping_sub(self.removed) as usize
    }

    /// The devices that are retired: they count, and are not listed.
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// assert_eq!(DeviceShard::<u16, u16, 8>::new().retired_count(), 0);
    /// ```
    #[must_use]
    pub const fn retired_count(&self) -> usize {
        self.retired as usize
    }

    /// The instant from which the roll-out counts, in UTC; `None` if it never began anew.
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// assert_eq!(DeviceShard::<u16, u16, 8>::new().run_from(), None);
    /// ```
    #[must_use]
    pub fn run_from(&self) -> Option<DateTime> {
        self.run_from.at()
    }

    /// The record of a device, also of a removed or retired one.
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// assert_eq!(DeviceShard::<u16, u16, 8>::new().record(&7), None);
    /// ```
    #[must_use]
    pub fn record(&self, device: &D) -> Option<Record<&D, &U>> {
        let (device, kept) = self.rows.get(self.rows.find(device)?)?;
        Some(kept.view(device))
    }

    /// The greatest event of a device that is neither removed nor retired.
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// assert_eq!(DeviceShard::<u16, u16, 8>::new().device(&7), None);
    /// ```
    #[must_use]
    pub fn device(&self, device: &D) -> Option<Event<&D, &U>> {
        match self.record(device)? {
            Record::Report(event) => Some(event),
            Record::Retired(_) | Record::Removed { .. } => None,
        }
    }

    /// The record of every row, in the order of the rows.
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// assert_eq!(DeviceShard::<u16, u16, 8>::new().records().len(), 0);
    /// ```
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<&D, &U>> + Clone {
        let rows = self.rows.iter().map(|(_, device, kept)| kept.view(device));
        Exact { rows, left: self.row_count() }
    }

    /// The greatest event of every device that is neither removed nor retired.
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// assert_eq!(DeviceShard::<u16, u16, 8>::new().devices().len(), 0);
    /// ```
    pub fn devices(&self) -> impl ExactSizeIterator<Item = Event<&D, &U>> + Clone {
        let rows = self.records().filter_map(|record| match record {
            Record::Report(event) => Some(event),
            Record::Retired(_) | Record::Removed { .. } => None,
        });
        Exact { rows, left: self.device_count() }
    }

    /// The state a recorded event counts in: its own, or pending if the event is from before
    /// [`run_from`](Self::run_from).
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// use runtally::{Event, RunState};
    ///
    /// let event = Event { device: 7, user: None::<u16>, state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// assert_eq!(DeviceShard::<u16, u16, 8>::new().counted(&event), RunState::Fail);
    /// # Ok::<(), runtally::DateTimeError>(())
    /// ```
    #[must_use]
    pub fn counted<A, B>(&self, recorded: &Event<A, B>) -> RunState {
        Stamp::new(recorded.at, recorded.state).counted(self.run_from)
    }

    /// The bytes it takes: of the value itself, and of its rows on the heap.
    ///
    /// ```
    /// use runtally::shard::DeviceShard;
    /// let shard: DeviceShard<u16, u16, 8> = DeviceShard::new();
    /// assert_eq!(shard.memory(), size_of_val(&shard));
    /// ```
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>().saturating_add(self.rows.heap_bytes())
    }
}
