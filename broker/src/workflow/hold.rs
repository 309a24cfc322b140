//! Roles that are tied to whoever listens: given back when nobody does any more.
//!
//! Holds are in memory only. A broker that stops gives nothing back: whoever held comes back to the next one,
//! and if both die the role ends at its term, as every role does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use elevate_core::names::ActivationId;
use jiff::{SignedDuration, Timestamp};

use super::{Refusal, Workflow};
use crate::ports::journal::Recorded;
use crate::ports::verifier::Caller;

/// How long a hold may be broken before it counts as let go: time to connect again, to a broker that
/// starts again too.
const GRACE: SignedDuration = SignedDuration::from_secs(30);

/// How many holds of each activation there are, and how often that has changed.
#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<HashMap<ActivationId, Held>>);

#[derive(Debug, Default)]
struct Held {
    holds: usize,
    /// Grows with every hold, so that a loss knows whether anybody has held since.
    taken: u64,
}

impl Holds {
    fn all(&self) -> MutexGuard<'_, HashMap<ActivationId, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, id: ActivationId) {
        let mut all = self.all();
        let held = all.entry(id).or_default();
        held.holds = held.holds.saturating_add(1);
        held.taken = held.taken.saturating_add(1);
    }

    /// One less. When it was the last: how often it had been taken by then.
    fn lose(&self, id: ActivationId) -> Option<u64> {
        let mut all = self.all();
        let held = all.get_mut(&id)?;
        held.holds = held.holds.saturating_sub(1);
        (held.holds == 0).then_some(held.taken)
    }

    /// Whether nobody has held it since; then it is forgotten.
    fn is_let_go(&self, id: ActivationId, taken: u64) -> bool {
        let mut all = self.all();
        let let_go = all.get(&id).is_some_and(|held| held.holds == 0 && held.taken == taken);
        if let_go {
            all.remove(&id);
        }
        let_go
    }
}

/// A hold on an activation; let go when dropped.
#[derive(Debug)]
pub struct Hold {
    workflow: Arc<Workflow>,
    caller: Caller,
    id: ActivationId,
}

impl Workflow {
    /// Ties an activation to the hold that is returned. Only the one who asked.
    ///
    /// # Errors
    /// It is not theirs, or over.
    pub async fn hold(
        self: &Arc<Self>,
        caller: &Caller,
        id: ActivationId,
    ) -> Result<(Hold, Recorded), Refusal> {
        let recorded = self.own(caller, id).await?;
        if !recorded.is_live() {
            return Err(Refusal::WrongState { is: recorded.state.word(), hint: "there is nothing to hold" });
        }
        self.holds.take(id);
        Ok((Hold { workflow: Arc::clone(self), caller: caller.clone(), id }, recorded))
    }

    /// Gives back, or withdraws, what nobody held again by this moment.
    async fn let_go(&self, caller: &Caller, id: ActivationId, taken: u64, by: Timestamp) {
        while self.ports.clock.now().latest() < by {
            self.ports.clock.sleep_until(by).await;
        }
        // A broker that ends has broken the hold itself; whoever held comes back to the next one.
        if self.is_draining() || !self.holds.is_let_go(id, taken) {
            return;
        }
        tracing::info!(activation = %id, "nobody holds it any more; given back in its holder's name");
        loop {
            let given_back = match self.deactivate(caller, id).await {
                Err(Refusal::WrongState { .. }) => self.withdraw(caller, id).await,
                other => other,
            };
            match given_back {
                // Begun between the two looks, or changed by somebody else: look once more.
                Err(Refusal::Contended) => {}
                Err(Refusal::WrongState { .. }) if self.is_live(id).await => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    async fn is_live(&self, id: ActivationId) -> bool {
        self.load(id).await.is_ok_and(|recorded| recorded.is_live())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(taken) = self.workflow.holds.lose(self.id) else { return };
        // Without a runtime the process is ending, and gives nothing back.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (workflow, caller, id) = (Arc::clone(&self.workflow), self.caller.clone(), self.id);
        let now = workflow.now().latest();
        let by = now.checked_add(GRACE).unwrap_or(now);
        runtime.spawn(async move { workflow.let_go(&caller, id, taken, by).await });
    }
}
