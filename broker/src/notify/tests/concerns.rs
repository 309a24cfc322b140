//! Whom what concerns, told as stories over the real record.

use elevate_core::activation::Kind as Asked;
use elevate_core::names::ActivationId;

use super::*;
use crate::ports::journal::Note;
use crate::ports::notifier::{About, Recipient};
use crate::ports::verifier::AppRole;
use crate::workflow::Wish;
use crate::workflow::tests::outside::Answer;

/// `kind: recipients`, for all that there is to tell of one activation.
async fn told_of(world: &World, id: ActivationId) -> Vec<String> {
    let of = |notice: &Notice| matches!(notice.about, About::Activation { id: of, .. } if of == id);
    whole(world).await.iter().filter(|notice| of(notice)).map(in_short).collect()
}

fn in_short(notice: &Notice) -> String {
    let to: Vec<String> = notice.to.iter().map(|to| named(*to)).collect();
    format!("{}: {}", notice.kind.word(), to.join(", "))
}

fn named(to: Recipient) -> String {
    let names = [(ANN, "ann"), (LEADS, "leads"), (OWNERS, "owners")];
    let name = |id| names.iter().find(|(n, _)| object(*n) == id).map_or("?", |(_, name)| name).to_owned();
    match to {
        Recipient::Principal(principal) => name(principal.object),
        Recipient::Subject(subject) => match subject {
            elevate_core::names::Subject::User(id) | elevate_core::names::Subject::Group(id) => name(id),
        },
        Recipient::Role(role) => role.word().to_owned(),
    }
}

#[tokio::test]
async fn a_request_that_is_approved_and_held_to_its_end() {
    let world = World::new().await;
    let id = world.asked(ANN, "owner").await;
    world.yes(LEA, id).await.unwrap();
    world.yes(OLA, id).await.unwrap();
    world.settle_all().await;
    world.clock.forward(3600);
    world.settle_all().await;
    let expected =
        ["approval-sought: leads, owners", "approved: ann", "approved: ann", "activated: ann", "ended: ann"];
    assert_eq!(told_of(&world, id).await, expected);
    let said: Vec<_> = whole(&world).await.iter().skip(1).map(ToString::to_string).collect();
    expect_test::expect![[r#"
        [
            "`owner`: your approval is asked for; answer needed by 2026-09-22T14:13:20Z",
            "`owner`: approved; 1 more person must",
            "`owner`: approved by everybody who must",
            "`owner`: active; role held until 2026-09-21T15:13:20Z",
            "`owner`: it is gone (expired)",
        ]
    "#]]
    .assert_debug_eq(&said);
}

#[tokio::test]
async fn a_request_that_comes_to_nothing() {
    let world = World::new().await;
    let denied = world.asked(ANN, "admin").await;
    world.workflow.deny(&person(LEA), denied, "not today").await.unwrap();
    assert_eq!(told_of(&world, denied).await, ["approval-sought: leads", "denied: ann"]);

    let lapsed = world.asked(ANN, "admin").await;
    world.clock.forward(3600);
    world.settle(lapsed).await;
    assert_eq!(told_of(&world, lapsed).await, ["approval-sought: leads", "lapsed: ann"]);

    // Who takes it back knows.
    let withdrawn = world.asked(ANN, "admin").await;
    world.workflow.withdraw(&person(ANN), withdrawn).await.unwrap();
    assert_eq!(told_of(&world, withdrawn).await, ["approval-sought: leads"]);

    let failed = world.asked(ANN, "reader").await;
    world.directory.will_grant([Answer::Refuses]);
    world.settle(failed).await;
    assert_eq!(told_of(&world, failed).await, ["failed: ann"]);
}

#[tokio::test]
async fn a_role_that_goes_before_its_end() {
    let world = World::new().await;
    let revoked = world.held(ANN, "reader").await;
    world.workflow.revoke(&with(EVE, AppRole::Revoker), revoked, "incident").await.unwrap();
    world.settle_all().await;
    assert_eq!(told_of(&world, revoked).await, ["activated: ann", "revoked: ann", "ended: ann"]);
    let by: Vec<_> = whole(&world).await.iter().skip(1).map(|notice| notice.by).collect();
    assert_eq!(by, [None, Some(principal(EVE)), None]);

    let given_back = world.held(ANN, "reader").await;
    world.workflow.deactivate(&person(ANN), given_back).await.unwrap();
    world.settle_all().await;
    assert_eq!(told_of(&world, given_back).await, ["activated: ann", "ended: ann"]);

    let elsewhere = world.held(ANN, "reader").await;
    world.directory.clear(world.slot(elsewhere).await);
    world.workflow.reconcile().await.unwrap();
    world.clock.forward(30);
    world.workflow.reconcile().await.unwrap();
    assert_eq!(told_of(&world, elsewhere).await, ["activated: ann", "removed-elsewhere: ann, auditor"]);
}

#[tokio::test]
async fn a_revocation_is_stuck_after_more_than_five_tries_and_that_is_told_once() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    world.directory.never_revokes(id);
    world.clock.forward(3600);
    for tries in 1..=9 {
        world.settle_all().await;
        let stuck = told_of(&world, id).await.iter().any(|told| told == "revocation-stuck: revoker, auditor");
        assert_eq!(stuck, tries > 5, "after {tries} tries");
        world.clock.forward(60);
    }
    assert_eq!(told_of(&world, id).await.len(), 2, "active, and stuck once");
}

#[tokio::test]
async fn what_is_no_activation() {
    let world = World::new().await;
    world.directory.assign(world.slot_of(ANN, 1));
    world.workflow.reconcile().await.unwrap();
    let at = world.clock.now().latest();
    for what in ["started", "stopped"] {
        let note = Note::Broker { what: what.to_owned(), version: "1.2.3".to_owned(), at };
        world.store.note(note).await.unwrap();
    }
    let refused = Note::Refused {
        caller: Some(principal(ANN)),
        attempt: "RequestActivation".to_owned(),
        reason: "NOT_OFFERED".to_owned(),
        role: None,
        activation: None,
        at,
    };
    world.store.note(refused).await.unwrap();
    let notices = whole(&world).await;
    let told: Vec<_> = notices.iter().map(in_short).collect();
    assert_eq!(
        told,
        [
            "policy-applied: policy-admin, auditor",
            "drift: policy-admin, auditor",
            "broker-started: auditor",
            "broker-stopped: auditor",
        ]
    );
    assert_eq!(notices[0].by, Some(principal(99)));
}

/// A record of many lives, some of them over and some not.
async fn busy() -> World {
    let world = World::new().await;
    let revoker = with(EVE, AppRole::Revoker);
    for _ in 0..3 {
        let (waits, held) = (world.asked(ANN, "owner").await, world.held(BEN, "reader").await);
        world.yes(LEA, waits).await.unwrap();
        world.workflow.revoke(&revoker, held, "canary-reason").await.unwrap();
        world.workflow.deny(&person(OLA), waits, "canary-denial").await.unwrap();
        world.settle_all().await;
        world.clock.forward(100);
    }
    let stuck = world.held(BEN, "reader").await;
    world.directory.never_revokes(stuck);
    world.clock.forward(3600);
    world.asked(ANN, "owner").await;
    for _ in 0..8 {
        world.settle_all().await;
        world.clock.forward(60);
    }
    world
}

#[tokio::test]
async fn wherever_it_goes_on_the_same_is_told() {
    let world = busy().await;
    let entries = world.store.read(Position(0), 1000).await.unwrap();
    let all = whole(&world).await;
    assert!(all.len() > 10, "there is something to tell: {}", all.len());
    let (mut lives, mut shorter) = (Lives::default(), 0);
    for next in 0..=entries.len() {
        let begin = lives.begin(Position(next as u64));
        shorter += usize::from(begin > Position(0));
        let mut again = Lives::default();
        let mut told = Vec::new();
        for entry in &entries[usize::try_from(begin.0).unwrap()..] {
            match again.follow(entry) {
                Ok(notice) if entry.position >= Position(next as u64) => told.extend(notice),
                Ok(_) => {}
                Err(unknown) => assert!(entry.position < Position(next as u64), "{unknown:?} at {entry:?}"),
            }
        }
        let rest: Vec<_> =
            all.iter().filter(|notice| told_from(&notice.id.to_string(), next)).cloned().collect();
        assert_eq!(told, rest, "from {next} on");
        if let Some(entry) = entries.get(next) {
            lives.follow(entry).unwrap();
        }
    }
    assert!(shorter > 10, "not everything is read again");
}

fn told_from(id: &str, next: usize) -> bool {
    id.split('.').next().unwrap().parse::<usize>().unwrap() >= next
}

#[tokio::test]
async fn whoever_is_told_something_can_tell_it_from_everything_else_and_reads_nobodys_words() {
    let world = busy().await;
    let all = whole(&world).await;
    let each: BTreeSet<_> = all.iter().map(|notice| notice.id.clone()).collect();
    assert_eq!(each.len(), all.len());
    for notice in &all {
        assert!(!notice.to.is_empty(), "{notice:?} concerns nobody");
        let said = format!("{notice} {notice:?}");
        assert!(!said.contains("disk full") && !said.contains("canary"), "{said}");
    }
    let record = format!("{:?}", world.store.read(Position(0), 1000).await.unwrap());
    assert!(record.contains("canary-reason") && record.contains("canary-denial"), "where they do stand");
}

#[tokio::test]
async fn an_emergency_concerns_everybody_who_would_have_been_asked() {
    let world = World::new().await;
    world.apply(&crate::workflow::tests::emergencies::with_break_glass()).await;
    let wish = Wish { kind: Asked::BreakGlass, ..World::wish("admin") };
    let prepared = world.workflow.prepare(&person(ANN), &wish).await.unwrap();
    let id = world.ask_with(ANN, world.request_id(), &wish, &prepared).await.unwrap().id;
    world.settle_all().await;
    world.workflow.deactivate(&person(ANN), id).await.unwrap();
    world.settle_all().await;
    world.workflow.close_review(&person(LEA), id, "as it should be").await.unwrap();
    let expected = [
        "break-glass: leads, owners, policy-admin, auditor, revoker",
        "activated: ann",
        "ended: ann",
        "reviewed: ann, auditor",
    ];
    assert_eq!(told_of(&world, id).await, expected);
}
