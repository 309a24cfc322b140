//! PIM for Groups, `identityGovernance/privilegedAccess/group`. The same requests and schedules as for roles, about
//! members and owners, with words in small letters.

use serde_json::{Value, json};

use super::{
    Answer,
    call::Call,
    listing::{self, Terms},
    pim::{self, Needs},
    shape,
};
use crate::{
    directory::{Membership, Privilege, Problem, Relation, ScheduleRequest, State},
    http::{Reply, put},
};

const READ: [&str; 2] =
    ["PrivilegedAssignmentSchedule.Read.AzureADGroup", "PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup"];
const NEEDS: Needs<'_> = Needs {
    write: &["PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup"],
    remove: &[
        "PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup",
        "PrivilegedAssignmentSchedule.Remove.AzureADGroup",
    ],
};
const READ_ELIGIBLE: [&str; 2] = [
    "PrivilegedEligibilitySchedule.Read.AzureADGroup",
    "PrivilegedEligibilitySchedule.ReadWrite.AzureADGroup",
];
const FILTER: [&str; 8] =
    ["id", "accessId", "groupId", "principalId", "memberType", "assignmentType", "status", "action"];

pub(super) fn answer(call: &Call<'_>, collection: &str, rest: &[&str]) -> Answer {
    pim::licensed(call)?;
    let name = format!("identityGovernance/privilegedAccess/group/{collection}");
    let terms = Terms { name: &name, filter: &FILTER, expand: &["group", "principal"], default: &[] };
    let (needs, entries): (_, fn(&State, &Call<'_>) -> Vec<Value>) = match collection {
        "assignmentScheduleRequests" if call.method() == "POST" => return change(call, &terms, rest),
        // By its id a request is read at once.
        "assignmentScheduleRequests" if !rest.is_empty() => (&READ, every_request),
        "assignmentScheduleRequests" => (&READ, requests),
        "assignmentSchedules" => (&READ, schedules),
        "assignmentScheduleInstances" => (&READ, instances),
        "eligibilitySchedules" => (&READ_ELIGIBLE, eligible),
        "eligibilityScheduleInstances" => (&READ_ELIGIBLE, eligible_now),
        other => return Err(Problem::no_such_path(other)),
    };
    call.needs(needs)?;
    if rest.is_empty() && !listing::pins(call, &terms, &["groupId", "principalId"])? {
        let message = "The filter is invalid: it must name a groupId or a principalId.";
        return Err(Problem::new(400, "BadRequest", message));
    }
    let all: Vec<Value> = call
        .world
        .directory
        .look(|state| entries(state, call).into_iter().map(|entry| related(state, entry, call)).collect());
    pim::one_or_all(call, rest, &terms, all)
}

fn requests(state: &State, call: &Call<'_>) -> Vec<Value> {
    let shows = state.requests.iter().filter(|request| pim::shows(call, request));
    shows.filter_map(|request| about(pim::request(request), &request.what)).collect()
}

fn every_request(state: &State, _: &Call<'_>) -> Vec<Value> {
    state.requests.iter().filter_map(|request| about(pim::request(request), &request.what)).collect()
}

/// What runs, and what is yet to start.
fn schedules(state: &State, call: &Call<'_>) -> Vec<Value> {
    let made = state.schedules.iter().filter(|schedule| call.lists().shows(&schedule.life));
    let made = made.filter_map(|schedule| about(pim::schedule(schedule), &schedule.what));
    let outside = memberships(state, call).filter(|membership| membership.schedule.is_none());
    let outside = outside.map(|m| given(pim::standing(&id_of(m), &m.object), &m.group, m.relation));
    made.chain(outside).map(assigned).collect()
}

/// What is held now, also what was made outside PIM.
fn instances(state: &State, call: &Call<'_>) -> Vec<Value> {
    memberships(state, call).map(|membership| assigned(instance(state, membership))).collect()
}

fn eligible(state: &State, call: &Call<'_>) -> Vec<Value> {
    let shows = state.eligibilities.iter().filter(|eligibility| call.lists().shows(&eligibility.life));
    let shown = shows.filter_map(|eligibility| about(pim::eligibility(eligibility), &eligibility.what));
    shown.map(|entry| pim::with(entry, json!({ "memberType": "direct" }))).collect()
}

fn eligible_now(state: &State, call: &Call<'_>) -> Vec<Value> {
    let shows = state.eligibilities.iter().filter(|eligibility| call.lists().shows(&eligibility.life));
    let shown = shows.filter_map(|eligibility| {
        let more = json!({ "memberType": "direct", "eligibilityScheduleId": eligibility.id });
        about(pim::with(pim::eligibility_instance(eligibility), more), &eligibility.what)
    });
    shown.collect()
}

fn memberships<'s>(state: &'s State, call: &Call<'_>) -> impl Iterator<Item = &'s Membership> {
    let view = call.lists();
    state.memberships.iter().filter(move |membership| view.shows(&membership.life))
}

fn change(call: &Call<'_>, terms: &Terms<'_>, rest: &[&str]) -> Answer {
    match rest {
        [] => {
            let (made, entry) = pim::ask(call, &NEEDS, |body| {
                let group = pim::required(body, "groupId")?;
                let relation = match pim::required(body, "accessId")?.to_ascii_lowercase().as_str() {
                    "member" => Relation::Member,
                    "owner" => Relation::Owner,
                    other => return Err(Problem::bad(format!("The accessId '{other}' is not valid."))),
                };
                Ok(Privilege::Group { group, relation })
            })?;
            let mut entry = about(entry, &made.what).unwrap_or_default();
            put(&mut entry, "@odata.context", json!(call.context(&format!("{}/$entity", terms.name))));
            Ok(Reply::json(201, entry))
        }
        [id, "cancel"] => {
            call.needs(NEEDS.write)?;
            call.world.directory.change(|state, now| {
                let mine = |r: &ScheduleRequest| r.id == *id && matches!(r.what, Privilege::Group { .. });
                let found = state.requests.iter().any(mine);
                if found { state.cancel(id, now) } else { Err(Problem::not_found(id)) }
            })?;
            Ok(Reply::empty(204))
        }
        _ => Err(call.not_allowed()),
    }
}

/// The entry with the group that it is about; nothing if it is about none.
fn about(entry: Value, what: &Privilege) -> Option<Value> {
    match what {
        Privilege::Group { group, relation } => Some(given(entry, group, *relation)),
        Privilege::Role { .. } => None,
    }
}

fn given(entry: Value, group: &str, relation: Relation) -> Value {
    pim::with(entry, json!({ "groupId": group, "accessId": relation.word() }))
}

fn assigned(entry: Value) -> Value {
    pim::with(entry, json!({ "assignmentType": "assigned", "memberType": "direct" }))
}

fn instance(state: &State, membership: &Membership) -> Value {
    let schedule = membership.schedule.as_deref();
    let schedule = schedule.and_then(|id| state.schedules.iter().find(|schedule| schedule.id == id));
    let id = id_of(membership);
    let entry = json!({
        "id": id,
        "principalId": membership.object,
        "startDateTime": shape::maybe_time(schedule.map(|schedule| schedule.ready)),
        "endDateTime": shape::maybe_time(schedule.and_then(|schedule| schedule.end)),
        "assignmentScheduleId": schedule.map_or(&id, |schedule| &schedule.id),
    });
    given(entry, &membership.group, membership.relation)
}

/// PIM's own name for a membership.
fn id_of(membership: &Membership) -> String {
    format!("{}_{}_{}", membership.group, membership.relation.word(), membership.object)
}

fn related(state: &State, mut entry: Value, call: &Call<'_>) -> Value {
    for (name, id) in [("group", "groupId"), ("principal", "principalId")] {
        if listing::expands(call, name) {
            let id = entry.get(id).and_then(Value::as_str).unwrap_or_default().to_owned();
            put(&mut entry, name, shape::object(state, &id));
        }
    }
    entry
}
