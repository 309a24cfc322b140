//! Records that earlier versions wrote are opened by this one, and every activation in them goes on and ends as it
//! should, whatever state it was in.

use std::path::Path;

use elevate_tests::faults::golden::Golden;
use elevate_tests::faults::scratch;
use elevate_tests::{State, World};

fn all() -> Vec<Golden> {
    let kept = Golden::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")).unwrap();
    assert!(!kept.is_empty(), "no version left a record");
    kept
}

async fn stands(world: &World, id: &str) -> String {
    let shown = world.grpc("eve").show(id).await.unwrap();
    if shown.state() == State::Closed {
        format!("{:?}", shown.outcome())
    } else {
        format!("{:?}", shown.state())
    }
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
            "Activating",
            "Active",
            "AwaitingApproval",
            "Deactivated",
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
        world.tenant.faults().clear(outage);
        let end = |was: &'static str| {
            let so = golden.expected.iter().filter(move |each| each.was == was);
            so.map(|each| each.id.clone())
        };
        for id in end("Revoking") {
            world.pass_to(&id, State::Closed, "3m").await;
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
        assert_eq!(world.tenant.directory().assignments(), [], "{version}: held past its end");
        for id in end("Scheduled") {
            world.advance("50m");
            world.pass("5s").await;
            world.pass_to(&id, State::Active, "5m").await;
        }
        world.advance("24h");
        world.pass("5s").await;
        for each in &golden.expected {
            world.pass_to(&each.id, State::Closed, "5m").await;
            assert_eq!(stands(&world, &each.id).await, each.ends, "{version}: {} was {}", each.id, each.was);
        }
        assert_eq!(world.tenant.directory().assignments(), [], "{version}");
    }
}

#[tokio::test]
async fn what_waited_for_people_in_an_earlier_version_can_still_be_approved() {
    for golden in all() {
        let world = golden.world().await.unwrap();
        world.restart().await;
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
