//! `elevate-sandbox`: the miniature tenant on the command line.

mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A miniature Microsoft Entra tenant on loopback, to try Elevate against.
#[derive(Debug, Parser)]
#[command(name = "elevate-sandbox", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the tenant and nothing else, until interrupted.
    Tenant(command::tenant::Arguments),
    /// Sign somebody in at an address that a client printed, as a browser would.
    Browser(command::browser::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Tenant(arguments) => command::tenant::run(arguments).await,
        Command::Browser(arguments) => command::browser::run(arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => command::complain(&error),
    }
}
