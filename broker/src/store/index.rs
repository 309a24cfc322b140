//! The index: what can be looked up, in sled. Everything in it follows from the log and can be made again,
//! so nothing here has to survive anything.
//!
//! One tree, so that one batch is one atomic step; a letter in front of each key says what it is. All that
//! an activation stands under is a function of it ([`entries_of`]), so an update is the difference of two.
//! Every value carries a checksum over its key and itself: what sled does not notice, we do.
//!
//! | key | value |
//! |---|---|
//! | `m` | how far it has come ([`Applied`]) |
//! | `a` activation | the activation as it stands |
//! | `P` principal, activation | card |
//! | `R` role, 0, activation | card |
//! | `l` activation | card, while it is live |
//! | `v` activation | card, while it waits for people |
//! | `w` time, activation | nothing: when to look at it next |
//! | `s` slot | activation, while it takes the slot |
//! | `r` principal, request id | activation |
//! | `p` hash of a token id or nonce | position of the event that used it |
//! | `q` position, the same hash | time of that event: for forgetting in order |
//!
//! A *card* is what [`Filter`] asks about: state, principal, role.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::path::Path;
use std::time::Duration;

use elevate_core::activation::{Activation, Change, Event, IllegalEvent, ProofShown, State};
use elevate_core::due::wake_at;
use elevate_core::names::{ActivationId, Principal, RequestId, Scope, Slot};
use elevate_core::policy::PolicyVersion;
use elevate_proto::record::v1 as stored;
use jiff::{SignedDuration, Timestamp};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::record::{self, Unreadable};
use super::tree::{Root, Tree};
use crate::ports::journal::{AppendError, Filter, Note, Page, Position, Said, StoreFault};

/// Counts the forms the index has had. Another number: set aside, and made again.
const SCHEMA: u32 = 2;

/// How much of it sled keeps in memory.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How often sled writes. What is lost with a power cut is replayed from the log.
const FLUSH_EVERY_MS: u64 = 500;

/// How often, and how far apart, sled's lock is tried.
const LOCK_TRIES: u32 = 100;
const LOCK_WAIT: Duration = Duration::from_millis(20);

/// A used proof is remembered at least this long: longer than any rule lets a sign-in count (an hour at
/// the most) and any token lives.
const PROOF_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// And for at least so many entries, whatever the time: a clock that leapt must not make us forget.
const PROOF_KEPT_ENTRIES: u64 = 65_536;

/// How many cards one page looks at, at the most.
const CARDS_MAX: usize = 4096;

/// How many activations one page holds, at the most.
const PAGE_MAX: usize = 1000;

type Key = Vec<u8>;
type Changes = BTreeMap<Key, Option<Vec<u8>>>;

/// What the index cannot answer, and why.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// What it holds is not what was written; it has to be made again.
    #[error("the index is damaged: {0}")]
    Damaged(String),
    /// The system would not read or write it.
    #[error("the index cannot be used: {reason}")]
    Disk {
        /// There is no room, or no leave to write: another index would fare no better.
        full: bool,
        /// What it said.
        reason: String,
    },
}

impl From<sled::Error> for Broken {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => {
                use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
                let hopeless = [PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull];
                Self::Disk { full: hopeless.contains(&error.kind()), reason: error.to_string() }
            }
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<Unreadable> for Broken {
    fn from(error: Unreadable) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Why a draft did not admit something.
#[derive(Debug, thiserror::Error)]
pub(super) enum Denied {
    /// A rule stands against it, and nothing has changed.
    #[error(transparent)]
    Refused(AppendError),
    /// The index failed over it.
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl From<AppendError> for Denied {
    fn from(refused: AppendError) -> Self {
        Self::Refused(refused)
    }
}

impl From<IllegalEvent> for Denied {
    fn from(illegal: IllegalEvent) -> Self {
        Self::Refused(illegal.into())
    }
}

pub(super) type Answer<T> = Result<T, Broken>;

/// How far an index has come, and what is true of the whole record until there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Applied {
    /// The tree over the leaves it is the sum of.
    pub(super) tree: Tree,
    /// The latest time in any of them.
    pub(super) high_water: Option<Timestamp>,
    /// The policy in force, and where it stands.
    pub(super) policy: Option<(PolicyVersion, Position)>,
}

/// The index, open.
#[derive(Debug)]
pub(super) struct Index {
    db: sled::Db,
}

impl Index {
    /// Opens what is in this folder, or begins one there. The [`super::guard`] has looked first.
    pub(super) fn open(folder: &Path) -> Answer<Self> {
        if !folder.join("db").exists() {
            // sled writes its first snapshot at the second opening. From then on one that has none, or
            // does not say how far it has come, has lost it, and is not mistaken for a new one.
            let new = Self { db: opened(folder)? };
            new.take(Draft::new(&new, Applied::default()))?;
            new.flush()?;
        }
        Ok(Self { db: opened(folder)? })
    }

    /// How far it has come.
    pub(super) fn applied(&self) -> Answer<Applied> {
        let damaged = || Broken::Damaged("it does not say how far it has come".to_owned());
        let bytes = self.value(b"m")?.ok_or_else(damaged)?;
        let form = stored::Applied::decode(bytes.as_slice()).map_err(|_| damaged())?;
        let stored::Applied { schema, size, subtrees, high_water, policy } = form;
        if schema != SCHEMA {
            return Err(Broken::Damaged(format!(
                "it has form {schema}, and this broker keeps form {SCHEMA}"
            )));
        }
        let subtrees: Option<Vec<Root>> =
            subtrees.into_iter().map(|root| root.try_into().ok().map(Root)).collect();
        Ok(Applied {
            tree: subtrees.and_then(|subtrees| Tree::from_parts(size, subtrees)).ok_or_else(damaged)?,
            high_water: high_water.map(|at| record::time_in(Some(at))).transpose()?,
            policy: policy.map(|form| (PolicyVersion(form.version), Position(form.position))),
        })
    }

    /// Takes over what a draft says, in one step.
    pub(super) fn take(&self, draft: Draft<'_>) -> Answer<Applied> {
        let (changes, applied) = draft.finish()?;
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key.as_slice(), sealed(&key, &value)),
                None => batch.remove(key.as_slice()),
            }
        }
        self.db.apply_batch(batch)?;
        Ok(applied)
    }

    /// Writes all of it to the disk.
    pub(super) fn flush(&self) -> Answer<()> {
        self.db.flush()?;
        Ok(())
    }

    /// One activation.
    pub(super) fn activation(&self, id: ActivationId) -> Answer<Option<Activation>> {
        Ok(self
            .value(&key(b'a', &[id.uuid().as_bytes()]))?
            .map(|bytes| record::activation(&bytes))
            .transpose()?)
    }

    /// Who takes a slot.
    pub(super) fn holder(&self, slot: &Slot) -> Answer<Option<ActivationId>> {
        self.value(&slot_key(slot))?.map(|bytes| id_in(&bytes)).transpose()
    }

    /// What was begun under a request id.
    pub(super) fn begun_by(&self, principal: Principal, request: RequestId) -> Answer<Option<ActivationId>> {
        self.value(&request_key(principal, request))?.map(|bytes| id_in(&bytes)).transpose()
    }

    /// Activations to be looked at by `until`, behind `after`, the longest overdue first.
    pub(super) fn due(
        &self,
        until: Timestamp,
        after: Option<(Timestamp, ActivationId)>,
        limit: usize,
    ) -> Answer<Vec<(Timestamp, ActivationId)>> {
        let from = after.map_or(Bound::Included(vec![b'w']), |(at, id)| Bound::Excluded(wake_key(at, id)));
        let to = wake_key(until, ActivationId::from_uuid(Uuid::max()));
        if let Bound::Excluded(from) = &from
            && *from >= to
        {
            return Ok(Vec::new());
        }
        let mut due = Vec::new();
        for found in self.db.range::<Key, _>((from, Bound::Included(to))).keys().take(limit) {
            due.push(wake_in(&found?)?);
        }
        Ok(due)
    }

    /// When the first activation must be looked at that is due after `moment`.
    pub(super) fn next_due(&self, moment: Timestamp) -> Answer<Option<Timestamp>> {
        let from = Bound::Excluded(wake_key(moment, ActivationId::from_uuid(Uuid::max())));
        let next = self.db.range::<Key, _>((from, Bound::Excluded(vec![b'w' + 1]))).keys().next();
        next.map(|found| Ok(wake_in(&found?)?.0)).transpose()
    }

    /// Activations by filter, newest first, and where the next page begins.
    ///
    /// The narrowest list is walked, and what else is asked is read from the cards on it. At most
    /// [`CARDS_MAX`] of them: a page may be short.
    pub(super) fn find(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Answer<(Vec<Activation>, Option<ActivationId>)> {
        let limit = page.limit.clamp(1, PAGE_MAX);
        let list = match filter {
            Filter { awaiting_only: true, .. } => vec![b'v'],
            Filter { principal: Some(principal), .. } => principal_key(*principal),
            Filter { live_only: true, .. } => vec![b'l'],
            Filter { role: Some(role), .. } => role_key(role.as_str()),
            _ => vec![b'a'],
        };
        let with_id = |id: Uuid| [list.as_slice(), id.as_bytes()].concat();
        let below = page
            .after
            .map_or(Bound::Included(with_id(Uuid::max())), |id| Bound::Excluded(with_id(id.uuid())));
        let from = with_id(Uuid::nil());
        if matches!(&below, Bound::Excluded(key) if *key <= from) {
            return Ok((Vec::new(), None));
        }
        let mut found = Vec::new();
        let mut last = None;
        for (seen, entry) in self.db.range::<Key, _>((Bound::Included(from), below)).rev().enumerate() {
            if found.len() == limit || seen == CARDS_MAX {
                return Ok((found, last));
            }
            let (key, value) = entry?;
            let id = id_in(key.get(list.len()..).unwrap_or_default())?;
            last = Some(id);
            // Those without a list of their own fit by being there.
            let fits = list == [b'a'] || fits_card(filter, &unsealed(&key, &value)?);
            if fits
                && let Some(activation) = self.activation(id)?.filter(|found| fits_card(filter, &card(found)))
            {
                found.push(activation);
            }
        }
        Ok((found, None))
    }

    /// How many live activations there are, by the word of their state, in the order of a life.
    pub(super) fn census(&self) -> Answer<Vec<(&'static str, u64)>> {
        let mut counts = [0_u64; LIVE_WORDS.len()];
        for entry in self.db.scan_prefix(b"l") {
            let (key, value) = entry?;
            let card = unsealed(&key, &value)?;
            let state = card.first().map_or(usize::MAX, |byte| usize::from(*byte));
            let count = counts.get_mut(state);
            let count = count.ok_or_else(|| Broken::Damaged("a state that there is not".to_owned()))?;
            *count = count.saturating_add(1);
        }
        Ok(LIVE_WORDS.into_iter().zip(counts).collect())
    }

    /// How many activations there are, closed ones too.
    pub(super) fn activations(&self) -> Answer<u64> {
        let mut count = 0_u64;
        for found in self.db.scan_prefix(b"a").keys() {
            found?;
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    /// The first difference to another index, if there is one.
    pub(super) fn compare(&self, other: &Self) -> Answer<Result<(), String>> {
        let (mut ours, mut theirs) = (self.db.iter(), other.db.iter());
        loop {
            match (ours.next().transpose()?, theirs.next().transpose()?) {
                (None, None) => return Ok(Ok(())),
                (Some(one), Some(other)) if one == other => {}
                (one, other) => {
                    let kind = one.or(other).and_then(|(key, _)| key.first().copied()).unwrap_or(b'?');
                    return Ok(Err(format!("in what it holds under `{}`", char::from(kind))));
                }
            }
        }
    }

    fn value(&self, key: &[u8]) -> Answer<Option<Vec<u8>>> {
        self.db.get(key)?.map(|value| unsealed(key, &value)).transpose()
    }

    #[cfg(test)]
    pub(super) fn raw(&self) -> &sled::Db {
        &self.db
    }
}

fn opened(folder: &Path) -> Answer<sled::Db> {
    let config =
        sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(Some(FLUSH_EVERY_MS));
    // Of an index just closed in this process sled's own threads may hold the lock a moment longer.
    for _ in 0..LOCK_TRIES {
        match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                std::thread::sleep(LOCK_WAIT);
            }
            opened => return Ok(opened?),
        }
    }
    Ok(config.open()?)
}

/// What the index will be once the leaves that were admitted are on disk.
#[derive(Debug)]
pub(super) struct Draft<'i> {
    index: &'i Index,
    changes: Changes,
    applied: Applied,
}

impl<'i> Draft<'i> {
    /// Nothing admitted yet.
    pub(super) fn new(index: &'i Index, applied: Applied) -> Self {
        Self { index, changes: Changes::new(), applied }
    }

    /// How many leaves there will be.
    pub(super) const fn size(&self) -> u64 {
        self.applied.tree.size()
    }

    /// The tree there will be.
    pub(super) const fn tree(&self) -> &Tree {
        &self.applied.tree
    }

    /// Decides on an append: its leaves, and what the activation then is. Refused, nothing has changed.
    pub(super) fn admit(
        &mut self,
        id: ActivationId,
        expected: u64,
        events: &[Event],
    ) -> Result<(Vec<Vec<u8>>, Activation), Denied> {
        let before = self.activation(id)?;
        let is = before.as_ref().map_or(0, |activation| activation.version);
        if is != expected {
            return Err(AppendError::Conflict { expected, is }.into());
        }
        let mut now = before.clone();
        let mut used = HashSet::new();
        let mut leaves = Vec::new();
        let mut bytes = 0_usize;
        for event in events {
            let next = match now {
                None => Activation::open(id, event)?,
                Some(activation) => activation.apply(event)?,
            };
            if let Change::Requested(request) = &event.change {
                let key = request_key(request.asked.principal, request.request_id);
                if let Some(by) = self.get(&key)? {
                    return Err(AppendError::RequestIdUsed { by: id_in(&by)? }.into());
                }
            }
            if next.takes_slot()
                && let Some(holder) = self.get(&slot_key(&next.slot()))?
            {
                let by = id_in(&holder)?;
                if by != id {
                    return Err(AppendError::SlotTaken { by }.into());
                }
            }
            for mark in proof_of(event).into_iter().flat_map(proof_marks) {
                if self.get(&key(b'p', &[&mark]))?.is_some() || !used.insert(mark) {
                    return Err(AppendError::ProofUsed.into());
                }
            }
            let leaf = encoded(&Said::Activation { id, version: next.version, event: event.clone() })?;
            bytes = bytes.saturating_add(leaf.len());
            leaves.push(leaf);
            now = Some(next);
        }
        let most = record::POLICY_MAX;
        if bytes > most {
            return Err(AppendError::TooLarge { bytes, most }.into());
        }
        let Some(now) = now.filter(|_| !events.is_empty()) else {
            let state = before.as_ref().map_or("not asked for", |activation| activation.state.word());
            return Err(IllegalEvent { state, change: "nothing" }.into());
        };
        self.stage(before.as_ref(), &now)?;
        for (leaf, event) in leaves.iter().zip(events) {
            self.pass(leaf, event.at, proof_of(event));
        }
        Ok((leaves, now))
    }

    /// Decides on a note: its leaf, and where it will stand.
    pub(super) fn admit_note(&mut self, note: Note) -> Result<(Vec<u8>, Position), Denied> {
        let at = note.at();
        let position = Position(self.size());
        if let Note::PolicyApplied(policy) = &note {
            let is = self.applied.policy.map_or(PolicyVersion(0), |(version, _)| version);
            if policy.version != is.next() {
                // The version it was decided on is the one before its own.
                return Err(
                    AppendError::Conflict { expected: policy.version.0.saturating_sub(1), is: is.0 }.into()
                );
            }
            let leaf = encoded(&Said::Note(note.clone()))?;
            self.applied.policy = Some((policy.version, position));
            self.pass(&leaf, at, None);
            return Ok((leaf, position));
        }
        let leaf = encoded(&Said::Note(note))?;
        self.pass(&leaf, at, None);
        Ok((leaf, position))
    }

    /// Takes a leaf that is in the log already. What it was checked against then is not checked again:
    /// it happened.
    pub(super) fn replay(&mut self, leaf: &[u8]) -> Result<(), Unfit> {
        match record::said_by(leaf)? {
            Said::Activation { id, version, event } => {
                let before = self.activation(id)?;
                let now = match before.clone() {
                    None => Activation::open(id, &event)?,
                    Some(activation) => activation.apply(&event)?,
                };
                if now.version != version {
                    return Err(Unfit::Version { version, expected: now.version });
                }
                self.stage(before.as_ref(), &now)?;
                self.pass(leaf, event.at, proof_of(&event));
            }
            Said::Note(note) => {
                if let Note::PolicyApplied(policy) = &note {
                    self.applied.policy = Some((policy.version, Position(self.size())));
                }
                self.pass(leaf, note.at(), None);
            }
        }
        Ok(())
    }

    /// The activation as it will stand.
    fn activation(&self, id: ActivationId) -> Answer<Option<Activation>> {
        let bytes = self.get(&key(b'a', &[id.uuid().as_bytes()]))?;
        Ok(bytes.map(|bytes| record::activation(&bytes)).transpose()?)
    }

    fn get(&self, key: &[u8]) -> Answer<Option<Vec<u8>>> {
        match self.changes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.index.value(key),
        }
    }

    fn stage(&mut self, before: Option<&Activation>, now: &Activation) -> Answer<()> {
        let entries = entries_of(now)?;
        let slot = slot_key(&now.slot());
        let ours = now.id.uuid().as_bytes().to_vec();
        for key in before.map(entries_of).transpose()?.into_iter().flatten().map(|(key, _)| key) {
            // A slot that was handed on is not ours to clear.
            if !entries.contains_key(&key) && (key != slot || self.get(&key)?.as_ref() == Some(&ours)) {
                self.changes.insert(key, None);
            }
        }
        self.changes.extend(entries.into_iter().map(|(key, value)| (key, Some(value))));
        Ok(())
    }

    /// What every leaf leaves behind, whatever it says.
    fn pass(&mut self, leaf: &[u8], at: Timestamp, proof: Option<&ProofShown>) {
        let position = self.size().to_be_bytes();
        for mark in proof.into_iter().flat_map(proof_marks) {
            self.changes.insert(key(b'p', &[&mark]), Some(position.to_vec()));
            self.changes.insert(key(b'q', &[&position, &mark]), Some(time_key(at).to_vec()));
        }
        self.applied.tree.push(leaf);
        self.applied.high_water = self.applied.high_water.max(Some(at));
    }

    /// Forgets proofs that can no longer count. What is forgotten depends on the record alone, not on
    /// where its groups ended: the oldest, as long as they are old enough.
    fn forget(&mut self) -> Answer<()> {
        let old = self.applied.high_water.and_then(|at| at.checked_sub(PROOF_KEPT).ok());
        let (Some(old), Some(end)) = (old, self.size().checked_sub(PROOF_KEPT_ENTRIES)) else {
            return Ok(());
        };
        let (from, to) = (key(b'q', &[]), key(b'q', &[&end.to_be_bytes()]));
        let stored = self.index.db.range(from.clone()..to.clone());
        let drafted: Vec<_> =
            self.changes.range(from..to).map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut aged: Changes = Changes::new();
        for entry in stored {
            let (key, value) = entry?;
            let value = unsealed(&key, &value)?;
            let is_old = value.as_slice() < time_key(old).as_slice();
            aged.insert(key.to_vec(), Some(value));
            if !is_old {
                break;
            }
        }
        aged.extend(drafted);
        for (queued, time) in aged {
            let Some(time) = time else { continue };
            if time.as_slice() >= time_key(old).as_slice() {
                break;
            }
            let (position, mark) =
                (queued.get(1..9).unwrap_or_default(), queued.get(9..).unwrap_or_default());
            let proof = key(b'p', &[mark]);
            if self.get(&proof)?.as_deref() == Some(position) {
                self.changes.insert(proof, None);
            }
            self.changes.insert(queued, None);
        }
        Ok(())
    }

    fn finish(mut self) -> Answer<(Changes, Applied)> {
        self.forget()?;
        let Applied { tree, high_water, policy } = &self.applied;
        let form = stored::Applied {
            schema: SCHEMA,
            size: tree.size(),
            subtrees: tree.subtrees().iter().map(|root| root.0.to_vec()).collect(),
            high_water: high_water.map(record::time_form),
            policy: policy.map(|(version, position)| stored::PolicyInForce {
                version: version.0,
                position: position.0,
            }),
        };
        self.changes.insert(b"m".to_vec(), Some(form.encode_to_vec()));
        Ok((self.changes, self.applied))
    }
}

/// Why a leaf of the log cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// It was not understood.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It cannot follow what stands before it.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
    /// It is not the next of its activation.
    #[error("it says it makes version {version}, and version {expected} is next")]
    Version {
        /// What it says.
        version: u64,
        /// What it should say.
        expected: u64,
    },
    /// The index failed over it.
    #[error(transparent)]
    Index(#[from] Broken),
}

/// Everything an activation stands under.
fn entries_of(activation: &Activation) -> Answer<BTreeMap<Key, Vec<u8>>> {
    let asked = &activation.request.asked;
    let id = activation.id.uuid();
    let id = id.as_bytes().as_slice();
    let card = card(activation);
    let mut entries = BTreeMap::from([
        (key(b'a', &[id]), record::snapshot(activation)?),
        ([principal_key(asked.principal).as_slice(), id].concat(), card.clone()),
        ([role_key(asked.role.as_str()).as_slice(), id].concat(), card.clone()),
        (request_key(asked.principal, activation.request.request_id), id.to_vec()),
    ]);
    if activation.is_live() {
        entries.insert(key(b'l', &[id]), card.clone());
    }
    if matches!(activation.state, State::AwaitingApproval { .. }) {
        entries.insert(key(b'v', &[id]), card);
    }
    if let Some(at) = wake_at(activation) {
        entries.insert(wake_key(at, activation.id), Vec::new());
    }
    if activation.takes_slot() {
        entries.insert(slot_key(&activation.slot()), id.to_vec());
    }
    Ok(entries)
}

fn encoded(said: &Said) -> Result<Vec<u8>, AppendError> {
    // No value of core's types is like this; one that were must not be in the log for ever.
    let unreadable = |error| StoreFault(format!("an entry cannot be written so that it reads back: {error}"));
    let leaf = record::leaf(said).map_err(unreadable)?;
    let (bytes, most) = (leaf.len(), record::most_bytes(said));
    if bytes > most { Err(AppendError::TooLarge { bytes, most }) } else { Ok(leaf) }
}

const fn proof_of(event: &Event) -> Option<&ProofShown> {
    match &event.change {
        Change::Requested(request) => Some(&request.proof),
        Change::Approved(_, proof) => Some(proof),
        _ => None,
    }
}

/// Under what a proof is known again: its token id, and its nonce where it has one.
fn proof_marks(proof: &ProofShown) -> Vec<[u8; 32]> {
    let mark =
        |kind: &[u8], text: &str| Sha256::new().chain_update(kind).chain_update(text).finalize().into();
    let mut marks = vec![mark(b"token:", &proof.token)];
    if !proof.nonce.is_empty() {
        marks.push(mark(b"nonce:", &proof.nonce));
    }
    marks
}

/// The words of the live states; the place is the card's first byte.
const LIVE_WORDS: [&str; 6] =
    ["requested", "awaiting approval", "scheduled", "activating", "active", "revoking"];
const CLOSED: u8 = 6;

fn card(activation: &Activation) -> Vec<u8> {
    let state = match activation.state {
        State::Requested => 0,
        State::AwaitingApproval { .. } => 1,
        State::Scheduled { .. } => 2,
        State::Activating { .. } => 3,
        State::Active { .. } => 4,
        State::Revoking { .. } => 5,
        State::Closed { .. } => CLOSED,
    };
    let asked = &activation.request.asked;
    let Principal { tenant, object } = asked.principal;
    [&[state], tenant.uuid().as_bytes().as_slice(), object.uuid().as_bytes(), asked.role.as_str().as_bytes()]
        .concat()
}

fn fits_card(filter: &Filter, card: &[u8]) -> bool {
    let Filter { principal, role, live_only, awaiting_only } = filter;
    let Some(((state, who), what)) =
        card.split_first_chunk::<33>().map(|(head, role)| (head.split_at(1), role))
    else {
        return false;
    };
    let same_principal = |principal: &Principal| {
        who == [principal.tenant.uuid().as_bytes().as_slice(), principal.object.uuid().as_bytes()].concat()
    };
    principal.as_ref().is_none_or(same_principal)
        && role.as_ref().is_none_or(|role| what == role.as_str().as_bytes())
        && !(*live_only && state == [CLOSED])
        && !(*awaiting_only && state != [1])
}

fn key(kind: u8, parts: &[&[u8]]) -> Key {
    let mut key = vec![kind];
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

fn principal_key(principal: Principal) -> Key {
    key(b'P', &[principal.tenant.uuid().as_bytes(), principal.object.uuid().as_bytes()])
}

fn role_key(role: &str) -> Key {
    key(b'R', &[role.as_bytes(), &[0]])
}

fn request_key(principal: Principal, request: RequestId) -> Key {
    let Principal { tenant, object } = principal;
    key(b'r', &[tenant.uuid().as_bytes(), object.uuid().as_bytes(), request.uuid().as_bytes()])
}

fn slot_key(slot: &Slot) -> Key {
    let Slot { principal: Principal { tenant, object }, role_definition, scope } = slot;
    let (kind, at) = match scope {
        Scope::Tenant => (0, Uuid::nil()),
        Scope::AdministrativeUnit(id) => (1, id.uuid()),
        Scope::Object(id) => (2, id.uuid()),
    };
    key(
        b's',
        &[
            tenant.uuid().as_bytes(),
            object.uuid().as_bytes(),
            role_definition.uuid().as_bytes(),
            &[kind],
            at.as_bytes(),
        ],
    )
}

fn wake_key(at: Timestamp, id: ActivationId) -> Key {
    key(b'w', &[&time_key(at), id.uuid().as_bytes()])
}

fn wake_in(key: &[u8]) -> Answer<(Timestamp, ActivationId)> {
    let damaged = || Broken::Damaged("a time to wake that is none".to_owned());
    let time = key.get(1..13).and_then(time_in).ok_or_else(damaged)?;
    Ok((time, id_in(key.get(13..).unwrap_or_default())?))
}

/// Twelve bytes that sort as the times do.
fn time_key(at: Timestamp) -> [u8; 12] {
    let prost_types::Timestamp { seconds, nanos } = record::time_form(at);
    let sortable = seconds.cast_unsigned() ^ (1 << 63);
    let mut key = [0; 12];
    let (high, low) = key.split_at_mut(8);
    high.copy_from_slice(&sortable.to_be_bytes());
    low.copy_from_slice(&nanos.to_be_bytes());
    key
}

fn time_in(key: &[u8]) -> Option<Timestamp> {
    let (seconds, nanos) = key.split_first_chunk::<8>()?;
    let seconds = (u64::from_be_bytes(*seconds) ^ (1 << 63)).cast_signed();
    let nanos = i32::from_be_bytes(nanos.try_into().ok()?);
    record::time_in(Some(prost_types::Timestamp { seconds, nanos })).ok()
}

fn id_in(bytes: &[u8]) -> Answer<ActivationId> {
    let id = Uuid::from_slice(bytes).map_err(|_| Broken::Damaged("an id that is none".to_owned()))?;
    Ok(ActivationId::from_uuid(id))
}

/// A value with a checksum over its key and itself in front.
fn sealed(key: &[u8], value: &[u8]) -> Vec<u8> {
    [&seal(key, value), value].concat()
}

fn unsealed(key: &[u8], sealed: &[u8]) -> Answer<Vec<u8>> {
    match sealed.split_first_chunk::<4>() {
        Some((sum, value)) if *sum == seal(key, value) => Ok(value.to_vec()),
        _ => Err(Broken::Damaged("a checksum in it does not hold".to_owned())),
    }
}

fn seal(key: &[u8], value: &[u8]) -> [u8; 4] {
    crc32c::crc32c_append(crc32c::crc32c(key), value).to_le_bytes()
}

#[cfg(test)]
mod tests;
