//! Counts a roll-out.
#![no_std]
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

#[cfg(any(test, feature = "std"))]
extern crate std;

mod counts;
mod event;
#[cfg(feature = "graph")]
pub mod graph;
mod state;
#[cfg(any(feature = "arbitrary", feature = "proptest"))]
pub mod strategies;
mod summary;
mod table;
mod tally;
mod time;

pub use counts::{Counter, Counts, Of, OutOfRange};
pub use event::Event;
pub use state::{ParseRunStateError, RunState};
pub use summary::{Overflow, Summary};
pub use table::RowId;
pub use tally::{Outcome, Refusal, Tally, UserRow, Violation};
pub use time::{DateTime, DateTimeError};
