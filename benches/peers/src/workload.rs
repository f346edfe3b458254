//! The events: what a fleet reports, the same for every contender.

use runtally::{DateTime, Event, RunState};
use uuid::Uuid;

/// Who takes part. Users are sorted, so that their numbers compare as their keys do.
pub struct Fleet {
    pub devices: Vec<Uuid>,
    pub users: Vec<Uuid>,
}

impl Fleet {
    /// The event that a report is, with keys for numbers.
    pub fn event(&self, report: Report) -> Event<Uuid, Uuid> {
        Event {
            device: self.devices[usize::from(report.device)],
            user: report.user.map(|user| self.users[usize::from(user)]),
            state: report.state,
            at: report.at,
        }
    }
}

/// One event, by the numbers of its device and user in the [`Fleet`].
#[derive(Clone, Copy)]
pub struct Report {
    pub device: u16,
    pub user: Option<u16>,
    pub state: RunState,
    pub at: DateTime,
}

impl Report {
    /// What decides between two events of a device and a user.
    fn order(&self) -> (i64, u8, i16) {
        (self.at.ticks(), self.state.finality(), self.at.offset())
    }
}

/// Which devices report.
#[derive(Clone, Copy, PartialEq)]
pub enum Draw {
    /// Each as often as any other.
    Uniform,
    /// Nine of ten events are of the first tenth of the devices.
    Skewed,
}

/// An endless, seeded stream of events. Of 100 events 86 are news of the device's user, 1 hands
/// the device to another one, 5 are late, 5 come at the recorded date-time, 3 are duplicates.
pub struct Workload {
    pub fleet: Fleet,
    draw: Draw,
    /// The greatest event of each device.
    recorded: Vec<Report>,
    now: i64,
    rng: fastrand::Rng,
}

impl Workload {
    /// A fleet of so many devices, four to a user; every device has reported once.
    pub fn new(devices: usize, draw: Draw) -> Self {
        let mut rng = fastrand::Rng::with_seed(7);
        let keys = |count, rng: &mut fastrand::Rng| {
            let mut keys: Vec<_> = (0..count).map(|_| Uuid::from_u128(rng.u128(..))).collect();
            keys.sort_unstable();
            keys
        };
        let users = keys((devices / 4).max(1), &mut rng);
        let mut devices = keys(devices, &mut rng);
        rng.shuffle(&mut devices);
        let recorded = (0..devices.len())
            .map(|device| Report {
                device: device as u16,
                user: Some(rng.usize(0..users.len()) as u16),
                state: RunState::Pending,
                at: time(0, 0),
            })
            .collect();
        Self { fleet: Fleet { devices, users }, draw, recorded, now: 0, rng }
    }

    /// The first report of every device.
    pub fn first(&self) -> Vec<Report> {
        self.recorded.clone()
    }

    /// The next so many reports.
    pub fn next(&mut self, count: usize) -> Vec<Report> {
        (0..count).map(|_| self.report()).collect()
    }

    fn report(&mut self) -> Report {
        let rng = &mut self.rng;
        let devices = self.recorded.len();
        let among = match self.draw {
            Draw::Skewed if rng.u8(0..10) < 9 => (devices / 10).max(1),
            _ => devices,
        };
        let recorded = &mut self.recorded[rng.usize(0..among)];
        let mut report = Report { state: RunState::ALL[rng.usize(0..6)], ..*recorded };
        match rng.u8(0..100) {
            0..3 => return *recorded,
            3..8 => {
                let earlier = report.at.ticks() - rng.i64(1..1000);
                report.at = DateTime::from_ticks(earlier, 0).expect("a year to come");
                return report;
            }
            // Finality decides.
            8..13 => {}
            other => {
                self.now += 1;
                report.at = time(self.now, [-480, 0, 60, 330][rng.usize(0..4)]);
                if other == 13 {
                    report.user = Some(rng.usize(0..self.fleet.users.len()) as u16);
                }
            }
        }
        if report.order() > recorded.order() {
            *recorded = report;
        }
        report
    }
}

fn time(ticks: i64, offset: i16) -> DateTime {
    // One second apart, from 2026 on.
    DateTime::from_ticks((1_767_225_600 + ticks) * 10_000_000, offset).expect("a year to come")
}
