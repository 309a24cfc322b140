//! Taking much away at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use elevate_core::activation::{Cause, Outcome};
use elevate_core::names::ActivationId;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::outside::Answer::*;
use super::world::*;
use crate::ports::Clock as _;
use crate::ports::journal::Page;
use crate::ports::verifier::AppRole;
use crate::workflow::{Refusal, Selection, Taken};

const EVERYTHING: Selection = Selection::Live { principal: None, role: None };

async fn taken(world: &World, selection: Selection) -> (Vec<Taken>, (usize, bool)) {
    let (told, mut heard) = mpsc::unbounded_channel();
    let revoker = with(EVE, AppRole::Revoker);
    let workflow = Arc::clone(&world.workflow);
    let counted = workflow.revoke_many(revoker, selection, "incident 7".to_owned(), told).await.unwrap();
    let mut all = Vec::new();
    while let Some(one) = heard.recv().await {
        all.push(one);
    }
    (all, counted)
}

#[tokio::test]
async fn everything_goes_what_is_held_and_what_has_not_begun_and_one_that_stays_stops_no_other() {
    let world = World::new().await;
    let poison = world.held(ANN, "reader").await;
    let held = world.held(BEN, "reader").await;
    let waiting = world.asked(BEN, "admin").await;
    world.directory.never_revokes(poison);
    let (told, counted) = taken(&world, EVERYTHING).await;
    assert_eq!((told.len(), counted), (3, (3, false)));
    assert!(told.iter().any(|one| matches!(one, Taken::Over(id) if *id == waiting)), "{told:?}");
    world.settle_all().await;
    let reason = "incident 7".to_owned();
    assert_eq!(world.outcome(held).await, Outcome::Ended(Cause::Revoked { reason }));
    assert!(
        matches!(world.outcome(waiting).await, Outcome::Failed { reason } if reason.contains("incident 7"))
    );
    assert_eq!(world.word(poison).await, "revoking");
}

#[tokio::test]
async fn by_principal_and_by_role_only_those_go() {
    let world = World::new().await;
    let (reads, writes) = (world.held(ANN, "reader").await, world.held(ANN, "writer").await);
    let of_ben = world.held(BEN, "reader").await;
    let of = |principal: Option<u64>, role: Option<&str>| Selection::Live {
        principal: principal.map(object),
        role: role.map(|role| role.parse().unwrap()),
    };
    taken(&world, of(Some(ANN), Some("writer"))).await;
    world.settle_all().await;
    assert_eq!([world.word(reads).await, world.word(writes).await], ["active", "closed"]);
    taken(&world, of(None, Some("reader"))).await;
    world.settle_all().await;
    assert_eq!([world.word(reads).await, world.word(of_ben).await], ["closed", "closed"]);
    assert!(taken(&world, of(Some(ANN), None)).await.0.is_empty());
}

#[tokio::test]
async fn of_those_that_are_named_one_that_is_not_there_fails_and_the_others_go() {
    let world = World::new().await;
    let held = world.held(ANN, "reader").await;
    let over = world.held(BEN, "reader").await;
    world.workflow.deactivate(&person(BEN), over).await.unwrap();
    world.settle_all().await;
    let nobody = ActivationId::from_uuid(Uuid::from_u128(1));
    let named = Selection::Named(BTreeSet::from([nobody, held, over]));
    let would = world.workflow.would_be_taken(&with(EVE, AppRole::Revoker), &named, &page()).await.unwrap();
    assert_eq!((would.activations.len(), would.unknown), (2, vec![nobody]));
    let (told, _) = taken(&world, named).await;
    let failed = |one: &Taken| matches!(one, Taken::Failed(id, Refusal::ActivationNotFound) if *id == nobody);
    assert!(told.len() == 3 && told.iter().any(failed), "{told:?}");
    assert_eq!(world.word(held).await, "revoking");
}

#[tokio::test]
async fn nobody_who_listens_is_needed_for_it_to_go_on() {
    let world = World::new().await;
    for n in 100..300 {
        world.directory.put_in(object(n), object(STAFF));
        world.held(n, "reader").await;
    }
    let (told, heard) = mpsc::unbounded_channel();
    drop(heard);
    let revoker = with(EVE, AppRole::Revoker);
    let workflow = Arc::clone(&world.workflow);
    workflow.revoke_many(revoker, EVERYTHING, "incident 7".to_owned(), told).await.unwrap();
    world.settle_all().await;
    assert!(world.directory.all().is_empty());
}

#[tokio::test]
async fn who_is_no_revoker_sees_and_takes_nothing() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    for caller in [person(ANN), with(ANN, AppRole::Auditor), with(ANN, AppRole::PolicyAdmin)] {
        let refused = world.workflow.would_be_taken(&caller, &EVERYTHING, &page()).await.unwrap_err();
        assert_eq!(refused.reason(), "NOT_ALLOWED");
        let (told, _heard) = mpsc::unbounded_channel();
        let workflow = Arc::clone(&world.workflow);
        let refused = workflow.revoke_many(caller, EVERYTHING, "x".to_owned(), told).await.unwrap_err();
        assert_eq!(refused.reason(), "NOT_ALLOWED");
    }
    assert_eq!(world.word(id).await, "active");
}

fn page() -> Page {
    Page { limit: 100, after: None }
}

#[tokio::test]
async fn what_is_held_and_what_is_to_continue_it_go_both_wherever_the_second_stands() {
    let of_ann = Selection::Live { principal: Some(object(ANN)), role: None };
    let of_role = Selection::Live { principal: None, role: Some("reader".parse().unwrap()) };
    for (selection, has_begun) in [(of_ann, false), (of_role.clone(), true), (of_role, false)] {
        let world = World::new().await;
        let old = world.held(ANN, "reader").await;
        let new = world.extend(ANN, "reader", old, 7200).await.unwrap().id;
        if has_begun {
            world.directory.will_extend([Fails]);
            world.settle(new).await;
        }
        assert_eq!(world.word(new).await, if has_begun { "activating" } else { "scheduled" });
        let (told, counted) = taken(&world, selection).await;
        assert_eq!(counted, (2, false));
        for id in [old, new] {
            let is_told = told.iter().any(|one| match one {
                Taken::Begun(told) | Taken::Over(told) => *told == id,
                Taken::Failed(..) => false,
            });
            assert!(is_told, "{told:?}");
        }
        world.settle_all().await;
        assert_eq!(
            world.outcome(old).await,
            Outcome::Ended(Cause::Revoked { reason: "incident 7".to_owned() })
        );
        assert!(matches!(world.outcome(new).await, Outcome::Failed { .. }));
        assert_eq!((world.directory.all(), world.directory.wrongs()), (vec![], vec![]));
    }
}

#[tokio::test]
async fn what_only_waits_to_continue_another_is_refused_at_once_and_never_in_contention() {
    let world = World::new().await;
    let old = world.held(ANN, "reader").await;
    let new = world.extend(ANN, "reader", old, 7200).await.unwrap().id;
    world.directory.will_extend([Fails]);
    world.settle(new).await;
    assert_eq!(world.word(new).await, "activating");
    let (told, _) = taken(&world, Selection::Named(BTreeSet::from([new]))).await;
    assert!(matches!(told.as_slice(), [Taken::Over(id)] if *id == new), "{told:?}");
    assert!(matches!(world.outcome(new).await, Outcome::Failed { reason } if reason.contains("incident 7")));
    assert_eq!((world.word(old).await, world.directory.calls("revoke")), ("active", 0));
}

#[tokio::test]
async fn what_takes_over_while_much_is_taken_away_is_taken_away_too() {
    let world = World::new().await;
    let revoker = with(EVE, AppRole::Revoker);
    let old = world.held(ANN, "reader").await;
    let begun = world.clock.now().latest();
    let (ids, _) = world.workflow.selected(&revoker, EVERYTHING).await.unwrap();
    // Asked for after the selection was made, and on record before the old one's turn comes. Twice.
    let new = world.extend(ANN, "reader", old, 7200).await.unwrap().id;
    world.settle_all().await;
    let third = world.extend(ANN, "reader", new, 3 * 3600).await.unwrap().id;
    world.settle_all().await;
    assert_eq!(
        [world.word(old).await, world.word(new).await, world.word(third).await],
        ["closed", "closed", "active"]
    );
    let (told, mut heard) = mpsc::unbounded_channel();
    let workflow = Arc::clone(&world.workflow);
    assert_eq!(ids, [old]);
    assert_eq!(workflow.take_all(revoker, ids, begun, "incident 7".to_owned(), told).await.unwrap(), 3);
    let mut last = None;
    while let Some(one) = heard.recv().await {
        last = Some(one);
    }
    assert!(matches!(last, Some(Taken::Begun(id)) if id == third), "{last:?}");
    world.settle_all().await;
    assert!(world.directory.all().is_empty());
}

#[tokio::test]
async fn what_was_taken_over_long_ago_and_is_named_takes_nothing_else_and_says_who_holds_it() {
    let world = World::new().await;
    let old = world.held(ANN, "reader").await;
    let new = world.extend(ANN, "reader", old, 7200).await.unwrap().id;
    world.settle_all().await;
    world.clock.forward(1);
    let (told, _) = taken(&world, Selection::Named(BTreeSet::from([old]))).await;
    assert!(matches!(told.as_slice(), [Taken::Over(id)] if *id == old), "{told:?}");
    assert_eq!(world.word(new).await, "active");
    let refused = world.workflow.revoke(&with(EVE, AppRole::Revoker), old, "x").await.unwrap_err();
    assert!(refused.to_string().contains("continued by another"), "{refused}");
}
