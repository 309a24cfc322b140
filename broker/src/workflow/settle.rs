//! The one path to a grant and the one to a revocation, used on every ordinary day and after a crash.

use std::time::Duration;

use elevate_core::activation::{Actor, Cause, Change, Kind};
use elevate_core::due::{self, Due, Now};
use elevate_core::names::{ActivationId, AssignmentId};
use jiff::{SignedDuration, Timestamp};

use super::accounts::Closed;
use super::{Refusal, Workflow, extend, groups_among};
use crate::ports::directory::{
    GrantAnswer, GrantPermit, Held, RevokeAnswer, RevokePermit, SignOutAnswer, Unreachable,
};
use crate::ports::journal::{Recorded, StoreFault};

/// When an activation must be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Never.
    Never,
    /// Not before this moment.
    At(Timestamp),
}

/// What looking at one activation led to.
pub(super) enum Step {
    Wait(Next),
    Record(Change),
    /// It is held, by what another activation holds until now.
    TakeOver {
        old: ActivationId,
        held: AssignmentId,
    },
}

impl Workflow {
    /// Moves one activation as far as it can go now. Safe to repeat, at any time, by anybody.
    ///
    /// # Errors
    /// The store failed; the process must end.
    pub async fn settle(&self, id: ActivationId) -> Result<Next, StoreFault> {
        let writer = self.locks.lock(id).await;
        let Some(mut recorded) = self.ports.journal.load(id).await? else { return Ok(Next::Never) };
        loop {
            let now = self.now();
            let done = match self.step(&recorded, now).await? {
                Step::Wait(next) => {
                    drop(writer);
                    if extend::leaves_others_waiting(&recorded) {
                        self.nothing_to_continue(&recorded).await?;
                    }
                    return Ok(next);
                }
                Step::Record(change) => self.record(&recorded, Actor::Broker, change, self.now()).await,
                Step::TakeOver { old, held } => self.take_over(&recorded, old, held).await,
            };
            recorded = match done {
                Ok(recorded) => recorded,
                Err(Refusal::Store(fault)) => return Err(fault),
                // Under the lock nobody else changes it; if somebody did, what they left decides.
                Err(other) => {
                    tracing::error!(activation = %id, reason = other.reason(), "a step could not be recorded");
                    let again = after(self.now(), Duration::from_secs(1));
                    // Whoever wants to revoke it need not wait with us.
                    drop(writer);
                    self.ports.clock.sleep_until(again).await;
                    return Ok(Next::At(again));
                }
            };
        }
    }

    async fn step(&self, recorded: &Recorded, now: Now) -> Result<Step, StoreFault> {
        Ok(match due::due(recorded, now) {
            Due::Nothing => Step::Wait(Next::Never),
            Due::Wait(until) => Step::Wait(Next::At(until)),
            Due::Record(change) => Step::Record(change),
            // By a time that nobody vouches for nothing is given; taking away needs none.
            Due::Begin | Due::Grant if !self.ports.clock.assurance().is_good_for_grants() => {
                Step::Wait(Next::At(now.latest()))
            }
            Due::Begin => Step::Record(self.begin(recorded).await?),
            Due::Grant => match recorded.request.asked.continues {
                None => Step::Record(self.grant(recorded).await),
                Some(old) => self.extend(recorded, old).await?,
            },
            Due::Revoke => Step::Record(self.revoke_now(recorded).await),
            Due::SignOut => Step::Record(self.sign_out(recorded).await),
        })
    }

    /// Looks before the intent is recorded: the offer must still stand, and the slot must be empty, or hold what
    /// is to be continued.
    async fn begin(&self, recorded: &Recorded) -> Result<Change, StoreFault> {
        if self.is_frozen().await {
            return Ok(self.postponed(recorded, FROZEN.to_owned(), None));
        }
        match self.account_stands(recorded.request.asked.principal).await {
            Ok(()) => {}
            Err(Closed::Surely(reason)) => return Ok(Change::Refused { reason }),
            Err(Closed::Perhaps(reason, after)) => return Ok(self.postponed(recorded, reason, after)),
        }
        match self.still_offered(recorded).await {
            Err(unreachable) => {
                return Ok(self.postponed(recorded, unreachable.reason, unreachable.after));
            }
            Ok(false) => {
                return Ok(Change::Refused { reason: "the role is no longer offered to you".to_owned() });
            }
            Ok(true) => {}
        }
        if let Some(old) = recorded.request.asked.continues {
            return self.begin_to_continue(recorded, old).await;
        }
        Ok(match self.ports.directory.look(recorded.request.asked.principal, &recorded.target).await {
            Err(Unreachable { reason, after }) => self.postponed(recorded, reason, after),
            Ok(Held::By(_)) => Change::Refused {
                reason: "the directory holds this role for you already, and not by this broker".to_owned(),
            },
            // The end is fixed with the intent; time that is lost from here on is not given back.
            Ok(Held::Nothing) => {
                Change::ActivationBegun { not_after: recorded.term.end_from(self.now().earliest()) }
            }
        })
    }

    async fn grant(&self, recorded: &Recorded) -> Change {
        let Some(permit) = GrantPermit::from(recorded) else {
            return self.postponed(recorded, "no intent on record".to_owned(), None);
        };
        if self.is_frozen().await {
            return frozen_intent(&permit);
        }
        match self.ports.directory.grant(&permit).await {
            GrantAnswer::Done(held) => Change::Activated { held },
            // An earlier try may have got through, whatever this one met: take back what may be there.
            GrantAnswer::Refused(reason) if permit.has_earlier_try() => {
                let reason = short(reason);
                tracing::warn!(activation = %recorded.id, %reason, "refused after an earlier try; taken back");
                Change::RevocationBegun(Cause::Unfinished)
            }
            // Not longer than the record takes: what cannot be recorded would be asked again.
            GrantAnswer::Refused(reason) => Change::Refused { reason: short(reason) },
            GrantAnswer::Unclear { reason, after } => self.postponed(recorded, reason, after),
        }
    }

    async fn revoke_now(&self, recorded: &Recorded) -> Change {
        let Some(permit) = RevokePermit::from(recorded) else {
            return self.postponed(recorded, "nothing on record to revoke".to_owned(), None);
        };
        match self.ports.directory.revoke(&permit).await {
            RevokeAnswer::Gone => Change::Removed,
            RevokeAnswer::NotYet { reason, after } => {
                tracing::warn!(activation = %recorded.id, %reason, "a revocation is not confirmed yet");
                self.postponed(recorded, reason, after)
            }
        }
    }

    /// After the role, which is gone. It fails nothing: once it was tried often enough, that is on record.
    async fn sign_out(&self, recorded: &Recorded) -> Change {
        match self.ports.directory.sign_out(recorded.request.asked.principal).await {
            SignOutAnswer::Done => Change::SignedOut,
            SignOutAnswer::Refused(reason) => Change::SignOutFailed { reason: short(reason) },
            SignOutAnswer::Unclear { reason, after } => {
                let tries = recorded.retry().map_or(0, |retry| retry.tries);
                if tries.saturating_add(1) >= due::SIGN_OUT_TRIES {
                    return Change::SignOutFailed { reason: short(reason) };
                }
                self.postponed(recorded, reason, after)
            }
        }
    }

    async fn still_offered(&self, recorded: &Recorded) -> Result<bool, Unreachable> {
        let asked = &recorded.request.asked;
        let Some(in_force) = self.policy.load_full() else { return Ok(false) };
        let Some(role) = in_force.policy.role(&asked.role) else { return Ok(false) };
        let groups = groups_among(role.eligible.iter().chain(&role.denied));
        let standing = self.standing(asked.principal, &groups).await?;
        let offered = match recorded.request.kind {
            Kind::Ordinary => role.is_offered_to(&standing),
            Kind::BreakGlass => role.break_glass_for(&standing).is_some(),
        };
        Ok(offered && role.target.covers(&recorded.target))
    }

    /// Not settled: again after our own delay, or the directory's if that is longer.
    pub(super) fn postponed(&self, recorded: &Recorded, reason: String, wished: Option<Duration>) -> Change {
        let ours = due::retry_delay(recorded).unsigned_abs();
        let wished = wished.unwrap_or_default().min(WISH_MAX);
        Change::Postponed { retry_at: after(self.now(), ours.max(wished)), reason: short(reason) }
    }
}

/// Why something that waits does not begin.
const FROZEN: &str = "nothing is granted for now: the broker is frozen";

/// An intent that a freeze met. Nothing is sent: what may be there of an earlier try is taken back, and without
/// one nothing is there.
fn frozen_intent(permit: &GrantPermit) -> Change {
    if permit.has_earlier_try() {
        return Change::RevocationBegun(Cause::Unfinished);
    }
    Change::Refused { reason: "the broker was frozen before it could be granted; ask again".to_owned() }
}

/// The longest the directory may ask us to wait: a little over Entra PIM's five minutes.
const WISH_MAX: Duration = Duration::from_secs(6 * 60);

fn after(now: Now, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(due::RETRY_MAX);
    now.latest().checked_add(wait).unwrap_or(now.latest())
}

/// What stood in the way, as it goes on record: one line, and not longer than it needs to be.
pub(super) fn short(reason: String) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    if reason.len() <= 300 && !reason.chars().any(char::is_control) {
        return reason;
    }
    reason.chars().map(plain).take(300).collect()
}
