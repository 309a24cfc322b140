//! Why a call changed nothing: one enum, with a stable word for each reason.

use elevate_core::activation::IllegalEvent;
use elevate_core::approval::ApprovalRefusal;
use elevate_core::document::Faults;
use elevate_core::names::{ActivationId, RoleName};
use elevate_core::policy::{self, CheckName};

use crate::ports::directory::Unreachable;
use crate::ports::journal::{AppendError, Freeze, StoreFault};
use crate::ports::verifier::{AppRole, TokenRefusal};

/// Why nothing was changed. The texts go to the caller: what, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A field of the message is missing or wrong.
    #[error("{field}: {problem}")]
    Field {
        /// As the contract names it.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// No justification.
    #[error("a justification is needed: say why you need the role")]
    JustificationMissing,
    /// A rule of the policy.
    #[error(transparent)]
    Rule(#[from] policy::Refusal),
    /// A rule about what is asked for together.
    #[error(transparent)]
    Bundle(#[from] policy::BundleRefusal),
    /// What stands against one of several, and so against all of them.
    #[error("`{role}`, and with it all that was asked together: {refusal}")]
    OneOfSeveral {
        /// Which.
        role: RoleName,
        /// What.
        refusal: Box<Self>,
    },
    /// A rule of approval.
    #[error(transparent)]
    Approval(#[from] ApprovalRefusal),
    /// The token or the proof.
    #[error(transparent)]
    Token(#[from] TokenRefusal),
    /// The proof has counted once.
    #[error("this sign-in has been used already; each request and each approval needs a fresh one")]
    ProofUsed,
    /// A live activation is there.
    #[error(
        "you have a live activation of this role already ({by}); `elevate show {by}` tells how it stands"
    )]
    SlotTaken {
        /// Which.
        by: ActivationId,
    },
    /// What is held is not to go on like this.
    #[error("{0}")]
    NotExtended(String),
    /// Another request is to continue it.
    #[error(
        "another request to extend it is open already ({by}); `elevate show {by}` tells how it stands, `elevate \
         withdraw {by}` takes it back"
    )]
    ExtendedAlready {
        /// Which.
        by: ActivationId,
    },
    /// The directory holds it by somebody else's hand.
    #[error(
        "the directory holds this role for you already, and not by this broker; nothing to activate. If it should not be standing, tell your administrators"
    )]
    AssignedElsewhere,
    /// No such activation, or none of the caller's business.
    #[error("no such activation; `elevate list` shows yours")]
    ActivationNotFound,
    /// It cannot follow in this state.
    #[error("this activation is {is}; {hint}")]
    WrongState {
        /// Where it stands.
        is: &'static str,
        /// What can be done instead.
        hint: &'static str,
    },
    /// What was prepared is not what is there now.
    #[error("{0}; prepare it again")]
    Changed(String),
    /// The ticket's own system says no.
    #[error(
        "ticket `{number}` does not stand for this: {why}; look at it in its system, or name another with `--ticket`"
    )]
    TicketRefused {
        /// Which.
        number: String,
        /// As the system says.
        why: String,
    },
    /// The ticket's own system said nothing, and the role does not let that pass.
    #[error(
        "ticket `{number}` could not be confirmed: {why}; nothing was changed, try again in a moment, and tell the \
         people who run the broker if it stays so"
    )]
    TicketUnanswered {
        /// Which.
        number: String,
        /// What is in the way.
        why: String,
    },
    /// The policy in force names a ticket system that the configuration does not have.
    #[error(
        "ticket `{number}` cannot be confirmed: the broker's configuration has no `[tickets.{check}]`; nothing was \
         changed, ask the people who run the broker to add it"
    )]
    TicketCheckMissing {
        /// Which.
        number: String,
        /// As the policy calls it.
        check: CheckName,
    },
    /// The last use in an emergency was not looked at.
    #[error(
        "nobody has looked at your last break-glass use of this role yet ({by}); ask an auditor or one of its \
         approvers to close it with `elevate review close {by}`"
    )]
    ReviewOpen {
        /// Which.
        by: ActivationId,
    },
    /// Nobody looks at their own.
    #[error(
        "you used it yourself, and somebody else must look at it; ask an auditor or one of its approvers"
    )]
    OwnReview,
    /// Nothing is granted to anybody for now.
    #[error("{}", frozen(.0))]
    Frozen(Box<Freeze>),
    /// There is nothing to thaw.
    #[error("nothing is frozen; `elevate whoami` shows it when something is")]
    NotFrozen,
    /// Nothing can be asked for yet.
    #[error("no policy has been applied yet; an administrator does that with `elevate policy apply`")]
    NoPolicy,
    /// Another policy came first.
    #[error("policy version {is} was applied in the meantime; plan again")]
    PolicyMoved {
        /// The version in force.
        is: u64,
    },
    /// One person alone does not change this.
    #[error("`{}` {}; propose the policy, and let another policy admin confirm it", .roles.join("`, `"), if .roles.len() == 1 { "is protected" } else { "are protected" })]
    SecondPersonNeeded {
        /// The protected roles it touches.
        roles: Vec<String>,
    },
    /// Who proposes is one person, and who confirms another.
    #[error("you proposed this policy yourself; another policy admin must confirm it")]
    OwnProposal,
    /// Nothing waits to be confirmed.
    #[error(
        "no policy is proposed, or another came into force since; an administrator proposes one with `elevate policy apply`"
    )]
    NoProposal,
    /// The policy has faults.
    #[error("the policy has {n} fault{s}; nothing was applied\n{0}", n = .0.iter().count(), s = if .0.iter().count() == 1 { "" } else { "s" })]
    PolicyInvalid(Faults),
    /// The caller lacks an app role.
    #[error("this needs the app role {}; an administrator of the tenant assigns it", words(.wanted))]
    NotAllowed {
        /// One of these.
        wanted: Vec<AppRole>,
    },
    /// Only people may.
    #[error("only a person who signs in can do this; a program cannot")]
    PeopleOnly,
    /// Somebody else changed it at that moment.
    #[error("it was changed by somebody else at the same moment; try again")]
    Contended,
    /// The directory cannot be asked.
    #[error("{0}; nothing was changed, try again in a moment")]
    Unreachable(#[from] Unreachable),
    /// The time is in doubt.
    #[error(
        "the tenant says another time than the broker kept, and it grants nothing until that is settled; try again in a minute"
    )]
    TimeDoubted,
    /// The broker is shutting down.
    #[error("the broker is shutting down; try again in a moment")]
    Draining,
    /// There is no room for what is new.
    #[error(
        "the broker's disk is full, so it takes nothing new, and only ends what there is; tell whoever runs the broker to make room"
    )]
    DiskFull,
    /// The store failed; the process is about to end.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Refusal {
    /// A word that stays the same: the `reason` in a status' details.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Field { .. } => "FIELD_INVALID",
            Self::JustificationMissing => "JUSTIFICATION_MISSING",
            Self::Rule(policy::Refusal::NotOffered { .. }) => "ROLE_NOT_OFFERED",
            Self::Rule(policy::Refusal::TooLong { .. }) => "TERM_TOO_LONG",
            Self::Rule(policy::Refusal::TooShort { .. }) => "TERM_TOO_SHORT",
            Self::Rule(policy::Refusal::TicketMissing { .. }) => "TICKET_MISSING",
            Self::Rule(policy::Refusal::TicketMalformed { .. }) => "TICKET_MALFORMED",
            Self::Rule(policy::Refusal::StartTooFar { .. }) => "START_TOO_FAR",
            Self::Rule(policy::Refusal::StartPast { .. }) => "START_PAST",
            Self::Rule(policy::Refusal::ScopeNotOffered { .. }) => "SCOPE_NOT_OFFERED",
            Self::Bundle(policy::BundleRefusal::ContextsDiffer { .. }) => "CONTEXTS_DIFFER",
            Self::Bundle(_) => "BUNDLE_INVALID",
            Self::OneOfSeveral { refusal, .. } => refusal.reason(),
            Self::Approval(ApprovalRefusal::Own) => "OWN_APPROVAL",
            Self::Approval(ApprovalRefusal::Twice) => "ALREADY_APPROVED",
            Self::Approval(ApprovalRefusal::NotAnApprover) => "NOT_AN_APPROVER",
            Self::Approval(ApprovalRefusal::NotNarrower(_)) => "NOT_NARROWER",
            Self::Token(token) => token.reason(),
            Self::ProofUsed => "PROOF_USED",
            Self::SlotTaken { .. } => "SLOT_TAKEN",
            Self::NotExtended(_) => "NOT_EXTENDED",
            Self::ExtendedAlready { .. } => "EXTENDED_ALREADY",
            Self::AssignedElsewhere => "ASSIGNED_ELSEWHERE",
            Self::ActivationNotFound => "ACTIVATION_NOT_FOUND",
            Self::WrongState { .. } => "WRONG_STATE",
            Self::Changed(_) | Self::Approval(ApprovalRefusal::LessIsLeft(_)) => "REQUEST_CHANGED",
            Self::TicketRefused { .. } => "TICKET_REFUSED",
            Self::TicketUnanswered { .. } => "TICKET_UNANSWERED",
            Self::TicketCheckMissing { .. } => "TICKET_CHECK_MISSING",
            Self::ReviewOpen { .. } => "REVIEW_OPEN",
            Self::OwnReview => "OWN_REVIEW",
            Self::Frozen(_) => "FROZEN",
            Self::NotFrozen => "NOT_FROZEN",
            Self::NoPolicy => "NO_POLICY",
            Self::PolicyMoved { .. } => "POLICY_MOVED",
            Self::SecondPersonNeeded { .. } | Self::OwnProposal => "SECOND_PERSON_NEEDED",
            Self::NoProposal => "NO_PROPOSAL",
            Self::PolicyInvalid(_) => "POLICY_INVALID",
            Self::NotAllowed { .. } => "NOT_ALLOWED",
            Self::PeopleOnly => "PEOPLE_ONLY",
            Self::Contended => "CONTENDED",
            Self::Unreachable(_) => "DIRECTORY_UNREACHABLE",
            Self::TimeDoubted => "TIME_UNSURE",
            Self::Draining => "DRAINING",
            Self::DiskFull => "DISK_FULL",
            Self::Store(_) => "INTERNAL",
        }
    }

    /// The same, said of one of several roles, where it is the role's and not the caller's or the broker's.
    #[must_use]
    pub(super) fn about(self, role: &RoleName) -> Self {
        match self {
            Self::Field { .. }
            | Self::Rule(_)
            | Self::Approval(_)
            | Self::SlotTaken { .. }
            | Self::AssignedElsewhere
            | Self::WrongState { .. }
            | Self::TicketRefused { .. }
            | Self::TicketUnanswered { .. }
            | Self::TicketCheckMissing { .. }
            | Self::Changed(_) => Self::OneOfSeveral { role: role.clone(), refusal: Box::new(self) },
            other => other,
        }
    }

    /// What it is, whichever of several roles it is said of.
    pub(crate) fn itself(&self) -> &Self {
        match self {
            Self::OneOfSeveral { refusal, .. } => refusal.itself(),
            other => other,
        }
    }
}

/// The most of a freeze's reason that a refusal repeats, in characters: errors travel in headers.
const REASON_SHOWN: usize = 200;

/// Who, when, why and what to do, on one line.
fn frozen(freeze: &Freeze) -> String {
    let Freeze { by, reason, at } = freeze;
    let mut why: String = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = why.char_indices().nth(REASON_SHOWN) {
        why.truncate(end);
        why.push('…');
    }
    format!(
        "nothing is granted since {at:.0}, frozen by {} (\"{why}\"); ask again when it is thawed, which a revoker or \
         a policy admin does with `elevate thaw`",
        by.object
    )
}

fn words(roles: &[AppRole]) -> String {
    roles.iter().map(|role| role.word()).collect::<Vec<_>>().join(" or ")
}

impl From<IllegalEvent> for Refusal {
    /// What the use case let through and the rules did not: somebody else was faster.
    fn from(_: IllegalEvent) -> Self {
        Self::Contended
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { .. } | AppendError::Illegal(_) => Self::Contended,
            AppendError::SlotTaken { by } => Self::SlotTaken { by },
            AppendError::ProofUsed => Self::ProofUsed,
            AppendError::RequestIdUsed { by } => {
                Self::Changed(format!("this request id was used for another request ({by})"))
            }
            AppendError::TooLarge { .. } => Self::Field { field: "message", problem: error.to_string() },
            AppendError::Store(fault) => Self::Store(fault),
        }
    }
}
