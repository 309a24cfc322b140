//! Taking away: at its end, earlier, and for as long as it takes.

use elevate_core::activation::{Cause, Outcome, State};

use super::outside::Answer::*;
use super::world::*;
use crate::ports::journal::Note;
use crate::ports::verifier::AppRole;
use crate::ports::{Clock as _, Journal as _};

#[tokio::test]
async fn it_ends_at_its_end_and_not_before() {
    for (after, word) in [(3599, "active"), (3600, "closed"), (3601, "closed")] {
        let world = World::new().await;
        let id = world.held(ANN, "reader").await;
        world.clock.forward(after);
        world.settle_all().await;
        assert_eq!(world.word(id).await, word, "after {after} s");
        assert_eq!(world.directory.all().is_empty(), word == "closed");
    }
}

#[tokio::test]
async fn a_revocation_is_never_given_up() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    world.directory.is_down(true);
    world.clock.forward(3600);
    world.settle_all().await;
    let tries = 40;
    for _ in 0..tries {
        assert_eq!(world.word(id).await, "revoking");
        world.clock.forward(61);
        world.settle_all().await;
    }
    assert!(world.directory.calls("revoke") > tries, "{}", world.directory.calls("revoke"));
    world.directory.is_down(false);
    world.clock.forward(61);
    world.settle_all().await;
    assert_eq!(world.outcome(id).await, Outcome::Ended(Cause::Expired));
}

#[tokio::test]
async fn gone_is_what_a_read_shows_gone() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    world.directory.will_revoke([DoesUnheard]);
    world.clock.forward(3600);
    world.settle_all().await;
    // It is gone, and nobody has said so: the slot stays taken.
    assert_eq!((world.word(id).await, world.directory.all().len()), ("revoking", 0));
    assert_eq!(world.ask(ANN, "reader").await.unwrap_err().reason(), "SLOT_TAKEN");
    world.clock.forward(61);
    world.settle_all().await;
    assert_eq!(world.word(id).await, "closed");
    world.held(ANN, "reader").await;
}

#[tokio::test]
async fn one_that_never_goes_keeps_no_other() {
    let world = World::new().await;
    let poison = world.held(ANN, "reader").await;
    let other = world.held(BEN, "reader").await;
    world.directory.never_revokes(poison);
    world.clock.forward(3600);
    world.settle_all().await;
    assert_eq!((world.word(poison).await, world.word(other).await), ("revoking", "closed"));
    let overdue = world.workflow.overdue().await.unwrap();
    assert_eq!((overdue.count, overdue.shown.len(), overdue.shown[0].id), (1, 1, poison));
}

#[tokio::test]
async fn each_state_answers_giving_back_withdrawing_and_revoking() {
    let revoker = with(EVE, AppRole::Revoker);
    // (how far it has come, then what withdraw, deactivate and revoke say, and how revoke leaves it)
    let table = [
        ("awaiting", ["ok", "WRONG_STATE", "ok"]),
        ("scheduled", ["ok", "WRONG_STATE", "ok"]),
        ("activating", ["WRONG_STATE", "ok", "ok"]),
        ("active", ["WRONG_STATE", "ok", "ok"]),
        ("revoking", ["WRONG_STATE", "ok", "ok"]),
        ("ended", ["WRONG_STATE", "ok", "WRONG_STATE"]),
        ("withdrawn", ["ok", "WRONG_STATE", "WRONG_STATE"]),
        ("denied", ["WRONG_STATE", "WRONG_STATE", "WRONG_STATE"]),
    ];
    for (stage, expected) in table {
        for (verb, expected) in expected.into_iter().enumerate() {
            let world = World::new().await;
            let id = at_stage(&world, stage).await;
            let workflow = &world.workflow;
            let answer = match verb {
                0 => workflow.withdraw(&person(ANN), id).await,
                1 => workflow.deactivate(&person(ANN), id).await,
                _ => workflow.revoke(&revoker, id, "incident").await,
            };
            let word = answer.map_or_else(|refusal| refusal.reason(), |_| "ok");
            assert_eq!(word, expected, "{stage}, verb {verb}");
            // Whatever was said: once nothing is in the way, nothing stays behind.
            world.directory.is_down(false);
            world.clock.forward(9 * 3600);
            world.settle_all().await;
            assert_eq!((world.word(id).await, world.directory.all()), ("closed", Vec::new()), "{stage}");
        }
    }
}

async fn at_stage(world: &World, stage: &str) -> elevate_core::names::ActivationId {
    let role = if matches!(stage, "awaiting" | "withdrawn" | "denied") { "admin" } else { "reader" };
    let id = world.asked(ANN, role).await;
    match stage {
        "awaiting" | "scheduled" => {}
        "activating" => {
            world.directory.will_grant([DoesUnheard]);
            world.settle(id).await;
            assert_eq!(world.word(id).await, stage);
        }
        "withdrawn" => drop(world.workflow.withdraw(&person(ANN), id).await.unwrap()),
        "denied" => drop(world.workflow.deny(&person(LEA), id, "no").await.unwrap()),
        _ => {
            world.settle(id).await;
            if stage != "active" {
                world.directory.is_down(stage == "revoking");
                world.workflow.deactivate(&person(ANN), id).await.unwrap();
                world.settle(id).await;
            }
        }
    }
    id
}

#[tokio::test]
async fn a_reason_to_revoke_is_on_record_and_does_not_change() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    world.directory.is_down(true);
    world.workflow.revoke(&with(EVE, AppRole::Revoker), id, "incident 7").await.unwrap();
    world.workflow.revoke(&with(EVE, AppRole::Revoker), id, "another").await.unwrap();
    world.workflow.deactivate(&person(ANN), id).await.unwrap();
    world.directory.is_down(false);
    world.clock.forward(61);
    world.settle_all().await;
    let cause = Cause::Revoked { reason: "incident 7".to_owned() };
    assert_eq!(world.outcome(id).await, Outcome::Ended(cause));
}

#[tokio::test]
async fn draining_keeps_new_ones_out_and_takes_old_ones_away() {
    let world = World::new().await;
    let held = world.held(ANN, "reader").await;
    let waiting = world.asked(BEN, "admin").await;
    world.workflow.drain();
    assert_eq!(world.ask(BEN, "reader").await.unwrap_err().reason(), "DRAINING");
    assert_eq!(world.yes(LEA, waiting).await.unwrap_err().reason(), "DRAINING");
    world.workflow.deny(&person(LEA), waiting, "no").await.unwrap();
    world.workflow.deactivate(&person(ANN), held).await.unwrap();
    world.settle_all().await;
    assert_eq!(world.outcome(held).await, Outcome::Ended(Cause::Deactivated));
}

#[tokio::test]
async fn the_overdue_are_counted_with_the_stuck_however_many_there_are() {
    let world = World::new().await;
    world.directory.is_down(false);
    // Stuck for long; and 100 newer ones that are only late.
    let stuck = world.held(ANN, "reader").await;
    world.directory.never_revokes(stuck);
    world.clock.forward(3600);
    world.settle_all().await;
    while !matches!(world.state(stuck).await, State::Revoking { retry, .. } if retry.tries > 5) {
        world.clock.forward(61);
        world.settle_all().await;
    }
    for n in 100..210 {
        world.directory.put_in(object(n), object(STAFF));
        world.held(n, "reader").await;
    }
    let again = world.clock.now().latest();
    world.clock.forward(3600);
    let overdue = world.workflow.overdue().await.unwrap();
    assert!(world.clock.now().latest() > again);
    assert_eq!((overdue.count, overdue.stuck, overdue.shown.len()), (111, 1, 100));
    assert_eq!(world.store.census().await.unwrap().iter().map(|(_, n)| n).sum::<u64>(), 111);
}

#[tokio::test]
async fn a_waiting_request_that_is_revoked_is_over_and_its_asker_reads_why() {
    let world = World::new().await;
    let waiting = world.asked(BEN, "admin").await;
    world.workflow.revoke(&with(EVE, AppRole::Revoker), waiting, "incident 7").await.unwrap();
    let reason = "revoked before it began: incident 7".to_owned();
    assert_eq!(world.outcome(waiting).await, Outcome::Failed { reason });
    assert_eq!(world.workflow.withdraw(&person(BEN), waiting).await.unwrap_err().reason(), "WRONG_STATE");
}

#[tokio::test]
async fn on_a_full_disk_nothing_new_is_taken_and_what_there_is_ends() {
    let world = World::new().await;
    let (ends, given_back, revoked) =
        (world.held(ANN, "reader").await, world.held(12, "reader").await, world.held(13, "reader").await);
    world.store.lose_room();
    let prepared = world.workflow.prepare(&person(14), &World::wish("reader")).await.unwrap_err();
    let asked = world.ask(14, "reader").await.unwrap_err();
    assert_eq!((prepared.reason(), asked.reason()), ("DISK_FULL", "DISK_FULL"));
    // Nor does a refusal take of the room that is left; it is counted.
    let size = *world.store.size().borrow();
    let note = Note::Refused {
        caller: Some(principal(14)),
        attempt: "RequestActivation".into(),
        reason: "DISK_FULL".into(),
        role: None,
        activation: None,
        at: world.clock.now().latest(),
    };
    world.workflow.note_refusal(note).await.unwrap();
    assert_eq!((*world.store.size().borrow(), world.workflow.refusals_left_out()), (size, 1));

    world.workflow.deactivate(&person(12), given_back).await.unwrap();
    world.workflow.revoke(&with(99, AppRole::Revoker), revoked, "no room").await.unwrap();
    world.clock.forward(3600);
    world.settle_all().await;
    for id in [ends, given_back, revoked] {
        assert_eq!(world.word(id).await, "closed");
    }
    assert!(world.directory.all().is_empty());
    world.store.regain_room().await;
    world.held(14, "reader").await;
}
