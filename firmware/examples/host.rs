//! The roll-out that the board plays, on the host.

use std::error::Error;
use std::io::{Write, stdout};

use runtally_firmware::rollout::{BUFFER, Gateway, play};

fn main() -> Result<(), Box<dyn Error>> {
    let mut store = Box::new(Gateway::new());
    let mut bytes = Vec::new();
    let tallied = play(&mut store, &mut [0; BUFFER], |text| bytes.extend_from_slice(text))?;
    stdout().write_all(&bytes)?;
    eprintln!("{tallied:?}");
    Ok(())
}
