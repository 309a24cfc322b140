//! At the same moment: races, repeats, and callers who hang up.

use std::sync::Arc;

use elevate_core::activation::State;
use elevate_core::approval::Narrowed;
use elevate_core::names::ActivationId;

use super::outside::Gate;
use super::world::*;
use crate::ports::Journal as _;
use crate::ports::verifier::AppRole;
use crate::workflow::{Refusal, ToApprove, Yes};

/// What the tasks answered, in the order they were begun.
async fn all<T>(tasks: Vec<tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn reasons<T>(answers: &[Result<T, Refusal>]) -> Vec<&'static str> {
    let mut words: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().map_or_else(Refusal::reason, |_| "ok")).collect();
    words.sort_unstable();
    words
}

#[tokio::test]
async fn two_requests_for_one_slot_become_one_activation() {
    let world = Arc::new(World::new().await);
    // Both have seen the slot free.
    world.desk.at_proof.shut();
    let ask = || {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.ask(ANN, "reader").await })
    };
    let tasks = vec![ask(), ask()];
    world.desk.at_proof.reached().await;
    world.desk.at_proof.reached().await;
    world.desk.at_proof.open();
    let answers = all(tasks).await;
    assert_eq!(reasons(&answers), ["SLOT_TAKEN", "ok"]);
}

#[tokio::test]
async fn one_request_sent_twice_at_one_moment_is_one_activation() {
    // Wherever the second one is when the first is recorded and granted.
    for place in ["groups", "look", "proof"] {
        let world = Arc::new(World::new().await);
        let wish = World::wish("reader");
        let prepared = world.workflow.prepare(&person(ANN), &wish).await.unwrap();
        let token = world.desk.sign_in(principal(ANN), &prepared.challenge);
        let request_id = world.request_id();
        let send = || {
            let (world, wish, prepared, token) =
                (Arc::clone(&world), wish.clone(), prepared.clone(), token.clone());
            tokio::spawn(async move {
                let (under, challenge) = (prepared.asked.policy, &prepared.challenge.text);
                world.workflow.request(&person(ANN), request_id, &wish, under, &token, challenge).await
            })
        };
        let gate: &Gate = match place {
            "groups" => &world.directory.at_groups,
            "look" => &world.directory.at_look,
            _ => &world.desk.at_proof,
        };
        gate.shut();
        let late = send();
        gate.reached().await;
        // The first one overtakes it: its gates are open.
        gate.open_for_others();
        let first = send().await.unwrap().unwrap();
        world.settle(first.id).await;
        gate.open();
        let second = late.await.unwrap();
        assert_eq!(second.as_ref().map(|recorded| recorded.id), Ok(first.id), "at {place}: {second:?}");
    }
}

#[tokio::test]
async fn a_request_that_comes_after_its_twin_was_recorded_is_the_same_one() {
    let world = Arc::new(World::new().await);
    let wish = World::wish("reader");
    let prepared = world.workflow.prepare(&person(ANN), &wish).await.unwrap();
    let token = world.desk.sign_in(principal(ANN), &prepared.challenge);
    let request_id = world.request_id();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (under, challenge) = (prepared.asked.policy, &prepared.challenge.text);
        let ann = person(ANN);
        let sent = world.workflow.request(&ann, request_id, &wish, under, &token, challenge);
        ids.push(sent.await.unwrap().id);
    }
    assert_eq!(ids[0], ids[1]);
    // And the id buys nothing else.
    let other = World::wish("writer");
    let prepared = world.workflow.prepare(&person(ANN), &other).await.unwrap();
    let refused = world.ask_with(ANN, request_id, &other, &prepared).await.unwrap_err();
    assert_eq!(refused.reason(), "REQUEST_CHANGED");
}

#[tokio::test]
async fn one_proof_counts_once_among_sixteen() {
    let world = Arc::new(World::new().await);
    let wish = World::wish("reader");
    let prepared = world.workflow.prepare(&person(ANN), &wish).await.unwrap();
    let token = world.desk.sign_in(principal(ANN), &prepared.challenge);
    world.desk.at_proof.shut();
    let send = |_| {
        let (world, wish, prepared, token) =
            (Arc::clone(&world), wish.clone(), prepared.clone(), token.clone());
        tokio::spawn(async move {
            let (under, challenge, id) =
                (prepared.asked.policy, &prepared.challenge.text, world.request_id());
            world.workflow.request(&person(ANN), id, &wish, under, &token, challenge).await
        })
    };
    let tasks = (0..16).map(send).collect();
    for _ in 0..16 {
        world.desk.at_proof.reached().await;
    }
    world.desk.at_proof.open();
    let answers = all(tasks).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{:?}", reasons(&answers));
    // And not again when all is over.
    let id = answers.into_iter().find_map(Result::ok).unwrap().id;
    world.settle(id).await;
    world.workflow.deactivate(&person(ANN), id).await.unwrap();
    world.settle(id).await;
    assert_eq!(world.word(id).await, "closed");
    assert_eq!(send(0).await.unwrap().unwrap_err(), Refusal::ProofUsed);
}

#[tokio::test]
async fn one_proof_approves_one_activation_once() {
    let world = Arc::new(World::new().await);
    let id = world.asked(ANN, "admin").await;
    let ToApprove { recorded, challenge, .. } =
        world.workflow.prepare_approval(&person(LEA), id, &Narrowed::NOTHING).await.unwrap();
    let token = world.desk.sign_in(principal(LEA), &challenge);
    let digest = recorded.digest;
    let send = |_| {
        let (world, token, challenge) = (Arc::clone(&world), token.clone(), challenge.clone());
        tokio::spawn(async move {
            let request_id = world.request_id();
            let yes = Yes {
                request_id,
                digest,
                much: Narrowed::NOTHING,
                comment: "",
                proof: &token,
                challenge: &challenge.text,
            };
            world.workflow.approve(&person(LEA), id, yes).await
        })
    };
    let answers = all((0..16).map(send).collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{:?}", reasons(&answers));
    assert_eq!(world.word(id).await, "awaiting approval");
}

#[tokio::test]
async fn two_approvers_at_one_moment_both_count() {
    let world = Arc::new(World::new().await);
    let id = world.asked(ANN, "admin").await;
    world.desk.at_proof.shut();
    let say = |who| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.yes(who, id).await })
    };
    let tasks = vec![say(LEA), say(LEO)];
    world.desk.at_proof.reached().await;
    world.desk.at_proof.reached().await;
    world.desk.at_proof.open();
    assert_eq!(reasons(&all(tasks).await), ["ok", "ok"]);
    assert_eq!(world.word(id).await, "scheduled");
}

#[tokio::test]
async fn a_yes_that_meets_a_withdrawal_changes_nothing() {
    let world = Arc::new(World::new().await);
    let id = world.asked(ANN, "admin").await;
    world.yes(LEA, id).await.unwrap();
    world.desk.at_proof.shut();
    let saying = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.yes(LEO, id).await }
    });
    world.desk.at_proof.reached().await;
    world.workflow.withdraw(&person(ANN), id).await.unwrap();
    world.desk.at_proof.open();
    assert_eq!(saying.await.unwrap().unwrap_err().reason(), "WRONG_STATE");
    world.settle_all().await;
    assert_eq!((world.word(id).await, world.directory.calls("grant")), ("closed", 0));
}

#[tokio::test]
async fn a_revocation_waits_for_no_answer_of_an_approver() {
    let world = Arc::new(World::new().await);
    let id = world.asked(ANN, "admin").await;
    world.yes(LEA, id).await.unwrap();
    // Leo's proof takes for ever, and so does what the directory says about Eve.
    world.desk.at_proof.shut();
    let leo = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.yes(LEO, id).await }
    });
    world.desk.at_proof.reached().await;
    world.directory.at_groups.shut();
    let eve = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.workflow.deny(&person(EVE), id, "no").await }
    });
    world.directory.at_groups.reached().await;
    let revoked = world.workflow.revoke(&with(EVE, AppRole::Revoker), id, "incident").await.unwrap();
    assert!(!revoked.is_live());
    world.settle(id).await;
    world.directory.at_groups.open();
    world.desk.at_proof.open();
    assert_eq!(eve.await.unwrap().unwrap_err(), Refusal::ActivationNotFound);
    assert_eq!(leo.await.unwrap().unwrap_err().reason(), "WRONG_STATE");
}

#[tokio::test]
async fn giving_back_what_is_just_being_granted_takes_it_away() {
    let world = Arc::new(World::new().await);
    let id = world.asked(ANN, "reader").await;
    world.directory.at_grant.shut();
    let settling = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.settle(id).await }
    });
    world.directory.at_grant.reached().await;
    let giving = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.workflow.deactivate(&person(ANN), id).await }
    });
    tokio::task::yield_now().await;
    assert!(!giving.is_finished(), "one writer at a time");
    world.directory.at_grant.open();
    settling.await.unwrap();
    giving.await.unwrap().unwrap();
    world.settle_all().await;
    assert_eq!((world.word(id).await, world.directory.all()), ("closed", Vec::new()));
}

#[tokio::test]
async fn callers_who_hang_up_leave_the_record_whole() {
    let world = Arc::new(World::new().await);
    // At each place where a call waits, its future is dropped.
    for place in ["groups", "look", "proof"] {
        let gate: &Gate = match place {
            "groups" => &world.directory.at_groups,
            "look" => &world.directory.at_look,
            _ => &world.desk.at_proof,
        };
        gate.shut();
        let asking = tokio::spawn({
            let world = Arc::clone(&world);
            async move { world.ask(ANN, "admin").await.map(drop) }
        });
        gate.reached().await;
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        gate.open();
        assert_eq!(world.store.holder(&world.slot_of(ANN, 3)).await.unwrap(), None, "at {place}");
    }
    let id = world.asked(ANN, "admin").await;
    world.desk.at_proof.shut();
    let saying = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.yes(LEA, id).await.map(drop) }
    });
    world.desk.at_proof.reached().await;
    saying.abort();
    assert!(saying.await.unwrap_err().is_cancelled());
    world.desk.at_proof.open();
    // The lock is free, the proof unused, and nothing was said.
    world.yes(LEA, id).await.unwrap();
    world.yes(LEO, id).await.unwrap();
    world.settle_all().await;
    assert_eq!(world.word(id).await, "active");
}

#[tokio::test]
async fn a_broker_killed_while_granting_finds_out_and_goes_on() {
    let world = Arc::new(World::new().await);
    let id = world.asked(ANN, "reader").await;
    world.directory.at_grant.shut();
    let settling = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.settle(id).await }
    });
    world.directory.at_grant.reached().await;
    settling.abort();
    assert!(settling.await.unwrap_err().is_cancelled());
    world.directory.at_grant.open();
    assert!(matches!(world.state(id).await, State::Activating { .. }), "the intent is on record");
    let world = Arc::into_inner(world).unwrap().again().await;
    world.settle_all().await;
    assert_eq!(world.word(id).await, "active");
    assert_eq!(world.directory.holds(world.slot(id).await).unwrap().1, Some(id));
}

#[tokio::test]
async fn a_step_that_lost_a_race_is_taken_again() {
    let world = Arc::new(World::new().await);
    let id: ActivationId = world.asked(ANN, "reader").await;
    world.directory.at_look.shut();
    let settling = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.settle(id).await }
    });
    world.directory.at_look.reached().await;
    // Another writer, that knows nothing of our locks: another broker over the same record.
    world.another_withdraws(id).await;
    world.directory.at_look.open();
    // It waits a moment instead of trying in a circle.
    while world.clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    world.clock.forward(2);
    settling.await.unwrap();
    world.settle(id).await;
    assert_eq!((world.word(id).await, world.directory.calls("grant")), ("closed", 0));
}
