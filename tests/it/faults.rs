//! A little of what `--bin crash` does at length: the real broker in a process, killed, on a failing disk, without
//! power, over damaged files. See tests/README.md.

use std::path::Path;

use elevate_tests::faults::history::{Call, Disk, read};
use elevate_tests::faults::preload::Preload;
use elevate_tests::faults::stage::Stage;
use elevate_tests::faults::{Found, Plan, damage, deeds, disk, kill, points, power};

fn plan(count: u64) -> Plan {
    Plan { program: env!("CARGO_BIN_EXE_broker-process").into(), count, seed: 7 }
}

fn held(found: &Found) {
    println!("{:#?}", found.figures);
    assert!(found.holds(), "{:#?}\n{:#?}", found.violations, found.figures);
}

async fn stage(folder: &Path) -> Stage {
    Stage::set(folder, &plan(0).program).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_of_a_load_it_forgets_nothing_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    held(&kill::at_random(&stage(folder.path()).await, &plan(4)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_starts_it_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let preload = Preload::build(&folder.path().join("preload")).unwrap();
    held(&kill::while_starting(&stage(folder.path()).await, &preload, &plan(6)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_its_first_start_it_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let preload = Preload::build(&folder.path().join("preload")).unwrap();
    held(&points::first_starts(folder.path(), &preload, &plan(1)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_a_durable_step_of_a_deed_it_has_done_it_or_not_and_never_half() {
    let folder = tempfile::tempdir().unwrap();
    let preload = Preload::build(&folder.path().join("preload")).unwrap();
    held(&deeds::cut_off(&stage(folder.path()).await, &preload, &plan(12)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_failing_disk_it_ends_in_words_or_was_right_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let preload = Preload::build(&folder.path().join("preload")).unwrap();
    held(&disk::failing(&stage(folder.path()).await, &preload, &plan(8)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_nothing_acknowledged_and_bars_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let preload = Preload::build(&folder.path().join("preload")).unwrap();
    held(&power::cuts(folder.path(), &preload, &plan(60)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_would_be_noticed_if_the_log_were_not_synced() {
    let folder = tempfile::tempdir().unwrap();
    let preload = Preload::build(&folder.path().join("preload")).unwrap();
    let found = power::without_syncs(folder.path(), &preload, &plan(60)).await.unwrap();
    assert!(!found.holds(), "an image without syncs passes: {:#?}", found.figures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_files_are_made_again_or_refused_and_never_believed() {
    let folder = tempfile::tempdir().unwrap();
    held(&damage::all(folder.path(), &plan(40)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_it_once_and_then_it_revokes_and_takes_nothing_new() {
    let folder = tempfile::tempdir().unwrap();
    let preload = Preload::build(&folder.path().join("preload")).unwrap();
    held(&disk::full(folder.path(), &preload, &plan(1)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_library_before_the_disk_sees_every_write_and_sync_of_the_broker() {
    let folder = tempfile::tempdir().unwrap();
    let preload = Preload::build(&folder.path().join("preload")).unwrap();
    let stage = stage(folder.path()).await;
    let log = folder.path().join("disk.log");
    stage.start_under(&preload.logging(&stage.store(), &log)).await.unwrap().stop().await.unwrap();
    let lines = read(&log, &stage.store()).unwrap();
    let mut disk = Disk::default();
    lines.iter().for_each(|line| disk.follow(&line.call).unwrap());
    let whole = tempfile::tempdir().unwrap();
    disk.whole(whole.path()).unwrap();
    for name in ["anchor.0", "anchor.1", "log/00000000000000000000.log", "notices"] {
        let (made, real) = (std::fs::read(whole.path().join(name)), std::fs::read(stage.store().join(name)));
        assert_eq!(made.unwrap(), real.unwrap(), "{name}");
    }
    let syncs = |part: &str| {
        let is = |call: &Call| matches!(call, Call::Sync { name, .. } if name.starts_with(part));
        lines.iter().filter(|line| is(&line.call)).count()
    };
    assert!(syncs("log") >= 2 && syncs("anchor.0") >= 1 && syncs("anchor.1") >= 1);
}
