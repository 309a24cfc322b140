//! One request and its whole life, from asked to closed.
//!
//! ```text
//!           ┌────────── Denied / Lapsed / Withdrawn
//! Requested ┤
//!           └─ AwaitingApproval ─ Scheduled ─ Activating ─ Active ─ Revoking ─ Closed(outcome)
//!                                               │ refused → Closed(Failed)
//!                                               │ unclear → stays Activating until a read settles it
//! ```
//!
//! [`Activation::apply`] is total: every event in every state either follows or is refused. What is
//! not an event cannot happen, so an activation is exactly the sum of its events in the record.

use jiff::Timestamp;

use crate::approval::{self, Approval, ApprovalRefusal, ApprovalRequirement, Narrowed};
use crate::binding::{Asked, Digest};
use crate::names::{ActivationId, AssignmentId, Principal, RequestId, Slot, Subject, Target};
use crate::term::Term;

mod event;
mod retry;
mod sign_out;

pub use event::{Actor, Change, Event};
pub use retry::Retry;
pub use sign_out::SignOut;

/// What a verified proof showed, as far as the record keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofShown {
    /// The token's own id (`uti`): kept so that it counts once.
    pub token: String,
    /// What it counts once by: the nonce it was bound by, base64url; where the policy asks for none, the
    /// person and the moment of the sign-in.
    pub nonce: String,
    /// When the person signed in.
    pub signed_in_at: Timestamp,
    /// How (`amr`).
    pub methods: Vec<String>,
    /// Which authentication contexts were satisfied (`acrs`).
    pub contexts: Vec<String>,
}

/// Under which of a role's offers it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// The everyday one.
    #[default]
    Ordinary,
    /// The one for emergencies: nobody is asked before, and somebody looks at it after.
    BreakGlass,
}

/// What the ticket's own system said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketVerdict {
    /// Yes.
    Confirmed,
    /// Nothing in time, and the policy lets that pass.
    Unanswered,
}

/// What was asked, fixed for the whole life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The caller's own id for this mutation.
    pub request_id: RequestId,
    /// Exactly what the proof was bound to.
    pub asked: Asked,
    /// Who must say yes, by the policy at that moment.
    pub requirements: Vec<ApprovalRequirement>,
    /// How long approvers have.
    pub approval_window: jiff::SignedDuration,
    /// What the asker showed.
    pub proof: ProofShown,
    /// When it was asked.
    pub at: Timestamp,
    /// Under which offer.
    pub kind: Kind,
    /// Whether the asker's own yes counts, as the role says.
    pub own_approval: bool,
    /// Whether the holder's sign-in sessions end with it, as the role says.
    pub sign_out: bool,
    /// Everything that was asked for together with it, itself included, in the order of the request.
    /// Empty when it was asked for alone.
    pub bundle: Vec<ActivationId>,
    /// What the ticket's system said, where it was asked.
    pub ticket_verdict: Option<TicketVerdict>,
    /// Who is told of a break-glass use, beside those who watch over the broker: the role's approvers, whom
    /// nobody asked, and whom it names besides.
    pub told: Vec<Subject>,
}

/// Why the broker takes a role away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Its time is up.
    Expired,
    /// The holder gave it back.
    Deactivated,
    /// Somebody with the right to do so took it.
    Revoked {
        /// In their words.
        reason: String,
    },
    /// Whether it was ever granted is not known, and its time is up or nobody wants it any more.
    Unfinished,
    /// The holder's account is disabled, or gone.
    AccountClosed {
        /// Gone.
        deleted: bool,
    },
}

/// How an activation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// An approver said no.
    Denied {
        /// In their words.
        reason: String,
    },
    /// Nobody answered in time, or it could not begin in time.
    Lapsed,
    /// Taken back before it began.
    Withdrawn,
    /// A rule stood against it when it was to begin, or the directory said no: nothing was granted.
    Failed {
        /// Why, in words for the asker.
        reason: String,
    },
    /// Held, and taken away; a read showed it gone.
    Ended(Cause),
    /// Held, and then found gone though nobody here took it.
    RemovedElsewhere,
    /// Held, and handed on to the activation that continues it.
    TakenOver {
        /// By which.
        by: ActivationId,
    },
}

/// Where an activation stands. Each state holds exactly what is true in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Asked and recorded; what it needs next is not settled yet.
    Requested,
    /// Waiting for people.
    AwaitingApproval {
        /// When it lapses unanswered.
        lapses_at: Timestamp,
    },
    /// May begin, from `starts_at` on.
    Scheduled {
        /// Not before this.
        starts_at: Timestamp,
        /// Not after this: what could not begin in time lapses.
        lapses_at: Timestamp,
        /// Looking whether the slot is empty.
        retry: Retry,
    },
    /// The intent is on record. From here on the directory may hold it.
    Activating {
        /// The end, fixed with the intent. It never grows.
        not_after: Timestamp,
        /// Asking for it, or finding out whether it was granted.
        retry: Retry,
    },
    /// The directory confirmed it.
    Active {
        /// When it is taken away.
        not_after: Timestamp,
        /// What the directory calls it.
        held: AssignmentId,
    },
    /// Being taken away, until a read shows it gone.
    Revoking {
        /// What the directory calls it, where it ever said so.
        held: Option<AssignmentId>,
        /// Its end, or what would have been.
        not_after: Timestamp,
        /// Why.
        cause: Cause,
        /// Taking it away and seeing it gone.
        retry: Retry,
    },
    /// Over. Nothing follows.
    Closed {
        /// How.
        outcome: Outcome,
        /// When.
        at: Timestamp,
    },
}

/// Whether somebody has to look at it after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Review {
    /// No: an everyday activation, or an emergency in which nothing was granted.
    NotNeeded,
    /// Nobody has yet.
    Open,
    /// Somebody has.
    Closed {
        /// Who: never the holder.
        by: Principal,
        /// When.
        at: Timestamp,
        /// In their words.
        comment: String,
    },
}

/// An event that cannot follow in this state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an activation that is {state} cannot become {change}")]
pub struct IllegalEvent {
    /// Where it stands.
    pub state: &'static str,
    /// What was to happen.
    pub change: &'static str,
}

/// One request and its whole life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// Which.
    pub id: ActivationId,
    /// What was asked.
    pub request: Request,
    /// [`Asked::digest`] of it.
    pub digest: Digest,
    /// Who has said yes so far.
    pub approvals: Vec<Approval>,
    /// For how long: what was asked, or what approvers left of it.
    pub term: Term,
    /// What is held: what was asked, or what approvers left of it.
    pub target: Target,
    /// Whether somebody has to look at it after.
    pub review: Review,
    /// Whether the holder's sign-in sessions are still to be revoked.
    pub sign_out: SignOut,
    /// Where it stands.
    pub state: State,
    /// When the directory confirmed it, if it ever did.
    pub held_from: Option<Timestamp>,
    /// Who ended it, where it was somebody and not time, the broker or the directory.
    pub ended_by: Option<Principal>,
    /// How many events it is the sum of.
    pub version: u64,
}

impl Activation {
    /// The activation that begins with this event.
    ///
    /// # Errors
    /// Only [`Change::Requested`] begins one.
    pub fn open(id: ActivationId, first: &Event) -> Result<Self, IllegalEvent> {
        let Change::Requested(request) = &first.change else {
            return Err(IllegalEvent { state: "not asked for", change: first.change.word() });
        };
        Ok(Self {
            id,
            digest: request.asked.digest(),
            approvals: Vec::new(),
            term: request.asked.term,
            target: request.asked.target,
            review: Review::NotNeeded,
            sign_out: SignOut::NotNeeded,
            request: Request::clone(request),
            state: State::Requested,
            held_from: None,
            ended_by: None,
            version: 1,
        })
    }

    /// What follows from this event.
    ///
    /// # Errors
    /// The event cannot happen in this state; nothing has changed.
    pub fn apply(mut self, event: &Event) -> Result<Self, IllegalEvent> {
        let at = event.at;
        let closed = |outcome| State::Closed { outcome, at };
        let illegal = IllegalEvent { state: self.state.word(), change: event.change.word() };
        let continues = self.request.asked.continues.is_some();
        self.state = match (self.state, &event.change) {
            (State::Requested, Change::ApprovalSought { lapses_at })
                if !self.request.requirements.is_empty() =>
            {
                State::AwaitingApproval { lapses_at: *lapses_at }
            }
            (State::AwaitingApproval { lapses_at }, Change::Approved(approval, _)) => {
                let own = approval.approver == self.request.asked.principal;
                let counts = approval.request == self.digest
                    && (!own || self.request.own_approval)
                    && event.by == Actor::Principal(approval.approver)
                    && self.approvals.iter().all(|given| given.approver != approval.approver)
                    && approval.counts_for.iter().any(|place| *place < self.request.requirements.len());
                let left = narrowed(self.request.asked.term, &self.request.asked.target, &approval.narrowed)
                    .and_then(|left| still_left(left, (self.term, self.target)));
                let Some((term, target)) = left.ok().filter(|_| counts) else {
                    return Err(illegal);
                };
                (self.term, self.target) = (term, target);
                self.approvals.push(Approval::clone(approval));
                State::AwaitingApproval { lapses_at }
            }
            (
                State::Requested | State::AwaitingApproval { .. },
                Change::Scheduled { starts_at, lapses_at },
            ) if approval::still_needed(&self.request.requirements, &self.approvals) == 0 => {
                State::Scheduled {
                    starts_at: *starts_at,
                    lapses_at: *lapses_at,
                    retry: Retry::first(*starts_at),
                }
            }
            (State::AwaitingApproval { .. }, Change::Denied { reason }) => {
                closed(Outcome::Denied { reason: reason.clone() })
            }
            // With the rest of what was asked for together.
            (State::Scheduled { .. }, Change::Denied { reason }) if !self.request.bundle.is_empty() => {
                closed(Outcome::Denied { reason: reason.clone() })
            }
            (
                State::Requested | State::AwaitingApproval { .. } | State::Scheduled { .. },
                Change::Withdrawn,
            ) => closed(Outcome::Withdrawn),
            (State::AwaitingApproval { .. } | State::Scheduled { .. }, Change::Lapsed) => {
                closed(Outcome::Lapsed)
            }
            (
                State::Requested
                | State::AwaitingApproval { .. }
                | State::Scheduled { .. }
                | State::Activating { .. },
                Change::Refused { reason },
            ) => {
                // Nothing was granted, so there is nothing to look at.
                self.review = Review::NotNeeded;
                closed(Outcome::Failed { reason: reason.clone() })
            }
            (State::Scheduled { .. }, Change::ActivationBegun { not_after }) => {
                if self.request.kind == Kind::BreakGlass {
                    self.review = Review::Open;
                }
                State::Activating { not_after: *not_after, retry: Retry::first(at) }
            }
            (State::Activating { not_after, .. }, Change::Activated { held }) => {
                State::Active { not_after, held: held.clone() }
            }
            (State::Scheduled { starts_at, lapses_at, retry }, Change::Postponed { retry_at, reason }) => {
                State::Scheduled { starts_at, lapses_at, retry: retry.again(*retry_at, reason.clone()) }
            }
            (State::Activating { not_after, retry }, Change::Postponed { retry_at, reason }) => {
                State::Activating { not_after, retry: retry.again(*retry_at, reason.clone()) }
            }
            (State::Revoking { held, not_after, cause, retry }, Change::Postponed { retry_at, reason }) => {
                let retry = retry.again(*retry_at, reason.clone());
                State::Revoking { held, not_after, cause, retry }
            }
            // What continues another made nothing of its own: there is nothing to take away but the other's.
            (State::Activating { not_after, .. }, Change::RevocationBegun(cause)) if !continues => {
                State::Revoking { held: None, not_after, cause: cause.clone(), retry: Retry::first(at) }
            }
            (State::Active { not_after, held }, Change::RevocationBegun(cause)) => {
                State::Revoking { held: Some(held), not_after, cause: cause.clone(), retry: Retry::first(at) }
            }
            (State::Revoking { cause, .. }, Change::Removed) => {
                self.sign_out = SignOut::after(&self.request, &cause, at);
                closed(Outcome::Ended(cause))
            }
            (State::Active { .. }, Change::RemovedElsewhere) => {
                self.sign_out = SignOut::first(&self.request, at);
                closed(Outcome::RemovedElsewhere)
            }
            (State::Active { .. }, Change::TakenOver { by }) => closed(Outcome::TakenOver { by: *by }),
            (
                over @ State::Closed { .. },
                change @ (Change::SignedOut | Change::SignOutFailed { .. } | Change::Postponed { .. }),
            ) => {
                let Some(next) = self.sign_out.followed_by(change, at) else { return Err(illegal) };
                self.sign_out = next;
                over
            }
            (over @ State::Closed { .. }, Change::Reviewed { comment }) => {
                let somebody_else = match event.by {
                    Actor::Principal(by) if by != self.request.asked.principal => Some(by),
                    Actor::Principal(_) | Actor::Broker => None,
                };
                let Some(by) = somebody_else.filter(|_| self.review == Review::Open) else {
                    return Err(illegal);
                };
                self.review = Review::Closed { by, at, comment: comment.clone() };
                over
            }
            _ => return Err(illegal),
        };
        match (&event.change, event.by) {
            (Change::Activated { .. }, _) => self.held_from = Some(at),
            (
                Change::Denied { .. }
                | Change::Withdrawn
                | Change::Refused { .. }
                | Change::RevocationBegun(_),
                Actor::Principal(who),
            ) => self.ended_by = Some(who),
            _ => {}
        }
        self.version = self.version.saturating_add(1);
        Ok(self)
    }

    /// The sum of these events, the first of which must be [`Change::Requested`].
    ///
    /// # Errors
    /// The first event that cannot follow; `None` events are no activation.
    pub fn replay(id: ActivationId, events: &[Event]) -> Result<Self, IllegalEvent> {
        let nothing = IllegalEvent { state: "not asked for", change: "anything" };
        let (first, rest) = events.split_first().ok_or(nothing)?;
        rest.iter().try_fold(Self::open(id, first)?, Self::apply)
    }

    /// The slot it takes (or took).
    pub const fn slot(&self) -> Slot {
        self.target.slot(self.request.asked.principal)
    }

    /// Whether it keeps its slot from everybody else. An activation that is to continue another
    /// keeps none until it takes that one over.
    pub const fn takes_slot(&self) -> bool {
        match self.state {
            State::Closed { .. } => false,
            State::Requested
            | State::AwaitingApproval { .. }
            | State::Scheduled { .. }
            | State::Activating { .. } => self.request.asked.continues.is_none(),
            State::Active { .. } | State::Revoking { .. } => true,
        }
    }

    /// Whether it is to continue another that has its slot still. Until it has taken over it holds nothing.
    pub const fn is_to_take_over(&self) -> bool {
        self.is_live() && !self.takes_slot()
    }

    /// How much a yes is to that takes this off what is left; with nothing taken off, it is to all that is left.
    ///
    /// # Errors
    /// It is not less.
    pub fn narrowed_by(&self, off: &Narrowed) -> Result<Narrowed, ApprovalRefusal> {
        let asked = &self.request.asked;
        let (term, target) = narrowed(self.term, &self.target, off)?;
        Ok(Narrowed {
            term: Some(term).filter(|term| *term != asked.term),
            scope: target.scope().filter(|_| target != asked.target),
        })
    }

    /// What a yes to this much leaves.
    ///
    /// # Errors
    /// It is to more than was asked, or to more than earlier approvers left.
    pub fn after_yes_to(&self, much: &Narrowed) -> Result<(Term, Target), ApprovalRefusal> {
        let left = narrowed(self.request.asked.term, &self.request.asked.target, much)?;
        still_left(left, (self.term, self.target))
    }

    /// Each yes, with what that person took off: nothing where they left what earlier ones had.
    pub fn taken_off(&self) -> impl Iterator<Item = (&Approval, Narrowed)> {
        let mut left = Narrowed::NOTHING;
        self.approvals.iter().map(move |approval| {
            let Narrowed { term, scope } = approval.narrowed;
            let off = Narrowed {
                term: term.filter(|_| term != left.term),
                scope: scope.filter(|_| scope != left.scope),
            };
            left = approval.narrowed;
            (approval, off)
        })
    }

    /// Whether this yes is the asker's own.
    pub fn is_own(&self, approval: &Approval) -> bool {
        approval.approver == self.request.asked.principal
    }

    /// Whether it is not over yet.
    pub const fn is_live(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    /// Whether anything can still follow: what is over may still be looked at, or its holder be signed out.
    pub const fn may_change(&self) -> bool {
        self.is_live() || matches!(self.review, Review::Open) || matches!(self.sign_out, SignOut::Due(_))
    }

    /// The step that the directory has to settle next, if it is the directory that is waited for.
    pub const fn retry(&self) -> Option<&Retry> {
        match &self.sign_out {
            SignOut::Due(retry) => Some(retry),
            SignOut::NotNeeded | SignOut::Done { .. } | SignOut::Failed { .. } => self.state.retry(),
        }
    }

    /// How many more people must say yes.
    pub fn still_needed(&self) -> usize {
        approval::still_needed(&self.request.requirements, &self.approvals)
    }
}

/// What a yes is to, where earlier ones left that much.
fn still_left(to: (Term, Target), left: (Term, Target)) -> Result<(Term, Target), ApprovalRefusal> {
    if to.0 > left.0 {
        return Err(ApprovalRefusal::LessIsLeft(format!("{}", left.0)));
    }
    if !left.1.covers(&to.1) {
        return Err(ApprovalRefusal::LessIsLeft(left.1.resource().place()));
    }
    Ok(to)
}

/// What is left of a term and a target.
fn narrowed(term: Term, target: &Target, by: &Narrowed) -> Result<(Term, Target), ApprovalRefusal> {
    let shortest = Term::shortest_by(target.way());
    let left = by.term.unwrap_or(term);
    if left > term {
        return Err(ApprovalRefusal::NotNarrower(format!("{left} is longer than {term}")));
    }
    if left < shortest && left < term {
        return Err(ApprovalRefusal::NotNarrower(format!(
            "{left} is shorter than `{}` can grant; give {shortest} or more",
            target.way()
        )));
    }
    let Some(scope) = by.scope else { return Ok((left, *target)) };
    let within = target.narrowed_to(scope).ok_or_else(|| {
        ApprovalRefusal::NotNarrower(format!("{scope} is not within {}", target.resource().place()))
    })?;
    Ok((left, within))
}

impl State {
    /// The words of all states that can still change.
    pub const LIVE_WORDS: [&str; 6] =
        ["requested", "awaiting approval", "scheduled", "activating", "active", "revoking"];

    /// The step that the directory has to settle next, if it is the directory that is waited for.
    pub const fn retry(&self) -> Option<&Retry> {
        match self {
            Self::Scheduled { retry, .. } | Self::Activating { retry, .. } | Self::Revoking { retry, .. } => {
                Some(retry)
            }
            Self::Requested | Self::AwaitingApproval { .. } | Self::Active { .. } | Self::Closed { .. } => {
                None
            }
        }
    }

    /// One word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::AwaitingApproval { .. } => "awaiting approval",
            Self::Scheduled { .. } => "scheduled",
            Self::Activating { .. } => "activating",
            Self::Active { .. } => "active",
            Self::Revoking { .. } => "revoking",
            Self::Closed { .. } => "closed",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
