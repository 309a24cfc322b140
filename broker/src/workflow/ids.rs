//! What new activations are called.

use std::fmt;

use elevate_core::names::ActivationId;
use uuid::Uuid;

/// Gives every activation an id of its own, later ones greater ones.
pub struct Ids(Box<dyn Fn() -> ActivationId + Send + Sync>);

impl Ids {
    /// From a source that never gives the same twice. Ids enter digests, and digests spread retries: a run that
    /// is to be repeated step by step needs the same ids.
    pub fn from(source: impl Fn() -> ActivationId + Send + Sync + 'static) -> Self {
        Self(Box::new(source))
    }

    pub(super) fn next(&self) -> ActivationId {
        (self.0)()
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::from(|| ActivationId::from_uuid(Uuid::now_v7()))
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}
