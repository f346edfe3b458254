//! What happens: rings open, devices try, fail, try again, restart, change hands; and the network
//! delays and repeats what they say.

use std::collections::BTreeMap;

use fastrand::Rng;
use runtally::RunState::{self, Fail, NotApplicable, Pending, ScriptError, Success, Unknown};

use crate::fleet::{Device, Fleet};
use crate::json::Client;

/// All times are ticks of 100 ns since 1970 in UTC.
const SECOND: i64 = 10_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Monday, 2026-11-02 06:00 UTC: the first ring opens.
const START: i64 = 20_759 * DAY + 6 * HOUR;
/// 2000-01-01: where a clock starts again when its battery is dead.
const DEAD_CLOCK: i64 = 10_957 * DAY;
/// 9999-12-01: four digits hold no later year.
const CALENDAR_END: i64 = 2_932_864 * DAY;

/// When the rings open, in fourteenths of the roll-out.
const RINGS: [i64; 4] = [0, 2, 4, 7];

/// One document on its way: all that decides its bytes, so that a copy is an exact repeat.
#[derive(Clone, Copy)]
pub(crate) struct Report {
    pub(crate) device: u16,
    pub(crate) user: Option<u16>,
    pub(crate) state: RunState,
    pub(crate) at: i64,
    pub(crate) client: &'static Client,
    /// Written in UTC, not in the device's own time.
    pub(crate) utc: bool,
    /// How often the configuration was tried.
    pub(crate) attempt: u32,
    /// Which update of the operating system runs.
    pub(crate) build: u32,
    /// Chooses among wordings.
    pub(crate) salt: u32,
}

enum Happening {
    /// A device does the next thing it has to do.
    Step(u16),
    /// A report reaches the server.
    Arrival(Report),
}

/// What changes about a device.
#[derive(Clone, Copy)]
struct Life {
    user: Option<u16>,
    attempt: u32,
    build: u32,
    last: Option<Report>,
}

/// The reports of a fleet, in the order in which they arrive.
pub(crate) struct Reports<'a> {
    fleet: &'a Fleet,
    lives: Vec<Life>,
    /// What is to come, by time; the second number keeps happenings of one tick apart.
    agenda: BTreeMap<(i64, u64), Happening>,
    planned: u64,
    end: i64,
    rng: Rng,
}

impl<'a> Reports<'a> {
    /// A roll-out over `days`, after which nothing arrives if it `ends`.
    pub(crate) fn new(fleet: &'a Fleet, days: u16, ends: bool, rng: Rng) -> Self {
        let length = i64::from(days) * DAY;
        let mut reports = Self {
            fleet,
            lives: Vec::with_capacity(fleet.devices.len()),
            agenda: BTreeMap::new(),
            planned: 0,
            end: if ends { START + length } else { CALENDAR_END },
            rng,
        };
        for (number, device) in (0..).zip(&fleet.devices) {
            reports.lives.push(Life { user: device.user, attempt: 0, build: 0, last: None });
            let open = START + length / 14 * RINGS[usize::from(device.ring)];
            let first = reports.rng.i64(open..open + DAY);
            let first = reports.awake(device, first);
            reports.plan(first, Happening::Step(number));
        }
        reports
    }

    fn plan(&mut self, time: i64, happening: Happening) {
        self.agenda.insert((time, self.planned), happening);
        self.planned += 1;
    }

    /// `time`, or the next morning if the device is switched off then.
    fn awake(&mut self, device: &Device, time: i64) -> i64 {
        let local_hour = (time / HOUR + i64::from(device.site.offset / 60)).rem_euclid(24);
        let until_seven = match local_hour {
            0..7 => 7 - local_hour,
            19.. => 31 - local_hour,
            _ => return time,
        };
        if device.always_on { time } else { time + until_seven * HOUR + self.rng.i64(0..2 * HOUR) }
    }

    /// One step in the life of a device: perhaps a new owner, a report, and a time for the next.
    fn step(&mut self, number: u16, now: i64) {
        let fleet = self.fleet;
        let device = &fleet.devices[usize::from(number)];
        let mut life = self.lives[usize::from(number)];
        if let Some(last) = life.last {
            if self.rng.u8(..30) == 0 {
                life.user = Some(self.rng.u16(..fleet.users));
            }
            // Settled devices speak again after a restart, beginning with what they said last.
            if matches!(last.state, Success | NotApplicable) {
                life.build += u32::from(self.rng.bool());
                self.send(last, now);
            }
        }

        let state = self.next_state(device.fate, life.last.map(|last| last.state));
        life.attempt += u32::from(state != Pending);
        // Now and then a clock stands still between two reports, or was lost with its battery.
        let at = match self.rng.u8(..100) {
            0..2 => life.last.map_or(now, |last| last.at),
            2 => DEAD_CLOCK + self.rng.i64(0..HOUR),
            _ => now,
        };
        let report = Report {
            device: number,
            user: life.user,
            state,
            at: at - at % 10_i64.pow(7 - device.digits),
            client: device.client,
            utc: false,
            attempt: life.attempt,
            build: life.build,
            salt: self.rng.u32(..),
        };
        life.last = Some(report);
        self.lives[usize::from(number)] = life;
        self.send(report, now);

        let rest = match state {
            // Some are put in a drawer before they are done.
            Pending if self.rng.u8(..12) == 0 => self.rng.i64(5 * DAY..40 * DAY),
            Pending => self.rng.i64(10 * MINUTE..20 * HOUR),
            Fail | ScriptError if life.attempt < 3 => self.rng.i64(HOUR..9 * HOUR),
            Unknown => self.rng.i64(2 * HOUR..2 * DAY),
            Fail | ScriptError | Success | NotApplicable => self.rng.i64(5 * DAY..15 * DAY),
        };
        let next = self.awake(device, now + rest);
        self.plan(next, Happening::Step(number));
    }

    fn next_state(&mut self, fate: RunState, last: Option<RunState>) -> RunState {
        match (last, self.rng.u8(..100)) {
            (None, 0..50) if fate == NotApplicable => fate,
            (None, _) | (Some(Fail | ScriptError), 0..40) | (Some(Success), 0..5) | (_, 98..) => {
                Pending
            }
            (_, 90..95) => Fail,
            (_, 95..97) => ScriptError,
            (_, 97) => Unknown,
            (_, _) => fate,
        }
    }

    /// Sends a report: most arrive at once, some lie about for days, some arrive twice, and of
    /// those some by way of a gateway that writes the same in other words.
    fn send(&mut self, report: Report, now: i64) {
        let delay = match self.rng.u8(..100) {
            0..6 => self.rng.i64(HOUR..4 * DAY),
            _ => self.rng.i64(0..20 * SECOND),
        };
        self.plan(now + delay, Happening::Arrival(report));
        if self.rng.u8(..100) < 7 {
            let again = match self.rng.u8(..4) {
                0 => Report { client: Client::gateway(), utc: self.rng.bool(), ..report },
                _ => report,
            };
            let pause = self.rng.i64(SECOND..DAY);
            self.plan(now + delay + pause, Happening::Arrival(again));
        }
    }
}

impl Iterator for Reports<'_> {
    type Item = Report;

    fn next(&mut self) -> Option<Report> {
        loop {
            let ((now, _), happening) = self.agenda.pop_first()?;
            match happening {
                _ if now >= self.end => return None,
                Happening::Step(device) => self.step(device, now),
                Happening::Arrival(report) => return Some(report),
            }
        }
    }
}
