//! A disk that is full: the ballast makes the room in which what there is can be ended.

use std::fs;

use super::*;
use crate::store::ballast;

/// Small, and real all the same.
const WITH_BALLAST: Limits =
    Limits { segment_bytes: u64::MAX, anchor_every: u64::MAX, ballast_bytes: 64 * 1024 };

fn ballast(folder: &Path) -> PathBuf {
    folder.join(ballast::FILES[0])
}

/// Everything but the ballast is taken by others.
fn full(folder: &Path) -> Faulty {
    Faulty { room_behind: Some(ballast(folder)), ..Faulty::default() }
}

#[test]
fn a_store_holds_its_ballast_from_the_first_start_on_and_on_real_blocks() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let store = open_with(folder.path(), WITH_BALLAST).unwrap();
        assert!(store.has_room());
        let held = fs::metadata(ballast(folder.path())).unwrap();
        assert_eq!(held.len(), 64 * 1024);
        assert!(held.blocks() * 512 >= 64 * 1024, "{} blocks", held.blocks());
    }
    // A copy of it may be a hole.
    File::create(ballast(folder.path())).unwrap().set_len(64 * 1024).unwrap();
    drop(open_with(folder.path(), WITH_BALLAST).unwrap());
    assert!(fs::metadata(ballast(folder.path())).unwrap().blocks() * 512 >= 64 * 1024);
}

#[test]
fn a_disk_that_fills_up_ends_the_store_and_the_next_start_has_the_ballasts_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    block_on(async {
        let store = open_with(folder.path(), WITH_BALLAST).unwrap();
        begin(&store, &mut model, 1).await;
        store.close().await.unwrap();
    });
    // It fills up while the store is open: the disk is the same, and takes nothing more.
    let mut disk = Faulty { room_behind: Some(folder.path().join("flag")), ..Faulty::default() };
    block_on(async {
        let store = Store::open_with(folder.path(), WITH_BALLAST, Box::new(disk.clone())).unwrap();
        fs::write(folder.path().join("flag"), b"").unwrap();
        let fault = store.note(policy(1, 1)).await.unwrap_err();
        assert!(fault.to_string().contains("cannot write the log"), "{fault}");
        assert!(matches!(store.load(id(1)).await, Err(StoreFault(_))), "nothing is read over it");
    });
    assert!(!ballast(folder.path()).exists(), "it is let go of");
    // Others take what becomes free only as long as nobody else has: here the store is first.
    fs::remove_file(folder.path().join("flag")).unwrap();
    disk.room_behind = Some(ballast(folder.path()));
    block_on(async {
        let store = Store::open_with(folder.path(), WITH_BALLAST, Box::new(disk)).unwrap();
        assert!(!store.has_room());
        model.assert_same(&store).await;
        begin(&store, &mut model, 2).await;
        model.assert_same(&store).await;
    });
}

#[test]
fn a_disk_that_is_full_at_the_start_does_not_bar_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    block_on(async {
        let store = open_with(folder.path(), WITH_BALLAST).unwrap();
        begin(&store, &mut model, 1).await;
    });
    block_on(async {
        // The anchor cannot be written, so the ballast goes, and it is tried once more.
        let store = Store::open_with(folder.path(), WITH_BALLAST, Box::new(full(folder.path()))).unwrap();
        assert!(!store.has_room() && !ballast(folder.path()).exists());
        begin(&store, &mut model, 2).await;
        model.assert_same(&store).await;
        // Once others have left, it is taken again.
        store.regain_room().await;
        assert!(store.has_room() && ballast(folder.path()).exists());
    });
}

#[test]
fn without_a_ballast_a_full_disk_is_a_refusal_in_words() {
    let folder = tempfile::tempdir().unwrap();
    drop(open_with(folder.path(), Limits { ballast_bytes: 0, ..WITH_BALLAST }).unwrap());
    let always = folder.path().join("always");
    fs::write(&always, b"").unwrap();
    let disk = Faulty { room_behind: Some(always), ..Faulty::default() };
    let error = Store::open_with(folder.path(), Limits { ballast_bytes: 0, ..WITH_BALLAST }, Box::new(disk));
    let said = error.unwrap_err().to_string();
    assert!(said.contains("see that the disk has room"), "{said}");
}

#[test]
fn a_ballast_that_cannot_be_had_costs_requests_and_not_the_start() {
    let folder = tempfile::tempdir().unwrap();
    // In its place: as a disk without room for it would be.
    fs::create_dir_all(folder.path().join(ballast::FILES[1])).unwrap();
    block_on(async {
        let store = open_with(folder.path(), WITH_BALLAST).unwrap();
        assert!(!store.has_room());
        store.note(policy(1, 1)).await.unwrap();
        store.regain_room().await;
        assert!(!store.has_room());
        fs::remove_dir(folder.path().join(ballast::FILES[1])).unwrap();
        store.regain_room().await;
        assert!(store.has_room());
    });
}
