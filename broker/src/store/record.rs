//! The stored form, and back: `elevate.record.v1` <-> [`Said`] and [`Activation`].
//!
//! Strict both ways. Reading re-encodes what was understood and compares it with the bytes: a missing or
//! unknown field, an unknown choice, a second spelling of the same thing are faults. Writing reads back
//! what it encoded: nothing is written that could not be read.

use elevate_core::activation::{
    Activation, Actor, Cause, Change, Event, Outcome, ProofShown, Request, Retry, State,
};
use elevate_core::approval::{Approval, ApprovalRequirement};
use elevate_core::binding::{Asked, Digest};
use elevate_core::names::{
    ActivationId, ObjectId, Principal, RequestId, RoleDefinitionId, Scope, Slot, Subject, Target, TenantId,
    Ticket, Way,
};
use elevate_core::policy::PolicyVersion;
use elevate_core::term::Term;
use elevate_proto::record::v1 as stored;
use jiff::{SignedDuration, Timestamp};
use prost::Message as _;
use std::num::NonZeroU8;
use uuid::Uuid;

use crate::ports::journal::{AppliedPolicy, Note, Said};

/// The newest form of a leaf that this broker writes and reads.
pub(super) const FORMAT: u32 = 1;

/// The longest leaf, in bytes: what one event may say.
pub(super) const EVENT_MAX: usize = 64 * 1024;

/// The longest leaf that holds a policy, which is the only text that grows with the house.
pub(super) const POLICY_MAX: usize = 1024 * 1024;

/// How long a leaf that says this may be.
pub(super) const fn most_bytes(said: &Said) -> usize {
    match said {
        Said::Note(Note::PolicyApplied(_)) => POLICY_MAX,
        Said::Note(_) | Said::Activation { .. } => EVENT_MAX,
    }
}

/// Why stored bytes were not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// Written by a later broker.
    #[error("it has format {found}, and this broker knows formats up to {FORMAT}")]
    Future {
        /// The format it says it has.
        found: u32,
    },
    /// Not something that any broker wrote.
    #[error("{0}")]
    Faulty(&'static str),
}

type Read<T> = Result<T, Unreadable>;

/// The bytes of a leaf that says this.
pub(super) fn leaf(said: &Said) -> Read<Vec<u8>> {
    let bytes = leaf_form(said)?.encode_to_vec();
    if said_by(&bytes)? == *said { Ok(bytes) } else { Err(Unreadable::Faulty("it would not read back")) }
}

/// What a leaf says.
pub(super) fn said_by(bytes: &[u8]) -> Read<Said> {
    let form = stored::Leaf::decode(bytes).map_err(|_| Unreadable::Faulty("it is not a leaf"))?;
    match form.format {
        FORMAT => {}
        0 => return Err(Unreadable::Faulty("it names no format")),
        found => return Err(Unreadable::Future { found }),
    }
    let said = said_in(form)?;
    if leaf_form(&said)?.encode_to_vec() == bytes {
        Ok(said)
    } else {
        Err(Unreadable::Faulty("it holds more than this broker understands"))
    }
}

/// The bytes of an activation in the index.
pub(super) fn snapshot(activation: &Activation) -> Read<Vec<u8>> {
    Ok(activation_form(activation)?.encode_to_vec())
}

/// The activation that these bytes hold.
pub(super) fn activation(bytes: &[u8]) -> Read<Activation> {
    let form =
        stored::Activation::decode(bytes).map_err(|_| Unreadable::Faulty("it is not an activation"))?;
    activation_in(form)
}

// ---- leaves

fn leaf_form(said: &Said) -> Read<stored::Leaf> {
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
    Ok(stored::Leaf { format: FORMAT, said: Some(said) })
}

fn said_in(form: stored::Leaf) -> Read<Said> {
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
        stored::leaf::Said::PolicyApplied(form) => {
            let stored::PolicyApplied { version, text, by, at } = form;
            Ok(Said::Note(Note::PolicyApplied(AppliedPolicy {
                version: PolicyVersion(version),
                text,
                by: principal_in(by)?,
                at: time_in(at)?,
            })))
        }
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
    }
}

fn note_form(note: &Note) -> stored::leaf::Said {
    match note {
        Note::PolicyApplied(AppliedPolicy { version, text, by, at }) => {
            stored::leaf::Said::PolicyApplied(stored::PolicyApplied {
                version: version.0,
                text: text.clone(),
                by: Some(principal_form(*by)),
                at: Some(time_form(*at)),
            })
        }
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
    })
}

// ---- activations in the index

fn activation_form(activation: &Activation) -> Read<stored::Activation> {
    let Activation { id, request, digest, approvals, state, version } = activation;
    Ok(stored::Activation {
        id: id_form(id.uuid()),
        request: Some(request_form(request)?),
        digest: digest.as_bytes().to_vec(),
        approvals: approvals.iter().map(approval_form).collect::<Read<_>>()?,
        version: *version,
        state: Some(state_form(state)),
    })
}

fn activation_in(form: stored::Activation) -> Read<Activation> {
    let stored::Activation { id, request, digest, approvals, version, state } = form;
    Ok(Activation {
        id: ActivationId::from_uuid(id_in(&id)?),
        request: request_in(request.ok_or(Unreadable::Faulty("an activation without a request"))?)?,
        digest: digest_in(&digest)?,
        approvals: approvals.into_iter().map(approval_in).collect::<Read<_>>()?,
        state: state_in(state.ok_or(Unreadable::Faulty("an activation without a state"))?)?,
        version,
    })
}

fn state_form(state: &State) -> stored::activation::State {
    use stored::activation::State as Form;
    match state {
        State::Requested => Form::Requested(stored::InRequested {}),
        State::AwaitingApproval { lapses_at } => {
            Form::AwaitingApproval(stored::InAwaitingApproval { lapses_at: Some(time_form(*lapses_at)) })
        }
        State::Scheduled { starts_at, lapses_at, retry } => Form::Scheduled(stored::InScheduled {
            starts_at: Some(time_form(*starts_at)),
            lapses_at: Some(time_form(*lapses_at)),
            retry: Some(retry_form(retry)),
        }),
        State::Activating { not_after, retry } => Form::Activating(stored::InActivating {
            not_after: Some(time_form(*not_after)),
            retry: Some(retry_form(retry)),
        }),
        State::Active { not_after, held } => Form::Active(stored::InActive {
            not_after: Some(time_form(*not_after)),
            held: held.as_str().to_owned(),
        }),
        State::Revoking { held, not_after, cause, retry } => Form::Revoking(stored::InRevoking {
            held: held.as_ref().map(|held| held.as_str().to_owned()),
            not_after: Some(time_form(*not_after)),
            cause: Some(cause_form(cause)),
            retry: Some(retry_form(retry)),
        }),
        State::Closed { outcome, at } => {
            Form::Closed(stored::InClosed { at: Some(time_form(*at)), outcome: Some(outcome_form(outcome)) })
        }
    }
}

fn state_in(form: stored::activation::State) -> Read<State> {
    use stored::activation::State as Form;
    Ok(match form {
        Form::Requested(stored::InRequested {}) => State::Requested,
        Form::AwaitingApproval(stored::InAwaitingApproval { lapses_at }) => {
            State::AwaitingApproval { lapses_at: time_in(lapses_at)? }
        }
        Form::Scheduled(stored::InScheduled { starts_at, lapses_at, retry }) => State::Scheduled {
            starts_at: time_in(starts_at)?,
            lapses_at: time_in(lapses_at)?,
            retry: retry_in(retry)?,
        },
        Form::Activating(stored::InActivating { not_after, retry }) => {
            State::Activating { not_after: time_in(not_after)?, retry: retry_in(retry)? }
        }
        Form::Active(stored::InActive { not_after, held }) => {
            State::Active { not_after: time_in(not_after)?, held: parsed(&held)? }
        }
        Form::Revoking(stored::InRevoking { held, not_after, cause, retry }) => State::Revoking {
            held: held.map(|held| parsed(&held)).transpose()?,
            not_after: time_in(not_after)?,
            cause: cause_in(cause.ok_or(Unreadable::Faulty("a revocation without a cause"))?)?,
            retry: retry_in(retry)?,
        },
        Form::Closed(stored::InClosed { at, outcome }) => State::Closed {
            outcome: outcome_in(outcome.ok_or(Unreadable::Faulty("an end without an outcome"))?)?,
            at: time_in(at)?,
        },
    })
}

fn retry_form(retry: &Retry) -> stored::Retry {
    let Retry { tries, at, hindrance } = retry;
    stored::Retry { tries: *tries, at: Some(time_form(*at)), hindrance: hindrance.clone() }
}

fn retry_in(form: Option<stored::Retry>) -> Read<Retry> {
    let stored::Retry { tries, at, hindrance } =
        form.ok_or(Unreadable::Faulty("a step without its tries"))?;
    Ok(Retry { tries, at: time_in(at)?, hindrance })
}

fn outcome_form(outcome: &Outcome) -> stored::in_closed::Outcome {
    use stored::in_closed::Outcome as Form;
    match outcome {
        Outcome::Denied { reason } => Form::Denied(stored::Denied { reason: reason.clone() }),
        Outcome::Lapsed => Form::Lapsed(stored::Lapsed {}),
        Outcome::Withdrawn => Form::Withdrawn(stored::Withdrawn {}),
        Outcome::Failed { reason } => Form::Failed(stored::Refused { reason: reason.clone() }),
        Outcome::Ended(cause) => Form::Ended(cause_form(cause)),
        Outcome::RemovedElsewhere => Form::RemovedElsewhere(stored::RemovedElsewhere {}),
        Outcome::TakenOver { by } => Form::TakenOver(stored::TakenOver { by: id_form(by.uuid()) }),
    }
}

fn outcome_in(form: stored::in_closed::Outcome) -> Read<Outcome> {
    use stored::in_closed::Outcome as Form;
    Ok(match form {
        Form::Denied(stored::Denied { reason }) => Outcome::Denied { reason },
        Form::Lapsed(stored::Lapsed {}) => Outcome::Lapsed,
        Form::Withdrawn(stored::Withdrawn {}) => Outcome::Withdrawn,
        Form::Failed(stored::Refused { reason }) => Outcome::Failed { reason },
        Form::Ended(cause) => Outcome::Ended(cause_in(cause)?),
        Form::RemovedElsewhere(stored::RemovedElsewhere {}) => Outcome::RemovedElsewhere,
        Form::TakenOver(stored::TakenOver { by }) => {
            Outcome::TakenOver { by: ActivationId::from_uuid(id_in(&by)?) }
        }
    })
}

// ---- the parts of both

fn request_form(request: &Request) -> Read<stored::Request> {
    let Request { request_id, asked, requirements, approval_window, proof, at } = request;
    Ok(stored::Request {
        request_id: id_form(request_id.uuid()),
        asked: Some(asked_form(asked)),
        requirements: requirements.iter().map(requirement_form).collect(),
        approval_window: Some(length_form(*approval_window)),
        proof: Some(proof_form(proof)),
        at: Some(time_form(*at)),
    })
}

fn request_in(form: stored::Request) -> Read<Request> {
    let stored::Request { request_id, asked, requirements, approval_window, proof, at } = form;
    Ok(Request {
        request_id: RequestId::from_uuid(id_in(&request_id)?),
        asked: asked_in(asked.ok_or(Unreadable::Faulty("a request that asks for nothing"))?)?,
        requirements: requirements.into_iter().map(requirement_in).collect::<Read<_>>()?,
        approval_window: length_in(approval_window)?,
        proof: proof_in(proof)?,
        at: time_in(at)?,
    })
}

fn asked_form(asked: &Asked) -> stored::Asked {
    let Asked { principal, role, target, term, starts_at, justification, ticket, policy, continues } = asked;
    let Target { way, role_definition, scope } = target;
    let way = match way {
        Way::Pim => stored::Way::Pim,
        Way::Assignment => stored::Way::Assignment,
    };
    stored::Asked {
        principal: Some(principal_form(*principal)),
        role: role.as_str().to_owned(),
        target: Some(stored::Target {
            way: way.into(),
            role_definition: id_form(role_definition.uuid()),
            scope: Some(scope_form(*scope)),
        }),
        term_seconds: term.seconds(),
        starts_at: starts_at.map(time_form),
        justification: justification.as_str().to_owned(),
        ticket: ticket.as_ref().map(|ticket| stored::Ticket {
            number: ticket.number().to_owned(),
            system: ticket.system().to_owned(),
        }),
        policy_version: policy.0,
        continues: continues.map(|id| id_form(id.uuid())),
    }
}

fn asked_in(form: stored::Asked) -> Read<Asked> {
    let stored::Asked {
        principal,
        role,
        target,
        term_seconds,
        starts_at,
        justification,
        ticket,
        policy_version,
        continues,
    } = form;
    let stored::Target { way, role_definition, scope } =
        target.ok_or(Unreadable::Faulty("a request without a target"))?;
    let way = match stored::Way::try_from(way) {
        Ok(stored::Way::Pim) => Way::Pim,
        Ok(stored::Way::Assignment) => Way::Assignment,
        Ok(stored::Way::Unspecified) | Err(_) => {
            return Err(Unreadable::Faulty("a way of granting that this broker does not know"));
        }
    };
    Ok(Asked {
        principal: principal_in(principal)?,
        role: parsed(&role)?,
        target: Target {
            way,
            role_definition: RoleDefinitionId::from_uuid(id_in(&role_definition)?),
            scope: scope_in(scope)?,
        },
        term: Term::from_seconds(i64::from(term_seconds))
            .map_err(|_| Unreadable::Faulty("a term that no grant has"))?,
        starts_at: starts_at.map(|at| time_in(Some(at))).transpose()?,
        justification: parsed(&justification)?,
        ticket: ticket
            .map(|stored::Ticket { number, system }| {
                Ticket::new(&number, &system).map_err(|_| Unreadable::Faulty("a ticket that is none"))
            })
            .transpose()?,
        policy: PolicyVersion(policy_version),
        continues: continues.map(|id| id_in(&id).map(ActivationId::from_uuid)).transpose()?,
    })
}

fn requirement_form(requirement: &ApprovalRequirement) -> stored::ApprovalRequirement {
    let ApprovalRequirement { count, from } = requirement;
    let from = from.iter().map(|subject| {
        let who = match subject {
            Subject::User(id) => stored::subject::Who::User(id_form(id.uuid())),
            Subject::Group(id) => stored::subject::Who::Group(id_form(id.uuid())),
        };
        stored::Subject { who: Some(who) }
    });
    stored::ApprovalRequirement { count: u32::from(count.get()), from: from.collect() }
}

fn requirement_in(form: stored::ApprovalRequirement) -> Read<ApprovalRequirement> {
    let stored::ApprovalRequirement { count, from } = form;
    let count = u8::try_from(count).ok().and_then(NonZeroU8::new);
    let subject = |stored::Subject { who }| match who {
        Some(stored::subject::Who::User(id)) => Ok(Subject::User(ObjectId::from_uuid(id_in(&id)?))),
        Some(stored::subject::Who::Group(id)) => Ok(Subject::Group(ObjectId::from_uuid(id_in(&id)?))),
        None => Err(Unreadable::Faulty("a subject that this broker does not know")),
    };
    Ok(ApprovalRequirement {
        count: count.ok_or(Unreadable::Faulty("a requirement of nobody, or of too many"))?,
        from: from.into_iter().map(subject).collect::<Read<_>>()?,
    })
}

fn proof_form(proof: &ProofShown) -> stored::ProofShown {
    let ProofShown { token, nonce, signed_in_at, methods, contexts } = proof;
    stored::ProofShown {
        token: token.clone(),
        nonce: nonce.clone(),
        signed_in_at: Some(time_form(*signed_in_at)),
        methods: methods.clone(),
        contexts: contexts.clone(),
    }
}

fn proof_in(form: Option<stored::ProofShown>) -> Read<ProofShown> {
    let stored::ProofShown { token, nonce, signed_in_at, methods, contexts } =
        form.ok_or(Unreadable::Faulty("a step without its proof"))?;
    Ok(ProofShown { token, nonce, signed_in_at: time_in(signed_in_at)?, methods, contexts })
}

fn approval_form(approval: &Approval) -> Read<stored::Approval> {
    let Approval { approver, request, counts_for, at, comment, request_id } = approval;
    let counts_for = counts_for.iter().map(|place| u32::try_from(*place)).collect::<Result<_, _>>();
    Ok(stored::Approval {
        approver: Some(principal_form(*approver)),
        request: request.as_bytes().to_vec(),
        counts_for: counts_for.map_err(|_| Unreadable::Faulty("a requirement too far down the list"))?,
        at: Some(time_form(*at)),
        comment: comment.clone(),
        request_id: id_form(request_id.uuid()),
    })
}

fn approval_in(form: stored::Approval) -> Read<Approval> {
    let stored::Approval { approver, request, counts_for, at, comment, request_id } = form;
    let counts_for = counts_for.into_iter().map(usize::try_from).collect::<Result<_, _>>();
    Ok(Approval {
        approver: principal_in(approver)?,
        request: digest_in(&request)?,
        counts_for: counts_for.map_err(|_| Unreadable::Faulty("a requirement too far down the list"))?,
        at: time_in(at)?,
        comment,
        request_id: RequestId::from_uuid(id_in(&request_id)?),
    })
}

fn cause_form(cause: &Cause) -> stored::Cause {
    let why = match cause {
        Cause::Expired => stored::cause::Why::Expired(stored::Expired {}),
        Cause::Deactivated => stored::cause::Why::Deactivated(stored::Deactivated {}),
        Cause::Revoked { reason } => stored::cause::Why::Revoked(stored::Revoked { reason: reason.clone() }),
        Cause::Unfinished => stored::cause::Why::Unfinished(stored::Unfinished {}),
    };
    stored::Cause { why: Some(why) }
}

fn cause_in(form: stored::Cause) -> Read<Cause> {
    match form.why {
        Some(stored::cause::Why::Expired(stored::Expired {})) => Ok(Cause::Expired),
        Some(stored::cause::Why::Deactivated(stored::Deactivated {})) => Ok(Cause::Deactivated),
        Some(stored::cause::Why::Revoked(stored::Revoked { reason })) => Ok(Cause::Revoked { reason }),
        Some(stored::cause::Why::Unfinished(stored::Unfinished {})) => Ok(Cause::Unfinished),
        None => Err(Unreadable::Faulty("a cause that this broker does not know")),
    }
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
    let Slot { principal, role_definition, scope } = slot;
    stored::Slot {
        principal: Some(principal_form(*principal)),
        role_definition: id_form(role_definition.uuid()),
        scope: Some(scope_form(*scope)),
    }
}

fn slot_in(form: stored::Slot) -> Read<Slot> {
    let stored::Slot { principal, role_definition, scope } = form;
    Ok(Slot {
        principal: principal_in(principal)?,
        role_definition: RoleDefinitionId::from_uuid(id_in(&role_definition)?),
        scope: scope_in(scope)?,
    })
}

fn scope_form(scope: Scope) -> stored::Scope {
    let at = match scope {
        Scope::Tenant => stored::scope::At::Tenant(stored::WholeTenant {}),
        Scope::AdministrativeUnit(id) => stored::scope::At::AdministrativeUnit(id_form(id.uuid())),
        Scope::Object(id) => stored::scope::At::Object(id_form(id.uuid())),
    };
    stored::Scope { at: Some(at) }
}

fn scope_in(form: Option<stored::Scope>) -> Read<Scope> {
    match form.and_then(|form| form.at) {
        Some(stored::scope::At::Tenant(stored::WholeTenant {})) => Ok(Scope::Tenant),
        Some(stored::scope::At::AdministrativeUnit(id)) => {
            Ok(Scope::AdministrativeUnit(ObjectId::from_uuid(id_in(&id)?)))
        }
        Some(stored::scope::At::Object(id)) => Ok(Scope::Object(ObjectId::from_uuid(id_in(&id)?))),
        None => Err(Unreadable::Faulty("a scope that this broker does not know")),
    }
}

fn principal_form(principal: Principal) -> stored::Principal {
    let Principal { tenant, object } = principal;
    stored::Principal { tenant: id_form(tenant.uuid()), object: id_form(object.uuid()) }
}

fn principal_in(form: Option<stored::Principal>) -> Read<Principal> {
    let stored::Principal { tenant, object } = form.ok_or(Unreadable::Faulty("a principal is missing"))?;
    Ok(Principal {
        tenant: TenantId::from_uuid(id_in(&tenant)?),
        object: ObjectId::from_uuid(id_in(&object)?),
    })
}

fn id_form(id: Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

fn id_in(bytes: &[u8]) -> Read<Uuid> {
    Uuid::from_slice(bytes).map_err(|_| Unreadable::Faulty("an id that is not sixteen bytes long"))
}

fn digest_in(bytes: &[u8]) -> Read<Digest> {
    let bytes = bytes.try_into();
    bytes.map(Digest::from_bytes).map_err(|_| Unreadable::Faulty("a digest that is not 32 bytes long"))
}

fn parsed<T: std::str::FromStr>(text: &str) -> Read<T> {
    text.parse().map_err(|_| Unreadable::Faulty("a name that is none"))
}

pub(super) fn time_form(at: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = (at.as_second(), at.subsec_nanosecond());
    // Before 1970 jiff counts both downwards; the stored form counts nanoseconds upwards always.
    if nanos < 0 {
        prost_types::Timestamp {
            seconds: seconds.saturating_sub(1),
            nanos: nanos.saturating_add(1_000_000_000),
        }
    } else {
        prost_types::Timestamp { seconds, nanos }
    }
}

pub(super) fn time_in(form: Option<prost_types::Timestamp>) -> Read<Timestamp> {
    let prost_types::Timestamp { seconds, nanos } = form.ok_or(Unreadable::Faulty("a time is missing"))?;
    if !(0..1_000_000_000).contains(&nanos) {
        return Err(Unreadable::Faulty("a time that no calendar holds"));
    }
    Timestamp::new(seconds, nanos).map_err(|_| Unreadable::Faulty("a time that no calendar holds"))
}

fn length_form(length: SignedDuration) -> prost_types::Duration {
    prost_types::Duration { seconds: length.as_secs(), nanos: length.subsec_nanos() }
}

fn length_in(form: Option<prost_types::Duration>) -> Read<SignedDuration> {
    let prost_types::Duration { seconds, nanos } = form.ok_or(Unreadable::Faulty("a length is missing"))?;
    let one_way = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0);
    if one_way && nanos.unsigned_abs() < 1_000_000_000 {
        Ok(SignedDuration::new(seconds, nanos))
    } else {
        Err(Unreadable::Faulty("a length that is none"))
    }
}

#[cfg(test)]
mod tests;
