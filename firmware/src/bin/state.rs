//! Every call of the state machine.

#![no_std]
#![no_main]

use core::hint::black_box;

use runtally::{Event, RowId, Summary, Tally};

#[path = "../on_panic/link_error.rs"]
mod on_panic;

type Key = [u8; 16];
type Given = (Event<Key, Key>, Summary, RowId, u64);

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut TALLY: Tally<Key, Key, 512, 64> = Tally::new();

    // The compiler knows nothing of either, so it drops nothing of what may happen.
    let (tally, given): (_, Option<&Given>) = black_box((TALLY, None));
    loop {
        let Some((event, summary, row, seed)) = given else { continue };
        let (device, user) = (&event.device, event.user.as_ref().unwrap_or(&event.device));

        _ = black_box(tally.apply(event));
        _ = black_box(tally.apply_at(*row, event));
        _ = black_box(tally.check(event));
        _ = black_box(tally.remove(device));
        black_box(tally.retire(device));
        tally.reseed(*seed);

        _ = black_box(tally.declare(summary));
        _ = black_box(tally.declare_user(user, summary.users, summary.last_run));
        _ = black_box(tally.undeclare_user(user));

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
