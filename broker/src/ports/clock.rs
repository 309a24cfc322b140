//! What time it is, and how to wait for it.

use async_trait::async_trait;
use elevate_core::due::Now;
use jiff::Timestamp;

/// The only source of time. Tests move it by hand.
#[async_trait]
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// What time it may be.
    fn now(&self) -> Now;

    /// Returns when `now().latest()` has reached `moment`, or earlier: whoever waits looks again.
    async fn sleep_until(&self, moment: Timestamp);
}
