//! The record in memory, for a simulation. What the disk does with the leaves, and when, is the simulator's
//! part; what may be appended, what a leaf says and what follows from it is decided by the same code as ever.

use std::fmt;

use elevate_core::activation::Activation;
use elevate_core::names::{ActivationId, Principal, RequestId, Slot};
use jiff::Timestamp;

use super::index::{Applied, Broken, Changes, Denied, Draft, Index};
use super::record;
use crate::ports::journal::{
    Append, AppendError, AppliedPolicy, Entry, Filter, Found, Freeze, Note, Page, Position, Recorded, Said,
    StoreFault,
};

/// A record whose log somebody else keeps.
#[derive(Debug)]
pub struct Memory {
    index: Index,
    applied: Applied,
    leaves: Vec<Vec<u8>>,
}

/// What was decided and is not yet on disk. Nothing else may be decided before it is taken, or dropped.
pub struct Decided {
    leaves: Vec<Vec<u8>>,
    changes: Changes,
    applied: Applied,
    activations: Vec<Activation>,
    position: Position,
}

impl Decided {
    /// The leaves to be written; all of them survive, or none.
    pub fn leaves(&self) -> &[Vec<u8>] {
        &self.leaves
    }
}

impl fmt::Debug for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decided").field("leaves", &self.leaves.len()).finish_non_exhaustive()
    }
}

impl Memory {
    /// What is in this log, as at every start.
    ///
    /// # Errors
    /// A leaf cannot stand where it stands.
    pub fn open(log: Vec<Vec<u8>>) -> Result<Self, StoreFault> {
        let index = Index::in_memory().map_err(fault)?;
        let mut draft = Draft::new(&index, Applied::default());
        for leaf in &log {
            draft.replay(leaf).map_err(|unfit| StoreFault(unfit.to_string()))?;
        }
        let (changes, applied) = draft.finish().map_err(fault)?;
        index.put(changes).map_err(fault)?;
        Ok(Self { index, applied, leaves: log })
    }

    /// The latest time in any entry.
    pub const fn high_water(&self) -> Option<Timestamp> {
        self.applied.high_water
    }

    /// How many entries there are.
    pub const fn size(&self) -> Position {
        Position(self.applied.tree.size())
    }

    /// Decides on appends that are one; nothing has changed yet.
    ///
    /// # Errors
    /// A rule of the record stands against it.
    pub fn decide(&self, appends: &[Append]) -> Result<Decided, AppendError> {
        let mut draft = Draft::new(&self.index, self.applied.clone());
        let (leaves, activations) = draft.admit(appends).map_err(denied)?;
        let (changes, applied) = draft.finish().map_err(fault)?;
        Ok(Decided { leaves, changes, applied, activations, position: self.size() })
    }

    /// Decides on a note; nothing has changed yet.
    ///
    /// # Errors
    /// A rule of the record stands against it.
    pub fn decide_note(&self, note: &Note) -> Result<Decided, AppendError> {
        let mut draft = Draft::new(&self.index, self.applied.clone());
        let (leaf, position) = draft.admit_note(note).map_err(denied)?;
        let (changes, applied) = draft.finish().map_err(fault)?;
        Ok(Decided { leaves: vec![leaf], changes, applied, activations: Vec::new(), position })
    }

    /// It is on disk: what the activations then are, and where it stands.
    ///
    /// # Errors
    /// None that a simulation knows of.
    pub fn take(&mut self, decided: Decided) -> Result<(Vec<Recorded>, Position), StoreFault> {
        let Decided { leaves, changes, applied, activations, position } = decided;
        self.index.put(changes).map_err(fault)?;
        self.applied = applied;
        self.leaves.extend(leaves);
        Ok((activations.into_iter().map(Recorded::appended).collect(), position))
    }

    /// Forgets who takes which slot. No broker does: it shows what slots are good for.
    ///
    /// # Errors
    /// None that a simulation knows of.
    pub fn forget_slots(&self) -> Result<(), StoreFault> {
        self.index.forget_slots().map_err(fault)
    }

    /// As [`Journal::load`](crate::ports::Journal::load).
    ///
    /// # Errors
    /// None that a simulation knows of; so below.
    pub fn load(&self, id: ActivationId) -> Result<Option<Recorded>, StoreFault> {
        Ok(self.index.activation(id).map_err(fault)?.map(Recorded::loaded))
    }

    /// As [`Journal::holder`](crate::ports::Journal::holder).
    ///
    /// # Errors
    /// See [`Memory::load`].
    pub fn holder(&self, slot: &Slot) -> Result<Option<ActivationId>, StoreFault> {
        self.index.holder(slot).map_err(fault)
    }

    /// As [`Journal::begun_by`](crate::ports::Journal::begun_by).
    ///
    /// # Errors
    /// See [`Memory::load`].
    pub fn begun_by(&self, who: Principal, request: RequestId) -> Result<Option<ActivationId>, StoreFault> {
        self.index.begun_by(who, request).map_err(fault)
    }

    /// As [`Journal::due`](crate::ports::Journal::due).
    ///
    /// # Errors
    /// See [`Memory::load`].
    pub fn due(
        &self,
        until: Timestamp,
        after: Option<(Timestamp, ActivationId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, ActivationId)>, StoreFault> {
        self.index.due(until, after, limit).map_err(fault)
    }

    /// As [`Journal::next_due`](crate::ports::Journal::next_due).
    ///
    /// # Errors
    /// See [`Memory::load`].
    pub fn next_due(&self, moment: Timestamp) -> Result<Option<Timestamp>, StoreFault> {
        self.index.next_due(moment).map_err(fault)
    }

    /// As [`Journal::find`](crate::ports::Journal::find).
    ///
    /// # Errors
    /// See [`Memory::load`].
    pub fn find(&self, filter: &Filter, page: &Page) -> Result<Found, StoreFault> {
        let (found, next) = self.index.find(filter, page).map_err(fault)?;
        Ok(Found { activations: found.into_iter().map(Recorded::loaded).collect(), next })
    }

    /// As [`Journal::census`](crate::ports::Journal::census).
    ///
    /// # Errors
    /// See [`Memory::load`].
    pub fn census(&self) -> Result<Vec<(&'static str, u64)>, StoreFault> {
        self.index.census().map_err(fault)
    }

    /// As [`Journal::policy`](crate::ports::Journal::policy).
    ///
    /// # Errors
    /// See [`Memory::load`].
    pub fn policy(&self) -> Result<Option<AppliedPolicy>, StoreFault> {
        let Some((_, at)) = self.applied.policy else { return Ok(None) };
        match self.said(at)? {
            Some(Said::Note(Note::PolicyApplied(policy))) => Ok(Some(policy)),
            _ => Err(StoreFault("the policy is not where the index says".to_owned())),
        }
    }

    /// As [`Journal::proposal`](crate::ports::Journal::proposal).
    ///
    /// # Errors
    /// See [`Memory::load`].
    pub fn proposal(&self) -> Result<Option<AppliedPolicy>, StoreFault> {
        let Some((_, at)) = self.applied.proposal else { return Ok(None) };
        match self.said(at)? {
            Some(Said::Note(Note::PolicyProposed(policy))) => Ok(Some(policy)),
            _ => Err(StoreFault("the proposal is not where the index says".to_owned())),
        }
    }

    /// As [`Journal::freeze`](crate::ports::Journal::freeze).
    pub fn freeze(&self) -> Option<Freeze> {
        self.applied.freeze.clone()
    }

    /// As [`Journal::read`](crate::ports::Journal::read).
    ///
    /// # Errors
    /// A leaf says nothing.
    pub fn read(&self, from: Position, limit: usize) -> Result<Vec<Entry>, StoreFault> {
        let leaves = self.leaves.iter().zip(0..).skip(usize::try_from(from.0).unwrap_or(usize::MAX));
        let entry =
            |(leaf, place): (&Vec<u8>, u64)| Ok(Entry { position: Position(place), said: said(leaf)? });
        leaves.take(limit).map(entry).collect()
    }

    fn said(&self, at: Position) -> Result<Option<Said>, StoreFault> {
        let leaf = usize::try_from(at.0).ok().and_then(|at| self.leaves.get(at));
        leaf.map(|leaf| said(leaf)).transpose()
    }
}

/// What a leaf says.
///
/// # Errors
/// Nothing that this broker understands.
pub fn said(leaf: &[u8]) -> Result<Said, StoreFault> {
    record::said_by(leaf).map_err(|error| StoreFault(error.to_string()))
}

fn denied(denied: Denied) -> AppendError {
    match denied {
        Denied::Refused(refused) => refused,
        Denied::Broken(broken) => fault(broken).into(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn fault(broken: Broken) -> StoreFault {
    StoreFault(broken.to_string())
}
