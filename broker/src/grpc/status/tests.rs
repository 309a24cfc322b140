use elevate_core::document::Faults;
use elevate_core::names::{ActivationId, RoleName};
use uuid::Uuid;

use super::*;
use crate::ports::directory::Unreachable;
use crate::ports::journal::StoreFault;
use crate::ports::verifier::AppRole;

fn every() -> Vec<(Refusal, Code, &'static str)> {
    let (role, by) = ("reader".parse().unwrap(), ActivationId::from_uuid(Uuid::from_u128(1)));
    let hour = || "1h".parse().unwrap();
    let word = || "so".to_owned();
    let mut faults = Faults::default();
    faults.push("line 3", "role[0].count", "is missing");
    let rule = Refusal::Rule;
    vec![
        (Refusal::Field { field: "id", problem: word() }, Code::InvalidArgument, "FIELD_INVALID"),
        (Refusal::JustificationMissing, Code::InvalidArgument, "JUSTIFICATION_MISSING"),
        (
            rule(policy::Refusal::NotOffered { role: RoleName::clone(&role) }),
            Code::NotFound,
            "ROLE_NOT_OFFERED",
        ),
        (
            rule(policy::Refusal::TooLong { role: role.clone(), asked: hour(), longest: hour() }),
            Code::InvalidArgument,
            "TERM_TOO_LONG",
        ),
        (
            rule(policy::Refusal::TooShort { role: role.clone(), asked: hour(), shortest: hour() }),
            Code::InvalidArgument,
            "TERM_TOO_SHORT",
        ),
        (rule(policy::Refusal::TicketMissing { role }), Code::InvalidArgument, "TICKET_MISSING"),
        (ApprovalRefusal::Own.into(), Code::PermissionDenied, "OWN_APPROVAL"),
        (ApprovalRefusal::Twice.into(), Code::AlreadyExists, "ALREADY_APPROVED"),
        (ApprovalRefusal::NotAnApprover.into(), Code::PermissionDenied, "NOT_AN_APPROVER"),
        (TokenRefusal::Invalid(word()).into(), Code::Unauthenticated, "TOKEN_INVALID"),
        (TokenRefusal::NotAProof(word()).into(), Code::PermissionDenied, "PROOF_INVALID"),
        (TokenRefusal::Foreign.into(), Code::PermissionDenied, "PROOF_FOREIGN"),
        (TokenRefusal::Stale { allowed: word() }.into(), Code::PermissionDenied, "PROOF_STALE"),
        (TokenRefusal::Weak { wanted: word() }.into(), Code::PermissionDenied, "PROOF_WEAK"),
        (TokenRefusal::Unbound { why: word() }.into(), Code::PermissionDenied, "PROOF_UNBOUND"),
        (TokenRefusal::TimeUnsure.into(), Code::Unavailable, "TIME_UNSURE"),
        (Refusal::TimeDoubted, Code::Unavailable, "TIME_UNSURE"),
        (TokenRefusal::Unreachable { why: word() }.into(), Code::Unavailable, "TENANT_UNREACHABLE"),
        (Refusal::ProofUsed, Code::PermissionDenied, "PROOF_USED"),
        (Refusal::OwnReview, Code::PermissionDenied, "OWN_REVIEW"),
        (
            Refusal::ReviewOpen { by: ActivationId::from_uuid(Uuid::from_u128(7)) },
            Code::FailedPrecondition,
            "REVIEW_OPEN",
        ),
        (Refusal::SlotTaken { by }, Code::AlreadyExists, "SLOT_TAKEN"),
        (Refusal::ExtendedAlready { by }, Code::AlreadyExists, "EXTENDED_ALREADY"),
        (Refusal::NotExtended("no later".to_owned()), Code::FailedPrecondition, "NOT_EXTENDED"),
        (Refusal::AssignedElsewhere, Code::FailedPrecondition, "ASSIGNED_ELSEWHERE"),
        (Refusal::ActivationNotFound, Code::NotFound, "ACTIVATION_NOT_FOUND"),
        (Refusal::WrongState { is: "closed", hint: "no" }, Code::FailedPrecondition, "WRONG_STATE"),
        (Refusal::Changed(word()), Code::Aborted, "REQUEST_CHANGED"),
        (Refusal::NoPolicy, Code::FailedPrecondition, "NO_POLICY"),
        (Refusal::PolicyMoved { is: 3 }, Code::Aborted, "POLICY_MOVED"),
        (Refusal::SecondPersonNeeded { roles: vec![word()] }, Code::PermissionDenied, "SECOND_PERSON_NEEDED"),
        (Refusal::OwnProposal, Code::PermissionDenied, "SECOND_PERSON_NEEDED"),
        (Refusal::NoProposal, Code::FailedPrecondition, "NO_PROPOSAL"),
        (Refusal::PolicyInvalid(faults), Code::InvalidArgument, "POLICY_INVALID"),
        (Refusal::NotAllowed { wanted: vec![AppRole::Revoker] }, Code::PermissionDenied, "NOT_ALLOWED"),
        (Refusal::PeopleOnly, Code::PermissionDenied, "PEOPLE_ONLY"),
        (Refusal::Contended, Code::Aborted, "CONTENDED"),
        (Unreachable { reason: word(), after: None }.into(), Code::Unavailable, "DIRECTORY_UNREACHABLE"),
        (Refusal::Draining, Code::Unavailable, "DRAINING"),
        (Refusal::DiskFull, Code::Unavailable, "DISK_FULL"),
        (StoreFault("sled at /var/lib".to_owned()).into(), Code::Internal, "INTERNAL"),
    ]
}

#[test]
fn each_refusal_has_its_code_and_its_stable_reason() {
    for (refusal, code, reason) in every() {
        let status = from(&refusal);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((status.code(), info.reason.as_str(), info.domain.as_str()), (code, reason, "elevate"));
        // Try again later: exactly where it can help.
        assert_eq!(details.retry_info().is_some(), code == Code::Unavailable, "{reason}");
        // Which field: exactly where one is wrong.
        assert_eq!(details.bad_request().is_some(), code == Code::InvalidArgument, "{reason}");
        assert!(!status.message().is_empty() && !status.message().ends_with('.'), "{}", status.message());
    }
}

#[test]
fn the_field_that_is_wrong_is_named() {
    let named: Vec<_> = every()
        .iter()
        .filter_map(|(refusal, ..)| {
            let details = from(refusal).get_error_details();
            details.bad_request().map(|bad| bad.field_violations[0].field.clone())
        })
        .collect();
    let expected = ["id", "justification", "term_seconds", "term_seconds", "ticket", "line 3: role[0].count"];
    assert_eq!(named, expected);
}

#[test]
fn what_is_ours_is_told_by_an_id_alone() {
    let status = from(&Refusal::Store(StoreFault("sled at /var/lib".to_owned())));
    assert!(!format!("{status:?}").contains("/var/lib"), "{status:?}");
    let details = status.get_error_details();
    let id = details.error_info().unwrap().metadata["id"].clone();
    assert!(status.message().ends_with(&id));
}

#[test]
fn the_directorys_own_wish_is_passed_on() {
    let after = Some(Duration::from_secs(77));
    let status = from(&Unreachable { reason: "busy".to_owned(), after }.into());
    assert_eq!(status.get_error_details().retry_info().unwrap().retry_delay, after);
    let status = too_many("you are", Duration::from_millis(1500));
    assert_eq!(
        (status.code(), status.message()),
        (Code::ResourceExhausted, "you are over the rate of calls; try again in 2 s")
    );
}

#[test]
fn an_error_has_room_for_some_faults_and_says_how_many_more_there_are() {
    let mut faults = Faults::default();
    for nth in 0..3000 {
        faults.push(&format!("line {nth}"), "role[0].longest", "is wrong: it is no length of time at all");
    }
    let status = from(&Refusal::PolicyInvalid(faults));
    assert_eq!(status.message(), "the policy has 3000 faults; nothing was applied");
    let told = status.get_error_details().bad_request().unwrap().field_violations.clone();
    assert!(status.details().len() < 8 * 1024, "{}", status.details().len());
    assert_eq!(told[0].field, "line 0: role[0].longest");
    assert_eq!(told.last().unwrap().description, format!("and {} more; mend these first", 3001 - told.len()));
}
