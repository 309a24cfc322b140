//! Saying yes to several under one sign-in, or no to all of them.

use elevate_core::activation::{Actor, Change, Outcome, State};
use elevate_core::approval::{Approval, ApprovalRefusal, Narrowed, Standing};
use elevate_core::binding::{Action, Digest, approval_digest, bundle_digest};
use elevate_core::names::{ActivationId, RequestId};
use elevate_core::policy::{EligibleRole, ProofRule};

use super::super::decide::{held_there, still_left};
use super::super::{Refusal, Workflow, person};
use super::{alone, following};
use crate::ports::journal::{AppendError, Recorded};
use crate::ports::verifier::{Caller, Challenge, Wanted};

/// What a yes to a bundle would be to.
#[derive(Debug, Clone)]
pub struct BundleToApprove {
    /// Those that wait for this approver, in the order of the request, and to how much of each the yes would be.
    pub members: Vec<(Recorded, Narrowed)>,
    /// What the one sign-in must show.
    pub rule: ProofRule,
    /// What the challenge is for.
    pub digest: Digest,
    /// What to sign in for.
    pub challenge: Challenge,
}

/// One of those a yes is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct YesToOne {
    /// Which.
    pub id: ActivationId,
    /// The digest of the request they were shown.
    pub digest: Digest,
    /// To how much of it, as they were shown.
    pub much: Narrowed,
}

/// A yes to several, as it comes in.
#[derive(Debug, Clone, Copy)]
pub struct YesToAll<'a> {
    /// The approver's own id for this mutation.
    pub request_id: RequestId,
    /// Exactly those that they were shown, in that order.
    pub members: &'a [YesToOne],
    /// What they say with it.
    pub comment: &'a str,
    /// The ID token of their fresh sign-in.
    pub proof: &'a str,
    /// The challenge it was made for.
    pub challenge: &'a str,
}

/// One of those that wait for an approver, and what their yes would count for.
struct Waiting {
    recorded: Recorded,
    standing: Standing,
    offer: EligibleRole,
    counts_for: Vec<usize>,
}

impl Workflow {
    /// What a yes to this one would be to: whatever of its bundle waits for this approver, with this taken off what
    /// is left of each. A shorter term shortens those that are longer. Changes nothing.
    ///
    /// # Errors
    /// Everything that would stand against a yes to this one, as far as it can be known now.
    pub async fn prepare_bundle_approval(
        &self,
        caller: &Caller,
        id: ActivationId,
        off: &Narrowed,
    ) -> Result<BundleToApprove, Refusal> {
        self.accepting()?;
        person(caller)?;
        let named = self.load(id).await?;
        let waiting = self.waiting_together(caller, &named).await?;
        let much = taken_off(&waiting, off)?;
        for (each, much) in waiting.iter().zip(&much) {
            let recorded = &each.recorded;
            self.free_where_narrowed(recorded, much).await.map_err(|refusal| about(recorded, refusal))?;
        }
        let rule = rule_for(&waiting)?;
        let members: Vec<_> = waiting.into_iter().map(|each| each.recorded).zip(much).collect();
        let digest = digest_for(members.iter().map(|(recorded, much)| (recorded, much)));
        let challenge = self.ports.verifier.challenge(caller.principal, digest, Action::Approve);
        Ok(BundleToApprove { members, rule, digest, challenge })
    }

    /// Says yes to all of a bundle that waits for this approver, or to none.
    ///
    /// # Errors
    /// The right, the proof or a state stands against one of them, or other ones wait by now than were shown;
    /// nothing was changed.
    pub async fn approve_bundle(
        &self,
        caller: &Caller,
        id: ActivationId,
        yes: YesToAll<'_>,
    ) -> Result<Vec<Recorded>, Refusal> {
        self.accepting()?;
        person(caller)?;
        let named = self.load(id).await?;
        if let Some(said) = self.said_already(caller, &named, yes).await? {
            return Ok(said);
        }
        let waiting = self.waiting_together(caller, &named).await?;
        are_those_shown(&waiting, yes)?;
        for (each, one) in waiting.iter().zip(yes.members) {
            let recorded = &each.recorded;
            still_left(recorded, &one.much).map_err(|refusal| about(recorded, refusal))?;
            self.free_where_narrowed(recorded, &one.much)
                .await
                .map_err(|refusal| about(recorded, refusal))?;
        }
        let much = || yes.members.iter().map(|one| &one.much);
        let wanted = Wanted {
            caller: caller.principal,
            action: Action::Approve,
            digest: digest_for(waiting.iter().map(|each| &each.recorded).zip(much())),
            challenge: yes.challenge,
            rule: &rule_for(&waiting)?,
        };
        let shown = self.ports.verifier.proof(yes.proof, &wanted).await?.into_shown();

        // All that waits for others is behind us, and only what waits for a yes is locked: a revocation never
        // queues up behind one.
        let ids: Vec<_> = waiting.iter().map(|each| each.recorded.id).collect();
        let _writers = self.locks.lock_all(&ids).await;
        if let Some(said) = self.said_already(caller, &named, yes).await? {
            return Ok(said);
        }
        let (now, by) = (self.now(), Actor::Principal(caller.principal));
        let (mut before, mut appends) = (Vec::new(), Vec::new());
        for (was, one) in waiting.iter().zip(yes.members) {
            let recorded = self.load(one.id).await?;
            let counts_for =
                self.counts_still(was, &recorded, one).map_err(|refusal| about(&recorded, refusal))?;
            let approval = Approval {
                approver: caller.principal,
                request: recorded.digest,
                counts_for,
                at: now.latest(),
                comment: yes.comment.to_owned(),
                request_id: yes.request_id,
                narrowed: one.much,
            };
            let change = Change::Approved(Box::new(approval), Box::new(shown.clone()));
            appends.push(following(&recorded, by, change, now)?);
            before.push(recorded);
        }
        let without: Vec<_> = before.iter().map(|recorded| Some(&**recorded)).collect();
        match self.append_all(&without, appends).await {
            Err(AppendError::SlotTaken { .. }) => Err(held_there()),
            answer => Ok(answer?),
        }
    }

    /// Says no to all of a bundle that has not begun. `id` is the one that was named; it is answered.
    pub(in super::super) async fn deny_together(
        &self,
        caller: &Caller,
        standing: &Standing,
        id: ActivationId,
        bundle: &[ActivationId],
        reason: &str,
    ) -> Result<Recorded, Refusal> {
        let (_writers, open) = self.not_begun(bundle).await?;
        let named = self.load(id).await?;
        if matches!(named.state, State::Closed { outcome: Outcome::Denied { .. }, .. }) {
            return Ok(named);
        }
        self.open_to(standing, &named)?;
        let change = Change::Denied { reason: reason.to_owned() };
        let by = Actor::Principal(caller.principal);
        let denied = self.record_all(&open, by, &change, self.now()).await?;
        denied.into_iter().find(|recorded| recorded.id == id).ok_or(Refusal::Contended)
    }

    /// What of this one's bundle waits for this approver, itself among it.
    async fn waiting_together(&self, caller: &Caller, named: &Recorded) -> Result<Vec<Waiting>, Refusal> {
        // Whoever may not decide on the one that was named learns nothing about the others.
        let standing = self.standing_to_decide(caller, named).await?;
        self.open_to(&standing, named)?;
        self.right_to_approve(&standing, named)?;
        if named.request.bundle.is_empty() {
            return Err(alone("ApproveActivation"));
        }
        let mut waiting = Vec::new();
        for recorded in self.together(named).await? {
            let standing = match self.standing_to_decide(caller, &recorded).await {
                Ok(standing) => standing,
                Err(Refusal::Approval(_) | Refusal::ActivationNotFound) => continue,
                Err(other) => return Err(other),
            };
            if self.open_to(&standing, &recorded).is_err() {
                continue;
            }
            if let Ok((offer, counts_for)) = self.right_to_approve(&standing, &recorded) {
                waiting.push(Waiting { recorded, standing, offer, counts_for });
            }
        }
        Ok(waiting)
    }

    /// What the yes to this one counts for, now that nobody else changes it: by its own rule, and not by the others'.
    fn counts_still(
        &self,
        was: &Waiting,
        recorded: &Recorded,
        yes: &YesToOne,
    ) -> Result<Vec<usize>, Refusal> {
        self.open_to(&was.standing, recorded)?;
        let (offer, counts_for) = self.right_to_approve(&was.standing, recorded)?;
        if offer != was.offer || counts_for != was.counts_for {
            return Err(Refusal::Changed("the policy changed while your sign-in was checked".to_owned()));
        }
        // Another approver may have taken something off meanwhile.
        still_left(recorded, &yes.much)?;
        Ok(counts_for)
    }

    /// What this very call has said yes to before.
    async fn said_already(
        &self,
        caller: &Caller,
        named: &Recorded,
        yes: YesToAll<'_>,
    ) -> Result<Option<Vec<Recorded>>, Refusal> {
        let said = |recorded: &Recorded| {
            let given =
                |given: &Approval| given.approver == caller.principal && given.request_id == yes.request_id;
            recorded.approvals.iter().any(given)
        };
        let together = self.together(named).await?;
        let mut members = together.into_iter().filter(said).peekable();
        Ok(members.peek().is_some().then(|| members.collect()))
    }
}

/// How much of each is left with this taken off.
fn taken_off(waiting: &[Waiting], off: &Narrowed) -> Result<Vec<Narrowed>, Refusal> {
    let longest = waiting.iter().map(|each| each.recorded.term).max();
    if let Some((term, longest)) = off.term.zip(longest).filter(|(term, longest)| term > longest) {
        return Err(ApprovalRefusal::NotNarrower(format!("{term} is longer than {longest}")).into());
    }
    let left = |each: &Waiting| {
        let term = off.term.filter(|term| *term < each.recorded.term);
        let off = Narrowed { term, scope: off.scope };
        each.recorded.narrowed_by(&off).map_err(|refusal| about(&each.recorded, refusal.into()))
    };
    waiting.iter().map(left).collect()
}

/// What a yes to these is bound to.
fn digest_for<'a>(members: impl Iterator<Item = (&'a Recorded, &'a Narrowed)>) -> Digest {
    let one = |(recorded, much): (&Recorded, &Narrowed)| approval_digest(recorded.id, recorded.digest, much);
    bundle_digest(&members.map(one).collect::<Vec<_>>())
}

fn rule_for(waiting: &[Waiting]) -> Result<ProofRule, Refusal> {
    let rules: Vec<_> = waiting.iter().map(|each| each.offer.proof.for_approval()).collect();
    ProofRule::strictest(&rules).map_err(|_| {
        Refusal::Changed("the roles need different sign-ins by now; approve each alone".to_owned())
    })
}

fn are_those_shown(waiting: &[Waiting], yes: YesToAll<'_>) -> Result<(), Refusal> {
    let is_shown =
        |(each, one): (&Waiting, &YesToOne)| (each.recorded.id, each.recorded.digest) == (one.id, one.digest);
    if waiting.len() == yes.members.len() && waiting.iter().zip(yes.members).all(is_shown) {
        return Ok(());
    }
    Err(Refusal::Changed("what you were shown is not what waits for you".to_owned()))
}

fn about(recorded: &Recorded, refusal: Refusal) -> Refusal {
    refusal.about(&recorded.request.asked.role)
}
