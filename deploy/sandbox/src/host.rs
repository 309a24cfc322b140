//! The host that the tenant runs on, as far as it says who it is: the metadata service of an Azure machine, and the endpoint
//! of App Service and Container Apps. Plain HTTP on a loopback port of its own.

use serde_json::json;

use crate::{
    http::{Reply, Request},
    oidc, people,
    world::World,
};

/// What the platform's endpoint wants back in `X-IDENTITY-HEADER`.
pub const HEADER: &str = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a";

const MACHINE: &str = "/metadata/identity/oauth2/token";
const PLATFORM: &str = "/msi/token";

pub(crate) fn owns(path: &str) -> bool {
    path.starts_with("/metadata/") || path.starts_with("/msi/")
}

pub(crate) fn answer(world: &World, request: &Request) -> Reply {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", MACHINE) => by_machine(world, request),
        ("GET", PLATFORM) => by_platform(world, request),
        (_, MACHINE | PLATFORM) => Reply::empty(405),
        _ => refused(404, "not_found", "The requested path was not found"),
    }
}

/// The host is not well, has had enough, or has no identity yet.
pub(crate) fn failure(status: u16) -> Reply {
    let error = match status {
        404 => "not_found",
        410 => "gone",
        429 => "too_many_requests",
        _ => "service_error",
    };
    refused(status, error, "The host's identity service cannot answer now")
}

fn by_machine(world: &World, request: &Request) -> Reply {
    // What came through a proxy may have been made to be asked by somebody else.
    if request.header("metadata") != Some("true") || request.header("x-forwarded-for").is_some() {
        return refused(400, "bad_request", "Required metadata header not specified");
    }
    token(world, request, "2018-02-01", false)
}

fn by_platform(world: &World, request: &Request) -> Reply {
    if request.header("x-identity-header") != Some(HEADER) {
        return refused(401, "unauthorized", "The identity header is not right");
    }
    token(world, request, "2019-08-01", true)
}

fn token(world: &World, request: &Request, version: &str, of_platform: bool) -> Reply {
    let query = request.query();
    if query.get("api-version") != Some(version) {
        return refused(
            400,
            "bad_request_102",
            "Required parameter 'api-version' is missing or not supported",
        );
    }
    let Some(resource) = query.get("resource") else {
        return refused(400, "invalid_request", "Required query variable 'resource' is missing");
    };
    if !["https://graph.microsoft.com", world.base_url.as_str()].contains(&resource) {
        return refused(
            400,
            "invalid_resource",
            "AADSTS500011: The resource principal was not found in the tenant",
        );
    }
    if query.get("client_id").is_some_and(|id| id != people::HOST.client_id) {
        return refused(400, "invalid_request", "Identity not found");
    }
    let token = world.sign_ins.host_token(world);
    let mut body = json!({
        "access_token": token.token,
        "expires_on": token.ends.as_second().to_string(),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": people::HOST.client_id,
    });
    if !of_platform {
        // Counted from when it was made, however long ago that is.
        crate::http::put(&mut body, "expires_in", json!(oidc::HOST_LIFE.as_secs().to_string()));
        crate::http::put(&mut body, "not_before", json!(token.made.as_second().to_string()));
        crate::http::put(&mut body, "refresh_token", json!(""));
    }
    Reply::json(200, body)
}

fn refused(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(status, json!({ "error": error, "error_description": description }))
}
