//! Who may not say yes.

use elevate_sandbox::people::{APPROVERS, BOB, CAROL, GROUPS_ADMINISTRATOR, HELPDESK_ADMINISTRATOR};
use elevate_tests::{State, World, wish};
use tonic::Code::{Aborted, AlreadyExists, InvalidArgument, NotFound, PermissionDenied};

use super::{fields, refused};

#[tokio::test]
async fn nobody_approves_their_own_request() {
    let world = World::start().await;
    let (bob, carol) = (world.grpc("bob"), world.grpc("carol"));
    let asked = bob.ask(&wish("groups-admin")).await.unwrap();
    let own = bob.prepare_approval(&asked.id);
    refused(&world, "to prepare it", own, PermissionDenied, "OWN_APPROVAL").await;
    refused(&world, "to deny it", bob.deny(&asked.id, "no"), PermissionDenied, "OWN_APPROVAL").await;

    // With everything that another approver was shown, and a proof of his own.
    let prepared = carol.prepare_approval(&asked.id).await.unwrap();
    let challenge = prepared.challenge.clone().unwrap();
    let yes = elevate_tests::yes(&prepared, bob.proof(&challenge));
    refused(&world, "to say yes", bob.approve_with(yes), PermissionDenied, "OWN_APPROVAL").await;
    assert!(bob.pending().await.unwrap().is_empty());
    assert!(!world.holds(&BOB, &GROUPS_ADMINISTRATOR));
}

#[tokio::test]
async fn one_person_has_one_yes() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("helpdesk-admin")).await.unwrap();
    let bob = world.grpc("bob");
    let prepared = bob.prepare_approval(&asked.id).await.unwrap();
    let first = elevate_tests::yes(&prepared, bob.proof(prepared.challenge.as_ref().unwrap()));
    assert_eq!(bob.approve_with(first.clone()).await.unwrap().approvals_needed, 1);
    assert!(bob.pending().await.unwrap().is_empty(), "it does not wait for him any more");

    // The same message again is the same yes, and no second one.
    assert_eq!(bob.approve_with(first.clone()).await.unwrap().approvals_needed, 1);
    refused(&world, "again", bob.approve(&asked.id), AlreadyExists, "ALREADY_APPROVED").await;
    let mut other = first;
    other.request_id = uuid::Uuid::new_v4().to_string();
    refused(&world, "afresh", bob.approve_with(other), AlreadyExists, "ALREADY_APPROVED").await;
    assert!(world.tenant.directory().assignments().is_empty(), "granted by one person twice");

    world.grpc("carol").approve(&asked.id).await.unwrap();
    world.until(&asked.id, State::Active).await;
    assert!(world.holds(&elevate_sandbox::people::ANN, &HELPDESK_ADMINISTRATOR));
}

#[tokio::test]
async fn who_left_the_approvers_since_it_was_asked_has_no_say() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
    let bob = world.grpc("bob");
    let prepared = bob.prepare_approval(&asked.id).await.unwrap();
    let yes = elevate_tests::yes(&prepared, bob.proof(prepared.challenge.as_ref().unwrap()));
    assert!(world.tenant.directory().remove_member(APPROVERS.id, BOB.id));

    // He sees no more of it than anybody else.
    refused(&world, "yes", bob.approve_with(yes), NotFound, "ACTIVATION_NOT_FOUND").await;
    refused(&world, "no", bob.deny(&asked.id, "no"), NotFound, "ACTIVATION_NOT_FOUND").await;
    refused(&world, "a look", bob.show(&asked.id), NotFound, "ACTIVATION_NOT_FOUND").await;
    assert!(bob.pending().await.unwrap().is_empty());
    world.grpc("carol").approve(&asked.id).await.unwrap();
}

#[tokio::test]
async fn a_yes_counts_only_while_policy_lets_its_giver_decide() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
    let bob = world.grpc("bob");
    let group = format!("from = [\"group:{}\"]", APPROVERS.id);
    let only_carol = elevate_tests::POLICY.replace(&group, &format!("from = [\"user:{}\"]", CAROL.id));
    let only_carol = only_carol.replace("count = 2", "count = 1");
    world.grpc("eve").apply(&only_carol, 1).await.unwrap();
    // He may still see what he could have decided when it was asked.
    refused(&world, "bob", bob.approve(&asked.id), PermissionDenied, "NOT_AN_APPROVER").await;
    world.grpc("carol").approve(&asked.id).await.unwrap();
    world.until(&asked.id, State::Active).await;
}

#[tokio::test]
async fn somebody_whose_business_it_is_not_learns_nothing_about_a_request() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
    let dave = world.grpc("dave");
    let nothing = uuid::Uuid::now_v7().to_string();
    for id in [asked.id.as_str(), nothing.as_str()] {
        let not_found = (NotFound, "ACTIVATION_NOT_FOUND");
        let told = refused(&world, "show", dave.show(id), not_found.0, not_found.1).await;
        assert_eq!(told.text, "no such activation; `elevate list` shows yours");
        refused(&world, "watch", async { dave.watch(id).await.map(drop) }, not_found.0, not_found.1).await;
        refused(&world, "approve", dave.prepare_approval(id), not_found.0, not_found.1).await;
        refused(&world, "deny", dave.deny(id, "no"), not_found.0, not_found.1).await;
        refused(&world, "withdraw", dave.withdraw(id), not_found.0, not_found.1).await;
        refused(&world, "deactivate", dave.deactivate(id), not_found.0, not_found.1).await;
    }
    assert!(dave.list(false).await.unwrap().is_empty());
    assert!(dave.pending().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_yes_is_to_exactly_what_was_shown() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
    let bob = world.grpc("bob");
    let prepared = bob.prepare_approval(&asked.id).await.unwrap();
    let good = elevate_tests::yes(&prepared, bob.proof(prepared.challenge.as_ref().unwrap()));

    let mut other = good.clone();
    other.digest = "0".repeat(64);
    refused(&world, "another digest", bob.approve_with(other), Aborted, "REQUEST_CHANGED").await;
    for (what, digest) in [("none", ""), ("short", "00"), ("upper case", "A"), ("no hex", "g")] {
        let mut wrong = good.clone();
        wrong.digest = digest.repeat(if digest.len() == 1 { 64 } else { 1 });
        let told = refused(&world, what, bob.approve_with(wrong), InvalidArgument, "FIELD_INVALID").await;
        assert_eq!(fields(&told), ["digest"], "{what}");
    }
    let mut wordy = good.clone();
    wordy.comment = "x".repeat(1001);
    let told = refused(&world, "too wordy", bob.approve_with(wordy), InvalidArgument, "FIELD_INVALID").await;
    assert_eq!(fields(&told), ["comment"]);
    for reason in ["", &"x".repeat(1001)] {
        let call = bob.deny(&asked.id, reason);
        let told = refused(&world, "a no for no reason", call, InvalidArgument, "FIELD_INVALID").await;
        assert_eq!(fields(&told), ["reason"]);
    }
    for id in ["", "7", "5a4db0c5"] {
        let told = refused(&world, id, bob.show(id), InvalidArgument, "FIELD_INVALID").await;
        assert_eq!(fields(&told), ["id"]);
    }
    bob.approve_with(good).await.unwrap();
}
