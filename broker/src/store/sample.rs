//! For the tests of the store: people, requests and lives to record; the same journal once more, in memory
//! and by brute force; a disk that can be broken.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::num::NonZeroU8;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use elevate_core::activation::{Activation, Actor, Cause, Change, Event, ProofShown, Request};
use elevate_core::approval::{Approval, ApprovalRequirement};
use elevate_core::binding::Asked;
use elevate_core::due::wake_at;
use elevate_core::names::{
    ActivationId, ObjectId, Principal, RequestId, RoleDefinitionId, Scope, Slot, Subject, Target, TenantId,
    Way,
};
use elevate_core::policy::PolicyVersion;
use elevate_core::term::Term;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::disk::{Disk, Kernel};
use super::opening::Limits;
use super::{OpenError, Store};
use crate::ports::Journal;
use crate::ports::journal::{
    AppendError, AppliedPolicy, Entry, Filter, Note, Page, Position, Recorded, Said,
};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub(super) fn id(n: u64) -> ActivationId {
    ActivationId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(n)))
}

pub(super) fn object(n: u64) -> ObjectId {
    ObjectId::from_uuid(Uuid::from_u128(0xb0b0_0000 + u128::from(n)))
}

pub(super) fn principal(n: u64) -> Principal {
    Principal { tenant: TenantId::from_uuid(Uuid::from_u128(77)), object: object(n) }
}

pub(super) fn proof(n: u64) -> ProofShown {
    ProofShown {
        token: format!("uti-{n}"),
        nonce: if n.is_multiple_of(3) { String::new() } else { format!("nonce-{n}") },
        signed_in_at: at(0),
        methods: vec!["pwd".into(), "mfa".into()],
        contexts: vec![],
    }
}

/// Asked by person `who` for role `what`, the `n`th request in all.
pub(super) fn request(n: u64, who: u64, what: u64, approvers: &[u64]) -> Request {
    Request {
        request_id: RequestId::from_uuid(Uuid::from_u128(0xabc0_0000 + u128::from(n))),
        asked: Asked {
            principal: principal(who),
            role: format!("role-{what}").parse().unwrap(),
            target: Target {
                way: Way::Assignment,
                role_definition: RoleDefinitionId::from_uuid(Uuid::from_u128(0xdef0 + u128::from(what))),
                scope: Scope::Tenant,
            },
            term: Term::from_seconds(3600).unwrap(),
            starts_at: None,
            justification: format!("disk full on machine {n}").parse().unwrap(),
            ticket: None,
            policy: PolicyVersion(1),
            continues: None,
        },
        requirements: approvers
            .iter()
            .map(|n| ApprovalRequirement { count: NonZeroU8::MIN, from: vec![Subject::User(object(*n))] })
            .collect(),
        approval_window: SignedDuration::from_hours(1),
        proof: proof(n),
        at: at(i64::try_from(n).unwrap()),
    }
}

pub(super) fn by_broker(second: i64, change: Change) -> Event {
    Event { at: at(second), by: Actor::Broker, change }
}

pub(super) fn requested(request: Request) -> Event {
    Event {
        at: request.at,
        by: Actor::Principal(request.asked.principal),
        change: Change::Requested(Box::new(request)),
    }
}

pub(super) fn approved(activation: &Activation, approver: u64, proof_number: u64, second: i64) -> Event {
    let approval = Approval {
        approver: principal(approver),
        request: activation.digest,
        counts_for: (0..activation.request.requirements.len()).collect(),
        at: at(second),
        comment: "go on".into(),
        request_id: RequestId::from_uuid(Uuid::from_u128(61)),
    };
    Event {
        at: at(second),
        by: Actor::Principal(principal(approver)),
        change: Change::Approved(Box::new(approval), Box::new(proof(proof_number))),
    }
}

/// Everything that might happen to an activation, legal or not.
pub(super) fn possible(activation: &Activation, number: u64, second: i64) -> Vec<Event> {
    let later = |n| at(second + n);
    let mut events: Vec<Event> = [
        Change::ApprovalSought { lapses_at: later(900) },
        Change::Denied { reason: "no".into() },
        Change::Withdrawn,
        Change::Lapsed,
        Change::Scheduled { starts_at: later(5), lapses_at: later(500) },
        Change::ActivationBegun { not_after: later(3600) },
        Change::Refused { reason: "a rule stands against it".into() },
        Change::Activated { held: format!("assignment-{number}").parse().unwrap() },
        Change::Postponed { retry_at: later(7), reason: "503".into() },
        Change::RevocationBegun(Cause::Revoked { reason: "incident".into() }),
        Change::RevocationBegun(Cause::Expired),
        Change::Removed,
        Change::RemovedElsewhere,
        Change::TakenOver { by: id(number) },
    ]
    .into_iter()
    .map(|change| by_broker(second, change))
    .collect();
    events.push(approved(activation, 1000 + number % 3, number, second));
    events
}

/// Opens with the given limits on the real disk.
pub(super) fn open_with(folder: &Path, limits: Limits) -> Result<Store, OpenError> {
    Store::open_with(folder, limits, Box::new(Kernel))
}

pub(super) fn open(folder: &Path) -> Store {
    open_with(folder, Limits::default()).unwrap()
}

/// Copies a folder as it is just now: what a kill would leave behind.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if fs::copy(entry.path(), target).is_err() {
            // sled removes its files when it likes.
            assert!(!entry.path().exists());
        }
    }
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The journal in memory, by brute force.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) activations: BTreeMap<ActivationId, Activation>,
    pub(super) entries: Vec<Said>,
}

impl Model {
    pub(super) fn append(
        &mut self,
        id: ActivationId,
        expected: u64,
        events: &[Event],
    ) -> Result<Activation, AppendError> {
        let mut activation = self.activations.get(&id).cloned();
        let is = activation.as_ref().map_or(0, |activation| activation.version);
        if is != expected {
            return Err(AppendError::Conflict { expected, is });
        }
        let mut said = Vec::new();
        for event in events {
            let next = match activation {
                None => Activation::open(id, event)?,
                Some(activation) => activation.apply(event)?,
            };
            if let Change::Requested(request) = &event.change
                && let Some(by) = self.begun_by(request.asked.principal, request.request_id)
            {
                return Err(AppendError::RequestIdUsed { by });
            }
            if let Some(by) = self.holder(&next.slot()).filter(|by| next.takes_slot() && *by != id) {
                return Err(AppendError::SlotTaken { by });
            }
            if let Some(proof) = proof_in(event)
                && self.entries.iter().chain(&said).filter_map(proof_of).any(|used| same(used, proof))
            {
                return Err(AppendError::ProofUsed);
            }
            said.push(Said::Activation { id, version: next.version, event: event.clone() });
            activation = Some(next);
        }
        let activation = activation.unwrap();
        self.entries.extend(said);
        self.activations.insert(id, activation.clone());
        Ok(activation)
    }

    pub(super) fn note(&mut self, note: Note) -> Result<Position, AppendError> {
        let is = self.policy().map_or(0, |policy| policy.version.0);
        if let Note::PolicyApplied(policy) = &note
            && policy.version.0 != is + 1
        {
            return Err(AppendError::Conflict { expected: policy.version.0.saturating_sub(1), is });
        }
        self.entries.push(Said::Note(note));
        Ok(Position(self.entries.len() as u64 - 1))
    }

    pub(super) fn policy(&self) -> Option<AppliedPolicy> {
        self.entries.iter().rev().find_map(|said| match said {
            Said::Note(Note::PolicyApplied(policy)) => Some(policy.clone()),
            _ => None,
        })
    }

    pub(super) fn holder(&self, slot: &Slot) -> Option<ActivationId> {
        let mut holders = self.activations.values().filter(|a| a.takes_slot() && a.slot() == *slot);
        let holder = holders.next().map(|a| a.id);
        assert!(holders.next().is_none(), "two activations in one slot");
        holder
    }

    pub(super) fn begun_by(&self, principal: Principal, request: RequestId) -> Option<ActivationId> {
        let same =
            |a: &&Activation| a.request.asked.principal == principal && a.request.request_id == request;
        self.activations.values().find(same).map(|a| a.id)
    }

    pub(super) fn wakes(&self) -> Vec<(Timestamp, ActivationId)> {
        let mut wakes: Vec<_> = self.activations.values().filter_map(|a| Some((wake_at(a)?, a.id))).collect();
        wakes.sort();
        wakes
    }

    pub(super) fn found(&self, filter: &Filter) -> Vec<ActivationId> {
        let fits = |a: &&Activation| {
            filter.principal.is_none_or(|who| a.request.asked.principal == who)
                && filter.role.as_ref().is_none_or(|role| a.request.asked.role == *role)
                && (!filter.live_only || a.is_live())
                && (!filter.awaiting_only || a.state.word() == "awaiting approval")
        };
        self.activations.values().rev().filter(fits).map(|a| a.id).collect()
    }

    /// Rebuilds the model from what a store has on record.
    pub(super) fn of(entries: Vec<Said>) -> Self {
        let mut model = Self::default();
        for said in entries {
            match said {
                Said::Activation { id, version, event } => {
                    let now = model.append(id, version - 1, &[event]).unwrap();
                    assert_eq!(now.version, version);
                }
                Said::Note(note) => drop(model.note(note).unwrap()),
            }
        }
        model
    }

    /// Every question that a journal answers, asked of both.
    pub(super) async fn assert_same(&self, store: &Store) {
        assert_eq!(entries(store).await, self.entries);
        assert_eq!(store.size().borrow().0, self.entries.len() as u64);
        assert_eq!(store.policy().await.unwrap(), self.policy());
        for (id, activation) in &self.activations {
            let loaded = store.load(*id).await.unwrap().unwrap();
            assert!(!loaded.is_just_appended());
            assert_eq!(Activation::clone(&loaded), *activation);
            assert_eq!(store.holder(&activation.slot()).await.unwrap(), self.holder(&activation.slot()));
            let asked = (activation.request.asked.principal, activation.request.request_id);
            assert_eq!(store.begun_by(asked.0, asked.1).await.unwrap(), Some(*id));
        }
        assert!(store.load(id(u64::MAX)).await.unwrap().is_none());
        self.assert_same_wakes(store).await;
        self.assert_same_finds(store).await;
        for (word, count) in store.census().await.unwrap() {
            let of_state = |a: &&Activation| a.is_live() && a.state.word() == word;
            assert_eq!(count, self.activations.values().filter(of_state).count() as u64, "{word}");
        }
    }

    async fn assert_same_wakes(&self, store: &Store) {
        let wakes = self.wakes();
        let far = at(1_000_000_000);
        assert_eq!(store.due(far, None, usize::MAX).await.unwrap(), wakes);
        let mut paged = Vec::new();
        while let Some(next) = store.due(far, paged.last().copied(), 2).await.unwrap().first().copied() {
            paged.push(next);
        }
        assert_eq!(paged, wakes);
        let moments: Vec<Timestamp> = wakes.iter().map(|wake| wake.0).chain([at(-1), far]).collect();
        for moment in moments {
            let until: Vec<_> = wakes.iter().filter(|wake| wake.0 <= moment).copied().collect();
            assert_eq!(store.due(moment, None, usize::MAX).await.unwrap(), until);
            let next = wakes.iter().map(|wake| wake.0).find(|at| *at > moment);
            assert_eq!(store.next_due(moment).await.unwrap(), next);
        }
    }

    async fn assert_same_finds(&self, store: &Store) {
        let principals = [None, Some(principal(0)), Some(principal(1)), Some(principal(99))];
        let roles = [None, Some("role-0".parse().unwrap()), Some("role".parse().unwrap())];
        for principal in principals {
            for role in &roles {
                for bits in 0..4 {
                    let filter = Filter {
                        principal,
                        role: role.clone(),
                        live_only: bits & 1 != 0,
                        awaiting_only: bits & 2 != 0,
                    };
                    for limit in [1, 3, 1000] {
                        assert_eq!(found(store, &filter, limit).await, self.found(&filter), "{filter:?}");
                    }
                }
            }
        }
    }
}

/// All that fits, page by page.
pub(super) async fn found(store: &Store, filter: &Filter, limit: usize) -> Vec<ActivationId> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.find(filter, &Page { limit, after }).await.unwrap();
        assert!(page.activations.len() <= limit);
        found.extend(page.activations.iter().map(|recorded| recorded.id));
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

pub(super) async fn entries(store: &Store) -> Vec<Said> {
    let mut said = Vec::new();
    loop {
        let read: Vec<Entry> = store.read(Position(said.len() as u64), 100).await.unwrap();
        if read.is_empty() {
            return said;
        }
        for entry in read {
            assert_eq!(entry.position.0, said.len() as u64);
            said.push(entry.said);
        }
    }
}

fn proof_in(event: &Event) -> Option<&ProofShown> {
    match &event.change {
        Change::Requested(request) => Some(&request.proof),
        Change::Approved(_, proof) => Some(proof),
        _ => None,
    }
}

fn proof_of(said: &Said) -> Option<&ProofShown> {
    match said {
        Said::Activation { event, .. } => proof_in(event),
        Said::Note(_) => None,
    }
}

fn same(one: &ProofShown, other: &ProofShown) -> bool {
    one.token == other.token || (!one.nonce.is_empty() && one.nonce == other.nonce)
}

/// Appends to both, and demands one answer.
pub(super) async fn append_to_both(
    store: &Store,
    model: &mut Model,
    id: ActivationId,
    expected: u64,
    events: Vec<Event>,
) -> Result<Activation, AppendError> {
    let modelled = model.append(id, expected, &events);
    let stored = store.append(id, expected, events).await;
    assert!(stored.as_ref().map_or(true, Recorded::is_just_appended));
    let stored = stored.map(|recorded| Activation::clone(&recorded));
    assert_eq!(stored, modelled);
    stored
}

/// A life with three entries, two of them in one append: asked for, to be started, begun.
pub(super) async fn begin(store: &Store, model: &mut Model, n: u64) {
    let second = i64::try_from(n).unwrap();
    let scheduled = Change::Scheduled { starts_at: at(second), lapses_at: at(second + 60) };
    let first = vec![requested(request(n, n, 0, &[])), by_broker(second, scheduled)];
    append_to_both(store, model, id(n), 0, first).await.unwrap();
    let begun = by_broker(second, Change::ActivationBegun { not_after: at(second + 3600) });
    append_to_both(store, model, id(n), 2, vec![begun]).await.unwrap();
}

/// A disk that counts, and fails once at the given call and ever after.
#[derive(Debug, Clone, Default)]
pub(super) struct Faulty {
    pub(super) writes: Arc<AtomicU64>,
    pub(super) syncs: Arc<AtomicU64>,
    /// Fails from this write on; 0 is never.
    pub(super) bad_write: u64,
    /// Of the write that fails, so many bytes still arrive.
    pub(super) arrives: usize,
    /// Fails from this sync on; 0 is never.
    pub(super) bad_sync: u64,
}

impl Disk for Faulty {
    fn write(&mut self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let n = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if self.bad_write != 0 && n >= self.bad_write {
            Kernel.write(file, &bytes[..self.arrives.min(bytes.len())], at)?;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Kernel.write(file, bytes, at)
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        let n = self.syncs.fetch_add(1, Ordering::SeqCst) + 1;
        if self.bad_sync != 0 && n >= self.bad_sync {
            return Err(io::Error::other("input/output error"));
        }
        Kernel.sync(file)
    }
}

/// A disk that remembers in which order it was written and synced, and can say what it may have held at any
/// moment: all that was synced, and of the rest whatever it liked.
#[derive(Debug, Clone, Default)]
pub(super) struct PowerCut(Arc<Mutex<Vec<Call>>>);

#[derive(Debug, Clone)]
enum Call {
    Write { inode: u64, at: usize, bytes: Vec<u8> },
    Sync { inode: u64 },
    Acknowledged,
}

impl PowerCut {
    /// An append was answered.
    pub(super) fn acknowledged(&self) {
        self.0.lock().unwrap().push(Call::Acknowledged);
    }

    /// How many calls there were.
    pub(super) fn moments(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Writes what the disk may have held after the first `moment` calls; how many appends had been
    /// answered then.
    pub(super) fn image(&self, from: &Path, to: &Path, moment: usize, seed: u64) -> u64 {
        let calls = self.0.lock().unwrap()[..moment].to_vec();
        let mut sure: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut pending: Vec<(u64, usize, Vec<u8>)> = Vec::new();
        let mut acknowledged = 0;
        for call in calls {
            match call {
                Call::Write { inode, at, bytes } => pending.push((inode, at, bytes)),
                Call::Sync { inode: synced } => {
                    for (inode, at, bytes) in pending.extract_if(.., |write| write.0 == synced) {
                        put(sure.entry(inode).or_default(), at, &bytes);
                    }
                }
                Call::Acknowledged => acknowledged += 1,
            }
        }
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ moment as u64;
        let mut roll = |sides: usize| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(dice >> 33).unwrap() % sides
        };
        for (inode, at, bytes) in pending {
            let file = sure.entry(inode).or_default();
            match roll(4) {
                0 => {}
                1 => put(file, at, &bytes[..roll(bytes.len() + 1)]),
                2 => put(file, at, &bytes),
                // Sectors of the file, each there or not; its length may be known already.
                _ => {
                    let grown = if roll(2) == 0 { at + bytes.len() } else { file.len() };
                    file.resize(grown.max(file.len()), 0);
                    let mut place = at;
                    while place < at + bytes.len() {
                        let end = ((place / 64 + 1) * 64).min(at + bytes.len());
                        if roll(2) == 0 {
                            put(file, place, &bytes[place - at..end - at]);
                        }
                        place = end;
                    }
                }
            }
        }
        for name in ["anchor.0", "anchor.1"] {
            write_known(&sure, &from.join(name), &to.join(name));
        }
        for entry in fs::read_dir(from.join("log")).unwrap() {
            let name = entry.unwrap().file_name();
            write_known(&sure, &from.join("log").join(&name), &to.join("log").join(&name));
        }
        acknowledged
    }
}

impl Disk for PowerCut {
    fn write(&mut self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let (inode, start) = (file.metadata()?.ino(), usize::try_from(at).unwrap());
        self.0.lock().unwrap().push(Call::Write { inode, at: start, bytes: bytes.to_vec() });
        Kernel.write(file, bytes, at)
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        self.0.lock().unwrap().push(Call::Sync { inode: file.metadata()?.ino() });
        Kernel.sync(file)
    }
}

fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    file.resize(file.len().max(at + bytes.len()), 0);
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

fn write_known(known: &BTreeMap<u64, Vec<u8>>, from: &Path, to: &Path) {
    let Ok(metadata) = fs::metadata(from) else { return };
    if let Some(bytes) = known.get(&metadata.ino()) {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
}
