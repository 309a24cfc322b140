//! Taking much away, freezing, thawing.

use elevate_proto::v1;
use expect_test::expect;
use tonic::{Code, Status};
use v1::ActivationState as State;
use v1::RevocationStep as Step;

use super::bench::*;
use crate::exit::Exit;

const OTHER: &str = "0199a1b2-0000-7000-8000-000000000002";
const THIRD: &str = "0199a1b2-0000-7000-8000-000000000003";

fn of(id: &str, who: v1::Principal, state: State) -> v1::Activation {
    v1::Activation { id: id.to_owned(), principal: Some(who), ..activation(state) }
}

fn candidate(activation: v1::Activation) -> v1::RevocationCandidate {
    v1::RevocationCandidate { activation: Some(activation), kept_until: None }
}

/// Ann's, held by PIM since a moment ago; Bob's, which waits; and one that is not there.
fn preview() -> v1::PreviewRevocationResponse {
    let held = candidate(of(ID, ann(), State::Active));
    let held = v1::RevocationCandidate { kept_until: at(4), ..held };
    v1::PreviewRevocationResponse {
        candidates: vec![held, candidate(of(OTHER, who(BOB, "Bob"), State::AwaitingApproval))],
        next_page_token: String::new(),
        unknown_ids: vec![],
    }
}

fn step(step: Step, activation: v1::Activation) -> v1::RevocationProgress {
    let id = activation.id.clone();
    v1::RevocationProgress { step: step.into(), id, activation: Some(activation), ..Default::default() }
}

fn all_recorded() -> v1::RevocationProgress {
    v1::RevocationProgress { step: Step::AllRecorded.into(), selected: 2, ..Default::default() }
}

fn gone(id: &str, outcome: v1::Outcome) -> v1::RevocationProgress {
    step(Step::Gone, v1::Activation { id: id.to_owned(), ..ended(outcome) })
}

fn whole_course() -> [v1::RevocationProgress; 4] {
    [
        gone(OTHER, v1::Outcome::Failed),
        step(Step::Begun, of(ID, ann(), State::Revoking)),
        all_recorded(),
        gone(ID, v1::Outcome::Revoked),
    ]
}

async fn bench() -> Bench {
    let bench = Bench::signed_in().await;
    bench.broker.says("preview_revocation", &preview());
    bench
}

#[tokio::test]
async fn revoke_everything_shows_what_it_takes_and_follows_it_until_it_is_gone() {
    let bench = bench().await;
    bench.broker.streams("revoke_activations", &whole_course(), None);
    let args = &["revoke", "--everything", "--reason", "incident 7", "--yes"];
    expect![[r#"
        out: groups-admin for Bob: refused before it began
        out: groups-admin for Ann: being taken away
        out: groups-admin for Ann: revoked at 16:00 (now)
        out: 2 gone, 0 being taken away, 0 failed
        err: ROLE          WHO  STATE                                            WHAT                            ID
        err: groups-admin  Ann  active, until 18:00 (in 2h)                      Entra PIM keeps it until 16:04  0199a1b2-0000-7000-8000-000000000001
        err: groups-admin  Bob  waiting for 1 approval, until 19:59 (in 3h 59m)  refused before it begins        0199a1b2-0000-7000-8000-000000000002
        err: 1 to be taken away, 1 not begun and to be refused, 0 on their way out already
        err: hint: new ones may begin meanwhile; `elevate freeze` first keeps them from it
        exit: 0
    "#]].assert_eq(&bench.elevate(args).await.all());
    let asked: Vec<v1::RevokeActivationsRequest> = bench.broker.asked("revoke_activations");
    let selection = asked[0].selection.clone().unwrap();
    assert!(selection.everything && selection.ids.is_empty() && asked[0].reason == "incident 7");
    assert!(!bench.broker.carried("revoke_activations").1, "a stream has no deadline");

    let ran = bench.elevate(&[args, &["--output", "json"][..]].concat()).await;
    let lines: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps: Vec<_> = lines.iter().map(|line| line["step"].as_str().unwrap_or("end")).collect();
    assert_eq!(steps, ["gone", "begun", "all_recorded", "gone", "end"]);
    expect![[r#"{"complete":true,"failed":[],"gone":2,"open":[],"selected":2}"#]]
        .assert_eq(&lines[4].to_string());
}

#[tokio::test]
async fn revoke_by_person_and_role_sends_both() {
    let bench = bench().await;
    bench.broker.streams("revoke_activations", &whole_course(), None);
    let args = ["revoke", "--principal", ANN, "--role", "groups-admin", "--reason", "x", "--yes"];
    assert_eq!(bench.elevate(&args).await.exit, Exit::Ok);
    let asked: Vec<v1::PreviewRevocationRequest> = bench.broker.asked("preview_revocation");
    let selection = asked[0].selection.clone().unwrap();
    assert_eq!((selection.principal_object_id.as_str(), selection.role.as_str()), (ANN, "groups-admin"));
    assert!(!selection.everything);
}

#[tokio::test]
async fn one_that_fails_stops_no_other_and_is_told_at_the_end() {
    let bench = bench().await;
    let mut unknown = preview();
    unknown.unknown_ids = vec![THIRD.to_owned()];
    bench.broker.says_only("preview_revocation", &unknown);
    let failed = v1::RevocationProgress {
        step: Step::Failed.into(),
        id: THIRD.to_owned(),
        reason: "ACTIVATION_NOT_FOUND".to_owned(),
        message: "no such activation".to_owned(),
        ..Default::default()
    };
    let steps = [failed, step(Step::Begun, of(ID, ann(), State::Revoking)), all_recorded()];
    bench.broker.streams("revoke_activations", &steps, None);
    let args = &["revoke", ID, OTHER, THIRD, "--reason", "x", "--yes"];
    expect![[r#"
        out: 0199a1b2-0000-7000-8000-000000000003: not taken away: no such activation
        out: groups-admin for Ann: being taken away
        out: failed: 0199a1b2-0000-7000-8000-000000000003: no such activation
        out: not yet seen gone: groups-admin for Ann; `elevate watch 0199a1b2-0000-7000-8000-000000000001` tells when it is
        out: 0 gone, 1 being taken away, 1 failed
        err: ROLE          WHO  STATE                                            WHAT                            ID
        err: groups-admin  Ann  active, until 18:00 (in 2h)                      Entra PIM keeps it until 16:04  0199a1b2-0000-7000-8000-000000000001
        err: groups-admin  Bob  waiting for 1 approval, until 19:59 (in 3h 59m)  refused before it begins        0199a1b2-0000-7000-8000-000000000002
        err: no such activation: 0199a1b2-0000-7000-8000-000000000003
        err: 1 to be taken away, 1 not begun and to be refused, 0 on their way out already
        exit: 9
    "#]].assert_eq(&bench.elevate(args).await.all());
    // Without waiting, what is on record is enough; what failed is not.
    let steps = [step(Step::Begun, of(ID, ann(), State::Revoking)), all_recorded()];
    let bench = self::bench().await;
    bench.broker.streams("revoke_activations", &steps, None);
    let ran = bench.elevate(&["revoke", ID, OTHER, "--reason", "x", "--yes", "--no-wait"]).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
}

#[tokio::test]
async fn a_broker_that_is_lost_before_all_is_on_record_is_no_success() {
    let bench = bench().await;
    let steps = [step(Step::Begun, of(ID, ann(), State::Revoking))];
    bench.broker.streams("revoke_activations", &steps, Some(Status::unavailable("gone")));
    let ran = bench.elevate(&["revoke", "--everything", "--reason", "x", "--yes"]).await;
    assert!(ran.exit == Exit::Overdue && ran.out.contains("perhaps not all of it is on record"), "{ran:?}");
}

#[tokio::test]
async fn nothing_is_taken_away_unless_somebody_has_looked() {
    let bench = bench().await;
    bench.broker.streams("revoke_activations", &whole_course(), None);
    let unattended = bench.elevate(&["revoke", "--everything", "--reason", "x"]).await;
    assert!(unattended.exit == Exit::Usage && unattended.err.contains("--yes"), "{unattended:?}");
    let bench = bench.at_a_terminal();
    let args = &["revoke", "--role", "groups-admin", "--reason", "x"];
    let no = bench.typing(args, "n\n").await;
    assert!(no.exit == Exit::Interrupted && no.err.contains("Take these 2 away?"), "{no:?}");
    assert!(!bench.broker.was_called("revoke_activations"));
    let yes = bench.typing(args, "y\n").await;
    assert!(yes.exit == Exit::Ok && yes.err.contains("1 gone, 1 being taken away, 0 failed"), "{yes:?}");
}

#[tokio::test]
async fn a_dry_run_only_shows_it() {
    let bench = bench().await;
    let args = &["revoke", "--everything", "--dry-run"];
    expect![[r#"
        out: Nothing was changed. This would be taken away:
        out: ROLE          WHO  STATE                                            WHAT                            ID
        out: groups-admin  Ann  active, until 18:00 (in 2h)                      Entra PIM keeps it until 16:04  0199a1b2-0000-7000-8000-000000000001
        out: groups-admin  Bob  waiting for 1 approval, until 19:59 (in 3h 59m)  refused before it begins        0199a1b2-0000-7000-8000-000000000002
        out: 1 to be taken away, 1 not begun and to be refused, 0 on their way out already
        exit: 0
    "#]].assert_eq(&bench.elevate(args).await.all());
    let json = bench.elevate(&[args, &["--output", "json"][..]].concat()).await.json();
    assert_eq!(json["candidates"][0]["kept_until"], "2026-11-20T15:04:00Z");
    assert_eq!((json["dry_run"].as_bool(), json["candidates"].as_array().unwrap().len()), (Some(true), 2));
    assert!(!bench.broker.was_called("revoke_activations"));
}

#[tokio::test]
async fn what_does_not_go_together_is_refused() {
    let bench = bench().await;
    for args in [
        &["revoke"][..],
        &["revoke", "--everything", "--role", "x"],
        &["revoke", "--everything", ID],
        &["revoke", ID, "--principal", ANN],
    ] {
        assert_eq!(bench.elevate(args).await.exit, Exit::Usage, "{args:?}");
    }
    assert!(!bench.broker.was_called("preview_revocation"));
    for call in ["preview_revocation", "freeze", "thaw"] {
        let bench = Bench::signed_in().await;
        bench
            .broker
            .fails(call, refusal(Code::PermissionDenied, "NOT_ALLOWED", "this needs the app role revoker"));
        let args: &[&str] = match call {
            "preview_revocation" => &["revoke", "--everything", "--reason", "x", "--yes"],
            verb => &[verb, "--reason", "x"],
        };
        let ran = bench.elevate(args).await;
        assert!(ran.exit == Exit::Refused && ran.err.contains("app role"), "{ran:?}");
    }
}

fn frozen() -> v1::Frozen {
    v1::Frozen { by: Some(who(BOB, "Bob")), reason: "incident 7".to_owned(), at: at(-5) }
}

#[tokio::test]
async fn freeze_and_thaw_say_what_holds_from_now_on() {
    let bench = Bench::signed_in().await;
    bench.broker.says("freeze", &frozen());
    bench.broker.says("thaw", &frozen());
    expect![[r#"
        out: nothing is granted since 15:55 (5m ago), frozen by Bob (1b2c3d4e-0000-4000-8000-000000000002): incident 7
        err: hint: what is held stays; `elevate revoke --everything` takes it away
        exit: 0
    "#]].assert_eq(&bench.elevate(&["freeze", "--reason", "incident 7"]).await.all());
    expect![[r#"
        out: {
        out:   "by": {
        out:     "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        out:     "object_id": "1b2c3d4e-0000-4000-8000-000000000002",
        out:     "display_name": "Bob"
        out:   },
        out:   "reason": "incident 7",
        out:   "at": "2026-11-20T14:55:00Z"
        out: }
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["freeze", "--reason", "incident 7", "--output", "json", "-q"]).await.all());
    expect![[r#"
        out: Grants are given again; what waited begins within a minute
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["thaw", "--reason", "over"]).await.all());
    let json = bench.elevate(&["thaw", "--reason", "over", "--output", "json"]).await.json();
    assert_eq!(json["thawed"]["reason"], "incident 7");
    let asked: Vec<v1::FreezeRequest> = bench.broker.asked("freeze");
    assert_eq!(asked[0].reason, "incident 7");

    let bench = Bench::signed_in().await;
    assert_eq!(bench.elevate(&["freeze"]).await.exit, Exit::Usage, "nobody said why");
    bench.broker.fails("thaw", refusal(Code::FailedPrecondition, "NOT_FROZEN", "nothing is frozen"));
    assert_eq!(bench.elevate(&["thaw", "--reason", "x"]).await.exit, Exit::State);
}

#[tokio::test]
async fn whoami_roles_and_doctor_say_that_nothing_is_granted() {
    let bench = Bench::signed_in().await;
    let caller = v1::Caller { principal: Some(ann()), frozen: Some(frozen()), ..Default::default() };
    bench.broker.says("get_caller", &caller);
    let roles = v1::ListEligibleRolesResponse { frozen: Some(frozen()), ..Default::default() };
    bench.broker.says("list_eligible_roles", &roles);
    let told = "nothing is granted since 15:55 (5min ago), frozen by Bob";
    let whoami = bench.elevate(&["whoami"]).await;
    assert!(whoami.out.contains(told) || whoami.out.contains("frozen by Bob"), "{whoami:?}");
    let roles = bench.elevate(&["roles", "-q"]).await;
    assert!(roles.err.contains("frozen by Bob"), "{roles:?}");
    let json = bench.elevate(&["roles", "--output", "json"]).await.json();
    assert_eq!(json["frozen"]["reason"], "incident 7");
    let doctor = bench.elevate(&["doctor"]).await;
    assert!(doctor.out.contains("elevate thaw"), "{doctor:?}");
}

#[tokio::test]
async fn show_says_what_came_of_the_sign_out_and_what_it_does_not_reach() {
    for (word, detail, expected) in [
        ("done", "", "access tokens issued before live on"),
        ("due", "Graph has too much to do", "are being ended: Graph has too much to do"),
        ("failed", "Graph refused", "failed: Graph refused; an administrator can revoke"),
    ] {
        let bench = Bench::signed_in().await;
        let signed_out = v1::SignedOut { word: word.to_owned(), detail: detail.to_owned(), at: None };
        let over = ended(v1::Outcome::Revoked);
        let over = v1::Activation { sign_out: true, signed_out: Some(signed_out), ..over };
        bench.broker.says("get_activation", &over);
        let ran = bench.elevate(&["show", ID]).await;
        assert!(ran.out.contains(expected), "{ran:?}");
    }
}

#[tokio::test]
async fn what_is_to_take_over_holds_nothing_and_what_takes_over_meanwhile_is_told_too() {
    let bench = Bench::signed_in().await;
    let continuing = v1::Activation { continues: ID.to_owned(), ..of(OTHER, ann(), State::Activating) };
    let over = |by: &str| v1::Activation {
        continued_by: by.to_owned(),
        principal: Some(ann()),
        ..ended(v1::Outcome::TakenOver)
    };
    let candidates = vec![candidate(continuing.clone()), candidate(over(OTHER))];
    let preview = v1::PreviewRevocationResponse { candidates, ..Default::default() };
    bench.broker.says("preview_revocation", &preview);
    expect![[r#"
        out: Nothing was changed. This would be taken away:
        out: ROLE          WHO  STATE                                WHAT                                                            ID
        out: groups-admin  Ann  taking over                          refused before it takes over                                    0199a1b2-0000-7000-8000-000000000002
        out: groups-admin  Ann  continued by another at 16:00 (now)  continued by 0199a1b2-0000-7000-8000-000000000002, which stays  0199a1b2-0000-7000-8000-000000000001
        out: 0 to be taken away, 1 not begun and to be refused, 0 on their way out already
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["revoke", ID, OTHER, "--dry-run"]).await.all());

    let course = [
        step(Step::Gone, over(THIRD)),
        step(Step::Begun, of(THIRD, ann(), State::Revoking)),
        all_recorded(),
        gone(THIRD, v1::Outcome::Revoked),
    ];
    bench.broker.streams("revoke_activations", &course, None);
    let ran = bench.elevate(&["revoke", "--role", "groups-admin", "--reason", "x", "--yes"]).await;
    expect![[r#"
        groups-admin for Ann: continued by another at 16:00 (now)
        groups-admin (0199a1b2-0000-7000-8000-000000000003): being taken away
        groups-admin (0199a1b2-0000-7000-8000-000000000003): revoked at 16:00 (now)
        2 gone, 0 being taken away, 0 failed
    "#]]
    .assert_eq(&ran.out);

    // One by one, likewise.
    bench
        .broker
        .says("get_caller", &v1::Caller { app_roles: vec!["revoker".to_owned()], ..Default::default() });
    bench.broker.says("get_activation", &continuing);
    bench.broker.says("get_activation", &over(OTHER));
    expect![[r#"
        out: Nothing was changed. groups-admin for Ann would be refused before it takes over; what it is to continue stays
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["revoke", OTHER, "--dry-run"]).await.all());
    expect![[r#"
        err: error: this activation is continued by another
        err:   `elevate revoke 0199a1b2-0000-7000-8000-000000000002` takes that one away
        exit: 6
    "#]]
    .assert_eq(&bench.elevate(&["revoke", ID, "--dry-run"]).await.all());
}
