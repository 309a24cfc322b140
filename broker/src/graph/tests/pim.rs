use serde_json::json;

use super::*;
use crate::ports::Directory;
use crate::ports::directory::{Assignment, GrantAnswer, Held, RevokeAnswer};

pub(super) const OURS: &str = "2c5b4a1e-0d7c-4f66-9a6f-5a1f5f8d0001";
pub(super) const THEIRS: &str = "2c5b4a1e-0d7c-4f66-9a6f-5a1f5f8d0002";
const MARKER: &str = "Elevate activation 0198a2f0-0000-7000-8000-000000000001";
pub(super) const POST: &str = "POST roleAssignmentScheduleRequests";
pub(super) const WAY: Way = Way::Pim;

pub(super) fn requests() -> String {
    format!("GET roleAssignmentScheduleRequests?$filter=principalId eq '{ANN}'")
}

pub(super) fn instances() -> String {
    format!("GET roleAssignmentScheduleInstances?$filter=principalId eq '{ANN}'")
}

pub(super) fn assignments() -> String {
    format!("GET roleAssignments?$filter=principalId eq '{ANN}'")
}

pub(super) fn request(status: &str) -> Value {
    json!({
        "id": OURS, "targetScheduleId": OURS, "status": status, "action": "adminAssign",
        "justification": MARKER, "principalId": ANN, "roleDefinitionId": GROUPS_ADMIN, "directoryScopeId": "/",
        "scheduleInfo": { "startDateTime": at(0).to_string(), "recurrence": null, "expiration":
            { "type": "afterDateTime", "duration": null, "endDateTime": at(3600).to_string() } },
    })
}

pub(super) fn theirs(status: &str) -> Value {
    let mut request = request(status);
    request["id"] = json!(THEIRS);
    request["targetScheduleId"] = json!(THEIRS);
    request["justification"] = json!("because I can");
    request
}

pub(super) fn instance(schedule: &str) -> Value {
    json!({
        "id": "i1", "principalId": ANN, "roleDefinitionId": GROUPS_ADMIN, "directoryScopeId": "/",
        "memberType": "Direct", "assignmentType": "Assigned", "roleAssignmentScheduleId": schedule,
        "roleAssignmentOriginId": "origin-1", "startDateTime": at(0).to_string(), "endDateTime": null,
    })
}

pub(super) fn assignment() -> Value {
    json!({ "id": "origin-1", "principalId": ANN, "roleDefinitionId": GROUPS_ADMIN, "directoryScopeId": "/" })
}

fn taken(status: &str) -> Reply {
    reply(201, request(status).to_string())
}

fn on_its_way() -> GrantAnswer {
    let reason = "Entra has taken the request, and not made it active yet (PendingProvisioning)".to_owned();
    GrantAnswer::Unclear { reason, after: Some(Duration::from_secs(2)) }
}

pub(super) fn wait_of(answer: &RevokeAnswer) -> Option<u64> {
    match answer {
        RevokeAnswer::NotYet { after, .. } => Some(after.map_or(0, |after| after.as_secs())),
        RevokeAnswer::Gone => None,
    }
}

#[tokio::test]
async fn the_request_says_until_when_and_whose_it_is_and_nothing_of_the_asker() {
    let Bench { stub, clock, graph } = bench().await;
    clock.advance(10);
    stub.expect(POST, taken("Provisioned"));
    assert_eq!(graph.grant(&first_try(WAY)).await, GrantAnswer::Done(id(OURS)));
    assert_eq!(
        stub.is_done()[0].json(),
        json!({
            "action": "adminAssign",
            "justification": MARKER,
            "principalId": ANN,
            "roleDefinitionId": GROUPS_ADMIN,
            "directoryScopeId": "/",
            "scheduleInfo": {
                "startDateTime": "2026-04-10T00:00:10Z",
                "expiration": { "type": "afterDateTime", "endDateTime": "2026-04-10T01:00:00Z" },
            },
        })
    );
}

#[tokio::test]
async fn taken_is_not_active() {
    for (status, shown, wanted) in [
        ("PendingProvisioning", vec![instance(OURS)], GrantAnswer::Done(id(OURS))),
        ("PendingProvisioning", vec![], on_its_way()),
        // Somebody else's is there: ours may still come, or fail.
        ("PendingProvisioning", vec![instance(THEIRS)], on_its_way()),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(POST, taken(status)).expect(instances(), value(&shown));
        assert_eq!(graph.grant(&first_try(WAY)).await, wanted);
        stub.is_done();
    }
    for status in ["Granted", "PendingScheduleCreation", "ScheduleCreated", "PendingApproval", "SomethingNew"]
    {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(POST, taken(status)).expect(instances(), nothing());
        let answer = graph.grant(&first_try(WAY)).await;
        assert!(matches!(answer, GrantAnswer::Unclear { after: Some(_), .. }), "{status}: {answer:?}");
    }
    for status in ["Failed", "Denied", "Canceled", "Revoked"] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(POST, taken(status)).expect(instances(), nothing());
        let answer = graph.grant(&first_try(WAY)).await;
        assert!(matches!(&answer, GrantAnswer::Refused(why) if why.contains(status)), "{answer:?}");
    }
}

#[tokio::test]
async fn each_answer_to_a_first_try_has_one_meaning() {
    let policy = reply(
        400,
        json!({ "error": { "code": "RoleAssignmentRequestPolicyValidationFailed", "message":
            "The following policy rules failed: [\"MfaRule\",\"ExpirationRule\"]" } })
        .to_string(),
    );
    for (answer, words) in [
        (problem(400, "RoleAssignmentExists"), "somebody else assigned"),
        (problem(400, "PendingRoleAssignmentRequest"), "somebody else assigned"),
        (problem(409, "RoleAssignmentExists"), "somebody else assigned"),
        (problem(400, "AadPremiumLicenseRequired"), "no licence"),
        (problem(400, "InvalidRoleAssignmentRequestSchedule"), "at least five minutes"),
        (problem(400, "RoleAssignmentRequestAcrsValidationFailed"), "authentication context"),
        (problem(400, "InvalidScope"), "this scope"),
        (problem(403, "Authorization_RequestDenied"), "elevated doctor"),
        (policy, "multifactor authentication of whoever assigns, a shorter term"),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(POST, answer.clone());
        match graph.grant(&first_try(WAY)).await {
            GrantAnswer::Refused(said) => {
                assert!(said.contains(words), "{answer:?}: {said}");
                assert!(!said.contains("://"), "{said}");
            }
            other => panic!("{answer:?} became {other:?}"),
        }
        stub.is_done();
    }
    for answer in [
        problem(404, "SubjectNotFound"),
        problem(404, "RoleNotFound"),
        problem(400, "ResourceIsLocked"),
        problem(429, "x"),
        problem(500, "x"),
        problem(504, "x"),
        lost(),
        reply(201, "{"),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(POST, answer.clone());
        let said = graph.grant(&first_try(WAY)).await;
        assert!(matches!(said, GrantAnswer::Unclear { .. }), "{answer:?} became {said:?}");
        stub.is_done();
    }
}

#[tokio::test]
async fn a_later_try_finds_its_own_request_by_the_marker() {
    let Bench { stub, graph, .. } = bench().await;
    let mut removal = request("Revoked");
    removal["action"] = json!("adminRemove");
    let mut elsewhere = request("Provisioned");
    elsewhere["roleDefinitionId"] = json!(USER_ADMIN);
    let others = [theirs("Provisioned"), removal, elsewhere];

    stub.expect(requests(), value(&[others.as_slice(), &[request("Provisioned")]].concat()));
    assert_eq!(graph.grant(&later_try(WAY)).await, GrantAnswer::Done(id(OURS)));

    stub.expect(requests(), value(&[request("PendingProvisioning")])).expect(instances(), nothing());
    assert_eq!(graph.grant(&later_try(WAY)).await, on_its_way());

    stub.expect(requests(), value(&[request("Failed")])).expect(instances(), nothing());
    assert!(matches!(graph.grant(&later_try(WAY)).await, GrantAnswer::Refused(_)));

    // None of ours: it never arrived, and is sent again.
    stub.expect(requests(), value(&others)).expect(POST, taken("Provisioned"));
    assert_eq!(graph.grant(&later_try(WAY)).await, GrantAnswer::Done(id(OURS)));
    stub.is_done();
}

#[tokio::test]
async fn a_duplicate_after_an_earlier_try_is_read_back() {
    for code in ["RoleAssignmentExists", "PendingRoleAssignmentRequest"] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(requests(), nothing())
            .expect(POST, problem(400, code))
            .expect(requests(), value(&[request("Provisioned")]));
        assert_eq!(graph.grant(&later_try(WAY)).await, GrantAnswer::Done(id(OURS)));

        stub.expect(requests(), nothing())
            .expect(POST, problem(400, code))
            .expect(requests(), value(&[theirs("Provisioned")]));
        let answer = graph.grant(&later_try(WAY)).await;
        assert!(matches!(answer, GrantAnswer::Unclear { .. }), "never adopted: {answer:?}");
        stub.is_done();
    }
}

#[tokio::test]
async fn what_entra_could_no_longer_end_is_not_sent_again() {
    let Bench { stub, clock, graph } = bench().await;
    clock.advance(3600 - 299);
    stub.expect(requests(), nothing());
    assert!(matches!(graph.grant(&later_try(WAY)).await, GrantAnswer::Unclear { .. }));
    stub.is_done();
}

#[tokio::test]
async fn a_role_counts_as_held_when_it_is_active_or_may_become_so() {
    let mut through_a_group = instance(THEIRS);
    through_a_group["memberType"] = json!("Group");
    let mut outside_pim = instance(THEIRS);
    outside_pim["roleAssignmentScheduleId"] = Value::Null;
    let mut over = theirs("PendingProvisioning");
    over["scheduleInfo"]["expiration"]["endDateTime"] = json!(at(0).to_string());
    let mut removal = theirs("PendingProvisioning");
    removal["action"] = json!("adminRemove");

    for (shown, wanted) in [(instance(THEIRS), THEIRS), (outside_pim, "origin-1")] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(instances(), value(&[shown]));
        assert_eq!(graph.look(slot().principal, &target(WAY)).await, Ok(Held::By(id(wanted))));
        stub.is_done();
    }
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(instances(), nothing()).expect(assignments(), value(&[assignment()]));
    assert_eq!(graph.look(slot().principal, &target(WAY)).await, Ok(Held::By(id("origin-1"))));
    for (asked_for, wanted) in [
        (vec![theirs("Granted")], Held::By(id(THEIRS))),
        (vec![theirs("PendingProvisioning")], Held::By(id(THEIRS))),
        (vec![theirs("Provisioned"), theirs("Revoked"), over, removal], Held::Nothing),
    ] {
        stub.expect(instances(), value(std::slice::from_ref(&through_a_group)))
            .expect(assignments(), nothing())
            .expect(requests(), value(&asked_for));
        assert_eq!(graph.look(slot().principal, &target(WAY)).await, Ok(wanted));
    }
    stub.expect(instances(), nothing())
        .expect(assignments(), nothing())
        .expect(requests(), problem(500, "x"));
    assert!(graph.look(slot().principal, &target(WAY)).await.is_err());
    stub.is_done();
}

#[tokio::test]
async fn a_listing_names_assignments_by_their_schedules() {
    let Bench { stub, graph, .. } = bench().await;
    let mut bens = assignment();
    bens["principalId"] = json!(BEN);
    bens["id"] = json!("bens");
    stub.expect(
        format!("GET roleAssignments?$filter=roleDefinitionId eq '{GROUPS_ADMIN}'"),
        value(&[assignment(), bens]),
    )
    .expect(
        format!("GET roleAssignmentScheduleInstances?$filter=roleDefinitionId eq '{GROUPS_ADMIN}'"),
        value(&[instance(OURS)]),
    );
    let ben = Slot { principal: Principal { object: BEN.parse().unwrap(), ..slot().principal }, ..slot() };
    let listed = graph.assignments(&target(WAY)).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&Assignment { id: id(OURS), slot: slot() }));
    assert!(listed.contains(&Assignment { id: id("bens"), slot: ben }));
    stub.is_done();
}

#[tokio::test]
async fn a_revocation_removes_the_triple_when_ours_is_what_it_holds() {
    let Bench { stub, clock, graph } = bench().await;
    clock.advance(600);
    for permit in [revocation(WAY, Some(OURS)), revocation(WAY, None)] {
        stub.expect(requests(), value(&[request("Provisioned")]))
            .expect(instances(), value(&[instance(OURS)]))
            .expect(POST, reply(201, "{}"))
            .expect(instances(), nothing())
            .expect(assignments(), nothing());
        assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
        assert_eq!(
            stub.is_done()[2].json(),
            json!({
                "action": "adminRemove",
                "justification": MARKER,
                "principalId": ANN,
                "roleDefinitionId": GROUPS_ADMIN,
                "directoryScopeId": "/",
            })
        );
    }
    // Also when the request itself is no longer listed, and only the record knows the schedule.
    stub.expect(requests(), nothing())
        .expect(instances(), value(&[instance(OURS)]))
        .expect(POST, reply(201, "{}"))
        .expect(instances(), nothing())
        .expect(assignments(), nothing());
    assert_eq!(graph.revoke(&revocation(WAY, Some(OURS))).await, RevokeAnswer::Gone);
    stub.is_done();
}

#[tokio::test]
async fn nothing_is_removed_in_the_first_five_minutes_and_it_says_so() {
    let Bench { stub, clock, graph } = bench().await;
    for (passed, wait) in [(100, 200), (199, 2), (10, 2)] {
        clock.advance(passed);
        stub.expect(requests(), value(&[request("Provisioned")]))
            .expect(instances(), value(&[instance(OURS)]))
            .expect(POST, problem(400, "ActiveDurationTooShort"));
        match graph.revoke(&revocation(WAY, Some(OURS))).await {
            RevokeAnswer::NotYet { reason, after } => {
                assert!(reason.contains("first five minutes"), "{reason}");
                assert_eq!(after, Some(Duration::from_secs(wait)));
            }
            RevokeAnswer::Gone => panic!("it is still there"),
        }
        stub.is_done();
    }
}

#[tokio::test]
async fn each_answer_to_a_removal_is_followed_by_a_read_or_by_another_try() {
    let Bench { stub, graph, .. } = bench().await;
    let permit = revocation(WAY, Some(OURS));
    for (answer, wait) in [
        (problem(403, "Authorization_RequestDenied"), 0),
        (problem(400, "PendingRoleAssignmentRequest"), 0),
        (problem(429, "x").with("retry-after", "0"), 0),
        (problem(500, "x"), 0),
        (lost(), 0),
    ] {
        stub.expect(requests(), value(&[request("Provisioned")]))
            .expect(instances(), value(&[instance(OURS)]))
            .expect(POST, answer.clone());
        assert_eq!(wait_of(&graph.revoke(&permit).await), Some(wait), "{answer:?}");
        stub.is_done();
    }
    for (instance_left, assignment_left, wait) in [
        (vec![instance(OURS)], None, Some(2)),
        (vec![], Some(vec![assignment()]), Some(2)),
        (vec![instance(THEIRS)], None, None),
        (vec![], Some(vec![]), None),
    ] {
        for answer in [reply(201, "{}"), problem(400, "RoleAssignmentDoesNotExist")] {
            stub.expect(requests(), value(&[request("Provisioned")]))
                .expect(instances(), value(&[instance(OURS)]))
                .expect(POST, answer)
                .expect(instances(), value(&instance_left));
            if let Some(left) = &assignment_left {
                stub.expect(assignments(), value(left));
            }
            assert_eq!(wait_of(&graph.revoke(&permit).await), wait);
            stub.is_done();
        }
    }
}

#[tokio::test]
async fn what_entra_has_ended_is_gone_when_reads_show_it() {
    for (status, passed) in [("Provisioned", 3600), ("Revoked", 10), ("Failed", 10), ("Canceled", 10)] {
        let Bench { stub, clock, graph } = bench().await;
        clock.advance(passed);
        stub.expect(requests(), value(&[request(status)]))
            .expect(instances(), nothing())
            .expect(instances(), nothing())
            .expect(assignments(), nothing());
        assert_eq!(graph.revoke(&revocation(WAY, Some(OURS))).await, RevokeAnswer::Gone, "{status}");
        stub.is_done();
    }
    // Over by the request, and still shown: Entra is slow, and is asked to remove it.
    let Bench { stub, clock, graph } = bench().await;
    clock.advance(3600);
    stub.expect(requests(), value(&[request("Provisioned")]))
        .expect(instances(), value(&[instance(OURS)]))
        .expect(POST, problem(400, "RoleAssignmentDoesNotExist"))
        .expect(instances(), value(&[instance(OURS)]));
    assert_eq!(wait_of(&graph.revoke(&revocation(WAY, Some(OURS))).await), Some(2));
    stub.is_done();
}

#[tokio::test]
async fn what_was_provisioned_and_is_not_shown_yet_is_removed_all_the_same() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(requests(), value(&[request("Provisioned")]))
        .expect(instances(), nothing())
        .expect(POST, problem(400, "ActiveDurationTooShort"));
    assert_eq!(wait_of(&graph.revoke(&revocation(WAY, Some(OURS))).await), Some(30));
    stub.is_done();
}

#[tokio::test]
async fn what_is_still_to_come_is_stopped_or_waited_for() {
    let Bench { stub, graph, .. } = bench().await;
    for held in [None, Some(OURS)] {
        stub.expect(requests(), value(&[request("Granted")]))
            .expect(instances(), nothing())
            .expect(format!("{POST}/{OURS}/cancel"), reply(204, ""));
        assert_eq!(wait_of(&graph.revoke(&revocation(WAY, held)).await), Some(2));

        stub.expect(requests(), value(&[request("Canceled")]))
            .expect(instances(), nothing())
            .expect(instances(), nothing())
            .expect(assignments(), nothing());
        assert_eq!(graph.revoke(&revocation(WAY, held)).await, RevokeAnswer::Gone);

        stub.expect(requests(), value(&[request("PendingProvisioning")])).expect(instances(), nothing());
        assert_eq!(wait_of(&graph.revoke(&revocation(WAY, held)).await), Some(2));
        stub.is_done();
    }
}

#[tokio::test]
async fn somebody_elses_at_the_slot_is_never_removed() {
    let Bench { stub, clock, graph } = bench().await;
    // Ours is over, theirs stands.
    for status in ["Provisioned", "Failed"] {
        stub.expect(requests(), value(&[request(status), theirs("Provisioned")]))
            .expect(instances(), value(&[instance(THEIRS)]))
            .expect(instances(), value(&[instance(THEIRS)]));
        assert_eq!(graph.revoke(&revocation(WAY, Some(OURS))).await, RevokeAnswer::Gone);
        stub.is_done();
    }
    // Whether ours ever arrived is not known: two looks, and theirs stays.
    for wait in [Some(30), None] {
        stub.expect(requests(), value(&[theirs("Provisioned")]))
            .expect(instances(), value(&[instance(THEIRS)]));
        if wait.is_none() {
            stub.expect(instances(), value(&[instance(THEIRS)]));
        }
        assert_eq!(wait_of(&graph.revoke(&revocation(WAY, None)).await), wait);
        clock.advance(30);
        stub.is_done();
    }
}

#[tokio::test]
async fn a_grant_never_heard_of_is_looked_for_twice() {
    let Bench { stub, clock, graph } = bench().await;
    let permit = revocation(WAY, None);
    stub.expect(requests(), nothing()).expect(instances(), nothing());
    assert_eq!(wait_of(&graph.revoke(&permit).await), Some(30));
    clock.advance(30);
    stub.expect(requests(), nothing())
        .expect(instances(), nothing())
        .expect(instances(), nothing())
        .expect(assignments(), nothing());
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    stub.is_done();
}
