//! `exec`: the command line is a process, and it is killed. The broker gives back what it held.

use std::path::Path;
use std::process::Stdio;

use elevate_sandbox::people::{ANN, GLOBAL_READER};
use elevate_tests::{Outcome, World, eventually};
use tokio::process::{Child, Command};

/// The test crate's own executable of the real command line.
const PROGRAM: &str = env!("CARGO_BIN_EXE_elevate-process");

/// Ann holds `reader` for a command that runs until its input ends.
fn exec(world: &World, marker: &Path, log: &Path) -> Child {
    let ca = world.tenant.ca_file();
    let home = world.folder().join("people/ann");
    let said = std::fs::File::create(log).unwrap();
    Command::new(PROGRAM)
        .arg("ann")
        .arg(ca)
        .arg(world.hands.now().to_string())
        .args(["exec", "reader", "--reason", "look at the logs", "--yes", "--", "sh", "-c"])
        .arg(format!("echo $ELEVATE_ROLE > '{}'; cat; exit 7", marker.display()))
        .env("ELEVATE_CONFIG_DIR", home)
        .env("ELEVATE_TOKEN_STORE", "file")
        .env("ELEVATE_BROKER", format!("localhost:{}", world.address().port()))
        .env("ELEVATE_CA", ca)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(said)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// A world in which Ann's command runs, and where it writes and says what.
async fn running() -> (World, Child, String) {
    let world = World::start().await;
    world.signed_in("ann").await;
    let (marker, log) = (world.folder().join("held.txt"), world.folder().join("exec.log"));
    let child = exec(&world, &marker, &log);
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    eventually("the command runs", || std::fs::read_to_string(&marker).is_ok_and(|text| text == "reader\n"))
        .await;
    assert!(holds(&world), "{}", said());
    let id = world.grpc("eve").list(true).await.unwrap().first().unwrap().id.clone();
    (world, child, id)
}

fn holds(world: &World) -> bool {
    world.holds(&ANN, &GLOBAL_READER)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_line_that_is_killed_loses_its_role_after_half_a_minute() {
    let (world, mut child, id) = running().await;
    world.advance("20m");
    assert!(holds(&world), "as long as it lives");
    // SIGKILL: nothing of it says goodbye.
    child.kill().await.unwrap();
    eventually("the role is gone from the tenant", || {
        world.advance("1s");
        !holds(&world)
    })
    .await;
    assert_eq!(world.outcome(&id).await, Outcome::Deactivated, "not its term, which is longer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_ends_gives_the_role_back_at_once_and_its_code_is_kept() {
    let (world, mut child, id) = running().await;
    drop(child.stdin.take());
    assert_eq!(child.wait().await.unwrap().code(), Some(7));
    assert_eq!(world.outcome(&id).await, Outcome::Deactivated);
    assert!(!holds(&world));
}
