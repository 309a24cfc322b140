//! The control door, `/sandbox`: what a test or a person changes about the tenant from outside its process.
//! It is no part of what Entra is, asks nobody who they are, and suffers no faults.

mod places;

mod sign_ins;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    Behaviour, Fault, Kind, Lag, Strength, host,
    http::{Reply, Request, put},
    people,
    world::World,
};

pub(crate) fn owns(path: &str) -> bool {
    path == "/sandbox" || path.starts_with("/sandbox/")
}

pub(crate) fn answer(world: &Arc<World>, request: &Request) -> Reply {
    route(world, request)
        .unwrap_or_else(|Refusal(status, message)| Reply::json(status, json!({ "error": message })))
}

struct Refusal(u16, String);

type Answer = Result<Reply, Refusal>;

fn route(world: &Arc<World>, request: &Request) -> Answer {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().skip(1).map(String::as_str).filter(|s| !s.is_empty()).collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("GET", []) => ok(summary(world)),
        ("GET", ["clock"]) => ok(clock(world)),
        ("PUT", ["clock"]) => set_clock(world, request),
        ("POST", ["clock", "advance"]) => advance_clock(world, request),
        ("GET", ["lag"]) => ok(lag(world)),
        ("PUT", ["lag"]) => set_lag(world, request),
        ("GET", ["faults"]) => {
            let faults = world.faults.list().into_iter().map(|(id, fault)| {
                let mut fault = json!(fault);
                put(&mut fault, "id", json!(id));
                fault
            });
            ok(json!({ "faults": faults.collect::<Vec<_>>() }))
        }
        ("POST", ["faults"]) => add_fault(world, request),
        ("DELETE", ["faults"]) => {
            world.faults.clear_all();
            done()
        }
        ("DELETE", ["faults", id]) => {
            let cleared = id.parse().is_ok_and(|id| world.faults.clear(id));
            if cleared { done() } else { Err(not_found("fault", id)) }
        }
        ("POST", ["outages", what]) => outage(world, what),
        ("GET", ["keys"]) => ok(world.keys.list()),
        ("POST", ["keys", "rotate"]) => {
            let kid = world.keys.rotate().map_err(|error| Refusal(500, format!("{error:#}")))?;
            ok(json!({ "signing": kid }))
        }
        ("DELETE", ["keys", kid]) => {
            if world.keys.withdraw(kid) {
                done()
            } else {
                Err(not_found("published key", kid))
            }
        }
        ("GET", ["behaviour"]) => ok(json!(world.behaviour())),
        ("PATCH", ["behaviour"]) => patch_behaviour(world, request),
        ("PATCH", ["people", who]) => patch_person(world, request, who),
        ("DELETE", ["people", who]) => {
            let id = world.directory.user(who).map(|user| user.id);
            let deleted = id.is_some_and(|id| world.directory.delete_user(&id));
            if deleted { done() } else { Err(not_found("person", who)) }
        }
        ("GET", ["assignments"]) => ok(json!({ "assignments": assignments(world) })),
        ("POST", ["assignments"]) => add_assignment(world, request),
        ("DELETE", ["assignments", id]) => {
            if world.directory.remove_in_portal(id) {
                done()
            } else {
                Err(not_found("assignment", id))
            }
        }
        (method @ ("PUT" | "DELETE"), ["groups", group, relation, who]) => {
            places::relate(world, method, group, relation, who)
        }
        ("GET", ["eligibilities"]) => places::eligibilities(world),
        ("POST", ["eligibilities"]) => places::add_eligibility(world, request),
        ("DELETE", ["eligibilities", id]) => {
            if world.directory.end_eligibility(id) {
                done()
            } else {
                Err(not_found("eligibility", id))
            }
        }
        ("PUT", ["settings"]) => places::set_settings(world, request),
        ("GET", ["tickets"]) => ok(json!(world.tickets.all())),
        ("PUT", ["tickets", number]) => {
            world.tickets.put(number, body(request)?);
            done()
        }
        ("DELETE", ["tickets", number]) => {
            if world.tickets.remove(number) {
                done()
            } else {
                Err(not_found("change", number))
            }
        }
        (_, ["federation" | "devices", ..]) => sign_ins::route(world, request, &segments),
        ("GET", ["permissions"]) => ok(permissions(world)),
        ("DELETE", ["permissions", client_id, permission]) => {
            let app = people::APPS.iter().find(|app| app.client_id == *client_id);
            let taken = app.is_some_and(|app| world.directory.take_permission(app, permission));
            if taken { done() } else { Err(not_found("permission", permission)) }
        }
        ("PUT", ["permissions", app]) => set_permissions(world, request, app),
        ("GET", ["calls"]) => ok(calls(world, request)),
        ("DELETE", ["calls"]) => {
            world.calls.clear();
            done()
        }
        (method, _) => Err(Refusal(404, format!("the sandbox has no `{method} {}`", request.path))),
    }
}

fn summary(world: &World) -> Value {
    let people: Vec<Value> = people::EVERYBODY
        .iter()
        .map(|person| {
            json!({ "name": person.name, "id": person.id, "userPrincipalName": person.user_principal_name() })
        })
        .collect();
    let apps: Vec<Value> = people::APPS
        .iter()
        .map(|app| json!({ "name": app.name, "clientId": app.client_id, "objectId": app.object_id }))
        .collect();
    let groups: Vec<Value> =
        people::GROUPS.iter().map(|group| json!({ "name": group.name, "id": group.id })).collect();
    json!({
        "tenant": people::TENANT,
        "issuer": world.issuer(),
        "graph": format!("{}/v1.0", world.base_url),
        "host": world.host_url,
        "folder": world.files.folder().display().to_string(),
        "people": people,
        "apps": apps,
        "groups": groups,
    })
}

fn clock(world: &World) -> Value {
    json!({ "now": world.clock.now().to_string(), "manual": world.clock.is_manual() })
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    now: String,
}

fn set_clock(world: &World, request: &Request) -> Answer {
    let SetClock { now } = body(request)?;
    let now: Timestamp = now.parse().map_err(|error| Refusal(400, format!("`now` is no time: {error}")))?;
    if world.clock.set(now) { ok(clock(world)) } else { Err(machines_clock()) }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    by: String,
}

fn advance_clock(world: &World, request: &Request) -> Answer {
    let Advance { by } = body(request)?;
    let by = by
        .parse()
        .map_err(|error| Refusal(400, format!("`by` is no duration such as `5m` or `PT5M`: {error}")))?;
    if world.clock.advance(by) { ok(clock(world)) } else { Err(machines_clock()) }
}

fn machines_clock() -> Refusal {
    Refusal(409, "the tenant runs by the machine's clock; start it with a manual one to move it".to_owned())
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct LagMilliseconds {
    list: Option<i64>,
    get: Option<i64>,
    provision: Option<i64>,
}

fn lag(world: &World) -> Value {
    let milliseconds = |lag: SignedDuration| i64::try_from(lag.as_millis()).unwrap_or(i64::MAX);
    let Lag { list, get, provision } = world.directory.lag();
    json!({ "list": milliseconds(list), "get": milliseconds(get), "provision": milliseconds(provision) })
}

fn set_lag(world: &World, request: &Request) -> Answer {
    let LagMilliseconds { list, get, provision } = body(request)?;
    if [list, get, provision].iter().flatten().any(|milliseconds| *milliseconds < 0) {
        return Err(Refusal(400, "a lag cannot be negative".to_owned()));
    }
    let or = |new: Option<i64>, old| new.map_or(old, SignedDuration::from_millis);
    let old = world.directory.lag();
    world.directory.set_lag(Lag {
        list: or(list, old.list),
        get: or(get, old.get),
        provision: or(provision, old.provision),
    });
    ok(lag(world))
}

const FAULT_FIELDS: [&str; 8] =
    ["method", "path", "skip", "times", "kind", "milliseconds", "retry_after", "status"];

fn add_fault(world: &World, request: &Request) -> Answer {
    let fields: Value = body(request)?;
    // A fault with a misspelt limit would hit everything for ever, so nothing unknown is let through.
    let unknown =
        fields.as_object().into_iter().flatten().find(|(name, _)| !FAULT_FIELDS.contains(&name.as_str()));
    if let Some((name, _)) = unknown {
        return Err(Refusal(400, format!("a fault has no `{name}`; it has {}", FAULT_FIELDS.join(", "))));
    }
    let fault: Fault = serde_json::from_value(fields).map_err(|error| Refusal(400, error.to_string()))?;
    if let Kind::FailBefore { status, .. } | Kind::FailAfter { status } = fault.kind
        && !(500..=599).contains(&status)
        && !(host::owns(&fault.path) && [404, 410].contains(&status))
    {
        let told = "the `status` of a failure is from 500 to 599, on the way to the host also 404 or 410";
        return Err(Refusal(400, told.to_owned()));
    }
    if !fault.path.starts_with('/') {
        return Err(Refusal(400, "a fault's `path` begins with `/`".to_owned()));
    }
    Ok(Reply::json(201, json!({ "id": world.faults.add(fault) })))
}

fn outage(world: &World, what: &str) -> Answer {
    let ids = match what {
        "graph" => vec![world.faults.graph_outage()],
        "login" => vec![world.faults.login_outage()],
        "tickets" => vec![world.faults.tickets_outage()],
        "both" => vec![world.faults.graph_outage(), world.faults.login_outage()],
        _ => return Err(not_found("service", what)),
    };
    Ok(Reply::json(201, json!({ "ids": ids })))
}

/// Merges what is given into what is; nothing changes if the result is not a whole behaviour.
fn patch_behaviour(world: &World, request: &Request) -> Answer {
    let patch: Value = body(request)?;
    let mut whole = json!(world.behaviour());
    merge(&mut whole, patch);
    let behaviour: Behaviour =
        serde_json::from_value(whole).map_err(|error| Refusal(400, error.to_string()))?;
    world.set_behaviour(behaviour);
    ok(json!(world.behaviour()))
}

/// JSON merge patch (RFC 7396).
fn merge(whole: &mut Value, patch: Value) {
    match (whole, patch) {
        (Value::Object(whole), Value::Object(patch)) => {
            for (name, value) in patch {
                if value.is_null() {
                    whole.remove(&name);
                } else {
                    merge(whole.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (whole, patch) => *whole = patch,
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonChange {
    enabled: Option<bool>,
    strength: Option<Strength>,
    #[serde(default)]
    session_age_seconds: u32,
}

fn patch_person(world: &World, request: &Request, who: &str) -> Answer {
    let change: PersonChange = body(request)?;
    let unknown = |_| not_found("person", who);
    if let Some(enabled) = change.enabled {
        world.directory.set_enabled(who, enabled).map_err(unknown)?;
    }
    if change.strength.is_some() || change.session_age_seconds > 0 {
        let age = SignedDuration::from_secs(change.session_age_seconds.into());
        world.directory.set_sign_in(who, change.strength, age).map_err(unknown)?;
    }
    let user = world.directory.user(who).ok_or_else(|| not_found("person", who))?;
    ok(json!({
        "id": user.id,
        "enabled": user.enabled,
        "strength": user.strength,
        "session_age_seconds": user.session_age.as_secs(),
    }))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAssignment {
    principal: String,
    role: String,
    #[serde(default = "whole_tenant")]
    scope: String,
}

fn whole_tenant() -> String {
    "/".to_owned()
}

fn add_assignment(world: &World, request: &Request) -> Answer {
    let NewAssignment { principal, role, scope } = body(request)?;
    let principal = world.directory.user(&principal).map_or(principal, |user| user.id);
    let named = people::ROLES.iter().find(|each| each.name == role).map_or(role.as_str(), |each| each.id);
    let id = world.directory.assign_in_portal(&principal, named, &scope);
    let id = id.map_err(|error| Refusal(400, format!("{error:#}")))?;
    Ok(Reply::json(201, json!({ "id": id })))
}

fn assignments(world: &World) -> Vec<Value> {
    let shown = |a: crate::directory::Assignment| {
        json!({
            "id": a.id,
            "principal": a.principal,
            "role": a.role,
            "scope": a.scope,
            "schedule": a.schedule,
            "since": a.life.born.to_string(),
        })
    };
    world.directory.assignments().into_iter().map(shown).collect()
}

fn permissions(world: &World) -> Value {
    people::APPS
        .iter()
        .map(|app| (app.client_id.to_owned(), json!(world.directory.permissions(app))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn set_permissions(world: &World, request: &Request, client_id: &str) -> Answer {
    let wanted: Vec<String> = body(request)?;
    let app = people::APPS.iter().find(|app| app.client_id == client_id);
    let app = app.ok_or_else(|| not_found("application", client_id))?;
    world.directory.set_permissions(app, wanted.iter().map(String::as_str));
    ok(json!(world.directory.permissions(app)))
}

fn calls(world: &World, request: &Request) -> Value {
    let query = request.query();
    let found = world.calls.matching(query.get("method").unwrap_or("*"), query.get("path").unwrap_or("/"));
    let shown = |call: crate::Call| {
        json!({
            "at": call.at.to_string(),
            "method": call.method,
            "path": call.path,
            "query": call.query,
            "status": call.status,
            "client_request_id": call.client_request_id,
            "batched": call.batched,
        })
    };
    json!({ "count": found.len(), "calls": found.into_iter().map(shown).collect::<Vec<_>>() })
}

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
    serde_json::from_slice(&request.body)
        .map_err(|error| Refusal(400, format!("the body is not right: {error}")))
}

fn not_found(what: &str, name: &str) -> Refusal {
    Refusal(404, format!("there is no {what} `{name}`"))
}

fn ok(body: Value) -> Answer {
    Ok(Reply::json(200, body))
}

fn done() -> Answer {
    Ok(Reply::empty(204))
}
