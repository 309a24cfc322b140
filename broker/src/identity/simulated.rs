//! Proofs for a simulation, whose model of the tenant knows by itself who signed in for what.

use elevate_core::activation::ProofShown;

use crate::ports::verifier::VerifiedProof;

/// What a sign-in showed that the model has looked at.
pub const fn proof(shown: ProofShown) -> VerifiedProof {
    VerifiedProof::attested(shown)
}
