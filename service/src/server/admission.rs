//! Who may have a connection, and who makes room for whom.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::{Instant as Deadline, timeout, timeout_at};

use super::{Limits, RESERVE};
use crate::metrics::Metrics;

/// A connection that has waited for its client for less than this makes no room for another.
const YOUNG: Duration = Duration::from_secs(1);

/// Admission control of all connections.
///
/// A new one is *admitted* if there is a slot for it, or else gets a seat in the reserve. Whoever
/// waits there for a slot has it made: of the address with the most connections, the one that has
/// waited for its client longest is closed. So connections that do nothing starve nobody,
/// whoever opened them, and many from one address do not drive out a few from others.
pub(super) struct Admission {
    limits: Limits,
    metrics: Arc<Metrics>,
    start: Instant,
    state: Mutex<State>,
    /// Somebody has left.
    freed: Notify,
}

#[derive(Default)]
struct State {
    seats: HashMap<u64, Held>,
    /// Seats of each network: all, and those with a slot.
    networks: HashMap<IpAddr, [usize; 2]>,
    next: u64,
    admitted: usize,
}

struct Held {
    network: IpAddr,
    shared: Arc<Shared>,
}

impl Held {
    fn is_admitted(&self) -> bool {
        self.shared.is_admitted.load(Ordering::Relaxed)
    }
}

/// A connection's seat. It is given back when the last handle is dropped.
pub(crate) struct Seat {
    number: u64,
    network: IpAddr,
    admission: Arc<Admission>,
    shared: Arc<Shared>,
}

struct Shared {
    /// The millisecond since when the client is waited for; 0, it waits for us.
    since: AtomicU64,
    is_admitted: AtomicBool,
    /// It waits for a slot with a request at hand.
    is_queued: AtomicBool,
    is_leaving: AtomicBool,
    leave: Notify,
}

impl Admission {
    pub(super) fn new(limits: Limits, metrics: Arc<Metrics>) -> Self {
        let state = Mutex::default();
        Self { limits, metrics, start: Instant::now(), state, freed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64 + 1
    }

    /// Waits until there is a seat for one more, and makes one free if it must.
    pub(super) async fn room(&self) {
        loop {
            {
                let mut state = self.state();
                let is_full = state.seats.len() - state.admitted >= RESERVE;
                if !is_full {
                    return;
                }
                state.evict(self.now(), 0, |held| !held.is_admitted());
            }
            // It may have been freed in between.
            let _ = timeout(Duration::from_millis(10), self.freed.notified()).await;
        }
    }

    /// A seat for this client.
    pub(super) fn take(self: &Arc<Self>, client: IpAddr) -> Arc<Seat> {
        let network = network(client);
        let shared = Arc::new(Shared {
            since: AtomicU64::new(self.now()),
            is_admitted: AtomicBool::new(false),
            is_queued: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
            leave: Notify::new(),
        });
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.networks.entry(network).or_default()[0] += 1;
        state.seats.insert(number, Held { network, shared: Arc::clone(&shared) });
        self.admit(&mut state, number, network);
        drop(state);
        self.metrics.opened();
        Arc::new(Seat { number, network, admission: Arc::clone(self), shared })
    }

    /// Gives the seat a slot if there is one.
    fn admit(&self, state: &mut State, number: u64, network: IpAddr) -> bool {
        let of_network = state.networks.get(&network).map_or(0, |[_, admitted]| *admitted);
        if state.admitted >= self.limits.connections
            || of_network >= self.limits.connections_per_address
        {
            return false;
        }
        if let Some(held) = state.seats.get_mut(&number) {
            held.shared.is_admitted.store(true, Ordering::Relaxed);
            state.admitted += 1;
            state.networks.entry(network).or_default()[1] += 1;
        }
        true
    }

    /// Closes an admitted connection to make room for one of this network.
    fn make_room(&self, state: &mut State, network: IpAddr) {
        let of_network = state.networks.get(&network).map_or(0, |[_, admitted]| *admitted);
        let is_own = of_network >= self.limits.connections_per_address;
        state.evict(self.now(), YOUNG.as_millis() as u64, |held| {
            held.is_admitted() && (!is_own || held.network == network)
        });
    }
}

impl State {
    /// Tells one of these connections to leave, if one has waited for its client at least this
    /// long.
    fn evict(&mut self, now: u64, least: u64, is_eligible: impl Fn(&Held) -> bool) {
        let candidates = self.seats.values().filter(|held| is_eligible(held)).filter_map(|held| {
            let since = held.shared.since.load(Ordering::Relaxed);
            let waits = since > 0 && now.saturating_sub(since) >= least;
            if !waits || held.shared.is_leaving.load(Ordering::Relaxed) {
                return None;
            }
            let of_network = self.networks.get(&held.network).map_or(0, |[all, _]| *all);
            Some((of_network, now.saturating_sub(since), held))
        });
        if let Some((.., held)) = candidates.max_by_key(|(of_network, age, _)| (*of_network, *age))
        {
            held.shared.is_leaving.store(true, Ordering::Relaxed);
            held.shared.leave.notify_one();
        }
    }
}

impl Seat {
    /// The client is waited for: for a request, the rest of one, or to read an answer.
    pub(crate) fn waits(&self) {
        self.shared.since.store(self.admission.now(), Ordering::Relaxed);
    }

    /// The client waits for its answer.
    pub(crate) fn works(&self) {
        self.shared.since.store(0, Ordering::Relaxed);
    }

    /// Comes when this connection has to make room.
    pub(super) async fn evicted(&self) {
        loop {
            self.shared.leave.notified().await;
            if self.shared.is_queued.load(Ordering::Relaxed) {
                // It is told that there is no slot.
                continue;
            }
            if self.shared.since.load(Ordering::Relaxed) > 0 {
                return;
            }
            // A request came in between.
            self.shared.is_leaving.store(false, Ordering::Relaxed);
        }
    }

    /// True if the connection has a slot, or gets one within `limit`.
    pub(super) async fn is_admitted(&self, limit: Duration) -> bool {
        if self.shared.is_admitted.load(Ordering::Relaxed) {
            return true;
        }
        self.shared.is_queued.store(true, Ordering::Relaxed);
        let is_admitted = self.queue(Deadline::now() + limit).await;
        self.shared.is_queued.store(false, Ordering::Relaxed);
        is_admitted
    }

    async fn queue(&self, deadline: Deadline) -> bool {
        loop {
            {
                let mut state = self.admission.state();
                if self.admission.admit(&mut state, self.number, self.network) {
                    self.shared.is_leaving.store(false, Ordering::Relaxed);
                    return true;
                }
                self.admission.make_room(&mut state, self.network);
            }
            let is_leaving = self.shared.is_leaving.load(Ordering::Relaxed);
            if is_leaving || Deadline::now() >= deadline {
                return false;
            }
            // Somebody may have left in between, or grown old enough to leave.
            let next = (Deadline::now() + Duration::from_millis(50)).min(deadline);
            let _ = timeout_at(next, self.admission.freed.notified()).await;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        if let Some(held) = state.seats.remove(&self.number) {
            let admitted = usize::from(held.is_admitted());
            state.admitted -= admitted;
            if let Some(count) = state.networks.get_mut(&self.network) {
                count[0] -= 1;
                count[1] -= admitted;
                if count[0] == 0 {
                    state.networks.remove(&self.network);
                }
            }
        }
        drop(state);
        self.admission.metrics.ended();
        self.admission.freed.notify_waiters();
    }
}

/// What counts as one address: an IPv6 client has a network of 64 bits to itself.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(client) => {
            let bits = client.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(bits.into())
        }
        client @ IpAddr::V4(_) => client,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, connections_per_address: usize) -> Arc<Admission> {
        let limits = Limits { connections, connections_per_address, ..Limits::default() };
        Arc::new(Admission::new(limits, Arc::default()))
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn is_leaving(seat: &Seat) -> bool {
        seat.shared.is_leaving.load(Ordering::Relaxed)
    }

    /// As if its client had been waited for this long.
    fn age(seat: &Seat, millis: u64) {
        // A test's clock begins with it.
        seat.shared
            .since
            .store((seat.admission.now() + 10_000).saturating_sub(millis), Ordering::Relaxed);
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let one = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(one("2001:db8::1"), one("2001:db8::ffff:1"));
        assert_ne!(one("2001:db8::1"), one("2001:db8:0:1::1"));
        assert_eq!(one("::ffff:192.0.2.1"), one("192.0.2.1"));
    }

    #[tokio::test]
    async fn the_greediest_address_makes_room_with_its_longest_waiting() {
        let mut admission = admission(4, 4);
        // Ten seconds ago.
        Arc::get_mut(&mut admission).expect("nobody else").start -= Duration::from_secs(10);
        let few = admission.take(address(1));
        age(&few, 20_000);
        let many: Vec<_> = (0..3).map(|_| admission.take(address(2))).collect();
        for (seat, millis) in many.iter().zip([12_000, 15_000, 13_000]) {
            age(seat, millis);
        }
        let new = admission.take(address(3));
        assert!(!new.is_admitted(Duration::ZERO).await);
        assert!(is_leaving(&many[1]) && !is_leaving(&few), "the longest of the many");
        many[1].evicted().await;
        let mut many = many;
        drop(many.remove(1));
        assert!(new.is_admitted(Duration::ZERO).await);
    }

    #[tokio::test]
    async fn whoever_works_or_just_came_stays() {
        let admission = admission(2, 2);
        let working = admission.take(address(1));
        working.works();
        let young = admission.take(address(1));
        let new = admission.take(address(2));
        assert!(!new.is_admitted(Duration::ZERO).await);
        assert!(!is_leaving(&working) && !is_leaving(&young));
        drop(working);
        assert!(new.is_admitted(Duration::ZERO).await);
    }

    #[tokio::test]
    async fn one_address_does_not_take_every_place() {
        let admission = admission(4, 2);
        let own: Vec<_> = (0..3).map(|_| admission.take(address(1))).collect();
        assert!(!own[2].is_admitted(Duration::ZERO).await);
        let other = admission.take(address(2));
        assert!(other.is_admitted(Duration::ZERO).await);
    }

    #[tokio::test]
    async fn the_reserve_makes_room_for_itself() {
        let admission = admission(0, 0);
        let seats: Vec<_> = (0..RESERVE).map(|_| admission.take(address(1))).collect();
        assert!(timeout(Duration::from_millis(50), admission.room()).await.is_err());
        let leaving = seats.iter().filter(|seat| is_leaving(seat)).count();
        assert!(leaving > 0);
        drop(seats);
        admission.room().await;
    }
}
