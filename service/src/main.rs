//! `runtally-service`: the command.

mod args;

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use args::{Args, Ask};
use runtally::graph::RolloutId;
use runtally_service::{Committer, Desk, Journaled, Options, demo, router, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Eight configurations and eight scripts, each of 65 534 devices and 16 384 users. Empty, it is
/// all zero bytes: the system gives memory to a row when it is first written.
static DESK: Mutex<Desk<Journaled<8, 8, 65_534, 16_384>>> = Mutex::new(Desk::new(Journaled::new()));

fn main() -> ExitCode {
    let args = match Ask::from_env() {
        Ok(Ask::Serve(args)) => args,
        Ok(Ask::Help) => return print(args::HELP),
        Ok(Ask::Version) => return print(concat!("runtally-service ", env!("CARGO_PKG_VERSION"))),
        Err(error) => {
            eprintln!("runtally-service: {error}; --help lists the options");
            return ExitCode::from(2);
        }
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("runtally-service: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_max_level(args.log)
        .init();
    {
        let mut desk = DESK.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody outside can choose keys that collide.
        desk.store().reseed(getrandom::u64()?);
        if let Some(path) = &args.journal {
            let recovered = desk.store().open(path);
            let recovered =
                recovered.map_err(|error| format!("the journal {}: {error}", path.display()))?;
            eprintln!(
                "journal {}: records: {} restored, {} damaged",
                path.display(),
                recovered.records,
                recovered.damaged
            );
        }
        let configurations = args.configurations.into_iter().map(RolloutId::Configuration);
        for id in configurations.chain(args.scripts.into_iter().map(RolloutId::Script)) {
            desk.store().declare(id)?;
        }
    }
    let committer = Committer::start(&DESK)?;
    // A file that may grow no further is a write that fails, not the end.
    let _too_large = signal(SignalKind::from_raw(libc::SIGXFSZ))?;
    let options = Options {
        read_token: token("RUNTALLY_READ_TOKEN", "may read")?,
        write_token: token("RUNTALLY_WRITE_TOKEN", "may read and write")?,
        bare: args.bare,
        origin: args.origin,
        ..Options::default()
    };

    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let shutdown = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    print(&format!("listening on http://{}", listener.local_addr()?));
    if args.demo {
        let write_token = options.write_token.clone();
        tokio::spawn(async move { demo::run(&DESK, &write_token).await });
    }
    serve(listener, router(&DESK, options), &args.limits, shutdown).await;
    if let Some(committer) = committer {
        committer.finish();
    }
    Ok(())
}

/// The token of this variable, or a random one.
fn token(variable: &str, permission: &str) -> Result<String, Box<dyn Error>> {
    match std::env::var(variable) {
        Ok(token) if token.is_empty() => Err(format!("{variable} is empty").into()),
        Ok(token) => Ok(token),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("{variable} is not text").into()),
        Err(std::env::VarError::NotPresent) => {
            let token = format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?);
            eprintln!("token that {permission}, since {variable} is not set: {token}");
            Ok(token)
        }
    }
}

/// A line on standard output. If nobody reads it any more, that is no reason to stop.
fn print(line: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
