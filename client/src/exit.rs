//! Exit codes: documented in `--help`, and never given another meaning.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// Something unexpected, ours or the broker's.
    Unexpected,
    /// The command line, or a value on it, cannot be used as given.
    Usage,
    /// Not signed in, or no longer.
    SignIn,
    /// A rule stands against it.
    Refused,
    /// No such thing, or not for the caller to see.
    NotFound,
    /// Not in this state: there already, over already, or changed meanwhile.
    State,
    /// The broker, the sign-in service or the directory cannot be reached, is busy, or took too long.
    Unreachable,
    /// The activation is over, and nothing is held.
    NotHeld,
    /// A role that is to be gone is not yet seen gone.
    Overdue,
    /// A policy does not say what it is meant to say.
    Untrue,
    /// Interrupted from the keyboard.
    Interrupted,
    /// What the command of `exec` ended with, or what `exec` ends with in its place.
    Command(u8),
}

impl Exit {
    /// Every one, in the order of the table in `--help`.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::Unexpected,
        Self::Usage,
        Self::SignIn,
        Self::Refused,
        Self::NotFound,
        Self::State,
        Self::Unreachable,
        Self::NotHeld,
        Self::Overdue,
        Self::Untrue,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::SignIn => 3,
            Self::Refused => 4,
            Self::NotFound => 5,
            Self::State => 6,
            Self::Unreachable => 7,
            Self::NotHeld => 8,
            Self::Overdue => 9,
            Self::Untrue => 10,
            Self::Interrupted => 130,
            Self::Command(code) => code,
        }
    }

    /// What it means, in a line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Unexpected => "something unexpected",
            Self::Usage => "the command line, or a value in it, cannot be used as given",
            Self::SignIn => "not signed in, or the session is over: run `elevate login`",
            Self::Refused => "refused by a rule: not allowed, not offered, own approval, weak sign-in",
            Self::NotFound => "no such activation, or not yours to see",
            Self::State => "not in this state: there already, over already, or changed meanwhile",
            Self::Unreachable => "broker, sign-in service or directory unreachable, busy or too slow",
            Self::NotHeld => "the activation is over and nothing is held: denied, lapsed, withdrawn, failed",
            Self::Overdue => "a role that is to be gone is not yet seen gone (sweep, revoke)",
            Self::Untrue => {
                "a test of the policy fails, or a warning counts (policy test, policy lint --strict)"
            }
            Self::Interrupted => "interrupted",
            Self::Command(_) => "the command's own",
        }
    }

    /// The table, as `--help` shows it.
    pub fn table() -> String {
        let lines = Self::ALL.map(|exit| format!("  {:>3}  {}", exit.code(), exit.meaning()));
        format!("Exit codes:\n{}\n`exec` has its own: see `elevate exec --help`", lines.join("\n"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
