//! Several roles under one sign-in: all or none of them asked for, and each held by itself.

use elevate_core::activation::{Cause, Change, Outcome, TicketVerdict};
use elevate_core::names::{ActivationId, RequestId, Ticket};
use jiff::SignedDuration;

use super::outside::Answer;
use super::world::*;
use crate::ports::Journal as _;
use crate::ports::journal::{Filter, Page, Recorded};
use crate::ports::tickets::Said;
use crate::ports::verifier::AppRole;
use crate::workflow::{PreparedBundle, Refusal, Wish};

mod deciding;

fn wishes(roles: &[&str]) -> Vec<Wish> {
    roles.iter().map(|role| World::wish(role)).collect()
}

async fn request(
    world: &World,
    request_id: RequestId,
    wishes: &[Wish],
    prepared: &PreparedBundle,
) -> Result<Vec<Recorded>, Refusal> {
    let token = world.desk.sign_in(principal(ANN), &prepared.challenge);
    let under = prepared.members[0].0.policy;
    let challenge = &prepared.challenge.text;
    world.workflow.request_bundle(&person(ANN), request_id, wishes, under, &token, challenge).await
}

/// Prepares, signs in once, asks.
async fn ask(world: &World, wishes: &[Wish]) -> Result<Vec<ActivationId>, Refusal> {
    let prepared = world.workflow.prepare_bundle(&person(ANN), wishes).await?;
    let recorded = request(world, world.request_id(), wishes, &prepared).await?;
    Ok(recorded.iter().map(|recorded| recorded.id).collect())
}

async fn words(world: &World, ids: &[ActivationId]) -> Vec<&'static str> {
    let mut words = Vec::new();
    for id in ids {
        words.push(world.word(*id).await);
    }
    words
}

async fn on_record(world: &World) -> usize {
    let page = Page { limit: 100, after: None };
    world.store.find(&Filter::default(), &page).await.unwrap().activations.len()
}

#[tokio::test]
async fn one_sign_in_asks_for_several_roles_each_with_a_record_of_its_own() {
    let world = World::new().await;
    let ids = ask(&world, &wishes(&["reader", "writer", "admin"])).await.unwrap();
    assert_eq!(words(&world, &ids).await, ["scheduled", "scheduled", "awaiting approval"]);
    for id in &ids {
        let changes = world.changes(*id).await;
        let Some(Change::Requested(request)) = changes.first() else { panic!() };
        assert_eq!(request.bundle, ids);
    }
    world.settle_all().await;
    assert_eq!(words(&world, &ids).await, ["active", "active", "awaiting approval"]);
    // Held apart from here on.
    world.workflow.deactivate(&person(ANN), ids[0]).await.unwrap();
    world.settle_all().await;
    assert_eq!(words(&world, &ids).await, ["closed", "active", "awaiting approval"]);
    world.workflow.withdraw(&person(ANN), ids[2]).await.unwrap();
    assert_eq!(words(&world, &ids).await, ["closed", "active", "closed"]);
}

#[tokio::test]
async fn if_one_is_refused_none_is_asked_for() {
    let world = World::new().await;
    let held = world.held(ANN, "writer").await;
    let taken = ask(&world, &wishes(&["reader", "writer"])).await.unwrap_err();
    assert_eq!((taken.itself(), taken.reason()), (&Refusal::SlotTaken { by: held }, "SLOT_TAKEN"));
    assert!(taken.to_string().starts_with("`writer`, and with it all that was asked together: "), "{taken}");
    assert_eq!(ask(&world, &wishes(&["reader", "nothing"])).await.unwrap_err().reason(), "ROLE_NOT_OFFERED");
    let long = Wish { term: Some("9h".parse().unwrap()), ..World::wish("owner") };
    let too_long = ask(&world, &[World::wish("reader"), long]).await.unwrap_err();
    assert_eq!(too_long.reason(), "TERM_TOO_LONG");
    assert_eq!(on_record(&world).await, 1, "only what was held before");
}

#[tokio::test]
async fn a_slot_that_is_taken_during_the_sign_in_leaves_none_asked_for() {
    let world = World::new().await;
    let wishes = wishes(&["reader", "writer"]);
    let prepared = world.workflow.prepare_bundle(&person(ANN), &wishes).await.unwrap();
    let taken = world.asked(ANN, "writer").await;
    let refused = request(&world, world.request_id(), &wishes, &prepared).await.unwrap_err();
    assert_eq!(refused.itself(), &Refusal::SlotTaken { by: taken });
    assert!(refused.to_string().starts_with("`writer`"), "{refused}");
    assert_eq!(on_record(&world).await, 1);
}

#[tokio::test]
async fn a_freeze_holds_for_a_bundle_too_and_what_was_prepared_before_is_too_late() {
    let world = World::new().await;
    let asked = wishes(&["reader", "writer"]);
    let prepared = world.workflow.prepare_bundle(&person(ANN), &asked).await.unwrap();
    world.workflow.freeze(&with(EVE, AppRole::Revoker), "incident 7").await.unwrap();
    assert_eq!(ask(&world, &asked).await.unwrap_err().reason(), "FROZEN");
    let late = request(&world, world.request_id(), &asked, &prepared).await.unwrap_err();
    assert_eq!((late.reason(), on_record(&world).await), ("FROZEN", 0));
}

#[tokio::test]
async fn a_grant_that_fails_stops_no_other_of_the_bundle() {
    let world = World::new().await;
    world.directory.will_grant([Answer::Refuses]);
    let ids = ask(&world, &wishes(&["reader", "writer"])).await.unwrap();
    world.settle_all().await;
    let mut ended = words(&world, &ids).await;
    ended.sort_unstable();
    assert_eq!(ended, ["active", "closed"]);
    // Nor does one that the directory gives no answer to.
    let world = World::new().await;
    world.directory.will_grant([Answer::Fails]);
    let ids = ask(&world, &wishes(&["reader", "writer"])).await.unwrap();
    world.settle_all().await;
    let mut ended = words(&world, &ids).await;
    ended.sort_unstable();
    assert_eq!(ended, ["activating", "active"]);
}

#[tokio::test]
async fn each_of_a_bundle_is_revoked_and_ends_by_itself() {
    let world = World::new().await;
    let mut asked = wishes(&["reader", "writer"]);
    asked[0].term = Some("10m".parse().unwrap());
    let ids = ask(&world, &asked).await.unwrap();
    world.settle_all().await;
    world.clock.forward(600);
    world.settle_all().await;
    assert_eq!(words(&world, &ids).await, ["closed", "active"]);
    world.workflow.revoke(&with(EVE, AppRole::Revoker), ids[1], "incident 7").await.unwrap();
    world.settle_all().await;
    assert_eq!(world.outcome(ids[0]).await, Outcome::Ended(Cause::Expired));
    let revoked = Cause::Revoked { reason: "incident 7".to_owned() };
    assert_eq!(world.outcome(ids[1]).await, Outcome::Ended(revoked));
}

#[tokio::test]
async fn a_bundle_is_two_to_ten_different_roles_and_no_emergency() {
    let world = World::new().await;
    for (roles, reason) in [
        (&["reader"][..], "BUNDLE_INVALID"),
        (&[], "BUNDLE_INVALID"),
        (&["reader"; 11], "BUNDLE_INVALID"),
        (&["reader", "writer", "reader"], "BUNDLE_INVALID"),
    ] {
        let refused = world.workflow.prepare_bundle(&person(ANN), &wishes(roles)).await.unwrap_err();
        assert_eq!(refused.reason(), reason, "{roles:?}");
    }
    let kind = elevate_core::activation::Kind::BreakGlass;
    let emergency = Wish { kind, ..World::wish("admin") };
    let refused = world.workflow.prepare_bundle(&person(ANN), &[World::wish("reader"), emergency]).await;
    assert!(matches!(refused, Err(Refusal::Field { field: "kind", .. })));
    let program = world.workflow.prepare_bundle(&program(ANN), &wishes(&["reader", "writer"])).await;
    assert_eq!(program.unwrap_err(), Refusal::PeopleOnly);
}

#[tokio::test]
async fn the_proof_is_bound_to_all_of_them_in_their_order_and_counts_once() {
    let world = World::new().await;
    let asked = wishes(&["reader", "writer"]);
    let prepared = world.workflow.prepare_bundle(&person(ANN), &asked).await.unwrap();
    for other in
        [wishes(&["writer", "reader"]), wishes(&["reader", "admin"]), wishes(&["reader", "writer", "admin"])]
    {
        let refused = request(&world, world.request_id(), &other, &prepared).await.unwrap_err();
        assert_eq!(refused.reason(), "PROOF_UNBOUND");
    }
    // Nor is it one for a member alone.
    let token = world.desk.sign_in(principal(ANN), &prepared.challenge);
    let (under, text) = (prepared.members[0].0.policy, &prepared.challenge.text);
    let alone =
        world.workflow.request(&person(ANN), world.request_id(), &asked[0], under, &token, text).await;
    assert_eq!(alone.unwrap_err().reason(), "PROOF_UNBOUND");

    let token = world.desk.sign_in(principal(ANN), &prepared.challenge);
    let by = async |token: &str| {
        let id = world.request_id();
        world.workflow.request_bundle(&person(ANN), id, &asked, under, token, text).await
    };
    let ids: Vec<_> = by(&token).await.unwrap().iter().map(|recorded| recorded.id).collect();
    for id in ids {
        world.workflow.withdraw(&person(ANN), id).await.unwrap();
    }
    assert_eq!(by(&token).await.unwrap_err(), Refusal::ProofUsed);
}

#[tokio::test]
async fn the_same_bundle_sent_twice_begins_once_and_another_under_its_id_is_refused() {
    let world = World::new().await;
    let (asked, id) = (wishes(&["reader", "writer"]), world.request_id());
    let prepared = world.workflow.prepare_bundle(&person(ANN), &asked).await.unwrap();
    let ids = |recorded: Vec<Recorded>| recorded.iter().map(|recorded| recorded.id).collect::<Vec<_>>();
    let first = ids(request(&world, id, &asked, &prepared).await.unwrap());
    assert_eq!(ids(request(&world, id, &asked, &prepared).await.unwrap()), first);
    // Also when one of them has moved on since.
    world.settle(first[1]).await;
    assert_eq!(ids(request(&world, id, &asked, &prepared).await.unwrap()), first);
    for other in [wishes(&["writer", "reader"]), wishes(&["reader", "writer", "admin"])] {
        let refused = request(&world, id, &other, &prepared).await.unwrap_err();
        assert_eq!(refused.reason(), "REQUEST_CHANGED");
    }
    let alone = world.workflow.prepare(&person(BEN), &asked[0]).await.unwrap();
    let under = alone.asked.policy;
    let refused = world.workflow.request(&person(ANN), id, &asked[0], under, "none", "").await.unwrap_err();
    assert_eq!(refused.reason(), "REQUEST_CHANGED", "one of them is not all of them");
    assert_eq!(on_record(&world).await, 2);
}

#[tokio::test]
async fn a_bundle_is_taken_back_as_far_as_it_has_not_begun() {
    let world = World::new().await;
    let mut asked = wishes(&["reader", "writer", "admin"]);
    asked[1].starts_at = Some(start() + SignedDuration::from_hours(2));
    let ids = ask(&world, &asked).await.unwrap();
    world.settle(ids[0]).await;
    assert_eq!(
        world.workflow.withdraw_bundle(&person(BEN), ids[0]).await.unwrap_err(),
        Refusal::ActivationNotFound
    );
    for _ in 0..2 {
        let all = world.workflow.withdraw_bundle(&person(ANN), ids[2]).await.unwrap();
        assert_eq!(all.iter().map(|one| one.id).collect::<Vec<_>>(), ids);
        assert_eq!(words(&world, &ids).await, ["active", "closed", "closed"], "safe to repeat");
    }
    assert_eq!(world.outcome(ids[1]).await, Outcome::Withdrawn);

    let held = ask(&world, &wishes(&["writer", "owner"])).await.unwrap();
    world.settle_all().await;
    world.workflow.deny(&person(OLA), held[1], "no").await.unwrap();
    let refused = world.workflow.withdraw_bundle(&person(ANN), held[0]).await.unwrap_err();
    assert_eq!(refused.reason(), "WRONG_STATE");
    let alone = world.asked(BEN, "reader").await;
    let refused = world.workflow.withdraw_bundle(&person(BEN), alone).await.unwrap_err();
    assert!(matches!(refused, Refusal::Field { field: "id", .. }));
}

#[tokio::test]
async fn a_bundle_is_whole_on_record_after_a_kill() {
    let world = World::new().await;
    let ids = ask(&world, &wishes(&["reader", "writer"])).await.unwrap();
    let world = world.again().await;
    world.settle_all().await;
    assert_eq!(words(&world, &ids).await, ["active"; 2]);
}

#[tokio::test]
async fn the_ticket_of_each_is_looked_up_and_one_no_refuses_all() {
    let world = World::new().await;
    let rule = "usual = \"1h\"\nticket_required = true\nticket_check = \"changes\"";
    world.apply(&policy().replacen("usual = \"1h\"", rule, 1)).await;
    let number = |number: &str| Some(Ticket::new(number, "ServiceNow").unwrap());
    let mut both = wishes(&["writer", "reader"]);
    both[1].ticket = number("CHG1");

    world.tickets.says("CHG1", Said::Refused("the change is not approved".to_owned()));
    let refused = ask(&world, &both).await.unwrap_err();
    assert_eq!(refused.reason(), "TICKET_REFUSED");
    assert!(refused.to_string().contains("`reader`"), "{refused}");
    // It was good when all was prepared, and is no more.
    world.tickets.says("CHG1", Said::Confirmed);
    let prepared = world.workflow.prepare_bundle(&person(ANN), &both).await.unwrap();
    assert_eq!(prepared.ticket_verdicts, [None, Some(TicketVerdict::Confirmed)]);
    world.tickets.says("CHG1", Said::Unanswered("it did not answer within 5s".to_owned()));
    let refused = request(&world, world.request_id(), &both, &prepared).await.unwrap_err();
    assert_eq!((refused.reason(), on_record(&world).await), ("TICKET_UNANSWERED", 0));

    world.tickets.says("CHG1", Said::Confirmed);
    let recorded = request(&world, world.request_id(), &both, &prepared).await.unwrap();
    let verdicts: Vec<_> = recorded.iter().map(|recorded| recorded.request.ticket_verdict).collect();
    assert_eq!(verdicts, [None, Some(TicketVerdict::Confirmed)]);
}

#[tokio::test]
async fn to_go_on_longer_is_asked_for_alone() {
    let world = World::new().await;
    let held = world.held(ANN, "reader").await;
    let mut both = wishes(&["reader", "writer"]);
    both[0].continues = Some(held);
    let refused = ask(&world, &both).await.unwrap_err();
    assert!(refused.to_string().contains("go on longer is asked for alone"), "{refused}");
    assert_eq!(on_record(&world).await, 1);
}
