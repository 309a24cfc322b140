//! What we hand out works: the sample policy, and the example of a configuration.

use std::path::{Path, PathBuf};

use elevate_broker::config::Config;
use elevate_core::policy::files::{File, join, split};
use elevate_tests::{State, World, wish};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// The sample policy, as one text.
fn sample() -> String {
    let named = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        File { name, text: std::fs::read_to_string(path).unwrap() }
    };
    let mut files: Vec<_> = std::fs::read_dir(deploy().join("policy")).unwrap().map(named).collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    join(&files).unwrap()
}

#[tokio::test]
async fn the_tests_of_the_sample_policy_hold_and_fail_when_a_rule_is_changed() {
    let world = World::without_broker(&[]).await;
    let folder = world.folder().join("policy");
    std::fs::create_dir(&folder).unwrap();
    for File { name, text } in split(&sample()).unwrap() {
        std::fs::write(folder.join(name), text).unwrap();
    }
    // No broker is there, and none is asked.
    let anybody = elevate_sandbox::stage::Person::new(
        "ann",
        &world.folder().join("people"),
        "localhost:1",
        world.tenant.ca_file(),
        world.hands.clock(),
    );
    let path = folder.display().to_string();
    let held = anybody.types(&["policy", "test", &path]).await;
    assert_eq!(held.exit.code(), 0, "{}{}", held.out, held.err);
    assert!(held.out.ends_with("6 tests: 6 held, 0 failed\n"), "{}", held.out);
    assert_eq!(anybody.types(&["policy", "lint", &path]).await.exit.code(), 0);

    for (file, was, is, test) in [
        ("10-groups-admin.toml", "count = 1", "count = 2", "staff may administer groups"),
        ("20-user-admin.toml", "phishing-resistant", "mfa", "Ann alone"),
        ("30-app-admin.toml", "ticket_required = true", "ticket_required = false", "applications take two"),
        ("30-app-admin.toml", "\ndenied", "\n# denied", "Dave may not"),
    ] {
        let whole = std::fs::read_to_string(folder.join(file)).unwrap();
        let changed = whole.replacen(was, is, 1);
        assert_ne!(whole, changed, "{file}");
        std::fs::write(folder.join(file), changed).unwrap();
        let failed = anybody.types(&["policy", "test", &path]).await;
        assert_eq!(failed.exit.code(), 10, "{}{}", failed.out, failed.err);
        assert!(failed.out.contains(&format!("FAILED  {test}")), "{}", failed.out);
        std::fs::write(folder.join(file), whole).unwrap();
    }
}

#[test]
fn the_sandbox_brings_every_file_of_the_sample_policy() {
    let brings = std::fs::read_to_string(deploy().join("sandbox/src/command/up.rs")).unwrap();
    for File { name, .. } in split(&sample()).unwrap() {
        assert!(brings.contains(&format!("include_str!(\"../../../policy/{name}\")")), "{name}");
    }
}

#[tokio::test]
async fn the_sample_policy_is_good_and_its_roles_can_be_activated_in_the_sandbox() {
    let text = sample();
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
