//! What the library wrote down, and what a disk may hold of it when the power goes.
//!
//! A line of the log: kind u32, inode u64, place u64, three lengths u32, then one path, another path, bytes; all
//! little endian.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::Dice;

/// The disk writes these whole or not at all.
const SECTOR: usize = 512;

const HEAD: usize = 32;

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Line {
    /// What.
    pub call: Call,
    /// How long the log was when it was written down.
    pub ends: u64,
}

/// What happened. Names are relative to the folder.
#[derive(Debug, Clone)]
pub enum Call {
    /// A file came to be.
    Create {
        /// Which.
        inode: u64,
        /// Under which name.
        name: PathBuf,
    },
    /// Bytes were written.
    Write {
        /// To which file.
        inode: u64,
        /// Where.
        at: usize,
        /// Which.
        bytes: Vec<u8>,
    },
    /// It was given a length.
    Truncate {
        /// Which.
        inode: u64,
        /// Which length.
        length: usize,
    },
    /// A file or a folder was synced.
    Sync {
        /// Which.
        inode: u64,
        /// Under which name.
        name: PathBuf,
    },
    /// A file was written out and not synced: sled's `flush`. For a power cut it is nothing.
    Range {
        /// Under which name.
        name: PathBuf,
    },
    /// Something was renamed.
    Rename {
        /// From.
        from: PathBuf,
        /// To.
        to: PathBuf,
    },
    /// Something was removed.
    Unlink {
        /// What.
        name: PathBuf,
    },
    /// A folder came to be.
    Mkdir {
        /// Which.
        inode: u64,
        /// Under which name.
        name: PathBuf,
    },
}

/// Reads the log of what happened below `folder`.
///
/// # Errors
/// It is not one.
pub fn read(log: &Path, folder: &Path) -> Result<Vec<Line>> {
    let bytes = fs::read(log).with_context(|| format!("{} cannot be read", log.display()))?;
    let (mut lines, mut at) = (Vec::new(), 0);
    while let Some(head) = bytes.get(at..at + HEAD) {
        let word = |place: usize| {
            u64::from(u32::from_le_bytes([head[place], head[place + 1], head[place + 2], head[place + 3]]))
        };
        let long = |place: usize| word(place) | word(place + 4) << 32;
        let length = |place: usize| usize::try_from(word(place)).unwrap_or(usize::MAX);
        let (kind, inode, place) = (word(0), long(4), long(12));
        let place = usize::try_from(place)?;
        let (one, other, data) = (length(20), length(24), length(28));
        let from = at + HEAD;
        // The last line may be cut short by a kill.
        let Some(body) = bytes.get(from..from + one + other + data) else { break };
        let name = |bytes: &[u8]| -> Result<PathBuf> {
            let path = PathBuf::from(String::from_utf8(bytes.to_vec())?);
            Ok(path.strip_prefix(folder).map(Path::to_owned).unwrap_or(path))
        };
        let (first, second) = (&body[..one], &body[one..one + other]);
        let call = match kind {
            1 => Call::Create { inode, name: name(first)? },
            2 => Call::Write { inode, at: place, bytes: body[one + other..].to_vec() },
            3 => Call::Truncate { inode, length: place },
            4 => Call::Sync { inode, name: name(first)? },
            5 => Call::Range { name: name(first)? },
            6 => Call::Rename { from: name(first)?, to: name(second)? },
            7 => Call::Unlink { name: name(first)? },
            8 => Call::Mkdir { inode, name: name(first)? },
            other => bail!("{}: line of kind {other} at byte {at}", log.display()),
        };
        at = from + body.len();
        lines.push(Line { call, ends: at as u64 });
    }
    Ok(lines)
}

/// What a disk may hold of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// Only what was synced: data by its own file, names by their folder.
    Synced,
    /// Data without size: sectors may have arrived, but no file is longer than when it was synced last. Of the
    /// names the first so many.
    Sizeless,
    /// Of each write nothing, a part, some sectors or all; the length may be ahead of the bytes. Of the names the
    /// first so many.
    Torn,
}

impl Model {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Synced, Self::Sizeless, Self::Torn];
}

#[derive(Debug, Clone)]
enum Pending {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

#[derive(Debug, Clone, Default)]
struct File {
    sure: Vec<u8>,
    pending: Vec<Pending>,
}

type Names = BTreeMap<u64, BTreeMap<OsString, u64>>;

#[derive(Debug, Clone)]
enum Naming {
    Link { folder: u64, name: OsString, inode: u64 },
    Unlink { folder: u64, name: OsString },
    Rename { from: (u64, OsString), to: (u64, OsString) },
}

impl Naming {
    fn is_of(&self, synced: u64) -> bool {
        match self {
            Self::Link { folder, .. } | Self::Unlink { folder, .. } => *folder == synced,
            Self::Rename { from, to } => from.0 == synced || to.0 == synced,
        }
    }

    fn apply(&self, names: &mut Names) {
        match self {
            Self::Link { folder, name, inode } => {
                names.entry(*folder).or_default().insert(name.clone(), *inode);
            }
            Self::Unlink { folder, name } => {
                names.entry(*folder).or_default().remove(name);
            }
            Self::Rename { from, to } => {
                if let Some(inode) = names.entry(from.0).or_default().remove(&from.1) {
                    names.entry(to.0).or_default().insert(to.1.clone(), inode);
                }
            }
        }
    }
}

/// A disk, up to some line of its history.
#[derive(Debug, Default)]
pub struct Disk {
    root: u64,
    folders: std::collections::BTreeSet<u64>,
    files: BTreeMap<u64, File>,
    /// As the process sees it.
    live: Names,
    /// As it stands for sure.
    sure: Names,
    pending: Vec<Naming>,
}

impl Disk {
    /// Goes on by one line.
    ///
    /// # Errors
    /// It does not follow from those before.
    pub fn follow(&mut self, call: &Call) -> Result<()> {
        match call {
            Call::Mkdir { inode, name } if name.as_os_str().is_empty() => {
                self.root = *inode;
                self.folders.insert(*inode);
            }
            Call::Mkdir { inode, name } => {
                self.folders.insert(*inode);
                self.live.insert(*inode, BTreeMap::new());
                self.link(name, *inode)?;
            }
            Call::Create { inode, name } => {
                // The number may have been another file's before.
                self.files.insert(*inode, File::default());
                self.link(name, *inode)?;
            }
            Call::Write { inode, at, bytes } => {
                let file = self.files.entry(*inode).or_default();
                file.pending.push(Pending::Write { at: *at, bytes: bytes.clone() });
            }
            Call::Truncate { inode, length } => {
                self.files.entry(*inode).or_default().pending.push(Pending::Truncate(*length));
            }
            Call::Sync { inode, .. } if self.folders.contains(inode) => {
                for naming in self.pending.extract_if(.., |naming| naming.is_of(*inode)) {
                    naming.apply(&mut self.sure);
                }
            }
            Call::Sync { inode, .. } => {
                let file = self.files.entry(*inode).or_default();
                for pending in std::mem::take(&mut file.pending) {
                    pending.apply(&mut file.sure);
                }
            }
            Call::Range { .. } => {}
            Call::Rename { from, to } => {
                let naming = Naming::Rename { from: self.place(from)?, to: self.place(to)? };
                self.name(naming);
            }
            Call::Unlink { name } => {
                let (folder, name) = self.place(name)?;
                self.name(Naming::Unlink { folder, name });
            }
        }
        Ok(())
    }

    fn link(&mut self, name: &Path, inode: u64) -> Result<()> {
        let (folder, name) = self.place(name)?;
        self.name(Naming::Link { folder, name, inode });
        Ok(())
    }

    fn name(&mut self, naming: Naming) {
        naming.apply(&mut self.live);
        self.pending.push(naming);
    }

    fn place(&self, path: &Path) -> Result<(u64, OsString)> {
        let mut at = self.root;
        let mut parts = path.components().peekable();
        while let Some(Component::Normal(part)) = parts.next() {
            if parts.peek().is_none() {
                return Ok((at, part.to_owned()));
            }
            let inside = self.live.get(&at).and_then(|names| names.get(part));
            at = *inside.with_context(|| format!("{} is in no folder that is known", path.display()))?;
        }
        bail!("`{}` is no name below the folder", path.display())
    }

    /// Writes what a disk may hold now into an empty folder.
    ///
    /// # Errors
    /// The system would not.
    pub fn image(&self, model: Model, dice: &mut Dice, into: &Path) -> Result<()> {
        let mut names = self.sure.clone();
        if model != Model::Synced {
            // In order, as a journal has them; half of the time all.
            let known =
                if dice.throw(2) == 0 { self.pending.len() } else { dice.place(self.pending.len() + 1) };
            self.pending.iter().take(known).for_each(|naming| naming.apply(&mut names));
        }
        self.write(&names, self.root, into, &mut |file| file.held(model, dice))
    }

    /// Writes everything that the process wrote, as if nothing had happened to it.
    ///
    /// # Errors
    /// The system would not.
    pub fn whole(&self, into: &Path) -> Result<()> {
        let all = |file: &File| {
            let mut bytes = file.sure.clone();
            file.pending.iter().for_each(|pending| pending.apply(&mut bytes));
            bytes
        };
        self.write(&self.live, self.root, into, &mut |file| all(file))
    }

    fn write(
        &self,
        names: &Names,
        folder: u64,
        into: &Path,
        held: &mut dyn FnMut(&File) -> Vec<u8>,
    ) -> Result<()> {
        fs::create_dir_all(into)?;
        for (name, inode) in names.get(&folder).into_iter().flatten() {
            let path = into.join(name);
            if self.folders.contains(inode) {
                self.write(names, *inode, &path, held)?;
            } else {
                let file =
                    self.files.get(inode).with_context(|| format!("{} was never made", path.display()))?;
                fs::write(path, held(file))?;
            }
        }
        Ok(())
    }
}

impl Pending {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes: written } => put(bytes, *at, written),
            Self::Truncate(length) => bytes.resize(*length, 0),
        }
    }
}

impl File {
    fn held(&self, model: Model, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.sure.clone();
        for pending in &self.pending {
            match (model, pending) {
                (Model::Synced, _) => {}
                (Model::Sizeless, Pending::Truncate(_)) => {}
                (_, Pending::Write { at, bytes: written }) => match dice.throw(4) {
                    0 => {}
                    1 => put(&mut bytes, *at, &written[..dice.place(written.len() + 1)]),
                    2 => put(&mut bytes, *at, written),
                    _ => sectors(&mut bytes, *at, written, dice),
                },
                (Model::Torn, Pending::Truncate(length)) => {
                    if dice.throw(2) == 0 {
                        bytes.resize(*length, 0);
                    }
                }
            }
        }
        if model == Model::Sizeless {
            bytes.resize(self.sure.len(), 0);
        }
        bytes
    }
}

/// Each sector there or not; the length may be ahead of them.
fn sectors(bytes: &mut Vec<u8>, at: usize, written: &[u8], dice: &mut Dice) {
    let end = at + written.len();
    if dice.throw(2) == 0 && bytes.len() < end {
        bytes.resize(end, 0);
    }
    let mut place = at;
    while place < end {
        let next = ((place / SECTOR + 1) * SECTOR).min(end);
        if dice.throw(2) == 0 {
            put(bytes, place, &written[place - at..next - at]);
        }
        place = next;
    }
}

fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    file.resize(file.len().max(at + bytes.len()), 0);
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Whether these folders hold the same files with the same bytes, the ballast left aside.
///
/// # Errors
/// They do not, and where.
pub fn same(one: &Path, other: &Path) -> Result<()> {
    let listed = |folder: &Path| -> Result<Vec<OsString>> {
        let mut names: Vec<_> = fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<_, _>>()?;
        names.retain(|name| !["ballast", "ballast.new"].iter().any(|room| name == room));
        names.sort();
        Ok(names)
    };
    let names = listed(one)?;
    ensure!(names == listed(other)?, "{} and {} do not hold the same names", one.display(), other.display());
    for name in names {
        let (one, other) = (one.join(&name), other.join(&name));
        if one.is_dir() {
            same(&one, &other)?;
        } else {
            ensure!(fs::read(&one)? == fs::read(&other)?, "{} and {} differ", one.display(), other.display());
        }
    }
    Ok(())
}
