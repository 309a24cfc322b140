//! Who may see what: a stranger learns nothing.

use elevate_core::activation::Outcome;
use elevate_core::approval::Narrowed;
use elevate_core::names::ActivationId;
use elevate_core::policy::Decision;
use elevate_core::policy::PolicyVersion;
use uuid::Uuid;

use super::world::*;
use crate::ports::journal::{Filter, Page};
use crate::ports::verifier::{AppRole, Caller};
use crate::workflow::{Obstacle, Refusal, Workflow, Yes};

const PAGE: Page = Page { limit: 100, after: None };

/// Everything a caller can try on an activation, and what each says.
async fn tried(world: &World, caller: &Caller, id: ActivationId) -> Vec<Refusal> {
    let yes = Yes {
        request_id: world.request_id(),
        digest: elevate_core::binding::Digest::from_bytes([7; 32]),
        much: Narrowed::NOTHING,
        comment: "",
        proof: "none",
        challenge: "none",
    };
    let workflow: &Workflow = &world.workflow;
    vec![
        workflow.show(caller, id).await.unwrap_err(),
        workflow.withdraw(caller, id).await.unwrap_err(),
        workflow.deactivate(caller, id).await.unwrap_err(),
        workflow.prepare_approval(caller, id, &Narrowed::NOTHING).await.map(drop).unwrap_err(),
        workflow.approve(caller, id, yes).await.unwrap_err(),
        workflow.deny(caller, id, "no").await.unwrap_err(),
        workflow.revoke(caller, id, "no").await.unwrap_err(),
    ]
}

#[tokio::test]
async fn to_a_stranger_one_that_is_there_is_as_one_that_is_not() {
    let world = World::new().await;
    let none = ActivationId::from_uuid(Uuid::from_u128(5));
    let waiting = world.asked(ANN, "admin").await;
    let active = world.held(ANN, "reader").await;
    let denied = world.asked(BEN, "admin").await;
    world.workflow.deny(&person(LEA), denied, "no").await.unwrap();
    assert!(matches!(world.outcome(denied).await, Outcome::Denied { .. }));
    // Eve is nobody; Cas is staff, as Ann is; and a program with no right at all.
    for stranger in [person(EVE), person(3), program(EVE), program(3)] {
        let unknown = tried(&world, &stranger, none).await;
        for id in [waiting, active, denied] {
            assert_eq!(tried(&world, &stranger, id).await, unknown, "{stranger:?}");
        }
    }
}

#[tokio::test]
async fn a_role_not_offered_and_a_role_that_is_not_there_are_one_answer() {
    let world = World::new().await;
    for down in [false, true] {
        world.directory.is_down(down);
        let mut answers = Vec::new();
        for role in ["reader", "no-such-role"] {
            let before = world.directory.calls("groups");
            let refused = world.workflow.prepare(&person(EVE), &World::wish(role)).await.unwrap_err();
            let text = refused.to_string().replace(role, "ROLE");
            answers.push((refused.reason(), text, world.directory.calls("groups") - before));
        }
        assert_eq!(answers[0], answers[1], "down: {down}");
    }
}

#[tokio::test]
async fn explaining_tells_nobody_of_a_role_that_is_not_offered_to_them() {
    let world = World::new().await;
    let explain = async |caller: &Caller, role: &str, other: Option<u64>| {
        let other = other.map(|who| principal(who).object);
        world.workflow.explain(caller, &role.parse().unwrap(), other).await
    };
    for down in [false, true] {
        world.directory.is_down(down);
        let mut answers = Vec::new();
        for role in ["reader", "no-such-role"] {
            let before = world.directory.calls("groups");
            let refused = explain(&person(EVE), role, None).await.unwrap_err();
            let text = refused.to_string().replace(role, "ROLE");
            answers.push((refused.reason(), text, world.directory.calls("groups") - before));
        }
        assert_eq!(answers[0], answers[1], "down: {down}");
    }
    world.directory.is_down(false);
    // For somebody else: with the app role, and then what is not offered is explained too.
    assert_eq!(explain(&person(ANN), "reader", Some(EVE)).await.unwrap_err().reason(), "NOT_ALLOWED");
    let told = explain(&with(OLA, AppRole::Auditor), "reader", Some(EVE)).await.unwrap();
    assert_eq!((told.decision, told.obstacles), (Decision::NotNamed, vec![Obstacle::NotOffered]));
    let none = explain(&with(OLA, AppRole::Auditor), "no-such-role", Some(EVE)).await.unwrap_err();
    assert_eq!(none.reason(), "ROLE_NOT_OFFERED");
    assert_eq!(explain(&program(ANN), "reader", None).await.unwrap_err().reason(), "PEOPLE_ONLY");
}

#[tokio::test]
async fn explaining_says_what_stands_in_the_way_and_who_could_say_yes() {
    let world = World::new().await;
    let explain =
        async |role: &str| world.workflow.explain(&person(ANN), &role.parse().unwrap(), None).await.unwrap();
    let told = explain("admin").await;
    assert!(matches!(told.decision, Decision::Offered(_)) && told.obstacles.is_empty(), "{told:?}");
    assert_eq!(told.approvers.enough(), Some(true));
    let people: std::collections::BTreeSet<_> =
        told.approvers.requirements.iter().flat_map(|each| each.people.clone()).collect();
    assert!(
        people.contains(&principal(LEA).object) && !people.contains(&principal(ANN).object),
        "{people:?}"
    );

    let id = world.asked(ANN, "admin").await;
    assert_eq!(explain("admin").await.obstacles, [Obstacle::SlotTaken(id)]);

    // Without the directory nothing is claimed about those it alone knows.
    world.directory.is_down(true);
    let offer = told.offer.role;
    assert_ne!(world.workflow.approvers(principal(ANN), &offer).await.enough(), Some(true));
}

#[tokio::test]
async fn lists_show_what_is_ones_own() {
    let world = World::new().await;
    let own = world.asked(ANN, "admin").await;
    let other = world.asked(BEN, "admin").await;
    let see = async |caller: &Caller, everybody| {
        let found = world.workflow.list(caller, Filter::default(), everybody, &PAGE).await;
        found.map(|found| found.activations.iter().map(|recorded| recorded.id).collect::<Vec<_>>())
    };
    assert_eq!(see(&person(ANN), false).await, Ok(vec![own]));
    assert_eq!(see(&person(ANN), true).await.unwrap_err().reason(), "NOT_ALLOWED");
    for role in [AppRole::Auditor, AppRole::Revoker] {
        assert_eq!(see(&with(EVE, role), true).await, Ok(vec![other, own]));
    }
    // A filter that names somebody else is overruled.
    let filter = Filter { principal: Some(principal(BEN)), ..Filter::default() };
    let found = world.workflow.list(&person(ANN), filter, false, &PAGE).await.unwrap();
    assert_eq!(found.activations.len(), 1);
    assert_eq!(found.activations[0].id, own);
}

#[tokio::test]
async fn pending_is_what_waits_for_this_person() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    let pending = async |who| {
        let found = world.workflow.pending(&person(who), &PAGE).await.unwrap();
        found.activations.iter().map(|recorded| recorded.id).collect::<Vec<_>>()
    };
    assert_eq!(pending(LEA).await, [id]);
    for who in [ANN, BEN, OLA, EVE] {
        assert_eq!(pending(who).await, [], "{who}");
    }
    world.yes(LEA, id).await.unwrap();
    assert_eq!((pending(LEA).await, pending(LEO).await), (vec![], vec![id]));
    world.clock.forward(3600);
    assert_eq!(pending(LEO).await, []);
}

#[tokio::test]
async fn a_page_of_pending_tells_nothing_of_what_is_passed_over() {
    let world = World::new().await;
    let older = world.asked(ANN, "admin").await;
    let newer = world.asked(BEN, "admin").await;
    let one = Page { limit: 1, after: None };
    let page = async |who, page: &Page| {
        let found = world.workflow.pending(&person(who), page).await.unwrap();
        (found.activations.iter().map(|recorded| recorded.id).collect::<Vec<_>>(), found.next)
    };
    // Nothing waits for her, so there is nothing to go on with.
    assert_eq!(page(EVE, &one).await, (vec![], None));
    assert_eq!(page(LEA, &one).await, (vec![newer], Some(newer)));
    assert_eq!(page(LEA, &Page { limit: 1, after: Some(newer) }).await, (vec![older], None));
}

#[tokio::test]
async fn what_only_some_may_do_nobody_else_does() {
    let world = World::new().await;
    let id = world.held(ANN, "reader").await;
    for (caller, may_revoke, may_audit, may_plan) in [
        (person(ANN), false, false, false),
        (with(EVE, AppRole::Revoker), true, false, false),
        (with(EVE, AppRole::Auditor), false, true, true),
        (with(EVE, AppRole::PolicyAdmin), false, false, true),
    ] {
        let workflow = &world.workflow;
        assert_eq!(workflow.may_sweep(&caller).is_ok(), may_revoke);
        assert_eq!(workflow.audit(&caller, crate::ports::journal::Position(0), 1).await.is_ok(), may_audit);
        assert_eq!(workflow.plan(&caller, &policy()).await.is_ok(), may_plan);
        assert_eq!(workflow.policy(&caller, PolicyVersion(0)).await.is_ok(), may_plan);
        if !may_revoke {
            assert_eq!(workflow.revoke(&caller, id, "x").await.unwrap_err().reason(), "NOT_ALLOWED");
        }
    }
}

#[tokio::test]
async fn programs_ask_for_nothing_and_say_nothing() {
    let world = World::new().await;
    let id = world.asked(ANN, "admin").await;
    let workflow = &world.workflow;
    let ask = workflow.prepare(&program(ANN), &World::wish("reader")).await.map(drop);
    assert_eq!(ask.unwrap_err(), Refusal::PeopleOnly);
    assert_eq!(workflow.pending(&program(LEA), &PAGE).await.map(drop).unwrap_err(), Refusal::PeopleOnly);
    assert_eq!(workflow.deny(&program(LEA), id, "no").await.unwrap_err(), Refusal::PeopleOnly);
}
