//! Signing the holder out, after the role is gone.

use jiff::Timestamp;

use super::{Cause, Change, Request, Retry};

/// Whether the holder's sign-in sessions are still to be revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignOut {
    /// No: the role does not say so, or nothing that was held has ended yet.
    NotNeeded,
    /// The role is gone, and they are next. Not before: whoever signs in again while it is there has it again.
    Due(Retry),
    /// The directory said that it did.
    Done {
        /// When.
        at: Timestamp,
    },
    /// The directory did not do it.
    Failed {
        /// Why, in words for an operator.
        reason: String,
    },
}

impl SignOut {
    /// What is to be done once a role is seen gone.
    pub(super) const fn first(request: &Request, at: Timestamp) -> Self {
        if request.sign_out { Self::Due(Retry::first(at)) } else { Self::NotNeeded }
    }

    /// The same where the broker took it away. An account that is gone has no sessions.
    pub(super) const fn after(request: &Request, cause: &Cause, at: Timestamp) -> Self {
        match cause {
            Cause::AccountClosed { deleted: true } => Self::NotNeeded,
            _ => Self::first(request, at),
        }
    }

    /// What follows from this change; `None` when it cannot follow.
    pub(super) fn followed_by(&self, change: &Change, at: Timestamp) -> Option<Self> {
        let Self::Due(retry) = self else { return None };
        Some(match change {
            Change::SignedOut => Self::Done { at },
            Change::SignOutFailed { reason } => Self::Failed { reason: reason.clone() },
            Change::Postponed { retry_at, reason } => Self::Due(retry.again(*retry_at, reason.clone())),
            _ => return None,
        })
    }
}
