//! Looking at what was done in an emergency, after it is over.

use elevate_core::activation::{Activation, Actor, Change, Review, State};
use elevate_core::approval::Standing;
use elevate_core::names::{ActivationId, Principal, RoleName};

use super::{Refusal, Workflow, groups_among, has_one_of, person};
use crate::ports::directory::Unreachable;
use crate::ports::journal::{Filter, Found, Page, Recorded, StoreFault};
use crate::ports::verifier::{AppRole, Caller};

/// How many open reviews one look goes through, the newest first. More than people leave open.
const LOOKED_THROUGH: usize = 10_000;

impl Workflow {
    /// The break-glass use of this role by this principal that nobody has looked at yet, if there is one.
    pub(super) async fn unreviewed(
        &self,
        principal: Principal,
        role: &RoleName,
    ) -> Result<Option<ActivationId>, StoreFault> {
        let filter = Filter {
            principal: Some(principal),
            role: Some(role.clone()),
            unreviewed_only: true,
            ..Filter::default()
        };
        // A page may be short and not the last, so an empty one proves nothing yet.
        let mut after = None;
        loop {
            let found = self.ports.journal.find(&filter, &Page { limit: 1, after }).await?;
            match (found.activations.first(), found.next) {
                (Some(open), _) => return Ok(Some(open.id)),
                (None, Some(next)) => after = Some(next),
                (None, None) => return Ok(None),
            }
        }
    }

    /// Break-glass uses that nobody has looked at yet, newest first: all for an auditor, else those this caller
    /// may close once they are over.
    ///
    /// # Errors
    /// The directory or the store gave no answer.
    pub async fn reviews(&self, caller: &Caller, page: &Page) -> Result<Found, Refusal> {
        let filter = Filter { unreviewed_only: true, ..Filter::default() };
        if has_one_of(caller, &[AppRole::Auditor]).is_ok() {
            return Ok(self.ports.journal.find(&filter, page).await?);
        }
        person(caller)?;
        let (mut open, mut after) = (Vec::new(), page.after);
        while open.len() < LOOKED_THROUGH {
            let found = self.ports.journal.find(&filter, &Page { limit: 500, after }).await?;
            open.extend(found.activations);
            after = found.next;
            if after.is_none() {
                break;
            }
        }
        let groups = groups_among(open.iter().flat_map(|open| &open.request.told));
        let standing = self.standing(caller.principal, &groups).await?;
        open.retain(|open| is_told(&standing, open));
        let more = open.len() > page.limit;
        open.truncate(page.limit);
        let next = open.last().filter(|_| more).map(|last| last.id);
        Ok(Found { activations: open, next })
    }

    /// Says that somebody else has looked at it.
    ///
    /// # Errors
    /// It is none of the caller's to look at, their own, not over yet, or needs no review.
    pub async fn close_review(
        &self,
        caller: &Caller,
        id: ActivationId,
        comment: &str,
    ) -> Result<Recorded, Refusal> {
        person(caller)?;
        let recorded = self.load(id).await?;
        if recorded.request.asked.principal == caller.principal {
            return Err(Refusal::OwnReview);
        }
        if !self.may_review(caller, &recorded).await? {
            return Err(Refusal::ActivationNotFound);
        }
        let _writer = self.locks.lock(id).await;
        let recorded = self.load(id).await?;
        match (&recorded.review, &recorded.state) {
            (Review::Open, State::Closed { .. }) => {
                let change = Change::Reviewed { comment: comment.to_owned() };
                self.record(&recorded, Actor::Principal(caller.principal), change, self.now()).await
            }
            (Review::Closed { by, .. }, _) if *by == caller.principal => Ok(recorded),
            (Review::Closed { .. }, _) => Err(Refusal::WrongState {
                is: "reviewed",
                hint: "somebody has closed its review already; `elevate show` tells who",
            }),
            (Review::Open, _) => Err(Refusal::WrongState {
                is: recorded.state.word(),
                hint: "it is looked at when it is over; `elevate revoke` ends it now",
            }),
            (Review::NotNeeded, _) => {
                Err(Refusal::WrongState { is: recorded.state.word(), hint: "it needs no review" })
            }
        }
    }

    async fn may_review(&self, caller: &Caller, recorded: &Activation) -> Result<bool, Refusal> {
        if has_one_of(caller, &[AppRole::Auditor]).is_ok() {
            return Ok(true);
        }
        Ok(self.is_told(caller.principal, recorded).await?)
    }

    /// Whether this principal is one of those who are told of it, by the directory now.
    pub(super) async fn is_told(
        &self,
        principal: Principal,
        recorded: &Activation,
    ) -> Result<bool, Unreachable> {
        if recorded.request.told.is_empty() {
            return Ok(false);
        }
        let standing = self.standing(principal, &groups_among(&recorded.request.told)).await?;
        Ok(is_told(&standing, recorded))
    }
}

fn is_told(standing: &Standing, recorded: &Activation) -> bool {
    standing.is_among(&recorded.request.told) && recorded.request.asked.principal != standing.principal
}
