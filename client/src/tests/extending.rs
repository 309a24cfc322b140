//! Going on longer.

use elevate_proto::v1;
use expect_test::expect;
use tonic::Code;
use v1::ActivationState as State;

use super::bench::{Bench, ID, activation, ann, challenge, digest_of, ended, prepared, refusal};

const NEW: &str = "0199a1b2-0000-7000-8000-000000000002";

/// What is held, as it goes on.
fn new(state: State) -> v1::Activation {
    let mut new = activation(state);
    new.id = NEW.to_owned();
    new.continues = ID.to_owned();
    new.digest = digest_of(&new);
    new
}

async fn holding() -> Bench {
    told(&[new(State::AwaitingApproval), new(State::Active)]).await
}

/// The same, and this comes of what is asked.
async fn told(changes: &[v1::Activation]) -> Bench {
    let bench = Bench::signed_in().await;
    let mut prepared = prepared();
    prepared.challenge = Some(challenge(&new(State::Requested).digest, "activate"));
    let activations = vec![activation(State::Active)];
    let page = v1::ListActivationsResponse { activations, next_page_token: String::new() };
    bench.broker.says("list_activations", &page);
    bench.broker.says("get_activation", &activation(State::Active));
    bench.broker.says("get_caller", &v1::Caller { principal: Some(ann()), ..v1::Caller::default() });
    bench.broker.says("prepare_activation", &prepared);
    bench.broker.says("request_activation", &new(State::AwaitingApproval));
    bench.broker.streams("watch_activation", changes, None);
    bench
}

const REASON: [&str; 2] = ["--reason-file", "-"];

#[tokio::test]
async fn extend_asks_for_another_activation_that_continues_what_is_held() {
    let bench = holding().await;
    let ran = bench.typing(&[&["extend", "--for", "2h"][..], &REASON].concat(), "reset a group").await;
    let before: Vec<_> = ran.err.lines().take_while(|line| !line.starts_with("To sign in")).collect();
    expect![[r#"
        You hold groups-admin until 18:00 +01:00 (in 2h)
        You are about to ask to go on longer. What you hold stays as it is, with its own end, until this takes over; if it has not by that end, both are over. The time counts from when it takes over.
          role           Groups Administrator (groups-admin)
          what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
          scope          the whole tenant
          for            2h
          who            Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
          why            reset a group
          ticket         ServiceNow INC0012345
          continues      0199a1b2-0000-7000-8000-000000000001
          approval       1 of user 1b2c3d4e-0000-4000-8000-000000000002 or group 9f0e, within 4h
          could approve  1 of Bob, and others
          power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group
          sign-in        with a second factor, authentication context c1, made within 5m
        Next, you sign in again. The sign-in counts for exactly this, once."#]].assert_eq(&before.join("\n"));
    expect![[r#"
        You hold Groups Administrator until 18:00 +01:00 (in 2h)
    "#]]
    .assert_eq(&ran.out);
    assert_eq!(ran.exit.code(), 0);
    let asked: Vec<v1::RequestActivationRequest> = bench.broker.asked("request_activation");
    assert_eq!((asked[0].continues.as_str(), asked[0].role.as_str()), (ID, "groups-admin"));
    // Under the ticket that it is held under.
    assert_eq!(asked[0].ticket, activation(State::Active).ticket);
}

#[tokio::test]
async fn it_is_named_by_its_role_its_id_or_the_beginning_of_it() {
    let bench = holding().await;
    for which in ["groups-admin", ID, "0199a1"] {
        let args = [&["extend", which, "--no-wait", "--quiet"][..], &REASON].concat();
        let ran = bench.typing(&args, "reset a group").await;
        assert_eq!(ran.exit.code(), 0, "{which}: {}", ran.err);
    }
    let json = [&["extend", "--no-wait", "--quiet", "--output", "json"][..], &REASON].concat();
    let json = bench.typing(&json, "reset a group").await.json();
    assert_eq!((&json["id"], &json["continues"]), (&NEW.into(), &ID.into()));
    assert_eq!(
        (&json["continued_by"], &json["state"]),
        (&serde_json::Value::Null, &"awaiting_approval".into())
    );
}

#[tokio::test]
async fn a_dry_run_of_it_signs_nobody_in() {
    let bench = holding().await;
    let args = [&["extend", "--dry-run", "--quiet", "--output", "json"][..], &REASON].concat();
    let json = bench.typing(&args, "reset a group").await.json();
    assert_eq!((&json["verb"], &json["asked"]["continues"]), (&"extend".into(), &ID.into()));
    assert!(!bench.broker.was_called("request_activation"));
}

#[tokio::test]
async fn a_challenge_for_a_role_of_its_own_is_found_out_before_the_sign_in() {
    let bench = holding().await;
    bench.broker.says_only("prepare_activation", &prepared());
    let ran = bench.typing(&[&["extend"][..], &REASON].concat(), "reset a group").await;
    assert!(ran.err.contains("do not sign in"), "{}", ran.err);
    assert!(!bench.broker.was_called("request_activation"));
}

#[tokio::test]
async fn what_the_broker_refuses_and_what_is_not_asked_at_all() {
    let bench = holding().await;
    let why =
        "1h from now is no later than its end, 2026-11-20T17:00:00Z; ask for longer, or extend it later";
    bench.broker.fails("prepare_activation", refusal(Code::FailedPrecondition, "NOT_EXTENDED", why));
    let args = [&["extend", "--for", "1h", "--quiet"][..], &REASON].concat();
    // What was prepared first.
    bench.typing(&[&["extend", "--dry-run"][..], &REASON].concat(), "reset a group").await;
    expect![[r#"
        err: error: 1h from now is no later than its end, 2026-11-20T17:00:00Z; ask for longer, or extend it later
        exit: 6
    "#]].assert_eq(&bench.typing(&args, "reset a group").await.all());
    let json = [&args[..], &["--output", "json"]].concat();
    expect![[r#"
        err: {"error":{"advice":null,"code":"failed_precondition","exit":6,"fields":[],"message":"1h from now is no later than its end, 2026-11-20T17:00:00Z; ask for longer, or extend it later","reason":"NOT_EXTENDED","retry_after_seconds":null}}
        exit: 6
    "#]].assert_eq(&bench.typing(&json, "reset a group").await.all());
    expect![[r#"
        err: error: what you hold goes on as it is, at the same scope
        err:   leave `--scope` out, or ask for the narrower one with `elevate activate`
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["extend", "--scope", "/", "--reason", "x", "--quiet"]).await.all());

    let none = Bench::signed_in().await;
    none.broker.says("list_activations", &v1::ListActivationsResponse::default());
    expect![[r#"
        err: error: you hold no role
        exit: 5
    "#]]
    .assert_eq(&none.elevate(&["extend", "--reason", "x", "--quiet"]).await.all());
}

#[tokio::test]
async fn one_that_is_denied_says_that_what_is_held_stays_as_it_is() {
    let mut denied = ended(v1::Outcome::Denied);
    (denied.id, denied.continues) = (NEW.to_owned(), ID.to_owned());
    "not today".clone_into(&mut denied.detail);
    let bench = told(&[new(State::AwaitingApproval), denied]).await;
    let ran = bench.typing(&[&["extend"][..], &REASON].concat(), "reset a group").await;
    let told: Vec<_> = ran.err.lines().skip_while(|line| !line.starts_with("Asked")).collect();
    expect![[r#"
        Asked: 0199a1b2-0000-7000-8000-000000000002
        waiting for 1 approval to go on longer, until 19:59 (in 3h 59m)
        hint: what you held before this is as it was; `elevate list` shows until when
        Groups Administrator: denied at 16:00 (now): not today
        8"#]]
    .assert_eq(&format!("{}\n{}{}", told.join("\n"), ran.out, ran.exit.code()));
}

#[tokio::test]
async fn what_was_continued_says_by_what_and_is_given_back_no_more() {
    let bench = Bench::signed_in().await;
    let mut old = ended(v1::Outcome::TakenOver);
    old.detail = format!("continued by {NEW}");
    NEW.clone_into(&mut old.continued_by);
    bench.broker.says("get_activation", &old);
    bench.broker.says("get_caller", &v1::Caller { principal: Some(ann()), ..v1::Caller::default() });
    let shown = bench.elevate(&["show", ID]).await.all();
    assert!(shown.contains("continued by another") && shown.contains(NEW), "{shown}");
    expect![[r#"
        err: error: this activation is continued by another
        err:   `elevate deactivate 0199a1b2-0000-7000-8000-000000000002` gives that one back
        exit: 6
    "#]]
    .assert_eq(&bench.elevate(&["deactivate", ID, "--dry-run", "--quiet"]).await.all());
    bench.broker.says_only("get_activation", &new(State::Active));
    let shown = bench.elevate(&["show", NEW]).await.all();
    let continues = |line: &str| line.contains("continues  ") && line.ends_with(ID);
    assert!(shown.lines().any(continues), "{shown}");
    // The one that only waits to continue it is not a second role that is held.
    let activations = vec![new(State::Activating), activation(State::Active)];
    let page = v1::ListActivationsResponse { activations, next_page_token: String::new() };
    bench.broker.says("list_activations", &page);
    bench.broker.says("deactivate_activation", &activation(State::Revoking));
    bench.elevate(&["deactivate"]).await;
    let asked: Vec<v1::DeactivateActivationRequest> = bench.broker.asked("deactivate_activation");
    assert_eq!(asked[0].id, ID);
}

#[tokio::test]
async fn the_help_offers_nothing_that_is_refused() {
    let help = Bench::signed_in().await.elevate(&["extend", "--help"]).await.out;
    assert!(help.contains("--for") && !help.contains("--scope") && !help.contains("--at "), "{help}");
}
