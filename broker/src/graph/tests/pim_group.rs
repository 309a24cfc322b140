//! The way `pim-group`. What PIM's requests have in common with roles is tested there.

use serde_json::json;

use super::*;
use crate::ports::Directory;
use crate::ports::directory::{Assignment, GrantAnswer, Held, RevokeAnswer};

pub(super) const GROUP: &str = GROUPS_ADMIN;
pub(super) const REQUEST: &str = "2c5b4a1e-0d7c-4f66-9a6f-5a1f5f8d0001";
const MARKER: &str = "Elevate activation 0198a2f0-0000-7000-8000-000000000001";
const ROOT: &str = "identityGovernance/privilegedAccess/group";
const WAY: Way = Way::PimGroup;

pub(super) fn place(relation: Relation) -> Target {
    Target::PimGroup(Membership { group: GROUP.parse().unwrap(), relation })
}

pub(super) fn schedule(relation: Relation) -> String {
    format!("{GROUP}_{relation}_{REQUEST}")
}

/// What PIM calls a place that it did not make, or that it gave up ending.
pub(super) fn unscheduled(relation: Relation) -> String {
    format!("{GROUP}_{relation}_{ANN}")
}

pub(super) fn post() -> String {
    format!("POST {ROOT}/assignmentScheduleRequests")
}

pub(super) fn requests() -> String {
    format!("GET {ROOT}/assignmentScheduleRequests?$filter=principalId eq '{ANN}'")
}

pub(super) fn instances() -> String {
    format!("GET {ROOT}/assignmentScheduleInstances?$filter=principalId eq '{ANN}'")
}

pub(super) fn get(relation: Relation) -> String {
    format!("GET groups/{GROUP}/{relation}s/{ANN}/$ref")
}

pub(super) fn list(relation: Relation) -> String {
    format!("GET groups/{GROUP}/{relation}s?$select=id&$top=999")
}

pub(super) fn user(id: &str) -> Value {
    json!({ "@odata.type": "#microsoft.graph.user", "id": id })
}

pub(super) fn request(relation: Relation, status: &str) -> Value {
    json!({
        "id": REQUEST, "targetScheduleId": schedule(relation), "status": status, "action": "adminAssign",
        "justification": MARKER, "principalId": ANN, "groupId": GROUP, "accessId": relation.as_str(),
        "scheduleInfo": { "startDateTime": at(0).to_string(), "expiration":
            { "type": "afterDateTime", "duration": null, "endDateTime": at(3600).to_string() } },
    })
}

pub(super) fn instance(relation: Relation, schedule: &str) -> Value {
    json!({
        "id": unscheduled(relation), "principalId": ANN, "groupId": GROUP, "accessId": relation.as_str(),
        "memberType": "direct", "assignmentType": "assigned", "assignmentScheduleId": schedule,
        "startDateTime": at(0).to_string(), "endDateTime": null,
    })
}

fn nobody_there(stub: &Stub, relation: Relation) {
    stub.expect(get(relation), missing()).expect(list(relation), value(&[user(BEN)]));
}

#[tokio::test]
async fn the_request_names_the_group_and_the_place_and_ends_as_a_date() {
    use Relation::{Member, Owner};
    for relation in [Member, Owner] {
        let Bench { stub, graph, .. } = bench().await;
        if relation == Owner {
            stub.expect(list(Owner), value(&[user(BEN)]));
        }
        stub.expect(post(), reply(201, request(relation, "PendingProvisioning").to_string()))
            .expect(instances(), value(&[instance(relation, &schedule(relation))]));
        let answer = graph.grant(&first_try_of(place(relation))).await;
        assert_eq!(answer, GrantAnswer::Done(id(&schedule(relation))));
        let seen = stub.is_done();
        let sent = seen.iter().find(|seen| seen.line == post()).unwrap();
        assert_eq!(
            sent.json(),
            json!({
                "action": "adminAssign",
                "justification": MARKER,
                "principalId": ANN,
                "groupId": GROUP,
                "accessId": relation.as_str(),
                "scheduleInfo": {
                    "startDateTime": "2026-04-10T00:00:00Z",
                    "expiration": { "type": "afterDateTime", "endDateTime": "2026-04-10T01:00:00Z" },
                },
            })
        );
    }
}

#[tokio::test]
async fn a_member_is_no_owner_and_another_group_another_place() {
    let Bench { stub, graph, .. } = bench().await;
    let mut elsewhere = request(Relation::Member, "Provisioned");
    elsewhere["groupId"] = json!(USER_ADMIN);
    let others = [request(Relation::Owner, "Provisioned"), elsewhere];
    stub.expect(requests(), value(&others))
        .expect(post(), reply(201, request(Relation::Member, "Provisioned").to_string()));
    assert_eq!(graph.grant(&later_try(WAY)).await, GrantAnswer::Done(id(&schedule(Relation::Member))));
    stub.is_done();

    stub.expect(instances(), value(&[instance(Relation::Owner, "x")]));
    nobody_there(&stub, Relation::Member);
    stub.expect(requests(), value(&others));
    assert_eq!(graph.look(slot().principal, &target(WAY)).await, Ok(Held::Nothing));
    stub.is_done();
}

#[tokio::test]
async fn each_answer_to_a_first_try_has_one_meaning() {
    for (answer, words) in [
        (problem(400, "RoleAssignmentExists"), "somebody else gave you this place"),
        (problem(400, "AadPremiumLicenseRequired"), "by the way `group`"),
        (problem(400, "Request_BadRequest"), "elevated doctor"),
        (problem(403, "Authorization_RequestDenied"), "elevated doctor"),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(post(), answer.clone());
        let said = graph.grant(&first_try(WAY)).await;
        assert!(matches!(&said, GrantAnswer::Refused(why) if why.contains(words)), "{answer:?}: {said:?}");
        stub.is_done();
    }
    for answer in [problem(404, "SubjectNotFound"), problem(429, "x"), problem(504, "x"), lost()] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(post(), answer.clone());
        let said = graph.grant(&first_try(WAY)).await;
        assert!(matches!(said, GrantAnswer::Unclear { .. }), "{answer:?}: {said:?}");
        stub.is_done();
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_found_by_the_marker() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(requests(), value(&[request(Relation::Member, "Provisioned")]));
    assert_eq!(graph.grant(&later_try(WAY)).await, GrantAnswer::Done(id(&schedule(Relation::Member))));
    stub.expect(requests(), nothing())
        .expect(post(), problem(400, "PendingRoleAssignmentRequest"))
        .expect(requests(), nothing());
    let answer = graph.grant(&later_try(WAY)).await;
    assert!(matches!(answer, GrantAnswer::Unclear { after: Some(_), .. }), "{answer:?}");
    stub.is_done();
}

#[tokio::test]
async fn a_place_counts_as_held_by_a_schedule_by_hand_or_when_it_is_on_its_way() {
    let Bench { stub, graph, .. } = bench().await;
    let member = Relation::Member;
    let look = async || graph.look(slot().principal, &target(WAY)).await;
    stub.expect(instances(), value(&[instance(member, "x")]));
    assert_eq!(look().await, Ok(Held::By(id("x"))));
    let address = format!("https://graph.microsoft.com/v1.0/directoryObjects/{ANN}");
    stub.expect(instances(), nothing()).expect(get(member), ok(json!({ "@odata.id": address })));
    assert_eq!(look().await, Ok(Held::By(id(&unscheduled(member)))));
    let mut another = request(member, "Granted");
    another["justification"] = json!("because I can");
    stub.expect(instances(), nothing());
    nobody_there(&stub, member);
    stub.expect(requests(), value(&[another]));
    assert_eq!(look().await, Ok(Held::By(id(&schedule(member)))));
    stub.is_done();
}

#[tokio::test]
async fn a_listing_names_places_by_their_schedules() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(list(Relation::Member), value(&[user(ANN), user(BEN)])).expect(
        format!("GET {ROOT}/assignmentScheduleInstances?$filter=groupId eq '{GROUP}'"),
        value(&[instance(Relation::Member, "x"), instance(Relation::Owner, "y")]),
    );
    let ben = Principal { object: BEN.parse().unwrap(), ..slot().principal };
    let listed = graph.assignments(&target(WAY)).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&Assignment { id: id("x"), slot: target(WAY).slot(slot().principal) }));
    let bens = format!("{GROUP}_member_{BEN}");
    assert!(listed.contains(&Assignment { id: id(&bens), slot: target(WAY).slot(ben) }));
    stub.is_done();
}

#[tokio::test]
async fn a_revocation_removes_what_is_ours_after_five_minutes() {
    let Bench { stub, clock, graph } = bench().await;
    let member = Relation::Member;
    let permit = revocation(WAY, Some(&schedule(member)));
    clock.advance(100);
    stub.expect(requests(), value(&[request(member, "Provisioned")]))
        .expect(instances(), value(&[instance(member, &schedule(member))]))
        .expect(post(), problem(400, "ActiveDurationTooShort"));
    match graph.revoke(&permit).await {
        RevokeAnswer::NotYet { after, .. } => assert_eq!(after, Some(Duration::from_secs(200))),
        RevokeAnswer::Gone => panic!("it is still there"),
    }
    clock.advance(200);
    stub.expect(requests(), value(&[request(member, "Provisioned")]))
        .expect(instances(), value(&[instance(member, &schedule(member))]))
        .expect(post(), reply(201, "{}"))
        .expect(instances(), nothing());
    nobody_there(&stub, member);
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    let seen = stub.is_done();
    let sent = seen.iter().rfind(|seen| seen.line == post()).unwrap().json();
    assert_eq!(
        sent,
        json!({ "action": "adminRemove", "justification": MARKER, "principalId": ANN, "groupId": GROUP,
            "accessId": "member" })
    );
    assert!(seen.iter().all(|seen| !seen.line.starts_with("DELETE")));
}

#[tokio::test]
async fn somebody_elses_place_is_never_removed() {
    let Bench { stub, graph, .. } = bench().await;
    let member = Relation::Member;
    for status in ["Provisioned", "Failed", "Revoked"] {
        stub.expect(requests(), value(&[request(member, status)]))
            .expect(instances(), value(&[instance(member, &unscheduled(member))]))
            .expect(instances(), value(&[instance(member, &unscheduled(member))]));
        let answer = graph.revoke(&revocation(WAY, Some(&schedule(member)))).await;
        assert_eq!(answer, RevokeAnswer::Gone, "{status}");
        stub.is_done();
    }
}

#[tokio::test]
async fn nobody_is_made_the_only_owner() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(list(Relation::Owner), value(&[user(ANN)]));
    let answer = graph.grant(&first_try_of(place(Relation::Owner))).await;
    assert!(matches!(&answer, GrantAnswer::Refused(why) if why.contains("an owner who stays")), "{answer:?}");
    stub.is_done();
}

#[tokio::test]
async fn who_became_the_last_owner_stays_until_there_is_another_and_it_says_so() {
    let Bench { stub, clock, graph } = bench().await;
    let owner = Relation::Owner;
    let permit = revocation_of(place(owner), Some(&schedule(owner)));
    let message = "The group must have at least one owner, hence this owner cannot be removed.";
    let refused = json!({ "error": { "code": "Request_BadRequest", "message": message } });
    let reason_of = |answer: RevokeAnswer| match answer {
        RevokeAnswer::NotYet { reason, .. } => reason,
        RevokeAnswer::Gone => panic!("they still own it"),
    };
    clock.advance(3600);
    stub.expect(requests(), value(&[request(owner, "Provisioned")]))
        .expect(instances(), value(&[instance(owner, &schedule(owner))]))
        .expect(post(), reply(400, refused.to_string()));
    let reason = reason_of(graph.revoke(&permit).await);
    assert!(reason.contains("make somebody else an owner"), "{reason}");

    // PIM has given up, after thirty days: no schedule is left, and the ownership is.
    clock.advance(30 * 24 * 3600);
    let left = value(&[instance(owner, &unscheduled(owner))]);
    stub.expect(requests(), value(&[request(owner, "Provisioned")]))
        .expect(instances(), left.clone())
        .expect(instances(), left.clone());
    let reason = reason_of(graph.revoke(&permit).await);
    assert!(reason.contains("remove this owner by hand"), "{reason}");

    // Ours was removed before its end, so this is somebody else's.
    stub.expect(requests(), value(&[request(owner, "Revoked")]))
        .expect(instances(), left.clone())
        .expect(instances(), left);
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);

    stub.expect(requests(), value(&[request(owner, "Provisioned")]))
        .expect(instances(), nothing())
        .expect(instances(), nothing());
    nobody_there(&stub, owner);
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    stub.is_done();
}
