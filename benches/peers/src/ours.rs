//! The library: by key, by handle, and by handle with the keys of a mesh.

use runtally::{DeviceHandle, Effect, Event, Summary, Tally};
use uuid::Uuid;

use crate::contender::Contender;
use crate::workload::{Fleet, Report};

/// By key: what arrives names a device.
pub struct ByKey<const N: usize, const U: usize>(Box<Tally<Uuid, Uuid, N, U>>);

/// By handle: the caller kept the row of each device it talks to.
pub struct ByHandle<const N: usize, const U: usize>(Box<Tally<Uuid, Uuid, N, U>>);

/// By handle, with addresses of 16 bits for keys.
pub struct Mesh<const N: usize, const U: usize>(Box<Tally<u16, u16, N, U>>);

macro_rules! new {
    ($name:ident) => {
        impl<const N: usize, const U: usize> Default for $name<N, U> {
            fn default() -> Self {
                Self(Box::new(Tally::new()))
            }
        }
    };
}
new!(ByKey);
new!(ByHandle);
new!(Mesh);

impl<const N: usize, const U: usize> Contender for ByKey<N, U> {
    type Event = Event<Uuid, Uuid>;

    fn event(&self, fleet: &Fleet, report: Report) -> Self::Event {
        fleet.event(report)
    }

    fn apply(&mut self, event: &Self::Event) -> Effect {
        self.0.apply(event).expect("there is room")
    }

    fn summary(&mut self) -> Summary {
        *self.0.summary()
    }
}

impl<const N: usize, const U: usize> Contender for ByHandle<N, U> {
    type Event = (DeviceHandle, Event<Uuid, Uuid>);

    fn event(&self, fleet: &Fleet, report: Report) -> Self::Event {
        let event = fleet.event(report);
        (self.0.find(&event.device).unwrap_or(UNKNOWN), event)
    }

    fn apply(&mut self, (handle, event): &Self::Event) -> Effect {
        self.0.apply_at(*handle, event).expect("there is room")
    }

    fn summary(&mut self) -> Summary {
        *self.0.summary()
    }
}

impl<const N: usize, const U: usize> Contender for Mesh<N, U> {
    type Event = (DeviceHandle, Event<u16, u16>);

    fn event(&self, _: &Fleet, Report { device, user, state, at }: Report) -> Self::Event {
        (self.0.find(&device).unwrap_or(UNKNOWN), Event { device, user, state, at })
    }

    fn apply(&mut self, (handle, event): &Self::Event) -> Effect {
        self.0.apply_at(*handle, event).expect("there is room")
    }

    fn summary(&mut self) -> Summary {
        *self.0.summary()
    }
}

/// A handle like any other: whose row it is, is checked.
const UNKNOWN: DeviceHandle = DeviceHandle::from_number(0).expect("the first row");
