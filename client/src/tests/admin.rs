//! The verbs of those with an app role: revokers, auditors, policy admins.

use elevate_proto::v1;
use expect_test::expect;
use tonic::{Code, Status};
use v1::ActivationState as State;

use super::bench::{Bench, ID, activation, ann, at, refusal};
use super::verbs::check;
use crate::exit::Exit;

#[tokio::test]
async fn revoke_takes_a_role_away() {
    let bench = Bench::signed_in().await;
    bench.broker.says("revoke_activation", &activation(State::Revoking));
    expect![[r#"
        out: groups-admin: being taken away; `elevate watch 0199a1b2-0000-7000-8000-000000000001` tells when it is seen gone
        exit: 0
    "#]].assert_eq(&bench.elevate(&["revoke", ID, "--reason", "incident 7"]).await.all());
    let asked: Vec<v1::RevokeActivationRequest> = bench.broker.asked("revoke_activation");
    assert_eq!(asked[0].reason, "incident 7");
}

#[tokio::test]
async fn sweep_fails_while_something_is_overdue() {
    let bench = Bench::signed_in().await;
    let overdue =
        v1::SweepResponse { due: 3, closed: 2, overdue: 1, unsettled: vec![activation(State::Revoking)] };
    bench.broker.says("sweep", &overdue);
    expect![[r#"
        out: 3 due, 2 closed, 1 overdue
        out:
        out: ROLE          WHO  STATE             FOR  WHY            ID
        out: groups-admin  Ann  being taken away  2h   reset a group  0199a1b2-0000-7000-8000-000000000001
        exit: 9
    "#]]
    .assert_eq(&bench.elevate(&["sweep"]).await.all());

    let bench = Bench::signed_in().await;
    bench.broker.says("sweep", &v1::SweepResponse { due: 2, closed: 2, overdue: 0, unsettled: vec![] });
    check(
        &bench,
        &["sweep"],
        expect![[r#"
        out: 2 due, 2 closed, 0 overdue
        exit: 0
    "#]],
        expect![[r#"
        out: {
        out:   "due": 2,
        out:   "closed": 2,
        out:   "overdue": 0,
        out:   "unsettled": []
        out: }
        exit: 0
    "#]],
    )
    .await;
}

#[tokio::test]
async fn audit_list_shows_the_record() {
    let bench = Bench::signed_in().await;
    let entry = |position, event: &str, actor| v1::AuditEntry {
        position,
        at: at(position),
        event: event.to_owned(),
        actor,
        activation_id: ID.to_owned(),
        principal: Some(ann()),
        role: "groups-admin".to_owned(),
        details: [("justification".to_owned(), "reset\na group".to_owned())].into(),
    };
    let first = v1::ListAuditEntriesResponse {
        entries: vec![entry(0, "requested", Some(ann()))],
        next_page_token: "1".to_owned(),
    };
    // Short, and not the last.
    let empty = v1::ListAuditEntriesResponse { entries: vec![], next_page_token: "2".to_owned() };
    let last = v1::ListAuditEntriesResponse {
        entries: vec![entry(7, "activated", None)],
        next_page_token: String::new(),
    };
    for _ in 0..2 {
        bench.broker.says("list_audit_entries", &first);
        bench.broker.says("list_audit_entries", &empty);
        bench.broker.says("list_audit_entries", &last);
    }
    check(&bench, &["audit", "list", "--activation", ID], expect![[r#"
        out: #  WHEN                 EVENT      ROLE          HOLDER  BY          MORE
        out: 0  2026-11-20 16:00:00  requested  groups-admin  Ann     Ann         activation=0199a1b2-0000-7000-8000-000000000001 justification=reset a group
        out: 7  2026-11-20 16:07:00  activated  groups-admin  Ann     the broker  activation=0199a1b2-0000-7000-8000-000000000001 justification=reset a group
        exit: 0
    "#]], expect![[r#"
        out: {
        out:   "entries": [
        out:     {
        out:       "position": 0,
        out:       "at": "2026-11-20T15:00:00Z",
        out:       "event": "requested",
        out:       "actor": {
        out:         "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        out:         "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
        out:         "display_name": "Ann"
        out:       },
        out:       "activation_id": "0199a1b2-0000-7000-8000-000000000001",
        out:       "principal": {
        out:         "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        out:         "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
        out:         "display_name": "Ann"
        out:       },
        out:       "role": "groups-admin",
        out:       "details": {
        out:         "justification": "reset\na group"
        out:       }
        out:     },
        out:     {
        out:       "position": 7,
        out:       "at": "2026-11-20T15:07:00Z",
        out:       "event": "activated",
        out:       "actor": null,
        out:       "activation_id": "0199a1b2-0000-7000-8000-000000000001",
        out:       "principal": {
        out:         "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        out:         "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
        out:         "display_name": "Ann"
        out:       },
        out:       "role": "groups-admin",
        out:       "details": {
        out:         "justification": "reset\na group"
        out:       }
        out:     }
        out:   ],
        out:   "next_page_token": ""
        out: }
        exit: 0
    "#]]).await;

    let entries = [entry(0, "requested", Some(ann())), entry(1, "activated", None)];
    bench.broker.streams("stream_audit_entries", &entries, None);
    // The broker ends a stream now and then: it is taken up behind the last entry.
    bench.broker.streams(
        "stream_audit_entries",
        &[entry(2, "removed", None)],
        Some(Status::unavailable("gone")),
    );
    bench.broker.fails("stream_audit_entries", Status::permission_denied("no longer"));
    let followed = bench.elevate(&["audit", "list", "--follow", "--output", "json"]).await;
    assert_eq!(followed.exit, Exit::Refused);
    let from: Vec<i64> = bench
        .broker
        .asked::<v1::StreamAuditEntriesRequest>("stream_audit_entries")
        .iter()
        .map(|asked| asked.from_position)
        .collect();
    assert_eq!(from, [0, 2, 3]);
    let events: Vec<serde_json::Value> =
        followed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        [&events[0]["event"], &events[1]["event"], &events[2]["event"]],
        ["requested", "activated", "removed"]
    );
    assert!(!bench.broker.carried("stream_audit_entries").1, "a stream has no deadline");
}

fn plan() -> v1::PlanPolicyResponse {
    let change = |role: &str, kind: &str, differences: &[&str], live: &[&str]| v1::RoleChange {
        role: role.to_owned(),
        kind: kind.to_owned(),
        differences: differences.iter().map(|&line| line.to_owned()).collect(),
        live_activation_ids: live.iter().map(|&id| id.to_owned()).collect(),
        gains: vec![],
        loses: vec![],
        live: vec![],
    };
    let shift = |subject: &str, name: &str, right: &str| v1::Shift {
        subject: subject.to_owned(),
        display_name: name.to_owned(),
        right: right.to_owned(),
    };
    let live =
        |state, fate: &str| v1::LiveActivation { activation: Some(activation(state)), fate: fate.to_owned() };
    let people = v1::RoleChange {
        gains: vec![shift("group:5a4db0c5-0000-4000-8000-000000000102", "Staff", "ask")],
        loses: vec![shift("user:5a4db0c5-0000-4000-8000-000000000002", "", "approve")],
        live: vec![live(State::Active, "keeps-terms"), live(State::Scheduled, "checked-again")],
        ..change("groups-admin", "changed", &["longest: 8h -> 4h"], &[ID, ID, ID])
    };
    v1::PlanPolicyResponse { current_version: 3, changes: vec![people, change("reader", "added", &[], &[])] }
}

#[tokio::test]
async fn policy_plan_shows_what_would_change() {
    let bench = Bench::signed_in().await;
    let file = bench.folder.path().join("policy.toml");
    std::fs::write(&file, "[[role]]\n").unwrap();
    bench.broker.says("plan_policy", &plan());
    check(
        &bench,
        &["policy", "plan", file.to_str().unwrap()],
        expect![[r#"
            out: version 3 is in force; this would change:
            out: ~ groups-admin (changed)
            out:     longest: 8h -> 4h
            out:     gains asking for it: Staff (group:5a4db0c5-0000-4000-8000-000000000102)
            out:     loses approving it: user:5a4db0c5-0000-4000-8000-000000000002
            out:     live 0199a1b2-0000-7000-8000-000000000001: Ann, active, until 18:00 (in 2h): keeps its terms
            out:     live 0199a1b2-0000-7000-8000-000000000001: Ann, scheduled: is checked again when it begins
            out:     live: 1 more
            out: + reader (added)
            exit: 0
        "#]],
        expect![[r#"
            out: {
            out:   "current_version": 3,
            out:   "changes": [
            out:     {
            out:       "role": "groups-admin",
            out:       "kind": "changed",
            out:       "differences": [
            out:         "longest: 8h -> 4h"
            out:       ],
            out:       "live_activation_ids": [
            out:         "0199a1b2-0000-7000-8000-000000000001",
            out:         "0199a1b2-0000-7000-8000-000000000001",
            out:         "0199a1b2-0000-7000-8000-000000000001"
            out:       ],
            out:       "gains": [
            out:         {
            out:           "subject": "group:5a4db0c5-0000-4000-8000-000000000102",
            out:           "display_name": "Staff",
            out:           "right": "ask"
            out:         }
            out:       ],
            out:       "loses": [
            out:         {
            out:           "subject": "user:5a4db0c5-0000-4000-8000-000000000002",
            out:           "display_name": null,
            out:           "right": "approve"
            out:         }
            out:       ],
            out:       "live": [
            out:         {
            out:           "id": "0199a1b2-0000-7000-8000-000000000001",
            out:           "principal": {
            out:             "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
            out:             "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
            out:             "display_name": "Ann"
            out:           },
            out:           "state": "active",
            out:           "held_until": "2026-11-20T17:00:00Z",
            out:           "fate": "keeps-terms"
            out:         },
            out:         {
            out:           "id": "0199a1b2-0000-7000-8000-000000000001",
            out:           "principal": {
            out:             "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
            out:             "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
            out:             "display_name": "Ann"
            out:           },
            out:           "state": "scheduled",
            out:           "held_until": null,
            out:           "fate": "checked-again"
            out:         }
            out:       ]
            out:     },
            out:     {
            out:       "role": "reader",
            out:       "kind": "added",
            out:       "differences": [],
            out:       "live_activation_ids": [],
            out:       "gains": [],
            out:       "loses": [],
            out:       "live": []
            out:     }
            out:   ]
            out: }
            exit: 0
        "#]],
    )
    .await;

    let bench = Bench::signed_in().await;
    bench.broker.says("plan_policy", &v1::PlanPolicyResponse { current_version: 3, changes: vec![] });
    expect![[r#"
        out: No role changes; version 3 is in force
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["policy", "plan", file.to_str().unwrap()]).await.all());
    expect![[r#"
        err: error: cannot read the policy `/nowhere.toml`: No such file or directory (os error 2)
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["policy", "plan", "/nowhere.toml"]).await.all());
}

#[tokio::test]
async fn policy_apply_shows_the_plan_first_and_applies_what_was_planned() {
    let bench = Bench::signed_in().await;
    let file = bench.folder.path().join("policy.toml");
    std::fs::write(&file, "[[role]]\n").unwrap();
    let path = file.to_str().unwrap();
    bench.broker.says("plan_policy", &plan());
    let applied = v1::Policy {
        version: 4,
        text: "[[role]]\n".to_owned(),
        applied_by: Some(ann()),
        applied_at: at(0),
        confirmed_by: None,
    };
    bench.broker.says("apply_policy", &applied);
    let unattended = bench.elevate(&["policy", "apply", path]).await;
    assert!(unattended.exit == Exit::Usage && unattended.err.contains("--yes"), "{unattended:?}");
    assert!(bench.broker.asked::<v1::ApplyPolicyRequest>("apply_policy").is_empty());

    expect![[r#"
        out: Version 4 of the policy is in force
        err: version 3 is in force; this would change:
        err: ~ groups-admin (changed)
        err:     longest: 8h -> 4h
        err:     gains asking for it: Staff (group:5a4db0c5-0000-4000-8000-000000000102)
        err:     loses approving it: user:5a4db0c5-0000-4000-8000-000000000002
        err:     live 0199a1b2-0000-7000-8000-000000000001: Ann, active, until 18:00 (in 2h): keeps its terms
        err:     live 0199a1b2-0000-7000-8000-000000000001: Ann, scheduled: is checked again when it begins
        err:     live: 1 more
        err: + reader (added)
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["policy", "apply", path, "--yes"]).await.all());
    let asked: Vec<v1::ApplyPolicyRequest> = bench.broker.asked("apply_policy");
    assert_eq!((asked[0].current_version, asked[0].text.as_str()), (3, "[[role]]\n"));

    let bench = bench.at_a_terminal();
    assert_eq!(bench.typing(&["policy", "apply", path], "n\n").await.exit, Exit::Interrupted);
    assert_eq!(bench.typing(&["policy", "apply", path], "\n").await.exit, Exit::Ok);
}

#[tokio::test]
async fn policy_show_gives_the_text_that_can_be_applied_again() {
    let bench = Bench::signed_in().await;
    let text = "# roles\n[[role]]\n\tname = \"reader\"\n".to_owned();
    let policy = v1::Policy {
        version: 3,
        text: text.clone(),
        applied_by: Some(ann()),
        applied_at: at(-60),
        confirmed_by: None,
    };
    bench.broker.says("get_policy", &policy);
    let ran = bench.elevate(&["policy", "show"]).await;
    assert_eq!(ran.out, text);
    expect![[r#"
        version 3, applied by Ann (071cc716-8147-4397-a5ba-b2105951cc0b) at 15:00 (1h ago)
    "#]]
    .assert_eq(&ran.err);
}

#[tokio::test]
async fn without_the_app_role_it_says_so() {
    let bench = Bench::signed_in().await;
    for call in ["sweep", "list_audit_entries", "get_policy", "revoke_activation"] {
        bench.broker.fails(call, refusal(Code::PermissionDenied, "NOT_ALLOWED", "this needs the app role"));
    }
    for args in [&["sweep"][..], &["audit", "list"], &["policy", "show"], &["revoke", ID, "--reason", "x"]] {
        let ran = bench.elevate(args).await;
        assert!(ran.exit == Exit::Refused && ran.err.contains("app role"), "{args:?}");
    }
}
