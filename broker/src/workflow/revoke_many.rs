//! Taking much away at once: what fits a selection, however much it is, one failing none of the others.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use elevate_core::activation::{Outcome, State};
use elevate_core::names::{ActivationId, ObjectId, Principal, RoleName};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Refusal, Workflow, has_one_of};
use crate::ports::journal::{Filter, Page, Recorded, StoreFault};
use crate::ports::verifier::{AppRole, Caller};

/// How many one call takes away. More than any tenant has at one moment; whoever has more repeats it.
const MOST: usize = 10_000;

/// How many may be named one by one.
pub const MOST_NAMED: usize = 500;

/// How many are written at one moment: the record takes them together, and one that waits for the directory's
/// answer to something else keeps no other waiting.
const AT_ONCE: usize = 64;

/// So often one is tried again that somebody else changes at the same moment.
const TRIES: usize = 5;

/// Entra PIM removes nothing in an assignment's first five minutes.
const PIM_KEEPS: SignedDuration = SignedDuration::from_mins(5);

/// What is to be taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These.
    Named(BTreeSet<ActivationId>),
    /// Everything live that fits; with neither, everything.
    Live {
        /// Whose.
        principal: Option<ObjectId>,
        /// Of which role.
        role: Option<RoleName>,
    },
}

/// What would be taken away: a page of it.
#[derive(Debug, Clone, Default)]
pub struct WouldBeTaken {
    /// The newest first.
    pub activations: Vec<Recorded>,
    /// Where the next page begins, if there is one.
    pub next: Option<ActivationId>,
    /// Named, and not there.
    pub unknown: Vec<ActivationId>,
}

/// What became of one of them on record.
#[derive(Debug)]
pub enum Taken {
    /// It is to be taken away, or was on its way before.
    Begun(ActivationId),
    /// It is over: it had not begun, or was over before.
    Over(ActivationId),
    /// It could not be recorded.
    Failed(ActivationId, Refusal),
}

/// Not before this moment can it be gone, where the directory keeps it for a while.
pub fn kept_until(recorded: &Recorded, now: Timestamp) -> Option<Timestamp> {
    let held = matches!(recorded.state, State::Active { .. } | State::Revoking { .. });
    // What one took over began before it was that one's.
    let held = held && recorded.request.asked.continues.is_none();
    let from = recorded.held_from.filter(|_| held && recorded.target.way().is_pim())?;
    from.checked_add(PIM_KEEPS).ok().filter(|until| *until > now)
}

impl Workflow {
    /// What would be taken away. Changes nothing.
    ///
    /// # Errors
    /// The caller is no revoker.
    pub async fn would_be_taken(
        &self,
        caller: &Caller,
        selection: &Selection,
        page: &Page,
    ) -> Result<WouldBeTaken, Refusal> {
        has_one_of(caller, &[AppRole::Revoker])?;
        match selection {
            Selection::Named(ids) => {
                let mut would = WouldBeTaken::default();
                for id in ids {
                    match self.ports.journal.load(*id).await? {
                        Some(recorded) => would.activations.push(recorded),
                        None => would.unknown.push(*id),
                    }
                }
                Ok(would)
            }
            Selection::Live { principal, role } => {
                let found = self.ports.journal.find(&live(caller, *principal, role.as_ref()), page).await?;
                Ok(WouldBeTaken { activations: found.activations, next: found.next, unknown: Vec::new() })
            }
        }
    }

    /// Takes away all that is selected, with one reason; what has not begun is over at once. Each is tried, and
    /// each is told of as soon as it is on record. What one held that another takes over meanwhile is taken from that
    /// one. Says how many there were, and whether there are more.
    ///
    /// # Errors
    /// The caller is no revoker, or the store failed.
    pub async fn revoke_many(
        self: Arc<Self>,
        caller: Caller,
        selection: Selection,
        reason: String,
        told: mpsc::UnboundedSender<Taken>,
    ) -> Result<(usize, bool), Refusal> {
        has_one_of(&caller, &[AppRole::Revoker])?;
        let begun = self.now().latest();
        let (ids, more) = self.selected(&caller, selection).await?;
        let count = self.take_all(caller, ids, begun, reason, told).await?;
        Ok((count, more))
    }

    /// Takes these away, and what takes over what they hold since `begun`. Says how many there were.
    pub(super) async fn take_all(
        self: Arc<Self>,
        caller: Caller,
        ids: Vec<ActivationId>,
        begun: Timestamp,
        reason: String,
        told: mpsc::UnboundedSender<Taken>,
    ) -> Result<usize, StoreFault> {
        let mut known: BTreeSet<_> = ids.iter().copied().collect();
        let (caller, reason) = (Arc::new(caller), Arc::<str>::from(reason));
        let mut ids = VecDeque::from(ids);
        let mut writing = JoinSet::new();
        loop {
            while writing.len() < AT_ONCE
                && let Some(id) = ids.pop_front()
            {
                let (workflow, caller, reason) =
                    (Arc::clone(&self), Arc::clone(&caller), Arc::clone(&reason));
                writing.spawn(async move {
                    let taken = workflow.take(&caller, id, &reason).await?;
                    Ok((taken, workflow.continued_since(id, begun).await?))
                });
            }
            match writing.join_next().await {
                None => return Ok(known.len()),
                Some(Ok(Ok((taken, continued_by)))) => {
                    // Nobody listens any more: it goes on all the same.
                    drop(told.send(taken));
                    ids.extend(continued_by.filter(|by| known.insert(*by)));
                }
                Some(Ok(Err(fault))) => return Err(fault),
                Some(Err(panicked)) => {
                    return Err(StoreFault(format!("a revocation ended in disorder: {panicked}")));
                }
            }
        }
    }

    /// Which one took it over since then, if one did: it may have been asked for after the selection was made.
    async fn continued_since(
        &self,
        id: ActivationId,
        begun: Timestamp,
    ) -> Result<Option<ActivationId>, StoreFault> {
        Ok(self.ports.journal.load(id).await?.and_then(|recorded| match &recorded.state {
            State::Closed { outcome: Outcome::TakenOver { by }, at } if *at >= begun => Some(*by),
            _ => None,
        }))
    }

    async fn take(&self, caller: &Caller, id: ActivationId, reason: &str) -> Result<Taken, StoreFault> {
        for _ in 0..TRIES {
            match self.revoke(caller, id, reason).await {
                Ok(recorded) if recorded.is_live() => return Ok(Taken::Begun(id)),
                Ok(_) | Err(Refusal::WrongState { .. }) => return Ok(Taken::Over(id)),
                Err(Refusal::Store(fault)) => return Err(fault),
                Err(Refusal::Contended) => {}
                Err(refusal) => return Ok(Taken::Failed(id, refusal)),
            }
        }
        Ok(Taken::Failed(id, Refusal::Contended))
    }

    pub(super) async fn selected(
        &self,
        caller: &Caller,
        selection: Selection,
    ) -> Result<(Vec<ActivationId>, bool), Refusal> {
        let (principal, role) = match selection {
            Selection::Named(ids) => return Ok((ids.into_iter().collect(), false)),
            Selection::Live { principal, role } => (principal, role),
        };
        let filter = live(caller, principal, role.as_ref());
        let mut page = Page { limit: 500, after: None };
        let mut ids = Vec::new();
        loop {
            let found = self.ports.journal.find(&filter, &page).await?;
            ids.extend(found.activations.iter().map(|recorded| recorded.id));
            match found.next {
                Some(next) if ids.len() < MOST => page.after = Some(next),
                more => return Ok((ids, more.is_some())),
            }
        }
    }
}

fn live(caller: &Caller, principal: Option<ObjectId>, role: Option<&RoleName>) -> Filter {
    Filter {
        principal: principal.map(|object| Principal { object, ..caller.principal }),
        role: role.cloned(),
        live_only: true,
        ..Filter::default()
    }
}
