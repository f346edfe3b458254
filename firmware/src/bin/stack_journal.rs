//! The worst stack of every call of a journal, its future and the executor included.

#![no_std]
#![no_main]

#[path = "../on_panic/exit.rs"]
mod on_panic;
#[path = "stack/paint.rs"]
mod paint;

use core::hint::black_box;

use cortex_m::peripheral::SCB;
use cortex_m_rt::entry;
use embassy_futures::block_on;
use paint::depth;
use runtally::graph::Upn;
use runtally::journal::Journal;
use runtally::{Counts, DateTime, Event, RunState, Summary, Tally};
use runtally_firmware::nor::{Nor, PAGE};
use semihosting::{println, process};
use uuid::Uuid;

/// Few, so that rows are brought along again and again.
const FLASH: usize = 9 * PAGE;

type Rows = Tally<Uuid, Upn, 16, 4>;
type Calls<'f> = Journal<Nor<'f>, Uuid, Upn, 16, 4>;

#[entry]
fn main() -> ! {
    static mut TALLY: Rows = Rows::new();
    static mut BYTES: [u8; FLASH] = [0; FLASH];
    static mut ERASURES: u32 = 0;
    static mut JOURNAL: Option<Calls<'static>> = None;

    BYTES.fill(0xff);
    let nor = Nor { bytes: BYTES, budget: u32::MAX, erasures: ERASURES, power_off: SCB::sys_reset };
    *JOURNAL = Some(open(nor, TALLY));

    let [mut apply, mut remove, mut retire, mut declare] = [0; 4];
    let [mut declare_user, mut undeclare_user] = [0; 2];
    let most = Counts::ZERO.with(RunState::Fail, 9).expect("in range");
    for round in 0..24 {
        let Some(journal) = JOURNAL else { break };
        for device in 0..18 {
            let event = event(device, round);
            apply = apply.max(depth(|| _ = black_box(block_on(journal.apply(TALLY, &event)))));
        }
        for user in (0..5).map(upn) {
            let call = || _ = black_box(block_on(journal.declare_user(TALLY, &user, most, None)));
            declare_user = declare_user.max(depth(call));
            let call = || _ = black_box(block_on(journal.undeclare_user(TALLY, &user)));
            undeclare_user = undeclare_user.max(depth(call));
        }
        for written in [*TALLY.summary(), Summary::ZERO] {
            let call = || _ = black_box(block_on(journal.declare(TALLY, &written)));
            declare = declare.max(depth(call));
        }
        for id in (0..18).step_by(2).map(Uuid::from_u128) {
            retire = retire.max(depth(|| _ = black_box(block_on(journal.retire(TALLY, &id)))));
        }
        for id in (0..18).map(Uuid::from_u128) {
            remove = remove.max(depth(|| _ = black_box(block_on(journal.remove(TALLY, &id)))));
        }
    }
    for device in 0..16 {
        let Some(journal) = JOURNAL else { break };
        _ = block_on(journal.apply(TALLY, &event(device, 99)));
    }
    let nor = JOURNAL.take().expect("open").close();
    assert!(*nor.erasures > 50, "few pages were begun");
    let devices = TALLY.devices().count();
    TALLY.clear();
    let mut nor = Some(nor);
    let reopened = depth(|| *JOURNAL = nor.take().map(|nor| open(nor, TALLY)));
    assert_eq!(TALLY.devices().count(), devices);

    println!("stack.Journal::open\t{reopened}");
    println!("stack.Journal::apply\t{apply}");
    println!("stack.Journal::remove\t{remove}");
    println!("stack.Journal::retire\t{retire}");
    println!("stack.Journal::declare\t{declare}");
    println!("stack.Journal::declare_user\t{declare_user}");
    println!("stack.Journal::undeclare_user\t{undeclare_user}");
    println!("ram.journal\t{}", size_of::<Journal<Nor<'_>, [u8; 16], [u8; 16], 512, 64>>());
    process::exit(0)
}

fn open<'f>(nor: Nor<'f>, tally: &mut Rows) -> Calls<'f> {
    let (journal, recovered) =
        block_on(Journal::open(nor, 0..FLASH as u32, tally)).expect("it opens");
    assert_eq!(recovered.damaged, 0);
    journal
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
