//! What somebody else assigned is left alone, and what somebody else removed is seen.

use elevate_sandbox::people::{ANN, APPROVERS, DAVE, GLOBAL_READER, HELPDESK, SECURITY_READER, UNIT};
use elevate_sandbox::{Fault, Kind};
use elevate_tests::{Outcome, State, World, wish};

const ASSIGNMENTS: &str = "/v1.0/roleManagement/directory/roleAssignments";

#[tokio::test]
async fn one_that_appears_between_asking_and_beginning_is_left_alone() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("helpdesk-admin")).await.unwrap();
    let role = elevate_sandbox::people::HELPDESK_ADMINISTRATOR;
    world.tenant.directory().assign_in_portal(ANN.id, role.id, "/").unwrap();
    world.grpc("bob").approve(&asked.id).await.unwrap();
    world.grpc("carol").approve(&asked.id).await.unwrap();
    let ended = world.until(&asked.id, State::Closed).await;
    assert_eq!(ended.outcome(), Outcome::Failed);
    assert!(ended.detail.contains("not by this broker"), "{}", ended.detail);
    world.pass("2h").await;
    assert!(world.holds(&ANN, &role), "the broker took a standing role away");
    assert!(world.writes().is_empty(), "{:?}", world.writes());
}

#[tokio::test]
async fn one_that_appears_between_the_look_and_the_grant_is_left_alone() {
    for role in ["reader", "security-reader"] {
        let world = World::start().await;
        // It is there, and the look cannot see it yet.
        let blind = elevate_sandbox::Lag { list: jiff::SignedDuration::from_mins(1), ..Default::default() };
        world.tenant.directory().set_lag(blind);
        let definition = if role == "reader" { GLOBAL_READER } else { SECURITY_READER };
        world.tenant.directory().assign_in_portal(ANN.id, definition.id, "/").unwrap();
        let asked = world.grpc("ann").ask(&wish(role).lasting("30m")).await.unwrap();
        let ended = world.until(&asked.id, State::Closed).await;
        assert_eq!(ended.outcome(), Outcome::Failed, "{role}: {}", ended.detail);
        assert!(ended.detail.contains("somebody else assigned"), "{role}: {}", ended.detail);
        world.pass("1h").await;
        assert!(world.holds(&ANN, &definition), "{role}: the broker took a standing role away");
        assert!(!world.writes().iter().any(|write| write.starts_with("DELETE")), "{:?}", world.writes());
    }
}

#[tokio::test]
async fn the_same_role_at_another_scope_or_of_another_person_is_untouched_to_the_end() {
    let world = World::start().await;
    let directory = world.tenant.directory();
    let unit = format!("/administrativeUnits/{UNIT}");
    directory.assign_in_portal(ANN.id, GLOBAL_READER.id, &unit).unwrap();
    directory.assign_in_portal(DAVE.id, GLOBAL_READER.id, "/").unwrap();
    directory.assign_in_portal(HELPDESK.id, GLOBAL_READER.id, "/").unwrap();
    directory.assign_in_portal(ANN.id, SECURITY_READER.id, "/").unwrap();
    let before = directory.assignments().len();
    let asked = world.grpc("ann").ask(&wish("reader").lasting("15m")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    assert_eq!(directory.assignments().len(), before + 1);
    world.advance("15m");
    assert_eq!(world.outcome(&asked.id).await, Outcome::Expired);
    assert_eq!(directory.assignments().len(), before);
    assert!(directory.holds(ANN.id, &GLOBAL_READER, &unit));
    assert!(!world.holds(&ANN, &GLOBAL_READER));
}

#[tokio::test]
async fn one_that_is_removed_in_the_portal_is_closed_after_two_looks() {
    for role in ["reader", "security-reader"] {
        let world = World::start().await;
        let asked = world.grpc("ann").ask(&wish(role).lasting("2h")).await.unwrap();
        world.until(&asked.id, State::Active).await;
        let held = world.tenant.directory().assignments().remove(0);
        assert!(world.tenant.directory().remove_in_portal(&held.id));
        world.compared().await;
        let state = world.grpc("ann").show(&asked.id).await.unwrap().state();
        assert_eq!(state, State::Active, "{role}: one look proves nothing");
        world.compared().await;
        assert_eq!(world.outcome(&asked.id).await, Outcome::RemovedElsewhere, "{role}");
        let deletes = world.writes().iter().filter(|write| write.starts_with("DELETE")).count();
        assert_eq!(deletes, 0, "{role}");
        // The slot is free again.
        world.grpc("ann").ask(&wish(role).lasting("1h")).await.unwrap();
    }
}

#[tokio::test]
async fn one_that_a_listing_missed_once_is_not_given_up() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("reader").lasting("2h")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    let blink = elevate_sandbox::Lag { list: jiff::SignedDuration::from_mins(8), ..Default::default() };
    world.tenant.directory().set_lag(blink);
    world.compared().await;
    world.compared().await;
    world.compared().await;
    assert_eq!(world.grpc("ann").show(&asked.id).await.unwrap().state(), State::Active);
}

#[tokio::test]
async fn no_conclusion_is_drawn_while_graph_does_not_answer() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("reader").lasting("2h")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    let fails = Kind::FailBefore { status: 503, retry_after: None };
    world.tenant.faults().add(Fault::on(ASSIGNMENTS, fails).method("GET"));
    world.compared().await;
    world.compared().await;
    world.compared().await;
    assert_eq!(world.grpc("ann").show(&asked.id).await.unwrap().state(), State::Active);
}

#[tokio::test]
async fn a_standing_assignment_of_a_managed_role_is_reported_once_and_left_alone() {
    let world = World::start().await;
    let id = world.tenant.directory().assign_in_portal(DAVE.id, GLOBAL_READER.id, "/").unwrap();
    // Of a role that no policy manages, nobody is told.
    let other = elevate_sandbox::people::GLOBAL_ADMINISTRATOR;
    world.tenant.directory().assign_in_portal(DAVE.id, other.id, "/").unwrap();
    world.compared().await;
    let drift = world.grpc("eve").hears("drift").await.unwrap();
    assert_eq!(drift.principal.unwrap().object_id, DAVE.id);
    assert_eq!((drift.details["assignment"].as_str(), drift.details["scope"].as_str()), (id.as_str(), "/"));
    world.compared().await;
    world.compared().await;
    let record = world.grpc("eve").audit().await.unwrap();
    assert_eq!(record.iter().filter(|entry| entry.event == "drift").count(), 1);
    assert!(world.holds(&DAVE, &GLOBAL_READER));
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn one_that_was_removed_and_assigned_again_by_somebody_else_is_not_the_brokers_any_more() {
    // By PIM the id differs, so the broker can tell.
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("security-reader").lasting("30m")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    world.advance("10m");
    let held = world.tenant.directory().assignments().remove(0);
    assert!(world.tenant.directory().remove_in_portal(&held.id));
    world.tenant.directory().assign_in_portal(ANN.id, SECURITY_READER.id, "/").unwrap();
    world.grpc("ann").deactivate(&asked.id).await.unwrap();
    world.pass("10m").await;
    assert!(world.holds(&ANN, &SECURITY_READER), "the broker took away what somebody else assigned");
}

#[tokio::test]
async fn who_is_deleted_while_holding_is_closed_and_nothing_is_left() {
    let world = World::start().await;
    let asked = world.grpc("dave").ask(&wish("reader").lasting("30m")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    assert!(world.tenant.directory().delete_user(DAVE.id));
    world.advance("30m");
    let ended = world.pass_to(&asked.id, State::Closed, "3m").await;
    assert_eq!(ended.outcome(), Outcome::Expired);
    assert!(world.tenant.directory().assignments().is_empty());
}

#[tokio::test]
async fn a_group_that_holds_the_role_is_not_the_person_who_asks() {
    let world = World::start().await;
    world.tenant.directory().add_member(HELPDESK.id, ANN.id).unwrap();
    world.tenant.directory().assign_in_portal(HELPDESK.id, GLOBAL_READER.id, "/").unwrap();
    let asked = world.grpc("ann").ask(&wish("reader").lasting("15m")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    world.advance("15m");
    assert_eq!(world.outcome(&asked.id).await, Outcome::Expired);
    let left = world.tenant.directory().assignments();
    assert_eq!((left.len(), left[0].principal.as_str()), (1, HELPDESK.id));
    assert_ne!(APPROVERS.id, HELPDESK.id);
}
