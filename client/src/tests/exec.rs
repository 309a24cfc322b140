//! A role for as long as a command runs.

use std::io;
use std::sync::Arc;

use elevate_proto::v1;
use expect_test::expect;
use tokio::sync::Notify;
use tonic::{Code, Status};
use v1::ActivationState as State;

use super::bench::{Bench, ID, Ran, activation, ended, prepared, refusal};

const DEACTIVATE: &str = "deactivate_activation";

async fn asking(states: &[State]) -> Bench {
    let mut bench = Bench::signed_in().await;
    bench.broker.says("prepare_activation", &prepared());
    bench.broker.says("request_activation", &activation(State::AwaitingApproval));
    let changes: Vec<_> = states.iter().map(|state| activation(*state)).collect();
    bench.broker.streams("hold_activation", &changes, Some(Status::unavailable("draining")));
    bench.broker.says(DEACTIVATE, &activation(State::Revoking));
    // Pauses pass at once; nobody presses Ctrl-C.
    bench.pauses = Some(u32::MAX);
    bench
}

async fn exec(bench: &Bench, more: &[&str]) -> Ran {
    let args = ["exec", "groups-admin", "--ticket", "INC0012345", "--ticket-system", "ServiceNow"];
    let args = [&args[..], &["--reason-file", "-"], more, &["--", "az", "group", "list", "--help"]].concat();
    bench.typing(&args, "reset a group").await
}

fn afterwards(ran: &Ran) -> String {
    ran.all().lines().skip_while(|line| !line.contains("Asked:")).map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn the_command_runs_while_the_role_is_held_and_its_code_is_ours() {
    let bench = asking(&[State::AwaitingApproval, State::Activating, State::Active]).await;
    bench.shell.ends.lock().unwrap().push_back(Ok(3));
    let ran = exec(&bench, &[]).await;
    expect![[r#"
        err: Asked: 0199a1b2-0000-7000-8000-000000000001
        err: waiting for 1 approval, until 19:59 (in 3h 59m)
        err: being granted
        err: You hold groups-admin until 18:00 +01:00 (in 2h), and until the command ends
        err: Given back
        exit: 3
    "#]]
    .assert_eq(&afterwards(&ran));
    let command = bench.shell.ran.lock().unwrap().pop().unwrap();
    assert_eq!(command.words, ["az", "group", "list", "--help"]);
    expect![[r#"
        {
            "ELEVATE_ACTIVATION_ID": "0199a1b2-0000-7000-8000-000000000001",
            "ELEVATE_HELD_UNTIL": "2026-11-20T17:00:00Z",
            "ELEVATE_ROLE": "groups-admin",
        }
    "#]]
    .assert_debug_eq(&command.env);
    assert!(command.forward_interrupt, "no terminal sends it Ctrl-C");
    let given_back: Vec<v1::DeactivateActivationRequest> = bench.broker.asked(DEACTIVATE);
    assert_eq!((given_back.len(), given_back[0].id.as_str()), (1, ID));
}

#[tokio::test]
async fn a_role_that_is_not_held_runs_nothing() {
    let bench = asking(&[]).await;
    bench.broker.streams("hold_activation", &[ended(v1::Outcome::Denied)], None);
    let ran = exec(&bench, &[]).await;
    expect![[r#"
        err: Asked: 0199a1b2-0000-7000-8000-000000000001
        err: error: Groups Administrator: denied at 16:00 (2s ago)
        err:   `elevate show 0199a1b2-0000-7000-8000-000000000001` tells all of it
        exit: 125
    "#]]
    .assert_eq(&afterwards(&ran));

    let told = "`groups-admin` is not a role you may activate";
    bench.broker.fails("prepare_activation", refusal(Code::NotFound, "ROLE_NOT_OFFERED", told));
    exec(&bench, &[]).await;
    let refused = exec(&bench, &["--output", "json"]).await;
    assert!(refused.err.contains(r#""exit":125"#) && refused.err.contains("ROLE_NOT_OFFERED"), "{refused:?}");
    assert_eq!(refused.exit.code(), 125);
    assert!(bench.shell.ran.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_command_that_cannot_be_run_gives_the_role_back() {
    for (kind, code) in [(io::ErrorKind::NotFound, 127), (io::ErrorKind::PermissionDenied, 126)] {
        let bench = asking(&[State::Active]).await;
        bench.shell.ends.lock().unwrap().push_back(Err(kind.into()));
        let ran = exec(&bench, &[]).await;
        assert_eq!(ran.exit.code(), code, "{ran:?}");
        assert!(ran.err.contains("cannot run `az`"), "{ran:?}");
        assert_eq!(bench.broker.asked::<v1::DeactivateActivationRequest>(DEACTIVATE).len(), 1);
    }
}

#[tokio::test]
async fn a_role_that_cannot_be_given_back_is_told_and_never_passes_for_success() {
    for (code, expected) in [(0, 125), (3, 3)] {
        let mut bench = Bench::signed_in().await;
        bench.broker.says("prepare_activation", &prepared());
        bench.broker.says("request_activation", &activation(State::Active));
        bench.broker.streams("hold_activation", &[activation(State::Active)], None);
        bench.broker.fails(DEACTIVATE, Status::unavailable("gone"));
        bench.pauses = Some(u32::MAX);
        bench.shell.ends.lock().unwrap().push_back(Ok(code));
        let ran = exec(&bench, &[]).await;
        assert_eq!(ran.exit.code(), expected, "{ran:?}");
        assert!(ran.err.contains("the role could not be given back"), "{ran:?}");
        assert!(ran.err.contains(&format!("`elevate deactivate {ID}`")), "{ran:?}");
    }
}

#[tokio::test]
async fn a_hold_that_breaks_is_taken_up_again() {
    let mut bench = asking(&[State::Active]).await;
    bench.broker.fails("hold_activation", Status::unavailable("starting"));
    bench.broker.streams(
        "hold_activation",
        &[activation(State::Active)],
        Some(Status::unavailable("draining")),
    );
    let until = Arc::new(Notify::new());
    bench.shell = Arc::new(super::bench::Shell { until: Some(Arc::clone(&until)), ..Default::default() });
    let held_thrice = async {
        while bench.broker.asked::<v1::HoldActivationRequest>("hold_activation").len() < 3 {
            tokio::task::yield_now().await;
        }
        until.notify_one();
    };
    let (ran, ()) = tokio::join!(exec(&bench, &[]), held_thrice);
    assert_eq!(ran.exit.code(), 0, "{ran:?}");
    assert!(!ran.err.contains("held no longer"), "{ran:?}");
}

#[tokio::test]
async fn ctrl_c_before_it_is_held_takes_the_request_back() {
    let bench = asking(&[State::AwaitingApproval]).await;
    let told = "this activation is awaiting approval; it is not held yet";
    let bench = {
        let other = Bench::signed_in().await;
        other.broker.says("prepare_activation", &prepared());
        other.broker.says("request_activation", &activation(State::AwaitingApproval));
        other.broker.streams(
            "hold_activation",
            &[activation(State::AwaitingApproval)],
            Some(Status::unavailable("x")),
        );
        other.broker.fails(DEACTIVATE, refusal(Code::FailedPrecondition, "WRONG_STATE", told));
        other.broker.says("withdraw_activation", &ended(v1::Outcome::Withdrawn));
        Bench { pauses: bench.pauses, ..other }
    };
    let impatient = async {
        while !bench.broker.was_called("hold_activation") {
            tokio::task::yield_now().await;
        }
        bench.interrupt.notify_one();
    };
    let (ran, ()) = tokio::join!(exec(&bench, &[]), impatient);
    assert_eq!(ran.exit.code(), 125, "{ran:?}");
    assert!(bench.broker.was_called("withdraw_activation"));
    assert!(bench.shell.ran.lock().unwrap().is_empty());
}

#[tokio::test]
async fn ctrl_c_between_question_and_answer_takes_back_what_was_asked() {
    let bench = asking(&[State::Active]).await;
    let impatient = async {
        while !bench.broker.was_called("request_activation") {
            tokio::task::yield_now().await;
        }
        bench.interrupt.notify_one();
    };
    let (ran, ()) = tokio::join!(exec(&bench, &[]), impatient);
    assert_eq!(ran.exit.code(), 125, "{ran:?}");
    let given_back: Vec<v1::DeactivateActivationRequest> = bench.broker.asked(DEACTIVATE);
    assert_eq!(given_back.iter().map(|asked| asked.id.as_str()).collect::<Vec<_>>(), [ID]);
    assert!(bench.shell.ran.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_dry_run_runs_nothing() {
    let bench = asking(&[State::Active]).await;
    let ran = exec(&bench, &["--dry-run"]).await;
    assert_eq!(ran.exit.code(), 0, "{ran:?}");
    assert!(!bench.broker.was_called("request_activation") && bench.shell.ran.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_role_that_goes_on_as_another_is_held_and_given_back_as_that() {
    const NEW: &str = "0199a1b2-0000-7000-8000-000000000002";
    let mut bench = asking(&[]).await;
    let mut over = ended(v1::Outcome::TakenOver);
    NEW.clone_into(&mut over.continued_by);
    let end = || Some(Status::unavailable("draining"));
    let mut new = activation(State::Active);
    NEW.clone_into(&mut new.id);
    bench.broker.streams("hold_activation", &[activation(State::Active), over], end());
    bench.broker.streams("hold_activation", &[new], end());
    let until = Arc::new(Notify::new());
    bench.shell = Arc::new(super::bench::Shell { until: Some(Arc::clone(&until)), ..Default::default() });
    let held = || bench.broker.asked::<v1::HoldActivationRequest>("hold_activation");
    let held_as_that = async {
        while held().last().is_none_or(|last| last.id != NEW) {
            tokio::task::yield_now().await;
        }
        until.notify_one();
    };
    let (ran, ()) = tokio::join!(exec(&bench, &[]), held_as_that);
    assert!(ran.err.contains(&format!("groups-admin goes on as {NEW}")), "{}", ran.all());
    assert!(!ran.err.contains("goes on without it"), "{}", ran.all());
    let given_back: Vec<v1::DeactivateActivationRequest> = bench.broker.asked(DEACTIVATE);
    assert_eq!((given_back.len(), given_back[0].id.as_str()), (1, NEW));
}
