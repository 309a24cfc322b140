//! Taking much away at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use elevate_core::activation::{Cause, Outcome};
use elevate_core::names::ActivationId;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::world::*;
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
