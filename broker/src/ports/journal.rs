//! The record: every event in order, and what can be looked up in it.

use std::ops::Deref;

use async_trait::async_trait;
use elevate_core::activation::{Activation, Event};
use elevate_core::names::{ActivationId, Principal, RequestId, RoleName, Slot};
use elevate_core::policy::PolicyVersion;
use jiff::Timestamp;
use tokio::sync::watch;

/// Append-only memory. What a call that writes returned from is on disk, through kill and power cut.
///
/// Any [`StoreFault`] is final: the process must end, and the store be opened anew.
#[async_trait]
pub trait Journal: Send + Sync + std::fmt::Debug {
    /// Appends `events` to one activation, all or none, in one durable step. `expected` is the version
    /// they were decided on; zero begins an activation, and the first event is then `Requested`.
    ///
    /// In the same step it holds: one live activation a slot, a proof counts once (by token id, and by
    /// nonce), a request id begins one activation per principal, every event follows.
    ///
    /// # Errors
    /// Nothing was written, and why.
    async fn append(
        &self,
        id: ActivationId,
        expected: u64,
        events: Vec<Event>,
    ) -> Result<Recorded, AppendError> {
        let appended = self.append_all(vec![Append { id, expected, events }]).await?;
        let one = appended.into_iter().next();
        one.ok_or_else(|| StoreFault("an append was answered with nothing".to_owned()).into())
    }

    /// Appends to several activations, all or none, in one durable step and in this order: what one of them
    /// gives up, a slot, the next may take. What [`Journal::append`] holds is held here too, but that one
    /// proof and one request id may stand for all of them: they are one request, or one yes.
    ///
    /// # Errors
    /// Nothing was written, and why.
    async fn append_all(&self, appends: Vec<Append>) -> Result<Vec<Recorded>, AppendError>;

    /// Appends what is no activation's event.
    ///
    /// # Errors
    /// Nothing was written, and why.
    async fn note(&self, note: Note) -> Result<Position, AppendError>;

    /// One activation.
    ///
    /// # Errors
    /// The store failed.
    async fn load(&self, id: ActivationId) -> Result<Option<Recorded>, StoreFault>;

    /// The live activation that takes this slot.
    ///
    /// # Errors
    /// The store failed.
    async fn holder(&self, slot: &Slot) -> Result<Option<ActivationId>, StoreFault>;

    /// The activation that this principal began under this request id.
    ///
    /// # Errors
    /// The store failed.
    async fn begun_by(
        &self,
        principal: Principal,
        request: RequestId,
    ) -> Result<Option<ActivationId>, StoreFault>;

    /// Live activations to be looked at by `until`, the longest overdue first, at most `limit`,
    /// beginning behind `after`.
    ///
    /// # Errors
    /// The store failed.
    async fn due(
        &self,
        until: Timestamp,
        after: Option<(Timestamp, ActivationId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, ActivationId)>, StoreFault>;

    /// When the first live activation must be looked at that is due after `moment`.
    ///
    /// # Errors
    /// The store failed.
    async fn next_due(&self, moment: Timestamp) -> Result<Option<Timestamp>, StoreFault>;

    /// Activations by filter, newest first.
    ///
    /// # Errors
    /// The store failed.
    async fn find(&self, filter: &Filter, page: &Page) -> Result<Found, StoreFault>;

    /// How many activations are live, by the word of their state.
    ///
    /// # Errors
    /// The store failed.
    async fn census(&self) -> Result<Vec<(&'static str, u64)>, StoreFault>;

    /// The policy in force.
    ///
    /// # Errors
    /// The store failed.
    async fn policy(&self) -> Result<Option<AppliedPolicy>, StoreFault>;

    /// The policy that waits for a second person; none once another version came into force.
    ///
    /// # Errors
    /// The store failed.
    async fn proposal(&self) -> Result<Option<AppliedPolicy>, StoreFault>;

    /// Since when nothing is granted, if so.
    ///
    /// # Errors
    /// The store failed.
    async fn freeze(&self) -> Result<Option<Freeze>, StoreFault>;

    /// Entries from `from` on, at most `limit`.
    ///
    /// # Errors
    /// The store failed.
    async fn read(&self, from: Position, limit: usize) -> Result<Vec<Entry>, StoreFault>;

    /// Whether there is room for what is new. Without it only what ends privileges is to be recorded: the little
    /// that is left is kept for that.
    fn has_room(&self) -> bool;

    /// How many entries there are, as it grows.
    fn size(&self) -> watch::Receiver<Position>;
}

/// Events for one activation, as they are appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// To which.
    pub id: ActivationId,
    /// The version they were decided on; zero begins an activation.
    pub expected: u64,
    /// In order.
    pub events: Vec<Event>,
}

/// The place of an entry in the record, counted from 0; as a size, how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

/// An activation as it stands on disk. Only a journal makes one (the tidy test holds that).
#[derive(Debug, Clone)]
pub struct Recorded {
    activation: Activation,
    just_appended: bool,
}

impl Recorded {
    /// For the journal only: read from disk.
    pub(crate) const fn loaded(activation: Activation) -> Self {
        Self { activation, just_appended: false }
    }

    /// For the journal only: this caller's events are on disk just now.
    pub(crate) const fn appended(activation: Activation) -> Self {
        Self { activation, just_appended: true }
    }

    /// Whether nothing can have been done about it yet: it was appended by whoever holds this.
    pub const fn is_just_appended(&self) -> bool {
        self.just_appended
    }
}

impl Deref for Recorded {
    type Target = Activation;

    fn deref(&self) -> &Activation {
        &self.activation
    }
}

/// What is on record beside the lives of activations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A policy came into force.
    PolicyApplied(AppliedPolicy),
    /// An attempt to change something was refused, and nothing changed.
    Refused {
        /// Whose attempt, when it is known.
        caller: Option<Principal>,
        /// At what: the name of the call.
        attempt: String,
        /// The stable reason.
        reason: String,
        /// Which role was named, if one was.
        role: Option<RoleName>,
        /// Which activation was named, if one was.
        activation: Option<ActivationId>,
        /// When.
        at: Timestamp,
    },
    /// The broker began to serve, or ended.
    Broker {
        /// `started` or `stopped`.
        what: String,
        /// Its version.
        version: String,
        /// When.
        at: Timestamp,
    },
    /// The directory holds an assignment of a managed role that the record does not know.
    Drift {
        /// Whose, which role, where.
        slot: Slot,
        /// What the directory calls it.
        assignment: String,
        /// When it was seen.
        at: Timestamp,
    },
    /// From then on nothing new is granted; revocations go on.
    Frozen(Freeze),
    /// From then on it is again.
    Thawed(Freeze),
    /// A policy waits for a second person.
    PolicyProposed(AppliedPolicy),
}

/// That nothing new is granted, or is again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Who said so.
    pub by: Principal,
    /// Why, in their words.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}

impl Note {
    /// When it was noted.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::PolicyApplied(policy) | Self::PolicyProposed(policy) => policy.at,
            Self::Frozen(freeze) | Self::Thawed(freeze) => freeze.at,
            Self::Refused { at, .. } | Self::Broker { at, .. } | Self::Drift { at, .. } => *at,
        }
    }
}

/// A policy, as it came into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedPolicy {
    /// Which in the row. The journal refuses any but the one after the last.
    pub version: PolicyVersion,
    /// Word for word.
    pub text: String,
    /// Who applied it, or proposed it.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
    /// The second person, where one was needed.
    pub confirmed_by: Option<Principal>,
}

/// One entry of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// What it says.
    pub said: Said,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Something happened to an activation.
    Activation {
        /// Which.
        id: ActivationId,
        /// Its version from then on.
        version: u64,
        /// What.
        event: Event,
    },
    /// Something else.
    Note(Note),
}

impl Said {
    /// When it happened.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Activation { event, .. } => event.at,
            Self::Note(note) => note.at(),
        }
    }
}

/// Which activations. All that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whose.
    pub principal: Option<Principal>,
    /// Of which role.
    pub role: Option<RoleName>,
    /// Only those that can still change.
    pub live_only: bool,
    /// Only those that wait for people.
    pub awaiting_only: bool,
    /// Only those that somebody still has to look at.
    pub unreviewed_only: bool,
}

/// Which part of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// At most so many.
    pub limit: usize,
    /// Behind this one.
    pub after: Option<ActivationId>,
}

/// A page of activations.
#[derive(Debug, Clone)]
pub struct Found {
    /// Newest first.
    pub activations: Vec<Recorded>,
    /// Where the next page begins, if there is one: a page may be short or empty and not the last.
    pub next: Option<ActivationId>,
}

/// Why nothing was appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Somebody else was faster; decide again on what is there now.
    #[error("it has changed in the meantime (version {is}, not {expected})")]
    Conflict {
        /// The version it was decided on.
        expected: u64,
        /// The version there is.
        is: u64,
    },
    /// The slot is taken by a live activation.
    #[error("the slot is taken by activation {by}")]
    SlotTaken {
        /// Which.
        by: ActivationId,
    },
    /// The proof has counted already.
    #[error("the proof has been used already")]
    ProofUsed,
    /// The request id has begun an activation already.
    #[error("the request id was used for activation {by}")]
    RequestIdUsed {
        /// Which.
        by: ActivationId,
    },
    /// More than an entry holds.
    #[error("it would take {bytes} bytes of the record, and an entry holds {most}")]
    TooLarge {
        /// How much it is.
        bytes: usize,
        /// How much it may be.
        most: usize,
    },
    /// The event cannot follow.
    #[error(transparent)]
    Illegal(#[from] elevate_core::activation::IllegalEvent),
    /// The store failed. The process must end.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// The store failed: what is on disk is in doubt until it is opened anew. Never retried, never served over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store failed: {0}")]
pub struct StoreFault(pub String);
