//! Paths: which collection, which configuration or script, and what of it.

use uuid::Uuid;

use super::problem::Problem;
use super::uri::Encoded;

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

/// What of a configuration or script a path names.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Summary,
    SummaryRef,
    Devices,
    DeviceCount,
    Device(Uuid),
    Users,
    UserCount,
    User(Uuid),
    UserDevices(Uuid),
    UserDeviceCount(Uuid),
}

impl Route {
    pub(super) fn parse(path: &str) -> Result<Self, Problem> {
        let mut segments = path.strip_prefix('/').ok_or(Problem::NoPath)?.split(['/']).map(Encoded);
        let mut next = || segments.next();

        let mut first = next();
        if first.is_some_and(|segment| segment.is("beta") || segment.is("v1.0")) {
            first = next();
        }
        if !first.is_some_and(|segment| segment.is("deviceManagement")) {
            return Err(Problem::NoPath);
        }
        let root = match next() {
            Some(segment) if segment.is("hardwareConfigurations") => Root::Configurations,
            Some(segment) if segment.is("deviceManagementScripts") => Root::Scripts,
            _ => return Err(Problem::NoPath),
        };
        let (id, place) = (next(), next());
        let (Some(id), Some(place)) = (id, place) else { return Err(Problem::NoPath) };
        let rest = [next(), next(), next()];
        let id = guid(id)?;

        let place = if place.is("runSummary") {
            match rest {
                [None, ..] => Place::Summary,
                [Some(segment), None, _] if segment.is("$ref") => Place::SummaryRef,
                _ => return Err(Problem::NoPath),
            }
        } else if place.is("deviceRunStates") {
            match rest {
                [None, ..] => Place::Devices,
                [Some(segment), None, _] if segment.is("$count") => Place::DeviceCount,
                [Some(device), None, _] => Place::Device(guid(device)?),
                _ => return Err(Problem::NoPath),
            }
        } else if place.is("userRunStates") {
            match rest {
                [None, ..] => Place::Users,
                [Some(segment), None, _] if segment.is("$count") => Place::UserCount,
                [Some(user), None, _] => Place::User(guid(user)?),
                [Some(user), Some(devices), None] if devices.is("deviceRunStates") => {
                    Place::UserDevices(guid(user)?)
                }
                [Some(user), Some(devices), Some(count)]
                    if devices.is("deviceRunStates") && count.is("$count") =>
                {
                    Place::UserDeviceCount(guid(user)?)
                }
                _ => return Err(Problem::NoPath),
            }
        } else {
            return Err(Problem::NoPath);
        };
        if segments.next().is_some() {
            return Err(Problem::NoPath);
        }
        Ok(Self { root, id, place })
    }

    /// The methods the path knows, as the `Allow` header lists them.
    pub(super) const fn allow(&self) -> Option<&'static str> {
        Some(match (self.root, self.place) {
            (Root::Configurations, Place::SummaryRef) => return None,
            (Root::Configurations, Place::Summary) => "GET, POST, PATCH",
            (Root::Configurations, Place::User(_)) => "GET, PATCH, DELETE",
            (Root::Scripts, Place::SummaryRef) => "POST",
            (_, Place::Devices | Place::Users) | (Root::Scripts, Place::UserDevices(_)) => {
                "GET, POST"
            }
            (_, Place::Device(_)) | (Root::Scripts, Place::User(_)) => "GET, DELETE",
            _ => "GET",
        })
    }
}

fn guid(segment: Encoded<'_>) -> Result<Uuid, Problem> {
    segment.guid().ok_or(Problem::NotAGuid)
}
