//! Every verb, as a person reads it.

use expect_test::expect;

use super::Session;
use elevate_tests::State;

#[tokio::test]
async fn the_story_as_people_read_it() {
    let mut session = Session::of(&["bob", "eve"]).await;
    session.types("ann", "login").await;
    session.types("ann", "whoami").await;
    session.types("ann", "roles").await;
    session
        .types("ann", "activate groups-admin --for '1h 30m' --reason-file FOLDER/reason.txt --yes --no-wait")
        .await;
    session.types("ann", "list").await;
    session.types("bob", "pending").await;
    session.types("bob", "approve ID --comment 'go ahead' --yes").await;
    let id = session.newest().await;
    session.world.until(&id, State::Active).await;
    session.types("ann", "show ID").await;
    session.types("ann", "list").await;
    session.types("ann", "deactivate ID").await;
    session.world.until(&id, State::Closed).await;
    session.types("ann", "watch ID").await;
    session.types("ann", "list").await;
    session.types("ann", "list --all").await;
    session.types("eve", "audit list --activation ID").await;
    session.types("ann", "logout").await;
    session.types("ann", "roles").await;
    expect![[r#"
        ann$ elevate login
        ! To sign in, your browser opens this address:
        !
        !   https://TENANT/5a4db0c5-0000-4000-8000-00000000e1e0/oauth2/v2.0/authorize?…
        !
        ! as ELEVATE_TOKEN_STORE asks; the session is kept in FOLDER/people/ann/session-BROKER.json, readable only by you
        ! remembered the broker in FOLDER/people/ann/config.toml
          Signed in to BROKER as Ann Archer (ann@sandbox.example)

        ann$ elevate whoami
            who        ann@sandbox.example (5a4db0c5-0000-4000-8000-000000000001)
            tenant     5a4db0c5-0000-4000-8000-00000000e1e0
            kind       person
            app roles  none
            broker     BROKER, version 0.1.0

        ann$ elevate roles
          ROLE             TITLE                      SCOPE             FOR               APPROVAL  TICKET  NOW
          app-admin        Application Administrator  the whole tenant  1h (at most 4h)   2 people  needed  -
          exchange-admin   exchange-admin             the whole tenant  8h (at most 8h)   -         -       -
          groups-admin     Groups Administrator       the whole tenant  1h (at most 8h)   1 person  -       -
          helpdesk-admin   helpdesk-admin             the whole tenant  1h (at most 1h)   2 people  -       -
          reader           Global Reader              the whole tenant  1h (at most 8h)   -         -       -
          security-reader  Security Reader            the whole tenant  1h (at most 4h)   -         -       -
          user-admin       User Administrator         the whole tenant  30m (at most 2h)  -         -       -

        ann$ elevate activate groups-admin --for '1h 30m' --reason-file FOLDER/reason.txt --yes --no-wait
        ! You are about to ask for:
        !   role           Groups Administrator (groups-admin)
        !   what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        !   scope          the whole tenant
        !   for            1h 30m
        !   who            ann@sandbox.example (5a4db0c5-0000-4000-8000-000000000001)
        !   why            Move the sales team's groups (CHG0042)
        !   approval       1 of group 5a4db0c5-0000-4000-8000-000000000101, within 4h
        !   could approve  1 of Bob Baker, Carol Cooper
        !   power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group that is not role-assignable but holds rights over Azure resources, and act as a workload there that may assign roles
        !   sign-in        with a second factor, made within 5m
        ! Next, you sign in again. The sign-in counts for exactly this, once.
        ! To sign in, your browser opens this address:
        !
        !   https://TENANT/5a4db0c5-0000-4000-8000-00000000e1e0/oauth2/v2.0/authorize?…
        !
        ! `elevate watch <id 1>` follows it, `elevate withdraw <id 1>` takes it back
          <id 1>  waiting for 1 approval, until 12:00 (in 4h)

        ann$ elevate list
          ROLE          STATE                                        FOR     WHY                                     ID
          groups-admin  waiting for 1 approval, until 12:00 (in 4h)  1h 30m  Move the sales team's groups (CHG0042)  <id 1>

        bob$ elevate pending
        ! hint: `elevate show ID` tells everything about one; `elevate approve ID` or `elevate deny ID` answers it
          ROLE          WHO         STATE                                        FOR     WHY                                     ID
          groups-admin  Ann Archer  waiting for 1 approval, until 12:00 (in 4h)  1h 30m  Move the sales team's groups (CHG0042)  <id 1>

        bob$ elevate approve ID --comment 'go ahead' --yes
        ! You are about to approve:
        ! groups-admin  waiting for 1 approval, until 12:00 (in 4h)
        !   id            <id 1>
        !   who           Ann Archer (5a4db0c5-0000-4000-8000-000000000001)
        !   what          role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        !   scope         the whole tenant
        !   for           1h 30m
        !   why           Move the sales team's groups (CHG0042)
        !   approval      1 of group 5a4db0c5-0000-4000-8000-000000000101
        !   asked         08:00 (now)
        !   answer by     12:00 (in 4h)
        !   policy        version 1
        !   sign-in      with a second factor, made within 5m
        ! Next, you sign in again. The sign-in counts for exactly this, once.
        ! To sign in, your browser opens this address:
        !
        !   https://TENANT/5a4db0c5-0000-4000-8000-00000000e1e0/oauth2/v2.0/authorize?…
        !
          Approved groups-admin for Ann Archer: scheduled, from 08:00 (now)

        ann$ elevate show ID
          groups-admin  active, until 09:30 (in 1h 30m)
            id            <id 1>
            who           Ann Archer (5a4db0c5-0000-4000-8000-000000000001)
            what          role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
            scope         the whole tenant
            for           1h 30m
            why           Move the sales team's groups (CHG0042)
            approval      1 of group 5a4db0c5-0000-4000-8000-000000000101
            approved by   Bob Baker (5a4db0c5-0000-4000-8000-000000000002) at 08:00: go ahead
            asked         08:00 (now)
            held from     08:00 (now)
            held until    09:30 (in 1h 30m)
            tokens until  11:00 (in 3h), or up to 28h where an app evaluates access continuously
            policy        version 1

        ann$ elevate list
          ROLE          STATE                            FOR     WHY                                     ID
          groups-admin  active, until 09:30 (in 1h 30m)  1h 30m  Move the sales team's groups (CHG0042)  <id 1>

        ann$ elevate deactivate ID
          groups-admin: being taken away; `elevate watch <id 1>` tells when it is seen gone

        ann$ elevate watch ID
          2026-01-05 08:00:00  deactivated at 08:00 (now)

        ann$ elevate list
        ! Nothing is held or asked for. `--all` shows what is over.

        ann$ elevate list --all
          ROLE          STATE                       FOR     WHY                                     ID
          groups-admin  deactivated at 08:00 (now)  1h 30m  Move the sales team's groups (CHG0042)  <id 1>

        eve$ elevate audit list --activation ID
          #  WHEN                 EVENT             ROLE          HOLDER      BY          MORE
          2  2026-01-05 08:00:00  requested         groups-admin  Ann Archer  Ann Archer  activation=<id 1> approval_window_seconds=14400 contexts= digest=<digest> justification=Move the sales team's groups (CHG0042) methods=fido mfa policy_version=1 request_id=<id 2> signed_in_at=2026-01-05T08:00:00Z term_seconds=5400 version=1
          3  2026-01-05 08:00:00  approval-sought   groups-admin  Ann Archer  the broker  activation=<id 1> answer_needed_by=2026-01-05T12:00:00Z version=2
          4  2026-01-05 08:00:00  approved          groups-admin  Ann Archer  Bob Baker   activation=<id 1> comment=go ahead contexts= digest=<digest> methods=fido mfa signed_in_at=2026-01-05T08:00:00Z version=3
          5  2026-01-05 08:00:00  scheduled         groups-admin  Ann Archer  the broker  activation=<id 1> lapses_at=2026-01-05T09:00:00Z starts_at=2026-01-05T08:00:00Z version=4
          6  2026-01-05 08:00:00  activation-begun  groups-admin  Ann Archer  the broker  activation=<id 1> held_until=2026-01-05T09:30:00Z version=5
          7  2026-01-05 08:00:00  activated         groups-admin  Ann Archer  the broker  activation=<id 1> assignment=UafX_Qu2SkSYTAJlL-j6HMWwTVoAAABAgAAAAAAAAAE-1 version=6
          8  2026-01-05 08:00:00  revocation-begun  groups-admin  Ann Archer  Ann Archer  activation=<id 1> cause=deactivated version=7
          9  2026-01-05 08:00:00  removed           groups-admin  Ann Archer  the broker  activation=<id 1> version=8

        ann$ elevate logout
        ! What remains: roles that you hold, until they end (`elevate deactivate` gives them back), and requests that wait (`elevate withdraw`).
        ! Your browser stays signed in to the tenant until you sign out there.
          Signed out of BROKER: the session is deleted here

        ann$ elevate roles   → 3
        ! error: you are not signed in to BROKER
        !   run `elevate login`

    "#]].assert_eq(session.told());
}

#[tokio::test]
async fn a_role_that_needs_nobody_is_waited_for_and_held() {
    let mut session = Session::of(&["ann"]).await;
    session.types("ann", "activate reader --for 45m --reason 'look at the logs' --yes").await;
    session.pass("45m").await;
    session.types("ann", "show ID").await;
    expect![[r#"
        ann$ elevate activate reader --for 45m --reason 'look at the logs' --yes
        ! hint: --reason stays in your shell's history; leave it out to be asked, or use --reason-file
        ! You are about to ask for:
        !   role           Global Reader (reader)
        !   what           role definition f2ef992c-3afb-46b9-b7cf-a126ee74c451, granted by way of `assignment`
        !   scope          the whole tenant
        !   for            45m
        !   who            ann@sandbox.example (5a4db0c5-0000-4000-8000-000000000001)
        !   why            look at the logs
        !   approval       nobody's approval is needed
        !   power          tier 1, Global Reader: no way to grant itself more is known
        !   sign-in        with a second factor, made within 5m
        ! Next, you sign in again. The sign-in counts for exactly this, once.
        ! To sign in, your browser opens this address:
        !
        !   https://TENANT/5a4db0c5-0000-4000-8000-00000000e1e0/oauth2/v2.0/authorize?…
        !
        ! Asked: <id 1>
        ! hint: sign in afresh where you use it, so that your token carries it; one issued before its end may live until 10:15 +00:00 (in 2h 15m). `elevate deactivate <id 1>` gives it back early
          You hold Global Reader until 08:45 +00:00 (in 45m)

        (PT45M go by)

        ann$ elevate show ID
          reader  expired at 08:45 (now)
            id            <id 1>
            who           Ann Archer (5a4db0c5-0000-4000-8000-000000000001)
            what          role definition f2ef992c-3afb-46b9-b7cf-a126ee74c451, granted by way of `assignment`
            scope         the whole tenant
            for           45m
            why           look at the logs
            approval      nobody's approval is needed
            asked         08:00 (45m ago)
            held from     08:00 (45m ago)
            closed        08:45 (now)
            tokens until  10:15 (in 1h 30m), or up to 28h where an app evaluates access continuously
            policy        version 1

    "#]].assert_eq(session.told());
}

#[tokio::test]
async fn no_withdraw_revoke_and_sweep() {
    let mut session = Session::of(&["ann", "bob", "eve"]).await;
    session.types("ann", "activate groups-admin --reason-file FOLDER/reason.txt --yes --no-wait").await;
    session.types("bob", "deny ID --reason 'not today'").await;
    session.types("ann", "activate groups-admin --reason-file FOLDER/reason.txt --yes --no-wait").await;
    session.types("ann", "withdraw ID").await;
    session.types("ann", "activate reader --reason-file FOLDER/reason.txt --yes").await;
    session.types("eve", "list --everybody").await;
    session.types("eve", "revoke ID --reason 'laptop stolen'").await;
    let id = session.newest().await;
    session.world.until(&id, State::Closed).await;
    session.types("ann", "show ID").await;
    session.types("eve", "sweep").await;
    expect![[r#"
        ann$ elevate activate groups-admin --reason-file FOLDER/reason.txt --yes --no-wait
        ! You are about to ask for:
        !   role           Groups Administrator (groups-admin)
        !   what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        !   scope          the whole tenant
        !   for            1h
        !   who            ann@sandbox.example (5a4db0c5-0000-4000-8000-000000000001)
        !   why            Move the sales team's groups (CHG0042)
        !   approval       1 of group 5a4db0c5-0000-4000-8000-000000000101, within 4h
        !   could approve  1 of Bob Baker, Carol Cooper
        !   power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group that is not role-assignable but holds rights over Azure resources, and act as a workload there that may assign roles
        !   sign-in        with a second factor, made within 5m
        ! Next, you sign in again. The sign-in counts for exactly this, once.
        ! To sign in, your browser opens this address:
        !
        !   https://TENANT/5a4db0c5-0000-4000-8000-00000000e1e0/oauth2/v2.0/authorize?…
        !
        ! `elevate watch <id 1>` follows it, `elevate withdraw <id 1>` takes it back
          <id 1>  waiting for 1 approval, until 12:00 (in 4h)

        bob$ elevate deny ID --reason 'not today'
          Denied groups-admin for Ann Archer

        ann$ elevate activate groups-admin --reason-file FOLDER/reason.txt --yes --no-wait
        ! You are about to ask for:
        !   role           Groups Administrator (groups-admin)
        !   what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        !   scope          the whole tenant
        !   for            1h
        !   who            ann@sandbox.example (5a4db0c5-0000-4000-8000-000000000001)
        !   why            Move the sales team's groups (CHG0042)
        !   approval       1 of group 5a4db0c5-0000-4000-8000-000000000101, within 4h
        !   could approve  1 of Bob Baker, Carol Cooper
        !   power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group that is not role-assignable but holds rights over Azure resources, and act as a workload there that may assign roles
        !   sign-in        with a second factor, made within 5m
        ! Next, you sign in again. The sign-in counts for exactly this, once.
        ! To sign in, your browser opens this address:
        !
        !   https://TENANT/5a4db0c5-0000-4000-8000-00000000e1e0/oauth2/v2.0/authorize?…
        !
        ! `elevate watch <id 2>` follows it, `elevate withdraw <id 2>` takes it back
          <id 2>  waiting for 1 approval, until 12:00 (in 4h)

        ann$ elevate withdraw ID
          Withdrawn: groups-admin

        ann$ elevate activate reader --reason-file FOLDER/reason.txt --yes
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
        ! To sign in, your browser opens this address:
        !
        !   https://TENANT/5a4db0c5-0000-4000-8000-00000000e1e0/oauth2/v2.0/authorize?…
        !
        ! Asked: <id 3>
        ! hint: sign in afresh where you use it, so that your token carries it; one issued before its end may live until 10:30 +00:00 (in 2h 30m). `elevate deactivate <id 3>` gives it back early
          You hold Global Reader until 09:00 +00:00 (in 1h)

        eve$ elevate list --everybody
          ROLE    WHO         STATE                        FOR  WHY                                     ID
          reader  Ann Archer  active, until 09:00 (in 1h)  1h   Move the sales team's groups (CHG0042)  <id 3>

        eve$ elevate revoke ID --reason 'laptop stolen'
          reader: being taken away; `elevate watch <id 3>` tells when it is seen gone

        ann$ elevate show ID
          reader  revoked at 08:00 (now)
            id            <id 3>
            detail        laptop stolen
            who           Ann Archer (5a4db0c5-0000-4000-8000-000000000001)
            what          role definition f2ef992c-3afb-46b9-b7cf-a126ee74c451, granted by way of `assignment`
            scope         the whole tenant
            for           1h
            why           Move the sales team's groups (CHG0042)
            approval      nobody's approval is needed
            revoked by    Eve Ealdor (5a4db0c5-0000-4000-8000-000000000005)
            asked         08:00 (now)
            held from     08:00 (now)
            closed        08:00 (now)
            tokens until  09:30 (in 1h 30m), or up to 28h where an app evaluates access continuously
            policy        version 1

        eve$ elevate sweep
          0 due, 0 closed, 0 overdue

    "#]].assert_eq(session.told());
}

#[tokio::test]
async fn the_policy_is_planned_applied_and_shown() {
    let mut session = Session::of(&["eve"]).await;
    let shorter = elevate_tests::POLICY.replace("longest = \"8h\"", "longest = \"4h\"");
    std::fs::write(session.world.folder().join("policy.toml"), &shorter).unwrap();
    session.types("eve", "policy plan FOLDER/policy.toml").await;
    session.types("eve", "policy apply --yes FOLDER/policy.toml").await;
    session.types("eve", "policy plan FOLDER/policy.toml").await;
    let shown = session.world.person("eve").types(&["policy", "show"]).await;
    assert!(shown.out.contains(shorter.trim()), "{}", shown.out);
    expect![[r#"
        eve$ elevate policy plan FOLDER/policy.toml
          version 1 is in force; this would change:
          ~ groups-admin (changed)
              longest: 8h -> 4h
          ~ reader (changed)
              longest: 8h -> 4h
          ~ exchange-admin (changed)
              longest: 8h -> 4h
              usual: 8h -> 4h

        eve$ elevate policy apply --yes FOLDER/policy.toml
        ! version 1 is in force; this would change:
        ! ~ groups-admin (changed)
        !     longest: 8h -> 4h
        ! ~ reader (changed)
        !     longest: 8h -> 4h
        ! ~ exchange-admin (changed)
        !     longest: 8h -> 4h
        !     usual: 8h -> 4h
          Version 2 of the policy is in force

        eve$ elevate policy plan FOLDER/policy.toml
          No role changes; version 2 is in force

    "#]]
    .assert_eq(session.told());
}

#[tokio::test]
async fn the_doctor_and_the_completions() {
    let mut session = Session::of(&["ann"]).await;
    session.types("ann", "doctor").await;
    expect![[r#"
        ann$ elevate doctor
          ok       configuration    broker BROKER, trusting FOLDER/tenant/ca.pem; FOLDER/people/ann/config.toml
          ok       token store      the file FOLDER/people/ann/session-BROKER.json
          ok       connection       TLS 1.3; the broker's certificate is good until …
          ok       broker           answers
          ok       sign-in service  https://TENANT/5a4db0c5-0000-4000-8000-00000000e1e0/v2.0
          ok       clock            agrees with the sign-in service's
          ok       session          signed in as ann@sandbox.example (5a4db0c5-0000-4000-8000-000000000001)
          ok       grants           are given

    "#]].assert_eq(session.told());
    for shell in ["bash", "zsh", "fish"] {
        let told = session.world.person("ann").types(&["completions", shell]).await;
        assert!(told.out.contains("deactivate") && told.exit.code() == 0, "{shell}");
    }
}
