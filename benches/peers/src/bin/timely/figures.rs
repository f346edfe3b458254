//! What one run took.

use std::fs;
use std::time::{Duration, Instant};

use runtally::Summary;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What a run took and came to, as a child process tells it.
#[derive(Clone, Copy, Deserialize, Serialize)]
pub struct Figures {
    /// Seconds by the clock.
    pub clock: f64,
    /// Seconds of processor time, of all threads.
    pub processor: f64,
    /// Bytes of resident memory more than before.
    pub resident: u64,
    pub summary: Summary,
}

/// What there was before a run.
#[derive(Clone, Copy)]
pub struct Meter {
    began: Instant,
    processor: Duration,
    resident: u64,
}

impl Meter {
    pub fn start() -> Self {
        let resident = resident();
        Self { began: Instant::now(), processor: processor(), resident }
    }

    /// What it took from the start until now. The summary comes later.
    pub fn stop(self) -> Figures {
        let clock = self.began.elapsed();
        Figures {
            clock: clock.as_secs_f64(),
            processor: processor().saturating_sub(self.processor).as_secs_f64(),
            resident: resident().saturating_sub(self.resident),
            summary: Summary::ZERO,
        }
    }
}

/// The processor time of this process.
fn processor() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("it is not negative")
}

/// The bytes of this process that are in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.expect("a number of kB") * 1024
}
