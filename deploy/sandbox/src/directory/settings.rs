//! On which terms PIM lets people activate what they are eligible for. The sandbox only shows them: activating is not
//! imitated.

use serde::{Deserialize, Serialize};

use super::{Privilege, State};
use crate::people;

/// The settings of one role, as the portal has them at first unless they are said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoleSettings {
    /// The longest activation, as `PT8H`.
    pub longest: String,
    /// Whether a second factor is asked for.
    pub second_factor: bool,
    /// Whether a reason is asked for.
    pub justification: bool,
    /// Whether a ticket is asked for.
    pub ticket: bool,
    /// The authentication context, `c1`.
    pub context: Option<String>,
    /// Whether somebody has to say yes.
    pub approval: bool,
    /// Object ids of who may; with none of them, PIM asks whoever is Global or Privileged Role Administrator.
    pub approvers: Vec<String>,
    /// Addresses that hear of an activation besides.
    pub mails: Vec<String>,
}

impl Default for RoleSettings {
    fn default() -> Self {
        Self {
            longest: "PT8H".to_owned(),
            second_factor: true,
            justification: true,
            ticket: false,
            context: None,
            approval: false,
            approvers: Vec::new(),
            mails: Vec::new(),
        }
    }
}

/// What a role's policy is called. It is the same at every scope.
pub(crate) fn policy_id(what: &Privilege) -> String {
    match what {
        Privilege::Role { role, scope: _ } => format!("DirectoryRole_{}_{role}", people::TENANT),
        Privilege::Group { group, relation } => format!("Group_{group}_{}", relation.word()),
    }
}

impl State {
    pub(crate) fn settings_of(&self, policy: &str) -> RoleSettings {
        self.settings.get(policy).cloned().unwrap_or_default()
    }
}
