//! `elevate-sandbox broker`: the real broker, in this process.

use std::ffi::OsString;
use std::process::ExitCode;

/// What `elevated` takes.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// The arguments of `elevated`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    elevate_broker::cli::run(std::iter::once(OsString::from("elevated")).chain(arguments.rest))
}
