//! Taking much away at once, freezing, signing out, and accounts that are closed: against a tenant.

use elevate_proto::v1 as api;
use elevate_sandbox::people::{ANN, BOB, BROKER, DAVE, GLOBAL_READER};
use elevate_sandbox::{Fault, Kind};
use elevate_tests::{Outcome, POLICY, State, World, eventually, wish};
use tokio_stream::StreamExt as _;
use tonic::Code;

const ASSIGNMENTS: &str = "/v1.0/roleManagement/directory/roleAssignments";

/// They hold `reader`.
async fn holding(world: &World, names: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for name in names {
        let asked = world.grpc(name).ask(&wish("reader").lasting("4h")).await.unwrap();
        world.until(&asked.id, State::Active).await;
        ids.push(asked.id);
    }
    ids
}

fn everything(reason: &str) -> api::RevokeActivationsRequest {
    let selection = api::RevocationSelection { everything: true, ..api::RevocationSelection::default() };
    api::RevokeActivationsRequest { selection: Some(selection), reason: reason.to_owned() }
}

#[tokio::test]
async fn one_that_cannot_be_revoked_does_not_stop_the_rest_and_each_is_told_of() {
    let world = World::start().await;
    let ids = holding(&world, &["ann", "bob", "dave"]).await;
    let waiting = world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
    let held = world.tenant.directory().assignments();
    let of_ann = held.iter().find(|held| held.principal == ANN.id).unwrap();
    let stuck = Fault::on(
        &format!("{ASSIGNMENTS}/{}", of_ann.id),
        Kind::FailBefore { status: 500, retry_after: None },
    )
    .method("DELETE");
    let stuck = world.tenant.faults().add(stuck);

    let eve = world.grpc("eve");
    let call = eve.call(everything("incident 7"));
    let mut steps = eve.revocation().revoke_activations(call).await.unwrap().into_inner();
    let (mut gone, mut begun) = (Vec::new(), Vec::new());
    while gone.len() < 3 {
        let step = steps.next().await.unwrap().unwrap();
        match step.step() {
            api::RevocationStep::Begun => begun.push(step.id),
            api::RevocationStep::Gone => gone.push(step.id),
            api::RevocationStep::AllRecorded => assert_eq!((step.selected, step.more), (4, false)),
            other => panic!("{other:?}: {step:?}"),
        }
    }
    begun.sort();
    let mut all = ids.clone();
    all.sort();
    assert_eq!(begun, all, "each that was held, once");
    assert!(gone.contains(&waiting.id) && !gone.contains(&ids[0]), "{gone:?}");
    assert!(!world.holds(&BOB, &GLOBAL_READER) && !world.holds(&DAVE, &GLOBAL_READER));
    assert!(world.holds(&ANN, &GLOBAL_READER));
    let refused = world.until(&waiting.id, State::Closed).await;
    assert_eq!(refused.outcome(), Outcome::Failed);
    assert!(refused.detail.contains("incident 7"), "{}", refused.detail);

    world.tenant.faults().clear(stuck);
    world.pass_to(&ids[0], State::Closed, "5m").await;
    assert_eq!(world.outcome(&ids[0]).await, Outcome::Revoked);
    assert!(!world.holds(&ANN, &GLOBAL_READER));
}

#[tokio::test]
async fn much_is_taken_away_in_batches_and_every_one_is_gone() {
    let world = World::start().await;
    let mut ids = holding(&world, &["ann", "bob", "dave"]).await;
    for name in ["ann", "bob", "dave"] {
        for role in ["exchange-admin", "security-reader"] {
            let asked = world.grpc(name).ask(&wish(role).lasting("4h")).await.unwrap();
            world.until(&asked.id, State::Active).await;
            ids.push(asked.id);
        }
    }
    // Entra's Privileged Identity Management removes nothing in the first five minutes.
    world.advance("6m");
    // Graph takes its time, so that what is to be taken away meets.
    for (method, path) in [("DELETE", "roleAssignments/*"), ("POST", "roleAssignmentScheduleRequests")] {
        let path = format!("/v1.0/roleManagement/directory/{path}");
        world.tenant.faults().add(Fault::on(&path, Kind::Latency { milliseconds: 1000 }).method(method));
    }
    world.tenant.calls().clear();
    let eve = world.grpc("eve");
    drop(eve.revocation().revoke_activations(eve.call(everything("incident 7"))).await.unwrap());
    for id in &ids {
        assert_eq!(world.outcome(id).await, Outcome::Revoked);
    }
    let calls = world.tenant.calls().all();
    let writes: Vec<_> =
        calls.iter().filter(|call| call.method != "GET" && call.path.contains("roleAss")).collect();
    let alone = writes.iter().filter(|call| !call.batched).count();
    assert_eq!(writes.len(), 9, "{writes:?}");
    assert!(alone < writes.len(), "none went along with others: {writes:?}");
}

#[tokio::test]
async fn whoever_hangs_up_stops_nothing() {
    let world = World::start().await;
    let ids = holding(&world, &["ann", "bob", "dave"]).await;
    let eve = world.grpc("eve");
    drop(eve.revocation().revoke_activations(eve.call(everything("x"))).await.unwrap());
    for id in &ids {
        assert_eq!(world.outcome(id).await, Outcome::Revoked);
    }
}

#[tokio::test]
async fn a_selection_that_says_nothing_or_too_much_and_a_caller_without_the_right_change_nothing() {
    let world = World::start().await;
    holding(&world, &["ann"]).await;
    let before = world.whole().await;
    let eve = world.grpc("eve");
    let bad = [
        api::RevocationSelection::default(),
        api::RevocationSelection { everything: true, role: "reader".to_owned(), ..Default::default() },
        api::RevocationSelection { ids: vec!["x".to_owned()], ..Default::default() },
        api::RevocationSelection { principal_object_id: "x".to_owned(), ..Default::default() },
    ];
    for selection in bad {
        let message = api::RevokeActivationsRequest { selection: Some(selection), reason: "x".to_owned() };
        let refused = eve.revocation().revoke_activations(eve.call(message)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    let none = eve.revocation().revoke_activations(eve.call(everything(""))).await.unwrap_err();
    assert_eq!(none.code(), Code::InvalidArgument);
    for name in ["ann", "grace"] {
        let caller = world.grpc(name);
        let refused = caller.revocation().revoke_activations(caller.call(everything("x"))).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        let freeze = api::FreezeRequest { reason: "x".to_owned() };
        let refused = caller.revocation().freeze(caller.call(freeze)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    assert_eq!(world.whole().await, before);
}

#[tokio::test]
async fn a_freeze_survives_a_restart_and_everybody_is_told() {
    let world = World::start().await;
    let ids = holding(&world, &["ann"]).await;
    let eve = world.grpc("eve");
    let freeze = api::FreezeRequest { reason: "incident 7".to_owned() };
    let frozen = eve.revocation().freeze(eve.call(freeze)).await.unwrap().into_inner();
    assert_eq!(frozen.by.unwrap().display_name, "Eve Ealdor");
    world.restart().await;
    let dave = world.grpc("dave");
    let refused = dave.ask(&wish("reader")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("incident 7"), "{refused}");
    let caller = dave.session().get_caller(dave.call(api::GetCallerRequest {})).await.unwrap().into_inner();
    assert_eq!(caller.frozen.unwrap().reason, "incident 7");
    let (status, ready) = world.admin("/readyz").await;
    assert!(status == 200 && ready.contains("frozen"), "{ready}");
    assert!(world.admin("/metrics").await.1.lines().any(|line| line == "elevate_frozen 1"));
    // What is held is given back all the same.
    world.grpc("ann").deactivate(&ids[0]).await.unwrap();
    assert_eq!(world.outcome(&ids[0]).await, Outcome::Deactivated);

    let grace = world.grpc("grace");
    let thaw = || grace.call(api::ThawRequest { reason: "over".to_owned() });
    grace.revocation().thaw(thaw()).await.unwrap();
    assert_eq!(grace.revocation().thaw(thaw()).await.unwrap_err().code(), Code::FailedPrecondition);
    holding(&world, &["dave"]).await;
    assert!(world.admin("/metrics").await.1.lines().any(|line| line == "elevate_frozen 0"));
    let audit = world.grpc("eve").audit().await.unwrap();
    let said: Vec<_> = audit.iter().filter(|e| e.event == "frozen" || e.event == "thawed").collect();
    assert_eq!(said.len(), 2);
    assert_eq!(said[1].details.get("reason").map(String::as_str), Some("over"));
}

#[tokio::test]
async fn a_disabled_account_loses_its_grant_within_a_minute() {
    let world = World::start().await;
    let ids = holding(&world, &["ann", "dave"]).await;
    world.tenant.directory().disable("ann").unwrap();
    let before = world.hands.now();
    eventually("Ann holds nothing any more", || {
        world.advance("1s");
        !world.holds(&ANN, &GLOBAL_READER)
    })
    .await;
    let passed = world.hands.now().duration_since(before);
    assert_eq!(world.until(&ids[0], State::Closed).await.outcome(), Outcome::AccountClosed);
    let begun = world
        .grpc("eve")
        .audit()
        .await
        .unwrap()
        .into_iter()
        .find(|entry| entry.activation_id == ids[0] && entry.event == "revocation-begun");
    let begun = begun.unwrap().at.unwrap().seconds - before.as_second();
    assert!(begun <= 60, "on its way after {begun} s, and gone after {passed}");
    assert!(world.holds(&DAVE, &GLOBAL_READER), "nobody else");
    // What they asked before does not begin.
    let refused = world.grpc("ann").ask(&wish("reader")).await.unwrap();
    assert_eq!(world.until(&refused.id, State::Closed).await.detail, "the account is disabled");
}

#[tokio::test]
async fn a_deleted_account_loses_its_grant_and_one_that_cannot_be_read_keeps_it() {
    let world = World::start().await;
    let ids = holding(&world, &["ann", "dave"]).await;
    assert!(world.tenant.directory().take_permission(&BROKER, "User.Read.All"));
    assert!(world.tenant.directory().delete_user(ANN.id));
    let looks = || world.tenant.calls().matching("POST", "/v1.0/$batch").len();
    for _ in 0..5 {
        let before = looks();
        eventually("the accounts are looked at", || {
            world.advance("1s");
            looks() > before
        })
        .await;
    }
    let shown = world.grpc("eve").show(&ids[1]).await.unwrap();
    assert_eq!(shown.state(), State::Active, "{shown:?}");
    assert_eq!(world.grpc("eve").show(&ids[0]).await.unwrap().state(), State::Active);
    // Nor does anything begin without it.
    let waits = world.grpc("bob").ask(&wish("reader")).await.unwrap();
    world.until_that(&waits.id, |shown| shown.tries > 0 && shown.state() == State::Scheduled).await;

    let all = elevate_sandbox::people::BROKER_PERMISSIONS;
    world.tenant.directory().set_permissions(&BROKER, all);
    world.pass_to(&ids[0], State::Closed, "3m").await;
    let over = world.grpc("eve").show(&ids[0]).await.unwrap();
    assert_eq!((over.outcome(), over.detail.as_str()), (Outcome::AccountClosed, "the account is gone"));
    assert_eq!(world.grpc("eve").show(&ids[1]).await.unwrap().state(), State::Active);
}

#[tokio::test]
async fn a_holder_is_signed_out_when_the_role_is_gone_and_a_failure_is_on_record() {
    let world = World::start().await;
    let policy = POLICY.replace("name = \"reader\"\n", "name = \"reader\"\nsign_out = true\n");
    world.grpc("eve").apply(&policy, 1).await.unwrap();
    let ids = holding(&world, &["ann"]).await;
    let sessions = || world.tenant.directory().user("ann").unwrap().sessions_valid_from;
    let before = sessions();
    world.advance("1h");
    assert_eq!(sessions(), before);
    world.grpc("ann").deactivate(&ids[0]).await.unwrap();
    world.until(&ids[0], State::Closed).await;
    eventually("Ann is signed out", || sessions() == world.hands.now()).await;
    let word = async |id: &str| world.grpc("eve").show(id).await.unwrap().signed_out.unwrap().word;
    assert!(!world.holds(&ANN, &GLOBAL_READER));

    assert!(world.tenant.directory().take_permission(&BROKER, "User.RevokeSessions.All"));
    let ids = [ids, holding(&world, &["dave"]).await].concat();
    world.grpc("dave").deactivate(&ids[1]).await.unwrap();
    assert_eq!(world.outcome(&ids[1]).await, Outcome::Deactivated, "it fails no revocation");
    world.grpc("eve").hears("sign-out-failed").await.unwrap();
    assert_eq!((word(&ids[0]).await, word(&ids[1]).await), ("done".to_owned(), "failed".to_owned()));
    let record = world.record_of(&ids[1]).await;
    assert_eq!(record.last().map(String::as_str), Some("sign-out-failed"));
}
