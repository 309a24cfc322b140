//! Graph goes wrong in the middle: the end state is right, with one assignment in between and no more.

use elevate_sandbox::people::{ANN, GLOBAL_READER, SECURITY_READER};
use elevate_sandbox::{Duplicate, Fault, Kind, Lag};
use elevate_tests::{Outcome, State, World, wish};
use jiff::SignedDuration;

const ASSIGNMENTS: &str = "/v1.0/roleManagement/directory/roleAssignments";
const REQUESTS: &str = "/v1.0/roleManagement/directory/roleAssignmentScheduleRequests";

/// Ann asks for this role while Graph goes wrong like that. She comes to hold it once, for no longer than
/// she asked, and it goes away at its end.
async fn check(what: &str, role: &str, go_wrong: impl FnOnce(&World)) -> World {
    let world = World::start().await;
    go_wrong(&world);
    let began = world.hands.now();
    let asked = world.grpc("ann").ask(&wish(role).lasting("30m")).await.unwrap();
    let held = world.pass_to(&asked.id, State::Active, "3m").await;
    let until = held.held_until.unwrap().seconds;
    assert!(until <= began.as_second() + 30 * 60 + 180, "{what}: held until {until}");
    let held: Vec<_> = world.tenant.directory().assignments();
    assert_eq!(held.len(), 1, "{what}: {held:#?}");
    assert_eq!(effective_posts(&world), 1, "{what}: {:?}", world.writes());

    // Time lost on the way is not given back: the end was fixed before Graph was asked.
    let record = world.grpc("eve").audit().await.unwrap();
    let begun = record.iter().find(|entry| entry.event == "activation-begun").unwrap();
    let fixed: jiff::Timestamp = begun.details["held_until"].parse().unwrap();
    assert_eq!(fixed.as_second(), until, "{what}: the end moved");

    world.pass("31m").await;
    let ended = world.pass_to(&asked.id, State::Closed, "3m").await;
    assert_eq!(ended.outcome(), Outcome::Expired, "{what}");
    assert!(world.tenant.directory().assignments().is_empty(), "{what}");
    world
}

/// How many POSTs gave somebody something, whatever was answered.
fn effective_posts(world: &World) -> usize {
    let directory = world.tenant.directory();
    let by_pim = directory.requests().iter().filter(|request| request.action == "adminAssign").count();
    let plain = world.writes().into_iter().filter(|write| {
        // Only the tests' own faults answer 5xx here, and they say in their name whether it was done.
        ["POST roleAssignments 201", "POST roleAssignments lost", "POST roleAssignments 502"]
            .contains(&write.as_str())
    });
    by_pim + plain.count()
}

#[tokio::test]
async fn a_grant_whose_answer_was_lost_is_found_and_not_made_twice() {
    let world = check("assignment", "reader", |world| {
        world.tenant.faults().add(Fault::on(ASSIGNMENTS, Kind::LoseReply).method("POST").times(1));
    })
    .await;
    assert_eq!(world.writes(), ["POST roleAssignments lost", "DELETE roleAssignments 204"]);

    check("pim", "security-reader", |world| {
        world.tenant.faults().add(Fault::on(REQUESTS, Kind::LoseReply).method("POST").times(1));
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_was_done_and_called_a_failure_is_found() {
    check("assignment", "reader", |world| {
        world
            .tenant
            .faults()
            .add(Fault::on(ASSIGNMENTS, Kind::FailAfter { status: 502 }).method("POST").times(1));
    })
    .await;
    check("pim", "security-reader", |world| {
        world
            .tenant
            .faults()
            .add(Fault::on(REQUESTS, Kind::FailAfter { status: 504 }).method("POST").times(1));
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_was_not_done_is_made_again() {
    let failing = |status| Kind::FailBefore { status, retry_after: None };
    let world = check("assignment", "reader", |world| {
        world.tenant.faults().add(Fault::on(ASSIGNMENTS, failing(503)).method("POST").times(2));
    })
    .await;
    let made = ["POST roleAssignments 503", "POST roleAssignments 503", "POST roleAssignments 201"];
    assert_eq!(world.writes()[..3], made);
    check("pim", "security-reader", |world| {
        world.tenant.faults().add(Fault::on(REQUESTS, failing(500)).method("POST").times(1));
    })
    .await;
    check("the connection never came about", "security-reader", |world| {
        world.tenant.faults().add(Fault::on(REQUESTS, Kind::Drop).method("POST").times(1));
    })
    .await;
}

#[tokio::test]
async fn a_lost_grant_and_a_blind_listing_together_still_make_one_assignment() {
    for duplicate in [Duplicate::BadRequest, Duplicate::Conflict] {
        let world = World::start().await;
        world.tenant.change_behaviour(|behaviour| behaviour.duplicate = duplicate);
        world.tenant.directory().set_lag(Lag { list: SignedDuration::from_secs(20), ..Lag::default() });
        world.tenant.faults().add(Fault::on(ASSIGNMENTS, Kind::LoseReply).method("POST").times(1));
        let asked = world.grpc("ann").ask(&wish("reader").lasting("30m")).await.unwrap();
        // It asks again, is told that it is there already, and finds it once the listing shows it.
        world.pass_to(&asked.id, State::Active, "3m").await;
        let refused = world.writes().iter().filter(|w| w.ends_with("400") || w.ends_with("409")).count();
        assert!(refused >= 1, "{duplicate:?} was never answered: {:?}", world.writes());
        assert_eq!(world.tenant.directory().assignments().len(), 1);
        world.pass("30m").await;
        assert_eq!(world.pass_to(&asked.id, State::Closed, "3m").await.outcome(), Outcome::Expired);
        assert!(world.tenant.directory().assignments().is_empty());
    }
}

#[tokio::test]
async fn a_removal_whose_answer_was_lost_is_seen_gone_and_nothing_else_is_removed() {
    for kind in [
        Kind::LoseReply,
        Kind::FailAfter { status: 503 },
        Kind::FailBefore { status: 503, retry_after: None },
        Kind::Drop,
    ] {
        let world = World::start().await;
        let asked = world.grpc("ann").ask(&wish("reader").lasting("30m")).await.unwrap();
        world.until(&asked.id, State::Active).await;
        world.tenant.directory().assign_in_portal(ANN.id, SECURITY_READER.id, "/").unwrap();
        world.tenant.faults().add(Fault::on(ASSIGNMENTS, kind.clone()).method("DELETE").times(1));
        world.pass("30m").await;
        let ended = world.pass_to(&asked.id, State::Closed, "2m").await;
        assert_eq!(ended.outcome(), Outcome::Expired, "{kind:?}");
        assert!(!world.holds(&ANN, &GLOBAL_READER), "{kind:?}");
        assert!(world.holds(&ANN, &SECURITY_READER), "{kind:?}: another's is gone");
        let done = world.writes().iter().filter(|write| *write == "DELETE roleAssignments 204").count();
        assert!(done <= 1, "{kind:?}: {:?}", world.writes());
    }
}

#[tokio::test]
async fn a_removal_is_over_only_when_the_listing_has_caught_up() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("reader").lasting("30m")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    let lag =
        Lag { list: SignedDuration::from_secs(20), get: SignedDuration::from_secs(10), ..Lag::default() };
    world.tenant.directory().set_lag(lag);
    world.advance("30m");
    let shown = world.until_that(&asked.id, |shown| shown.tries > 0).await;
    assert_eq!(shown.state(), State::Revoking, "over while Graph still shows it");
    assert!(!world.holds(&ANN, &GLOBAL_READER));
    let ended = world.pass_to(&asked.id, State::Closed, "2m").await;
    assert_eq!(ended.outcome(), Outcome::Expired);
    let deletes = world.writes().iter().filter(|write| write.starts_with("DELETE")).count();
    assert_eq!(deletes, 1, "asked again while it was settling: {:?}", world.writes());
}

#[tokio::test]
async fn what_graph_does_not_show_yet_is_not_taken_for_gone() {
    // Made, answered 404 by id and missing in lists for a while, and ended at that very time.
    let world = World::start().await;
    let lag =
        Lag { list: SignedDuration::from_secs(60), get: SignedDuration::from_secs(60), ..Lag::default() };
    world.tenant.directory().set_lag(lag);
    let ann = world.grpc("ann");
    let asked = ann.ask(&wish("reader").lasting("30m")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    ann.deactivate(&asked.id).await.unwrap();
    world.until_that(&asked.id, |shown| shown.tries > 0).await;
    assert!(world.holds(&ANN, &GLOBAL_READER), "nothing could have removed it");
    assert_ne!(ann.show(&asked.id).await.unwrap().state(), State::Closed, "one read proves nothing");
}

#[tokio::test]
async fn a_pim_grant_that_is_taken_and_not_yet_active_is_not_called_held() {
    let world = World::start().await;
    world.tenant.directory().set_lag(Lag { provision: SignedDuration::from_secs(20), ..Lag::default() });
    let asked = world.grpc("ann").ask(&wish("security-reader")).await.unwrap();
    let taken = world.until_that(&asked.id, |shown| shown.tries > 0).await;
    assert_eq!(taken.state(), State::Activating);
    assert!(!world.holds(&ANN, &SECURITY_READER));
    world.pass_to(&asked.id, State::Active, "1m").await;
    assert!(world.holds(&ANN, &SECURITY_READER));
    assert_eq!(world.writes(), ["POST roleAssignmentScheduleRequests 201"]);
}

#[tokio::test]
async fn graph_is_left_alone_for_as_long_as_it_asks_to_the_fraction() {
    let world = World::start().await;
    let throttle = Kind::Throttle { retry_after: Some("12.5".to_owned()) };
    world.tenant.faults().add(Fault::on(ASSIGNMENTS, throttle).method("POST").times(1));
    let asked = world.grpc("ann").ask(&wish("reader").lasting("30m")).await.unwrap();
    let waits = world.until_that(&asked.id, |shown| shown.tries > 0).await;
    assert_eq!(waits.state(), State::Activating);
    let record = world.grpc("eve").audit().await.unwrap();
    let postponed = record.iter().find(|entry| entry.event == "postponed").unwrap();
    let again: jiff::Timestamp = postponed.details["retry_at"].parse().unwrap();
    let waited = again.duration_since(world.hands.now());
    assert!(waited >= SignedDuration::from_millis(12_500), "it comes back after {waited}");
    assert!(waited <= SignedDuration::from_secs(20), "it comes back only after {waited}");

    world.advance("12s");
    world.grpc("eve").sweep().await.unwrap();
    assert_eq!(world.writes(), ["POST roleAssignments 429"], "asked before it may");
    world.pass_to(&asked.id, State::Active, "20s").await;
    assert_eq!(world.writes(), ["POST roleAssignments 429", "POST roleAssignments 201"]);
}

#[tokio::test]
async fn a_removal_that_is_throttled_comes_back_when_it_may() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("reader").lasting("30m")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    let throttle = Kind::Throttle { retry_after: Some("2.128".to_owned()) };
    world.tenant.faults().add(Fault::on(ASSIGNMENTS, throttle).method("DELETE").times(2));
    world.advance("30m");
    let ended = world.pass_to(&asked.id, State::Closed, "1m").await;
    assert_eq!(ended.outcome(), Outcome::Expired);
    assert!(!world.holds(&ANN, &GLOBAL_READER));
}

#[tokio::test]
async fn an_approver_asked_about_while_graph_is_late_is_neither_granted_nor_lost() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
    world.tenant.faults().add(Fault::on("/v1.0/users", Kind::Drop).times(1));
    let bob = world.grpc("bob");
    let status = bob.approve(&asked.id).await.unwrap_err();
    assert_eq!(elevate_tests::told(&status).reason, "DIRECTORY_UNREACHABLE");
    bob.approve(&asked.id).await.unwrap();
    world.until(&asked.id, State::Active).await;
}
