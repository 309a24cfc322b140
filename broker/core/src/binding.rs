//! What a proof is bound to: digests and nonces, byte for byte.
//!
//! The same bytes are described in `proto/elevate/v1/activations.proto`, so that a client in any
//! language can compute them from what it shows its user, and refuse to sign in for anything else.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::approval::Narrowed;
use crate::names::{ActivationId, Justification, Principal, RoleName, Target, Ticket};
use crate::policy::PolicyVersion;
use crate::term::Term;

/// The SHA-256 of exactly what is asked or approved.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What the proof is for. A proof for one is worth nothing for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// To activate a role.
    Activate,
    /// To approve somebody's activation.
    Approve,
    /// To activate a role in an emergency.
    BreakGlass,
}

impl Action {
    /// As it enters the nonce.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Approve => "approve",
            Self::BreakGlass => "break-glass",
        }
    }
}

/// Everything a person asks for, as it enters the digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Who asks, and will hold.
    pub principal: Principal,
    /// The eligible role.
    pub role: RoleName,
    /// What that means in the directory.
    pub target: Target,
    /// For how long.
    pub term: Term,
    /// From when; `None` is as soon as it is approved.
    pub starts_at: Option<Timestamp>,
    /// Why.
    pub justification: Justification,
    /// Under which ticket.
    pub ticket: Option<Ticket>,
    /// The policy it was read against.
    pub policy: PolicyVersion,
    /// The live activation whose slot this one takes over.
    pub continues: Option<ActivationId>,
}

impl Asked {
    /// `SHA-256("elevate-activation-v1" ‖ field ‖ …)`, each field four bytes of length (big endian) and
    /// its UTF-8 text; an absent field is the empty text. Order as in the struct.
    pub fn digest(&self) -> Digest {
        let (number, system) = self.ticket.as_ref().map_or(("", ""), |t| (t.number(), t.system()));
        hash(
            "elevate-activation-v1",
            &[
                &self.principal.tenant.to_string(),
                &self.principal.object.to_string(),
                self.role.as_str(),
                self.target.way().as_str(),
                &self.target.resource().id().as_hyphenated().to_string(),
                &self.target.resource().place(),
                &self.term.seconds().to_string(),
                &self.starts_at.map(|at| at.as_second().to_string()).unwrap_or_default(),
                self.justification.as_str(),
                number,
                system,
                &self.policy.to_string(),
                &self.continues.map(|id| id.to_string()).unwrap_or_default(),
            ],
        )
    }
}

/// `SHA-256("elevate-approval-v1" ‖ activation id ‖ request digest in lower-case hex)`; a yes to less is
/// `SHA-256("elevate-approval-narrowed-v1" ‖ activation id ‖ request digest ‖ term in seconds ‖ scope)`,
/// what is less than asked as it is then, and what is not the empty text.
pub fn approval_digest(activation: ActivationId, request: Digest, narrowed: &Narrowed) -> Digest {
    let (activation, request) = (activation.to_string(), request.to_string());
    if *narrowed == Narrowed::NOTHING {
        return hash("elevate-approval-v1", &[&activation, &request]);
    }
    let term = narrowed.term.map(|term| term.seconds().to_string()).unwrap_or_default();
    let scope = narrowed.scope.map(|scope| scope.to_string()).unwrap_or_default();
    hash("elevate-approval-narrowed-v1", &[&activation, &request, &term, &scope])
}

/// `SHA-256("elevate-bundle-v1" ‖ digest in lower-case hex ‖ …)`: one sign-in for several requests, or
/// for several approvals, in this order.
pub fn bundle_digest(members: &[Digest]) -> Digest {
    let members: Vec<String> = members.iter().map(ToString::to_string).collect();
    hash("elevate-bundle-v1", &members.iter().map(String::as_str).collect::<Vec<_>>())
}

/// `SHA-256("elevate-policy-v1" ‖ version ‖ text)`: a proposed policy, and the version it would become, so that
/// who confirms it confirms what they read and nothing else.
pub fn policy_digest(version: u64, text: &str) -> Digest {
    hash("elevate-policy-v1", &[&version.to_string(), text])
}

/// `SHA-256("elevate-nonce-v1" ‖ challenge ‖ digest in lower-case hex ‖ action)`: sent as the `nonce`
/// of the sign-in (base64url without padding), so that its ID token proves this and nothing else.
pub fn nonce(challenge: &str, digest: Digest, action: Action) -> Digest {
    hash("elevate-nonce-v1", &[challenge, &digest.to_string(), action.as_str()])
}

fn hash(domain: &str, fields: &[&str]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(domain.as_bytes());
    for field in fields {
        // No field reaches 4 GiB; one that did could not be told from another, so it matches nothing.
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        hasher.update(length.to_be_bytes());
        hasher.update(field.as_bytes());
    }
    Digest(hasher.finalize().into())
}

#[cfg(test)]
mod tests;
