//! Counts a roll-out: a state machine from events to counts that are always right.
//!
//! An operator rolls a hardware configuration or a script out to devices. Every device reports
//! again and again, late, twice and out of order. A [`Tally`] keeps the last state of every device
//! and user, takes each [`Event`] into account in constant time, and has the [`Summary`] ready at
//! any moment.
//!
//! ```
//! use runtally::{Effect, Event, RunState, Tally};
//!
//! // A static one lies in .bss: an empty tally is all zero bytes.
//! let mut tally: Tally<u16, u16, 512, 64> = Tally::new();
//!
//! let event = Event { device: 7, user: Some(1), state: RunState::Fail, at: "2026-11-21T09:30:00Z".parse()? };
//! assert_eq!(tally.apply(&event)?, Effect::Applied { before: None });
//! let later = Event { state: RunState::Success, at: "2026-11-21T09:45:00Z".parse()?, ..event };
//! assert_eq!(tally.apply(&later)?, Effect::Applied { before: Some(RunState::Fail) });
//! assert_eq!(tally.apply(&event)?, Effect::Stale);
//!
//! assert_eq!(tally.summary().devices[RunState::Fail], 0);
//! assert_eq!(tally.summary().devices[RunState::Success], 1);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # How it fits together
//!
//! Reports take the straight line, in constant time. Everything else that may happen to a tally, a
//! removal or a declaration for instance, is a [`Change`]: checked, made durable, committed.
//!
//! ```text
//!  bytes ─ decode ─> Event ─ apply ─> Tally ─ summary ─> Summary ─ encode ─> bytes
//!          graph                                                  graph
//!
//!  Change ─ check ─> Effect or Refusal, then commit
//!    └──── entries_after ─> Entry ─> flash (journal), a database
//!
//!  request ─ answer(&Store) ─> Reply { response, change }      reads take &self
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | the root | [`Tally`], its changes and rows, and the values they are made of |
//! | [`snapshot`] | everything a tally holds as a stream of bytes |
//! | [`shard`] | the two stages in which more devices are counted than one machine holds |
//! | `graph` | the resources of Microsoft Graph, read strictly |
//! | `store` | configurations and scripts by id |
//! | `http` | requests to replies |
//! | `journal` | a write-ahead log on NOR flash |
//! | `strategies` | events, changes and documents for property tests and fuzzing |
//!
//! # Value, type, feature
//!
//! | what you choose | where |
//! |---|---|
//! | room for devices and users, what names them | the type: `Tally<D, U, DEVICES, USERS>` |
//! | rows inside the value, or growing on the heap | the type's last parameter: [`Inline`], or `Heap` |
//! | tokens, clock, origin, envelope of the answers | a value: `http::Settings` |
//! | the seed of the hash | a value: [`Tally::reseed`] |
//! | JSON and requests, a log on flash, rows on the heap, other formats, logging, test strategies | the features `graph`, `journal`, `alloc`, `serde`, `defmt`, `proptest`, `arbitrary` |
//!
//! # Errors
//!
//! A call that fails has changed nothing, and its error is a sentence that names the counter or
//! property, the value and the limit: [`Refusal`], [`DateTimeError`], `graph::Error`. Nothing here
//! recurses or is `unsafe`, and but for `Heap` nothing allocates. The state machine cannot panic; what is linked with JSON is
//! two bounds checks of `serde-json-core`, which the firmware's link proof names.
#![no_std]
// No example warns where it is copied to.
#![doc(test(attr(deny(unused_must_use))))]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// A library linked into firmware has no panicking path; tests may unwrap.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::unreachable,
        clippy::arithmetic_side_effects,
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
// Strategies make texts and lists of any length.
#[cfg(any(test, feature = "arbitrary", feature = "proptest"))]
extern crate std;

/// The README's examples, run as tests.
#[cfg(all(doctest, feature = "graph"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The crate whose types name texts here, such as `graph::Name`.
pub use heapless;
/// The crate whose `Uuid` names devices on Graph's wire.
#[cfg(feature = "graph")]
pub use uuid;

mod codec;
mod counts;
mod event;
mod exact;
mod gate;
#[cfg(feature = "graph")]
pub mod graph;
#[cfg(feature = "graph")]
pub mod http;
#[cfg(feature = "journal")]
pub mod journal;
mod sentence;
pub mod shard;
pub mod snapshot;
mod state;
#[cfg(feature = "graph")]
pub mod store;
#[cfg(any(feature = "arbitrary", feature = "proptest"))]
pub mod strategies;
mod summary;
mod table;
mod tally;
mod time;

pub use codec::Key;
pub use counts::{Counted, Counter, Counts, OutOfRange, Overflow};
pub use event::{Event, EventOrder};
pub use gate::{Gate, RunStates, Verdict};
pub use state::{ParseRunStateError, RunState};
pub use summary::Summary;
#[cfg(feature = "alloc")]
pub use table::Heap;
pub use table::{Inline, Storage};
pub use tally::{
    Change, DeviceHandle, Effect, Entry, Kept, Refusal, Tally, Totals, UserHandle, UserRow,
    Violation,
};
pub use time::{DateTime, DateTimeError};
