//! `elevate`: the command line for people who ask, approve and revoke.
//!
//! [`run`] is the whole command: arguments and a [`World`] in, an [`Exit`] out. Nothing else touches
//! the outside, so a test is a person at a terminal. `main` is [`run`] in the real world.
//!
//! In reading order: `cli` (the arguments), `command` (one file a verb), `settings` (flags over
//! environment over file), `connect` and `tls` (the way to the broker), `login` (sessions and fresh
//! sign-ins), `binding` (what a sign-in is bound to), `render` (text and JSON; no decisions), `failure`
//! and `exit`.
//!
//! Data goes to stdout, everything else to stderr. Text from the broker is stripped of control
//! characters before it reaches a terminal. Tokens are never printed.

mod binding;
mod cli;
mod command;
mod connect;
mod console;
mod context;
mod exit;
mod failure;
mod login;
mod moment;
mod picture;
mod profile;
mod real;
mod render;
mod settings;
#[cfg(test)]
mod tests;
mod tls;
mod world;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::cli::{Cli, Form, Verb};
use crate::console::Console;
use crate::context::Context;
use crate::failure::Failure;
use crate::settings::Settings;

pub use crate::exit::Exit;
pub use crate::world::{Browser, Clock, Command, Commands, Key, Keyring, Keys, Running, Terminals, World};

/// Runs the command with these arguments (the first is the program's name) in this world.
pub async fn run(args: impl IntoIterator<Item = OsString>, world: World) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return not_a_command(&error, &args, world),
    };
    let form = settings::form(&cli.global, &world);
    let settings = Settings::read(&cli.global, &world);
    let shown = *form.as_ref().unwrap_or(&Form::Table);
    let interrupt = Arc::clone(&world.interrupt);
    let (console, outside) = Console::new(world, &cli.global, shown);
    let settings = match form.and(settings) {
        Ok(settings) => settings,
        Err(failure) => return console.end(&failure),
    };
    let mut context = Context::new(console, outside, settings);
    // What runs a command has to give the role back first, and says itself what an interruption means.
    let runs_a_command = matches!(cli.verb, Verb::Exec(_));
    let result = tokio::select! {
        biased;
        () = interrupt.notified(), if !runs_a_command => None,
        result = command::run(cli.verb, &mut context) => Some(result),
    };
    match result {
        Some(Ok(exit)) => exit,
        Some(Err(failure)) => context.console.end(&failure),
        None => context.console.interrupted(),
    }
}

/// [`run`] in this process's own world, until Ctrl-C or a signal to end.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let world = World::real();
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()
    else {
        return Exit::Unexpected.into();
    };
    let interrupt = Arc::clone(&world.interrupt);
    runtime.spawn(async move {
        if told_to_end().await.is_ok() {
            interrupt.notify_one();
        }
    });
    let exit = runtime.block_on(run(args, world));
    // Somebody may still be waited for at a prompt; the process ends all the same.
    runtime.shutdown_background();
    exit.into()
}

/// Resolves at Ctrl-C, or when the system wants the process to end.
#[cfg(unix)]
async fn told_to_end() -> std::io::Result<()> {
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = term.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn told_to_end() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Help and version, which are no errors, and what cannot be read as a command.
fn not_a_command(error: &clap::Error, args: &[OsString], world: World) -> Exit {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let json_flag = args.windows(2).any(|pair| matches!(pair, [a, b] if a == "--output" && b == "json"))
        || args.iter().any(|arg| arg == "--output=json")
        || world.var("ELEVATE_OUTPUT") == Some("json");
    let form = if json_flag { Form::Json } else { Form::Table };
    let (mut console, _) = Console::new(world, &cli::Global::default(), form);
    if asked {
        let text = console.styled(&error.render());
        return console.data(&text).map_or(Exit::Unexpected, |()| Exit::Ok);
    }
    if form == Form::Json {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        return console.end(&Failure::usage(first));
    }
    // `elevate` alone, and the like, is answered with the help itself; it is no success.
    let text = console.styled_err(&error.render());
    console.warn(text.trim_end());
    Exit::Usage
}
