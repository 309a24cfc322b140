//! Records that earlier versions wrote are opened by this one, and every activation in them goes on and ends as it
//! should, whatever state it was in.

use std::path::Path;

use elevate_proto::v1 as api;
use elevate_sandbox::people;
use elevate_tests::faults::golden::{self, Golden};
use elevate_tests::faults::scratch;
use elevate_tests::{Outcome, State, World, span, wish};

fn all() -> Vec<Golden> {
    let kept = Golden::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")).unwrap();
    assert!(!kept.is_empty(), "no version left a record");
    kept
}

async fn stands(world: &World, id: &str) -> String {
    golden::stands(&world.grpc("eve").show(id).await.unwrap())
}

/// What somebody has that did not live in the tenant before.
fn held(world: &World) -> String {
    let directory = world.tenant.directory();
    let roles = directory.assignments().into_iter().map(|held| format!("{held:?}\n"));
    let places = [people::SERVER_OPERATORS, people::TIER0_OPERATORS].into_iter().flat_map(|group| {
        let owners = directory.owners(group.id).into_iter().filter(|id| !group.owners.contains(&id.as_str()));
        let members = directory.members(group.id).into_iter();
        owners.chain(members).map(move |id| format!("{id} has a place in {}\n", group.name))
    });
    roles.chain(places).collect()
}

/// The record ends frozen: nothing new is granted until somebody says so.
async fn thaw(world: &World) {
    let grace = world.grpc("grace");
    let message = api::ThawRequest { reason: "the new version runs".to_owned() };
    grace.revocation().thaw(grace.call(message)).await.unwrap();
}

#[tokio::test]
async fn every_version_s_record_is_whole_and_has_an_activation_in_every_state() {
    for golden in all() {
        let world = golden.world().await.unwrap();
        let copy = scratch().unwrap();
        elevate_tests::faults::copy(&world.store(), copy.path()).unwrap();
        let checked = elevate_broker::store::check(copy.path()).unwrap();
        assert_eq!(checked.activations, golden.expected.len() as u64, "{}", golden.version());
        let mut was: Vec<&str> = golden.expected.iter().map(|each| each.was.as_str()).collect();
        was.sort_unstable();
        was.dedup();
        let every = [
            "AccountClosed",
            "Activating",
            "Active",
            "AwaitingApproval",
            "Deactivated",
            "Deactivated+done",
            "Deactivated+due",
            "Denied",
            "Expired",
            "Failed",
            "Lapsed",
            "RemovedElsewhere",
            "Revoked",
            "Revoking",
            "Scheduled",
            "Withdrawn",
        ];
        assert_eq!(was, every, "{}", golden.version());
    }
}

#[tokio::test]
async fn every_activation_of_every_version_goes_on_and_ends_as_it_should() {
    for golden in all() {
        let version = golden.version();
        // With Graph away nothing can move, and everything is seen as it was.
        let world = golden.world().await.unwrap();
        let outage = world.tenant.faults().graph_outage();
        world.restart().await;
        for each in &golden.expected {
            assert_eq!(stands(&world, &each.id).await, each.was, "{version}: {}", each.id);
        }
        thaw(&world).await;
        world.tenant.faults().clear(outage);
        let end = |was: &'static str| {
            let so = golden.expected.iter().filter(move |each| each.was == was);
            so.map(|each| each.id.clone())
        };
        for id in end("Revoking") {
            // Entra keeps what PIM gives for five minutes.
            world.pass_to(&id, State::Closed, "8m").await;
        }
        for id in end("Activating") {
            world.pass_to(&id, State::Active, "3m").await;
        }
        for id in end("Scheduled") {
            // Nothing is held before its start, which is hours away.
            assert_eq!(stands(&world, &id).await, "Scheduled", "{version}");
        }
        world.advance("2h 10m");
        world.pass("5s").await;
        for id in end("Active").chain(end("Activating")) {
            world.pass_to(&id, State::Closed, "3m").await;
        }
        assert_eq!(held(&world), "", "{version}: held past its end");
        for id in end("Scheduled") {
            world.advance("50m");
            world.pass("5s").await;
            world.pass_to(&id, State::Active, "5m").await;
        }
        world.advance("24h");
        world.pass("5s").await;
        let last = world.hands.now().checked_add(span("2h")).unwrap();
        for each in &golden.expected {
            world.pass_to(&each.id, State::Closed, "5m").await;
            while stands(&world, &each.id).await.ends_with("+due") {
                assert!(world.hands.now() < last, "{version}: {} is never signed out", each.id);
                world.pass("5s").await;
            }
            assert_eq!(stands(&world, &each.id).await, each.ends, "{version}: {} was {}", each.id, each.was);
        }
        assert_eq!(held(&world), "", "{version}");
    }
}

#[tokio::test]
async fn what_an_earlier_version_froze_stays_frozen_and_what_it_began_is_taken_back() {
    for golden in all() {
        let version = golden.version();
        let world = golden.world().await.unwrap();
        world.restart().await;
        assert!(world.admin("/metrics").await.1.lines().any(|line| line == "elevate_frozen 1"), "{version}");
        let refused = world.grpc("bob").ask(&wish("exchange-admin")).await.unwrap_err();
        assert!(refused.message().contains("incident 8"), "{version}: {refused}");
        for each in golden.expected.iter().filter(|each| each.was == "Activating") {
            let over = world.pass_to(&each.id, State::Closed, "8m").await;
            assert_eq!(over.outcome(), Outcome::Unfinished, "{version}: {over:#?}");
        }
    }
}

#[tokio::test]
async fn what_waited_for_people_in_an_earlier_version_can_still_be_approved() {
    for golden in all() {
        let world = golden.world().await.unwrap();
        world.restart().await;
        thaw(&world).await;
        let waits: Vec<_> = golden.expected.iter().filter(|each| each.was == "AwaitingApproval").collect();
        assert_eq!(waits.len(), 2);
        for each in waits {
            let asked = world.grpc("eve").show(&each.id).await.unwrap();
            // One of the two has one yes of the two that it needs.
            world.grpc("carol").approve(&each.id).await.unwrap();
            let held = world.until(&each.id, State::Active).await;
            assert_eq!(held.digest, asked.digest);
        }
    }
}
