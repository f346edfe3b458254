//! A journal on flash whose power goes in the middle of writes and erasures, by a reset of the whole
//! core; after each of them everything acknowledged must be there.
//!
//! The flash is RAM that start-up leaves as it is, and so is what remembers beside it what the journal
//! has acknowledged.

#![no_std]
#![no_main]

#[path = "../../on_panic/exit.rs"]
mod on_panic;

use core::mem::MaybeUninit;
use core::ptr;

use cortex_m::peripheral::SCB;
use cortex_m_rt::entry;
use embassy_futures::block_on;
use runtally::graph::RunSummary;
use runtally::journal::{Error, Journal};
use runtally_firmware::changes::{Change, Rows};
use runtally_firmware::nor::{Nor, PAGE};
use semihosting::fs::File;
use semihosting::io::Write;
use semihosting::{println, process};

const FLASH: usize = 12 * PAGE;

/// What outlives a reset.
struct Kept {
    /// Says that the rest holds something.
    magic: u32,
    flash: [u8; FLASH],
    /// The tally as it must be: only what was acknowledged.
    acknowledged: Rows,
    /// The changes acknowledged.
    changes: usize,
    resets: u32,
    /// Of the changes that were cut, how many were there afterwards; the others were not.
    cut_but_there: u32,
    erasures: u32,
    /// Of the numbers that say when the power goes.
    random: u32,
}

const MAGIC: u32 = 0x52_54_4a_31;

#[unsafe(link_section = ".uninit.kept")]
static mut KEPT: MaybeUninit<Kept> = MaybeUninit::uninit();

#[entry]
fn main() -> ! {
    static mut TALLY: Rows = Rows::new();

    let Kept { flash, acknowledged, changes, resets, cut_but_there, erasures, random, .. } = kept();
    let nor = Nor { bytes: flash, budget: budget(random), erasures, power_off: SCB::sys_reset };
    let (mut journal, recovered) = match block_on(Journal::open(nor, 0..FLASH as u32, TALLY)) {
        Ok(opened) => opened,
        Err(error) => panic!("the journal does not open: {error}"),
    };
    assert_eq!(recovered.damaged, 0, "a reset damages nothing");
    assert_eq!(TALLY.audit(), Ok(()));
    if TALLY != acknowledged {
        // Only the change that was cut may be there, and then wholly.
        if let Some(cut) = Change::number(*changes) {
            cut.make(acknowledged);
        }
        assert!(TALLY == acknowledged, "{changes} changes were acknowledged, not all are there");
        *changes += 1;
        *cut_but_there += 1;
    }

    while let Some(change) = Change::number(*changes) {
        let made = block_on(async {
            match &change {
                Change::Report(event) => journal.apply(TALLY, event).await.map(drop),
                Change::Remove(device) => journal.remove(TALLY, device).await.map(drop),
                Change::Retire(device) => journal.retire(TALLY, device).await.map(drop),
            }
        });
        match made {
            Ok(()) | Err(Error::Refused(_)) => {}
            Err(error) => panic!("change {changes} was not written: {error}"),
        }
        // Acknowledged: from here on it must never be missing.
        change.make(acknowledged);
        *changes += 1;
    }

    let erasures = *journal.close().erasures;
    println!("{changes} changes acknowledged, {resets} resets, {erasures} erasures");
    println!("{cut_but_there} changes that were cut were there, the others were not");
    assert_eq!(TALLY.audit(), Ok(()));
    assert!(*resets > 100, "the power went too seldom");
    let mut json = [0; RunSummary::MAX_JSON];
    let summary = RunSummary { id: None, summary: *TALLY.summary() };
    let length = summary.encode(&mut json).expect("it fits");
    let mut out = File::create(c"journal.json").expect("a file");
    out.write_all(&json[..length]).expect("room");
    process::exit(0)
}

/// What was kept over the reset; new at the first start.
fn kept() -> &'static mut Kept {
    let kept: *mut MaybeUninit<Kept> = &raw mut KEPT;
    // SAFETY: called once, and nothing else touches it.
    let kept = unsafe { &mut *kept };
    // SAFETY: whatever the RAM holds is a number.
    let magic = unsafe { ptr::read_volatile(&raw const (*kept.as_ptr()).magic) };
    if magic != MAGIC {
        // SAFETY: all zero bytes are an empty tally, and zeros.
        unsafe { ptr::write_bytes(kept.as_mut_ptr(), 0, 1) };
    }
    // SAFETY: it was set to zeros, now or before an earlier reset, and to nothing else since but by
    // safe code.
    let kept = unsafe { kept.assume_init_mut() };
    if magic == MAGIC {
        kept.resets += 1;
    } else {
        kept.magic = MAGIC;
        kept.flash.fill(0xff);
    }
    kept
}

/// Bytes until the power goes the next time: now in the middle of an event, now of an erasure.
fn budget(random: &mut u32) -> u32 {
    // Numerical Recipes' generator.
    *random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*random >> 16) % 2304
}
