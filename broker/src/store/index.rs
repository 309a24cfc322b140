//! The index: what can be looked up, in sled. Everything in it follows from the log and can be made again,
//! so nothing here has to survive anything.
//!
//! One tree, so that one batch is one atomic step; a letter in front of each key says what it is. All that
//! an activation stands under is a function of it ([`keys::entries_of`]), so an update is the difference of
//! two. Every value carries a checksum over its key and itself: what sled does not notice, we do.
//!
//! | key | value |
//! |---|---|
//! | `m` | how far it has come ([`Applied`]) |
//! | `a` activation | the activation as it stands |
//! | `P` principal, activation | card |
//! | `R` role, 0, activation | card |
//! | `l` activation | card, while it is live |
//! | `v` activation | card, while it waits for people |
//! | `o` activation | card, while somebody has to look at it after |
//! | `w` time, activation | nothing: when to look at it next |
//! | `s` slot | activation, while it takes the slot |
//! | `r` principal, request id | activation |
//! | `p` hash of a token id or nonce | position of the event that used it |
//! | `q` position, the same hash | time of that event: for forgetting in order |
//!
//! A *card* is what [`Filter`](crate::ports::journal::Filter) asks about: state, principal, role.

use std::path::Path;
use std::time::Duration;

use elevate_core::policy::PolicyVersion;
use elevate_proto::record::v1 as stored;
use jiff::Timestamp;
use prost::Message as _;

use super::record::{self, Unreadable};
use super::tree::{Root, Tree};
use crate::ports::journal::{Freeze, Note, Position};

mod draft;
mod find;
mod keys;
mod shelf;

pub(super) use draft::{Denied, Draft, Unfit};
pub(super) use keys::Changes;
use keys::{sealed, unsealed};
use shelf::Shelf;

/// Counts the forms the index has had. Another number: set aside, and made again.
const SCHEMA: u32 = 4;

/// How much of it sled keeps in memory.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How often sled writes. What is lost with a power cut is replayed from the log.
const FLUSH_EVERY_MS: u64 = 500;

/// How often, and how far apart, sled's lock is tried.
const LOCK_TRIES: u32 = 100;
const LOCK_WAIT: Duration = Duration::from_millis(20);

/// What the index cannot answer, and why.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// What it holds is not what was written; it has to be made again.
    #[error("the index is damaged: {0}")]
    Damaged(String),
    /// The system would not read or write it.
    #[error("the index cannot be used: {reason}")]
    Disk {
        /// There is no room.
        full: bool,
        /// There is no room, or no leave to write: another index would fare no better.
        hopeless: bool,
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
                Self::Disk {
                    full: super::ballast::is_full(&error),
                    hopeless: hopeless.contains(&error.kind()),
                    reason: error.to_string(),
                }
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

/// What it says to a question.
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
    /// The policy that waits for a second person, and where it stands.
    pub(super) proposal: Option<(PolicyVersion, Position)>,
    /// Since when nothing is granted, if so.
    pub(super) freeze: Option<Freeze>,
}

impl Applied {
    /// What a note changes for the whole record; `position` is where it stands.
    fn learn(&mut self, note: &Note, position: Position) {
        match note {
            Note::PolicyApplied(policy) => {
                self.policy = Some((policy.version, position));
                // It was proposed against the version before.
                self.proposal = None;
            }
            Note::PolicyProposed(policy) => self.proposal = Some((policy.version, position)),
            Note::Frozen(freeze) => self.freeze = Some(freeze.clone()),
            Note::Thawed(_) => self.freeze = None,
            Note::Refused { .. } | Note::Broker { .. } | Note::Drift { .. } => {}
        }
    }
}

/// The index, open.
#[derive(Debug)]
pub(super) struct Index {
    shelf: Shelf,
}

impl Index {
    /// Opens what is in this folder, or begins one there. The [`super::guard`] has looked first.
    pub(super) fn open(folder: &Path) -> Answer<Self> {
        if !folder.join("db").exists() {
            // sled writes its first snapshot at the second opening. From then on one that has none, or
            // does not say how far it has come, has lost it, and is not mistaken for a new one.
            let new = Self { shelf: Shelf::Sled(opened(folder)?) };
            new.take(Draft::new(&new, Applied::default()))?;
            new.flush()?;
        }
        Ok(Self { shelf: Shelf::Sled(opened(folder)?) })
    }

    /// A new one that is nowhere but in memory.
    #[cfg(feature = "simulation")]
    pub(super) fn in_memory() -> Answer<Self> {
        let new = Self { shelf: Shelf::in_memory() };
        new.take(Draft::new(&new, Applied::default()))?;
        Ok(new)
    }

    /// Forgets who takes which slot.
    #[cfg(feature = "simulation")]
    pub(super) fn forget_slots(&self) -> Answer<()> {
        let slots: Answer<Changes> =
            self.shelf.below(b"s").map(|found| found.map(|(key, _)| (key.to_vec(), None))).collect();
        self.put(slots?)
    }

    /// How far it has come.
    pub(super) fn applied(&self) -> Answer<Applied> {
        let damaged = || Broken::Damaged("it does not say how far it has come".to_owned());
        let bytes = self.value(b"m")?.ok_or_else(damaged)?;
        let form = stored::Applied::decode(bytes.as_slice()).map_err(|_| damaged())?;
        let stored::Applied { schema, size, subtrees, high_water, policy, freeze, proposal } = form;
        if schema != SCHEMA {
            return Err(Broken::Damaged(format!(
                "it has form {schema}, and this broker keeps form {SCHEMA}"
            )));
        }
        let stands =
            |stored::PolicyInForce { version, position }| (PolicyVersion(version), Position(position));
        let subtrees: Option<Vec<Root>> =
            subtrees.into_iter().map(|root| root.try_into().ok().map(Root)).collect();
        Ok(Applied {
            tree: subtrees.and_then(|subtrees| Tree::from_parts(size, subtrees)).ok_or_else(damaged)?,
            high_water: high_water.map(|at| record::time_in(Some(at))).transpose()?,
            policy: policy.map(stands),
            proposal: proposal.map(stands),
            freeze: freeze.map(record::freeze_in).transpose()?,
        })
    }

    /// Takes over what a draft says, in one step.
    pub(super) fn take(&self, draft: Draft<'_>) -> Answer<Applied> {
        let (changes, applied) = draft.finish()?;
        self.put(changes)?;
        Ok(applied)
    }

    /// Changes what it holds, in one step.
    pub(super) fn put(&self, changes: Changes) -> Answer<()> {
        let seal = |key: keys::Key, value: Option<Vec<u8>>| {
            let value = value.map(|value| sealed(&key, &value));
            (key, value)
        };
        self.shelf.put(changes.into_iter().map(|(key, value)| seal(key, value)))
    }

    /// Writes all of it to the disk.
    pub(super) fn flush(&self) -> Answer<()> {
        self.shelf.flush()
    }

    /// How many activations there are, closed ones too.
    pub(super) fn activations(&self) -> Answer<u64> {
        let mut count = 0_u64;
        for found in self.shelf.below(b"a") {
            found?;
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    /// The first difference to another index, if there is one.
    pub(super) fn compare(&self, other: &Self) -> Answer<Result<(), String>> {
        let (mut ours, mut theirs) = (self.shelf.below(b""), other.shelf.below(b""));
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
        self.shelf.get(key)?.map(|value| unsealed(key, &value)).transpose()
    }

    #[cfg(test)]
    pub(super) fn raw(&self) -> &sled::Db {
        self.shelf.sled()
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

#[cfg(test)]
mod tests;
