//! Every verb, as a program reads it: stable, and one object.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use serde_json::Value;

use super::Session;
use elevate_tests::State;

/// Names and kinds only: what a program relies on. What many answers hold is told once, under a name of its own,
/// with every kind that each of its fields had.
#[derive(Default)]
struct Shapes {
    named: BTreeMap<&'static str, BTreeMap<String, BTreeSet<String>>>,
}

impl Shapes {
    /// By a field that nothing else has.
    const NAMED: [(&'static str, &'static str); 4] = [
        ("answer_needed_by", "Activation"),
        ("usual_seconds", "Role"),
        ("applied_by", "Policy"),
        ("object_id", "Principal"),
    ];

    fn of(&mut self, value: &Value) -> String {
        match value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            Value::Number(_) => "number".to_owned(),
            Value::String(_) => "text".to_owned(),
            Value::Array(items) => {
                let kinds: BTreeSet<_> = items.iter().map(|item| self.of(item)).collect();
                format!("[{}]", kinds.into_iter().collect::<Vec<_>>().join(" | "))
            }
            Value::Object(fields) => {
                let kinds: Vec<_> =
                    fields.iter().map(|(name, value)| (name.clone(), self.of(value))).collect();
                let name = Self::NAMED.iter().find(|(field, _)| fields.contains_key(*field));
                if let Some((_, name)) = name.filter(|(field, _)| *field != "object_id" || fields.len() == 3)
                {
                    let known = self.named.entry(name).or_default();
                    for (field, kind) in kinds {
                        known.entry(field).or_default().insert(kind);
                    }
                    return (*name).to_owned();
                }
                let fields: Vec<_> = kinds.iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
                format!("{{{}}}", fields.join(", "))
            }
        }
    }

    fn told(&self) -> String {
        let mut told = String::new();
        for (name, fields) in &self.named {
            told.push_str(&format!("{name}\n"));
            for (field, kinds) in fields {
                let kinds = kinds.iter().map(String::as_str).filter(|kind| *kind != "[]" || kinds.len() == 1);
                told.push_str(&format!("  {field}: {}\n", kinds.collect::<Vec<_>>().join(" | ")));
            }
        }
        told
    }
}

#[tokio::test]
async fn every_verb_answers_with_an_object_whose_fields_stay() {
    let mut session = Session::of(&["bob", "eve"]).await;
    std::fs::write(session.world.folder().join("policy.toml"), elevate_tests::POLICY.replace("8h", "4h"))
        .unwrap();
    let (mut answers, mut shapes) = (String::new(), Shapes::default());
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
        ("eve", "revoke --role reader --dry-run"),
        ("eve", "revoke --role reader --reason no --yes"),
        ("eve", "freeze --reason no"),
        ("eve", "thaw --reason no"),
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
        let objects = serde_json::Deserializer::from_str(&told.out).into_iter::<Value>();
        let last =
            objects.map(|object| object.unwrap()).last().unwrap_or_else(|| panic!("{words}: no object"));
        answers.push_str(&format!("{}\n  {}\n", words.split(" FOLDER").next().unwrap(), shapes.of(&last)));
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
          {app_roles: [], broker_version: text, frozen: null, principal: Principal, workload: bool}
        roles
          {frozen: null, next_page_token: text, roles: [Role]}
        activate groups-admin --reason-file
          Activation
        pending
          {activations: [Activation], next_page_token: text}
        approve ID --yes
          Activation
        list
          {activations: [Activation], next_page_token: text}
        show ID
          Activation
        deactivate ID
          Activation
        watch ID
          Activation
        activate helpdesk-admin --reason-file
          Activation
        deny ID --reason no
          Activation
        activate helpdesk-admin --reason-file
          Activation
        withdraw ID
          Activation
        activate reader --reason-file
          Activation
        revoke ID --reason no
          Activation
        sweep
          {closed: number, due: number, overdue: number, unsettled: []}
        revoke --role reader --dry-run
          {candidates: [], dry_run: bool, unknown_ids: [], verb: text}
        revoke --role reader --reason no --yes
          {complete: bool, failed: [], gone: number, open: [], selected: number}
        freeze --reason no
          {at: text, by: Principal, reason: text}
        thaw --reason no
          {thawed: {at: text, by: Principal, reason: text}}
        policy plan
          {changes: [{differences: [text], gains: [], kind: text, live: [], live_activation_ids: [], loses: [], role: text}], current_version: number}
        policy apply --yes
          Policy
        policy show
          Policy
        audit list --limit 3
          {entries: [{activation_id: null, actor: Principal, at: text, details: {bytes: text, policy_version: text}, event: text, position: number, principal: null, role: null} | {activation_id: null, actor: null, at: text, details: {broker_version: text}, event: text, position: number, principal: null, role: null} | {activation_id: text, actor: Principal, at: text, details: {approval_window_seconds: text, contexts: text, digest: text, justification: text, methods: text, policy_version: text, request_id: text, signed_in_at: text, term_seconds: text, version: text}, event: text, position: number, principal: Principal, role: text}], next_page_token: text}
        doctor
          {checks: [{advice: null, detail: text, name: text, verdict: text}]}
        logout
          {broker: text, was_signed_in: bool}
        Activation
          answer_needed_by: null | text
          approvals: [{approver: Principal, at: text, comment: null, own: bool, scope: null, term_seconds: null}]
          approvals_needed: number
          asked_scope: text
          asked_start: null
          asked_term_seconds: number
          bundle_ids: []
          closed_at: null | text
          continued_by: null
          continues: null
          detail: null | text
          digest: text
          directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, scope_name: null, way: text}
          ended_by: Principal | null
          held_from: null | text
          held_until: null | text
          id: text
          justification: text
          kind: text
          outcome: null | text
          policy_version: number
          principal: Principal
          requested_at: text
          requirements: [{count: number, from: [text]}]
          review: null
          role: text
          sign_out: bool
          signed_out: null
          starts_at: null | text
          state: text
          term_seconds: number
          ticket: null
          ticket_verdict: null
          tokens_may_live_until: null | text
          tries: number
          version: number
        Policy
          applied_at: text
          applied_by: Principal
          confirmed_by: null
          text: text
          version: number
        Principal
          display_name: null | text
          object_id: text
          tenant_id: text
        Role
          activation: null
          approval_window_seconds: number
          break_glass: null
          break_glass_only: bool
          directory_role: {group_id: null, relation: null, role_definition_id: text, scope: text, scope_name: null, way: text}
          longest_seconds: number
          name: text
          own_approval: bool
          proof: {auth_context: null, fresh_within_seconds: number, nonce_required: bool, strength: text} | {auth_context: text, fresh_within_seconds: number, nonce_required: bool, strength: text}
          requirements: [{count: number, from: [text]}]
          sign_out: bool
          start_ahead_seconds: number
          ticket_checked: bool
          ticket_pattern: null
          ticket_required: bool
          ticket_system: null
          title: text
          usual_seconds: number
    "#]]
    .assert_eq(&format!("{answers}{}", shapes.told()));
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
              "relation": null,
              "scope_name": null
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
            "continued_by": null,
            "bundle_ids": [],
            "asked_term_seconds": 3600,
            "asked_scope": "/",
            "asked_start": null,
            "tokens_may_live_until": null,
            "ticket_verdict": null,
            "review": null,
            "sign_out": false,
            "signed_out": null
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
