//! A policy to begin with, out of what the tenant holds today.

use std::collections::BTreeSet;

use elevate_core::names::Slot;
use elevate_core::policy::import::{Basis, Holding, Imported};
use elevate_core::policy::{self, files};

use super::{Refusal, Workflow, has_one_of};
use crate::ports::journal::{Filter, Page};
use crate::ports::verifier::{AppRole, Caller};

impl Workflow {
    /// The policy that says what the tenant holds today, and its text. Changes nothing.
    ///
    /// # Errors
    /// The caller has no right to, or the tenant cannot be read whole.
    pub async fn import(&self, caller: &Caller) -> Result<(String, Imported), Refusal> {
        has_one_of(caller, &[AppRole::PolicyAdmin])?;
        // Before the listing: what ends in between is not seen there, and what begins was listed as nobody's yet.
        let before = self.own_slots().await?;
        let mut survey = self.ports.inventory.survey().await?;
        let own: BTreeSet<_> = before.into_iter().chain(self.own_slots().await?).collect();
        let tenant = caller.principal.tenant;
        let is_ours = |holding: &Holding| {
            let principal = elevate_core::names::Principal { tenant, object: holding.holder.id };
            holding.basis == Basis::Standing && own.contains(&Slot { principal, resource: holding.what })
        };
        // What this broker granted ends by itself, and is nobody's for good.
        survey.holdings.retain(|holding| !is_ours(holding));
        let imported = policy::import(&survey);
        let text = files::join(&imported.files).map_err(Refusal::PolicyInvalid)?;
        Ok((text, imported))
    }

    /// What is held, or may be, by this broker's own doing.
    async fn own_slots(&self) -> Result<Vec<Slot>, Refusal> {
        let filter = Filter { live_only: true, ..Filter::default() };
        let mut page = Page { limit: 100, after: None };
        let mut slots = Vec::new();
        loop {
            let found = self.ports.journal.find(&filter, &page).await?;
            slots.extend(found.activations.iter().map(|live| live.slot()));
            match found.next {
                Some(next) => page.after = Some(next),
                None => return Ok(slots),
            }
        }
    }
}
