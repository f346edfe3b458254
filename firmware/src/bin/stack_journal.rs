//! The worst stack of every call of a journal, and beside it the size of its future.

#![no_std]
#![no_main]

#[path = "../on_panic/exit.rs"]
mod on_panic;
#[path = "stack/paint.rs"]
mod paint;

use core::hint::black_box;
use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};

use cortex_m::peripheral::SCB;
use cortex_m_rt::entry;
use paint::depth;
use runtally::graph::Upn;
use runtally::journal::{Journal, Memory};
use runtally::{Change, Counts, DateTime, Event, RunState, Summary, Tally};
use runtally_firmware::nor::{Flash, PAGE, Power};
use semihosting::{println, process};
use uuid::Uuid;

/// Few, so that rows are written again and again.
const PAGES: usize = 9;

type Rows = Tally<Uuid, Upn, 16, 4>;
type Log<'t> = Journal<'t, Flash<'t, PAGES>, Uuid, Upn, 16, 4>;

#[entry]
fn main() -> ! {
    static mut TALLY: Rows = Rows::new();
    static mut MEMORY: Memory<16, 4> = Memory::new();
    static mut BYTES: [u8; PAGES * PAGE] = [0; PAGES * PAGE];
    static mut ERASES: [u32; PAGES] = [0; PAGES];

    BYTES.fill(0xff);
    let mut worst = Worst::default();
    for round in 0..24 {
        TALLY.clear();
        let (mut journal, _) = open(BYTES, ERASES, TALLY, MEMORY, &mut worst);
        for device in 0..18 {
            commit(&mut journal, &Change::Event(event(device, round)), &mut worst.event);
        }
        for user in (0..5).map(upn) {
            let devices = Counts::ZERO.with(RunState::Fail, 9).expect("in range");
            let declared = Change::DeclareUser { user: user.clone(), devices, last_update: None };
            commit(&mut journal, &declared, &mut worst.user);
            commit(&mut journal, &Change::UndeclareUser { user }, &mut worst.user);
        }
        for written in [*journal.tally().summary(), Summary::ZERO] {
            commit(&mut journal, &Change::Declare(written), &mut worst.totals);
        }
        for device in (0..18).step_by(2).map(Uuid::from_u128) {
            commit(&mut journal, &Change::Retire { device }, &mut worst.retire);
        }
        for device in (0..18).step_by(3).map(Uuid::from_u128) {
            let at = DateTime::from_ticks(round.into(), 0).expect("1970");
            commit(&mut journal, &Change::Remove { device, at }, &mut worst.remove);
        }
        let run_from = DateTime::from_ticks(round.into(), 0).expect("1970");
        commit(&mut journal, &Change::RunFrom(run_from), &mut worst.totals);
    }
    assert!(ERASES.iter().sum::<u32>() > 50, "few pages were begun");

    println!("stack.Journal::open\t{}", worst.open);
    println!("stack.Journal::commit.event\t{}", worst.event);
    println!("stack.Journal::commit.remove\t{}", worst.remove);
    println!("stack.Journal::commit.retire\t{}", worst.retire);
    println!("stack.Journal::commit.user\t{}", worst.user);
    println!("stack.Journal::commit.totals\t{}", worst.totals);
    println!("future.Journal::open\t{}", worst.open_future);
    println!("future.Journal::commit\t{}", FUTURE.load(Ordering::Relaxed));
    println!("ram.journal\t{}", size_of::<Memory<512, 64>>());
    process::exit(0)
}

/// Bytes of the future of a commit.
static FUTURE: AtomicUsize = AtomicUsize::new(0);

#[derive(Default)]
struct Worst {
    open: u32,
    event: u32,
    remove: u32,
    retire: u32,
    user: u32,
    totals: u32,
    open_future: usize,
}

fn open<'t>(
    bytes: &'t mut [u8],
    erases: &'t mut [u32; PAGES],
    tally: &'t mut Rows,
    memory: &'t mut Memory<16, 4>,
    worst: &mut Worst,
) -> (Log<'t>, u32) {
    let power = Power { budget: u32::MAX, off: SCB::sys_reset };
    let range = 0..bytes.len() as u32;
    let call = Journal::open(Flash::on(bytes, erases, power), range, tally, memory);
    worst.open_future = size_of_val(&call);
    let (opened, stack) = polled(call);
    worst.open = worst.open.max(stack);
    let (journal, recovered) = opened.expect("it opens");
    assert_eq!(recovered.damaged, 0);
    (journal, recovered.records)
}

fn commit(journal: &mut Log<'_>, change: &Change<Uuid, Upn>, worst: &mut u32) {
    let call = journal.commit(change);
    FUTURE.store(size_of_val(&call), Ordering::Relaxed);
    let (effect, stack) = polled(call);
    _ = black_box(effect);
    *worst = (*worst).max(stack);
}

/// What a future comes to, and how far down its poll reaches. The future itself lies above.
#[inline(never)]
fn polled<T>(future: impl Future<Output = T>) -> (T, u32) {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let mut result = None;
    let stack = depth(|| {
        if let Poll::Ready(ready) = future.as_mut().poll(&mut context) {
            result = Some(ready);
        }
    });
    (result.expect("this flash never waits"), stack)
}

/// The longest name there may be.
fn upn(user: u8) -> Upn {
    let mut name = [b'A'; Upn::MAX_LEN];
    name[Upn::MAX_LEN - 1] = b'0' + user;
    str::from_utf8(&name).expect("ASCII").try_into().expect("not too long")
}

/// News each round; devices beyond what there is room for, and changes of hands.
fn event(device: u8, round: u8) -> Event<Uuid, Upn> {
    Event {
        device: Uuid::from_u128(device.into()),
        user: (!device.is_multiple_of(3)).then(|| upn(device.wrapping_add(round) % 5)),
        state: RunState::ALL[usize::from(device.wrapping_add(round) % 6)],
        at: DateTime::from_ticks(round.into(), 60).expect("1970"),
    }
}
