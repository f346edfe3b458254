//! Paths: which collection, which configuration or script, and what of it.

use uuid::Uuid;

use super::problem::Problem;
use super::uri::{Encoded, next_part};
use crate::store::{Kind, RolloutId};

/// What a path leads to.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) rollout: RolloutId,
    pub(super) target: Target,
}

/// The methods that some path allows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Patch,
    Delete,
}

impl Method {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }
}

/// What of a configuration or script a path names.
#[derive(Clone, Copy)]
pub(super) enum Target {
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
    pub(super) fn parse(path: &str) -> Result<Self, Problem<'static>> {
        let mut rest = Some(path.strip_prefix('/').ok_or(Problem::NoPath)?);
        let mut next = || next_part(&mut rest, b'/').map(Encoded);
        let mut first = next();
        if one_of(first, &["beta", "v1.0"]).is_some() {
            first = next();
        }
        one_of(first, &["deviceManagement"]).ok_or(Problem::NoPath)?;
        let kind = match one_of(next(), &["hardwareConfigurations", "deviceManagementScripts"]) {
            Some(0) => Kind::Configuration,
            Some(_) => Kind::Script,
            None => return Err(Problem::NoPath),
        };
        let (id, list) = (next(), next());
        let (Some(id), Some(list)) = (id, list) else { return Err(Problem::NoPath) };
        let of = [next(), next(), next()];
        let list = one_of(Some(list), &["runSummary", "deviceRunStates", "userRunStates"]);
        let id = guid(id)?;
        let target = match (list, of) {
            (Some(0), [None, ..]) => Target::Summary,
            (Some(0), [Some(word), None, _]) if word.is("$ref") => Target::SummaryRef,
            (Some(1), [pick, None, _]) => Target::Devices(Pick::parse(pick)?),
            (Some(2), [pick, None, _]) => Target::Users(Pick::parse(pick)?),
            (Some(2), [Some(user), Some(devices), pick]) if devices.is("deviceRunStates") => {
                match Pick::parse(pick) {
                    Ok(pick @ (Pick::All | Pick::Count)) => Target::UserDevices(guid(user)?, pick),
                    _ => return Err(Problem::NoPath),
                }
            }
            _ => return Err(Problem::NoPath),
        };
        if rest.is_some() {
            return Err(Problem::NoPath);
        }
        Ok(Self { rollout: RolloutId { kind, id }, target })
    }

    /// The methods the path allows, as the `Allow` header lists them.
    pub(super) const fn allow(&self) -> Option<&'static str> {
        Some(match (self.rollout.kind, self.target) {
            (Kind::Configuration, Target::SummaryRef) => return None,
            (Kind::Configuration, Target::Summary) => "GET, POST, PATCH",
            (Kind::Configuration, Target::Users(Pick::One(_))) => "GET, PATCH, DELETE",
            (Kind::Script, Target::SummaryRef) => "POST",
            (_, Target::Devices(Pick::All) | Target::Users(Pick::All))
            | (Kind::Script, Target::UserDevices(_, Pick::All)) => "GET, POST",
            (_, Target::Devices(Pick::One(_))) | (Kind::Script, Target::Users(Pick::One(_))) => {
                "GET, DELETE"
            }
            _ => "GET",
        })
    }
}

/// Which of these words the segment is.
#[inline(never)]
fn one_of(segment: Option<Encoded<'_>>, words: &[&str]) -> Option<usize> {
    words.iter().position(|word| segment.is_some_and(|segment| segment.is(word)))
}

impl Pick {
    fn parse(segment: Option<Encoded<'_>>) -> Result<Self, Problem<'static>> {
        match segment {
            None => Ok(Self::All),
            Some(segment) if segment.is("$count") => Ok(Self::Count),
            Some(segment) => guid(segment).map(Self::One),
        }
    }
}

fn guid(segment: Encoded<'_>) -> Result<Uuid, Problem<'static>> {
    segment.guid().ok_or(Problem::NotAGuid)
}
