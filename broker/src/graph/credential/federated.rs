//! A token of another issuer, which Entra takes in place of a secret: workload identity federation
//! (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation>).
//!
//! Whoever runs the broker puts the token into a file and renews it there, as Kubernetes does with a
//! projected service account token. So the file is read at every use and nothing of it is kept.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// The audience that Entra wants such a token to be for, unless the federated credential says otherwise.
pub(crate) const AUDIENCE: &str = "api://AzureADTokenExchange";
/// The longest token that is read, in bytes; real ones have a few thousand.
const LONGEST: u64 = 64 * 1024;
/// How much of a claim is shown.
const SHOWN: usize = 200;

/// The file in which the token is.
#[derive(Debug, Clone)]
pub struct FederatedToken {
    file: PathBuf,
}

/// Why there is no token in the file.
#[derive(Debug, thiserror::Error)]
pub enum FederatedTokenError {
    /// The file cannot be read.
    #[error(
        "{file} cannot be read ({why}); whatever runs the broker has to put a token of the outer issuer there"
    )]
    Unreadable {
        /// Which.
        file: String,
        /// Why not.
        why: std::io::Error,
    },
    /// It holds something else.
    #[error("{file} holds no token; it must be one JWT of the outer issuer and nothing else")]
    NoToken {
        /// Which.
        file: String,
    },
}

/// What the token says about itself. Entra verifies it; here it is only shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Says {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) ends_at: Option<Timestamp>,
}

impl FederatedToken {
    /// The token that is in this file whenever it is needed.
    pub const fn in_file(file: PathBuf) -> Self {
        Self { file }
    }

    /// Which file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The token that is in the file now. Blocks.
    ///
    /// # Errors
    /// The file cannot be read, or holds no token.
    pub fn read(&self) -> Result<SecretString, FederatedTokenError> {
        let name = || self.file.display().to_string();
        let mut text = String::new();
        let file = File::open(&self.file);
        file.and_then(|file| file.take(LONGEST).read_to_string(&mut text))
            .map_err(|why| FederatedTokenError::Unreadable { file: name(), why })?;
        let token = SecretString::from(text.trim().to_owned());
        if says(token.expose_secret()).is_none() {
            return Err(FederatedTokenError::NoToken { file: name() });
        }
        Ok(token)
    }

    /// What the token in the file says about itself. Blocks.
    ///
    /// # Errors
    /// As with [`Self::read`].
    pub(crate) fn look(&self) -> Result<Says, FederatedTokenError> {
        let token = self.read()?;
        says(token.expose_secret())
            .ok_or_else(|| FederatedTokenError::NoToken { file: self.file.display().to_string() })
    }
}

fn says(token: &str) -> Option<Says> {
    #[derive(Deserialize)]
    struct Claims {
        #[serde(default)]
        iss: String,
        #[serde(default)]
        sub: String,
        aud: Option<Audience>,
        exp: Option<f64>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Several(Vec<String>),
    }
    let [_, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
    let is_text = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic());
    if !is_text(signature) {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let audiences = match claims.aud {
        None => Vec::new(),
        Some(Audience::One(one)) => vec![shown(&one)],
        Some(Audience::Several(several)) => several.iter().map(|one| shown(one)).collect(),
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of a float saturates, and the end of time is no end"
    )]
    let ends_at = claims.exp.and_then(|exp| Timestamp::from_second(exp as i64).ok());
    Some(Says { issuer: shown(&claims.iss), subject: shown(&claims.sub), audiences, ends_at })
}

/// It goes to a terminal.
fn shown(claim: &str) -> String {
    claim.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}
