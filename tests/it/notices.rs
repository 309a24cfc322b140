//! Whoever must hear of something is told: today by a line in the broker's log.

use elevate_tests::{Logs, State, World, eventually, wish};

/// Said by nobody else.
const REASON: &str = "canary-justification-d3c4";

/// The lines of notices about this activation, in the order they were written.
fn lines(about: &str) -> Vec<String> {
    let of = |line: &&str| line.contains(" notices: ") && line.contains(&format!("activation={about}"));
    Logs::kept().text().lines().filter(of).map(str::to_owned).collect()
}

fn field(line: &str, name: &str) -> String {
    let (_, rest) = line.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("no `{name}` in {line}"));
    let value = rest.strip_prefix('"').map_or_else(|| rest.split(' ').next(), |rest| rest.split('"').next());
    value.unwrap_or_default().to_owned()
}

fn kinds(about: &str) -> Vec<String> {
    lines(about).iter().map(|line| field(line, "kind")).collect()
}

#[tokio::test]
async fn each_notice_is_in_the_log_once_over_a_restart_with_whom_it_concerns_and_nobodys_words() {
    Logs::kept();
    let world = World::start().await;
    let ann = world.grpc("ann");
    let asked = ann.ask(&wish("groups-admin").because(REASON).lasting("1h")).await.unwrap();
    world.grpc("bob").approve(&asked.id).await.unwrap();
    let held = world.until(&asked.id, State::Active).await;
    eventually("what is held is told", || kinds(&asked.id).len() == 3).await;
    let (_, metrics) = world.admin("/metrics").await;
    for figure in [
        "elevate_notices_delivered_total{kind=\"activated\"} 1",
        "elevate_notices_failed_total 0",
        "elevate_notices_behind 0",
        "elevate_notices_oldest_seconds 0.0",
    ] {
        assert!(metrics.lines().any(|line| line == figure), "{figure} is not in {metrics}");
    }

    world.stop().await.unwrap();
    world.advance("2h");
    world.restart().await;
    world.until(&asked.id, State::Closed).await;
    world.stop().await.unwrap();
    assert_eq!(kinds(&asked.id), ["approval-sought", "approved", "activated", "ended"]);

    let told = lines(&asked.id);
    let holder = held.principal.unwrap().object_id;
    assert!(field(&told[0], "to").starts_with("group:"), "{}", told[0]);
    for line in &told {
        assert_eq!((field(line, "holder"), field(line, "role")), (holder.clone(), "groups-admin".to_owned()));
        assert!(!line.contains(REASON) && line.contains("INFO"), "{line}");
    }
    for line in &told[1..] {
        assert_eq!(field(line, "to"), format!("user:{holder}"));
    }
    assert!(told[2].contains("`groups-admin`: active; role held until 2026-01-05T09:00:00Z"), "{}", told[2]);
    let ids: std::collections::BTreeSet<_> = told.iter().map(|line| field(line, "id")).collect();
    assert_eq!(ids.len(), told.len());
}

#[tokio::test]
async fn after_a_kill_nothing_that_was_not_told_is_left_out() {
    Logs::kept();
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("reader").lasting("1h")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    world.kill().await;
    world.advance("2h");
    world.restart().await;
    world.until(&asked.id, State::Closed).await;
    world.stop().await.unwrap();
    // What was told just before may come once more: the same line under the same id.
    let mut told = lines(&asked.id);
    told.sort_by_key(|line| field(line, "id"));
    told.dedup_by_key(|line| field(line, "id"));
    let mut kinds: Vec<_> = told.iter().map(|line| field(line, "kind")).collect();
    kinds.sort();
    assert_eq!(kinds, ["activated", "ended"], "{told:#?}");
}
