//! The login service, at Entra's own paths under `/{tenant}`.

mod assertion;
mod authorize;
mod device;
mod error;
mod federation;
mod page;
mod registration;
mod sign_ins;
mod token;

pub(crate) use device::{decline, enter, waiting};
pub use federation::FederatedCredential;
pub(crate) use federation::{Federation, MOST as MOST_FEDERATED};
pub(crate) use sign_ins::{HOST_LIFE, SignIns};

use std::sync::Arc;

use serde_json::json;

use crate::{
    http::{Reply, Request},
    people,
    world::World,
};
use error::LoginError;

pub(crate) fn answer(world: &Arc<World>, request: &Request) -> Reply {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let Some((tenant, path)) = segments.split_first() else { return Reply::empty(404) };
    let known = tenant.eq_ignore_ascii_case(people::TENANT) || *tenant == people::DOMAIN;
    let reply = match (request.method.as_str(), path) {
        (_, ["v2.0" | "discovery" | "oauth2", ..]) if !known => {
            let message =
                format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID.");
            LoginError::new(90002, "invalid_tenant", message).reply(request)
        }
        ("GET", ["v2.0", ".well-known", "openid-configuration"]) => Reply::json(200, discovery(world)),
        ("GET", ["discovery", "v2.0", "keys"]) => Reply::json(200, world.keys.published(&world.issuer())),
        ("GET", ["oauth2", "v2.0", "authorize"]) => authorize::ask(world, request),
        ("POST", ["oauth2", "v2.0", "authorize"]) => authorize::chosen(world, request),
        ("POST", ["oauth2", "v2.0", "token"]) => token::answer(world, request),
        ("POST", ["oauth2", "v2.0", "devicecode"]) => device::begin(world, request),
        ("GET", ["oauth2", "v2.0", "deviceauth"]) => Reply::html(200, page::device(world, None)),
        ("POST", ["oauth2", "v2.0", "deviceauth"]) => device::entered(world, request),
        (_, ["v2.0", ".well-known", "openid-configuration"] | ["discovery", "v2.0", "keys"])
        | (_, ["oauth2", "v2.0", "authorize" | "token" | "devicecode" | "deviceauth"]) => Reply::empty(405),
        _ => Reply::empty(404),
    };
    reply.header("x-ms-request-id", &request.id.to_string())
}

/// The login service is not well, or has had enough.
pub(crate) fn failure(request: &Request, status: u16) -> Reply {
    LoginError::new(90033, "temporarily_unavailable", "A transient error has occurred. Please try again.")
        .status(status)
        .reply(request)
}

fn discovery(world: &World) -> serde_json::Value {
    let base = format!("{}/{}", world.base_url, people::TENANT);
    json!({
        "issuer": world.issuer(),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "response_modes_supported": ["query"],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver"
        ],
        "request_uri_parameter_supported": false,
        "tenant_region_scope": null,
        "cloud_instance_name": "localhost",
        "msgraph_host": world.base_url.trim_start_matches("https://"),
    })
}
