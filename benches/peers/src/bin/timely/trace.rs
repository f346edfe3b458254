//! The events: those of `fleet/bench`, in memory, and others that show where a contender is wrong.

use runtally::RunState::{Fail, Pending, Success};
use runtally::{DateTime, RunState};

/// An id of 16 bytes, of a device or a user.
pub type Key = [u8; 16];

pub type Event = runtally::Event<Key, Key>;

/// What a device reports, turn by turn.
const STATES: [RunState; 4] = [Pending, Success, Fail, Success];

/// 2026-11-20, in seconds of Unix time.
const BEGIN: i64 = 1_795_132_800;

const TICKS_PER_SECOND: i64 = 10_000_000;
const TICKS_PER_MICROSECOND: i64 = 10;

/// How many events of how many devices, and which.
#[derive(Clone, Copy)]
pub struct Trace {
    pub kind: Kind,
    pub events: u32,
    pub devices: u32,
}

#[derive(Clone, Copy)]
pub enum Kind {
    /// As `fleet/bench` has them: what is measured.
    Turns,
    /// Late, repeated and without a user, of devices that change hands all the time: what is only
    /// checked. In the other trace each device ends in the same state.
    Mixed,
}

impl Kind {
    /// By which a child process is told.
    pub fn name(self) -> &'static str {
        match self {
            Self::Turns => "turns",
            Self::Mixed => "mixed",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Self::Turns, Self::Mixed].into_iter().find(|kind| kind.name() == name)
    }
}

impl Trace {
    pub const CHECK: Self = Self { kind: Kind::Mixed, events: 200_000, devices: 5_000 };

    pub fn events(self) -> Vec<Event> {
        match self.kind {
            Kind::Turns => turns(self.events, self.devices),
            Kind::Mixed => mixed(self.events, self.devices),
        }
    }
}

/// Each device reports in turn; half way one in five changes hands; two users have three devices.
fn turns(events: u32, devices: u32) -> Vec<Event> {
    let users = (u64::from(devices) * 2 / 3) as u32;
    let event = |number: u32| {
        let (device, turn) = (number % devices, number / devices);
        let has_moved = device % 5 == 0 && turn >= events / devices / 2;
        let user = (device + if has_moved { 7919 } else { 0 }) % users;
        let ticks = (BEGIN + i64::from(turn)) * TICKS_PER_SECOND
            + i64::from(device % 1_000_000) * TICKS_PER_MICROSECOND;
        Event {
            device: device_key(device),
            user: Some(user_key(user)),
            state: STATES[turn as usize % STATES.len()],
            at: DateTime::from_ticks(ticks, 0).expect("a year to come"),
        }
    };
    (0..events).map(event).collect()
}

fn mixed(events: u32, devices: u32) -> Vec<Event> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut all = Vec::<Event>::with_capacity(events as usize);
    for number in 0..events {
        if random.u8(..16) == 0
            && let Some(repeated) = random.choice(&all)
        {
            all.push(*repeated);
            continue;
        }
        // Of two events of one device, the later is the earlier one now and then, or of one instant.
        let second = BEGIN + i64::from(number / devices + random.u32(..4));
        let user = (random.u8(..16) > 0).then(|| user_key(random.u32(..devices)));
        all.push(Event {
            device: device_key(random.u32(..devices)),
            user,
            state: RunState::ALL[random.usize(..6)],
            at: DateTime::from_ticks(second * TICKS_PER_SECOND, 0).expect("a year to come"),
        });
    }
    all
}

/// Neighbouring numbers in the last bytes, as `fleet/bench` has it.
fn device_key(number: u32) -> Key {
    (0x0000_0000_0000_4000_8000_0000_0000_0000 | u128::from(number)).to_be_bytes()
}

/// In all bytes, as in an id derived from a name; an odd factor gives each number an id of its own.
fn user_key(number: u32) -> Key {
    const ODD: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
    (u128::from(number) + 1).wrapping_mul(ODD).to_be_bytes()
}
