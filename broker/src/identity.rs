//! Who is calling, and what a sign-in proved: the [`Verifier`] over signed tokens.
//!
//! A token counts when a key of the configured tenant signed it with one of three algorithms (RS256,
//! PS256, ES256) and every claim that a rule reads is there, of its JSON type, and as wanted. Absent, null
//! and wrong type are three refusals, and none of them is "not checked". The reasons are those of RFC 8725.
//!
//! Two kinds of token come here and neither passes for the other: the access token for the broker's own
//! API says who calls (`access`); the ID token of a fresh sign-in to the command line's registration
//! proves that they meant this request (`proof`).
//!
//! Tokens and claims appear in no log and no error.

use async_trait::async_trait;
use elevate_core::binding::{Action, Digest};
use elevate_core::names::Principal;
use tokio_util::sync::CancellationToken;

use crate::ports::Verifier;
use crate::ports::clock::Assurance;
use crate::ports::verifier::{Caller, Challenge, TokenRefusal, VerifiedProof, Wanted};
use challenge::Seal;
use json::Object;
use keys::{KeyMiss, Keys, Place};
use token::{Kind, Token};

mod access;
mod challenge;
mod claims;
mod json;
mod keys;
mod proof;
mod settings;
#[cfg(feature = "simulation")]
pub mod simulated;
mod token;

pub use keys::{KeyCheck, KeyFault, KeyStatus};
pub use settings::{ClaimNames, Settings, SettingsFault};

/// Knows the tokens of one tenant.
#[derive(Debug)]
pub struct Identity {
    settings: Settings,
    keys: Keys,
    seal: Seal,
}

impl Identity {
    /// Ready to verify; the keys are read at [`Identity::warm`], or when first needed.
    ///
    /// # Errors
    /// A setting that could not work.
    pub fn new(settings: Settings) -> Result<Self, SettingsFault> {
        let source = keys::source::Web::new(settings.http.clone(), settings.clock.clone());
        Self::reading(settings, Box::new(source))
    }

    fn reading(settings: Settings, source: Box<dyn keys::source::Source>) -> Result<Self, SettingsFault> {
        settings.check()?;
        let place = Place::new(&settings)?;
        let keys = Keys::new(source, place, settings.clock.clone());
        let seal = Seal::new().ok_or(SettingsFault::NoRandomness)?;
        Ok(Self { settings, keys, seal })
    }

    /// Reads the tenant's signing keys, so that the first caller need not wait for them.
    ///
    /// # Errors
    /// They cannot be read now; callers are refused until they can.
    pub async fn warm(&self) -> Result<KeyStatus, KeyFault> {
        self.keys.fetch().await?;
        Ok(self.status())
    }

    /// Keeps the keys fresh until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        self.keys.run(stop).await;
    }

    /// What is known of the tenant's keys.
    pub fn status(&self) -> KeyStatus {
        self.keys.status()
    }

    /// Reads discovery and keys afresh and says what is there; changes nothing that is kept.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn check(&self) -> Result<KeyCheck, KeyFault> {
        self.keys.check().await
    }

    fn knows_the_time(&self) -> Result<(), TokenRefusal> {
        match self.settings.clock.assurance() {
            Assurance::Unwitnessed => Err(TokenRefusal::TimeUnsure),
            Assurance::Doubted | Assurance::Witnessed { .. } => Ok(()),
        }
    }

    /// The claims of a token that the tenant signed.
    async fn signed(
        &self,
        text: &str,
        kind: Kind,
        refused: fn(String) -> TokenRefusal,
    ) -> Result<Object, TokenRefusal> {
        let refuse = |fault: &dyn std::fmt::Display| refused(format!("the {} {fault}", kind.as_str()));
        let token = Token::read(text, kind).map_err(|fault| refuse(&fault))?;
        let key = self.keys.key(token.kid()).await.map_err(|miss| match miss {
            KeyMiss::Unknown => refuse(&miss),
            KeyMiss::Unreachable(why) => TokenRefusal::Unreachable { why },
        })?;
        token.open(&key).map_err(|fault| refuse(&fault))
    }
}

#[async_trait]
impl Verifier for Identity {
    async fn caller(&self, bearer: &str) -> Result<Caller, TokenRefusal> {
        self.knows_the_time()?;
        let claims = self.signed(bearer, Kind::Access, TokenRefusal::Invalid).await?;
        access::caller(&claims, &self.settings, self.settings.clock.now())
            .map_err(|fault| TokenRefusal::Invalid(format!("the {} {fault}", Kind::Access.as_str())))
    }

    fn challenge(&self, caller: Principal, digest: Digest, action: Action) -> Challenge {
        self.seal.challenge(caller, digest, action, self.settings.clock.now())
    }

    async fn proof(&self, proof: &str, wanted: &Wanted<'_>) -> Result<VerifiedProof, TokenRefusal> {
        self.knows_the_time()?;
        let claims = self.signed(proof, Kind::Id, TokenRefusal::NotAProof).await?;
        // The time is taken after the keys were had: waiting for them must not make a proof fresher.
        let now = self.settings.clock.now();
        proof::shown(&claims, wanted, &self.settings, &self.seal, now).map(VerifiedProof::attested)
    }
}

#[cfg(test)]
mod tests;
