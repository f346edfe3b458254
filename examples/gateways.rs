//! Two gateways that saw overlapping reports exchange snapshots and agree:
//! `cargo run --example gateways`.
//!
//! Each counts what reaches it: some reports reach both, some one, in whatever order. Then each
//! sends everything it holds, in pieces of at most 512 bytes over a link that damages some, and
//! absorbs what the other sent. Both then hold what one tally would that had seen all of it.

use std::error::Error;

use runtally::snapshot::{Snapshot, SnapshotError, SnapshotReader};
use runtally::{Change, DateTime, Event, RunState, Tally};

/// Devices and users by their addresses on the mesh.
type Gateway = Tally<u16, u16, 512, 64>;

/// What the link carries at a time.
const PIECE: usize = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let [mut east, mut west, mut all] = [(); 3].map(|()| Box::new(Gateway::new()));
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..2_000 {
        let change = change(&mut rng)?;
        let reaches = rng.u8(0..4);
        if reaches != 0 {
            let _ = east.commit(&change)?;
        }
        if reaches != 1 {
            let _ = west.commit(&change)?;
        }
        let _ = all.commit(&change)?;
    }
    print("before", &east, &west);

    let mut link = Link { rng: fastrand::Rng::with_seed(8), damaged: 0, bytes: 0 };
    link.send(&east, &mut west)?;
    link.send(&west, &mut east)?;
    print("after", &east, &west);
    println!(
        "{} bytes sent, {} pieces damaged on the way and sent again",
        link.bytes, link.damaged
    );

    assert_eq!(east, west, "the gateways agree");
    assert_eq!(east, all, "on what one would hold that had seen everything");
    Ok(())
}

/// A report of one of 300 devices, which may have changed hands, or a removal.
fn change(rng: &mut fastrand::Rng) -> Result<Change<u16, u16>, Box<dyn Error>> {
    let device = rng.u16(0..300);
    // 2026-11-21T09:30:00Z and the hour after.
    let at = DateTime::from_unix(1_795_253_400 + rng.i64(0..3600), 0)?;
    if rng.u8(0..20) == 0 {
        return Ok(Change::Remove { device, at });
    }
    let state = RunState::ALL[rng.usize(0..6)];
    Ok(Change::Event(Event { device, user: Some((device + rng.u16(0..2)) % 60), state, at }))
}

struct Link {
    rng: fastrand::Rng,
    damaged: u32,
    bytes: usize,
}

impl Link {
    /// Sends everything that one gateway holds, until the other has it whole.
    fn send(&mut self, from: &Gateway, to: &mut Gateway) -> Result<(), Box<dyn Error>> {
        while !self.try_send(from, to)? {}
        Ok(())
    }

    /// False if a piece did not arrive as it was sent. What was absorbed before stays; sent again,
    /// it changes nothing.
    fn try_send(&mut self, from: &Gateway, to: &mut Gateway) -> Result<bool, Box<dyn Error>> {
        let mut snapshot = Snapshot::new(from);
        let mut reader = SnapshotReader::absorb();
        let mut buffer = [0; PIECE];
        while let Some(piece) = snapshot.next(&mut buffer)? {
            let mut arrived = piece.to_vec();
            self.bytes += arrived.len();
            if self.rng.u8(0..50) == 0 {
                let byte = self.rng.usize(0..arrived.len());
                arrived[byte] ^= 1 << self.rng.u8(0..8);
            }
            match reader.read(to, &arrived) {
                Ok(_) => {}
                Err(error @ SnapshotError::Refused(_)) => return Err(error.into()),
                Err(_) => {
                    self.damaged += 1;
                    return Ok(false);
                }
            }
        }
        Ok(reader.is_complete())
    }
}

fn print(when: &str, east: &Gateway, west: &Gateway) {
    for (name, gateway) in [("east", east), ("west", west)] {
        let devices = gateway.summary().devices;
        println!("{when:6} {name}: {:3} devices, {devices:?}", devices.total());
    }
}
