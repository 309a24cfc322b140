//! How the outbox is, counted for alarms.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::ports::journal::Position;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct What {
    kind: &'static str,
}

/// What the outbox has done, and what waits in it.
#[derive(Debug, Default)]
pub struct Meter {
    told: AtomicU64,
    in_hand: Mutex<Option<Timestamp>>,
    delivered: Family<What, Counter>,
    failed: Counter,
}

impl Meter {
    /// Adds its counters to what is shown to operators.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("notices_delivered", "Notices handed over, by kind", self.delivered.clone());
        registry.register(
            "notices_failed",
            "Times that a notice could not be handed over, and is tried again",
            self.failed.clone(),
        );
    }

    /// How many entries of a record of this size nobody has been told of yet, where somebody must be.
    pub fn behind(&self, size: Position) -> u64 {
        size.0.saturating_sub(self.told.load(Ordering::SeqCst))
    }

    /// How long ago that happened which is to be told next; zero when nothing waits.
    pub fn oldest(&self, now: Timestamp) -> Duration {
        let since = *self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        since.map_or(Duration::ZERO, |since| now.duration_since(since).try_into().unwrap_or_default())
    }

    pub(super) fn at(&self, next: Position) {
        self.told.store(next.0, Ordering::SeqCst);
    }

    pub(super) fn begins(&self, at: Timestamp) {
        *self.in_hand.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    pub(super) fn delivered(&self, kind: &'static str) {
        self.delivered.get_or_create(&What { kind }).inc();
        *self.in_hand.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn failed(&self) {
        self.failed.inc();
    }
}
