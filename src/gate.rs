//! Gates: stop a roll-out when too many fail.

use core::fmt;

use crate::{RunState, Summary};

/// When to stop a roll-out: once at least `minimum` devices have executed it and the share of
/// failed ones reaches a threshold.
///
/// A verdict is a function of the summary, in integers. Nothing is latched here: whether a gate
/// *was ever* reached depends on the order in which reports arrived, and no count here does. Latch
/// the first [`Reached`](Verdict::Reached) where you act on it.
///
/// Source: the abort criteria of AWS `IoT` Jobs (`minNumberOfExecutedThings`,
/// `thresholdPercentage`); the error threshold of Eclipse hawkBit's roll-out groups.
///
/// ```
/// use runtally::{Counts, Gate, RunState, Summary, Verdict};
///
/// // Five per cent, but not before fifty devices have executed it.
/// let gate = Gate { minimum: 50, per_10_000: 500, ..Gate::default() };
///
/// let devices = Counts::ZERO.with(RunState::Fail, 3)?.with(RunState::Pending, 900)?;
/// let mut summary = Summary { devices, ..Summary::ZERO };
/// assert_eq!(gate.verdict(&summary), Verdict::TooFew);
/// summary.devices = devices.with(RunState::Success, 97)?;
/// assert_eq!(gate.verdict(&summary), Verdict::Below);
/// summary.devices = devices.with(RunState::Success, 57)?;
/// assert_eq!(gate.verdict(&summary), Verdict::Reached);
/// # Ok::<(), runtally::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Gate {
    /// The states that count as failed. By default fail and script error.
    pub failed: RunStates,
    /// The states that count as executed, the failed ones among them or not. By default success,
    /// fail and script error.
    pub executed: RunStates,
    /// The fewest executed devices for a verdict. One at least is always needed.
    pub minimum: u32,
    /// The share of failed among executed devices that reaches the gate, in hundredths of a per
    /// cent: 500 is 5 %, and with 0 the first failure reaches it. Without any failure no gate is
    /// reached.
    pub per_10_000: u32,
}

/// What a [`Gate`] says of a summary.
///
/// ```
/// use runtally::{Gate, Summary, Verdict};
/// assert_eq!(Gate::default().verdict(&Summary::ZERO), Verdict::TooFew);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum Verdict {
    /// Fewer devices than the minimum have executed it.
    TooFew,
    /// Enough have, and the share of failed ones is below the threshold.
    Below,
    /// The share of failed ones is at the threshold or above: stop.
    Reached,
}

impl Gate {
    /// What the gate says of the devices of a summary.
    ///
    /// ```
    /// use runtally::{Counts, Gate, RunState, Summary, Verdict};
    /// let devices = Counts::ZERO.with(RunState::Fail, 1)?;
    /// assert_eq!(Gate::default().verdict(&Summary { devices, ..Summary::ZERO }), Verdict::Reached);
    /// # Ok::<(), runtally::OutOfRange>(())
    /// ```
    pub fn verdict(&self, summary: &Summary) -> Verdict {
        let sum = |states: RunStates| {
            let counts = summary.devices.iter().filter(|&(state, _)| states.contains(state));
            counts.map(|(_, count)| u64::from(count)).sum::<u64>()
        };
        let (failed, executed) = (sum(self.failed), sum(self.executed));
        if executed < u64::from(self.minimum.max(1)) {
            return Verdict::TooFew;
        }
        // Less than 2^34 devices and 2^32 hundredths: below 2^66.
        let share = u128::from(failed).wrapping_mul(10_000);
        let threshold = u128::from(executed).wrapping_mul(self.per_10_000.into());
        if failed == 0 || share < threshold { Verdict::Below } else { Verdict::Reached }
    }
}

/// The first failure reaches it, of however many devices that executed it.
impl Default for Gate {
    fn default() -> Self {
        let failed = RunStates::NONE.with(RunState::Fail).with(RunState::ScriptError);
        Self { failed, executed: failed.with(RunState::Success), minimum: 1, per_10_000: 0 }
    }
}

/// A set of run states.
///
/// ```
/// use runtally::{RunState, RunStates};
///
/// let ended = RunStates::NONE.with(RunState::Success).with(RunState::Fail);
/// assert!(ended.contains(RunState::Fail));
/// assert_eq!(ended, [RunState::Fail, RunState::Success].into_iter().collect());
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RunStates(
    /// Bit `n` for the state with Graph's number `n`.
    u8,
);

impl RunStates {
    /// The empty set.
    ///
    /// ```
    /// assert_eq!(runtally::RunStates::NONE, runtally::RunStates::default());
    /// ```
    pub const NONE: Self = Self(0);

    /// The set with one more state.
    ///
    /// ```
    /// use runtally::{RunState, RunStates};
    /// assert!(RunStates::NONE.with(RunState::Pending).contains(RunState::Pending));
    /// ```
    #[must_use]
    pub const fn with(self, state: RunState) -> Self {
        Self(self.0 | 1 << state.number())
    }

    /// True if the state is in the set.
    ///
    /// ```
    /// use runtally::{RunState, RunStates};
    /// assert!(!RunStates::NONE.contains(RunState::Pending));
    /// ```
    #[must_use]
    pub const fn contains(self, state: RunState) -> bool {
        self.0 & 1 << state.number() != 0
    }
}

impl fmt::Debug for RunStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(RunState::ALL.iter().filter(|&&state| self.contains(state))).finish()
    }
}

impl FromIterator<RunState> for RunStates {
    fn from_iter<I: IntoIterator<Item = RunState>>(states: I) -> Self {
        states.into_iter().fold(Self::NONE, Self::with)
    }
}
