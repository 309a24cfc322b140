//! PIM for Entra roles: `roleAssignmentScheduleRequests`, what became of them in `roleAssignmentSchedules` and
//! `roleAssignmentScheduleInstances`, and who may activate what.

use serde_json::{Value, json};

use super::{
    Answer,
    call::Call,
    listing::{self, Terms},
    pim::{self, Needs},
    shape,
};
use crate::{
    directory::{Assignment, Eligibility, Privilege, Problem, ScheduleRequest, State},
    http::{Reply, put},
};

const READ: [&str; 5] = [
    "RoleAssignmentSchedule.Read.Directory",
    "RoleAssignmentSchedule.ReadWrite.Directory",
    "RoleManagement.Read.All",
    "RoleManagement.Read.Directory",
    "RoleManagement.ReadWrite.Directory",
];
/// Reading requests needs the permission to make them.
const NEEDS: Needs<'_> = Needs {
    write: &["RoleAssignmentSchedule.ReadWrite.Directory", "RoleManagement.ReadWrite.Directory"],
    remove: &[
        "RoleAssignmentSchedule.ReadWrite.Directory",
        "RoleManagement.ReadWrite.Directory",
        "RoleAssignmentSchedule.Remove.Directory",
    ],
};
const READ_ELIGIBLE: [&str; 5] = [
    "RoleEligibilitySchedule.Read.Directory",
    "RoleEligibilitySchedule.ReadWrite.Directory",
    "RoleManagement.Read.All",
    "RoleManagement.Read.Directory",
    "RoleManagement.ReadWrite.Directory",
];
const REQUESTS: Terms<'_> = Terms {
    name: "roleManagement/directory/roleAssignmentScheduleRequests",
    filter: &[
        "id",
        "action",
        "status",
        "principalId",
        "roleDefinitionId",
        "directoryScopeId",
        "targetScheduleId",
    ],
    expand: &["principal", "roleDefinition", "directoryScope"],
    default: &[],
};
const SCHEDULES: Terms<'_> = Terms {
    name: "roleManagement/directory/roleAssignmentSchedules",
    filter: &[
        "id",
        "principalId",
        "roleDefinitionId",
        "directoryScopeId",
        "assignmentType",
        "memberType",
        "status",
    ],
    expand: &["principal", "roleDefinition", "directoryScope"],
    default: &[],
};
const INSTANCES: Terms<'_> = Terms {
    name: "roleManagement/directory/roleAssignmentScheduleInstances",
    filter: &[
        "id",
        "principalId",
        "roleDefinitionId",
        "directoryScopeId",
        "assignmentType",
        "memberType",
        "roleAssignmentScheduleId",
        "roleAssignmentOriginId",
    ],
    expand: &["principal", "roleDefinition", "directoryScope"],
    default: &[],
};

const ELIGIBLE: Terms<'_> = Terms {
    name: "roleManagement/directory/roleEligibilitySchedules",
    filter: &["id", "principalId", "roleDefinitionId", "directoryScopeId", "memberType", "status"],
    expand: &["principal", "roleDefinition", "directoryScope"],
    default: &[],
};
const ELIGIBLE_NOW: Terms<'_> = Terms {
    name: "roleManagement/directory/roleEligibilityScheduleInstances",
    filter: &[
        "id",
        "principalId",
        "roleDefinitionId",
        "directoryScopeId",
        "memberType",
        "roleEligibilityScheduleId",
    ],
    expand: &["principal", "roleDefinition", "directoryScope"],
    default: &[],
};

pub(super) fn requests(call: &Call<'_>, rest: &[&str]) -> Answer {
    pim::licensed(call)?;
    match (call.method(), rest) {
        ("GET", []) => {
            call.needs(NEEDS.write)?;
            let all = call.world.directory.look(|state| {
                let shows = state.requests.iter().filter(|r| pim::shows(call, r));
                shows.filter_map(request).map(|entry| related(state, entry, call)).collect()
            });
            listing::page(call, &REQUESTS, all)
        }
        ("GET", [id]) => {
            call.needs(NEEDS.write)?;
            let found = call.world.directory.look(|state| {
                let request = state.requests.iter().find(|r| r.id == *id).and_then(request);
                request.map(|request| related(state, request, call))
            });
            listing::entity(call, &REQUESTS, found.ok_or_else(|| Problem::not_found(id))?)
        }
        ("POST", []) => {
            let (made, entry) = pim::ask(call, &NEEDS, |body| {
                let role = pim::required(body, "roleDefinitionId")?;
                Ok(Privilege::Role { role, scope: pim::required(body, "directoryScopeId")? })
            })?;
            let mut entry = about(entry, &made.what).unwrap_or_default();
            put(&mut entry, "@odata.context", json!(call.context(&format!("{}/$entity", REQUESTS.name))));
            Ok(Reply::json(201, entry))
        }
        ("POST", [id, "cancel"]) => {
            call.needs(NEEDS.write)?;
            call.world.directory.change(|state, now| {
                let mine = state.requests.iter().any(|r| r.id == *id && request(r).is_some());
                if mine { state.cancel(id, now) } else { Err(Problem::not_found(id)) }
            })?;
            Ok(Reply::empty(204))
        }
        _ => Err(call.not_allowed()),
    }
}

/// What runs, and what is yet to start.
pub(super) fn schedules(call: &Call<'_>, rest: &[&str]) -> Answer {
    pim::licensed(call)?;
    call.needs(&READ)?;
    let all: Vec<Value> = call.world.directory.look(|state| {
        let shows = state.schedules.iter().filter(|s| call.lists().shows(&s.life));
        let made = shows.filter_map(|s| about(pim::schedule(s), &s.what));
        let outside = assignments(state, call).filter(|a| a.schedule.is_none());
        let outside = outside.map(|a| given(pim::standing(&a.id, &a.principal), &a.role, &a.scope));
        let assigned =
            |entry| pim::with(entry, json!({ "assignmentType": "Assigned", "memberType": "Direct" }));
        made.chain(outside).map(|entry| related(state, assigned(entry), call)).collect()
    });
    pim::one_or_all(call, rest, &SCHEDULES, all)
}

/// What is held now: one entry for each role assignment, also those made outside PIM.
pub(super) fn instances(call: &Call<'_>, rest: &[&str]) -> Answer {
    pim::licensed(call)?;
    call.needs(&READ)?;
    let all: Vec<Value> = call
        .world
        .directory
        .look(|state| assignments(state, call).map(|a| related(state, instance(state, a), call)).collect());
    pim::one_or_all(call, rest, &INSTANCES, all)
}

/// Who may activate a role.
pub(super) fn eligible(call: &Call<'_>, rest: &[&str]) -> Answer {
    eligibilities(call, rest, &ELIGIBLE, |eligibility| {
        pim::with(pim::eligibility(eligibility), json!({ "memberType": "Direct" }))
    })
}

/// Who may activate a role now.
pub(super) fn eligible_now(call: &Call<'_>, rest: &[&str]) -> Answer {
    eligibilities(call, rest, &ELIGIBLE_NOW, |eligibility| {
        let more = json!({ "memberType": "Direct", "roleEligibilityScheduleId": eligibility.id });
        pim::with(pim::eligibility_instance(eligibility), more)
    })
}

fn eligibilities(
    call: &Call<'_>,
    rest: &[&str],
    terms: &Terms<'_>,
    shown: impl Fn(&Eligibility) -> Value,
) -> Answer {
    pim::licensed(call)?;
    call.needs(&READ_ELIGIBLE)?;
    let all: Vec<Value> = call.world.directory.look(|state| {
        let shows = state.eligibilities.iter().filter(|e| call.lists().shows(&e.life));
        shows.filter_map(|e| about(shown(e), &e.what)).map(|entry| related(state, entry, call)).collect()
    });
    pim::one_or_all(call, rest, terms, all)
}

fn assignments<'s>(state: &'s State, call: &Call<'_>) -> impl Iterator<Item = &'s Assignment> {
    let view = call.lists();
    state.assignments.iter().filter(move |a| view.shows(&a.life))
}

fn request(request: &ScheduleRequest) -> Option<Value> {
    about(pim::request(request), &request.what)
}

/// The entry with the role that it is about; nothing if it is about none.
fn about(entry: Value, what: &Privilege) -> Option<Value> {
    match what {
        Privilege::Role { role, scope } => Some(given(entry, role, scope)),
        Privilege::Group { .. } => None,
    }
}

fn given(entry: Value, role: &str, scope: &str) -> Value {
    pim::with(entry, json!({ "roleDefinitionId": role, "directoryScopeId": scope, "appScopeId": null }))
}

fn instance(state: &State, assignment: &Assignment) -> Value {
    let schedule = assignment.schedule.as_deref();
    let schedule = schedule.and_then(|id| state.schedules.iter().find(|schedule| schedule.id == id));
    json!({
        "id": assignment.id,
        "principalId": assignment.principal,
        "roleDefinitionId": assignment.role,
        "directoryScopeId": assignment.scope,
        "appScopeId": null,
        "startDateTime": shape::maybe_time(schedule.map(|schedule| schedule.ready)),
        "endDateTime": shape::maybe_time(schedule.and_then(|schedule| schedule.end)),
        "assignmentType": "Assigned",
        "memberType": "Direct",
        "roleAssignmentOriginId": assignment.id,
        "roleAssignmentScheduleId": schedule.map_or(&assignment.id, |schedule| &schedule.id),
    })
}

fn related(state: &State, mut entry: Value, call: &Call<'_>) -> Value {
    let id = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (principal, role, scope) = (id("principalId"), id("roleDefinitionId"), id("directoryScopeId"));
    if listing::expands(call, "principal") {
        let whole = shape::object(state, &principal);
        // On requests the principal comes with its id and nothing more.
        let is_request = entry.get("action").is_some();
        put(
            &mut entry,
            "principal",
            if is_request {
                json!({ "@odata.type": whole.get("@odata.type"), "id": principal })
            } else {
                whole
            },
        );
    } else if listing::expands(call, "roleDefinition") {
        put(&mut entry, "roleDefinition", shape::role(&role));
    } else if listing::expands(call, "directoryScope") {
        put(&mut entry, "directoryScope", json!({ "id": scope.trim_start_matches('/') }));
    }
    entry
}
