//! The directory is replicated: what was written is read a little later, and lists are later still.

use jiff::{SignedDuration, Timestamp};

/// How long Graph takes to show a change, by the tenant's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Listings: so long a new entry is missing, and a deleted one still there.
    pub list: SignedDuration,
    /// Reading, deleting and referring to by id: so long a new object answers 404, and a deleted one still reads.
    pub get: SignedDuration,
    /// PIM: so long a request stays `PendingProvisioning` before anybody holds anything.
    pub provision: SignedDuration,
}

impl Lag {
    /// About what people see on a good day.
    #[must_use]
    pub fn everyday() -> Self {
        Self {
            list: SignedDuration::from_millis(800),
            get: SignedDuration::from_millis(200),
            provision: SignedDuration::from_millis(500),
        }
    }
}

/// From when until when something is in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it was made.
    pub born: Timestamp,
    /// When it was removed, if it was.
    pub gone: Option<Timestamp>,
}

impl Life {
    pub(crate) fn from(born: Timestamp) -> Self {
        Self { born, gone: None }
    }

    /// Whether it is there, in truth.
    #[must_use]
    pub fn lasts(&self) -> bool {
        self.gone.is_none()
    }

    /// Whether a reader that lags behind sees it.
    pub(crate) fn shows(&self, now: Timestamp, lag: SignedDuration) -> bool {
        if lag.is_zero() {
            return self.lasts();
        }
        let later = |at: Timestamp| at.saturating_add(lag).unwrap_or(at);
        later(self.born) <= now && self.gone.is_none_or(|gone| now < later(gone))
    }
}

/// What a reader sees: how far it lags behind, and when it looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) now: Timestamp,
    pub(crate) lag: SignedDuration,
}

impl View {
    /// What is so, whenever anybody looks.
    pub(crate) const TRUTH: Self = Self { now: Timestamp::UNIX_EPOCH, lag: SignedDuration::ZERO };

    pub(crate) fn shows(&self, life: &Life) -> bool {
        life.shows(self.now, self.lag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_lags_sees_births_and_deaths_late() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let life = Life { born: at(10), gone: Some(at(20)) };
        for (now, seen) in [(10, false), (14, false), (15, true), (24, true), (25, false)] {
            assert_eq!(life.shows(at(now), SignedDuration::from_secs(5)), seen, "at second {now}");
        }
        assert!(!life.shows(at(12), SignedDuration::ZERO), "without a lag only the truth counts");
    }
}
