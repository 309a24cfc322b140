//! What the verbs of `policy` answer.

use elevate_proto::v1;
use jiff::Timestamp;
use serde::Serialize;

use super::{Principal, all, some, state};
use crate::render::time;

/// A policy in force.
#[derive(Debug, Serialize)]
pub(crate) struct Policy {
    version: i64,
    text: String,
    applied_by: Option<Principal>,
    applied_at: Option<Timestamp>,
    confirmed_by: Option<Principal>,
}

/// A policy that waits for a second person.
#[derive(Debug, Serialize)]
pub(crate) struct Proposal {
    version: i64,
    text: String,
    proposed_by: Option<Principal>,
    proposed_at: Option<Timestamp>,
    digest: String,
}

/// What a policy would change.
#[derive(Debug, Serialize)]
pub(crate) struct Plan {
    current_version: i64,
    changes: Vec<Change>,
}

/// What happens to one role.
#[derive(Debug, Serialize)]
pub(crate) struct Change {
    role: String,
    kind: String,
    differences: Vec<String>,
    live_activation_ids: Vec<String>,
    gains: Vec<Shift>,
    loses: Vec<Shift>,
    live: Vec<Live>,
}

/// Somebody gains or loses a right to a role.
#[derive(Debug, Serialize)]
pub(crate) struct Shift {
    subject: String,
    display_name: Option<String>,
    right: String,
}

/// An activation that is not over, and what a change means for it.
#[derive(Debug, Serialize)]
pub(crate) struct Live {
    id: String,
    principal: Option<Principal>,
    state: String,
    held_until: Option<Timestamp>,
    fate: String,
}

impl From<v1::Policy> for Policy {
    fn from(message: v1::Policy) -> Self {
        let v1::Policy { version, text, applied_by, applied_at, confirmed_by } = message;
        Self {
            version,
            text,
            applied_by: applied_by.map(Into::into),
            applied_at: time(applied_at.as_ref()),
            confirmed_by: confirmed_by.map(Into::into),
        }
    }
}

impl From<v1::Proposal> for Proposal {
    fn from(message: v1::Proposal) -> Self {
        let v1::Proposal { version, text, proposed_by, proposed_at, digest } = message;
        let (proposed_by, proposed_at) = (proposed_by.map(Into::into), time(proposed_at.as_ref()));
        Self { version, text, proposed_by, proposed_at, digest }
    }
}

impl From<v1::PlanPolicyResponse> for Plan {
    fn from(message: v1::PlanPolicyResponse) -> Self {
        let v1::PlanPolicyResponse { current_version, changes } = message;
        Self { current_version, changes: all(changes) }
    }
}

impl From<v1::RoleChange> for Change {
    fn from(message: v1::RoleChange) -> Self {
        let v1::RoleChange { role, kind, differences, live_activation_ids, gains, loses, live } = message;
        let (gains, loses, live) = (all(gains), all(loses), all(live));
        Self { role, kind, differences, live_activation_ids, gains, loses, live }
    }
}

impl From<v1::Shift> for Shift {
    fn from(message: v1::Shift) -> Self {
        let v1::Shift { subject, display_name, right } = message;
        Self { subject, display_name: some(display_name), right }
    }
}

impl From<v1::LiveActivation> for Live {
    fn from(message: v1::LiveActivation) -> Self {
        let v1::LiveActivation { activation, fate } = message;
        let activation = activation.unwrap_or_default();
        Self {
            state: state(activation.state()),
            id: activation.id,
            principal: activation.principal.map(Into::into),
            held_until: time(activation.held_until.as_ref()),
            fate,
        }
    }
}
