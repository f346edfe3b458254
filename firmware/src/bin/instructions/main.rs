//! Instructions per event, of a tally and of its peer, counted by the clock of a QEMU that takes
//! one nanosecond for each (`-icount shift=0`).

#![no_std]
#![no_main]

#[path = "../../on_panic/exit.rs"]
mod on_panic;
mod peer;

use core::hint::black_box;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{Peripherals, SYST};
use cortex_m_rt::entry;
use peer::Peer;
use runtally::{DateTime, DeviceHandle, Event, RunState, Tally};
use semihosting::{println, process};

type Key = [u8; 16];

const DEVICES: u16 = 512;
const USERS: u16 = 64;

#[entry]
fn main() -> ! {
    static mut TALLY: Tally<Key, Key, 512, 64> = Tally::new();
    static mut PEER: Peer<512, 64> = Peer::new();

    let clock = Clock::start();
    let mut round = 0;
    for (load, devices) in [("half_full", DEVICES / 2), ("full", DEVICES)] {
        // Makes the devices known, each with the user it has in what is measured first; rows are
        // taken in this order.
        round += 1;
        for device in 0..devices {
            let event = event(device, round, 0);
            assert!(TALLY.apply(&event).ok() == PEER.apply(&event).ok(), "two outcomes");
        }

        // Every device four times, with another state each time.
        let none = clock.per_event(devices, round, 0, |_, event| _ = black_box(event));
        let tally =
            clock.per_event(devices, round, 0, |_, event| _ = black_box(TALLY.apply(event)));
        let peer = clock.per_event(devices, round, 0, |_, event| _ = black_box(PEER.apply(event)));
        println!("instructions.apply.{load}\t{}", tally - none);
        println!("instructions.apply_peer.{load}\t{}", peer - none);

        round += 4;
        let at = clock.per_event(devices, round, 0, |device, event| {
            if let Some(row) = DeviceHandle::from_number(device) {
                _ = black_box(TALLY.apply_at(row, event));
            }
        });
        println!("instructions.apply_at.{load}\t{}", at - none);
        clock.per_event(devices, round, 0, |_, event| _ = black_box(PEER.apply(event)));

        // The same, and every device changes hands every time.
        round += 4;
        let tally =
            clock.per_event(devices, round, 1, |_, event| _ = black_box(TALLY.apply(event)));
        let peer = clock.per_event(devices, round, 1, |_, event| _ = black_box(PEER.apply(event)));
        println!("instructions.apply_move.{load}\t{}", tally - none);
        println!("instructions.apply_move_peer.{load}\t{}", peer - none);
        round += 4;
    }

    let summary = TALLY.summary();
    let same = RunState::ALL.into_iter().all(|state| {
        summary.devices[state] == PEER.device_counts[state as usize]
            && summary.users[state] == PEER.user_counts[state as usize]
    });
    assert!(same && summary.last_run == PEER.last_run, "the two tallies differ");
    assert_eq!(TALLY.audit(), Ok(()));
    process::exit(0)
}

/// What a device reports in a round; `step` is how far it goes on from user to user.
fn event(device: u16, round: u16, step: u16) -> Event<Key, Key> {
    let user = device.wrapping_add(round.wrapping_mul(step)) % USERS;
    Event {
        device: key(device),
        user: Some(key(!user)),
        state: RunState::ALL[usize::from((device ^ round) % 6)],
        at: DateTime::from_ticks(i64::from(round), 0).expect("1970"),
    }
}

/// A number as a GUID that looks random, since FNV and multiplying make much of one that does not.
fn key(number: u16) -> Key {
    let mut key = [0; 16];
    let mut state = 0x9e37_79b9_u32.wrapping_mul(u32::from(number) + 1);
    for byte in &mut key {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        *byte = (state >> 8) as u8;
    }
    key
}

/// The system timer, which now counts.
struct Clock {
    /// Instructions per 1024 ticks.
    rate: u64,
}

impl Clock {
    fn start() -> Self {
        let mut ticks = Peripherals::take().expect("first").SYST;
        ticks.set_clock_source(SystClkSource::Core);
        ticks.set_reload(0x00ff_ffff);
        ticks.clear_current();
        ticks.enable_counter();
        // Two instructions in each of a million turns.
        let known = ticks_of(|| cortex_m::asm::delay(2_000_000));
        Self { rate: (2_000_000 << 10) / u64::from(known) }
    }

    /// Instructions per event of four rounds, the making of the event included.
    fn per_event(
        &self,
        devices: u16,
        round: u16,
        step: u16,
        mut work: impl FnMut(u16, &Event<Key, Key>),
    ) -> u32 {
        let ticks = ticks_of(|| {
            for round in round + 1..=round + 4 {
                for device in 0..devices {
                    work(device, black_box(&event(device, round, step)));
                }
            }
        });
        let instructions = (u64::from(ticks) * self.rate) >> 10;
        (instructions / (u64::from(devices) * 4)) as u32
    }
}

/// Of a clock that goes down and has 24 bits; `work` takes fewer ticks than that.
fn ticks_of(work: impl FnOnce()) -> u32 {
    let before = SYST::get_current();
    work();
    before.wrapping_sub(SYST::get_current()) & 0x00ff_ffff
}
