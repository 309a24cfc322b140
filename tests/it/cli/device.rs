//! Signing in on another machine by a code: what it is for, what it is not, and who says so.

use elevate_client::Exit;
use elevate_sandbox::{Strength, people};
use elevate_tests::World;
use expect_test::expect;

use super::Session;

/// Types `elevate login --device-code`, and somebody enters the code when it is there.
async fn signs_in(session: &mut Session, name: &'static str, enters: impl Fn(&World, &str)) -> Exit {
    let person = session.world.person(name);
    let typed = tokio::spawn(async move { person.types(&["login", "--device-code"]).await });
    let mut shown = String::new();
    while !typed.is_finished() {
        if let Some(code) = session.world.tenant.device_codes().first() {
            enters(&session.world, code);
            shown.clone_from(code);
        }
        session.world.advance("5s");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut told = typed.await.unwrap();
    assert!(told.err.contains(&shown), "the code is shown");
    told.err = told.err.replace(&shown, "CODE");
    session.write(name, "login --device-code", &told);
    told.exit
}

#[tokio::test]
async fn a_broker_takes_none_unless_it_is_told_to() {
    let mut session = Session::of(&[]).await;
    session.types("ann", "login --device-code").await;
    let told = session.types("ann", "login --device-code --output json").await;
    assert_eq!(told.exit, Exit::Refused);
    expect![[r#"
        ann$ elevate login --device-code   → 4
        ! error: this broker takes no sign-in by device code: whoever starts such a sign-in gets the session of whoever enters its code, so it is off until the people who run the broker set `identity.device_code`
        !   run `elevate login`; on a machine without a browser `elevate login --no-browser`, and sign in with one on another machine

        ann$ elevate login --device-code --output json   → 4
        ! {"error":{"advice":"run `elevate login`; on a machine without a browser `elevate login --no-browser`, and sign in with one on another machine","code":"client","exit":4,"fields":[],"message":"this broker takes no sign-in by device code: whoever starts such a sign-in gets the session of whoever enters its code, so it is off until the people who run the broker set `identity.device_code`","reason":"DEVICE_CODE_OFF","retry_after_seconds":null}}

    "#]].assert_eq(session.told());
    assert!(session.world.tenant.device_codes().is_empty(), "no code was asked for");
}

#[tokio::test]
async fn a_session_by_code_looks_and_gives_back_and_does_not_activate_by_itself() {
    let world = World::set(&[("ELEVATE_IDENTITY_DEVICE_CODE", "true")]).await;
    let mut session = Session::on(world);
    let declines = |world: &World, code: &str| assert!(world.tenant.decline_code(code));
    assert_eq!(signs_in(&mut session, "ann", declines).await, Exit::SignIn);
    let enters = |world: &World, code: &str| {
        assert!(world.tenant.enter_code(code, &people::ANN, Strength::Fido));
    };
    assert_eq!(signs_in(&mut session, "ann", enters).await, Exit::Ok);
    session.types("ann", "whoami").await;
    session.types("ann", "activate reader --reason-file FOLDER/reason.txt --no-browser --yes").await;
    session.types("ann", "activate reader --device-code").await;
    session.types("ann", "list --all").await;
    expect![[r#"
        ann$ elevate login --device-code   → 3
        ! To sign in, open this address in any browser, on any machine, and enter the code:
        !
        !   https://TENANT/5a4db0c5-0000-4000-8000-00000000e1e0/oauth2/v2.0/deviceauth
        !   CODE
        !
        ! The code is good for 15 minutes. Enter it only because you began this sign-in yourself, and enter no code that somebody else gives you: it would sign them in as you.
        ! error: somebody declined the sign-in where the code was entered
        !   repeat the command, and accept the sign-in if you began it yourself

        ann$ elevate login --device-code
        ! To sign in, open this address in any browser, on any machine, and enter the code:
        !
        !   https://TENANT/5a4db0c5-0000-4000-8000-00000000e1e0/oauth2/v2.0/deviceauth
        !   CODE
        !
        ! The code is good for 15 minutes. Enter it only because you began this sign-in yourself, and enter no code that somebody else gives you: it would sign them in as you.
        ! This session is for looking, denying, withdrawing, giving back and revoking. `activate` and `approve` take a sign-in with a browser all the same; `--no-browser` where none opens here.
        ! as ELEVATE_TOKEN_STORE asks; the session is kept in FOLDER/people/ann/session-BROKER.json, readable only by you
        ! remembered the broker in FOLDER/people/ann/config.toml
          Signed in to BROKER as Ann Archer (ann@sandbox.example)

        ann$ elevate whoami
            who        ann@sandbox.example (5a4db0c5-0000-4000-8000-000000000001)
            tenant     5a4db0c5-0000-4000-8000-00000000e1e0
            kind       person
            app roles  none
            broker     BROKER, version 0.1.0

        ann$ elevate activate reader --reason-file FOLDER/reason.txt --no-browser --yes   → 3
        ! You are about to ask for:
        !   role           Global Reader (reader)
        !   what           role definition f2ef992c-3afb-46b9-b7cf-a126ee74c451, granted by way of `assignment`
        !   scope          the whole tenant
        !   for            1h
        !   who            ann@sandbox.example (5a4db0c5-0000-4000-8000-000000000001)
        !   why            Move the sales team's groups (CHG0042)
        !   approval       nobody's approval is needed
        !   power          tier 1, Global Reader: no way to grant itself more is known
        !   sign-in        with a second factor, made within 5m
        ! Next, you sign in again. The sign-in counts for exactly this, once.
        ! Open this address in any browser and sign in:
        !
        !   https://TENANT/5a4db0c5-0000-4000-8000-00000000e1e0/oauth2/v2.0/authorize?…
        !
        ! error: the input ended before the redirected address came
        !   paste the address that the browser ended at, on a line of its own

        ann$ elevate activate reader --device-code   → 2
        ! error: unexpected argument '--device-code' found
        !
        !   tip: to pass '--device-code' as a value, use '-- --device-code'
        !
        ! Usage: elevate activate <ROLE>...
        !
        ! For more information, try '--help'.

        ann$ elevate list --all
        ! Nothing is held or asked for. `--all` shows what is over.

    "#]].assert_eq(session.told());
}
