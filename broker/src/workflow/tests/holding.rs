//! Roles that are tied to whoever listens.

use elevate_core::activation::{Cause, Outcome};

use super::world::*;

/// Lets everything go on that waits for nothing.
async fn a_moment() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_hold_that_breaks_gives_the_role_back_after_half_a_minute() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    let (hold, _) = world.workflow.hold(&person(ANN), id).await.unwrap();
    world.clock.forward(600);
    a_moment().await;
    assert_eq!(world.word(id).await, "active", "as long as it is held");
    drop(hold);
    a_moment().await;
    world.clock.forward(29);
    a_moment().await;
    assert_eq!(world.word(id).await, "active", "there is time to come back");
    world.clock.forward(1);
    world.reaches(id, "revoking").await;
    world.settle_all().await;
    assert_eq!(world.outcome(id).await, Outcome::Ended(Cause::Deactivated));
    assert!(world.directory.all().is_empty());
}

#[tokio::test]
async fn who_comes_back_in_time_keeps_the_role() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    let (first, _) = world.workflow.hold(&person(ANN), id).await.unwrap();
    drop(first);
    a_moment().await;
    world.clock.forward(20);
    let (second, _) = world.workflow.hold(&person(ANN), id).await.unwrap();
    // Lost again, the half minute begins again: that of the first loss means nothing any more.
    drop(second);
    a_moment().await;
    world.clock.forward(10);
    a_moment().await;
    assert_eq!(world.word(id).await, "active");
    world.clock.forward(19);
    a_moment().await;
    assert_eq!(world.word(id).await, "active");
    world.clock.forward(1);
    world.reaches(id, "revoking").await;
}

#[tokio::test]
async fn it_is_held_as_long_as_anybody_holds_it() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    let (one, _) = world.workflow.hold(&person(ANN), id).await.unwrap();
    let (other, _) = world.workflow.hold(&person(ANN), id).await.unwrap();
    drop(one);
    a_moment().await;
    world.clock.forward(600);
    a_moment().await;
    assert_eq!(world.word(id).await, "active");
    drop(other);
    a_moment().await;
    world.clock.forward(30);
    world.reaches(id, "revoking").await;
}

#[tokio::test]
async fn what_has_not_begun_is_withdrawn() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    drop(world.workflow.hold(&person(ANN), id).await.unwrap());
    a_moment().await;
    world.clock.forward(30);
    world.reaches(id, "closed").await;
    assert_eq!(world.outcome(id).await, Outcome::Withdrawn);
}

#[tokio::test]
async fn a_broker_that_ends_gives_nothing_back() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    let (hold, _) = world.workflow.hold(&person(ANN), id).await.unwrap();
    world.workflow.drain();
    drop(hold);
    a_moment().await;
    world.clock.forward(31);
    a_moment().await;
    assert_eq!(world.word(id).await, "active");
    // The next broker is told anew.
    let world = world.again().await;
    drop(world.workflow.hold(&person(ANN), id).await.unwrap());
    a_moment().await;
    world.clock.forward(30);
    world.reaches(id, "revoking").await;
}

#[tokio::test]
async fn only_the_holder_holds_and_nothing_holds_what_is_over() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    let refused = world.workflow.hold(&person(BEN), id).await.unwrap_err();
    assert_eq!(refused.reason(), "ACTIVATION_NOT_FOUND");
    let (hold, _) = world.workflow.hold(&person(ANN), id).await.unwrap();
    world.workflow.deactivate(&person(ANN), id).await.unwrap();
    world.settle_all().await;
    let before = world.life(id).await;
    let refused = world.workflow.hold(&person(ANN), id).await.unwrap_err();
    assert_eq!(refused.reason(), "WRONG_STATE");
    drop(hold);
    a_moment().await;
    world.clock.forward(31);
    a_moment().await;
    assert_eq!(world.life(id).await, before, "what is over is left alone");
}
