//! What leaves and snapshots are made of.

use std::num::NonZeroU8;

use elevate_core::activation::{Cause, Kind, ProofShown, Request, TicketVerdict};
use elevate_core::approval::{Approval, ApprovalRequirement, Narrowed};
use elevate_core::binding::{Asked, Digest};
use elevate_core::names::{
    ActivationId, DirectoryRole, Justification, Membership, ObjectId, Principal, Relation, RequestId,
    Resource, RoleDefinitionId, Scope, Subject, Target, TenantId, Ticket, Way,
};
use elevate_core::policy::PolicyVersion;
use elevate_core::term::Term;
use elevate_proto::record::v1 as stored;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Read, Unreadable};
use crate::ports::journal::Freeze;

pub(super) fn request_form(request: &Request) -> Read<stored::Request> {
    let Request {
        request_id,
        asked,
        requirements,
        approval_window,
        proof,
        at,
        kind,
        own_approval,
        sign_out,
        bundle,
        ticket_verdict,
        told,
    } = request;
    let verdict = match ticket_verdict {
        None => stored::TicketVerdict::Unspecified,
        Some(TicketVerdict::Confirmed) => stored::TicketVerdict::Confirmed,
        Some(TicketVerdict::Unanswered) => stored::TicketVerdict::Unanswered,
    };
    Ok(stored::Request {
        request_id: id_form(request_id.uuid()),
        asked: Some(asked_form(asked)),
        requirements: requirements.iter().map(requirement_form).collect(),
        approval_window: Some(length_form(*approval_window)),
        proof: Some(proof_form(proof)),
        at: Some(time_form(*at)),
        break_glass: *kind == Kind::BreakGlass,
        own_approval: *own_approval,
        sign_out: *sign_out,
        bundle: bundle.iter().map(|id| id_form(id.uuid())).collect(),
        ticket_verdict: verdict.into(),
        told: told.iter().map(subject_form).collect(),
    })
}

pub(super) fn request_in(form: stored::Request) -> Read<Request> {
    let stored::Request {
        request_id,
        asked,
        requirements,
        approval_window,
        proof,
        at,
        break_glass,
        own_approval,
        sign_out,
        bundle,
        ticket_verdict,
        told,
    } = form;
    let ticket_verdict = match stored::TicketVerdict::try_from(ticket_verdict) {
        Ok(stored::TicketVerdict::Unspecified) => None,
        Ok(stored::TicketVerdict::Confirmed) => Some(TicketVerdict::Confirmed),
        Ok(stored::TicketVerdict::Unanswered) => Some(TicketVerdict::Unanswered),
        Err(_) => return Err(Unreadable::Faulty("a verdict on a ticket that this broker does not know")),
    };
    Ok(Request {
        request_id: RequestId::from_uuid(id_in(&request_id)?),
        asked: asked_in(asked.ok_or(Unreadable::Faulty("a request that asks for nothing"))?)?,
        requirements: requirements.into_iter().map(requirement_in).collect::<Read<_>>()?,
        approval_window: length_in(approval_window)?,
        proof: proof_in(proof)?,
        at: time_in(at)?,
        kind: if break_glass { Kind::BreakGlass } else { Kind::Ordinary },
        own_approval,
        sign_out,
        bundle: bundle.iter().map(|id| id_in(id).map(ActivationId::from_uuid)).collect::<Read<_>>()?,
        ticket_verdict,
        told: told.into_iter().map(subject_in).collect::<Read<_>>()?,
    })
}

fn asked_form(asked: &Asked) -> stored::Asked {
    let Asked { principal, role, target, term, starts_at, justification, ticket, policy, continues } = asked;
    stored::Asked {
        principal: Some(principal_form(*principal)),
        role: role.as_str().to_owned(),
        target: Some(target_form(target)),
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
    Ok(Asked {
        principal: principal_in(principal)?,
        role: parsed(&role)?,
        target: target_in(target)?,
        term: term_in(term_seconds)?,
        starts_at: starts_at.map(|at| time_in(Some(at))).transpose()?,
        justification: Justification::recorded(justification),
        ticket: ticket.map(|stored::Ticket { number, system }| Ticket::recorded(number, system)),
        policy: PolicyVersion(policy_version),
        continues: continues.map(|id| id_in(&id).map(ActivationId::from_uuid)).transpose()?,
    })
}

pub(super) fn term_in(seconds: u32) -> Read<Term> {
    Term::from_seconds(i64::from(seconds)).map_err(|_| Unreadable::Faulty("a term that no grant has"))
}

pub(super) fn target_form(target: &Target) -> stored::Target {
    let way = match target.way() {
        Way::Pim => stored::Way::Pim,
        Way::Assignment => stored::Way::Assignment,
        Way::Group => stored::Way::Group,
        Way::PimGroup => stored::Way::PimGroup,
    };
    let (role_definition, scope, membership) = resource_form(&target.resource());
    stored::Target { way: way.into(), role_definition, scope, membership }
}

pub(super) fn target_in(form: Option<stored::Target>) -> Read<Target> {
    let stored::Target { way, role_definition, scope, membership } =
        form.ok_or(Unreadable::Faulty("a request without a target"))?;
    let resource = resource_in(&role_definition, scope, membership)?;
    match (stored::Way::try_from(way), resource) {
        (Ok(stored::Way::Pim), Resource::Role(role)) => Ok(Target::Pim(role)),
        (Ok(stored::Way::Assignment), Resource::Role(role)) => Ok(Target::Assignment(role)),
        (Ok(stored::Way::Group), Resource::Group(membership)) => Ok(Target::Group(membership)),
        (Ok(stored::Way::PimGroup), Resource::Group(membership)) => Ok(Target::PimGroup(membership)),
        _ => Err(Unreadable::Faulty("a way of granting that this broker does not know, or not for this")),
    }
}

/// The fields that say what is held: a role's two, or a place in a group.
pub(super) fn resource_form(
    resource: &Resource,
) -> (Vec<u8>, Option<stored::Scope>, Option<stored::Membership>) {
    match resource {
        Resource::Role(DirectoryRole { definition, scope }) => {
            (id_form(definition.uuid()), Some(scope_form(*scope)), None)
        }
        Resource::Group(Membership { group, relation }) => {
            let relation = match relation {
                Relation::Member => stored::Relation::Member,
                Relation::Owner => stored::Relation::Owner,
            };
            let form = stored::Membership { group: id_form(group.uuid()), relation: relation.into() };
            (Vec::new(), None, Some(form))
        }
    }
}

pub(super) fn resource_in(
    role_definition: &[u8],
    scope: Option<stored::Scope>,
    membership: Option<stored::Membership>,
) -> Read<Resource> {
    let Some(stored::Membership { group, relation }) = membership else {
        let definition = RoleDefinitionId::from_uuid(id_in(role_definition)?);
        return Ok(Resource::Role(DirectoryRole { definition, scope: scope_in(scope)? }));
    };
    let relation = match stored::Relation::try_from(relation) {
        Ok(stored::Relation::Member) => Relation::Member,
        Ok(stored::Relation::Owner) => Relation::Owner,
        Ok(stored::Relation::Unspecified) | Err(_) => {
            return Err(Unreadable::Faulty("a relation to a group that this broker does not know"));
        }
    };
    Ok(Resource::Group(Membership { group: ObjectId::from_uuid(id_in(&group)?), relation }))
}

pub(in crate::store) fn freeze_form(freeze: &Freeze) -> stored::Froze {
    let Freeze { by, reason, at } = freeze;
    stored::Froze { by: Some(principal_form(*by)), reason: reason.clone(), at: Some(time_form(*at)) }
}

pub(in crate::store) fn freeze_in(form: stored::Froze) -> Read<Freeze> {
    let stored::Froze { by, reason, at } = form;
    Ok(Freeze { by: principal_in(by)?, reason, at: time_in(at)? })
}

fn requirement_form(requirement: &ApprovalRequirement) -> stored::ApprovalRequirement {
    let ApprovalRequirement { count, from } = requirement;
    stored::ApprovalRequirement {
        count: u32::from(count.get()),
        from: from.iter().map(subject_form).collect(),
    }
}

fn requirement_in(form: stored::ApprovalRequirement) -> Read<ApprovalRequirement> {
    let stored::ApprovalRequirement { count, from } = form;
    let count = u8::try_from(count).ok().and_then(NonZeroU8::new);
    Ok(ApprovalRequirement {
        count: count.ok_or(Unreadable::Faulty("a requirement of nobody, or of too many"))?,
        from: from.into_iter().map(subject_in).collect::<Read<_>>()?,
    })
}

fn subject_form(subject: &Subject) -> stored::Subject {
    let who = match subject {
        Subject::User(id) => stored::subject::Who::User(id_form(id.uuid())),
        Subject::Group(id) => stored::subject::Who::Group(id_form(id.uuid())),
    };
    stored::Subject { who: Some(who) }
}

fn subject_in(form: stored::Subject) -> Read<Subject> {
    match form.who {
        Some(stored::subject::Who::User(id)) => Ok(Subject::User(ObjectId::from_uuid(id_in(&id)?))),
        Some(stored::subject::Who::Group(id)) => Ok(Subject::Group(ObjectId::from_uuid(id_in(&id)?))),
        None => Err(Unreadable::Faulty("a subject that this broker does not know")),
    }
}

pub(super) fn proof_form(proof: &ProofShown) -> stored::ProofShown {
    let ProofShown { token, nonce, signed_in_at, methods, contexts } = proof;
    stored::ProofShown {
        token: token.clone(),
        nonce: nonce.clone(),
        signed_in_at: Some(time_form(*signed_in_at)),
        methods: methods.clone(),
        contexts: contexts.clone(),
    }
}

pub(super) fn proof_in(form: Option<stored::ProofShown>) -> Read<ProofShown> {
    let stored::ProofShown { token, nonce, signed_in_at, methods, contexts } =
        form.ok_or(Unreadable::Faulty("a step without its proof"))?;
    Ok(ProofShown { token, nonce, signed_in_at: time_in(signed_in_at)?, methods, contexts })
}

pub(super) fn approval_form(approval: &Approval) -> Read<stored::Approval> {
    let Approval { approver, request, counts_for, at, comment, request_id, narrowed } = approval;
    let Narrowed { term, scope } = narrowed;
    let counts_for = counts_for.iter().map(|place| u32::try_from(*place)).collect::<Result<_, _>>();
    Ok(stored::Approval {
        approver: Some(principal_form(*approver)),
        request: request.as_bytes().to_vec(),
        counts_for: counts_for.map_err(|_| Unreadable::Faulty("a requirement too far down the list"))?,
        at: Some(time_form(*at)),
        comment: comment.clone(),
        request_id: id_form(request_id.uuid()),
        narrowed_term_seconds: term.map_or(0, Term::seconds),
        narrowed_scope: scope.map(scope_form),
    })
}

pub(super) fn approval_in(form: stored::Approval) -> Read<Approval> {
    let stored::Approval {
        approver,
        request,
        counts_for,
        at,
        comment,
        request_id,
        narrowed_term_seconds,
        narrowed_scope,
    } = form;
    let narrowed = Narrowed {
        term: if narrowed_term_seconds == 0 { None } else { Some(term_in(narrowed_term_seconds)?) },
        scope: narrowed_scope.map(|scope| scope_in(Some(scope))).transpose()?,
    };
    let counts_for = counts_for.into_iter().map(usize::try_from).collect::<Result<_, _>>();
    Ok(Approval {
        approver: principal_in(approver)?,
        request: digest_in(&request)?,
        counts_for: counts_for.map_err(|_| Unreadable::Faulty("a requirement too far down the list"))?,
        at: time_in(at)?,
        comment,
        request_id: RequestId::from_uuid(id_in(&request_id)?),
        narrowed,
    })
}

pub(super) fn cause_form(cause: &Cause) -> stored::Cause {
    let why = match cause {
        Cause::Expired => stored::cause::Why::Expired(stored::Expired {}),
        Cause::Deactivated => stored::cause::Why::Deactivated(stored::Deactivated {}),
        Cause::Revoked { reason } => stored::cause::Why::Revoked(stored::Revoked { reason: reason.clone() }),
        Cause::Unfinished => stored::cause::Why::Unfinished(stored::Unfinished {}),
        Cause::AccountClosed { deleted } => {
            stored::cause::Why::AccountClosed(stored::AccountClosed { deleted: *deleted })
        }
    };
    stored::Cause { why: Some(why) }
}

pub(super) fn cause_in(form: stored::Cause) -> Read<Cause> {
    match form.why {
        Some(stored::cause::Why::Expired(stored::Expired {})) => Ok(Cause::Expired),
        Some(stored::cause::Why::Deactivated(stored::Deactivated {})) => Ok(Cause::Deactivated),
        Some(stored::cause::Why::Revoked(stored::Revoked { reason })) => Ok(Cause::Revoked { reason }),
        Some(stored::cause::Why::Unfinished(stored::Unfinished {})) => Ok(Cause::Unfinished),
        Some(stored::cause::Why::AccountClosed(stored::AccountClosed { deleted })) => {
            Ok(Cause::AccountClosed { deleted })
        }
        None => Err(Unreadable::Faulty("a cause that this broker does not know")),
    }
}

pub(super) fn scope_form(scope: Scope) -> stored::Scope {
    let at = match scope {
        Scope::Tenant => stored::scope::At::Tenant(stored::WholeTenant {}),
        Scope::AdministrativeUnit(id) => stored::scope::At::AdministrativeUnit(id_form(id.uuid())),
        Scope::Object(id) => stored::scope::At::Object(id_form(id.uuid())),
    };
    stored::Scope { at: Some(at) }
}

pub(super) fn scope_in(form: Option<stored::Scope>) -> Read<Scope> {
    match form.and_then(|form| form.at) {
        Some(stored::scope::At::Tenant(stored::WholeTenant {})) => Ok(Scope::Tenant),
        Some(stored::scope::At::AdministrativeUnit(id)) => {
            Ok(Scope::AdministrativeUnit(ObjectId::from_uuid(id_in(&id)?)))
        }
        Some(stored::scope::At::Object(id)) => Ok(Scope::Object(ObjectId::from_uuid(id_in(&id)?))),
        None => Err(Unreadable::Faulty("a scope that this broker does not know")),
    }
}

pub(super) fn principal_form(principal: Principal) -> stored::Principal {
    let Principal { tenant, object } = principal;
    stored::Principal { tenant: id_form(tenant.uuid()), object: id_form(object.uuid()) }
}

pub(super) fn principal_in(form: Option<stored::Principal>) -> Read<Principal> {
    let stored::Principal { tenant, object } = form.ok_or(Unreadable::Faulty("a principal is missing"))?;
    Ok(Principal {
        tenant: TenantId::from_uuid(id_in(&tenant)?),
        object: ObjectId::from_uuid(id_in(&object)?),
    })
}

pub(super) fn id_form(id: Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

pub(super) fn id_in(bytes: &[u8]) -> Read<Uuid> {
    Uuid::from_slice(bytes).map_err(|_| Unreadable::Faulty("an id that is not sixteen bytes long"))
}

pub(super) fn digest_in(bytes: &[u8]) -> Read<Digest> {
    let bytes = bytes.try_into();
    bytes.map(Digest::from_bytes).map_err(|_| Unreadable::Faulty("a digest that is not 32 bytes long"))
}

pub(super) fn parsed<T: std::str::FromStr>(text: &str) -> Read<T> {
    text.parse().map_err(|_| Unreadable::Faulty("a name that is none"))
}

pub(in crate::store) fn time_form(at: Timestamp) -> prost_types::Timestamp {
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

pub(in crate::store) fn time_in(form: Option<prost_types::Timestamp>) -> Read<Timestamp> {
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
