//! `roleManagement/directory/roleDefinitions`.

use super::{
    Answer,
    call::Call,
    listing::{self, Terms},
    shape,
};
use crate::{directory::Problem, people};

const READ: [&str; 5] = [
    "RoleManagement.Read.Directory",
    "RoleManagement.Read.All",
    "RoleManagement.ReadWrite.Directory",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const TERMS: Terms<'_> = Terms {
    name: "roleManagement/directory/roleDefinitions",
    filter: &["id", "displayName", "isBuiltIn", "isEnabled", "templateId"],
    expand: &[],
    default: &[],
};

pub(super) fn answer(call: &Call<'_>, rest: &[&str]) -> Answer {
    match (call.method(), rest) {
        ("GET", []) => {
            call.needs(&READ)?;
            listing::page(call, &TERMS, people::ROLES.iter().map(|role| shape::role(role.id)).collect())
        }
        ("GET", [id]) => {
            call.needs(&READ)?;
            match shape::role(id) {
                serde_json::Value::Null => Err(Problem::not_found(id)),
                role => listing::entity(call, &TERMS, role),
            }
        }
        // Roles are not made or changed here.
        _ => Err(call.not_allowed()),
    }
}
