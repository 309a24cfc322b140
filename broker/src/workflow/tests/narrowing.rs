//! A yes to less than was asked.

use std::sync::Arc;

use elevate_core::approval::{ApprovalRefusal, Narrowed};
use elevate_core::names::ActivationId;

use super::world::*;
use crate::ports::Journal as _;
use crate::ports::journal::Recorded;
use crate::workflow::{Refusal, ToApprove, Yes};

const UNIT: &str = "/administrativeUnits/00000000-0000-0000-0000-0000000000c1";
const OTHER_UNIT: &str = "/administrativeUnits/00000000-0000-0000-0000-0000000000c2";

fn less(term: &str, scope: &str) -> Narrowed {
    Narrowed {
        term: Some(term).filter(|term| !term.is_empty()).map(|term| term.parse().unwrap()),
        scope: Some(scope).filter(|scope| !scope.is_empty()).map(|scope| scope.parse().unwrap()),
    }
}

/// What somebody prepared, and signed in for.
struct Ready {
    shown: ToApprove,
    token: String,
}

async fn ready(world: &World, who: u64, id: ActivationId, off: &Narrowed) -> Result<Ready, Refusal> {
    let shown = world.workflow.prepare_approval(&person(who), id, off).await?;
    let token = world.desk.sign_in(principal(who), &shown.challenge);
    Ok(Ready { shown, token })
}

async fn send(world: &World, who: u64, ready: &Ready, much: Narrowed) -> Result<Recorded, Refusal> {
    let Ready { shown: ToApprove { recorded, challenge, .. }, token } = ready;
    let yes = Yes {
        request_id: world.request_id(),
        digest: recorded.digest,
        much,
        comment: "",
        proof: token,
        challenge: &challenge.text,
    };
    world.workflow.approve(&person(who), recorded.id, yes).await
}

async fn yes(world: &World, who: u64, id: ActivationId, off: &Narrowed) -> Result<Recorded, Refusal> {
    let ready = ready(world, who, id, off).await?;
    let much = ready.shown.much;
    send(world, who, &ready, much).await
}

#[tokio::test]
async fn what_approvers_leave_is_what_is_granted() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    yes(&world, LEA, id, &less("30m", "")).await.unwrap();
    // Leo counts from what Lea left.
    yes(&world, LEO, id, &less("", UNIT)).await.unwrap();
    world.settle_all().await;
    let held = world.store.load(id).await.unwrap().unwrap();
    assert_eq!((held.term, held.slot().resource.place()), ("30m".parse().unwrap(), UNIT.to_owned()));
    assert_eq!(world.word(id).await, "active");
    let off: Vec<_> = held.taken_off().map(|(_, off)| off).collect();
    assert_eq!(off, [less("30m", ""), less("", UNIT)]);
    assert_eq!(world.directory.wrongs(), Vec::<String>::new());
    // It ends when it was left to end.
    world.clock.forward(1799);
    world.settle_all().await;
    assert_eq!(world.word(id).await, "active");
    world.clock.forward(1);
    world.settle_all().await;
    assert_eq!(world.word(id).await, "closed");
}

#[tokio::test]
async fn nobody_widens() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    for off in [less("1h 1s", ""), less("2h", UNIT)] {
        let refused = yes(&world, LEA, id, &off).await.unwrap_err();
        assert_eq!(refused.reason(), "NOT_NARROWER", "{off:?}");
    }
    yes(&world, LEA, id, &less("30m", UNIT)).await.unwrap();
    for off in [less("31m", ""), less("", OTHER_UNIT), less("", "/")] {
        let refused = yes(&world, LEO, id, &off).await.unwrap_err();
        assert_eq!(refused.reason(), "NOT_NARROWER", "{off:?}");
    }
    // Past the preparation too.
    let ready = ready(&world, LEO, id, &Narrowed::NOTHING).await.unwrap();
    assert_eq!(ready.shown.much, less("30m", UNIT), "a plain yes is to what is left");
    assert_eq!(send(&world, LEO, &ready, less("2h", UNIT)).await.unwrap_err().reason(), "NOT_NARROWER");
    assert_eq!(world.word(id).await, "awaiting approval");
}

#[tokio::test]
async fn a_proof_for_less_is_none_for_more_nor_the_other_way() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    for (signed_for, sent) in [
        (less("30m", ""), Narrowed::NOTHING),
        (Narrowed::NOTHING, less("30m", "")),
        (less("30m", ""), less("31m", "")),
        (less("30m", ""), less("30m", UNIT)),
        (less("", UNIT), less("", OTHER_UNIT)),
    ] {
        let ready = ready(&world, LEA, id, &signed_for).await.unwrap();
        let refused = send(&world, LEA, &ready, sent).await.unwrap_err();
        assert_eq!(refused.reason(), "PROOF_UNBOUND", "{signed_for:?} sent as {sent:?}");
    }
    assert_eq!(world.word(id).await, "awaiting approval");
}

#[tokio::test]
async fn whoever_saw_more_than_is_left_looks_again() {
    let world = World::new().await;
    for (seen, meanwhile, counts) in [
        (Narrowed::NOTHING, less("30m", ""), false),
        (Narrowed::NOTHING, less("", UNIT), false),
        (less("45m", ""), less("30m", ""), false),
        (less("", UNIT), less("", OTHER_UNIT), false),
        (less("", UNIT), less("30m", ""), false),
        // What they saw is still there, whatever the other took off.
        (less("20m", ""), less("30m", ""), true),
        (less("30m", ""), less("30m", ""), true),
        (less("20m", UNIT), less("30m", UNIT), true),
        (Narrowed::NOTHING, Narrowed::NOTHING, true),
    ] {
        let id = world.asked(ANN, "admin").await;
        let leo = ready(&world, LEO, id, &seen).await.unwrap();
        yes(&world, LEA, id, &meanwhile).await.unwrap();
        let answer = send(&world, LEO, &leo, seen).await;
        match answer {
            Ok(recorded) => {
                assert!(counts, "{seen:?} after {meanwhile:?}");
                let left = recorded.narrowed_by(&Narrowed::NOTHING).unwrap();
                assert_eq!(left, seen);
            }
            Err(refused) => {
                assert_eq!(
                    (refused.reason(), counts),
                    ("REQUEST_CHANGED", false),
                    "{seen:?} after {meanwhile:?}"
                );
                assert!(refused.to_string().contains("left less of it"), "{refused}");
                // And then it counts.
                world.yes(LEO, id).await.unwrap();
            }
        }
        world.workflow.withdraw(&person(ANN), id).await.unwrap();
    }
}

#[tokio::test]
async fn an_approver_who_narrows_while_anothers_proof_is_checked_comes_first() {
    let world = Arc::new(World::new().await);
    let id = world.asked(ANN, "admin").await;
    let leo = ready(&world, LEO, id, &Narrowed::NOTHING).await.unwrap();
    let lea = ready(&world, LEA, id, &less("30m", "")).await.unwrap();
    world.desk.at_proof.shut();
    let saying = tokio::spawn({
        let world = Arc::clone(&world);
        async move { send(&world, LEO, &leo, Narrowed::NOTHING).await }
    });
    world.desk.at_proof.reached().await;
    world.desk.at_proof.open_for_others();
    send(&world, LEA, &lea, less("30m", "")).await.unwrap();
    world.desk.at_proof.open();
    assert_eq!(saying.await.unwrap().unwrap_err().reason(), "REQUEST_CHANGED");
    assert_eq!(world.store.load(id).await.unwrap().unwrap().approvals.len(), 1);
}

#[tokio::test]
async fn nobody_narrows_to_where_the_asker_holds_it_already() {
    let world = World::new().await;
    let first = world.asked(ANN, "admin").await;
    yes(&world, LEA, first, &less("", UNIT)).await.unwrap();
    // The whole tenant is another place.
    let second = world.asked(ANN, "admin").await;
    let refused = yes(&world, LEO, second, &less("", UNIT)).await.unwrap_err();
    let expected =
        ApprovalRefusal::NotNarrower("the asker has a live activation at exactly that scope".to_owned());
    assert_eq!(refused, Refusal::Approval(expected));
    yes(&world, LEO, second, &less("", OTHER_UNIT)).await.unwrap();
}

#[tokio::test]
async fn what_goes_on_longer_goes_on_as_it_is() {
    let world = World::new().await;
    let old = world.asked(ANN, "admin").await;
    world.yes(LEA, old).await.unwrap();
    world.yes(LEO, old).await.unwrap();
    world.settle(old).await;
    let new = world.extend(ANN, "admin", old, 7200).await.unwrap().id;
    let refused = yes(&world, LEA, new, &less("", UNIT)).await.unwrap_err();
    assert_eq!(refused.reason(), "NOT_NARROWER");
    // But for a shorter time, as long as that ends later.
    yes(&world, LEA, new, &less("90m", "")).await.unwrap();
    world.yes(LEO, new).await.unwrap();
    world.settle_all().await;
    assert_eq!((world.word(old).await, world.word(new).await), ("closed", "active"));
}
