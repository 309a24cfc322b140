//! What the world owes an activation now.
//!
//! Expiry is a predicate on time, evaluated at every look; waking at the right moment is punctuality
//! and nothing else.

use jiff::{SignedDuration, Timestamp};

use crate::activation::{Activation, Cause, Change, Outcome, SignOut, State};

/// What time it may be: the true time lies between the two. A clock that is sure gives one moment.
///
/// Every rule takes the bound that denies: privileges end by [`Now::latest`], and begin by
/// [`Now::earliest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    earliest: Timestamp,
    latest: Timestamp,
}

impl Now {
    /// Certainly this moment.
    pub const fn exactly(at: Timestamp) -> Self {
        Self { earliest: at, latest: at }
    }

    /// Some moment between the two, in either order.
    pub fn between(one: Timestamp, other: Timestamp) -> Self {
        Self { earliest: one.min(other), latest: one.max(other) }
    }

    /// It is this late, or later.
    pub const fn earliest(self) -> Timestamp {
        self.earliest
    }

    /// It is not later than this.
    pub const fn latest(self) -> Timestamp {
        self.latest
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Nothing, ever again.
    Nothing,
    /// Nothing before this moment.
    Wait(Timestamp),
    /// Something has become true, and the record must say so.
    Record(Change),
    /// Look at the slot, and begin if it is empty.
    Begin,
    /// Ask the directory to grant it, or find out whether it has.
    Grant,
    /// Ask the directory to take it away, and read back that it is gone.
    Revoke,
    /// Ask the directory to revoke the holder's sign-in sessions.
    SignOut,
}

/// How long after its start a scheduled activation may still begin. Later, it lapses: what was
/// approved for this morning is not granted tonight because the directory was out of reach.
pub const START_GRACE: SignedDuration = SignedDuration::from_hours(1);

/// Whether so many of the live ones come due at one moment that the time itself is to be doubted: more than a
/// fifth of them, and more than 25.
pub const fn is_mass(due: u64, live: u64) -> bool {
    due > 25 && due > live / 5
}

/// So many tries to sign somebody out are enough: some five minutes. What is to end is the role, and that is
/// gone.
pub const SIGN_OUT_TRIES: u32 = 10;

/// The longest wait between two tries.
pub const RETRY_MAX: SignedDuration = SignedDuration::from_secs(60);

/// What the world owes this activation now.
pub fn due(activation: &Activation, now: Now) -> Due {
    let request = &activation.request;
    match &activation.state {
        State::Requested if request.requirements.is_empty() => Due::Record(scheduled(activation, now)),
        State::Requested => {
            Due::Record(Change::ApprovalSought { lapses_at: after(request.at, request.approval_window) })
        }
        State::AwaitingApproval { .. } if activation.still_needed() == 0 => {
            Due::Record(scheduled(activation, now))
        }
        State::AwaitingApproval { lapses_at } if now.latest() >= *lapses_at => Due::Record(Change::Lapsed),
        State::AwaitingApproval { lapses_at } => Due::Wait(*lapses_at),
        State::Scheduled { lapses_at, .. } if now.latest() >= *lapses_at => Due::Record(Change::Lapsed),
        State::Scheduled { starts_at, retry, lapses_at } => {
            let begins = *starts_at.max(&retry.at);
            if now.earliest() >= begins { Due::Begin } else { Due::Wait(begins.min(*lapses_at)) }
        }
        // What continues another holds nothing of its own; the other ends by its own time.
        State::Activating { not_after, .. }
            if now.latest() >= *not_after && request.asked.continues.is_some() =>
        {
            Due::Record(Change::Refused { reason: "it could not be continued in time".to_owned() })
        }
        // We were down past the end, or never heard: never grant late, take back what may be there.
        State::Activating { not_after, .. } if now.latest() >= *not_after => {
            Due::Record(Change::RevocationBegun(Cause::Unfinished))
        }
        State::Activating { retry, .. } if retry.is_due(now.latest()) => Due::Grant,
        State::Activating { not_after, retry } => Due::Wait(retry.at.min(*not_after)),
        State::Active { not_after, .. } if now.latest() >= *not_after => {
            Due::Record(Change::RevocationBegun(Cause::Expired))
        }
        State::Active { not_after, .. } => Due::Wait(*not_after),
        State::Revoking { retry, .. } if retry.is_due(now.latest()) => Due::Revoke,
        State::Revoking { retry, .. } => Due::Wait(retry.at),
        State::Closed { .. } => match &activation.sign_out {
            SignOut::Due(retry) if retry.is_due(now.latest()) => Due::SignOut,
            SignOut::Due(retry) => Due::Wait(retry.at),
            SignOut::NotNeeded | SignOut::Done { .. } | SignOut::Failed { .. } => Due::Nothing,
        },
    }
}

/// Long past, by any clock: what waits for nothing is due whatever time it may be.
const AT_ONCE: Timestamp = Timestamp::UNIX_EPOCH;

/// When this activation must next be looked at; `None` when never again. A moment already past means now.
///
/// Agrees with [`due`]: before this moment `due` only waits.
pub fn wake_at(activation: &Activation) -> Option<Timestamp> {
    match &activation.state {
        State::Requested => Some(AT_ONCE),
        State::AwaitingApproval { .. } if activation.still_needed() == 0 => Some(AT_ONCE),
        State::AwaitingApproval { lapses_at } => Some(*lapses_at),
        State::Scheduled { starts_at, retry, lapses_at } => Some(*starts_at.max(&retry.at).min(lapses_at)),
        // A first try waits for nothing.
        State::Activating { retry, .. } | State::Revoking { retry, .. } if retry.tries == 0 => Some(AT_ONCE),
        State::Activating { not_after, retry } => Some(retry.at.min(*not_after)),
        State::Active { not_after, .. } => Some(*not_after),
        State::Revoking { retry, .. } => Some(retry.at),
        State::Closed { .. } => match &activation.sign_out {
            SignOut::Due(retry) if retry.tries == 0 => Some(AT_ONCE),
            SignOut::Due(retry) => Some(retry.at),
            SignOut::NotNeeded | SignOut::Done { .. } | SignOut::Failed { .. } => None,
        },
    }
}

/// How long an access token issued before the end may still carry the role: Entra's access tokens live 60 to 90
/// minutes (<https://learn.microsoft.com/entra/identity-platform/access-tokens>, "Token lifetime"). Clients with
/// continuous access evaluation get tokens of up to 28 hours, and a role's end is none of its events.
pub const TOKENS_OUTLIVE: SignedDuration = SignedDuration::from_mins(90);

/// Until when tokens may carry the role: by its latest end while it is held, and by its real one after.
pub fn tokens_may_live_until(activation: &Activation) -> Option<Timestamp> {
    match &activation.state {
        State::Activating { not_after, .. }
        | State::Active { not_after, .. }
        | State::Revoking { not_after, .. } => Some(after(*not_after, TOKENS_OUTLIVE)),
        State::Closed { outcome: Outcome::Ended(_) | Outcome::RemovedElsewhere, at } => {
            Some(after(*at, TOKENS_OUTLIVE))
        }
        State::Requested
        | State::AwaitingApproval { .. }
        | State::Scheduled { .. }
        | State::Closed { .. } => None,
    }
}

/// How long to wait after the `tries`th try that settled nothing: one second, doubling, at most
/// [`RETRY_MAX`], spread by up to a quarter so that many do not come back at one moment.
pub fn retry_delay(activation: &Activation) -> SignedDuration {
    let tries = activation.retry().map_or(0, |retry| retry.tries);
    let whole = SignedDuration::from_secs(1 << tries.min(6)).min(RETRY_MAX);
    // Any spread does, as long as it differs between activations and is the same on a replay.
    let spread = activation
        .digest
        .as_bytes()
        .iter()
        .fold(tries, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    let off = whole.as_millis() * i128::from(spread % 250) / 1000;
    whole.saturating_sub(SignedDuration::from_millis(i64::try_from(off).unwrap_or(0)))
}

fn scheduled(activation: &Activation, now: Now) -> Change {
    let starts_at = activation.request.asked.starts_at.unwrap_or(now.earliest()).max(now.earliest());
    Change::Scheduled { starts_at, lapses_at: after(starts_at, START_GRACE) }
}

/// A moment later; past the calendar's end it is at once.
fn after(start: Timestamp, length: SignedDuration) -> Timestamp {
    start.checked_add(length).unwrap_or(start)
}

#[cfg(test)]
mod tests;
