//! One yes to several, or one no.

use elevate_core::activation::Outcome;
use elevate_core::approval::Narrowed;
use elevate_core::names::ActivationId;
use jiff::SignedDuration;

use super::super::world::*;
use super::{ask, wishes, words};
use crate::ports::journal::Recorded;
use crate::workflow::{BundleToApprove, Refusal, YesToAll, YesToOne};

const UNIT: &str = "/administrativeUnits/00000000-0000-0000-0000-0000000000c1";

fn less(term: &str, scope: &str) -> Narrowed {
    Narrowed {
        term: Some(term).filter(|term| !term.is_empty()).map(|term| term.parse().unwrap()),
        scope: Some(scope).filter(|scope| !scope.is_empty()).map(|scope| scope.parse().unwrap()),
    }
}

/// Prepares, signs in once, says yes to what is shown.
async fn yes(world: &World, who: u64, id: ActivationId) -> Result<Vec<Recorded>, Refusal> {
    yes_to_less(world, who, id, &Narrowed::NOTHING).await
}

/// To exactly what was prepared.
fn all_of(prepared: &BundleToApprove) -> Vec<YesToOne> {
    let one = |(recorded, much): &(Recorded, Narrowed)| YesToOne {
        id: recorded.id,
        digest: recorded.digest,
        much: *much,
    };
    prepared.members.iter().map(one).collect()
}

async fn yes_to_less(
    world: &World,
    who: u64,
    id: ActivationId,
    off: &Narrowed,
) -> Result<Vec<Recorded>, Refusal> {
    let prepared = world.workflow.prepare_bundle_approval(&person(who), id, off).await?;
    let token = world.desk.sign_in(principal(who), &prepared.challenge);
    let members = all_of(&prepared);
    let yes = YesToAll {
        request_id: world.request_id(),
        members: &members,
        comment: "",
        proof: &token,
        challenge: &prepared.challenge.text,
    };
    world.workflow.approve_bundle(&person(who), id, yes).await
}

#[tokio::test]
async fn one_yes_approves_all_that_wait_for_this_approver_and_no_other() {
    let world = World::new().await;
    // `admin` needs two leads, `owner` a lead and an owner.
    let ids = ask(&world, &wishes(&["reader", "admin", "owner"])).await.unwrap();
    let approved = yes(&world, LEA, ids[1]).await.unwrap();
    assert_eq!(approved.iter().map(|each| each.id).collect::<Vec<_>>(), ids[1..]);
    assert!(approved.iter().all(|each| each.still_needed() == 1));
    // An owner counts for one of them.
    let approved = yes(&world, OLA, ids[2]).await.unwrap();
    assert_eq!(approved.iter().map(|each| each.id).collect::<Vec<_>>(), ids[2..]);
    assert_eq!(words(&world, &ids).await, ["scheduled", "awaiting approval", "scheduled"]);
    // And knows nothing of the others.
    assert_eq!(yes(&world, OLA, ids[1]).await.unwrap_err(), Refusal::ActivationNotFound);
    yes(&world, LEO, ids[1]).await.unwrap();
    world.settle_all().await;
    assert_eq!(words(&world, &ids).await, ["active"; 3]);
}

#[tokio::test]
async fn a_yes_to_a_bundle_is_to_exactly_what_was_shown() {
    let world = World::new().await;
    let ids = ask(&world, &wishes(&["admin", "owner"])).await.unwrap();
    let prepared =
        world.workflow.prepare_bundle_approval(&person(LEA), ids[0], &Narrowed::NOTHING).await.unwrap();
    let shown = all_of(&prepared);
    let token = world.desk.sign_in(principal(LEA), &prepared.challenge);
    let all = YesToAll {
        request_id: world.request_id(),
        members: &shown,
        comment: "",
        proof: &token,
        challenge: &prepared.challenge.text,
    };
    let swapped = [shown[1], shown[0]];
    let another = [shown[0], YesToOne { digest: shown[0].digest, ..shown[1] }];
    for members in [&shown[..1], &swapped, &another, &[]] {
        let refused = world.workflow.approve_bundle(&person(LEA), ids[0], YesToAll { members, ..all }).await;
        assert_eq!(refused.unwrap_err().reason(), "REQUEST_CHANGED", "{members:?}");
    }
    // One of them was taken back meanwhile: it is shown again, without.
    world.workflow.withdraw(&person(ANN), ids[1]).await.unwrap();
    let refused = world.workflow.approve_bundle(&person(LEA), ids[0], all).await.unwrap_err();
    assert_eq!(refused.reason(), "REQUEST_CHANGED");
    assert_eq!(yes(&world, LEA, ids[0]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_yes_to_a_bundle_sent_twice_counts_once_and_the_asker_cannot_say_it() {
    let world = World::new().await;
    let ids = ask(&world, &wishes(&["admin", "owner"])).await.unwrap();
    let prepared =
        world.workflow.prepare_bundle_approval(&person(LEA), ids[0], &Narrowed::NOTHING).await.unwrap();
    let members = all_of(&prepared);
    let token = world.desk.sign_in(principal(LEA), &prepared.challenge);
    let all = YesToAll {
        request_id: world.request_id(),
        members: &members,
        comment: "",
        proof: &token,
        challenge: &prepared.challenge.text,
    };
    for _ in 0..2 {
        let approved = world.workflow.approve_bundle(&person(LEA), ids[0], all).await.unwrap();
        assert_eq!(approved.len(), 2);
        assert!(approved.iter().all(|each| each.approvals.len() == 1));
    }
    assert_eq!(yes(&world, LEA, ids[0]).await.unwrap_err().reason(), "ALREADY_APPROVED");
    assert_eq!(yes(&world, ANN, ids[0]).await.unwrap_err().reason(), "OWN_APPROVAL");
    assert_eq!(yes(&world, EVE, ids[0]).await.unwrap_err(), Refusal::ActivationNotFound);
    let alone = world.asked(BEN, "admin").await;
    assert!(matches!(yes(&world, LEA, alone).await, Err(Refusal::Field { field: "id", .. })));
}

#[tokio::test]
async fn a_no_to_one_ends_all_that_have_not_begun() {
    let world = World::new().await;
    let later = Some(start() + SignedDuration::from_hours(2));
    let mut asked = wishes(&["reader", "writer", "admin", "owner"]);
    asked[1].starts_at = later;
    let ids = ask(&world, &asked).await.unwrap();
    world.settle_all().await;
    assert_eq!(words(&world, &ids).await, ["active", "scheduled", "awaiting approval", "awaiting approval"]);
    // Ola is asked about the last one only.
    world.workflow.deny(&person(OLA), ids[3], "not today").await.unwrap();
    assert_eq!(words(&world, &ids).await, ["active", "closed", "closed", "closed"]);
    for id in &ids[1..] {
        assert_eq!(world.outcome(*id).await, Outcome::Denied { reason: "not today".to_owned() });
    }
    assert!(world.workflow.deny(&person(OLA), ids[3], "again").await.is_ok(), "safe to repeat");
    world.clock.forward(2 * 3600);
    world.settle_all().await;
    assert_eq!(world.directory.calls("grant"), 1, "only what had begun before the no");
}

#[tokio::test]
async fn a_yes_to_one_of_a_bundle_alone_leaves_the_others_waiting() {
    let world = World::new().await;
    let ids = ask(&world, &wishes(&["admin", "owner"])).await.unwrap();
    world.yes(LEA, ids[0]).await.unwrap();
    // What waits for her now is the other one.
    let approved = yes(&world, LEA, ids[1]).await.unwrap();
    assert_eq!(approved.iter().map(|each| each.id).collect::<Vec<_>>(), ids[1..]);
}

#[tokio::test]
async fn a_yes_to_a_bundle_may_be_to_less_and_each_later_one_counts_from_there() {
    let world = World::new().await;
    let mut asked = wishes(&["admin", "owner"]);
    asked[1].term = Some("20m".parse().unwrap());
    let ids = ask(&world, &asked).await.unwrap();
    let for_longer = yes_to_less(&world, LEA, ids[0], &less("2h", "")).await.unwrap_err();
    assert_eq!(for_longer.reason(), "NOT_NARROWER", "longer than any of them");
    // What is shorter already stays as it is.
    let prepared =
        world.workflow.prepare_bundle_approval(&person(LEO), ids[0], &Narrowed::NOTHING).await.unwrap();
    let seen_before = (world.desk.sign_in(principal(LEO), &prepared.challenge), all_of(&prepared));
    let approved = yes_to_less(&world, LEA, ids[0], &less("30m", UNIT)).await.unwrap();
    let left: Vec<_> =
        approved.iter().map(|one| (one.term.to_string(), one.slot().resource.place())).collect();
    assert_eq!(left, [("30m".to_owned(), UNIT.to_owned()), ("20m".to_owned(), UNIT.to_owned())]);
    // Who saw more than is left looks again, and a plain yes is to what is left.
    let (token, members) = &seen_before;
    let too_late = YesToAll {
        request_id: world.request_id(),
        members,
        comment: "",
        proof: token,
        challenge: &prepared.challenge.text,
    };
    let refused = world.workflow.approve_bundle(&person(LEO), ids[0], too_late).await.unwrap_err();
    assert_eq!(refused.reason(), "REQUEST_CHANGED", "{refused}");
    assert!(refused.to_string().starts_with("`admin`"), "{refused}");
    yes(&world, LEO, ids[0]).await.unwrap();
    yes(&world, OLA, ids[1]).await.unwrap();
    world.settle_all().await;
    assert_eq!(words(&world, &ids).await, ["active"; 2]);
    assert_eq!(world.directory.wrongs(), Vec::<String>::new());
}

#[tokio::test]
async fn a_proof_for_less_of_a_bundle_is_none_for_more_of_one_of_it() {
    let world = World::new().await;
    let ids = ask(&world, &wishes(&["admin", "owner"])).await.unwrap();
    let prepared =
        world.workflow.prepare_bundle_approval(&person(LEA), ids[0], &less("30m", "")).await.unwrap();
    let token = world.desk.sign_in(principal(LEA), &prepared.challenge);
    let mut members = all_of(&prepared);
    members[1].much = Narrowed::NOTHING;
    let more = YesToAll {
        request_id: world.request_id(),
        members: &members,
        comment: "",
        proof: &token,
        challenge: &prepared.challenge.text,
    };
    let refused = world.workflow.approve_bundle(&person(LEA), ids[0], more).await.unwrap_err();
    assert_eq!(refused.reason(), "PROOF_UNBOUND");
    assert_eq!(words(&world, &ids).await, ["awaiting approval"; 2]);
}

#[tokio::test]
async fn two_of_a_bundle_are_not_narrowed_to_one_place() {
    let world = World::new().await;
    // The same role under two names, at two places.
    let admin = policy_without("reader").replace("name = \"admin\"", "name = \"twin\"");
    let twin = admin.split("[[role]]").find(|role| role.contains("twin")).unwrap();
    world.apply(&format!("{}[[role]]{twin}", policy())).await;
    let mut asked = wishes(&["admin", "twin"]);
    asked[1].scope = Some(UNIT.parse().unwrap());
    let ids = ask(&world, &asked).await.unwrap();
    let refused = yes_to_less(&world, LEA, ids[0], &less("", UNIT)).await.unwrap_err();
    assert_eq!(refused.reason(), "NOT_NARROWER", "{refused}");
    assert_eq!(words(&world, &ids).await, ["awaiting approval"; 2]);
}

#[tokio::test]
async fn ones_own_yes_to_a_bundle_is_to_those_whose_rule_says_so() {
    let world = World::new().await;
    world
        .apply(&policy().replace("approval_window = \"1h\"", "approval_window = \"1h\"\nown_approval = true"))
        .await;
    world.directory.put_in(object(ANN), object(LEADS));
    let ids = ask(&world, &wishes(&["admin", "owner"])).await.unwrap();
    let own = yes(&world, ANN, ids[0]).await.unwrap();
    assert_eq!(own.iter().map(|one| one.id).collect::<Vec<_>>(), ids[..1]);
    assert_eq!(own[0].still_needed(), 1);
    assert_eq!(yes(&world, ANN, ids[1]).await.unwrap_err().reason(), "OWN_APPROVAL");
}

#[tokio::test]
async fn a_role_that_is_offered_no_more_is_not_approved_with_the_rest() {
    let world = World::new().await;
    let ids = ask(&world, &wishes(&["admin", "owner"])).await.unwrap();
    let prepared =
        world.workflow.prepare_bundle_approval(&person(LEA), ids[0], &Narrowed::NOTHING).await.unwrap();
    let token = world.desk.sign_in(principal(LEA), &prepared.challenge);
    let all = YesToAll {
        request_id: world.request_id(),
        members: &all_of(&prepared),
        comment: "",
        proof: &token,
        challenge: &prepared.challenge.text,
    };
    world.apply(&policy_without("owner")).await;
    let refused = world.workflow.approve_bundle(&person(LEA), ids[0], all).await.unwrap_err();
    assert_eq!(refused.reason(), "REQUEST_CHANGED", "{refused}");
    assert_eq!(words(&world, &ids).await, ["awaiting approval"; 2]);
    // Shown again, it is to the one that is left.
    assert_eq!(yes(&world, LEA, ids[0]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_decides_on_a_bundle_waits_for_nothing_that_is_held_already() {
    let world = World::new().await;
    let ids = ask(&world, &wishes(&["reader", "admin", "owner"])).await.unwrap();
    world.settle(ids[0]).await;
    // Somebody is at it: it is being granted or taken away, and the directory is slow.
    let _writer = world.workflow.locks.lock(ids[0]).await;
    let patience = std::time::Duration::from_secs(20);
    tokio::time::timeout(patience, yes(&world, LEA, ids[1])).await.expect("a yes waits for it").unwrap();
    let ola = person(OLA);
    let no = world.workflow.deny(&ola, ids[2], "no");
    tokio::time::timeout(patience, no).await.expect("a no waits for it").unwrap();
    assert_eq!(words(&world, &ids).await, ["active", "closed", "closed"]);
}
