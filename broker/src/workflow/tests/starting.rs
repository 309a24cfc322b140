//! Asked for later, and for less: starts that lie ahead, and scopes within the one that is offered.

use elevate_core::activation::{Change, Outcome, State};
use elevate_core::due::START_GRACE;
use elevate_core::names::Scope;
use jiff::{SignedDuration, Timestamp};

use super::world::*;
use crate::ports::{Clock as _, Journal as _};
use crate::workflow::{Refusal, Wish};

fn at(hours: i64) -> Timestamp {
    start() + SignedDuration::from_hours(hours)
}

fn from(role: &str, starts_at: Timestamp) -> Wish {
    Wish { starts_at: Some(starts_at), ..World::wish(role) }
}

fn within(role: &str, scope: Scope) -> Wish {
    Wish { scope: Some(scope), ..World::wish(role) }
}

fn unit() -> Scope {
    Scope::AdministrativeUnit(object(700))
}

/// Prepares, signs in, asks.
async fn ask(world: &World, wish: &Wish) -> Result<elevate_core::names::ActivationId, Refusal> {
    let prepared = world.workflow.prepare(&person(ANN), wish).await?;
    Ok(world.ask_with(ANN, world.request_id(), wish, &prepared).await?.id)
}

#[tokio::test]
async fn a_start_that_lies_ahead_is_waited_for_and_the_term_begins_when_it_is_held() {
    let world = World::new().await;
    let id = ask(&world, &from("reader", at(3))).await.unwrap();
    assert!(matches!(world.state(id).await, State::Scheduled { starts_at, .. } if starts_at == at(3)));
    world.settle_all().await;
    world.clock.forward(3 * 3600 - 1);
    world.settle_all().await;
    assert_eq!(world.word(id).await, "scheduled");
    assert_eq!(world.directory.calls("grant"), 0, "granted before its start");
    world.clock.forward(1);
    world.settle_all().await;
    let State::Active { not_after, .. } = world.state(id).await else { panic!() };
    assert_eq!(not_after, at(4), "the term counts from the start, not from the request");
}

#[tokio::test]
async fn the_slot_of_what_is_scheduled_is_taken_and_free_again_when_it_is_withdrawn() {
    let world = World::new().await;
    let id = ask(&world, &from("reader", at(3))).await.unwrap();
    let refused = world.ask(ANN, "reader").await.unwrap_err();
    assert_eq!(refused, Refusal::SlotTaken { by: id });
    world.workflow.withdraw(&person(ANN), id).await.unwrap();
    assert_eq!(world.outcome(id).await, Outcome::Withdrawn);
    world.held(ANN, "reader").await;
    world.clock.forward(4 * 3600);
    world.settle_all().await;
    assert_eq!(world.directory.calls("grant"), 1, "what was withdrawn began");
}

#[tokio::test]
async fn approvals_that_come_before_the_start_wait_for_it_and_those_that_come_after_begin_at_once() {
    let world = World::new().await;
    let early = ask(&world, &from("admin", at(3))).await.unwrap();
    world.yes(LEA, early).await.unwrap();
    world.yes(LEO, early).await.unwrap();
    assert!(matches!(world.state(early).await, State::Scheduled { starts_at, .. } if starts_at == at(3)));
    world.workflow.withdraw(&person(ANN), early).await.unwrap();

    // `admin` is answered within an hour: the start lies within that.
    let late = ask(&world, &from("admin", start() + SignedDuration::from_mins(10))).await.unwrap();
    world.yes(LEA, late).await.unwrap();
    world.clock.forward(30 * 60);
    world.settle_all().await;
    world.yes(LEO, late).await.unwrap();
    let now = world.clock.now().latest();
    assert!(matches!(world.state(late).await, State::Scheduled { starts_at, .. } if starts_at == now));
    world.settle_all().await;
    let State::Active { not_after, .. } = world.state(late).await else { panic!() };
    assert_eq!(not_after, now + SignedDuration::from_hours(1));
}

#[tokio::test]
async fn the_approval_window_counts_from_the_request_and_not_from_the_start() {
    let world = World::new().await;
    let id = ask(&world, &from("admin", at(48))).await.unwrap();
    world.clock.forward(3600);
    world.settle_all().await;
    assert_eq!(world.outcome(id).await, Outcome::Lapsed);
}

#[tokio::test]
async fn what_could_not_begin_within_an_hour_of_its_start_lapses() {
    let world = World::new().await;
    let id = ask(&world, &from("reader", at(3))).await.unwrap();
    world.directory.is_down(true);
    world.clock.forward(3 * 3600);
    world.settle_all().await;
    assert_eq!(world.word(id).await, "scheduled");
    world.clock.forward(START_GRACE.as_secs());
    world.settle_all().await;
    assert_eq!(world.outcome(id).await, Outcome::Lapsed);
    world.directory.is_down(false);
    world.settle_all().await;
    assert_eq!(world.directory.calls("grant"), 0);
}

#[tokio::test]
async fn a_start_that_is_past_or_too_far_ahead_is_refused_and_so_is_a_late_emergency() {
    let world = World::new().await;
    for (starts_at, reason) in [
        (start() - SignedDuration::from_secs(1), "START_PAST"),
        (at(7 * 24) + SignedDuration::from_secs(1), "START_TOO_FAR"),
    ] {
        let refused = world.workflow.prepare(&person(ANN), &from("reader", starts_at)).await.unwrap_err();
        assert_eq!(refused.reason(), reason, "{starts_at}");
    }
    assert!(world.workflow.prepare(&person(ANN), &from("reader", at(7 * 24))).await.is_ok());
}

#[tokio::test]
async fn a_start_may_pass_during_the_sign_in_and_not_long_before_the_request() {
    let world = World::new().await;
    let wish = from("reader", start() + SignedDuration::from_secs(20));
    let prepared = world.workflow.prepare(&person(ANN), &wish).await.unwrap();
    world.clock.forward(60);
    let id = world.ask_with(ANN, world.request_id(), &wish, &prepared).await.unwrap().id;
    let now = world.clock.now().latest();
    assert!(matches!(world.state(id).await, State::Scheduled { starts_at, .. } if starts_at == now));

    let wish = from("writer", start() + SignedDuration::from_secs(70));
    let prepared = world.workflow.prepare(&person(ANN), &wish).await.unwrap();
    world.clock.forward(6 * 60);
    let refused = world.ask_with(ANN, world.request_id(), &wish, &prepared).await.unwrap_err();
    assert_eq!(refused.reason(), "START_PAST");
}

#[tokio::test]
async fn a_role_is_held_at_the_narrower_scope_that_was_asked_for_and_nowhere_else() {
    let world = World::new().await;
    let id = ask(&world, &within("reader", unit())).await.unwrap();
    world.settle_all().await;
    assert_eq!(world.word(id).await, "active");
    let held: Vec<_> = world.directory.all().into_iter().map(|(slot, _)| slot.resource.place()).collect();
    assert_eq!(held, [unit().to_string()]);
    // Another scope is another slot.
    assert!(ask(&world, &within("reader", Scope::Object(object(701)))).await.is_ok());
    assert!(matches!(
        ask(&world, &within("reader", unit())).await,
        Err(Refusal::SlotTaken { by }) if by == id
    ));
    world.clock.forward(3600);
    world.settle_all().await;
    assert_eq!(world.directory.all(), []);
}

#[tokio::test]
async fn a_scope_that_is_not_within_the_offered_one_is_refused() {
    let world = World::new().await;
    let at_unit = policy().replace("usual = \"1h\"", &format!("usual = \"1h\"\nscope = \"{}\"", unit()));
    world.apply(&at_unit).await;
    for scope in [Scope::Tenant, Scope::Object(object(701)), Scope::AdministrativeUnit(object(701))] {
        let refused = world.workflow.prepare(&person(ANN), &within("reader", scope)).await.unwrap_err();
        assert_eq!(refused.reason(), "SCOPE_NOT_OFFERED", "{scope}");
    }
    assert!(world.workflow.prepare(&person(ANN), &within("reader", unit())).await.is_ok());
}

#[tokio::test]
async fn what_was_asked_for_at_a_scope_that_is_offered_no_more_does_not_begin() {
    let world = World::new().await;
    let wish = Wish { starts_at: Some(at(2)), ..within("reader", Scope::Object(object(701))) };
    let id = ask(&world, &wish).await.unwrap();
    let at_unit = policy().replace("usual = \"1h\"", &format!("usual = \"1h\"\nscope = \"{}\"", unit()));
    world.apply(&at_unit).await;
    world.clock.forward(2 * 3600);
    world.settle_all().await;
    assert!(
        matches!(world.outcome(id).await, Outcome::Failed { reason } if reason.contains("no longer offered"))
    );
    assert_eq!(world.directory.calls("grant"), 0);
}

#[tokio::test]
async fn a_proof_for_one_start_or_scope_is_none_for_another() {
    let world = World::new().await;
    for other in [from("reader", at(4)), within("reader", unit()), World::wish("reader")] {
        let wish = from("reader", at(3));
        let prepared = world.workflow.prepare(&person(ANN), &wish).await.unwrap();
        let refused = world.ask_with(ANN, world.request_id(), &other, &prepared).await.unwrap_err();
        assert_eq!(refused.reason(), "PROOF_UNBOUND", "{other:?}");
    }
    let asked =
        world.store.find(&Default::default(), &crate::ports::journal::Page { limit: 9, after: None }).await;
    assert!(asked.unwrap().activations.is_empty());
}

#[tokio::test]
async fn the_start_and_the_scope_that_were_asked_for_are_on_record() {
    let world = World::new().await;
    let wish = Wish { starts_at: Some(at(2)), ..within("reader", unit()) };
    let id = ask(&world, &wish).await.unwrap();
    let changes = world.changes(id).await;
    let Some(Change::Requested(request)) = changes.first() else { panic!() };
    assert_eq!(request.asked.starts_at, Some(at(2)));
    assert_eq!(request.asked.target.resource().place(), unit().to_string());
}
