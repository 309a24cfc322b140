//! Waiting for an activation: until it is held, until it is over, or until the person has had enough.

use elevate_proto::v1;
use expect_test::expect;
use tonic::Status;
use v1::ActivationState as State;

use super::bench::{Bench, ID, activation, ended, prepared};
use crate::exit::Exit;

async fn asking() -> Bench {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_activation", &prepared());
    bench.broker.says("request_activation", &activation(State::AwaitingApproval));
    bench
}

async fn activate(bench: &Bench) -> super::bench::Ran {
    let args = ["activate", "groups-admin", "--ticket", "INC0012345", "--ticket-system", "ServiceNow"];
    bench.typing(&[&args[..], &["--reason-file", "-"]].concat(), "reset a group").await
}

/// What is said after the request is made.
fn afterwards(text: &str) -> String {
    text.lines().skip_while(|line| !line.contains("Asked:")).map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn activate_waits_until_it_is_held_and_says_until_when() {
    let bench = asking().await;
    let changes = [State::AwaitingApproval, State::Activating, State::Active].map(activation);
    bench.broker.streams("watch_activation", &changes, None);
    let ran = activate(&bench).await;
    expect![[r#"
        You hold Groups Administrator until 18:00 +01:00 (in 2h)
    "#]]
    .assert_eq(&ran.out);
    expect![[r#"
        err: Asked: 0199a1b2-0000-7000-8000-000000000001
        err: waiting for 1 approval, until 19:59 (in 3h 59m)
        err: being granted
        err: hint: sign in afresh where you use it, so that your token carries it; one issued before its end may live longer. `elevate deactivate 0199a1b2-0000-7000-8000-000000000001` gives it back early
        exit: 0
    "#]].assert_eq(&afterwards(&ran.all()));
}

#[tokio::test]
async fn a_watch_that_breaks_is_taken_up_again() {
    let bench = asking().await;
    let first = [activation(State::AwaitingApproval)];
    bench.broker.streams("watch_activation", &first, Some(Status::unavailable("draining")));
    bench.broker.streams(
        "watch_activation",
        &[activation(State::AwaitingApproval), activation(State::Active)],
        None,
    );
    let ran = activate(&bench).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    assert_eq!(ran.err.matches("waiting for 1 approval").count(), 1, "what is known is not said twice");
}

#[tokio::test]
async fn an_activation_that_ends_without_being_held_has_its_own_exit_code() {
    for outcome in [v1::Outcome::Denied, v1::Outcome::Lapsed, v1::Outcome::Withdrawn, v1::Outcome::Failed] {
        let bench = asking().await;
        let mut end = ended(outcome);
        end.detail = "not today".to_owned();
        bench.broker.streams("watch_activation", &[end], None);
        let ran = activate(&bench).await;
        assert_eq!(ran.exit, Exit::NotHeld, "{outcome:?}");
        if outcome == v1::Outcome::Denied {
            expect![[r#"
                Groups Administrator: denied at 16:00 (now): not today
            "#]]
            .assert_eq(&ran.out);
        }
    }
}

#[tokio::test]
async fn watch_tells_every_change_a_line_each() {
    let bench = Bench::signed_in().await;
    let changes = [activation(State::Active), activation(State::Revoking), ended(v1::Outcome::Expired)];
    bench.broker.streams("watch_activation", &changes, None);
    expect![[r#"
        out: 2026-11-20 16:00:00  active, until 18:00 (in 2h)
        out: 2026-11-20 16:00:00  being taken away
        out: 2026-11-20 16:00:00  expired at 16:00 (now)
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["watch", ID]).await.all());
    let ran = bench.elevate(&["watch", ID, "--output", "json"]).await;
    let states: Vec<serde_json::Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["state"].clone())
        .collect();
    assert_eq!(states, ["active", "revoking", "closed"]);

    let bench = Bench::signed_in().await;
    bench.broker.streams("watch_activation", &[ended(v1::Outcome::Denied)], None);
    assert_eq!(bench.elevate(&["watch", ID]).await.exit, Exit::NotHeld);
}

#[tokio::test]
async fn an_interruption_leaves_the_request_standing_and_says_so() {
    let bench = asking().await;
    // Never held: the watch breaks again and again, and the person loses patience.
    bench.broker.streams(
        "watch_activation",
        &[activation(State::AwaitingApproval)],
        Some(Status::unavailable("draining")),
    );
    let impatient = async {
        while bench.broker.asked::<v1::WatchActivationRequest>("watch_activation").is_empty() {
            tokio::task::yield_now().await;
        }
        // Time for the first answer to be read.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        bench.interrupt.notify_one();
    };
    let (ran, ()) = tokio::join!(activate(&bench), impatient);
    assert_eq!(ran.exit, Exit::Interrupted, "{ran:?}");
    assert!(ran.err.contains(&format!("`elevate withdraw {ID}` takes it back")), "{ran:?}");
}

#[tokio::test]
async fn the_spinner_is_for_terminals_and_leaves_nothing_behind() {
    for (terminal, quiet) in [(true, false), (false, false), (true, true)] {
        let screen = super::bench::Buffer::default();
        let bench = Bench::new().await;
        let terminals = crate::Terminals { err: terminal, width: Some(20), ..crate::Terminals::default() };
        let world = bench.world(terminals, super::bench::Buffer::default(), screen.clone());
        let global = crate::cli::Global { quiet, ..crate::cli::Global::default() };
        let (mut console, _) = crate::console::Console::new(world, &global, crate::cli::Form::Table);
        console.spin("⠋ waiting for 1 approval · 12s");
        let shown = if terminal && !quiet { "\r\u{1b}[K⠋ waiting for 1 app" } else { "" };
        assert_eq!(screen.text(), shown);
        console.warn("done");
        let cleared = if shown.is_empty() { "" } else { "\r\u{1b}[K" };
        assert_eq!(screen.text(), format!("{shown}{cleared}done\n"));
    }
}
