//! `runtally-fleet`: the counts of roll-outs past one machine, on NATS `JetStream`.

mod args;
mod ask;
mod audit;
mod connect;
mod crash;
mod declaration;
mod gateway;
mod ingest;
mod init;
mod layout;
mod sends;
mod status;
mod wire;
mod worker;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use args::{Args, Ask, Command};
use tracing::level_filters::LevelFilter;

/// What went wrong, as a sentence.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let args = match Ask::from_env() {
        Ok(Ask::Run(args)) => args,
        Ok(Ask::Print(text)) => {
            // Whoever reads it may have gone.
            let _ = writeln!(std::io::stdout(), "{text}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let _ = writeln!(
                std::io::stderr(),
                "runtally-fleet: {error}; runtally-fleet --help lists commands and options"
            );
            return ExitCode::from(2);
        }
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_max_level(args.log.unwrap_or(LevelFilter::WARN))
        .init();
    let runtime = match &args.command {
        Command::Gateway(_) => tokio::runtime::Runtime::new(),
        _ => runtime(),
    };
    let result = runtime.map_err(Failure::from).and_then(|runtime| {
        let result = runtime.block_on(run(&args));
        // A task that waits for what never comes is left behind.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "runtally-fleet: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.command {
        Command::Init(init) => init::run(&args.nats, init).await?,
        Command::Audit => {
            if !audit::run(&args.nats).await? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Gateway(options) => gateway::run(&args.nats, options.clone()).await?,
        Command::Ingest(rollout) => {
            if !ingest::run(&args.nats, *rollout).await? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Status(wait) => {
            if !status::run(&args.nats, *wait).await? && wait.is_some() {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Worker(options) => worker::run(&args.nats, *options).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A runtime on one thread: a worker has one for its data and another for its lease.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
