//! What names a roll-out.

use core::fmt;

use uuid::Uuid;

/// What is rolled out.
///
/// ```
/// use runtally::store::Kind;
/// assert_eq!(Kind::Script.to_string(), "script");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Kind {
    /// A hardware configuration: Graph's `hardwareConfiguration`.
    Configuration,
    /// A management script: Graph's `deviceManagementScript`.
    Script,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Script => "script",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A roll-out of a [`Store`](super::Store).
///
/// ```
/// use runtally::store::RolloutId;
/// use runtally::uuid::Uuid;
/// assert_ne!(RolloutId::script(Uuid::nil()), RolloutId::configuration(Uuid::nil()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RolloutId {
    /// What is rolled out.
    pub kind: Kind,
    /// Which one.
    #[cfg_attr(feature = "defmt", defmt(Display2Format))]
    pub id: Uuid,
}

impl RolloutId {
    /// The configuration with this id.
    ///
    /// ```
    /// use runtally::store::{Kind, RolloutId};
    /// assert_eq!(RolloutId::configuration(runtally::uuid::Uuid::nil()).kind, Kind::Configuration);
    /// ```
    #[must_use]
    pub const fn configuration(id: Uuid) -> Self {
        Self { kind: Kind::Configuration, id }
    }

    /// The script with this id.
    ///
    /// ```
    /// use runtally::store::{Kind, RolloutId};
    /// assert_eq!(RolloutId::script(runtally::uuid::Uuid::nil()).kind, Kind::Script);
    /// ```
    #[must_use]
    pub const fn script(id: Uuid) -> Self {
        Self { kind: Kind::Script, id }
    }
}
