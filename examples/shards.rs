//! A fleet in two stages of shards, in one process: what memory it takes.
//!
//! ```text
//! cargo run --release --features alloc --example shards                # 60 000 devices
//! cargo run --release --features alloc --example shards -- 1000000
//! ```

use std::env;
use std::error::Error;
use std::process::ExitCode;

use runtally::shard::{DeviceShard, Record, UserShard, partition};
use runtally::{DateTime, Event, Heap, RunState, Summary};

/// Virtual shards of either stage.
const SHARDS: u32 = 64;

type Key = [u8; 16];
type First = DeviceShard<Key, Key, 65_534, Heap>;
type Second = UserShard<Key, Key, 65_534, 65_534, Heap>;

/// Devices for each move from one user to another.
const DEVICES_PER_MOVE: usize = 5;

fn main() -> ExitCode {
    let devices = match env::args().nth(1).map(|argument| argument.parse()) {
        None => 60_000,
        Some(Ok(devices)) => devices,
        Some(Err(error)) => {
            eprintln!("shards: expected a number of devices: {error}");
            return ExitCode::FAILURE;
        }
    };
    match run(devices) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shards: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(devices: usize) -> Result<(), Box<dyn Error>> {
    let mut random = fastrand::Rng::with_seed(1);
    let users = devices / 3 * 2;
    let mut fleet = Fleet::new();
    let key = |kind: u64, number: usize| -> Key {
        let mut random = fastrand::Rng::with_seed((number as u64) << 1 | kind);
        random.u128(..).to_be_bytes()
    };

    let begin = DateTime::from_unix(1_795_253_400, 0)?;
    let mut second = 0;
    let mut report = |fleet: &mut Fleet, random: &mut fastrand::Rng, device, user| {
        second += 1;
        let at = DateTime::from_ticks(begin.ticks() + second * 10_000_000, 0)?;
        let state = RunState::ALL[random.usize(..6)];
        let (device, user) = (key(0, device), Some(key(1, user)));
        fleet.report(Event { device, user, state, at })
    };
    let mut user_of: Vec<usize> = (0..devices).map(|device| device % users.max(1)).collect();
    for (device, user) in user_of.iter().enumerate() {
        report(&mut fleet, &mut random, device, *user)?;
    }
    for _ in 0..devices / DEVICES_PER_MOVE {
        let device = random.usize(..devices);
        user_of[device] = random.usize(..users);
        report(&mut fleet, &mut random, device, user_of[device])?;
    }

    let summary = fleet.summary()?;
    let sum = |of: &dyn Fn(&Second) -> usize| fleet.second.iter().map(of).sum::<usize>();
    println!(
        "{devices} devices, {users} users, {} moves, {SHARDS} + {SHARDS} shards",
        devices / DEVICES_PER_MOVE
    );
    println!("{} device rows in stage 1", fleet.first.iter().map(First::row_count).sum::<usize>());
    println!(
        "{} device rows, {} ghosts and {} users in stage 2",
        sum(&Second::device_count),
        sum(&Second::ghost_count),
        sum(&Second::user_count)
    );
    println!("{} devices and {} users counted", summary.devices.total(), summary.users.total());
    let first: usize = fleet.first.iter().map(First::memory).sum();
    let second: usize = fleet.second.iter().map(Second::memory).sum();
    let [first, second, both] = [first, second, first + second].map(|bytes| {
        let tenths = bytes * 10 / devices.max(1);
        format!("{}.{}", tenths / 10, tenths % 10)
    });
    println!("{first} + {second} = {both} bytes a device");
    Ok(())
}

struct Fleet {
    first: Vec<First>,
    second: Vec<Second>,
}

impl Fleet {
    fn new() -> Self {
        let first = (0..SHARDS).map(|_| First::growing()).collect();
        Self { first, second: (0..SHARDS).map(|_| Second::growing()).collect() }
    }

    /// Where there is no log in between, what stage 1 sends is joined at once.
    fn report(&mut self, event: Event<Key, Key>) -> Result<(), Box<dyn Error>> {
        let shard_of = |key: &Key| partition(key, SHARDS);
        let first = &mut self.first[shard_of(&event.device) as usize];
        let mut joined = Ok(());
        let second = &mut self.second;
        let _ = first.take(&Record::Report(event), |user, record| {
            let shard = shard_of(user);
            let is_own = |user: &Key| shard_of(user) == shard;
            if let Err(full) = second[shard as usize].join(&record.cloned(), is_own) {
                joined = Err(full);
            }
        })?;
        Ok(joined?)
    }

    fn summary(&self) -> Result<Summary, Box<dyn Error>> {
        let first = self.first.iter().map(First::summary);
        let mut all = first.chain(self.second.iter().map(Second::summary));
        Ok(all.try_fold(Summary::ZERO, |sum, shard| sum.merge(shard))?)
    }
}
