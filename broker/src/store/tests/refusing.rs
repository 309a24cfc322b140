//! What the store does not open: an older copy, one with a file missing, one that a later version wrote or
//! another process has; and nobody but its owner looks into it.

use std::fs;

use super::*;
use crate::store::log::Log;

#[test]
fn an_older_copy_beside_a_newer_anchor_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let (folder, older) = (scratch.path().join("store"), scratch.path().join("older"));
    block_on(async {
        let mut model = Model::default();
        let store = open(&folder);
        begin(&store, &mut model, 1).await;
        store.close().await.unwrap();
        drop(store);
        copy(&folder, &older);
        let store = open(&folder);
        begin(&store, &mut model, 2).await;
        store.close().await.unwrap();
    });
    for slot in ["anchor.0", "anchor.1"] {
        fs::copy(folder.join(slot), older.join(slot)).unwrap();
    }
    let error = open_with(&older, SMALL).unwrap_err();
    assert!(matches!(error, OpenError::Behind { size: 3, anchored: 6, .. }), "{error}");
    // One of them is enough to know: both are written on closing.
    for slot in ["anchor.0", "anchor.1"] {
        let image = tempfile::tempdir().unwrap();
        copy(&older, image.path());
        fs::remove_file(image.path().join(slot)).unwrap();
        assert!(matches!(open_with(image.path(), SMALL), Err(OpenError::Behind { .. })));
    }
    // None at all is not taken for a new record.
    let image = tempfile::tempdir().unwrap();
    copy(&folder, image.path());
    fs::remove_file(image.path().join("anchor.0")).unwrap();
    fs::write(image.path().join("anchor.1"), b"elevate-anchor 1\n").unwrap();
    let error = open_with(image.path(), SMALL).unwrap_err();
    assert!(matches!(error, OpenError::NoAnchor { size: 6, .. }), "{error}");
    // Nor is a record without a log.
    fs::remove_dir_all(folder.join("log")).unwrap();
    let error = open_with(&folder, SMALL).unwrap_err();
    assert!(matches!(error, OpenError::Behind { size: 0, anchored: 6, .. }), "{error}");
    assert!(!folder.join("log").exists(), "nothing is begun over what is refused");
}

/// Even of a store that was killed between two anchors.
#[test]
fn a_file_of_the_log_cannot_go_missing_unnoticed() {
    let scratch = tempfile::tempdir().unwrap();
    let (folder, image) = (scratch.path().join("store"), scratch.path().join("killed"));
    block_on(async {
        let limits = Limits { segment_bytes: 1500, anchor_every: u64::MAX, ballast_bytes: 0 };
        let store = open_with(&folder, limits).unwrap();
        let mut model = Model::default();
        let mut next = 0;
        while log_files(&folder).len() < 4 {
            next += 1;
            begin(&store, &mut model, next).await;
        }
        copy(&folder, &image);
    });
    let files = log_files(&image);
    for gone in
        [files.clone(), files[3..].to_vec(), files[1..].to_vec(), files[..1].to_vec(), vec![files[2].clone()]]
    {
        let image_again = tempfile::tempdir().unwrap();
        copy(&image, image_again.path());
        for file in gone {
            fs::remove_file(image_again.path().join("log").join(file.file_name().unwrap())).unwrap();
        }
        let error = open_with(image_again.path(), SMALL).unwrap_err();
        assert!(matches!(error, OpenError::Behind { .. } | OpenError::Missing { .. }), "{error}");
    }
    drop(open(&image));
}

#[test]
fn what_a_later_version_wrote_is_refused_and_says_so() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("store");
    drop(open(&folder));
    let later_leaf = |folder: &Path| {
        let (mut log, _) = Log::open(&folder.join("log"), 0, u64::MAX, Box::new(disk::Kernel)).unwrap();
        let leaf = elevate_proto::record::v1::Leaf { format: record::FORMAT + 1, said: None };
        log.append(&[vec![prost::Message::encode_to_vec(&leaf)]]).unwrap();
    };
    let later_segment = |folder: &Path| {
        let path = &log_files(folder)[0];
        let mut bytes = fs::read(path).unwrap();
        bytes[8] = 2;
        let sum = crc32c::crc32c(&bytes[..20]);
        bytes[20..24].copy_from_slice(&sum.to_le_bytes());
        fs::write(path, bytes).unwrap();
    };
    let later_anchor = |folder: &Path| {
        let body = "elevate-anchor 2\nsomething else\n";
        let mut text = format!("{body}crc32c {:08x}\n", crc32c::crc32c(body.as_bytes()));
        text.push_str(&"\n".repeat(5120 - text.len()));
        fs::write(folder.join("anchor.0"), text).unwrap();
    };
    let attempts: [&dyn Fn(&Path); 3] = [&later_leaf, &later_segment, &later_anchor];
    for attempt in attempts {
        let image = tempfile::tempdir().unwrap();
        copy(&folder, image.path());
        attempt(image.path());
        let error = open_with(image.path(), SMALL).unwrap_err();
        let one_later = matches!(error, OpenError::Future { found, known, .. } if found == known + 1);
        assert!(one_later, "{error}");
        assert!(error.to_string().contains("run that version"), "{error}");
        assert!(matches!(check(image.path()), Err(OpenError::Future { .. })));
    }
}

#[test]
fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert!(matches!(open_with(folder.path(), SMALL), Err(OpenError::InUse { .. })));
    assert!(matches!(check(folder.path()), Err(OpenError::InUse { .. })));
    assert!(matches!(rebuild(folder.path()), Err(OpenError::InUse { .. })));
    assert!(matches!(reanchor(folder.path()), Err(OpenError::InUse { .. })));
    drop(store);
    drop(open(folder.path()));
}

#[test]
fn only_its_owner_may_look_into_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("state/store");
    drop(open(&folder));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for path in [folder.clone(), folder.join("log"), folder.join("index")] {
        assert_eq!(mode(&path), 0o700, "{path:?}");
    }
    for path in [log_files(&folder)[0].clone(), folder.join("anchor.1"), folder.join("lock")] {
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
}
