//! The directory: what holds assignments and knows who is in which group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use elevate_core::activation::{Activation, State};
use elevate_core::names::{ActivationId, AssignmentId, ObjectId, Principal, Scope, Slot, Target};
use jiff::Timestamp;

use super::journal::Recorded;

/// Entra ID, or what stands in for it.
///
/// A mutation has three answers: *done*, *refused* (it did not happen), *unclear* (it may have).
/// Timeouts, resets, 5xx, conflicts and "already exists" after something was sent are unclear.
#[async_trait]
pub trait Directory: Send + Sync + std::fmt::Debug {
    /// What the principal holds of this now, by a plain read. The target's way says how closely to look:
    /// what is granted by PIM counts as held when it is only scheduled, too.
    ///
    /// # Errors
    /// The read gave no answer; nothing is known.
    async fn look(&self, principal: Principal, target: &Target) -> Result<Held, Unreachable>;

    /// Grants what the permit's intent says, until its end. Where the permit says that an earlier try
    /// may have got through, it reads first and sends again only what is not there.
    async fn grant(&self, permit: &GrantPermit) -> GrantAnswer;

    /// Takes away what the permit's intent may have given, and reads back. Deletes only what that
    /// activation made.
    async fn revoke(&self, permit: &RevokePermit) -> RevokeAnswer;

    /// Lets what one activation holds go on as another's, until that one's end. Where the directory keeps an
    /// end of its own it is moved, and read back; where it keeps none, what is held is read and left as it is.
    /// Only what the first of them made: anybody else's at the slot is refused. *Done* says what the directory
    /// calls it from now on.
    async fn extend(&self, permit: &ExtendPermit) -> GrantAnswer;

    /// How the accounts of these people stand. Who is missing from the answer, of them nothing is known.
    ///
    /// # Errors
    /// No answer at all.
    async fn accounts(
        &self,
        people: &BTreeSet<Principal>,
    ) -> Result<BTreeMap<Principal, Account>, Unreachable>;

    /// Ends the principal's sign-in sessions: whoever uses them must sign in again. Safe to repeat.
    async fn sign_out(&self, principal: Principal) -> SignOutAnswer;

    /// Which of `groups` the principal is in, nested groups included.
    ///
    /// # Errors
    /// No answer, or no such principal.
    async fn groups_of(
        &self,
        principal: Principal,
        groups: &BTreeSet<ObjectId>,
    ) -> Result<BTreeSet<ObjectId>, Unreachable>;

    /// Every assignment of one role at one scope, or of one place in a group, whoever made it.
    ///
    /// # Errors
    /// The listing gave no whole answer; nothing may be concluded from what is missing.
    async fn assignments(&self, target: &Target) -> Result<Vec<Assignment>, Unreachable>;

    /// How a person or group is called, for people to read; `None` when the directory does not say.
    /// Never a ground for a decision.
    async fn display_name(&self, object: ObjectId) -> Option<String>;

    /// How an administrative unit or an object that a role counts for is called, likewise.
    async fn scope_name(&self, scope: Scope) -> Option<String>;

    /// The people in a group, those of groups in it too: at most `most` of them. For people to read; who may
    /// decide is asked by [`Directory::groups_of`].
    ///
    /// # Errors
    /// No answer.
    async fn members_of(&self, group: ObjectId, most: usize) -> Result<Members, Unreachable>;
}

/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// It can sign in.
    Enabled,
    /// It is there, and cannot.
    Disabled,
    /// It is not shown. Reads lag, so one look proves nothing.
    Missing,
}

/// What became of a try to sign somebody out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignOutAnswer {
    /// The directory says that it did.
    Done,
    /// It did not happen and will not: why, in words for an operator.
    Refused(String),
    /// It may have happened.
    Unclear {
        /// What was in the way, in words for an operator; holds no secret.
        reason: String,
        /// The directory's own wish.
        after: Option<Duration>,
    },
}

/// People in a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Who, and what they are called where the directory says.
    pub people: Vec<(ObjectId, Option<String>)>,
    /// Whether there are more than were asked for.
    pub more: bool,
}

/// What a slot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Nothing.
    Nothing,
    /// An assignment, whoever made it.
    By(AssignmentId),
}

/// One assignment as the directory lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// What the directory calls it.
    pub id: AssignmentId,
    /// Whose it is.
    pub slot: Slot,
}

/// What became of a try to grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantAnswer {
    /// The directory holds it, and it is active.
    Done(AssignmentId),
    /// It did not happen and will not: why, in words for the asker.
    Refused(String),
    /// It may have happened. Ask again, not before `after` has passed where the directory said so.
    Unclear {
        /// What was in the way, in words for an operator; holds no secret.
        reason: String,
        /// The directory's own wish.
        after: Option<Duration>,
    },
}

/// What became of a try to revoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokeAnswer {
    /// A read shows it gone.
    Gone,
    /// Not confirmed. Try again, not before `after` has passed where the directory said so.
    NotYet {
        /// What was in the way, in words for an operator; holds no secret.
        reason: String,
        /// The directory's own wish: Entra PIM ends nothing in its first five minutes.
        after: Option<Duration>,
    },
}

/// The directory gave no answer to a question that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the directory did not answer: {reason}")]
pub struct Unreachable {
    /// What was in the way; holds no secret.
    pub reason: String,
    /// How long it asked to be left alone.
    pub after: Option<Duration>,
}

/// Leave to grant: only a recorded intent gives one, and nothing is granted without.
#[derive(Debug, Clone)]
pub struct GrantPermit {
    activation: ActivationId,
    slot: Slot,
    target: Target,
    not_after: Timestamp,
    earlier_try: bool,
}

impl GrantPermit {
    /// The permit of this intent; `None` when what is recorded is not an intent to grant.
    pub fn from(recorded: &Recorded) -> Option<Self> {
        let activation: &Activation = recorded;
        let State::Activating { not_after, retry } = &activation.state else { return None };
        Some(Self {
            activation: activation.id,
            slot: activation.slot(),
            target: activation.target,
            not_after: *not_after,
            earlier_try: retry.tries > 0 || !recorded.is_just_appended(),
        })
    }

    /// For which activation: put where the directory keeps a note, so that ours is known as ours.
    pub const fn activation(&self) -> ActivationId {
        self.activation
    }

    /// Who, which role, where.
    pub const fn slot(&self) -> &Slot {
        &self.slot
    }

    /// By which way.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// The end, as a second lock where the directory can keep one.
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether an earlier try may have got through. If not, the slot was seen empty just now, and
    /// "already exists" is somebody else's assignment: a refusal.
    pub const fn has_earlier_try(&self) -> bool {
        self.earlier_try
    }
}

/// Leave to let what one activation holds go on as another's: only a recorded intent to continue what is
/// recorded as held gives one.
#[derive(Debug, Clone)]
pub struct ExtendPermit {
    activation: ActivationId,
    slot: Slot,
    target: Target,
    held: AssignmentId,
    held_until: Timestamp,
    not_after: Timestamp,
    earlier_try: bool,
}

impl ExtendPermit {
    /// The permit of `new` to continue `old`; `None` when the record does not say that it is to, or when `old`
    /// is not held any more.
    pub fn from(new: &Recorded, old: &Recorded) -> Option<Self> {
        let State::Activating { not_after, retry } = &new.state else { return None };
        let State::Active { held, not_after: held_until } = &old.state else { return None };
        let continues = new.request.asked.continues == Some(old.id)
            && new.request.asked.principal == old.request.asked.principal
            && new.target == old.target;
        continues.then(|| Self {
            activation: new.id,
            slot: new.slot(),
            target: new.target,
            held: held.clone(),
            held_until: *held_until,
            not_after: *not_after,
            earlier_try: retry.tries > 0 || !new.is_just_appended(),
        })
    }

    /// Which activation it is to be from then on.
    pub const fn activation(&self) -> ActivationId {
        self.activation
    }

    /// Who, which role, where.
    pub const fn slot(&self) -> &Slot {
        &self.slot
    }

    /// By which way.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// What the directory calls what is held.
    pub const fn held(&self) -> &AssignmentId {
        &self.held
    }

    /// Until when it is held without this.
    pub const fn held_until(&self) -> Timestamp {
        self.held_until
    }

    /// Until when it is to be held.
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether an earlier try may have got through.
    pub const fn has_earlier_try(&self) -> bool {
        self.earlier_try
    }
}

/// Leave to take away what one activation made.
#[derive(Debug, Clone)]
pub struct RevokePermit {
    activation: ActivationId,
    slot: Slot,
    target: Target,
    held: Option<AssignmentId>,
}

impl RevokePermit {
    /// The permit of this record; `None` when it does not say that something is to be taken away.
    pub fn from(recorded: &Recorded) -> Option<Self> {
        let activation: &Activation = recorded;
        let State::Revoking { held, .. } = &activation.state else { return None };
        Some(Self {
            activation: activation.id,
            slot: activation.slot(),
            target: activation.target,
            held: held.clone(),
        })
    }

    /// Of which activation.
    pub const fn activation(&self) -> ActivationId {
        self.activation
    }

    /// Who, which role, where.
    pub const fn slot(&self) -> &Slot {
        &self.slot
    }

    /// By which way it was granted.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// What the directory called it. Absent when no answer to the grant was ever heard: then what the
    /// slot holds is ours, for it was seen empty before the intent was recorded.
    pub const fn held(&self) -> Option<&AssignmentId> {
        self.held.as_ref()
    }
}
