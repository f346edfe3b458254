//! What is looked at before the service starts: a start that cannot work says why.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use runtally_service::{Limits, Log, RESERVE, Tokens};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::args::Args;

/// Open files besides the connections: listeners, standard streams, the database.
const FILES: u64 = 64;

/// The longest token file, in bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// What the system grants, as far as the arguments leave it open.
pub(crate) fn limits(args: &Args) -> Result<Limits, Box<dyn Error>> {
    let default = Limits::default();
    let reserve = RESERVE as u64 + FILES;
    let granted = open_files(args.connections.unwrap_or(default.connections) as u64 + reserve);
    let connections = match args.connections {
        Some(connections) => connections,
        None => default.connections.min(granted.saturating_sub(reserve).max(1) as usize),
    };
    let needed = connections as u64 + reserve;
    if needed > granted {
        let hint = "raise it (ulimit -n, LimitNOFILE=) or lower --connections";
        return Err(format!(
            "{connections} connections need {needed} open files, and the limit is {granted}: {hint}"
        )
        .into());
    }
    // Few are meant for few clients.
    let half = if connections > 64 { connections / 2 } else { connections };
    let connections_per_address = args.connections_per_address.unwrap_or(half).min(connections);
    Ok(Limits { connections, connections_per_address, ..default })
}

/// Raises the limit of open files to what is wanted, as far as that is allowed; gives the limit.
fn open_files(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(current) = current else { return u64::MAX };
    if current >= wanted {
        return current;
    }
    let raised = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let limit = Rlimit { current: Some(raised), maximum };
    if setrlimit(Resource::Nofile, limit).is_ok() { raised } else { current }
}

/// Refuses a limit of the size of files below what the counts may come to need.
pub(crate) fn file_size(needed: u64) -> Result<(), Box<dyn Error>> {
    match getrlimit(Resource::Fsize).current {
        Some(limit) if limit < needed => Err(format!(
            "files may grow to {limit} bytes here, and the counts may come to need {needed}: \
             raise the limit (ulimit -f, LimitFSIZE=)"
        )
        .into()),
        _ => Ok(()),
    }
}

/// The tokens of both roles.
pub(crate) fn tokens(args: &Args, log: &Log) -> Result<Tokens, Box<dyn Error>> {
    let read = role("RUNTALLY_READ_TOKEN", args.read_token_file.as_ref(), "may read", log)?;
    let write =
        role("RUNTALLY_WRITE_TOKEN", args.write_token_file.as_ref(), "may read and write", log)?;
    Ok(Tokens::new(read, write)?)
}

/// The tokens in the file, the one of the variable, or a random one.
fn role(
    variable: &str,
    file: Option<&PathBuf>,
    permission: &str,
    log: &Log,
) -> Result<Vec<String>, Box<dyn Error>> {
    let value = std::env::var(variable);
    match (file, value) {
        (Some(file), Err(std::env::VarError::NotPresent)) => in_file(file)
            .map_err(|error| format!("the token file {}: {error}", file.display()).into()),
        (Some(file), _) => {
            let file = file.display();
            Err(format!("both {variable} and the token file {file} are given: use one").into())
        }
        (None, Ok(token)) if token.is_empty() => Err(format!("{variable} is empty").into()),
        (None, Ok(token)) => {
            Tokens::check(&token).map_err(|error| format!("{variable}: {error}"))?;
            Ok(vec![token])
        }
        (None, Err(std::env::VarError::NotUnicode(_))) => {
            Err(format!("{variable} is not text").into())
        }
        (None, Err(std::env::VarError::NotPresent)) => {
            let token = format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?);
            log.line(&format!("token that {permission}, since {variable} is not set: {token}"));
            Ok(vec![token])
        }
    }
}

/// One token per line.
fn in_file(path: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(format!("it is longer than {LONGEST_FILE} bytes").into());
    }
    let tokens: Vec<_> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    for (number, token) in (1..).zip(&tokens) {
        Tokens::check(token).map_err(|error| format!("token {number}: {error}"))?;
    }
    if tokens.is_empty() { Err("it has no token".into()) } else { Ok(tokens) }
}
