use std::collections::BTreeSet;

use elevate_core::names::{ObjectId, Scope};
use serde_json::json;

use super::*;
use crate::ports::Directory;
use crate::ports::directory::Members;

fn check() -> String {
    format!("POST users/{ANN}/checkMemberGroups")
}

fn group(number: u128) -> ObjectId {
    ObjectId::from_uuid(uuid::Uuid::from_u128(number))
}

#[tokio::test]
async fn groups_are_asked_for_twenty_at_a_time() {
    let Bench { stub, graph, .. } = bench().await;
    let groups: BTreeSet<_> = (1..=41).map(group).collect();
    stub.expect(
        check(),
        ok(json!({ "value": [group(3).to_string().to_uppercase(), group(20).to_string()] })),
    )
    .expect(check(), nothing())
    // One that was not asked for here does not count.
    .expect(check(), ok(json!({ "value": [group(41).to_string(), group(1).to_string(), "x"] })));
    let found = graph.groups_of(slot().principal, &groups).await.unwrap();
    assert_eq!(found, [group(3), group(20), group(41)].into());
    let asked: Vec<_> =
        stub.is_done().iter().map(|seen| seen.json()["groupIds"].as_array().unwrap().len()).collect();
    assert_eq!(asked, [20, 20, 1]);
}

#[tokio::test]
async fn no_groups_are_no_question() {
    let Bench { stub, graph, .. } = bench().await;
    assert_eq!(graph.groups_of(slot().principal, &BTreeSet::new()).await, Ok(BTreeSet::new()));
    stub.is_done();
    assert!(stub.fetches().is_empty());
}

#[tokio::test]
async fn a_user_that_is_not_there_is_in_no_known_groups() {
    for (answer, words) in [
        (missing(), "no such user"),
        (problem(403, "Authorization_RequestDenied"), "Authorization_RequestDenied"),
        (problem(500, "x"), "status 500"),
        (reply(200, "{}"), "could not be read"),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(check(), answer);
        let fault = graph.groups_of(slot().principal, &[group(1)].into()).await.unwrap_err();
        assert!(fault.reason.contains(words), "{}", fault.reason);
        stub.is_done();
    }
}

#[tokio::test]
async fn names_are_asked_for_once_an_hour() {
    let Bench { stub, clock, graph } = bench().await;
    let ann = slot().principal.object;
    let (user, group) = (
        format!("GET users/{ANN}?$select=id,displayName"),
        format!("GET groups/{ANN}?$select=id,displayName"),
    );
    stub.expect(user.clone(), ok(json!({ "displayName": "Ann\u{7} Lee" })));
    for _ in 0..2 {
        assert_eq!(graph.display_name(ann).await.as_deref(), Some("Ann Lee"));
    }
    clock.advance(3600);
    stub.expect(user.clone(), missing()).expect(group.clone(), ok(json!({ "displayName": "Ops" })));
    assert_eq!(graph.display_name(ann).await.as_deref(), Some("Ops"));
    stub.is_done();

    clock.advance(3600);
    stub.expect(user.clone(), missing()).expect(group, missing());
    assert_eq!(graph.display_name(ann).await, None);
    stub.expect(user, problem(500, "x"));
    assert_eq!(graph.display_name(ann).await, None);
    let seen = stub.is_done();
    assert_eq!(seen[0].header("x-ms-throttle-priority"), Some("Low"));
}

#[tokio::test]
async fn what_a_role_counts_for_is_called_what_graph_calls_it() {
    let Bench { stub, graph, .. } = bench().await;
    let at = |kind: &str, id: ObjectId| format!("GET {kind}/{id}?$select=id,displayName");
    let (unit, app) = (group(31), group(32));
    stub.expect(at("directory/administrativeUnits", unit), ok(json!({ "displayName": "Branch office" })));
    assert_eq!(graph.scope_name(Scope::AdministrativeUnit(unit)).await.as_deref(), Some("Branch office"));
    stub.expect(at("applications", app), missing())
        .expect(at("servicePrincipals", app), ok(json!({ "displayName": "Payroll" })));
    assert_eq!(graph.scope_name(Scope::Object(app)).await.as_deref(), Some("Payroll"));
    // Without the right to read them they have no name, and nothing fails over it.
    stub.expect(at("applications", group(33)), problem(403, "Authorization_RequestDenied"));
    assert_eq!(graph.scope_name(Scope::Object(group(33))).await, None);
    assert_eq!(graph.scope_name(Scope::Tenant).await, None);
    stub.is_done();
}

fn members(top: usize) -> String {
    format!(
        "GET groups/{}/transitiveMembers/microsoft.graph.user?$select=id,displayName&$top={top}",
        group(7)
    )
}

#[tokio::test]
async fn the_members_of_a_group_are_one_page_and_kept_for_a_minute() {
    let Bench { stub, graph, clock, .. } = bench().await;
    let page = json!({
        "value": [{ "id": group(1).to_string(), "displayName": "Ann\u{7}" }, { "id": group(2).to_string() }, {}],
        "@odata.nextLink": "https://elsewhere.example/",
    });
    stub.expect(members(50), ok(page));
    for _ in 0..2 {
        let found = graph.members_of(group(7), 50).await.unwrap();
        assert_eq!(found.people, [(group(1), Some("Ann".to_owned())), (group(2), None)]);
        assert!(found.more);
    }
    stub.is_done();
    clock.advance(60);
    stub.expect(members(50), ok(json!({ "value": [] })));
    assert_eq!(graph.members_of(group(7), 50).await.unwrap(), Members::default());
    stub.is_done();
}

#[tokio::test]
async fn a_group_that_is_not_there_has_nobody_in_it_and_no_answer_is_not_nobody() {
    for (answer, nobody) in [(missing(), true), (problem(403, "x"), false), (problem(500, "x"), false)] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(members(50), answer);
        assert_eq!(graph.members_of(group(7), 50).await.ok(), nobody.then(Members::default));
        stub.is_done();
    }
}
