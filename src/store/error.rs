//! Why a store refuses.

use core::fmt;

use crate::Refusal;
use crate::sentence::sentence;

/// There is no room for another roll-out of its kind.
///
/// ```
/// use runtally::store::{RolloutId, Store};
/// use runtally::uuid::Uuid;
///
/// let mut store: Store<1, 0, 8, 8> = Store::new();
/// let error = store.insert(RolloutId::script(Uuid::nil())).unwrap_err();
/// assert_eq!(error.to_string(), "no room for another roll-out of this kind: all 0 are taken");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StoreFull {
    /// How many there is room for.
    pub capacity: usize,
}

impl fmt::Display for StoreFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capacity = self.capacity;
        sentence!(f, "no room for another roll-out of this kind: all {} are taken", capacity)
    }
}

impl core::error::Error for StoreFull {}

/// Why a store refused a change. It is as it was before.
///
/// ```
/// use runtally::store::StoreError;
/// assert_eq!(StoreError::Unknown.to_string(), "no such roll-out");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such roll-out.
    Unknown,
    /// There is no room for another roll-out.
    Full(StoreFull),
    /// The roll-out's tally refused the change.
    Refused(Refusal),
}

impl From<StoreFull> for StoreError {
    fn from(full: StoreFull) -> Self {
        Self::Full(full)
    }
}

impl From<Refusal> for StoreError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such roll-out"),
            Self::Full(full) => full.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl core::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Unknown => None,
            Self::Full(full) => Some(full),
            Self::Refused(refusal) => Some(refusal),
        }
    }
}
