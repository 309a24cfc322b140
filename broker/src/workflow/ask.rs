//! Asking for a role, and giving it back.

use elevate_core::activation::{
    Activation, Actor, Cause, Change, Event, Kind, Outcome, ProofShown, Request, State, TicketVerdict,
};
use elevate_core::binding::{Action, Asked};
use elevate_core::due::Now;
use elevate_core::names::{ActivationId, Justification, RequestId, RoleName, Scope, Ticket};
use elevate_core::policy::{EligibleRole, PolicyVersion};
use elevate_core::term::Term;
use jiff::{SignedDuration, Timestamp};

use super::extend::same_target;
use super::{InForce, Refusal, Workflow, groups_among, person, with_consequences};
use crate::ports::directory::Held;
use crate::ports::journal::{AppendError, Recorded};
use crate::ports::verifier::{Caller, Challenge, Wanted};

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Which role.
    pub role: RoleName,
    /// For how long; `None` is the role's usual term.
    pub term: Option<Term>,
    /// Why.
    pub justification: Justification,
    /// Under which ticket.
    pub ticket: Option<Ticket>,
    /// Under which of the role's offers.
    pub kind: Kind,
    /// From when; `None` is as soon as it is approved.
    pub starts_at: Option<Timestamp>,
    /// Where; `None` is the scope that is offered.
    pub scope: Option<Scope>,
    /// The caller's own activation that is to go on as this one.
    pub continues: Option<ActivationId>,
}

/// How long a sign-in may take, and with it how long ago a start may be when the request for it comes: it was
/// still ahead when it was prepared.
pub(super) const SIGN_IN_MAX: SignedDuration = SignedDuration::from_mins(5);

/// What the sign-in for a request is for.
const fn action(kind: Kind) -> Action {
    match kind {
        Kind::Ordinary => Action::Activate,
        Kind::BreakGlass => Action::BreakGlass,
    }
}

/// What it means, and what to sign in for.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What would be asked.
    pub asked: Asked,
    /// Under which offer.
    pub offer: EligibleRole,
    /// What the ticket's own system says now.
    pub ticket_verdict: Option<TicketVerdict>,
    /// What to sign in for.
    pub challenge: Challenge,
}

impl Workflow {
    /// What this wish means, and what is needed for it. Changes nothing.
    ///
    /// # Errors
    /// Everything that would stand against the request itself, as far as it can be known now.
    pub async fn prepare(&self, caller: &Caller, wish: &Wish) -> Result<Prepared, Refusal> {
        self.accepting()?;
        let in_force = self.in_force()?;
        let (asked, offer) = self.understand(caller, wish, &in_force, SignedDuration::ZERO).await?;
        self.granting().await?;
        self.may_begin(&asked).await?;
        let ticket_verdict = self.vouched(&asked, &offer).await?;
        let challenge = self.ports.verifier.challenge(caller.principal, asked.digest(), action(wish.kind));
        Ok(Prepared { asked, offer, ticket_verdict, challenge })
    }

    /// Asks. On disk when this returns.
    ///
    /// # Errors
    /// A rule, the proof or the slot stands against it; nothing was changed.
    pub async fn request(
        &self,
        caller: &Caller,
        request_id: RequestId,
        wish: &Wish,
        prepared_under: PolicyVersion,
        proof: &str,
        challenge: &str,
    ) -> Result<Recorded, Refusal> {
        self.accepting()?;
        let in_force = self.in_force()?;
        let (asked, offer) = self.understand(caller, wish, &in_force, SIGN_IN_MAX).await?;
        let begun = async || self.ports.journal.begun_by(caller.principal, request_id).await;
        if let Some(begun) = begun().await? {
            return self.repeated(begun, &asked).await;
        }
        self.granting().await?;
        if in_force.version != prepared_under {
            return Err(policy_changed(prepared_under, in_force.version));
        }
        // By the same call, sent twice at one moment?
        let unless_begun = async |refused| match begun().await? {
            Some(begun) => self.repeated(begun, &asked).await,
            None => Err(refused),
        };
        if let Err(taken) = self.may_begin(&asked).await {
            return unless_begun(taken).await;
        }
        let wanted = Wanted {
            caller: caller.principal,
            action: action(wish.kind),
            digest: asked.digest(),
            challenge,
            rule: &offer.proof,
        };
        let proof = self.ports.verifier.proof(proof, &wanted).await?;
        let ticket_verdict = self.vouched(&asked, &offer).await?;
        // Nothing is asked under a policy that was replaced while this waited.
        self.still_in_force(&in_force)?;
        // Nor to continue what another request was faster to continue, or what is over by now.
        let _continued = match asked.continues {
            Some(old) => Some(self.locks.lock(old).await),
            None => None,
        };
        if let Some(old) = asked.continues
            && let Err(refused) = self.can_be_continued(&asked, old).await
        {
            return unless_begun(refused).await;
        }

        let now = self.now();
        let id = self.ids.next();
        let request = Request {
            ticket_verdict,
            ..begun_with(request_id, asked.clone(), offer, proof.into_shown(), wish.kind, now)
        };
        let events = opening(id, request, now)?;
        match self.append(id, None, events).await {
            // The same call twice at one moment: one of them began it.
            Err(AppendError::RequestIdUsed { by }) => self.repeated(by, &asked).await,
            Err(error) => Err(error.into()),
            Ok(recorded) => Ok(recorded),
        }
    }

    /// Takes a request back before it begins. Only the one who asked.
    ///
    /// # Errors
    /// It is not theirs, or has begun.
    pub async fn withdraw(&self, caller: &Caller, id: ActivationId) -> Result<Recorded, Refusal> {
        let _writer = self.locks.lock(id).await;
        let recorded = self.own(caller, id).await?;
        match &recorded.state {
            State::Requested | State::AwaitingApproval { .. } | State::Scheduled { .. } => {
                self.record(&recorded, Actor::Principal(caller.principal), Change::Withdrawn, self.now())
                    .await
            }
            State::Closed { outcome: Outcome::Withdrawn, .. } => Ok(recorded),
            State::Activating { .. } | State::Active { .. } => Err(Refusal::WrongState {
                is: recorded.state.word(),
                hint: "give it back with `elevate deactivate`",
            }),
            State::Revoking { .. } | State::Closed { .. } => {
                Err(Refusal::WrongState { is: recorded.state.word(), hint: "there is nothing to withdraw" })
            }
        }
    }

    /// Gives a held role back early. Only its holder.
    ///
    /// # Errors
    /// It is not theirs, or has not begun.
    pub async fn deactivate(&self, caller: &Caller, id: ActivationId) -> Result<Recorded, Refusal> {
        let _writer = self.locks.lock(id).await;
        let recorded = self.own(caller, id).await?;
        match &recorded.state {
            State::Activating { .. } | State::Active { .. } => {
                let change = if recorded.is_to_take_over() {
                    Change::Refused { reason: "given back before it took over".to_owned() }
                } else {
                    Change::RevocationBegun(Cause::Deactivated)
                };
                self.record(&recorded, Actor::Principal(caller.principal), change, self.now()).await
            }
            // On its way out, or out already: what was asked for is so, or will be.
            State::Revoking { .. } | State::Closed { outcome: Outcome::Ended(_), .. } => Ok(recorded),
            State::Requested | State::AwaitingApproval { .. } | State::Scheduled { .. } => {
                Err(Refusal::WrongState {
                    is: recorded.state.word(),
                    hint: "it is not held yet; take it back with `elevate withdraw`",
                })
            }
            State::Closed { outcome: Outcome::TakenOver { .. }, .. } => Err(Refusal::WrongState {
                is: "continued by another",
                hint: "give that one back; `elevate list` shows it",
            }),
            State::Closed { .. } => {
                Err(Refusal::WrongState { is: recorded.state.word(), hint: "there is nothing to give back" })
            }
        }
    }

    pub(super) async fn own(&self, caller: &Caller, id: ActivationId) -> Result<Recorded, Refusal> {
        let recorded = self.load(id).await?;
        if recorded.request.asked.principal == caller.principal {
            Ok(recorded)
        } else {
            Err(Refusal::ActivationNotFound)
        }
    }

    async fn repeated(&self, begun: ActivationId, asked: &Asked) -> Result<Recorded, Refusal> {
        let recorded = self.load(begun).await?;
        if recorded.request.bundle.is_empty() && is_the_same(&recorded, asked) {
            Ok(recorded)
        } else {
            Err(used_for_another(begun))
        }
    }

    pub(super) fn still_in_force(&self, then: &InForce) -> Result<(), Refusal> {
        let now = self.in_force()?.version;
        if now == then.version { Ok(()) } else { Err(policy_changed(then.version, now)) }
    }

    pub(super) async fn understand(
        &self,
        caller: &Caller,
        wish: &Wish,
        in_force: &InForce,
        late: SignedDuration,
    ) -> Result<(Asked, EligibleRole), Refusal> {
        person(caller)?;
        let named = |role: &EligibleRole| groups_among(role.eligible.iter().chain(&role.denied));
        // The directory is asked in any case: neither an outage nor the time this takes may tell a role
        // that is not there from one that is not offered to you.
        let wished = in_force.policy.role(&wish.role);
        let mut asked_for = wished.into_iter().chain(in_force.policy.roles()).map(named);
        let groups = asked_for.find(|groups| !groups.is_empty()).unwrap_or_default();
        let standing = self.standing(caller.principal, &groups).await?;
        let offer = match wish.kind {
            Kind::Ordinary => in_force.policy.offer(&standing, &wish.role)?.clone(),
            Kind::BreakGlass => in_force.policy.break_glass_offer(&standing, &wish.role)?,
        };
        if wish.kind == Kind::BreakGlass && wish.starts_at.is_some() {
            let problem = "an emergency begins at once; leave the start out".to_owned();
            return Err(Refusal::Field { field: "starts_at", problem });
        }
        let term = wish.term.unwrap_or(offer.usual);
        let ahead = wish.starts_at.map(|at| self.ahead(at, late));
        offer.admits(term, wish.ticket.as_ref(), ahead)?;
        let target = match wish.continues {
            Some(old) => same_target(&offer, &*self.continued(caller, wish, old).await?)?,
            None => offer.target_at(wish.scope)?,
        };
        let offer = EligibleRole { target, ..offer };
        let asked = Asked {
            principal: caller.principal,
            role: offer.name.clone(),
            target,
            term,
            starts_at: wish.starts_at,
            justification: wish.justification.clone(),
            ticket: wish.ticket.clone(),
            policy: in_force.version,
            continues: wish.continues,
        };
        if wish.kind == Kind::BreakGlass
            && let Some(by) = self.unreviewed(caller.principal, &wish.role).await?
        {
            return Err(Refusal::ReviewOpen { by });
        }
        Ok((asked, offer))
    }

    /// How far from now a start lies; one that passed no longer than `late` ago is now.
    fn ahead(&self, starts_at: Timestamp, late: SignedDuration) -> SignedDuration {
        let ahead = starts_at.duration_since(self.now().earliest());
        if ahead.is_negative() && ahead.abs() <= late { SignedDuration::ZERO } else { ahead }
    }

    /// Told early where it can be; decided when it is recorded, and again when it begins.
    async fn may_begin(&self, asked: &Asked) -> Result<(), Refusal> {
        match asked.continues {
            Some(old) => self.can_be_continued(asked, old).await,
            None => self.slot_is_free(asked).await,
        }
    }

    pub(super) async fn slot_is_free(&self, asked: &Asked) -> Result<(), Refusal> {
        let slot = asked.target.slot(asked.principal);
        if let Some(by) = self.ports.journal.holder(&slot).await? {
            return Err(Refusal::SlotTaken { by });
        }
        // What the directory holds now says nothing of a later start.
        if asked.starts_at.is_some() {
            return Ok(());
        }
        // Told early where it can be; decided when it begins.
        match self.ports.directory.look(asked.principal, &asked.target).await {
            Ok(Held::By(_)) => Err(Refusal::AssignedElsewhere),
            Ok(Held::Nothing) | Err(_) => Ok(()),
        }
    }
}

/// The policy may have moved on since; everything else must be the same request.
pub(super) fn is_the_same(recorded: &Activation, asked: &Asked) -> bool {
    Asked { policy: recorded.request.asked.policy, ..asked.clone() } == recorded.request.asked
}

pub(super) fn used_for_another(begun: ActivationId) -> Refusal {
    Refusal::Changed(format!("this request id was used for another request ({begun})"))
}

/// What is asked for, as it goes on record.
pub(super) fn begun_with(
    request_id: RequestId,
    asked: Asked,
    offer: EligibleRole,
    proof: ProofShown,
    kind: Kind,
    now: Now,
) -> Request {
    Request {
        request_id,
        asked,
        requirements: offer.approval,
        approval_window: offer.approval_window,
        proof,
        at: now.latest(),
        kind,
        own_approval: offer.own_approval,
        sign_out: offer.sign_out,
        bundle: Vec::new(),
        ticket_verdict: None,
        told: if kind == Kind::BreakGlass { offer.notify } else { Vec::new() },
    }
}

/// The request, and what follows from it at once.
pub(super) fn opening(id: ActivationId, request: Request, now: Now) -> Result<Vec<Event>, Refusal> {
    let by = Actor::Principal(request.asked.principal);
    let first = Event { at: now.latest(), by, change: Change::Requested(Box::new(request)) };
    let opened = Activation::open(id, &first)?;
    with_consequences(first, opened, now)
}

pub(super) fn policy_changed(then: PolicyVersion, now: PolicyVersion) -> Refusal {
    Refusal::Changed(format!("the policy has changed since this was prepared (version {then}, now {now})"))
}
