use std::collections::BTreeSet;
use std::time::Duration;

use elevate_core::names::{ObjectId, Principal};
use serde_json::{Value, json};

use super::*;
use crate::ports::Directory;
use crate::ports::directory::{Account, SignOutAnswer};

const BATCH: &str = "POST $batch";

fn person(id: &str) -> Principal {
    Principal { object: id.parse().unwrap(), ..slot().principal }
}

fn answer(id: &str, status: u16, body: &Value) -> Value {
    json!({ "id": id, "status": status, "headers": {}, "body": body })
}

fn shows(id: &str, enabled: bool) -> Value {
    answer(id, 200, &json!({ "id": id, "accountEnabled": enabled }))
}

fn error(id: &str, status: u16, code: &str) -> Value {
    answer(id, status, &json!({ "error": { "code": code, "message": "" } }))
}

fn all(answers: &[Value]) -> Reply {
    ok(json!({ "responses": answers }))
}

#[tokio::test]
async fn each_account_is_told_by_its_own_answer_in_whatever_order() {
    let Bench { stub, graph, .. } = bench().await;
    let third = "00000000-0000-4000-8000-000000000003";
    stub.expect(
        BATCH,
        all(&[error(third, 404, "Request_ResourceNotFound"), shows(BEN, false), shows(ANN, true)]),
    );
    let people = [person(ANN), person(BEN), person(third)].into();
    let found = graph.accounts(&people).await.unwrap();
    let accounts = [ANN, BEN, third].map(|id| found.get(&person(id)).copied());
    assert_eq!(accounts, [Account::Enabled, Account::Disabled, Account::Missing].map(Some));
    let asked = stub.is_done()[0].json();
    let requests = asked["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 3);
    let of_ann = requests.iter().find(|request| request["id"] == json!(ANN)).unwrap();
    assert_eq!(of_ann["url"], json!(format!("/users/{ANN}?$select=id,accountEnabled")));
    assert_eq!(of_ann["method"], json!("GET"));
}

#[tokio::test]
async fn accounts_are_asked_for_twenty_at_a_time() {
    let Bench { stub, graph, .. } = bench().await;
    let people: BTreeSet<_> = (1..=41)
        .map(|n| Principal { object: ObjectId::from_uuid(uuid::Uuid::from_u128(n)), ..slot().principal })
        .collect();
    for some in people.iter().copied().collect::<Vec<_>>().chunks(20) {
        let answers: Vec<_> = some.iter().map(|who| shows(&who.object.to_string(), true)).collect();
        stub.expect(BATCH, all(&answers));
    }
    assert_eq!(graph.accounts(&people).await.unwrap().len(), 41);
    let sizes = |seen: &Seen| seen.json()["requests"].as_array().unwrap().len();
    assert_eq!(stub.is_done().iter().map(sizes).collect::<Vec<_>>(), [20, 20, 1]);
}

#[tokio::test]
async fn what_is_no_clear_answer_says_nothing_of_the_account() {
    for unclear in [
        error(ANN, 503, "ServiceUnavailable"),
        error(ANN, 404, "UnknownPath"),
        answer(ANN, 200, &json!({ "id": ANN })),
        answer(ANN, 200, &json!({ "id": ANN, "accountEnabled": null })),
        shows(BEN, false)
            .as_object()
            .map(|of_ben| json!({ "id": ANN, "status": 200, "body": of_ben["body"] }))
            .unwrap(),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(BATCH, all(&[unclear.clone(), shows(BEN, true)]));
        let found = graph.accounts(&[person(ANN), person(BEN)].into()).await.unwrap();
        assert_eq!(found, [(person(BEN), Account::Enabled)].into(), "{unclear}");
        stub.is_done();
    }
    // Not one answer, as without the permission: that is told as a failure.
    for failing in
        [all(&[error(ANN, 403, "Authorization_RequestDenied")]), problem(500, "x"), reply(200, "{}")]
    {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(BATCH, failing);
        graph.accounts(&[person(ANN)].into()).await.unwrap_err();
        stub.is_done();
    }
}

#[tokio::test]
async fn a_wish_inside_a_batch_holds_up_the_next_look_and_no_revocation() {
    let Bench { stub, graph, .. } = bench().await;
    let mut busy = error(ANN, 429, "TooManyRequests");
    busy["headers"] = json!({ "Retry-After": "90" });
    stub.expect(BATCH, all(&[busy, shows(BEN, true)]));
    graph.accounts(&[person(ANN), person(BEN)].into()).await.unwrap();
    let waits = graph.accounts(&[person(ANN)].into()).await.unwrap_err();
    assert_eq!(waits.after, Some(Duration::from_secs(90)));
    assert_eq!(graph.meter().paused, Duration::ZERO, "revocations go on");
    stub.is_done();
}

#[tokio::test]
async fn signing_out_is_done_refused_or_unclear() {
    let path = format!("POST users/{ANN}/revokeSignInSessions");
    type Expected = fn(&SignOutAnswer) -> bool;
    let table: [(Reply, Expected); 5] = [
        (ok(json!({ "value": true })), |answer| *answer == SignOutAnswer::Done),
        (reply(204, ""), |answer| *answer == SignOutAnswer::Done),
        (
            problem(403, "Authorization_RequestDenied"),
            |answer| matches!(answer, SignOutAnswer::Refused(why) if why.contains("elevated doctor")),
        ),
        (
            missing(),
            |answer| matches!(answer, SignOutAnswer::Refused(why) if why.contains("no such account")),
        ),
        (problem(503, "x"), |answer| matches!(answer, SignOutAnswer::Unclear { .. })),
    ];
    for (answer, expected) in table {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(path.clone(), answer);
        let said = graph.sign_out(person(ANN)).await;
        assert!(expected(&said), "{said:?}");
        stub.is_done();
    }
}

#[tokio::test]
async fn people_of_another_tenant_are_not_asked_about() {
    let Bench { stub, graph, .. } = bench().await;
    let stranger =
        Principal { tenant: "00000000-0000-4000-8000-000000000009".parse().unwrap(), ..person(ANN) };
    graph.accounts(&[stranger].into()).await.unwrap_err();
    assert!(matches!(graph.sign_out(stranger).await, SignOutAnswer::Refused(_)));
    stub.is_done();
}
