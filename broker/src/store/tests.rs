use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use elevate_core::activation::{Activation, Cause, Change, Event, IllegalEvent, ProofShown};
use elevate_core::policy::PolicyVersion;
use proptest::prelude::*;

use super::log::Log;
use super::sample::{
    Faulty, Model, PowerCut, append_to_both, approved, at, begin, block_on, by_broker, copy, entries, id,
    open, open_with, possible, principal, proof, request, requested,
};
use super::*;

/// Small files and rare anchors, so that little is enough to see them.
const SMALL: Limits = Limits { segment_bytes: 2000, anchor_every: 20 };

/// Anchors only at open and close: all else is a tail that only the log vouches for.
const UNANCHORED: Limits = Limits { segment_bytes: u64::MAX, anchor_every: u64::MAX };

fn policy(version: u64, second: i64) -> Note {
    Note::PolicyApplied(AppliedPolicy {
        version: PolicyVersion(version),
        text: format!("# policy {version}"),
        by: principal(7),
        at: at(second),
    })
}

fn log_files(folder: &Path) -> Vec<PathBuf> {
    Segments::of(&folder.join("log")).unwrap().paths()
}

fn agrees(folder: &Path) {
    let checked = check(folder).unwrap();
    assert_eq!(checked.index, IndexVerdict::Agrees { applied: checked.entries }, "{checked}");
}

// ---- what a journal promises

#[derive(Debug, Clone)]
enum Step {
    Request {
        who: u64,
        what: u64,
        approvers: bool,
        same_request: bool,
        same_proof: bool,
    },
    /// What happens next to one of those there are: mostly something legal.
    Next {
        which: usize,
        choice: usize,
        legal: bool,
        stale: bool,
    },
    Policy {
        skip: u64,
    },
    Refused,
    Reopen,
    LoseIndex,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let unlikely = || prop::bool::weighted(0.1);
    let step = prop_oneof![
        5 => (0_u64..3, 0_u64..2, any::<bool>(), unlikely(), unlikely()).prop_map(
            |(who, what, approvers, same_request, same_proof)| {
                Step::Request { who, what, approvers, same_request, same_proof }
            }
        ),
        12 => (any::<usize>(), any::<usize>(), prop::bool::weighted(0.8), unlikely())
            .prop_map(|(which, choice, legal, stale)| Step::Next { which, choice, legal, stale }),
        1 => (0_u64..3).prop_map(|skip| Step::Policy { skip }),
        1 => Just(Step::Refused),
        1 => Just(Step::Reopen),
        1 => Just(Step::LoseIndex),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_answers_as_a_journal_in_memory_does(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        block_on(async {
            let mut store = open_with(folder.path(), SMALL).unwrap();
            let mut model = Model::default();
            for (n, step) in (1_u64..).zip(steps) {
                let second = i64::try_from(n).unwrap();
                match step {
                    Step::Request { who, what, approvers, same_request, same_proof } => {
                        let approvers: &[u64] = if approvers { &[1000, 1001] } else { &[] };
                        let mut request = request(n, who, what, approvers);
                        let before = model.activations.values().next_back();
                        if let Some(before) = before.filter(|_| same_request) {
                            request.request_id = before.request.request_id;
                        }
                        if let Some(before) = before.filter(|_| same_proof) {
                            request.proof = before.request.proof.clone();
                        }
                        let _ = append_to_both(&store, &mut model, id(n), 0, vec![requested(request)]).await;
                    }
                    Step::Next { which, choice, legal, stale } => {
                        let live: Vec<Activation> =
                            model.activations.values().filter(|a| a.is_live() || !legal).cloned().collect();
                        let Some(activation) = live.get(which % live.len().max(1)) else { continue };
                        let mut events = possible(activation, n, second);
                        if legal {
                            events.retain(|event| activation.clone().apply(event).is_ok());
                        }
                        let event = events[choice % events.len()].clone();
                        let expected = activation.version - u64::from(stale);
                        let _ = append_to_both(&store, &mut model, activation.id, expected, vec![event]).await;
                    }
                    Step::Policy { skip } => {
                        let next = model.policy().map_or(0, |policy| policy.version.0) + skip;
                        prop_assert_eq!(store.note(policy(next, second)).await, model.note(policy(next, second)));
                    }
                    Step::Refused => {
                        let note = Note::Refused {
                            caller: Some(principal(3)),
                            attempt: "RequestActivation".into(),
                            reason: "ROLE_NOT_OFFERED".into(),
                            role: Some("role-9".parse().unwrap()),
                            activation: None,
                            at: at(second),
                        };
                        prop_assert_eq!(store.note(note.clone()).await, model.note(note));
                    }
                    Step::Reopen => {
                        drop(store);
                        store = open_with(folder.path(), SMALL).unwrap();
                    }
                    Step::LoseIndex => {
                        drop(store);
                        fs::remove_dir_all(folder.path().join("index")).unwrap();
                        store = open_with(folder.path(), SMALL).unwrap();
                    }
                }
            }
            model.assert_same(&store).await;
            store.close().await.unwrap();
            drop(store);
            agrees(folder.path());
            model.assert_same(&open(folder.path())).await;
            // Made again where it was lost, and never without need.
            prop_assert!(!folder.path().join("index.set-aside-1").exists());
            Ok(())
        })?;
    }
}

#[test]
fn of_many_at_once_each_is_decided_as_if_it_were_alone() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Faulty::default();
    let syncs = Arc::clone(&disk.syncs);
    block_on(async {
        let store = Arc::new(Store::open_with(folder.path(), SMALL, Box::new(disk)).unwrap());
        let before = syncs.load(Ordering::SeqCst);
        // Eight slots, 64 askers for each, every fourth with a proof or a request id used by another.
        let mut asking = tokio::task::JoinSet::new();
        for n in 0..512_u64 {
            let store = Arc::clone(&store);
            let mut request = request(n, n % 8, 0, &[]);
            if n % 4 == 3 {
                request.proof = proof(n - 1);
            }
            if n % 16 == 15 {
                request.request_id = self::request(n - 8, 0, 0, &[]).request_id;
            }
            asking.spawn(async move { store.append(id(n), 0, vec![requested(request)]).await });
        }
        let answers = asking.join_all().await;
        let begun = answers.iter().filter(|answer| answer.is_ok()).count();
        assert!(answers.iter().all(|answer| match answer {
            Ok(recorded) => recorded.is_just_appended(),
            Err(
                AppendError::SlotTaken { .. } | AppendError::ProofUsed | AppendError::RequestIdUsed { .. },
            ) => true,
            Err(_) => false,
        }));
        assert_eq!(begun, 8, "one a slot");

        // Then all move on at once, each step asked for by eight, on the same version.
        for change in [
            Change::Scheduled { starts_at: at(600), lapses_at: at(700) },
            Change::ActivationBegun { not_after: at(4000) },
            Change::RevocationBegun(Cause::Deactivated),
        ] {
            let model = Model::of(entries(&store).await);
            let mut moving = tokio::task::JoinSet::new();
            for (n, activation) in
                model.activations.values().enumerate().flat_map(|a| std::iter::repeat_n(a, 8))
            {
                let (store, id, version) = (Arc::clone(&store), activation.id, activation.version);
                let event = by_broker(600 + i64::try_from(n).unwrap(), change.clone());
                moving.spawn(async move { store.append(id, version, vec![event]).await });
            }
            let moved = moving.join_all().await;
            assert_eq!(moved.iter().filter(|answer| answer.is_ok()).count(), 8, "one a version");
            assert!(moved.iter().all(|a| matches!(a, Ok(_) | Err(AppendError::Conflict { .. }))));
        }

        // The record alone tells the same story: none of it is illegal when told in order.
        let model = Model::of(entries(&store).await);
        assert_eq!(model.entries.len(), 8 * 4);
        model.assert_same(&store).await;
        let groups = syncs.load(Ordering::SeqCst) - before;
        println!("512 + 192 appends, 32 entries, {groups} syncs");
        assert!(groups < 32, "{groups} syncs for 32 entries: nothing was written together");
    });
}

#[test]
fn a_slot_has_one_live_activation_until_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let store = open(folder.path());
        let mut model = Model::default();
        begin(&store, &mut model, 1).await;
        let mut second = request(2, 1, 0, &[]);
        let taken = store.append(id(2), 0, vec![requested(second.clone())]).await.unwrap_err();
        assert_eq!(taken, AppendError::SlotTaken { by: id(1) });

        // One that continues it waits beside it, takes nothing, and cannot begin while it lives.
        second.asked.continues = Some(id(1));
        let scheduled = by_broker(3, Change::Scheduled { starts_at: at(3), lapses_at: at(60) });
        let begun = by_broker(4, Change::ActivationBegun { not_after: at(7000) });
        let first = vec![requested(second), scheduled];
        append_to_both(&store, &mut model, id(2), 0, first).await.unwrap();
        let taken = append_to_both(&store, &mut model, id(2), 2, vec![begun.clone()]).await.unwrap_err();
        assert_eq!(taken, AppendError::SlotTaken { by: id(1) });
        let activated = by_broker(5, Change::Activated { held: "assignment-1".parse().unwrap() });
        let over = by_broker(6, Change::TakenOver { by: id(2) });
        append_to_both(&store, &mut model, id(1), 3, vec![activated, over]).await.unwrap();
        append_to_both(&store, &mut model, id(2), 2, vec![begun]).await.unwrap();
        model.assert_same(&store).await;
    });
    agrees(folder.path());
}

#[test]
fn a_proof_counts_once_by_token_and_by_nonce_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let mut model = Model::default();
        {
            let store = open(folder.path());
            let mut asked = request(1, 1, 1, &[1000, 1001]);
            asked.proof = proof(1);
            append_to_both(&store, &mut model, id(1), 0, vec![requested(asked)]).await.unwrap();
            let sought = by_broker(2, Change::ApprovalSought { lapses_at: at(900) });
            append_to_both(&store, &mut model, id(1), 1, vec![sought]).await.unwrap();
        }
        for _ in 0..2 {
            let store = open(folder.path());
            let activation = model.activations[&id(1)].clone();
            // The asker's proof does not approve, whichever half of it is shown again.
            for again in [
                proof(1),
                ProofShown { nonce: proof(2).nonce, ..proof(1) },
                ProofShown { token: "another".into(), ..proof(1) },
            ] {
                let mut event = approved(&activation, 1000, 2, 3);
                if let Change::Approved(_, proof) = &mut event.change {
                    **proof = again;
                }
                let answer = append_to_both(&store, &mut model, id(1), 2, vec![event]).await;
                assert_eq!(answer, Err(AppendError::ProofUsed));
            }
            // Nor do two approvals in one step share one.
            let both = vec![approved(&activation, 1000, 5, 3), approved(&activation, 1001, 5, 3)];
            assert_eq!(store.append(id(1), 2, both).await.unwrap_err(), AppendError::ProofUsed);
            drop(store);
            fs::remove_dir_all(folder.path().join("index")).unwrap();
        }
    });
}

#[test]
fn a_refused_append_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let store = open(folder.path());
        let mut model = Model::default();
        let illegal = by_broker(2, Change::Removed);
        let first = requested(request(1, 1, 1, &[]));
        // The second of two cannot follow: the first did not happen either.
        let answer = store.append(id(1), 0, vec![first.clone(), illegal.clone()]).await.unwrap_err();
        let refused = IllegalEvent { state: "requested", change: "removed" };
        assert_eq!(answer, AppendError::Illegal(refused));
        assert!(matches!(store.append(id(1), 0, vec![]).await, Err(AppendError::Illegal(_))));
        assert!(matches!(store.append(id(1), 0, vec![illegal]).await, Err(AppendError::Illegal(_))));
        model.assert_same(&store).await;
        // And its proof, request id and slot are as good as new.
        append_to_both(&store, &mut model, id(2), 0, vec![first]).await.unwrap();
        assert!(matches!(store.append(id(2), 1, vec![]).await, Err(AppendError::Illegal(_))));
        model.assert_same(&store).await;
    });
}

#[test]
fn an_entry_that_is_too_long_is_refused_and_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let store = open(folder.path());
        let note = |bytes| Note::Broker { what: "x".repeat(bytes), version: String::new(), at: at(1) };
        let most = record::EVENT_MAX;
        let answer = store.note(note(most)).await.unwrap_err();
        assert!(matches!(answer, AppendError::TooLarge { bytes, .. } if bytes > most), "{answer}");
        store.note(note(most - 30)).await.unwrap();
        let policy = |bytes| {
            Note::PolicyApplied(AppliedPolicy {
                version: PolicyVersion(1),
                text: "x".repeat(bytes),
                by: principal(1),
                at: at(1),
            })
        };
        let answer = store.note(policy(record::POLICY_MAX)).await.unwrap_err();
        assert!(matches!(answer, AppendError::TooLarge { .. }), "{answer}");
        store.note(policy(record::POLICY_MAX - 100)).await.unwrap();
        assert_eq!(store.policy().await.unwrap().unwrap().text.len(), record::POLICY_MAX - 100);
    });
    agrees(folder.path());
}

/// A revocation that cannot be confirmed adds an entry a minute, for ever.
#[test]
fn an_activation_with_a_very_long_life_is_loaded_in_one_step() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let store = open(folder.path());
        let mut model = Model::default();
        begin(&store, &mut model, 1).await;
        let revoking = by_broker(9, Change::RevocationBegun(Cause::Expired));
        append_to_both(&store, &mut model, id(1), 3, vec![revoking]).await.unwrap();
        let before = record::snapshot(&store.load(id(1)).await.unwrap().unwrap()).unwrap().len();
        let reason = "503 from Graph ".repeat(5);
        for n in 0..30_u64 {
            let minute = i64::try_from(n).unwrap() * 60;
            let change = Change::Postponed { retry_at: at(minute), reason: reason.clone() };
            let events = vec![by_broker(minute, change); 50];
            append_to_both(&store, &mut model, id(1), 4 + n * 50, events).await.unwrap();
        }
        let loaded = store.load(id(1)).await.unwrap().unwrap();
        assert_eq!(loaded.version, 1504);
        let after = record::snapshot(&loaded).unwrap().len();
        println!("loaded from {before} bytes after 4 entries, from {after} after {}", loaded.version);
        // Only what was in the way the last time is kept.
        assert!(after < before + reason.len() + 16);
    });
}

#[test]
fn used_proofs_are_forgotten_only_when_old_in_time_and_in_entries() {
    let day = 24 * 60 * 60;
    let enough = 66_000;
    for (entries, second, kept) in [
        // A clock that leapt a year ahead must not make room for a replay.
        (10, 400 * day, true),
        (enough, day, true),
        (enough, day + 2, false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(folder.path()).unwrap();
        let count = |letter: &[u8]| index.raw().scan_prefix(letter).count();
        let mut draft = index::Draft::new(&index, index.applied().unwrap());
        draft.admit(id(1), 0, &[requested(request(1, 1, 1, &[]))]).unwrap();
        let applied = index.take(draft).unwrap();
        assert_eq!((count(b"p"), count(b"q")), (2, 2), "a token id and a nonce");
        let mut draft = index::Draft::new(&index, applied);
        for _ in 0..entries {
            let tick = Note::Broker { what: "tick".into(), version: String::new(), at: at(second) };
            draft.admit_note(tick).unwrap();
        }
        index.take(draft).unwrap();
        let left = if kept { (2, 2) } else { (0, 0) };
        assert_eq!((count(b"p"), count(b"q")), left, "after {entries} entries and {second} s");
    }
}

// ---- kills and power cuts

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
        let limits = Limits { segment_bytes: 3000, anchor_every: 9 };
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

// ---- damage

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

// ---- rollback

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
        let limits = Limits { segment_bytes: 1500, anchor_every: u64::MAX };
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
        assert!(matches!(error, OpenError::Future { found: 2, known: 1, .. }), "{error}");
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

// ---- a disk that fails

#[test]
fn after_any_write_or_sync_fails_nothing_is_answered_any_more_and_nothing_acknowledged_is_lost() {
    let mut failed = 0;
    for nth in 1..30 {
        for kind in 0..4 {
            let mut disk = Faulty::default();
            match kind {
                0 => disk.bad_sync = nth,
                1 => disk.bad_write = nth,
                2 => (disk.bad_write, disk.arrives) = (nth, 100),
                _ => (disk.bad_write, disk.arrives) = (nth, usize::MAX),
            }
            let syncs = Arc::clone(&disk.syncs);
            let writes = Arc::clone(&disk.writes);
            let folder = tempfile::tempdir().unwrap();
            let limits = Limits { segment_bytes: 1500, anchor_every: 7 };
            let opened = Store::open_with(folder.path(), limits, Box::new(disk));
            let mut acknowledged = Model::default();
            let mut tried = Vec::new();
            if let Ok(store) = opened {
                block_on(async {
                    for n in 1..9 {
                        let scheduled = Change::Scheduled { starts_at: at(5), lapses_at: at(60) };
                        let events = vec![requested(request(n, n, 0, &[])), by_broker(5, scheduled)];
                        tried.push((id(n), events.clone()));
                        match store.append(id(n), 0, events.clone()).await {
                            Ok(_) => drop(acknowledged.append(id(n), 0, &events).unwrap()),
                            Err(AppendError::Store(_)) => break,
                            Err(error) => panic!("{error}"),
                        }
                    }
                    let fault = store.shared.sound().err();
                    if let Some(fault) = fault {
                        failed += 1;
                        assert_eq!(store.fatal().await, fault);
                        let calls = (writes.load(Ordering::SeqCst), syncs.load(Ordering::SeqCst));
                        let again: Vec<Event> = tried[0].1.clone();
                        assert_eq!(
                            store.append(id(99), 0, again).await.unwrap_err(),
                            AppendError::Store(fault.clone())
                        );
                        assert_eq!(
                            store.note(policy(1, 1)).await.unwrap_err(),
                            AppendError::Store(fault.clone())
                        );
                        assert_eq!(store.load(id(1)).await.unwrap_err(), fault);
                        assert_eq!(store.read(Position(0), 9).await.unwrap_err(), fault);
                        assert_eq!(store.census().await.unwrap_err(), fault);
                        assert_eq!(store.due(at(9), None, 9).await.unwrap_err(), fault);
                        assert_eq!(store.policy().await.unwrap_err(), fault);
                        assert_eq!(store.close().await.unwrap_err(), fault);
                        drop(store);
                        let after = (writes.load(Ordering::SeqCst), syncs.load(Ordering::SeqCst));
                        assert_eq!(after, calls, "touched the disk again after it failed");
                    }
                });
            }
            // The next start has all that was acknowledged, and at most one append more: the one in doubt.
            let store = open_with(folder.path(), limits).unwrap_or_else(|e| panic!("{kind} {nth}: {e}"));
            block_on(async {
                let found = entries(&store).await;
                if found.len() > acknowledged.entries.len() {
                    let (id, events) = tried.last().unwrap();
                    acknowledged.append(*id, 0, events).unwrap();
                }
                acknowledged.assert_same(&store).await;
            });
        }
    }
    println!("{failed} stores ended by a failing disk, none lost what it had acknowledged");
    assert!(failed > 40);
}

#[test]
fn a_store_that_is_well_or_closed_is_not_fatal() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let store = open(folder.path());
        let mut fatal = Box::pin(store.fatal());
        store.note(policy(1, 5)).await.unwrap();
        store.close().await.unwrap();
        assert_eq!(store.note(policy(2, 6)).await.unwrap_err().to_string(), "the store failed: it is closed");
        assert_eq!(store.policy().await.unwrap().unwrap().version, PolicyVersion(1), "reads go on");
        drop(store);
        let polled =
            std::future::poll_fn(|context| std::task::Poll::Ready(fatal.as_mut().poll(context))).await;
        assert!(polled.is_pending());
    });
    block_on(async {
        let store = open(folder.path());
        assert_eq!(store.high_water(), Some(at(5)));
        assert_eq!(store.last_boot_id().map(str::to_owned), anchor::boot_id());
    });
}
