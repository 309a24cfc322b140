//! What an append may do and what it may not: one holder a slot, a proof once, all or nothing.

use std::fs;
use std::sync::atomic::Ordering;

use elevate_core::activation::{Cause, Change, IllegalEvent, ProofShown, Request};

use super::*;
use crate::ports::journal::Append;

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

        // One that continues it waits beside it, takes nothing, and cannot hold it while the first does.
        second.asked.continues = Some(id(1));
        let scheduled = by_broker(3, Change::Scheduled { starts_at: at(3), lapses_at: at(60) });
        let begun = by_broker(4, Change::ActivationBegun { not_after: at(7000) });
        let first = vec![requested(second), scheduled];
        append_to_both(&store, &mut model, id(2), 0, first).await.unwrap();
        append_to_both(&store, &mut model, id(2), 2, vec![begun]).await.unwrap();
        let activated = by_broker(5, Change::Activated { held: "assignment-1".parse().unwrap() });
        let held = vec![activated.clone()];
        let taken = append_to_both(&store, &mut model, id(2), 3, held.clone()).await.unwrap_err();
        assert_eq!(taken, AppendError::SlotTaken { by: id(1) });
        let over = by_broker(6, Change::TakenOver { by: id(2) });
        append_to_both(&store, &mut model, id(1), 3, vec![activated, over]).await.unwrap();
        append_to_both(&store, &mut model, id(2), 3, held).await.unwrap();
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
                confirmed_by: None,
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
        let events = vec![requested(request(1, 1, 1, &[]))];
        draft.admit(&[Append { id: id(1), expected: 0, events }]).unwrap();
        let applied = index.take(draft).unwrap();
        assert_eq!((count(b"p"), count(b"q")), (2, 2), "a token id and a nonce");
        let mut draft = index::Draft::new(&index, applied);
        for _ in 0..entries {
            let tick = Note::Broker { what: "tick".into(), version: String::new(), at: at(second) };
            draft.admit_note(&tick).unwrap();
        }
        index.take(draft).unwrap();
        let left = if kept { (2, 2) } else { (0, 0) };
        assert_eq!((count(b"p"), count(b"q")), left, "after {entries} entries and {second} s");
    }
}

#[test]
fn a_quiet_record_is_anchored_when_asked_and_a_backup_then_holds_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    block_on(async {
        let store = open(folder.path());
        for version in 1..4 {
            store.note(policy(version, 5)).await.unwrap();
        }
        store.anchor().await.unwrap();
        // What is refused goes the same way and writes nothing: two of them, and the anchor is written.
        for _ in 0..2 {
            assert!(store.note(policy(9, 6)).await.is_err());
        }
        let anchored = anchor::Anchor::find(folder.path()).unwrap().newest.unwrap();
        assert_eq!(anchored.tree.size(), 3);
        let backed_up = backup(folder.path(), &copy.path().join("copy")).unwrap();
        assert_eq!((backed_up.entries, backed_up.while_running), (3, true));
    });
}

fn asked(n: u64, who: u64, what: u64) -> Append {
    Append { id: id(n), expected: 0, events: vec![requested(request(n, who, what, &[]))] }
}

/// The same proof and request id in each, as one request for several roles has them.
fn bundle(members: &[(u64, u64)]) -> Vec<Append> {
    let ids: Vec<_> = members.iter().map(|(n, _)| id(*n)).collect();
    let member = |(n, what): &(u64, u64)| {
        let lead = members[0].0;
        let request = Request { bundle: ids.clone(), ..request(lead, 1, *what, &[]) };
        Append { id: id(*n), expected: 0, events: vec![requested(request)] }
    };
    members.iter().map(member).collect()
}

#[test]
fn what_is_asked_together_is_recorded_together_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let store = open(folder.path());
        store.append_all(vec![asked(1, 1, 1)]).await.unwrap();
        // The second would take a slot that is taken: the first is not there either.
        let refused = store.append_all(bundle(&[(10, 2), (11, 1)])).await.unwrap_err();
        assert_eq!(refused, AppendError::SlotTaken { by: id(1) });
        assert!(store.load(id(10)).await.unwrap().is_none());
        assert_eq!(store.size().borrow().0, 1);
        let recorded = store.append_all(bundle(&[(10, 2), (11, 3)])).await.unwrap();
        assert_eq!(recorded.iter().map(|recorded| recorded.id).collect::<Vec<_>>(), [id(10), id(11)]);
        assert!(recorded.iter().all(Recorded::is_just_appended));
        // Found by the first; and what one of them used is used.
        let request_id = request(10, 1, 2, &[]).request_id;
        assert_eq!(store.begun_by(principal(1), request_id).await.unwrap(), Some(id(10)));
        let again = Append { id: id(12), ..bundle(&[(10, 4)]).remove(0) };
        let by = id(10);
        assert_eq!(store.append_all(vec![again]).await.unwrap_err(), AppendError::RequestIdUsed { by });
        let other = Request { request_id: request(13, 1, 4, &[]).request_id, ..request(10, 1, 4, &[]) };
        let replay = Append { id: id(13), expected: 0, events: vec![requested(other)] };
        assert_eq!(store.append_all(vec![replay]).await.unwrap_err(), AppendError::ProofUsed);
        store.close().await.unwrap();
    });
    // As if the index had been made again.
    agrees(folder.path());
}

#[test]
fn a_slot_is_handed_over_in_one_step() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let store = open(folder.path());
        let held = || Change::Activated { held: "assignment-1".parse().unwrap() };
        let begin = |n: u64| Change::ActivationBegun { not_after: at(3600 + i64::try_from(n).unwrap()) };
        let scheduled = || Change::Scheduled { starts_at: at(2), lapses_at: at(500) };
        let mut first = asked(1, 1, 1);
        first.events.extend([scheduled(), begin(1), held()].map(|change| by_broker(2, change)));
        store.append_all(vec![first]).await.unwrap();
        let mut second = asked(2, 1, 1);
        if let Change::Requested(request) = &mut second.events[0].change {
            request.asked.continues = Some(id(1));
        }
        second.events.extend([scheduled(), begin(2)].map(|change| by_broker(3, change)));
        store.append_all(vec![second]).await.unwrap();
        let slot = store.load(id(1)).await.unwrap().unwrap().slot();
        assert_eq!(store.holder(&slot).await.unwrap(), Some(id(1)));
        let over =
            Append { id: id(1), expected: 4, events: vec![by_broker(4, Change::TakenOver { by: id(2) })] };
        let held = Append { id: id(2), expected: 3, events: vec![by_broker(4, held())] };
        // Not by itself, nor before the other has given it up.
        assert_eq!(
            store.append_all(vec![held.clone()]).await.unwrap_err(),
            AppendError::SlotTaken { by: id(1) }
        );
        assert!(store.append_all(vec![held.clone(), over.clone()]).await.is_err());
        store.append_all(vec![over, held]).await.unwrap();
        assert_eq!(store.holder(&slot).await.unwrap(), Some(id(2)));
        store.close().await.unwrap();
    });
    // As if the index had been made again.
    agrees(folder.path());
}

#[test]
fn a_freeze_and_a_proposal_are_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let freeze = |second| Freeze { by: principal(5), reason: "incident 7".into(), at: at(second) };
        let proposed = AppliedPolicy {
            version: PolicyVersion(2),
            text: "# two".into(),
            by: principal(5),
            at: at(3),
            confirmed_by: None,
        };
        let store = open(folder.path());
        store.note(policy(1, 1)).await.unwrap();
        store.note(Note::Frozen(freeze(2))).await.unwrap();
        store.note(Note::PolicyProposed(proposed.clone())).await.unwrap();
        let late = Note::PolicyProposed(AppliedPolicy { version: PolicyVersion(3), ..proposed.clone() });
        assert!(matches!(store.note(late).await, Err(AppendError::Conflict { .. })));
        store.close().await.unwrap();
        drop(store);
        let store = open(folder.path());
        assert_eq!(store.freeze().await.unwrap(), Some(freeze(2)));
        assert_eq!(store.proposal().await.unwrap(), Some(proposed));
        store.note(Note::Thawed(freeze(4))).await.unwrap();
        // Another version came first: what was proposed against the one before is void.
        store.note(policy(2, 5)).await.unwrap();
        assert_eq!((store.freeze().await.unwrap(), store.proposal().await.unwrap()), (None, None));
    });
}
