//! Why a role may be asked for or not, in the words of the command line.

use expect_test::expect;

use super::Session;

#[tokio::test]
async fn a_role_is_explained_to_whom_it_is_offered_and_to_an_auditor_for_somebody_else() {
    let mut session = Session::of(&["ann", "eve"]).await;
    session.types("ann", "explain groups-admin").await;
    session.types("ann", "explain app-admin").await;
    session.types("ann", "explain nothing-at-all").await;
    session.types("ann", "explain reader --as-seen-by 5a4db0c5-0000-4000-8000-000000000002").await;
    session.types("eve", "explain app-admin --as-seen-by 5a4db0c5-0000-4000-8000-000000000004").await;
    expect![[r#"
        ann$ elevate explain groups-admin
            role           Groups Administrator (groups-admin)
            rule           offered, because `eligible` names Staff (group:5a4db0c5-0000-4000-8000-000000000102)
            what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
            scope          the whole tenant
            power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group that is not role-assignable but holds rights over Azure resources, and act as a workload there that may assign roles
            in the way     nothing
            term           1h, at most 8h
            sign-in        with a second factor, made within 5m
            approval       1 of group 5a4db0c5-0000-4000-8000-000000000101
            could approve  1 of Bob Baker, Carol Cooper

        ann$ elevate explain app-admin
            role           Application Administrator (app-admin)
            rule           offered, because `eligible` names Staff (group:5a4db0c5-0000-4000-8000-000000000102)
            what           role definition 9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3, granted by way of `pim`
            scope          the whole tenant
            power          tier 0, Application Administrator: where the tenant has what it takes, it can add a credential to any application and act as one that may assign roles
            in the way     nothing
            term           1h, at most 4h
            sign-in        with a second factor, authentication context c1, made within 5m
            ticket         needed
            approval       2 of group 5a4db0c5-0000-4000-8000-000000000101
            could approve  2 of Bob Baker, Carol Cooper

        ann$ elevate explain nothing-at-all   → 4
        ! error: role `nothing-at-all` is not offered to you; `elevate roles` shows what is

        ann$ elevate explain reader --as-seen-by 5a4db0c5-0000-4000-8000-000000000002   → 4
        ! error: this needs the app role policy-admin or auditor; an administrator of the tenant assigns it

        eve$ elevate explain app-admin --as-seen-by 5a4db0c5-0000-4000-8000-000000000004
            role           Application Administrator (app-admin)
            for whom       Dave Dyer (5a4db0c5-0000-4000-8000-000000000004)
            rule           not offered, because `denied` names Dave Dyer (user:5a4db0c5-0000-4000-8000-000000000004)
            what           role definition 9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3, granted by way of `pim`
            scope          the whole tenant
            power          tier 0, Application Administrator: where the tenant has what it takes, it can add a credential to any application and act as one that may assign roles
            in the way     the rule does not offer it
            term           1h, at most 4h
            sign-in        with a second factor, authentication context c1, made within 5m
            ticket         needed
            approval       2 of group 5a4db0c5-0000-4000-8000-000000000101
            could approve  2 of Bob Baker, Carol Cooper

    "#]].assert_eq(session.told());
}

#[tokio::test]
async fn who_could_approve_is_told_before_the_sign_in_and_also_when_nobody_could() {
    let mut session = Session::of(&["ann", "bob"]).await;
    let directory = session.world.tenant.directory();
    let approvers = elevate_sandbox::people::APPROVERS.id;
    // Bob alone is left, and may not approve what he asks for himself.
    assert!(directory.remove_member(approvers, elevate_sandbox::people::CAROL.id));
    let reason = "--reason-file FOLDER/reason.txt";
    session.types("bob", &format!("activate groups-admin --dry-run {reason}")).await;
    session.types("ann", &format!("activate groups-admin --dry-run {reason}")).await;
    expect![[r#"
        bob$ elevate activate groups-admin --dry-run --reason-file FOLDER/reason.txt
        ! You are about to ask for:
        !   role           Groups Administrator (groups-admin)
        !   what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        !   scope          the whole tenant
        !   for            1h
        !   who            bob@sandbox.example (5a4db0c5-0000-4000-8000-000000000002)
        !   why            Move the sales team's groups (CHG0042)
        !   approval       1 of group 5a4db0c5-0000-4000-8000-000000000101, within 4h
        !   could approve  1, and there is nobody
        !                  not enough people: a request would wait and lapse
        !   power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group that is not role-assignable but holds rights over Azure resources, and act as a workload there that may assign roles
        !   sign-in        with a second factor, made within 5m
          Nothing was asked for. Groups Administrator would be, as far as can be known before you sign in

        ann$ elevate activate groups-admin --dry-run --reason-file FOLDER/reason.txt
        ! You are about to ask for:
        !   role           Groups Administrator (groups-admin)
        !   what           role definition fdd7a751-b60b-444a-984c-02652fe8fa1c, granted by way of `assignment`
        !   scope          the whole tenant
        !   for            1h
        !   who            ann@sandbox.example (5a4db0c5-0000-4000-8000-000000000001)
        !   why            Move the sales team's groups (CHG0042)
        !   approval       1 of group 5a4db0c5-0000-4000-8000-000000000101, within 4h
        !   could approve  1 of Bob Baker
        !   power          tier 0, Groups Administrator: where the tenant has what it takes, it can join a group that is not role-assignable but holds rights over Azure resources, and act as a workload there that may assign roles
        !   sign-in        with a second factor, made within 5m
          Nothing was asked for. Groups Administrator would be, as far as can be known before you sign in

    "#]].assert_eq(session.told());
}
