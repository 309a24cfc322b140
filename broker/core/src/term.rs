//! How long: the length of a grant.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::names::Way;

/// The length of a grant, in whole seconds: at least [`Term::SHORTEST`], at most [`Term::LONGEST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    seconds: u32,
}

/// Why a length was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// Not a length at all.
    #[error("`{given}` is not a length of time; write it like `2h`, `45m` or `1h 30m`")]
    Malformed {
        /// What was typed.
        given: String,
    },
    /// A length, but not one a grant can have.
    #[error(
        "`{given}` means {meant}, and a grant lasts from {shortest} to {longest}",
        shortest = Term::SHORTEST,
        longest = Term::LONGEST
    )]
    OutOfRange {
        /// What was typed.
        given: String,
        /// What was understood (`1M` is a month).
        meant: String,
    },
}

impl Term {
    /// Five seconds: less is over before Graph has answered.
    pub const SHORTEST: Self = Self { seconds: 5 };
    /// A day: longer is not "just in time" (and the most PIM allows).
    pub const LONGEST: Self = Self { seconds: 24 * 60 * 60 };

    /// Five minutes: the shortest that Entra PIM itself can end.
    pub const FIVE_MINUTES: Self = Self { seconds: 5 * 60 };

    /// The shortest that can be granted: "Miniumum Required is 5 minutes", as Entra PIM has it.
    pub const fn shortest_by(way: Way) -> Self {
        if way.is_pim() { Self::FIVE_MINUTES } else { Self::SHORTEST }
    }

    /// A term of so many seconds.
    pub fn from_seconds(seconds: i64) -> Result<Self, TermError> {
        let in_range = i64::from(Self::SHORTEST.seconds)..=i64::from(Self::LONGEST.seconds);
        match u32::try_from(seconds) {
            Ok(whole) if in_range.contains(&seconds) => Ok(Self { seconds: whole }),
            _ => Err(TermError::OutOfRange {
                given: format!("{seconds}s"),
                meant: format!("{seconds} seconds"),
            }),
        }
    }

    /// Its length in seconds.
    pub const fn seconds(self) -> u32 {
        self.seconds
    }

    /// When a grant of this length that begins at `start` ends.
    ///
    /// An end that no calendar holds is no end: the grant is over at once, rather than never.
    pub fn end_from(self, start: Timestamp) -> Timestamp {
        start.checked_add(SignedDuration::from_secs(i64::from(self.seconds))).unwrap_or(start)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(Duration::from_secs(u64::from(self.seconds))).fmt(f)
    }
}

impl FromStr for Term {
    type Err = TermError;

    fn from_str(text: &str) -> Result<Self, TermError> {
        let given: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
        let Ok(length) = humantime::parse_duration(text) else {
            return Err(TermError::Malformed { given });
        };
        let in_range = Duration::from_secs(u64::from(Self::SHORTEST.seconds))
            ..=Duration::from_secs(u64::from(Self::LONGEST.seconds));
        match u32::try_from(length.as_secs()) {
            Ok(seconds) if in_range.contains(&length) && length.subsec_nanos() == 0 => Ok(Self { seconds }),
            _ => Err(TermError::OutOfRange { given, meant: humantime::format_duration(length).to_string() }),
        }
    }
}

#[cfg(test)]
mod tests;
