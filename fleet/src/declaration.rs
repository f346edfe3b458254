//! Declarations: totals and users that somebody wrote, as entries of the log. They depend on the
//! order, so each goes to one partition, and is applied at its position there.

use runtally::{Counted, Counter, Counts, DateTime, RunState, Summary};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A declaration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Declaration {
    /// What counts beside the rows of a roll-out: what was written, less what the rows came to when
    /// it was. To the shard of the roll-out's id, in stage 1.
    Totals(Summary),
    /// A user's reported counts. To the user's shard.
    User {
        /// The id of the user's state.
        user: Uuid,
        upn: String,
        devices: Counts,
        last_update: Option<DateTime>,
        names: Names,
    },
    /// A user's declaration is taken back.
    NoUser {
        /// The id of the user's state.
        user: Uuid,
    },
}

/// The e-mail address and full name of a user who was declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Names {
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
}

/// What counts beside the rows so that the roll-out reports what was written.
///
/// # Errors
///
/// The library's sentence, if the rows come to more than that.
pub(crate) fn carried(written: &Summary, live: &Summary) -> Result<Summary, String> {
    let less = |of, written: &Counts, live: &Counts| {
        written.checked_sub(live).map_err(|_| {
            let above = |state: &RunState| live[*state] > written[*state];
            let state = RunState::ALL.into_iter().find(above).unwrap_or_default();
            let (written, live) = (written[state], live[state]);
            let counter = Counter { of, state };
            runtally::Refusal::BelowLive { counter, written, live }.to_string()
        })
    };
    if let Some(latest) = live.last_run.filter(|latest| written.last_run < Some(*latest)) {
        let (of, written) = (Counted::Devices, written.last_run);
        return Err(runtally::Refusal::BeforeRow { of, written, latest }.to_string());
    }
    Ok(Summary {
        devices: less(Counted::Devices, &written.devices, &live.devices)?,
        users: less(Counted::Users, &written.users, &live.users)?,
        last_run: written.last_run,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carried_is_what_was_written_less_what_is_counted() {
        let counts = |failed| Counts::ZERO.with(RunState::Fail, failed).expect("in range");
        let at = |text: &str| Some(text.parse::<DateTime>().expect("a time"));
        let live =
            Summary { devices: counts(3), users: counts(1), last_run: at("2026-11-21T09:30Z") };
        let written = Summary { devices: counts(10), ..live };
        let carried = |written: Summary| super::carried(&written, &live);
        let expected = Summary { devices: counts(7), users: counts(0), ..written };
        assert_eq!(carried(written), Ok(expected));
        let below = carried(Summary { devices: counts(2), ..written }).expect_err("too few");
        assert_eq!(below, "failedDeviceCount was declared as 2, but 3 are counted here");
        let early = carried(Summary { last_run: at("2026-11-21T09:29Z"), ..written });
        assert!(early.expect_err("too early").starts_with("lastRunDateTime was declared as"));
    }
}
