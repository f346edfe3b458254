//! How much memory a tally takes, as the README's table has it.
//!
//! ```text
//! cargo run --example sizes                        # prints the table
//! cargo run --example sizes -- --check README.md   # fails where the README says otherwise
//! cargo run --example sizes -- --update README.md
//! ```

use std::fmt::Write;
use std::mem::size_of;
use std::process::ExitCode;
use std::{env, fs};

use runtally::Tally;
use runtally::graph::Upn;
use runtally::store::Store;
use uuid::Uuid;

/// What stands around the table in the README.
const MARKS: [&str; 2] = ["<!-- sizes -->\n", "<!-- /sizes -->"];

/// The bytes that one more device and one more user take, index included.
macro_rules! per_row {
    ($tally:ident $(, $key:ty)*) => {{
        // A multiple of every alignment.
        const ROWS: usize = 1024;
        let base = size_of::<$tally<$($key,)* ROWS, ROWS>>();
        let devices = size_of::<$tally<$($key,)* { 2 * ROWS }, ROWS>>() - base;
        let users = size_of::<$tally<$($key,)* ROWS, { 2 * ROWS }>>() - base;
        (devices / ROWS, users / ROWS)
    }};
}

type Address = [u8; 16];

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => print!("{}", table()),
        ["--check", file] => match read(file) {
            Ok((_, found, _)) if found == table() => {}
            Ok(_) => return fail(&format!("{file} is out of date: run sizes --update {file}")),
            Err(error) => return fail(&error),
        },
        ["--update", file] => {
            let updated = read(file).and_then(|(before, _, after)| {
                let text = format!("{before}{}{after}", table());
                fs::write(file, text).map_err(|error| format!("cannot write {file}: {error}"))
            });
            if let Err(error) = updated {
                return fail(&error);
            }
        }
        _ => return fail("expected nothing, --check FILE or --update FILE"),
    }
    ExitCode::SUCCESS
}

fn fail(reason: &str) -> ExitCode {
    eprintln!("sizes: {reason}");
    ExitCode::FAILURE
}

/// What stands before, between and after the marks.
fn read(file: &str) -> Result<(String, String, String), String> {
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))?;
    let [begin, end] = MARKS;
    let split = text.split_once(begin).and_then(|(before, rest)| {
        let (table, after) = rest.split_once(end)?;
        Some((format!("{before}{begin}"), table.to_owned(), format!("{end}{after}")))
    });
    split.ok_or_else(|| format!("{file} has no {} … {end}", begin.trim_end()))
}

fn table() -> String {
    let mut table = String::new();
    table.push_str("| keys | bytes per device | bytes per user |\n|---|--:|--:|\n");
    for (keys, (device, user)) in [
        ("`u16` for both, such as an address on a mesh", per_row!(Tally, u16, u16)),
        ("16 bytes for both, such as a GUID", per_row!(Tally, Address, Address)),
        ("GUID and UPN: `Tally<Uuid, Upn, …>`", per_row!(Tally, Uuid, Upn)),
        (
            "the same, with version, e-mail address and name: `Store<1, 0, …>`",
            per_row!(Configuration),
        ),
    ] {
        writeln!(table, "| {keys} | {device} | {user} |").expect("infallible");
    }
    table.push_str("\n| in all | bytes |\n|---|--:|\n");
    for (tally, bytes) in [
        ("`Tally<u16, u16, 16, 4>`", size_of::<Tally<u16, u16, 16, 4>>()),
        ("`Tally<Uuid, Upn, 512, 64>`", size_of::<Tally<Uuid, Upn, 512, 64>>()),
        ("`Store<1, 0, 512, 64>`", size_of::<Store<1, 0, 512, 64>>()),
        ("`Tally<Uuid, Upn, 65_534, 16_384>`", size_of::<Tally<Uuid, Upn, 65_534, 16_384>>()),
    ] {
        writeln!(table, "| {tally} | {} |", grouped(bytes)).expect("infallible");
    }
    table
}

type Configuration<const DEVICES: usize, const USERS: usize> = Store<1, 0, DEVICES, USERS>;

/// In groups of three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> =
        digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group)).collect();
    groups.join(" ")
}
