//! What the index stands on: sled, or, in a simulation, memory. Keys in order, values by key, several changes
//! in one step; nothing else is asked of either.

use std::ops::Bound;

use sled::IVec;

use super::Answer;
use super::keys::Key;

/// A key and its value, as they are kept.
type Pair = (IVec, IVec);

/// Pairs in order, from either end.
type Pairs<'s> = Box<dyn DoubleEndedIterator<Item = Answer<Pair>> + 's>;

/// What the index stands on.
#[derive(Debug)]
pub(super) enum Shelf {
    /// On disk.
    Sled(sled::Db),
    /// Nowhere: it ends with its owner.
    #[cfg(feature = "simulation")]
    Memory(memory::Memory),
}

impl Shelf {
    pub(super) fn get(&self, key: &[u8]) -> Answer<Option<IVec>> {
        match self {
            Self::Sled(db) => Ok(db.get(key)?),
            #[cfg(feature = "simulation")]
            Self::Memory(memory) => Ok(memory.get(key)),
        }
    }

    /// All within these bounds.
    pub(super) fn range(&self, bounds: (Bound<Key>, Bound<Key>)) -> Pairs<'_> {
        match self {
            Self::Sled(db) => Box::new(db.range::<Key, _>(bounds).map(|found| Ok(found?))),
            #[cfg(feature = "simulation")]
            Self::Memory(memory) => Box::new(memory.range(bounds).into_iter().map(Ok)),
        }
    }

    /// All whose keys begin so.
    pub(super) fn below(&self, prefix: &[u8]) -> Pairs<'_> {
        match self {
            Self::Sled(db) => Box::new(db.scan_prefix(prefix).map(|found| Ok(found?))),
            #[cfg(feature = "simulation")]
            Self::Memory(memory) => Box::new(memory.below(prefix).into_iter().map(Ok)),
        }
    }

    /// Changes these, all or none.
    pub(super) fn put(&self, changes: impl Iterator<Item = (Key, Option<Vec<u8>>)>) -> Answer<()> {
        match self {
            Self::Sled(db) => {
                let mut batch = sled::Batch::default();
                for (key, value) in changes {
                    match value {
                        Some(value) => batch.insert(key, value),
                        None => batch.remove(key),
                    }
                }
                Ok(db.apply_batch(batch)?)
            }
            #[cfg(feature = "simulation")]
            Self::Memory(memory) => {
                memory.put(changes);
                Ok(())
            }
        }
    }

    /// Writes all of it to where it is kept.
    pub(super) fn flush(&self) -> Answer<()> {
        match self {
            Self::Sled(db) => {
                db.flush()?;
                Ok(())
            }
            #[cfg(feature = "simulation")]
            Self::Memory(_) => Ok(()),
        }
    }

    #[cfg(test)]
    pub(super) fn sled(&self) -> &sled::Db {
        match self {
            Self::Sled(db) => db,
            #[cfg(feature = "simulation")]
            Self::Memory(_) => panic!("no test of sled looks at an index in memory"),
        }
    }
}

#[cfg(feature = "simulation")]
mod memory {
    use std::collections::BTreeMap;
    use std::sync::{PoisonError, RwLock, RwLockReadGuard};

    use super::{Bound, IVec, Key, Pair};

    /// As much of sled as the index uses.
    #[derive(Debug, Default)]
    pub(in crate::store::index) struct Memory(RwLock<BTreeMap<IVec, IVec>>);

    impl Memory {
        fn kept(&self) -> RwLockReadGuard<'_, BTreeMap<IVec, IVec>> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub(super) fn get(&self, key: &[u8]) -> Option<IVec> {
            self.kept().get(key).cloned()
        }

        pub(super) fn range(&self, bounds: (Bound<Key>, Bound<Key>)) -> Vec<Pair> {
            let bounds = (bounds.0.map(IVec::from), bounds.1.map(IVec::from));
            self.kept().range(bounds).map(|(key, value)| (key.clone(), value.clone())).collect()
        }

        pub(super) fn below(&self, prefix: &[u8]) -> Vec<Pair> {
            let kept = self.kept();
            let from_there = kept.range(IVec::from(prefix)..);
            let ours = from_there.take_while(|(key, _)| key.starts_with(prefix));
            ours.map(|(key, value)| (key.clone(), value.clone())).collect()
        }

        pub(super) fn put(&self, changes: impl Iterator<Item = (Key, Option<Vec<u8>>)>) {
            let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
            for (key, value) in changes {
                match value {
                    Some(value) => kept.insert(key.into(), value.into()),
                    None => kept.remove(key.as_slice()),
                };
            }
        }
    }
}

#[cfg(feature = "simulation")]
impl Shelf {
    pub(super) fn in_memory() -> Self {
        Self::Memory(memory::Memory::default())
    }
}
