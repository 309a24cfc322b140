//! Who must say yes, who may, and until when.

use std::sync::Arc;

use elevate_core::activation::Outcome;
use elevate_core::approval::{ApprovalRefusal, Narrowed};

use super::world::*;
use crate::ports::verifier::TokenRefusal;
use crate::workflow::{Refusal, ToApprove, Yes};

const NOT_ASKED: Refusal = Refusal::Approval(ApprovalRefusal::NotAnApprover);

#[tokio::test]
async fn two_people_say_yes_before_anything_is_granted() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    world.settle_all().await;
    assert_eq!(world.word(id).await, "awaiting approval");

    world.yes(LEA, id).await.unwrap();
    world.settle_all().await;
    assert_eq!((world.word(id).await, world.directory.calls("grant")), ("awaiting approval", 0));

    world.yes(LEO, id).await.unwrap();
    world.settle_all().await;
    assert_eq!(world.word(id).await, "active");
    let told = ["requested", "approval-sought", "approved", "approved", "scheduled"];
    let and_then = ["activation-begun", "activated"];
    assert_eq!(world.life(id).await, [&told[..], &and_then[..]].concat());
    assert_eq!(world.directory.wrongs(), Vec::<String>::new());
}

#[tokio::test]
async fn each_requirement_takes_a_person_of_its_own() {
    let world = World::new().await;
    // Lea both leads and owns; still she is one person.
    world.directory.put_in(object(LEA), object(OWNERS));
    let id = world.asked(ANN, "owner").await;
    world.yes(LEA, id).await.unwrap();
    assert_eq!(world.word(id).await, "awaiting approval");
    // Whichever seat Leo needs, Lea moves to the other.
    world.yes(LEO, id).await.unwrap();
    assert_eq!(world.word(id).await, "scheduled");
}

#[tokio::test]
async fn nobody_says_yes_to_their_own_or_twice() {
    let world = World::new().await;
    world.directory.put_in(object(ANN), object(LEADS));
    let id = world.asked(ANN, "admin").await;
    assert_eq!(world.yes(ANN, id).await.unwrap_err(), Refusal::Approval(ApprovalRefusal::Own));
    world.yes(LEA, id).await.unwrap();
    assert_eq!(world.yes(LEA, id).await.unwrap_err(), Refusal::Approval(ApprovalRefusal::Twice));
    assert_eq!(world.word(id).await, "awaiting approval");
}

#[tokio::test]
async fn who_lost_the_right_since_has_none() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    let ToApprove { recorded, challenge, .. } =
        world.workflow.prepare_approval(&person(LEA), id, &Narrowed::NOTHING).await.unwrap();
    let token = world.desk.sign_in(principal(LEA), &challenge);
    world.directory.take_out(object(LEA), object(LEADS));
    let yes = Yes {
        request_id: world.request_id(),
        digest: recorded.digest,
        much: Narrowed::NOTHING,
        comment: "",
        proof: &token,
        challenge: &challenge.text,
    };
    // She may see it no more either.
    assert_eq!(world.workflow.approve(&person(LEA), id, yes).await.unwrap_err(), Refusal::ActivationNotFound);
    assert_eq!(world.word(id).await, "awaiting approval");
}

#[tokio::test]
async fn the_rule_in_force_must_name_them_too() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    let leads = object(LEADS).to_string();
    world.apply(&policy().replace(&leads, &object(OWNERS).to_string())).await;
    // By the rule of then; and by the rule of now.
    assert_eq!(world.yes(LEA, id).await.unwrap_err(), NOT_ASKED);
    assert_eq!(world.yes(OLA, id).await.unwrap_err(), Refusal::ActivationNotFound);
}

#[tokio::test]
async fn a_role_that_was_withdrawn_takes_no_yes_but_a_no() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    world.apply(&policy_without("admin")).await;
    let refused = world.yes(LEA, id).await.unwrap_err();
    assert!(matches!(&refused, Refusal::Changed(why) if why.contains("no longer offered")), "{refused:?}");
    world.workflow.deny(&person(LEA), id, "no").await.unwrap();
    assert_eq!(world.outcome(id).await, Outcome::Denied { reason: "no".to_owned() });
}

#[tokio::test]
async fn nothing_is_approved_under_a_policy_that_changes_while_the_proof_is_checked() {
    let world = Arc::new(World::new().await);
    let id = world.asked(ANN, "admin").await;
    world.desk.at_proof.shut();
    let saying = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.yes(LEA, id).await }
    });
    world.desk.at_proof.reached().await;
    world.apply(&policy_without("admin")).await;
    world.desk.at_proof.open();
    let refused = saying.await.unwrap().unwrap_err();
    assert_eq!(refused.reason(), "REQUEST_CHANGED");
    assert_eq!(world.word(id).await, "awaiting approval");
}

#[tokio::test]
async fn a_yes_whose_proof_was_checked_too_long_comes_too_late() {
    let world = Arc::new(World::new().await);
    let id = world.asked(ANN, "admin").await;
    world.yes(LEA, id).await.unwrap();
    // A sign-in just before the hour is over, and a tenant whose keys take their time.
    world.clock.forward(3599);
    world.desk.at_proof.shut();
    let saying = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.yes(LEO, id).await }
    });
    world.desk.at_proof.reached().await;
    world.clock.forward(1);
    world.desk.at_proof.open();
    let refused = saying.await.unwrap();
    assert!(matches!(refused, Err(Refusal::WrongState { is: "lapsed", .. })), "{refused:?}");
    world.settle_all().await;
    assert_eq!(world.outcome(id).await, Outcome::Lapsed);
}

#[tokio::test]
async fn an_answer_counts_until_the_window_ends_and_not_at_its_end() {
    for (after, expected) in [(3599, Ok(())), (3600, Err("WRONG_STATE")), (3601, Err("WRONG_STATE"))] {
        let world = World::new().await;
        let id = world.asked(ANN, "admin").await;
        world.clock.forward(after);
        let yes = world.yes(LEA, id).await.map(drop).map_err(|refusal| refusal.reason());
        assert_eq!(yes, expected, "yes after {after} s");
        let no = world.workflow.deny(&person(LEO), id, "no").await.map(drop).map_err(|r| r.reason());
        assert_eq!(no, expected, "no after {after} s");
    }
}

#[tokio::test]
async fn a_proof_is_for_one_person_one_request_and_one_action() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    let other = world.asked(BEN, "admin").await;
    let ToApprove { recorded, challenge, .. } =
        world.workflow.prepare_approval(&person(LEA), id, &Narrowed::NOTHING).await.unwrap();
    let ToApprove { challenge: for_another, .. } =
        world.workflow.prepare_approval(&person(LEA), other, &Narrowed::NOTHING).await.unwrap();
    let to_activate = world.workflow.prepare(&person(LEA), &World::wish("reader")).await;
    assert!(to_activate.is_err(), "leads are not offered it");
    for (signed_by, signed_for, reason) in [
        (LEO, &challenge, "PROOF_FOREIGN"),
        (LEA, &for_another, "PROOF_UNBOUND"),
        (ANN, &challenge, "PROOF_FOREIGN"),
    ] {
        let token = world.desk.sign_in(principal(signed_by), signed_for);
        let yes = Yes {
            request_id: world.request_id(),
            digest: recorded.digest,
            much: Narrowed::NOTHING,
            comment: "",
            proof: &token,
            challenge: &challenge.text,
        };
        let refused = world.workflow.approve(&person(LEA), id, yes).await.unwrap_err();
        assert_eq!(refused.reason(), reason);
        assert!(matches!(refused, Refusal::Token(TokenRefusal::Foreign | TokenRefusal::Unbound { .. })));
    }
    // What they were shown is not what is asked.
    let token = world.desk.sign_in(principal(LEA), &challenge);
    let digest = world.store_digest(other).await;
    let yes = Yes {
        request_id: world.request_id(),
        digest,
        much: Narrowed::NOTHING,
        comment: "",
        proof: &token,
        challenge: &challenge.text,
    };
    assert_eq!(world.workflow.approve(&person(LEA), id, yes).await.unwrap_err().reason(), "REQUEST_CHANGED");
}

#[tokio::test]
async fn a_yes_sent_again_is_the_same_yes() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    let ToApprove { recorded, challenge, .. } =
        world.workflow.prepare_approval(&person(LEA), id, &Narrowed::NOTHING).await.unwrap();
    let token = world.desk.sign_in(principal(LEA), &challenge);
    let yes = Yes {
        request_id: world.request_id(),
        digest: recorded.digest,
        much: Narrowed::NOTHING,
        comment: "",
        proof: &token,
        challenge: &challenge.text,
    };
    let first = world.workflow.approve(&person(LEA), id, yes).await.unwrap();
    let second = world.workflow.approve(&person(LEA), id, yes).await.unwrap();
    assert_eq!((first.version, second.approvals.len()), (second.version, 1));
}

#[tokio::test]
async fn who_said_yes_may_still_say_no_and_no_is_the_end() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    world.yes(LEA, id).await.unwrap();
    world.workflow.deny(&person(LEA), id, "on second thoughts").await.unwrap();
    let again = world.workflow.deny(&person(LEO), id, "me too").await.unwrap();
    assert_eq!(again.version, world.store_version(id).await);
    assert_eq!(world.outcome(id).await, Outcome::Denied { reason: "on second thoughts".to_owned() });
    assert_eq!(world.yes(LEO, id).await.unwrap_err().reason(), "WRONG_STATE");
}

#[tokio::test]
async fn a_request_that_is_withdrawn_while_the_proof_is_checked_takes_no_yes() {
    let world = Arc::new(World::new().await);
    let id = world.asked(ANN, "admin").await;
    world.yes(LEO, id).await.unwrap();
    world.desk.at_proof.shut();
    let saying = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.yes(LEA, id).await }
    });
    world.desk.at_proof.reached().await;
    world.workflow.withdraw(&person(ANN), id).await.unwrap();
    world.desk.at_proof.open();
    let refused = saying.await.unwrap().unwrap_err();
    assert!(matches!(refused, Refusal::WrongState { is: "closed", .. }), "{refused:?}");
    world.settle_all().await;
    assert_eq!((world.outcome(id).await, world.directory.calls("grant")), (Outcome::Withdrawn, 0));
}
