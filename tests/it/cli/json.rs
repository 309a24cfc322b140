//! Every verb, as a program reads it: stable, and one object.

use expect_test::expect;

use super::Session;
use elevate_tests::State;

/// Only its names and kinds: what a program relies on.
fn shape(value: &serde_json::Value) -> String {
    use serde_json::Value::{Array, Bool, Null, Number, Object, String};
    match value {
        Null => "null".to_owned(),
        Bool(_) => "bool".to_owned(),
        Number(_) => "number".to_owned(),
        String(_) => "text".to_owned(),
        Array(items) => format!("[{}]", items.first().map(shape).unwrap_or_default()),
        Object(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("{name}: {}", shape(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

#[tokio::test]
async fn every_verb_answers_with_an_object_whose_fields_stay() {
    let mut session = Session::of(&["bob", "eve"]).await;
    std::fs::write(session.world.folder().join("policy.toml"), elevate_tests::POLICY.replace("8h", "4h"))
        .unwrap();
    let mut shapes = String::new();
    let verbs = [
        ("ann", "login"),
        ("ann", "whoami"),
        ("ann", "roles"),
        ("ann", "activate groups-admin --reason-file FOLDER/reason.txt --yes --no-wait"),
        ("bob", "pending"),
        ("bob", "approve ID --yes"),
        ("ann", "list"),
        ("ann", "show ID"),
        ("ann", "deactivate ID"),
        ("ann", "watch ID"),
        ("ann", "activate helpdesk-admin --reason-file FOLDER/reason.txt --yes --no-wait"),
        ("bob", "deny ID --reason no"),
        ("ann", "activate helpdesk-admin --reason-file FOLDER/reason.txt --yes --no-wait"),
        ("ann", "withdraw ID"),
        ("ann", "activate reader --reason-file FOLDER/reason.txt --yes"),
        ("eve", "revoke ID --reason no"),
        ("eve", "sweep"),
        ("eve", "policy plan FOLDER/policy.toml"),
        ("eve", "policy apply --yes FOLDER/policy.toml"),
        ("eve", "policy show"),
        ("eve", "audit list --limit 3"),
        ("ann", "doctor"),
        ("ann", "logout"),
    ];
    for (who, words) in verbs {
        let told = session.types(who, &format!("{words} --output json")).await;
        assert_eq!(told.exit.code(), 0, "{words}: {}", told.err);
        assert!(
            !told.err.lines().any(|line| line.starts_with('{')),
            "{words}: an object where nobody reads it"
        );
        let objects = serde_json::Deserializer::from_str(&told.out).into_iter::<serde_json::Value>();
        let last =
            objects.map(|object| object.unwrap()).last().unwrap_or_else(|| panic!("{words}: no object"));
        shapes.push_str(&format!("{}\n  {}\n", words.split(" FOLDER").next().unwrap(), shape(&last)));
        if words.starts_with("approve") {
            let id = session.newest().await;
            session.world.until(&id, State::Active).await;
        }
        if words.starts_with("revoke") || words.starts_with("deactivate") {
            let id = session.newest().await;
            session.world.until(&id, State::Closed).await;
        }
    }
    expect![[r#"
        login
          {access_token_expires_at: text, broker: text, issuer: text, kept_in: text, name: text, object_id: text, username: text, workload: bool}
        whoami
          {app_roles: [], broker_version: text, principal: {display_name: text, object_id: text, tenant_id: text}, workload: bool}
        roles
          {next_page_token: text, roles: [{activation: null, approval_window_seconds: number, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, longest_seconds: number, name: text, own_approval: bool, proof: {auth_context: text, fresh_within_seconds: number, nonce_required: bool, strength: text}, requirements: [{count: number, from: [text]}], sign_out: bool, start_ahead_seconds: number, ticket_checked: bool, ticket_pattern: null, ticket_required: bool, ticket_system: null, title: text, usual_seconds: number}]}
        activate groups-admin --reason-file
          {answer_needed_by: text, approvals: [], approvals_needed: number, asked_scope: text, asked_start: null, asked_term_seconds: number, bundle_ids: [], closed_at: null, continues: null, detail: null, digest: text, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, ended_by: null, held_from: null, held_until: null, id: text, justification: text, kind: text, outcome: null, policy_version: number, principal: {display_name: text, object_id: text, tenant_id: text}, requested_at: text, requirements: [{count: number, from: [text]}], review: null, role: text, sign_out: bool, starts_at: null, state: text, term_seconds: number, ticket: null, ticket_verdict: null, tokens_may_live_until: null, tries: number, version: number}
        pending
          {activations: [{answer_needed_by: text, approvals: [], approvals_needed: number, asked_scope: text, asked_start: null, asked_term_seconds: number, bundle_ids: [], closed_at: null, continues: null, detail: null, digest: text, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, ended_by: null, held_from: null, held_until: null, id: text, justification: text, kind: text, outcome: null, policy_version: number, principal: {display_name: text, object_id: text, tenant_id: text}, requested_at: text, requirements: [{count: number, from: [text]}], review: null, role: text, sign_out: bool, starts_at: null, state: text, term_seconds: number, ticket: null, ticket_verdict: null, tokens_may_live_until: null, tries: number, version: number}], next_page_token: text}
        approve ID --yes
          {answer_needed_by: null, approvals: [{approver: {display_name: text, object_id: text, tenant_id: text}, at: text, comment: null, own: bool, scope: null, term_seconds: null}], approvals_needed: number, asked_scope: text, asked_start: null, asked_term_seconds: number, bundle_ids: [], closed_at: null, continues: null, detail: null, digest: text, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, ended_by: null, held_from: null, held_until: null, id: text, justification: text, kind: text, outcome: null, policy_version: number, principal: {display_name: text, object_id: text, tenant_id: text}, requested_at: text, requirements: [{count: number, from: [text]}], review: null, role: text, sign_out: bool, starts_at: text, state: text, term_seconds: number, ticket: null, ticket_verdict: null, tokens_may_live_until: null, tries: number, version: number}
        list
          {activations: [{answer_needed_by: null, approvals: [{approver: {display_name: text, object_id: text, tenant_id: text}, at: text, comment: null, own: bool, scope: null, term_seconds: null}], approvals_needed: number, asked_scope: text, asked_start: null, asked_term_seconds: number, bundle_ids: [], closed_at: null, continues: null, detail: null, digest: text, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, ended_by: null, held_from: text, held_until: text, id: text, justification: text, kind: text, outcome: null, policy_version: number, principal: {display_name: text, object_id: text, tenant_id: text}, requested_at: text, requirements: [{count: number, from: [text]}], review: null, role: text, sign_out: bool, starts_at: null, state: text, term_seconds: number, ticket: null, ticket_verdict: null, tokens_may_live_until: text, tries: number, version: number}], next_page_token: text}
        show ID
          {answer_needed_by: null, approvals: [{approver: {display_name: text, object_id: text, tenant_id: text}, at: text, comment: null, own: bool, scope: null, term_seconds: null}], approvals_needed: number, asked_scope: text, asked_start: null, asked_term_seconds: number, bundle_ids: [], closed_at: null, continues: null, detail: null, digest: text, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, ended_by: null, held_from: text, held_until: text, id: text, justification: text, kind: text, outcome: null, policy_version: number, principal: {display_name: text, object_id: text, tenant_id: text}, requested_at: text, requirements: [{count: number, from: [text]}], review: null, role: text, sign_out: bool, starts_at: null, state: text, term_seconds: number, ticket: null, ticket_verdict: null, tokens_may_live_until: text, tries: number, version: number}
        deactivate ID
          {answer_needed_by: null, approvals: [{approver: {display_name: text, object_id: text, tenant_id: text}, at: text, comment: null, own: bool, scope: null, term_seconds: null}], approvals_needed: number, asked_scope: text, asked_start: null, asked_term_seconds: number, bundle_ids: [], closed_at: null, continues: null, detail: null, digest: text, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, ended_by: {display_name: text, object_id: text, tenant_id: text}, held_from: text, held_until: text, id: text, justification: text, kind: text, outcome: null, policy_version: number, principal: {display_name: text, object_id: text, tenant_id: text}, requested_at: text, requirements: [{count: number, from: [text]}], review: null, role: text, sign_out: bool, starts_at: null, state: text, term_seconds: number, ticket: null, ticket_verdict: null, tokens_may_live_until: text, tries: number, version: number}
        watch ID
          {answer_needed_by: null, approvals: [{approver: {display_name: text, object_id: text, tenant_id: text}, at: text, comment: null, own: bool, scope: null, term_seconds: null}], approvals_needed: number, asked_scope: text, asked_start: null, asked_term_seconds: number, bundle_ids: [], closed_at: text, continues: null, detail: null, digest: text, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, ended_by: {display_name: text, object_id: text, tenant_id: text}, held_from: text, held_until: null, id: text, justification: text, kind: text, outcome: text, policy_version: number, principal: {display_name: text, object_id: text, tenant_id: text}, requested_at: text, requirements: [{count: number, from: [text]}], review: null, role: text, sign_out: bool, starts_at: null, state: text, term_seconds: number, ticket: null, ticket_verdict: null, tokens_may_live_until: text, tries: number, version: number}
        activate helpdesk-admin --reason-file
          {answer_needed_by: text, approvals: [], approvals_needed: number, asked_scope: text, asked_start: null, asked_term_seconds: number, bundle_ids: [], closed_at: null, continues: null, detail: null, digest: text, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, ended_by: null, held_from: null, held_until: null, id: text, justification: text, kind: text, outcome: null, policy_version: number, principal: {display_name: text, object_id: text, tenant_id: text}, requested_at: text, requirements: [{count: number, from: [text]}], review: null, role: text, sign_out: bool, starts_at: null, state: text, term_seconds: number, ticket: null, ticket_verdict: null, tokens_may_live_until: null, tries: number, version: number}
        deny ID --reason no
          {answer_needed_by: null, approvals: [], approvals_needed: number, asked_scope: text, asked_start: null, asked_term_seconds: number, bundle_ids: [], closed_at: text, continues: null, detail: text, digest: text, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, ended_by: {display_name: text, object_id: text, tenant_id: text}, held_from: null, held_until: null, id: text, justification: text, kind: text, outcome: text, policy_version: number, principal: {display_name: text, object_id: text, tenant_id: text}, requested_at: text, requirements: [{count: number, from: [text]}], review: null, role: text, sign_out: bool, starts_at: null, state: text, term_seconds: number, ticket: null, ticket_verdict: null, tokens_may_live_until: null, tries: number, version: number}
        activate helpdesk-admin --reason-file
          {answer_needed_by: text, approvals: [], approvals_needed: number, asked_scope: text, asked_start: null, asked_term_seconds: number, bundle_ids: [], closed_at: null, continues: null, detail: null, digest: text, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, ended_by: null, held_from: null, held_until: null, id: text, justification: text, kind: text, outcome: null, policy_version: number, principal: {display_name: text, object_id: text, tenant_id: text}, requested_at: text, requirements: [{count: number, from: [text]}], review: null, role: text, sign_out: bool, starts_at: null, state: text, term_seconds: number, ticket: null, ticket_verdict: null, tokens_may_live_until: null, tries: number, version: number}
        withdraw ID
          {answer_needed_by: null, approvals: [], approvals_needed: number, asked_scope: text, asked_start: null, asked_term_seconds: number, bundle_ids: [], closed_at: text, continues: null, detail: null, digest: text, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, ended_by: {display_name: text, object_id: text, tenant_id: text}, held_from: null, held_until: null, id: text, justification: text, kind: text, outcome: text, policy_version: number, principal: {display_name: text, object_id: text, tenant_id: text}, requested_at: text, requirements: [{count: number, from: [text]}], review: null, role: text, sign_out: bool, starts_at: null, state: text, term_seconds: number, ticket: null, ticket_verdict: null, tokens_may_live_until: null, tries: number, version: number}
        activate reader --reason-file
          {answer_needed_by: null, approvals: [], approvals_needed: number, asked_scope: text, asked_start: null, asked_term_seconds: number, bundle_ids: [], closed_at: null, continues: null, detail: null, digest: text, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, ended_by: null, held_from: text, held_until: text, id: text, justification: text, kind: text, outcome: null, policy_version: number, principal: {display_name: text, object_id: text, tenant_id: text}, requested_at: text, requirements: [], review: null, role: text, sign_out: bool, starts_at: null, state: text, term_seconds: number, ticket: null, ticket_verdict: null, tokens_may_live_until: text, tries: number, version: number}
        revoke ID --reason no
          {answer_needed_by: null, approvals: [], approvals_needed: number, asked_scope: text, asked_start: null, asked_term_seconds: number, bundle_ids: [], closed_at: null, continues: null, detail: null, digest: text, directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, way: text}, ended_by: {display_name: text, object_id: text, tenant_id: text}, held_from: text, held_until: text, id: text, justification: text, kind: text, outcome: null, policy_version: number, principal: {display_name: text, object_id: text, tenant_id: text}, requested_at: text, requirements: [], review: null, role: text, sign_out: bool, starts_at: null, state: text, term_seconds: number, ticket: null, ticket_verdict: null, tokens_may_live_until: text, tries: number, version: number}
        sweep
          {closed: number, due: number, overdue: number, unsettled: []}
        policy plan
          {changes: [{differences: [text], gains: [], kind: text, live: [], live_activation_ids: [], loses: [], role: text}], current_version: number}
        policy apply --yes
          {applied_at: text, applied_by: {display_name: null, object_id: text, tenant_id: text}, confirmed_by: null, text: text, version: number}
        policy show
          {applied_at: text, applied_by: {display_name: null, object_id: text, tenant_id: text}, confirmed_by: null, text: text, version: number}
        audit list --limit 3
          {entries: [{activation_id: null, actor: null, at: text, details: {broker_version: text}, event: text, position: number, principal: null, role: null}], next_page_token: text}
        doctor
          {checks: [{advice: null, detail: text, name: text, verdict: text}]}
        logout
          {broker: text, was_signed_in: bool}
    "#]].assert_eq(&shapes);
}

#[tokio::test]
async fn an_activation_in_full() {
    let mut session = Session::of(&["ann", "bob"]).await;
    session
        .types("ann", "activate app-admin --ticket INC7 --reason-file FOLDER/reason.txt --yes --no-wait")
        .await;
    session.types("bob", "approve ID --comment fine --yes --quiet").await;
    let before = session.told().len();
    session.types("ann", "show ID --output json").await;
    expect![[r#"
        ann$ elevate show ID --output json
          {
            "id": "<id 1>",
            "principal": {
              "tenant_id": "5a4db0c5-0000-4000-8000-00000000e1e0",
              "object_id": "5a4db0c5-0000-4000-8000-000000000001",
              "display_name": "Ann Archer"
            },
            "role": "app-admin",
            "directory_role": {
              "way": "pim",
              "role_definition_id": "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
              "scope": "/",
              "group_id": null,
              "relation": null
            },
            "term_seconds": 3600,
            "justification": "Move the sales team's groups (CHG0042)",
            "ticket": {
              "number": "INC7",
              "system": null
            },
            "state": "awaiting_approval",
            "outcome": null,
            "detail": null,
            "requested_at": "2026-01-05T08:00:00Z",
            "answer_needed_by": "2026-01-06T08:00:00Z",
            "starts_at": null,
            "held_until": null,
            "closed_at": null,
            "requirements": [
              {
                "count": 2,
                "from": [
                  "group:5a4db0c5-0000-4000-8000-000000000101"
                ]
              }
            ],
            "approvals": [
              {
                "approver": {
                  "tenant_id": "5a4db0c5-0000-4000-8000-00000000e1e0",
                  "object_id": "5a4db0c5-0000-4000-8000-000000000002",
                  "display_name": "Bob Baker"
                },
                "at": "2026-01-05T08:00:00Z",
                "comment": "fine",
                "own": false,
                "term_seconds": null,
                "scope": null
              }
            ],
            "approvals_needed": 1,
            "policy_version": 1,
            "version": 3,
            "digest": "<digest>",
            "tries": 0,
            "held_from": null,
            "ended_by": null,
            "kind": "ordinary",
            "continues": null,
            "bundle_ids": [],
            "asked_term_seconds": 3600,
            "asked_scope": "/",
            "asked_start": null,
            "tokens_may_live_until": null,
            "ticket_verdict": null,
            "review": null,
            "sign_out": false
          }

    "#]]
    .assert_eq(&session.told()[before..]);
}

#[tokio::test]
async fn a_refusal_is_an_object_too() {
    let mut session = Session::of(&["ann"]).await;
    session.types("ann", "activate no-such-role --reason-file FOLDER/reason.txt --yes --output json").await;
    session.types("ann", "activate groups-admin --for soon --output json").await;
    session.types("ann", "audit list --output json").await;
    expect![[r#"
        ann$ elevate activate no-such-role --reason-file FOLDER/reason.txt --yes --output json   → 4
        ! {"error":{"advice":"`elevate roles` shows what is offered to you","code":"not_found","exit":4,"fields":[],"message":"role `no-such-role` is not offered to you; `elevate roles` shows what is","reason":"ROLE_NOT_OFFERED","retry_after_seconds":null}}

        ann$ elevate activate groups-admin --for soon --output json   → 2
        ! {"error":{"advice":null,"code":"client","exit":2,"fields":[],"message":"invalid value 'soon' for '--for <TIME>': expected number at 0; write it like `2h` or `1h 30m`","reason":"USAGE","retry_after_seconds":null}}

        ann$ elevate audit list --output json   → 4
        ! {"error":{"advice":null,"code":"permission_denied","exit":4,"fields":[],"message":"this needs the app role auditor; an administrator of the tenant assigns it","reason":"NOT_ALLOWED","retry_after_seconds":null}}

    "#]].assert_eq(session.told());
}
