//! PIM for Entra roles: `roleAssignmentScheduleRequests`, and what became of them in
//! `roleAssignmentSchedules` and `roleAssignmentScheduleInstances`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Answer,
    call::Call,
    listing::{self, Terms},
    shape,
};
use crate::{
    directory::{Assignment, End, Problem, Schedule, ScheduleRequest, State, Wish},
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
const WRITE: [&str; 2] = ["RoleAssignmentSchedule.ReadWrite.Directory", "RoleManagement.ReadWrite.Directory"];
const REMOVE: [&str; 3] = [
    "RoleAssignmentSchedule.ReadWrite.Directory",
    "RoleManagement.ReadWrite.Directory",
    "RoleAssignmentSchedule.Remove.Directory",
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

pub(super) fn requests(call: &Call<'_>, rest: &[&str]) -> Answer {
    licensed(call)?;
    match (call.method(), rest) {
        ("GET", []) => {
            call.needs(&WRITE)?;
            let all = call.world.directory.look(|state| {
                let shows = |r: &&ScheduleRequest| {
                    call.lag.list.is_zero() || call.now.duration_since(r.created) >= call.lag.list
                };
                state.requests.iter().filter(shows).map(|r| related(state, request(r), call)).collect()
            });
            listing::page(call, &REQUESTS, all)
        }
        ("GET", [id]) => {
            call.needs(&WRITE)?;
            let found = call.world.directory.look(|state| {
                let request = state.requests.iter().find(|r| r.id == *id).map(request);
                request.map(|request| related(state, request, call))
            });
            listing::entity(call, &REQUESTS, found.ok_or_else(|| Problem::not_found(id))?)
        }
        ("POST", []) => ask(call),
        ("POST", [id, "cancel"]) => {
            call.needs(&WRITE)?;
            call.world.directory.change(|state, now| state.cancel(id, now))?;
            Ok(Reply::empty(204))
        }
        _ => Err(call.not_allowed()),
    }
}

/// What runs, and what is yet to start.
pub(super) fn schedules(call: &Call<'_>, rest: &[&str]) -> Answer {
    licensed(call)?;
    call.needs(&READ)?;
    let all: Vec<Value> = call.world.directory.look(|state| {
        let shows = |s: &&Schedule| s.life.shows(call.now, call.lag.list);
        let made = state.schedules.iter().filter(shows).map(schedule);
        let outside = assignments(state, call).filter(|a| a.schedule.is_none()).map(standing);
        made.chain(outside).map(|entry| related(state, entry, call)).collect()
    });
    one_or_all(call, rest, &SCHEDULES, all)
}

/// What is held now: one entry for each role assignment, also those made outside PIM.
pub(super) fn instances(call: &Call<'_>, rest: &[&str]) -> Answer {
    licensed(call)?;
    call.needs(&READ)?;
    let all: Vec<Value> = call
        .world
        .directory
        .look(|state| assignments(state, call).map(|a| related(state, instance(state, a), call)).collect());
    one_or_all(call, rest, &INSTANCES, all)
}

fn one_or_all(call: &Call<'_>, rest: &[&str], terms: &Terms<'_>, all: Vec<Value>) -> Answer {
    match (call.method(), rest) {
        ("GET", []) => listing::page(call, terms, all),
        ("GET", [id]) => {
            let found = all.into_iter().find(|entry| entry.get("id").and_then(Value::as_str) == Some(id));
            listing::entity(call, terms, found.ok_or_else(|| Problem::not_found(id))?)
        }
        // Schedules come and go by requests; there is no other way.
        _ => Err(call.not_allowed()),
    }
}

fn ask(call: &Call<'_>) -> Answer {
    let body = call.body()?;
    let action = body.get("action").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let made = match action.as_str() {
        "adminassign" => {
            call.needs(&WRITE)?;
            let wish = wish(call, &body, true)?;
            call.world.directory.change(|state, now| state.admin_assign(wish, now))?
        }
        "adminremove" => {
            call.needs(&REMOVE)?;
            let wish = wish(call, &body, false)?;
            call.world.directory.change(|state, now| state.admin_remove(wish, now))?
        }
        // These act for whoever is signed in, and an application is nobody.
        _ if action.starts_with("self") => return Err(Problem::denied()),
        _ => {
            let message = format!("The action '{action}' is not one that the sandbox knows.");
            return Err(Problem::new(400, "InvalidRoleAssignmentRequest", message));
        }
    };
    let mut entry = request(&made);
    put(&mut entry, "isValidationOnly", json!(body.get("isValidationOnly") == Some(&json!(true))));
    put(&mut entry, "@odata.context", json!(call.context(&format!("{}/$entity", REQUESTS.name))));
    Ok(Reply::json(201, entry))
}

fn wish(call: &Call<'_>, body: &Value, scheduled: bool) -> Result<Wish, Problem> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let required = |name: &str| {
        text(&format!("/{name}"))
            .ok_or_else(|| Problem::bad(format!("The required property '{name}' is missing.")))
    };
    let (start, end) = if scheduled { term(body)? } else { (None, End::Never) };
    Ok(Wish {
        principal: required("principalId")?,
        role: required("roleDefinitionId")?,
        scope: required("directoryScopeId")?,
        justification: text("/justification"),
        ticket: (text("/ticketInfo/ticketNumber"), text("/ticketInfo/ticketSystem")),
        created_by: call.caller_id().to_owned(),
        start,
        end,
        validation_only: body.get("isValidationOnly") == Some(&json!(true)),
    })
}

fn term(body: &Value) -> Result<(Option<Timestamp>, End), Problem> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let invalid = |message: &str| Problem::new(400, "InvalidRoleAssignmentRequestSchedule", message);
    let read_time =
        |text: &str| text.parse::<Timestamp>().map_err(|_| invalid("A time of the schedule is not valid."));
    let start = text("/scheduleInfo/startDateTime").map(read_time).transpose()?;
    let kind = text("/scheduleInfo/expiration/type").unwrap_or_default().to_ascii_lowercase();
    let (duration, until) =
        (text("/scheduleInfo/expiration/duration"), text("/scheduleInfo/expiration/endDateTime"));
    let end = match (kind.as_str(), duration, until) {
        ("noexpiration", None, None) => End::Never,
        ("afterdatetime", None, Some(until)) => End::At(read_time(until)?),
        ("afterduration", Some(duration), None) => {
            let length = edm_duration(duration).ok_or_else(|| invalid("The duration is not valid."))?;
            End::After(length, duration.to_owned())
        }
        _ => {
            let message = "The following policy rules failed: [\"ExpirationRule\"]";
            return Err(Problem::new(400, "RoleAssignmentRequestPolicyValidationFailed", message));
        }
    };
    Ok((start, end))
}

/// Edm.Duration: days, hours, minutes and seconds; no weeks, months or years.
fn edm_duration(text: &str) -> Option<SignedDuration> {
    let (date, time) = text.strip_prefix('P')?.split_once('T').unwrap_or((text.strip_prefix('P')?, ""));
    let allowed =
        |text: &str, units: &str| text.chars().all(|c| c.is_ascii_digit() || c == '.' || units.contains(c));
    if !allowed(date, "D") || !allowed(time, "HMS") {
        return None;
    }
    let (days, time) = match date.strip_suffix('D') {
        Some(days) => (days.parse::<i64>().ok()?, time),
        None if date.is_empty() => (0, time),
        None => return None,
    };
    let rest = if time.is_empty() { SignedDuration::ZERO } else { format!("PT{time}").parse().ok()? };
    let length = SignedDuration::try_from_hours(days.checked_mul(24)?)?.checked_add(rest)?;
    length.is_positive().then_some(length)
}

fn licensed(call: &Call<'_>) -> Result<(), Problem> {
    if call.world.behaviour().premium {
        return Ok(());
    }
    let message = "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.";
    Err(Problem::new(400, "AadPremiumLicenseRequired", message))
}

fn assignments<'s>(state: &'s State, call: &Call<'_>) -> impl Iterator<Item = &'s Assignment> {
    let (now, lag) = (call.now, call.lag.list);
    state.assignments.iter().filter(move |a| a.life.shows(now, lag))
}

fn request(request: &ScheduleRequest) -> Value {
    let schedule_info = request.start.map_or(Value::Null, |start| {
        json!({
            "startDateTime": shape::time(start),
            "recurrence": null,
            "expiration": {
                "type": request.expiration,
                "endDateTime": if request.expiration == "afterDateTime" { shape::maybe_time(request.end) } else { Value::Null },
                "duration": request.duration,
            },
        })
    });
    let (number, system) = &request.ticket;
    json!({
        "id": request.id,
        "status": request.status,
        "createdDateTime": shape::time(request.created),
        "completedDateTime": shape::maybe_time(request.completed),
        "approvalId": null,
        "customData": null,
        "action": request.action,
        "principalId": request.principal,
        "roleDefinitionId": request.role,
        "directoryScopeId": request.scope,
        "appScopeId": null,
        "isValidationOnly": false,
        "targetScheduleId": request.schedule,
        "justification": request.justification,
        "createdBy": { "application": null, "device": null, "user": { "displayName": null, "id": request.created_by } },
        "scheduleInfo": schedule_info,
        "ticketInfo": { "ticketNumber": number, "ticketSystem": system },
    })
}

fn schedule(schedule: &Schedule) -> Value {
    json!({
        "id": schedule.id,
        "principalId": schedule.principal,
        "roleDefinitionId": schedule.role,
        "directoryScopeId": schedule.scope,
        "appScopeId": null,
        "createdUsing": schedule.id,
        "createdDateTime": shape::time(schedule.life.born),
        "modifiedDateTime": null,
        "status": if schedule.live { "Provisioned" } else { "PendingProvisioning" },
        "assignmentType": "Assigned",
        "memberType": "Direct",
        "scheduleInfo": {
            "startDateTime": shape::time(schedule.start),
            "recurrence": null,
            "expiration": {
                "type": if schedule.end.is_some() { "afterDateTime" } else { "noExpiration" },
                "endDateTime": shape::maybe_time(schedule.end),
                "duration": null,
            },
        },
    })
}

/// The schedule that PIM shows for what it did not make: there is nothing in it but that it never ends.
fn standing(assignment: &Assignment) -> Value {
    json!({
        "id": assignment.id,
        "principalId": assignment.principal,
        "roleDefinitionId": assignment.role,
        "directoryScopeId": assignment.scope,
        "appScopeId": null,
        "createdUsing": null,
        "createdDateTime": null,
        "modifiedDateTime": null,
        "status": "Provisioned",
        "assignmentType": "Assigned",
        "memberType": "Direct",
        "scheduleInfo": {
            "startDateTime": null,
            "recurrence": null,
            "expiration": { "type": "noExpiration", "endDateTime": null, "duration": null },
        },
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_days_hours_minutes_and_seconds() {
        for (text, minutes) in [("PT2H", 120), ("P1D", 1440), ("P1DT30M", 1470), ("PT1H30M", 90)] {
            assert_eq!(edm_duration(text), Some(SignedDuration::from_mins(minutes)), "{text}");
        }
        for text in ["", "2h", "P1W", "P1M", "P1Y", "PT", "P", "PT0S", "-PT1H", "P9999999999999999999D"] {
            assert_eq!(edm_duration(text), None, "{text}");
        }
    }
}
