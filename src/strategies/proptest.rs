//! Strategies, and `any::<T>()`.

#[cfg(feature = "graph")]
use std::vec::Vec;

use core::fmt::Debug;

use ::proptest::arbitrary::{Arbitrary, any};
#[cfg(feature = "graph")]
use ::proptest::char::range;
#[cfg(feature = "graph")]
use ::proptest::collection::vec;
use ::proptest::option;
use ::proptest::prelude::{BoxedStrategy, Just, Strategy};
use ::proptest::prop_oneof;
use ::proptest::sample::select;

#[cfg(feature = "graph")]
use super::document::{Damage, Document, Parts, Value};
use super::{LOCAL, MEETING, counts_of, date_time};
use crate::{Change, Counts, DateTime, Event, RunState, Summary};

/// All six run states alike; shrinks to unknown.
///
/// ```
/// use proptest::prelude::*;
/// proptest!(|(state in runtally::strategies::run_states())| {
///     prop_assert_eq!(state.name().parse(), Ok(state));
/// });
/// ```
pub fn run_states() -> impl Strategy<Value = RunState> + Clone {
    select(&RunState::ALL[..])
}

/// Half of them within one second and of few offsets, so that ties come up; half from the whole
/// range, years 0001 to 9999 and offsets -23:59 to +23:59.
///
/// ```
/// use proptest::prelude::*;
/// proptest!(|(at in runtally::strategies::date_times())| {
///     prop_assert_eq!(at.to_string().parse(), Ok(at));
/// });
/// ```
pub fn date_times() -> impl Strategy<Value = DateTime> {
    let near = (0..4i64, select(&[0i16, 60, -480][..])).prop_map(|(step, offset)| {
        let instant = MEETING.saturating_add(step.saturating_mul(2_500_000));
        date_time(instant.saturating_add(super::MINUTE.saturating_mul(offset.into())), offset)
    });
    let ends = prop_oneof![Just(*LOCAL.start()), Just(*LOCAL.end())];
    let local = prop_oneof![8 => LOCAL, 1 => ends];
    let far = (local, -1439..=1439i16).prop_map(|(local, offset)| date_time(local, offset));
    prop_oneof![near, far]
}

/// Counts whose counters are zero, few, many, or at the limit.
///
/// ```
/// use proptest::prelude::*;
/// use runtally::Counts;
/// proptest!(|(counts in runtally::strategies::counts())| {
///     prop_assert_eq!(counts.checked_add(&Counts::ZERO), Ok(counts));
/// });
/// ```
pub fn counts() -> impl Strategy<Value = Counts> {
    let number = prop_oneof![
        6 => Just(0),
        6 => 1..=8u32,
        1 => 0..=Counts::MAX,
        2 => Counts::MAX.saturating_sub(3)..=Counts::MAX,
    ];
    [number.clone(), number.clone(), number.clone(), number.clone(), number.clone(), number]
        .prop_map(counts_of)
}

/// Summaries of such [`counts`] and [`date_times`].
///
/// ```
/// use proptest::prelude::*;
/// use runtally::{Change, Tally};
/// proptest!(|(summary in runtally::strategies::summaries())| {
///     let mut tally: Tally<u16, u16, 1, 1> = Tally::new();
///     prop_assert!(tally.commit(&Change::Declare(summary)).is_ok());
///     prop_assert_eq!(tally.summary(), &summary);
/// });
/// ```
pub fn summaries() -> impl Strategy<Value = Summary> {
    (counts(), counts(), option::of(date_times())).prop_map(|(devices, users, last_run)| Summary {
        devices,
        users,
        last_run,
    })
}

/// Events of these devices for these users, every fourth for none.
///
/// ```
/// use proptest::prelude::*;
/// use runtally::strategies::events;
/// use runtally::{Effect, Tally};
/// proptest!(|(event in events(0..8u16, 0..4u16))| {
///     let mut tally: Tally<u16, u16, 1, 1> = Tally::new();
///     prop_assert_eq!(tally.apply(&event), Ok(Effect::Applied { before: None }));
///     prop_assert_eq!(tally.apply(&event), Ok(Effect::Duplicate));
/// });
/// ```
pub fn events<D: Debug, U: Debug>(
    devices: impl Strategy<Value = D>,
    users: impl Strategy<Value = U>,
) -> impl Strategy<Value = Event<D, U>> {
    (devices, option::weighted(0.75, users), run_states(), date_times())
        .prop_map(|(device, user, state, at)| Event { device, user, state, at })
}

/// Everything that may happen to a tally, three fifths of it [`events`].
///
/// ```
/// use proptest::prelude::*;
/// use runtally::strategies::changes;
/// use runtally::Tally;
/// proptest!(|(changes in prop::collection::vec(changes(0..8u16, 0..4u16), 0..32))| {
///     let mut tally: Tally<u16, u16, 4, 2> = Tally::new();
///     for change in &changes {
///         let before = tally.clone();
///         if tally.commit(change).is_err() {
///             prop_assert_eq!(&tally, &before);
///         }
///     }
///     prop_assert_eq!(tally.audit(), Ok(()));
/// });
/// ```
pub fn changes<D, U>(
    devices: impl Strategy<Value = D> + 'static,
    users: impl Strategy<Value = U> + 'static,
) -> impl Strategy<Value = Change<D, U>>
where
    D: Debug + 'static,
    U: Debug + 'static,
{
    let (devices, users) = (devices.boxed(), users.boxed());
    prop_oneof![
        12 => events(devices.clone(), users.clone()).prop_map(Change::Event),
        2 => (devices.clone(), date_times()).prop_map(|(device, at)| Change::Remove { device, at }),
        2 => devices.prop_map(|device| Change::Retire { device }),
        1 => summaries().prop_map(Change::Declare),
        2 => (users.clone(), counts(), option::of(date_times())).prop_map(
            |(user, devices, last_update)| Change::DeclareUser { user, devices, last_update }
        ),
        1 => users.prop_map(|user| Change::UndeclareUser { user }),
        1 => date_times().prop_map(Change::RunFrom),
    ]
}

macro_rules! any {
    ($type:ty, $strategy:expr) => {
        impl Arbitrary for $type {
            type Parameters = ();
            type Strategy = BoxedStrategy<Self>;

            fn arbitrary_with((): ()) -> Self::Strategy {
                $strategy.boxed()
            }
        }
    };
}

any!(RunState, run_states());
any!(DateTime, date_times());
any!(Counts, counts());
any!(Summary, summaries());
#[cfg(feature = "graph")]
any!(Document, documents());

impl<D: Arbitrary + 'static, U: Arbitrary + 'static> Arbitrary for Event<D, U> {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        events(any::<D>(), any::<U>()).boxed()
    }
}

impl<D: Arbitrary + 'static, U: Arbitrary + 'static> Arbitrary for Change<D, U> {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        changes(any::<D>(), any::<U>()).boxed()
    }
}

/// Valid device states, spelled by no particular hand: properties in any order, escapes where none
/// is needed, white space, unknown properties.
///
/// ```
/// use proptest::prelude::*;
/// use runtally::graph::DeviceState;
/// proptest!(|(document in runtally::strategies::documents())| {
///     let state = DeviceState::decode(&document.json).expect("valid");
///     prop_assert_eq!(state.event(), document.event);
/// });
/// ```
#[cfg(feature = "graph")]
pub fn documents() -> impl Strategy<Value = Document> {
    let text = || vec(characters(), 0..24).prop_map(|text| text.into_iter().collect());
    let parts = (
        (any::<u128>(), option::of(text()), run_states(), date_times()),
        (vec(option::of(option::of(text())), 6), option::of(any::<i32>())),
        vec((text(), values()), 0..3),
    );
    let parts = parts.prop_map(|((id, user, state, at), (texts, version), unknown)| Parts {
        id,
        user,
        state,
        at,
        texts,
        version,
        unknown,
    });
    let properties = parts.prop_flat_map(|parts| {
        let event = parts.event();
        (Just(event), Just(parts.properties()).prop_shuffle())
    });
    (properties, vec(any::<u8>(), 1..64))
        .prop_map(|((event, properties), hand)| Document::spell(event, &properties, &hand))
}

/// Device states that were cut, flipped, doubled or sown with what a parser stumbles over. Some
/// are still valid.
///
/// ```
/// use proptest::prelude::*;
/// use runtally::graph::DeviceState;
/// proptest!(|(json in runtally::strategies::hostile_documents())| {
///     if let Err(error) = DeviceState::decode(&json) {
///         prop_assert!(error.at <= json.len());
///     }
/// });
/// ```
#[cfg(feature = "graph")]
pub fn hostile_documents() -> impl Strategy<Value = Vec<u8>> {
    let damage = (any::<u8>(), any::<u16>(), any::<u8>());
    (documents(), vec(damage, 1..4)).prop_map(|(document, damages)| {
        damages.into_iter().fold(document.json, |json, (kind, at, what)| {
            Damage { kind, at: at.into(), what }.done_to(json)
        })
    })
}

/// Characters of one to four bytes, those among them that JSON treats apart.
#[cfg(feature = "graph")]
fn characters() -> impl Strategy<Value = char> {
    prop_oneof![
        8 => range(' ', '~'),
        2 => select(&['"', '\\', '/', '\n', '\u{0}', '\u{1f}', '\u{7f}', '\u{2028}', '\u{feff}'][..]),
        1 => any::<char>(),
        1 => range('\u{10000}', '\u{1ffff}'),
    ]
}

/// Values of properties that nobody knows.
#[cfg(feature = "graph")]
fn values() -> impl Strategy<Value = Value> {
    let text = || vec(characters(), 0..8).prop_map(|text| text.into_iter().collect());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        select(&["0", "-0", "1e5", "0.5", "-12.25E+3", "1e999", "18446744073709551616"][..])
            .prop_map(Value::Number),
        text().prop_map(Value::Text),
    ];
    // Below the document's own object, which is the first of 16 levels.
    leaf.prop_recursive(14, 24, 3, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::List),
            vec((text(), inner), 0..3).prop_map(Value::Object),
        ]
    })
}
