//! The tally, case by case: capacity, limits, cost, and every message.

#![expect(unused_must_use, reason = "what an event came to is seen in the tally")]

mod absorbing;
mod rows;
mod rules;
mod said;

use runtally::{Change, DateTime, Event, RunState};

type Key = u16;
type Recorded = Event<Key, Key>;

/// Seconds after 2026-11-21T09:30:00Z.
fn at(seconds: i64) -> DateTime {
    DateTime::from_ticks((1_795_253_400 + seconds) * 10_000_000, 0).expect("in range")
}

fn remove(device: Key, seconds: i64) -> Change<Key, Key> {
    Change::Remove { device, at: at(seconds) }
}

fn instant(text: &str) -> DateTime {
    text.parse().expect("a date-time")
}

fn event(device: Key, user: Option<Key>, state: RunState, seconds: i64) -> Recorded {
    Event { device, user, state, at: at(seconds) }
}
