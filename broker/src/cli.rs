//! The arguments of `elevated`, and what each of its commands prints.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::app::{self, Failure};
use crate::config::Config;
use crate::doctor;
use crate::memory;
use crate::ports::Clock;
use crate::store::{self as record, IndexVerdict, Rollback};
use crate::telemetry;

/// Exit codes, as sysexits.h has them.
const USAGE: u8 = 64;
const UNAVAILABLE: u8 = 69;
const SOFTWARE: u8 = 70;
const CONFIG: u8 = 78;

/// The broker: grants Entra roles for a bounded time, and takes them away.
#[derive(Debug, Parser)]
#[command(
    name = "elevated",
    version,
    after_help = "\
Exit codes: 0 ended when told to; 64 wrong arguments; 69 something needed could not be had, or a check failed; \
70 the store failed (start it again); 78 the configuration has faults.

Every key of the configuration can be overridden by the environment: ELEVATE_SECTION_KEY."
)]
struct Arguments {
    /// The configuration, TOML.
    #[arg(long, value_name = "FILE", default_value = "/etc/elevate/elevated.toml", global = true)]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try every outside part, and say what to do about each failure.
    Doctor,
    /// Look after the record. The broker must not be running (but for `backup`).
    Store {
        #[command(subcommand)]
        command: StoreCommand,
    },
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Read every entry, check every checksum, and compare the index with the record.
    Check,
    /// Make the index anew from the record.
    Rebuild,
    /// Copy the record, consistently; the broker may be running.
    Backup {
        /// A folder that is not there yet.
        into: PathBuf,
    },
    /// Put a backup in the place of a lost record.
    Restore {
        /// The folder that `backup` made.
        from: PathBuf,
        /// Accept that entries newer than the backup are lost. Roles that were granted since then are
        /// not known any more: compare with the directory.
        #[arg(long)]
        accept_rollback: bool,
    },
    /// Accept the record as it is, when both of its anchors are lost.
    Reanchor,
}

/// Runs `elevated` with these arguments (the first is the program's name) and says how it ended.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_by(None, arguments)
}

/// As [`run`], and the broker goes by this clock: for the sandbox, where time can be moved. `elevated` has
/// no way to it.
pub fn run_by(clock: Option<Arc<dyn Clock>>, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nowhere left to complain to.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    if let Err(error) = memory::keep_private() {
        complain(&format!(
            "the system does not let this process keep core dumps from being written: {error}"
        ));
        return ExitCode::from(SOFTWARE);
    }
    let config = match read(&arguments.config) {
        Ok(config) => config,
        Err(problem) => {
            complain(&problem);
            return ExitCode::from(CONFIG);
        }
    };
    // The one crypto provider; a second call, by a test in the same process, changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("no runtime: {error}"));
            return ExitCode::from(SOFTWARE);
        }
    };
    match arguments.command {
        None => runtime.block_on(serve(config, clock)),
        Some(Command::Doctor) => {
            let findings = runtime.block_on(doctor::examine(&config));
            say(&findings.to_string());
            if findings.all_well() { ExitCode::SUCCESS } else { ExitCode::from(UNAVAILABLE) }
        }
        Some(Command::Store { command }) => store(&config.store.folder, &command),
    }
}

async fn serve(config: Config, clock: Option<Arc<dyn Clock>>) -> ExitCode {
    telemetry::log_to_stderr(&config.log);
    let running = match app::start(config, clock).await {
        Ok(running) => running,
        Err(error) => {
            complain(&format!("{error:#}"));
            return ExitCode::from(UNAVAILABLE);
        }
    };
    // Not being told to by a service manager is how it runs by hand.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let stop = running.stop_handle();
    tokio::spawn(async move {
        told_to_end().await;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        stop.cancel();
    });
    match running.wait().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Store(fault)) => {
            complain(&format!("{fault}; start the broker again: it reads the record anew"));
            // At once: nothing may be done over a store in doubt.
            std::process::exit(i32::from(SOFTWARE));
        }
        Err(Failure::Part(error)) => {
            complain(&format!("{error:#}"));
            std::process::exit(i32::from(SOFTWARE));
        }
    }
}

/// SIGTERM, or Ctrl-C by hand.
async fn told_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt => {}
            }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}

fn store(folder: &Path, command: &StoreCommand) -> ExitCode {
    let done = match command {
        StoreCommand::Check => {
            let whole = |index: &IndexVerdict| !matches!(index, IndexVerdict::Differs { .. });
            record::check(folder).map(|report| (report.to_string(), whole(&report.index)))
        }
        StoreCommand::Rebuild => record::rebuild(folder).map(|report| (report.to_string(), true)),
        StoreCommand::Backup { into } => {
            record::backup(folder, into).map(|report| (report.to_string(), true))
        }
        StoreCommand::Restore { from, accept_rollback } => {
            let rollback = if *accept_rollback { Rollback::Accept } else { Rollback::Refuse };
            record::restore(from, folder, rollback).map(|report| (report.to_string(), true))
        }
        StoreCommand::Reanchor => record::reanchor(folder).map(|report| (report.to_string(), true)),
    };
    match done {
        Ok((report, whole)) => {
            say(&report);
            if whole { ExitCode::SUCCESS } else { ExitCode::from(UNAVAILABLE) }
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(UNAVAILABLE)
        }
    }
}

fn read(file: &Path) -> Result<Config, String> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        format!("the configuration {} cannot be read: {error}; name it with --config FILE", file.display())
    })?;
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    Config::parse(&text, folder, std::env::vars()).map_err(|faults| {
        let count = faults.iter().count();
        let s = if count == 1 { "" } else { "s" };
        format!("the configuration {} has {count} fault{s}:\n{faults}", file.display())
    })
}

/// To standard output. A reader that has gone is no fault of ours.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// To standard error.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "elevated: {text}");
}
