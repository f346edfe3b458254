//! What a journal costs in flash: `cargo run --release --example journal`.
//!
//! Devices report in no order, each report news. Beside the journal, the same rows in
//! `sequential-storage`'s map, which finds out from flash alone which of them still count.

#[allow(unreachable_pub)]
mod flash;

use core::hash::Hash;
use std::io::Write;

use embassy_futures::block_on;
use runtally::graph::Upn;
use runtally::journal::{Journal, Memory};
use runtally::{Change, DateTime, Event, Key, RunState, Tally};
use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};
use uuid::Uuid;

/// Pages of 4 KiB, words of 4 bytes.
type Flash = flash::Nor<Vec<u8>, Vec<u32>, (), 1, 4, 4096>;

const EVENTS: i64 = 20_000;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:<34}{:>7}{:>10}{:>12}{:>12}{:>10}{:>16}",
        "rows", "pages", "B/event", "written/ev.", "read/ev.", "ev./erase", "erases per page"
    )?;
    let number = |n: u16| n;
    mesh::<4>(&mut out, number)?;
    mesh::<6>(&mut out, number)?;
    mesh::<8>(&mut out, number)?;
    mesh::<16>(&mut out, number)?;
    graph::<16>(&mut out)?;
    graph::<32>(&mut out)?;
    map::<8>(&mut out)?;
    map::<16>(&mut out)
}

fn mesh<const PAGES: usize>(out: &mut impl Write, user: fn(u16) -> u16) -> std::io::Result<()> {
    let name = "512 + 64, u16 and u16";
    journal::<u16, u16, 512, 64, PAGES>(out, name, |n| n, user)
}

fn graph<const PAGES: usize>(out: &mut impl Write) -> std::io::Result<()> {
    let user = |n| format!("user{n:04}@contoso.example").parse().expect("a UPN");
    let device = |n: u16| Uuid::from_u128(n.into());
    journal::<Uuid, Upn, 512, 64, PAGES>(out, "512 + 64, GUID and UPN of 24 bytes", device, user)
}

fn journal<D, U, const DEVICES: usize, const USERS: usize, const PAGES: usize>(
    out: &mut impl Write,
    name: &str,
    device: impl Fn(u16) -> D,
    user: impl Fn(u16) -> U,
) -> std::io::Result<()>
where
    D: Key + Clone + Eq + Hash,
    U: Key + Clone + Ord + Hash,
{
    let mut tally = Box::new(Tally::<D, U, DEVICES, USERS>::new());
    let mut rng = fastrand::Rng::with_seed(1);
    let mut flash = Flash::new(PAGES);
    let range = flash.range();
    let mut memory = Box::new(Memory::new());
    let opened = Journal::open(&mut flash, range, &mut tally, &mut memory);
    let (mut journal, _) = block_on(opened).expect("erased");
    let mut len = 0;
    for tick in 0..EVENTS {
        if tick == EVENTS / 2 {
            // From here on every device is known.
            forget(journal.flash());
        }
        let number = if tick < 512 { tick.cast_unsigned() as u16 } else { rng.u16(..512) };
        let event = Event {
            device: device(number),
            user: Some(user(number % 64)),
            state: RunState::ALL[rng.usize(..6)],
            at: DateTime::from_ticks(tick, 0).expect("in range"),
        };
        let before = journal.flash().written;
        let erases: u32 = journal.flash().erases.iter().sum();
        match block_on(journal.commit(&Change::Event(event))) {
            Ok(_) => {}
            Err(error) => return writeln!(out, "{name:<34}{PAGES:>7}  {error}"),
        }
        if journal.flash().erases.iter().sum::<u32>() == erases {
            len = journal.flash().written - before;
        }
    }
    report(out, name, len, &flash)
}

fn forget(flash: &mut Flash) {
    (flash.written, flash.read) = (0, 0);
    flash.erases.fill(0);
}

/// The least that a map must hold: the state, the time and the user of each device.
fn map<const PAGES: usize>(out: &mut impl Write) -> std::io::Result<()> {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut flash = Flash::new(PAGES);
    let config = MapConfig::new(flash.range());
    let mut map = MapStorage::<u16, _, _>::new(&mut flash, config, Cache::new_uncached());
    // Aligned, as the flash wants it.
    let mut buffer = Aligned([0; 64]);
    for tick in 0..EVENTS {
        if tick == EVENTS / 2 {
            forget(map.flash());
        }
        let number = if tick < 512 { tick.cast_unsigned() as u16 } else { rng.u16(..512) };
        let mut row = [0; 12];
        row[..8].copy_from_slice(&tick.to_le_bytes());
        block_on(map.store_item(&mut buffer.0, &number, &row.as_slice())).expect("room");
    }
    report(out, "512 rows in a map", 24, &flash)
}

#[repr(align(4))]
struct Aligned([u8; 64]);

fn report(out: &mut impl Write, name: &str, len: u64, flash: &Flash) -> std::io::Result<()> {
    let events = EVENTS as u64 / 2;
    let erases: u32 = flash.erases.iter().sum();
    let (least, most) = (flash.erases.iter().min(), flash.erases.iter().max());
    writeln!(
        out,
        "{name:<34}{:>7}{len:>10}{:>12}{:>12}{:>10}{:>16}",
        flash.erases.len(),
        flash.written / events,
        flash.read / events,
        events / u64::from(erases.max(1)),
        format!("{} to {}", least.unwrap_or(&0), most.unwrap_or(&0)),
    )
}
