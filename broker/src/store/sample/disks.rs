//! Disks that fail.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::store::disk::{Disk, Kernel};

/// A disk that counts, and fails once at the given call and ever after.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Faulty {
    pub(in crate::store) writes: Arc<AtomicU64>,
    pub(in crate::store) syncs: Arc<AtomicU64>,
    /// Fails from this write on; 0 is never.
    pub(in crate::store) bad_write: u64,
    /// Of the write that fails, so many bytes still arrive.
    pub(in crate::store) arrives: usize,
    /// Fails from this sync on; 0 is never.
    pub(in crate::store) bad_sync: u64,
    /// Takes nothing as long as this file is there: the room is the file's.
    pub(in crate::store) room_behind: Option<PathBuf>,
}

impl Disk for Faulty {
    fn write(&mut self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let n = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if self.room_behind.as_ref().is_some_and(|file| file.exists()) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
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

    fn another(&self) -> Box<dyn Disk> {
        Box::new(self.clone())
    }
}

/// A disk that remembers in which order it was written and synced, and can say what it may have held at any
/// moment: all that was synced, and of the rest whatever it liked.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct PowerCut(Arc<Mutex<Vec<Call>>>);

#[derive(Debug, Clone)]
enum Call {
    Write { inode: u64, at: usize, bytes: Vec<u8> },
    Sync { inode: u64 },
    Acknowledged,
}

impl PowerCut {
    /// An append was answered.
    pub(in crate::store) fn acknowledged(&self) {
        self.0.lock().unwrap().push(Call::Acknowledged);
    }

    /// How many calls there were.
    pub(in crate::store) fn moments(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Writes what the disk may have held after the first `moment` calls; how many appends had been
    /// answered then.
    pub(in crate::store) fn image(&self, from: &Path, to: &Path, moment: usize, seed: u64) -> u64 {
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

    fn another(&self) -> Box<dyn Disk> {
        Box::new(self.clone())
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
