//! Asking and approving: what is shown, what the sign-in is bound to, and what is refused before it.

use elevate_proto::v1;
use expect_test::expect;
use tonic::{Code, Status};
use v1::ActivationState as State;

use super::bench::{Bench, ID, activation, challenge, digest_of, prepared, refusal, who};
use crate::exit::Exit;

const ASK: [&str; 9] = [
    "activate",
    "groups-admin",
    "--for",
    "2h",
    "--ticket",
    "INC0012345",
    "--ticket-system",
    "ServiceNow",
    "--no-wait",
];

fn with_reason(args: &[&'static str]) -> Vec<&'static str> {
    [args, &["--reason-file", "-"]].concat()
}

/// Without the address, which differs from run to run.
fn without_address(text: &str) -> String {
    text.lines().filter(|line| !line.contains("/authorize?")).map(|line| format!("{line}\n")).collect()
}

async fn offered() -> Bench {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_activation", &prepared());
    bench.broker.says("request_activation", &activation(State::AwaitingApproval));
    bench
}

#[tokio::test]
async fn activate_shows_what_is_asked_and_signs_in_for_exactly_that() {
    let bench = offered().await;
    let ran = bench.typing(&with_reason(&ASK), "reset a group\n").await;
    expect![[r#"
        out: 0199a1b2-0000-7000-8000-000000000001  waiting for 1 approval, until 19:59 (in 3h 59m)
        err: You are about to ask for:
        err:   role           Groups Administrator (groups-admin)
        err:   what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        err:   scope          the whole tenant
        err:   for            2h
        err:   who            Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
        err:   why            reset a group
        err:   ticket         ServiceNow INC0012345
        err:   approval       1 of user 1b2c3d4e-0000-4000-8000-000000000002 or group 9f0e, within 4h
        err:   could approve  1 of Bob, and others
        err:   power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group
        err:   sign-in        with a second factor, authentication context c1, made within 5m
        err: Next, you sign in again. The sign-in counts for exactly this, once.
        err: To sign in, your browser opens this address:
        err:
        err:
        err: `elevate watch 0199a1b2-0000-7000-8000-000000000001` follows it, `elevate withdraw 0199a1b2-0000-7000-8000-000000000001` takes it back
        exit: 0
    "#]].assert_eq(&without_address(&ran.all()));

    let visited = bench.tenant.visited.lock().unwrap()[0].clone();
    let prepared = prepared();
    let expected = [
        ("prompt", "login"),
        ("max_age", "0"),
        ("scope", "openid profile"),
        ("nonce", prepared.challenge.as_ref().unwrap().nonce.as_str()),
        (
            "claims",
            r#"{"id_token":{"acrs":{"essential":true,"value":"c1"},"amr":{"essential":true},"auth_time":{"essential":true}}}"#,
        ),
    ];
    for (name, value) in expected {
        assert_eq!(visited[name], value);
    }

    let asked: Vec<v1::RequestActivationRequest> = bench.broker.asked("request_activation");
    let proof = asked[0].proof.as_ref().unwrap();
    assert_eq!((asked[0].term_seconds, asked[0].policy_version), (7200, 3));
    assert_eq!(asked[0].justification, "reset a group");
    assert!(proof.challenge == "challenge-1" && proof.id_token.starts_with("e30."));
    assert!(!ran.all().contains(&proof.id_token), "a proof is never printed");
    for file in std::fs::read_dir(bench.folder.path()).unwrap() {
        let path = file.unwrap().path();
        assert!(path.is_dir() || !std::fs::read_to_string(&path).unwrap().contains("e30."), "nor kept");
    }
}

#[tokio::test]
async fn a_challenge_for_something_else_is_refused_before_the_sign_in() {
    type Twist = fn(&mut v1::PrepareActivationResponse);
    let twists: [(&str, Twist); 8] = [
        ("another role definition", |p| {
            p.directory_role.as_mut().unwrap().role_definition_id = "62e90394".into()
        }),
        ("another scope", |p| p.directory_role.as_mut().unwrap().scope = "/administrativeUnits/x".into()),
        ("another way", |p| p.directory_role.as_mut().unwrap().way = "pim".into()),
        ("another person", |p| p.principal = Some(who("someone-else", "Ann"))),
        ("longer", |p| p.term_seconds = 86_400),
        ("another policy", |p| p.policy_version = 4),
        ("another nonce", |p| p.challenge.as_mut().unwrap().nonce = "x".into()),
        ("no challenge", |p| p.challenge = None),
    ];
    for (name, twist) in twists {
        let bench = Bench::signed_in().await;
        let mut prepared = prepared();
        twist(&mut prepared);
        bench.broker.says("prepare_activation", &prepared);
        let ran = bench.typing(&with_reason(&ASK), "reset a group").await;
        assert_eq!(ran.exit, Exit::Refused, "{name}");
        assert!(
            ran.err.contains("the broker's challenge is not for what is shown; do not sign in"),
            "{name}"
        );
        assert!(bench.tenant.visited.lock().unwrap().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_under_the_same_id() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_activation", &prepared());
    bench.broker.fails("request_activation", Status::unavailable("lost"));
    bench.broker.says("request_activation", &activation(State::AwaitingApproval));
    let ran = bench.typing(&with_reason(&ASK), "reset a group").await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    let asked: Vec<v1::RequestActivationRequest> = bench.broker.asked("request_activation");
    assert!(asked.len() == 2 && asked[0] == asked[1]);
}

#[tokio::test]
async fn a_person_is_asked_why_and_whether_to_go_on() {
    let mut bench = offered().await.at_a_terminal();
    let ran = bench.typing(&ASK, "reset a group\n\n").await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    assert!(ran.err.contains("why do you need groups-admin? ") && ran.err.contains("Go on? [Y/n] "));
    assert!(!ran.err.contains("history"));

    let ran = bench.typing(&ASK, "reset a group\nno\n").await;
    assert!(ran.exit == Exit::Interrupted && ran.err.contains("nothing changed"), "{ran:?}");
    assert_eq!(bench.tenant.visited.lock().unwrap().len(), 1, "nobody signed in for a no");

    let reason = [&ASK[..], &["--reason", "reset a group", "--yes"]].concat();
    let ran = bench.elevate(&reason).await;
    assert!(ran.err.contains("hint: --reason stays in your shell's history") && !ran.err.contains("Go on?"));

    bench.terminals = crate::Terminals::default();
    let ran = bench.elevate(&ASK).await;
    expect![[r#"
        err: error: nobody said why the role is needed
        err:   say it when asked in a terminal, or with `--reason-file FILE` (`-` is the standard input)
        exit: 2
    "#]]
    .assert_eq(&ran.all());
}

#[tokio::test]
async fn a_refusal_of_the_broker_comes_before_the_sign_in() {
    let bench = Bench::signed_in().await;
    let told = refusal(Code::NotFound, "ROLE_NOT_OFFERED", "role `groups-admin` is not offered to you");
    bench.broker.fails("prepare_activation", told);
    expect![[r#"
        err: error: role `groups-admin` is not offered to you
        err:   `elevate roles` shows what is offered to you
        exit: 4
    "#]]
    .assert_eq(&bench.typing(&with_reason(&ASK), "reset a group").await.all());
}

fn to_approve() -> v1::PrepareApprovalResponse {
    let activation = activation(State::AwaitingApproval);
    let digest = crate::binding::approval_digest(ID, &activation.digest, &crate::binding::Less::default());
    v1::PrepareApprovalResponse {
        challenge: Some(challenge(&digest, "approve")),
        activation: Some(activation),
    }
}

#[tokio::test]
async fn approve_shows_the_whole_request_and_signs_in_for_exactly_that() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_approval", &to_approve());
    bench.broker.says("approve_activation", &activation(State::Activating));
    let ran = bench.elevate(&["approve", ID, "--comment", "go ahead"]).await;
    expect![[r#"
        out: Approved groups-admin for Ann: being granted
        err: You are about to approve:
        err: groups-admin  waiting for 1 approval, until 19:59 (in 3h 59m)
        err:   id            0199a1b2-0000-7000-8000-000000000001
        err:   who           Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
        err:   what          role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        err:   scope         the whole tenant
        err:   for           2h
        err:   why           reset a group
        err:   ticket        ServiceNow INC0012345
        err:   approval      1 of user 1b2c3d4e-0000-4000-8000-000000000002 or group 9f0e
        err:   asked         15:59 (1m ago)
        err:   answer by     19:59 (in 3h 59m)
        err:   policy        version 3
        err:   sign-in      with a second factor, authentication context c1, made within 5m
        err: Next, you sign in again. The sign-in counts for exactly this, once.
        err: To sign in, your browser opens this address:
        err:
        err:
        exit: 0
    "#]].assert_eq(&without_address(&ran.all()));
    let asked: Vec<v1::ApproveActivationRequest> = bench.broker.asked("approve_activation");
    assert_eq!(asked[0].digest, activation(State::AwaitingApproval).digest);
    assert_eq!(asked[0].comment, "go ahead");
    let visited = bench.tenant.visited.lock().unwrap()[0].clone();
    assert_eq!(visited["nonce"], to_approve().challenge.unwrap().nonce);
}

#[tokio::test]
async fn a_request_that_is_not_what_its_digest_says_is_not_approved() {
    type Twist = fn(&mut v1::Activation);
    let twists: [(&str, Twist); 8] = [
        ("a kinder reason", |a| a.justification = "read a group".into()),
        ("a smaller role", |a| a.directory_role.as_mut().unwrap().role_definition_id = "reader".into()),
        ("a shorter term", |a| a.term_seconds = 60),
        ("a shorter term that was asked", |a| a.asked_term_seconds = 60),
        ("a narrower scope", |a| a.directory_role.as_mut().unwrap().scope = format!("/{ID}")),
        ("a narrower scope that was asked", |a| a.asked_scope = format!("/{ID}")),
        ("another start", |a| a.asked_start = super::bench::at(60)),
        ("another activation", |a| a.id = "0199a1b2-0000-7000-8000-0000000000ff".into()),
    ];
    for (name, twist) in twists {
        let bench = Bench::signed_in().await;
        let mut prepared = to_approve();
        twist(prepared.activation.as_mut().unwrap());
        bench.broker.says("prepare_approval", &prepared);
        let ran = bench.elevate(&["approve", ID]).await;
        assert!(ran.exit == Exit::Refused && ran.err.contains("do not sign in"), "{name}: {ran:?}");
        assert!(bench.tenant.visited.lock().unwrap().is_empty(), "{name}");
    }
    // One that is consistent with itself but not with its challenge.
    let bench = Bench::signed_in().await;
    let mut prepared = to_approve();
    let shown = prepared.activation.as_mut().unwrap();
    (shown.term_seconds, shown.asked_term_seconds) = (60, 60);
    shown.digest = digest_of(shown);
    bench.broker.says("prepare_approval", &prepared);
    assert_eq!(bench.elevate(&["approve", ID]).await.exit, Exit::Refused);
}
