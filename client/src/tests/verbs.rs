//! Every verb's answer, for people and for programs.

use elevate_proto::v1;
use expect_test::{Expect, expect};
use v1::ActivationState as State;

use super::bench::{BOB, Bench, ID, activation, ann, at, ended, prepared, requirement, who};

/// The same command for a person and for a program.
pub(super) async fn check(bench: &Bench, args: &[&str], text: Expect, json: Expect) {
    text.assert_eq(&bench.elevate(args).await.all());
    let mut args = args.to_vec();
    args.extend(["--output", "json"]);
    json.assert_eq(&bench.elevate(&args).await.all());
}

fn page(activations: Vec<v1::Activation>) -> v1::ListActivationsResponse {
    v1::ListActivationsResponse { activations, next_page_token: String::new() }
}

#[tokio::test]
async fn whoami_shows_the_caller_as_the_broker_sees_it() {
    let bench = Bench::signed_in().await;
    let caller = v1::Caller {
        principal: Some(ann()),
        workload: false,
        app_roles: vec!["auditor".to_owned()],
        broker_version: "0.1.0".to_owned(),
        frozen: None,
    };
    bench.broker.says("get_caller", &caller);
    check(
        &bench,
        &["whoami"],
        expect![[r#"
        out:   who        Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
        out:   tenant     72f988bf-86f1-41af-91ab-2d7cd011db47
        out:   kind       person
        out:   app roles  auditor
        out:   broker     broker:8443, version 0.1.0
        exit: 0
    "#]],
        expect![[r#"
            out: {
            out:   "principal": {
            out:     "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
            out:     "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
            out:     "display_name": "Ann"
            out:   },
            out:   "workload": false,
            out:   "app_roles": [
            out:     "auditor"
            out:   ],
            out:   "broker_version": "0.1.0",
            out:   "frozen": null
            out: }
            exit: 0
        "#]],
    )
    .await;
    assert_eq!(bench.broker.carried("get_caller"), (Some("Bearer a-token".to_owned()), true));
}

#[tokio::test]
async fn roles_shows_what_is_offered() {
    let bench = Bench::signed_in().await;
    let prepared = prepared();
    let role = v1::EligibleRole {
        name: "groups-admin".to_owned(),
        title: "Groups Administrator".to_owned(),
        directory_role: prepared.directory_role,
        longest_seconds: 28_800,
        usual_seconds: 7200,
        requirements: vec![requirement()],
        approval_window_seconds: 14_400,
        proof: prepared.challenge.unwrap().requirement,
        ticket_required: true,
        activation: None,
        ..v1::EligibleRole::default()
    };
    bench.broker.says(
        "list_eligible_roles",
        &v1::ListEligibleRolesResponse {
            roles: vec![role.clone()],
            next_page_token: "2".to_owned(),
            frozen: None,
        },
    );
    let second = v1::EligibleRole {
        name: "reader".to_owned(),
        title: "Global Reader".to_owned(),
        requirements: Vec::new(),
        ticket_required: false,
        activation: Some(activation(State::Active)),
        ..role
    };
    let last =
        v1::ListEligibleRolesResponse { roles: vec![second], next_page_token: String::new(), frozen: None };
    bench.broker.says("list_eligible_roles", &last);
    check(&bench, &["roles"], expect![[r#"
        out: ROLE          TITLE                 SCOPE             FOR              APPROVAL  TICKET  NOW
        out: groups-admin  Groups Administrator  the whole tenant  2h (at most 8h)  1 person  needed  -
        out: reader        Global Reader         the whole tenant  2h (at most 8h)  -         -       active, until 18:00 (in 2h)
        exit: 0
    "#]], expect![[r#"
        out: {
        out:   "roles": [
        out:     {
        out:       "name": "reader",
        out:       "title": "Global Reader",
        out:       "directory_role": {
        out:         "way": "assignment",
        out:         "role_definition_id": "fdd7a751-b60b-444a-984c-02652fe8fa1c",
        out:         "scope": "/",
        out:         "group_id": null,
        out:         "relation": null,
        out:         "scope_name": null
        out:       },
        out:       "longest_seconds": 28800,
        out:       "usual_seconds": 7200,
        out:       "requirements": [],
        out:       "approval_window_seconds": 14400,
        out:       "proof": {
        out:         "strength": "mfa",
        out:         "auth_context": "c1",
        out:         "fresh_within_seconds": 300,
        out:         "nonce_required": true
        out:       },
        out:       "ticket_required": false,
        out:       "activation": {
        out:         "id": "0199a1b2-0000-7000-8000-000000000001",
        out:         "principal": {
        out:           "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        out:           "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
        out:           "display_name": "Ann"
        out:         },
        out:         "role": "groups-admin",
        out:         "directory_role": {
        out:           "way": "assignment",
        out:           "role_definition_id": "fdd7a751-b60b-444a-984c-02652fe8fa1c",
        out:           "scope": "/",
        out:           "group_id": null,
        out:           "relation": null,
        out:           "scope_name": null
        out:         },
        out:         "term_seconds": 7200,
        out:         "justification": "reset a group",
        out:         "ticket": {
        out:           "number": "INC0012345",
        out:           "system": "ServiceNow"
        out:         },
        out:         "state": "active",
        out:         "outcome": null,
        out:         "detail": null,
        out:         "requested_at": "2026-11-20T14:59:00Z",
        out:         "answer_needed_by": null,
        out:         "starts_at": null,
        out:         "held_until": "2026-11-20T17:00:00Z",
        out:         "closed_at": null,
        out:         "requirements": [
        out:           {
        out:             "count": 1,
        out:             "from": [
        out:               "user:1b2c3d4e-0000-4000-8000-000000000002",
        out:               "group:9f0e"
        out:             ]
        out:           }
        out:         ],
        out:         "approvals": [],
        out:         "approvals_needed": 0,
        out:         "policy_version": 3,
        out:         "version": 5,
        out:         "digest": "4b5582102de5a9ed79fcd3c372c07515c2caa56faba570d326f0ccfa86886714",
        out:         "tries": 0,
        out:         "held_from": null,
        out:         "ended_by": null,
        out:         "kind": "ordinary",
        out:         "continues": null,
        out:         "continued_by": null,
        out:         "bundle_ids": [],
        out:         "asked_term_seconds": 7200,
        out:         "asked_scope": "/",
        out:         "asked_start": null,
        out:         "tokens_may_live_until": null,
        out:         "ticket_verdict": null,
        out:         "review": null,
        out:         "sign_out": false,
        out:         "signed_out": null
        out:       },
        out:       "ticket_pattern": null,
        out:       "ticket_system": null,
        out:       "ticket_checked": false,
        out:       "own_approval": false,
        out:       "start_ahead_seconds": 0,
        out:       "sign_out": false,
        out:       "break_glass": null,
        out:       "break_glass_only": false
        out:     }
        out:   ],
        out:   "next_page_token": "",
        out:   "frozen": null
        out: }
        exit: 0
    "#]]).await;
}

#[tokio::test]
async fn list_shows_activations_and_says_when_there_are_none() {
    let bench = Bench::signed_in().await;
    bench.broker.says("list_activations", &page(vec![]));
    expect![[r#"
        err: Nothing is held or asked for. `--all` shows what is over.
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["list"]).await.all());
    expect![[r#"
        out: {
        out:   "activations": [],
        out:   "next_page_token": ""
        out: }
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["list", "--output", "json"]).await.all());

    let bench = Bench::signed_in().await;
    let all =
        vec![activation(State::Active), activation(State::AwaitingApproval), ended(v1::Outcome::Denied)];
    bench.broker.says("list_activations", &page(all));
    expect![[r#"
        out: ROLE          WHO  STATE                                            FOR  WHY            ID
        out: groups-admin  Ann  active, until 18:00 (in 2h)                      2h   reset a group  0199a1b2-0000-7000-8000-000000000001
        out: groups-admin  Ann  waiting for 1 approval, until 19:59 (in 3h 59m)  2h   reset a group  0199a1b2-0000-7000-8000-000000000001
        out: groups-admin  Ann  denied at 16:00 (now)                            2h   reset a group  0199a1b2-0000-7000-8000-000000000001
        exit: 0
    "#]].assert_eq(&bench.elevate(&["list", "--all", "--everybody", "--role", "groups-admin"]).await.all());
    let asked: Vec<v1::ListActivationsRequest> = bench.broker.asked("list_activations");
    assert!(asked[0].everybody && asked[0].include_closed && asked[0].role == "groups-admin");
    let json = bench.elevate(&["list", "--output", "json"]).await.json();
    let states: Vec<_> = json["activations"].as_array().unwrap().iter().map(|a| a["state"].clone()).collect();
    assert_eq!(states, ["active", "awaiting_approval", "closed"]);
    assert_eq!(json["activations"][2]["outcome"], "denied");
    assert_eq!(json["next_page_token"], "");
}

#[tokio::test]
async fn show_tells_everything_about_one() {
    let bench = Bench::signed_in().await;
    let mut shown = activation(State::Active);
    shown.approvals = vec![v1::Approval {
        approver: Some(who(BOB, "Bob")),
        at: at(-1),
        comment: "go ahead".to_owned(),
        ..v1::Approval::default()
    }];
    shown.justification = "first line\nsecond line".to_owned();
    bench.broker.says("get_activation", &shown);
    check(&bench, &["show", ID], expect![[r#"
        out: groups-admin  active, until 18:00 (in 2h)
        out:   id            0199a1b2-0000-7000-8000-000000000001
        out:   who           Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
        out:   what          role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        out:   scope         the whole tenant
        out:   for           2h
        out:   why           first line
        out:                 second line
        out:   ticket        ServiceNow INC0012345
        out:   approval      1 of user 1b2c3d4e-0000-4000-8000-000000000002 or group 9f0e
        out:   approved by   Bob (1b2c3d4e-0000-4000-8000-000000000002) at 15:59: go ahead
        out:   asked         15:59 (1m ago)
        out:   held until    18:00 (in 2h)
        out:   policy        version 3
        exit: 0
    "#]], expect![[r#"
        out: {
        out:   "id": "0199a1b2-0000-7000-8000-000000000001",
        out:   "principal": {
        out:     "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        out:     "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
        out:     "display_name": "Ann"
        out:   },
        out:   "role": "groups-admin",
        out:   "directory_role": {
        out:     "way": "assignment",
        out:     "role_definition_id": "fdd7a751-b60b-444a-984c-02652fe8fa1c",
        out:     "scope": "/",
        out:     "group_id": null,
        out:     "relation": null,
        out:     "scope_name": null
        out:   },
        out:   "term_seconds": 7200,
        out:   "justification": "first line\nsecond line",
        out:   "ticket": {
        out:     "number": "INC0012345",
        out:     "system": "ServiceNow"
        out:   },
        out:   "state": "active",
        out:   "outcome": null,
        out:   "detail": null,
        out:   "requested_at": "2026-11-20T14:59:00Z",
        out:   "answer_needed_by": null,
        out:   "starts_at": null,
        out:   "held_until": "2026-11-20T17:00:00Z",
        out:   "closed_at": null,
        out:   "requirements": [
        out:     {
        out:       "count": 1,
        out:       "from": [
        out:         "user:1b2c3d4e-0000-4000-8000-000000000002",
        out:         "group:9f0e"
        out:       ]
        out:     }
        out:   ],
        out:   "approvals": [
        out:     {
        out:       "approver": {
        out:         "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        out:         "object_id": "1b2c3d4e-0000-4000-8000-000000000002",
        out:         "display_name": "Bob"
        out:       },
        out:       "at": "2026-11-20T14:59:00Z",
        out:       "comment": "go ahead",
        out:       "own": false,
        out:       "term_seconds": null,
        out:       "scope": null
        out:     }
        out:   ],
        out:   "approvals_needed": 0,
        out:   "policy_version": 3,
        out:   "version": 5,
        out:   "digest": "4b5582102de5a9ed79fcd3c372c07515c2caa56faba570d326f0ccfa86886714",
        out:   "tries": 0,
        out:   "held_from": null,
        out:   "ended_by": null,
        out:   "kind": "ordinary",
        out:   "continues": null,
        out:   "continued_by": null,
        out:   "bundle_ids": [],
        out:   "asked_term_seconds": 7200,
        out:   "asked_scope": "/",
        out:   "asked_start": null,
        out:   "tokens_may_live_until": null,
        out:   "ticket_verdict": null,
        out:   "review": null,
        out:   "sign_out": false,
        out:   "signed_out": null
        out: }
        exit: 0
    "#]]).await;
}

#[tokio::test]
async fn an_id_may_be_given_by_its_beginning() {
    let bench = Bench::signed_in().await;
    let mut other = activation(State::AwaitingApproval);
    other.id = "0199a1b2-0000-7000-8000-0000000000ff".to_owned();
    bench.broker.says("list_activations", &page(vec![activation(State::Active), other]));
    bench.broker.says("list_pending_approvals", &v1::ListPendingApprovalsResponse::default());
    bench.broker.says("get_activation", &activation(State::Active));
    assert_eq!(bench.elevate(&["show", "0199A1B2-0000-7000-8000-0000000000F"]).await.exit.code(), 0);
    let asked: Vec<v1::GetActivationRequest> = bench.broker.asked("get_activation");
    assert_eq!(asked[0].id, "0199a1b2-0000-7000-8000-0000000000ff");
    expect![[r#"
        err: error: `0199a1b2` is the beginning of 2 activations
        err:   it may be one of: 0199a1b2-0000-7000-8000-000000000001, 0199a1b2-0000-7000-8000-0000000000ff
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["show", "0199a1b2"]).await.all());
    expect![[r#"
        err: error: no activation that you can see begins with `abcdef12`
        err:   `elevate list --all` shows yours, `elevate pending` what waits for you; others need the whole id
        exit: 5
    "#]].assert_eq(&bench.elevate(&["show", "abcdef12"]).await.all());
    expect![[r#"
        err: error: `0199` is no id of an activation
        err:   give the id, or at least 6 characters of its beginning
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["show", "0199"]).await.all());
}

#[tokio::test]
async fn pending_shows_what_waits() {
    let bench = Bench::signed_in().await;
    let waiting = v1::ListPendingApprovalsResponse {
        activations: vec![activation(State::AwaitingApproval)],
        next_page_token: String::new(),
    };
    bench.broker.says("list_pending_approvals", &waiting);
    expect![[r#"
        out: ROLE          WHO  STATE                                            FOR  WHY            ID
        out: groups-admin  Ann  waiting for 1 approval, until 19:59 (in 3h 59m)  2h   reset a group  0199a1b2-0000-7000-8000-000000000001
        err: hint: `elevate show ID` tells everything about one; `elevate approve ID` or `elevate deny ID` answers it
        exit: 0
    "#]].assert_eq(&bench.elevate(&["pending"]).await.all());
}

#[tokio::test]
async fn deny_and_withdraw_say_what_was_done() {
    let bench = Bench::signed_in().await;
    bench.broker.says("get_activation", &activation(State::AwaitingApproval));
    bench.broker.says("deny_activation", &ended(v1::Outcome::Denied));
    expect![[r#"
        out: Denied groups-admin for Ann
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["deny", ID, "--reason", "not today"]).await.all());
    let asked: Vec<v1::DenyActivationRequest> = bench.broker.asked("deny_activation");
    assert_eq!((asked[0].id.as_str(), asked[0].reason.as_str()), (ID, "not today"));
    expect![[r#"
        err: error: nobody said why
        err:   say it with `--reason TEXT`
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["deny", ID]).await.all());

    bench.broker.says("withdraw_activation", &ended(v1::Outcome::Withdrawn));
    expect![[r#"
        out: Withdrawn: groups-admin
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["withdraw", ID]).await.all());
    let json = bench.elevate(&["withdraw", ID, "--output", "json"]).await.json();
    assert_eq!(json["outcome"], "withdrawn");
}

#[tokio::test]
async fn deactivate_takes_an_id_a_role_or_the_only_one_held() {
    let bench = Bench::signed_in().await;
    bench.broker.says("list_activations", &page(vec![activation(State::Active)]));
    let mut queued = activation(State::Revoking);
    queued.detail = "Entra ends nothing in its first five minutes; queued".to_owned();
    bench.broker.says("deactivate_activation", &queued);
    for args in [&["deactivate"][..], &["deactivate", "groups-admin"], &["deactivate", ID]] {
        assert_eq!(bench.elevate(args).await.exit.code(), 0, "{args:?}");
    }
    let asked: Vec<v1::DeactivateActivationRequest> = bench.broker.asked("deactivate_activation");
    assert!(asked.len() == 3 && asked.iter().all(|request| request.id == ID));
    expect![[r#"
        out: groups-admin: being taken away (Entra ends nothing in its first five minutes; queued); `elevate watch 0199a1b2-0000-7000-8000-000000000001` tells when it is seen gone
        exit: 0
    "#]].assert_eq(&bench.elevate(&["deactivate"]).await.all());
    expect![[r#"
        err: error: you hold no role `reader`
        err:   `elevate list` shows what you hold; a request that waits is taken back with `elevate withdraw`
        exit: 5
    "#]]
    .assert_eq(&bench.elevate(&["deactivate", "reader"]).await.all());
}

#[tokio::test]
async fn completions_are_made_for_a_shell() {
    let bench = Bench::new().await;
    let ran = bench.elevate(&["completions", "bash"]).await;
    assert!(ran.exit.code() == 0 && ran.out.contains("_elevate()"));
}

#[tokio::test]
async fn a_page_of_the_manual_is_made_for_each_verb() {
    let bench = Bench::new().await;
    let ran = bench.elevate(&["man"]).await;
    assert!(ran.exit.code() == 0 && ran.out.contains(".TH elevate 1") && ran.out.contains("deactivate"));
    let ran = bench.elevate(&["man", "policy", "apply"]).await;
    assert!(
        ran.out.contains("elevate\\-policy\\-apply") && ran.out.contains("\\-\\-dry\\-run"),
        "{}",
        ran.out
    );
    expect![[r#"
        err: error: `elevate` has no verb `policy aply`
        err:   `elevate --help` lists them
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["man", "policy", "aply"]).await.all());
}

#[tokio::test]
async fn every_page_of_the_manual_is_installed_over_earlier_ones() {
    let bench = Bench::new().await;
    let folder = bench.folder.path().join("share/man/man1");
    let into = folder.display().to_string();
    for _ in 0..2 {
        let ran = bench.elevate(&["man", "--into", &into, "--output", "json"]).await;
        let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let pages = told["pages"].as_array().unwrap();
        assert!(pages.contains(&"elevate.1".into()) && pages.contains(&"elevate-review-close.1".into()));
        for page in pages {
            let text = std::fs::read_to_string(folder.join(page.as_str().unwrap())).unwrap();
            assert!(text.contains(".SH SYNOPSIS"), "{page}");
        }
    }
    let file = folder.join("elevate.1").display().to_string();
    let ran = bench.elevate(&["man", "--into", &file]).await;
    assert!(
        ran.exit.code() == 2 && ran.all().contains("name a folder that you may write in"),
        "{}",
        ran.all()
    );
}
