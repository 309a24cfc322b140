//! Signing in by device code: where the broker allows it, and only for a session.

use elevate_proto::v1;
use expect_test::expect;

use super::bench::{Bench, ann};
use crate::exit::Exit;

/// A broker that allows it, and a clock that goes on when it is waited for.
async fn allowed() -> Bench {
    let mut bench = Bench::new().await;
    bench.pauses = Some(1000);
    let issuer = bench.tenant.issuer();
    bench.broker.says_only(
        "get_sign_in",
        &v1::SignIn {
            issuer,
            client_id: "client-1".to_owned(),
            scope: "api://elevate/use".to_owned(),
            device_code: true,
            ..v1::SignIn::default()
        },
    );
    bench.broker.says("get_caller", &v1::Caller { principal: Some(ann()), ..v1::Caller::default() });
    bench
}

/// How often it was asked whether the code was entered.
fn asked(bench: &Bench) -> usize {
    let forms = bench.tenant.forms.lock().unwrap();
    forms
        .iter()
        .filter(|form| form.get("grant_type").is_some_and(|grant| grant.ends_with("device_code")))
        .count()
}

fn waits(bench: &Bench, answers: &[&'static str]) {
    bench.tenant.waiting.lock().unwrap().extend(answers);
}

#[tokio::test]
async fn a_broker_that_does_not_allow_it_says_why_and_what_to_try() {
    let bench = Bench::new().await;
    let issuer = bench.tenant.issuer();
    let refused = bench.elevate(&["login", "--device-code"]).await;
    expect![[r#"
        err: error: this broker takes no sign-in by device code: it does not say that it does
        err:   run `elevate login`; on a machine without a browser `elevate login --no-browser`, and sign in with one on another machine
        exit: 4
    "#]]
    .assert_eq(&refused.all());
    let why = "whoever starts it gets the session".to_owned();
    bench
        .broker
        .says_only("get_sign_in", &v1::SignIn { issuer, device_code_refusal: why, ..v1::SignIn::default() });
    let refused = bench.elevate(&["login", "--device-code", "--output", "json"]).await;
    expect![[r#"
        {"error":{"advice":"run `elevate login`; on a machine without a browser `elevate login --no-browser`, and sign in with one on another machine","code":"client","exit":4,"fields":[],"message":"this broker takes no sign-in by device code: whoever starts it gets the session","reason":"DEVICE_CODE_OFF","retry_after_seconds":null}}
    "#]]
    .assert_eq(&refused.err);
    assert!(bench.tenant.forms.lock().unwrap().is_empty(), "nobody was asked for a code");
}

#[tokio::test]
async fn a_code_is_shown_and_the_session_is_told_for_what_it_is() {
    let bench = allowed().await;
    waits(&bench, &["authorization_pending", "slow_down", "lost", "authorization_pending"]);
    let ran = bench.elevate(&["login", "--device-code"]).await;
    expect![[r#"
        out: Signed in to broker:8443 as Ann
        err: To sign in, open this address in any browser, on any machine, and enter the code:
        err:
        err:   https://login.example/device
        err:   ABCD-1234[31m
        err:
        err: The code is good for 15 minutes. Enter it only because you began this sign-in yourself, and enter no code that somebody else gives you: it would sign them in as you.
        err: This session is for looking, denying, withdrawing, giving back and revoking. `activate` and `approve` take a sign-in with a browser all the same; `--no-browser` where none opens here.
        err: no keyring answers here; the session is kept in FOLDER/config/session-broker_8443.json, readable only by you
        err: remembered the broker in FOLDER/config/config.toml
        exit: 0
    "#]]
    .assert_eq(&ran.all());
    let forms = bench.tenant.forms.lock().unwrap().clone();
    assert_eq!(forms[0]["client_id"], "client-1");
    assert_eq!(forms[0]["scope"], "api://elevate/use openid profile offline_access");
    assert_eq!((forms.len(), forms[5]["device_code"].as_str()), (6, "device-secret"));
    assert!(!ran.err.contains("device-secret"), "the code of the machine is nobody's to see");
    assert_eq!(bench.elevate(&["whoami"]).await.exit, Exit::Ok);
    assert_eq!(bench.broker.carried("get_caller").0.as_deref(), Some("Bearer first-token"));
}

#[tokio::test]
async fn programs_are_told_by_json() {
    let bench = allowed().await;
    let ran = bench.elevate(&["login", "--device-code", "--output", "json"]).await;
    let json = ran.json();
    assert_eq!((&json["workload"], &json["name"], ran.exit), (&false.into(), &"Ann".into(), Exit::Ok));
    waits(&bench, &["authorization_declined"]);
    let ran = bench.elevate(&["login", "--device-code", "--output", "json"]).await;
    assert!(ran.err.contains(r#""reason":"SIGN_IN_REFUSED""#) && ran.exit == Exit::SignIn, "{ran:?}");
}

#[tokio::test]
async fn the_service_is_asked_no_faster_than_it_says_and_not_for_ever() {
    let bench = allowed().await;
    let before = asked(&bench);
    waits(&bench, &["authorization_pending"; 300]);
    let ran = bench.elevate(&["login", "--device-code"]).await;
    assert_eq!(asked(&bench) - before, 179, "every five seconds of fifteen minutes");
    assert!(ran.err.contains("nobody signed in while the code was good"), "{ran:?}");
    assert_eq!(ran.exit, Exit::SignIn);

    let bench = allowed().await;
    let before = asked(&bench);
    waits(&bench, &["slow_down"]);
    waits(&bench, &["authorization_pending"; 300]);
    bench.elevate(&["login", "--device-code"]).await;
    assert_eq!(asked(&bench) - before, 90, "once too fast, and every ten seconds from then on");
}

#[tokio::test]
async fn what_ends_the_waiting_says_why() {
    for (answers, wanted, exit) in [
        (
            &["authorization_declined"][..],
            "somebody declined the sign-in where the code was entered",
            Exit::SignIn,
        ),
        (&["access_denied"], "somebody declined the sign-in where the code was entered", Exit::SignIn),
        (&["expired_token"], "nobody signed in while the code was good", Exit::SignIn),
        (&["bad_verification_code"], "AADSTS7: bad_verification_code", Exit::SignIn),
        (&["lost"; 6], "the sign-in service answered 503", Exit::Unreachable),
    ] {
        let bench = allowed().await;
        waits(&bench, answers);
        let ran = bench.elevate(&["login", "--device-code"]).await;
        assert!(ran.err.contains(wanted) && ran.exit == exit, "{answers:?}: {ran:?}");
    }
    let bench = allowed().await;
    *bench.tenant.enter_at.lock().unwrap() = Some("http://login.example/device");
    let ran = bench.elevate(&["login", "--device-code"]).await;
    assert!(ran.err.contains("no code that can be shown") && !ran.err.contains("ABCD"), "{ran:?}");
}

#[tokio::test]
async fn it_is_asked_for_by_that_switch_alone_and_by_login_alone() {
    let bench = allowed().await;
    let before = asked(&bench);
    for words in [
        &["activate", "groups-admin", "--device-code"][..],
        &["approve", "0199a1b2", "--device-code"],
        &["login", "--device-code", "--no-browser"],
    ] {
        assert_eq!(bench.elevate(words).await.exit, Exit::Usage, "{words:?}");
    }
    assert_eq!(bench.elevate(&["login"]).await.exit, Exit::Ok);
    assert_eq!(asked(&bench), before, "not unless it is asked for");
}
