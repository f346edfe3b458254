//! A node of a mesh on a Cortex-M0: reports come in by interrupt, the main loop reads the summary.
//! Linked without a way to panic, and run.

#![no_std]
#![no_main]

use core::cell::RefCell;
use core::sync::atomic::{AtomicU16, Ordering};

use cortex_m::peripheral::Peripherals;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::{entry, exception};
use critical_section::Mutex;
use runtally::{DateTime, Event, RunState, Summary, Tally};
use semihosting::process;

#[path = "../on_panic/link_error.rs"]
mod on_panic;

// 16 devices and 4 users by their addresses on the mesh; empty, it takes RAM but no flash.
static TALLY: Mutex<RefCell<Tally<u16, u16, 16, 4>>> = Mutex::new(RefCell::new(Tally::new()));

/// Called by the radio's interrupt: constant time, no panic.
fn on_report(event: &Event<u16, u16>) {
    critical_section::with(|cs| {
        if let Ok(mut tally) = TALLY.borrow(cs).try_borrow_mut() {
            // A refusal names what is full; the tally is as it was.
            let _ = tally.apply(event);
        }
    });
}

/// Called by the main loop: a copy, so that interrupts wait no longer than that takes.
fn summary() -> Option<Summary> {
    critical_section::with(|cs| Some(*TALLY.borrow(cs).try_borrow().ok()?.summary()))
}

/// How many reports have come in.
static REPORTS: AtomicU16 = AtomicU16::new(0);

/// Stands for the radio: at every tick one of 20 devices reports, of which four find no room.
#[exception]
fn SysTick() {
    let report = REPORTS.load(Ordering::Relaxed);
    let device = report % 20;
    let Ok(at) = DateTime::from_ticks(i64::from(report), 0) else { return };
    let state = if device.is_multiple_of(3) { RunState::Fail } else { RunState::Success };
    on_report(&Event { device, user: Some(device % 4), state, at });
    REPORTS.store(report.wrapping_add(1), Ordering::Relaxed);
}

#[entry]
fn main() -> ! {
    let Some(peripherals) = Peripherals::take() else { process::exit(2) };
    let mut clock = peripherals.SYST;
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(10_000);
    clock.clear_current();
    clock.enable_interrupt();
    clock.enable_counter();

    while REPORTS.load(Ordering::Relaxed) < 100 {
        cortex_m::asm::wfi();
    }
    let Some(summary) = summary() else { process::exit(3) };
    let right = summary.devices[RunState::Fail] == 6
        && summary.devices[RunState::Success] == 10
        && summary.users[RunState::Fail] == 4
        && summary.users.total() == 4;
    process::exit(i32::from(!right))
}
