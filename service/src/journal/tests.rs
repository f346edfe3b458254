//! A disk that keeps some sectors of what was not synced, and one that fails for a while.

use std::sync::Mutex;

use runtally::graph::{Request, Settings, user_state_id};

use super::*;

const SECTOR: usize = 512;

/// A disk as it may be at worst.
#[derive(Default)]
struct Disks(Mutex<State>);

struct State {
    /// What is there after a power cut.
    durable: Vec<u8>,
    /// What is read.
    seen: Vec<u8>,
    /// The sectors in which they may differ.
    dirty: Vec<bool>,
    rng: fastrand::Rng,
    /// Writes and syncs until they fail, and how many of them fail then.
    failing: (u32, u32),
    syncs: u32,
}

impl Default for State {
    fn default() -> Self {
        Self {
            durable: Vec::new(),
            seen: Vec::new(),
            dirty: Vec::new(),
            rng: fastrand::Rng::with_seed(0),
            failing: (u32::MAX, 0),
            syncs: 0,
        }
    }
}

impl State {
    /// Each dirty sector becomes durable or does not.
    fn settle(&mut self) {
        self.durable.resize(self.seen.len(), 0);
        for (number, dirty) in self.dirty.iter_mut().enumerate() {
            if std::mem::take(dirty) && self.rng.bool() {
                let end = ((number + 1) * SECTOR).min(self.seen.len());
                if let Some(sector) = self.seen.get(number * SECTOR..end) {
                    self.durable[number * SECTOR..end].copy_from_slice(sector);
                }
            }
        }
    }

    fn step(&mut self) -> io::Result<()> {
        let (until, times) = &mut self.failing;
        match (*until, *times) {
            (u32::MAX, _) => {}
            (0, 0) => *until = u32::MAX,
            (0, _) => {
                *times -= 1;
                return Err(io::ErrorKind::StorageFull.into());
            }
            _ => *until -= 1,
        }
        Ok(())
    }
}

impl Disks {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no panic")
    }

    /// The power goes, and comes back.
    fn cut(&self) {
        let mut state = self.state();
        state.settle();
        // A file that grew may be found as long as it was.
        state.seen = state.durable.clone();
        state.failing = (u32::MAX, 0);
    }
}

impl Disk for Disks {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().seen.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.seen.resize(len as usize, 0);
        state.dirty.truncate(len.div_ceil(SECTOR as u64) as usize);
        Ok(())
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let seen = state.seen.get(at as usize..at as usize + bytes.len());
        bytes.copy_from_slice(seen.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let failed = state.step();
        let len = if failed.is_err() { state.rng.usize(..=bytes.len()) } else { bytes.len() };
        let (at, end) = (at as usize, at as usize + len);
        if state.seen.len() < end {
            state.seen.resize(end, 0);
        }
        state.seen[at..end].copy_from_slice(&bytes[..len]);
        if state.dirty.len() < end.div_ceil(SECTOR) {
            state.dirty.resize(end.div_ceil(SECTOR), false);
        }
        state.dirty[at / SECTOR..end.div_ceil(SECTOR)].fill(true);
        failed
    }

    /// After one that failed, what was written before may be taken for synced and is not.
    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        let failed = state.step();
        if failed.is_err() {
            state.settle();
        } else {
            state.syncs += 1;
            let State { durable, seen, dirty, .. } = &mut *state;
            durable.resize(seen.len(), 0);
            for (number, dirty) in dirty.iter_mut().enumerate() {
                if std::mem::take(dirty) {
                    let end = ((number + 1) * SECTOR).min(seen.len());
                    durable[number * SECTOR..end].copy_from_slice(&seen[number * SECTOR..end]);
                }
            }
        }
        failed
    }
}

type Small = Store<2, 1, 24, 6>;
type Kept = Ledger<24, 6>;

/// All that a store shows, and all that it remembers.
fn image(store: &Small) -> String {
    let mut lines = Vec::new();
    for (id, it) in store.configurations() {
        it.tally().audit().expect("counts are what the rows say");
        lines.push(format!("{id} {} {:?}", it.is_declared(), it.tally().summary()));
        lines.extend(it.tally().devices().map(|row| format!("{id} {row:?}")));
        let users = it.tally().users();
        lines.extend(users.map(|user| format!("{id} {user:?} {:?}", it.names(user.user))));
    }
    for (id, it) in store.scripts() {
        it.tally().audit().expect("counts are what the rows say");
        lines.push(format!("{id} {:?}", it.tally().summary()));
        lines.extend(it.tally().devices().map(|row| format!("{id} {row:?}")));
        lines.extend(it.tally().users().map(|user| format!("{id} {user:?}")));
    }
    lines.sort();
    // A user's key may come back in another spelling.
    lines.join("\n").to_lowercase()
}

/// A request at random, made of the store alone. Time goes on, more or less.
fn ask(store: &mut Small, rng: &mut fastrand::Rng, tick: u32) {
    let (configuration, script) = (Uuid::from_u128(rng.u128(1..4)), Uuid::from_u128(9));
    let h = format!("/deviceManagement/hardwareConfigurations/{configuration}");
    let s = format!("/deviceManagement/deviceManagementScripts/{script}");
    let device = Uuid::from_u128(rng.u128(..30));
    let name = format!("user{}@example.com", rng.u8(..9));
    let user = |of: &Uuid| user_state_id(of, &name.as_str().try_into().expect("a UPN"));
    let states = ["unknown", "success", "fail", "scriptError", "pending", "notApplicable"];
    let state = states[rng.usize(..6)];
    let minute = tick / 3 + rng.u32(..20);
    let at = format!(
        "2026-{:02}-{:02}T{:02}:{:02}:00Z",
        1 + minute / 40320 % 12,
        1 + minute / 1440 % 28,
        minute / 60 % 24,
        minute % 60
    );
    let of = |what: &str, base: u32| {
        ["unknown", "successful", "failed", "error", "pending", "notApplicable"]
            .map(|counter| format!("\"{counter}{what}Count\":{}", base + counter.len() as u32))
            .join(",")
    };
    let (method, path, body) = match rng.u8(..40) {
        0 => ("DELETE", format!("{h}/deviceRunStates/{device}"), String::new()),
        1 => ("DELETE", format!("{s}/deviceRunStates/{device}"), String::new()),
        2 => ("DELETE", format!("{h}/userRunStates/{}", user(&configuration)), String::new()),
        3 => (
            "POST",
            format!("{h}/runSummary"),
            format!("{{{},{},\"lastRunDateTime\":null}}", of("Device", 30), of("User", 9)),
        ),
        4 => ("PATCH", format!("{h}/runSummary"), format!("{{{}}}", of("Device", rng.u32(..90)))),
        5 => (
            "POST",
            format!("{h}/userRunStates"),
            format!(
                "{{{},\"upn\":\"{name}\",\"userName\":\"n{tick}\",\"lastStateUpdateDateTime\":\"2027-01-01T00:00:00Z\"}}",
                of("Device", 30)
            ),
        ),
        6 => (
            "PATCH",
            format!("{h}/userRunStates/{}", user(&configuration)),
            format!("{{\"userEmail\":\"e{tick}\"}}"),
        ),
        7 => (
            "POST",
            format!("{s}/runSummary/$ref"),
            format!(
                "{{\"successDeviceCount\":{tick},\"errorDeviceCount\":99,\"successUserCount\":9,\"errorUserCount\":20}}"
            ),
        ),
        8 => (
            "POST",
            format!("{s}/userRunStates/{}/deviceRunStates", user(&script)),
            format!(
                "{{\"id\":\"{device}\",\"runState\":\"{state}\",\"lastStateUpdateDateTime\":\"{at}\"}}"
            ),
        ),
        9 => (
            "POST",
            format!("{s}/userRunStates"),
            format!(
                "{{\"userPrincipalName\":\"{name}\",\"successDeviceCount\":40,\"errorDeviceCount\":40}}"
            ),
        ),
        10..20 => (
            "POST",
            format!("{s}/deviceRunStates"),
            format!(
                "{{\"id\":\"{device}\",\"runState\":\"{state}\",\"lastStateUpdateDateTime\":\"{at}\"}}"
            ),
        ),
        _ => (
            "POST",
            format!("{h}/deviceRunStates"),
            format!(
                "{{\"id\":\"{device}\",\"upn\":\"{name}\",\"configurationState\":\"{state}\",\
             \"lastStateUpdateDateTime\":\"{at}\"}}"
            ),
        ),
    };
    let request = Request {
        method,
        path: &path,
        authorization: Some("Bearer w"),
        content_type: Some("application/json"),
        body: body.as_bytes(),
        ..Request::default()
    };
    let settings = Settings { write_token: "w", ..Settings::default() };
    let answer = store.handle(&request, &settings, &mut [0; 4096]).status;
    assert!([200, 201, 204, 404, 409, 507].contains(&answer), "{answer}: {method} {path} {body}");
}

fn open(disk: &Arc<Disks>, store: &mut Small) -> (Kept, Recovered) {
    let disk: Arc<dyn Disk> = Arc::<Disks>::clone(disk);
    Kept::open_on(disk, "j".into(), store).expect("power cuts alone never shut a journal")
}

/// How a life goes on: requests, commits, and now and then the worst.
fn live(seed: u64, cuts: bool) -> u32 {
    let mut rng = fastrand::Rng::with_seed(seed);
    let disk = Arc::new(Disks::default());
    disk.state().rng = rng.fork();
    let mut store = Box::new(Small::new());
    let (mut ledger, _) = open(&disk, &mut store);
    store.declare_script(Uuid::from_u128(9)).expect("there is room");
    ledger.declare(RolloutId::Script(Uuid::from_u128(9)), &mut *store).expect("there is room");
    ledger.end_request();
    assert!(ledger.log.commit_next().expect("no failure yet"));

    // What the store held after each request since the last one that is known to be durable.
    let mut since = vec![image(&store)];
    let mut hits = 0;
    for tick in 0..2500 {
        if rng.u8(..30) == 0 {
            let times = if cuts { u32::MAX } else { rng.u32(1..4) };
            disk.state().failing = (rng.u32(..40), times);
        }
        if !ledger.has_failed() || ledger.retry().is_ok() {
            ask(&mut store, &mut rng, tick);
            if ledger.record(&mut *store).is_ok() {
                since.push(image(&store));
            } else if !cuts {
                hits += 1;
                ledger.undo(&mut *store).expect("reading does not fail");
                assert_eq!(since.last(), Some(&image(&store)), "taken back");
            }
        }
        if rng.u8(..8) == 0 && ledger.log.durable().is_some() {
            match ledger.log.commit_next() {
                Ok(_) => since = vec![image(&store)],
                Err(_) if cuts => {}
                Err(error) => {
                    hits += 1;
                    ledger.abandon(&mut *store, &error).expect("reading does not fail");
                    let now = image(&store);
                    assert!(since.contains(&now), "nothing but what was asked for");
                    since = vec![now];
                }
            }
        }
        let is_off = cuts && (ledger.has_failed() || disk.state().failing.0 == 0);
        if is_off || rng.u8(..200) == 0 {
            hits += 1;
            drop(ledger);
            disk.cut();
            let recovered;
            (ledger, recovered) = open(&disk, &mut store);
            assert_eq!(recovered.damaged, 0);
            let now = image(&store);
            assert!(
                since.contains(&now),
                "seed {seed}, {tick}: what was durable is there, and nothing by halves:\n{now}\n\n{}",
                since[0]
            );
            since = vec![now];
        }
    }
    hits
}

#[test]
fn whatever_sectors_a_power_cut_loses_what_was_durable_is_there() {
    let hits: u32 = (0..6).map(|seed| live(seed, true)).sum();
    assert!(hits > 150, "{hits}");
}

#[test]
fn a_disk_that_fails_for_a_while_loses_nothing_that_was_durable() {
    let hits: u32 = (100..106).map(|seed| live(seed, false)).sum();
    assert!(hits > 150, "{hits}");
}

#[test]
fn a_journal_whose_making_was_cut_short_is_made_again() {
    for step in 0.. {
        let disk = Arc::new(Disks::default());
        disk.state().rng = fastrand::Rng::with_seed(step.into());
        disk.state().failing = (step, u32::MAX);
        let mut store = Box::new(Small::new());
        let made = Kept::open_on(Arc::<Disks>::clone(&disk), "j".into(), &mut *store).is_ok();
        disk.cut();
        assert_eq!(open(&disk, &mut store).1, Recovered::default());
        if made {
            assert!(step > 4, "{step} steps");
            return;
        }
    }
}

#[test]
fn a_journal_of_another_capacity_is_refused() {
    let disk = Arc::new(Disks::default());
    open(&disk, &mut Box::new(Small::new()));
    let mut wide = Box::new(Store::<2, 1, 25, 6>::new());
    let error = Ledger::<25, 6>::open_on(disk, "j".into(), &mut *wide).err().expect("refused");
    assert_eq!(
        error.to_string(),
        "it was written for 2 configurations and 1 scripts of 24 devices and 6 users each"
    );
}

#[test]
fn damaged_names_are_counted_and_their_user_stays() {
    let disk = Arc::new(Disks::default());
    let mut store = Box::new(Small::new());
    let (mut ledger, _) = open(&disk, &mut store);
    let settings = Settings { write_token: "w", ..Settings::default() };
    let h = "/deviceManagement/hardwareConfigurations/00000000-0000-0000-0000-000000000001";
    let counts = |what: &str| {
        ["unknown", "successful", "failed", "error", "pending", "notApplicable"]
            .map(|counter| format!("\"{counter}{what}Count\":9"))
            .join(",")
    };
    for (path, body) in [
        ("runSummary", format!("{{{},{}}}", counts("Device"), counts("User"))),
        (
            "userRunStates",
            format!(
                "{{{},\"upn\":\"ada@example.com\",\"userName\":\"Lovelace\",\
             \"lastStateUpdateDateTime\":\"2027-01-01T00:00:00Z\"}}",
                counts("Device")
            ),
        ),
    ] {
        let request = Request {
            method: "POST",
            path: &format!("{h}/{path}"),
            authorization: Some("Bearer w"),
            content_type: Some("application/json"),
            body: body.as_bytes(),
            ..Request::default()
        };
        assert_eq!(store.handle(&request, &settings, &mut [0; 4096]).status, 201);
        ledger.record(&mut *store).expect("there is room");
    }
    ledger.log.commit_next().expect("it is written");
    drop(ledger);

    let ada: Upn = "ada@example.com".try_into().expect("a UPN");
    let names = |store: &Small| {
        let configuration = store.configuration(&Uuid::from_u128(1)).expect("restored");
        configuration.names(&ada).map(|names| names.map(|name| name.map(str::to_owned)))
    };
    let (_, recovered) = open(&disk, &mut store);
    assert_eq!(recovered.damaged, 0);
    assert_eq!(names(&store), Some([None, Some("Lovelace".into())]));

    let mut bytes = disk.state().seen.clone();
    // The batches would put it right.
    bytes[(HEADER + DIRECTORY) as usize..ROLLOUTS as usize].fill(0xff);
    let at = bytes.windows(8).position(|it| it == b"Lovelace").expect("it is in the file");
    bytes[at] ^= 1;
    disk.state().seen = bytes;
    let (_, recovered) = open(&disk, &mut store);
    assert_eq!(recovered.damaged, 1);
    assert_eq!(names(&store), Some([None, None]));
}

#[test]
fn whoever_sees_what_is_on_its_way_waits_for_it() {
    let disk = Arc::new(Disks::default());
    let mut store = Box::new(Small::new());
    let (mut ledger, _) = open(&disk, &mut store);
    assert!(ledger.log.durable().is_none(), "there is nothing to wait for");
    for (failing, says) in [
        (u32::MAX, Ok(())),
        (0, Err("the journal j cannot be written: no storage space".to_owned())),
    ] {
        store.declare_script(Uuid::nil()).expect("there is room");
        ledger.declare(RolloutId::Script(Uuid::nil()), &mut *store).expect("there is room");
        let mut rng = fastrand::Rng::with_seed(1);
        while ledger.log.durable().is_none() {
            ask(&mut store, &mut rng, 0);
            ledger.record(&mut *store).expect("there is room");
        }
        let mut waiting = [(); 2].map(|()| ledger.log.durable().expect("it is on its way"));
        for one in &mut waiting {
            assert!(one.try_recv().is_err(), "not yet");
        }
        disk.state().failing = (failing, 1);
        if let Err(error) = ledger.log.commit_next() {
            ledger.abandon(&mut *store, &error).expect("reading does not fail");
        }
        for one in &mut waiting {
            let answer = one.try_recv().expect("an answer");
            assert_eq!(answer.map_err(|why| why.to_string()), says);
        }
        assert!(ledger.log.durable().is_none(), "there is nothing to wait for any more");
    }
}
