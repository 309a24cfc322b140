//! Answers for programs. The shapes are stable: fields are added, never renamed or taken away.
//!
//! Times are RFC 3339 in UTC, lengths are whole seconds, words are lower-case snake, what is not there is
//! null. Every message of the contract is taken apart without `..`, so that a new field is looked at here.

use elevate_proto::v1;
use jiff::Timestamp;
use serde::Serialize;

use crate::render::time;

mod bundle;
mod explain;
mod policy;
mod revoking;

pub(crate) use bundle::{Bundle, DryBundle};
pub(crate) use explain::Explained;
use explain::{Approvers, Power};
pub(crate) use policy::{Plan, Policy, Proposal};
use revoking::SignedOut;
pub(crate) use revoking::{Frozen, Preview, Progress, Taken, Thawed};

/// Somebody or something in the tenant.
#[derive(Debug, Serialize)]
pub(crate) struct Principal {
    tenant_id: String,
    object_id: String,
    display_name: Option<String>,
}

/// Under which ticket.
#[derive(Debug, Serialize)]
pub(crate) struct Ticket {
    number: String,
    system: Option<String>,
}

/// So many of these.
#[derive(Debug, Serialize)]
pub(crate) struct Requirement {
    count: i32,
    from: Vec<String>,
}

/// Somebody's yes.
#[derive(Debug, Serialize)]
pub(crate) struct Approval {
    approver: Option<Principal>,
    at: Option<Timestamp>,
    comment: Option<String>,
    own: bool,
    term_seconds: Option<i64>,
    scope: Option<String>,
}

/// A directory role at a scope.
#[derive(Debug, Serialize)]
pub(crate) struct DirectoryRole {
    way: String,
    role_definition_id: Option<String>,
    scope: Option<String>,
    group_id: Option<String>,
    relation: Option<String>,
    scope_name: Option<String>,
}

/// What a sign-in must show.
#[derive(Debug, Serialize)]
pub(crate) struct Proof {
    strength: String,
    auth_context: Option<String>,
    fresh_within_seconds: i64,
    nonce_required: bool,
}

/// One request and its whole life.
#[derive(Debug, Serialize)]
pub(crate) struct Activation {
    id: String,
    principal: Option<Principal>,
    role: String,
    directory_role: Option<DirectoryRole>,
    term_seconds: i64,
    justification: String,
    ticket: Option<Ticket>,
    state: String,
    outcome: Option<String>,
    detail: Option<String>,
    requested_at: Option<Timestamp>,
    answer_needed_by: Option<Timestamp>,
    starts_at: Option<Timestamp>,
    held_until: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    requirements: Vec<Requirement>,
    approvals: Vec<Approval>,
    approvals_needed: i32,
    policy_version: i64,
    version: i64,
    digest: String,
    tries: i32,
    held_from: Option<Timestamp>,
    ended_by: Option<Principal>,
    kind: &'static str,
    continues: Option<String>,
    continued_by: Option<String>,
    bundle_ids: Vec<String>,
    asked_term_seconds: i64,
    asked_scope: String,
    asked_start: Option<Timestamp>,
    tokens_may_live_until: Option<Timestamp>,
    ticket_verdict: Option<&'static str>,
    review: Option<Review>,
    sign_out: bool,
    signed_out: Option<SignedOut>,
}

/// Whether somebody looks at it after.
#[derive(Debug, Serialize)]
pub(crate) struct Review {
    open: bool,
    by: Option<Principal>,
    at: Option<Timestamp>,
    comment: Option<String>,
}

/// The policy's offer.
#[derive(Debug, Serialize)]
pub(crate) struct EligibleRole {
    name: String,
    title: String,
    directory_role: Option<DirectoryRole>,
    longest_seconds: i64,
    usual_seconds: i64,
    requirements: Vec<Requirement>,
    approval_window_seconds: i64,
    proof: Option<Proof>,
    ticket_required: bool,
    activation: Option<Activation>,
    ticket_pattern: Option<String>,
    ticket_system: Option<String>,
    ticket_checked: bool,
    own_approval: bool,
    start_ahead_seconds: i64,
    sign_out: bool,
    break_glass: Option<BreakGlassOffer>,
    break_glass_only: bool,
}

/// A role's offer for emergencies.
#[derive(Debug, Serialize)]
pub(crate) struct BreakGlassOffer {
    longest_seconds: i64,
    proof: Option<Proof>,
}

/// Many activations.
#[derive(Debug, Serialize)]
pub(crate) struct Activations {
    pub(crate) activations: Vec<Activation>,
    pub(crate) next_page_token: String,
}

/// Activations that are over.
#[derive(Debug, Serialize)]
pub(crate) struct History {
    pub(crate) activations: Vec<Activation>,
    /// Whether that is all that was asked for.
    pub(crate) complete: bool,
}

/// What is asked for often.
#[derive(Debug, Serialize)]
pub(crate) struct Profiles {
    pub(crate) profiles: Vec<Profile>,
}

/// One of them.
#[derive(Debug, Serialize)]
pub(crate) struct Profile {
    name: String,
    roles: Vec<String>,
    term_seconds: Option<u64>,
    reason: Option<String>,
    ticket: Option<String>,
    ticket_system: Option<String>,
}

impl From<(String, crate::profile::Profile)> for Profile {
    fn from((name, profile): (String, crate::profile::Profile)) -> Self {
        let crate::profile::Profile { roles, term, reason, ticket, ticket_system } = profile;
        Self { name, roles, term_seconds: term.map(|term| term.as_secs()), reason, ticket, ticket_system }
    }
}

/// What would be done; nothing was.
#[derive(Debug, Serialize)]
pub(crate) struct DryRun {
    dry_run: bool,
    verb: &'static str,
    /// What would be asked for.
    asked: Option<Asked>,
    /// What it would be done to, as it stands.
    activation: Option<Activation>,
}

/// A wish as the broker understands it.
#[derive(Debug, Serialize)]
pub(crate) struct Asked {
    role: String,
    title: String,
    principal: Option<Principal>,
    directory_role: Option<DirectoryRole>,
    term_seconds: i64,
    justification: String,
    ticket: Option<Ticket>,
    ticket_verdict: Option<&'static str>,
    requirements: Vec<Requirement>,
    approval_window_seconds: i64,
    proof: Option<Proof>,
    policy_version: i64,
    digest: String,
    approvers: Option<Approvers>,
    power: Option<Power>,
    starts_at: Option<Timestamp>,
    continues: Option<String>,
}

impl DryRun {
    /// Of asking for a role.
    pub(crate) fn asked(
        ask: v1::PrepareActivationRequest,
        told: v1::PrepareActivationResponse,
        digest: String,
    ) -> Self {
        let verb = match ask.kind() {
            v1::ActivationKind::Unspecified if ask.continues.is_empty() => "activate",
            v1::ActivationKind::Unspecified => "extend",
            v1::ActivationKind::BreakGlass => "break-glass",
        };
        let v1::PrepareActivationRequest {
            role,
            term_seconds: _,
            justification,
            ticket,
            kind: _,
            starts_at,
            scope: _,
            continues,
        } = ask;
        let ticket_verdict = verdict(told.ticket_verdict());
        let v1::PrepareActivationResponse {
            ticket_verdict: _,
            challenge,
            directory_role,
            title,
            term_seconds,
            requirements,
            approval_window_seconds,
            policy_version,
            principal,
            approvers,
            power,
        } = told;
        let asked = Asked {
            role,
            title,
            principal: principal.map(Into::into),
            directory_role: directory_role.map(Into::into),
            term_seconds,
            justification,
            ticket: ticket.map(Into::into),
            ticket_verdict,
            requirements: all(requirements),
            approval_window_seconds,
            proof: challenge.and_then(|challenge| challenge.requirement).map(Into::into),
            policy_version,
            digest,
            approvers: approvers.map(Into::into),
            power: power.map(Into::into),
            starts_at: time(starts_at.as_ref()),
            continues: some(continues),
        };
        Self { dry_run: true, verb, asked: Some(asked), activation: None }
    }

    /// Of a verb on this activation.
    pub(crate) fn on(verb: &'static str, activation: v1::Activation) -> Self {
        Self { dry_run: true, verb, asked: None, activation: Some(activation.into()) }
    }
}

/// Many offers.
#[derive(Debug, Serialize)]
pub(crate) struct EligibleRoles {
    pub(crate) roles: Vec<EligibleRole>,
    pub(crate) next_page_token: String,
    pub(crate) frozen: Option<Frozen>,
}

/// One entry of the record.
#[derive(Debug, Serialize)]
pub(crate) struct AuditEntry {
    position: i64,
    at: Option<Timestamp>,
    event: String,
    actor: Option<Principal>,
    activation_id: Option<String>,
    principal: Option<Principal>,
    role: Option<String>,
    details: std::collections::BTreeMap<String, String>,
}

/// A part of the record.
#[derive(Debug, Serialize)]
pub(crate) struct AuditEntries {
    pub(crate) entries: Vec<AuditEntry>,
    pub(crate) next_page_token: String,
}

/// What a sweep found.
#[derive(Debug, Serialize)]
pub(crate) struct Sweep {
    due: i64,
    closed: i64,
    overdue: i64,
    unsettled: Vec<Activation>,
}

/// Who is calling.
#[derive(Debug, Serialize)]
pub(crate) struct Caller {
    principal: Option<Principal>,
    workload: bool,
    app_roles: Vec<String>,
    broker_version: String,
    frozen: Option<Frozen>,
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn all<F, T: From<F>>(items: Vec<F>) -> Vec<T> {
    items.into_iter().map(T::from).collect()
}

impl From<v1::Principal> for Principal {
    fn from(message: v1::Principal) -> Self {
        let v1::Principal { tenant_id, object_id, display_name } = message;
        Self { tenant_id, object_id, display_name: some(display_name) }
    }
}

impl From<v1::Ticket> for Ticket {
    fn from(message: v1::Ticket) -> Self {
        let v1::Ticket { number, system } = message;
        Self { number, system: some(system) }
    }
}

impl From<v1::ApprovalRequirement> for Requirement {
    fn from(message: v1::ApprovalRequirement) -> Self {
        let v1::ApprovalRequirement { count, from } = message;
        Self { count, from }
    }
}

impl From<v1::Approval> for Approval {
    fn from(message: v1::Approval) -> Self {
        let v1::Approval { approver, at, comment, own, term_seconds, scope } = message;
        Self {
            approver: approver.map(Into::into),
            at: time(at.as_ref()),
            comment: some(comment),
            own,
            term_seconds: Some(term_seconds).filter(|seconds| *seconds > 0),
            scope: some(scope),
        }
    }
}

impl From<v1::DirectoryRole> for DirectoryRole {
    fn from(message: v1::DirectoryRole) -> Self {
        let v1::DirectoryRole { way, role_definition_id, scope, group_id, relation, scope_name } = message;
        Self {
            way,
            role_definition_id: some(role_definition_id),
            scope: some(scope),
            group_id: some(group_id),
            relation: some(relation),
            scope_name: some(scope_name),
        }
    }
}

impl From<v1::ProofRequirement> for Proof {
    fn from(message: v1::ProofRequirement) -> Self {
        let v1::ProofRequirement { strength, auth_context, fresh_within_seconds, nonce_required } = message;
        Self { strength, auth_context: some(auth_context), fresh_within_seconds, nonce_required }
    }
}

/// `ACTIVATION_STATE_AWAITING_APPROVAL` as `awaiting_approval`.
fn state(state: v1::ActivationState) -> String {
    state.as_str_name().trim_start_matches("ACTIVATION_STATE_").to_lowercase()
}

/// `OUTCOME_TAKEN_OVER` as `taken_over`.
fn outcome(outcome: v1::Outcome) -> Option<String> {
    let word = outcome.as_str_name().trim_start_matches("OUTCOME_").to_lowercase();
    (outcome != v1::Outcome::Unspecified).then_some(word)
}

const fn verdict(verdict: v1::TicketVerdict) -> Option<&'static str> {
    match verdict {
        v1::TicketVerdict::Unspecified => None,
        v1::TicketVerdict::Confirmed => Some("confirmed"),
        v1::TicketVerdict::Unanswered => Some("unanswered"),
    }
}

impl From<v1::Activation> for Activation {
    fn from(message: v1::Activation) -> Self {
        let (state, outcome) = (state(message.state()), outcome(message.outcome()));
        let kind = match message.kind() {
            v1::ActivationKind::Unspecified => "ordinary",
            v1::ActivationKind::BreakGlass => "break_glass",
        };
        let verdict = verdict(message.ticket_verdict());
        let v1::Activation {
            id,
            principal,
            role,
            directory_role,
            term_seconds,
            justification,
            ticket,
            state: _,
            outcome: _,
            detail,
            requested_at,
            answer_needed_by,
            starts_at,
            held_until,
            closed_at,
            requirements,
            approvals,
            approvals_needed,
            policy_version,
            version,
            digest,
            tries,
            held_from,
            ended_by,
            kind: _,
            continues,
            bundle_ids,
            asked_term_seconds,
            asked_scope,
            asked_start,
            tokens_may_live_until,
            ticket_verdict: _,
            review,
            sign_out,
            signed_out,
            continued_by,
        } = message;
        Self {
            id,
            principal: principal.map(Into::into),
            role,
            directory_role: directory_role.map(Into::into),
            term_seconds,
            justification,
            ticket: ticket.map(Into::into),
            state,
            outcome,
            detail: some(detail),
            requested_at: time(requested_at.as_ref()),
            answer_needed_by: time(answer_needed_by.as_ref()),
            starts_at: time(starts_at.as_ref()),
            held_until: time(held_until.as_ref()),
            closed_at: time(closed_at.as_ref()),
            requirements: all(requirements),
            approvals: all(approvals),
            approvals_needed,
            policy_version,
            version,
            digest,
            tries,
            held_from: time(held_from.as_ref()),
            ended_by: ended_by.map(Into::into),
            kind,
            continues: some(continues),
            bundle_ids,
            asked_term_seconds,
            asked_scope,
            asked_start: time(asked_start.as_ref()),
            tokens_may_live_until: time(tokens_may_live_until.as_ref()),
            ticket_verdict: verdict,
            review: review.map(Into::into),
            sign_out,
            signed_out: signed_out.map(Into::into),
            continued_by: some(continued_by),
        }
    }
}

impl From<v1::Review> for Review {
    fn from(message: v1::Review) -> Self {
        let v1::Review { by, at, comment } = message;
        Self { open: by.is_none(), by: by.map(Into::into), at: time(at.as_ref()), comment: some(comment) }
    }
}

impl From<v1::EligibleRole> for EligibleRole {
    fn from(message: v1::EligibleRole) -> Self {
        let v1::EligibleRole {
            name,
            title,
            directory_role,
            longest_seconds,
            usual_seconds,
            requirements,
            approval_window_seconds,
            proof,
            ticket_required,
            activation,
            ticket_pattern,
            ticket_system,
            ticket_checked,
            own_approval,
            start_ahead_seconds,
            sign_out,
            break_glass,
            break_glass_only,
        } = message;
        Self {
            name,
            title,
            directory_role: directory_role.map(Into::into),
            longest_seconds,
            usual_seconds,
            requirements: all(requirements),
            approval_window_seconds,
            proof: proof.map(Into::into),
            ticket_required,
            activation: activation.map(Into::into),
            ticket_pattern: some(ticket_pattern),
            ticket_system: some(ticket_system),
            ticket_checked,
            own_approval,
            start_ahead_seconds,
            sign_out,
            break_glass: break_glass.map(|v1::BreakGlassOffer { longest_seconds, proof }| BreakGlassOffer {
                longest_seconds,
                proof: proof.map(Into::into),
            }),
            break_glass_only,
        }
    }
}

impl From<v1::AuditEntry> for AuditEntry {
    fn from(message: v1::AuditEntry) -> Self {
        let v1::AuditEntry { position, at, event, actor, activation_id, principal, role, details } = message;
        Self {
            position,
            at: time(at.as_ref()),
            event,
            actor: actor.map(Into::into),
            activation_id: some(activation_id),
            principal: principal.map(Into::into),
            role: some(role),
            details: details.into_iter().collect(),
        }
    }
}

impl From<v1::SweepResponse> for Sweep {
    fn from(message: v1::SweepResponse) -> Self {
        let v1::SweepResponse { due, closed, overdue, unsettled } = message;
        Self { due, closed, overdue, unsettled: all(unsettled) }
    }
}

impl From<v1::Caller> for Caller {
    fn from(message: v1::Caller) -> Self {
        let v1::Caller { principal, workload, app_roles, broker_version, frozen } = message;
        let (principal, frozen) = (principal.map(Into::into), frozen.map(Into::into));
        Self { principal, workload, app_roles, broker_version, frozen }
    }
}
