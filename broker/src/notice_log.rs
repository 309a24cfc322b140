//! The one adapter of [`Notifier`] there is: a line in the log for each notice, for whoever collects logs.

use async_trait::async_trait;
use elevate_core::names::Principal;
use tracing::field;

use crate::ports::Notifier;
use crate::ports::notifier::{About, Kind, Notice, Undelivered};

/// Writes notices to the log, at level info under the target `notices`.
#[derive(Debug, Clone, Copy)]
pub struct NoticeLog;

#[async_trait]
impl Notifier for NoticeLog {
    async fn deliver(&self, notice: &Notice) -> Result<(), Undelivered> {
        let Notice { id, kind, at, about, by, to } = notice;
        let (activation, role, holder, assignment) = match about {
            About::Activation { id, role, holder } => (Some(id), Some(role), Some(holder), None),
            About::Assignment { id, holder } => (None, None, Some(holder), Some(id)),
            // The sentence names the version.
            About::Policy(_) | About::Broker { .. } | About::Everything => (None, None, None, None),
        };
        let to: Vec<String> = to.iter().map(ToString::to_string).collect();
        // A field that is not there is left out of the line.
        tracing::info!(
            target: "notices",
            %id,
            kind = kind.word(),
            %at,
            activation = activation.map(field::display),
            role = role.map(field::display),
            holder = holder.map(object),
            assignment = assignment.map(field::display),
            until = until(kind).map(field::display),
            by = by.as_ref().map(object),
            to = to.join(" "),
            "{notice}"
        );
        Ok(())
    }
}

fn object(principal: &Principal) -> impl tracing::Value {
    field::display(principal.object)
}

/// The moment that the notice speaks of, if it speaks of one.
const fn until(kind: &Kind) -> Option<jiff::Timestamp> {
    match kind {
        Kind::ApprovalSought { answer_needed_by: until } | Kind::Activated { held_until: until } => {
            Some(*until)
        }
        Kind::Approved { .. }
        | Kind::Denied
        | Kind::Withdrawn
        | Kind::Lapsed
        | Kind::Failed
        | Kind::Revoked
        | Kind::RevocationStuck { .. }
        | Kind::Ended { .. }
        | Kind::RemovedElsewhere
        | Kind::BreakGlass
        | Kind::Reviewed
        | Kind::AccountClosed
        | Kind::SignOutFailed
        | Kind::Frozen
        | Kind::Thawed
        | Kind::PolicyProposed
        | Kind::Drift
        | Kind::PolicyApplied
        | Kind::BrokerStarted
        | Kind::BrokerStopped => None,
    }
}
