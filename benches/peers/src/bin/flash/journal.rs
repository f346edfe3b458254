//! The library's own pages.

use embassy_futures::block_on;
use runtally::journal::{Journal, Memory};
use runtally::{Change, DateTime, Event, RunState, Tally};

use crate::{Flash, Rows, Session, Value};

pub(crate) fn session(flash: &mut Flash, events: &[crate::Event]) -> Session {
    let mut tally = Box::new(Tally::<u16, u16, 512, 64>::new());
    let mut memory = Box::new(Memory::new());
    let range = flash.range();
    block_on(async {
        let opened = Journal::open(flash, range, &mut tally, &mut memory).await;
        let Ok((mut journal, _)) = opened else { return Session::FAILED };
        let rows = Some(rows(journal.tally()));
        for (done, event) in events.iter().enumerate() {
            if journal.commit(&Change::Event(read(event))).await.is_err() {
                return Session { rows, done };
            }
        }
        Session { rows, done: events.len() }
    })
}

fn read(event: &crate::Event) -> Event<u16, u16> {
    let [state, _, ticks @ .., user, user_high] = event.value;
    Event {
        device: event.device,
        user: Some(u16::from_le_bytes([user, user_high])),
        state: RunState::ALL[usize::from(state)],
        at: DateTime::from_ticks(i64::from_le_bytes(ticks), 0).expect("in range"),
    }
}

fn rows(tally: &Tally<u16, u16, 512, 64>) -> Rows {
    let mut rows = vec![None; crate::DEVICES];
    for row in tally.devices() {
        let mut value: Value = [row.state.number(); 12];
        value[2..10].copy_from_slice(&row.at.ticks().to_le_bytes());
        value[10..].copy_from_slice(&row.user.expect("every event has one").to_le_bytes());
        rows[usize::from(*row.device)] = Some(value);
    }
    rows
}
