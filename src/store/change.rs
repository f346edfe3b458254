//! What may happen to a roll-out.

use uuid::Uuid;

use super::RolloutId;
use crate::Change;
use crate::graph::{Text, Upn};

/// A change of one roll-out of a store.
///
/// It may borrow names from the body of a request.
///
/// ```
/// use runtally::Change;
/// use runtally::store::{RolloutId, StoreChange};
/// use runtally::uuid::Uuid;
///
/// let retire = Change::Retire { device: Uuid::max() };
/// let change = StoreChange::new(RolloutId::configuration(Uuid::nil()), retire);
/// assert!(!change.creates);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StoreChange<'a> {
    /// The roll-out.
    pub rollout: RolloutId,
    /// What happens to its tally.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub change: Change<Uuid, Upn>,
    /// True if this creates the roll-out's summary, and makes the roll-out known if it is not: it
    /// goes with [`Change::Declare`].
    pub creates: bool,
    /// Names of the user whom [`Change::DeclareUser`] declares.
    pub names: NamesUpdate<'a>,
}

/// Names of a user that are set with a declaration; others stay as they are.
///
/// ```
/// use runtally::store::NamesUpdate;
/// assert_eq!(NamesUpdate::default().email, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NamesUpdate<'a> {
    /// The e-mail address, if it is set; `Some(None)` takes it away.
    pub email: Option<Option<Text<'a, 127>>>,
    /// The full name, if it is set; `Some(None)` takes it away.
    pub name: Option<Option<Text<'a, 127>>>,
}

impl StoreChange<'_> {
    /// A change of a roll-out's tally, without names.
    ///
    /// ```
    /// use runtally::Change;
    /// use runtally::store::{NamesUpdate, RolloutId, StoreChange};
    /// use runtally::uuid::Uuid;
    ///
    /// let undeclare = Change::UndeclareUser { user: "ada@example.com".parse()? };
    /// let change = StoreChange::new(RolloutId::script(Uuid::nil()), undeclare);
    /// assert_eq!(change.names, NamesUpdate::default());
    /// # Ok::<(), runtally::graph::Error>(())
    /// ```
    #[must_use]
    pub fn new(rollout: RolloutId, change: Change<Uuid, Upn>) -> Self {
        Self { rollout, change, creates: false, names: NamesUpdate::default() }
    }
}
