//! The changes that the board's journal writes down, on the host and without a journal.

use std::error::Error;
use std::io::{Write, stdout};

use runtally::graph::RunSummary;
use runtally_firmware::changes::{Rows, change};

fn main() -> Result<(), Box<dyn Error>> {
    let mut tally = Box::new(Rows::new());
    // One that is refused changes nothing.
    (0..).map_while(change).for_each(|change| _ = tally.commit(&change));
    let mut json = [0; RunSummary::MAX_JSON];
    let length = RunSummary { id: None, summary: *tally.summary() }.encode(&mut json)?;
    stdout().write_all(&json[..length])?;
    Ok(())
}
