//! Leaves: what the log keeps, for ever in these bytes.

use elevate_core::activation::{Actor, Change, Event};
use elevate_core::names::{ActivationId, Slot};
use elevate_core::policy::PolicyVersion;
use elevate_proto::record::v1 as stored;

use super::parts::{
    approval_form, approval_in, cause_form, cause_in, freeze_form, freeze_in, id_form, id_in, parsed,
    principal_form, principal_in, proof_form, proof_in, request_form, request_in, resource_form, resource_in,
    time_form, time_in,
};
use super::{Read, Unreadable};
use crate::ports::journal::{AppliedPolicy, Note, Said};

pub(super) fn leaf_form(said: &Said, format: u32) -> Read<stored::Leaf> {
    let said = match said {
        Said::Activation { id, version, event } => {
            let Event { at, by, change } = event;
            stored::leaf::Said::Event(stored::ActivationEvent {
                activation: id_form(id.uuid()),
                version: *version,
                at: Some(time_form(*at)),
                by: Some(actor_form(*by)),
                change: Some(change_form(change)?),
            })
        }
        Said::Note(note) => note_form(note),
    };
    Ok(stored::Leaf { format, said: Some(said) })
}

pub(super) fn said_in(form: stored::Leaf) -> Read<Said> {
    let stored::Leaf { format: _, said } = form;
    match said.ok_or(Unreadable::Faulty("it says nothing"))? {
        stored::leaf::Said::Event(form) => {
            let stored::ActivationEvent { activation, version, at, by, change } = form;
            let event = Event {
                at: time_in(at)?,
                by: actor_in(by)?,
                change: change_in(change.ok_or(Unreadable::Faulty("an event without a change"))?)?,
            };
            Ok(Said::Activation { id: ActivationId::from_uuid(id_in(&activation)?), version, event })
        }
        stored::leaf::Said::PolicyApplied(form) => Ok(Said::Note(Note::PolicyApplied(policy_in(form)?))),
        stored::leaf::Said::AttemptRefused(form) => {
            let stored::AttemptRefused { caller, attempt, reason, role, activation, at } = form;
            Ok(Said::Note(Note::Refused {
                caller: caller.map(|caller| principal_in(Some(caller))).transpose()?,
                attempt,
                reason,
                role: role.map(|role| parsed(&role)).transpose()?,
                activation: activation.map(|id| id_in(&id).map(ActivationId::from_uuid)).transpose()?,
                at: time_in(at)?,
            }))
        }
        stored::leaf::Said::BrokerRan(form) => {
            let stored::BrokerRan { what, version, at } = form;
            Ok(Said::Note(Note::Broker { what, version, at: time_in(at)? }))
        }
        stored::leaf::Said::DriftSeen(form) => {
            let stored::DriftSeen { slot, assignment, at } = form;
            let slot = slot_in(slot.ok_or(Unreadable::Faulty("a drift without a slot"))?)?;
            Ok(Said::Note(Note::Drift { slot, assignment, at: time_in(at)? }))
        }
        stored::leaf::Said::Frozen(form) => Ok(Said::Note(Note::Frozen(freeze_in(form)?))),
        stored::leaf::Said::Thawed(form) => Ok(Said::Note(Note::Thawed(freeze_in(form)?))),
        stored::leaf::Said::PolicyProposed(form) => Ok(Said::Note(Note::PolicyProposed(policy_in(form)?))),
    }
}

fn note_form(note: &Note) -> stored::leaf::Said {
    match note {
        Note::PolicyApplied(policy) => stored::leaf::Said::PolicyApplied(policy_form(policy)),
        Note::PolicyProposed(policy) => stored::leaf::Said::PolicyProposed(policy_form(policy)),
        Note::Frozen(freeze) => stored::leaf::Said::Frozen(freeze_form(freeze)),
        Note::Thawed(freeze) => stored::leaf::Said::Thawed(freeze_form(freeze)),
        Note::Refused { caller, attempt, reason, role, activation, at } => {
            stored::leaf::Said::AttemptRefused(stored::AttemptRefused {
                caller: caller.map(principal_form),
                attempt: attempt.clone(),
                reason: reason.clone(),
                role: role.as_ref().map(|role| role.as_str().to_owned()),
                activation: activation.map(|id| id_form(id.uuid())),
                at: Some(time_form(*at)),
            })
        }
        Note::Broker { what, version, at } => stored::leaf::Said::BrokerRan(stored::BrokerRan {
            what: what.clone(),
            version: version.clone(),
            at: Some(time_form(*at)),
        }),
        Note::Drift { slot, assignment, at } => stored::leaf::Said::DriftSeen(stored::DriftSeen {
            slot: Some(slot_form(slot)),
            assignment: assignment.clone(),
            at: Some(time_form(*at)),
        }),
    }
}

fn change_form(change: &Change) -> Read<stored::activation_event::Change> {
    use stored::activation_event::Change as Form;
    Ok(match change {
        Change::Requested(request) => Form::Requested(request_form(request)?),
        Change::ApprovalSought { lapses_at } => {
            Form::ApprovalSought(stored::ApprovalSought { lapses_at: Some(time_form(*lapses_at)) })
        }
        Change::Approved(approval, proof) => Form::Approved(stored::Approved {
            approval: Some(approval_form(approval)?),
            proof: Some(proof_form(proof)),
        }),
        Change::Denied { reason } => Form::Denied(stored::Denied { reason: reason.clone() }),
        Change::Withdrawn => Form::Withdrawn(stored::Withdrawn {}),
        Change::Lapsed => Form::Lapsed(stored::Lapsed {}),
        Change::Scheduled { starts_at, lapses_at } => Form::Scheduled(stored::Scheduled {
            starts_at: Some(time_form(*starts_at)),
            lapses_at: Some(time_form(*lapses_at)),
        }),
        Change::ActivationBegun { not_after } => {
            Form::ActivationBegun(stored::ActivationBegun { not_after: Some(time_form(*not_after)) })
        }
        Change::Refused { reason } => Form::Refused(stored::Refused { reason: reason.clone() }),
        Change::Activated { held } => Form::Activated(stored::Activated { held: held.as_str().to_owned() }),
        Change::Postponed { retry_at, reason } => Form::Postponed(stored::Postponed {
            retry_at: Some(time_form(*retry_at)),
            reason: reason.clone(),
        }),
        Change::RevocationBegun(cause) => Form::RevocationBegun(cause_form(cause)),
        Change::Removed => Form::Removed(stored::Removed {}),
        Change::RemovedElsewhere => Form::RemovedElsewhere(stored::RemovedElsewhere {}),
        Change::TakenOver { by } => Form::TakenOver(stored::TakenOver { by: id_form(by.uuid()) }),
        Change::SignedOut => Form::SignedOut(stored::SignedOut {}),
        Change::SignOutFailed { reason } => {
            Form::SignOutFailed(stored::SignOutFailed { reason: reason.clone() })
        }
        Change::Reviewed { comment } => Form::Reviewed(stored::Reviewed { comment: comment.clone() }),
    })
}

fn change_in(form: stored::activation_event::Change) -> Read<Change> {
    use stored::activation_event::Change as Form;
    Ok(match form {
        Form::Requested(request) => Change::Requested(Box::new(request_in(request)?)),
        Form::ApprovalSought(stored::ApprovalSought { lapses_at }) => {
            Change::ApprovalSought { lapses_at: time_in(lapses_at)? }
        }
        Form::Approved(stored::Approved { approval, proof }) => Change::Approved(
            Box::new(approval_in(approval.ok_or(Unreadable::Faulty("a yes without an approval"))?)?),
            Box::new(proof_in(proof)?),
        ),
        Form::Denied(stored::Denied { reason }) => Change::Denied { reason },
        Form::Withdrawn(stored::Withdrawn {}) => Change::Withdrawn,
        Form::Lapsed(stored::Lapsed {}) => Change::Lapsed,
        Form::Scheduled(stored::Scheduled { starts_at, lapses_at }) => {
            Change::Scheduled { starts_at: time_in(starts_at)?, lapses_at: time_in(lapses_at)? }
        }
        Form::ActivationBegun(stored::ActivationBegun { not_after }) => {
            Change::ActivationBegun { not_after: time_in(not_after)? }
        }
        Form::Refused(stored::Refused { reason }) => Change::Refused { reason },
        Form::Activated(stored::Activated { held }) => Change::Activated { held: parsed(&held)? },
        Form::Postponed(stored::Postponed { retry_at, reason }) => {
            Change::Postponed { retry_at: time_in(retry_at)?, reason }
        }
        Form::RevocationBegun(cause) => Change::RevocationBegun(cause_in(cause)?),
        Form::Removed(stored::Removed {}) => Change::Removed,
        Form::RemovedElsewhere(stored::RemovedElsewhere {}) => Change::RemovedElsewhere,
        Form::TakenOver(stored::TakenOver { by }) => {
            Change::TakenOver { by: ActivationId::from_uuid(id_in(&by)?) }
        }
        Form::SignedOut(stored::SignedOut {}) => Change::SignedOut,
        Form::SignOutFailed(stored::SignOutFailed { reason }) => Change::SignOutFailed { reason },
        Form::Reviewed(stored::Reviewed { comment }) => Change::Reviewed { comment },
    })
}

fn actor_form(actor: Actor) -> stored::activation_event::By {
    match actor {
        Actor::Principal(principal) => stored::activation_event::By::Principal(principal_form(principal)),
        Actor::Broker => stored::activation_event::By::Broker(stored::Broker {}),
    }
}

fn actor_in(form: Option<stored::activation_event::By>) -> Read<Actor> {
    match form {
        Some(stored::activation_event::By::Principal(form)) => {
            Ok(Actor::Principal(principal_in(Some(form))?))
        }
        Some(stored::activation_event::By::Broker(stored::Broker {})) => Ok(Actor::Broker),
        None => Err(Unreadable::Faulty("an event by nobody")),
    }
}

fn slot_form(slot: &Slot) -> stored::Slot {
    let Slot { principal, resource } = slot;
    let (role_definition, scope, membership) = resource_form(resource);
    stored::Slot { principal: Some(principal_form(*principal)), role_definition, scope, membership }
}

fn slot_in(form: stored::Slot) -> Read<Slot> {
    let stored::Slot { principal, role_definition, scope, membership } = form;
    Ok(Slot {
        principal: principal_in(principal)?,
        resource: resource_in(&role_definition, scope, membership)?,
    })
}

fn policy_form(policy: &AppliedPolicy) -> stored::PolicyApplied {
    let AppliedPolicy { version, text, by, at, confirmed_by } = policy;
    stored::PolicyApplied {
        version: version.0,
        text: text.clone(),
        by: Some(principal_form(*by)),
        at: Some(time_form(*at)),
        confirmed_by: confirmed_by.map(principal_form),
    }
}

fn policy_in(form: stored::PolicyApplied) -> Read<AppliedPolicy> {
    let stored::PolicyApplied { version, text, by, at, confirmed_by } = form;
    Ok(AppliedPolicy {
        version: PolicyVersion(version),
        text,
        by: principal_in(by)?,
        at: time_in(at)?,
        confirmed_by: confirmed_by.map(|who| principal_in(Some(who))).transpose()?,
    })
}
