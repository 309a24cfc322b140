//! The broker's own token: asked for with a certificate, or with a secret, which leaves the broker at every
//! sign-in.

mod certificate;

pub use certificate::{Certificate, CredentialError};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use elevate_core::due::Now;
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use uuid::Uuid;

use super::Settings;
use super::budget::LONGEST_PAUSE;
use super::call::{Fault, Witness, broken, heard, retry_after, whole};
use super::wire::{TokenAnswer, TokenProblem};
use crate::ports::Clock;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long before its end a token is renewed, or a tenth of its life if that is shorter.
const RENEWED_EARLY: SignedDuration = SignedDuration::from_mins(5);
/// How long a token that could not be renewed is used as it is before the next try.
const NEXT_RENEWAL: SignedDuration = SignedDuration::from_secs(10);
/// No token is trusted to live longer.
const LONGEST_LIFE: i64 = 24 * 60 * 60;

/// What the broker proves itself with.
#[derive(Debug)]
pub enum Credential {
    /// A certificate registered on the application, and its key.
    Certificate(Certificate),
    /// A client secret.
    Secret(SecretString),
}

/// A token for Graph.
#[derive(Debug, Clone)]
pub(super) struct Token {
    header: HeaderValue,
    number: u64,
    renew_at: Timestamp,
    ends_at: Timestamp,
}

impl Token {
    /// The `Authorization` header, marked as secret.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

/// Fetches tokens, one fetch at a time, and keeps the last.
#[derive(Debug)]
pub(super) struct Tokens {
    client_id: Uuid,
    credential: Credential,
    endpoint: Url,
    scope: String,
    deadline: Duration,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    fetches: AtomicU64,
    kept: tokio::sync::Mutex<Kept>,
    witness: Mutex<Option<Witness>>,
}

#[derive(Debug, Default)]
struct Kept {
    token: Option<Token>,
    fault: Option<Failed>,
}

/// How the last fetch failed.
#[derive(Debug)]
struct Failed {
    number: u64,
    fault: Fault,
    /// The endpoint asked to be left alone until then.
    until: Timestamp,
}

impl Tokens {
    pub(super) fn new(settings: Settings, http: reqwest::Client, clock: Arc<dyn Clock>) -> Self {
        let Settings { tenant: _, client_id, credential, graph: _, token_endpoint, scope, deadline } =
            settings;
        Self {
            client_id,
            credential,
            endpoint: token_endpoint,
            scope,
            deadline,
            http,
            clock,
            fetches: AtomicU64::new(0),
            kept: tokio::sync::Mutex::default(),
            witness: Mutex::default(),
        }
    }

    pub(super) const fn credential(&self) -> &Credential {
        &self.credential
    }

    pub(super) const fn client_id(&self) -> Uuid {
        self.client_id
    }

    pub(super) fn witness(&self) -> Option<Witness> {
        *self.witness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token there is, or a fresh one.
    pub(super) async fn token(&self) -> Result<Token, Fault> {
        let seen = self.fetches.load(Ordering::Acquire);
        let mut kept = self.kept.lock().await;
        let now = self.clock.now().latest();
        if let Some(token) = kept.token.as_ref().filter(|token| now < token.renew_at) {
            return Ok(token.clone());
        }
        // Who waited while the fetch failed shares its fault, or a silent endpoint would hold up all in a row.
        if let Some(failed) = kept.fault.as_ref().filter(|failed| failed.number > seen || now < failed.until)
        {
            return Err(failed.fault.clone());
        }
        let number = self.fetches.load(Ordering::Acquire) + 1;
        let outcome = self.fetch(number).await;
        // Counted when it is over: who comes from here on did not wait for this one.
        self.fetches.store(number, Ordering::Release);
        match (outcome, kept.token.as_mut()) {
            (Ok(token), _) => {
                *kept = Kept { token: Some(token.clone()), fault: None };
                Ok(token)
            }
            (Err(_), Some(old)) if now < old.ends_at => {
                old.renew_at = now.checked_add(NEXT_RENEWAL).unwrap_or(old.ends_at).min(old.ends_at);
                Ok(old.clone())
            }
            (Err(fault), _) => {
                let until = now.checked_add(fault.wish().min(LONGEST_PAUSE)).unwrap_or(now);
                *kept = Kept { token: None, fault: Some(Failed { number, fault: fault.clone(), until }) };
                Err(fault)
            }
        }
    }

    /// Graph did not take this one.
    pub(super) async fn forget(&self, token: &Token) {
        let mut kept = self.kept.lock().await;
        if kept.token.as_ref().is_some_and(|is| is.number == token.number) {
            kept.token = None;
        }
    }

    async fn fetch(&self, number: u64) -> Result<Token, Fault> {
        let asked_at = self.clock.now();
        let client_id = self.client_id.to_string();
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client_id.as_str()),
            ("scope", self.scope.as_str()),
        ];
        let assertion;
        match &self.credential {
            Credential::Certificate(certificate) => {
                assertion = certificate
                    .assertion(self.client_id, &self.endpoint, asked_at)
                    .ok_or_else(|| Fault::unclear("the broker's assertion could not be signed"))?;
                form.push(("client_assertion_type", ASSERTION_TYPE));
                form.push(("client_assertion", assertion.expose_secret()));
            }
            Credential::Secret(secret) => form.push(("client_secret", secret.expose_secret())),
        }
        let request = self.http.post(self.endpoint.clone()).timeout(self.deadline).form(&form);
        let response = request.send().await.map_err(|error| {
            let reason = broken(&error);
            tracing::warn!(reason, "no answer from the token endpoint");
            Fault::unclear(format!("the token endpoint: {reason}"))
        })?;
        if let Some(witness) = heard(response.headers(), self.clock.now()) {
            *self.witness.lock().unwrap_or_else(PoisonError::into_inner) = Some(witness);
        }
        let status = response.status().as_u16();
        let after = retry_after(response.headers(), self.clock.now());
        let body =
            whole(response).await.map_err(|why| Fault::unclear(format!("the token endpoint: {why}")))?;
        if status != 200 {
            let code = refusal_of(&body);
            tracing::warn!(status, code, "the token endpoint gave no token");
            let reason = format!("the token endpoint gave the broker no token ({code}, status {status})");
            return Err(Fault::Unclear { reason, after });
        }
        let unreadable = || Fault::unclear("the token endpoint's answer could not be read");
        let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| unreadable())?;
        token(&answer, number, asked_at).ok_or_else(unreadable)
    }
}

/// The token in an answer, counted from when it was asked for.
fn token(answer: &TokenAnswer, number: u64, asked_at: Now) -> Option<Token> {
    if !answer.token_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return None;
    }
    let mut header = HeaderValue::try_from(format!("Bearer {}", answer.access_token)).ok()?;
    header.set_sensitive(true);
    // A number; managed identities send it as text.
    let seconds = answer.expires_in.as_i64().or_else(|| answer.expires_in.as_str()?.parse().ok())?;
    let life = SignedDuration::from_secs(seconds.clamp(0, LONGEST_LIFE));
    let early = RENEWED_EARLY.min(life / 10);
    let ends_at = asked_at.earliest().checked_add(life).ok()?;
    Some(Token { header, number, renew_at: ends_at.checked_sub(early).ok()?, ends_at })
}

/// The codes of a refusal. Its description is left out: it can quote what was sent.
fn refusal_of(body: &[u8]) -> String {
    let problem: TokenProblem = serde_json::from_slice(body).unwrap_or_default();
    let error = problem.error.unwrap_or_else(|| "no code".to_owned());
    let mut code: String =
        error.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ')).take(64).collect();
    for number in problem.error_codes.iter().take(3) {
        code.push_str(&format!(", AADSTS{number}"));
    }
    code
}
