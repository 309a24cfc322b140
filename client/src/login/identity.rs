//! The tenant's sign-in service, as OpenID Connect describes it: discovery and the token endpoint.
//!
//! HTTPS only, no redirects, answers of bounded size. ID tokens are read here for display and to compare
//! their nonce; whoever relies on them (the broker) verifies them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::exit::Exit;
use crate::failure::{Failure, Result, cause};
use crate::login::session::Secret;
use crate::render::clean_line;
use crate::settings::{Settings, read_named};

/// How long the sign-in service may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Discovery documents and token answers are a few KiB.
const ANSWER_BYTES_MAX: usize = 512 * 1024;

/// A sign-in service that has been found.
#[derive(Debug)]
pub(crate) struct Provider {
    http: reqwest::Client,
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: Url,
    token_endpoint: Url,
    device_endpoint: Option<Url>,
    /// What time it thought it was.
    pub(crate) date: Option<Timestamp>,
}

/// What a token endpoint gives.
#[derive(Debug, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: Secret,
    #[serde(default)]
    pub(crate) expires_in: i64,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) id_token: Option<Secret>,
}

/// What a person needs to sign in elsewhere: RFC 8628, section 3.2.
#[derive(Debug, Deserialize)]
pub(crate) struct Device {
    pub(crate) device_code: Secret,
    pub(crate) user_code: String,
    pub(crate) verification_uri: Url,
    pub(crate) expires_in: u64,
    pub(crate) interval: Option<u64>,
}

/// Why an endpoint gave nothing.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It said no.
    Said { error: String, why: String },
    /// It could not be asked, or not be understood.
    Lost(Failure),
}

/// What an ID token says, unverified.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Claims {
    pub(crate) nonce: Option<String>,
    pub(crate) oid: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) preferred_username: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    device_authorization_endpoint: Option<Url>,
}

impl Provider {
    /// Reads what the issuer says about itself.
    pub(crate) async fn discover(settings: &Settings, issuer: &str) -> Result<Self> {
        let shown = clean_line(issuer);
        let wrong = |why: &str| {
            Failure::new(Exit::Unexpected, "SIGN_IN_SERVICE", format!("the sign-in service {shown} {why}"))
                .advice("tell the people who run the broker: its configuration names this issuer")
        };
        let address =
            Url::parse(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))
                .map_err(|_| wrong("is no address"))?;
        if address.scheme() != "https" {
            return Err(wrong("is not reached by https; nobody signs in there"));
        }
        let http = client(settings)?;
        let answer = http.get(address).send().await.map_err(|error| lost(issuer, &error))?;
        let status = answer.status();
        let date = answer.headers().get("date").and_then(|value| value.to_str().ok()).and_then(http_date);
        let body = read(answer).await.map_err(|error| lost(issuer, &error))?;
        if !status.is_success() {
            return Err(wrong(&format!("answered {status} when asked about itself")));
        }
        let document: Document = serde_json::from_slice(&body)
            .map_err(|_| wrong("does not describe itself as OpenID Connect says"))?;
        // Otherwise one issuer could send people to another's door.
        if document.issuer != issuer {
            return Err(wrong(&format!("calls itself {}", clean_line(&document.issuer))));
        }
        let endpoints = [&document.authorization_endpoint, &document.token_endpoint];
        let device = document.device_authorization_endpoint.as_ref();
        if endpoints.into_iter().chain(device).any(|endpoint| endpoint.scheme() != "https") {
            return Err(wrong("names endpoints that are not reached by https"));
        }
        Ok(Self {
            http,
            issuer: document.issuer,
            authorization_endpoint: document.authorization_endpoint,
            token_endpoint: document.token_endpoint,
            device_endpoint: document.device_authorization_endpoint,
            date,
        })
    }

    /// The address that assertions for the token endpoint are made out to.
    pub(crate) fn audience(&self) -> &str {
        self.token_endpoint.as_str()
    }

    /// Asks the token endpoint.
    pub(crate) async fn token(&self, form: &[(&str, &str)]) -> std::result::Result<Tokens, Refused> {
        self.ask(&self.token_endpoint, form).await
    }

    /// Begins a sign-in by device code.
    pub(crate) async fn device(&self, form: &[(&str, &str)]) -> std::result::Result<Device, Refused> {
        let none = || {
            let told = "the sign-in service does not say where a sign-in by device code begins";
            Refused::Lost(Failure::new(Exit::Unexpected, "SIGN_IN_SERVICE", told))
        };
        self.ask(self.device_endpoint.as_ref().ok_or_else(none)?, form).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        endpoint: &Url,
        form: &[(&str, &str)],
    ) -> std::result::Result<T, Refused> {
        let lost = |error: &reqwest::Error| Refused::Lost(lost(&self.issuer, error));
        let answer =
            self.http.post(endpoint.clone()).form(form).send().await.map_err(|error| lost(&error))?;
        let status = answer.status();
        let body = zeroize::Zeroizing::new(read(answer).await.map_err(|error| lost(&error))?);
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| {
                Refused::Lost(Failure::new(
                    Exit::Unexpected,
                    "SIGN_IN_SERVICE",
                    "the sign-in service's answer holds not what it must",
                ))
            });
        }
        #[derive(Deserialize)]
        struct No {
            error: String,
            #[serde(default)]
            error_description: String,
        }
        match serde_json::from_slice::<No>(&body) {
            Ok(no) if !status.is_server_error() => Err(Refused::Said {
                why: said(&no.error, &no.error_description),
                error: clean_line(&no.error),
            }),
            _ => Err(Refused::Lost(Failure::unreachable(format!("the sign-in service answered {status}")))),
        }
    }
}

impl Claims {
    /// Reads an ID token without verifying it.
    pub(crate) fn read(id_token: &str) -> Option<Self> {
        let payload = id_token.split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }
}

/// What a sign-in service said, in a line: Entra's descriptions go on for several.
pub(crate) fn said(error: &str, description: &str) -> String {
    match description.lines().next().map(clean_line).filter(|line| !line.is_empty()) {
        Some(line) => line,
        None => clean_line(error),
    }
}

/// `Fri, 20 Nov 2026 20:40:52 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

fn client(settings: &Settings) -> Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .user_agent(concat!("elevate/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &settings.ca {
        let bytes = read_named(path, "the certificates in")?;
        let extra = reqwest::Certificate::from_pem_bundle(&bytes)
            .map_err(|_| Failure::usage(format!("`{}` is no PEM file of certificates", path.display())))?;
        builder = builder.tls_certs_merge(extra);
    }
    builder.build().map_err(|error| Failure::unreachable(format!("HTTPS cannot be set up: {error}")))
}

async fn read(mut answer: reqwest::Response) -> std::result::Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            // What is cut off does not parse.
            body.clear();
            break;
        }
    }
    Ok(body)
}

fn lost(issuer: &str, error: &reqwest::Error) -> Failure {
    let host = Url::parse(issuer).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let io = cause::<std::io::Error>(error);
    let (why, advice) = match (cause::<rustls::Error>(error), io) {
        (Some(_), Some(io)) => crate::tls::in_plain_words(io),
        (Some(tls), None) => (tls.to_string(), "see `elevate doctor`"),
        _ if error.is_timeout() => ("it did not answer in time".to_owned(), "check the network"),
        (None, Some(io)) => (io.to_string(), "check the network"),
        (None, None) => ("there is no connection".to_owned(), "check the network"),
    };
    Failure::new(
        Exit::Unreachable,
        "SIGN_IN_UNREACHABLE",
        format!("cannot reach the sign-in service at {host}: {why}"),
    )
    .advice(advice)
}
