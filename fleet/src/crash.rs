//! Fault points: `RUNTALLY_FLEET_CRASH=after-publish:3` ends the process, as `kill -9` does, when it
//! comes to that point for the third time. For the tests of what is left then.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where a worker can be made to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Entries of the log are applied, and nothing is sent for them.
    Applied,
    /// What is sent for them is on its way.
    Published,
    /// All that was sent is acknowledged, and a snapshot is due.
    Acknowledged,
    /// The rows are in the object store.
    Stored,
    /// The snapshot is the one that holds.
    Swapped,
}

/// The variable that names a point, and how often it is passed.
pub(crate) const VARIABLE: &str = "RUNTALLY_FLEET_CRASH";

const POINTS: [(&str, Point); 5] = [
    ("after-apply", Point::Applied),
    ("after-publish", Point::Published),
    ("after-acknowledgement", Point::Acknowledged),
    ("after-object", Point::Stored),
    ("after-swap", Point::Swapped),
];

/// The point, and how often it may still be come to.
static CRASH: OnceLock<(Point, AtomicU32)> = OnceLock::new();

/// Reads the variable.
pub(crate) fn arm() -> Result<(), crate::Failure> {
    let Ok(value) = std::env::var(VARIABLE) else { return Ok(()) };
    let (name, times) = value.split_once(':').unwrap_or((&value, "1"));
    let point = POINTS.iter().find(|(known, _)| *known == name);
    let times = times.parse().ok().filter(|times| *times > 0);
    let (Some((_, point)), Some(times)) = (point, times) else {
        let names: Vec<_> = POINTS.iter().map(|(name, _)| *name).collect();
        return Err(format!("{VARIABLE}={value}: expected one of {}:N", names.join(", ")).into());
    };
    let _ = CRASH.set((*point, AtomicU32::new(times)));
    Ok(())
}

/// Ends the process if it is time to.
pub(crate) fn here(point: Point) {
    if is_due(point) {
        end();
    }
}

/// Whether it is time to end.
pub(crate) fn is_due(point: Point) -> bool {
    let Some((wanted, left)) = CRASH.get() else { return false };
    *wanted == point && left.fetch_sub(1, Ordering::Relaxed) == 1
}

/// Ends the process, and nothing is tidied up.
pub(crate) fn end() -> ! {
    std::process::abort()
}
