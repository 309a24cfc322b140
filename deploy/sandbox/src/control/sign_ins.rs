//! What happens outside of the tenant while somebody signs in: an outer issuer makes a token, a person enters a code.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Answer, Refusal, body, done, not_found, ok};
use crate::{
    FederatedCredential, Mint, Strength,
    http::{Request, put},
    oidc,
    world::World,
};

pub(super) fn route(world: &Arc<World>, request: &Request, segments: &[&str]) -> Answer {
    match (request.method.as_str(), segments) {
        ("GET", ["federation"]) => ok(json!(world.federation.registered())),
        ("PUT", ["federation"]) => register(world, request),
        ("POST", ["federation", "token"]) => token(world, request),
        ("GET", ["devices"]) => ok(json!(oidc::waiting(world))),
        ("POST", ["devices", code]) => enter(world, request, code),
        ("DELETE", ["devices", code]) => {
            if oidc::decline(world, code) {
                done()
            } else {
                Err(not_found("waiting device", code))
            }
        }
        (method, _) => Err(Refusal(404, format!("the sandbox has no `{method} {}`", request.path))),
    }
}

fn register(world: &World, request: &Request) -> Answer {
    let credentials: Vec<FederatedCredential> = body(request)?;
    if credentials.len() > oidc::MOST_FEDERATED {
        return Err(Refusal(400, format!("an application has at most {} of them", oidc::MOST_FEDERATED)));
    }
    world.federation.register(credentials);
    ok(json!(world.federation.registered()))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    issuer: Option<String>,
    subject: Option<String>,
    audience: Option<String>,
    seconds: Option<i64>,
}

fn token(world: &Arc<World>, request: &Request) -> Answer {
    let Wanted { issuer, subject, audience, seconds } = body(request)?;
    let mint = Mint::new(Arc::clone(world));
    let mut claims = mint.outer_claims();
    let texts = [("iss", issuer), ("sub", subject), ("aud", audience)];
    for (name, value) in texts.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        put(&mut claims, name, json!(value));
    }
    if let Some(seconds) = seconds {
        let end = world.clock.now().as_second().saturating_add(seconds);
        put(&mut claims, "exp", Value::from(end));
    }
    ok(json!({ "token": mint.outer(&claims) }))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entered {
    person: String,
    strength: Strength,
}

fn enter(world: &World, request: &Request, code: &str) -> Answer {
    let Entered { person, strength } = body(request)?;
    if oidc::enter(world, code, &person, strength) { done() } else { Err(not_found("waiting device", code)) }
}
