//! Sign-in sessions end after the role, and never in its way.

use elevate_core::activation::{Cause, Outcome, SignOut};
use elevate_core::due::SIGN_OUT_TRIES;
use elevate_core::names::ActivationId;

use super::outside::Answer::*;
use super::world::*;
use crate::ports::Journal as _;
use crate::ports::directory::Account;
use crate::ports::verifier::AppRole;

/// The roles of [`policy`], each of which says `sign_out`.
async fn world() -> World {
    let world = World::new().await;
    world.apply(&policy().replace("usual = \"1h\"\n", "usual = \"1h\"\nsign_out = true\n")).await;
    world
}

async fn sign_out(world: &World, id: ActivationId) -> SignOut {
    world.store.load(id).await.unwrap().unwrap().sign_out.clone()
}

#[tokio::test]
async fn after_the_role_is_seen_gone_its_holder_is_signed_out_once() {
    let world = world().await;
    let id = world.held(ANN, "reader").await;
    world.directory.will_revoke([Fails]);
    world.clock.forward(3600);
    world.settle_all().await;
    assert_eq!((world.word(id).await, world.directory.signed_out()), ("revoking", vec![]), "not before");
    world.clock.forward(61);
    world.settle_all().await;
    assert_eq!(world.directory.signed_out(), [object(ANN)]);
    assert!(matches!(sign_out(&world, id).await, SignOut::Done { .. }));
    let life = world.life(id).await;
    assert_eq!(life[life.len() - 2..], ["removed", "signed-out"]);
    // Also when it is found gone by another's hand, and not where the role does not say so.
    let again = world.held(ANN, "reader").await;
    world.directory.clear(world.slot(again).await);
    for _ in 0..2 {
        world.workflow.reconcile().await.unwrap();
        world.clock.forward(30);
    }
    world.settle_all().await;
    assert_eq!(world.outcome(again).await, Outcome::RemovedElsewhere);
    assert_eq!(world.directory.signed_out().len(), 2);
    world.apply(&policy()).await;
    let plain = world.held(ANN, "reader").await;
    world.workflow.deactivate(&person(ANN), plain).await.unwrap();
    world.settle_all().await;
    assert_eq!((world.directory.signed_out().len(), world.directory.calls("sign-out")), (2, 2));
}

#[tokio::test]
async fn a_sign_out_that_fails_delays_no_revocation_and_is_not_tried_for_ever() {
    let world = world().await;
    let id = world.held(ANN, "reader").await;
    world.directory.will_sign_out(vec![Fails; 100]);
    world.workflow.revoke(&with(EVE, AppRole::Revoker), id, "incident 7").await.unwrap();
    world.settle_all().await;
    let ended = Outcome::Ended(Cause::Revoked { reason: "incident 7".to_owned() });
    assert_eq!((world.outcome(id).await, world.directory.all().len()), (ended, 0));
    // The slot is free at once.
    let next = world.held(ANN, "reader").await;
    for _ in 0..30 {
        world.clock.forward(61);
        world.settle_all().await;
    }
    assert_eq!(world.directory.calls("sign-out"), usize::try_from(SIGN_OUT_TRIES).unwrap());
    assert!(matches!(sign_out(&world, id).await, SignOut::Failed { reason } if reason == "no answer"));
    assert_eq!((world.life(id).await.last(), world.word(next).await), (Some(&"sign-out-failed"), "active"));
}

#[tokio::test]
async fn a_directory_that_refuses_is_not_asked_again() {
    let world = world().await;
    let id = world.held(ANN, "reader").await;
    world.directory.will_sign_out([Refuses]);
    world.workflow.deactivate(&person(ANN), id).await.unwrap();
    world.settle_all().await;
    assert!(matches!(sign_out(&world, id).await, SignOut::Failed { reason } if reason == "no leave to"));
    assert_eq!(world.directory.calls("sign-out"), 1);
}

#[tokio::test]
async fn what_is_still_to_be_signed_out_is_known_after_a_restart() {
    let world = world().await;
    let id = world.held(ANN, "reader").await;
    world.directory.will_sign_out([DoesUnheard]);
    world.workflow.deactivate(&person(ANN), id).await.unwrap();
    world.settle_all().await;
    assert!(matches!(sign_out(&world, id).await, SignOut::Due(retry) if retry.tries == 1));
    let world = world.again().await;
    world.clock.forward(61);
    world.settle_all().await;
    assert!(matches!(sign_out(&world, id).await, SignOut::Done { .. }));
}

#[tokio::test]
async fn nobody_is_signed_out_of_what_was_never_held_or_of_an_account_that_is_gone() {
    let world = world().await;
    let waiting = world.asked(BEN, "admin").await;
    world.workflow.withdraw(&person(BEN), waiting).await.unwrap();
    let id = world.held(ANN, "reader").await;
    world.directory.account_is(object(ANN), Some(Account::Missing));
    for _ in 0..2 {
        world.workflow.watch_accounts().await.unwrap();
        world.clock.forward(30);
    }
    world.settle_all().await;
    assert_eq!(world.outcome(id).await, Outcome::Ended(Cause::AccountClosed { deleted: true }));
    assert_eq!((sign_out(&world, id).await, world.directory.calls("sign-out")), (SignOut::NotNeeded, 0));
}

#[tokio::test]
async fn nobody_is_signed_out_of_what_goes_on_as_another_before_that_ends() {
    let world = world().await;
    let old = world.held(ANN, "reader").await;
    let new = world.extend(ANN, "reader", old, 7200).await.unwrap().id;
    world.settle_all().await;
    assert_eq!(world.outcome(old).await, Outcome::TakenOver { by: new });
    world.clock.forward(3600);
    world.settle_all().await;
    assert_eq!((sign_out(&world, old).await, world.directory.signed_out()), (SignOut::NotNeeded, vec![]));
    world.clock.forward(3600);
    world.settle_all().await;
    assert_eq!(world.directory.signed_out(), [object(ANN)]);
}
