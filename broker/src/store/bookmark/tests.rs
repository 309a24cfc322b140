use std::fs;

use super::*;
use crate::store::operate::{Rollback, backup, check, reanchor, restore};
use crate::store::sample::{Model, begin, block_on, open};

const fn cursor(begin: u64, next: u64) -> Cursor {
    Cursor { begin: Position(begin), next: Position(next) }
}

#[test]
fn what_was_kept_last_is_found_and_can_be_read_by_people() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(find(folder.path()), Kept::Nothing);
    for kept in [cursor(0, 0), cursor(1017, 1042), cursor(7, u64::MAX), cursor(3, 4)] {
        write(folder.path(), kept).unwrap();
        assert_eq!(find(folder.path()), Kept::At(kept));
    }
    let text = fs::read_to_string(folder.path().join("notices")).unwrap();
    assert!(text.starts_with("elevate-notices 1\nbegin 3\nnext 4\ncrc32c "), "{text}");
    assert!(!folder.path().join("notices.new").exists());
}

#[test]
fn a_change_anywhere_in_it_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), cursor(1017, 1042)).unwrap();
    let file = folder.path().join("notices");
    let whole = fs::read(&file).unwrap();
    let mut wrong: Vec<Vec<u8>> = (0..whole.len()).map(|length| whole[..length].to_vec()).collect();
    wrong.extend((0..whole.len()).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    }));
    wrong.push([whole.clone(), b"\n".to_vec()].concat());
    wrong.push(vec![0xff; 60]);
    for bytes in wrong {
        fs::write(&file, &bytes).unwrap();
        let found = find(folder.path());
        assert!(matches!(found, Kept::Unreadable(_)), "{found:?} in {:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn half_written_when_the_power_went_the_one_before_counts() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), cursor(1, 2)).unwrap();
    // Longer than what comes: nothing of it may be left behind.
    fs::write(folder.path().join("notices.new"), "elevate-notices 1\nbeg".repeat(20)).unwrap();
    assert_eq!(find(folder.path()), Kept::At(cursor(1, 2)));
    write(folder.path(), cursor(3, 4)).unwrap();
    assert_eq!(find(folder.path()), Kept::At(cursor(3, 4)));
}

fn filled(folder: &Path, model: &mut Model, numbers: std::ops::Range<u64>) {
    block_on(async {
        let store = open(folder);
        for n in numbers {
            begin(&store, model, n).await;
        }
        let size = *crate::ports::Journal::size(&store).borrow();
        store.keep(Cursor { begin: Position(0), next: size }).await.unwrap();
        assert_eq!(store.kept().await, Kept::At(Cursor { begin: Position(0), next: size }));
        store.close().await.unwrap();
    });
}

#[test]
fn a_check_says_how_far_was_told_and_damage_bars_nothing() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), &mut Model::default(), 1..4);
    let said = check(folder.path()).unwrap().to_string();
    assert!(said.ends_with("\n  notices      told up to entry 9"), "{said}");
    fs::write(folder.path().join("notices"), "elevate-notices 1\n").unwrap();
    let said = check(folder.path()).unwrap().to_string();
    assert!(said.starts_with("The record is whole."), "{said}");
    assert!(
        said.contains("`notices` in ") && said.ends_with("the next start tells all of the record again"),
        "{said}"
    );
    drop(open(folder.path()));
    reanchor(folder.path()).unwrap();
    fs::remove_file(folder.path().join("notices")).unwrap();
    let said = check(folder.path()).unwrap().to_string();
    assert!(said.ends_with("none told yet; the next start tells what the last day holds"), "{said}");
}

#[test]
fn a_backup_takes_it_along_and_a_restore_keeps_what_is_true() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    let mut model = Model::default();
    filled(&path("store"), &mut model, 1..3);
    backup(&path("store"), &path("old")).unwrap();
    assert_eq!(find(&path("old")), Kept::At(cursor(0, 6)));

    // Into an empty folder: as it was at the backup.
    restore(&path("old"), &path("empty"), Rollback::Refuse).unwrap();
    assert_eq!(find(&path("empty")), Kept::At(cursor(0, 6)));

    // Beside the cursor of the record that was lost, which has gone on: that one is true.
    filled(&path("store"), &mut model, 3..5);
    backup(&path("store"), &path("new")).unwrap();
    write(&path("new"), cursor(0, 7)).unwrap();
    fs::remove_dir_all(path("store/log")).unwrap();
    fs::remove_dir_all(path("store/index")).unwrap();
    restore(&path("new"), &path("store"), Rollback::Refuse).unwrap();
    assert_eq!(find(&path("store")), Kept::At(cursor(0, 12)));

    // Taken back to an older state: what was told since is no more, and its place is given anew.
    fs::remove_dir_all(path("store/log")).unwrap();
    fs::remove_dir_all(path("store/index")).unwrap();
    restore(&path("old"), &path("store"), Rollback::Accept).unwrap();
    assert_eq!(find(&path("store")), Kept::At(cursor(0, 6)));
}
