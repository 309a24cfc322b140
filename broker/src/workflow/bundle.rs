//! Several roles in one request: one sign-in to ask for them, one to approve them, a record for each.

use elevate_core::activation::{
    Activation, Actor, Change, Event, Kind, Outcome, Request, State, TicketVerdict,
};
use elevate_core::binding::{Action, Asked, Digest, bundle_digest};
use elevate_core::due::Now;
use elevate_core::names::{ActivationId, RequestId};
use elevate_core::policy::{
    BUNDLE_MAX, BundleRefusal, EligibleRole, PolicyVersion, ProofRule, may_be_together,
};
use jiff::SignedDuration;
use tokio::sync::OwnedMutexGuard;

use super::ask::{SIGN_IN_MAX, begun_with, is_the_same, opening, policy_changed, used_for_another};
use super::{Refusal, Wish, Workflow, with_consequences};
use crate::ports::journal::{Append, AppendError, Recorded};
use crate::ports::verifier::{Caller, Challenge, Wanted};

mod decide;

pub use decide::{BundleToApprove, YesToAll, YesToOne};

/// What it means to ask for these together, and what to sign in for.
#[derive(Debug, Clone)]
pub struct PreparedBundle {
    /// What would be asked, each under its offer, in the order of the wishes.
    pub members: Vec<(Asked, EligibleRole)>,
    /// What the system of each one's ticket says, in the same order.
    pub ticket_verdicts: Vec<Option<TicketVerdict>>,
    /// What the one sign-in must show.
    pub rule: ProofRule,
    /// What the challenge is for.
    pub digest: Digest,
    /// What to sign in for.
    pub challenge: Challenge,
}

impl Workflow {
    /// What these wishes mean together, and what is needed for them. Changes nothing.
    ///
    /// # Errors
    /// Everything that would stand against the request itself, as far as it can be known now, and for which role.
    pub async fn prepare_bundle(&self, caller: &Caller, wishes: &[Wish]) -> Result<PreparedBundle, Refusal> {
        self.accepting()?;
        let members = self.understand_all(caller, wishes, SignedDuration::ZERO).await?;
        self.granting().await?;
        for (asked, _) in &members {
            self.slot_is_free(asked).await.map_err(|refusal| refusal.about(&asked.role))?;
        }
        let ticket_verdicts = self.vouched_all(&members).await?;
        let rule = rule_of(&members)?;
        let digest = digest_of(&members);
        let challenge = self.ports.verifier.challenge(caller.principal, digest, Action::Activate);
        Ok(PreparedBundle { members, ticket_verdicts, rule, digest, challenge })
    }

    /// Asks for all of them, or for none. On disk when this returns, in the order of the wishes.
    ///
    /// # Errors
    /// A rule, the proof or a slot stands against one of them; nothing was changed.
    pub async fn request_bundle(
        &self,
        caller: &Caller,
        request_id: RequestId,
        wishes: &[Wish],
        prepared_under: PolicyVersion,
        proof: &str,
        challenge: &str,
    ) -> Result<Vec<Recorded>, Refusal> {
        self.accepting()?;
        let in_force = self.in_force()?;
        let members = self.understand_all(caller, wishes, SIGN_IN_MAX).await?;
        let begun = async || self.ports.journal.begun_by(caller.principal, request_id).await;
        if let Some(begun) = begun().await? {
            return self.repeated_bundle(begun, &members).await;
        }
        self.granting().await?;
        if in_force.version != prepared_under {
            return Err(policy_changed(prepared_under, in_force.version));
        }
        for (asked, _) in &members {
            if let Err(taken) = self.slot_is_free(asked).await {
                // By the same call, sent twice at one moment?
                return match begun().await? {
                    Some(begun) => self.repeated_bundle(begun, &members).await,
                    None => Err(taken.about(&asked.role)),
                };
            }
        }
        let wanted = Wanted {
            caller: caller.principal,
            action: Action::Activate,
            digest: digest_of(&members),
            challenge,
            rule: &rule_of(&members)?,
        };
        let shown = self.ports.verifier.proof(proof, &wanted).await?.into_shown();
        let verdicts = self.vouched_all(&members).await?;
        // Nothing is asked under a policy that was replaced while this waited.
        self.still_in_force(&in_force)?;

        let now = self.now();
        let ids: Vec<_> = members.iter().map(|_| self.ids.next()).collect();
        let mut appends = Vec::new();
        for ((id, (asked, offer)), ticket_verdict) in ids.iter().zip(&members).zip(verdicts) {
            let alone =
                begun_with(request_id, asked.clone(), offer.clone(), shown.clone(), Kind::Ordinary, now);
            let request = Request { bundle: ids.clone(), ticket_verdict, ..alone };
            appends.push(Append { id: *id, expected: 0, events: opening(*id, request, now)? });
        }
        let before = vec![None; appends.len()];
        match self.append_all(&before, appends).await {
            // The same call twice at one moment: one of them began it.
            Err(AppendError::RequestIdUsed { by }) => self.repeated_bundle(by, &members).await,
            Err(AppendError::SlotTaken { by }) => Err(self.taken_from(by, &members).await),
            Err(error) => Err(error.into()),
            Ok(recorded) => Ok(recorded),
        }
    }

    /// Takes back whatever of a bundle has not begun, all in one step. Only the one who asked. What has begun is
    /// held on its own, and given back on its own. Everything of the bundle as it stands then, in its order.
    ///
    /// # Errors
    /// It is not theirs, or was asked for alone, or all of it has begun or is over.
    pub async fn withdraw_bundle(&self, caller: &Caller, id: ActivationId) -> Result<Vec<Recorded>, Refusal> {
        let named = self.own(caller, id).await?;
        if named.request.bundle.is_empty() {
            return Err(alone("WithdrawActivation"));
        }
        let (writers, open) = self.not_begun(&named.request.bundle).await?;
        if open.is_empty() {
            let together = self.together(&named).await?;
            let is_withdrawn =
                |one: &Recorded| matches!(one.state, State::Closed { outcome: Outcome::Withdrawn, .. });
            if together.iter().any(is_withdrawn) {
                return Ok(together);
            }
            let hint = "nothing of what was asked for together waits to begin; give back what you hold with \
                        `elevate deactivate`";
            return Err(Refusal::WrongState { is: self.load(id).await?.state.word(), hint });
        }
        self.record_all(&open, Actor::Principal(caller.principal), &Change::Withdrawn, self.now()).await?;
        drop(writers);
        self.together(&named).await
    }

    /// The same change to several, and what follows from it at once for each: all of it on record, or nothing.
    async fn record_all(
        &self,
        to: &[Recorded],
        by: Actor,
        change: &Change,
        now: Now,
    ) -> Result<Vec<Recorded>, Refusal> {
        let appends: Result<Vec<_>, _> =
            to.iter().map(|recorded| following(recorded, by, change.clone(), now)).collect();
        let before: Vec<_> = to.iter().map(|recorded| Some(&**recorded)).collect();
        Ok(self.append_all(&before, appends?).await?)
    }

    /// What of a bundle has not begun, each under its lock. What has begun is not waited for: a revocation of it
    /// queues up behind nobody.
    async fn not_begun(
        &self,
        bundle: &[ActivationId],
    ) -> Result<(Vec<OwnedMutexGuard<()>>, Vec<Recorded>), Refusal> {
        let is_open = |recorded: &Recorded| {
            matches!(
                recorded.state,
                State::Requested | State::AwaitingApproval { .. } | State::Scheduled { .. }
            )
        };
        let mut ids = Vec::new();
        for id in bundle {
            if is_open(&self.load(*id).await?) {
                ids.push(*id);
            }
        }
        let writers = self.locks.lock_all(&ids).await;
        let mut open = Vec::new();
        for id in ids {
            open.push(self.load(id).await?);
        }
        open.retain(is_open);
        Ok((writers, open))
    }

    async fn understand_all(
        &self,
        caller: &Caller,
        wishes: &[Wish],
        late: SignedDuration,
    ) -> Result<Vec<(Asked, EligibleRole)>, Refusal> {
        // Before the directory is asked about each of them.
        if wishes.len() > BUNDLE_MAX {
            return Err(BundleRefusal::Size { asked: wishes.len() }.into());
        }
        let in_force = self.in_force()?;
        let mut members = Vec::new();
        for wish in wishes {
            if wish.kind != Kind::Ordinary {
                let problem = "an emergency is asked for alone".to_owned();
                return Err(Refusal::Field { field: "kind", problem });
            }
            if wish.continues.is_some() {
                let problem = "to go on longer is asked for alone".to_owned();
                return Err(Refusal::Field { field: "continues", problem });
            }
            let understood = self.understand(caller, wish, &in_force, late).await;
            members.push(understood.map_err(|refusal| refusal.about(&wish.role))?);
        }
        may_be_together(members.iter().map(|(asked, _)| asked))?;
        Ok(members)
    }

    /// What the systems of their tickets say; the first no refuses all.
    async fn vouched_all(
        &self,
        members: &[(Asked, EligibleRole)],
    ) -> Result<Vec<Option<TicketVerdict>>, Refusal> {
        let mut verdicts = Vec::new();
        for (asked, offer) in members {
            let said = self.vouched(asked, offer).await;
            verdicts.push(said.map_err(|refusal| refusal.about(&asked.role))?);
        }
        Ok(verdicts)
    }

    async fn repeated_bundle(
        &self,
        begun: ActivationId,
        members: &[(Asked, EligibleRole)],
    ) -> Result<Vec<Recorded>, Refusal> {
        let recorded = self.load(begun).await?;
        let together = self.together(&recorded).await?;
        let same = together.len() == members.len()
            && together.iter().zip(members).all(|(recorded, (asked, _))| is_the_same(recorded, asked));
        if same { Ok(together) } else { Err(used_for_another(begun)) }
    }

    /// Everything that was asked for together with this one, in that order.
    async fn together(&self, one: &Activation) -> Result<Vec<Recorded>, Refusal> {
        let mut members = Vec::new();
        for id in &one.request.bundle {
            members.push(self.load(*id).await?);
        }
        Ok(members)
    }

    /// Which of them found its slot taken at the last moment.
    async fn taken_from(&self, by: ActivationId, members: &[(Asked, EligibleRole)]) -> Refusal {
        let taken = Refusal::SlotTaken { by };
        let slot = match self.load(by).await {
            Ok(holder) => holder.slot(),
            Err(refusal) => return refusal,
        };
        match members.iter().find(|(asked, _)| asked.target.slot(asked.principal) == slot) {
            Some((asked, _)) => taken.about(&asked.role),
            None => taken,
        }
    }
}

fn digest_of(members: &[(Asked, EligibleRole)]) -> Digest {
    bundle_digest(&members.iter().map(|(asked, _)| asked.digest()).collect::<Vec<_>>())
}

fn rule_of(members: &[(Asked, EligibleRole)]) -> Result<ProofRule, BundleRefusal> {
    ProofRule::strictest(members.iter().map(|(_, offer)| &offer.proof))
}

/// What was asked for alone has no others to go with.
fn alone(call: &str) -> Refusal {
    Refusal::Field { field: "id", problem: format!("was asked for alone; use {call}") }
}

/// A change, and what follows from it at once.
fn following(recorded: &Recorded, by: Actor, change: Change, now: Now) -> Result<Append, Refusal> {
    let first = Event { at: now.latest(), by, change };
    let after = Activation::clone(recorded).apply(&first)?;
    let events = with_consequences(first, after, now)?;
    Ok(Append { id: recorded.id, expected: recorded.version, events })
}
