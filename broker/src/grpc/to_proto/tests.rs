use elevate_core::names::ActivationId;

use super::*;
use crate::ports::Journal as _;
use crate::workflow::tests::world::*;

async fn in_state(states: Vec<State>) -> Vec<api::Activation> {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    let recorded = world.store.load(id).await.unwrap().unwrap();
    let with = |state| activation(&Activation { state, ..Activation::clone(&recorded) });
    states.into_iter().map(with).collect()
}

#[tokio::test]
async fn each_state_tells_what_is_true_in_it() {
    use api::ActivationState as Is;
    let later = start() + SignedDuration::from_hours(1);
    let tried =
        |tries| Retry { tries, at: start(), hindrance: if tries == 0 { "" } else { "busy" }.to_owned() };
    let cause = Cause::Expired;
    let states = vec![
        State::Requested,
        State::AwaitingApproval { lapses_at: later },
        State::Scheduled { starts_at: later, lapses_at: later, retry: tried(2) },
        State::Activating { not_after: later, retry: tried(3) },
        State::Active { not_after: later, held: "a".parse().unwrap() },
        State::Revoking { held: None, not_after: later, cause: cause.clone(), retry: tried(0) },
        State::Revoking { held: None, not_after: later, cause, retry: tried(4) },
        State::Closed { outcome: Outcome::Lapsed, at: later },
    ];
    let told: Vec<_> = in_state(states)
        .await
        .iter()
        .map(|it| {
            let times = [it.answer_needed_by, it.starts_at, it.held_until, it.closed_at];
            (it.state(), times.map(|at| at == Some(time(later))), it.tries, it.detail.is_empty())
        })
        .collect();
    let none = [false; 4];
    let only = |nth: usize| {
        let mut set = none;
        set[nth] = true;
        set
    };
    assert_eq!(
        told,
        [
            (Is::Requested, none, 0, true),
            (Is::AwaitingApproval, only(0), 0, true),
            (Is::Scheduled, only(1), 2, false),
            (Is::Activating, only(2), 3, false),
            (Is::Active, only(2), 0, true),
            (Is::Revoking, only(2), 0, true),
            (Is::Revoking, only(2), 4, false),
            (Is::Closed, only(3), 0, true),
        ]
    );
}

#[tokio::test]
async fn each_outcome_has_a_word_of_its_own() {
    let by = ActivationId::from_uuid(uuid::Uuid::from_u128(9));
    let why = || "so".to_owned();
    let outcomes = [
        (Outcome::Denied { reason: why() }, api::Outcome::Denied, "so"),
        (Outcome::Lapsed, api::Outcome::Lapsed, ""),
        (Outcome::Withdrawn, api::Outcome::Withdrawn, ""),
        (Outcome::Failed { reason: why() }, api::Outcome::Failed, "so"),
        (Outcome::Ended(Cause::Expired), api::Outcome::Expired, ""),
        (Outcome::Ended(Cause::Deactivated), api::Outcome::Deactivated, ""),
        (Outcome::Ended(Cause::Revoked { reason: why() }), api::Outcome::Revoked, "so"),
        (Outcome::Ended(Cause::Unfinished), api::Outcome::Unfinished, ""),
        (Outcome::RemovedElsewhere, api::Outcome::RemovedElsewhere, ""),
        (
            Outcome::TakenOver { by },
            api::Outcome::TakenOver,
            "continued by 00000000-0000-0000-0000-000000000009",
        ),
    ];
    let states = outcomes.iter().map(|(outcome, ..)| State::Closed { outcome: outcome.clone(), at: start() });
    for (told, (outcome, word, detail)) in in_state(states.collect()).await.iter().zip(&outcomes) {
        assert_eq!((told.outcome(), told.detail.as_str()), (*word, *detail), "{outcome:?}");
    }
}

#[tokio::test]
async fn an_entry_tells_no_token_and_no_nonce() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    world.yes(LEA, id).await.unwrap();
    let about = world.store.load(id).await.unwrap().unwrap();
    let entries = world.store.read(Position(0), 100).await.unwrap();
    let told: Vec<_> = entries.iter().map(|it| entry(it, Some(&about))).collect();
    let text = format!("{told:?}");
    let ProofShown { token, nonce, .. } = &about.request.proof;
    assert!(!token.is_empty() && !nonce.is_empty());
    assert!(!text.contains(token.as_str()) && !text.contains(nonce.as_str()), "{text}");
    let words: Vec<_> = told.iter().map(|it| (it.event.as_str(), it.actor.is_some())).collect();
    assert_eq!(
        words,
        [("policy-applied", true), ("requested", true), ("approval-sought", false), ("approved", true)]
    );
}

#[test]
fn a_step_that_is_tried_again_says_why_and_when_to_the_second_and_no_other_says_anything() {
    let at: Timestamp = "2026-11-20T21:05:07.987654321Z".parse().unwrap();
    let first = Retry::first(at);
    assert_eq!(hindered(&first), "");
    assert_eq!(
        hindered(&first.again(at, "Graph: no answer in time".to_owned())),
        "Graph: no answer in time; the directory is asked again at 2026-11-20T21:05:07Z"
    );
}
