//! What configurations and scripts have in common: rows, counts, and how they are asked for them.

use uuid::Uuid;

use super::changed::Changed;
use super::list::{self, Rows};
use super::problem::{Problem, Thing};
use super::query::Query;
use super::route::{Pick, Place, Route};
use super::{Request, Settings};
use crate::graph::cursor::Cursor;
use crate::graph::shape::Select;
use crate::graph::shape::Shape;
use crate::graph::{Upn, user_state_id};
use crate::{Event, Of, Outcome, RowId, Tally, UserRow};

/// A configuration or a script.
pub(super) trait Rollout<const DEVICES: usize, const USERS: usize> {
    fn tally(&self) -> &Tally<Uuid, Upn, DEVICES, USERS>;
    fn tally_mut(&mut self) -> &mut Tally<Uuid, Upn, DEVICES, USERS>;

    /// How its summary, its devices and its users look on the wire.
    fn shapes(&self) -> Shapes;
    fn write_summary(&self, id: &Uuid, select: Select, writer: &mut Cursor<'_>);
    fn write_device(&self, row: &Event<&Uuid, &Upn>, select: Select, writer: &mut Cursor<'_>);
    fn write_user(
        &self,
        id: &Uuid,
        row: RowId,
        user: &UserRow<'_, Upn>,
        select: Select,
        writer: &mut Cursor<'_>,
    );

    /// Declares the totals a body gives; creating needs all of them.
    fn declare(
        &mut self,
        id: &Uuid,
        body: &[u8],
        creates: bool,
        writer: &mut Cursor<'_>,
    ) -> Result<(), Problem>;
    /// Declares what a body gives of a user: of one that is known, or of a new one.
    fn declare_user(
        &mut self,
        id: &Uuid,
        known: Option<RowId>,
        body: &[u8],
        writer: &mut Cursor<'_>,
        changed: &mut Changed,
    ) -> Result<(), Problem>;
    /// Applies a body's event, of a user where the path names one. Its echo is written first, so
    /// that one too long changes nothing.
    fn apply_body(
        &mut self,
        user: Option<RowId>,
        body: &[u8],
        writer: &mut Cursor<'_>,
    ) -> Result<(Outcome, Uuid), Problem>;
}

pub(super) struct Shapes {
    pub(super) summary: &'static Shape,
    pub(super) device: &'static Shape,
    pub(super) user: &'static Shape,
}

/// Answers what is asked of a configuration or a script; gives the status.
pub(super) fn answer<const DEVICES: usize, const USERS: usize>(
    rollout: &mut dyn Rollout<DEVICES, USERS>,
    route: &Route,
    request: &Request<'_>,
    settings: &Settings<'_>,
    writer: &mut Cursor<'_>,
    changed: &mut Changed,
) -> Result<u16, Problem> {
    let (id, body) = (&route.id, request.body);
    match (request.method, route.place) {
        ("POST", Place::Summary | Place::SummaryRef) => {
            rollout.declare(id, body, true, writer)?;
            changed.summary();
            Ok(if matches!(route.place, Place::Summary) { 201 } else { 204 })
        }
        ("PATCH", Place::Summary) => {
            rollout.declare(id, body, false, writer)?;
            changed.summary();
            Ok(200)
        }
        ("POST", Place::Users(_)) => {
            rollout.declare_user(id, None, body, writer, changed)?;
            Ok(201)
        }
        ("PATCH", Place::Users(Pick::One(user))) => {
            let row = user_of(rollout, id, user)?.0;
            rollout.declare_user(id, Some(row), body, writer, changed)?;
            Ok(200)
        }
        ("POST", Place::Devices(_) | Place::UserDevices(..)) => {
            post_device(rollout, route, body, writer, changed)
        }
        ("DELETE", Place::Users(Pick::One(user))) => delete_user(rollout, id, user, changed),
        ("DELETE", Place::Devices(Pick::One(device))) => delete_device(rollout, device, changed),
        _ => get(rollout, route, request, settings, writer),
    }
}

// Out of line: in one frame with the others each would pay for their stack.
#[inline(never)]
fn post_device<const DEVICES: usize, const USERS: usize>(
    rollout: &mut dyn Rollout<DEVICES, USERS>,
    route: &Route,
    body: &[u8],
    writer: &mut Cursor<'_>,
    changed: &mut Changed,
) -> Result<u16, Problem> {
    let user = match route.place {
        Place::UserDevices(user, _) => Some(user_of(rollout, &route.id, user)?.0),
        _ => None,
    };
    let (outcome, device) = rollout.apply_body(user, body, writer)?;
    if matches!(outcome, Outcome::Applied { .. }) {
        changed.device(device);
    } else if let Some(recorded) = rollout.tally().device(&device) {
        writer.truncate(0);
        rollout.write_device(&recorded, Select::ALL, writer);
    }
    Ok(201)
}

#[inline(never)]
fn delete_device<const DEVICES: usize, const USERS: usize>(
    rollout: &mut dyn Rollout<DEVICES, USERS>,
    device: Uuid,
    changed: &mut Changed,
) -> Result<u16, Problem> {
    let removed = rollout.tally_mut().remove(&device)?;
    removed.ok_or(Problem::NotFound(Thing::Device, device))?;
    changed.device(device);
    Ok(204)
}

#[inline(never)]
fn delete_user<const DEVICES: usize, const USERS: usize>(
    rollout: &mut dyn Rollout<DEVICES, USERS>,
    id: &Uuid,
    user: Uuid,
    changed: &mut Changed,
) -> Result<u16, Problem> {
    let upn = user_of(rollout, id, user)?.1.clone().folded();
    if rollout.tally_mut().undeclare_user(&upn)? {
        changed.user(&upn);
    }
    Ok(204)
}

#[inline(never)]
fn get<const DEVICES: usize, const USERS: usize>(
    rollout: &dyn Rollout<DEVICES, USERS>,
    route: &Route,
    request: &Request<'_>,
    settings: &Settings<'_>,
    writer: &mut Cursor<'_>,
) -> Result<u16, Problem> {
    let (id, shapes) = (&route.id, rollout.shapes());
    let (shape, pick, user) = match route.place {
        Place::Summary | Place::SummaryRef => {
            let select = Query::parse(request.query, shapes.summary, false)?.select;
            writer.raw(if settings.bare { "" } else { "{\"value\":" });
            rollout.write_summary(id, select, writer);
            writer.raw(if settings.bare { "" } else { "}" });
            return Ok(200);
        }
        Place::Users(pick) => (shapes.user, pick, None),
        Place::Devices(pick) => (shapes.device, pick, None),
        Place::UserDevices(user, pick) => {
            (shapes.device, pick, Some(user_of(rollout, id, user)?.1))
        }
    };
    let is_list = !matches!(pick, Pick::One(_));
    let query = Query::parse(request.query, shape, is_list)?;
    let devices = DeviceRows { rollout, user, select: query.select };
    let users = UserRows { rollout, id, select: query.select };
    let is_users = matches!(route.place, Place::Users(_));
    let rows: &dyn Rows = if is_users { &users } else { &devices };
    match pick {
        Pick::All => list::write(rows, &query, request, settings, writer)?,
        Pick::Count => writer.number(rows.count() as u32),
        Pick::One(one) => {
            let row = if is_users {
                user_of(rollout, id, one)?.0
            } else {
                let found = rollout.tally().find(&one);
                found.ok_or(Problem::NotFound(Thing::Device, one))?
            };
            rows.write(row.number(), writer);
        }
    }
    Ok(200)
}

/// The user whose state has this id: every user's is derived until it is found.
fn user_of<'r, const DEVICES: usize, const USERS: usize>(
    rollout: &'r dyn Rollout<DEVICES, USERS>,
    id: &Uuid,
    user: Uuid,
) -> Result<(RowId, &'r Upn), Problem> {
    let mut users = rollout.tally().user_keys_from(0);
    let found = users.find(|(_, upn)| user_state_id(id, upn) == user);
    found.ok_or(Problem::NotFound(Thing::User, user))
}

struct UserRows<'r, const DEVICES: usize, const USERS: usize> {
    rollout: &'r dyn Rollout<DEVICES, USERS>,
    id: &'r Uuid,
    select: Select,
}

impl<const DEVICES: usize, const USERS: usize> Rows for UserRows<'_, DEVICES, USERS> {
    fn next(&self, from: u16) -> Option<u16> {
        self.rollout.tally().user_keys_from(from).next().map(|(row, _)| row.number())
    }

    fn count(&self) -> usize {
        self.rollout.tally().user_keys_from(0).count()
    }

    fn write(&self, number: u16, writer: &mut Cursor<'_>) {
        if let Some((row, user)) = self.rollout.tally().users_from(number).next() {
            self.rollout.write_user(self.id, row, &user, self.select, writer);
        }
    }
}

/// All devices, or those of one user.
struct DeviceRows<'r, const DEVICES: usize, const USERS: usize> {
    rollout: &'r dyn Rollout<DEVICES, USERS>,
    user: Option<&'r Upn>,
    select: Select,
}

impl<const DEVICES: usize, const USERS: usize> Rows for DeviceRows<'_, DEVICES, USERS> {
    fn next(&self, from: u16) -> Option<u16> {
        let mut devices = self.rollout.tally().devices_from(from);
        let is_listed = |device: &Event<_, _>| self.user.is_none() || device.user == self.user;
        devices.find(|(_, device)| is_listed(device)).map(|(row, _)| row.number())
    }

    fn count(&self) -> usize {
        match self.user {
            Some(user) => self.rollout.tally().user_devices(user).count(),
            // Each is counted in one state.
            None => self.rollout.tally().live(Of::Devices).total() as usize,
        }
    }

    fn write(&self, number: u16, writer: &mut Cursor<'_>) {
        if let Some((_, device)) = self.rollout.tally().devices_from(number).next() {
            self.rollout.write_device(&device, self.select, writer);
        }
    }
}
