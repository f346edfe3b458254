//! What the service has beside Graph's requests: what is rolled out, for the page; retiring devices;
//! and beginning a roll-out anew.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use runtally::DateTime;
use runtally::http::Access;
use runtally::store::{Kind, RolloutId};
use runtally_service::refuse;
use uuid::Uuid;

use super::{Asked, Gateway};
use crate::Failure;
use crate::wire::Entry;

/// How long the number of overdue devices is kept.
const OVERDUE_KEPT: Duration = Duration::from_secs(2);

const KINDS: [(Kind, &str); 2] =
    [(Kind::Configuration, "hardwareConfiguration"), (Kind::Script, "deviceManagementScript")];

impl Gateway {
    /// `/rollouts` and everything below it.
    pub(super) async fn rollouts(&self, asked: &Asked) -> Result<Response, Failure> {
        let Some(access) = self.access(&asked.head.headers) else {
            return Ok(self.dry(asked, RolloutId::configuration(Uuid::nil())).into_response());
        };
        let parts: Vec<_> = asked.head.uri.path().split('/').skip(2).collect();
        let allowed = if parts.is_empty() { "GET, HEAD" } else { "POST" };
        let is_allowed = allowed.split(", ").any(|method| method == asked.head.method.as_str());
        let rollout = match parts[..] {
            [] if is_allowed => return self.known(access).await,
            [kind, id, ..] => self.rollout(kind, id),
            _ => None,
        };
        let no_such = refuse(StatusCode::NOT_FOUND, "itemNotFound", "no such resource");
        if !is_allowed {
            let message = format!("method not allowed (allowed: {allowed})");
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return Ok(refuse(status, "methodNotAllowed", &message));
        }
        let Some(rollout) = rollout else { return Ok(no_such) };
        if asked.head.method == Method::POST && access != Access::Write {
            let message = "the token may only read; this needs one that may write";
            return Ok(refuse(StatusCode::FORBIDDEN, "accessDenied", message));
        }
        match parts[2..] {
            ["devices", device, "retire"] => match device.parse() {
                Ok(device) => self.retire(rollout, device).await,
                Err(_) => Ok(no_such),
            },
            ["runFrom"] => self.run_from(rollout, &asked.body).await,
            _ => Ok(no_such),
        }
    }

    fn rollout(&self, kind: &str, id: &str) -> Option<RolloutId> {
        let (kind, _) = KINDS.into_iter().find(|(_, name)| *name == kind)?;
        let rollout = RolloutId { kind, id: id.parse().ok()? };
        self.options.rollouts.contains_key(&rollout).then_some(rollout)
    }

    async fn known(&self, access: Access) -> Result<Response, Failure> {
        let overdue = self.overdue().await?;
        let rollouts = self.options.rollouts.iter().map(|(rollout, version)| {
            let kind = KINDS.into_iter().find(|(kind, _)| *kind == rollout.kind);
            serde_json::json!({
                "kind": kind.map(|(_, name)| name),
                "id": rollout.id.to_string(),
                "version": version,
                "overdue": overdue.get(rollout).copied().unwrap_or(0),
                "gate": null,
            })
        });
        let body = serde_json::json!({
            "access": if access == Access::Write { "write" } else { "read" },
            "value": rollouts.collect::<Vec<_>>(),
        });
        Ok(([("content-type", "application/json")], body.to_string()).into_response())
    }

    /// What is overdue: found out every two seconds at most, because every row is looked at.
    pub(super) async fn overdue(&self) -> Result<BTreeMap<RolloutId, usize>, Failure> {
        let mut kept = self.overdue.lock().await;
        if let Some((at, overdue)) = &*kept
            && at.elapsed() < OVERDUE_KEPT
        {
            return Ok(overdue.clone());
        }
        let limit = self.options.overdue.as_secs().cast_signed() * DateTime::TICKS_PER_SECOND;
        let now = runtally_service::now();
        let at = DateTime::from_ticks(now.ticks() - limit, 0).unwrap_or(DateTime::MIN);
        let overdue = self.shards.overdue(at).await?;
        *kept = Some((Instant::now(), overdue.clone()));
        Ok(overdue)
    }

    /// `POST /rollouts/{kind}/{id}/devices/{id}/retire`, as the service has it.
    async fn retire(&self, rollout: RolloutId, device: Uuid) -> Result<Response, Failure> {
        let known = self.shards.device(rollout, device).await?;
        if known.is_none_or(|row| row.retired) {
            let message = "no such device is counted";
            return Ok(refuse(StatusCode::NOT_FOUND, "itemNotFound", message));
        }
        let shard = self.shards.layout().shard(&device);
        self.devices.send(rollout, shard, Entry::Retire { shard, device }).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    /// `POST /rollouts/{kind}/{id}/runFrom`: every device whose record is from before the instant in
    /// the body, or now, counts as pending.
    async fn run_from(&self, rollout: RolloutId, body: &[u8]) -> Result<Response, Failure> {
        let at = match body.trim_ascii() {
            [] => Some(runtally_service::now()),
            body => serde_json::from_slice::<serde_json::Value>(body)
                .ok()
                .and_then(|value| value.get("runFrom")?.as_str()?.parse::<DateTime>().ok()),
        };
        let Some(at) = at else {
            let message = "the body must be empty, or such as \
                           {\"runFrom\":\"2026-11-21T09:30:00Z\"}";
            return Ok(refuse(StatusCode::BAD_REQUEST, "badRequest", message));
        };
        // Every shard of both stages has to know.
        for stage in [&self.devices, &self.users] {
            stage.send_to_all(rollout, &Entry::RunFrom(at)).await?;
        }
        Ok(StatusCode::NO_CONTENT.into_response())
    }
}
