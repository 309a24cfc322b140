//! Comparing both ways: what the record says is held, and what the directory holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

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
    /// as active and twice not there is closed as removed elsewhere. Answers whether the round was
    /// whole; a directory that does not answer makes it short, and nothing is concluded from it.
    ///
    /// # Errors
    /// The store failed; the process must end.
    pub async fn reconcile(&self) -> Result<bool, StoreFault> {
        let Some(in_force) = self.policy.load_full() else { return Ok(true) };
        let targets: BTreeSet<Target> = in_force.policy.roles().iter().map(|role| role.target).collect();
        let mut whole = true;
        for target in targets {
            match self.ports.directory.assignments(&target).await {
                Ok(held) => self.report_drift(&held).await?,
                Err(unreachable) => {
                    tracing::warn!(reason = %unreachable.reason, "a role's assignments could not be listed");
                    whole = false;
                }
            }
        }
        let filter = Filter { live_only: true, ..Filter::default() };
        let mut page = Page { limit: 100, after: None };
        loop {
            let found = self.ports.journal.find(&filter, &page).await?;
            for recorded in &found.activations {
                whole &= self.check_held(recorded).await?;
            }
            match found.next {
                Some(next) => page.after = Some(next),
                None => return Ok(whole),
            }
        }
    }

    async fn report_drift(&self, held: &[Assignment]) -> Result<(), StoreFault> {
        for Assignment { id, slot } in held {
            if self.ports.journal.holder(slot).await?.is_some() {
                continue;
            }
            let fresh = {
                let mut reported = self.sightings.reported.lock().unwrap_or_else(PoisonError::into_inner);
                reported.insert((*slot, id.clone()))
            };
            if !fresh {
                continue;
            }
            tracing::warn!(principal = %slot.principal, role = %slot.role_definition, scope = %slot.scope,
                "an assignment of a managed role is not on record; it is left alone");
            let note = Note::Drift { slot: *slot, assignment: id.to_string(), at: self.now().latest() };
            if let Err(AppendError::Store(fault)) = self.ports.journal.note(note).await {
                return Err(fault);
            }
        }
        Ok(())
    }

    async fn check_held(&self, listed: &Recorded) -> Result<bool, StoreFault> {
        if !matches!(listed.state, State::Active { .. }) {
            self.forget(listed.id);
            return Ok(true);
        }
        let now = self.now();
        match self.ports.directory.look(&listed.slot(), listed.request.asked.target.way).await {
            Err(_) => return Ok(false),
            Ok(Held::By(_)) => {
                self.forget(listed.id);
                return Ok(true);
            }
            Ok(Held::Nothing) => {}
        }
        let since = {
            let mut missing = self.sightings.missing_since.lock().unwrap_or_else(PoisonError::into_inner);
            *missing.entry(listed.id).or_insert(now.latest())
        };
        if now.earliest().duration_since(since) < AGREEMENT {
            return Ok(true);
        }
        let _writer = self.locks.lock(listed.id).await;
        let Some(recorded) = self.ports.journal.load(listed.id).await? else { return Ok(true) };
        if recorded.version != listed.version {
            return Ok(true);
        }
        self.forget(listed.id);
        match self.record(&recorded, Actor::Broker, Change::RemovedElsewhere, now).await {
            Err(Refusal::Store(fault)) => Err(fault),
            _ => Ok(true),
        }
    }

    fn forget(&self, id: ActivationId) {
        self.sightings.missing_since.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}
