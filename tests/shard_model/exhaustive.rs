//! Nothing drawn: one device, two users in two shards, every order of its happenings, every place
//! to die in, every snapshot to begin at again, and every order in which stage 2 may hear.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use crate::design::{Design, ONES, TWOS};
use crate::history::Happening;
use crate::recount::is_recount;

/// The shard of the one device, 0.
const SHARD: usize = 0;

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Sets of happenings.
    pub(crate) sets: u64,
    /// Stage 1 with its log, its snapshots and all it has ever sent.
    pub(crate) states: u64,
    /// From nothing handled to all handled and acknowledged, step by step.
    pub(crate) runs: u128,
    /// Of a shard of stage 2, while it hears what some run has sent.
    pub(crate) hearings: u64,
    /// Runs with an outcome that is not what a recount gives, for some order of hearing.
    pub(crate) wrong: u128,
}

/// Runs every set of `length` of these happenings, the same one twice among them, with at most so
/// many deaths a run.
pub(crate) fn every_run<D: Design>(happenings: &[Happening], length: usize, deaths: usize) -> Size {
    let mut size = Size::default();
    let mut chosen = vec![0; length];
    loop {
        let log: Vec<_> = chosen.iter().map(|&at| happenings[at]).collect();
        Runs::<D>::of(&log).add_to(&mut size, deaths);
        // The next one that does not go down.
        let Some(up) = chosen.iter().rposition(|&at| at + 1 < happenings.len()) else {
            return size;
        };
        let next = chosen[up] + 1;
        chosen[up..].fill(next);
    }
}

/// Numbers in the log, as bits.
type Handled = u32;

/// Stage 1 and all that it has written.
struct State<D: Design> {
    rows: D::One,
    handled: Handled,
    /// Of the worker, by the shard it goes to.
    unsent: [Vec<D::Message>; TWOS],
    /// Something is stored that the worker does not know to be.
    is_in_flight: bool,
    snapshots: Vec<(D::One, Handled)>,
    /// What stage 2 may hear. It may hear each any number of times, so how often it was sent does not
    /// matter.
    sent: [BTreeSet<D::Message>; TWOS],
    deaths: usize,
}

impl<D: Design> State<D> {
    fn is_drained(&self, all: Handled) -> bool {
        self.handled == all && self.is_acknowledged()
    }

    fn is_acknowledged(&self) -> bool {
        !self.is_in_flight && self.unsent.iter().all(Vec::is_empty)
    }

    fn successors(&self, log: &[Happening], shard: usize) -> Vec<Self> {
        let mut successors = Vec::new();
        for (number, happening) in log.iter().enumerate() {
            if self.handled & 1 << number == 0 {
                let mut next = self.clone();
                next.handled |= 1 << number;
                let place = (shard, next.handled.count_ones() as usize);
                let unsent = &mut next.unsent;
                D::take(&mut next.rows, place, happening, &mut |to, message| {
                    unsent[to].push(message);
                });
                successors.push(next);
            }
        }
        for to in 0..TWOS {
            if !self.unsent[to].is_empty() {
                let mut next = self.clone();
                let message = next.unsent[to].remove(0);
                next.sent[to].insert(message);
                next.is_in_flight = true;
                successors.push(next);
            }
        }
        if self.is_in_flight {
            successors.push(Self { is_in_flight: false, ..self.clone() });
        }
        let snapshot = (self.rows.clone(), self.handled);
        if (!D::WAITS || self.is_acknowledged()) && !self.snapshots.contains(&snapshot) {
            let mut next = self.clone();
            next.snapshots.push(snapshot);
            // When it was taken does not matter.
            next.snapshots.sort_by_key(|&(_, handled)| handled);
            successors.push(next);
        }
        if self.deaths > 0 {
            successors.extend(self.snapshots.iter().map(|(rows, handled)| Self {
                rows: D::restored_one(rows),
                handled: *handled,
                unsent: Default::default(),
                is_in_flight: false,
                deaths: self.deaths - 1,
                ..self.clone()
            }));
        }
        successors
    }
}

/// To which shard, and what.
type Sent<D> = (usize, BTreeSet<<D as Design>::Message>);

/// All runs of one set.
struct Runs<'a, D: Design> {
    log: &'a [Happening],
    /// How many runs go on from there, and how many of them end wrong.
    known: HashMap<State<D>, (u128, u128)>,
    /// What has been sent to a shard: all that it may come to, and in how many states on the way.
    heard: HashMap<Sent<D>, (Vec<D::Two>, u64)>,
}

impl<'a, D: Design> Runs<'a, D> {
    fn of(log: &'a [Happening]) -> Self {
        Self { log, known: HashMap::new(), heard: HashMap::new() }
    }

    fn add_to(mut self, size: &mut Size, deaths: usize) {
        let mut sent: [BTreeSet<D::Message>; TWOS] = Default::default();
        for happening in self.log {
            if let Happening::RunFrom(at) = happening {
                for sent in &mut sent {
                    sent.insert(D::broadcast(*at));
                }
            }
        }
        let start = State {
            rows: D::one(),
            handled: 0,
            unsent: Default::default(),
            is_in_flight: false,
            snapshots: vec![(D::one(), 0)],
            sent,
            deaths,
        };
        let (runs, wrong) = self.from(start);
        size.sets += 1;
        size.states += self.known.len() as u64;
        size.runs += runs;
        size.hearings += self.heard.values().map(|(_, states)| states).sum::<u64>();
        size.wrong += wrong;
    }

    fn from(&mut self, state: State<D>) -> (u128, u128) {
        if let Some(&known) = self.known.get(&state) {
            return known;
        }
        let (mut runs, mut wrong) = (0, 0);
        if state.is_drained((1 << self.log.len()) - 1) {
            runs += 1;
            wrong += u128::from(!self.is_right(&state));
        }
        for next in state.successors(self.log, SHARD) {
            let (more, more_wrong) = self.from(next);
            runs += more;
            wrong += more_wrong;
        }
        self.known.insert(state, (runs, wrong));
        (runs, wrong)
    }

    /// Whether every order of hearing comes to what a recount gives.
    fn is_right(&mut self, state: &State<D>) -> bool {
        let mut ones: Vec<_> = (0..ONES).map(|_| D::one()).collect();
        ones[SHARD] = state.rows.clone();
        let mut all: Vec<Vec<D::Two>> = vec![Vec::new()];
        for (shard, sent) in state.sent.iter().enumerate() {
            let (ends, _) = self
                .heard
                .entry((shard, sent.clone()))
                .or_insert_with(|| every_hearing::<D>(shard, sent));
            let with = |twos: &[D::Two], end: &D::Two| [twos, std::slice::from_ref(end)].concat();
            all = all.iter().flat_map(|twos| ends.iter().map(|end| with(twos, end))).collect();
        }
        all.iter().all(|twos| is_recount(D::outcome(&ones, twos), self.log))
    }
}

/// All that a shard may come to that hears each of these at least once, in any order, and the number
/// of its states on the way.
fn every_hearing<D: Design>(shard: usize, messages: &BTreeSet<D::Message>) -> (Vec<D::Two>, u64) {
    let all = (1u64 << messages.len()) - 1;
    let mut seen = HashSet::from([(D::two(), 0)]);
    let mut frontier = vec![(D::two(), 0)];
    while let Some((two, heard)) = frontier.pop() {
        for (number, message) in messages.iter().enumerate() {
            let mut next = (two.clone(), heard | 1 << number);
            D::hear(&mut next.0, shard, message);
            if seen.insert(next.clone()) {
                frontier.push(next);
            }
        }
    }
    let states = seen.len() as u64;
    let ends: HashSet<_> =
        seen.into_iter().filter(|&(_, heard)| heard == all).map(|(two, _)| two).collect();
    (ends.into_iter().collect(), states)
}

// Derived, these would ask the design itself to be what its parts are.

impl<D: Design> Clone for State<D> {
    fn clone(&self) -> Self {
        Self {
            rows: self.rows.clone(),
            handled: self.handled,
            unsent: self.unsent.clone(),
            is_in_flight: self.is_in_flight,
            snapshots: self.snapshots.clone(),
            sent: self.sent.clone(),
            deaths: self.deaths,
        }
    }
}

impl<D: Design> State<D> {
    fn parts(&self) -> impl Eq + Hash {
        (
            (&self.rows, self.handled, &self.unsent, self.is_in_flight),
            (&self.snapshots, &self.sent, self.deaths),
        )
    }
}

impl<D: Design> PartialEq for State<D> {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl<D: Design> Eq for State<D> {}

impl<D: Design> Hash for State<D> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.parts().hash(hasher);
    }
}
