//! Taking away, for those with the right to.

use elevate_core::activation::{Actor, Cause, Change, Outcome, State};
use elevate_core::due::Now;
use elevate_core::names::ActivationId;

use super::{Refusal, Workflow, has_one_of};
use crate::ports::journal::{Filter, Page, Recorded, StoreFault};
use crate::ports::verifier::{AppRole, Caller};

/// What is past its end, and what the directory gives no answer to.
#[derive(Debug, Clone, Default)]
pub struct Overdue {
    /// How many roles are to be gone and not yet seen gone.
    pub count: u64,
    /// How many steps the directory has not answered clearly after many tries, overdue or not.
    pub stuck: u64,
    /// The overdue ones, at most [`Overdue::SHOWN`], the newest first.
    pub shown: Vec<Recorded>,
}

impl Overdue {
    /// How many are named.
    pub const SHOWN: usize = 100;
    /// Past this many tries a step is called stuck: somebody should look.
    const STUCK_TRIES: u32 = 5;

    fn count(&mut self, recorded: Recorded, now: Now) {
        let late = match &recorded.state {
            State::Activating { not_after, .. } | State::Active { not_after, .. } => {
                now.latest() >= *not_after
            }
            State::Revoking { .. } => true,
            State::Requested
            | State::AwaitingApproval { .. }
            | State::Scheduled { .. }
            | State::Closed { .. } => false,
        };
        if let State::Revoking { retry, .. } | State::Activating { retry, .. } = &recorded.state
            && retry.tries > Self::STUCK_TRIES
        {
            self.stuck = self.stuck.saturating_add(1);
        }
        if late {
            self.count = self.count.saturating_add(1);
            if self.shown.len() < Self::SHOWN {
                self.shown.push(recorded);
            }
        }
    }
}

impl Workflow {
    /// Takes one activation away, wherever it stands.
    ///
    /// # Errors
    /// The caller has no right to, there is none, or it is over.
    pub async fn revoke(&self, caller: &Caller, id: ActivationId, reason: &str) -> Result<Recorded, Refusal> {
        has_one_of(caller, &[AppRole::Revoker])?;
        let _writer = self.locks.lock(id).await;
        let recorded = self.load(id).await?;
        let change = match &recorded.state {
            // Not withdrawn: that is the asker's own word, and it has no room for the reason.
            State::Requested | State::AwaitingApproval { .. } | State::Scheduled { .. } => {
                Change::Refused { reason: format!("revoked before it began: {reason}") }
            }
            // It made nothing of its own; what it was to continue ends when it was to end, or is revoked itself.
            State::Activating { .. } if recorded.is_to_take_over() => {
                Change::Refused { reason: format!("revoked before it took over: {reason}") }
            }
            State::Activating { .. } | State::Active { .. } => {
                Change::RevocationBegun(Cause::Revoked { reason: reason.to_owned() })
            }
            State::Revoking { .. } => return Ok(recorded),
            // What it held is held still, under another name.
            State::Closed { outcome: Outcome::TakenOver { .. }, .. } => {
                return Err(Refusal::WrongState {
                    is: "continued by another",
                    hint: "take that one away; `elevate show` of this one names it",
                });
            }
            State::Closed { .. } => {
                return Err(Refusal::WrongState {
                    is: recorded.state.word(),
                    hint: "there is nothing to take away",
                });
            }
        };
        self.record(&recorded, Actor::Principal(caller.principal), change, self.now()).await
    }

    /// Whether this caller may sweep.
    ///
    /// # Errors
    /// They are no revoker.
    pub fn may_sweep(&self, caller: &Caller) -> Result<(), Refusal> {
        has_one_of(caller, &[AppRole::Revoker])
    }

    /// Every live activation that is to be gone (its time is up, or somebody ended it) and not yet seen gone,
    /// or stuck.
    ///
    /// # Errors
    /// The store failed.
    pub async fn overdue(&self) -> Result<Overdue, StoreFault> {
        let now = self.now();
        let filter = Filter { live_only: true, ..Filter::default() };
        let mut page = Page { limit: 500, after: None };
        let mut overdue = Overdue::default();
        loop {
            let found = self.ports.journal.find(&filter, &page).await?;
            for recorded in found.activations {
                overdue.count(recorded, now);
            }
            match found.next {
                Some(next) => page.after = Some(next),
                None => return Ok(overdue),
            }
        }
    }
}
