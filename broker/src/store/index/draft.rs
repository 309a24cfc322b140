//! What is to be added: decided against the index and what was admitted before it in the same group.

use std::collections::{HashMap, HashSet};
use std::ops::Bound;

use elevate_core::activation::{Activation, Change, Event, IllegalEvent, ProofShown};
use elevate_core::names::ActivationId;
use elevate_core::policy::PolicyVersion;
use elevate_proto::record::v1 as stored;
use jiff::{SignedDuration, Timestamp};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::keys::{Changes, entries_of, id_in, key, request_key, slot_key, time_key, unsealed};
use super::{Answer, Applied, Broken, Index, SCHEMA};
use crate::ports::journal::{Append, AppendError, Note, Position, Said, StoreFault};
use crate::store::record::{self, Unreadable};
use crate::store::tree::Tree;

/// A used proof is remembered at least this long: longer than any rule lets a sign-in count (an hour at
/// the most) and any token lives.
const PROOF_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// And for at least so many entries, whatever the time: a clock that leapt must not make us forget.
const PROOF_KEPT_ENTRIES: u64 = 65_536;

/// What the index will be once the leaves that were admitted are on disk.
#[derive(Debug)]
pub(in crate::store) struct Draft<'i> {
    index: &'i Index,
    changes: Changes,
    applied: Applied,
}

impl<'i> Draft<'i> {
    /// Nothing admitted yet.
    pub(in crate::store) fn new(index: &'i Index, applied: Applied) -> Self {
        Self { index, changes: Changes::new(), applied }
    }

    /// How many leaves there will be.
    pub(in crate::store) const fn size(&self) -> u64 {
        self.applied.tree.size()
    }

    /// The tree there will be.
    pub(in crate::store) const fn tree(&self) -> &Tree {
        &self.applied.tree
    }

    /// Decides on appends that are one: their leaves, and what the activations then are. Refused, nothing
    /// has changed.
    pub(in crate::store) fn admit(
        &mut self,
        appends: &[Append],
    ) -> Result<(Vec<Vec<u8>>, Vec<Activation>), Denied> {
        // One alone changes nothing before it is admitted.
        let saved = (appends.len() > 1).then(|| (self.changes.clone(), self.applied.clone()));
        let mut together =
            Together { ids: appends.iter().map(|append| append.id).collect(), marks: HashMap::new() };
        let (mut leaves, mut now) = (Vec::new(), Vec::new());
        for append in appends {
            match self.admit_one(append, &mut together) {
                Ok((more, activation)) => {
                    leaves.extend(more);
                    now.push(activation);
                }
                Err(denied) => {
                    if let Some((changes, applied)) = saved {
                        (self.changes, self.applied) = (changes, applied);
                    }
                    return Err(denied);
                }
            }
        }
        let (bytes, most) = (leaves.iter().map(Vec::len).sum(), record::POLICY_MAX);
        if bytes > most {
            if let Some((changes, applied)) = saved {
                (self.changes, self.applied) = (changes, applied);
            }
            return Err(AppendError::TooLarge { bytes, most }.into());
        }
        Ok((leaves, now))
    }

    fn admit_one(
        &mut self,
        append: &Append,
        together: &mut Together,
    ) -> Result<(Vec<Vec<u8>>, Activation), Denied> {
        let Append { id, expected, events } = append;
        let (id, expected) = (*id, *expected);
        let before = self.activation(id)?;
        let is = before.as_ref().map_or(0, |activation| activation.version);
        if is != expected {
            return Err(AppendError::Conflict { expected, is }.into());
        }
        let mut now = before.clone();
        let mut used = HashSet::new();
        let mut leaves = Vec::new();
        for event in events {
            let next = match now {
                None => Activation::open(id, event)?,
                Some(activation) => activation.apply(event)?,
            };
            if let Change::Requested(request) = &event.change {
                let key = request_key(request.asked.principal, request.request_id);
                if let Some(by) = self.get(&key)?.map(|by| id_in(&by)).transpose()?
                    && !together.ids.contains(&by)
                {
                    return Err(AppendError::RequestIdUsed { by }.into());
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
                let by_another = together.marks.get(&mark).is_some_and(|by| *by != id);
                let counted = !by_another && self.get(&key(b'p', &[&mark]))?.is_some();
                if counted || !used.insert(mark) {
                    return Err(AppendError::ProofUsed.into());
                }
            }
            let leaf = encoded(&Said::Activation { id, version: next.version, event: event.clone() })?;
            leaves.push(leaf);
            now = Some(next);
        }
        let Some(now) = now.filter(|_| !events.is_empty()) else {
            let state = before.as_ref().map_or("not asked for", |activation| activation.state.word());
            return Err(IllegalEvent { state, change: "nothing" }.into());
        };
        self.stage(before.as_ref(), &now)?;
        for (leaf, event) in leaves.iter().zip(events) {
            self.pass(leaf, event.at, proof_of(event));
        }
        for mark in used {
            together.marks.entry(mark).or_insert(id);
        }
        Ok((leaves, now))
    }

    /// Decides on a note: its leaf, and where it will stand.
    pub(in crate::store) fn admit_note(&mut self, note: &Note) -> Result<(Vec<u8>, Position), Denied> {
        let at = note.at();
        let position = Position(self.size());
        if let Note::PolicyApplied(policy) | Note::PolicyProposed(policy) = note {
            let is = self.applied.policy.map_or(PolicyVersion(0), |(version, _)| version);
            if policy.version != is.next() {
                // The version it was decided on is the one before its own.
                return Err(
                    AppendError::Conflict { expected: policy.version.0.saturating_sub(1), is: is.0 }.into()
                );
            }
        }
        let leaf = encoded(&Said::Note(note.clone()))?;
        self.applied.learn(note, position);
        self.pass(&leaf, at, None);
        Ok((leaf, position))
    }

    /// Takes a leaf that is in the log already. What it was checked against then is not checked again:
    /// it happened.
    pub(in crate::store) fn replay(&mut self, leaf: &[u8]) -> Result<(), Unfit> {
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
                self.applied.learn(&note, Position(self.size()));
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
        let stored = self.index.shelf.range((Bound::Included(from.clone()), Bound::Excluded(to.clone())));
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

    pub(in crate::store) fn finish(mut self) -> Answer<(Changes, Applied)> {
        self.forget()?;
        let Applied { tree, high_water, policy, proposal, freeze } = &self.applied;
        let stands = |(version, position): (PolicyVersion, Position)| stored::PolicyInForce {
            version: version.0,
            position: position.0,
        };
        let form = stored::Applied {
            schema: SCHEMA,
            size: tree.size(),
            subtrees: tree.subtrees().iter().map(|root| root.0.to_vec()).collect(),
            high_water: high_water.map(record::time_form),
            policy: policy.map(stands),
            freeze: freeze.as_ref().map(record::freeze_form),
            proposal: proposal.map(stands),
        };
        self.changes.insert(b"m".to_vec(), Some(form.encode_to_vec()));
        Ok((self.changes, self.applied))
    }
}

/// What appends that are one share: a proof that one of them used counts for the others too.
struct Together {
    ids: HashSet<ActivationId>,
    marks: HashMap<[u8; 32], ActivationId>,
}

/// Why a draft did not admit something.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum Denied {
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

/// Why a leaf of the log cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum Unfit {
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
