//! From what may begin to what is held: never late, never adopted, never without an intent.

use std::time::Duration;

use elevate_core::activation::{Cause, Change, Outcome, State};
use elevate_core::due::START_GRACE;
use jiff::SignedDuration;

use super::outside::Answer::*;
use super::world::*;
use crate::ports::{Clock as _, Journal as _};
use crate::workflow::Next;

/// Moves the clock to the next moment something is due, and settles.
async fn next_try(world: &World) -> i64 {
    let now = world.clock.now().latest();
    let next = world.store.next_due(now).await.unwrap().expect("something is to come");
    // Whole seconds: the clock is moved by hand.
    let wait = next.duration_since(now).as_millis().div_euclid(1000) + 1;
    world.clock.forward(i64::try_from(wait).unwrap());
    world.settle_all().await;
    i64::try_from(wait).unwrap()
}

#[tokio::test]
async fn the_end_is_fixed_with_the_intent() {
    let world = World::new().await;
    let id = world.asked(ANN, "reader").await;
    world.directory.will_grant([Fails, Fails]);
    world.settle_all().await;
    let end = start() + SignedDuration::from_hours(1);
    while world.word(id).await == "activating" {
        assert!(matches!(world.state(id).await, State::Activating { not_after, .. } if not_after == end));
        next_try(&world).await;
    }
    assert!(matches!(world.state(id).await, State::Active { not_after, .. } if not_after == end));
    assert_eq!(world.directory.calls("grant"), 3);
    assert_eq!(world.directory.wrongs(), Vec::<String>::new());
}

#[tokio::test]
async fn a_clock_that_is_unsure_shortens_the_term() {
    let world = World::new().await;
    world.clock.unsure_by(30);
    let id = world.held(ANN, "reader").await;
    let State::Active { not_after, .. } = world.state(id).await else { panic!() };
    assert_eq!(not_after, start() + SignedDuration::from_hours(1));
    // It ends when its end may have come.
    world.clock.forward(3570);
    world.settle_all().await;
    assert_eq!(world.outcome(id).await, Outcome::Ended(Cause::Expired));
}

#[tokio::test]
async fn a_grant_whose_answer_was_lost_is_found() {
    let world = World::new().await;
    let id = world.asked(ANN, "reader").await;
    world.directory.will_grant([DoesUnheard]);
    world.settle_all().await;
    assert_eq!(world.word(id).await, "activating");
    next_try(&world).await;
    assert_eq!(world.word(id).await, "active");
    assert_eq!(world.directory.all().len(), 1);
}

#[tokio::test]
async fn a_grant_whose_answer_was_lost_until_its_end_is_taken_back() {
    let world = World::new().await;
    let id = world.asked(ANN, "reader").await;
    world.directory.will_grant([DoesUnheard]);
    world.settle_all().await;
    world.directory.is_down(true);
    world.clock.forward(3600);
    world.settle_all().await;
    assert_eq!(world.word(id).await, "revoking");
    world.directory.is_down(false);
    world.clock.forward(120);
    world.settle_all().await;
    assert_eq!(world.outcome(id).await, Outcome::Ended(Cause::Unfinished));
    assert_eq!(world.directory.all(), []);
}

#[tokio::test]
async fn nothing_is_granted_after_its_end() {
    // (how long the broker was down, from which state, how it ends)
    for (down_for, word, grants) in [(3599, "active", 1), (3600, "closed", 0), (90_000, "closed", 0)] {
        let world = World::new().await;
        let id = world.asked(ANN, "reader").await;
        world.directory.will_grant([Fails]);
        world.settle_all().await;
        let before = world.directory.calls("grant");
        world.clock.forward(down_for);
        let world = world.again().await;
        world.settle_all().await;
        assert_eq!(world.word(id).await, word, "down for {down_for} s");
        assert_eq!(world.directory.calls("grant") - before, grants, "down for {down_for} s");
    }
}

#[tokio::test]
async fn what_could_not_begin_in_time_lapses_and_frees_its_slot() {
    let world = World::new().await;
    let id = world.asked(ANN, "reader").await;
    world.directory.is_down(true);
    world.settle_all().await;
    assert_eq!(world.word(id).await, "scheduled");
    world.clock.forward(START_GRACE.as_secs());
    world.settle_all().await;
    assert_eq!((world.outcome(id).await, world.directory.calls("grant")), (Outcome::Lapsed, 0));
    world.directory.is_down(false);
    world.held(ANN, "reader").await;
}

#[tokio::test]
async fn a_no_at_the_first_try_ends_it() {
    let world = World::new().await;
    let id = world.asked(ANN, "reader").await;
    world.directory.will_grant([Refuses]);
    world.settle_all().await;
    assert_eq!(world.outcome(id).await, Outcome::Failed { reason: "not today".to_owned() });
}

#[tokio::test]
async fn a_no_after_an_earlier_try_proves_nothing() {
    let world = World::new().await;
    let id = world.asked(ANN, "reader").await;
    world.directory.will_grant([DoesUnheard, Refuses]);
    world.settle_all().await;
    next_try(&world).await;
    let changes = world.changes(id).await;
    assert!(changes.contains(&Change::RevocationBegun(Cause::Unfinished)), "{changes:?}");
    assert_eq!(world.directory.all(), []);
    assert_eq!(world.outcome(id).await, Outcome::Ended(Cause::Unfinished));
}

#[tokio::test]
async fn a_no_after_a_restart_proves_nothing_either() {
    let world = World::new().await;
    let id = world.asked(ANN, "reader").await;
    // It was sent, and the process died before it could be told.
    world.directory.at_grant.shut();
    let settling = tokio::spawn({
        let workflow = std::sync::Arc::clone(&world.workflow);
        async move { workflow.settle(id).await }
    });
    world.directory.at_grant.reached().await;
    settling.abort();
    let _ = settling.await;
    world.directory.at_grant.open();
    world.directory.made_for(id, world.slot(id).await);
    let world = world.again().await;
    world.directory.will_grant([Refuses]);
    world.settle_all().await;
    world.clock.forward(5);
    world.settle_all().await;
    assert!(!world.life(id).await.contains(&"refused"));
    assert_eq!(world.directory.all(), []);
}

#[tokio::test]
async fn somebody_elses_assignment_is_never_taken_for_ours() {
    // Put there before it is asked; before it begins; between the look and the grant.
    let world = World::new().await;
    let slot = world.slot_of(ANN, 1);
    let by_hand = world.directory.assign(slot);
    assert_eq!(world.ask(ANN, "reader").await.unwrap_err().reason(), "ASSIGNED_ELSEWHERE");
    world.directory.clear(slot);

    let id = world.asked(ANN, "reader").await;
    let by_hand_too = world.directory.assign(slot);
    assert_ne!(by_hand, by_hand_too);
    world.settle_all().await;
    let Outcome::Failed { reason } = world.outcome(id).await else { panic!() };
    assert!(reason.contains("not by this broker"), "{reason}");
    world.directory.clear(slot);

    let id = world.asked(ANN, "reader").await;
    world.directory.at_grant.shut();
    let settling = tokio::spawn({
        let workflow = std::sync::Arc::clone(&world.workflow);
        async move { workflow.settle(id).await }
    });
    world.directory.at_grant.reached().await;
    let last = world.directory.assign(slot);
    world.directory.at_grant.open();
    settling.await.unwrap().unwrap();
    world.clock.forward(7200);
    world.settle_all().await;
    assert_eq!(world.word(id).await, "closed");
    assert_eq!(world.directory.holds(slot), Some((last, None)), "left alone");
}

#[tokio::test]
async fn the_offer_must_still_stand_when_it_begins() {
    let reason = "the role is no longer offered to you";
    let failed = Outcome::Failed { reason: reason.to_owned() };
    // Withdrawn from everybody; from this person; another role under the same name.
    for case in 0..3 {
        let world = World::new().await;
        let id = world.asked(ANN, "admin").await;
        world.yes(LEA, id).await.unwrap();
        world.yes(LEO, id).await.unwrap();
        match case {
            0 => world.apply(&policy_without("admin")).await,
            1 => world.directory.take_out(object(ANN), object(STAFF)),
            _ => world.apply(&policy().replace("def00003", "def00033")).await,
        }
        world.settle_all().await;
        assert_eq!(world.outcome(id).await, failed, "case {case}");
        assert_eq!(world.directory.calls("grant"), 0);
    }
}

#[tokio::test]
async fn what_the_contract_keeps_for_later_is_not_used() {
    let world = World::new().await;
    let id = world.asked(ANN, "reader").await;
    let recorded = world.store.load(id).await.unwrap().unwrap();
    let asked = &recorded.request.asked;
    assert_eq!((asked.starts_at, asked.continues), (None, None));
}

#[tokio::test]
async fn nothing_is_asked_under_a_policy_that_changes_while_the_proof_is_checked() {
    let world = std::sync::Arc::new(World::new().await);
    world.desk.at_proof.shut();
    let asking = tokio::spawn({
        let world = std::sync::Arc::clone(&world);
        async move { world.ask(ANN, "reader").await }
    });
    world.desk.at_proof.reached().await;
    world.apply(&policy_without("writer")).await;
    world.desk.at_proof.open();
    assert_eq!(asking.await.unwrap().unwrap_err().reason(), "REQUEST_CHANGED");
    assert_eq!(world.store.holder(&world.slot_of(ANN, 1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_directory_that_asks_to_be_left_alone_is() {
    // (its wish, at least so long, at most so long)
    for (wish, least, most) in [(0, 0, 1), (90, 90, 90), (3600, 360, 360)] {
        let world = World::new().await;
        let id = world.asked(ANN, "reader").await;
        world.directory.will_grant([Busy(Duration::from_secs(wish))]);
        let Next::At(next) = world.settle(id).await else { panic!() };
        let wait = next.duration_since(start()).as_secs_f64();
        assert!(f64::from(least) <= wait && wait <= f64::from(most), "{wish} s: {wait}");
    }
}

#[tokio::test]
async fn tries_come_further_and_further_apart_and_never_a_minute() {
    let world = World::new().await;
    let id = world.asked(ANN, "reader").await;
    world.directory.is_down(true);
    world.settle_all().await;
    let mut waits = Vec::new();
    for _ in 0..12 {
        waits.push(next_try(&world).await);
    }
    assert!(waits.is_sorted() || waits.windows(2).all(|pair| pair[1] + 15 >= pair[0]), "{waits:?}");
    assert!(waits[0] <= 2 && waits.iter().all(|wait| *wait <= 61) && waits[11] >= 45, "{waits:?}");
    assert_eq!(world.word(id).await, "scheduled");
}
