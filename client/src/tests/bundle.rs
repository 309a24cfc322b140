//! Several roles in one request: shown one by one, one sign-in, all or none.

use elevate_proto::v1;
use expect_test::expect;
use tonic::Code;
use v1::ActivationState as State;

use super::bench::{Bench, ID, Ran, activation, at, challenge, digest_of, ended, prepared, refusal};
use crate::binding::{self, Less};
use crate::exit::Exit;

const ID2: &str = "0199a1b2-0000-7000-8000-000000000002";
const ASK: [&str; 7] = ["activate", "groups-admin", "reader", "--reason-file", "-", "--ticket", "INC0012345"];

fn first(state: State) -> v1::Activation {
    let mut activation = activation(state);
    activation.ticket.as_mut().unwrap().system.clear();
    activation.bundle_ids = vec![ID.to_owned(), ID2.to_owned()];
    activation.digest = digest_of(&activation);
    activation
}

/// The other one, for which nobody has to say yes.
fn second(state: State) -> v1::Activation {
    let mut activation = v1::Activation {
        id: ID2.to_owned(),
        role: "reader".to_owned(),
        term_seconds: 3600,
        asked_term_seconds: 3600,
        requirements: Vec::new(),
        ..first(state)
    };
    activation.directory_role.as_mut().unwrap().role_definition_id =
        "f2ef992c-3afb-46b9-b7cf-a126ee74c451".to_owned();
    activation.digest = digest_of(&activation);
    activation
}

fn bundle_prepared() -> v1::PrepareBundleResponse {
    let (first, second) = (first(State::Requested), second(State::Requested));
    let digest = binding::bundle_digest(&[first.digest.clone(), second.digest.clone()]);
    let items = vec![
        v1::PrepareActivationResponse { challenge: None, ..prepared() },
        v1::PrepareActivationResponse {
            challenge: None,
            directory_role: second.directory_role,
            title: "Global Reader".to_owned(),
            term_seconds: 3600,
            requirements: Vec::new(),
            approvers: None,
            power: None,
            ..prepared()
        },
    ];
    v1::PrepareBundleResponse { challenge: Some(challenge(&digest, "activate")), items }
}

fn both(one: v1::Activation, other: v1::Activation) -> v1::RequestBundleResponse {
    v1::RequestBundleResponse { activations: vec![one, other] }
}

/// All that is said, but for the sign-in, which differs from run to run.
fn told(ran: &Ran) -> String {
    let of_sign_in = ["Next, you sign in", "To sign in, your browser", "https://tenant"];
    let all = ran.all();
    let kept = all.lines().filter(|line| *line != "err:" && !of_sign_in.iter().any(|it| line.contains(it)));
    kept.map(|line| format!("{line}\n")).collect()
}

async fn asks(bench: &Bench, more: &[&str]) -> Ran {
    bench.typing(&[&ASK[..], more].concat(), "reset a group").await
}

#[tokio::test]
async fn several_roles_are_shown_one_by_one_and_asked_for_by_one_sign_in() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_bundle", &bundle_prepared());
    bench.broker.says("request_bundle", &both(first(State::AwaitingApproval), second(State::Scheduled)));
    let ran = asks(&bench, &["--for", "2h", "--no-wait"]).await;
    assert_eq!(ran.exit, Exit::Refused, "what was prepared is not what was asked: {ran:?}");
    let ran = asks(&bench, &["--no-wait"]).await;
    expect![[r#"
        out: 0199a1b2-0000-7000-8000-000000000001  groups-admin  waiting for 1 approval, until 19:59 (in 3h 59m)
        out: 0199a1b2-0000-7000-8000-000000000002  reader  scheduled
        err: You are about to ask for 2 roles together, all or none of them:
        err:   role           Groups Administrator (groups-admin)
        err:   what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        err:   scope          the whole tenant
        err:   for            2h
        err:   who            Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
        err:   why            reset a group
        err:   ticket         INC0012345
        err:   approval       1 of user 1b2c3d4e-0000-4000-8000-000000000002 or group 9f0e, within 4h
        err:   could approve  1 of Bob, and others
        err:   power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group
        err:   role           Global Reader (reader)
        err:   what           role definition f2ef992c-3afb-46b9-b7cf-a126ee74c451, granted by way of `assignment`
        err:   scope          the whole tenant
        err:   for            1h
        err:   who            Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
        err:   why            reset a group
        err:   ticket         INC0012345
        err:   approval       nobody's approval is needed
        err:   sign-in, once  with a second factor, authentication context c1, made within 5m
        err: `elevate show 0199a1b2-0000-7000-8000-000000000001` shows them, `elevate withdraw 0199a1b2-0000-7000-8000-000000000001` takes them back
        exit: 0
    "#]].assert_eq(&told(&ran));
    let asked: Vec<v1::RequestBundleRequest> = bench.broker.asked("request_bundle");
    assert_eq!(asked.len(), 1);
    let items: Vec<_> = asked[0].items.iter().map(|item| (item.role.as_str(), item.term_seconds)).collect();
    assert_eq!(items, [("groups-admin", 7200), ("reader", 3600)]);
    assert!(asked[0].items.iter().all(|item| item.justification == "reset a group" && item.ticket.is_some()));
    let visited = bench.tenant.visited.lock().unwrap().clone();
    assert_eq!(visited.len(), 1, "one sign-in");
    assert_eq!(visited[0]["nonce"], bundle_prepared().challenge.unwrap().nonce);
    let json = asks(&bench, &["--no-wait", "--output", "json"]).await.json();
    assert_eq!(
        (&json["activations"][0]["id"], &json["activations"][1]["role"]),
        (&ID.into(), &"reader".into())
    );
    assert_eq!(json["activations"][1]["bundle_ids"], serde_json::json!([ID, ID2]));
}

#[tokio::test]
async fn a_dry_run_of_several_shows_them_and_asks_for_none() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_bundle", &bundle_prepared());
    let ran = asks(&bench, &["--dry-run"]).await;
    assert!(ran.err.contains("Global Reader (reader)") && ran.exit == Exit::Ok, "{ran:?}");
    expect![[r#"
        Nothing was asked for. Groups Administrator and Global Reader would be, together, as far as can be known before you sign in
    "#]].assert_eq(&ran.out);
    let json = asks(&bench, &["--dry-run", "--output", "json"]).await.json();
    assert_eq!((&json["dry_run"], &json["verb"]), (&true.into(), &"activate".into()));
    assert_eq!(json["digest"], bundle_prepared().challenge.unwrap().digest);
    assert_eq!(json["proof"]["strength"], "mfa");
    let items: Vec<_> = json["items"].as_array().unwrap().iter().map(|item| &item["digest"]).collect();
    assert_eq!(items, [&first(State::Requested).digest, &second(State::Requested).digest]);
    assert!(!bench.broker.was_called("request_bundle"));
}

#[tokio::test]
async fn a_bundle_that_is_not_what_its_challenge_says_is_not_signed_in_for() {
    type Twist = fn(&mut v1::PrepareBundleResponse);
    let twists: [(&str, Twist); 5] = [
        ("another order", |told| told.items.swap(0, 1)),
        ("one left out", |told| drop(told.items.pop())),
        ("one more", |told| told.items.push(told.items[0].clone())),
        ("a longer term", |told| told.items[1].term_seconds = 86_400),
        ("the challenge of one alone", |told| told.challenge = prepared().challenge),
    ];
    for (name, twist) in twists {
        let bench = Bench::signed_in().await;
        let mut told = bundle_prepared();
        twist(&mut told);
        bench.broker.says("prepare_bundle", &told);
        let ran = asks(&bench, &["--no-wait"]).await;
        assert!(ran.exit == Exit::Refused && ran.err.contains("do not sign in"), "{name}: {ran:?}");
        assert!(bench.tenant.visited.lock().unwrap().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn what_stands_against_one_is_told_of_it_and_nothing_is_asked() {
    let bench = Bench::signed_in().await;
    let told = "`reader`, and with it all that was asked together: 2h is longer than `reader` allows; ask for 1h or less";
    bench.broker.fails("prepare_bundle", refusal(Code::InvalidArgument, "TERM_TOO_LONG", told));
    expect![[r#"
        err: error: `reader`, and with it all that was asked together: 2h is longer than `reader` allows; ask for 1h or less
        exit: 2
    "#]].assert_eq(&asks(&bench, &["--for", "2h"]).await.all());
    let json = asks(&bench, &["--for", "2h", "--output", "json"]).await;
    assert!(json.err.contains("\"reason\":\"TERM_TOO_LONG\""), "{json:?}");
}

#[tokio::test]
async fn each_is_waited_for_and_one_that_is_not_held_is_told_by_the_exit_code() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_bundle", &bundle_prepared());
    bench.broker.says("request_bundle", &both(first(State::AwaitingApproval), second(State::Scheduled)));
    // The one that waits for nobody is followed first.
    bench.broker.streams("watch_activation", &[second(State::Activating), second(State::Active)], None);
    let denied =
        v1::Activation { bundle_ids: vec![ID.to_owned(), ID2.to_owned()], ..ended(v1::Outcome::Denied) };
    let then = [first(State::AwaitingApproval), v1::Activation { version: 99, ..denied.clone() }];
    bench.broker.streams("watch_activation", &then, None);
    for now in [&denied, &second(State::Active)] {
        bench.broker.says("get_activation", now);
    }
    let ran = asks(&bench, &[]).await;
    let said = told(&ran);
    expect![[r#"
        err: Asked: 0199a1b2-0000-7000-8000-000000000001  groups-admin
        err: Asked: 0199a1b2-0000-7000-8000-000000000002  reader
        err: reader: being granted
        err: reader: active, until 18:00 (in 2h)
        err: groups-admin: waiting for 1 approval, until 19:59 (in 3h 59m)
        err: hint: each ends by itself: `elevate deactivate ID` gives one back early. Sign in afresh where you use them, so that your token carries them
        exit: 8
    "#]].assert_eq(said.split_once("made within 5m\n").unwrap().1);
    let watched: Vec<v1::WatchActivationRequest> = bench.broker.asked("watch_activation");
    assert_eq!(watched.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), [ID2, ID]);
}

#[tokio::test]
async fn a_profile_of_several_roles_asks_for_all_of_them_or_for_the_one_that_is_named() {
    let bench = Bench::signed_in().await;
    let folder = bench.folder.path().join("config");
    std::fs::create_dir(&folder).unwrap();
    let file = "[profile.oncall]\nroles = [\"groups-admin\", \"reader\"]\nreason = \"reset a group\"\nticket = \"INC0012345\"\n";
    std::fs::write(folder.join("config.toml"), file).unwrap();
    bench.broker.says("prepare_bundle", &bundle_prepared());
    let ran = bench.elevate(&["activate", "--profile", "oncall", "--dry-run"]).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    let asked: Vec<v1::PrepareBundleRequest> = bench.broker.asked("prepare_bundle");
    let roles: Vec<_> = asked[0].items.iter().map(|item| item.role.as_str()).collect();
    assert_eq!(roles, ["groups-admin", "reader"]);
    bench.broker.says("prepare_activation", &prepared());
    bench.elevate(&["activate", "groups-admin", "--profile", "oncall", "--dry-run"]).await;
    assert!(bench.broker.was_called("prepare_activation"));
}

/// What waits for Bob, and how much of it his yes would be to.
fn to_approve(less: &[Less; 2]) -> v1::PrepareBundleApprovalResponse {
    let waiting = [first(State::AwaitingApproval), second(State::AwaitingApproval)];
    let digests: Vec<_> = waiting
        .iter()
        .zip(less)
        .map(|(one, less)| binding::approval_digest(&one.id, &one.digest, less))
        .collect();
    v1::PrepareBundleApprovalResponse {
        challenge: Some(challenge(&binding::bundle_digest(&digests), "approve")),
        activations: waiting.into(),
    }
}

fn one_to_approve() -> v1::PrepareApprovalResponse {
    let activation = first(State::AwaitingApproval);
    let digest = binding::approval_digest(ID, &activation.digest, &Less::default());
    v1::PrepareApprovalResponse {
        challenge: Some(challenge(&digest, "approve")),
        activation: Some(activation),
    }
}

fn approved() -> v1::ApproveBundleResponse {
    v1::ApproveBundleResponse { activations: vec![first(State::Scheduled), second(State::Scheduled)] }
}

#[tokio::test]
async fn a_yes_by_the_id_of_one_is_to_all_that_are_shown() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_approval", &one_to_approve());
    bench.broker.says("prepare_bundle_approval", &to_approve(&[Less::default(), Less::default()]));
    bench.broker.says("approve_bundle", &approved());
    let ran = bench.elevate(&["approve", ID, "--comment", "go ahead"]).await;
    expect![[r#"
        out: Approved groups-admin for Ann: scheduled
        out: Approved reader for Ann: scheduled
        err: You are about to approve 2 roles that were asked for together:
        err: groups-admin  waiting for 1 approval, until 19:59 (in 3h 59m)
        err:   id            0199a1b2-0000-7000-8000-000000000001
        err:   together      1 of 2 that were asked for together
        err:   who           Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
        err:   what          role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        err:   scope         the whole tenant
        err:   for           2h
        err:   why           reset a group
        err:   ticket        INC0012345
        err:   approval      1 of user 1b2c3d4e-0000-4000-8000-000000000002 or group 9f0e
        err:   asked         15:59 (1m ago)
        err:   answer by     19:59 (in 3h 59m)
        err:   policy        version 3
        err: reader  waiting for 1 approval, until 19:59 (in 3h 59m)
        err:   id            0199a1b2-0000-7000-8000-000000000002
        err:   together      2 of 2 that were asked for together
        err:   who           Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
        err:   what          role definition f2ef992c-3afb-46b9-b7cf-a126ee74c451, granted by way of `assignment`
        err:   scope         the whole tenant
        err:   for           1h
        err:   why           reset a group
        err:   ticket        INC0012345
        err:   approval      nobody's approval is needed
        err:   asked         15:59 (1m ago)
        err:   answer by     19:59 (in 3h 59m)
        err:   policy        version 3
        err:   sign-in, once  with a second factor, authentication context c1, made within 5m
        exit: 0
    "#]].assert_eq(&told(&ran));
    let asked: Vec<v1::ApproveBundleRequest> = bench.broker.asked("approve_bundle");
    assert_eq!((asked[0].id.as_str(), asked[0].comment.as_str()), (ID, "go ahead"));
    let items: Vec<_> = asked[0].items.iter().map(|item| (item.id.as_str(), &item.digest)).collect();
    assert_eq!(
        items,
        [(ID, &first(State::AwaitingApproval).digest), (ID2, &second(State::AwaitingApproval).digest)]
    );
    let nonce = to_approve(&[Less::default(), Less::default()]).challenge.unwrap().nonce;
    assert_eq!(bench.tenant.visited.lock().unwrap()[0]["nonce"], nonce);
    let json = bench.elevate(&["approve", ID, "--output", "json"]).await.json();
    assert_eq!(json["activations"][1]["state"], "scheduled");
    let json = bench.elevate(&["approve", ID, "--dry-run", "--output", "json"]).await.json();
    assert_eq!((&json["verb"], &json["activations"][0]["id"]), (&"approve".into(), &ID.into()));
}

#[tokio::test]
async fn a_yes_to_less_shortens_those_that_are_longer() {
    let bench = Bench::signed_in().await;
    // For the one that is named it is no less; for the other it is.
    let told_so = "an approver may shorten or narrow, never widen: 1h 30m is longer than 1h";
    bench.broker.fails("prepare_approval", refusal(Code::InvalidArgument, "NOT_NARROWER", told_so));
    bench.broker.says("get_activation", &second(State::AwaitingApproval));
    let less = [Less { term_seconds: 5400, ..Less::default() }, Less::default()];
    bench.broker.says("prepare_bundle_approval", &to_approve(&less));
    bench.broker.says("approve_bundle", &approved());
    let ran = bench.elevate(&["approve", ID2, "--for", "1h 30m"]).await;
    assert!(ran.exit == Exit::Ok && ran.out.contains("for Ann, for 1h 30m instead of 2h:"), "{ran:?}");
    assert!(ran.out.contains("Approved reader for Ann: "), "{ran:?}");
    let asked: Vec<v1::ApproveBundleRequest> = bench.broker.asked("approve_bundle");
    assert_eq!(asked[0].items.iter().map(|item| item.term_seconds).collect::<Vec<_>>(), [5400, 0]);
    // Of one that was asked for alone, it is refused as it was.
    bench.broker.says_only("get_activation", &activation(State::AwaitingApproval));
    let ran = bench.elevate(&["approve", ID, "--for", "1h 30m"]).await;
    assert!(ran.exit == Exit::Usage && ran.err.contains("never widen"), "{ran:?}");
}

#[tokio::test]
async fn a_yes_to_one_alone_is_said_by_only() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_approval", &one_to_approve());
    bench.broker.says("approve_activation", &first(State::Scheduled));
    let ran = bench.elevate(&["approve", ID, "--only"]).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    assert!(!bench.broker.was_called("prepare_bundle_approval"));
}

#[tokio::test]
async fn a_bundle_that_is_not_what_was_asked_for_is_not_approved() {
    type Twist = fn(&mut v1::PrepareBundleApprovalResponse);
    let twists: [(&str, Twist); 6] = [
        ("another order", |told| told.activations.swap(0, 1)),
        ("one left out", |told| drop(told.activations.pop())),
        ("without the one that was named", |told| drop(told.activations.remove(0))),
        ("a kinder reason", |told| told.activations[1].justification = "read a group".into()),
        ("somebody else's", |told| told.activations[1].bundle_ids = vec![ID2.into(), "other".into()]),
        ("the challenge of one alone", |told| told.challenge = one_to_approve().challenge),
    ];
    for (name, twist) in twists {
        let bench = Bench::signed_in().await;
        bench.broker.says("prepare_approval", &one_to_approve());
        let mut told = to_approve(&[Less::default(), Less::default()]);
        twist(&mut told);
        bench.broker.says("prepare_bundle_approval", &told);
        let ran = bench.elevate(&["approve", ID]).await;
        assert!(ran.exit == Exit::Refused && ran.err.contains("do not sign in"), "{name}: {ran:?}");
        assert!(bench.tenant.visited.lock().unwrap().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_no_shows_what_it_ends_before_it_is_said() {
    let bench = Bench::signed_in().await;
    bench.broker.says("get_activation", &first(State::AwaitingApproval));
    bench
        .broker
        .fails("get_activation", refusal(Code::NotFound, "ACTIVATION_NOT_FOUND", "no such activation"));
    bench.broker.says(
        "deny_activation",
        &v1::Activation { bundle_ids: vec![ID.to_owned(), ID2.to_owned()], ..ended(v1::Outcome::Denied) },
    );
    expect![[r#"
        out: Denied groups-admin for Ann, and with it all that was asked for together and has not begun
        err: You are about to deny groups-admin for Ann (waiting for 1 approval, until 19:59 (in 3h 59m)), and with it whatever of these has not begun:
        err:   1 not yours to see
        exit: 0
    "#]].assert_eq(&bench.elevate(&["deny", ID, "--reason", "not today"]).await.all());
    let bench = Bench::signed_in().await;
    for one in [first(State::AwaitingApproval), second(State::Active)] {
        bench.broker.says("get_activation", &one);
    }
    bench.broker.says("prepare_approval", &one_to_approve());
    expect![[r#"
        out: Nothing was changed. groups-admin for Ann would be denied, and with it all that was asked for together and has not begun
        err: You are about to deny groups-admin for Ann (waiting for 1 approval, until 19:59 (in 3h 59m)), and with it whatever of these has not begun:
        err:   reader  active, until 18:00 (in 2h)  0199a1b2-0000-7000-8000-000000000002
        exit: 0
    "#]].assert_eq(&bench.elevate(&["deny", ID, "--reason", "not today", "--dry-run"]).await.all());
    assert!(!bench.broker.was_called("deny_activation"));
}

#[tokio::test]
async fn what_was_asked_for_together_is_taken_back_together() {
    let bench = Bench::signed_in().await;
    bench.broker.says("get_activation", &first(State::AwaitingApproval));
    let withdrawn =
        v1::Activation { bundle_ids: vec![ID.to_owned(), ID2.to_owned()], ..ended(v1::Outcome::Withdrawn) };
    let answer = v1::WithdrawBundleResponse { activations: vec![withdrawn.clone(), second(State::Active)] };
    bench.broker.says("withdraw_bundle", &answer);
    expect![[r#"
        out: Withdrawn: groups-admin
        out: Not withdrawn: reader, active, until 18:00 (in 2h)
        err: hint: `elevate deactivate ID` gives back what is held
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["withdraw", ID]).await.all());
    let json = bench.elevate(&["withdraw", ID, "--output", "json"]).await.json();
    assert_eq!(
        (&json["activations"][0]["outcome"], &json["activations"][1]["state"]),
        (&"withdrawn".into(), &"active".into())
    );
    bench.broker.says("withdraw_activation", &withdrawn);
    bench.elevate(&["withdraw", ID, "--only"]).await;
    assert!(bench.broker.was_called("withdraw_activation"));
    let told = "this activation is active; nothing of what was asked for together waits to begin";
    let bench = Bench::signed_in().await;
    bench.broker.says("get_activation", &first(State::Active));
    bench.broker.fails("withdraw_bundle", refusal(Code::FailedPrecondition, "WRONG_STATE", told));
    assert_eq!(bench.elevate(&["withdraw", ID]).await.exit, Exit::State);
}

#[tokio::test]
async fn a_list_and_one_that_is_shown_say_what_belongs_together() {
    let bench = Bench::signed_in().await;
    let alone =
        v1::Activation { id: "0199a1b2-0000-7000-8000-000000000003".to_owned(), ..activation(State::Active) };
    let all = vec![second(State::Active), first(State::AwaitingApproval), alone];
    bench.broker.says(
        "list_activations",
        &v1::ListActivationsResponse { activations: all.clone(), next_page_token: String::new() },
    );
    expect![[r#"
        out: ROLE          STATE                                            FOR  TOGETHER  WHY            ID
        out: reader        active, until 18:00 (in 2h)                      1h   2 of 2    reset a group  0199a1b2-0000-7000-8000-000000000002
        out: groups-admin  waiting for 1 approval, until 19:59 (in 3h 59m)  2h   1 of 2    reset a group  0199a1b2-0000-7000-8000-000000000001
        out: groups-admin  active, until 18:00 (in 2h)                      2h   -         reset a group  0199a1b2-0000-7000-8000-000000000003
        exit: 0
    "#]].assert_eq(&bench.elevate(&["list"]).await.all());
    bench.broker.says(
        "list_pending_approvals",
        &v1::ListPendingApprovalsResponse { activations: all[1..2].to_vec(), next_page_token: String::new() },
    );
    expect![[r#"
        out: ROLE          WHO  STATE                                            FOR  TOGETHER  WHY            ID
        out: groups-admin  Ann  waiting for 1 approval, until 19:59 (in 3h 59m)  2h   1 of 2    reset a group  0199a1b2-0000-7000-8000-000000000001
        err: hint: `elevate show ID` tells everything about one; `elevate approve ID` or `elevate deny ID` answers it
        exit: 0
    "#]].assert_eq(&bench.elevate(&["pending"]).await.all());
    for one in [first(State::AwaitingApproval), second(State::Active)] {
        bench.broker.says("get_activation", &one);
    }
    expect![[r#"
        out: groups-admin  waiting for 1 approval, until 19:59 (in 3h 59m)
        out:   id            0199a1b2-0000-7000-8000-000000000001
        out:   together      1 of 2 that were asked for together
        out:   who           Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
        out:   what          role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        out:   scope         the whole tenant
        out:   for           2h
        out:   why           reset a group
        out:   ticket        INC0012345
        out:   approval      1 of user 1b2c3d4e-0000-4000-8000-000000000002 or group 9f0e
        out:   asked         15:59 (1m ago)
        out:   answer by     19:59 (in 3h 59m)
        out:   policy        version 3
        out:
        out: asked for together with it:
        out:   reader  active, until 18:00 (in 2h)  0199a1b2-0000-7000-8000-000000000002
        exit: 0
    "#]].assert_eq(&bench.elevate(&["show", ID]).await.all());
}

#[tokio::test]
async fn a_start_and_a_scope_count_for_each_of_them() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_bundle", &bundle_prepared());
    asks(&bench, &["--at", "+3h", "--scope", "/administrativeUnits/5a4d", "--dry-run"]).await;
    let asked: Vec<v1::PrepareBundleRequest> = bench.broker.asked("prepare_bundle");
    assert!(asked[0].items.iter().all(|item| item.starts_at == at(180) && item.scope.ends_with("5a4d")));
}
