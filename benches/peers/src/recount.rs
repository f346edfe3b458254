//! Peer: rows in a `std::collections::HashMap`, counted at each summary.

use std::cmp::Ordering;
use std::collections::HashMap;

use runtally::{DateTime, Effect, Event, RunState, Summary};
use uuid::Uuid;

use crate::contender::{Contender, order, summary};
use crate::workload::{Fleet, Report};

#[derive(Default)]
pub struct Recount {
    devices: HashMap<Uuid, Device>,
}

struct Device {
    at: DateTime,
    state: RunState,
    user: Option<Uuid>,
}

impl Recount {
    fn count(&self) -> Summary {
        let mut devices = [0; 6];
        let mut severities: HashMap<Uuid, RunState> = HashMap::new();
        let mut last_run = None;
        for device in self.devices.values() {
            devices[device.state as usize] += 1;
            last_run = last_run.max(Some(device.at.ticks()));
            if let Some(user) = device.user {
                let worst = severities.entry(user).or_insert(device.state);
                if device.state.severity() > worst.severity() {
                    *worst = device.state;
                }
            }
        }
        let mut users = [0; 6];
        for state in severities.into_values() {
            users[state as usize] += 1;
        }
        summary(devices, users, last_run)
    }
}

impl Contender for Recount {
    type Event = Event<Uuid, Uuid>;

    fn event(&self, fleet: &Fleet, report: Report) -> Self::Event {
        fleet.event(report)
    }

    fn apply(&mut self, event: &Self::Event) -> Effect {
        let new = Device { at: event.at, state: event.state, user: event.user };
        let Some(device) = self.devices.get_mut(&event.device) else {
            self.devices.insert(event.device, new);
            return Effect::Applied { before: None };
        };
        let new_order = order(event.at, event.state, event.user);
        match new_order.cmp(&order(device.at, device.state, device.user)) {
            Ordering::Less => Effect::Stale,
            Ordering::Equal => Effect::Duplicate,
            Ordering::Greater => {
                let before = std::mem::replace(device, new).state;
                Effect::Applied { before: Some(before) }
            }
        }
    }

    fn summary(&mut self) -> Summary {
        self.count()
    }
}
