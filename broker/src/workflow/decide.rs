//! Saying yes or no to what others ask.

use elevate_core::activation::{Activation, Actor, Change, Outcome, State};
use elevate_core::approval::{self, Approval, ApprovalRefusal, ApprovalRequirement, Narrowed, Standing};
use elevate_core::binding::{Action, Digest, approval_digest};
use elevate_core::names::{ActivationId, RequestId};
use elevate_core::policy::EligibleRole;

use super::{InForce, Refusal, Workflow, groups_among, person};
use crate::ports::journal::{Filter, Found, Page, Recorded};
use crate::ports::verifier::{Caller, Challenge, Wanted};

/// How many waiting requests one look goes through, the newest first. More than people can answer.
const LOOKED_THROUGH: usize = 10_000;

/// What a yes would be to, and what to sign in for.
#[derive(Debug, Clone)]
pub struct ToApprove {
    /// The activation, as it stands.
    pub recorded: Recorded,
    /// The offer in force.
    pub offer: EligibleRole,
    /// To how much of what was asked the yes would be.
    pub much: Narrowed,
    /// What to sign in for.
    pub challenge: Challenge,
}

/// A yes, as it comes in.
#[derive(Debug, Clone, Copy)]
pub struct Yes<'a> {
    /// The approver's own id for this mutation.
    pub request_id: RequestId,
    /// The digest of the request they were shown.
    pub digest: Digest,
    /// To how much of it, as they were shown.
    pub much: Narrowed,
    /// What they say with it.
    pub comment: &'a str,
    /// The ID token of their fresh sign-in.
    pub proof: &'a str,
    /// The challenge it was made for.
    pub challenge: &'a str,
}

impl Workflow {
    /// The activations that wait for this caller, newest first.
    ///
    /// # Errors
    /// The directory or the store gave no answer.
    pub async fn pending(&self, caller: &Caller, page: &Page) -> Result<Found, Refusal> {
        person(caller)?;
        let filter = Filter { awaiting_only: true, ..Filter::default() };
        // All that wait are looked at, and only then counted: a page that is short, or a token that names
        // what was passed over, would tell of requests that are none of the caller's business.
        let (mut waiting, mut after) = (Vec::new(), page.after);
        while waiting.len() < LOOKED_THROUGH {
            let found = self.ports.journal.find(&filter, &Page { limit: 500, after }).await?;
            waiting.extend(found.activations);
            after = found.next;
            if after.is_none() {
                break;
            }
        }
        let groups = waiting.iter().flat_map(|waiting| groups_named(&waiting.request.requirements));
        let standing = self.standing(caller.principal, &groups.collect()).await?;
        let now = self.now();
        waiting.retain(|waiting| {
            let request = &waiting.request;
            let mine = approval::may_approve(
                &request.requirements,
                &waiting.approvals,
                request.asked.principal,
                request.own_approval,
                &standing,
            );
            let open =
                matches!(waiting.state, State::AwaitingApproval { lapses_at } if now.latest() < lapses_at);
            mine.is_ok() && open
        });
        let more = waiting.len() > page.limit;
        waiting.truncate(page.limit);
        let next = waiting.last().filter(|_| more).map(|last| last.id);
        Ok(Found { activations: waiting, next })
    }

    /// What would be approved with this taken off what is left, and what to sign in for. Changes nothing.
    ///
    /// # Errors
    /// Everything that would stand against the yes itself, as far as it can be known now.
    pub async fn prepare_approval(
        &self,
        caller: &Caller,
        id: ActivationId,
        off: &Narrowed,
    ) -> Result<ToApprove, Refusal> {
        self.accepting()?;
        person(caller)?;
        let recorded = self.load(id).await?;
        let standing = self.standing_to_decide(caller, &recorded).await?;
        self.open_to(&standing, &recorded)?;
        let (offer, _) = self.right_to_approve(&standing, &recorded)?;
        let much = recorded.narrowed_by(off)?;
        self.free_where_narrowed(&recorded, &much).await?;
        let digest = approval_digest(id, recorded.digest, &much);
        let challenge = self.ports.verifier.challenge(caller.principal, digest, Action::Approve);
        Ok(ToApprove { recorded, offer, much, challenge })
    }

    /// Says yes. The right to is read from the directory again, now.
    ///
    /// # Errors
    /// The right, the proof or the state stands against it; nothing was changed.
    pub async fn approve(
        &self,
        caller: &Caller,
        id: ActivationId,
        yes: Yes<'_>,
    ) -> Result<Recorded, Refusal> {
        self.accepting()?;
        person(caller)?;
        let repeated =
            |given: &Approval| given.approver == caller.principal && given.request_id == yes.request_id;
        let recorded = self.load(id).await?;
        if recorded.approvals.iter().any(repeated) {
            return Ok(recorded);
        }
        let standing = self.standing_to_decide(caller, &recorded).await?;
        self.open_to(&standing, &recorded)?;
        let (offer, _) = self.right_to_approve(&standing, &recorded)?;
        if yes.digest != recorded.digest {
            return Err(Refusal::Changed("what you were shown is not what is asked".to_owned()));
        }
        still_left(&recorded, &yes.much)?;
        self.free_where_narrowed(&recorded, &yes.much).await?;
        let wanted = Wanted {
            caller: caller.principal,
            action: Action::Approve,
            digest: approval_digest(id, recorded.digest, &yes.much),
            challenge: yes.challenge,
            rule: &offer.proof.for_approval(),
        };
        let proof = self.ports.verifier.proof(yes.proof, &wanted).await?;

        // All that waits for others is behind us: a revocation never queues up behind a yes.
        let _writer = self.locks.lock(id).await;
        let recorded = self.load(id).await?;
        if recorded.approvals.iter().any(repeated) {
            return Ok(recorded);
        }
        self.open_to(&standing, &recorded)?;
        let (offer_now, counts_for) = self.right_to_approve(&standing, &recorded)?;
        if offer_now != offer {
            return Err(Refusal::Changed("the policy changed while your sign-in was checked".to_owned()));
        }
        // Another approver may have taken something off meanwhile.
        still_left(&recorded, &yes.much)?;
        let now = self.now();
        let approval = Approval {
            approver: caller.principal,
            request: recorded.digest,
            counts_for,
            at: now.latest(),
            comment: yes.comment.to_owned(),
            request_id: yes.request_id,
            narrowed: yes.much,
        };
        let change = Change::Approved(Box::new(approval), Box::new(proof.into_shown()));
        match self.record(&recorded, Actor::Principal(caller.principal), change, now).await {
            Err(Refusal::SlotTaken { .. }) => Err(held_there()),
            answer => answer,
        }
    }

    /// Says no, and ends it. Needs no proof: no is always safe.
    ///
    /// # Errors
    /// The caller has no right to, or it does not wait for anybody.
    pub async fn deny(&self, caller: &Caller, id: ActivationId, reason: &str) -> Result<Recorded, Refusal> {
        person(caller)?;
        let recorded = self.load(id).await?;
        let standing = self.standing_to_decide(caller, &recorded).await?;
        // What was asked for together is refused together.
        if !recorded.request.bundle.is_empty() {
            return self.deny_together(caller, &standing, id, &recorded.request.bundle, reason).await;
        }
        let _writer = self.locks.lock(id).await;
        let recorded = self.load(id).await?;
        if matches!(recorded.state, State::Closed { outcome: Outcome::Denied { .. }, .. }) {
            return Ok(recorded);
        }
        // Somebody who said yes may still change their mind while others are asked; and a no counts
        // where the role is offered no more.
        self.open_to(&standing, &recorded)?;
        let change = Change::Denied { reason: reason.to_owned() };
        self.record(&recorded, Actor::Principal(caller.principal), change, self.now()).await
    }

    /// The standing of a caller who is one of those asked. Waits for the directory: hold no lock.
    ///
    /// Asked of the rule it was asked under and of the rule in force: who lost the right since has none,
    /// and whoever may not see the activation learns nothing about it.
    pub(super) async fn standing_to_decide(
        &self,
        caller: &Caller,
        recorded: &Activation,
    ) -> Result<Standing, Refusal> {
        let request = &recorded.request;
        if request.asked.principal == caller.principal && !request.own_approval {
            return Err(ApprovalRefusal::Own.into());
        }
        let in_force = self.in_force()?;
        let mut groups = groups_named(&request.requirements);
        groups.extend(groups_named(approval_now(&in_force, recorded)));
        let standing = self.standing(caller.principal, &groups).await?;
        if is_asked(&in_force, &standing, recorded) {
            Ok(standing)
        } else if self.may_see(caller, recorded).await? {
            Err(ApprovalRefusal::NotAnApprover.into())
        } else {
            Err(Refusal::ActivationNotFound)
        }
    }

    /// Whether it waits for this answer now.
    pub(super) fn open_to(&self, standing: &Standing, recorded: &Activation) -> Result<(), Refusal> {
        match recorded.state {
            State::AwaitingApproval { lapses_at } if self.now().latest() < lapses_at => {}
            State::AwaitingApproval { .. } => {
                return Err(Refusal::WrongState {
                    is: "lapsed",
                    hint: "nobody answered in time; it must be asked again",
                });
            }
            _ => {
                return Err(Refusal::WrongState {
                    is: recorded.state.word(),
                    hint: "it does not wait for an answer",
                });
            }
        }
        // The policy may be another than when the directory was asked.
        if is_asked(&*self.in_force()?, standing, recorded) {
            Ok(())
        } else {
            Err(ApprovalRefusal::NotAnApprover.into())
        }
    }

    /// Under which offer a yes would be given now, and what it counts for.
    pub(super) fn right_to_approve(
        &self,
        standing: &Standing,
        recorded: &Activation,
    ) -> Result<(EligibleRole, Vec<usize>), Refusal> {
        let request = &recorded.request;
        let counts_for = approval::may_approve(
            &request.requirements,
            &recorded.approvals,
            request.asked.principal,
            request.own_approval,
            standing,
        )?;
        let in_force = self.in_force()?;
        let Some(offer) = in_force.policy.role(&request.asked.role) else {
            return Err(Refusal::Changed("the role is no longer offered".to_owned()));
        };
        // Their own counts only as long as the role says so.
        if request.asked.principal == standing.principal && !offer.own_approval {
            return Err(ApprovalRefusal::Own.into());
        }
        Ok((offer.clone(), counts_for))
    }

    /// A narrower scope is another place to hold the role at, and the asker may have it there already.
    pub(super) async fn free_where_narrowed(
        &self,
        recorded: &Activation,
        much: &Narrowed,
    ) -> Result<(), Refusal> {
        let Ok((_, target)) = recorded.after_yes_to(much) else { return Ok(()) };
        if target == recorded.target {
            return Ok(());
        }
        if recorded.request.asked.continues.is_some() {
            let why = "it goes on with what is held, and that cannot be narrowed; shorten it, or deny it";
            return Err(ApprovalRefusal::NotNarrower(why.to_owned()).into());
        }
        let slot = target.slot(recorded.request.asked.principal);
        match self.ports.journal.holder(&slot).await? {
            Some(by) if by != recorded.id => Err(held_there()),
            _ => Ok(()),
        }
    }
}

/// Whether what a yes is to is still there. Who narrows further than another did meanwhile gets what they saw;
/// who would say yes to more than is left has to look at it again.
pub(super) fn still_left(recorded: &Activation, much: &Narrowed) -> Result<(), Refusal> {
    match recorded.after_yes_to(much) {
        Ok(_) => Ok(()),
        Err(less @ ApprovalRefusal::LessIsLeft(_)) => Err(Refusal::Changed(less.to_string())),
        Err(other) => Err(other.into()),
    }
}

pub(super) fn held_there() -> Refusal {
    ApprovalRefusal::NotNarrower("the asker has a live activation at exactly that scope".to_owned()).into()
}

/// What the rule in force says about who is asked.
fn approval_now<'p>(in_force: &'p InForce, recorded: &Activation) -> &'p [ApprovalRequirement] {
    in_force.policy.role(&recorded.request.asked.role).map(|o| o.approval.as_slice()).unwrap_or_default()
}

/// Whether this is one of those asked, by the rule of then and, where there is one, by that of now.
fn is_asked(in_force: &InForce, standing: &Standing, recorded: &Activation) -> bool {
    let among = |rules: &[ApprovalRequirement]| rules.iter().any(|rule| standing.is_among(&rule.from));
    let now = approval_now(in_force, recorded);
    among(&recorded.request.requirements) && (now.is_empty() || among(now))
}

pub(super) fn groups_named(
    requirements: &[ApprovalRequirement],
) -> std::collections::BTreeSet<elevate_core::names::ObjectId> {
    groups_among(requirements.iter().flat_map(|requirement| &requirement.from))
}
