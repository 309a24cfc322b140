//! What a person can ask for beside the role and the term: a later start, a narrower scope.

use elevate_proto::v1;
use expect_test::expect;
use tonic::Code;
use v1::ActivationState as State;

use super::bench::{Bench, Ran, activation, at, challenge, digest_of, prepared, refusal};
use crate::exit::Exit;

const UNIT: &str = "/administrativeUnits/5a4db0c5-0000-4000-8000-0000000000a1";
const ASK: [&str; 6] = ["activate", "groups-admin", "--reason-file", "-", "--ticket", "INC0012345"];

/// The activation that is asked for with a start in three hours.
fn later(state: State) -> v1::Activation {
    let mut activation = activation(state);
    activation.ticket.as_mut().unwrap().system.clear();
    activation.asked_start = at(180);
    activation.starts_at = (state == State::Scheduled).then(|| at(180)).flatten();
    activation.digest = digest_of(&activation);
    activation
}

/// At the unit.
fn narrower(state: State) -> v1::Activation {
    let mut activation = activation(state);
    activation.ticket.as_mut().unwrap().system.clear();
    let role = activation.directory_role.as_mut().unwrap();
    (role.scope, role.scope_name) = (UNIT.to_owned(), "Branch office".to_owned());
    activation.asked_scope = UNIT.to_owned();
    activation.digest = digest_of(&activation);
    activation
}

fn prepared_for(asked: &v1::Activation) -> v1::PrepareActivationResponse {
    v1::PrepareActivationResponse {
        challenge: Some(challenge(&asked.digest, "activate")),
        directory_role: asked.directory_role.clone(),
        ..prepared()
    }
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
async fn a_start_is_shown_back_in_the_readers_zone_and_not_waited_for() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_activation", &prepared_for(&later(State::Requested)));
    bench.broker.says("request_activation", &later(State::AwaitingApproval));
    let changes = [State::AwaitingApproval, State::Scheduled].map(later);
    bench.broker.streams("watch_activation", &changes, None);
    // Three hours from four o'clock, where she is.
    let ran = asks(&bench, &["--at", "19:00"]).await;
    expect![[r#"
        out: Groups Administrator begins at 19:00 +01:00 (in 3h), for 2h
        err: You are about to ask for:
        err:   role           Groups Administrator (groups-admin)
        err:   what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        err:   scope          the whole tenant
        err:   from           19:00 +01:00 (in 3h); from now on you cannot ask for it again
        err:   for            2h
        err:   who            Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
        err:   why            reset a group
        err:   ticket         INC0012345
        err:   approval       1 of user 1b2c3d4e-0000-4000-8000-000000000002 or group 9f0e, within 4h
        err:   could approve  1 of Bob, and others
        err:   power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group
        err:   sign-in        with a second factor, authentication context c1, made within 5m
        err: Asked: 0199a1b2-0000-7000-8000-000000000001
        err: waiting for 1 approval, until 19:59 (in 3h 59m)
        err: hint: until then you cannot ask for it again; `elevate watch 0199a1b2-0000-7000-8000-000000000001` follows it, `elevate withdraw 0199a1b2-0000-7000-8000-000000000001` takes it back
        exit: 0
    "#]].assert_eq(&told(&ran));
    let prepared: Vec<v1::PrepareActivationRequest> = bench.broker.asked("prepare_activation");
    assert_eq!(prepared[0].starts_at, at(180));
    let asked: Vec<v1::RequestActivationRequest> = bench.broker.asked("request_activation");
    assert_eq!(asked[0].starts_at, at(180), "asked for as it was prepared");

    let json = asks(&bench, &["--at", "+3h", "--output", "json"]).await.json();
    assert_eq!(
        (json["state"].as_str(), json["starts_at"].as_str()),
        (Some("scheduled"), Some("2026-11-20T18:00:00Z"))
    );
    assert_eq!(json["asked_start"], "2026-11-20T18:00:00Z");
    let dry = asks(&bench, &["--at", "+3h", "--dry-run", "--output", "json"]).await.json();
    assert_eq!(dry["asked"]["starts_at"], "2026-11-20T18:00:00Z");
}

#[tokio::test]
async fn a_start_in_the_past_or_too_far_ahead_is_refused() {
    let bench = Bench::signed_in().await;
    expect![[r#"
        err: error: 15:59 +01:00 (1m ago) is past
        err:   say the day too, as in `2026-12-01T09:00`, or how long from now, as in `+2h`; leave `--at` out to begin as soon as it is approved
        exit: 2
    "#]].assert_eq(&asks(&bench, &["--at", "15:59"]).await.all());
    assert_eq!(asks(&bench, &["--at", "teatime"]).await.exit, Exit::Usage);
    assert!(!bench.broker.was_called("prepare_activation"));
    let told = "`groups-admin` may begin at most 7days from now; ask later, or for an earlier start";
    bench.broker.fails("prepare_activation", refusal(Code::InvalidArgument, "START_TOO_FAR", told));
    expect![[r#"
        err: error: `groups-admin` may begin at most 7days from now; ask later, or for an earlier start
        exit: 2
    "#]]
    .assert_eq(&asks(&bench, &["--at", "2027-11-20T19:00"]).await.all());
}

#[tokio::test]
async fn a_narrower_scope_is_shown_by_its_name_and_refused_where_it_is_not_offered() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_activation", &prepared_for(&narrower(State::Requested)));
    bench.broker.says("request_activation", &narrower(State::Requested));
    let ran = asks(&bench, &["--scope", UNIT, "--no-wait"]).await;
    expect![[r#"
        out: 0199a1b2-0000-7000-8000-000000000001  requested
        err: You are about to ask for:
        err:   role           Groups Administrator (groups-admin)
        err:   what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        err:   scope          administrative unit Branch office (/administrativeUnits/5a4db0c5-0000-4000-8000-0000000000a1)
        err:   for            2h
        err:   who            Ann (071cc716-8147-4397-a5ba-b2105951cc0b)
        err:   why            reset a group
        err:   ticket         INC0012345
        err:   approval       1 of user 1b2c3d4e-0000-4000-8000-000000000002 or group 9f0e, within 4h
        err:   could approve  1 of Bob, and others
        err:   power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group
        err:   sign-in        with a second factor, authentication context c1, made within 5m
        err: `elevate watch 0199a1b2-0000-7000-8000-000000000001` follows it, `elevate withdraw 0199a1b2-0000-7000-8000-000000000001` takes it back
        exit: 0
    "#]].assert_eq(&told(&ran));
    let asked: Vec<v1::RequestActivationRequest> = bench.broker.asked("request_activation");
    assert_eq!(asked[0].scope, UNIT);
    let json = asks(&bench, &["--scope", UNIT, "--no-wait", "--output", "json"]).await.json();
    assert_eq!(json["directory_role"]["scope_name"], "Branch office");

    let told = format!(
        "`groups-admin` is offered at {UNIT}, and / is not within that; `elevate roles` shows the scopes"
    );
    bench.broker.fails("prepare_activation", refusal(Code::InvalidArgument, "SCOPE_NOT_OFFERED", &told));
    // The last thing that a broker was told to say, it says again.
    asks(&bench, &["--scope", "/"]).await;
    let refused = asks(&bench, &["--scope", "/"]).await;
    assert_eq!(refused.exit, Exit::Usage, "{refused:?}");
    assert!(refused.err.contains("is not within that"), "{refused:?}");
}

#[tokio::test]
async fn a_broker_that_shows_another_scope_or_start_gets_no_sign_in() {
    let bench = Bench::signed_in().await;
    bench.broker.says("prepare_activation", &prepared_for(&narrower(State::Requested)));
    for more in [&["--scope", "/"][..], &["--scope", UNIT, "--at", "+1h"]] {
        let ran = asks(&bench, more).await;
        assert!(ran.exit == Exit::Refused && ran.err.contains("do not sign in"), "{more:?}: {ran:?}");
    }
    bench.broker.says_only("prepare_activation", &prepared_for(&later(State::Requested)));
    assert_eq!(asks(&bench, &[]).await.exit, Exit::Refused, "a start that nobody asked for");
    assert!(bench.tenant.visited.lock().unwrap().is_empty());
}
