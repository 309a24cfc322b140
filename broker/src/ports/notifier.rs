//! Telling those whom something concerns, and remembering how far that has come.

use std::fmt;

use async_trait::async_trait;
use elevate_core::names::{ActivationId, Principal, RoleName, Subject};
use elevate_core::policy::PolicyVersion;
use jiff::Timestamp;

use super::journal::Position;
use super::verifier::AppRole;

/// Carries a notice to those it concerns.
#[async_trait]
pub trait Notifier: Send + Sync + fmt::Debug {
    /// Tells everybody in `notice.to`. After a crash the same notice may come once more, under the same id:
    /// whoever it reaches can tell by that. What can never be delivered is answered with `Ok` and a word in
    /// the adapter's own log, for the next notice waits until this one is done.
    ///
    /// # Errors
    /// It did not get through; it is handed over again later, for ever.
    async fn deliver(&self, notice: &Notice) -> Result<(), Undelivered>;
}

/// Remembers how far the record was told, in one small durable place.
#[async_trait]
pub trait Bookmark: Send + Sync + fmt::Debug {
    /// What was kept last.
    async fn kept(&self) -> Kept;

    /// Keeps another; on disk when this returns.
    ///
    /// # Errors
    /// It could not be written, and the one before may still be there.
    async fn keep(&self, cursor: Cursor) -> Result<(), Unkept>;
}

/// How far the record was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Every activation that is live at `next` began here or later: reading from here on is enough to know
    /// what an entry is about.
    pub begin: Position,
    /// The first entry that may not have been told.
    pub next: Position,
}

/// What was found of a [`Cursor`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It.
    At(Cursor),
    /// There is none, and perhaps there never was one.
    Nothing,
    /// There is one that is not as it was written, or that cannot be read. Why, in words for an operator.
    Unreadable(String),
}

/// Something that somebody must hear of. It has no room for what people wrote, justifications and reasons:
/// those stay in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The same whenever the same thing is told.
    pub id: NoticeId,
    /// What.
    pub kind: Kind,
    /// When it happened.
    pub at: Timestamp,
    /// To what.
    pub about: About,
    /// Whose doing it was. None: the broker's own, or of somebody who is not known.
    pub by: Option<Principal>,
    /// Who must hear of it. Never empty.
    pub to: Vec<Recipient>,
}

/// Which notice: the entry's place in the record, the word for its kind, and the entry's time in
/// milliseconds since 1970. The time, because a record that was taken back to an older state gives the same
/// place to something else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoticeId(String);

impl NoticeId {
    /// The id of what an entry has to tell.
    pub fn new(position: Position, kind: &Kind, at: Timestamp) -> Self {
        Self(format!("{}.{}.{}", position.0, kind.word(), at.as_millisecond()))
    }
}

impl fmt::Display for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What there is to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// People are asked for their yes.
    ApprovalSought {
        /// Until then.
        answer_needed_by: Timestamp,
    },
    /// Somebody said yes.
    Approved {
        /// How many more people must.
        still_needed: usize,
    },
    /// Somebody said no.
    Denied,
    /// Somebody else than the asker took the request back.
    Withdrawn,
    /// It did not begin in time.
    Lapsed,
    /// A rule, the directory or somebody stood against it before it began.
    Failed,
    /// The role is held.
    Activated {
        /// Until then.
        held_until: Timestamp,
    },
    /// Somebody takes the role away.
    Revoked,
    /// The role is to be gone, and the directory does not confirm it.
    RevocationStuck {
        /// How often it was asked.
        tries: u32,
    },
    /// The role is gone.
    Ended {
        /// Why, in one word.
        why: &'static str,
    },
    /// A role is used in an emergency: nobody was asked, and somebody else must look at it after.
    BreakGlass,
    /// Somebody has looked at it.
    Reviewed,
    /// The role is taken away, the account being disabled or gone.
    AccountClosed,
    /// The holder's sign-in sessions were to be revoked with the role, and were not.
    SignOutFailed,
    /// Nothing new is granted from now on.
    Frozen,
    /// It is again.
    Thawed,
    /// A policy waits for a second person.
    PolicyProposed,
    /// The role is gone, and the broker did not take it.
    RemovedElsewhere,
    /// The directory holds an assignment that the record does not know.
    Drift,
    /// A policy came into force.
    PolicyApplied,
    /// The broker began to serve.
    BrokerStarted,
    /// The broker ended in order.
    BrokerStopped,
}

impl Kind {
    /// One word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::ApprovalSought { .. } => "approval-sought",
            Self::Approved { .. } => "approved",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
            Self::Failed => "failed",
            Self::Activated { .. } => "activated",
            Self::Revoked => "revoked",
            Self::RevocationStuck { .. } => "revocation-stuck",
            Self::Ended { .. } => "ended",
            Self::BreakGlass => "break-glass",
            Self::Reviewed => "reviewed",
            Self::AccountClosed => "account-closed",
            Self::SignOutFailed => "sign-out-failed",
            Self::Frozen => "frozen",
            Self::Thawed => "thawed",
            Self::PolicyProposed => "policy-proposed",
            Self::RemovedElsewhere => "removed-elsewhere",
            Self::Drift => "drift",
            Self::PolicyApplied => "policy-applied",
            Self::BrokerStarted => "broker-started",
            Self::BrokerStopped => "broker-stopped",
        }
    }
}

/// What a notice is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// An activation.
    Activation {
        /// Which.
        id: ActivationId,
        /// Of which role.
        role: RoleName,
        /// Who asked for it, and holds it if anybody does.
        holder: Principal,
    },
    /// An assignment that is not the broker's.
    Assignment {
        /// What the directory calls it.
        id: String,
        /// Whose it is.
        holder: Principal,
    },
    /// A policy.
    Policy(PolicyVersion),
    /// The broker itself.
    Broker {
        /// Its version.
        version: String,
    },
    /// Everything that could be granted.
    Everything,
}

/// Who must hear of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// This one.
    Principal(Principal),
    /// Whom a policy names: this user, or everybody in this group.
    Subject(Subject),
    /// Everybody with this app role.
    Role(AppRole),
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal(principal) => write!(f, "user:{}", principal.object),
            Self::Subject(subject) => subject.fmt(f),
            Self::Role(role) => write!(f, "role:{}", role.word()),
        }
    }
}

/// The sentence for people: whole without the fields, and without what anybody wrote.
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.about {
            About::Activation { role, .. } => write!(f, "`{role}`: ")?,
            About::Assignment { id, .. } => write!(f, "assignment {id}: ")?,
            About::Policy(version) => write!(f, "policy version {version}: ")?,
            About::Broker { version } => write!(f, "broker {version}: ")?,
            About::Everything => {}
        }
        match &self.kind {
            Kind::BreakGlass => f.write_str(
                "used in an emergency without anybody's approval; somebody else must look at it after",
            ),
            Kind::Reviewed => f.write_str("somebody has looked at the emergency use"),
            Kind::AccountClosed => f.write_str("taken away, the account being disabled or gone"),
            Kind::SignOutFailed => f.write_str("the holder's sign-in sessions could not be revoked with it"),
            Kind::Frozen => f.write_str("frozen: nothing new is granted, revocations go on"),
            Kind::Thawed => f.write_str("thawed: roles are granted again"),
            Kind::PolicyProposed => f.write_str("proposed; another policy admin must confirm it"),
            Kind::ApprovalSought { answer_needed_by } => {
                write!(f, "your approval is asked for; answer needed by {answer_needed_by}")
            }
            Kind::Approved { still_needed: 0 } => f.write_str("approved by everybody who must"),
            Kind::Approved { still_needed: 1 } => f.write_str("approved; 1 more person must"),
            Kind::Approved { still_needed } => write!(f, "approved; {still_needed} more people must"),
            Kind::Denied => f.write_str("denied by an approver"),
            Kind::Withdrawn => f.write_str("the request was taken back"),
            Kind::Lapsed => f.write_str("it lapsed: it could not begin in time"),
            Kind::Failed => f.write_str("it failed: nothing was granted"),
            Kind::Activated { held_until } => write!(f, "active; role held until {held_until}"),
            Kind::Revoked => f.write_str("it is being taken away before its end"),
            Kind::RevocationStuck { tries } => {
                write!(f, "it is to be gone, and the directory has not confirmed that after {tries} tries")
            }
            Kind::Ended { why } => write!(f, "it is gone ({why})"),
            Kind::RemovedElsewhere => f.write_str("it is gone, and the broker did not take it"),
            Kind::Drift => f.write_str("the directory holds it and the record does not know it"),
            Kind::PolicyApplied => f.write_str("in force"),
            Kind::BrokerStarted => f.write_str("started"),
            Kind::BrokerStopped => f.write_str("stopped"),
        }
    }
}

/// A notice that did not get through. The reason names no token and nobody's words: it is logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undelivered(pub String);

/// A cursor that could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unkept(pub String);
