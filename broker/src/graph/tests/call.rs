use elevate_core::due::Now;
use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use serde_json::json;

use super::super::call::{Fault, judge, retry_after};
use super::super::wire::Problem;
use super::*;
use crate::ports::Directory;

fn list() -> String {
    format!("GET roleAssignments?$filter=principalId eq '{ANN}'")
}

#[test]
fn the_most_specific_code_counts_and_both_spellings_are_read() {
    for (body, wanted) in [
        (json!({ "error": { "code": "Outer" } }), &["Outer"][..]),
        (
            json!({ "error": { "code": "Outer", "innerError": { "code": "Mid", "innererror": { "code": "Deep" } } } }),
            &["Deep", "Mid", "Outer"],
        ),
        (json!({ "error": { "code": "Outer", "innererror": { "date": "x" } } }), &["Outer"]),
        (
            json!({ "error": { "code": "Outer", "details": [{ "code": "ConflictingObjects" }, {}] } }),
            &["Outer", "ConflictingObjects"],
        ),
        (json!({ "error": { "code": "a\r\nforged: line", "message": null } }), &["aforgedline"]),
        (json!({ "error": "text" }), &[]),
        (json!([]), &[]),
    ] {
        assert_eq!(Problem::read(body.to_string().as_bytes()).codes, wanted, "{body}");
    }
    assert_eq!(Problem::read(b"<html>").codes, Vec::<String>::new());
    assert_eq!(Problem::read(b"").code(), "");
    let deep = format!("{}{}", "{\"error\":{\"innerError\":".repeat(5000), "}}".repeat(5000));
    assert_eq!(Problem::read(deep.as_bytes()).code(), "");
}

#[test]
fn every_status_is_refused_or_unclear_and_in_doubt_unclear() {
    let refused = [400, 401, 402, 403, 404, 405, 406, 410, 411, 412, 413, 414, 415, 416, 422, 428, 431, 451];
    for status in 300..600 {
        let is_refused = matches!(judge(status, Problem::default(), None), Fault::Refused(_));
        if refused.contains(&status) {
            assert!(is_refused, "{status}");
        }
        if !(400..500).contains(&status) || [408, 409, 423, 425, 429].contains(&status) {
            assert!(!is_refused, "{status}");
        }
    }
}

#[test]
fn retry_after_is_read_as_seconds_fractions_and_dates() {
    let now = Now::exactly(at(0));
    let read = |after: &str, date: Option<&str>| {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers, now).map(|wait| wait.as_millis())
    };
    assert_eq!(retry_after(&HeaderMap::new(), now), None);
    assert_eq!(read("30", None), Some(30_000));
    assert_eq!(read("2.128", None), Some(2128));
    assert_eq!(read(" 0 ", None), Some(0));
    assert_eq!(read("Fri, 10 Apr 2026 00:00:25 GMT", None), Some(25_000));
    // By the sender's clock, not by ours.
    assert_eq!(read("Fri, 10 Apr 2026 09:00:25 GMT", Some("Fri, 10 Apr 2026 09:00:20 GMT")), Some(5000));
    assert_eq!(read("Thu, 09 Apr 2026 23:00:00 GMT", None), Some(0));
    for nonsense in ["-1", "NaN", "inf", "1e300", "soon", ""] {
        assert_eq!(read(nonsense, None), None, "{nonsense}");
    }
}

#[tokio::test]
async fn a_token_that_graph_does_not_take_is_fetched_anew_once() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(list(), problem(401, "InvalidAuthenticationToken")).expect(list(), nothing());
    assert!(graph.look(slot().principal, &target(Way::Assignment)).await.is_ok());
    let seen = stub.is_done();
    assert_eq!(seen[0].header("authorization"), Some("Bearer token-1"));
    assert_eq!(seen[1].header("authorization"), Some("Bearer token-2"));

    // A POST too: what was not authenticated was not done.
    let refused = problem(401, "InvalidAuthenticationToken");
    stub.expect("POST roleAssignments", refused.clone()).expect("POST roleAssignments", refused);
    let answer = graph.grant(&first_try(Way::Assignment)).await;
    assert!(matches!(answer, crate::ports::directory::GrantAnswer::Unclear { .. }), "{answer:?}");
    stub.is_done();
    assert_eq!(stub.fetches().len(), 3);
}

/// Time stands still but for timers: when nothing else can happen, the deadline does.
#[tokio::test(start_paused = true)]
async fn no_answer_is_waited_for_longer_than_the_deadline() {
    let Bench { stub, graph, .. } = bench().await;
    stub.token(silence());
    let began = tokio::time::Instant::now();
    let fault = graph.look(slot().principal, &target(Way::Assignment)).await.unwrap_err();
    assert_eq!(fault.reason, "the token endpoint: no answer in time");
    assert!(began.elapsed() < Duration::from_secs(21), "{:?}", began.elapsed());
}

#[tokio::test]
async fn each_call_has_its_own_id_and_says_how_urgent_it_is() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(list(), nothing()).expect(list(), nothing());
    for _ in 0..2 {
        graph.look(slot().principal, &target(Way::Assignment)).await.unwrap();
    }
    let seen = stub.is_done();
    let ids: Vec<_> = seen.iter().map(|seen| seen.header("client-request-id").unwrap()).collect();
    assert_ne!(ids[0], ids[1]);
    assert!(ids.iter().all(|id| uuid::Uuid::try_parse(id).is_ok()));
    assert_eq!(seen[0].header("x-ms-throttle-priority"), Some("Normal"));
    assert_eq!(stub.fetches().len(), 1, "one token serves both");
}

#[tokio::test]
async fn what_graph_told_to_wait_is_not_asked_before() {
    let Bench { stub, clock, graph } = bench().await;
    stub.expect(list(), problem(429, "TooManyRequests").with("retry-after", "90"));
    let fault = graph.look(slot().principal, &target(Way::Assignment)).await.unwrap_err();
    assert_eq!(fault.after, Some(Duration::from_secs(90)));
    let fault = graph.look(slot().principal, &target(Way::Assignment)).await.unwrap_err();
    assert_eq!(fault.after, Some(Duration::from_secs(90)), "nothing was sent");
    stub.is_done();

    // A revocation may: it was not the one that was told.
    stub.expect(list(), nothing());
    graph.revoke(&revocation(Way::Assignment, None)).await;
    stub.is_done();

    clock.advance(90);
    stub.expect(list(), nothing());
    assert!(graph.look(slot().principal, &target(Way::Assignment)).await.is_ok());
    stub.is_done();
}

#[tokio::test]
async fn the_clock_hears_when_graph_answered_and_the_meter_can_be_read() {
    let Bench { stub, clock, graph } = bench().await;
    assert_eq!(clock.heard_of(), []);
    let left = graph.meter().writes_left;
    stub.expect("POST roleAssignments", problem(403, "x"))
        .expect(list(), nothing().with("date", "Fri, 10 Apr 2026 00:00:07 GMT"))
        .expect(list(), lost());
    graph.grant(&first_try(Way::Assignment)).await;
    clock.advance(0);
    let _ = graph.look(slot().principal, &target(Way::Assignment)).await;
    assert_eq!(clock.heard_of(), [at(7)]);
    let _ = graph.look(slot().principal, &target(Way::Assignment)).await;
    assert_eq!(clock.heard_of(), [at(7)], "no reply says nothing");
    let meter = graph.meter();
    assert_eq!(
        meter.calls,
        [
            ("assignments.create", "refused", 1),
            ("assignments.list", "done", 1),
            ("assignments.list", "unclear", 1)
        ]
    );
    assert_eq!(meter.writes_left, left - 1);
    assert_eq!(meter.paused, Duration::ZERO);
}
