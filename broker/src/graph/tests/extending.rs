use elevate_core::activation::Cause;
use serde_json::json;

use super::pim::{
    OURS, POST, THEIRS, WAY, assignments, instance, instances, request, requests, theirs, wait_of,
};
use super::*;
use crate::ports::Directory;
use crate::ports::directory::{GrantAnswer, RevokeAnswer};

const EXTENSION: &str = "2c5b4a1e-0d7c-4f66-9a6f-5a1f5f8d0003";
const MARKER: &str = "Elevate activation 0198a2f0-0000-7000-8000-000000000002";

fn first() -> ExtendPermit {
    extension_of(target(WAY), OURS, &Retry::first(at(0)))
}

fn later() -> ExtendPermit {
    extension_of(target(WAY), OURS, &Retry::first(at(0)).again(at(0), "busy".to_owned()))
}

fn extended(status: &str) -> Value {
    let mut extended = request(status);
    extended["id"] = json!(EXTENSION);
    extended["action"] = json!("adminExtend");
    extended["justification"] = json!(MARKER);
    extended["scheduleInfo"]["expiration"]["endDateTime"] = json!(at(3 * 3600).to_string());
    extended
}

fn until(seconds: i64) -> Value {
    let mut shown = instance(OURS);
    shown["endDateTime"] = json!(at(seconds).to_string());
    shown
}

fn unclear(answer: &GrantAnswer) -> bool {
    matches!(answer, GrantAnswer::Unclear { .. })
}

/// The revocation of the one that has taken over.
fn revocation_of_the_new(held: &str) -> RevokePermit {
    let state = State::Revoking {
        held: Some(id(held)),
        not_after: at(3 * 3600),
        cause: Cause::Expired,
        retry: Retry::first(at(0)),
    };
    let mut new = activation_of(target(WAY), state);
    new.id = ANOTHER.parse().unwrap();
    RevokePermit::from(&Recorded::loaded(new)).unwrap()
}

#[tokio::test]
async fn a_permit_to_extend_needs_one_that_is_to_continue_and_one_that_is_held() {
    let active = || activation_of(target(WAY), State::Active { not_after: at(3600), held: id(OURS) });
    let activating = |continues| {
        let mut new =
            activation_of(target(WAY), State::Activating { not_after: at(7200), retry: Retry::first(at(0)) });
        new.id = ANOTHER.parse().unwrap();
        new.request.asked.continues = continues;
        new
    };
    let permit = |new: Activation, old: Activation| {
        ExtendPermit::from(&Recorded::loaded(new), &Recorded::loaded(old)).is_some()
    };
    let this = Some(active().id);
    assert!(permit(activating(this), active()));
    assert!(!permit(activating(None), active()), "it continues none");
    assert!(!permit(activating(Some(ANOTHER.parse().unwrap())), active()), "it continues another");
    assert!(!permit(Activation { state: State::Requested, ..activating(this) }, active()), "no intent");
    let over = State::Revoking {
        held: Some(id(OURS)),
        not_after: at(3600),
        cause: Cause::Expired,
        retry: Retry::first(at(0)),
    };
    assert!(!permit(activating(this), Activation { state: over, ..active() }), "it is being taken away");
    let mut bens = active();
    bens.request.asked.principal.object = BEN.parse().unwrap();
    assert!(!permit(activating(this), bens), "it is somebody else's");
    let narrower = target(Way::Pim).narrowed_to(Scope::Object(BEN.parse().unwrap())).unwrap();
    assert!(!permit(Activation { target: narrower, ..activating(this) }, active()), "it is less");
}

#[tokio::test]
async fn what_the_broker_alone_ends_is_only_read() {
    let held = |id: &str| {
        value(&[
            json!({ "id": id, "principalId": ANN, "roleDefinitionId": GROUPS_ADMIN, "directoryScopeId": "/" }),
        ])
    };
    let Bench { stub, graph, .. } = bench().await;
    let permit = extension_of(target(Way::Assignment), "ours", &Retry::first(at(0)));
    stub.expect(assignments(), held("ours"));
    assert_eq!(graph.extend(&permit).await, GrantAnswer::Done(id("ours")));
    stub.expect(assignments(), held("theirs"));
    let refused = graph.extend(&permit).await;
    assert!(matches!(&refused, GrantAnswer::Refused(why) if why.contains("another hand")), "{refused:?}");
    for answer in [nothing(), problem(503, "x")] {
        stub.expect(assignments(), answer);
        assert!(unclear(&graph.extend(&permit).await));
    }
    stub.is_done();
}

#[tokio::test]
async fn the_request_names_the_new_end_and_the_new_activation() {
    let Bench { stub, clock, graph } = bench().await;
    clock.advance(1800);
    stub.expect(instances(), value(&[until(3600)]))
        .expect(POST, reply(201, extended("Provisioned").to_string()))
        .expect(instances(), value(&[until(3 * 3600)]));
    assert_eq!(graph.extend(&first()).await, GrantAnswer::Done(id(OURS)), "the schedule stays");
    assert_eq!(
        stub.is_done()[1].json(),
        json!({
            "action": "adminExtend",
            "justification": MARKER,
            "principalId": ANN,
            "roleDefinitionId": GROUPS_ADMIN,
            "directoryScopeId": "/",
            "scheduleInfo": {
                "startDateTime": "2026-04-10T00:30:00Z",
                "expiration": { "type": "afterDateTime", "endDateTime": "2026-04-10T03:00:00Z" },
            },
        })
    );
}

#[tokio::test]
async fn nothing_is_sent_about_what_is_not_ours_or_not_shown_or_at_its_end() {
    for (shown, refused) in [(vec![instance(THEIRS)], true), (vec![], false)] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(instances(), value(&shown));
        let answer = graph.extend(&first()).await;
        assert_eq!((matches!(answer, GrantAnswer::Refused(_)), unclear(&answer)), (refused, !refused));
        stub.is_done();
    }
    let Bench { stub, clock, graph } = bench().await;
    clock.advance(3600);
    stub.expect(instances(), value(&[until(3600)]));
    let late = graph.extend(&first()).await;
    assert!(!matches!(late, GrantAnswer::Done(_)), "{late:?}");
    stub.is_done();
}

#[tokio::test]
async fn taken_is_not_extended() {
    for (status, shown, done) in [
        ("PendingProvisioning", vec![until(3600)], false),
        ("PendingProvisioning", vec![], false),
        ("PendingProvisioning", vec![until(3 * 3600)], true),
        ("Provisioned", vec![until(3600)], true),
        ("Provisioned", vec![], false),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(instances(), value(&[until(3600)]))
            .expect(POST, reply(201, extended(status).to_string()))
            .expect(instances(), value(&shown));
        let answer = graph.extend(&first()).await;
        assert_eq!((matches!(answer, GrantAnswer::Done(_)), unclear(&answer)), (done, !done), "{status}");
        stub.is_done();
    }
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(instances(), value(&[until(3600)]))
        .expect(POST, reply(201, extended("Failed").to_string()))
        .expect(instances(), value(&[until(3600)]));
    assert!(matches!(graph.extend(&first()).await, GrantAnswer::Refused(why) if why.contains("Failed")));
}

#[tokio::test]
async fn each_answer_to_an_extension_has_one_meaning() {
    for (answer, words) in [
        (problem(400, "RoleAssignmentDoesNotExist"), "has ended it already"),
        (problem(400, "InvalidRoleAssignmentRequestSchedule"), "does not take this term"),
        (problem(400, "RoleAssignmentRequestPolicyValidationFailed"), "settings"),
        (problem(403, "Authorization_RequestDenied"), "elevated doctor"),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(instances(), value(&[until(3600)])).expect(POST, answer.clone());
        match graph.extend(&first()).await {
            GrantAnswer::Refused(said) => assert!(said.contains(words), "{answer:?}: {said}"),
            other => panic!("{answer:?} became {other:?}"),
        }
        stub.is_done();
    }
    for answer in [
        problem(400, "PendingRoleAssignmentRequest"),
        problem(404, "SubjectNotFound"),
        problem(429, "x"),
        problem(500, "x"),
        lost(),
        reply(201, "{"),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(instances(), value(&[until(3600)])).expect(POST, answer.clone());
        let said = graph.extend(&first()).await;
        assert!(unclear(&said), "{answer:?} became {said:?}");
        stub.is_done();
    }
}

#[tokio::test]
async fn a_later_try_finds_its_own_extension_and_sends_it_once() {
    let Bench { stub, graph, .. } = bench().await;
    // The grant of what is extended is not an extension, and another's mark is not ours.
    let mut anothers = extended("Provisioned");
    anothers["justification"] = json!("Elevate activation 0198a2f0-0000-7000-8000-000000000009");
    let others = [request("Provisioned"), theirs("Provisioned"), anothers];
    stub.expect(instances(), value(&[until(3600)]))
        .expect(requests(), value(&[others.as_slice(), &[extended("Provisioned")]].concat()));
    assert_eq!(graph.extend(&later()).await, GrantAnswer::Done(id(OURS)));
    stub.expect(instances(), value(&[until(3600)]))
        .expect(requests(), value(&[extended("PendingProvisioning")]));
    assert!(unclear(&graph.extend(&later()).await));
    // None of ours: it never arrived, and is sent again.
    stub.expect(instances(), value(&[until(3600)]))
        .expect(requests(), value(&others))
        .expect(POST, reply(201, extended("Provisioned").to_string()))
        .expect(instances(), value(&[until(3 * 3600)]));
    assert_eq!(graph.extend(&later()).await, GrantAnswer::Done(id(OURS)));
    // It arrived, and is not listed yet: then it is no extension any more.
    stub.expect(instances(), value(&[until(3600)]))
        .expect(requests(), value(&others))
        .expect(POST, problem(400, "InvalidRoleAssignmentRequestSchedule"));
    assert!(unclear(&graph.extend(&later()).await));
    stub.is_done();
}

#[tokio::test]
async fn what_was_extended_and_taken_over_is_removed_as_ours() {
    let Bench { stub, clock, graph } = bench().await;
    clock.advance(3 * 3600);
    // Listed or not: the record knows the schedule.
    for listed in [vec![request("Provisioned"), extended("Provisioned")], vec![]] {
        stub.expect(requests(), value(&listed))
            .expect(instances(), value(&[until(3 * 3600)]))
            .expect(POST, reply(201, "{}"))
            .expect(instances(), nothing())
            .expect(assignments(), nothing());
        assert_eq!(graph.revoke(&revocation_of_the_new(OURS)).await, RevokeAnswer::Gone);
        assert_eq!(stub.is_done()[2].json()["justification"], MARKER);
    }
}

#[tokio::test]
async fn what_was_extended_and_never_taken_over_is_removed_at_its_old_end() {
    let Bench { stub, clock, graph } = bench().await;
    clock.advance(3600);
    let listed = || value(&[request("Provisioned"), extended("Provisioned"), theirs("Canceled")]);
    // Entra would keep it for two hours more.
    stub.expect(requests(), listed())
        .expect(instances(), value(&[until(3 * 3600)]))
        .expect(POST, reply(201, "{}"))
        .expect(instances(), nothing())
        .expect(assignments(), nothing());
    assert_eq!(graph.revoke(&revocation(WAY, Some(OURS))).await, RevokeAnswer::Gone);
    stub.is_done();
    // Also when no read shows it: by the extension it is live, so it is removed and not believed gone.
    stub.expect(requests(), listed())
        .expect(instances(), nothing())
        .expect(POST, problem(400, "RoleAssignmentDoesNotExist"))
        .expect(instances(), nothing())
        .expect(assignments(), nothing());
    assert_eq!(graph.revoke(&revocation(WAY, Some(OURS))).await, RevokeAnswer::Gone);
    stub.is_done();
    // One that may still come is waited for.
    stub.expect(requests(), value(&[request("Provisioned"), extended("PendingProvisioning")]))
        .expect(instances(), nothing());
    assert_eq!(wait_of(&graph.revoke(&revocation(WAY, Some(OURS))).await), Some(2));
    stub.is_done();
}

#[tokio::test]
async fn an_extension_of_what_is_over_says_nothing() {
    let Bench { stub, clock, graph } = bench().await;
    clock.advance(1800);
    // Removed by another hand, and assigned anew: what is not shown yet may be theirs.
    stub.expect(requests(), value(&[request("Revoked"), extended("Provisioned")]))
        .expect(instances(), nothing())
        .expect(instances(), nothing())
        .expect(assignments(), nothing());
    assert_eq!(graph.revoke(&revocation_of_the_new(OURS)).await, RevokeAnswer::Gone);
    stub.is_done();
}

#[tokio::test]
async fn a_place_in_a_group_is_only_read_and_not_left_to_a_last_owner() {
    let Bench { stub, graph, .. } = bench().await;
    let member = extension_of(target(Way::Group), group::name().as_str(), &Retry::first(at(0)));
    stub.expect(group::get(), group::shown());
    assert_eq!(graph.extend(&member).await, GrantAnswer::Done(group::name()));
    for (answer, list) in [(missing(), Some(value(&[group::user(BEN)]))), (problem(503, "x"), None)] {
        stub.expect(group::get(), answer);
        if let Some(list) = list {
            stub.expect(group::list(), list);
        }
        assert!(unclear(&graph.extend(&member).await));
    }
    // Nobody else owns it any more: at the later end it could not be taken back.
    let owner = extension_of(group::owner(), group::name().as_str(), &Retry::first(at(0)));
    stub.expect(group::owners(), value(&[group::user(ANN)]));
    let refused = graph.extend(&owner).await;
    assert!(matches!(&refused, GrantAnswer::Refused(why) if why.contains("last owner")), "{refused:?}");
    stub.is_done();
}

/// What PIM for Groups holds as ours, until then.
fn seat(relation: Relation, seconds: i64) -> Value {
    let mut shown = pim_group::instance(relation, &pim_group::schedule(relation));
    shown["endDateTime"] = json!(at(seconds).to_string());
    shown
}

fn extended_seat(relation: Relation, status: &str) -> Value {
    let mut extended = pim_group::request(relation, status);
    extended["id"] = json!(EXTENSION);
    extended["action"] = json!("adminExtend");
    extended["justification"] = json!(MARKER);
    extended["scheduleInfo"]["expiration"]["endDateTime"] = json!(at(3 * 3600).to_string());
    extended
}

#[tokio::test]
async fn pim_for_groups_is_asked_at_its_own_door() {
    for relation in [Relation::Member, Relation::Owner] {
        let Bench { stub, graph, .. } = bench().await;
        let schedule = pim_group::schedule(relation);
        let permit = extension_of(pim_group::place(relation), &schedule, &Retry::first(at(0)));
        stub.expect(pim_group::instances(), value(&[seat(relation, 3600)]));
        if relation == Relation::Owner {
            stub.expect(pim_group::list(relation), value(&[pim_group::user(BEN)]));
        }
        stub.expect(
            pim_group::post(),
            reply(201, extended_seat(relation, "PendingProvisioning").to_string()),
        )
        .expect(pim_group::instances(), value(&[seat(relation, 3 * 3600)]));
        assert_eq!(graph.extend(&permit).await, GrantAnswer::Done(id(&schedule)));
        let seen = stub.is_done();
        let sent = seen.iter().find(|seen| seen.line == pim_group::post()).unwrap();
        assert_eq!(
            sent.json(),
            json!({
                "action": "adminExtend",
                "justification": MARKER,
                "principalId": ANN,
                "groupId": pim_group::GROUP,
                "accessId": relation.as_str(),
                "scheduleInfo": {
                    "startDateTime": "2026-04-10T00:00:00Z",
                    "expiration": { "type": "afterDateTime", "endDateTime": "2026-04-10T03:00:00Z" },
                },
            })
        );
        // Another's place, and a refusal.
        stub.expect(
            pim_group::instances(),
            value(&[pim_group::instance(relation, &pim_group::unscheduled(relation))]),
        );
        let refused = graph.extend(&permit).await;
        assert!(
            matches!(&refused, GrantAnswer::Refused(why) if why.contains("this place in the group")),
            "{refused:?}"
        );
        if relation == Relation::Member {
            stub.expect(pim_group::instances(), value(&[seat(relation, 3600)]))
                .expect(pim_group::post(), problem(403, "Authorization_RequestDenied"));
            assert!(matches!(graph.extend(&permit).await, GrantAnswer::Refused(_)));
        }
        stub.is_done();
    }
}

#[tokio::test]
async fn a_place_that_would_stay_with_the_last_owner_is_not_extended() {
    let Bench { stub, graph, .. } = bench().await;
    let owner = Relation::Owner;
    for tries in [Retry::first(at(0)), Retry::first(at(0)).again(at(0), "busy".to_owned())] {
        stub.expect(pim_group::instances(), value(&[seat(owner, 3600)]));
        if tries.tries > 0 {
            stub.expect(pim_group::requests(), nothing());
        }
        stub.expect(pim_group::list(owner), value(&[pim_group::user(ANN)]));
        let permit = extension_of(pim_group::place(owner), &pim_group::schedule(owner), &tries);
        let refused = graph.extend(&permit).await;
        assert!(matches!(&refused, GrantAnswer::Refused(why) if why.contains("last owner")), "{refused:?}");
    }
    stub.is_done();
}

#[tokio::test]
async fn a_place_that_was_extended_for_nothing_is_removed_at_its_old_end() {
    let member = Relation::Member;
    let Bench { stub, clock, graph } = bench().await;
    clock.advance(3600);
    let listed = [pim_group::request(member, "Provisioned"), extended_seat(member, "Provisioned")];
    stub.expect(pim_group::requests(), value(&listed))
        .expect(pim_group::instances(), value(&[seat(member, 3 * 3600)]))
        .expect(pim_group::post(), reply(201, "{}"))
        .expect(pim_group::instances(), nothing())
        .expect(pim_group::get(member), missing())
        .expect(pim_group::list(member), value(&[pim_group::user(BEN)]));
    let permit = revocation_of(pim_group::place(member), Some(&pim_group::schedule(member)));
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    assert_eq!(stub.is_done()[2].json()["action"], "adminRemove");
}
