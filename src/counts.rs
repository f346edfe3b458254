//! Six counters with checked arithmetic, indexed by run state.

use core::fmt;
use core::ops::Index;

use crate::RunState;
use crate::sentence::sentence;

/// How many are in each of the six run states.
///
/// Every counter is an `Edm.Int32` that is not negative, 0 to [`Counts::MAX`]; no operation here
/// leaves that range, and none changes anything when it would.
///
/// ```
/// use runtally::{Counts, RunState};
///
/// let counts = Counts::ZERO.with(RunState::Success, 5)?.with(RunState::Fail, 1)?;
/// assert_eq!(counts[RunState::Success], 5);
/// assert_eq!(counts.total(), 6);
/// # Ok::<(), runtally::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "Named", try_from = "Named"))]
pub struct Counts([u32; 6]);

impl Counts {
    /// The most a counter holds: 2 147 483 647, the largest `Edm.Int32`.
    ///
    /// ```
    /// assert_eq!(runtally::Counts::MAX, 2_147_483_647);
    /// ```
    pub const MAX: u32 = i32::MAX.unsigned_abs();

    /// All six at zero.
    ///
    /// ```
    /// assert_eq!(runtally::Counts::ZERO.total(), 0);
    /// ```
    pub const ZERO: Self = Self([0; 6]);

    /// The same counts with the counter of `state` set to `count`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if `count` is above [`Counts::MAX`].
    ///
    /// ```
    /// use runtally::{Counts, RunState};
    /// assert!(Counts::ZERO.with(RunState::Pending, Counts::MAX).is_ok());
    /// assert!(Counts::ZERO.with(RunState::Pending, Counts::MAX + 1).is_err());
    /// ```
    pub const fn with(mut self, state: RunState, count: u32) -> Result<Self, OutOfRange> {
        if count > Self::MAX {
            return Err(OutOfRange { state });
        }
        *self.at(state) = count;
        Ok(self)
    }

    /// The sum of all six.
    ///
    /// ```
    /// use runtally::{Counts, RunState};
    /// assert_eq!(Counts::ZERO.with(RunState::Fail, 3)?.total(), 3);
    /// # Ok::<(), runtally::OutOfRange>(())
    /// ```
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().copied().map(u64::from).sum()
    }

    /// Each state with its count, in the order of the states' numbers.
    ///
    /// ```
    /// use runtally::{Counts, RunState};
    /// let counts = Counts::ZERO.with(RunState::Fail, 3)?;
    /// assert_eq!(counts.iter().filter(|&(_, count)| count > 0).count(), 1);
    /// # Ok::<(), runtally::OutOfRange>(())
    /// ```
    #[must_use]
    pub fn iter(&self) -> <&Self as IntoIterator>::IntoIter {
        self.into_iter()
    }

    /// Counter by counter, the sum.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`], naming the first counter whose sum is above [`Counts::MAX`].
    ///
    /// ```
    /// use runtally::{Counts, RunState};
    /// let most = Counts::ZERO.with(RunState::Fail, Counts::MAX)?;
    /// assert_eq!(most.checked_add(&Counts::ZERO), Ok(most));
    /// assert!(most.checked_add(&most).is_err());
    /// # Ok::<(), runtally::OutOfRange>(())
    /// ```
    pub fn checked_add(&self, other: &Self) -> Result<Self, OutOfRange> {
        self.zip(other, |a, b| a.checked_add(b).filter(|&sum| sum <= Self::MAX))
    }

    /// Counter by counter, the difference.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`], naming the first counter whose difference is negative.
    ///
    /// ```
    /// use runtally::{Counts, RunState};
    /// let one = Counts::ZERO.with(RunState::Fail, 1)?;
    /// assert_eq!(one.checked_sub(&one), Ok(Counts::ZERO));
    /// assert!(Counts::ZERO.checked_sub(&one).is_err());
    /// # Ok::<(), runtally::OutOfRange>(())
    /// ```
    pub fn checked_sub(&self, other: &Self) -> Result<Self, OutOfRange> {
        self.zip(other, u32::checked_sub)
    }

    fn zip(&self, other: &Self, op: impl Fn(u32, u32) -> Option<u32>) -> Result<Self, OutOfRange> {
        let mut result = Self::ZERO;
        for state in RunState::ALL {
            *result.at(state) = op(self[state], other[state]).ok_or(OutOfRange { state })?;
        }
        Ok(result)
    }

    /// The counts of at most 65 534 rows.
    pub(crate) fn from_rows(rows: [u16; 6]) -> Self {
        Self(rows.map(u32::from))
    }

    /// One more in `state`. Callers check for room before they change anything, so this never
    /// meets the limit.
    #[inline]
    pub(crate) fn enter(&mut self, state: RunState) {
        let counter = self.at(state);
        *counter = counter.wrapping_add(1);
    }

    /// One less in `state`. Callers leave only what was entered, so this never meets zero.
    #[inline]
    pub(crate) fn leave(&mut self, state: RunState) {
        let counter = self.at(state);
        *counter = counter.wrapping_sub(1);
    }

    /// # Errors
    ///
    /// If [`shift`](Self::shift) would bring a counter past the limit.
    #[inline]
    pub(crate) fn check_shift(
        &self,
        (before, after): (Option<RunState>, Option<RunState>),
        of: Counted,
    ) -> Result<(), Overflow> {
        match after {
            Some(state) if refuses(self[state], before, after) => {
                Err(Overflow(Counter { of, state }))
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    ///
    /// If a counter is past the limit.
    pub(crate) fn check(&self, of: Counted) -> Result<(), Overflow> {
        match RunState::ALL.into_iter().find(|&state| self[state] > Self::MAX) {
            Some(state) => Err(Overflow(Counter { of, state })),
            None => Ok(()),
        }
    }

    /// One less in the state before, one more in the state after.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn shift(&mut self, (before, after): (Option<RunState>, Option<RunState>)) {
        if let Some(before) = before {
            self.leave(before);
        }
        if let Some(after) = after {
            self.enter(after);
        }
    }

    /// The one door to a counter. A state is a number below six, so the index is in range and the
    /// compiler drops the check.
    #[expect(clippy::indexing_slicing, reason = "six counters, six states")]
    const fn at(&mut self, state: RunState) -> &mut u32 {
        &mut self.0[state as usize]
    }
}

/// True if a counter is full and would be entered. A sum and not two questions: whether the state
/// changes is nothing a processor can foresee, so nothing branches on that alone.
#[inline]
pub(crate) fn refuses(count: u32, before: Option<RunState>, after: Option<RunState>) -> bool {
    count.wrapping_add(u32::from(before != after)) > Counts::MAX
}

impl Index<RunState> for Counts {
    type Output = u32;

    #[expect(clippy::indexing_slicing, reason = "six counters, six states")]
    fn index(&self, state: RunState) -> &u32 {
        &self.0[state as usize]
    }
}

/// The counts in the order of the states' numbers.
///
/// ```
/// use runtally::{Counts, RunState};
/// assert_eq!(Counts::try_from([0, 5, 1, 0, 0, 0])?[RunState::Success], 5);
/// assert!(Counts::try_from([u32::MAX; 6]).is_err());
/// # Ok::<(), runtally::OutOfRange>(())
/// ```
impl TryFrom<[u32; 6]> for Counts {
    type Error = OutOfRange;

    /// # Errors
    ///
    /// [`OutOfRange`], naming the first counter above [`Counts::MAX`].
    fn try_from(counts: [u32; 6]) -> Result<Self, OutOfRange> {
        let counts = Self(counts);
        match RunState::ALL.into_iter().find(|&state| counts[state] > Self::MAX) {
            Some(state) => Err(OutOfRange { state }),
            None => Ok(counts),
        }
    }
}

/// The counts in the order of the states' numbers.
impl From<Counts> for [u32; 6] {
    fn from(counts: Counts) -> Self {
        counts.0
    }
}

/// Each state with its count, in the order of the states' numbers.
impl IntoIterator for &Counts {
    type Item = (RunState, u32);
    type IntoIter =
        core::iter::Zip<core::array::IntoIter<RunState, 6>, core::array::IntoIter<u32, 6>>;

    fn into_iter(self) -> Self::IntoIter {
        RunState::ALL.into_iter().zip(self.0)
    }
}

impl IntoIterator for Counts {
    type Item = (RunState, u32);
    type IntoIter = <&'static Self as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        (&self).into_iter()
    }
}

/// [`Counts`] as serde has them: a counter by the [name](RunState::name) of each state.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "Counts", rename_all = "camelCase")]
struct Named {
    unknown: u32,
    success: u32,
    fail: u32,
    script_error: u32,
    pending: u32,
    not_applicable: u32,
}

#[cfg(feature = "serde")]
impl From<Counts> for Named {
    fn from(counts: Counts) -> Self {
        let Counts([unknown, success, fail, script_error, pending, not_applicable]) = counts;
        Self { unknown, success, fail, script_error, pending, not_applicable }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Named> for Counts {
    type Error = OutOfRange;

    fn try_from(named: Named) -> Result<Self, OutOfRange> {
        let Named { unknown, success, fail, script_error, pending, not_applicable } = named;
        [unknown, success, fail, script_error, pending, not_applicable].try_into()
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(state, count)| (state.name(), count))).finish()
    }
}

/// A counter would leave the range 0 to [`Counts::MAX`].
///
/// ```
/// use runtally::{Counts, RunState};
/// let error = Counts::ZERO.with(RunState::Fail, u32::MAX).unwrap_err();
/// assert_eq!(error.to_string(), "the count of fail would leave the range 0 to 2147483647");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OutOfRange {
    /// The state whose counter it is.
    pub state: RunState,
}

impl OutOfRange {
    /// The same, of a summary's counter.
    pub(crate) const fn of(self, of: Counted) -> Overflow {
        Overflow(Counter { of, state: self.state })
    }
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sentence!(
            f,
            "the count of {} would leave the range 0 to {}",
            self.state.name(),
            Counts::MAX
        )
    }
}

impl core::error::Error for OutOfRange {}

/// What a counter counts.
///
/// ```
/// use runtally::{Counter, Counted, RunState};
/// assert_eq!(Counter { of: Counted::Users, state: RunState::Fail }.name(), "failedUserCount");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum Counted {
    /// Devices: the wire's `…DeviceCount`.
    Devices,
    /// Users: the wire's `…UserCount`.
    Users,
}

/// One of the twelve counters of a summary; displays as its property's name on the wire.
///
/// ```
/// use runtally::{Counter, Counted, RunState};
/// let counter = Counter { of: Counted::Devices, state: RunState::ScriptError };
/// assert_eq!(counter.to_string(), "errorDeviceCount");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counter {
    /// What it counts.
    pub of: Counted,
    /// In which run state.
    pub state: RunState,
}

impl Counter {
    /// The property's name in `hardwareConfigurationRunSummary`.
    ///
    /// ```
    /// use runtally::{Counter, Counted, RunState};
    /// let counter = Counter { of: Counted::Devices, state: RunState::Success };
    /// assert_eq!(counter.name(), "successfulDeviceCount");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match (self.of, self.state) {
            (Counted::Devices, RunState::Unknown) => "unknownDeviceCount",
            (Counted::Devices, RunState::Success) => "successfulDeviceCount",
            (Counted::Devices, RunState::Fail) => "failedDeviceCount",
            (Counted::Devices, RunState::ScriptError) => "errorDeviceCount",
            (Counted::Devices, RunState::Pending) => "pendingDeviceCount",
            (Counted::Devices, RunState::NotApplicable) => "notApplicableDeviceCount",
            (Counted::Users, RunState::Unknown) => "unknownUserCount",
            (Counted::Users, RunState::Success) => "successfulUserCount",
            (Counted::Users, RunState::Fail) => "failedUserCount",
            (Counted::Users, RunState::ScriptError) => "errorUserCount",
            (Counted::Users, RunState::Pending) => "pendingUserCount",
            (Counted::Users, RunState::NotApplicable) => "notApplicableUserCount",
        }
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A counter of the summary would pass [`Counts::MAX`].
///
/// ```
/// use runtally::{Counter, Counted, Overflow, RunState};
/// let overflow = Overflow(Counter { of: Counted::Users, state: RunState::Fail });
/// assert_eq!(overflow.to_string(), "failedUserCount would pass its limit, 2147483647");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Overflow(pub Counter);

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sentence!(f, "{} would pass its limit, {}", self.0.name(), Counts::MAX)
    }
}

impl core::error::Error for Overflow {}
