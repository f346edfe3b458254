//! What a path leads to, as far as shards have to be asked for it. Whether it may be asked so is the
//! library's to say.

use runtally::store::RolloutId;
use uuid::Uuid;

/// What of a roll-out a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Summary,
    Devices,
    DeviceCount,
    Device(Uuid),
    Users,
    UserCount,
    User(Uuid),
    UserDevices(Uuid),
    UserDeviceCount(Uuid),
}

/// The roll-out and what of it; none for every other path.
pub(crate) fn parse(path: &str) -> Option<(RolloutId, Target)> {
    let decoded = path.replace("%24", "$");
    let mut parts = decoded.strip_prefix('/')?.split('/').peekable();
    parts.next_if(|part| matches!(*part, "beta" | "v1.0"));
    parts.next_if_eq(&"deviceManagement")?;
    let collection = parts.next()?;
    let id: Uuid = parts.next()?.parse().ok()?;
    let rollout = match collection {
        "hardwareConfigurations" => RolloutId::configuration(id),
        "deviceManagementScripts" => RolloutId::script(id),
        _ => return None,
    };
    let rest: Vec<_> = parts.collect();
    let target = match rest[..] {
        ["runSummary"] | ["runSummary", "$ref"] => Target::Summary,
        ["deviceRunStates"] => Target::Devices,
        ["deviceRunStates", "$count"] => Target::DeviceCount,
        ["deviceRunStates", id] => Target::Device(id.parse().ok()?),
        ["userRunStates"] => Target::Users,
        ["userRunStates", "$count"] => Target::UserCount,
        ["userRunStates", id] => Target::User(id.parse().ok()?),
        ["userRunStates", id, "deviceRunStates"] => Target::UserDevices(id.parse().ok()?),
        ["userRunStates", id, "deviceRunStates", "$count"] => {
            Target::UserDeviceCount(id.parse().ok()?)
        }
        _ => return None,
    };
    Some((rollout, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_they_say() {
        let id = Uuid::from_u128(7);
        let of = |rest: &str| {
            parse(&format!("/beta/deviceManagement/hardwareConfigurations/{id}/{rest}"))
        };
        let rollout = RolloutId::configuration(id);
        assert_eq!(of("runSummary"), Some((rollout, Target::Summary)));
        assert_eq!(of("userRunStates/%24count"), Some((rollout, Target::UserCount)));
        assert_eq!(of(&format!("deviceRunStates/{id}")), Some((rollout, Target::Device(id))));
        assert_eq!(
            of(&format!("userRunStates/{id}/deviceRunStates")),
            Some((rollout, Target::UserDevices(id)))
        );
        assert_eq!(of("deviceRunStates/7"), None);
        assert_eq!(of("runSummary/more/of/it"), None);
        let script = format!("/deviceManagement/deviceManagementScripts/{id}/runSummary");
        assert_eq!(parse(&script), Some((RolloutId::script(id), Target::Summary)));
    }
}
