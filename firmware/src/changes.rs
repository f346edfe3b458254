//! A roll-out's changes, one after the other: made on a board whose power goes again and again, and
//! on a host.

use runtally::graph::{DeviceState, Upn};
use runtally::{Event, Tally};
use uuid::Uuid;

use crate::rollout::TRACE;

/// The roll-out's tally.
pub type Rows = Tally<Uuid, Upn, 64, 16>;

/// Every device reports what the trace says, goes, and comes back.
const ROUNDS: usize = 4;

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    /// A device reports.
    Report(Event<Uuid, Upn>),
    /// A device is removed.
    Remove(Uuid),
    /// A device is retired: its count stays.
    Retire(Uuid),
}

impl Change {
    /// The change of this number; none after the last one.
    #[must_use]
    pub fn number(number: usize) -> Option<Self> {
        let lines = || TRACE.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let count = lines().count();
        let (half, line) = (number / count, number % count);
        let event = DeviceState::decode(lines().nth(line)?).ok()?.event();
        match (half % 2, line % 8) {
            _ if half / 2 >= ROUNDS => None,
            (0, _) => Some(Self::Report(event)),
            _ if half / 2 == ROUNDS - 1 => None,
            (_, 0) => Some(Self::Retire(event.device)),
            _ => Some(Self::Remove(event.device)),
        }
    }

    /// Makes the change. One that is refused changes nothing.
    pub fn make(&self, tally: &mut Rows) {
        match self {
            Self::Report(event) => _ = tally.apply(event),
            Self::Remove(device) => _ = tally.remove(device),
            Self::Retire(device) => _ = tally.retire(device),
        }
    }
}
