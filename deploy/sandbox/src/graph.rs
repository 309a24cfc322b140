//! Microsoft Graph, version 1.0, as far as a broker calls it and a person looks at what came of it.

mod applications;
mod assignments;
mod batch;
mod call;
mod definitions;
mod group_schedules;
mod groups;
mod listing;
mod pim;
mod policies;
mod schedules;
mod scopes;
mod shape;
mod users;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    directory::Problem,
    http::{Reply, Request, put},
    world::World,
};
use call::Call;

type Answer = Result<Reply, Problem>;

const ROOT: &str = "/v1.0";

pub(crate) fn owns(path: &str) -> bool {
    path == ROOT || path.starts_with("/v1.0/") || path.starts_with("/beta/")
}

/// Answers a call, with the headers that every answer of Graph carries.
pub(crate) fn answer(world: &Arc<World>, request: &Request) -> Reply {
    let reply = Call::read(world, request)
        .and_then(|call| route(&call))
        .unwrap_or_else(|problem| refuse(request, &problem));
    stamped(request, reply)
}

/// Graph is not well, or has had enough.
pub(crate) fn failure(request: &Request, status: u16) -> Reply {
    let (code, message) = match status {
        429 => ("TooManyRequests", "Too many requests. Please wait and try again."),
        503 => ("serviceNotAvailable", "The service is temporarily unavailable."),
        504 => ("GatewayTimeout", "The request timed out."),
        _ => ("InternalServerError", "An internal server error occurred."),
    };
    let reply = refuse(request, &Problem::new(status, code, message));
    let reply = if status == 429 {
        reply.header("x-ms-throttle-information", "ResourceUnitLimitExceeded")
    } else {
        reply
    };
    stamped(request, reply)
}

fn route(call: &Call<'_>) -> Answer {
    let segments = call.segments();
    match segments.as_slice() {
        ["$batch"] => batch::answer(call),
        ["organization", ..] => applications::organization(call),
        ["servicePrincipals", ..] => {
            applications::service_principals(call, segments.get(1..).unwrap_or_default())
        }
        [first, ..] if first.starts_with("servicePrincipals(") => applications::by_app_id(call, &segments),
        ["directory", "administrativeUnits", rest @ ..] => scopes::units(call, rest),
        ["applications", rest @ ..] => scopes::applications(call, rest),
        ["directoryObjects", rest @ ..] => scopes::object(call, rest),
        ["users", rest @ ..] => users::answer(call, rest),
        ["groups", rest @ ..] => groups::answer(call, rest),
        ["roleManagement", "directory", collection, rest @ ..] => match *collection {
            "roleDefinitions" => definitions::answer(call, rest),
            "roleAssignments" => assignments::answer(call, rest),
            "roleAssignmentScheduleRequests" => schedules::requests(call, rest),
            "roleAssignmentSchedules" => schedules::schedules(call, rest),
            "roleAssignmentScheduleInstances" => schedules::instances(call, rest),
            "roleEligibilitySchedules" => schedules::eligible(call, rest),
            "roleEligibilityScheduleInstances" => schedules::eligible_now(call, rest),
            other => Err(Problem::no_such_path(other)),
        },
        ["policies", collection, rest @ ..] => policies::answer(call, collection, rest),
        ["identityGovernance", "privilegedAccess", "group", collection, rest @ ..] => {
            group_schedules::answer(call, collection, rest)
        }
        [] => Err(Problem::no_such_path("")),
        [other, ..] => Err(Problem::no_such_path(other)),
    }
}

fn stamped(request: &Request, reply: Reply) -> Reply {
    reply
        .header("request-id", &request.id.to_string())
        .header("client-request-id", &request.client_id())
        .header("x-ms-resource-unit", "1")
}

fn refuse(request: &Request, problem: &Problem) -> Reply {
    let mut inner = json!({
        // Without a zone, as Graph writes it.
        "date": request.at.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
        "request-id": request.id.to_string(),
        "client-request-id": request.client_id(),
    });
    let mut error = json!({ "code": problem.code, "message": problem.message });
    if let Some(detail) = problem.detail {
        put(&mut error, "details", json!([{ "code": detail, "message": problem.message }]));
        put(&mut inner, "code", Value::from(detail));
    }
    put(&mut error, "innerError", inner);
    let reply = Reply::json(problem.status, json!({ "error": error }));
    if problem.status == 401 {
        let challenge = "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", client_id=\"00000003-0000-0000-c000-000000000000\"";
        return reply.header("WWW-Authenticate", challenge);
    }
    reply
}
