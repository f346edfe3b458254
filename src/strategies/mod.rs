//! Events, changes and documents made at random, to property-test code that is built on this
//! crate.
//!
//! Under the feature `proptest` there are strategies, and `any::<T>()` works for the types below;
//! under the feature `arbitrary` the same types are `arbitrary::Arbitrary`, for fuzz targets.
//! This crate's own tests and fuzz targets use these and no others.
//!
//! | made | strategy | of |
//! |---|---|---|
//! | [`RunState`] | `run_states()` | all six alike |
//! | [`DateTime`] | `date_times()` | half within a second, so that ties come up; half from the whole range |
//! | [`Counts`] | `counts()` | zeros, a few, up to and at the limit |
//! | [`Summary`] | `summaries()` | such counts and date-times |
//! | [`Event`] | `events(devices, users)` | keys from the strategies given |
//! | [`Change`] | `changes(devices, users)` | everything that may happen to a tally, mostly events |
//! | `Document` | `documents()` | a valid device state, spelled by no particular hand (feature `graph`) |
//! | bytes | `hostile_documents()` | such a document, damaged (feature `graph`) |
//!
//! Keys should come from a small set, or events rarely meet one another.
//!
//! A wrapper that counts what it drops, tested against the tally it wraps:
//!
//! ```
//! # #[cfg(feature = "proptest")] {
//! use proptest::prelude::*;
//! use runtally::strategies::events;
//! use runtally::{Effect, Event, Tally};
//!
//! #[derive(Default)]
//! struct Gate {
//!     tally: Tally<u16, u16, 8, 4>,
//!     taken: u32,
//!     dropped: u32,
//! }
//!
//! impl Gate {
//!     fn take(&mut self, event: &Event<u16, u16>) {
//!         match self.tally.apply(event) {
//!             Ok(Effect::Applied { .. }) => self.taken += 1,
//!             _ => self.dropped += 1,
//!         }
//!     }
//! }
//!
//! proptest!(|(events in prop::collection::vec(events(0..12u16, 0..6u16), 0..64))| {
//!     let mut gate = Gate::default();
//!     events.iter().for_each(|event| gate.take(event));
//!     prop_assert_eq!(gate.taken + gate.dropped, events.len() as u32);
//!
//!     // Whatever was taken is recorded by now, so nothing is taken twice.
//!     let taken = gate.taken;
//!     let recorded: Vec<_> = gate.tally.devices().map(|event| event.cloned()).collect();
//!     recorded.iter().for_each(|event| gate.take(event));
//!     prop_assert_eq!(gate.taken, taken);
//!     prop_assert_eq!(gate.tally.audit(), Ok(()));
//! });
//! # }
//! ```

#[cfg(feature = "arbitrary")]
mod arbitrary;
#[cfg(feature = "graph")]
mod document;
#[cfg(feature = "proptest")]
mod proptest;

#[cfg(feature = "graph")]
pub use document::Document;
#[cfg(feature = "proptest")]
pub use proptest::{changes, counts, date_times, events, run_states, summaries};
#[cfg(all(feature = "graph", feature = "proptest"))]
pub use proptest::{documents, hostile_documents};

use crate::{Counts, DateTime};

/// The ticks of a minute of offset.
const MINUTE: i64 = 60 * 10_000_000;

/// The first and the last local date-time, 0001-01-01 and 9999-12-31, in ticks of 100 ns.
const LOCAL: core::ops::RangeInclusive<i64> = -621_355_968_000_000_000..=2_534_023_007_999_999_999;

/// 2026-11-21T09:30:00Z: where the date-times that meet one another lie.
const MEETING: i64 = 17_952_534_000_000_000;

/// The date-time with this local time and offset.
fn date_time(local: i64, offset: i16) -> DateTime {
    let ticks = local.saturating_sub(MINUTE.saturating_mul(offset.into()));
    // Every local time above and every offset of less than a day is a date-time.
    DateTime::from_ticks(ticks, offset).unwrap_or(DateTime::from_parts(0, 0))
}

/// The counts with these numbers, each brought into range.
fn counts_of(numbers: [u32; 6]) -> Counts {
    let set = |counts: Counts, (state, number): (crate::RunState, u32)| {
        counts.with(state, number.min(Counts::MAX)).unwrap_or(counts)
    };
    crate::RunState::ALL.into_iter().zip(numbers).fold(Counts::ZERO, set)
}

#[cfg(doc)]
use crate::{Change, Event, RunState, Summary};
