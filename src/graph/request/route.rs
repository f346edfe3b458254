//! Paths: which collection, which configuration or script, and what of it.

use uuid::Uuid;

use super::problem::{Problem, Thing};
use super::uri::{Encoded, next_part};

/// What a path leads to.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) root: Root,
    pub(super) id: Uuid,
    pub(super) place: Place,
}

/// The collection a path begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Configurations,
    Scripts,
}

impl Root {
    pub(super) const fn thing(self) -> Thing {
        match self {
            Self::Configurations => Thing::Configuration,
            Self::Scripts => Thing::Script,
        }
    }
}

/// What of a configuration or script a path names.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Summary,
    SummaryRef,
    Users(Pick),
    Devices(Pick),
    /// The devices of the user whose state has this id.
    UserDevices(Uuid, Pick),
}

/// What of a list a path names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    All,
    Count,
    One(Uuid),
}

impl Route {
    pub(super) fn parse(path: &str) -> Result<Self, Problem> {
        let mut rest = Some(path.strip_prefix('/').ok_or(Problem::NoPath)?);
        let mut next = || next_part(&mut rest, b'/').map(Encoded);
        let one_of = |segment: Option<Encoded<'_>>, words: &[&str]| {
            words.iter().position(|word| segment.is_some_and(|segment| segment.is(word)))
        };

        let mut first = next();
        if one_of(first, &["beta", "v1.0"]).is_some() {
            first = next();
        }
        one_of(first, &["deviceManagement"]).ok_or(Problem::NoPath)?;
        let root = match one_of(next(), &["hardwareConfigurations", "deviceManagementScripts"]) {
            Some(0) => Root::Configurations,
            Some(_) => Root::Scripts,
            None => return Err(Problem::NoPath),
        };
        let (id, list) = (next(), next());
        let (Some(id), Some(list)) = (id, list) else { return Err(Problem::NoPath) };
        let of = [next(), next(), next()];
        let list = one_of(Some(list), &["runSummary", "deviceRunStates", "userRunStates"]);
        let id = guid(id)?;
        let place = match (list, of) {
            (Some(0), [None, ..]) => Place::Summary,
            (Some(0), [Some(word), None, _]) if word.is("$ref") => Place::SummaryRef,
            (Some(1), [pick, None, _]) => Place::Devices(Pick::parse(pick)?),
            (Some(2), [pick, None, _]) => Place::Users(Pick::parse(pick)?),
            (Some(2), [Some(user), Some(devices), pick]) if devices.is("deviceRunStates") => {
                match Pick::parse(pick) {
                    Ok(pick @ (Pick::All | Pick::Count)) => Place::UserDevices(guid(user)?, pick),
                    _ => return Err(Problem::NoPath),
                }
            }
            _ => return Err(Problem::NoPath),
        };
        if rest.is_some() {
            return Err(Problem::NoPath);
        }
        Ok(Self { root, id, place })
    }

    /// The methods the path knows, as the `Allow` header lists them.
    pub(super) const fn allow(&self) -> Option<&'static str> {
        Some(match (self.root, self.place) {
            (Root::Configurations, Place::SummaryRef) => return None,
            (Root::Configurations, Place::Summary) => "GET, POST, PATCH",
            (Root::Configurations, Place::Users(Pick::One(_))) => "GET, PATCH, DELETE",
            (Root::Scripts, Place::SummaryRef) => "POST",
            (_, Place::Devices(Pick::All) | Place::Users(Pick::All))
            | (Root::Scripts, Place::UserDevices(_, Pick::All)) => "GET, POST",
            (_, Place::Devices(Pick::One(_))) | (Root::Scripts, Place::Users(Pick::One(_))) => {
                "GET, DELETE"
            }
            _ => "GET",
        })
    }
}

impl Pick {
    fn parse(segment: Option<Encoded<'_>>) -> Result<Self, Problem> {
        match segment {
            None => Ok(Self::All),
            Some(segment) if segment.is("$count") => Ok(Self::Count),
            Some(segment) => guid(segment).map(Self::One),
        }
    }
}

fn guid(segment: Encoded<'_>) -> Result<Uuid, Problem> {
    segment.guid().ok_or(Problem::NotAGuid)
}
