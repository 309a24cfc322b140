//! `--dry-run`: what would be asked or changed, or the refusal; and nothing is sent that changes anything.

use elevate_proto::v1;
use expect_test::expect;
use tonic::Code;
use v1::ActivationState as State;

use super::bench::{ANN, BOB, Bench, ID, activation, ann, challenge, ended, prepared, refusal, who};
use crate::binding;
use crate::exit::Exit;

/// Calls of these change something.
const CHANGING: [&str; 7] = [
    "request_activation",
    "approve_activation",
    "deny_activation",
    "withdraw_activation",
    "deactivate_activation",
    "revoke_activation",
    "apply_policy",
];

fn caller(object_id: &str, app_roles: &[&str]) -> v1::Caller {
    v1::Caller {
        principal: Some(who(object_id, "")),
        app_roles: app_roles.iter().map(|&role| role.to_owned()).collect(),
        ..v1::Caller::default()
    }
}

fn nothing_changed(bench: &Bench) {
    for call in CHANGING {
        assert!(!bench.broker.was_called(call), "{call}");
    }
    assert!(bench.tenant.visited.lock().unwrap().is_empty(), "nobody signs in for a dry run");
}

#[tokio::test]
async fn activate_shows_what_would_be_asked_and_stops_before_the_sign_in() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_activation", &prepared());
    let args = ["activate", "groups-admin", "--ticket", "INC0012345", "--ticket-system", "ServiceNow"];
    let args = [&args[..], &["--reason-file", "-", "--dry-run"]].concat();
    expect![[r#"
        out: Nothing was asked for. Groups Administrator would be, as far as can be known before you sign in
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
        exit: 0
    "#]]
    .assert_eq(&bench.typing(&args, "reset a group").await.all());
    let json = bench.typing(&[&args[..], &["--output", "json"]].concat(), "reset a group").await.json();
    assert_eq!((json["dry_run"].clone(), json["verb"].clone()), (true.into(), "activate".into()));
    assert_eq!(json["asked"]["term_seconds"], 7200);
    assert_eq!(json["asked"]["digest"], activation(State::Requested).digest);
    assert_eq!(json["activation"], serde_json::Value::Null);

    let told = "`groups-admin` is not a role you may activate";
    bench.broker.fails("prepare_activation", refusal(Code::NotFound, "ROLE_NOT_OFFERED", told));
    bench.typing(&args, "reset a group").await;
    let refused = bench.typing(&args, "reset a group").await;
    assert_eq!(refused.exit, Exit::Refused, "the refusal's own code: {refused:?}");
    nothing_changed(&bench);
}

#[tokio::test]
async fn approve_and_deny_ask_the_broker_whether_they_may() {
    let bench = Bench::signed_in().await;
    let waiting = activation(State::AwaitingApproval);
    let digest = binding::approval_digest(ID, &waiting.digest, &binding::Less::default());
    let shown = v1::PrepareApprovalResponse {
        challenge: Some(challenge(&digest, "approve")),
        activation: Some(waiting),
    };
    bench.broker.says("prepare_approval", &shown);
    bench.broker.says("get_activation", &activation(State::AwaitingApproval));
    let ran = bench.elevate(&["approve", ID, "--dry-run"]).await;
    assert!(ran.err.contains("You are about to approve:"), "{ran:?}");
    expect![[r#"
        Nothing was changed. groups-admin for Ann would be approved, as far as can be known before you sign in
    "#]]
    .assert_eq(&ran.out);
    expect![[r#"
        out: Nothing was changed. groups-admin for Ann would be denied
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["deny", ID, "--reason", "no", "--dry-run"]).await.all());
    let json = bench.elevate(&["deny", ID, "--reason", "no", "--dry-run", "--output", "json"]).await.json();
    assert_eq!((json["verb"].clone(), json["activation"]["id"].clone()), ("deny".into(), ID.into()));

    let told = "you asked for this yourself; somebody else has to decide";
    bench.broker.fails("prepare_approval", refusal(Code::PermissionDenied, "OWN_APPROVAL", told));
    bench.elevate(&["approve", ID, "--dry-run"]).await;
    for verb in [&["approve", ID, "--dry-run"][..], &["deny", ID, "--reason", "no", "--dry-run"]] {
        assert_eq!(bench.elevate(verb).await.exit, Exit::Refused, "{verb:?}");
    }
    nothing_changed(&bench);
}

#[tokio::test]
async fn giving_back_withdrawing_and_revoking_go_by_the_state() {
    // (state, then the exit codes of deactivate, withdraw and revoke)
    let table = [
        (activation(State::AwaitingApproval), [6, 0, 0]),
        (activation(State::Scheduled), [6, 0, 0]),
        (activation(State::Activating), [0, 6, 0]),
        (activation(State::Active), [0, 6, 0]),
        (activation(State::Revoking), [0, 6, 0]),
        (ended(v1::Outcome::Expired), [0, 6, 6]),
        (ended(v1::Outcome::Withdrawn), [6, 0, 6]),
        (ended(v1::Outcome::Denied), [6, 6, 6]),
    ];
    for (stands, expected) in table {
        let bench = Bench::signed_in().await;
        bench.broker.says("get_activation", &stands);
        bench.broker.says("get_caller", &caller(ANN, &["revoker"]));
        let mut codes = Vec::new();
        for verb in [&["deactivate", ID][..], &["withdraw", ID], &["revoke", ID, "--reason", "incident"]] {
            codes.push(bench.elevate(&[verb, &["--dry-run"]].concat()).await.exit.code());
        }
        assert_eq!(codes, expected, "{:?} {:?}", stands.state(), stands.outcome());
        nothing_changed(&bench);
    }
}

#[tokio::test]
async fn giving_back_is_shown_in_words_and_refused_for_what_is_not_ones_own() {
    let bench = Bench::signed_in().await;
    bench.broker.says("get_activation", &activation(State::Active));
    bench.broker.says("get_caller", &v1::Caller { principal: Some(ann()), ..v1::Caller::default() });
    expect![[r#"
        out: Nothing was changed. groups-admin for Ann would be given back now
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["deactivate", ID, "--dry-run"]).await.all());
    expect![[r#"
        err: error: this activation is active
        err:   it has begun; `elevate deactivate 0199a1b2-0000-7000-8000-000000000001` gives it back
        exit: 6
    "#]]
    .assert_eq(&bench.elevate(&["withdraw", ID, "--dry-run"]).await.all());
    expect![[r#"
        err: error: this needs the app role revoker
        err:   an administrator of the tenant assigns it; `elevate whoami` shows what you have
        exit: 4
    "#]]
    .assert_eq(&bench.elevate(&["revoke", ID, "--reason", "x", "--dry-run"]).await.all());

    let bench = Bench::signed_in().await;
    bench.broker.says("get_activation", &activation(State::Active));
    bench.broker.says("get_caller", &caller(BOB, &["auditor"]));
    for verb in ["deactivate", "withdraw"] {
        assert_eq!(bench.elevate(&[verb, ID, "--dry-run"]).await.exit, Exit::NotFound, "{verb}");
    }
}

#[tokio::test]
async fn applying_a_policy_is_planned_and_needs_the_right_to_apply() {
    let bench = Bench::signed_in().await;
    let file = bench.folder.path().join("policy.toml");
    std::fs::write(&file, "[[role]]\nname = \"a\"\n").unwrap();
    let change =
        v1::RoleChange { role: "a".to_owned(), kind: "added".to_owned(), ..v1::RoleChange::default() };
    bench.broker.says("plan_policy", &v1::PlanPolicyResponse { current_version: 3, changes: vec![change] });
    bench.broker.says("get_caller", &caller(ANN, &["policy-admin"]));
    bench.broker.says("get_caller", &caller(ANN, &["auditor"]));
    let args = ["policy", "apply", file.to_str().unwrap(), "--dry-run"];
    expect![[r#"
        out: version 3 is in force; this would change:
        out: + a (added)
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&args).await.all());
    expect![[r#"
        err: error: this needs the app role policy-admin
        err:   an administrator of the tenant assigns it; `elevate whoami` shows what you have
        exit: 4
    "#]]
    .assert_eq(&bench.elevate(&args).await.all());
    nothing_changed(&bench);
}
