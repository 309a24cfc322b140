//! Places in groups, by the ways `group` and `pim-group`; and roles over a part of the tenant.

use elevate_sandbox::people::{
    ANN, APPLICATION_ADMINISTRATOR, APPROVERS, BOB, DAVE, EVE, Group, PAYROLL, SERVER_OPERATORS, STAFF,
    SYNCED, TIER0_OPERATORS, UNIT, USER_ADMINISTRATOR,
};
use elevate_sandbox::{Fault, Kind, Lag};
use elevate_tests::{Outcome, State, World, wish};
use jiff::SignedDuration;

const GROUPS: &str = "/v1.0/groups/**";
const PIM: &str = "/v1.0/identityGovernance/privilegedAccess/group/assignmentScheduleRequests";

/// Each of these is for the staff, and nobody has to say yes.
fn policy() -> String {
    let place = |name: &str, way: &str, group: &Group, relation: &str| {
        format!("way = \"{way}\"\ngroup = \"{}\"\nrelation = \"{relation}\"\nname = \"{name}\"", group.id)
    };
    let role = |name: &str, way: &str, id: &str, scope: &str| {
        format!("way = \"{way}\"\nrole_definition = \"{id}\"\nscope = \"{scope}\"\nname = \"{name}\"")
    };
    let (user_admin, app_admin) = (USER_ADMINISTRATOR.id, APPLICATION_ADMINISTRATOR.id);
    let (unit, payroll) = (format!("/administrativeUnits/{UNIT}"), format!("/{}", PAYROLL.id));
    [
        place("operator", "group", &SERVER_OPERATORS, "member"),
        place("keeper", "group", &SERVER_OPERATORS, "owner"),
        place("tier0", "pim-group", &TIER0_OPERATORS, "member"),
        place("tier0-owner", "group", &TIER0_OPERATORS, "owner"),
        place("pim-keeper", "pim-group", &SERVER_OPERATORS, "owner"),
        place("staff", "group", &STAFF, "member"),
        place("datacentre", "group", &SYNCED, "member"),
        role("unit-admin", "assignment", user_admin, &unit),
        role("unit-admin-by-pim", "pim", user_admin, &unit),
        role("payroll-admin", "assignment", app_admin, &payroll),
        role("payroll-admin-by-pim", "pim", app_admin, &payroll),
    ]
    .map(|offer| format!("[[role]]\n{offer}\neligible = [\"group:{}\"]\nlongest = \"8h\"\n", STAFF.id))
    .join("\n")
}

async fn world() -> World {
    let world = World::without_policy(&[]).await;
    world.grpc("eve").apply(&policy(), 0).await.expect("a good policy");
    world
}

fn in_group(world: &World, group: &Group, person: &str) -> bool {
    world.tenant.directory().members(group.id).iter().any(|id| id == person)
}

fn owns(world: &World, group: &Group, person: &str) -> bool {
    world.tenant.directory().owners(group.id).iter().any(|id| id == person)
}

/// The writes about groups that Graph was sent.
fn writes(world: &World) -> Vec<String> {
    let calls = [GROUPS, PIM].into_iter().flat_map(|pattern| world.tenant.calls().matching("*", pattern));
    let writes = calls.filter(|call| call.method != "GET").map(|call| {
        let status = call.status.map_or_else(|| "lost".to_owned(), |status| status.to_string());
        let path = call.path.trim_start_matches("/v1.0/").replace(ANN.id, "ann");
        format!("{} {path} {status}", call.method)
    });
    writes.collect()
}

#[tokio::test]
async fn a_member_is_put_into_the_group_and_taken_out_at_the_end() {
    let world = world().await;
    let asked = world.grpc("ann").ask(&wish("operator").lasting("15m")).await.unwrap();
    let target = asked.directory_role.clone().unwrap();
    assert_eq!((target.way.as_str(), target.group_id.as_str()), ("group", SERVER_OPERATORS.id));
    assert_eq!((target.relation.as_str(), target.role_definition_id.as_str()), ("member", ""));
    world.until(&asked.id, State::Active).await;
    assert!(in_group(&world, &SERVER_OPERATORS, ANN.id));
    assert!(!owns(&world, &SERVER_OPERATORS, ANN.id));

    world.advance("15m");
    assert_eq!(world.outcome(&asked.id).await, Outcome::Expired);
    assert!(!in_group(&world, &SERVER_OPERATORS, ANN.id));
    assert!(world.tenant.directory().user("ann").is_some(), "Ann herself was deleted");
    let members = format!("groups/{}/members", SERVER_OPERATORS.id);
    assert_eq!(
        writes(&world),
        [format!("POST {members}/$ref 204"), format!("DELETE {members}/ann/$ref 204")]
    );
    let in_order = ["requested", "scheduled", "activation-begun", "activated", "revocation-begun", "removed"];
    assert_eq!(world.record_of(&asked.id).await, in_order);
}

#[tokio::test]
async fn an_owner_comes_and_goes_and_the_one_who_stays_is_untouched() {
    for role in ["keeper", "pim-keeper"] {
        let world = world().await;
        let asked = world.grpc("ann").ask(&wish(role).lasting("15m")).await.unwrap();
        world.until(&asked.id, State::Active).await;
        assert!(owns(&world, &SERVER_OPERATORS, ANN.id), "{role}");
        assert!(!in_group(&world, &SERVER_OPERATORS, ANN.id), "{role}: an owner is no member");
        world.advance("15m");
        assert_eq!(world.outcome(&asked.id).await, Outcome::Expired, "{role}");
        assert_eq!(world.tenant.directory().owners(SERVER_OPERATORS.id), [EVE.id], "{role}");
    }
}

#[tokio::test]
async fn a_member_by_pim_is_ended_by_entra_itself_also_when_the_broker_is_dead() {
    let world = world().await;
    let asked = world.grpc("ann").ask(&wish("tier0").lasting("1h")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    assert!(in_group(&world, &TIER0_OPERATORS, ANN.id));
    world.kill().await;
    world.advance("1h");
    assert!(!in_group(&world, &TIER0_OPERATORS, ANN.id), "Entra keeps the end");
    world.restart().await;
    let ended = world.pass_to(&asked.id, State::Closed, "2m").await;
    assert_eq!(ended.outcome(), Outcome::Expired);
    assert!(!writes(&world).iter().any(|write| write.starts_with("DELETE")), "{:?}", writes(&world));
}

#[tokio::test]
async fn a_member_by_pim_who_gives_it_back_waits_for_entras_five_minutes() {
    let world = world().await;
    let ann = world.grpc("ann");
    let asked = ann.ask(&wish("tier0").lasting("1h")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    ann.deactivate(&asked.id).await.unwrap();
    let waits = world.until_that(&asked.id, |shown| shown.tries > 0).await;
    assert_eq!(waits.state(), State::Revoking);
    assert!(in_group(&world, &TIER0_OPERATORS, ANN.id));
    let ended = world.pass_to(&asked.id, State::Closed, "6m").await;
    assert_eq!(ended.outcome(), Outcome::Deactivated);
    assert!(!in_group(&world, &TIER0_OPERATORS, ANN.id));
}

#[tokio::test]
async fn nobody_is_made_the_only_owner_of_a_group() {
    let world = world().await;
    let asked = world.grpc("ann").ask(&wish("tier0-owner").lasting("15m")).await.unwrap();
    let ended = world.until(&asked.id, State::Closed).await;
    assert_eq!(ended.outcome(), Outcome::Failed);
    assert!(ended.detail.contains("an owner who stays"), "{}", ended.detail);
    assert!(writes(&world).is_empty(), "{:?}", writes(&world));
}

#[tokio::test]
async fn who_became_the_last_owner_is_taken_away_as_soon_as_there_is_another() {
    for role in ["keeper", "pim-keeper"] {
        let world = world().await;
        let directory = world.tenant.directory();
        let asked = world.grpc("ann").ask(&wish(role).lasting("15m")).await.unwrap();
        world.until(&asked.id, State::Active).await;
        assert!(directory.remove_owner(SERVER_OPERATORS.id, EVE.id));
        world.advance("15m");
        let stuck = world.until_that(&asked.id, |shown| shown.tries > 0).await;
        assert_eq!(stuck.state(), State::Revoking, "{role}");
        assert!(stuck.detail.contains("make somebody else an owner"), "{role}: {}", stuck.detail);
        assert!(owns(&world, &SERVER_OPERATORS, ANN.id), "{role}");

        directory.add_owner(SERVER_OPERATORS.id, BOB.id).unwrap();
        let ended = world.pass_to(&asked.id, State::Closed, "5m").await;
        assert_eq!(ended.outcome(), Outcome::Expired, "{role}");
        assert_eq!(directory.owners(SERVER_OPERATORS.id), [BOB.id], "{role}");
    }
}

#[tokio::test]
async fn who_is_in_the_group_by_another_hand_is_refused_and_stays_in() {
    for role in ["operator", "tier0"] {
        let world = world().await;
        let group = if role == "operator" { SERVER_OPERATORS } else { TIER0_OPERATORS };
        // Graph's lists do not show it yet when the broker looks.
        let blind =
            Lag { list: SignedDuration::from_mins(1), get: SignedDuration::from_mins(1), ..Lag::default() };
        world.tenant.directory().set_lag(blind);
        world.tenant.directory().add_member(group.id, ANN.id).unwrap();
        let asked = world.grpc("ann").ask(&wish(role).lasting("30m")).await.unwrap();
        let ended = world.until(&asked.id, State::Closed).await;
        assert_eq!(ended.outcome(), Outcome::Failed, "{role}");
        assert!(ended.detail.contains("somebody else gave you this place"), "{role}: {}", ended.detail);
        world.pass("1h").await;
        assert!(in_group(&world, &group, ANN.id), "{role}: the broker took a standing member out");
    }
}

#[tokio::test]
async fn who_is_in_through_another_group_gets_a_place_of_their_own_and_keeps_the_other() {
    let world = world().await;
    let directory = world.tenant.directory();
    assert!(directory.groups_of(BOB.id).contains(&STAFF.id.to_owned()), "by way of the approvers");
    let asked = world.grpc("bob").ask(&wish("staff").lasting("15m")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    assert!(in_group(&world, &STAFF, BOB.id), "not held before, for all that");
    world.advance("15m");
    assert_eq!(world.outcome(&asked.id).await, Outcome::Expired);
    assert_eq!(directory.members(STAFF.id), [ANN.id, DAVE.id, APPROVERS.id]);
    assert!(directory.groups_of(BOB.id).contains(&STAFF.id.to_owned()), "the nested place is not ours");
}

#[tokio::test]
async fn a_group_that_is_filled_elsewhere_takes_nobody() {
    let world = world().await;
    let asked = world.grpc("ann").ask(&wish("datacentre").lasting("15m")).await.unwrap();
    let ended = world.until(&asked.id, State::Closed).await;
    assert_eq!(ended.outcome(), Outcome::Failed);
    assert!(ended.detail.contains("elevated doctor"), "{}", ended.detail);
    assert_eq!(world.tenant.directory().members(SYNCED.id), [DAVE.id]);
}

#[tokio::test]
async fn a_lost_answer_and_a_kill_leave_one_member_who_goes_in_time() {
    for (role, path) in [("operator", GROUPS), ("keeper", GROUPS), ("tier0", PIM)] {
        for kind in [Kind::LoseReply, Kind::FailAfter { status: 503 }, Kind::Drop] {
            let world = world().await;
            world.tenant.faults().add(Fault::on(path, kind.clone()).method("POST").times(1));
            let asked = world.grpc("ann").ask(&wish(role).lasting("30m")).await.unwrap();
            world.until_that(&asked.id, |shown| shown.tries > 0).await;
            world.kill().await;
            world.restart().await;
            world.pass_to(&asked.id, State::Active, "2m").await;
            let made = writes(&world)
                .iter()
                .filter(|write| write.ends_with("204") || write.ends_with("201"))
                .count();
            assert!(made <= 1, "{role}, {kind:?}: {:?}", writes(&world));
            world.pass("30m").await;
            let ended = world.pass_to(&asked.id, State::Closed, "2m").await;
            assert_eq!(ended.outcome(), Outcome::Expired, "{role}, {kind:?}");
            let directory = world.tenant.directory();
            assert!(directory.members(SERVER_OPERATORS.id).is_empty(), "{role}, {kind:?}");
            assert!(directory.members(TIER0_OPERATORS.id).is_empty(), "{role}, {kind:?}");
            assert_eq!(directory.owners(SERVER_OPERATORS.id), [EVE.id], "{role}, {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_removal_that_is_lost_or_killed_is_done_and_the_person_stays() {
    for kind in [Kind::LoseReply, Kind::FailAfter { status: 503 }, Kind::Throttle { retry_after: None }] {
        let world = world().await;
        let asked = world.grpc("ann").ask(&wish("operator").lasting("30m")).await.unwrap();
        world.until(&asked.id, State::Active).await;
        world.tenant.faults().add(Fault::on(GROUPS, kind.clone()).method("DELETE").times(1));
        world.advance("30m");
        world.until_that(&asked.id, |shown| shown.tries > 0).await;
        world.kill().await;
        world.restart().await;
        let ended = world.pass_to(&asked.id, State::Closed, "3m").await;
        assert_eq!(ended.outcome(), Outcome::Expired, "{kind:?}");
        assert!(!in_group(&world, &SERVER_OPERATORS, ANN.id), "{kind:?}");
        assert!(world.tenant.directory().user("ann").is_some(), "{kind:?}: Ann herself was deleted");
    }
}

#[tokio::test]
async fn it_is_over_only_when_the_lists_have_caught_up() {
    let world = world().await;
    let asked = world.grpc("ann").ask(&wish("operator").lasting("30m")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    let lag =
        Lag { list: SignedDuration::from_secs(20), get: SignedDuration::from_secs(10), ..Lag::default() };
    world.tenant.directory().set_lag(lag);
    world.advance("30m");
    let shown = world.until_that(&asked.id, |shown| shown.tries > 0).await;
    assert_eq!(shown.state(), State::Revoking, "over while Graph still shows it");
    let ended = world.pass_to(&asked.id, State::Closed, "2m").await;
    assert_eq!(ended.outcome(), Outcome::Expired);
    let deletes = writes(&world).iter().filter(|write| write.starts_with("DELETE")).count();
    assert_eq!(deletes, 1, "{:?}", writes(&world));
}

#[tokio::test]
async fn who_is_taken_out_by_another_hand_or_deleted_is_closed_so() {
    for (deleted, outcome) in [(false, Outcome::RemovedElsewhere), (true, Outcome::AccountClosed)] {
        let world = world().await;
        let directory = world.tenant.directory();
        let asked = world.grpc("dave").ask(&wish("operator").lasting("2h")).await.unwrap();
        world.until(&asked.id, State::Active).await;
        if deleted {
            assert!(directory.delete_user(DAVE.id));
        } else {
            assert!(directory.remove_member(SERVER_OPERATORS.id, DAVE.id));
        }
        let ended = world.pass_to(&asked.id, State::Closed, "15m").await;
        assert_eq!(ended.outcome(), outcome, "deleted: {deleted}");
    }
}

#[tokio::test]
async fn a_member_whom_the_record_does_not_know_is_drift_and_stays() {
    let world = world().await;
    let directory = world.tenant.directory();
    directory.add_member(SERVER_OPERATORS.id, DAVE.id).unwrap();
    world.compared().await;
    let audit = world.grpc("eve").audit().await.unwrap();
    let drift = audit.iter().filter(|entry| entry.event == "drift").any(|entry| {
        entry.details.values().any(|value| value.contains(SERVER_OPERATORS.id))
            && entry.details.values().any(|value| value.contains(DAVE.id))
    });
    assert!(drift, "{audit:#?}");
    assert!(in_group(&world, &SERVER_OPERATORS, DAVE.id));
}

#[tokio::test]
async fn a_role_over_a_unit_or_one_application_is_held_there_and_nowhere_else() {
    let (unit, payroll) = (format!("/administrativeUnits/{UNIT}"), format!("/{}", PAYROLL.id));
    for (name, role, scope) in [
        ("unit-admin", USER_ADMINISTRATOR, &unit),
        ("unit-admin-by-pim", USER_ADMINISTRATOR, &unit),
        ("payroll-admin", APPLICATION_ADMINISTRATOR, &payroll),
        ("payroll-admin-by-pim", APPLICATION_ADMINISTRATOR, &payroll),
    ] {
        let world = world().await;
        let directory = world.tenant.directory();
        // Another's of the same role, at the whole tenant: neither in the way nor touched.
        directory.assign_in_portal(ANN.id, role.id, "/").unwrap();
        let asked = world.grpc("ann").ask(&wish(name).lasting("30m")).await.unwrap();
        world.until(&asked.id, State::Active).await;
        assert!(directory.holds(ANN.id, &role, scope), "{name}");
        world.compared().await;
        assert_eq!(world.grpc("ann").show(&asked.id).await.unwrap().state(), State::Active, "{name}");
        world.pass("30m").await;
        let ended = world.pass_to(&asked.id, State::Closed, "2m").await;
        assert_eq!(ended.outcome(), Outcome::Expired, "{name}");
        assert!(!directory.holds(ANN.id, &role, scope), "{name}");
        assert!(directory.holds(ANN.id, &role, "/"), "{name}: another's is gone");
    }
}

#[tokio::test]
async fn a_place_goes_on_under_another_activation_and_is_gone_at_its_end() {
    // (role, where Ann is, what is written to Entra for going on)
    type Is = fn(&World) -> bool;
    let operates: Is = |world| in_group(world, &SERVER_OPERATORS, ANN.id);
    let is_tier0: Is = |world| in_group(world, &TIER0_OPERATORS, ANN.id);
    let keeps: Is = |world| owns(world, &SERVER_OPERATORS, ANN.id);
    for (role, is_there, written) in
        [("operator", operates, 0), ("keeper", keeps, 0), ("tier0", is_tier0, 1), ("pim-keeper", keeps, 1)]
    {
        let world = world().await;
        let ann = world.grpc("ann");
        let asked = ann.ask(&wish(role).lasting("1h")).await.unwrap();
        let old = world.pass_to(&asked.id, State::Active, "1m").await;
        world.pass("40m").await;
        let before = writes(&world).len();
        let asked = ann.ask(&wish(role).lasting("2h").continuing(&old)).await.unwrap();
        let new = world.pass_to(&asked.id, State::Active, "1m").await;
        assert_eq!(world.outcome(&old.id).await, Outcome::TakenOver, "{role}");
        assert_eq!(writes(&world).len() - before, written, "{role}: {:?}", writes(&world));
        let extended = world.tenant.directory().requests().into_iter().filter(|r| r.action == "adminExtend");
        assert_eq!(extended.count(), written, "{role}");

        // The old end passes, for the broker and for Entra.
        world.pass("40m").await;
        assert!(is_there(&world), "{role}: it was cut");
        world.pass("1h25m").await;
        assert_eq!(world.pass_to(&new.id, State::Closed, "3m").await.outcome(), Outcome::Expired, "{role}");
        assert!(!is_there(&world), "{role}: it outlived its end");
    }
}
