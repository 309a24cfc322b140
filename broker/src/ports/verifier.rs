//! Who is calling, and what a sign-in proves.

use std::collections::BTreeSet;

use async_trait::async_trait;
use elevate_core::activation::ProofShown;
use elevate_core::binding::{Action, Digest};
use elevate_core::names::Principal;
use elevate_core::policy::ProofRule;
use jiff::Timestamp;

/// Knows tokens and the keys they are signed with.
#[async_trait]
pub trait Verifier: Send + Sync + std::fmt::Debug {
    /// Whose access token this is.
    ///
    /// # Errors
    /// It is not a token for this broker that is good now.
    async fn caller(&self, bearer: &str) -> Result<Caller, TokenRefusal>;

    /// A challenge for this caller to do exactly this. Keeps nothing: it carries its own seal and end.
    fn challenge(&self, caller: Principal, digest: Digest, action: Action) -> Challenge;

    /// Whether `proof` is the ID token of a sign-in by `caller` that satisfies `rule` for exactly
    /// this, under a challenge of this broker that is still good. Single use is the journal's part.
    ///
    /// # Errors
    /// What it lacks.
    async fn proof(&self, proof: &str, wanted: &Wanted<'_>) -> Result<VerifiedProof, TokenRefusal>;
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// By `(tenant, object)`.
    pub principal: Principal,
    /// A person or a program.
    pub kind: CallerKind,
    /// What the tenant lets them do beside asking and approving.
    pub roles: BTreeSet<AppRole>,
    /// What to call them where people read it. Never a ground for a decision.
    pub name: String,
}

/// A person or a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerKind {
    /// A delegated token: somebody signed in.
    Person,
    /// An app-only token.
    Workload,
}

/// The app roles of the broker's registration, assigned in the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AppRole {
    /// May change the policy.
    PolicyAdmin,
    /// May read the whole record and every activation.
    Auditor,
    /// May take any activation away.
    Revoker,
}

impl AppRole {
    /// As the contract names it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::PolicyAdmin => "policy-admin",
            Self::Auditor => "auditor",
            Self::Revoker => "revoker",
        }
    }
}

/// What the client is to sign in for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Sealed by the broker; sent back with the proof. At most 512 bytes of URL-safe text.
    pub text: String,
    /// The `nonce` of the sign-in: [`elevate_core::binding::nonce`], base64url without padding.
    pub nonce: String,
    /// When it is good no more.
    pub expires_at: Timestamp,
}

/// What a proof must show.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Who must have signed in: the caller of the same call.
    pub caller: Principal,
    /// To do what.
    pub action: Action,
    /// To exactly what.
    pub digest: Digest,
    /// The challenge that came back with it. Empty where the rule asks for no binding.
    pub challenge: &'a str,
    /// How strong, how fresh, how bound.
    pub rule: &'a ProofRule,
}

/// A token that was verified to prove what was wanted. Made in `identity` and nowhere else (the tidy
/// test holds that).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedProof {
    shown: ProofShown,
}

impl VerifiedProof {
    /// For the verifier only: every claim of it has been checked.
    pub(crate) const fn attested(shown: ProofShown) -> Self {
        Self { shown }
    }

    /// What of it goes on record.
    pub fn into_shown(self) -> ProofShown {
        self.shown
    }
}

/// Why a token does not count. The texts go to the caller: what, why and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Not a token that this tenant signed, or not for this broker, or not in its time.
    #[error("{0}; run `elevate login` to sign in again")]
    Invalid(String),
    /// A proof that is not one: of another kind, client, tenant, person or time.
    #[error("{0}; sign in again when asked, by the address that this command prints")]
    NotAProof(String),
    /// Somebody else's proof.
    #[error("the proof is another person's; sign in as the person who is asking")]
    Foreign,
    /// Signed in too long ago.
    #[error("the sign-in is older than the {allowed} that the policy allows; sign in again when asked")]
    Stale {
        /// The rule, as people write it.
        allowed: String,
    },
    /// Not strong enough.
    #[error("the sign-in was not strong enough: {wanted}")]
    Weak {
        /// What would be.
        wanted: String,
    },
    /// For another request, or under a challenge that is not ours or over.
    #[error("the proof is not bound to this request: {why}; prepare it again and sign in for it")]
    Unbound {
        /// What does not fit.
        why: String,
    },
    /// Nobody outside has said yet what time it is, so nothing can be said of a token's time either.
    #[error("the broker has not yet heard from the tenant what time it is; try again in a moment")]
    TimeUnsure,
    /// The tenant's keys could not be had, and none are kept.
    #[error("the tenant's signing keys cannot be read: {why}; try again, and tell your operator if it stays")]
    Unreachable {
        /// What was in the way; holds no secret.
        why: String,
    },
}

impl TokenRefusal {
    /// A word that stays the same: the `reason` in a status' details.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "TOKEN_INVALID",
            Self::NotAProof(_) => "PROOF_INVALID",
            Self::Foreign => "PROOF_FOREIGN",
            Self::Stale { .. } => "PROOF_STALE",
            Self::Weak { .. } => "PROOF_WEAK",
            Self::Unbound { .. } => "PROOF_UNBOUND",
            Self::TimeUnsure => "TIME_UNSURE",
            Self::Unreachable { .. } => "TENANT_UNREACHABLE",
        }
    }
}
