//! Colour, width, control characters, durations, times.

use elevate_proto::v1;
use expect_test::expect;
use jiff::tz::{TimeZone, offset};
use jiff::{SignedDuration, Timestamp};
use v1::ActivationState as State;

use super::bench::{Bench, ID, NOW, activation};
use crate::render::{Look, clean, clean_line};

#[test]
fn terms_are_written_as_people_write_them() {
    for (text, seconds) in
        [("2h", 7200), ("1h 30m", 5400), ("90m", 5400), ("45s", 45), ("1day", 86_400), ("1.5h", 5400)]
    {
        assert_eq!(crate::cli::term(text).unwrap().as_secs(), seconds, "{text}");
    }
    for text in ["", "2", "h", "4s", "25h", "1M", "500ms", "-1h", "1h30"] {
        assert!(crate::cli::term(text).is_err(), "{text}");
    }
    expect!["that is 1month; ask for whole seconds from 5s to 24h; `M` is a month and `m` a minute"]
        .assert_eq(&crate::cli::term("1M").unwrap_err());
}

#[test]
fn times_are_local_with_the_distance_beside_them() {
    let now = Timestamp::from_second(NOW).unwrap();
    let look = Look { now, zone: TimeZone::fixed(offset(1)), colour: false, width: None };
    let at = |seconds| now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    for (seconds, expected) in [
        (0, "16:00 (now)"),
        (45, "16:00 (in 45s)"),
        (7080, "17:58 (in 1h 58m)"),
        // A moment after the grant it is still two hours.
        (7199, "17:59 (in 2h)"),
        (-180, "15:57 (3m ago)"),
        (8 * 3600, "2026-11-21 00:00 (in 8h)"),
        (51 * 3600, "2026-11-22 19:00 (in 2days 3h)"),
    ] {
        assert_eq!(look.time(at(seconds)), expected);
    }
    assert_eq!(look.exact(at(7200)), "18:00 +01:00 (in 2h)");
}

#[test]
fn what_would_steer_a_terminal_is_dropped() {
    assert_eq!(clean("red\u{1b}[31m\u{7} \u{202e}gnp.exe\u{9b}2J\nnext"), "red[31m gnp.exe2J\nnext");
    assert_eq!(clean_line(" a\tb\r\nc "), "a b c");
}

#[tokio::test]
async fn no_control_character_of_the_broker_reaches_the_terminal() {
    let bench = Bench::signed_in().await.at_a_terminal();
    let mut evil = activation(State::Active);
    for text in [&mut evil.role, &mut evil.justification, &mut evil.detail] {
        text.push_str("\u{1b}]0;owned\u{7}\u{1b}[2J\r");
    }
    evil.principal.as_mut().unwrap().display_name = "\u{1b}[31mroot".to_owned();
    bench.broker.says("get_activation", &evil);
    bench.broker.says(
        "list_activations",
        &v1::ListActivationsResponse { activations: vec![evil], next_page_token: String::new() },
    );
    bench.broker.fails("get_caller", tonic::Status::internal("\u{1b}[2Jgone"));
    for args in [&["show", ID][..], &["list", "--everybody"], &["whoami"]] {
        let ran = bench.elevate(args).await;
        let all = format!("{}{}", ran.out, ran.err);
        assert!(!all.chars().any(|c| c.is_control() && c != '\n'), "{all:?}");
    }
    // A program gets what was said, escaped as JSON says.
    let json = bench.elevate(&["show", ID, "--output", "json"]).await;
    assert!(!json.out.contains('\u{1b}') && json.json()["role"].as_str().unwrap().contains('\u{1b}'));
}

#[tokio::test]
async fn colour_is_for_terminals_that_want_it() {
    let mut bench = Bench::signed_in().await.at_a_terminal();
    bench.broker.says("get_activation", &activation(State::Active));
    bench.env.remove("NO_COLOR");
    assert!(bench.elevate(&["show", ID]).await.out.contains('\u{1b}'));
    assert!(!bench.elevate(&["show", ID, "--no-color"]).await.out.contains('\u{1b}'));
    for (name, value) in [("NO_COLOR", "1"), ("CLICOLOR", "0"), ("TERM", "dumb")] {
        bench.env.insert(name.to_owned(), value.to_owned());
        assert!(!bench.elevate(&["show", ID]).await.out.contains('\u{1b}'), "{name}");
        bench.env.remove(name);
    }
    bench.terminals = crate::Terminals::default();
    assert!(!bench.elevate(&["show", ID]).await.out.contains('\u{1b}'), "a pipe");
}

#[tokio::test]
async fn tables_fit_the_terminal_and_ids_stay_whole() {
    let mut bench = Bench::signed_in().await.at_a_terminal();
    let mut long = activation(State::AwaitingApproval);
    long.justification =
        "because the on-call rota says so and the pager has been going since four".to_owned();
    bench.broker.says(
        "list_activations",
        &v1::ListActivationsResponse { activations: vec![long], next_page_token: String::new() },
    );
    let wide = bench.elevate(&["list"]).await;
    expect![[r#"
        out: ROLE          STATE                 FOR  WHY                  ID
        out: groups-admin  waiting for 1         2h   because the on-call  0199a1b2-0000-7000-8000-000000000001
        out:               approval, until            rota says so and
        out:               19:59 (in 3h 59m)          the pager has been
        out:                                          goin…
        exit: 0
    "#]].assert_eq(&wide.all());
    assert!(wide.out.lines().all(|line| line.chars().count() <= 100) && wide.out.contains(ID));
    bench.terminals.out = false;
    assert_eq!(
        bench.elevate(&["list"]).await.out.lines().count(),
        2,
        "a row a line for programs that read lines"
    );
}

#[tokio::test]
async fn quiet_leaves_only_the_answer() {
    let bench = Bench::signed_in().await;
    bench.broker.says("list_activations", &v1::ListActivationsResponse::default());
    let ran = bench.elevate(&["list", "--quiet"]).await;
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
}
