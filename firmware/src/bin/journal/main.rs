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
use runtally::journal::{Error, Journal, Memory};
use runtally_firmware::changes::{Rows, change};
use runtally_firmware::nor::{Flash, PAGE, Power};
use semihosting::fs::File;
use semihosting::io::Write;
use semihosting::{println, process};

const PAGES: usize = 12;

/// What outlives a reset.
struct Kept {
    /// Says that the rest holds something.
    magic: u32,
    flash: [u8; PAGES * PAGE],
    /// The tally as it must be: only what was acknowledged.
    acknowledged: Rows,
    /// The changes acknowledged.
    changes: usize,
    resets: u32,
    /// Of those, how many came before the journal was open.
    while_opening: u32,
    /// Says that it is not open yet.
    is_opening: bool,
    /// Of the changes that were cut, how many were there afterwards; the others were not.
    cut_but_there: u32,
    erases: [u32; PAGES],
    /// Of the numbers that say when the power goes.
    random: u32,
}

const MAGIC: u32 = 0x52_54_4a_32;

#[unsafe(link_section = ".uninit.kept")]
static mut KEPT: MaybeUninit<Kept> = MaybeUninit::uninit();

#[entry]
fn main() -> ! {
    static mut TALLY: Rows = Rows::new();
    static mut MEMORY: Memory<64, 16> = Memory::new();

    let Kept {
        flash,
        acknowledged,
        changes,
        resets,
        while_opening,
        is_opening,
        cut_but_there,
        erases,
        random,
        ..
    } = kept();
    if *is_opening {
        *while_opening += 1;
    }
    *is_opening = true;
    let power = Power { budget: budget(random), off: SCB::sys_reset };
    let flash = Flash::on(&mut flash[..], erases, power);
    let range = 0..(PAGES * PAGE) as u32;
    let (mut journal, recovered) = match block_on(Journal::open(flash, range, TALLY, MEMORY)) {
        Ok(opened) => opened,
        Err(error) => panic!("the journal does not open: {error}"),
    };
    *is_opening = false;
    assert_eq!(recovered.damaged, 0, "a reset damages nothing");
    assert_eq!(journal.tally().audit(), Ok(()));
    if journal.tally() != acknowledged {
        // Only the change that was cut may be there, and then wholly.
        if let Some(cut) = change(*changes) {
            _ = acknowledged.commit(&cut);
        }
        let is_same = journal.tally() == acknowledged;
        assert!(is_same, "{changes} changes were acknowledged, not all are there");
        *changes += 1;
        *cut_but_there += 1;
    }

    while let Some(change) = change(*changes) {
        match block_on(journal.commit(&change)) {
            Ok(_) | Err(Error::Refused(_)) => {}
            Err(error) => panic!("change {changes} was not written: {error}"),
        }
        // Acknowledged: from here on it must never be missing.
        _ = acknowledged.commit(&change);
        *changes += 1;
    }

    let mut json = [0; RunSummary::MAX_JSON];
    let summary = RunSummary { id: None, summary: *journal.tally().summary() };
    let length = summary.encode(&mut json).expect("it fits");
    let erases = journal.close().erases;
    let (least, most) = (erases.iter().min(), erases.iter().max());
    let (least, most) = (least.expect("has pages"), most.expect("has pages"));
    println!(
        "{changes} changes acknowledged, {resets} resets, {while_opening} of them while opening"
    );
    println!("{cut_but_there} changes that were cut were there, the others were not");
    println!("each page was erased {least} to {most} times");
    assert!(*resets > 200 && *while_opening > 30, "the power went too seldom");
    // A page whose erasure or rows were cut is begun anew.
    assert!(most - least <= most / 2, "the pages wear differently");
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
    (*random >> 16) % 5120
}
