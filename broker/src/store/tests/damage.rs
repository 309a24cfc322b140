//! Damage is refused where it harms the log, and healed where it harms only the index.

use std::fs;

use elevate_core::activation::{Cause, Change};

use super::*;
use crate::store::log::Log;

#[test]
fn damage_to_the_log_is_refused_or_harmless_never_believed() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("store");
    let mut model = Model::default();
    block_on(async {
        let store = open_with(&folder, SMALL).unwrap();
        for n in 1..16 {
            begin(&store, &mut model, n).await;
        }
        store.close().await.unwrap();
    });
    let files = log_files(&folder);
    assert!(files.len() > 2, "{files:?}");
    // All of it is anchored, so any damage is either refused or changes nothing.
    let mut refused = 0;
    for path in &files {
        let whole = fs::read(path).unwrap();
        let attempt = |bytes: Option<&[u8]>, what: &str| {
            match bytes {
                Some(bytes) => fs::write(path, bytes).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
            let size = model.entries.len() as u64;
            let survey = log::survey(&folder.join("log"), size);
            assert!(survey.is_err() || survey.is_ok_and(|survey| survey.size < size), "{what} in {path:?}");
        };
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            attempt(Some(&bytes), "a flipped bit");
            refused += 1;
        }
        for at in (0..whole.len()).step_by(7) {
            attempt(Some(&whole[..at]), "a cut");
            let mut bytes = whole.clone();
            let end = (at + 512).min(whole.len());
            if bytes[at..end].iter().any(|byte| *byte != 0) {
                bytes[at..end].fill(0);
                attempt(Some(&bytes), "a zeroed sector");
            }
            refused += 2;
        }
        attempt(None, "a missing file");
        refused += 1;
        // The store as a whole says no, too, and no index talks it out of it.
        for (bytes, index) in [(None, true), (None, false), (Some(40), true), (Some(90), false)] {
            let image = tempfile::tempdir().unwrap();
            fs::write(path, &whole).unwrap();
            copy(&folder, image.path());
            let path = image.path().join("log").join(path.file_name().unwrap());
            match bytes {
                None => fs::remove_file(path).unwrap(),
                Some(at) => {
                    let mut bytes = whole.clone();
                    bytes[at] ^= 4;
                    fs::write(path, bytes).unwrap();
                }
            }
            if !index {
                fs::remove_dir_all(image.path().join("index")).unwrap();
            }
            let error = open_with(image.path(), SMALL).unwrap_err();
            let said = error.to_string();
            assert!(said.contains("restore") || said.contains("put the"), "{said}");
        }
        fs::write(path, &whole).unwrap();
    }
    println!("{refused} damaged logs over {} files, none believed", files.len());
    block_on(model.assert_same(&open_with(&folder, SMALL).unwrap()));
}

/// The checksums hold, the content is another: only the tree can tell.
#[test]
fn a_forged_leaf_is_found_by_the_tree() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("store");
    let mut model = Model::default();
    block_on(async {
        let store = open(&folder);
        begin(&store, &mut model, 1).await;
        store.close().await.unwrap();
    });
    let log_folder = folder.join("log");
    let mut leaves = vec![];
    Segments::of(&log_folder)
        .unwrap()
        .read_from(0, 3, |leaf| {
            leaves.push(leaf.bytes.to_vec());
            Ok::<(), ()>(())
        })
        .unwrap();
    let at = leaves[0].windows(9).position(|window| window == b"disk full").unwrap();
    leaves[0][at..at + 9].copy_from_slice(b"all is ok");
    fs::remove_dir_all(&log_folder).unwrap();
    let (mut log, _) = Log::open(&log_folder, 0, u64::MAX, Box::new(disk::Kernel)).unwrap();
    log.append(&[leaves[..2].to_vec(), leaves[2..].to_vec()]).unwrap();
    drop(log);
    assert!(matches!(check(&folder), Err(OpenError::AnotherPast { anchored: 3, .. })));
    fs::remove_dir_all(folder.join("index")).unwrap();
    let error = Store::open(&Settings { folder: folder.clone() }).unwrap_err();
    assert!(matches!(error, OpenError::AnotherPast { anchored: 3, .. }), "{error}");
}

#[test]
fn an_index_that_is_lost_damaged_stale_or_ahead_is_made_again() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("store");
    let early = scratch.path().join("early");
    let mut model = Model::default();
    block_on(async {
        for n in 1..30 {
            let store = open_with(&folder, SMALL).unwrap();
            begin(&store, &mut model, n).await;
            store.close().await.unwrap();
            drop(store);
            if n == 10 {
                copy(&folder.join("index"), &early);
            }
        }
    });
    let db = fs::read(folder.join("index/db")).unwrap();
    let used = db.iter().rposition(|byte| *byte != 0).unwrap();
    let snapshot = |index: &Path| {
        let mut names = fs::read_dir(index).unwrap().map(|entry| entry.unwrap().path());
        names.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("snap.")).unwrap()
    };
    type Damage = Box<dyn Fn(&Path)>;
    let mut damages: Vec<(String, Damage)> = vec![
        ("deleted".into(), Box::new(|index| fs::remove_dir_all(index).unwrap())),
        (
            "emptied".into(),
            Box::new(|index| {
                fs::remove_dir_all(index).unwrap();
                fs::create_dir(index).unwrap();
            }),
        ),
        ("without conf".into(), Box::new(|index| fs::remove_file(index.join("conf")).unwrap())),
        ("without db".into(), Box::new(|index| fs::remove_file(index.join("db")).unwrap())),
        ("without snapshot".into(), Box::new(move |index| fs::remove_file(snapshot(index)).unwrap())),
        (
            "an unfinished snapshot".into(),
            Box::new(|index| {
                fs::write(index.join("snap.00000000FFFFFFFF.generating"), b"half").unwrap();
            }),
        ),
        (
            "an older copy".into(),
            Box::new(move |index| {
                fs::remove_dir_all(index).unwrap();
                copy(&early, index);
            }),
        ),
        (
            "a file instead of a folder".into(),
            Box::new(|index| {
                fs::remove_dir_all(index).unwrap();
                fs::write(index, b"not sled").unwrap();
            }),
        ),
        (
            "another form".into(),
            Box::new(|index| {
                let index = Index::open(index).unwrap();
                index.raw().insert(b"m", b"something from another version").unwrap();
            }),
        ),
    ];
    for nth in 0..40 {
        let at = used * nth / 40;
        damages.push((
            format!("bit {at}"),
            Box::new(move |index| {
                let mut db = fs::read(index.join("db")).unwrap();
                db[at] ^= 0x10;
                fs::write(index.join("db"), db).unwrap();
            }),
        ));
        damages.push((
            format!("cut {at}"),
            Box::new(move |index| {
                let db = fs::read(index.join("db")).unwrap();
                fs::write(index.join("db"), &db[..at]).unwrap();
            }),
        ));
        damages.push((
            format!("zeroed page {at}"),
            Box::new(move |index| {
                let mut db = fs::read(index.join("db")).unwrap();
                let end = (at + 4096).min(db.len());
                db[at..end].fill(0);
                fs::write(index.join("db"), db).unwrap();
            }),
        ));
    }
    let mut aside = 0;
    let count = damages.len();
    for (what, damage) in damages {
        let image = tempfile::tempdir().unwrap();
        copy(&folder, image.path());
        damage(&image.path().join("index"));
        let store = open_with(image.path(), SMALL).unwrap_or_else(|error| panic!("{what}: {error}"));
        block_on(model.assert_same(&store));
        drop(store);
        agrees(image.path());
        aside += usize::from(image.path().join("index.set-aside-1").exists());
    }
    println!("{count} damaged indexes, {aside} set aside, all right after opening");
}

#[test]
fn an_index_ahead_of_its_log_or_of_another_log_is_set_aside() {
    let scratch = tempfile::tempdir().unwrap();
    let (one, other) = (scratch.path().join("one"), scratch.path().join("other"));
    block_on(async {
        let (mut model, mut other_model) = (Model::default(), Model::default());
        let store = open_with(&one, UNANCHORED).unwrap();
        begin(&store, &mut model, 1).await;
        drop(store);
        let foreign = open_with(&other, UNANCHORED).unwrap();
        for n in [5, 6] {
            begin(&foreign, &mut other_model, n).await;
        }
        drop(foreign);
        // One that saw more, and one that saw as much of another record.
        for _ in 0..4 {
            let _ = fs::remove_dir_all(one.join("index"));
            copy(&other.join("index"), &one.join("index"));
            let store = open_with(&one, UNANCHORED).unwrap();
            model.assert_same(&store).await;
            let next = model.entries.len() as u64 + 1;
            begin(&store, &mut model, next).await;
        }
        agrees(&one);
    });
    let names = disk::names_in(&one).unwrap();
    let aside: Vec<_> = names.iter().filter(|name| name.starts_with("index.set-aside")).collect();
    assert_eq!(aside, ["index.set-aside-3", "index.set-aside-4"], "the last two are kept");
}

/// What sled did not notice on opening is noticed on reading; the process ends, and the next start is well.
#[test]
fn damage_found_while_serving_ends_the_store_and_heals_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let mut model = Model::default();
        let store = open(folder.path());
        begin(&store, &mut model, 1).await;
        begin(&store, &mut model, 2).await;
        let key = [b"a".as_slice(), id(1).uuid().as_bytes()].concat();
        let mut value = store.shared.index.raw().get(&key).unwrap().unwrap().to_vec();
        *value.last_mut().unwrap() ^= 1;
        store.shared.index.raw().insert(&key, value).unwrap();
        let fatal = store.fatal();
        assert!(store.load(id(2)).await.is_ok());
        let fault = store.load(id(1)).await.unwrap_err();
        assert_eq!(fatal.await, fault);
        assert_eq!(store.load(id(2)).await.unwrap_err(), fault);
        let event = by_broker(9, Change::RevocationBegun(Cause::Expired));
        assert_eq!(store.append(id(2), 3, vec![event]).await.unwrap_err(), AppendError::Store(fault));
        drop(store);
        model.assert_same(&open(folder.path())).await;
    });
    agrees(folder.path());
}
