//! Changes that the tally made first.

use super::*;
use runtally::journal::Change;

type Result = core::result::Result<(), Error<PowerCut>>;

/// Lets the tally make the change, and the journal write it down. A refused one is no change.
fn record(journal: &mut Opened<&mut Flash>, tally: &mut Small, operation: &Op) -> Result {
    let change = match operation {
        Operation::Apply(event) => Change::Device(&event.device),
        Operation::Remove(device) => Change::Device(device),
        Operation::Declare(_) => Change::Summary,
        Operation::DeclareUser { user, .. } | Operation::UndeclareUser(user) => Change::User(user),
        Operation::Retire(device) => {
            return block_on(journal.retire(tally, device)).map(|_| ());
        }
    };
    match operation.run(tally) {
        Ok(_) => block_on(journal.record(tally, change)),
        Err(_) => Ok(()),
    }
}

type Flash = Mock<4, 1024>;

#[test]
fn a_change_recorded_afterwards_is_wholly_there_or_wholly_absent() {
    let mut flash = Flash::new(4);
    const { assert!(Opened::<Flash>::PAGES <= 4, "so that no call counts all rows") };
    let mut mirror = Small::new();
    let mut cuts = 0;
    for operation in trace(31, 450) {
        let before = mirror.clone();
        let _ = operation.run(&mut mirror);
        let intact = flash.clone();
        for budget in 0.. {
            flash.clone_from(&intact);
            flash.faults.torn = Torn::number(budget);
            let (mut journal, mut tally) = reopen(&mut flash);
            assert_eq!(tally, before);
            journal.flash().faults.budget = budget;
            let answer = record(&mut journal, &mut tally, &operation);
            let restored = reopen(&mut flash).1;
            if answer.is_ok() {
                assert_eq!(restored, mirror, "what was recorded is there");
                break;
            }
            cuts += 1;
            assert!(restored == before || restored == mirror, "wholly there or wholly absent");
        }
    }
    assert!(cuts > 1000, "{cuts} cuts");
    assert!(flash.erases.iter().all(|&erases| erases > 1), "{:?}", flash.erases);
}

/// Both ways to write on one journal, too small to hold every row.
#[test]
fn a_journal_that_may_become_full_counts_what_is_recorded() {
    use runtally::{Event, RunState};
    type Wide = Tally<u64, u64, 500, 5>;
    let mut flash = Flash::new(3);
    let range = flash.range();
    let mut tally = Wide::new();
    let (mut journal, _) = block_on(Journal::open(&mut flash, range.clone(), &mut tally)).unwrap();
    let event = |device| Event {
        device,
        user: None,
        state: RunState::Success,
        at: DateTime::from_ticks(0, 0).unwrap(),
    };
    let mut devices = 0;
    let full = loop {
        let event = event(devices);
        let _ = tally.apply(&event).unwrap();
        match block_on(journal.record(&tally, Change::Device(&event.device))) {
            Ok(()) => devices += 1,
            Err(full) => break full,
        }
    };
    let Error::Full { live, limit } = full else { panic!("{full}") };
    assert_eq!(u64::from(live), (devices + 1) * 18);
    assert!(live > limit && live - 18 <= limit);

    // The tally holds one more than the flash; the way back is to open the journal again.
    tally.clear();
    let (mut journal, _) = block_on(Journal::open(&mut flash, range, &mut tally)).unwrap();
    assert_eq!(tally.devices().count() as u64, devices);
    let full = block_on(journal.apply(&mut tally, &event(devices)));
    assert_eq!(full, Err(Error::Full { live: live - 18, limit }));
    tally.remove(&0).unwrap();
    block_on(journal.record(&tally, Change::Device(&0))).unwrap();
    let _ = block_on(journal.apply(&mut tally, &event(devices))).unwrap();
}
