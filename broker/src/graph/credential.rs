//! The broker's own token: who the broker is, how it shows that, and how long a token serves.
//!
//! An application registration shows itself to the tenant's token endpoint, by a certificate, a token of
//! another issuer, or a secret; of the three only the secret leaves the broker as it is. A managed identity
//! asks the host instead, and shows nothing.

mod certificate;
mod explained;
mod federated;
mod managed;

pub use certificate::{Certificate, CredentialError};
pub(super) use federated::AUDIENCE;
pub use federated::{FederatedToken, FederatedTokenError};
pub use managed::{ManagedIdentity, Source};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use elevate_core::due::Now;
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use uuid::Uuid;

use self::explained::explained;
use super::Settings;
use super::budget::LONGEST_PAUSE;
use super::call::{Fault, Wire, broken, date, retry_after, sent, whole};
use super::wire::{TokenAnswer, TokenProblem};
use crate::ports::Clock;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long before its end a token is renewed, or a tenth of its life if that is shorter.
const RENEWED_EARLY: SignedDuration = SignedDuration::from_mins(5);
/// How long a token that could not be renewed is used as it is before the next try.
const NEXT_RENEWAL: SignedDuration = SignedDuration::from_secs(10);
/// No token is trusted to live longer.
const LONGEST_LIFE: i64 = 24 * 60 * 60;

/// Who the broker is.
#[derive(Debug)]
pub enum Credential {
    /// An application registration.
    Application(Application),
    /// An identity of the host's.
    ManagedIdentity {
        /// Which.
        identity: ManagedIdentity,
        /// Its application id, where it is known: only what it may do is looked up by it.
        client_id: Option<Uuid>,
    },
}

/// An application registration, and how the broker shows that it is this one.
#[derive(Debug)]
pub struct Application {
    /// The application id.
    pub client_id: Uuid,
    /// The tenant's OAuth 2.0 token endpoint.
    pub token_endpoint: Url,
    /// How it shows it.
    pub proof: Proof,
}

/// How an application shows that it is one.
#[derive(Debug)]
pub enum Proof {
    /// A certificate registered on the application, and its key.
    Certificate(Certificate),
    /// A token of another issuer, whom the application trusts.
    Federated(FederatedToken),
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
    client_id: Option<Uuid>,
}

impl Token {
    /// Whose it is, where the answer said so.
    pub(super) const fn client_id(&self) -> Option<Uuid> {
        self.client_id
    }

    /// The `Authorization` header, marked as secret.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

/// Fetches tokens, one fetch at a time, and keeps the last.
#[derive(Debug)]
pub(super) struct Tokens {
    credential: Credential,
    scope: String,
    deadline: Duration,
    http: reqwest::Client,
    wire: Arc<dyn Wire>,
    clock: Arc<dyn Clock>,
    fetches: AtomicU64,
    kept: tokio::sync::Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    token: Option<Token>,
    failed: Option<Failed>,
}

/// How the last fetch failed.
#[derive(Debug)]
struct Failed {
    number: u64,
    fault: Fault,
    /// The endpoint asked to be left alone until then.
    until: Timestamp,
    /// So many in a row before this one.
    before: usize,
}

impl Tokens {
    pub(super) fn new(
        settings: Settings,
        http: reqwest::Client,
        wire: Arc<dyn Wire>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let Settings { tenant: _, credential, graph: _, scope, deadline } = settings;
        Self {
            credential,
            scope,
            deadline,
            http,
            wire,
            clock,
            fetches: AtomicU64::new(0),
            kept: tokio::sync::Mutex::default(),
        }
    }

    pub(super) const fn credential(&self) -> &Credential {
        &self.credential
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
        if let Some(failed) = kept.failed.as_ref().filter(|failed| failed.number > seen || now < failed.until)
        {
            return Err(failed.fault.clone());
        }
        let number = self.fetches.load(Ordering::Acquire) + 1;
        let before = kept.failed.as_ref().map_or(0, |failed| failed.before + 1);
        let outcome = self.fetch(number, before).await;
        // Counted when it is over: who comes from here on did not wait for this one.
        self.fetches.store(number, Ordering::Release);
        let fault = match outcome {
            Ok(token) => {
                *kept = Kept { token: Some(token.clone()), failed: None };
                return Ok(token);
            }
            Err(fault) => fault,
        };
        let until = now.checked_add(fault.wish().min(LONGEST_PAUSE)).unwrap_or(now);
        kept.failed = Some(Failed { number, fault: fault.clone(), until, before });
        match kept.token.as_mut().filter(|old| now < old.ends_at) {
            Some(old) => {
                let next = now.checked_add(NEXT_RENEWAL).unwrap_or(old.ends_at);
                old.renew_at = next.max(until).min(old.ends_at);
                Ok(old.clone())
            }
            None => {
                kept.token = None;
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

    async fn fetch(&self, number: u64, failures: usize) -> Result<Token, Fault> {
        let asked_at = self.clock.now();
        let body = match &self.credential {
            Credential::Application(application) => self.ask_tenant(application, asked_at).await?,
            Credential::ManagedIdentity { identity, client_id: _ } => {
                self.ask_host(identity, failures).await?
            }
        };
        let unreadable = || Fault::unclear("the token endpoint's answer could not be read");
        let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| unreadable())?;
        token(&answer, number, asked_at).ok_or_else(unreadable)
    }

    /// The answer of the tenant's token endpoint that holds a token.
    async fn ask_tenant(&self, application: &Application, asked_at: Now) -> Result<Vec<u8>, Fault> {
        let Application { client_id, token_endpoint, proof } = application;
        let name = client_id.to_string();
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", name.as_str()),
            ("scope", self.scope.as_str()),
        ];
        let assertion = match proof {
            Proof::Certificate(certificate) => Some(
                certificate
                    .assertion(*client_id, token_endpoint, asked_at)
                    .ok_or_else(|| Fault::unclear("the broker's assertion could not be signed"))?,
            ),
            Proof::Federated(token) => Some(read(token).await?),
            Proof::Secret(secret) => {
                form.push(("client_secret", secret.expose_secret()));
                None
            }
        };
        if let Some(assertion) = &assertion {
            form.push(("client_assertion_type", ASSERTION_TYPE));
            form.push(("client_assertion", assertion.expose_secret()));
        }
        let request = self.http.post(token_endpoint.clone()).timeout(self.deadline).form(&form);
        let asked = self.clock.mark();
        let response = sent(&*self.wire, request).await.map_err(|reason| {
            tracing::warn!(reason, "no answer from the token endpoint");
            Fault::unclear(format!("the token endpoint: {reason}"))
        })?;
        if let Some(said) = date(response.headers()) {
            self.clock.heard(said, asked);
        }
        let status = response.status().as_u16();
        let after = retry_after(response.headers(), self.clock.now());
        let body =
            whole(response).await.map_err(|why| Fault::unclear(format!("the token endpoint: {why}")))?;
        if status == 200 {
            return Ok(body);
        }
        let problem = problem(&body);
        let code = code(&problem);
        let explained = explained(&problem.error_codes);
        tracing::warn!(status, code, explained, "the token endpoint gave no token");
        let explained = explained.map(|text| format!(": {text}")).unwrap_or_default();
        let reason =
            format!("the token endpoint gave the broker no token ({code}, status {status}){explained}");
        Err(Fault::Unclear { reason, after })
    }

    /// The answer of the host that holds a token. Its `Date` bears witness to nothing: it is not encrypted.
    async fn ask_host(&self, identity: &ManagedIdentity, failures: usize) -> Result<Vec<u8>, Fault> {
        let resource = self.scope.strip_suffix("/.default").unwrap_or(&self.scope);
        let request = identity.question(resource).timeout(self.deadline);
        let response = request.send().await.map_err(|error| {
            let reason = broken(&error);
            tracing::warn!(reason, "no answer from the host's identity endpoint");
            managed::unheard(reason, failures)
        })?;
        let status = response.status().as_u16();
        let after = retry_after(response.headers(), self.clock.now());
        let body = whole(response).await.map_err(|why| managed::unheard(why, failures))?;
        if status == 200 {
            return Ok(body);
        }
        let code = code(&problem(&body));
        tracing::warn!(status, code, "the host's identity endpoint gave no token");
        Err(managed::refused(status, &code, after, failures))
    }
}

/// The token that is in the file now. Only the log says which file: the reason goes to callers.
async fn read(token: &FederatedToken) -> Result<SecretString, Fault> {
    let token = token.clone();
    let read = tokio::task::spawn_blocking(move || token.read()).await;
    let why = match read {
        Ok(Ok(token)) => return Ok(token),
        Ok(Err(error)) => error.to_string(),
        Err(panicked) => panicked.to_string(),
    };
    tracing::warn!(why, "there is no federated token");
    Err(Fault::unclear("the broker's federated token cannot be read; its log and `elevated doctor` say why"))
}

/// The token in an answer, counted from when it was asked for.
fn token(answer: &TokenAnswer, number: u64, asked_at: Now) -> Option<Token> {
    if !answer.token_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return None;
    }
    let mut header = HeaderValue::try_from(format!("Bearer {}", answer.access_token)).ok()?;
    header.set_sensitive(true);
    let asked_at = asked_at.earliest();
    let most = |seconds: i64| SignedDuration::from_secs(seconds.clamp(0, LONGEST_LIFE));
    let by_length = whole_number(&answer.expires_in).map(most);
    // A host gives out the same token again and again, and counts its length from when it was made.
    let by_moment =
        whole_number(&answer.expires_on).map(|end| most(end.saturating_sub(asked_at.as_second())));
    let life = match (by_length, by_moment) {
        (Some(length), Some(moment)) => length.min(moment),
        (length, moment) => length.or(moment)?,
    };
    let early = RENEWED_EARLY.min(life / 10);
    let ends_at = asked_at.checked_add(life).ok()?;
    let client_id = answer.client_id.as_deref().and_then(|id| id.parse().ok());
    Some(Token { header, number, renew_at: ends_at.checked_sub(early).ok()?, ends_at, client_id })
}

/// A number; managed identities send it as text.
fn whole_number(value: &serde_json::Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn problem(body: &[u8]) -> TokenProblem {
    serde_json::from_slice(body).unwrap_or_default()
}

/// The codes of a refusal. Its description is left out: it can quote what was sent.
fn code(problem: &TokenProblem) -> String {
    let error = problem.error.as_deref().unwrap_or("no code");
    let mut code: String =
        error.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ')).take(64).collect();
    for number in problem.error_codes.iter().take(3) {
        code.push_str(&format!(", AADSTS{number}"));
    }
    code
}
