//! What the last request changed, for a journal to write down.
//!
//! Without the feature `journal` nothing is kept.

use uuid::Uuid;

use super::route::Root;
use crate::graph::Upn;

/// One row or the summary of one roll-out.
#[derive(Clone, Debug)]
pub(super) struct Changed {
    #[cfg(feature = "journal")]
    what: What,
    #[cfg(feature = "journal")]
    is_script: bool,
    /// The roll-out's place among those of its kind.
    #[cfg(feature = "journal")]
    place: usize,
    #[cfg(feature = "journal")]
    device: Uuid,
    #[cfg(feature = "journal")]
    user: Option<Upn>,
}

#[cfg(feature = "journal")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Nothing,
    Device,
    User,
    Summary,
}

impl Changed {
    #[cfg(feature = "journal")]
    pub(super) const NOTHING: Self =
        Self { what: What::Nothing, is_script: false, place: 0, device: Uuid::nil(), user: None };
    #[cfg(not(feature = "journal"))]
    pub(super) const NOTHING: Self = Self {};
}

#[cfg(feature = "journal")]
impl Changed {
    /// A request for this roll-out begins.
    pub(super) fn begin(&mut self, root: Root, place: usize) {
        self.what = What::Nothing;
        self.is_script = matches!(root, Root::Scripts);
        self.place = place;
    }

    pub(super) fn nothing(&mut self) {
        self.what = What::Nothing;
    }

    pub(super) fn device(&mut self, device: Uuid) {
        (self.what, self.device) = (What::Device, device);
    }

    pub(super) fn user(&mut self, user: &Upn) {
        (self.what, self.user) = (What::User, Some(user.clone()));
    }

    pub(super) fn summary(&mut self) {
        self.what = What::Summary;
    }

    /// The change, whether it is of a script, and the roll-out's place.
    pub(super) fn change(&self) -> Option<(crate::journal::Change<'_, Uuid, Upn>, bool, usize)> {
        use crate::journal::Change;
        let change = match self.what {
            What::Nothing => return None,
            What::Device => Change::Device(&self.device),
            What::User => Change::User(self.user.as_ref()?),
            What::Summary => Change::Summary,
        };
        Some((change, self.is_script, self.place))
    }
}

#[cfg(not(feature = "journal"))]
#[expect(clippy::unused_self, reason = "there is nothing to keep")]
impl Changed {
    pub(super) fn begin(&mut self, _root: Root, _place: usize) {}
    pub(super) fn nothing(&mut self) {}
    pub(super) fn device(&mut self, _device: Uuid) {}
    pub(super) fn user(&mut self, _user: &Upn) {}
    pub(super) fn summary(&mut self) {}
}
