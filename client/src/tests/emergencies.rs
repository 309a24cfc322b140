//! Roles for emergencies, and looking at them after.

use elevate_proto::v1;
use expect_test::expect;
use tonic::Code;
use v1::ActivationState as State;

use super::bench::{BOB, Bench, ID, activation, at, ended, prepared, refusal, who};
use super::verbs::check;

fn emergency() -> v1::PrepareActivationResponse {
    let mut told = prepared();
    told.requirements.clear();
    let digest = told.challenge.clone().unwrap().digest;
    told.challenge = Some(super::bench::challenge(&digest, "break-glass"));
    told
}

fn used(mut activation: v1::Activation) -> v1::Activation {
    activation.set_kind(v1::ActivationKind::BreakGlass);
    activation.review = Some(v1::Review::default());
    activation
}

#[tokio::test]
async fn break_glass_says_what_it_is_before_the_sign_in() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_activation", &emergency());
    bench.broker.says("request_activation", &used(activation(State::Scheduled)));
    bench.broker.streams("watch_activation", &[used(activation(State::Active))], None);
    let args = ["break-glass", "groups-admin", "--ticket", "INC0012345", "--ticket-system", "ServiceNow"];
    let ran = bench.typing(&[&args[..], &["--reason-file", "-"]].concat(), "reset a group").await;
    // Before the sign-in's address, which is another each time.
    let before: Vec<_> = ran.err.lines().take_while(|line| !line.starts_with("To sign in")).collect();
    expect![[r#"
        You are about to break the glass. Nobody is asked, and everybody concerned is told. You cannot do it again before somebody else has looked at it.
          role           Groups Administrator (groups-admin)
          what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
          scope          the whole tenant
          for            2h
          who            Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
          why            reset a group
          ticket         ServiceNow INC0012345
          approval       nobody's approval is needed
          could approve  1 of Bob, and others
          power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group
          sign-in        with a second factor, authentication context c1, made within 5m
        Next, you sign in again. The sign-in counts for exactly this, once."#]].assert_eq(&before.join("\n"));
    assert!(ran.out.starts_with("You hold Groups Administrator until"), "{}", ran.out);
    let asked: Vec<v1::RequestActivationRequest> = bench.broker.asked("request_activation");
    assert_eq!(asked[0].kind(), v1::ActivationKind::BreakGlass);
}

#[tokio::test]
async fn a_challenge_for_the_everyday_request_is_found_out_before_the_sign_in() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_activation", &prepared());
    let args = ["break-glass", "groups-admin", "--ticket", "INC0012345", "--ticket-system", "ServiceNow"];
    let ran = bench.typing(&[&args[..], &["--reason-file", "-"]].concat(), "reset a group").await;
    assert!(ran.err.contains("do not sign in"), "{}", ran.err);
    assert!(!bench.broker.was_called("request_activation"));
}

#[tokio::test]
async fn what_a_dry_run_of_an_emergency_would_ask() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_activation", &emergency());
    let args = ["break-glass", "groups-admin", "--ticket", "INC0012345", "--ticket-system", "ServiceNow"];
    let more = ["--dry-run", "--reason", "reset a group", "--quiet", "--output", "json"];
    expect![[r#"
        {
          "dry_run": true,
          "verb": "break-glass",
          "asked": {
            "role": "groups-admin",
            "title": "Groups Administrator",
            "principal": {
              "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
              "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
              "display_name": "Ann"
            },
            "directory_role": {
              "way": "assignment",
              "role_definition_id": "fdd7a751-b60b-444a-984c-02652fe8fa1c",
              "scope": "/",
              "group_id": null,
              "relation": null,
              "scope_name": null
            },
            "term_seconds": 7200,
            "justification": "reset a group",
            "ticket": {
              "number": "INC0012345",
              "system": "ServiceNow"
            },
            "ticket_verdict": null,
            "requirements": [],
            "approval_window_seconds": 14400,
            "proof": {
              "strength": "mfa",
              "auth_context": "c1",
              "fresh_within_seconds": 300,
              "nonce_required": true
            },
            "policy_version": 3,
            "digest": "4b5582102de5a9ed79fcd3c372c07515c2caa56faba570d326f0ccfa86886714",
            "approvers": {
              "requirements": [
                {
                  "count": 1,
                  "people": [
                    {
                      "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
                      "object_id": "1b2c3d4e-0000-4000-8000-000000000002",
                      "display_name": "Bob"
                    }
                  ],
                  "more": true
                }
              ],
              "enough": "yes"
            },
            "power": {
              "title": "Groups Administrator",
              "tier": "0",
              "ascent": "indirect",
              "how": "it can join a group"
            },
            "starts_at": null,
            "continues": null
          },
          "activation": null
        }
    "#]]
    .assert_eq(&bench.elevate(&[&args[..], &more].concat()).await.out);
    assert!(!bench.broker.was_called("request_activation"));
}

#[tokio::test]
async fn who_was_not_looked_at_is_told_whom_to_ask() {
    let bench = Bench::signed_in().await;
    let why = "nobody has looked at your last break-glass use of this role yet (0199a1b2)";
    bench.broker.fails("prepare_activation", refusal(Code::FailedPrecondition, "REVIEW_OPEN", why));
    let args = ["break-glass", "groups-admin", "--reason", "again"];
    check(&bench, &args, expect![[r#"
        err: hint: --reason stays in your shell's history; leave it out to be asked, or use --reason-file
        err: error: nobody has looked at your last break-glass use of this role yet (0199a1b2)
        err:   ask an auditor or an approver of the role to run `elevate review close`
        exit: 6
    "#]], expect![[r#"
        err: hint: --reason stays in your shell's history; leave it out to be asked, or use --reason-file
        err: {"error":{"advice":"ask an auditor or an approver of the role to run `elevate review close`","code":"failed_precondition","exit":6,"fields":[],"message":"nobody has looked at your last break-glass use of this role yet (0199a1b2)","reason":"REVIEW_OPEN","retry_after_seconds":null}}
        exit: 6
    "#]]).await;
}

#[tokio::test]
async fn roles_names_what_is_for_emergencies() {
    let bench = Bench::signed_in().await;
    let offer = v1::BreakGlassOffer { longest_seconds: 1800, proof: None };
    let both = v1::EligibleRole {
        name: "groups-admin".to_owned(),
        title: "Groups Administrator".to_owned(),
        directory_role: prepared().directory_role,
        longest_seconds: 28_800,
        usual_seconds: 7200,
        break_glass: Some(offer.clone()),
        ..v1::EligibleRole::default()
    };
    let only = v1::EligibleRole { name: "app-admin".to_owned(), break_glass_only: true, ..both.clone() };
    let roles = v1::ListEligibleRolesResponse {
        roles: vec![both, only],
        next_page_token: String::new(),
        frozen: None,
    };
    bench.broker.says("list_eligible_roles", &roles);
    expect![[r#"
        out: ROLE          TITLE                 SCOPE             FOR              APPROVAL  TICKET  NOW
        out: groups-admin  Groups Administrator  the whole tenant  2h (at most 8h)  -         -       -
        out:
        out: In an emergency, with `elevate break-glass`: groups-admin (30m), app-admin (30m)
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["roles"]).await.all());
}

#[tokio::test]
async fn review_lists_what_nobody_has_looked_at() {
    let bench = Bench::signed_in().await;
    let open = used(ended(v1::Outcome::Expired));
    let page = v1::ListReviewsResponse { activations: vec![open], next_page_token: String::new() };
    bench.broker.says("list_reviews", &page);
    expect![[r#"
        out: ROLE          WHO  STATE                   FOR  WHY            ID
        out: groups-admin  Ann  expired at 16:00 (now)  2h   reset a group  0199a1b2-0000-7000-8000-000000000001
        exit: 0
    "#]].assert_eq(&bench.elevate(&["review", "list"]).await.all());
    let json = bench.elevate(&["review", "list", "--output", "json"]).await;
    assert!(json.out.contains(r#""kind": "break_glass""#), "{}", json.out);

    let bench = Bench::signed_in().await;
    bench.broker.says("list_reviews", &v1::ListReviewsResponse::default());
    check(
        &bench,
        &["review", "list"],
        expect![[r#"
            err: Nothing waits for you to look at it.
            exit: 0
        "#]],
        expect![[r#"
        out: {
        out:   "activations": [],
        out:   "next_page_token": ""
        out: }
        err: Nothing waits for you to look at it.
        exit: 0
    "#]],
    )
    .await;
}

#[tokio::test]
async fn review_close_takes_the_beginning_of_an_id_and_what_was_found() {
    let bench = Bench::signed_in().await;
    let mut closed = used(ended(v1::Outcome::Expired));
    let page = v1::ListReviewsResponse { activations: vec![closed.clone()], next_page_token: String::new() };
    closed.review =
        Some(v1::Review { by: Some(who(BOB, "Bob")), at: at(0), comment: "as it should be".to_owned() });
    bench.broker.says("list_reviews", &page);
    bench.broker.says("close_review", &closed);
    bench.broker.says("get_activation", &closed);
    let args = ["review", "close", &ID[..8], "--comment", "as it should be"];
    expect![[r#"
        out: Closed the review of groups-admin for Ann; they may use it again
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&args).await.all());
    let asked: Vec<v1::CloseReviewRequest> = bench.broker.asked("close_review");
    assert_eq!((asked[0].id.as_str(), asked[0].comment.as_str()), (ID, "as it should be"));
    let shown = bench.elevate(&["show", ID]).await.out;
    let line = shown.lines().find(|line| line.contains("review")).unwrap_or_default();
    assert!(line.contains("closed by Bob") && line.contains("as it should be"), "{shown}");
}

#[tokio::test]
async fn review_close_refuses_what_it_cannot_close() {
    let bench = Bench::signed_in().await;
    bench.broker.says("list_reviews", &v1::ListReviewsResponse::default());
    let refused = refusal(
        Code::PermissionDenied,
        "OWN_REVIEW",
        "you used it yourself, and somebody else must look at it",
    );
    bench.broker.fails("close_review", refused);
    let none = ["review", "close", "0199a1b2", "--comment", "x"];
    expect![[r#"
        err: error: no open review that you can see begins with `0199a1b2`
        err:   `elevate review list` shows those you can close
        exit: 5
    "#]]
    .assert_eq(&bench.elevate(&none).await.all());
    let own = ["review", "close", ID, "--comment", "x"];
    expect![[r#"
        err: error: you used it yourself, and somebody else must look at it
        err:   ask an auditor or an approver of the role to close it
        exit: 4
    "#]]
    .assert_eq(&bench.elevate(&own).await.all());
    let silent = ["review", "close", ID];
    expect![[r#"
        err: error: nobody said what was found
        err:   say it with `--comment TEXT`
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&silent).await.all());
}
