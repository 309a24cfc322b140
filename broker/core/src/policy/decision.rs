//! Which rule decides: the offer that names somebody, or the denial that does.

use std::collections::BTreeSet;

use super::EligibleRole;
use crate::approval::Standing;
use crate::names::{ObjectId, Subject};

/// Whether a role is offered to somebody, and by which word of its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// `eligible` names them, by this subject first, and `denied` does not.
    Offered(Subject),
    /// `denied` names them, by this subject first: whatever else is said.
    Denied(Subject),
    /// Nobody names them, and no match means no.
    NotNamed,
}

impl EligibleRole {
    /// What the rule says of somebody who is in `groups`. A deny always wins.
    pub fn decide(&self, object: ObjectId, groups: &BTreeSet<ObjectId>) -> Decision {
        let naming = |subjects: &[Subject]| {
            subjects.iter().copied().find(|subject| match subject {
                Subject::User(id) => *id == object,
                Subject::Group(id) => groups.contains(id),
            })
        };
        match (naming(&self.denied), naming(&self.eligible)) {
            (Some(by), _) => Decision::Denied(by),
            (None, Some(by)) => Decision::Offered(by),
            (None, None) => Decision::NotNamed,
        }
    }

    /// Whether the offer is made to this principal.
    pub fn is_offered_to(&self, standing: &Standing) -> bool {
        matches!(self.decide(standing.principal.object, &standing.groups), Decision::Offered(_))
    }
}
