//! Going on longer: another activation takes over, or the old one ends when it was to end. Never both.

use std::sync::Arc;

use elevate_core::activation::{Cause, Kind, Outcome, State};
use elevate_core::names::ActivationId;
use jiff::SignedDuration;

use super::outside::Answer::*;
use super::world::*;
use crate::ports::Journal as _;
use crate::ports::verifier::AppRole;
use crate::workflow::{Next, Refusal, Wish};

const MIN: i64 = 60;
const HOUR: i64 = 3600;

async fn settling(
    world: &World,
    id: ActivationId,
) -> tokio::task::JoinHandle<Result<Next, crate::ports::journal::StoreFault>> {
    let workflow = Arc::clone(&world.workflow);
    tokio::spawn(async move { workflow.settle(id).await })
}

/// Asked to go on longer, and the directory is being asked.
async fn at_the_directory(
    world: &World,
    new: ActivationId,
) -> tokio::task::JoinHandle<Result<Next, crate::ports::journal::StoreFault>> {
    world.directory.at_extend.shut();
    let settling = settling(world, new).await;
    world.directory.at_extend.reached().await;
    settling
}

async fn failed(world: &World, id: ActivationId) -> String {
    match world.outcome(id).await {
        Outcome::Failed { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn going_on_longer_is_another_activation_that_takes_over() {
    let world = World::new().await;
    let old = world.held(ANN, "reader").await;
    let slot = world.slot(old).await;
    let before = world.directory.holds(slot);
    world.clock.forward(40 * MIN);
    let new = world.extend(ANN, "reader", old, 2 * HOUR).await.unwrap();
    assert_eq!(world.store.holder(&slot).await.unwrap(), Some(old), "until it takes over");
    world.settle(new.id).await;

    assert_eq!(world.outcome(old).await, Outcome::TakenOver { by: new.id });
    let end = start() + SignedDuration::from_secs(40 * MIN + 2 * HOUR);
    assert!(matches!(world.state(new.id).await, State::Active { not_after, .. } if not_after == end));
    assert_eq!(world.store.holder(&slot).await.unwrap(), Some(new.id));
    assert_eq!((world.directory.holds(slot), world.directory.calls("revoke")), (before.clone(), 0));
    assert_ne!(new.request.proof.token, world.store.load(old).await.unwrap().unwrap().request.proof.token);

    // The old end passes, and nothing happens; the new one comes.
    world.clock.forward(30 * MIN);
    world.settle_all().await;
    assert_eq!((world.directory.holds(slot), world.word(new.id).await), (before, "active"));
    world.clock.forward(90 * MIN);
    world.settle_all().await;
    assert_eq!(world.outcome(new.id).await, Outcome::Ended(Cause::Expired));
    assert_eq!((world.directory.all(), world.directory.calls("grant")), (vec![], 1));
}

#[tokio::test]
async fn it_needs_its_own_approvals_and_the_old_one_goes_on_meanwhile() {
    let world = World::new().await;
    let old = world.asked(ANN, "admin").await;
    world.yes(LEA, old).await.unwrap();
    world.yes(LEO, old).await.unwrap();
    world.settle(old).await;
    let new = world.extend(ANN, "admin", old, 2 * HOUR).await.unwrap().id;
    world.settle_all().await;
    assert_eq!((world.word(old).await, world.word(new).await), ("active", "awaiting approval"));
    world.yes(LEA, new).await.unwrap();
    world.settle_all().await;
    assert_eq!((world.word(old).await, world.word(new).await), ("active", "awaiting approval"));
    world.yes(LEO, new).await.unwrap();
    world.settle_all().await;
    assert_eq!((world.word(old).await, world.word(new).await), ("closed", "active"));
    assert_eq!(world.directory.wrongs(), Vec::<String>::new());
}

#[tokio::test]
async fn only_the_holder_extends_only_what_is_held_and_only_to_a_later_end() {
    let world = World::new().await;
    let reason =
        |answer: Result<_, Refusal>| answer.map(|_: crate::ports::journal::Recorded| ()).unwrap_err();
    let waiting = world.asked(ANN, "admin").await;
    let waits = reason(world.extend(ANN, "admin", waiting, 2 * HOUR).await);
    assert_eq!(waits.reason(), "WRONG_STATE");

    let old = world.held(ANN, "reader").await;
    assert_eq!(reason(world.extend(BEN, "reader", old, 2 * HOUR).await).reason(), "ACTIVATION_NOT_FOUND");
    let other = reason(world.extend(ANN, "writer", old, 2 * HOUR).await);
    assert!(matches!(other, Refusal::Field { field: "role", .. }), "{other:?}");
    assert_eq!(reason(world.extend(ANN, "reader", old, HOUR).await).reason(), "NOT_EXTENDED");
    world.clock.forward(1);
    assert_eq!(reason(world.extend(ANN, "reader", old, 9 * HOUR).await).reason(), "TERM_TOO_LONG");
    world.apply(&policy_without("reader")).await;
    assert_eq!(reason(world.extend(ANN, "reader", old, HOUR).await).reason(), "ROLE_NOT_OFFERED");
    // Another role under the same name.
    world.apply(&policy().replace("def00001", "def00011")).await;
    assert_eq!(reason(world.extend(ANN, "reader", old, HOUR).await).reason(), "NOT_EXTENDED");
    world.apply(&policy()).await;

    let new = world.extend(ANN, "reader", old, HOUR).await.unwrap().id;
    match reason(world.extend(ANN, "reader", old, 2 * HOUR).await) {
        Refusal::ExtendedAlready { by } => assert_eq!(by, new),
        other => panic!("{other:?}"),
    }
    // Neither what is to continue another nor what was continued is extended.
    assert_eq!(reason(world.extend(ANN, "reader", new, 2 * HOUR).await).reason(), "WRONG_STATE");
    world.settle_all().await;
    assert_eq!(reason(world.extend(ANN, "reader", old, 2 * HOUR).await).reason(), "WRONG_STATE");
    // But what took over is, again and again.
    let third = world.extend(ANN, "reader", new, 2 * HOUR).await.unwrap().id;
    world.settle_all().await;
    assert_eq!((world.word(new).await, world.word(third).await), ("closed", "active"));
    assert_eq!(world.directory.calls("grant"), 1);
}

#[tokio::test]
async fn it_goes_on_at_once_and_as_it_is_and_never_for_an_emergency() {
    let world = World::new().await;
    let old = world.held(ANN, "reader").await;
    let longer = || World::longer("reader", old, 2 * HOUR);
    let narrower = "/administrativeUnits/01a1fadf-9c63-74a1-af37-8f83880c0db0".parse().unwrap();
    for (wish, field) in [
        (Wish { starts_at: Some(start() + SignedDuration::from_hours(1)), ..longer() }, "starts_at"),
        (Wish { scope: Some(narrower), ..longer() }, "scope"),
    ] {
        match world.workflow.prepare(&person(ANN), &wish).await.unwrap_err() {
            Refusal::Field { field: named, .. } => assert_eq!(named, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    // Neither is an emergency one's extension, nor its use extended.
    let emergency = format!(
        "break_glass = {{ eligible = [\"user:{}\"], longest = \"2h\" }}\nlongest = \"8h\"",
        object(ANN)
    );
    world.apply(&policy().replace("longest = \"8h\"", &emergency)).await;
    let refused = world.workflow.prepare(&person(ANN), &Wish { kind: Kind::BreakGlass, ..longer() }).await;
    assert_eq!(refused.unwrap_err().reason(), "NOT_EXTENDED");
    let wish = Wish { kind: Kind::BreakGlass, ..World::wish("writer") };
    let prepared = world.workflow.prepare(&person(ANN), &wish).await.unwrap();
    let used = world.ask_with(ANN, world.request_id(), &wish, &prepared).await.unwrap().id;
    world.settle(used).await;
    assert_eq!(world.word(used).await, "active");
    let refused = world.extend(ANN, "writer", used, 4 * HOUR).await.unwrap_err();
    assert_eq!(refused.reason(), "NOT_EXTENDED");
}

#[tokio::test]
async fn of_two_requests_to_extend_at_one_moment_one_is_asked() {
    let world = Arc::new(World::new().await);
    let old = world.held(ANN, "reader").await;
    world.desk.at_proof.shut();
    let ask = || {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.extend(ANN, "reader", old, 2 * HOUR).await })
    };
    let tasks = [ask(), ask()];
    world.desk.at_proof.reached().await;
    world.desk.at_proof.reached().await;
    world.desk.at_proof.open();
    let mut reasons = Vec::new();
    for task in tasks {
        reasons.push(task.await.unwrap().map_or_else(|refusal| refusal.reason(), |_| "ok"));
    }
    reasons.sort_unstable();
    assert_eq!(reasons, ["EXTENDED_ALREADY", "ok"]);
}

#[tokio::test]
async fn the_same_request_sent_again_is_the_same_activation_also_after_it_took_over() {
    let world = World::new().await;
    let old = world.held(ANN, "reader").await;
    let wish = World::longer("reader", old, 2 * HOUR);
    let prepared = world.workflow.prepare(&person(ANN), &wish).await.unwrap();
    let request_id = world.request_id();
    let first = world.ask_with(ANN, request_id, &wish, &prepared).await.unwrap().id;
    world.settle_all().await;
    assert_eq!(world.ask_with(ANN, request_id, &wish, &prepared).await.unwrap().id, first);
}

#[tokio::test]
async fn a_revocation_of_the_old_one_waits_for_nobody_and_wins() {
    for by_holder in [true, false] {
        let world = World::new().await;
        let old = world.held(ANN, "reader").await;
        let new = world.extend(ANN, "reader", old, 2 * HOUR).await.unwrap().id;
        let settling = at_the_directory(&world, new).await;
        // The directory does not answer, and the old one is taken away all the same.
        if by_holder {
            world.workflow.deactivate(&person(ANN), old).await.unwrap();
        } else {
            world.workflow.revoke(&with(EVE, AppRole::Revoker), old, "x").await.unwrap();
        }
        let workflow = Arc::clone(&world.workflow);
        let ending = tokio::spawn(async move { workflow.settle(old).await });
        while world.word(old).await != "closed" {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.directory.all(), []);
        world.directory.at_extend.open();
        settling.await.unwrap().unwrap();
        ending.await.unwrap().unwrap();
        assert!(matches!(world.outcome(old).await, Outcome::Ended(_)));
        assert!(failed(&world, new).await.contains("is over"));
        assert_eq!(
            (world.directory.all(), world.store.holder(&world.slot(old).await).await.unwrap()),
            (vec![], None)
        );
    }
}

#[tokio::test]
async fn at_the_last_second_one_of_both_wins() {
    // (seconds before the old end at which the directory answers, who wins)
    for (left, wins) in [(1, true), (0, false), (-1, false)] {
        let world = World::new().await;
        let old = world.held(ANN, "reader").await;
        world.clock.forward(HOUR - 10);
        let new = world.extend(ANN, "reader", old, 2 * HOUR).await.unwrap().id;
        let settling = at_the_directory(&world, new).await;
        // Nobody has seen to the old one's end yet: by the record it is active.
        world.clock.forward(10 - left);
        world.directory.at_extend.open();
        settling.await.unwrap().unwrap();
        let held = world.directory.all().len();
        assert_eq!(world.directory.calls("revoke"), 0, "{left}: nothing is cut");
        if wins {
            assert_eq!((world.word(old).await, world.word(new).await, held), ("closed", "active", 1));
            world.clock.forward(left + 1);
        } else {
            assert_eq!((world.word(old).await, world.word(new).await), ("active", "closed"), "{left}");
        }
        world.settle_all().await;
        assert_eq!(world.directory.all().len(), usize::from(wins), "{left}");
        let ended = Outcome::Ended(Cause::Expired);
        assert_eq!(world.outcome(old).await, if wins { Outcome::TakenOver { by: new } } else { ended });
        assert_eq!(world.directory.wrongs(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_end_that_comes_while_it_waits_to_take_over_is_the_end() {
    // (seconds that pass while somebody else has the old one in hand, who wins)
    for (pass, wins) in [(9, true), (10, false), (11, false)] {
        let world = World::new().await;
        let old = world.held(ANN, "reader").await;
        let slot = world.slot(old).await;
        world.clock.forward(HOUR - 10);
        let new = world.extend(ANN, "reader", old, 2 * HOUR).await.unwrap().id;
        let settling = at_the_directory(&world, new).await;
        let in_hand = world.workflow.locks.lock(old).await;
        world.directory.at_extend.open();
        while world.workflow.locks.wanted_by(old) < 2 {
            tokio::task::yield_now().await;
        }
        world.clock.forward(pass);
        drop(in_hand);
        settling.await.unwrap().unwrap();
        let words = (world.word(old).await, world.word(new).await);
        assert_eq!(words, if wins { ("closed", "active") } else { ("active", "closed") }, "{pass}");
        let before = world.directory.holds(slot);
        world.clock.forward(10);
        world.settle_all().await;
        if wins {
            assert_eq!(
                (world.directory.holds(slot), world.directory.calls("revoke")),
                (before, 0),
                "not cut"
            );
        } else {
            assert_eq!(world.outcome(old).await, Outcome::Ended(Cause::Expired), "{pass}");
            assert_eq!((world.directory.all(), world.store.holder(&slot).await.unwrap()), (vec![], None));
        }
    }
}

#[tokio::test]
async fn an_unsure_clock_takes_the_earlier_end() {
    let world = World::new().await;
    let old = world.held(ANN, "reader").await;
    world.clock.forward(HOUR - 10);
    let new = world.extend(ANN, "reader", old, 2 * HOUR).await.unwrap().id;
    world.clock.unsure_by(10);
    world.settle(new).await;
    assert_eq!((world.word(old).await, failed(&world, new).await.contains("is over")), ("active", true));
}

#[tokio::test]
async fn whatever_the_directory_says_the_old_one_ends_in_its_time_or_is_taken_over() {
    let cases =
        [vec![Fails, Does], vec![DoesUnheard, Does], vec![Refuses], vec![Fails, Refuses], vec![Fails; 100]];
    for (case, answers) in cases.into_iter().enumerate() {
        let world = World::new().await;
        let old = world.held(ANN, "reader").await;
        world.clock.forward(HOUR / 2);
        let new = world.extend(ANN, "reader", old, 2 * HOUR).await.unwrap().id;
        world.directory.will_extend(answers);
        for _ in 0..4 {
            world.settle_all().await;
            world.clock.forward(5);
        }
        let wins = case < 2;
        assert_eq!(world.word(old).await, if wins { "closed" } else { "active" }, "case {case}");
        world.clock.forward(HOUR / 2);
        world.settle_all().await;
        world.clock.forward(2 * MIN);
        world.settle_all().await;
        assert_eq!(world.word(new).await, if wins { "active" } else { "closed" }, "case {case}");
        assert_eq!(world.directory.all().len(), usize::from(wins), "case {case}");
        if !wins {
            assert_eq!(world.outcome(old).await, Outcome::Ended(Cause::Expired));
        }
        assert_eq!(world.directory.wrongs(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_broker_that_dies_while_the_directory_is_asked_goes_on_where_it_was() {
    let world = World::new().await;
    let old = world.held(ANN, "reader").await;
    let new = world.extend(ANN, "reader", old, 2 * HOUR).await.unwrap().id;
    let settling = at_the_directory(&world, new).await;
    settling.abort();
    let _ = settling.await;
    world.directory.at_extend.open();
    let world = world.again().await;
    assert_eq!((world.word(old).await, world.word(new).await), ("active", "activating"));
    world.settle_all().await;
    assert_eq!((world.word(old).await, world.word(new).await), ("closed", "active"));
    assert_eq!(world.directory.all().len(), 1);
}

#[tokio::test]
async fn taking_back_the_one_that_is_to_continue_takes_nothing_else() {
    for by_holder in [true, false] {
        let world = World::new().await;
        let old = world.held(ANN, "reader").await;
        let new = world.extend(ANN, "reader", old, 2 * HOUR).await.unwrap().id;
        world.directory.will_extend([Fails]);
        world.settle_all().await;
        assert_eq!(world.word(new).await, "activating");
        if by_holder {
            world.workflow.deactivate(&person(ANN), new).await.unwrap();
        } else {
            world.workflow.revoke(&with(EVE, AppRole::Revoker), new, "x").await.unwrap();
        }
        assert!(failed(&world, new).await.contains("before it took over"));
        world.clock.forward(30 * MIN);
        world.settle_all().await;
        assert_eq!((world.word(old).await, world.directory.all().len()), ("active", 1));
        // And somebody may ask again.
        world.extend(ANN, "reader", old, 2 * HOUR).await.unwrap();
    }
}

#[tokio::test]
async fn nobody_is_asked_for_an_approval_of_what_can_no_longer_be() {
    let world = World::new().await;
    let old = world.asked(ANN, "admin").await;
    world.yes(LEA, old).await.unwrap();
    world.yes(LEO, old).await.unwrap();
    world.settle(old).await;
    world.clock.forward(30 * MIN);
    let new = world.extend(ANN, "admin", old, 2 * HOUR).await.unwrap().id;
    world.clock.forward(30 * MIN);
    world.settle_all().await;
    assert_eq!(world.outcome(old).await, Outcome::Ended(Cause::Expired));
    assert!(failed(&world, new).await.contains("is over"));
    assert_eq!(world.yes(LEA, new).await.unwrap_err().reason(), "WRONG_STATE");
}

#[tokio::test]
async fn somebody_elses_assignment_is_not_taken_over() {
    // Put in the old one's place before the look; after it.
    for after in [false, true] {
        let world = World::new().await;
        let old = world.held(ANN, "reader").await;
        let slot = world.slot(old).await;
        let new = world.extend(ANN, "reader", old, 2 * HOUR).await.unwrap().id;
        let by_hand = if after {
            let settling = at_the_directory(&world, new).await;
            let by_hand = world.directory.assign(slot);
            world.directory.at_extend.open();
            settling.await.unwrap().unwrap();
            by_hand
        } else {
            let by_hand = world.directory.assign(slot);
            world.settle(new).await;
            by_hand
        };
        failed(&world, new).await;
        world.clock.forward(2 * HOUR);
        world.settle_all().await;
        assert_eq!(world.directory.holds(slot), Some((by_hand, None)), "left alone");
    }
}

#[tokio::test]
async fn what_was_removed_elsewhere_is_not_continued() {
    let world = World::new().await;
    let old = world.held(ANN, "reader").await;
    let slot = world.slot(old).await;
    let new = world.extend(ANN, "reader", old, 2 * HOUR).await.unwrap().id;
    world.directory.clear(slot);
    world.settle_all().await;
    assert_eq!(
        (world.word(new).await, world.directory.calls("extend")),
        ("scheduled", 0),
        "one read proves nothing"
    );
    world.workflow.reconcile().await.unwrap();
    world.clock.forward(31);
    world.workflow.reconcile().await.unwrap();
    assert_eq!(world.outcome(old).await, Outcome::RemovedElsewhere);
    world.settle_all().await;
    assert!(failed(&world, new).await.contains("is over"));
    assert_eq!(world.directory.all(), []);
}

#[tokio::test]
async fn comparing_record_and_directory_sees_no_gap_between_the_two() {
    let world = World::new().await;
    let old = world.held(ANN, "reader").await;
    let new = world.extend(ANN, "reader", old, 2 * HOUR).await.unwrap().id;
    let settling = at_the_directory(&world, new).await;
    assert!(world.workflow.reconcile().await.unwrap());
    world.directory.at_extend.open();
    settling.await.unwrap().unwrap();
    for _ in 0..2 {
        assert!(world.workflow.reconcile().await.unwrap());
        world.clock.forward(31);
    }
    assert_eq!((world.word(new).await, world.drift().await), ("active", 0));
}
