//! `runtally-service`: the command.

mod args;
mod start;

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use args::{Args, Ask};
use runtally::Gate;
use runtally::store::RolloutId;
use runtally_service::{
    Database, IndexedStore, Limits, Log, MOST_BYTES, Metrics, Options, Rollouts, Service, demo,
    serve,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Eight configurations and eight scripts, each of 65 534 devices and 16 384 users. Empty, it is
/// all zero bytes: the system gives memory to a row when it is first written.
static STORE: RwLock<IndexedStore<8, 8, 65_534, 16_384>> = RwLock::new(IndexedStore::new());

/// How long the log is given to be written at the end.
const LAST_LINES: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let args = match Ask::from_env() {
        Ok(Ask::Serve(args)) => args,
        Ok(Ask::Help) => return print(args::HELP),
        Ok(Ask::Version) => return print(concat!("runtally-service ", env!("CARGO_PKG_VERSION"))),
        Err(error) => {
            let _ =
                writeln!(std::io::stderr(), "runtally-service: {error}; --help lists the options");
            return ExitCode::from(2);
        }
    };
    let metrics = Arc::<Metrics>::default();
    // From here on nothing else writes to standard error: nobody waits for whoever reads it.
    let log = match Log::start(std::io::stderr(), Arc::clone(&metrics)) {
        Ok(log) => log,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "runtally-service: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = match run(&args, &log, metrics) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.line(&format!("runtally-service: {error}"));
            ExitCode::FAILURE
        }
    };
    log.flush(LAST_LINES);
    code
}

fn run(args: &Args, log: &Log, metrics: Arc<Metrics>) -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(log.clone())
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_max_level(args.log)
        .init();
    let panics = log.clone();
    std::panic::set_hook(Box::new(move |panic| panics.line(&panic.to_string())));

    let limits = start::limits(args)?;
    let mut options = Options {
        tokens: start::tokens(args, log)?,
        bare: args.bare,
        origin: args.origin.clone(),
        gate: args.gate.map(|per_10_000| Gate {
            per_10_000,
            minimum: args.gate_minimum.unwrap_or(1),
            ..Gate::default()
        }),
        metrics,
        ..Options::default()
    };
    options.earliest = args.earliest.unwrap_or(options.earliest);
    options.ahead = args.ahead.unwrap_or(options.ahead);
    options.overdue = args.overdue.unwrap_or(options.overdue);

    let runtime = Runtime::new()?;
    // A file that may grow no further is a write that fails, not the end.
    let _too_large = runtime.block_on(async { signal(SignalKind::from_raw(libc::SIGXFSZ)) })?;
    let database = open(args, log)?;
    let service = Service::new(&STORE, database, options)?;
    let result = runtime.block_on(listen(args, limits, &service));
    service.finish(limits.farewell);
    // A task that waits for what never comes is left behind.
    runtime.shutdown_background();
    result
}

/// Fills the store with what is on file and what the arguments name.
fn open(args: &Args, log: &Log) -> Result<Option<Database>, Box<dyn Error>> {
    let mut store = STORE.write().unwrap_or_else(PoisonError::into_inner);
    let store: &mut dyn Rollouts = &mut *store;
    // Nobody outside can choose keys that collide.
    store.reseed(getrandom::u64()?);
    let mut database = None;
    if let Some(path) = &args.database {
        let named = |error| format!("the database {}: {error}", path.display());
        start::file_size(MOST_BYTES)?;
        let mut opened = Database::open(path).map_err(named)?;
        let devices = opened.restore(store).map_err(named)?;
        log.line(&format!("database {}: {devices} devices", path.display()));
        database = Some(opened);
    }
    let configurations = args.configurations.iter().copied().map(RolloutId::configuration);
    let mut new = Vec::new();
    for id in configurations.chain(args.scripts.iter().copied().map(RolloutId::script)) {
        if store.insert(id)? {
            new.push(id);
        }
    }
    if let Some(database) = &mut database {
        database.insert(&new)?;
    }
    for &(id, version) in &args.versions {
        let changed = store.set_version(id, version);
        if changed.is_empty() {
            return Err(
                format!("--version-of {id}={version}: no such configuration or script").into()
            );
        }
        if let Some(database) = &mut database {
            database.write_versions(&changed)?;
        }
    }
    Ok(database)
}

async fn listen(args: &Args, limits: Limits, service: &Service) -> Result<(), Box<dyn Error>> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let listener = bind(args.listen).await?;
    let (ends, end) = watch::channel(false);
    let health = match args.health {
        Some(address) => {
            let listener = bind(address).await?;
            let address = listener.local_addr()?;
            let service = service.health();
            let limits = Limits { connections: 64, connections_per_address: 64, ..limits };
            let end = ended(end.clone());
            let serving = async move { serve(listener, service, &limits, end).await };
            Some((address, tokio::spawn(serving)))
        }
        None => None,
    };
    print(&format!("listening on http://{}", listener.local_addr()?));
    if let Some((address, _)) = &health {
        print(&format!("health on http://{address}"));
    }
    if args.demo {
        tokio::spawn(demo::run(service.clone()));
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        ends.send_replace(true);
        // Until then both ends are served.
        ends.closed().await;
    });
    serve(listener, service.clone(), &limits, ended(end)).await;
    if let Some((_, health)) = health {
        let _ = health.await;
    }
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Box<dyn Error>> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| format!("cannot listen on {address}: {error}").into())
}

async fn ended(mut end: watch::Receiver<bool>) {
    let _ = end.wait_for(|is_ended| *is_ended).await;
}

/// A line on standard output. If nobody reads it any more, that is no reason to stop.
fn print(line: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
