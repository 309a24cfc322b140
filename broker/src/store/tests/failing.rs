//! A disk that fails ends the store; nothing else does.

use std::sync::atomic::Ordering;

use elevate_core::activation::Change;

use super::*;

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
            let limits = Limits { segment_bytes: 1500, anchor_every: 7, ballast_bytes: 0 };
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
                        let again: Vec<elevate_core::activation::Event> = tried[0].1.clone();
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
