//! `list --watch`, drawn for people and written for programs. The clock moves when it is waited for.

use elevate_proto::v1;
use expect_test::expect;
use tonic::{Code, Status};
use v1::ActivationState as State;

use super::bench::{Bench, activation, ended, refusal};
use crate::exit::Exit;

fn page(activations: Vec<v1::Activation>) -> v1::ListActivationsResponse {
    v1::ListActivationsResponse { activations, next_page_token: String::new() }
}

/// What is waiting is held after three seconds, and over after six. They leave after seven.
async fn going_on() -> Bench {
    let mut bench = Bench::signed_in().await;
    bench.broker.says("list_activations", &page(vec![activation(State::AwaitingApproval)]));
    bench.broker.says("list_activations", &page(vec![activation(State::Active)]));
    bench.broker.says("list_activations", &page(vec![]));
    bench.broker.says("get_activation", &ended(v1::Outcome::Revoked));
    bench.pauses = Some(7);
    bench
}

#[tokio::test]
async fn in_a_pipe_each_change_is_a_line() {
    let ran = going_on().await.elevate(&["list", "--watch"]).await;
    expect![[r#"
        out: 2026-11-20 16:00:00  groups-admin  waiting for 1 approval, until 19:59 (in 3h 59m)  0199a1b2-0000-7000-8000-000000000001
        out: 2026-11-20 16:00:03  groups-admin  active, until 18:00 (in 2h)  0199a1b2-0000-7000-8000-000000000001
        out: 2026-11-20 16:00:06  groups-admin  revoked at 16:00 (6s ago)  0199a1b2-0000-7000-8000-000000000001
        err:
        err: stopped watching; nothing changed
        exit: 130
    "#]].assert_eq(&ran.all());
}

#[tokio::test]
async fn for_programs_each_change_is_an_object() {
    let ran = going_on().await.elevate(&["list", "--watch", "--output", "json"]).await;
    let states: Vec<_> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["state"].clone())
        .collect();
    assert_eq!(states, ["awaiting_approval", "active", "closed"]);
    assert_eq!(ran.exit, Exit::Interrupted);
}

#[tokio::test]
async fn on_a_terminal_it_is_drawn_over_itself_and_the_cursor_comes_back() {
    let bench = going_on().await.at_a_terminal();
    let ran = bench.elevate(&["list", "--watch"]).await;
    let pictures: Vec<&str> = ran.out.split("\u{1b}[J").collect();
    assert_eq!(pictures.len(), 8, "a picture a second: {ran:?}");
    let plain = |picture: &str| picture.replace("\u{1b}[K", "").replace('\r', "").replace("\u{1b}", "ESC");
    expect![[r#"
        ESC[?25l2026-11-20 16:00:00  (Ctrl-C ends it)
        ROLE          STATE                   LEFT     WHY            ID
        groups-admin  waiting for 1 approval  3:59:00  reset a group  0199a1b2-0000-7000-8000-000000000001
    "#]]
    .assert_eq(&plain(pictures[0]));
    expect![[r#"
        ESC[3A2026-11-20 16:00:01  (Ctrl-C ends it)
        ROLE          STATE                   LEFT     WHY            ID
        groups-admin  waiting for 1 approval  3:58:59  reset a group  0199a1b2-0000-7000-8000-000000000001
    "#]]
    .assert_eq(&plain(pictures[1]));
    expect![[r#"
        ESC[3A2026-11-20 16:00:06  (Ctrl-C ends it)
        Nothing is held or asked for.
    "#]]
    .assert_eq(&plain(pictures[6]));
    assert_eq!(pictures[7], "\u{1b}[?25h", "the cursor is shown again, once");
    assert_eq!(ran.out.matches("\u{1b}[?25l").count(), 1);
    let looks = bench.broker.asked::<v1::ListActivationsRequest>("list_activations").len();
    assert_eq!(looks, 3, "the time that is left is counted down without the broker");
}

#[tokio::test]
async fn what_does_not_fit_the_screen_is_left_out() {
    let mut bench = Bench::signed_in().await.at_a_terminal();
    bench.terminals.height = Some(4);
    let many = (0..9).map(|n| v1::Activation { id: n.to_string(), ..activation(State::Active) }).collect();
    bench.broker.says("list_activations", &page(many));
    bench.pauses = Some(2);
    let ran = bench.elevate(&["list", "--watch"]).await;
    assert_eq!(ran.out.matches('\n').count(), 6, "three lines, twice: {ran:?}");
    assert!(ran.out.contains("\u{1b}[3A"), "{ran:?}");
}

#[tokio::test]
async fn a_broker_that_is_away_for_a_moment_is_asked_again_and_a_refusal_ends_it() {
    let mut bench = Bench::signed_in().await;
    bench.broker.says("list_activations", &page(vec![activation(State::AwaitingApproval)]));
    bench.broker.fails("list_activations", Status::unavailable("draining"));
    bench.broker.says("list_activations", &page(vec![activation(State::Active)]));
    bench.broker.fails("list_activations", refusal(Code::PermissionDenied, "NOT_ALLOWED", "not any more"));
    bench.pauses = Some(30);
    let ran = bench.elevate(&["list", "--watch"]).await;
    expect![[r#"
        out: 2026-11-20 16:00:00  groups-admin  waiting for 1 approval, until 19:59 (in 3h 59m)  0199a1b2-0000-7000-8000-000000000001
        out: 2026-11-20 16:00:06  groups-admin  active, until 18:00 (in 2h)  0199a1b2-0000-7000-8000-000000000001
        err: error: not any more
        exit: 4
    "#]].assert_eq(&ran.all());

    let mut bench = Bench::signed_in().await;
    bench.broker.fails("list_activations", Status::unavailable("draining"));
    bench.pauses = Some(30);
    let ran = bench.elevate(&["list", "--watch"]).await;
    assert_eq!(ran.exit, Exit::Unreachable, "from the start, it is told at once");
}
