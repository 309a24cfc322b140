//! The inventory: what a tenant holds of privilege, read whole for a first policy.

use async_trait::async_trait;
use elevate_core::policy::import::Survey;

use super::directory::Unreachable;

/// Entra ID, or what stands in for it, when it is asked for everything at once.
#[async_trait]
pub trait Inventory: Send + Sync + std::fmt::Debug {
    /// Who holds or may activate which role, and on which terms. What the broker may not read, or the tenant does
    /// not have, stands among the notes. It is slow, and gives way to everything else.
    ///
    /// # Errors
    /// A listing gave no whole answer; nothing may be concluded from what is missing.
    async fn survey(&self) -> Result<Survey, Unreachable>;
}
