//! The library's store, of any capacity, as the service uses it: with an index of its users.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use runtally::graph::{Text, Upn, user_state_id};
use runtally::http::{Reply, Request, Response, Settings};
use runtally::store::{Names, NamesUpdate, Rollout, RolloutId, Store, StoreChange};
use runtally::{Change, DateTime, Effect, Entry, RunState, Summary, UserHandle};
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

/// A [`Store`], and where its users are by the ids of their states: a path that names a user takes
/// one SHA-1, however many there are.
///
/// Empty, it is all zero bytes, like the store in it.
#[derive(Clone, Debug)]
pub struct IndexedStore<
    const CONFIGURATIONS: usize,
    const SCRIPTS: usize,
    const DEVICES: usize,
    const USERS: usize,
> {
    store: Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>,
    /// Every user who has a row, and nobody else.
    users: BTreeMap<RolloutId, HashMap<Uuid, UserHandle>>,
}

/// An [`IndexedStore`] of any capacity.
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

    /// Looks whether the counts are those of the rows, and the index knows every user.
    ///
    /// # Errors
    ///
    /// A sentence that names what is not so.
    fn audit(&self, rollout: RolloutId) -> Result<(), String>;

    /// Takes in what was written; the totals of a roll-out come last.
    ///
    /// # Errors
    ///
    /// A sentence, if it does not fit what is there.
    fn restore(&mut self, rollout: RolloutId, written: &Written) -> Result<(), String>;
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    IndexedStore<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    /// A store without configurations and scripts.
    #[must_use]
    pub const fn new() -> Self {
        Self { store: Store::new(), users: BTreeMap::new() }
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS> {
        &self.store
    }

    fn find(&self, rollout: RolloutId, id: Uuid) -> Option<UserHandle> {
        self.users.get(&rollout)?.get(&id).copied()
    }

    fn row(&self, rollout: RolloutId, user: &Upn) -> Option<UserHandle> {
        self.store.get(rollout)?.tally().find_user(user)
    }

    /// Whose device it is, or was before it was retired.
    fn owner(&self, rollout: RolloutId, device: &Uuid) -> Option<&Upn> {
        let tally = self.store.get(rollout)?.tally();
        match tally.tombstone(device) {
            Some(Entry::Retired { event, .. }) => event.user,
            Some(_) => None,
            None => tally.device(device)?.user,
        }
    }

    /// Changes the store, and then the index: the rows that come and go are those of the user whom
    /// the change names and of the one whose device it was.
    fn change<R>(
        &mut self,
        rollout: RolloutId,
        (device, user): (Option<&Uuid>, Option<&Upn>),
        change: impl FnOnce(&mut Store<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>) -> R,
    ) -> R {
        let owner = device.and_then(|device| self.owner(rollout, device)).cloned();
        let users = [owner.as_ref(), user].map(|user| Some((user?, self.row(rollout, user?))));
        let result = change(&mut self.store);
        for (user, before) in users.into_iter().flatten() {
            let now = self.row(rollout, user);
            if now == before {
                continue;
            }
            let id = user_state_id(&rollout.id, user);
            let index = self.users.entry(rollout).or_default();
            match now {
                Some(row) => index.insert(id, row),
                None => index.remove(&id),
            };
        }
        result
    }
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Default for IndexedStore<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const CONFIGURATIONS: usize, const SCRIPTS: usize, const DEVICES: usize, const USERS: usize>
    Rollouts for IndexedStore<CONFIGURATIONS, SCRIPTS, DEVICES, USERS>
{
    fn answer<'b>(
        &self,
        request: &Request<'_>,
        settings: &Settings<'_>,
        buffer: &'b mut [u8],
    ) -> (Response<'b>, Option<Plan>) {
        let user_by_id = |rollout, id| self.find(rollout, id);
        let settings = Settings { user_by_id: Some(&user_by_id), ..*settings };
        let Reply { response, change } = self.store.answer(request, &settings, buffer);
        let plan = change.and_then(|change| plan(&self.store, change));
        (response, plan)
    }

    fn retire(&self, rollout: RolloutId, device: Uuid) -> Option<Plan> {
        plan(&self.store, StoreChange::new(rollout, Change::Retire { device }))
    }

    fn reseed(&mut self, seed: u64) {
        self.store.reseed(seed);
    }

    fn insert(&mut self, rollout: RolloutId) -> Result<bool, String> {
        self.store.insert(rollout).map_err(|error| error.to_string())
    }

    fn set_version(&mut self, id: Uuid, version: i32) -> Vec<(RolloutId, RolloutRow)> {
        let both = [RolloutId::configuration(id), RolloutId::script(id)];
        let known = both.into_iter().filter(|id| self.store.set_version(*id, version));
        let known: Vec<_> = known.collect();
        let row = |id| {
            let is_created = self.store.get(id).is_some_and(|it| it.is_created());
            (id, RolloutRow { is_created, version })
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
        let committed = self.change(plan.rollout, touched(&plan.change), |it| it.commit(&change));
        committed.map(drop).map_err(|error| error.to_string())
    }

    fn totals(&self) -> Vec<Totals> {
        let totals = self.store.iter().map(|it| Totals {
            id: it.id(),
            version: it.version(),
            summary: *it.tally().summary(),
        });
        totals.collect()
    }

    fn overdue(&self, limit: Duration) -> HashMap<RolloutId, usize> {
        let now = now();
        self.store.iter().map(|it| (it.id(), it.tally().overdue(now, limit))).collect()
    }

    fn room(&self, rollout: RolloutId) -> [usize; 2] {
        self.store.get(rollout).map_or([0; 2], |it| {
            let tally = it.tally();
            [DEVICES - tally.device_count(), USERS - tally.user_count()]
        })
    }

    fn capacity(&self) -> usize {
        DEVICES
    }

    fn live(&self, rollout: RolloutId) -> HashMap<&'static str, u32> {
        let mut live: HashMap<_, _> = RunState::ALL.map(|state| (state.name(), 0)).into();
        if let Some(rollout) = self.store.get(rollout) {
            let tally = rollout.tally();
            for event in tally.devices() {
                *live.entry(tally.counted(&event).name()).or_default() += 1;
            }
        }
        live
    }

    fn audit(&self, rollout: RolloutId) -> Result<(), String> {
        let Some(tally) = self.store.get(rollout).map(|it| it.tally()) else { return Ok(()) };
        tally.audit().map_err(|violation| violation.to_string())?;
        let (found, users) = (self.users.get(&rollout).map_or(0, HashMap::len), tally.user_count());
        if found != users {
            return Err(format!("the index has {found} users, and there are {users}"));
        }
        for user in tally.users() {
            let id = user_state_id(&rollout.id, user.user);
            if self.find(rollout, id) != tally.find_user(user.user) {
                return Err(format!("the index has another row for the user of {id}"));
            }
        }
        Ok(())
    }

    fn restore(&mut self, rollout: RolloutId, written: &Written) -> Result<(), String> {
        match written {
            Written::Rollout(row) => {
                self.store.insert(rollout).map_err(|error| error.to_string())?;
                self.store.restore_created(rollout, row.is_created);
                self.store.set_version(rollout, row.version);
            }
            Written::Entry(entry) => {
                self.change(rollout, restored(entry), |store| {
                    let tally = store.tally_mut(rollout);
                    tally.map_or(Ok(()), |tally| tally.restore(entry))
                })
                .map_err(|error| error.to_string())?;
            }
            Written::Names(user, names) => {
                if !self.store.restore_names(rollout, user, names) {
                    return Err(format!("{} has names, and was not declared", user.as_str()));
                }
            }
        }
        Ok(())
    }
}

/// The device and the user whom a change names.
const fn touched(change: &Change<Uuid, Upn>) -> (Option<&Uuid>, Option<&Upn>) {
    match change {
        Change::Event(event) => (Some(&event.device), event.user.as_ref()),
        Change::Remove { device, .. } | Change::Retire { device } => (Some(device), None),
        Change::DeclareUser { user, .. } | Change::UndeclareUser { user } => (None, Some(user)),
        Change::Declare(_) | Change::RunFrom(_) => (None, None),
    }
}

/// The device and the user of whom an entry is.
const fn restored(entry: &Entry<Uuid, Upn>) -> (Option<&Uuid>, Option<&Upn>) {
    match entry {
        Entry::Device(event) | Entry::Retired { event, .. } => {
            (Some(&event.device), event.user.as_ref())
        }
        Entry::Removed { device, .. } => (Some(device), None),
        Entry::User { user, .. } => (None, Some(user)),
        Entry::Totals(_) => (None, None),
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
        written.push(Written::Rollout(RolloutRow { is_created: true, version }));
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
