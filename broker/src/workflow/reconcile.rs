//! Comparing both ways: what the record says is held, and what the directory holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use elevate_core::activation::{Actor, Change, State};
use elevate_core::names::{ActivationId, AssignmentId, Slot, Target};
use jiff::{SignedDuration, Timestamp};

use super::{Refusal, Workflow};
use crate::ports::directory::{Assignment, Held};
use crate::ports::journal::{AppendError, Filter, Note, Page, Recorded, StoreFault};

/// Listings lag: what is missing must be missing twice, this far apart.
const AGREEMENT: SignedDuration = SignedDuration::from_secs(30);

/// What earlier rounds saw. Lost with the process, which costs one more round.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    missing_since: Mutex<BTreeMap<ActivationId, Timestamp>>,
    reported: Mutex<BTreeSet<(Slot, AssignmentId)>>,
}

impl Workflow {
    /// One round. What is held by somebody else's hand is reported and never touched; what is on record
    /// as active and twice not there is closed as removed elsewhere. Answers whether nothing was left
    /// open: not when something was missing for the first time, nor when the directory did not answer,
    /// from which nothing is concluded.
    ///
    /// # Errors
    /// The store failed; the process must end.
    pub async fn reconcile(&self) -> Result<bool, StoreFault> {
        let Some(in_force) = self.policy.load_full() else { return Ok(true) };
        let targets: BTreeSet<Target> = in_force.policy.roles().iter().map(|role| role.target).collect();
        let mut whole = true;
        let mut listed = BTreeSet::new();
        for target in targets {
            match self.ports.directory.assignments(&target).await {
                Ok(held) => {
                    whole &= self.report_drift(&target, &held).await?;
                    listed.extend(held.into_iter().map(|Assignment { id, slot }| (slot, id)));
                }
                Err(unreachable) => {
                    tracing::warn!(reason = %unreachable.reason, "a role's assignments could not be listed");
                    whole = false;
                }
            }
        }
        if whole {
            self.sightings.reported().retain(|seen| listed.contains(seen));
        }
        let filter = Filter { live_only: true, ..Filter::default() };
        let mut page = Page { limit: 100, after: None };
        let mut live = BTreeSet::new();
        loop {
            let found = self.ports.journal.find(&filter, &page).await?;
            for recorded in &found.activations {
                live.insert(recorded.id);
                whole &= self.check_held(recorded).await?;
            }
            match found.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        self.sightings.missing_since().retain(|id, _| live.contains(id));
        Ok(whole)
    }

    async fn report_drift(&self, target: &Target, held: &[Assignment]) -> Result<bool, StoreFault> {
        let mut whole = true;
        for Assignment { id, slot } in held {
            let seen = (*slot, id.clone());
            if self.ports.journal.holder(slot).await?.is_some() || self.sightings.reported().contains(&seen) {
                continue;
            }
            // A listing lags: what it shows may be ours, and have ended since.
            match self.ports.directory.look(slot.principal, target).await {
                Ok(Held::By(_)) => {}
                Ok(Held::Nothing) => continue,
                Err(_) => {
                    whole = false;
                    continue;
                }
            }
            if self.ports.journal.holder(slot).await?.is_some() {
                continue;
            }
            tracing::warn!(principal = %slot.principal, resource = %slot.resource,
                "an assignment of a managed role is not on record; it is left alone");
            let note = Note::Drift { slot: *slot, assignment: id.to_string(), at: self.now().latest() };
            if let Err(AppendError::Store(fault)) = self.ports.journal.note(note).await {
                return Err(fault);
            }
            self.sightings.reported().insert(seen);
        }
        Ok(whole)
    }

    async fn check_held(&self, listed: &Recorded) -> Result<bool, StoreFault> {
        if !matches!(listed.state, State::Active { .. }) {
            self.forget(listed.id);
            return Ok(true);
        }
        let asked = self.now();
        match self.ports.directory.look(listed.request.asked.principal, &listed.target).await {
            Err(_) => return Ok(false),
            Ok(Held::By(_)) => {
                self.forget(listed.id);
                return Ok(true);
            }
            Ok(Held::Nothing) => {}
        }
        // From the first answer to the second question: an answer may take long.
        let answered = self.now().latest();
        let since = *self.sightings.missing_since().entry(listed.id).or_insert(answered);
        if asked.earliest().duration_since(since) < AGREEMENT {
            return Ok(false);
        }
        let _writer = self.locks.lock(listed.id).await;
        let Some(recorded) = self.ports.journal.load(listed.id).await? else { return Ok(true) };
        if recorded.version != listed.version {
            return Ok(true);
        }
        self.forget(listed.id);
        match self.record(&recorded, Actor::Broker, Change::RemovedElsewhere, self.now()).await {
            Err(Refusal::Store(fault)) => Err(fault),
            _ => Ok(true),
        }
    }

    fn forget(&self, id: ActivationId) {
        self.sightings.missing_since().remove(&id);
    }

    #[cfg(test)]
    pub(super) fn sightings(&self) -> (usize, usize) {
        (self.sightings.missing_since().len(), self.sightings.reported().len())
    }
}

impl Sightings {
    fn missing_since(&self) -> MutexGuard<'_, BTreeMap<ActivationId, Timestamp>> {
        self.missing_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reported(&self) -> MutexGuard<'_, BTreeSet<(Slot, AssignmentId)>> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
