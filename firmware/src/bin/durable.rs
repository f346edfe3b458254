//! Every change of the state machine, written to flash before it is made.

#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m::peripheral::SCB;
use embassy_futures::block_on;
use runtally::journal::{Journal, Memory};
use runtally::{Change, Tally};
use runtally_firmware::nor::{Flash, PAGE, Power};

#[path = "../on_panic/link_error.rs"]
mod on_panic;

type Key = [u8; 16];

const PAGES: usize = 24;

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut TALLY: Tally<Key, Key, 512, 64> = Tally::new();
    static mut MEMORY: Memory<512, 64> = Memory::new();
    static mut BYTES: [u8; PAGES * PAGE] = [0; PAGES * PAGE];
    static mut ERASES: [u32; PAGES] = [0; PAGES];

    let power = Power { budget: u32::MAX, off: SCB::sys_reset };
    let flash = Flash::on(&mut BYTES[..], ERASES, power);
    let range = 0..(PAGES * PAGE) as u32;
    let Ok((mut journal, recovered)) = block_on(Journal::open(flash, range, TALLY, MEMORY)) else {
        SCB::sys_reset()
    };
    black_box(recovered);
    // The compiler knows nothing of it, so it drops nothing of what may happen.
    let change: Option<&Change<Key, Key>> = black_box(None);
    loop {
        let Some(change) = change else { continue };
        _ = black_box(block_on(journal.commit(change)));
    }
}
