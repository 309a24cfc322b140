//! Ticket systems that can say whether a ticket stands for what is asked under it.

use async_trait::async_trait;
use elevate_core::names::{Principal, RoleName, Ticket};
use elevate_core::policy::CheckName;
use jiff::Timestamp;

/// Whether this ticket stands for this.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Which of the configured systems is asked.
    pub check: &'a CheckName,
    /// The ticket, as the asker named it.
    pub ticket: &'a Ticket,
    /// The eligible role.
    pub role: &'a RoleName,
    /// Where it would count: a scope, or what one would be to a group.
    pub place: &'a str,
    /// Who asks.
    pub requester: Principal,
    /// When the role would begin, if nobody had to say yes.
    pub starts_at: Timestamp,
    /// When it would end then.
    pub ends_at: Timestamp,
}

/// What a ticket system says. The reasons are words for the asker, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It stands.
    Confirmed,
    /// It does not.
    Refused(String),
    /// Nobody said anything that could be understood, in time.
    Unanswered(String),
    /// This broker could not ask: too many ask at this moment, or it lacks what it needs for it. This is nobody's
    /// silence, and never let pass: else whoever asks often enough would have their ticket let through.
    NotAsked(String),
}

/// The ticket systems that the configuration names.
#[async_trait]
pub trait Tickets: Send + Sync + std::fmt::Debug {
    /// Whether there is one of this name.
    fn knows(&self, check: &CheckName) -> bool;

    /// Asks. Returns in bounded time, whatever the other side does. Wait for it with no lock in hand.
    async fn ask(&self, question: &Question<'_>) -> Said;
}
