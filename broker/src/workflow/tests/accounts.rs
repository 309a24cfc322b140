//! Whoever is disabled or deleted loses what they hold; whom nobody can see keeps it.

use elevate_core::activation::{Cause, Outcome};

use super::outside::Answer::*;
use super::world::*;
use crate::ports::Clock as _;
use crate::ports::directory::Account;

async fn looks(world: &World) {
    world.workflow.watch_accounts().await.unwrap();
    world.settle_all().await;
}

#[tokio::test]
async fn a_disabled_account_loses_all_it_holds_at_the_next_look_and_nobody_else_does() {
    let world = World::new().await;
    let (one, other) = (world.held(ANN, "reader").await, world.held(ANN, "writer").await);
    let of_ben = world.held(BEN, "reader").await;
    looks(&world).await;
    assert_eq!(world.word(one).await, "active");
    world.directory.account_is(object(ANN), Some(Account::Disabled));
    looks(&world).await;
    for id in [one, other] {
        assert_eq!(world.outcome(id).await, Outcome::Ended(Cause::AccountClosed { deleted: false }));
    }
    assert_eq!((world.word(of_ben).await, world.directory.all().len()), ("active", 1));
}

#[tokio::test]
async fn a_missing_account_is_gone_when_it_is_missing_twice_half_a_minute_apart() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    world.directory.account_is(object(ANN), Some(Account::Missing));
    for (passes, word) in [(0, "active"), (29, "active"), (1, "closed")] {
        world.clock.forward(passes);
        looks(&world).await;
        assert_eq!(world.word(id).await, word, "{passes}");
    }
    assert_eq!(world.outcome(id).await, Outcome::Ended(Cause::AccountClosed { deleted: true }));
}

#[tokio::test]
async fn an_account_that_is_seen_again_was_never_gone() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    for account in [Account::Missing, Account::Enabled, Account::Missing] {
        world.directory.account_is(object(ANN), Some(account));
        looks(&world).await;
        world.clock.forward(29);
    }
    assert_eq!(world.word(id).await, "active");
}

#[tokio::test]
async fn where_the_directory_does_not_answer_nothing_is_concluded() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    world.directory.account_is(object(ANN), None);
    looks(&world).await;
    world.directory.account_is(object(ANN), Some(Account::Missing));
    world.directory.is_down(true);
    for _ in 0..5 {
        world.clock.forward(60);
        looks(&world).await;
    }
    // The first look that was answered begins the half minute.
    world.directory.is_down(false);
    looks(&world).await;
    assert_eq!(world.word(id).await, "active");
}

#[tokio::test]
async fn a_grant_that_may_be_there_is_taken_back_from_a_closed_account() {
    let world = World::new().await;
    let id = world.asked(ANN, "reader").await;
    world.directory.will_grant([DoesUnheard]);
    world.settle(id).await;
    assert_eq!((world.word(id).await, world.directory.all().len()), ("activating", 1));
    world.directory.account_is(object(ANN), Some(Account::Disabled));
    looks(&world).await;
    assert_eq!(world.outcome(id).await, Outcome::Ended(Cause::AccountClosed { deleted: false }));
    assert!(world.directory.all().is_empty());
}

#[tokio::test]
async fn a_request_of_a_disabled_account_does_not_begin() {
    let world = World::new().await;
    let id = world.asked(ANN, "reader").await;
    world.directory.account_is(object(ANN), Some(Account::Disabled));
    world.settle_all().await;
    assert_eq!(world.outcome(id).await, Outcome::Failed { reason: "the account is disabled".to_owned() });

    // Not shown, or no answer: it waits, and lapses in its own time.
    for account in [Some(Account::Missing), None] {
        world.directory.account_is(object(ANN), account);
        let id = world.asked(ANN, "reader").await;
        world.settle(id).await;
        assert_eq!(world.word(id).await, "scheduled", "{account:?}");
        world.clock.forward(3600);
        world.settle_all().await;
        assert_eq!(world.outcome(id).await, Outcome::Lapsed);
    }
    assert_eq!(world.directory.calls("grant"), 0);
    assert!(world.clock.now().latest() > start());
}

#[tokio::test]
async fn what_a_disabled_account_holds_goes_and_what_is_to_continue_it_too() {
    let world = World::new().await;
    let old = world.held(ANN, "reader").await;
    let new = world.extend(ANN, "reader", old, 7200).await.unwrap().id;
    world.directory.will_extend([Fails]);
    world.settle(new).await;
    assert_eq!(world.word(new).await, "activating");
    world.directory.account_is(object(ANN), Some(Account::Disabled));
    world.workflow.watch_accounts().await.unwrap();
    // At once, and not only because there is nothing to continue any more.
    assert_eq!(world.outcome(new).await, Outcome::Failed { reason: "the account is disabled".to_owned() });
    world.settle_all().await;
    assert_eq!(world.outcome(old).await, Outcome::Ended(Cause::AccountClosed { deleted: false }));
    assert!(world.directory.all().is_empty());
    // Nor does one begin to continue anything.
    let old = world.held(BEN, "reader").await;
    let new = world.extend(BEN, "reader", old, 7200).await.unwrap().id;
    world.directory.account_is(object(BEN), Some(Account::Disabled));
    world.settle(new).await;
    assert_eq!(world.outcome(new).await, Outcome::Failed { reason: "the account is disabled".to_owned() });
}
