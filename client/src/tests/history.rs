//! What is over, as people and programs look back on it.

use elevate_proto::v1;
use expect_test::expect;
use tonic::Code;
use v1::ActivationState as State;

use super::bench::{BOB, Bench, activation, at, ended, refusal, who};

fn page(activations: Vec<v1::Activation>, next: &str) -> v1::ListActivationsResponse {
    v1::ListActivationsResponse { activations, next_page_token: next.to_owned() }
}

fn past(outcome: v1::Outcome, asked: i64) -> v1::Activation {
    let mut past = ended(outcome);
    past.requested_at = at(asked);
    past.closed_at = at(asked + 130);
    past
}

fn some() -> Vec<v1::Activation> {
    let mut expired = past(v1::Outcome::Expired, -300);
    expired.held_from = at(-290);
    let mut revoked = past(v1::Outcome::Revoked, -2000);
    revoked.held_from = at(-1990);
    revoked.ended_by = Some(who(BOB, "Bob"));
    let mut denied = past(v1::Outcome::Denied, -3000);
    denied.ended_by = Some(who(BOB, "Bob"));
    let mut withdrawn = past(v1::Outcome::Withdrawn, -4000);
    withdrawn.ended_by = withdrawn.principal.clone();
    vec![activation(State::Active), expired, revoked, denied, withdrawn]
}

#[tokio::test]
async fn history_says_how_each_ended_by_whom_and_how_long_it_was_held() {
    let bench = Bench::signed_in().await;
    bench.broker.says("list_activations", &page(some(), ""));
    expect![[r#"
        out: ROLE          ENDED                               HELD                                       WHY            ID
        out: groups-admin  expired at 13:10                    11:10 to 13:10 (2h)                        reset a group  0199a1b2-0000-7000-8000-000000000001
        out: groups-admin  revoked by Bob at 2026-11-19 08:50  2026-11-19 06:50 to 2026-11-19 08:50 (2h)  reset a group  0199a1b2-0000-7000-8000-000000000001
        out: groups-admin  denied by Bob at 2026-11-18 16:10   -                                          reset a group  0199a1b2-0000-7000-8000-000000000001
        out: groups-admin  withdrawn at 2026-11-17 23:30       -                                          reset a group  0199a1b2-0000-7000-8000-000000000001
        exit: 0
    "#]].assert_eq(&bench.elevate(&["history"]).await.all());
    expect![[r#"
        out: ROLE          WHO  ENDED                               HELD                                       WHY            ID
        out: groups-admin  Ann  expired at 13:10                    11:10 to 13:10 (2h)                        reset a group  0199a1b2-0000-7000-8000-000000000001
        out: groups-admin  Ann  revoked by Bob at 2026-11-19 08:50  2026-11-19 06:50 to 2026-11-19 08:50 (2h)  reset a group  0199a1b2-0000-7000-8000-000000000001
        err: hint: there are more; `--limit` shows more of them
        exit: 0
    "#]].assert_eq(&bench.elevate(&["history", "--everybody", "--role", "groups-admin", "--limit", "2"]).await.all());
    let asked: Vec<v1::ListActivationsRequest> = bench.broker.asked("list_activations");
    assert!(!asked[0].everybody && asked[0].include_closed && asked[0].role.is_empty());
    assert!(asked[1].everybody && asked[1].role == "groups-admin");
    let json = bench.elevate(&["history", "--limit", "2", "--output", "json"]).await.json();
    let outcomes: Vec<_> =
        json["activations"].as_array().unwrap().iter().map(|a| a["outcome"].clone()).collect();
    assert_eq!(outcomes, ["expired", "revoked"]);
    assert_eq!(json["activations"][0]["held_from"], "2026-11-20T10:10:00Z");
    assert_eq!(json["activations"][1]["ended_by"]["object_id"], BOB);
    assert_eq!(json["complete"], false);
}

#[tokio::test]
async fn history_goes_back_as_far_as_it_was_asked_to_and_not_a_page_further() {
    let bench = Bench::signed_in().await;
    let [_, expired, revoked, denied, withdrawn] = some().try_into().unwrap();
    bench.broker.says("list_activations", &page(vec![expired, revoked], "2"));
    bench.broker.says("list_activations", &page(vec![denied, withdrawn], "3"));
    let ran = bench.elevate(&["history", "--since", "2days 3h", "--output", "json"]).await;
    let json = ran.json();
    assert_eq!(json["activations"].as_array().unwrap().len(), 3, "{ran:?}");
    assert_eq!(json["complete"], true);
    let asked: Vec<v1::ListActivationsRequest> = bench.broker.asked("list_activations");
    assert_eq!(asked.iter().map(|page| page.page_token.as_str()).collect::<Vec<_>>(), ["", "2"]);
}

#[tokio::test]
async fn history_never_looks_through_more_pages_than_it_says() {
    let bench = Bench::signed_in().await;
    bench.broker.says("list_activations", &page(vec![activation(State::Active)], "for ever"));
    expect![[r#"
        err: hint: older ones were not looked at; `--role` narrows the search
        err: Nothing that is over was found.
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["history"]).await.all());
    assert_eq!(bench.broker.asked::<v1::ListActivationsRequest>("list_activations").len(), 20);
    assert_eq!(bench.elevate(&["history", "--output", "json"]).await.json()["complete"], false);
}

#[tokio::test]
async fn history_that_is_refused_or_empty_says_so() {
    let bench = Bench::signed_in().await;
    let told = "this needs the app role auditor or revoker; an administrator of the tenant assigns it";
    bench.broker.fails("list_activations", refusal(Code::PermissionDenied, "NOT_ALLOWED", told));
    bench.broker.says("list_activations", &page(vec![], ""));
    expect![[r#"
        err: error: this needs the app role auditor or revoker; an administrator of the tenant assigns it
        exit: 4
    "#]]
    .assert_eq(&bench.elevate(&["history", "--everybody"]).await.all());
    expect![[r#"
        err: Nothing is over yet. `elevate list` shows what is held or asked for.
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["history"]).await.all());
    for wrong in [["--since", "0s"], ["--since", "yesterday"], ["--since", "99999years"], ["--limit", "0"]] {
        assert_eq!(bench.elevate(&[&["history"][..], &wrong].concat()).await.exit.code(), 2, "{wrong:?}");
    }
}
