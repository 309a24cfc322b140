//! What `explain` answers.

use elevate_proto::v1;
use serde::Serialize;

use super::{EligibleRole, Principal, all, some};

/// Everything about one role for one person.
#[derive(Debug, Serialize)]
pub(crate) struct Explained {
    role: Option<EligibleRole>,
    principal: Option<Principal>,
    decision: String,
    decided_by: Option<String>,
    decided_by_name: Option<String>,
    obstacles: Vec<Obstacle>,
    approvers: Option<Approvers>,
    power: Option<Power>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Obstacle {
    word: String,
    text: String,
    activation_id: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Approvers {
    requirements: Vec<Candidates>,
    enough: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Candidates {
    count: i32,
    people: Vec<Principal>,
    more: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Power {
    title: Option<String>,
    tier: String,
    ascent: String,
    how: Option<String>,
}

impl From<v1::ExplainRoleResponse> for Explained {
    fn from(message: v1::ExplainRoleResponse) -> Self {
        let v1::ExplainRoleResponse {
            role,
            principal,
            decision,
            decided_by,
            decided_by_name,
            obstacles,
            approvers,
            power,
        } = message;
        Self {
            role: role.map(Into::into),
            principal: principal.map(Into::into),
            decision,
            decided_by: some(decided_by),
            decided_by_name: some(decided_by_name),
            obstacles: all(obstacles),
            approvers: approvers.map(Into::into),
            power: power.map(Into::into),
        }
    }
}

impl From<v1::Obstacle> for Obstacle {
    fn from(message: v1::Obstacle) -> Self {
        let v1::Obstacle { word, text, activation_id } = message;
        Self { word, text, activation_id: some(activation_id) }
    }
}

impl From<v1::Approvers> for Approvers {
    fn from(message: v1::Approvers) -> Self {
        let v1::Approvers { requirements, enough } = message;
        Self { requirements: all(requirements), enough }
    }
}

impl From<v1::Candidates> for Candidates {
    fn from(message: v1::Candidates) -> Self {
        let v1::Candidates { count, people, more } = message;
        Self { count, people: all(people), more }
    }
}

impl From<v1::Power> for Power {
    fn from(message: v1::Power) -> Self {
        let v1::Power { title, tier, ascent, how } = message;
        Self { title: some(title), tier, ascent, how: some(how) }
    }
}
