//! Every change of the state machine, written to flash before it is made.

#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m::peripheral::SCB;
use embassy_futures::block_on;
use runtally::journal::Journal;
use runtally::{Counts, DateTime, Event, Summary, Tally};
use runtally_firmware::nor::{Nor, PAGE};

#[path = "../on_panic/link_error.rs"]
mod on_panic;

type Key = [u8; 16];
type Given<'a> = (&'a Event<Key, Key>, &'a Summary, Counts, Option<DateTime>);

const FLASH: usize = 24 * PAGE;

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut TALLY: Tally<Key, Key, 512, 64> = Tally::new();
    static mut BYTES: [u8; FLASH] = [0; FLASH];
    static mut ERASURES: u32 = 0;

    let nor = Nor { bytes: BYTES, budget: u32::MAX, erasures: ERASURES, power_off: SCB::sys_reset };
    let Ok((mut journal, recovered)) = block_on(Journal::open(nor, 0..FLASH as u32, TALLY)) else {
        SCB::sys_reset()
    };
    black_box(recovered);
    // The compiler knows nothing of these, so it drops nothing of what may happen.
    let (tally, given): (_, Option<Given<'_>>) = black_box((TALLY, None));
    loop {
        let Some((event, summary, counts, at)) = given else { continue };
        _ = black_box(block_on(journal.apply(tally, event)));
        _ = black_box(block_on(journal.remove(tally, &event.device)));
        _ = black_box(block_on(journal.retire(tally, &event.device)));
        _ = black_box(block_on(journal.declare(tally, summary)));
        if let Some(user) = &event.user {
            _ = black_box(block_on(journal.declare_user(tally, user, counts, at)));
            _ = black_box(block_on(journal.undeclare_user(tally, user)));
        }
    }
}
