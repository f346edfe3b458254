//! Changes that meet.

use runtally::{Change, Event};

/// The same change of one of 8 devices and one of 4 users.
pub(crate) fn few(change: Change<u16, u16>) -> Change<u16, u16> {
    let (few_devices, few_users) = (|device| device % 8, |user| user % 4);
    match change {
        Change::Event(event) => Change::Event(Event {
            device: few_devices(event.device),
            user: event.user.map(few_users),
            ..event
        }),
        Change::Remove { device, at } => Change::Remove { device: few_devices(device), at },
        Change::Retire { device } => Change::Retire { device: few_devices(device) },
        Change::Declare(summary) => Change::Declare(summary),
        Change::DeclareUser { user, devices, last_update } => {
            Change::DeclareUser { user: few_users(user), devices, last_update }
        }
        Change::UndeclareUser { user } => Change::UndeclareUser { user: few_users(user) },
        Change::RunFrom(at) => Change::RunFrom(at),
    }
}
