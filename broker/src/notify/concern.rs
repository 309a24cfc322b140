//! Whom an entry of the record concerns: one table for what happens to activations, one for everything else.
//! Both name every variant, so that a new one does not compile until somebody has decided.

use elevate_core::activation::{Activation, Actor, Cause, Change, Event, Kind as Ask, Outcome, State};

use crate::ports::journal::{AppliedPolicy, Note};
use crate::ports::notifier::{About, Kind, Recipient};
use crate::ports::verifier::AppRole;

/// A revocation is stuck, and told of once, at this many tries: `more than five`, as elsewhere.
pub(super) const STUCK: u32 = 6;

/// What is to be told, and to whom.
pub(super) type Concern = Option<(Kind, Vec<Recipient>)>;

/// What an event has to tell. `after` is the activation with it.
pub(super) fn of_event(after: &Activation, event: &Event) -> Concern {
    let holder = after.request.asked.principal;
    let theirs = || vec![Recipient::Principal(holder)];
    match &event.change {
        Change::ApprovalSought { lapses_at } => {
            Some((Kind::ApprovalSought { answer_needed_by: *lapses_at }, approvers(after)))
        }
        Change::Approved(..) => Some((Kind::Approved { still_needed: after.still_needed() }, theirs())),
        Change::Denied { .. } => Some((Kind::Denied, theirs())),
        // Who took it back knows.
        Change::Withdrawn if event.by == Actor::Principal(holder) => None,
        Change::Withdrawn => Some((Kind::Withdrawn, theirs())),
        Change::Lapsed => Some((Kind::Lapsed, theirs())),
        Change::Refused { .. } => Some((Kind::Failed, theirs())),
        Change::Activated { .. } => end_of(after).map(|held_until| (Kind::Activated { held_until }, theirs())),
        Change::Postponed { .. } if is_stuck(after) => {
            Some((Kind::RevocationStuck { tries: STUCK }, roles([AppRole::Revoker, AppRole::Auditor])))
        }
        Change::RevocationBegun(cause) => match cause {
            Cause::Revoked { .. } => Some((Kind::Revoked, theirs())),
            // Not the holder, who cannot read it.
            Cause::AccountClosed { .. } => {
                Some((Kind::AccountClosed, roles([AppRole::Revoker, AppRole::Auditor])))
            }
            // The holder's own doing, or what they were told of before. That it is gone is told.
            Cause::Expired | Cause::Deactivated | Cause::Unfinished => None,
        },
        Change::Removed => Some((Kind::Ended { why: why(after) }, theirs())),
        Change::RemovedElsewhere => {
            let to = [theirs(), roles([AppRole::Auditor])].concat();
            Some((Kind::RemovedElsewhere, to))
        }
        Change::Requested(request) if request.kind == Ask::BreakGlass => {
            let told = request.told.iter().map(|subject| Recipient::Subject(*subject));
            let watching = roles([AppRole::PolicyAdmin, AppRole::Auditor, AppRole::Revoker]);
            Some((Kind::BreakGlass, told.chain(watching).collect()))
        }
        Change::Reviewed { .. } => Some((Kind::Reviewed, [theirs(), roles([AppRole::Auditor])].concat())),
        Change::SignOutFailed { .. } => {
            Some((Kind::SignOutFailed, roles([AppRole::Revoker, AppRole::Auditor])))
        }
        // The asker's own doing, or a step on the way to what is told.
        Change::Requested(_)
        | Change::SignedOut
        | Change::Scheduled { .. }
        | Change::ActivationBegun { .. }
        | Change::Postponed { .. }
        // The one that continues it tells its own end.
        | Change::TakenOver { .. } => None,
    }
}

/// What a note has to tell, and about what.
pub(super) fn of_note(note: &Note) -> Option<(Kind, About, Vec<Recipient>)> {
    let watching = roles([AppRole::PolicyAdmin, AppRole::Auditor]);
    match note {
        Note::PolicyApplied(AppliedPolicy { version, .. }) => {
            Some((Kind::PolicyApplied, About::Policy(*version), watching))
        }
        Note::PolicyProposed(AppliedPolicy { version, .. }) => {
            Some((Kind::PolicyProposed, About::Policy(*version), watching))
        }
        Note::Frozen(_) | Note::Thawed(_) => {
            let kind = if matches!(note, Note::Frozen(_)) { Kind::Frozen } else { Kind::Thawed };
            let to = roles([AppRole::Revoker, AppRole::Auditor, AppRole::PolicyAdmin]);
            Some((kind, About::Everything, to))
        }
        Note::Drift { slot, assignment, .. } => {
            let about = About::Assignment { id: assignment.clone(), holder: slot.principal };
            Some((Kind::Drift, about, watching))
        }
        Note::Broker { what, version, .. } => {
            let kind = match what.as_str() {
                "started" => Kind::BrokerStarted,
                // While it is stopped nobody takes a role away.
                "stopped" => Kind::BrokerStopped,
                _ => return None,
            };
            Some((kind, About::Broker { version: version.clone() }, roles([AppRole::Auditor])))
        }
        // In bulk, and nothing has changed; auditors read the record.
        Note::Refused { .. } => None,
    }
}

/// Those who were named to say yes, each once.
fn approvers(activation: &Activation) -> Vec<Recipient> {
    let mut named = Vec::new();
    for subject in activation.request.requirements.iter().flat_map(|requirement| &requirement.from) {
        let subject = Recipient::Subject(*subject);
        if !named.contains(&subject) {
            named.push(subject);
        }
    }
    named
}

fn roles<const N: usize>(roles: [AppRole; N]) -> Vec<Recipient> {
    roles.map(Recipient::Role).to_vec()
}

const fn end_of(activation: &Activation) -> Option<jiff::Timestamp> {
    match activation.state {
        State::Active { not_after, .. } => Some(not_after),
        _ => None,
    }
}

const fn is_stuck(activation: &Activation) -> bool {
    matches!(&activation.state, State::Revoking { retry, .. } if retry.tries == STUCK)
}

const fn why(activation: &Activation) -> &'static str {
    match &activation.state {
        State::Closed { outcome: Outcome::Ended(cause), .. } => match cause {
            Cause::Expired => "expired",
            Cause::Deactivated => "deactivated",
            Cause::Revoked { .. } => "revoked",
            Cause::Unfinished => "unfinished",
            Cause::AccountClosed { .. } => "account-closed",
        },
        _ => "ended",
    }
}
