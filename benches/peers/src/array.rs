//! Peer: plain arrays, rows by number. Nothing is looked up, no key is compared, nothing is checked
//! but what an index is: the limit.

use std::cmp::Ordering;

use runtally::{DateTime, Effect, RunState, Summary};

use crate::contender::{Contender, order, summary};
use crate::workload::{Fleet, Report};

pub struct Arrays {
    rows: Vec<Option<Row>>,
    owners: Vec<Owner>,
    devices: [u32; 6],
    users: [u32; 6],
    last_run: Option<i64>,
}

#[derive(Clone, Copy, Default)]
struct Owner {
    devices: [u16; 6],
    /// Bit n: there are devices in the state of severity n.
    present: u8,
}

#[derive(Clone, Copy)]
struct Row {
    at: DateTime,
    state: RunState,
    user: Option<u16>,
}

impl Arrays {
    pub fn with_room_for(devices: usize, users: usize) -> Self {
        Self {
            rows: vec![None; devices],
            owners: vec![Owner::default(); users],
            devices: [0; 6],
            users: [0; 6],
            last_run: None,
        }
    }

    fn shift(&mut self, user: u16, left: Option<RunState>, entered: Option<RunState>) {
        let owner = &mut self.owners[usize::from(user)];
        let before = owner.present;
        if let Some(left) = left {
            let count = &mut owner.devices[left as usize];
            *count -= 1;
            owner.present &= !(u8::from(*count == 0) << left.severity());
        }
        if let Some(entered) = entered {
            owner.devices[entered as usize] += 1;
            owner.present |= 1 << entered.severity();
        }
        // Without a branch on whether it changes, which cannot be foreseen.
        if let Some(before) = most_severe(before) {
            self.users[before as usize] -= 1;
        }
        if let Some(after) = most_severe(owner.present) {
            self.users[after as usize] += 1;
        }
    }
}

fn most_severe(present: u8) -> Option<RunState> {
    RunState::from_severity(present.checked_ilog2()? as u8)
}

impl Contender for Arrays {
    type Event = Report;

    fn event(&self, _: &Fleet, report: Report) -> Report {
        report
    }

    fn apply(&mut self, event: &Report) -> Effect {
        let row = &mut self.rows[usize::from(event.device)];
        let new = Row { at: event.at, state: event.state, user: event.user };
        let before = if let Some(row) = row {
            let new_order = order(event.at, event.state, event.user);
            match new_order.cmp(&order(row.at, row.state, row.user)) {
                Ordering::Less => return Effect::Stale,
                Ordering::Equal => return Effect::Duplicate,
                Ordering::Greater => {}
            }
            let old = std::mem::replace(row, new);
            if old.user == event.user {
                if let Some(user) = old.user {
                    self.shift(user, Some(old.state), Some(event.state));
                }
            } else {
                if let Some(user) = old.user {
                    self.shift(user, Some(old.state), None);
                }
                if let Some(user) = event.user {
                    self.shift(user, None, Some(event.state));
                }
            }
            self.devices[old.state as usize] -= 1;
            Some(old.state)
        } else {
            *row = Some(new);
            if let Some(user) = event.user {
                self.shift(user, None, Some(event.state));
            }
            None
        };
        self.devices[event.state as usize] += 1;
        self.last_run = self.last_run.max(Some(event.at.ticks()));
        Effect::Applied { before }
    }

    fn summary(&mut self) -> Summary {
        summary(self.devices, self.users, self.last_run)
    }
}
