//! What time it is in the tenant: the machine's time, or one that a test moves by hand.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// The tenant's clock. Clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Hand);

#[derive(Clone, Debug)]
enum Hand {
    System,
    Manual(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// The machine's own time.
    #[must_use]
    pub fn system() -> Self {
        Self(Hand::System)
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
            Hand::Manual(time) => *time.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Whether it can be moved.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        matches!(self.0, Hand::Manual(_))
    }

    /// Moves a manual clock by `by`, also backwards. The machine's clock is left alone, and the answer is `false`.
    pub fn advance(&self, by: SignedDuration) -> bool {
        self.moved(|now| now.saturating_add(by).unwrap_or(now))
    }

    /// Sets a manual clock. The machine's clock is left alone, and the answer is `false`.
    pub fn set(&self, to: Timestamp) -> bool {
        self.moved(|_| to)
    }

    fn moved(&self, hand: impl FnOnce(Timestamp) -> Timestamp) -> bool {
        match &self.0 {
            Hand::System => false,
            Hand::Manual(time) => {
                let mut time = time.lock().unwrap_or_else(PoisonError::into_inner);
                *time = hand(*time);
                true
            }
        }
    }
}
