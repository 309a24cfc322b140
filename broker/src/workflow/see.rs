//! Looking, as far as it is one's business.

use elevate_core::activation::Activation;
use elevate_core::names::ActivationId;
use elevate_core::policy::{BreakGlass, EligibleRole};

use super::decide::groups_named;
use super::{Refusal, Workflow, has_one_of, person};
use crate::ports::journal::{Entry, Filter, Found, Page, Position, Recorded};
use crate::ports::verifier::{AppRole, Caller};

/// What one caller is offered of a role.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The role.
    pub role: EligibleRole,
    /// Whether its everyday terms are for them.
    pub everyday: bool,
    /// What they are offered in an emergency.
    pub break_glass: Option<BreakGlass>,
    /// Their live activation of it.
    pub live: Option<Recorded>,
}

impl Workflow {
    /// The roles offered to this caller, by name, each with their live activation of it.
    ///
    /// # Errors
    /// No policy, or no answer of the directory.
    pub async fn offers(&self, caller: &Caller) -> Result<Vec<Offer>, Refusal> {
        person(caller)?;
        let in_force = self.in_force()?;
        let groups = super::groups_among(
            in_force.policy.roles().iter().flat_map(|r| r.eligible.iter().chain(&r.denied)),
        );
        let standing = self.standing(caller.principal, &groups).await?;
        let mut offers = Vec::new();
        for role in in_force.policy.roles() {
            let everyday = role.is_offered_to(&standing);
            let break_glass = role.break_glass_for(&standing).cloned();
            if !everyday && break_glass.is_none() {
                continue;
            }
            let live = match self.ports.journal.holder(&role.slot(caller.principal)).await? {
                Some(id) => self.ports.journal.load(id).await?,
                None => None,
            };
            offers.push(Offer { role: role.clone(), everyday, break_glass, live });
        }
        offers.sort_by(|one, other| one.role.name.cmp(&other.role.name));
        Ok(offers)
    }

    /// One activation: the caller's own, one they could decide, or any for an auditor or revoker.
    ///
    /// # Errors
    /// No such activation, or none of theirs: one answer.
    pub async fn show(&self, caller: &Caller, id: ActivationId) -> Result<Recorded, Refusal> {
        let recorded = self.load(id).await?;
        if self.may_see(caller, &recorded).await? { Ok(recorded) } else { Err(Refusal::ActivationNotFound) }
    }

    /// Activations, newest first: the caller's own, or everybody's for an auditor or revoker.
    ///
    /// # Errors
    /// Everybody's were asked for without the right to see them.
    pub async fn list(
        &self,
        caller: &Caller,
        filter: Filter,
        everybody: bool,
        page: &Page,
    ) -> Result<Found, Refusal> {
        if everybody {
            has_one_of(caller, &[AppRole::Auditor, AppRole::Revoker])?;
            return Ok(self.ports.journal.find(&filter, page).await?);
        }
        let own = Filter { principal: Some(caller.principal), ..filter };
        Ok(self.ports.journal.find(&own, page).await?)
    }

    /// The record from a position on.
    ///
    /// # Errors
    /// The caller is no auditor.
    pub async fn audit(&self, caller: &Caller, from: Position, limit: usize) -> Result<Vec<Entry>, Refusal> {
        has_one_of(caller, &[AppRole::Auditor])?;
        Ok(self.ports.journal.read(from, limit).await?)
    }

    pub(super) async fn may_see(&self, caller: &Caller, recorded: &Activation) -> Result<bool, Refusal> {
        let request = &recorded.request;
        if request.asked.principal == caller.principal
            || recorded.approvals.iter().any(|approval| approval.approver == caller.principal)
            || has_one_of(caller, &[AppRole::Auditor, AppRole::Revoker]).is_ok()
        {
            return Ok(true);
        }
        if self.is_told(caller.principal, recorded).await? {
            return Ok(true);
        }
        if request.requirements.is_empty() {
            return Ok(false);
        }
        let standing = self.standing(caller.principal, &groups_named(&request.requirements)).await?;
        Ok(request.requirements.iter().any(|requirement| standing.is_among(&requirement.from)))
    }
}
