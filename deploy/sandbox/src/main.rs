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
    /// Tell the main story in about a minute, or other chapters, each step seen true through Graph's own answers.
    Tour(command::tour::Arguments),
    /// Keep a tenant and a broker running, and print what to type by hand.
    Up(command::up::Arguments),
    /// Serve the tenant and nothing else, until interrupted.
    Tenant(command::tenant::Arguments),
    /// Sign somebody in at an address that a client printed, as a browser would.
    Browser(command::browser::Arguments),
    /// The real broker, as `elevated` runs it; `tour` and `up` start it like this.
    Broker(command::broker::Arguments),
    /// The real command line, as somebody of the tenant runs it; `tour` kills it.
    Elevate(command::elevate::Arguments),
}

fn main() -> ExitCode {
    let command = match Arguments::parse().command {
        // It brings a runtime of its own, as the production binary does.
        Command::Broker(arguments) => return command::broker::run(arguments),
        Command::Elevate(arguments) => return command::elevate::run(arguments),
        other => other,
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return command::complain(&error.into()),
    };
    // The one crypto provider of this process.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let done = runtime.block_on(async {
        match command {
            Command::Tour(arguments) => command::tour::run(arguments).await,
            Command::Up(arguments) => command::up::run(arguments).await,
            Command::Tenant(arguments) => command::tenant::run(arguments).await,
            Command::Browser(arguments) => command::browser::run(arguments).await,
            Command::Broker(_) | Command::Elevate(_) => Ok(()),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => command::complain(&error),
    }
}
