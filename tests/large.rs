//! What the README advises for a tally of several megabytes, on a stack that could not hold it.

use std::thread;

#[cfg(feature = "alloc")]
use runtally::Heap;
use runtally::{Effect, Event, RunState, Storage, Tally};
use static_cell::ConstStaticCell;

type Fleet = Tally<u16, u16, 65_534, 16_384>;

const STACK: usize = 256 << 10;
const _: () = assert!(size_of::<Fleet>() > 8 * STACK);

static FLEET: ConstStaticCell<Fleet> = ConstStaticCell::new(Tally::new());

fn on_a_small_stack(run: fn()) {
    let thread = thread::Builder::new().stack_size(STACK).spawn(run).expect("a thread starts");
    thread.join().expect("nothing here panics");
}

fn count_one<const USERS: usize, S: Storage>(fleet: &mut Tally<u16, u16, 65_534, USERS, S>) {
    let at = "2026-11-21T09:30Z".parse().expect("a date-time");
    let event = Event { device: 7, user: Some(1), state: RunState::Fail, at };
    assert_eq!(fleet.apply(&event), Ok(Effect::Applied { before: None }));
    fleet.reseed(7);
    assert_eq!(fleet.audit(), Ok(()));
    fleet.clear();
    assert_eq!(fleet.device_count(), 0);
}

#[test]
fn a_static_cell_hands_out_a_large_tally() {
    on_a_small_stack(|| count_one(FLEET.take()));
}

#[cfg(feature = "alloc")]
#[test]
fn a_tally_on_the_heap_is_made_where_it_is() {
    on_a_small_stack(|| {
        let mut fleet: Box<Tally<u16, u16, 65_534, 65_534, Heap>> = Box::new(Tally::growing());
        count_one(&mut fleet);
    });
}
