//! Exit codes: documented in `--help`, and never given another meaning.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Something unexpected, ours or the broker's.
    Unexpected = 1,
    /// The command line, or a value on it, cannot be used as given.
    Usage = 2,
    /// Not signed in, or no longer.
    SignIn = 3,
    /// A rule stands against it.
    Refused = 4,
    /// No such thing, or not for the caller to see.
    NotFound = 5,
    /// Not in this state: there already, over already, or changed meanwhile.
    State = 6,
    /// The broker, the sign-in service or the directory cannot be reached, is busy, or took too long.
    Unreachable = 7,
    /// The activation is over, and nothing is held.
    NotHeld = 8,
    /// A role that is to be gone is not yet seen gone.
    Overdue = 9,
    /// A policy does not say what it is meant to say.
    Untrue = 10,
    /// Interrupted from the keyboard.
    Interrupted = 130,
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
        self as u8
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
            Self::Overdue => "a role that is to be gone is not yet seen gone (sweep)",
            Self::Untrue => {
                "a test of the policy fails, or a warning counts (policy test, policy lint --strict)"
            }
            Self::Interrupted => "interrupted",
        }
    }

    /// The table, as `--help` shows it.
    pub fn table() -> String {
        let lines = Self::ALL.map(|exit| format!("  {:>3}  {}", exit.code(), exit.meaning()));
        format!("Exit codes:\n{}", lines.join("\n"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
