//! `roleManagement/directory/roleAssignments`: roles given and taken outside PIM, and PIM's shown beside them.

use serde_json::{Value, json};

use super::{
    Answer,
    call::Call,
    listing::{self, Terms},
    shape,
};
use crate::{
    directory::{Assignment, Problem, State},
    http::{Reply, put},
};

const READ: [&str; 4] = [
    "RoleManagement.Read.Directory",
    "RoleManagement.ReadWrite.Directory",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const WRITE: [&str; 1] = ["RoleManagement.ReadWrite.Directory"];
const NAME: &str = "roleManagement/directory/roleAssignments";
const TERMS: Terms<'_> = Terms {
    name: NAME,
    filter: &["principalId", "roleDefinitionId", "directoryScopeId"],
    expand: &["principal", "roleDefinition", "directoryScope"],
    default: &[],
};

pub(super) fn answer(call: &Call<'_>, rest: &[&str]) -> Answer {
    match (call.method(), rest) {
        ("GET", []) => {
            call.needs(&READ)?;
            listing::page(call, &TERMS, list(call))
        }
        ("GET", [id]) => {
            call.needs(&READ)?;
            let found = call
                .world
                .directory
                .look(|state| seen(state, call, id).map(|assignment| shown(state, assignment, call)));
            listing::entity(call, &TERMS, found.ok_or_else(|| Problem::not_found(id))?)
        }
        ("POST", []) => {
            call.needs(&WRITE)?;
            create(call)
        }
        ("DELETE", [id]) => {
            call.needs(&WRITE)?;
            delete(call, id)
        }
        _ => Err(call.not_allowed()),
    }
}

fn list(call: &Call<'_>) -> Vec<Value> {
    call.world.directory.look(|state| {
        let shows = |a: &&Assignment| a.life.shows(call.now, call.lag.list);
        state.assignments.iter().filter(shows).map(|assignment| shown(state, assignment, call)).collect()
    })
}

/// The same assignment may have been made and removed before, under the same id: the last one counts.
fn seen<'s>(state: &'s State, call: &Call<'_>, id: &str) -> Option<&'s Assignment> {
    state.assignments.iter().rev().find(|a| a.id == id && a.life.shows(call.now, call.lag.get))
}

fn shown(state: &State, assignment: &Assignment, call: &Call<'_>) -> Value {
    let Assignment { id, principal, role, scope, .. } = assignment;
    let mut entry = json!({
        "id": id,
        "principalId": principal,
        "roleDefinitionId": role,
        "directoryScopeId": scope,
        "appScopeId": null,
        "condition": null,
        "principalOrganizationId": crate::people::TENANT,
    });
    if listing::expands(call, "principal") {
        put(&mut entry, "principal", shape::object(state, principal));
    } else if listing::expands(call, "roleDefinition") {
        put(&mut entry, "roleDefinition", shape::role(role));
    } else if listing::expands(call, "directoryScope") {
        put(&mut entry, "directoryScope", json!({ "id": scope.trim_start_matches('/') }));
    }
    entry
}

fn create(call: &Call<'_>) -> Answer {
    let body = call.body()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let required = |name: &str| text(name).ok_or_else(|| missing(name));
    let (principal, role) = (required("principalId")?, required("roleDefinitionId")?);
    if text("appScopeId").is_some() {
        return Err(Problem::bad(
            "Exactly one of directoryScopeId or appScopeId is required, and the sandbox knows no app scopes.",
        ));
    }
    let scope = required("directoryScopeId")?;
    let duplicate = call.world.behaviour().duplicate;
    let mut entry = call.world.directory.change(|state, now| {
        state
            .assign(principal, role, scope, None, now, duplicate)
            .map(|assignment| shown(state, &assignment, call))
    })?;
    put(&mut entry, "@odata.context", json!(call.context(&format!("{NAME}/$entity"))));
    Ok(Reply::json(201, entry))
}

/// One that is not replicated yet, or gone already, is not there.
fn delete(call: &Call<'_>, id: &str) -> Answer {
    let deleted = call.world.directory.change(|state, now| {
        let replicated = seen(state, call, id).is_some_and(|assignment| assignment.life.lasts());
        replicated && state.unassign(id, now)
    });
    if deleted { Ok(Reply::empty(204)) } else { Err(Problem::not_found(id)) }
}

fn missing(name: &str) -> Problem {
    Problem::bad(format!("A value is required for property '{name}' of resource 'RoleAssignment'."))
}
