//! Every call of the state machine.

#![no_std]
#![no_main]

use core::hint::black_box;

use runtally::snapshot::{Snapshot, SnapshotReader};
use runtally::{Change, DeviceHandle, Event, Gate, Summary, Tally};

#[path = "../on_panic/link_error.rs"]
mod on_panic;

type Key = [u8; 16];
type Given = (Change<Key, Key>, Event<Key, Key>, Summary, DeviceHandle, u64);
type Rows = Tally<Key, Key, 512, 64>;

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut TALLY: Rows = Tally::new();
    static mut OTHER: Rows = Tally::new();
    static mut BYTES: [u8; 512] = [0; 512];

    // The compiler knows nothing of either, so it drops nothing of what may happen.
    let (tally, other, bytes, given): (_, _, _, Option<&Given>) =
        black_box((TALLY, OTHER, BYTES, None));
    loop {
        let Some((change, event, summary, row, seed)) = given else { continue };
        let (device, user) = (&event.device, event.user.as_ref().unwrap_or(&event.device));

        _ = black_box(tally.apply(event));
        _ = black_box(tally.apply_at(*row, event));
        _ = black_box(tally.apply_with(event, |_, before| black_box(before).is_some()));
        _ = black_box(tally.check(change));
        _ = black_box(tally.commit(change));
        tally.reseed(*seed);

        if let Ok((_, entries)) = tally.entries_after(change) {
            entries.for_each(|entry| _ = black_box(entry));
        }
        tally.entries().for_each(|entry| _ = black_box(entry.cloned()));
        _ = black_box(tally.absorb(other));
        if let Ok(Some(piece)) = Snapshot::new(tally).next(bytes) {
            _ = black_box(SnapshotReader::restore().read(other, piece));
            _ = black_box(SnapshotReader::absorb().read(other, piece));
        }

        if let Some(now) = summary.last_run {
            let limit = core::time::Duration::from_secs(*seed);
            black_box(tally.overdue(now, limit));
            _ = black_box(tally.summary_at(now, limit, event.state));
            black_box(event.received(now, now, limit));
        }
        _ = black_box(Gate::default().verdict(summary));
        black_box(tally.user_state(user));
        black_box(tally.tombstone(device));
        _ = black_box(tally.summary().merge(summary));
        black_box(tally.find(device));
        black_box(tally.find_user(user));
        black_box(tally.device(device));
        black_box(tally.user(user).map(|user| (user.reported(), user.state())));
        tally.devices_from(row.number()).for_each(|row| _ = black_box(row));
        tally.users_from(row.number()).for_each(|row| _ = black_box(row));
        tally.user_devices(user).for_each(|device| _ = black_box(device));
        _ = black_box(tally.audit());
    }
}
