//! The command line as types. What it means is in `command`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::command;
use crate::exit::Exit;

/// Ask for a role for a while, with others' approval, and give it back.
#[derive(Debug, Parser)]
#[command(name = "elevate", version, after_help = after_help(), disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every verb understands. A flag counts before the environment, and that before the configuration file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// The broker [env: ELEVATE_BROKER]
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub(crate) broker: Option<String>,
    /// Trust the certificates in this PEM file instead of the operating system's [env: ELEVATE_CA]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// A client certificate, where the broker asks for one (PEM)
    #[arg(long, global = true, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The client certificate's key (PEM)
    #[arg(long, global = true, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// How to answer [env: ELEVATE_OUTPUT] [default: table]
    #[arg(long, global = true, value_name = "FORM")]
    pub(crate) output: Option<Form>,
    /// No colour; NO_COLOR and CLICOLOR=0 say the same
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Say nothing but the answer, and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// How long one call may take [default: 30s; sweep: 5m; revoke of many: 6m]
    #[arg(long, global = true, value_name = "TIME", value_parser = patience)]
    pub(crate) timeout: Option<Duration>,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    Table,
    /// For programs: stable, one object; where it goes on, one object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Sign in to a broker, and remember it
    Login(command::login::Args),
    /// Forget the session
    Logout,
    /// Who you are, as the broker sees it
    Whoami,
    /// What you may activate
    Roles,
    /// Ask for a role, and wait until you hold it
    Activate(command::activate::Args),
    /// Hold a role for as long as a command runs
    Exec(command::exec::Args),
    /// Use a role in an emergency: nobody is asked, everybody concerned is told, somebody else looks at it after
    BreakGlass(command::break_glass::Args),
    /// Ask to hold on longer to a role that you hold
    Extend(command::extend::Args),
    /// Why you may ask for a role or not, who could say yes, and what it can do to the tenant
    Explain(command::explain::Args),
    /// Your activations
    List(command::list::Args),
    /// Your past activations: how each ended, and how long it was held
    History(command::history::Args),
    /// Everything about one activation
    Show(command::show::Args),
    /// Follow one activation until it is over
    Watch(command::watch::Args),
    /// What waits for your approval
    Pending,
    /// Say yes to somebody's request
    Approve(command::approve::Args),
    /// Say no to somebody's request
    Deny(command::deny::Args),
    /// Look at what was done in emergencies
    #[command(subcommand)]
    Review(command::review::Verb),
    /// Give a role back early
    Deactivate(command::deactivate::Args),
    /// Take a request back before it begins
    Withdraw(command::withdraw::Args),
    /// Take roles away: by id, of a person, of a role, or everything (needs the app role of a revoker)
    Revoke(command::revoke::Args),
    /// Grant nothing new to anybody, until it is thawed (needs the app role of a revoker)
    Freeze(command::freeze::Args),
    /// Grant again (needs the app role of a revoker or a policy admin)
    Thaw(command::freeze::ThawArgs),
    /// Settle now whatever is due, and say what is still open (needs the app role of a revoker)
    Sweep,
    /// The eligible roles as data
    #[command(subcommand)]
    Policy(command::policy::Verb),
    /// The record
    #[command(subcommand)]
    Audit(command::audit::Verb),
    /// What you ask for often, as config.toml has it
    Profiles,
    /// Try everything this command needs, and say what to do about what does not work
    Doctor,
    /// Completions for a shell
    Completions(command::completions::Args),
    /// The pages of the manual, to read or to install
    Man(command::man::Args),
}

/// How to sign in, for the verbs that do.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SignInArgs {
    /// Open no browser: print the address, and take the redirected one pasted back [env: ELEVATE_NO_BROWSER]
    #[arg(long)]
    pub(crate) no_browser: bool,
}

/// What is below the options: places and codes that scripts rely on.
fn after_help() -> String {
    format!("{ENVIRONMENT}\n\n{}", Exit::table())
}

const ENVIRONMENT: &str = "\
Environment:
  ELEVATE_BROKER, ELEVATE_CA, ELEVATE_CERT, ELEVATE_KEY, ELEVATE_OUTPUT   as the options
  ELEVATE_CONFIG_DIR         where config.toml is, and the session where no keyring answers
  ELEVATE_TOKEN_STORE        `keyring` or `file`: keep the session there and nowhere else
  ELEVATE_ACCESS_TOKEN_FILE  for pipelines: a file that holds an access token for the broker
  ELEVATE_NO_BROWSER         as --no-browser
  BROWSER                    what opens an address
  NO_COLOR, CLICOLOR, CLICOLOR_FORCE

With --output json, answers are on stdout and a failure is the last line on stderr:
  {\"error\":{\"code\",\"reason\",\"message\",\"advice\",\"fields\",\"retry_after_seconds\",\"exit\"}}";

/// Shortest and longest term that any role can have; the role's own limit is the broker's to say.
const TERM_SECONDS: std::ops::RangeInclusive<u64> = 5..=86_400;

/// A term as people write it: `2h`, `1h 30m`.
pub(crate) fn term(text: &str) -> Result<Duration, String> {
    let term = written(text)?;
    if term.subsec_nanos() != 0 || !TERM_SECONDS.contains(&term.as_secs()) {
        let hint = if text.contains('M') { "; `M` is a month and `m` a minute" } else { "" };
        return Err(format!(
            "that is {}; ask for whole seconds from 5s to 24h{hint}",
            humantime::format_duration(term)
        ));
    }
    Ok(term)
}

/// How long to wait for an answer.
fn patience(text: &str) -> Result<Duration, String> {
    match written(text)? {
        zero if zero.is_zero() => Err("waiting no time at all gets no answer".to_owned()),
        long if long > Duration::from_hours(1) => Err("at most 1h".to_owned()),
        patience => Ok(patience),
    }
}

/// A stretch of time: `12h`, `30d`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    match written(text)? {
        zero if zero.is_zero() => Err("that is no time at all".to_owned()),
        span => Ok(span),
    }
}

fn written(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it like `2h` or `1h 30m`"))
}
