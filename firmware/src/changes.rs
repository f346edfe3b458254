//! A roll-out's changes, one after the other: made on a board whose power goes again and again, and
//! on a host.

use runtally::graph::{DeviceState, Upn};
use runtally::{Change, DateTime, Tally};
use uuid::Uuid;

use crate::rollout::TRACE;

/// The roll-out's tally.
pub type Rows = Tally<Uuid, Upn, 64, 16>;

/// Every device reports what the trace says, goes, and comes back with a later report.
const ROUNDS: usize = 16;

/// The ticks between two rounds: 30 days, so that every report of a round is later than all that came
/// before.
const MONTH: i64 = 24 * 60 * 60 * DateTime::TICKS_PER_SECOND * 30;

/// The change of this number; none after the last one.
#[must_use]
pub fn change(number: usize) -> Option<Change<Uuid, Upn>> {
    let lines = || TRACE.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let count = lines().count();
    let (half, line) = (number / count, number % count);
    let mut event = DeviceState::decode(lines().nth(line)?).ok()?.event();
    let later = MONTH * i64::try_from(half).ok()?;
    event.at = DateTime::from_ticks(event.at.ticks() + later, event.at.offset()).ok()?;
    match (half % 2, line % 8) {
        _ if half / 2 >= ROUNDS => None,
        (0, _) => Some(Change::Event(event)),
        _ if half / 2 == ROUNDS - 1 => None,
        (_, 0) => Some(Change::Retire { device: event.device }),
        _ => Some(Change::Remove { device: event.device, at: event.at }),
    }
}
