//! The main story: asked for, approved, held, ended, and on record in that order.

use elevate_sandbox::people::{ANN, APPLICATION_ADMINISTRATOR, GROUPS_ADMINISTRATOR, SECURITY_READER};
use elevate_tests::{Outcome, State, World, wish};

#[tokio::test]
async fn a_role_is_asked_for_approved_held_and_taken_away_at_its_end() {
    let world = World::start().await;
    let (ann, bob) = (world.grpc("ann"), world.grpc("bob"));
    let offered: Vec<_> = ann.roles().await.unwrap().into_iter().map(|role| role.name).collect();
    assert!(offered.contains(&"groups-admin".to_owned()), "{offered:?}");

    let asked = ann.ask(&wish("groups-admin").lasting("15m")).await.unwrap();
    assert_eq!((asked.state(), asked.approvals_needed), (State::AwaitingApproval, 1));
    assert!(!world.holds(&ANN, &GROUPS_ADMINISTRATOR), "granted before anybody said yes");
    assert_eq!(bob.pending().await.unwrap()[0].id, asked.id);

    bob.approve(&asked.id).await.unwrap();
    let held = world.until(&asked.id, State::Active).await;
    assert!(world.holds(&ANN, &GROUPS_ADMINISTRATOR));
    let until = held.held_until.unwrap();
    assert_eq!(until.seconds, world.hands.now().as_second() + 900, "its end is fixed when it begins");

    world.advance("14m59s");
    world.grpc("eve").sweep().await.unwrap();
    assert!(world.holds(&ANN, &GROUPS_ADMINISTRATOR), "taken away before its end");

    world.advance("1s");
    assert_eq!(world.outcome(&asked.id).await, Outcome::Expired);
    assert!(!world.holds(&ANN, &GROUPS_ADMINISTRATOR));
    let in_order = [
        "requested",
        "approval-sought",
        "approved",
        "scheduled",
        "activation-begun",
        "activated",
        "revocation-begun",
        "removed",
    ];
    assert_eq!(world.record_of(&asked.id).await, in_order);
    assert_eq!(world.writes(), ["POST roleAssignments 201", "DELETE roleAssignments 204"]);
}

#[tokio::test]
async fn a_role_by_pim_needs_two_people_a_ticket_and_a_context_and_entra_ends_it_itself() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let asked = ann.ask(&wish("app-admin").lasting("1h").under("INC0042")).await.unwrap();
    assert_eq!(asked.approvals_needed, 2);

    let half = world.grpc("bob").approve(&asked.id).await.unwrap();
    assert_eq!((half.state(), half.approvals_needed), (State::AwaitingApproval, 1));
    assert!(!world.holds(&ANN, &APPLICATION_ADMINISTRATOR), "granted by one of two");

    world.grpc("carol").approve(&asked.id).await.unwrap();
    world.until(&asked.id, State::Active).await;
    assert!(world.holds(&ANN, &APPLICATION_ADMINISTRATOR));

    let audit = world.grpc("eve").audit().await.unwrap();
    let requested = audit.iter().find(|entry| entry.event == "requested").unwrap();
    assert_eq!(requested.details["ticket_number"], "INC0042");
    assert_eq!(requested.details["contexts"], "c1");

    // The broker is down at the end, and Entra ends it by its own clock.
    world.stop().await.unwrap();
    world.advance("1h");
    assert!(!world.holds(&ANN, &APPLICATION_ADMINISTRATOR), "Entra was not told when it ends");

    world.restart().await;
    assert_eq!(world.outcome(&asked.id).await, Outcome::Expired);
    let asked_of_graph = world.writes();
    assert!(!asked_of_graph.contains(&"DELETE roleAssignments 204".to_owned()), "{asked_of_graph:?}");
}

#[tokio::test]
async fn a_pim_role_given_back_within_five_minutes_is_queued_and_says_so_and_is_then_gone() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let asked = ann.ask(&wish("security-reader")).await.unwrap();
    world.until(&asked.id, State::Active).await;

    world.advance("1m");
    ann.deactivate(&asked.id).await.unwrap();
    let queued = world.until_that(&asked.id, |shown| shown.tries > 0).await;
    assert_eq!(queued.state(), State::Revoking);
    assert!(queued.detail.contains("five minutes; the directory is asked again at"), "{}", queued.detail);
    assert!(world.holds(&ANN, &SECURITY_READER), "Entra ends nothing in its first five minutes");

    let gone = world.pass_to(&asked.id, State::Closed, "4m30s").await;
    assert_eq!(gone.outcome(), Outcome::Deactivated);
    assert!(!world.holds(&ANN, &SECURITY_READER));
}

#[tokio::test]
async fn a_role_is_given_back_early() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let asked = ann.ask(&wish("reader").lasting("8h")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    ann.deactivate(&asked.id).await.unwrap();
    assert_eq!(world.outcome(&asked.id).await, Outcome::Deactivated);
    assert_eq!(world.tenant.directory().assignments(), []);
}

#[tokio::test]
async fn what_is_asked_can_be_denied_or_taken_back_and_nothing_is_ever_granted() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let asked = ann.ask(&wish("groups-admin")).await.unwrap();
    let denied = world.grpc("bob").deny(&asked.id, "not today").await.unwrap();
    assert_eq!((denied.outcome(), denied.detail.as_str()), (Outcome::Denied, "not today"));

    let asked = ann.ask(&wish("groups-admin")).await.unwrap();
    assert_eq!(ann.withdraw(&asked.id).await.unwrap().outcome(), Outcome::Withdrawn);
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_revoker_takes_a_held_role_away_and_the_reason_is_on_record() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("reader")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    world.grpc("eve").revoke(&asked.id, "laptop stolen").await.unwrap();
    let gone = world.until(&asked.id, State::Closed).await;
    assert_eq!((gone.outcome(), gone.detail.as_str()), (Outcome::Revoked, "laptop stolen"));
    assert_eq!(world.tenant.directory().assignments(), []);
}

#[tokio::test]
async fn the_same_request_sent_twice_begins_one_activation() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let prepared = ann.prepare(&wish("groups-admin")).await.unwrap();
    let request = wish("groups-admin").request(&prepared, ann.proof(prepared.challenge.as_ref().unwrap()));
    let first = ann.request(request.clone()).await.unwrap();
    let again = ann.request(request).await.unwrap();
    assert_eq!(first.id, again.id);
    assert_eq!(world.grpc("eve").list(true).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_cancels_no_grant() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let prepared = ann.prepare(&wish("reader")).await.unwrap();
    let request = wish("reader").request(&prepared, ann.proof(prepared.challenge.as_ref().unwrap()));
    let calling = tokio::spawn(async move { ann.request(request).await });
    world.grpc("eve").hears("requested").await.unwrap();
    calling.abort();
    let asked = world.grpc("eve").list(true).await.unwrap().remove(0);
    world.until(&asked.id, State::Active).await;
    world.advance("1h");
    assert_eq!(world.outcome(&asked.id).await, Outcome::Expired);
}
