//! Going on longer: another activation takes over what one holds, and the role is not cut between the two.

use elevate_sandbox::people::{ANN, GLOBAL_READER, GROUPS_ADMINISTRATOR, SECURITY_READER};
use elevate_sandbox::{Fault, Kind, Lag};
use elevate_tests::{Outcome, State, World, span, told, wish};
use jiff::Timestamp;

const ASSIGNMENTS: &str = "/v1.0/roleManagement/directory/roleAssignments";
const REQUESTS: &str = "/v1.0/roleManagement/directory/roleAssignmentScheduleRequests";

fn seconds(at: &Option<prost_types::Timestamp>) -> i64 {
    at.as_ref().expect("a time").seconds
}

/// When Entra itself ends the only schedule that lasts.
fn entras_end(world: &World) -> Timestamp {
    let lasting: Vec<_> =
        world.tenant.directory().schedules().into_iter().filter(|each| each.life.gone.is_none()).collect();
    assert_eq!(lasting.len(), 1, "{lasting:#?}");
    lasting[0].end.expect("an end")
}

#[tokio::test]
async fn a_role_goes_on_under_another_activation_and_is_gone_at_its_end() {
    for (role, held) in [("reader", GLOBAL_READER), ("security-reader", SECURITY_READER)] {
        let world = World::start().await;
        let ann = world.grpc("ann");
        let asked = ann.ask(&wish(role).lasting("1h")).await.unwrap();
        let old = world.until(&asked.id, State::Active).await;
        let shown = world.tenant.directory().assignments();
        world.pass("40m").await;
        let longer = ann.ask(&wish(role).lasting("2h").continuing(&old)).await.unwrap();
        assert_ne!((&longer.id, &longer.digest), (&old.id, &old.digest));
        let new = world.pass_to(&longer.id, State::Active, "1m").await;
        let old = ann.show(&old.id).await.unwrap();
        assert_eq!(
            (old.outcome(), &old.continued_by, &new.continues),
            (Outcome::TakenOver, &new.id, &old.id)
        );
        let end = world.hands.now() + span("2h");
        assert!((end.as_second() - seconds(&new.held_until)).abs() <= 60, "{role}: from when it took over");
        assert_eq!(world.tenant.directory().assignments(), shown, "{role}: it was not cut");
        if role == "security-reader" {
            assert_eq!(
                entras_end(&world).as_second(),
                seconds(&new.held_until),
                "the second lock moved along"
            );
        }

        // The old end passes.
        world.pass("50m").await;
        assert!(world.holds(&ANN, &held), "{role}");
        // Given back by the one that is held, not by the one that was.
        assert_eq!(told(&ann.deactivate(&old.id).await.unwrap_err()).reason, "WRONG_STATE");
        world.pass("1h20m").await;
        assert_eq!(world.pass_to(&new.id, State::Closed, "3m").await.outcome(), Outcome::Expired);
        assert!(!world.holds(&ANN, &held), "{role}");
        let record = world.record_of(&old.id).await;
        assert_eq!(record.last().map(String::as_str), Some("taken-over"), "{record:?}");
    }
}

#[tokio::test]
async fn it_waits_for_its_own_approval_and_comes_too_late_without() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let asked = ann.ask(&wish("groups-admin").lasting("1h")).await.unwrap();
    world.grpc("bob").approve(&asked.id).await.unwrap();
    let old = world.until(&asked.id, State::Active).await;
    world.pass("30m").await;
    let new = ann.ask(&wish("groups-admin").lasting("2h").continuing(&old)).await.unwrap();
    assert_eq!(new.state(), State::AwaitingApproval);
    let second = ann.ask(&wish("groups-admin").lasting("3h").continuing(&old)).await.unwrap_err();
    assert_eq!(told(&second).reason, "EXTENDED_ALREADY");
    assert_eq!(world.grpc("bob").pending().await.unwrap()[0].continues, old.id);
    world.pass("31m").await;
    assert_eq!(world.outcome(&old.id).await, Outcome::Expired);
    assert!(!world.holds(&ANN, &GROUPS_ADMINISTRATOR));
    assert_eq!(world.outcome(&new.id).await, Outcome::Failed);
    assert!(world.grpc("bob").pending().await.unwrap().is_empty(), "nobody is asked in vain");
}

#[tokio::test]
async fn what_is_refused_to_extend_changes_nothing() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let old = ann.ask(&wish("reader").lasting("1h")).await.unwrap();
    let old = world.until(&old.id, State::Active).await;
    world.pass("1m").await;
    let before = world.tenant.directory().assignments();
    for (who, role, term, reason) in [
        ("carol", "reader", "2h", "ACTIVATION_NOT_FOUND"),
        ("ann", "groups-admin", "2h", "FIELD_INVALID"),
        ("ann", "reader", "30m", "NOT_EXTENDED"),
        ("ann", "reader", "9h", "TERM_TOO_LONG"),
    ] {
        let refused = world.grpc(who).ask(&wish(role).lasting(term).continuing(&old)).await.unwrap_err();
        assert_eq!(told(&refused).reason, reason, "{who} {role} {term}");
    }
    assert_eq!(world.tenant.directory().assignments(), before);
    let now = ann.show(&old.id).await.unwrap();
    assert_eq!((now.version, now.held_until), (old.version, old.held_until));
}

#[tokio::test]
async fn lost_answers_and_refusals_of_pim_end_in_one_role_with_one_end() {
    // (what goes wrong with the extension, whether it is extended in the end)
    let lost = || Fault::on(REQUESTS, Kind::LoseReply).method("POST").times(1);
    let fails =
        || Fault::on(REQUESTS, Kind::FailBefore { status: 503, retry_after: None }).method("POST").times(2);
    let refuses =
        || Fault::on(REQUESTS, Kind::FailBefore { status: 403, retry_after: None }).method("POST").times(1);
    for (fault, extended) in [(lost(), true), (fails(), true), (refuses(), false)] {
        let world = World::start().await;
        let ann = world.grpc("ann");
        let asked = ann.ask(&wish("security-reader").lasting("1h")).await.unwrap();
        let old = world.pass_to(&asked.id, State::Active, "1m").await;
        world.pass("30m").await;
        world.tenant.faults().add(fault.clone());
        let new = ann.ask(&wish("security-reader").lasting("2h").continuing(&old)).await.unwrap();
        let state = if extended { State::Active } else { State::Closed };
        let new = world.pass_to(&new.id, state, "3m").await;
        let extensions = |world: &World| {
            let requests = world.tenant.directory().requests();
            requests.iter().filter(|request| request.action == "adminExtend").count()
        };
        assert_eq!(extensions(&world), usize::from(extended), "{fault:?}: sent once");
        let (holder, left) = if extended { (&new, "2h10m") } else { (&old, "40m") };
        assert_eq!(ann.show(&holder.id).await.unwrap().state(), State::Active, "{fault:?}");
        assert_eq!(entras_end(&world).as_second(), seconds(&holder.held_until), "{fault:?}");
        world.pass(left).await;
        assert_eq!(world.pass_to(&holder.id, State::Closed, "3m").await.outcome(), Outcome::Expired);
        assert!(!world.holds(&ANN, &SECURITY_READER), "{fault:?}");
    }
}

#[tokio::test]
async fn an_end_that_pim_moved_for_nothing_is_the_old_one_to_the_broker() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let asked = ann.ask(&wish("security-reader").lasting("1h")).await.unwrap();
    let old = world.pass_to(&asked.id, State::Active, "1m").await;
    world.pass("30m").await;
    // Entra takes it, and is not heard any more until the broker is gone.
    let lost = world.tenant.faults().add(Fault::on(REQUESTS, Kind::LoseReply).method("POST").times(1));
    let new = ann.ask(&wish("security-reader").lasting("2h").continuing(&old)).await.unwrap();
    world.until_that(&new.id, |new| new.tries > 0).await;
    world.kill().await;
    world.tenant.faults().clear(lost);
    assert!(entras_end(&world).as_second() > seconds(&old.held_until));
    world.advance("31m");
    assert!(world.holds(&ANN, &SECURITY_READER), "Entra keeps it, for two hours");
    world.restart().await;
    assert_eq!(world.pass_to(&old.id, State::Closed, "3m").await.outcome(), Outcome::Expired);
    assert!(!world.holds(&ANN, &SECURITY_READER));
    assert_eq!(world.outcome(&new.id).await, Outcome::Failed);
}

#[tokio::test]
async fn a_change_that_pim_takes_its_time_over_is_waited_for_and_may_come_too_late() {
    // (how long before the old end it is asked for, whether Entra is done in time)
    for (left, in_time) in [("30m", true), ("30s", false)] {
        let world = World::start().await;
        let ann = world.grpc("ann");
        let asked = ann.ask(&wish("security-reader").lasting("1h")).await.unwrap();
        let old = world.pass_to(&asked.id, State::Active, "1m").await;
        world.tenant.directory().set_lag(Lag { provision: span("60s"), ..Lag::default() });
        let ends = Timestamp::from_second(seconds(&old.held_until)).unwrap();
        world.advance(&format!("{}s", (ends - span(left)).duration_since(world.hands.now()).as_secs()));
        let new = ann.ask(&wish("security-reader").lasting("2h").continuing(&old)).await.unwrap();
        let state = if in_time { State::Active } else { State::Closed };
        let new = world.pass_to(&new.id, state, "5m").await;
        if in_time {
            assert_eq!(entras_end(&world).as_second(), seconds(&new.held_until));
        } else {
            assert_eq!(new.outcome(), Outcome::Failed);
            assert_eq!(world.pass_to(&old.id, State::Closed, "3m").await.outcome(), Outcome::Expired);
            assert!(!world.holds(&ANN, &SECURITY_READER));
        }
    }
}

#[tokio::test]
async fn a_kill_in_the_middle_of_an_extension_cuts_nothing() {
    for role in ["reader", "security-reader"] {
        let world = World::start().await;
        let ann = world.grpc("ann");
        let asked = ann.ask(&wish(role).lasting("1h")).await.unwrap();
        let old = world.pass_to(&asked.id, State::Active, "1m").await;
        world.pass("30m").await;
        let shown = world.tenant.directory().assignments();
        // Before the intent is on record, and after.
        let down = Kind::FailBefore { status: 503, retry_after: None };
        let reads = Fault::on(ASSIGNMENTS, down.clone()).method("GET");
        let writes = Fault::on(REQUESTS, down).method("POST");
        let outage = world.tenant.faults().add(if role == "reader" { reads } else { writes });
        let new = ann.ask(&wish(role).lasting("2h").continuing(&old)).await.unwrap();
        world.until_that(&new.id, |new| new.tries > 0).await;
        world.kill().await;
        world.tenant.faults().clear(outage);
        world.restart().await;
        world.pass_to(&new.id, State::Active, "3m").await;
        assert_eq!(world.tenant.directory().assignments(), shown, "{role}");
        assert_eq!(world.outcome(&old.id).await, Outcome::TakenOver);
    }
}
