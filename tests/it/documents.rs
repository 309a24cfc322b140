//! What we hand out works: the sample policy, and the example of a configuration.

use std::path::{Path, PathBuf};

use elevate_broker::config::Config;
use elevate_tests::{State, World, wish};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

#[tokio::test]
async fn the_sample_policy_is_good_and_its_roles_can_be_activated_in_the_sandbox() {
    let text = std::fs::read_to_string(deploy().join("policy.sample.toml")).unwrap();
    let world = World::without_policy(&[]).await;
    world.grpc("eve").apply(&text, 0).await.unwrap();
    let ann = world.grpc("ann");
    let roles: Vec<_> = ann.roles().await.unwrap().into_iter().map(|role| role.name).collect();
    assert!(!roles.is_empty());
    for role in roles {
        let asked =
            ann.ask(&wish(&role).under("INC0042")).await.unwrap_or_else(|no| panic!("{role}: {no:?}"));
        for approver in ["bob", "carol"].into_iter().take(asked.approvals_needed.try_into().unwrap()) {
            world.grpc(approver).approve(&asked.id).await.unwrap();
        }
        world.until(&asked.id, State::Active).await;
    }
}

#[test]
fn the_example_of_a_configuration_is_good() {
    let text = std::fs::read_to_string(deploy().join("elevated.example.toml")).unwrap();
    if let Err(faults) = Config::parse(&text, Path::new("."), []) {
        panic!("{faults}");
    }
}

#[tokio::test]
async fn a_configuration_that_says_nothing_of_reflection_has_none() {
    let world = World::without_broker(&[]).await;
    let any = "127.0.0.1:0".parse().unwrap();
    let text = elevate_sandbox::stage::configuration(&world.tenant, any, any, &world.store()).unwrap();
    let silent: String =
        text.lines().filter(|line| !line.starts_with("reflection")).map(|l| format!("{l}\n")).collect();
    assert_ne!(silent, text);
    assert!(!Config::parse(&silent, Path::new("."), []).unwrap().server.reflection);
}
