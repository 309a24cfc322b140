//! `elevate-sandbox elevate`: the real command line, in this process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use elevate_sandbox::Clock;
use elevate_sandbox::stage::Person;

/// Who types, and what `elevate` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Who signs in when a browser is opened: ann, bob, carol, …
    #[arg(long = "as", value_name = "NAME")]
    name: String,
    /// The tenant's certificates.
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// Be ahead of the machine's clock by the seconds in this file, always.
    #[arg(long, value_name = "FILE")]
    clock: Option<PathBuf>,
    /// The arguments of `elevate`.
    #[arg(last = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let Arguments { name, ca, clock, rest } = arguments;
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return ExitCode::FAILURE };
    let clock = clock.map_or_else(Clock::system, Clock::ahead);
    // Folder and broker come from the environment, as with everybody.
    let person = Person::new(&name, &PathBuf::new(), "", &ca, clock);
    let words = std::iter::once(OsString::from("elevate")).chain(rest);
    runtime.block_on(elevate_client::run(words, person.at_a_terminal())).into()
}
