//! `elevate-sandbox broker`: the real broker, in this process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use elevate_broker::ports;
use elevate_sandbox::Clock;

/// What `elevated` takes.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Be ahead of the machine's clock by the seconds in this file, always.
    #[arg(long, value_name = "FILE")]
    clock: Option<PathBuf>,
    /// The arguments of `elevated`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let Arguments { clock, rest } = arguments;
    let clock = clock.map(|file| Arc::new(Clock::ahead(file)) as Arc<dyn ports::Clock>);
    elevate_broker::cli::run_by(clock, std::iter::once(OsString::from("elevated")).chain(rest))
}
