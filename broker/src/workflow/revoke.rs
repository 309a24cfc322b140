//! Taking away, for those with the right to.

use elevate_core::activation::{Actor, Cause, Change, State};
use elevate_core::names::ActivationId;

use super::{Refusal, Workflow, has_one_of};
use crate::ports::journal::{Filter, Page, Recorded, StoreFault};
use crate::ports::verifier::{AppRole, Caller};

/// What a sweep found.
#[derive(Debug, Clone, Default)]
pub struct Swept {
    /// How many were due.
    pub due: u64,
    /// How many of them are closed now.
    pub closed: u64,
    /// How many roles are past their end and not yet seen gone.
    pub overdue: u64,
    /// Those, at most [`Swept::SHOWN`].
    pub unsettled: Vec<Recorded>,
}

impl Swept {
    /// How many unsettled activations a sweep names.
    pub const SHOWN: usize = 100;
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
            State::Requested | State::AwaitingApproval { .. } | State::Scheduled { .. } => Change::Withdrawn,
            State::Activating { .. } | State::Active { .. } => {
                Change::RevocationBegun(Cause::Revoked { reason: reason.to_owned() })
            }
            State::Revoking { .. } => return Ok(recorded),
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

    /// Every live activation that is past its end and not yet seen gone.
    ///
    /// # Errors
    /// The store failed.
    pub async fn overdue(&self) -> Result<(u64, Vec<Recorded>), StoreFault> {
        let now = self.now();
        let filter = Filter { live_only: true, ..Filter::default() };
        let mut page = Page { limit: 500, after: None };
        let mut count = 0_u64;
        let mut shown = Vec::new();
        loop {
            let found = self.ports.journal.find(&filter, &page).await?;
            for recorded in found.activations {
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
                if late {
                    count = count.saturating_add(1);
                    if shown.len() < Swept::SHOWN {
                        shown.push(recorded);
                    }
                }
            }
            match found.next {
                Some(next) => page.after = Some(next),
                None => return Ok((count, shown)),
            }
        }
    }
}
