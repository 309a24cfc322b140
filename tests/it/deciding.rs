//! What approvers decide: all of it, less of it, or their own.

use elevate_client::Exit;
use elevate_proto::v1::{ActivationState as State, Outcome};
use elevate_sandbox::people::{ANN, APPROVERS, BOB, GROUPS_ADMINISTRATOR, UNIT};
use elevate_tests::{POLICY, World, challenge, wish, yes};
use tonic::Code::{Aborted, InvalidArgument, NotFound};

use crate::cli::Session;
use crate::refusals::refused;

#[tokio::test]
async fn what_approvers_leave_is_what_graph_shows_and_for_as_long() {
    let mut session = Session::of(&["ann", "bob", "carol"]).await;
    let two = POLICY.replacen("count = 1", "count = 2", 1);
    session.world.grpc("eve").apply(&two, 1).await.unwrap();
    session
        .types("ann", "activate groups-admin --for 2h --no-wait --reason-file FOLDER/reason.txt --yes")
        .await;
    let id = session.newest().await;
    let wider = session.types("bob", "approve ID --yes --for 3h").await;
    assert_eq!((wider.exit, wider.err.contains("never widen")), (Exit::Usage, true), "{wider:?}");
    let told = session.types("bob", "approve ID --yes --for 30m").await;
    assert!(told.exit == Exit::Ok && told.out.contains("for 30m instead of 2h"), "{told:?}");
    let scope = format!("/administrativeUnits/{UNIT}");
    let told = session.types("carol", &format!("approve ID --yes --scope {scope}")).await;
    assert!(told.exit == Exit::Ok && told.err.contains("30m (2h was asked)"), "{told:?}");

    let world = &session.world;
    let held = world.until(&id, State::Active).await;
    assert_eq!((held.term_seconds, held.asked_term_seconds, held.asked_scope.as_str()), (1800, 7200, "/"));
    let taken: Vec<_> = held.approvals.iter().map(|yes| (yes.term_seconds, yes.scope.as_str())).collect();
    assert_eq!(taken, [(1800, ""), (0, scope.as_str())]);
    let directory = world.tenant.directory();
    assert!(
        directory.holds(ANN.id, &GROUPS_ADMINISTRATOR, &scope) && !world.holds(&ANN, &GROUPS_ADMINISTRATOR)
    );
    world.pass_to(&id, State::Closed, "31m").await;
    assert_eq!(world.outcome(&id).await, Outcome::Expired);
    assert!(!directory.holds(ANN.id, &GROUPS_ADMINISTRATOR, &scope));
    world.compared().await;
}

#[tokio::test]
async fn an_approver_who_saw_more_than_another_left_is_told_to_look_again() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("helpdesk-admin")).await.unwrap();
    let (bob, carol) = (world.grpc("bob"), world.grpc("carol"));
    let prepared = bob.prepare_approval(&asked.id).await.unwrap();
    let too_late = yes(&prepared, bob.proof(challenge(&prepared.challenge)));
    carol.approve_to(&asked.id, 600, "").await.unwrap();
    let call = bob.approve_with(too_late);
    refused(&world, "what was seen before", call, Aborted, "REQUEST_CHANGED").await;
    let call = bob.approve_to(&asked.id, 601, "");
    refused(&world, "more than is left", call, InvalidArgument, "NOT_NARROWER").await;
    let call = bob.approve_to(&asked.id, 0, "/somewhere");
    refused(&world, "no scope", call, InvalidArgument, "FIELD_INVALID").await;
    bob.approve(&asked.id).await.unwrap();
    assert_eq!(world.until(&asked.id, State::Active).await.term_seconds, 600);
}

#[tokio::test]
async fn an_approver_by_a_group_in_a_group_counts_until_either_is_left() {
    let world = World::start().await;
    let directory = world.tenant.directory();
    let outer = directory.add_group("Deciders", false);
    directory.add_member(&outer, APPROVERS.id).unwrap();
    world
        .grpc("eve")
        .apply(
            &POLICY.replace(
                &format!("from = [\"group:{}\"]", APPROVERS.id),
                &format!("from = [\"group:{outer}\"]"),
            ),
            1,
        )
        .await
        .unwrap();
    let asked = world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
    let bob = world.grpc("bob");
    assert_eq!(bob.pending().await.unwrap().len(), 1);
    let prepared = bob.prepare_approval(&asked.id).await.unwrap();
    let ready = yes(&prepared, bob.proof(challenge(&prepared.challenge)));
    // It is the inner group that leaves; Bob is where he was.
    assert!(directory.remove_member(&outer, APPROVERS.id));
    refused(&world, "yes", bob.approve_with(ready), NotFound, "ACTIVATION_NOT_FOUND").await;
    directory.add_member(&outer, APPROVERS.id).unwrap();
    assert!(directory.remove_member(APPROVERS.id, BOB.id));
    refused(&world, "yes", bob.approve(&asked.id), NotFound, "ACTIVATION_NOT_FOUND").await;
    directory.add_member(APPROVERS.id, BOB.id).unwrap();
    bob.approve(&asked.id).await.unwrap();
    world.until(&asked.id, State::Active).await;
}

#[tokio::test]
async fn an_own_yes_is_one_of_two_and_stands_apart_on_record() {
    let world = World::start().await;
    let own = POLICY.replacen("longest = \"1h\"", "longest = \"1h\"\nown_approval = true", 1);
    world.grpc("eve").apply(&own, 1).await.unwrap();
    let bob = world.grpc("bob");
    let asked = bob.ask(&wish("helpdesk-admin")).await.unwrap();
    let waiting = bob.approve(&asked.id).await.unwrap();
    assert_eq!((waiting.approvals_needed, waiting.approvals[0].own), (1, true));
    world.grpc("carol").approve(&asked.id).await.unwrap();
    let held = world.until(&asked.id, State::Active).await;
    assert_eq!(held.approvals.iter().map(|yes| yes.own).collect::<Vec<_>>(), [true, false]);
    let audit = world.grpc("eve").audit().await.unwrap();
    let marks: Vec<_> = audit
        .iter()
        .filter(|entry| entry.event == "approved")
        .map(|entry| entry.details.get("own").map(String::as_str))
        .collect();
    assert_eq!(marks, [Some("true"), None]);
    let (_, metrics) = world.admin("/metrics").await;
    for line in ["elevate_approvals_total{own=\"true\"} 1", "elevate_approvals_total{own=\"false\"} 1"] {
        assert!(metrics.contains(line), "{line}");
    }
}
