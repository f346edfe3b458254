//! The journal beside what else keeps rows on NOR flash, in bytes, in erasures, and in what is left
//! after power cuts. Every number is a count, and the same on every machine.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml --bin flash
//! ```
//!
//! 512 devices report news in no order, each at once durable; keys are `u16`. A row is the 14 bytes
//! that the journal writes of an event: a peer's key of 2 bytes and its value of 12.

#[path = "../../../../../examples/flash/mod.rs"]
#[allow(unreachable_pub)]
mod flash;
#[path = "../../../../../tests/journal/power.rs"]
#[allow(dead_code)]
mod power;

mod ekv;
mod journal;
mod map;
mod queue;

use power::{Mock, Torn};

/// Words of 4 bytes, pages of 4 KiB.
type Flash = Mock<4, 4096>;

/// What is kept of a device: its state, when it reported, and its user.
type Value = [u8; 12];

/// Every device's value, by number.
type Rows = Vec<Option<Value>>;

const DEVICES: usize = 512;

#[derive(Clone, Copy)]
struct Event {
    device: u16,
    value: Value,
}

/// What became of a session: the rows after opening, and how many events were acknowledged.
struct Session {
    rows: Option<Rows>,
    done: usize,
}

impl Session {
    /// Opening failed.
    const FAILED: Self = Self { rows: None, done: 0 };
}

/// Opens what is on the flash and records events up to the first that fails.
type Store = fn(&mut Flash, &[Event]) -> Session;

fn main() {
    println!(
        "| | pages | bytes written per event | bytes read per event | events per erasure | \
         cuts | acknowledged row lost | does not go on |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    line("the journal", 8, journal::session);
    line("sequential-storage, queue", 8, queue::session);
    line("sequential-storage, map", 8, map::session);
    line("ekv", 8, ekv::session);
    line("ekv", 16, ekv::session);
}

fn line(name: &str, pages: usize, store: Store) {
    let events = events(20_000);
    let mut flash = Flash::new(pages);
    // A peer may write over a word that was begun; that the journal does not, its tests say.
    flash.faults.damaged = true;
    let (fill, steady) = events.split_at(events.len() / 2);
    let filled = store(&mut flash, fill).done;
    if filled < fill.len() {
        println!("| {name} | {pages} | full after {filled} rows |");
        return;
    }
    (flash.written, flash.read) = (0, 0);
    flash.erases.fill(0);
    let done = store(&mut flash, steady).done;
    assert_eq!(done, steady.len());
    let per_event = |bytes: u64| bytes as f64 / done as f64;
    let erases: u32 = flash.erases.iter().sum();
    print!(
        "| {name} | {pages} | {:.0} | {:.0} | {:.1} |",
        per_event(flash.written),
        per_event(flash.read),
        done as f64 / f64::from(erases)
    );
    let Cuts { made, lost, refused } = cut(pages, store);
    println!(" {made} | {lost} | {refused} |");
}

/// Each device once, then at random.
fn events(len: usize) -> Vec<Event> {
    let mut rng = fastrand::Rng::with_seed(1);
    let event = |tick: usize| {
        let device = if tick < DEVICES { tick as u16 } else { rng.u16(..DEVICES as u16) };
        let mut value = [rng.u8(..6); 12];
        value[2..10].copy_from_slice(&(tick as u64).to_le_bytes());
        value[10..].copy_from_slice(&(device % 64).to_le_bytes());
        Event { device, value }
    };
    (0..len).map(event).collect()
}

#[derive(Default)]
struct Cuts {
    made: u32,
    lost: u32,
    refused: u32,
}

/// Cuts the power after so many bytes that an opening and an event write or erase, again at the next
/// attempt, and lets the third succeed; after each, everything acknowledged should be there.
fn cut(pages: usize, store: Store) -> Cuts {
    let events = events(1400);
    let (fill, rest) = events.split_at(1200);
    let mut result = Cuts::default();
    let mut flash = Flash::new(pages);
    flash.faults.damaged = true;
    assert_eq!(store(&mut flash, fill).done, fill.len());
    let mut rows: Rows = vec![None; DEVICES];
    for event in fill {
        rows[usize::from(event.device)] = Some(event.value);
    }
    for event in rest {
        let intact = flash.clone();
        let mut after = rows.clone();
        after[usize::from(event.device)] = Some(event.value);
        for budget in (1..120).step_by(3).chain((120..).step_by(1013)) {
            flash.clone_from(&intact);
            flash.faults.torn = Torn::number(budget);
            flash.faults.budget = budget;
            if store(&mut flash, &[*event]).done == 1 {
                break;
            }
            result.made += 1;
            let is_there = |session: &Session, allowed: &[&Rows]| {
                session.rows.as_ref().map(|found| allowed.contains(&found))
            };
            // Cut once more, in the midst of what comes after a cut.
            flash.faults.budget = budget;
            let cut = store(&mut flash, &[*event]);
            let mut fine = vec![is_there(&cut, &[&rows, &after]).unwrap_or(true)];
            flash.faults.revive();
            let clean = store(&mut flash, &[*event]);
            fine.extend(is_there(&clean, &[&rows, &after]));
            if clean.done == 1 {
                fine.extend(is_there(&store(&mut flash, &[]), &[&after]));
            } else {
                result.refused += 1;
            }
            result.lost += u32::from(fine.contains(&false));
        }
        flash.clone_from(&intact);
        store(&mut flash, &[*event]);
        rows = after;
    }
    result
}
