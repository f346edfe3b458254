//! The six run states: numbers, names, severity.

use core::fmt;
use core::str::FromStr;

/// What a device last said of its run: one of the six members of Graph's `runState`.
///
/// The discriminants are Graph's numbers, the [names](Self::name) Graph's names. The type is not
/// ordered, because there are two orders: [`finality`](Self::finality) orders events of one
/// instant, and [`severity`](Self::severity) rolls a user's devices up.
///
/// Source: Microsoft Graph beta, `runState` enumeration.
///
/// ```
/// use runtally::RunState;
///
/// let state: RunState = "scriptError".parse()?;
/// assert_eq!(state, RunState::ScriptError);
/// assert_eq!(state.number(), 3);
/// assert!(state.severity() > RunState::Fail.severity());
/// # Ok::<(), runtally::ParseRunStateError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
#[repr(u8)]
pub enum RunState {
    /// The device gave no state that is known (0).
    #[default]
    Unknown = 0,
    /// The run ended well (1).
    Success = 1,
    /// The run ended and its outcome is a failure (2).
    Fail = 2,
    /// The run itself broke (3); the wire counts it as `error…`.
    ScriptError = 3,
    /// The run has not ended (4).
    Pending = 4,
    /// The run does not concern this device (5).
    NotApplicable = 5,
}

impl RunState {
    /// All six, in the order of their numbers.
    ///
    /// ```
    /// use runtally::RunState;
    /// assert!(RunState::ALL.iter().enumerate().all(|(n, state)| usize::from(state.number()) == n));
    /// ```
    pub const ALL: [Self; 6] = [
        Self::Unknown,
        Self::Success,
        Self::Fail,
        Self::ScriptError,
        Self::Pending,
        Self::NotApplicable,
    ];

    /// All six by rising finality.
    const BY_FINALITY: [Self; 6] = [
        Self::Unknown,
        Self::Pending,
        Self::NotApplicable,
        Self::Success,
        Self::Fail,
        Self::ScriptError,
    ];

    /// All six by rising severity.
    pub(crate) const BY_SEVERITY: [Self; 6] = [
        Self::NotApplicable,
        Self::Success,
        Self::Unknown,
        Self::Pending,
        Self::Fail,
        Self::ScriptError,
    ];

    /// Graph's number of this state, 0 to 5.
    ///
    /// ```
    /// assert_eq!(runtally::RunState::Pending.number(), 4);
    /// ```
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The state with this number, or `None` above 5.
    ///
    /// ```
    /// use runtally::RunState;
    /// assert_eq!(RunState::from_number(4), Some(RunState::Pending));
    /// assert_eq!(RunState::from_number(6), None);
    /// ```
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Unknown,
            1 => Self::Success,
            2 => Self::Fail,
            3 => Self::ScriptError,
            4 => Self::Pending,
            5 => Self::NotApplicable,
            _ => return None,
        })
    }

    /// Graph's name of this state, as it stands in JSON.
    ///
    /// ```
    /// assert_eq!(runtally::RunState::NotApplicable.name(), "notApplicable");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Success => "success",
            Self::Fail => "fail",
            Self::ScriptError => "scriptError",
            Self::Pending => "pending",
            Self::NotApplicable => "notApplicable",
        }
    }

    /// How far along the run is, 0 to 5: unknown, pending, not applicable, success, fail, script
    /// error.
    ///
    /// Of two events of one device at the same instant, the more final one is recorded. Agents
    /// stamp whole seconds, so a run that takes less than one reports `pending` and `success` at
    /// the same instant.
    ///
    /// ```
    /// use runtally::RunState;
    /// assert!(RunState::Success.finality() > RunState::Pending.finality());
    /// ```
    #[must_use]
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "six finalities, six states")]
    pub const fn finality(self) -> u8 {
        // A table rather than a match, which compiles to an unpredictable jump.
        const FINALITY: [u8; 6] = [0, 3, 4, 5, 1, 2];
        FINALITY[self as usize]
    }

    /// The state with this finality, or `None` above 5.
    ///
    /// ```
    /// use runtally::RunState;
    /// assert_eq!(RunState::from_finality(1), Some(RunState::Pending));
    /// assert_eq!(RunState::from_finality(6), None);
    /// ```
    #[must_use]
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "six states, checked")]
    pub const fn from_finality(finality: u8) -> Option<Self> {
        if finality > 5 {
            return None;
        }
        Some(Self::BY_FINALITY[finality as usize])
    }

    /// The state's rank, 0 to 5: not applicable, success, unknown, pending, fail, script error.
    ///
    /// A user's run state is the most severe among that user's devices.
    ///
    /// ```
    /// use runtally::RunState;
    /// let worst = RunState::ALL.into_iter().max_by_key(|state| state.severity());
    /// assert_eq!(worst, Some(RunState::ScriptError));
    /// ```
    #[must_use]
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "six severities, six states")]
    pub const fn severity(self) -> u8 {
        // A table for the same reason.
        const SEVERITY: [u8; 6] = [2, 1, 4, 5, 3, 0];
        SEVERITY[self as usize]
    }

    /// The state with this severity, or `None` above 5.
    ///
    /// ```
    /// use runtally::RunState;
    /// assert_eq!(RunState::from_severity(0), Some(RunState::NotApplicable));
    /// assert_eq!(RunState::from_severity(6), None);
    /// ```
    #[must_use]
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "six states, checked")]
    pub const fn from_severity(severity: u8) -> Option<Self> {
        if severity > 5 {
            return None;
        }
        Some(Self::BY_SEVERITY[severity as usize])
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Reads Graph's name of a state; case matters.
impl FromStr for RunState {
    type Err = ParseRunStateError;

    fn from_str(name: &str) -> Result<Self, ParseRunStateError> {
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or(ParseRunStateError)
    }
}

/// The text is none of the six names of a [`RunState`].
///
/// ```
/// let error = "Success".parse::<runtally::RunState>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "expected unknown, success, fail, scriptError, pending or notApplicable"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ParseRunStateError;

impl fmt::Display for ParseRunStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected unknown, success, fail, scriptError, pending or notApplicable")
    }
}

impl core::error::Error for ParseRunStateError {}
