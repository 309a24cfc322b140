//! One file for each command.

pub(crate) mod broker;
pub(crate) mod browser;
pub(crate) mod elevate;
pub(crate) mod tenant;
pub(crate) mod tour;
pub(crate) mod up;

use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Where the tenant's files are unless told otherwise: in a checkout, out of git's sight.
pub(crate) const FOLDER: &str = "target/sandbox";

/// Says what went wrong.
pub(crate) fn complain(error: &anyhow::Error) -> ExitCode {
    // With nobody to read it there is nothing left to do but to fail.
    let _ = writeln!(io::stderr().lock(), "elevate-sandbox: {error:#}");
    ExitCode::FAILURE
}

/// Prints text at once, also into a pipe.
pub(crate) fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
