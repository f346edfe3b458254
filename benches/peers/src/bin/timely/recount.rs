//! What every contender has to come to, counted once from the events.

use std::collections::HashMap;

use runtally::{Counts, DateTime, RunState, Summary};

use crate::trace::{Event, Key};

pub fn recount(events: &[Event]) -> Summary {
    let mut greatest = HashMap::<Key, &Event>::new();
    for event in events {
        let kept = greatest.entry(event.device).or_insert(event);
        if event.order() > kept.order() {
            *kept = event;
        }
    }
    let mut devices = [0; 6];
    let mut most_severe = HashMap::<Key, RunState>::new();
    for Event { user, state, .. } in greatest.into_values() {
        devices[*state as usize] += 1;
        if let Some(user) = user {
            let kept = most_severe.entry(*user).or_insert(*state);
            if state.severity() > kept.severity() {
                *kept = *state;
            }
        }
    }
    let mut users = [0; 6];
    for state in most_severe.into_values() {
        users[state as usize] += 1;
    }
    summary(devices, users, events.iter().map(|event| event.at.ticks()).max())
}

/// The summary of plain counters and of the latest instant, in ticks.
pub fn summary(devices: [u32; 6], users: [u32; 6], last_run: Option<i64>) -> Summary {
    let counts = |numbers: [u32; 6]| {
        RunState::ALL.into_iter().fold(Counts::ZERO, |counts, state| {
            counts.with(state, numbers[state as usize]).expect("as many as there are devices")
        })
    };
    let last_run = last_run.map(|ticks| DateTime::from_ticks(ticks, 0).expect("a year to come"));
    Summary { devices: counts(devices), users: counts(users), last_run }
}
