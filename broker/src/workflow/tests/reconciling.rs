//! The record and the directory, compared both ways.

use elevate_core::activation::Outcome;

use super::world::*;
use crate::ports::Journal as _;

#[tokio::test]
async fn what_two_reads_do_not_show_was_removed_elsewhere() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    world.directory.clear(world.slot(id).await);
    // (seconds since the first look, then how it stands)
    for (forward, word) in [(0, "active"), (29, "active"), (1, "closed")] {
        world.clock.forward(forward);
        let settled = world.workflow.reconcile().await.unwrap();
        assert_eq!(world.word(id).await, word);
        assert_eq!(settled, word == "closed", "what is missing is looked for again soon");
    }
    assert_eq!(world.outcome(id).await, Outcome::RemovedElsewhere);
    world.held(ANN, "reader").await;
}

#[tokio::test]
async fn a_read_that_shows_it_begins_the_count_anew() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    let slot = world.slot(id).await;
    world.directory.clear(slot);
    world.workflow.reconcile().await.unwrap();
    world.clock.forward(40);
    world.directory.assign(slot);
    assert!(world.workflow.reconcile().await.unwrap());
    world.directory.clear(slot);
    world.clock.forward(40);
    world.workflow.reconcile().await.unwrap();
    assert_eq!(world.word(id).await, "active");
}

#[tokio::test]
async fn from_a_directory_that_does_not_answer_nothing_follows() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    world.directory.is_down(true);
    for _ in 0..5 {
        assert!(!world.workflow.reconcile().await.unwrap());
        world.clock.forward(60);
    }
    assert_eq!(world.word(id).await, "active");
}

#[tokio::test]
async fn a_slow_first_read_makes_no_second_one() {
    let world = std::sync::Arc::new(World::new().await);
    let id = world.held(ANN, "reader").await;
    world.directory.clear(world.slot(id).await);
    world.directory.at_look.shut();
    let looking = tokio::spawn({
        let world = std::sync::Arc::clone(&world);
        async move { world.workflow.reconcile().await }
    });
    world.directory.at_look.reached().await;
    world.clock.forward(60);
    world.directory.at_look.open();
    looking.await.unwrap().unwrap();
    // The first answer came just now, whenever it was asked for.
    world.clock.forward(1);
    world.workflow.reconcile().await.unwrap();
    assert_eq!(world.word(id).await, "active");
}

#[tokio::test]
async fn what_ends_while_it_is_looked_for_is_left_to_those_who_end_it() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    let slot = world.slot(id).await;
    world.directory.clear(slot);
    world.workflow.reconcile().await.unwrap();
    world.workflow.deactivate(&person(ANN), id).await.unwrap();
    world.clock.forward(60);
    assert!(world.workflow.reconcile().await.unwrap());
    assert_eq!(world.word(id).await, "revoking");
    world.settle_all().await;
    assert_eq!(world.workflow.sightings().0, 0, "nothing is remembered of what is over");
}

#[tokio::test]
async fn what_was_looked_for_and_ended_meanwhile_is_forgotten() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    world.directory.clear(world.slot(id).await);
    world.workflow.reconcile().await.unwrap();
    assert_eq!(world.workflow.sightings().0, 1);
    // Over, and not live any more when the next round comes.
    world.workflow.deactivate(&person(ANN), id).await.unwrap();
    world.settle_all().await;
    world.workflow.reconcile().await.unwrap();
    assert_eq!(world.workflow.sightings().0, 0);
}

#[tokio::test]
async fn somebody_elses_assignment_is_noted_once_and_left_alone() {
    let world = World::new().await;
    let slot = world.slot_of(EVE, 1);
    let by_hand = world.directory.assign(slot);
    for _ in 0..3 {
        assert!(world.workflow.reconcile().await.unwrap());
    }
    assert_eq!(world.drift().await, 1);
    // Another one at the same place is another one.
    let another = world.directory.assign(slot);
    assert_ne!(by_hand, another);
    world.workflow.reconcile().await.unwrap();
    assert_eq!(world.drift().await, 2);
    assert_eq!(world.directory.holds(slot), Some((another, None)));
    assert_eq!(world.workflow.sightings().1, 1, "what is gone is forgotten");
    world.directory.clear(slot);
    world.workflow.reconcile().await.unwrap();
    assert_eq!(world.workflow.sightings().1, 0);
}

#[tokio::test]
async fn what_is_ours_is_no_drift_even_when_it_ends_while_lists_are_read() {
    let world = std::sync::Arc::new(World::new().await);
    let id = world.held(ANN, "reader").await;
    assert!(world.workflow.reconcile().await.unwrap());
    assert_eq!(world.drift().await, 0);
    // A listing that lags: it shows what is gone by now.
    let slot = world.slot(id).await;
    world.workflow.deactivate(&person(ANN), id).await.unwrap();
    world.settle_all().await;
    assert_eq!(world.word(id).await, "closed");
    world.directory.still_lists(slot);
    world.workflow.reconcile().await.unwrap();
    assert_eq!(world.drift().await, 0);
}

#[tokio::test]
async fn roles_that_are_not_managed_are_nobodys_business_here() {
    let world = World::new().await;
    world.directory.assign(world.slot_of(EVE, 77));
    assert!(world.workflow.reconcile().await.unwrap());
    assert_eq!(world.drift().await, 0);
    let size = world.store.size().borrow().0;
    world.workflow.reconcile().await.unwrap();
    assert_eq!(world.store.size().borrow().0, size);
}
