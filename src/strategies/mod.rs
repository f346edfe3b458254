//! Events, operations and documents made at random, to property-test code that is built on this
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
//! | [`Operation`] | `operations(devices, users)` | everything that changes a tally, mostly events |
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
//! use runtally::{Event, Outcome, Tally};
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
//!             Ok(Outcome::Applied { .. }) => self.taken += 1,
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

use core::hash::Hash;

#[cfg(feature = "graph")]
pub use document::Document;
#[cfg(feature = "proptest")]
pub use proptest::{counts, date_times, events, operations, run_states, summaries};
#[cfg(all(feature = "graph", feature = "proptest"))]
pub use proptest::{documents, hostile_documents};

use crate::{Counts, DateTime, Event, Outcome, Refusal, Summary, Tally};

/// One call that changes a tally, as a value: kept, replayed, shrunk.
///
/// ```
/// use runtally::strategies::{Effect, Operation};
/// use runtally::{Outcome, RunState, Tally};
///
/// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
/// let event = runtally::Event { device: 7, user: None, state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
/// let operations = [Operation::Apply(event), Operation::Retire(7), Operation::UndeclareUser(1)];
///
/// let effects = operations.map(|operation| operation.run(&mut tally));
/// assert_eq!(effects[0], Ok(Effect::Applied(Outcome::Applied { before: None })));
/// assert_eq!(effects[1], Ok(Effect::Retired(Some(event))));
/// assert_eq!(effects[2], Ok(Effect::Undeclared(false)));
/// # Ok::<(), runtally::DateTimeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operation<D, U> {
    /// [`Tally::apply`].
    Apply(Event<D, U>),
    /// [`Tally::remove`].
    Remove(D),
    /// [`Tally::retire`].
    Retire(D),
    /// [`Tally::declare`].
    Declare(Summary),
    /// [`Tally::declare_user`].
    DeclareUser {
        /// Whose totals.
        user: U,
        /// The totals.
        devices: Counts,
        /// The last update.
        last_update: Option<DateTime>,
    },
    /// [`Tally::undeclare_user`].
    UndeclareUser(U),
}

/// What an [`Operation`] came to: the return value of the call it stands for.
///
/// ```
/// use runtally::strategies::{Effect, Operation};
/// use runtally::{Summary, Tally};
///
/// let mut tally: Tally<u16, u16, 8, 8> = Tally::new();
/// assert_eq!(Operation::Declare(Summary::ZERO).run(&mut tally), Ok(Effect::Declared));
/// assert_eq!(Operation::Remove(7).run(&mut tally), Ok(Effect::Removed(None)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Effect<D, U> {
    /// The event was applied, or found to be old.
    Applied(Outcome),
    /// The device's event, if it was known.
    Removed(Option<Event<D, U>>),
    /// The device's event, if it was known.
    Retired(Option<Event<D, U>>),
    /// The summary or the user was declared.
    Declared,
    /// True if the user had been declared.
    Undeclared(bool),
}

impl<D, U> Operation<D, U>
where
    D: Clone + Eq + Hash,
    U: Clone + Ord + Hash,
{
    /// Makes the call.
    ///
    /// # Errors
    ///
    /// Those of the call.
    ///
    /// ```
    /// use runtally::strategies::Operation;
    /// use runtally::{Event, Refusal, RunState, Tally};
    ///
    /// let mut tally: Tally<u16, u16, 1, 1> = Tally::new();
    /// let event = Event { device: 1, user: None, state: RunState::Fail, at: "2026-11-21T09:30Z".parse()? };
    /// Operation::Apply(event).run(&mut tally)?;
    /// let refused = Operation::Apply(Event { device: 2, ..event }).run(&mut tally);
    /// assert_eq!(refused, Err(Refusal::DevicesFull { capacity: 1 }));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn run<const DEVICES: usize, const USERS: usize>(
        &self,
        tally: &mut Tally<D, U, DEVICES, USERS>,
    ) -> Result<Effect<D, U>, Refusal> {
        Ok(match self {
            Self::Apply(event) => Effect::Applied(tally.apply(event)?),
            Self::Remove(device) => Effect::Removed(tally.remove(device)?),
            Self::Retire(device) => Effect::Retired(tally.retire(device)),
            Self::Declare(summary) => {
                tally.declare(summary)?;
                Effect::Declared
            }
            Self::DeclareUser { user, devices, last_update } => {
                tally.declare_user(user, *devices, *last_update)?;
                Effect::Declared
            }
            Self::UndeclareUser(user) => Effect::Undeclared(tally.undeclare_user(user)?),
        })
    }
}

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
use crate::RunState;
