//! Kills and power cuts: what was acknowledged is there, and what is left is whole appends.

use std::fs;

use elevate_core::activation::Change;

use super::*;
use crate::store::log::Log;
use crate::store::sample::PowerCut;

/// Whatever end of the file the disk had not yet, what is left is whole appends, and those before are there.
#[test]
fn a_log_cut_at_any_byte_behind_its_anchor_opens_with_whole_appends() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("store");
    let mut model = Model::default();
    let mut ends = vec![];
    let killed = scratch.path().join("killed");
    block_on(async {
        drop(open_with(&folder, UNANCHORED).unwrap());
        let store = open_with(&folder, UNANCHORED).unwrap();
        begin(&store, &mut model, 1).await;
        store.close().await.unwrap();
        drop(store);
        ends.push((fs::metadata(&log_files(&folder)[0]).unwrap().len(), 3));
        let store = open_with(&folder, UNANCHORED).unwrap();
        for n in 2..4 {
            let scheduled = Change::Scheduled { starts_at: at(5), lapses_at: at(60) };
            let events = vec![requested(request(n, n, 0, &[])), by_broker(5, scheduled)];
            append_to_both(&store, &mut model, id(n), 0, events).await.unwrap();
            ends.push((fs::metadata(&log_files(&folder)[0]).unwrap().len(), model.entries.len()));
        }
        copy(&folder, &killed);
    });
    let file = PathBuf::from("log").join(log_files(&folder)[0].file_name().unwrap());
    let whole = fs::read(killed.join(&file)).unwrap();
    assert_eq!(whole.len() as u64, ends.last().unwrap().0);
    let (mut cut_back, mut refused, mut opened) = (0, 0, 0);
    for length in 0..=whole.len() {
        fs::write(killed.join(&file), &whole[..length]).unwrap();
        let kept = ends.iter().rev().find(|(end, _)| *end <= length as u64).map(|(_, entries)| *entries);
        match (log::survey(&killed.join("log"), 3), kept) {
            (Ok(survey), Some(kept)) => {
                assert_eq!(survey.size, kept as u64, "cut at {length}");
                assert_eq!(survey.cut.is_some(), ends.iter().all(|(end, _)| *end != length as u64));
                cut_back += 1;
            }
            (Err(error), None) => {
                assert!(matches!(error, OpenError::Damaged { .. } | OpenError::Missing { .. }), "{error}");
                refused += 1;
            }
            (Ok(survey), None) => {
                // At the end of an append, or within the header: whole, and behind its anchor.
                assert!(survey.size < 3, "cut at {length}: {survey:?}");
                refused += 1;
            }
            (Err(error), Some(_)) => panic!("cut at {length}: {error}"),
        }
        // The store as a whole, with the index as it was and without: every 29th, and at every seam.
        let seam = ends.iter().any(|(end, _)| length as u64 >= end - 1 && length as u64 <= end + 1);
        if !seam && length % 29 != 0 {
            continue;
        }
        for with_index in [true, false] {
            let image = tempfile::tempdir().unwrap();
            copy(&killed, image.path());
            if !with_index {
                fs::remove_dir_all(image.path().join("index")).unwrap();
            }
            match (open_with(image.path(), UNANCHORED), kept) {
                (Ok(store), Some(kept)) => block_on(async {
                    let mut left = Model::of(model.entries[..kept].to_vec());
                    left.assert_same(&store).await;
                    // And it goes on from there.
                    begin(&store, &mut left, 50).await;
                    left.assert_same(&store).await;
                    opened += 1;
                }),
                (
                    Err(OpenError::Behind { .. } | OpenError::Damaged { .. } | OpenError::Missing { .. }),
                    None,
                ) => {}
                (answer, kept) => panic!("cut at {length}, {kept:?} kept: {answer:?}"),
            }
        }
    }
    println!(
        "{cut_back} cuts behind the anchor cut back, {refused} before it refused, {opened} stores went on"
    );
    assert!(cut_back > 500 && refused > 300 && opened > 30, "{cut_back} {refused} {opened}");
}

/// A power cut may keep any part of the last group and lose another; it was never acknowledged.
#[test]
fn a_last_group_with_holes_is_cut_and_one_before_it_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("log");
    let leaves = |n: u8| (0..5).map(|at| vec![vec![n, at + 1, 7]; 2]).collect::<Vec<_>>();
    let (mut log, _) = Log::open(&folder, 0, u64::MAX, Box::new(disk::Kernel)).unwrap();
    log.append(&leaves(1)).unwrap();
    let path = log_files(scratch.path())[0].clone();
    let first_end = fs::read(&path).unwrap().len();
    log.append(&leaves(2)).unwrap();
    drop(log);
    let whole = fs::read(&path).unwrap();
    for hole in 24..whole.len() {
        let mut bytes = whole.clone();
        let end = (hole + 40).min(bytes.len());
        bytes[hole..end].fill(0);
        fs::write(&path, &bytes).unwrap();
        let survey = log::survey(&folder, 0);
        let reaches_second = end > first_end;
        match survey {
            // Within the last group: what stands whole before the hole stays.
            Ok(survey) => {
                // A hole over the first of the second group leaves none behind it that begins one.
                assert!(reaches_second, "hole at {hole}");
                assert!(survey.size <= 20 && survey.cut.is_some() && survey.size.is_multiple_of(2));
                assert!(hole < first_end || survey.size >= 10, "hole at {hole}: {survey:?}");
            }
            Err(error) => {
                assert!(!reaches_second, "hole at {hole}: {error}");
                assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
            }
        }
        // With an anchor over the first group, a hole that reaches into it is never cut away.
        let survey = log::survey(&folder, 10);
        assert_eq!(survey.is_err(), hole < first_end, "hole at {hole}: {survey:?}");
    }
}

/// Everything acknowledged at the moment the power goes is there when it is back, whatever the disk made of
/// what was not yet synced: nothing, a part, some sectors, all.
#[test]
fn a_power_cut_at_any_moment_loses_nothing_acknowledged_and_never_bars_the_store() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("store");
    let disk = PowerCut::default();
    let history = disk.clone();
    let mut model = Model::default();
    let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    multi.block_on(async {
        let limits = Limits { segment_bytes: 3000, anchor_every: 9, ballast_bytes: 0 };
        let store = Arc::new(Store::open_with(&folder, limits, Box::new(disk)).unwrap());
        for round in 0..12_u64 {
            // Several at once, so that groups are long, and each of two leaves, that stand or fall together.
            let mut asking = tokio::task::JoinSet::new();
            for n in round * 7..(round + 1) * 7 {
                let (store, history) = (Arc::clone(&store), history.clone());
                let scheduled = by_broker(5, Change::Scheduled { starts_at: at(5), lapses_at: at(60) });
                let events = vec![requested(request(n, n, 0, &[])), scheduled];
                asking.spawn(async move {
                    store.append(id(n), 0, events).await.unwrap();
                    history.acknowledged();
                });
            }
            asking.join_all().await;
        }
        model = Model::of(entries(&store).await);
    });
    let (mut images, mut longest) = (0, 0);
    for moment in 0..=history.moments() {
        for seed in 0..12 {
            let image = tempfile::tempdir().unwrap();
            let acknowledged = history.image(&folder, image.path(), moment, seed) * 2;
            if !image.path().join("log").exists() {
                assert_eq!(acknowledged, 0);
                continue;
            }
            let anchor = anchor::Anchor::find(image.path()).unwrap().newest;
            let floor = anchor.map_or(0, |anchor| anchor.tree.size());
            let survey = log::survey(&image.path().join("log"), floor)
                .unwrap_or_else(|error| panic!("moment {moment}, seed {seed}: {error}"));
            assert!(survey.size >= acknowledged.max(floor), "moment {moment}, seed {seed}: {survey:?}");
            assert!(survey.size.is_multiple_of(2), "half an append");
            longest = longest.max(survey.size);
            images += 1;
            // The store as a whole.
            if seed == moment as u64 % 12 && moment % 4 == 0 {
                let kept = usize::try_from(survey.size).unwrap();
                let store = open_with(image.path(), SMALL).unwrap();
                block_on(Model::of(model.entries[..kept].to_vec()).assert_same(&store));
            }
        }
    }
    println!(
        "{images} power cuts over {} calls of the disk, nothing acknowledged lost, none refused",
        history.moments()
    );
    assert_eq!(longest, 168);
}

#[test]
fn a_killed_store_goes_on_where_it_was_whatever_its_index_had_seen() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("store");
    block_on(async {
        let store = open_with(&folder, UNANCHORED).unwrap();
        let mut model = Model::default();
        for n in 1..20 {
            begin(&store, &mut model, n).await;
            // As a kill leaves it: the files as they are, the index wherever sled had come to.
            let image = scratch.path().join(format!("killed-{n}"));
            copy(&folder, &image);
            let killed = open_with(&image, UNANCHORED).unwrap();
            model.assert_same(&killed).await;
            drop(killed);
            agrees(&image);
        }
    });
}
