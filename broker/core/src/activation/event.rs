//! What can happen to an activation, and who makes it happen.

use jiff::Timestamp;

use super::{Cause, Kind, ProofShown, Request};
use crate::approval::Approval;
use crate::names::{ActivationId, AssignmentId, Principal};

/// Who made an event happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A person or a workload, by its verified token.
    Principal(Principal),
    /// The broker itself: time, or an answer of the directory.
    Broker,
}

/// What happened, to whom it belongs and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, by the broker's clock.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// What.
    pub change: Change,
}

/// What can happen to an activation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was asked for. Always the first, and only the first.
    Requested(Box<Request>),
    /// It needs people.
    ApprovalSought {
        /// Until when they can answer.
        lapses_at: Timestamp,
    },
    /// Somebody said yes.
    Approved(Box<Approval>, Box<ProofShown>),
    /// Somebody said no.
    Denied {
        /// In their words.
        reason: String,
    },
    /// The asker took it back before it began, or somebody with the right to revoke did.
    Withdrawn,
    /// Time ran out before it began.
    Lapsed,
    /// It may begin.
    Scheduled {
        /// From then on.
        starts_at: Timestamp,
        /// And not later than this.
        lapses_at: Timestamp,
    },
    /// The intent: the slot was seen empty, and the directory will be asked.
    ActivationBegun {
        /// The end, fixed now.
        not_after: Timestamp,
    },
    /// It will not be granted: a rule or the directory stands against it, and nothing was granted.
    Refused {
        /// Why, in words for the asker.
        reason: String,
    },
    /// The directory confirmed it.
    Activated {
        /// What the directory calls it.
        held: AssignmentId,
    },
    /// A try that settled nothing.
    Postponed {
        /// When to try again.
        retry_at: Timestamp,
        /// What was in the way, in words for the holder.
        reason: String,
    },
    /// It is to be taken away.
    RevocationBegun(Cause),
    /// A read shows it gone.
    Removed,
    /// Two reads show it gone, though nobody here took it.
    RemovedElsewhere,
    /// The activation that continues this one took its slot and its assignment.
    TakenOver {
        /// Which.
        by: ActivationId,
    },
    /// The holder's sign-in sessions were revoked after the role.
    SignedOut,
    /// They were to be, and the directory did not do it.
    SignOutFailed {
        /// Why, in words for an operator.
        reason: String,
    },
    /// Somebody else looked at a break-glass use after it was over.
    Reviewed {
        /// In their words.
        comment: String,
    },
}

impl Change {
    /// One word for it, as it stands in the audit list.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Requested(request) => match request.kind {
                Kind::Ordinary => "requested",
                Kind::BreakGlass => "break-glass",
            },
            Self::ApprovalSought { .. } => "approval-sought",
            Self::Approved(..) => "approved",
            Self::Denied { .. } => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
            Self::Scheduled { .. } => "scheduled",
            Self::ActivationBegun { .. } => "activation-begun",
            Self::Refused { .. } => "refused",
            Self::Activated { .. } => "activated",
            Self::Postponed { .. } => "postponed",
            Self::RevocationBegun(_) => "revocation-begun",
            Self::Removed => "removed",
            Self::RemovedElsewhere => "removed-elsewhere",
            Self::TakenOver { .. } => "taken-over",
            Self::SignedOut => "signed-out",
            Self::SignOutFailed { .. } => "sign-out-failed",
            Self::Reviewed { .. } => "reviewed",
        }
    }
}
