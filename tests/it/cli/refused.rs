//! What a person is told when it does not go as they wish, and the code that their shell sees.

use elevate_sandbox::Strength;
use expect_test::expect;

use super::Session;
use elevate_tests::State;

#[tokio::test]
async fn a_refusal_says_what_why_and_what_to_do() {
    let mut session = Session::of(&["ann", "bob", "dave"]).await;
    session.types("carol", "roles").await;
    session.types("ann", "activate no-such-role --reason-file FOLDER/reason.txt --yes").await;
    session.types("ann", "activate groups-admin --for 9h --reason-file FOLDER/reason.txt --yes").await;
    session.types("ann", "activate groups-admin --for soon --reason-file FOLDER/reason.txt").await;
    session.types("ann", "activate groups-admin --yes").await;
    session.types("ann", "activate app-admin --reason-file FOLDER/reason.txt --yes").await;
    let weak = "activate user-admin --reason-file FOLDER/reason.txt --yes";
    session.types_as("ann", Strength::Mfa, weak).await;
    session.types("bob", "activate groups-admin --reason-file FOLDER/reason.txt --yes --no-wait").await;
    session.types("bob", "activate groups-admin --reason-file FOLDER/reason.txt --yes").await;
    session.types("bob", "approve ID --yes").await;
    session.types("dave", "show ID").await;
    session.types("bob", "deactivate ID").await;
    session.types("ann", "audit list").await;
    session.types("ann", "sweep").await;
    expect![[r#"
        carol$ elevate roles   → 3
        ! error: you are not signed in to BROKER
        !   run `elevate login`

        ann$ elevate activate no-such-role --reason-file FOLDER/reason.txt --yes   → 4
        ! error: role `no-such-role` is not offered to you; `elevate roles` shows what is

        ann$ elevate activate groups-admin --for 9h --reason-file FOLDER/reason.txt --yes   → 2
        ! error: 9h is longer than `groups-admin` allows; ask for 8h or less

        ann$ elevate activate groups-admin --for soon --reason-file FOLDER/reason.txt   → 2
        ! error: invalid value 'soon' for '--for <TIME>': expected number at 0; write it like `2h` or `1h 30m`
        !
        ! For more information, try '--help'.

        ann$ elevate activate groups-admin --yes   → 2
        ! error: nobody said why the role is needed
        !   say it when asked in a terminal, or with `--reason-file FILE` (`-` is the standard input)

        ann$ elevate activate app-admin --reason-file FOLDER/reason.txt --yes   → 2
        ! error: `app-admin` needs a ticket; name it with `--ticket NUMBER`

        ann$ elevate activate user-admin --reason-file FOLDER/reason.txt --yes   → 4
        ! You are about to ask for:
        !   role           User Administrator (user-admin)
        !   what           role definition fe930be7-5e62-47db-91af-98c3a49a38b1, granted by way of `assignment`
        !   scope          the whole tenant
        !   for            30m
        !   who            ann@sandbox.example (5a4db0c5-0000-4000-8000-000000000001)
        !   why            Move the sales team's groups (CHG0042)
        !   approval       nobody's approval is needed
        !   power          tier 0, User Administrator: where the tenant has what it takes, it can reset the password of somebody who owns an application that may assign roles, and act as both
        !   sign-in        phishing-resistant (passkey, certificate or Windows Hello), made within 5m
        ! Next, you sign in again. The sign-in counts for exactly this, once.
        ! To sign in, your browser opens this address:
        !
        !   https://TENANT/5a4db0c5-0000-4000-8000-00000000e1e0/oauth2/v2.0/authorize?…
        !
        ! error: the sign-in was not strong enough: use a passkey, a FIDO2 key, Windows Hello or a certificate on a device
        !   repeat the command and sign in with a second factor, or a passkey where one is asked for

        bob$ elevate activate groups-admin --reason-file FOLDER/reason.txt --yes --no-wait
        ! You are about to ask for:
        !   role           Groups Administrator (groups-admin)
        !   what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        !   scope          the whole tenant
        !   for            1h
        !   who            bob@sandbox.example (5a4db0c5-0000-4000-8000-000000000002)
        !   why            Move the sales team's groups (CHG0042)
        !   approval       1 of group 5a4db0c5-0000-4000-8000-000000000101, within 4h
        !   could approve  1 of Carol Cooper
        !   power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group that is not role-assignable but holds rights over Azure resources, and act as a workload there that may assign roles
        !   sign-in        with a second factor, made within 5m
        ! Next, you sign in again. The sign-in counts for exactly this, once.
        ! To sign in, your browser opens this address:
        !
        !   https://TENANT/5a4db0c5-0000-4000-8000-00000000e1e0/oauth2/v2.0/authorize?…
        !
        ! `elevate watch <id 1>` follows it, `elevate withdraw <id 1>` takes it back
          <id 1>  waiting for 1 approval, until 12:00 (in 4h)

        bob$ elevate activate groups-admin --reason-file FOLDER/reason.txt --yes   → 6
        ! error: you have a live activation of this role already (<id 1>); `elevate show <id 1>` tells how it stands

        bob$ elevate approve ID --yes   → 4
        ! error: you asked for this activation, and nobody approves their own; ask another approver

        dave$ elevate show ID   → 5
        ! error: no such activation; `elevate list` shows yours

        bob$ elevate deactivate ID   → 6
        ! error: this activation is awaiting approval; it is not held yet; take it back with `elevate withdraw`

        ann$ elevate audit list   → 4
        ! error: this needs the app role auditor; an administrator of the tenant assigns it

        ann$ elevate sweep   → 4
        ! error: this needs the app role revoker; an administrator of the tenant assigns it

    "#]].assert_eq(session.told());
}

#[tokio::test]
async fn a_faulty_policy_is_told_with_the_file_and_the_line() {
    let mut session = Session::of(&["eve"]).await;
    let faulty =
        elevate_tests::POLICY.replacen("longest = \"8h\"", "longest = \"long\"\ncolour = \"red\"", 1);
    std::fs::write(session.world.folder().join("policy.toml"), faulty).unwrap();
    session.types("eve", "policy apply --yes FOLDER/policy.toml").await;
    session.types("eve", "policy plan FOLDER/nothing.toml").await;
    expect![[r#"
        eve$ elevate policy apply --yes FOLDER/policy.toml   → 2
        ! error: the policy has 2 faults; nothing was applied
        !   line 10: role[0].longest: is wrong: `long` is not a length of time; write it like `2h`, `45m` or `1h 30m`
        !   line 11: role[0].colour: is not known here; is it misspelt?

        eve$ elevate policy plan FOLDER/nothing.toml   → 2
        ! error: cannot read the policy `FOLDER/nothing.toml`: No such file or directory (os error 2)

    "#]].assert_eq(session.told());
}

#[tokio::test]
async fn the_shell_sees_how_it_ended() {
    let mut session = Session::of(&["ann", "bob", "eve"]).await;
    let reason = "--reason-file FOLDER/reason.txt --yes";
    let ends = |words: &str| words.to_owned();
    let table = [
        ("ann", ends("roles"), 0),
        ("ann", ends("no-such-verb"), 2),
        ("ann", ends(""), 2),
        ("ann", ends("--help"), 0),
        ("carol", ends("roles"), 3),
        ("ann", format!("activate no-such-role {reason}"), 4),
        ("ann", ends("show 018f0000-0000-7000-8000-000000000000"), 5),
        ("ann", format!("activate groups-admin {reason} --no-wait"), 0),
        ("ann", format!("activate groups-admin {reason}"), 6),
        ("ann", ends("deactivate ID"), 6),
        ("bob", ends("deny ID --reason no"), 0),
        ("ann", ends("watch ID"), 8),
    ];
    for (who, words, code) in table {
        let told = session.types(who, &words).await;
        assert_eq!(told.exit.code(), code, "{who}$ elevate {words}\n{}{}", told.out, told.err);
    }
    let outage = session.world.tenant.faults().graph_outage();
    assert_eq!(session.types("ann", "roles").await.exit.code(), 7, "Graph cannot be reached");
    session.world.tenant.faults().clear(outage);

    // A role past its end, and Graph does not take it away.
    assert_eq!(session.types("ann", &format!("activate reader --for 15m {reason}")).await.exit.code(), 0);
    let id = session.newest().await;
    session.world.until(&id, State::Active).await;
    session.world.tenant.faults().graph_outage();
    session.world.advance("15m");
    session.world.until_that(&id, |shown| shown.tries > 0).await;
    assert_eq!(session.types("eve", "sweep").await.exit.code(), 9);
    session.world.stop().await.unwrap();
    assert_eq!(session.types("ann", "roles").await.exit.code(), 7, "the broker cannot be reached");
}
