//! Workload identity federation: the tokens of an outer issuer that the broker's application trusts. Issuer, subject and
//! audience are compared as they stand. The outer issuer is a key of this tenant's, so that nobody is asked for it.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::LoginError;
use crate::{
    keys::Keys,
    mint::Key,
    people::{self, App},
    world::World,
};

/// Entra takes so many for one application.
pub(crate) const MOST: usize = 20;
/// What Entra grants clocks to differ by.
const SKEW_SECONDS: i64 = 300;

/// A federated credential: whose tokens, about whom, for what audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederatedCredential {
    /// The issuer.
    pub issuer: String,
    /// The subject.
    pub subject: String,
    /// The audience.
    pub audience: String,
}

/// The outer issuer, and what is registered on the broker's application.
#[derive(Debug)]
pub(crate) struct Federation {
    keys: Keys,
    at_start: FederatedCredential,
    registered: Mutex<Vec<FederatedCredential>>,
}

impl Federation {
    pub(crate) fn new(base_url: &str) -> Result<Self> {
        let at_start = FederatedCredential {
            issuer: format!("{base_url}/outer"),
            subject: "system:serviceaccount:elevate:elevated".to_owned(),
            audience: "api://AzureADTokenExchange".to_owned(),
        };
        Ok(Self { keys: Keys::fresh()?, registered: vec![at_start.clone()].into(), at_start })
    }

    pub(crate) fn key(&self) -> Key {
        self.keys.signing()
    }

    pub(crate) fn registered_at_start(&self) -> FederatedCredential {
        self.at_start.clone()
    }

    pub(crate) fn registered(&self) -> Vec<FederatedCredential> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn register(&self, credentials: Vec<FederatedCredential>) {
        *self.registered.lock().unwrap_or_else(PoisonError::into_inner) = credentials;
    }
}

/// One token may be shown again and again, unlike an assertion that the application made itself.
pub(super) fn check(
    world: &World,
    app: &App,
    claims: &Value,
    message: &[u8],
    signature: &[u8],
) -> Result<(), LoginError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    };
    let (issuer, subject) = (text("iss"), text("sub"));
    let registered = if *app == people::BROKER { world.federation.registered() } else { Vec::new() };
    let unmatched = |number, what: &str, is: &str| {
        let message = format!(
            "No matching federated identity record found for presented assertion {what} '{is}'. Check your federated \
             identity credential Subject, Audience and Issuer against the presented assertion."
        );
        Err(LoginError::new(number, "invalid_client", message))
    };
    let of_issuer: Vec<_> = registered.iter().filter(|each| each.issuer == issuer).collect();
    if of_issuer.is_empty() {
        return unmatched(700_211, "issuer", issuer);
    }
    let of_subject: Vec<_> = of_issuer.into_iter().filter(|each| each.subject == subject).collect();
    if of_subject.is_empty() {
        return unmatched(700_213, "subject", subject);
    }
    if !of_subject.iter().any(|each| audiences.contains(&each.audience.as_str())) {
        return unmatched(700_212, "audience", &audiences.join(", "));
    }
    if !world.federation.key().signed(message, signature) {
        let message = "Client assertion failed signature validation.";
        return Err(LoginError::new(700_027, "invalid_client", message));
    }
    let now = world.clock.now().as_second();
    let second = |name: &str| claims.get(name).and_then(Value::as_i64);
    let begun = second("nbf").is_none_or(|nbf| nbf <= now + SKEW_SECONDS);
    if !begun || second("exp").is_none_or(|exp| exp < now - SKEW_SECONDS) {
        let message = "Client assertion is not within its valid time range.";
        return Err(LoginError::new(700_024, "invalid_client", message));
    }
    Ok(())
}

/// Whether an assertion is somebody else's token, by who issued it.
pub(super) fn is_outer(claims: &Value, app: &App) -> bool {
    claims.get("iss").and_then(Value::as_str) != Some(app.client_id)
        && claims.get("iss").and_then(Value::as_str).is_some_and(|issuer| issuer.starts_with("https://"))
}
