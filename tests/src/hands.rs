//! The broker's clock, moved by hand, and the same hand moves the tenant's.

use std::sync::Arc;

use async_trait::async_trait;
use elevate_broker::ports;
use elevate_core::due::Now;
use elevate_sandbox::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// How long the broker waits between two comparisons of the record and the directory: it is known by that.
const ROUNDS: [SignedDuration; 2] = [SignedDuration::from_mins(5), SignedDuration::from_secs(45)];

/// One clock for the tenant and for the broker. Clones show the same time.
#[derive(Debug, Clone)]
pub struct Hands {
    clock: Clock,
    moved: Arc<watch::Sender<u64>>,
    rounds: Arc<watch::Sender<u64>>,
}

impl Hands {
    /// A clock that stands still at `start`.
    pub fn at(start: Timestamp) -> Self {
        let (moved, rounds) = (Arc::new(watch::Sender::new(0)), Arc::new(watch::Sender::new(0)));
        Self { clock: Clock::manual(start), moved, rounds }
    }

    /// The tenant's end of it.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves it on, and wakes whoever waits for a time that has come.
    pub fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
        self.moved.send_modify(|count| *count += 1);
    }

    /// How often the broker has finished comparing the record with the directory.
    pub fn rounds(&self) -> watch::Receiver<u64> {
        self.rounds.subscribe()
    }
}

#[async_trait]
impl ports::Clock for Hands {
    fn now(&self) -> Now {
        Now::exactly(self.clock.now())
    }

    async fn sleep_until(&self, moment: Timestamp) {
        // Listen first, then look: no move falls between the two.
        let mut moved = self.moved.subscribe();
        if ROUNDS.contains(&moment.duration_since(self.clock.now())) {
            self.rounds.send_modify(|count| *count += 1);
        }
        while self.clock.now() < moment {
            if moved.changed().await.is_err() {
                return;
            }
        }
    }
}
