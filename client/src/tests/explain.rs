//! Why a role may be asked for, and what it is, before anybody asks.

use elevate_proto::v1;
use expect_test::expect;
use tonic::Code;

use super::bench::{BOB, Bench, ID, ann, approvers, power, prepared, refusal, requirement};
use super::verbs::check;
use crate::exit::Exit;

fn explained() -> v1::ExplainRoleResponse {
    let role = v1::EligibleRole {
        name: "groups-admin".to_owned(),
        title: "Groups Administrator".to_owned(),
        directory_role: prepared().directory_role,
        longest_seconds: 28_800,
        usual_seconds: 3600,
        requirements: vec![requirement()],
        approval_window_seconds: 14_400,
        proof: prepared().challenge.unwrap().requirement,
        ticket_required: true,
        ..Default::default()
    };
    v1::ExplainRoleResponse {
        role: Some(role),
        principal: Some(ann()),
        decision: "offered".to_owned(),
        decided_by: "group:5a4db0c5-0000-4000-8000-000000000102".to_owned(),
        decided_by_name: "Staff".to_owned(),
        obstacles: vec![],
        approvers: Some(approvers()),
        power: Some(power()),
    }
}

#[tokio::test]
async fn explain_says_what_decides_what_is_in_the_way_who_could_approve_and_what_it_can_do() {
    let bench = Bench::signed_in().await;
    bench.broker.says("explain_role", &explained());
    check(&bench, &["explain", "groups-admin"], expect![[r#"
        out:   role           Groups Administrator (groups-admin)
        out:   rule           offered, because `eligible` names Staff (group:5a4db0c5-0000-4000-8000-000000000102)
        out:   what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        out:   scope          the whole tenant
        out:   power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group
        out:   in the way     nothing
        out:   term           1h, at most 8h
        out:   sign-in        with a second factor, authentication context c1, made within 5m
        out:   ticket         needed
        out:   approval       1 of user 1b2c3d4e-0000-4000-8000-000000000002 or group 9f0e
        out:   could approve  1 of Bob, and others
        exit: 0
    "#]], expect![[r#"
        out: {
        out:   "role": {
        out:     "name": "groups-admin",
        out:     "title": "Groups Administrator",
        out:     "directory_role": {
        out:       "way": "assignment",
        out:       "role_definition_id": "fdd7a751-b60b-444a-984c-02652fe8fa1c",
        out:       "scope": "/",
        out:       "group_id": null,
        out:       "relation": null,
        out:       "scope_name": null
        out:     },
        out:     "longest_seconds": 28800,
        out:     "usual_seconds": 3600,
        out:     "requirements": [
        out:       {
        out:         "count": 1,
        out:         "from": [
        out:           "user:1b2c3d4e-0000-4000-8000-000000000002",
        out:           "group:9f0e"
        out:         ]
        out:       }
        out:     ],
        out:     "approval_window_seconds": 14400,
        out:     "proof": {
        out:       "strength": "mfa",
        out:       "auth_context": "c1",
        out:       "fresh_within_seconds": 300,
        out:       "nonce_required": true
        out:     },
        out:     "ticket_required": true,
        out:     "activation": null,
        out:     "ticket_pattern": null,
        out:     "ticket_system": null,
        out:     "ticket_checked": false,
        out:     "own_approval": false,
        out:     "start_ahead_seconds": 0,
        out:     "sign_out": false,
        out:     "break_glass": null,
        out:     "break_glass_only": false
        out:   },
        out:   "principal": {
        out:     "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        out:     "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
        out:     "display_name": "Ann"
        out:   },
        out:   "decision": "offered",
        out:   "decided_by": "group:5a4db0c5-0000-4000-8000-000000000102",
        out:   "decided_by_name": "Staff",
        out:   "obstacles": [],
        out:   "approvers": {
        out:     "requirements": [
        out:       {
        out:         "count": 1,
        out:         "people": [
        out:           {
        out:             "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        out:             "object_id": "1b2c3d4e-0000-4000-8000-000000000002",
        out:             "display_name": "Bob"
        out:           }
        out:         ],
        out:         "more": true
        out:       }
        out:     ],
        out:     "enough": "yes"
        out:   },
        out:   "power": {
        out:     "title": "Groups Administrator",
        out:     "tier": "0",
        out:     "ascent": "indirect",
        out:     "how": "it can join a group"
        out:   }
        out: }
        exit: 0
    "#]]).await;
}

#[tokio::test]
async fn explain_for_somebody_else_tells_of_a_denial_and_of_what_is_not_known() {
    let bench = Bench::signed_in().await;
    let obstacle = |word: &str, text: &str| v1::Obstacle {
        word: word.to_owned(),
        text: text.to_owned(),
        activation_id: ID.to_owned(),
    };
    let unknown = || "unknown".to_owned();
    let told = v1::ExplainRoleResponse {
        decision: "denied".to_owned(),
        decided_by: format!("user:{BOB}"),
        decided_by_name: String::new(),
        obstacles: vec![
            obstacle("not-offered", "the rule does not offer it"),
            obstacle("new", "something new"),
        ],
        approvers: Some(v1::Approvers {
            requirements: vec![v1::Candidates { count: 2, people: vec![], more: false }],
            enough: "no".to_owned(),
        }),
        power: Some(v1::Power {
            title: String::new(),
            tier: unknown(),
            ascent: unknown(),
            how: String::new(),
        }),
        ..explained()
    };
    bench.broker.says("explain_role", &told);
    expect![[r#"
        out:   role           Groups Administrator (groups-admin)
        out:   for whom       Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
        out:   rule           not offered, because `denied` names user:1b2c3d4e-0000-4000-8000-000000000002
        out:   what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        out:   scope          the whole tenant
        out:   power          unknown: not a built-in role for the whole tenant
        out:   in the way     the rule does not offer it
        out:                  something new
        out:   term           1h, at most 8h
        out:   sign-in        with a second factor, authentication context c1, made within 5m
        out:   ticket         needed
        out:   approval       1 of user 1b2c3d4e-0000-4000-8000-000000000002 or group 9f0e
        out:   could approve  2, and there is nobody
        out:                  not enough people: a request would wait and lapse
        exit: 0
    "#]].assert_eq(&bench.elevate(&["explain", "groups-admin", "--as-seen-by", BOB]).await.all());
    let asked: Vec<v1::ExplainRoleRequest> = bench.broker.asked("explain_role");
    assert_eq!((asked[0].role.as_str(), asked[0].as_seen_by.as_str()), ("groups-admin", BOB));
}

#[tokio::test]
async fn explain_of_a_place_in_a_group_says_that_what_it_gives_is_not_known() {
    let bench = Bench::signed_in().await;
    let mut told = explained();
    told.role.as_mut().unwrap().directory_role = Some(v1::DirectoryRole {
        way: "pim-group".to_owned(),
        group_id: BOB.to_owned(),
        relation: "owner".to_owned(),
        ..Default::default()
    });
    let unknown = || "unknown".to_owned();
    let how = "what a group gives is not in the table".to_owned();
    told.power = Some(v1::Power { title: String::new(), tier: unknown(), ascent: unknown(), how });
    bench.broker.says("explain_role", &told);
    let text = bench.elevate(&["explain", "groups-admin"]).await.out;
    for line in [
        format!("what           owner of group {BOB}, granted by way of `pim-group`"),
        "power          unknown: what a group gives is not in the table".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}\n{text}");
    }
    assert!(!text.contains("scope"), "{text}");
    let json = bench.elevate(&["explain", "groups-admin", "--output", "json"]).await.out;
    assert!(json.contains("\"how\":") && json.contains("is not in the table"), "{json}");
}

#[tokio::test]
async fn explain_of_what_is_not_offered_is_refused() {
    let bench = Bench::signed_in().await;
    let why = "role `x` is not offered to you; `elevate roles` shows what is";
    bench.broker.fails("explain_role", refusal(Code::NotFound, "ROLE_NOT_OFFERED", why));
    let ran = bench.elevate(&["explain", "x"]).await;
    assert!(ran.exit == Exit::Refused && ran.err.contains(why), "{ran:?}");
}
