//! What a resource looks like on the wire: the properties of its table, as data.

use crate::{Counted, Counter, RunState};

/// A resource's type name and its properties, in the order in which they are written.
pub(crate) struct Shape {
    pub(crate) odata_type: &'static str,
    pub(crate) fields: &'static [Field],
}

/// One property of a resource.
///
/// The name stands here as data: reading a document, nothing is compared more often.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// The number of the member that holds it, from 0; [`TYPE`](Self::TYPE) if none does.
    pub(super) member: u8,
    pub(super) part: Part,
    pub(super) rules: Rules,
}

impl Field {
    /// `@odata.type` is no member: it is the same for every value.
    pub(super) const TYPE: u8 = u8::MAX;
}

/// A member of a Rust struct. Most hold one property, some a property for each of several
/// [parts](Part).
pub(super) struct Member {
    pub(super) names: &'static [(&'static str, Part)],
    pub(super) rules: Rules,
    /// The most bytes of JSON that its value has; a counter's are the same everywhere.
    pub(super) longest: usize,
}

/// The part of its member that a property is.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// All of it; of a summary, the last run.
    Whole,
    Counter(Counter),
}

/// What the Rust type of a member does not say.
#[derive(Clone, Copy)]
pub(super) struct Rules(u8);

impl Rules {
    pub(super) const NONE: Self = Self(0);
    /// Must be given.
    pub(super) const REQUIRED: Self = Self(1);
    /// Written as null where there is no value; without this rule it is left out.
    pub(super) const NULL: Self = Self(1 << 1);
    /// A text that is too long is cut; without this rule it is refused.
    pub(super) const CUT: Self = Self(1 << 2);
    /// An empty text is refused.
    pub(super) const NOT_EMPTY: Self = Self(1 << 3);
    /// An empty text is read as null.
    pub(super) const EMPTY_IS_NULL: Self = Self(1 << 4);

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether this rule holds; of several, any.
    pub(super) const fn has(self, rule: Self) -> bool {
        self.0 & rule.0 != 0
    }
}

/// The most bytes of a counter.
pub(super) const COUNT: usize = "2147483647".len();

/// The order in which the wire lists the counters.
pub(super) const WIRE_ORDER: [RunState; 6] = [
    RunState::Success,
    RunState::Fail,
    RunState::Pending,
    RunState::ScriptError,
    RunState::NotApplicable,
    RunState::Unknown,
];

/// The properties that the counts of devices hold.
pub(super) const DEVICE_COUNTERS: [(&str, Part); 6] = counters(Counted::Devices);

/// The properties that a summary holds.
pub(super) const SUMMARY: [(&str, Part); 13] = {
    let mut parts = [("lastRunDateTime", Part::Whole); 13];
    let (devices, users) = parts.split_at_mut(6);
    devices.copy_from_slice(&DEVICE_COUNTERS);
    users.split_at_mut(6).0.copy_from_slice(&counters(Counted::Users));
    parts
};

const fn counters(of: Counted) -> [(&'static str, Part); 6] {
    let mut counters = [("", Part::Whole); 6];
    let (mut rest, mut states) = (counters.as_mut_slice(), WIRE_ORDER.as_slice());
    while let ([part, other_parts @ ..], [state, other_states @ ..]) = (rest, states) {
        let counter = Counter { of, state: *state };
        *part = (counter.name(), Part::Counter(counter));
        (rest, states) = (other_parts, other_states);
    }
    counters
}

/// How many properties the members hold, `@odata.type` counted.
pub(super) const fn count(mut members: &[Member]) -> usize {
    let mut count = 1_usize;
    while let [member, rest @ ..] = members {
        count = count.saturating_add(member.names.len());
        members = rest;
    }
    count
}

/// The properties that the members hold, after `@odata.type`. `N` is their [`count`].
#[expect(clippy::indexing_slicing, reason = "runs at compile time only")]
pub(super) const fn fields<const N: usize>(mut members: &[Member]) -> [Field; N] {
    let odata_type =
        Field { name: "@odata.type", member: Field::TYPE, part: Part::Whole, rules: Rules::NONE };
    let mut fields = [odata_type; N];
    let (mut at, mut number) = (1_usize, 0_u8);
    while let [member, other_members @ ..] = members {
        let mut names = member.names;
        while let [(name, part), other_names @ ..] = names {
            fields[at] = Field { name, member: number, part: *part, rules: member.rules };
            at = at.saturating_add(1);
            names = other_names;
        }
        number = number.saturating_add(1);
        members = other_members;
    }
    fields
}

/// The most bytes of a resource's JSON: of all its members, or of those that are always written.
pub(super) const fn longest(
    odata_type: &str,
    mut members: &[Member],
    always_written: bool,
) -> usize {
    let always = Rules::REQUIRED.and(Rules::NULL);
    let mut bytes = "{'@odata.type':''}".len().saturating_add(odata_type.len());
    while let [member, other_members @ ..] = members {
        let mut names = member.names;
        while let [(name, part), other_names @ ..] = names
            && (!always_written || member.rules.has(always))
        {
            let value = match part {
                Part::Whole => member.longest,
                Part::Counter(_) => COUNT,
            };
            bytes = bytes.saturating_add(",'':".len());
            bytes = bytes.saturating_add(name.len()).saturating_add(value);
            names = other_names;
        }
        members = other_members;
    }
    bytes
}

/// The properties that are wanted: bit `n` for the field `n` of a shape.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Select(pub(crate) u32);

impl Select {
    pub(crate) const ALL: Self = Self(u32::MAX);
}
