//! One writer per activation.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use elevate_core::names::ActivationId;
use tokio::sync::OwnedMutexGuard;

/// A lock for each activation that somebody is changing. Forgotten when nobody waits for it.
#[derive(Debug, Default)]
pub(super) struct Locks {
    held: Mutex<HashMap<ActivationId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Locks {
    /// Waits until nobody else changes this activation. Keep what it gives until the change is recorded.
    pub(super) async fn lock(&self, id: ActivationId) -> OwnedMutexGuard<()> {
        let lock = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(held.entry(id).or_default())
        };
        lock.lock_owned().await
    }

    /// How many change this activation or wait to.
    #[cfg(test)]
    pub(super) fn wanted_by(&self, id: ActivationId) -> usize {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(&id).map_or(0, |lock| Arc::strong_count(lock) - 1)
    }

    /// The same for several, always in one order: two who want the same ones wait for each other in turn.
    pub(super) async fn lock_all(&self, ids: &[ActivationId]) -> Vec<OwnedMutexGuard<()>> {
        let ids: BTreeSet<_> = ids.iter().copied().collect();
        let mut held = Vec::new();
        for id in ids {
            held.push(self.lock(id).await);
        }
        held
    }
}
