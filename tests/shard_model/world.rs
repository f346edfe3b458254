//! One run of a history: workers that die, snapshots, logs.
//!
//! Stage 2 tells stage 1 nothing, so stage 1 runs to its end first.

use std::collections::VecDeque;

use crate::design::{Design, ONES, TWOS};
use crate::history::{Choices, Happening};
use crate::recount::Outcome;

/// What may go wrong; each world has what the one before has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum World {
    NoFailure,
    /// A worker dies between any two steps, and its successor reads on in the order of the log. If it
    /// begins at an older snapshot, the newer ones are gone.
    Crashes,
    /// What follows a snapshot is delivered in another order, and again.
    AnotherOrder,
    /// Stage 2 is delivered its log in any order. A worker that is taken for dead goes on sending,
    /// and a snapshot that is older than others may be taken up at any time.
    AnyOrder,
}

impl World {
    pub(crate) const ALL: [Self; 4] =
        [Self::NoFailure, Self::Crashes, Self::AnotherOrder, Self::AnyOrder];
}

/// Runs the history and reads everything, drained.
pub(crate) fn run<D: Design>(
    history: &[Happening],
    world: World,
    first: &mut impl Choices,
    second: &mut impl Choices,
) -> Outcome {
    let (ones, logs) = stage_1::<D>(history, world, first);
    D::outcome(&ones, &stage_2::<D>(&logs, world, second))
}

/// Runs the history with one in so many messages lost, and gives the shards.
pub(crate) fn run_losing<D: Design>(
    history: &[Happening],
    one_in: usize,
    first: &mut impl Choices,
    second: &mut impl Choices,
) -> (Vec<D::One>, Vec<D::Two>) {
    let (ones, mut logs) = stage_1::<D>(history, World::AnyOrder, first);
    for log in &mut logs {
        log.retain(|_| !second.one_in(one_in));
    }
    let twos = stage_2::<D>(&logs, World::AnyOrder, second);
    (ones, twos)
}

/// A worker that holds one shard of stage 1.
struct Worker<D: Design> {
    rows: D::One,
    /// Numbers in the log, in the order of their delivery.
    unhandled: VecDeque<usize>,
    /// How many it has handled, its snapshot's included.
    position: usize,
    /// To each shard of stage 2.
    unsent: [VecDeque<D::Message>; TWOS],
    /// Sent and stored, and not acknowledged.
    in_flight: usize,
}

struct Snapshot<D: Design> {
    rows: D::One,
    unhandled: VecDeque<usize>,
    position: usize,
}

struct Partition<D: Design> {
    shard: usize,
    log: Vec<Happening>,
    worker: Worker<D>,
    /// Taken for dead.
    zombies: Vec<Worker<D>>,
    snapshots: Vec<Snapshot<D>>,
}

/// One thing that happens to a shard of stage 1.
#[derive(Clone, Copy)]
enum Step {
    Apply,
    Send(usize),
    Acknowledge,
    Snapshot,
    Die,
    TakenForDead,
    DeliverAgain,
    ZombieApplies(usize),
    ZombieSends(usize, usize),
}

impl<D: Design> Worker<D> {
    fn from(snapshot: &Snapshot<D>) -> Self {
        Self {
            rows: D::restored_one(&snapshot.rows),
            unhandled: snapshot.unhandled.clone(),
            position: snapshot.position,
            unsent: Default::default(),
            in_flight: 0,
        }
    }

    fn apply(&mut self, shard: usize, log: &[Happening]) {
        let number = self.unhandled.pop_front().expect("one is left");
        self.position += 1;
        let unsent = &mut self.unsent;
        let place = (shard, self.position);
        D::take(&mut self.rows, place, &log[number], &mut |to, message| {
            unsent[to].push_back(message);
        });
    }

    fn send(&mut self, to: usize, logs: &mut [Vec<D::Message>]) {
        logs[to].push(self.unsent[to].pop_front().expect("one is left"));
        self.in_flight += 1;
    }

    /// All that was sent is known to be stored.
    fn is_acknowledged(&self) -> bool {
        self.in_flight == 0 && self.unsent.iter().all(VecDeque::is_empty)
    }
}

impl<D: Design> Partition<D> {
    fn new(shard: usize, history: &[Happening]) -> Self {
        let is_here = |at: Option<usize>| at.is_none_or(|at| at == shard);
        let log: Vec<_> =
            history.iter().filter(|happening| is_here(D::shard(happening))).copied().collect();
        let empty = Snapshot { rows: D::one(), unhandled: (0..log.len()).collect(), position: 0 };
        let worker = Worker::from(&empty);
        Self { shard, log, worker, zombies: Vec::new(), snapshots: vec![empty] }
    }

    /// What may happen next if nothing fails, what must happen first.
    fn steps(&self, steps: &mut Vec<(usize, Step)>) {
        let mut add = |step| steps.push((self.shard, step));
        if !self.worker.unhandled.is_empty() {
            add(Step::Apply);
        }
        for to in 0..TWOS {
            if !self.worker.unsent[to].is_empty() {
                add(Step::Send(to));
            }
        }
        if self.worker.in_flight > 0 {
            add(Step::Acknowledge);
        }
        let last = self.snapshots.last().expect("the empty one");
        let is_new = last.position < self.worker.position;
        if is_new && (!D::WAITS || self.worker.is_acknowledged()) {
            add(Step::Snapshot);
        }
        for (number, zombie) in self.zombies.iter().enumerate() {
            if !zombie.unhandled.is_empty() {
                add(Step::ZombieApplies(number));
            }
            for to in 0..TWOS {
                if !zombie.unsent[to].is_empty() {
                    add(Step::ZombieSends(number, to));
                }
            }
        }
    }

    fn faults(&self, world: World, faults: &mut Vec<(usize, Step)>) {
        faults.push((self.shard, Step::Die));
        if world >= World::AnyOrder {
            faults.push((self.shard, Step::TakenForDead));
        }
    }

    fn step(
        &mut self,
        step: Step,
        world: World,
        logs: &mut [Vec<D::Message>],
        choices: &mut impl Choices,
    ) {
        match step {
            Step::Apply => self.worker.apply(self.shard, &self.log),
            Step::Send(to) => self.worker.send(to, logs),
            Step::Acknowledge => self.worker.in_flight -= 1,
            Step::Snapshot => self.snapshots.push(Snapshot {
                rows: self.worker.rows.clone(),
                unhandled: self.worker.unhandled.clone(),
                position: self.worker.position,
            }),
            Step::Die => {
                self.succeed(world, choices);
            }
            Step::TakenForDead => {
                let zombie = self.succeed(world, choices);
                self.zombies.push(zombie);
            }
            Step::DeliverAgain => {
                let number = choices.below(self.log.len());
                let at = choices.below(self.worker.unhandled.len() + 1);
                self.worker.unhandled.insert(at, number);
            }
            Step::ZombieApplies(number) => self.zombies[number].apply(self.shard, &self.log),
            Step::ZombieSends(number, to) => self.zombies[number].send(to, logs),
        }
    }

    /// Another worker takes over, from any snapshot. Returns the former one.
    fn succeed(&mut self, world: World, choices: &mut impl Choices) -> Worker<D> {
        let back = choices.below(self.snapshots.len());
        let at = self.snapshots.len() - 1 - back;
        let mut worker = Worker::from(&self.snapshots[at]);
        if world < World::AnyOrder {
            self.snapshots.truncate(at + 1);
        }
        if world >= World::AnotherOrder {
            choices.shuffle(worker.unhandled.make_contiguous());
        }
        std::mem::replace(&mut self.worker, worker)
    }
}

/// Runs stage 1 until nothing is left to handle or send. Returns its rows, and the logs of stage 2.
fn stage_1<D: Design>(
    history: &[Happening],
    world: World,
    choices: &mut impl Choices,
) -> (Vec<D::One>, Vec<Vec<D::Message>>) {
    let mut partitions: Vec<Partition<D>> =
        (0..ONES).map(|shard| Partition::new(shard, history)).collect();
    let mut logs = vec![Vec::new(); TWOS];
    let mut faults = if world >= World::Crashes { 1 + choices.below(4) } else { 0 };
    let mut repeats = if world >= World::AnotherOrder { choices.below(3) } else { 0 };
    let mut steps = Vec::new();
    loop {
        steps.clear();
        if faults > 0 && choices.one_in(10) {
            faults -= 1;
            for partition in &partitions {
                partition.faults(world, &mut steps);
            }
        } else if repeats > 0 && choices.one_in(10) {
            repeats -= 1;
            let logs = partitions.iter().filter(|partition| !partition.log.is_empty());
            steps.extend(logs.map(|partition| (partition.shard, Step::DeliverAgain)));
        } else {
            for partition in &partitions {
                partition.steps(&mut steps);
            }
        }
        if steps.is_empty() {
            break;
        }
        let (shard, step) = steps[choices.below(steps.len())];
        partitions[shard].step(step, world, &mut logs, choices);
    }
    for happening in history {
        if let Happening::RunFrom(at) = happening {
            for log in &mut logs {
                log.insert(choices.below(log.len() + 1), D::broadcast(*at));
            }
        }
    }
    (partitions.into_iter().map(|partition| partition.worker.rows).collect(), logs)
}

fn stage_2<D: Design>(
    logs: &[Vec<D::Message>],
    world: World,
    choices: &mut impl Choices,
) -> Vec<D::Two> {
    let heard = |(shard, log): (usize, &Vec<D::Message>)| hear::<D>(shard, log, world, choices);
    logs.iter().enumerate().map(heard).collect()
}

/// Runs a shard of stage 2 until it has heard its log.
fn hear<D: Design>(
    shard: usize,
    log: &[D::Message],
    world: World,
    choices: &mut impl Choices,
) -> D::Two {
    let mut rows = D::two();
    let mut unheard: VecDeque<usize> = (0..log.len()).collect();
    let mut snapshots = vec![(rows.clone(), unheard.clone())];
    let mut faults = if world >= World::Crashes { choices.below(3) } else { 0 };
    while !unheard.is_empty() {
        // A snapshot has its position in it, and stage 2 sends nothing.
        if world >= World::Crashes && choices.one_in(4) {
            snapshots.push((rows.clone(), unheard.clone()));
        }
        if faults > 0 && choices.one_in(6) {
            faults -= 1;
            let at = snapshots.len() - 1 - choices.below(snapshots.len());
            rows = D::restored_two(shard, &snapshots[at].0);
            unheard.clone_from(&snapshots[at].1);
        }
        if world >= World::AnyOrder {
            unheard.swap(0, choices.below(unheard.len()));
        }
        let number = unheard.pop_front().expect("no snapshot has heard everything");
        D::hear(&mut rows, shard, &log[number]);
    }
    rows
}
