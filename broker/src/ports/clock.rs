//! What time it is, who bears witness to it, and how to wait for it.

use std::time::Duration;

use async_trait::async_trait;
use elevate_core::due::Now;
use jiff::{SignedDuration, Timestamp};

/// A moment by a clock that nobody sets and that counts while the machine is suspended: how long it has been
/// running. Means something only beside others of the same clock and the same boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Mark(pub Duration);

impl Mark {
    /// How long before this one the other was; nothing if it came after.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// How far the time can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assurance {
    /// Nobody outside was heard since the machine was started: nothing is granted and nobody is known.
    Unwitnessed,
    /// Somebody outside says another time, and nobody has confirmed either: nothing is granted.
    Doubted,
    /// The tenant bore witness to it, in this boot of the machine.
    Witnessed {
        /// Twice at least, some seconds apart, since it was taken up.
        corroborated: bool,
    },
}

impl Assurance {
    /// Whether a role may be granted by it.
    pub const fn is_good_for_grants(self) -> bool {
        matches!(self, Self::Witnessed { .. })
    }

    /// Whether very many roles may be ended by it at one moment.
    pub const fn is_corroborated(self) -> bool {
        matches!(self, Self::Witnessed { corroborated: true })
    }
}

/// The only source of time. Tests move it by hand; what they do not say of it is sure.
#[async_trait]
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// What time it may be.
    fn now(&self) -> Now;

    /// Returns when `now().latest()` has reached `moment`, or earlier: whoever waits looks again.
    async fn sleep_until(&self, moment: Timestamp);

    /// A moment from which on can be measured.
    fn mark(&self) -> Mark {
        let since_1970 = self.now().latest().duration_since(Timestamp::UNIX_EPOCH);
        Mark(since_1970.max(SignedDuration::ZERO).unsigned_abs())
    }

    /// Hears the `Date` of a reply of the tenant that came over TLS just now, to a question put at `asked`.
    fn heard(&self, said: Timestamp, asked: Mark) {
        let _ = (said, asked);
    }

    /// How far the time can be relied on.
    fn assurance(&self) -> Assurance {
        Assurance::Witnessed { corroborated: true }
    }
}

/// What is kept of the time over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeMark {
    /// Not earlier than this it was, at `mark`: what witnesses support. None: nobody was heard.
    pub witnessed: Option<(Timestamp, Timestamp)>,
    /// The moment, by the boot's own clock.
    pub mark: Mark,
    /// Which boot of which machine.
    pub boot_id: String,
    /// The latest time ever given out.
    pub high_water: Timestamp,
}

/// Keeps the time over a restart.
#[async_trait]
pub trait TimeKeeper: Send + Sync + std::fmt::Debug {
    /// What was kept last; none if there is none, or none that can be read.
    async fn kept_time(&self) -> Option<TimeMark>;

    /// Keeps it. Durable when it returns.
    ///
    /// # Errors
    /// It could not be written: in words for an operator.
    async fn keep_time(&self, mark: TimeMark) -> Result<(), String>;
}
