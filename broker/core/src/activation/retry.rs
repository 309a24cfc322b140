//! A step that the directory gave no clear answer to, and when it is tried again.

use jiff::Timestamp;

/// A step that the directory has to settle: when it is due, and what came of it so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How often the directory gave no clear answer.
    pub tries: u32,
    /// When to ask, or to ask again.
    pub at: Timestamp,
    /// What was in the way the last time, in words for the holder. Empty as long as nothing was.
    pub hindrance: String,
}

impl Retry {
    /// A step not tried yet, due at this moment.
    pub const fn first(at: Timestamp) -> Self {
        Self { tries: 0, at, hindrance: String::new() }
    }

    /// Whether to ask now. The first try waits for nothing: its moment was taken from a clock that may
    /// have been unsure then, and is surer now.
    pub fn is_due(&self, latest: Timestamp) -> bool {
        self.tries == 0 || latest >= self.at
    }

    /// After one more try that settled nothing.
    #[must_use]
    pub fn again(&self, at: Timestamp, hindrance: String) -> Self {
        Self { tries: self.tries.saturating_add(1), at, hindrance }
    }
}
