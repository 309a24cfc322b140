//! When it wakes, what it waits for, and how it ends.

use super::*;
use crate::ports::clock::Assurance;
use crate::workflow::tests::world::*;

type Ran = tokio::task::JoinHandle<Result<(), StoreFault>>;

async fn begun() -> (Arc<World>, Sweeper, CancellationToken, Ran) {
    let world = Arc::new(World::new().await);
    let (reaper, sweeper) = Reaper::new(Arc::clone(&world.workflow));
    let stop = CancellationToken::new();
    let ran = tokio::spawn(reaper.run(stop.clone()));
    (world, sweeper, stop, ran)
}

#[tokio::test]
async fn what_is_asked_is_granted_at_once_and_taken_at_its_end() {
    let (world, _sweeper, stop, ran) = begun().await;
    let id = world.asked(ANN, "reader").await;
    world.reaches(id, "active").await;
    world.clock.forward(3600);
    world.reaches(id, "closed").await;
    assert_eq!(world.directory.all(), []);
    stop.cancel();
    ran.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_was_due_before_it_began_is_taken_up() {
    let world = Arc::new(World::new().await);
    let id = world.held(ANN, "reader").await;
    world.clock.forward(7200);
    let (reaper, _sweeper) = Reaper::new(Arc::clone(&world.workflow));
    let stop = CancellationToken::new();
    let ran = tokio::spawn(reaper.run(stop.clone()));
    world.reaches(id, "closed").await;
    stop.cancel();
    ran.await.unwrap().unwrap();
}

#[tokio::test]
async fn more_that_never_go_than_there_are_places_keep_no_other() {
    let world = Arc::new(World::new().await);
    let mut poison = Vec::new();
    for n in 100..100 + u64::try_from(AT_ONCE).unwrap() + 6 {
        world.directory.put_in(object(n), object(STAFF));
        let id = world.held(n, "reader").await;
        world.directory.never_revokes(id);
        poison.push(id);
    }
    let good = world.held(ANN, "reader").await;
    world.clock.forward(3600);
    let (reaper, _sweeper) = Reaper::new(Arc::clone(&world.workflow));
    let stop = CancellationToken::new();
    let ran = tokio::spawn(reaper.run(stop.clone()));
    world.reaches(good, "closed").await;
    for id in poison {
        world.reaches(id, "revoking").await;
    }
    stop.cancel();
    ran.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_sweep_waits_for_what_was_due_and_for_nothing_else() {
    let (world, sweeper, stop, ran) = begun().await;
    assert_eq!(sweeper.sweep().await, Some(Round::default()));
    let poison = world.asked(ANN, "reader").await;
    let good = world.asked(BEN, "reader").await;
    world.reaches(poison, "active").await;
    world.reaches(good, "active").await;
    world.directory.never_revokes(poison);
    world.directory.at_revoke.shut();
    world.clock.forward(3600);
    world.directory.at_revoke.reached().await;
    world.directory.at_revoke.reached().await;
    let sweeping = tokio::spawn({
        let sweeper = sweeper.clone();
        async move { sweeper.sweep().await }
    });
    // What is asked for meanwhile is not waited for, though it never comes to an end.
    tokio::task::yield_now().await;
    world.directory.at_grant.shut();
    let later = world.asked(BEN, "writer").await;
    world.directory.at_grant.reached().await;
    world.directory.at_revoke.open();
    assert_eq!(sweeping.await.unwrap(), Some(Round { due: 2, closed: 1 }));
    assert_eq!((world.word(good).await, world.word(later).await), ("closed", "activating"));
    world.directory.at_grant.open();
    stop.cancel();
    ran.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_sweep_does_not_wait_for_what_somebody_else_settles() {
    let world = Arc::new(World::new().await);
    let id = world.asked(ANN, "admin").await;
    world.clock.forward(3600);
    // Due, and gone from the queue before the reaper comes to it.
    let (mut reaper, sweeper) = Reaper::new(Arc::clone(&world.workflow));
    let (answer, round) = oneshot::channel();
    let due = reaper.all_due().await.unwrap();
    assert_eq!(due, [id].into());
    let mut sweeps = vec![(due, Round { due: 1, closed: 0 }, answer)];
    world.settle_all().await;
    reaper.take_up().await.unwrap();
    reaper.answer(&mut sweeps);
    assert_eq!(round.await, Ok(Round { due: 1, closed: 0 }));
    drop(sweeper);
}

#[tokio::test]
async fn a_sweep_ends_with_the_reaper() {
    let (world, sweeper, stop, ran) = begun().await;
    let id = world.asked(ANN, "reader").await;
    world.directory.at_revoke.shut();
    world.reaches(id, "active").await;
    world.clock.forward(3600);
    world.directory.at_revoke.reached().await;
    let sweeping = tokio::spawn({
        let sweeper = sweeper.clone();
        async move { sweeper.sweep().await }
    });
    tokio::task::yield_now().await;
    stop.cancel();
    world.directory.at_revoke.open();
    ran.await.unwrap().unwrap();
    // Answered in time, or told that there is nobody to answer: never left waiting.
    sweeping.await.unwrap();
    assert_eq!(sweeper.sweep().await, None);
}

#[tokio::test]
async fn told_to_end_it_finishes_what_it_has_in_hand() {
    let (world, _sweeper, stop, ran) = begun().await;
    world.directory.at_grant.shut();
    let id = world.asked(ANN, "reader").await;
    world.directory.at_grant.reached().await;
    stop.cancel();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!ran.is_finished());
    world.directory.at_grant.open();
    ran.await.unwrap().unwrap();
    assert_eq!(world.word(id).await, "active");
}

#[tokio::test]
async fn an_unsure_clock_makes_it_wait_and_not_run_in_a_circle() {
    let world = Arc::new(World::new().await);
    world.clock.unsure_by(30);
    let id = world.asked(ANN, "reader").await;
    world.directory.is_down(true);
    let (reaper, _sweeper) = Reaper::new(Arc::clone(&world.workflow));
    let stop = CancellationToken::new();
    let ran = tokio::spawn(reaper.run(stop.clone()));
    while !world.life(id).await.contains(&"postponed") {
        tokio::task::yield_now().await;
    }
    // Due by the late bound; not by the early one.
    world.clock.forward(2);
    let mut looks = 0;
    while world.clock.sleepers() < 2 {
        looks += 1;
        assert!(looks < 100_000, "it never comes to rest");
        tokio::task::yield_now().await;
    }
    world.directory.is_down(false);
    for _ in 0..40 {
        world.clock.forward(1);
        tokio::task::yield_now().await;
    }
    world.reaches(id, "active").await;
    stop.cancel();
    ran.await.unwrap().unwrap();
}

#[tokio::test]
async fn rounds_come_every_five_minutes_and_sooner_when_something_is_open() {
    let world = Arc::new(World::new().await);
    let stop = CancellationToken::new();
    let rounds = |n: usize| {
        let world = Arc::clone(&world);
        async move {
            // Four roles are listed each round.
            while world.directory.calls("list") < 4 * n || world.clock.sleepers() == 0 {
                tokio::task::yield_now().await;
            }
            world.directory.calls("list") / 4
        }
    };
    let ran = tokio::spawn(reconcile(Arc::clone(&world.workflow), stop.clone()));
    assert_eq!(rounds(1).await, 1);
    world.directory.is_down(true);
    world.clock.forward(299);
    tokio::task::yield_now().await;
    assert_eq!(world.directory.calls("list"), 4);
    world.clock.forward(1);
    assert_eq!(rounds(2).await, 2);
    world.clock.forward(45);
    assert_eq!(rounds(3).await, 3);
    stop.cancel();
    ran.await.unwrap().unwrap();
}

/// So many hold a role that ends at one moment, and the reaper that sees them first.
async fn many(count: u64) -> (Arc<World>, Vec<ActivationId>, CancellationToken, Ran) {
    let world = Arc::new(World::new().await);
    let mut ids = Vec::new();
    for n in 100..100 + count {
        world.directory.put_in(object(n), object(STAFF));
        ids.push(world.held(n, "reader").await);
    }
    world.clock.is_vouched_for(Assurance::Witnessed { corroborated: false });
    world.clock.forward(3600);
    let (reaper, _sweeper) = Reaper::new(Arc::clone(&world.workflow));
    let stop = CancellationToken::new();
    let ran = tokio::spawn(reaper.run(stop.clone()));
    (world, ids, stop, ran)
}

async fn closed(world: &World, ids: &[ActivationId]) -> usize {
    let mut closed = 0;
    for id in ids {
        closed += usize::from(world.word(*id).await == "closed");
    }
    closed
}

#[tokio::test]
async fn very_many_ends_at_one_moment_wait_for_a_second_witness_and_nothing_else_does() {
    let (world, ids, stop, ran) = many(30).await;
    // Somebody who gives theirs back does not wait.
    world.workflow.deactivate(&person(100), ids[0]).await.unwrap();
    world.reaches(ids[0], "closed").await;
    assert_eq!(closed(&world, &ids).await, 1);
    world.clock.is_vouched_for(Assurance::Witnessed { corroborated: true });
    // It glances once a second, and is told of a witness by nobody.
    world.clock.forward(1);
    for id in &ids {
        world.reaches(*id, "closed").await;
    }
    stop.cancel();
    ran.await.unwrap().unwrap();
}

#[tokio::test]
async fn without_a_second_witness_they_wait_for_a_minute_and_no_longer() {
    let (world, ids, stop, ran) = many(30).await;
    world.workflow.deactivate(&person(100), ids[0]).await.unwrap();
    world.reaches(ids[0], "closed").await;
    world.clock.forward(59);
    world.workflow.deactivate(&person(101), ids[1]).await.unwrap();
    world.reaches(ids[1], "closed").await;
    assert_eq!(closed(&world, &ids).await, 2);
    world.clock.forward(1);
    for id in &ids {
        world.reaches(*id, "closed").await;
    }
    stop.cancel();
    ran.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_few_ends_wait_for_nobody() {
    let (world, ids, stop, ran) = many(25).await;
    for id in &ids {
        world.reaches(*id, "closed").await;
    }
    stop.cancel();
    ran.await.unwrap().unwrap();
}
