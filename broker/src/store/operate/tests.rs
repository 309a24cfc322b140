use std::sync::Arc;

use super::*;
use crate::ports::Journal as _;
use crate::store::sample::{Model, begin, block_on, copy, open, open_with};
use crate::store::{Settings, Store};

const SMALL: Limits = Limits { segment_bytes: 2000, anchor_every: 20, ballast_bytes: 0 };

fn filled(folder: &Path, model: &mut Model, numbers: std::ops::Range<u64>) {
    block_on(async {
        let store = open_with(folder, SMALL).unwrap();
        for n in numbers {
            begin(&store, model, n).await;
        }
        store.close().await.unwrap();
    });
}

#[test]
fn a_check_counts_what_is_there_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    filled(folder.path(), &mut model, 1..20);
    let before: Vec<_> = Segments::of(&folder.path().join("log"))
        .unwrap()
        .paths()
        .iter()
        .map(|path| fs::read(path).unwrap())
        .collect();
    let checked = check(folder.path()).unwrap();
    assert_eq!((checked.entries, checked.activations, checked.anchored), (57, 19, 57));
    assert_eq!(checked.index, IndexVerdict::Agrees { applied: 57 });
    assert_eq!(checked.files, before.len());
    assert_eq!(checked.bytes, before.iter().map(|bytes| bytes.len() as u64).sum::<u64>());
    assert!(checked.live.contains(&("activating", 19)), "{:?}", checked.live);
    let said = checked.to_string();
    assert!(said.starts_with("The record is whole.\n  entries      57 in "), "{said}");
    assert!(
        said.contains("activations  19, of them live 19 (19 activating)\n  index        agrees with"),
        "{said}"
    );
    let after: Vec<_> = Segments::of(&folder.path().join("log"))
        .unwrap()
        .paths()
        .iter()
        .map(|path| fs::read(path).unwrap())
        .collect();
    assert_eq!(before, after);
    assert!(!folder.path().join("index.check").exists());
}

#[test]
fn a_check_tells_an_index_that_lies_and_a_rebuild_heals_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    filled(folder.path(), &mut model, 1..5);
    let index = Index::open(&folder.path().join("index")).unwrap();
    // A slot freed behind the log's back: every checksum in the index holds.
    let slot = index.raw().scan_prefix(b"s").keys().next().unwrap().unwrap();
    index.raw().remove(&slot).unwrap();
    index.flush().unwrap();
    drop(index);
    let checked = check(folder.path()).unwrap();
    assert_eq!(checked.index, IndexVerdict::Differs { reason: "in what it holds under `s`".into() });
    let rebuilt = rebuild(folder.path()).unwrap();
    assert_eq!(
        rebuilt.to_string(),
        "Made the index again: 4 activations out of 12 entries.\nThe one before is kept as `index.set-aside-1`."
    );
    assert_eq!(check(folder.path()).unwrap().index, IndexVerdict::Agrees { applied: 12 });
    block_on(model.assert_same(&open(folder.path())));
}

#[test]
fn a_backup_beside_a_running_broker_is_whole_and_can_be_restored() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("store");
    let multi = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut taken = Vec::new();
    multi.block_on(async {
        let store = Arc::new(open_with(&folder, SMALL).unwrap());
        let (busy, from) = (Arc::clone(&store), folder.clone());
        let writing = tokio::spawn(async move {
            let mut model = Model::default();
            for n in 1..200 {
                begin(&busy, &mut model, n).await;
            }
            model
        });
        let mut size = store.size();
        for n in 0..12 {
            size.wait_for(|size| size.0 >= n * 49).await.unwrap();
            let into = scratch.path().join(format!("backup-{n}"));
            let from = from.clone();
            let sure = store.size().borrow().0;
            let copied = tokio::task::spawn_blocking(move || backup(&from, &into)).await.unwrap().unwrap();
            assert!(copied.while_running);
            // At most the group that was being written is missing.
            assert!(copied.entries + 2 >= sure, "{} of {sure}", copied.entries);
            taken.push(copied);
        }
        let model = writing.await.unwrap();
        for copied in &taken {
            assert_eq!(check(&copied.into).unwrap().entries, copied.entries);
            let into =
                scratch.path().join(format!("restored-{}", copied.into.file_name().unwrap().display()));
            let restored = restore(&copied.into, &into, Rollback::Refuse).unwrap();
            assert_eq!((restored.entries, restored.root), (copied.entries, copied.root));
            let kept = usize::try_from(copied.entries).unwrap();
            let store = open(&into);
            Model::of(model.entries[..kept].to_vec()).assert_same(&store).await;
            drop(store);
            assert_eq!(check(&into).unwrap().index, IndexVerdict::Agrees { applied: copied.entries });
        }
        drop(store);
        // Stopped, nothing is missing.
        let whole = backup(&folder, &scratch.path().join("stopped")).unwrap();
        assert_eq!((whole.entries, whole.while_running), (model.entries.len() as u64, false));
    });
    let sizes: Vec<u64> = taken.iter().map(|copied| copied.entries).collect();
    println!("backups of {sizes:?} entries while 597 were written");
}

#[test]
fn a_backup_beside_a_running_broker_leaves_out_what_may_not_be_on_disk_yet() {
    let scratch = tempfile::tempdir().unwrap();
    block_on(async {
        let store = open(&scratch.path().join("store"));
        let mut model = Model::default();
        for n in 1..4 {
            begin(&store, &mut model, n).await;
        }
        let copied = backup(&scratch.path().join("store"), &scratch.path().join("backup")).unwrap();
        assert_eq!((copied.entries, copied.while_running), (8, true), "the ninth was a group of its own");
    });
}

#[test]
fn a_restore_takes_nothing_back_unless_somebody_says_so() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    let mut model = Model::default();
    filled(&path("store"), &mut model, 1..3);
    backup(&path("store"), &path("old")).unwrap();
    let old = model.clone();
    filled(&path("store"), &mut model, 3..5);
    backup(&path("store"), &path("new")).unwrap();

    // Not over a record, not over a backup.
    assert!(matches!(
        restore(&path("new"), &path("store"), Rollback::Accept),
        Err(OpenError::NotEmpty { .. })
    ));
    assert!(matches!(backup(&path("store"), &path("old")), Err(OpenError::NotEmpty { .. })));

    // The log is lost, the anchor is not.
    fs::remove_dir_all(path("store/log")).unwrap();
    fs::remove_dir_all(path("store/index")).unwrap();
    copy(&path("store"), &path("other"));
    let error = restore(&path("old"), &path("store"), Rollback::Refuse).unwrap_err();
    assert!(matches!(error, OpenError::Older { size: 6, anchored: 12, .. }), "{error}");
    assert!(!path("store/log").exists());
    let restored = restore(&path("new"), &path("store"), Rollback::Refuse).unwrap();
    assert_eq!((restored.entries, restored.rolled_back_from), (12, None));
    block_on(model.assert_same(&open(&path("store"))));

    let restored = restore(&path("old"), &path("other"), Rollback::Accept).unwrap();
    assert_eq!((restored.entries, restored.rolled_back_from), (6, Some(12)));
    assert!(restored.to_string().contains("had 12 entries before"), "{restored}");
    block_on(old.assert_same(&open(&path("other"))));
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    filled(&path("store"), &mut Model::default(), 1..9);
    backup(&path("store"), &path("backup")).unwrap();
    for file in Segments::of(&path("backup/log")).unwrap().paths() {
        let whole = fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(97) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&file, bytes).unwrap();
            let error = restore(&path("backup"), &path("new"), Rollback::Accept).unwrap_err();
            assert!(matches!(error, OpenError::Damaged { .. } | OpenError::Behind { .. }), "{error}");
            assert!(!path("new").exists(), "nothing is begun with a damaged backup");
        }
        fs::write(&file, whole).unwrap();
    }
    for slot in ["anchor.0", "anchor.1"] {
        let _ = fs::remove_file(path("backup").join(slot));
    }
    assert!(matches!(
        restore(&path("backup"), &path("new"), Rollback::Accept),
        Err(OpenError::NoAnchor { .. })
    ));
}

#[test]
fn a_log_that_was_cut_opens_again_only_after_somebody_accepted_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    filled(folder.path(), &mut model, 1..9);
    let last = Segments::of(&folder.path().join("log")).unwrap().paths().pop().unwrap();
    let first: usize = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    assert!(first > 0);
    fs::remove_file(last).unwrap();
    let open = || Store::open(&Settings { folder: folder.path().to_owned() });
    assert!(matches!(open(), Err(OpenError::Behind { .. })));
    let accepted = reanchor(folder.path()).unwrap();
    assert_eq!((accepted.entries, accepted.before), (first as u64, Some(24)));
    assert!(accepted.to_string().contains("It had 24 before: "), "{accepted}");
    let store = open().unwrap();
    block_on(Model::of(model.entries[..first].to_vec()).assert_same(&store));
}
