use serde_json::json;

use super::*;
use crate::ports::Directory;
use crate::ports::directory::{Assignment, GrantAnswer, Held, RevokeAnswer};

const OURS: &str = "YUb1sHQtUEyvox7IA_Eu_mm3jqnUe4lEhvatluHVi2I-1";
const CREATE: &str = "POST roleAssignments";
const WAY: Way = Way::Assignment;

fn list() -> String {
    format!("GET roleAssignments?$filter=principalId eq '{ANN}'")
}

fn get() -> String {
    format!("GET roleAssignments/{OURS}")
}

fn delete() -> String {
    format!("DELETE roleAssignments/{OURS}")
}

fn held(id: &str) -> Value {
    held_by(id, ANN, GROUPS_ADMIN, "/")
}

fn held_by(id: &str, principal: &str, role: &str, scope: &str) -> Value {
    json!({ "id": id, "principalId": principal, "roleDefinitionId": role, "directoryScopeId": scope })
}

fn created() -> Reply {
    reply(201, held(OURS).to_string())
}

fn duplicate() -> Reply {
    let message = "A conflicting object with one or more of the specified property values is present in the \
                   directory.";
    reply(400, json!({ "error": { "code": "Request_BadRequest", "message": message } }).to_string())
}

fn duplicate_by_409() -> Reply {
    let details = json!([{ "code": "ConflictingObjects", "message": "x" }]);
    let code = "Request_MultipleObjectsWithSameKeyValue";
    reply(409, json!({ "error": { "code": code, "message": "x", "details": details } }).to_string())
}

fn unclear(answer: &GrantAnswer) -> bool {
    matches!(answer, GrantAnswer::Unclear { .. })
}

fn wait_of(answer: &RevokeAnswer) -> Option<u64> {
    match answer {
        RevokeAnswer::NotYet { after, .. } => Some(after.map_or(0, |after| after.as_secs())),
        RevokeAnswer::Gone => None,
    }
}

#[tokio::test]
async fn a_first_try_creates_and_takes_the_id_of_the_reply() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(CREATE, created());
    assert_eq!(graph.grant(&first_try(WAY)).await, GrantAnswer::Done(id(OURS)));
    let seen = stub.is_done();
    assert_eq!(
        seen[0].json(),
        json!({
            "@odata.type": "#microsoft.graph.unifiedRoleAssignment",
            "principalId": ANN,
            "roleDefinitionId": GROUPS_ADMIN,
            "directoryScopeId": "/",
        })
    );
    assert!(!format!("{seen:?}").contains("INC7"), "the justification stays in the record");
}

#[tokio::test]
async fn each_answer_to_a_first_try_has_one_meaning() {
    enum Means {
        Refused(&'static str),
        Unclear(Option<u64>),
    }
    use Means::{Refused, Unclear};
    let cases = [
        (duplicate(), Refused("somebody else assigned")),
        (duplicate_by_409(), Refused("somebody else assigned")),
        (problem(403, "Authorization_RequestDenied"), Refused("elevated doctor")),
        (problem(403, "Something_New"), Refused("elevated doctor")),
        (problem(400, "Request_BadRequest"), Refused("Request_BadRequest, status 400")),
        (reply(400, "<html>"), Refused("status 400")),
        (missing(), Unclear(None)),
        (problem(409, "Directory_ConcurrencyViolation").with("retry-after", "3"), Unclear(Some(3))),
        (problem(409, "Something_New"), Unclear(None)),
        (problem(429, "TooManyRequests").with("retry-after", "7.5"), Unclear(Some(7))),
        (problem(429, "TooManyRequests"), Unclear(None)),
        (problem(408, "x"), Unclear(None)),
        (problem(500, "x"), Unclear(None)),
        (problem(503, "x").with("retry-after", "12"), Unclear(Some(12))),
        (problem(504, "x"), Unclear(None)),
        (reply(509, ""), Unclear(None)),
        (reply(302, "").with("location", "https://evil.example/"), Unclear(None)),
        (lost(), Unclear(None)),
        (Reply { cut: Some(70), ..created() }, Unclear(None)),
        (reply(201, "not json"), Unclear(None)),
        (reply(201, "{}"), Unclear(None)),
        (reply(201, held("..").to_string()), Unclear(None)),
        (reply(201, held("a/../../users/x").to_string()), Unclear(None)),
        (reply(201, " ".repeat(1024 * 1024 + 1)), Unclear(None)),
    ];
    for (answer, meaning) in cases {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(CREATE, answer.clone());
        match (graph.grant(&first_try(WAY)).await, meaning) {
            (GrantAnswer::Refused(said), Refused(words)) => {
                assert!(said.contains(words), "{answer:?}: {said}");
                assert!(!said.contains("://"), "no address: {said}");
            }
            (GrantAnswer::Unclear { reason, after }, Unclear(wait)) => {
                assert_eq!(after.map(|after| after.as_secs()), wait, "{answer:?}");
                assert!(!reason.contains("://"), "no address: {reason}");
            }
            (said, _) => panic!("{answer:?} became {said:?}"),
        }
        stub.is_done();
    }
}

#[tokio::test]
async fn a_later_try_reads_before_it_sends() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(list(), value(&[held_by("x", ANN, USER_ADMIN, "/"), held(OURS)]));
    assert_eq!(graph.grant(&later_try(WAY)).await, GrantAnswer::Done(id(OURS)), "its reply was lost");
    stub.is_done();

    stub.expect(list(), nothing()).expect(CREATE, created());
    assert_eq!(graph.grant(&later_try(WAY)).await, GrantAnswer::Done(id(OURS)), "it never arrived");
    stub.is_done();

    stub.expect(list(), problem(500, "x"));
    assert!(unclear(&graph.grant(&later_try(WAY)).await), "nothing is sent unseen");
    stub.is_done();
}

#[tokio::test]
async fn a_duplicate_after_an_earlier_try_is_read_back() {
    for met in [duplicate(), duplicate_by_409()] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(list(), nothing()).expect(CREATE, met.clone()).expect(list(), value(&[held(OURS)]));
        assert_eq!(graph.grant(&later_try(WAY)).await, GrantAnswer::Done(id(OURS)));
        stub.is_done();

        stub.expect(list(), nothing()).expect(CREATE, met).expect(list(), nothing());
        assert!(unclear(&graph.grant(&later_try(WAY)).await), "the list lags");
        stub.is_done();
    }
}

#[tokio::test]
async fn nothing_is_sent_when_its_time_is_up() {
    let Bench { stub, clock, graph } = bench().await;
    clock.advance(3600);
    assert!(unclear(&graph.grant(&first_try(WAY)).await));
    stub.is_done();
}

#[tokio::test]
async fn looking_reads_all_pages_and_matches_role_and_scope() {
    let Bench { stub, graph, .. } = bench().await;
    let next = stub.url("/v1.0/roleManagement/directory/roleAssignments?page=2").to_string();
    let unit = format!("/administrativeUnits/{BEN}");
    let first = json!({
        "value": [
            held_by("a", ANN, USER_ADMIN, "/"),
            held_by("b", ANN, GROUPS_ADMIN, &unit),
            held_by("c", BEN, GROUPS_ADMIN, "/"),
            { "id": "d", "principalId": ANN, "roleDefinitionId": GROUPS_ADMIN, "appScopeId": "/" },
            {},
        ],
        "@odata.nextLink": next,
    });
    stub.expect(list(), ok(first)).expect(
        "GET roleAssignments?page=2",
        value(&[held_by(OURS, &ANN.to_uppercase(), GROUPS_ADMIN, "/")]),
    );
    assert_eq!(graph.look(slot().principal, &target(WAY)).await, Ok(Held::By(id(OURS))));
    for seen in stub.is_done() {
        assert_eq!(seen.header("consistencylevel"), None);
    }

    stub.expect(list(), nothing());
    assert_eq!(graph.look(slot().principal, &target(WAY)).await, Ok(Held::Nothing));
}

#[tokio::test]
async fn a_listing_that_is_not_whole_is_no_listing() {
    for broken in [
        ok(json!({ "value": [], "@odata.nextLink": "https://evil.example/v1.0/x" })),
        ok(json!({ "values": [] })),
        value(&[held("not an id")]),
        problem(403, "Authorization_RequestDenied"),
        problem(404, "x"),
        Reply { cut: Some(90), ..value(&[held(OURS)]) },
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(list(), broken.clone());
        assert!(graph.look(slot().principal, &target(WAY)).await.is_err(), "{broken:?}");
        stub.is_done();
    }
}

#[tokio::test]
async fn a_listing_without_an_end_is_given_up() {
    let Bench { stub, graph, .. } = bench().await;
    let link = stub.url("/v1.0/again").to_string();
    let page = ok(json!({ "value": [], "@odata.nextLink": link }));
    stub.expect(list(), page.clone());
    for _ in 1..200 {
        stub.expect("GET again", page.clone());
    }
    assert!(graph.look(slot().principal, &target(WAY)).await.unwrap_err().reason.contains("pages"));
    stub.is_done();
}

#[tokio::test]
async fn a_roles_assignments_are_listed_whoever_made_them() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(
        format!("GET roleAssignments?$filter=roleDefinitionId eq '{GROUPS_ADMIN}'"),
        value(&[
            held(OURS),
            held_by("b", BEN, GROUPS_ADMIN, "/"),
            held_by("c", BEN, GROUPS_ADMIN, &format!("/{ANN}")),
        ]),
    );
    let listed = graph.assignments(&target(WAY)).await.unwrap();
    let ben = Slot { principal: Principal { object: BEN.parse().unwrap(), ..slot().principal }, ..slot() };
    assert_eq!(listed, [Assignment { id: id(OURS), slot: slot() }, Assignment { id: id("b"), slot: ben }]);
}

#[tokio::test]
async fn a_revocation_deletes_by_id_and_reads_back() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(get(), ok(held(OURS)))
        .expect(delete(), reply(204, ""))
        .expect(get(), missing())
        .expect(list(), nothing());
    assert_eq!(graph.revoke(&revocation(WAY, Some(OURS))).await, RevokeAnswer::Gone);
    let seen = stub.is_done();
    assert_eq!(seen[1].header("x-ms-throttle-priority"), Some("High"));
}

#[tokio::test]
async fn what_is_deleted_and_still_shown_is_read_again_and_not_deleted_twice_at_once() {
    let Bench { stub, clock, graph } = bench().await;
    let permit = revocation(WAY, Some(OURS));
    stub.expect(get(), ok(held(OURS))).expect(delete(), reply(204, "")).expect(get(), ok(held(OURS)));
    assert_eq!(wait_of(&graph.revoke(&permit).await), Some(2));

    clock.advance(2);
    // By id it is gone, and the list still shows it.
    stub.expect(get(), missing()).expect(list(), value(&[held(OURS)]));
    assert_eq!(wait_of(&graph.revoke(&permit).await), Some(2));

    clock.advance(2);
    stub.expect(get(), missing()).expect(list(), nothing());
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    stub.is_done();
}

#[tokio::test]
async fn a_deletion_that_did_not_last_is_done_again() {
    let Bench { stub, clock, graph } = bench().await;
    let permit = revocation(WAY, Some(OURS));
    stub.expect(get(), ok(held(OURS))).expect(delete(), reply(204, "")).expect(get(), ok(held(OURS)));
    assert!(wait_of(&graph.revoke(&permit).await).is_some());
    clock.advance(30);
    stub.expect(get(), ok(held(OURS)))
        .expect(delete(), reply(204, ""))
        .expect(get(), missing())
        .expect(list(), nothing());
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    stub.is_done();
}

#[tokio::test]
async fn each_failure_to_delete_leaves_it_to_be_tried_again() {
    for (answer, wait) in [
        (problem(403, "Authorization_RequestDenied"), 0),
        (problem(400, "x"), 0),
        (problem(409, "Directory_ConcurrencyViolation"), 0),
        (problem(429, "x").with("retry-after", "9"), 9),
        (problem(500, "x"), 0),
        (problem(503, "x").with("retry-after", "2.128"), 2),
        (lost(), 0),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(get(), ok(held(OURS))).expect(delete(), answer.clone());
        assert_eq!(wait_of(&graph.revoke(&revocation(WAY, Some(OURS))).await), Some(wait), "{answer:?}");
        stub.is_done();
    }
}

#[tokio::test]
async fn a_deletion_whose_reply_was_lost_needs_two_reads_that_agree() {
    let Bench { stub, clock, graph } = bench().await;
    let permit = revocation(WAY, Some(OURS));
    stub.expect(get(), ok(held(OURS))).expect(delete(), lost());
    assert_eq!(wait_of(&graph.revoke(&permit).await), Some(0));
    for (passed, wait) in [(0, Some(30)), (29, Some(1)), (1, None)] {
        clock.advance(passed);
        stub.expect(get(), missing()).expect(list(), nothing());
        if passed == 0 {
            stub.expect(delete(), missing()).expect(get(), missing()).expect(list(), nothing());
        }
        assert_eq!(wait_of(&graph.revoke(&permit).await), wait);
    }
    stub.is_done();
}

/// Somebody gives it back in the second in which it was granted.
#[tokio::test]
async fn what_no_read_shows_yet_is_deleted_by_its_id_all_the_same() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(get(), missing())
        .expect(list(), nothing())
        .expect(delete(), reply(204, ""))
        .expect(get(), missing())
        .expect(list(), nothing());
    assert_eq!(graph.revoke(&revocation(WAY, Some(OURS))).await, RevokeAnswer::Gone);
    stub.is_done();
}

#[tokio::test]
async fn a_404_right_after_a_create_proves_nothing() {
    let Bench { stub, clock, graph } = bench().await;
    let permit = revocation(WAY, Some(OURS));
    stub.expect(get(), missing())
        .expect(list(), nothing())
        .expect(delete(), missing())
        .expect(get(), missing())
        .expect(list(), nothing());
    assert_eq!(wait_of(&graph.revoke(&permit).await), Some(30));
    // The reads have caught up: it is there. And the deletion's own 404 proves nothing either.
    clock.advance(30);
    stub.expect(get(), ok(held(OURS)))
        .expect(delete(), missing())
        .expect(get(), missing())
        .expect(list(), nothing());
    assert_eq!(wait_of(&graph.revoke(&permit).await), Some(30));
    clock.advance(30);
    stub.expect(get(), missing()).expect(list(), nothing());
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    stub.is_done();
}

#[tokio::test]
async fn a_grant_never_heard_of_is_looked_for_twice() {
    let Bench { stub, clock, graph } = bench().await;
    let permit = revocation(WAY, None);
    stub.expect(list(), nothing());
    assert_eq!(wait_of(&graph.revoke(&permit).await), Some(30));
    clock.advance(31);
    stub.expect(list(), nothing());
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    stub.is_done();
}

#[tokio::test]
async fn a_grant_never_heard_of_that_got_through_is_taken_back() {
    let Bench { stub, clock, graph } = bench().await;
    let permit = revocation(WAY, None);
    stub.expect(list(), nothing());
    assert_eq!(wait_of(&graph.revoke(&permit).await), Some(30));
    clock.advance(30);
    stub.expect(list(), value(&[held(OURS)]))
        .expect(delete(), reply(204, ""))
        .expect(get(), missing())
        .expect(list(), nothing());
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    stub.is_done();
}

#[tokio::test]
async fn what_somebody_else_made_at_the_slot_is_left_alone() {
    // Ours is gone, and another stands in its place.
    let Bench { stub, clock, graph } = bench().await;
    let permit = revocation(WAY, Some(OURS));
    let another = held("somebody-elses-1");
    for wait in [Some(30), None] {
        stub.expect(get(), missing()).expect(list(), value(std::slice::from_ref(&another)));
        if wait.is_some() {
            // By the id of ours, which the other does not have.
            stub.expect(delete(), missing())
                .expect(get(), missing())
                .expect(list(), value(std::slice::from_ref(&another)));
        }
        assert_eq!(wait_of(&graph.revoke(&permit).await), wait);
        clock.advance(30);
    }
    stub.is_done();

    // Nothing was on record, what we found was deleted, and then another stands there.
    let permit = revocation(WAY, None);
    stub.expect(list(), value(&[held(OURS)]))
        .expect(delete(), reply(204, ""))
        .expect(get(), problem(500, "x"));
    assert!(wait_of(&graph.revoke(&permit).await).is_some());
    stub.expect(get(), missing()).expect(list(), value(&[another]));
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    stub.is_done();

    // The id on record is about somebody else altogether.
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(get(), ok(held_by(OURS, BEN, GROUPS_ADMIN, "/")));
    assert!(wait_of(&graph.revoke(&revocation(WAY, Some(OURS))).await).is_some());
    stub.is_done();
}

#[tokio::test]
async fn a_read_that_failed_is_no_sight_of_absence() {
    for step in 0..2 {
        let Bench { stub, clock, graph } = bench().await;
        let permit = revocation(WAY, Some(OURS));
        let fails = |at: usize, reply: Reply| if at == step { problem(500, "x") } else { reply };
        stub.expect(get(), fails(0, missing()));
        if step > 0 {
            stub.expect(list(), fails(1, nothing()));
        }
        assert_eq!(wait_of(&graph.revoke(&permit).await), Some(0));
        clock.advance(60);
        stub.expect(get(), missing())
            .expect(list(), nothing())
            .expect(delete(), missing())
            .expect(get(), missing())
            .expect(list(), nothing());
        assert_eq!(wait_of(&graph.revoke(&permit).await), Some(30), "only now the first was seen");
        stub.is_done();
    }
}

#[tokio::test]
async fn another_tenants_slots_are_never_touched() {
    let stub = Stub::start().await;
    let foreign = Settings { tenant: BEN.parse().unwrap(), ..settings(&stub) };
    let graph = Graph::new(foreign, http(), ManualClock::new()).unwrap();
    assert!(graph.look(slot().principal, &target(WAY)).await.is_err());
    assert!(matches!(graph.grant(&first_try(WAY)).await, GrantAnswer::Refused(_)));
    assert!(wait_of(&graph.revoke(&revocation(WAY, Some(OURS))).await).is_some());
    stub.is_done();
    assert!(stub.fetches().is_empty());
}
