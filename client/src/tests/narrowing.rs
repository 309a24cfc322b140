//! A yes to less, and a yes to one's own.

use elevate_proto::v1;
use expect_test::expect;
use tonic::Code;
use v1::ActivationState as State;

use super::bench::{BOB, Bench, ID, activation, ann, at, challenge, ended, refusal, who};
use crate::binding::{Less, approval_digest};
use crate::exit::Exit;

const UNIT: &str = "/administrativeUnits/00000000-0000-0000-0000-0000000000c1";

fn less(term_seconds: i64, scope: &str) -> Less {
    Less { term_seconds, scope: scope.to_owned() }
}

/// What the broker prepares: this activation, and a challenge for a yes to this much.
fn to_approve(activation: v1::Activation, much: &Less) -> v1::PrepareApprovalResponse {
    let digest = approval_digest(ID, &activation.digest, much);
    v1::PrepareApprovalResponse {
        challenge: Some(challenge(&digest, "approve")),
        activation: Some(activation),
    }
}

/// Shortened to an hour by Bob.
fn shortened() -> v1::Activation {
    let mut shortened = activation(State::AwaitingApproval);
    shortened.term_seconds = 3600;
    let bobs = v1::Approval {
        approver: Some(who(BOB, "Bob")),
        at: at(-1),
        term_seconds: 3600,
        ..v1::Approval::default()
    };
    shortened.approvals = vec![bobs];
    shortened
}

#[tokio::test]
async fn approve_shortens_and_narrows_and_signs_in_for_exactly_that() {
    let bench = Bench::signed_in().await;
    let much = less(1800, UNIT);
    bench.broker.says("prepare_approval", &to_approve(activation(State::AwaitingApproval), &much));
    bench.broker.says("approve_activation", &activation(State::Activating));
    let ran = bench.elevate(&["approve", ID, "--for", "30m", "--scope", UNIT]).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    expect![[r#"
        Approved groups-admin for Ann, for 30m instead of 2h, at /administrativeUnits/00000000-0000-0000-0000-0000000000c1 instead of the whole tenant: being granted
    "#]].assert_eq(&ran.out);
    let yours = ran.err.lines().find(|line| line.contains("your yes")).unwrap();
    expect!["  your yes     is to less, for 30m instead of 2h, at /administrativeUnits/00000000-0000-0000-0000-0000000000c1 instead of the whole tenant"]
        .assert_eq(yours);
    let asked: Vec<v1::PrepareApprovalRequest> = bench.broker.asked("prepare_approval");
    assert_eq!((asked[0].term_seconds, asked[0].scope.as_str()), (1800, UNIT));
    let sent: Vec<v1::ApproveActivationRequest> = bench.broker.asked("approve_activation");
    assert_eq!((sent[0].term_seconds, sent[0].scope.as_str()), (1800, UNIT));
    let visited = bench.tenant.visited.lock().unwrap()[0].clone();
    let bound = approval_digest(ID, &activation(State::AwaitingApproval).digest, &much);
    assert_eq!(visited["nonce"], challenge(&bound, "approve").nonce);
}

#[tokio::test]
async fn a_plain_yes_after_anothers_is_to_what_that_one_left() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_approval", &to_approve(shortened(), &less(3600, "")));
    bench.broker.says("approve_activation", &shortened());
    let ran = bench.elevate(&["approve", ID]).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    let shown: Vec<_> =
        ran.err.lines().filter(|line| line.contains("  for ") || line.contains("approved by")).collect();
    expect![[r#"
        for           1h (2h was asked)
        approved by   Bob (1b2c3d4e-0000-4000-8000-000000000002) at 15:59, for 1h"#]]
    .assert_eq(&shown.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n"));
    let sent: Vec<v1::ApproveActivationRequest> = bench.broker.asked("approve_activation");
    assert_eq!((sent[0].term_seconds, sent[0].scope.as_str()), (3600, ""));
}

#[tokio::test]
async fn a_challenge_for_more_than_the_yes_is_to_is_not_signed_in_for() {
    for (args, much) in [
        (&["approve", ID, "--for", "30m"][..], less(0, "")),
        (&["approve", ID, "--for", "30m"], less(3600, "")),
        (&["approve", ID, "--scope", UNIT], less(0, "")),
        (&["approve", ID], less(1800, "")),
    ] {
        let bench = Bench::signed_in().await;
        bench.broker.says("prepare_approval", &to_approve(activation(State::AwaitingApproval), &much));
        let ran = bench.elevate(args).await;
        assert!(ran.exit == Exit::Refused && ran.err.contains("do not sign in"), "{args:?}: {ran:?}");
        assert!(
            bench.tenant.visited.lock().unwrap().is_empty() && !bench.broker.was_called("approve_activation")
        );
    }
}

#[tokio::test]
async fn what_stands_against_less_is_told_with_its_exit_code() {
    let bench = Bench::signed_in().await;
    let told = "an approver may shorten or narrow, never widen: 3h is longer than 2h";
    bench.broker.fails("prepare_approval", refusal(Code::InvalidArgument, "NOT_NARROWER", told));
    let args = ["approve", ID, "--for", "3h"];
    expect![[r#"
        err: error: an approver may shorten or narrow, never widen: 3h is longer than 2h
        err:   ask for a shorter term with `--for`, or a scope within the one that `elevate show` shows
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&args).await.all());
    let json = bench.elevate(&[&args[..], &["--output", "json"]].concat()).await;
    assert!(json.err.contains(r#""reason":"NOT_NARROWER""#) && json.out.is_empty(), "{json:?}");
    assert_eq!(bench.elevate(&["approve", ID, "--scope", ""]).await.exit, Exit::Usage);

    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_approval", &to_approve(activation(State::AwaitingApproval), &less(0, "")));
    let told = "an earlier approver left less of it: 30m; prepare it again";
    bench.broker.fails("approve_activation", refusal(Code::Aborted, "REQUEST_CHANGED", told));
    let ran = bench.elevate(&["approve", ID]).await;
    assert_eq!(ran.exit, Exit::State, "{ran:?}");
    assert!(ran.err.contains("an earlier approver left less of it"), "{ran:?}");
}

#[tokio::test]
async fn an_own_yes_is_marked_and_counted_apart() {
    let own = |state| {
        let mut activation = activation(state);
        let yes = |approver, own| v1::Approval {
            approver: Some(approver),
            at: at(-1),
            own,
            ..v1::Approval::default()
        };
        activation.approvals = vec![yes(ann(), true), yes(who(BOB, "Bob"), false)];
        activation
    };
    let bench = Bench::signed_in().await;
    bench.broker.says("get_activation", &own(State::Active));
    let shown = bench.elevate(&["show", ID]).await.out;
    let shown: Vec<_> = shown.lines().skip_while(|line| !line.contains("approved by")).take(3).collect();
    expect![[r#"
        approved by   Ann (071cc716-8147-4397-a5ba-b2105951cc0b) at 15:59, their own
        Bob (1b2c3d4e-0000-4000-8000-000000000002) at 15:59
        yeses         1 own, 1 other"#]]
    .assert_eq(&shown.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n"));
    let json = bench.elevate(&["show", ID, "--output", "json"]).await.json();
    assert_eq!(
        (json["approvals"][0]["own"].clone(), json["approvals"][1]["own"].clone()),
        (true.into(), false.into())
    );

    let mut waiting = own(State::AwaitingApproval);
    waiting.approvals.truncate(1);
    let page = v1::ListPendingApprovalsResponse { activations: vec![waiting], ..Default::default() };
    bench.broker.says("list_pending_approvals", &page);
    let pending = bench.elevate(&["pending"]).await.out;
    assert!(pending.contains("waiting for 1 approval besides their own, until"), "{pending}");

    let mut over = own(State::Closed);
    over.set_outcome(v1::Outcome::Expired);
    let past = vec![over, ended(v1::Outcome::Withdrawn)];
    let page = v1::ListActivationsResponse { activations: past, ..Default::default() };
    bench.broker.says("list_activations", &page);
    expect![[r#"
        ROLE          APPROVED        ENDED               HELD  WHY            ID
        groups-admin  1 own, 1 other  expired at 16:00    -     reset a group  0199a1b2-0000-7000-8000-000000000001
        groups-admin  -               withdrawn at 16:00  -     reset a group  0199a1b2-0000-7000-8000-000000000001
    "#]].assert_eq(&bench.elevate(&["history"]).await.out);
}
