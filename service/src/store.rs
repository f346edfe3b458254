//! The library's store, of any capacity, as the service uses it.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use runtally::graph::{Text, Upn};
use runtally::http::{Reply, Request, Response, Settings};
use runtally::store::{Names, NamesUpdate, Rollout, RolloutId, Store, StoreChange};
use runtally::{Change, DateTime, Effect, Entry, RunState, Summary};
use uuid::Uuid;

use crate::database::{Claims, RolloutRow, Written};

/// What a request is to change, and what that leaves on file.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In which roll-out.
    pub rollout: RolloutId,
    /// The rows it leaves.
    pub written: Vec<Written>,
    /// What no other change of the same transaction may touch.
    pub claims: Claims,
    change: Change<Uuid, Upn>,
    creates: bool,
    names: Option<Names>,
}

/// The counts of one roll-out.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// Which one.
    pub id: RolloutId,
    /// The version that devices are to have.
    pub version: i32,
    /// Its counts.
    pub summary: Summary,
}

/// A [`Store`] of any capacity.
pub trait Rollouts: Send + Sync + 'static {
    /// [`Store::answer`], with the change taken out of the request.
    fn answer<'b>(
        &self,
        request: &Request<'_>,
        settings: &Settings<'_>,
        buffer: &'b mut [u8],
    ) -> (Response<'b>, Option<Plan>);

    /// What retiring a device would change; `None` if it is not known, or retired already.
    fn retire(&self, rollout: RolloutId, device: Uuid) -> Option<Plan>;

    /// [`Store::reseed`].
    fn reseed(&mut self, seed: u64);

    /// Makes a roll-out known. False if it is.
    ///
    /// # Errors
    ///
    /// A sentence, if there is no room for another.
    fn insert(&mut self, rollout: RolloutId) -> Result<bool, String>;

    /// Sets the version of the configuration or script of this id, or of both; gives what is kept
    /// of each beside the rows.
    fn set_version(&mut self, id: Uuid, version: i32) -> Vec<(RolloutId, RolloutRow)>;

    /// Makes a change.
    ///
    /// # Errors
    ///
    /// A sentence, if the store refuses it.
    fn commit(&mut self, plan: &Plan) -> Result<(), String>;

    /// Every roll-out, configurations first.
    fn totals(&self) -> Vec<Totals>;

    /// The devices of each roll-out that are pending for at least `limit`. Looks at every row.
    fn overdue(&self, limit: Duration) -> HashMap<RolloutId, usize>;

    /// The rows that are left for devices and for users.
    fn room(&self, rollout: RolloutId) -> [usize; 2];

    /// The most devices of a roll-out.
    fn capacity(&self) -> usize;

    /// The number of device rows in each state.
    fn live(&self, rollout: RolloutId) -> HashMap<&'static str, u32>;

    /// Looks whether the counts are those of the rows.
    ///
    /// # Errors
    ///
    /// A sentence that names the count which is not.
    fn audit(&self, rollout: RolloutId) -> Result<(), String>;

    /// Takes in what was written; the totals of a roll-out come last.
    ///
    /// # Errors
    ///
    /// A sentence, if it does not fit what is there.
    fn restore(&mut self, rollout: RolloutId, written: &Written) -> Result<(), String>;
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Rollouts for Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    fn answer<'b>(
        &self,
        request: &Request<'_>,
        settings: &Settings<'_>,
        buffer: &'b mut [u8],
    ) -> (Response<'b>, Option<Plan>) {
        let Reply { response, change } = Self::answer(self, request, settings, buffer);
        let plan = change.and_then(|change| plan(self, change));
        (response, plan)
    }

    fn retire(&self, rollout: RolloutId, device: Uuid) -> Option<Plan> {
        plan(self, StoreChange::new(rollout, Change::Retire { device }))
    }

    fn reseed(&mut self, seed: u64) {
        Self::reseed(self, seed);
    }

    fn insert(&mut self, rollout: RolloutId) -> Result<bool, String> {
        Self::insert(self, rollout).map_err(|error| error.to_string())
    }

    fn set_version(&mut self, id: Uuid, version: i32) -> Vec<(RolloutId, RolloutRow)> {
        let both = [RolloutId::configuration(id), RolloutId::script(id)];
        let known = both.into_iter().filter(|id| Self::set_version(self, *id, version));
        let known: Vec<_> = known.collect();
        let row = |id| {
            let is_declared = self.get(id).is_some_and(|it| it.is_declared());
            (id, RolloutRow { is_declared, version })
        };
        known.into_iter().map(row).collect()
    }

    fn commit(&mut self, plan: &Plan) -> Result<(), String> {
        let mut change = StoreChange::new(plan.rollout, plan.change.clone());
        change.creates = plan.creates;
        if let Some(Names { email, name }) = &plan.names {
            change.names = NamesUpdate {
                email: Some(email.as_ref().map(Text::from)),
                name: Some(name.as_ref().map(Text::from)),
            };
        }
        Self::commit(self, &change).map(drop).map_err(|error| error.to_string())
    }

    fn totals(&self) -> Vec<Totals> {
        let totals = self.iter().map(|it| Totals {
            id: it.id(),
            version: it.version(),
            summary: *it.tally().summary(),
        });
        totals.collect()
    }

    fn overdue(&self, limit: Duration) -> HashMap<RolloutId, usize> {
        let now = now();
        self.iter().map(|it| (it.id(), it.tally().overdue(now, limit))).collect()
    }

    fn room(&self, rollout: RolloutId) -> [usize; 2] {
        self.get(rollout).map_or([0; 2], |it| {
            let tally = it.tally();
            [DEVICES - tally.device_count(), USERS - tally.user_count()]
        })
    }

    fn capacity(&self) -> usize {
        DEVICES
    }

    fn live(&self, rollout: RolloutId) -> HashMap<&'static str, u32> {
        let mut live: HashMap<_, _> = RunState::ALL.map(|state| (state.name(), 0)).into();
        if let Some(rollout) = self.get(rollout) {
            let tally = rollout.tally();
            for event in tally.devices() {
                *live.entry(tally.counted(&event).name()).or_default() += 1;
            }
        }
        live
    }

    fn audit(&self, rollout: RolloutId) -> Result<(), String> {
        let audited = self.get(rollout).map(|it| it.tally().audit());
        audited.unwrap_or(Ok(())).map_err(|violation| violation.to_string())
    }

    fn restore(&mut self, rollout: RolloutId, written: &Written) -> Result<(), String> {
        match written {
            Written::Rollout(row) => {
                Self::insert(self, rollout).map_err(|error| error.to_string())?;
                self.restore_declared(rollout, row.is_declared);
                Self::set_version(self, rollout, row.version);
            }
            Written::Entry(entry) => {
                if let Some(tally) = self.tally_mut(rollout) {
                    tally.restore(entry).map_err(|error| error.to_string())?;
                }
            }
            Written::Names(user, names) => {
                if !self.restore_names(rollout, user, names) {
                    return Err(format!("{} has names, and was not declared", user.as_str()));
                }
            }
        }
        Ok(())
    }
}

/// What a change leaves on file; `None` if it leaves nothing.
pub(crate) fn plan<
    const CONFIGURATIONS: usize,
    const SCRIPTS: usize,
    const DEVICES: usize,
    const USERS: usize,
>(
    store: &Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>,
    change: StoreChange<'_>,
) -> Option<Plan> {
    let StoreChange { rollout, change, creates, names } = change;
    let known = store.get(rollout);
    let mut written = Vec::new();
    if creates {
        let version = known.as_ref().map_or(0, Rollout::version);
        written.push(Written::Rollout(RolloutRow { is_declared: true, version }));
    }
    let Some(known) = known else {
        // The first roll-out of its id has no rows, so its totals are those that are declared.
        let empty = runtally::Tally::<Uuid, Upn, 1, 1>::new();
        written.extend(entries(&empty, &change)?.1.into_iter().map(Written::Entry));
        let claims = Claims::Store;
        return Some(Plan { rollout, written, claims, change, creates, names: None });
    };
    let (effect, entries) = entries(known.tally(), &change)?;
    let is_one_device = matches!(&entries[..], [Entry::Device(_)]);
    written.extend(entries.into_iter().map(Written::Entry));
    let names = match &change {
        Change::DeclareUser { user, .. } => Some((user, updated(known.names(user), &names))),
        Change::UndeclareUser { user } => Some((user, Names::NONE)),
        _ => None,
    };
    if let Some((user, names)) = &names
        && names != known.names(user)
    {
        written.push(Written::Names((*user).clone(), names.clone()));
    }
    if written.is_empty() {
        return None;
    }
    let claims = match &change {
        Change::Event(event) if is_one_device && !creates => Claims::Device {
            id: event.device,
            is_new: effect == Effect::Applied { before: None },
            is_new_user: event.user.as_ref().is_some_and(|it| known.tally().user(it).is_none()),
        },
        _ => Claims::Rollout,
    };
    let names = names.map(|(_, names)| names);
    Some(Plan { rollout, written, claims, change, creates, names })
}

/// What a change of a tally comes to, and the entries it leaves.
fn entries<const DEVICES: usize, const USERS: usize>(
    tally: &runtally::Tally<Uuid, Upn, DEVICES, USERS>,
    change: &Change<Uuid, Upn>,
) -> Option<(Effect, Vec<Entry<Uuid, Upn>>)> {
    // A change that would be refused is answered with why, and is none.
    let (effect, entries) = tally.entries_after(change).ok()?;
    Some((effect, entries.map(Entry::cloned).collect()))
}

/// The names of a user after an update.
fn updated(before: &Names, update: &NamesUpdate<'_>) -> Names {
    let copied = |text: Option<Text<'_, 127>>| text.and_then(|text| text.copied().ok());
    Names {
        email: update.email.map_or_else(|| before.email.clone(), copied),
        name: update.name.map_or_else(|| before.name.clone(), copied),
    }
}

/// The time now.
///
/// ```
/// assert!(runtally_service::now() > runtally::DateTime::MIN);
/// ```
#[must_use]
pub fn now() -> DateTime {
    let elapsed = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let now = DateTime::from_unix(elapsed.as_secs().cast_signed(), elapsed.subsec_nanos());
    // The system's clock is before the year 10000.
    now.unwrap_or(DateTime::MIN)
}
