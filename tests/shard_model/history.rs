//! What happens in one roll-out, and the choices that lead there.

use runtally::{DateTime, Event, RunState};

pub(crate) type Key = u16;

/// What is written to a log of stage 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Happening {
    Report(Event<Key, Key>),
    /// The device was retired when this was its greatest report.
    Retired(Event<Key, Key>),
    Removed {
        device: Key,
        at: DateTime,
    },
    /// Retire what is recorded of the device when this is handled.
    Retire {
        device: Key,
    },
    RunFrom(DateTime),
}

impl Happening {
    /// `None`: it concerns all.
    pub(crate) fn device(&self) -> Option<Key> {
        match *self {
            Self::Report(event) | Self::Retired(event) => Some(event.device),
            Self::Removed { device, .. } | Self::Retire { device } => Some(device),
            Self::RunFrom(_) => None,
        }
    }
}

/// Where a run gets its decisions from: seeded numbers here, bytes in the fuzz target.
pub(crate) trait Choices {
    /// A number below `count`, which is at least 1. A source that has run dry gives 0 for ever.
    fn below(&mut self, count: usize) -> usize;

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) + 1 == count
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, last - self.below(last + 1));
        }
    }
}

impl Choices for fastrand::Rng {
    fn below(&mut self, count: usize) -> usize {
        self.usize(..count)
    }
}

/// What may happen in a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kinds {
    Reports,
    /// Removals, retired reports and instants to run from, too. The outcome depends on the set alone.
    Facts,
    /// Devices that are retired as they stand, too. Whether a device is listed depends on the order.
    All,
}

/// At most 10 happenings of 1 to 3 devices and 1 to 4 users, times `scale`, with ties in every field.
pub(crate) fn history(kinds: Kinds, scale: usize, choices: &mut impl Choices) -> Vec<Happening> {
    let devices = 1 + choices.below(3 * scale);
    let users = 1 + choices.below(4 * scale);
    let states = 1 + choices.below(RunState::ALL.len());
    let instants = 1 + choices.below(5);
    let length = 1 + choices.below(10 * scale);
    let mut history: Vec<Happening> = Vec::with_capacity(length);
    for _ in 0..length {
        if !history.is_empty() && choices.one_in(6) {
            let again = history[choices.below(history.len())];
            history.push(again);
            continue;
        }
        let device = choices.below(devices) as Key;
        let at = instant(choices.below(instants), choices.below(2));
        let user = if choices.one_in(8) { None } else { Some(choices.below(users) as Key) };
        let event = Event { device, user, state: RunState::ALL[choices.below(states)], at };
        let kind = if kinds == Kinds::Reports { 0 } else { choices.below(12) };
        history.push(match (kind, history.last()) {
            (8, _) => Happening::Removed { device, at },
            // Of what the device said some time.
            (9, Some(Happening::Report(last))) => Happening::Retired(*last),
            (10, _) => Happening::RunFrom(at),
            (11, _) if kinds == Kinds::All => Happening::Retire { device },
            _ => Happening::Report(event),
        });
    }
    history
}

/// The instant of that number, in one of two zones.
pub(crate) fn instant(number: usize, zone: usize) -> DateTime {
    const START: i64 = 17_952_534_000_000_000;
    let offset = if zone == 0 { 0 } else { 60 };
    let ticks = START + i64::try_from(number).expect("small");
    DateTime::from_ticks(ticks, offset).expect("in range")
}
