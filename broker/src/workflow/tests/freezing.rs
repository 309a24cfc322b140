//! Nothing new is granted, and everything is still taken away.

use elevate_core::activation::{Cause, Outcome};
use elevate_core::names::ActivationId;

use super::emergencies;
use super::outside::Answer::*;
use super::world::*;
use crate::ports::journal::{Note, Said};
use crate::ports::verifier::AppRole;
use crate::ports::{Clock as _, Journal as _};
use crate::workflow::Refusal;

async fn frozen(world: &World) {
    world.workflow.freeze(&with(EVE, AppRole::Revoker), "incident 7").await.unwrap();
}

#[tokio::test]
async fn while_it_is_frozen_nobody_can_ask_and_the_refusal_says_who_when_and_why() {
    let world = World::new().await;
    let prepared = world.workflow.prepare(&person(ANN), &World::wish("reader")).await.unwrap();
    frozen(&world).await;
    let refused = world.ask(ANN, "reader").await.unwrap_err();
    assert_eq!(refused.reason(), "FROZEN");
    let told = refused.to_string();
    for part in [&object(EVE).to_string(), "incident 7", "2026-09-21T", "elevate thaw"] {
        assert!(told.contains(part), "{part} is not in: {told}");
    }
    // What was prepared before is too late too, and no role is told from one that is not there.
    let late = world.ask_with(ANN, world.request_id(), &World::wish("reader"), &prepared).await.unwrap_err();
    assert_eq!(late.reason(), "FROZEN");
    assert_eq!(world.ask(EVE, "reader").await.unwrap_err().reason(), "ROLE_NOT_OFFERED");
    assert_eq!(world.directory.calls("grant"), 0);

    world.workflow.thaw(&with(ANN, AppRole::PolicyAdmin), "over").await.unwrap();
    world.held(ANN, "reader").await;
}

#[tokio::test]
async fn an_emergency_is_no_way_around_it() {
    let world = World::new().await;
    world.apply(&emergencies::with_break_glass()).await;
    frozen(&world).await;
    assert_eq!(emergencies::used(&world, ANN).await.unwrap_err().reason(), "FROZEN");
}

#[tokio::test]
async fn a_long_reason_is_cut_where_it_would_not_fit_into_an_error() {
    let world = World::new().await;
    let reason = "ä".repeat(1000);
    world.workflow.freeze(&with(EVE, AppRole::Revoker), &reason).await.unwrap();
    let told = world.ask(ANN, "reader").await.unwrap_err().to_string();
    assert!(told.len() < 700 && told.contains('…'), "{}", told.len());
    assert_eq!(world.workflow.frozen().await.unwrap().unwrap().reason, reason);
}

#[tokio::test]
async fn what_was_asked_before_waits_and_begins_when_it_is_thawed_or_lapses() {
    let world = World::new().await;
    let (in_time, too_late) = (world.asked(ANN, "reader").await, world.asked(BEN, "admin").await);
    frozen(&world).await;
    // A yes is still taken; it grants nothing.
    world.yes(LEA, too_late).await.unwrap();
    world.yes(LEO, too_late).await.unwrap();
    world.settle_all().await;
    assert_eq!((world.word(in_time).await, world.word(too_late).await), ("scheduled", "scheduled"));
    let retry = world.state(in_time).await.retry().cloned().unwrap();
    assert!(retry.hindrance.contains("frozen") && retry.at > world.clock.now().latest(), "{retry:?}");
    assert_eq!(world.directory.calls("grant"), 0);

    world.workflow.thaw(&with(EVE, AppRole::Revoker), "over").await.unwrap();
    world.clock.forward(61);
    world.settle(in_time).await;
    assert_eq!(world.word(in_time).await, "active");
    frozen(&world).await;
    world.clock.forward(3600);
    world.settle_all().await;
    assert_eq!(world.outcome(too_late).await, Outcome::Lapsed);
}

#[tokio::test]
async fn what_is_held_is_given_back_revoked_and_ended_while_it_is_frozen() {
    let world = World::new().await;
    let [given_back, revoked, ended] =
        [world.held(ANN, "reader").await, world.held(BEN, "reader").await, world.held(3, "reader").await];
    let withdrawn = world.asked(ANN, "admin").await;
    frozen(&world).await;
    world.workflow.deactivate(&person(ANN), given_back).await.unwrap();
    world.workflow.withdraw(&person(ANN), withdrawn).await.unwrap();
    world.workflow.revoke(&with(EVE, AppRole::Revoker), revoked, "incident 7").await.unwrap();
    world.settle_all().await;
    assert_eq!(world.outcome(given_back).await, Outcome::Ended(Cause::Deactivated));
    assert_eq!(world.word(revoked).await, "closed");
    world.clock.forward(3600);
    world.settle_all().await;
    assert_eq!(world.outcome(ended).await, Outcome::Ended(Cause::Expired));
    assert!(world.directory.all().is_empty());
}

#[tokio::test]
async fn an_intent_that_meets_a_freeze_sends_nothing_and_what_may_be_there_is_taken_back() {
    // Sent once, and the answer was lost.
    let world = World::new().await;
    let unclear = world.asked(ANN, "reader").await;
    world.directory.will_grant([DoesUnheard]);
    world.settle(unclear).await;
    assert_eq!((world.word(unclear).await, world.directory.all().len()), ("activating", 1));
    frozen(&world).await;
    world.clock.forward(61);
    world.settle_all().await;
    assert_eq!(world.outcome(unclear).await, Outcome::Ended(Cause::Unfinished));
    assert_eq!((world.directory.calls("grant"), world.directory.all().len()), (1, 0));

    // On record, and not sent: the freeze comes between.
    let world = World::new().await;
    let unsent = world.asked(ANN, "reader").await;
    world.directory.at_look.shut();
    let settling = tokio::spawn({
        let workflow = std::sync::Arc::clone(&world.workflow);
        async move { workflow.settle(unsent).await }
    });
    world.directory.at_look.reached().await;
    frozen(&world).await;
    world.directory.at_look.open();
    settling.await.unwrap().unwrap();
    assert!(matches!(world.outcome(unsent).await, Outcome::Failed { reason } if reason.contains("frozen")));
    assert_eq!(world.directory.calls("grant"), 0);
}

#[tokio::test]
async fn a_freeze_survives_a_restart_and_the_first_one_stands() {
    let world = World::new().await;
    frozen(&world).await;
    world.clock.forward(60);
    let again = world.workflow.freeze(&with(ANN, AppRole::Revoker), "me too").await.unwrap();
    assert_eq!((again.by, again.reason.as_str(), again.at), (principal(EVE), "incident 7", start()));
    let world = world.again().await;
    assert_eq!(world.ask(ANN, "reader").await.unwrap_err().reason(), "FROZEN");
    let noted = world.store.read(crate::ports::journal::Position(0), 1000).await.unwrap();
    let frozen = noted.iter().filter(|entry| matches!(entry.said, Said::Note(Note::Frozen(_))));
    assert_eq!(frozen.count(), 1);
}

#[tokio::test]
async fn revokers_freeze_people_thaw_and_nobody_thaws_what_is_not_frozen() {
    let world = World::new().await;
    let refused = |answer: Result<_, Refusal>| answer.map(|_| ()).unwrap_err().reason();
    for role in [AppRole::PolicyAdmin, AppRole::Auditor] {
        assert_eq!(refused(world.workflow.freeze(&with(ANN, role), "x").await), "NOT_ALLOWED");
    }
    assert_eq!(refused(world.workflow.thaw(&with(EVE, AppRole::Revoker), "x").await), "NOT_FROZEN");
    let mut automation = program(50);
    automation.roles = [AppRole::Revoker].into();
    world.workflow.freeze(&automation, "alarm").await.unwrap();
    assert_eq!(refused(world.workflow.thaw(&automation, "x").await), "PEOPLE_ONLY");
    assert_eq!(refused(world.workflow.thaw(&with(ANN, AppRole::Auditor), "x").await), "NOT_ALLOWED");
    assert_eq!(refused(world.workflow.thaw(&person(ANN), "x").await), "NOT_ALLOWED");
    world.workflow.thaw(&with(ANN, AppRole::PolicyAdmin), "a false alarm").await.unwrap();
    assert_eq!(world.workflow.frozen().await.unwrap(), None);
}

/// Held, and to be continued: the directory has given no clear answer to that yet.
async fn going_on(world: &World) -> (ActivationId, ActivationId) {
    let old = world.held(ANN, "reader").await;
    let new = world.extend(ANN, "reader", old, 7200).await.unwrap().id;
    world.directory.will_extend([Fails]);
    world.settle(new).await;
    assert_eq!((world.word(old).await, world.word(new).await), ("active", "activating"));
    (old, new)
}

#[tokio::test]
async fn a_later_end_is_a_new_grant_and_what_is_held_keeps_the_end_it_has() {
    // Nobody can ask for one, and what was prepared before is too late.
    let world = World::new().await;
    let old = world.held(ANN, "reader").await;
    let wish = World::longer("reader", old, 7200);
    let prepared = world.workflow.prepare(&person(ANN), &wish).await.unwrap();
    let held_up = world.held(BEN, "reader").await;
    world.clock.forward(600);
    let waiting = world.extend(BEN, "reader", held_up, 7200).await.unwrap().id;
    frozen(&world).await;
    assert_eq!(world.extend(ANN, "reader", old, 7200).await.unwrap_err().reason(), "FROZEN");
    let late = world.ask_with(ANN, world.request_id(), &wish, &prepared).await.unwrap_err();
    assert_eq!(late.reason(), "FROZEN");
    // One that was asked for before waits, and is refused when there is nothing to continue.
    world.settle_all().await;
    let retry = world.state(waiting).await.retry().cloned().unwrap();
    assert!(retry.hindrance.contains("frozen"), "{retry:?}");
    world.clock.forward(3000);
    world.settle_all().await;
    for id in [old, held_up] {
        assert_eq!(world.outcome(id).await, Outcome::Ended(Cause::Expired));
    }
    assert!(matches!(world.outcome(waiting).await, Outcome::Failed { reason } if reason.contains("is over")));
    assert_eq!((world.directory.calls("extend"), world.directory.all()), (0, vec![]));
}

#[tokio::test]
async fn an_intent_to_continue_that_meets_a_freeze_is_refused_and_takes_nothing_away() {
    let world = World::new().await;
    let (old, new) = going_on(&world).await;
    frozen(&world).await;
    world.clock.forward(61);
    world.settle_all().await;
    assert!(matches!(world.outcome(new).await, Outcome::Failed { reason } if reason.contains("frozen")));
    assert_eq!((world.word(old).await, world.directory.calls("extend")), ("active", 1));

    // The freeze comes while the directory is asked: it has done it, and nothing is taken over all the same.
    let world = World::new().await;
    let old = world.held(ANN, "reader").await;
    let new = world.extend(ANN, "reader", old, 7200).await.unwrap().id;
    world.directory.at_extend.shut();
    let settling = tokio::spawn({
        let workflow = std::sync::Arc::clone(&world.workflow);
        async move { workflow.settle(new).await }
    });
    world.directory.at_extend.reached().await;
    frozen(&world).await;
    world.directory.at_extend.open();
    settling.await.unwrap().unwrap();
    assert!(matches!(world.outcome(new).await, Outcome::Failed { reason } if reason.contains("frozen")));
    assert_eq!((world.word(old).await, world.directory.all().len()), ("active", 1));
    world.clock.forward(3600);
    world.settle_all().await;
    assert_eq!(world.outcome(old).await, Outcome::Ended(Cause::Expired));
    assert!(world.directory.all().is_empty());
}
