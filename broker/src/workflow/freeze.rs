//! Nothing new is granted, to anybody, until somebody says otherwise. What takes away goes on.
//!
//! A freeze stands in the record, so it survives a restart. It is looked at when somebody asks, when a request is
//! to begin, and before the directory is asked for a grant.

use super::{Refusal, Workflow, has_one_of, person};
use crate::ports::journal::{Freeze, Note, StoreFault};
use crate::ports::verifier::{AppRole, Caller};

impl Workflow {
    /// From now on nothing new is granted. For revokers, programs too: automation may pull the brake.
    /// Repeated, the first one stands.
    ///
    /// # Errors
    /// The caller is no revoker.
    pub async fn freeze(&self, caller: &Caller, reason: &str) -> Result<Freeze, Refusal> {
        has_one_of(caller, &[AppRole::Revoker])?;
        let _one_at_a_time = self.freezing.lock().await;
        if let Some(standing) = self.frozen().await? {
            return Ok(standing);
        }
        let freeze = Freeze { by: caller.principal, reason: reason.to_owned(), at: self.now().latest() };
        self.ports.journal.note(Note::Frozen(freeze.clone())).await?;
        tracing::warn!(by = %freeze.by.object, "frozen: nothing new is granted until it is thawed");
        Ok(freeze)
    }

    /// From now on grants are given again. For people, revokers and policy admins: a program that can be fooled
    /// into freezing must not be fooled into thawing.
    ///
    /// # Errors
    /// The caller may not, or nothing is frozen.
    pub async fn thaw(&self, caller: &Caller, reason: &str) -> Result<Freeze, Refusal> {
        person(caller)?;
        has_one_of(caller, &[AppRole::Revoker, AppRole::PolicyAdmin])?;
        let _one_at_a_time = self.freezing.lock().await;
        if self.frozen().await?.is_none() {
            return Err(Refusal::NotFrozen);
        }
        let thaw = Freeze { by: caller.principal, reason: reason.to_owned(), at: self.now().latest() };
        self.ports.journal.note(Note::Thawed(thaw.clone())).await?;
        tracing::warn!(by = %thaw.by.object, "thawed: grants are given again");
        Ok(thaw)
    }

    /// Since when nothing is granted, by whom and why, if so.
    ///
    /// # Errors
    /// The store failed.
    pub async fn frozen(&self) -> Result<Option<Freeze>, StoreFault> {
        self.ports.journal.freeze().await
    }

    /// Refuses whoever asks for something new.
    pub(super) async fn granting(&self) -> Result<(), Refusal> {
        match self.frozen().await? {
            None => Ok(()),
            Some(freeze) => Err(Refusal::Frozen(Box::new(freeze))),
        }
    }

    /// Whether nothing may be granted now. A record that does not answer says no more than that.
    pub(super) async fn is_frozen(&self) -> bool {
        !matches!(self.frozen().await, Ok(None))
    }
}
