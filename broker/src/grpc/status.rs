//! The one table from refusals to gRPC: code, stable reason, and what else a client can act on.

use std::collections::HashMap;
use std::time::Duration;

use elevate_core::approval::ApprovalRefusal;
use elevate_core::policy;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use uuid::Uuid;

use crate::ports::verifier::TokenRefusal;
use crate::workflow::Refusal;

/// How much of a policy's faults is told at once: an error travels in headers, and they are bounded.
const FAULTS_BYTES_MAX: usize = 4 * 1024;

/// The `domain` of every error.
const DOMAIN: &str = "elevate";

/// What a caller is told.
pub(super) fn from(refusal: &Refusal) -> Status {
    if let Refusal::Store(fault) = refusal {
        return internal(fault);
    }
    let mut details = ErrorDetails::with_error_info(refusal.reason(), DOMAIN, HashMap::new());
    match refusal.itself() {
        Refusal::Field { field, problem } => {
            details.add_bad_request_violation(*field, problem);
        }
        Refusal::JustificationMissing => {
            details.add_bad_request_violation("justification", refusal.to_string());
        }
        Refusal::Rule(policy::Refusal::TooLong { .. } | policy::Refusal::TooShort { .. }) => {
            details.add_bad_request_violation("term_seconds", refusal.to_string());
        }
        Refusal::Rule(policy::Refusal::TicketMissing { .. }) => {
            details.add_bad_request_violation("ticket", refusal.to_string());
        }
        Refusal::Rule(policy::Refusal::StartTooFar { .. } | policy::Refusal::StartPast { .. }) => {
            details.add_bad_request_violation("starts_at", refusal.to_string());
        }
        Refusal::Rule(policy::Refusal::ScopeNotOffered { .. }) => {
            details.add_bad_request_violation("scope", refusal.to_string());
        }
        Refusal::Bundle(_) => {
            details.add_bad_request_violation("items", refusal.to_string());
        }
        Refusal::PolicyInvalid(faults) => {
            let mut bytes = 0_usize;
            for (nth, fault) in faults.iter().enumerate() {
                let place = match fault.key.as_str() {
                    "" => fault.place.clone(),
                    key => format!("{}: {key}", fault.place),
                };
                bytes = bytes.saturating_add(place.len()).saturating_add(fault.problem.len());
                if bytes > FAULTS_BYTES_MAX {
                    let left = faults.iter().count().saturating_sub(nth);
                    details.add_bad_request_violation("", format!("and {left} more; mend these first"));
                    break;
                }
                details.add_bad_request_violation(place, &fault.problem);
            }
        }
        Refusal::Unreachable(unreachable) => {
            details.set_retry_info(Some(unreachable.after.unwrap_or(Duration::from_secs(5))));
        }
        Refusal::DiskFull => {
            details.set_retry_info(Some(Duration::from_secs(60)));
        }
        Refusal::Token(TokenRefusal::Unreachable { .. } | TokenRefusal::TimeUnsure)
        | Refusal::TimeDoubted
        | Refusal::TicketUnanswered { .. }
        | Refusal::Draining => {
            details.set_retry_info(Some(Duration::from_secs(5)));
        }
        _ => {}
    }
    // What is in the details need not be in the text too: both travel as headers.
    let text = refusal.to_string();
    let text = text.lines().next().unwrap_or_default();
    Status::with_error_details(code(refusal), text, details)
}

/// No `_`: a new refusal must be given its code here.
fn code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::OneOfSeveral { refusal, .. } => code(refusal),
        Refusal::Field { .. }
        | Refusal::JustificationMissing
        | Refusal::PolicyInvalid(_)
        | Refusal::Bundle(_)
        | Refusal::Rule(
            policy::Refusal::TooLong { .. }
            | policy::Refusal::TooShort { .. }
            | policy::Refusal::TicketMissing { .. }
            | policy::Refusal::TicketMalformed { .. }
            | policy::Refusal::StartTooFar { .. }
            | policy::Refusal::StartPast { .. }
            | policy::Refusal::ScopeNotOffered { .. },
        )
        | Refusal::Approval(ApprovalRefusal::NotNarrower(_)) => Code::InvalidArgument,
        Refusal::Rule(policy::Refusal::NotOffered { .. }) | Refusal::ActivationNotFound => Code::NotFound,
        Refusal::Token(TokenRefusal::Invalid(_)) => Code::Unauthenticated,
        Refusal::Token(TokenRefusal::Unreachable { .. } | TokenRefusal::TimeUnsure)
        | Refusal::Unreachable(_)
        | Refusal::TimeDoubted
        | Refusal::TicketUnanswered { .. }
        | Refusal::Draining
        | Refusal::DiskFull => Code::Unavailable,
        Refusal::Token(
            TokenRefusal::NotAProof(_)
            | TokenRefusal::Foreign
            | TokenRefusal::Stale { .. }
            | TokenRefusal::Weak { .. }
            | TokenRefusal::Unbound { .. },
        )
        | Refusal::ProofUsed
        | Refusal::Approval(ApprovalRefusal::Own | ApprovalRefusal::NotAnApprover)
        | Refusal::NotAllowed { .. }
        | Refusal::SecondPersonNeeded { .. }
        | Refusal::TicketRefused { .. }
        | Refusal::OwnProposal
        | Refusal::OwnReview
        | Refusal::PeopleOnly => Code::PermissionDenied,
        Refusal::Approval(ApprovalRefusal::Twice)
        | Refusal::SlotTaken { .. }
        | Refusal::ExtendedAlready { .. } => Code::AlreadyExists,
        Refusal::ReviewOpen { .. }
        | Refusal::TicketCheckMissing { .. }
        | Refusal::NotExtended(_)
        | Refusal::AssignedElsewhere
        | Refusal::WrongState { .. }
        | Refusal::Frozen(_)
        | Refusal::NotFrozen
        | Refusal::NoPolicy
        | Refusal::NoProposal => Code::FailedPrecondition,
        Refusal::Changed(_)
        | Refusal::Approval(ApprovalRefusal::LessIsLeft(_))
        | Refusal::PolicyMoved { .. }
        | Refusal::Contended => Code::Aborted,
        Refusal::Store(_) => Code::Internal,
    }
}

/// Ours: the log says what, the caller gets an id to point at it.
pub(super) fn internal(fault: &dyn std::fmt::Display) -> Status {
    let id = Uuid::new_v4();
    tracing::error!(%id, %fault, "a call ended in disorder");
    let details = ErrorDetails::with_error_info("INTERNAL", DOMAIN, [("id".to_owned(), id.to_string())]);
    let text = format!("the broker failed; give this id to its operator: {id}");
    Status::with_error_details(Code::Internal, text, details)
}

/// Over a rate.
pub(super) fn too_many(who: &str, wait: Duration) -> Status {
    let mut details = ErrorDetails::with_error_info("TOO_MANY", DOMAIN, HashMap::new());
    details.set_retry_info(Some(wait));
    let text = format!("{who} over the rate of calls; try again in {} s", wait.as_secs().saturating_add(1));
    Status::with_error_details(Code::ResourceExhausted, text, details)
}

/// Over a number of open streams.
pub(super) fn too_many_streams() -> Status {
    too_many("you have too many streams open and are", Duration::from_secs(30))
}

#[cfg(test)]
mod tests;
