//! A session as it is kept.

use std::fmt;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::login::identity::Tokens;

/// A session with one broker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) broker: String,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    /// What was asked for at sign-in, and is again at renewal.
    pub(crate) scope: String,
    pub(crate) access_token: Secret,
    pub(crate) expires_at: Timestamp,
    pub(crate) refresh_token: Option<Secret>,
    /// For display, and as the hint who signs in again. Nothing is decided by it.
    pub(crate) username: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) object_id: Option<String>,
    /// For a program: how it shows who it is.
    pub(crate) workload: Option<Workload>,
}

/// How a program shows who it is. Paths only: the secrets stay where they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Workload {
    /// A secret, in a file.
    Secret { client_id: String, file: PathBuf },
    /// A certificate and its key, both PEM.
    Certificate { client_id: String, certificate: PathBuf, key: PathBuf },
}

/// A text that is not shown and does not stay in memory.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) Zeroizing<String>);

impl Session {
    /// Takes over what a token endpoint gave.
    pub(crate) fn take(&mut self, tokens: Tokens, now: Timestamp) {
        self.expires_at = expiry(&tokens, now);
        self.access_token = tokens.access_token;
        // A server that gives no new refresh token leaves the old one good.
        self.refresh_token = tokens.refresh_token.or_else(|| self.refresh_token.take());
    }
}

/// When the access token is good no more.
pub(crate) fn expiry(tokens: &Tokens, now: Timestamp) -> Timestamp {
    let seconds = tokens.expires_in.clamp(0, 7 * 24 * 3600);
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now)
}

impl Secret {
    /// Hides a text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
