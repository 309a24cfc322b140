//! When not seeing an assignment proves that it is gone.
//!
//! Graph's reads lag its writes, so one read that shows nothing proves nothing: the assignment may have
//! been made a moment ago. Gone is what Graph said it deleted (204) and then does not show; or what it
//! does not show twice, [`APART`] apart by the broker's clock. This memory is lost with the process,
//! and then the looking begins anew.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use elevate_core::due::Now;
use elevate_core::names::{ActivationId, AssignmentId};
use jiff::{SignedDuration, Timestamp};

/// How far apart two reads must be to agree. Longer than any lag seen, and than a call may take.
pub(super) const APART: SignedDuration = SignedDuration::from_secs(30);

/// What is known of assignments that are being taken away.
#[derive(Debug, Default)]
pub(super) struct Absences(Mutex<HashMap<ActivationId, Trace>>);

#[derive(Debug, Clone)]
enum Trace {
    Unseen { since: Timestamp },
    Deleted { id: AssignmentId, at: Timestamp },
}

impl Absences {
    /// Nothing was seen, by reads made between `before` and `after`. `None` when that proves it gone,
    /// else how long to wait before the next look can.
    pub(super) fn unseen(&self, activation: ActivationId, before: Now, after: Now) -> Option<Duration> {
        let mut traces = self.traces();
        match traces.get(&activation) {
            Some(Trace::Deleted { .. }) => {
                traces.remove(&activation);
                None
            }
            Some(Trace::Unseen { since }) => {
                let waited = before.earliest().duration_since(*since);
                if waited >= APART {
                    traces.remove(&activation);
                    return None;
                }
                let left = APART.saturating_sub(waited.max(SignedDuration::ZERO));
                Some(left.unsigned_abs())
            }
            None => {
                traces.insert(activation, Trace::Unseen { since: after.latest() });
                Some(APART.unsigned_abs())
            }
        }
    }

    /// It was seen after all.
    pub(super) fn seen(&self, activation: ActivationId) {
        let mut traces = self.traces();
        if matches!(traces.get(&activation), Some(Trace::Unseen { .. })) {
            traces.remove(&activation);
        }
    }

    /// Graph said that it deleted it.
    pub(super) fn deleted(&self, activation: ActivationId, id: &AssignmentId, at: Timestamp) {
        self.traces().insert(activation, Trace::Deleted { id: id.clone(), at });
    }

    /// Which was deleted, if one was.
    pub(super) fn deleted_id(&self, activation: ActivationId) -> Option<AssignmentId> {
        match self.traces().get(&activation) {
            Some(Trace::Deleted { id, .. }) => Some(id.clone()),
            Some(Trace::Unseen { .. }) | None => None,
        }
    }

    /// Whether it was deleted so recently that a read may still show it.
    ///
    /// An assignment made again has the same id, so deleting over and over could hit another's.
    pub(super) fn is_settling(&self, activation: ActivationId, now: Now) -> bool {
        match self.traces().get(&activation) {
            Some(Trace::Deleted { at, .. }) => now.earliest().duration_since(*at) < APART,
            Some(Trace::Unseen { .. }) | None => false,
        }
    }

    /// Whether it was looked for in vain before, or deleted.
    pub(super) fn knows(&self, activation: ActivationId) -> bool {
        self.traces().contains_key(&activation)
    }

    /// It is gone, and the memory with it.
    pub(super) fn forget(&self, activation: ActivationId) {
        self.traces().remove(&activation);
    }

    fn traces(&self) -> MutexGuard<'_, HashMap<ActivationId, Trace>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
