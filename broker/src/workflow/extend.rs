//! Going on longer. The end of an activation never moves; another one, with a proof and approvals of its own,
//! takes over what it holds, in one step of the record, so that access is not cut between the two.
//!
//! The one that is to continue holds nothing before that step: whatever stands in its way refuses it, and the
//! old one ends when it was to end. The two locks are taken in one order, the newer activation's first, and the
//! old one's is never held while the directory is asked: its revocation waits for nobody.

use elevate_core::activation::{Activation, Actor, Change, Event, Kind, Outcome, State};
use elevate_core::binding::Asked;
use elevate_core::due::Now;
use elevate_core::names::{ActivationId, AssignmentId, Target};
use elevate_core::policy::EligibleRole;
use jiff::Timestamp;

use super::settle::{Step, short};
use super::{Refusal, Wish, Workflow};
use crate::ports::directory::{ExtendPermit, GrantAnswer, Held, Unreachable};
use crate::ports::journal::{Append, Filter, Page, Recorded, StoreFault};
use crate::ports::verifier::Caller;

impl Workflow {
    /// The caller's own activation that this wish is to continue, as far as it never changes.
    pub(super) async fn continued(
        &self,
        caller: &Caller,
        wish: &Wish,
        old: ActivationId,
    ) -> Result<Recorded, Refusal> {
        let old = self.own(caller, old).await?;
        if wish.role != old.request.asked.role {
            let problem =
                format!("is not the role of the activation to extend, `{}`", old.request.asked.role);
            return Err(Refusal::Field { field: "role", problem });
        }
        let alone = |field| {
            let problem = "goes on as it is, and at once; leave it out".to_owned();
            Err(Refusal::Field { field, problem })
        };
        if wish.starts_at.is_some() {
            return alone("starts_at");
        }
        if wish.scope.is_some() {
            return alone("scope");
        }
        if wish.kind == Kind::BreakGlass || old.request.kind == Kind::BreakGlass {
            return Err(Refusal::NotExtended(
                "a break-glass use is not extended: nobody was asked before it, and somebody looks at it before \
                 the next; ask for the role with `elevate activate`"
                    .to_owned(),
            ));
        }
        Ok(old)
    }

    /// Whether what `asked` continues can be continued now. Under its lock the answer stands.
    pub(super) async fn can_be_continued(&self, asked: &Asked, old: ActivationId) -> Result<(), Refusal> {
        let old = self.load(old).await?;
        let now = self.now();
        if let State::Closed { outcome: Outcome::TakenOver { .. }, .. } = &old.state {
            return Err(Refusal::WrongState {
                is: "continued by another",
                hint: "extend that one; `elevate list` shows it",
            });
        }
        let Some((_, held_until)) = held(&old, now) else {
            return Err(Refusal::WrongState {
                is: old.state.word(),
                hint: "only what is held is extended; ask for the role with `elevate activate`",
            });
        };
        if asked.term.end_from(now.latest()) <= held_until {
            return Err(Refusal::NotExtended(format!(
                "{} from now is no later than its end, {held_until:.0}; ask for longer, or extend it later",
                asked.term
            )));
        }
        match self.to_continue(&old).await?.first() {
            Some(waiting) => Err(Refusal::ExtendedAlready { by: waiting.id }),
            None => Ok(()),
        }
    }

    /// What is asked for to continue this one, and not over.
    async fn to_continue(&self, old: &Activation) -> Result<Vec<Recorded>, StoreFault> {
        let asked = &old.request.asked;
        let filter = Filter {
            principal: Some(asked.principal),
            role: Some(asked.role.clone()),
            live_only: true,
            ..Filter::default()
        };
        let mut page = Page { limit: 100, after: None };
        let mut waiting = Vec::new();
        loop {
            let found = self.ports.journal.find(&filter, &page).await?;
            let continues = |each: &Recorded| each.request.asked.continues == Some(old.id);
            waiting.extend(found.activations.into_iter().filter(continues));
            match found.next {
                Some(next) => page.after = Some(next),
                None => return Ok(waiting),
            }
        }
    }

    /// Refuses what was to continue this one, which is over. Nobody's answer is waited for in vain.
    pub(super) async fn nothing_to_continue(&self, old: &Activation) -> Result<(), StoreFault> {
        for waiting in self.to_continue(old).await? {
            let _writer = self.locks.lock(waiting.id).await;
            let Some(recorded) = self.ports.journal.load(waiting.id).await? else { continue };
            // Not the one that took it over.
            if !recorded.is_to_take_over() {
                continue;
            }
            // Whoever was faster decides; if nobody was, the next look refuses it.
            if let Err(Refusal::Store(fault)) =
                self.record(&recorded, Actor::Broker, too_late(), self.now()).await
            {
                return Err(fault);
            }
        }
        Ok(())
    }

    /// Looks before the intent is recorded: the old one must be held, by the record and by the directory.
    pub(super) async fn begin_to_continue(
        &self,
        recorded: &Recorded,
        old: ActivationId,
    ) -> Result<Change, StoreFault> {
        let now = self.now();
        let Some(old) = self.ports.journal.load(old).await? else { return Ok(too_late()) };
        let Some((name, held_until)) = held(&old, now) else { return Ok(too_late()) };
        if recorded.target != old.target {
            let reason = "it was narrowed to less than is held, and only the same goes on".to_owned();
            return Ok(Change::Refused { reason });
        }
        Ok(match self.ports.directory.look(old.request.asked.principal, &old.target).await {
            Err(Unreachable { reason, after }) => self.postponed(recorded, reason, after),
            Ok(Held::By(there)) if there == *name => {
                let not_after = recorded.term.end_from(self.now().earliest());
                if not_after > held_until {
                    Change::ActivationBegun { not_after }
                } else {
                    let reason =
                        format!("it would end no later than what it was to continue, {held_until:.0}");
                    Change::Refused { reason }
                }
            }
            Ok(Held::By(_)) => Change::Refused {
                reason: "the directory holds this role for you by another hand now".to_owned(),
            },
            // One read proves nothing. If it is gone, the old one is closed soon, and then this is too late.
            Ok(Held::Nothing) => {
                let reason = "the directory does not show the role that is to be extended".to_owned();
                self.postponed(recorded, reason, None)
            }
        })
    }

    /// Has the directory let it go on, where its way keeps an end there.
    pub(super) async fn extend(&self, recorded: &Recorded, old: ActivationId) -> Result<Step, StoreFault> {
        let Some(old) = self.ports.journal.load(old).await? else { return Ok(Step::Record(too_late())) };
        let permit = held(&old, self.now()).and_then(|_| ExtendPermit::from(recorded, &old));
        let Some(permit) = permit else { return Ok(Step::Record(too_late())) };
        if self.is_frozen().await {
            return Ok(Step::Record(frozen()));
        }
        Ok(match self.ports.directory.extend(&permit).await {
            GrantAnswer::Done(held) => Step::TakeOver { old: old.id, held },
            // Also after an earlier try: what that one may have moved ends with the old one.
            GrantAnswer::Refused(reason) => Step::Record(Change::Refused { reason: short(reason) }),
            GrantAnswer::Unclear { reason, after } => Step::Record(self.postponed(recorded, reason, after)),
        })
    }

    /// The one takes over from the other, in one step of the record; or it comes too late. The caller has the new
    /// one's lock.
    pub(super) async fn take_over(
        &self,
        new: &Recorded,
        old: ActivationId,
        name: AssignmentId,
    ) -> Result<Recorded, Refusal> {
        let _writer = self.locks.lock(old).await;
        let old = self.load(old).await?;
        let now = self.now();
        // What is at its end ends, also where nobody has seen to it yet: it may be gone from the directory.
        if held(&old, now).is_none() || ExtendPermit::from(new, &old).is_none() {
            return self.record(new, Actor::Broker, too_late(), now).await;
        }
        // Unlike a grant's, the directory's answer obliges to nothing: what is held ends with the old one.
        if self.is_frozen().await {
            return self.record(new, Actor::Broker, frozen(), now).await;
        }
        let append = |of: &Recorded, change| Append {
            id: of.id,
            expected: of.version,
            events: vec![Event { at: now.latest(), by: Actor::Broker, change }],
        };
        let (gives, takes) = (Change::TakenOver { by: new.id }, Change::Activated { held: name });
        let both = vec![append(&old, gives), append(new, takes)];
        let recorded = self.append_all(&[Some(&old), Some(new)], both).await?;
        recorded.into_iter().next_back().ok_or(Refusal::Contended)
    }
}

/// What continuing another holds of the policy's offer: the same as is held, and nothing wider.
pub(super) fn same_target(offer: &EligibleRole, old: &Activation) -> Result<Target, Refusal> {
    if offer.target.covers(&old.target) {
        Ok(old.target)
    } else {
        Err(Refusal::NotExtended(format!(
            "the policy means something else by `{}` since you activated it; ask for it anew with `elevate \
             activate` once this has ended",
            offer.name
        )))
    }
}

/// What it is called and until when it is held, if it is held now.
fn held(activation: &Activation, now: Now) -> Option<(&AssignmentId, Timestamp)> {
    match &activation.state {
        State::Active { held, not_after } if now.latest() < *not_after => Some((held, *not_after)),
        _ => None,
    }
}

fn too_late() -> Change {
    Change::Refused { reason: "what it was to continue is over".to_owned() }
}

/// A later end is a new grant. What is held stays, with the end it has.
fn frozen() -> Change {
    let reason = "the broker was frozen before it took over; what is held ends when it was to end".to_owned();
    Change::Refused { reason }
}

/// Whether this end leaves others waiting that were to continue it.
pub(super) const fn leaves_others_waiting(activation: &Activation) -> bool {
    matches!(&activation.state, State::Closed { outcome, .. } if !matches!(outcome, Outcome::TakenOver { .. }))
        && activation.held_from.is_some()
}
