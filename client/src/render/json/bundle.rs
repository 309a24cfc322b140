//! What was asked for together.

use elevate_proto::v1;
use serde::Serialize;

use super::{Activation, Asked, DryRun, Proof, all};

/// What was asked for together, or what of it was decided on, in its order.
#[derive(Debug, Serialize)]
pub(crate) struct Bundle {
    activations: Vec<Activation>,
}

impl From<Vec<v1::Activation>> for Bundle {
    fn from(activations: Vec<v1::Activation>) -> Self {
        Self { activations: all(activations) }
    }
}

/// What would be done to several; nothing was.
#[derive(Debug, Serialize)]
pub(crate) struct DryBundle {
    dry_run: bool,
    verb: &'static str,
    /// What would be asked for.
    items: Vec<Asked>,
    /// What the one sign-in must show.
    proof: Option<Proof>,
    /// What it would be bound to.
    digest: Option<String>,
    /// What it would be done to, as it stands.
    activations: Vec<Activation>,
}

impl DryBundle {
    /// Of asking for roles.
    pub(crate) fn asked(
        each: impl Iterator<Item = (v1::PrepareActivationRequest, v1::PrepareActivationResponse, String)>,
        challenge: v1::Challenge,
        digest: String,
    ) -> Self {
        Self {
            dry_run: true,
            verb: "activate",
            items: each.filter_map(|(ask, told, digest)| DryRun::asked(ask, told, digest).asked).collect(),
            proof: challenge.requirement.map(Into::into),
            digest: Some(digest),
            activations: Vec::new(),
        }
    }

    /// Of a verb on these.
    pub(crate) fn on(verb: &'static str, activations: Vec<v1::Activation>) -> Self {
        Self {
            dry_run: true,
            verb,
            items: Vec::new(),
            proof: None,
            digest: None,
            activations: all(activations),
        }
    }
}
