//! Operations that meet.

use runtally::Event;
use runtally::strategies::Operation;

/// The same operation on one of 8 devices and one of 4 users.
pub(crate) fn few(operation: Operation<u16, u16>) -> Operation<u16, u16> {
    let (device, user) = (|device| device % 8, |user| user % 4);
    match operation {
        Operation::Apply(event) => Operation::Apply(Event {
            device: device(event.device),
            user: event.user.map(user),
            ..event
        }),
        Operation::Remove(it) => Operation::Remove(device(it)),
        Operation::Retire(it) => Operation::Retire(device(it)),
        Operation::Declare(summary) => Operation::Declare(summary),
        Operation::DeclareUser { user: it, devices, last_update } => {
            Operation::DeclareUser { user: user(it), devices, last_update }
        }
        Operation::UndeclareUser(it) => Operation::UndeclareUser(user(it)),
    }
}
