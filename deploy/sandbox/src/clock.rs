//! What time it is in the tenant: the machine's time, the same moved on, or one that a test moves by hand.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use elevate_broker::ports;
use elevate_core::due::Now;
use jiff::{SignedDuration, Timestamp};

/// How soon a broker that goes by this clock sees that it was moved.
const GLANCE: Duration = Duration::from_millis(50);

/// The tenant's clock. Clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Hand);

#[derive(Clone, Debug)]
enum Hand {
    System,
    /// The machine's time and the seconds in this file: processes that share the file share the time.
    Ahead(PathBuf),
    Manual(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// The machine's own time.
    #[must_use]
    pub fn system() -> Self {
        Self(Hand::System)
    }

    /// A clock that goes with the machine's and can be moved: it is ahead by the seconds in `file`, and by
    /// none while there is no such file. Every process that goes by the same file has the same time.
    #[must_use]
    pub fn ahead(file: impl Into<PathBuf>) -> Self {
        Self(Hand::Ahead(file.into()))
    }

    /// The file by which another process can go by this clock; none if it is not one [`ahead`](Self::ahead).
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Hand::Ahead(file) => Some(file),
            Hand::System | Hand::Manual(_) => None,
        }
    }

    /// A clock that stands still at `start` until it is moved.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Hand::Manual(Arc::new(Mutex::new(start))))
    }

    /// The time it shows.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place of the sandbox that reads a clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Hand::System => Timestamp::now(),
            Hand::Ahead(file) => {
                let now = Timestamp::now();
                now.saturating_add(seconds_in(file)).unwrap_or(now)
            }
            Hand::Manual(time) => *time.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Whether it can be moved.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        !matches!(self.0, Hand::System)
    }

    /// Moves the clock by `by`, also backwards. The machine's own is left alone, and the answer is `false`.
    pub fn advance(&self, by: SignedDuration) -> bool {
        self.moved(|now| now.saturating_add(by).unwrap_or(now))
    }

    /// Sets the clock. The machine's own is left alone, and the answer is `false`.
    pub fn set(&self, to: Timestamp) -> bool {
        self.moved(|_| to)
    }

    fn moved(&self, hand: impl FnOnce(Timestamp) -> Timestamp) -> bool {
        match &self.0 {
            Hand::System => false,
            Hand::Ahead(file) => {
                let now = self.now();
                let by = hand(now).duration_since(now);
                write_whole(file, seconds_in(file).saturating_add(by)).is_ok()
            }
            Hand::Manual(time) => {
                let mut time = time.lock().unwrap_or_else(PoisonError::into_inner);
                *time = hand(*time);
                true
            }
        }
    }
}

/// For a broker beside the tenant: one time for both.
#[async_trait]
impl ports::Clock for Clock {
    fn now(&self) -> Now {
        Now::exactly(Self::now(self))
    }

    async fn sleep_until(&self, moment: Timestamp) {
        loop {
            let left = moment.duration_since(Self::now(self));
            if !left.is_positive() {
                return;
            }
            tokio::time::sleep(left.unsigned_abs().min(GLANCE)).await;
        }
    }
}

fn seconds_in(file: &Path) -> SignedDuration {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    SignedDuration::from_secs(text.trim().parse().unwrap_or(0))
}

/// At once, or not at all: a reader never sees half a number.
fn write_whole(file: &Path, ahead: SignedDuration) -> std::io::Result<()> {
    let beside = file.with_extension("new");
    std::fs::write(&beside, ahead.as_secs().to_string())?;
    std::fs::rename(beside, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_by_one_file_are_moved_together() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) =
            (Clock::ahead(folder.path().join("clock")), Clock::ahead(folder.path().join("clock")));
        let system = Clock::system();
        assert!(other.now().duration_since(system.now()) < SignedDuration::from_mins(1));
        assert!(one.advance(SignedDuration::from_hours(2)) && one.advance(SignedDuration::from_mins(-30)));
        let ahead = other.now().duration_since(system.now());
        assert!(ahead > SignedDuration::from_mins(89) && ahead < SignedDuration::from_mins(91), "{ahead}");
    }

    #[test]
    fn the_machines_clock_is_left_alone() {
        assert!(!Clock::system().advance(SignedDuration::from_hours(1)));
        assert_eq!(Clock::system().file(), None);
    }
}
