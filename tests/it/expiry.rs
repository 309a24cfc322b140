//! Nothing outlives its end, whatever is down when it comes.

use elevate_sandbox::people::{ANN, DAVE, GLOBAL_READER, GROUPS_ADMINISTRATOR, SECURITY_READER};
use elevate_sandbox::{Fault, Kind};
use elevate_tests::{Outcome, State, World, span, wish};
use jiff::Timestamp;

const ASSIGNMENTS: &str = "/v1.0/roleManagement/directory/roleAssignments";

#[tokio::test]
async fn what_ends_while_the_broker_is_down_is_gone_when_it_is_up() {
    for killed in [false, true] {
        let world = World::start().await;
        let asked = world.grpc("ann").ask(&wish("reader").lasting("15m")).await.unwrap();
        world.until(&asked.id, State::Active).await;
        if killed {
            world.kill().await;
        } else {
            world.stop().await.unwrap();
        }
        world.advance("3h");
        assert!(world.holds(&ANN, &GLOBAL_READER), "only the broker takes it away");
        world.restart().await;
        assert_eq!(world.outcome(&asked.id).await, Outcome::Expired);
        assert!(!world.holds(&ANN, &GLOBAL_READER));
    }
}

#[tokio::test]
async fn what_ends_while_graph_is_down_is_gone_as_soon_as_it_is_up() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("reader").lasting("15m")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    let outage = world.tenant.faults().graph_outage();
    world.pass("1h15m").await;
    let late = world.grpc("ann").show(&asked.id).await.unwrap();
    assert_eq!(late.state(), State::Revoking);
    assert!(late.tries > 20, "it gave up after {} tries", late.tries);
    let swept = world.grpc("eve").sweep().await.unwrap();
    assert_eq!((swept.overdue, swept.unsettled.len()), (1, 1));
    let (_, metrics) = world.admin("/metrics").await;
    assert!(metrics.contains("elevate_overdue 1"), "{metrics}");
    assert!(metrics.contains("elevate_stuck 1"), "{metrics}");

    world.tenant.faults().clear(outage);
    world.pass("1m").await;
    let gone = world.grpc("ann").show(&asked.id).await.unwrap();
    assert_eq!(gone.outcome(), Outcome::Expired, "not gone a minute after Graph came back");
    assert!(!world.holds(&ANN, &GLOBAL_READER));
    assert_eq!(world.grpc("eve").sweep().await.unwrap().overdue, 0);
}

#[tokio::test]
async fn no_two_tries_of_a_removal_are_more_than_a_minute_apart_however_many_failed() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("reader").lasting("15m")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    let fails = Kind::FailBefore { status: 500, retry_after: None };
    world.tenant.faults().add(Fault::on(ASSIGNMENTS, fails).method("DELETE"));
    world.pass("1h").await;
    let record = world.grpc("eve").audit().await.unwrap();
    let tries: Vec<_> = record.iter().filter(|entry| entry.event == "postponed").collect();
    assert!(tries.len() > 40, "{} tries in three quarters of an hour", tries.len());
    for each in tries {
        let at = Timestamp::from_second(each.at.as_ref().unwrap().seconds).unwrap();
        let again: Timestamp = each.details["retry_at"].parse().unwrap();
        let wait = again.duration_since(at);
        assert!(wait <= span("61s") && wait.is_positive(), "it waits {wait}");
    }
}

#[tokio::test]
async fn a_removal_that_always_fails_delays_no_other() {
    let world = World::start().await;
    let poisoned = world.grpc("ann").ask(&wish("reader").lasting("15m")).await.unwrap();
    world.until(&poisoned.id, State::Active).await;
    let its_own = world.tenant.directory().assignments().remove(0).id;
    let fails = Kind::FailBefore { status: 500, retry_after: None };
    world.tenant.faults().add(Fault::on(&format!("{ASSIGNMENTS}/{its_own}"), fails));
    let mut others = Vec::new();
    for who in ["bob", "carol", "dave"] {
        let asked = world.grpc(who).ask(&wish("reader").lasting("15m")).await.unwrap();
        world.until(&asked.id, State::Active).await;
        others.push(asked.id);
    }
    world.advance("15m");
    for id in others {
        assert_eq!(world.outcome(&id).await, Outcome::Expired);
    }
    assert_eq!(world.grpc("ann").show(&poisoned.id).await.unwrap().state(), State::Revoking);
    assert!(world.holds(&ANN, &GLOBAL_READER));
    world.tenant.faults().clear_all();
    assert_eq!(world.pass_to(&poisoned.id, State::Closed, "2m").await.outcome(), Outcome::Expired);
}

#[tokio::test]
async fn many_that_end_at_one_moment_are_all_gone() {
    let world = World::start().await;
    let mut all = Vec::new();
    for who in ["ann", "bob", "carol", "dave"] {
        for role in ["reader", "exchange-admin", "security-reader"] {
            all.push(world.grpc(who).ask(&wish(role).lasting("30m")).await.unwrap().id);
        }
    }
    for id in &all {
        world.until(id, State::Active).await;
    }
    assert_eq!(world.tenant.directory().assignments().len(), all.len());
    world.advance("30m");
    for id in &all {
        assert_eq!(world.pass_to(id, State::Closed, "1m").await.outcome(), Outcome::Expired);
    }
    assert!(world.tenant.directory().assignments().is_empty());
}

#[tokio::test]
async fn what_nobody_answers_in_time_lapses() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
    world.advance("3h59m59s");
    world.grpc("eve").sweep().await.unwrap();
    assert_eq!(world.grpc("bob").pending().await.unwrap().len(), 1);
    world.advance("1s");
    assert_eq!(world.outcome(&asked.id).await, Outcome::Lapsed);
    assert!(world.grpc("bob").pending().await.unwrap().is_empty());
    // The slot is free again.
    world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
}

#[tokio::test]
async fn what_lapsed_while_the_broker_was_down_is_not_approved_afterwards() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
    world.stop().await.unwrap();
    world.advance("4h");
    world.restart().await;
    let status = world.grpc("bob").approve(&asked.id).await.unwrap_err();
    assert_eq!(elevate_tests::told(&status).reason, "WRONG_STATE");
    assert_eq!(world.outcome(&asked.id).await, Outcome::Lapsed);
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn what_could_not_begin_for_an_hour_lapses_and_is_never_granted_late() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
    let lookup = Fault::on(ASSIGNMENTS, Kind::Drop).method("GET");
    let outage = world.tenant.faults().add(lookup);
    world.grpc("bob").approve(&asked.id).await.unwrap();
    world.until_that(&asked.id, |shown| shown.state() == State::Scheduled && shown.tries > 0).await;
    world.pass("59m").await;
    assert_eq!(world.grpc("ann").show(&asked.id).await.unwrap().state(), State::Scheduled);
    world.pass("2m").await;
    assert_eq!(world.outcome(&asked.id).await, Outcome::Lapsed);
    world.tenant.faults().clear(outage);
    world.pass("10m").await;
    assert!(!world.holds(&ANN, &GROUPS_ADMINISTRATOR));
    assert!(world.writes().is_empty(), "{:?}", world.writes());
}

#[tokio::test]
async fn a_grant_that_found_no_answer_until_its_end_is_taken_back_and_never_given_late() {
    let world = World::start().await;
    let fails = Kind::FailBefore { status: 500, retry_after: None };
    let failing = world.tenant.faults().add(Fault::on(ASSIGNMENTS, fails).method("POST"));
    let asked = world.grpc("ann").ask(&wish("reader").lasting("15m")).await.unwrap();
    world.pass("16m").await;
    let state = world.grpc("ann").show(&asked.id).await.unwrap().state();
    assert!([State::Revoking, State::Closed].contains(&state), "{state:?}");
    world.tenant.faults().clear(failing);
    let ended = world.pass_to(&asked.id, State::Closed, "2m").await;
    assert_eq!(ended.outcome(), Outcome::Unfinished);
    let done = world.writes().into_iter().filter(|write| write == "POST roleAssignments 201");
    assert_eq!(done.count(), 0, "granted after its end");
    assert!(!world.holds(&ANN, &GLOBAL_READER));
}

#[tokio::test]
async fn a_lost_grant_whose_end_comes_before_it_is_found_is_taken_back() {
    // Done and never answered, and then Graph is gone until long past the end.
    for role in ["reader", "security-reader"] {
        let world = World::start().await;
        let faults = world.tenant.faults();
        faults.add(Fault::on("/v1.0/roleManagement/directory", Kind::LoseReply).method("POST").times(1));
        let asked = world.grpc("ann").ask(&wish(role).lasting("15m")).await.unwrap();
        world.until_that(&asked.id, |shown| shown.state() == State::Activating && shown.tries > 0).await;
        let outage = faults.graph_outage();
        assert!(world.holds(&ANN, &GLOBAL_READER) || world.holds(&ANN, &SECURITY_READER), "it was done");
        world.pass("1h").await;
        faults.clear(outage);
        let ended = world.pass_to(&asked.id, State::Closed, "3m").await;
        assert_eq!(ended.outcome(), Outcome::Unfinished, "{role}");
        assert!(world.tenant.directory().assignments().is_empty(), "{role}");
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_lengthens_nothing_that_is_on_record() {
    let world = World::start().await;
    let asked = world.grpc("dave").ask(&wish("reader").lasting("15m")).await.unwrap();
    let held = world.until(&asked.id, State::Active).await;
    world.advance("-1h");
    let shown = world.grpc("dave").show(&asked.id).await.unwrap();
    assert_eq!(shown.held_until, held.held_until);
    world.advance("1h15m");
    assert_eq!(world.outcome(&asked.id).await, Outcome::Expired);
    assert!(!world.holds(&DAVE, &GLOBAL_READER));
}
