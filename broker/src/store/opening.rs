//! Opening: log, anchor and index are brought into agreement, or the record is refused.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::anchor::{self, Anchor};
use super::ballast;
use super::disk::{self, Disk};
use super::guard;
use super::index::{Applied, Broken, Draft, Index, Unfit};
use super::log::{self, Log, SEGMENT_BYTES, Segments};
use super::record::Unreadable;
use super::tree::Tree;

/// How many leaves are replayed into the index at once.
const REPLAY_MAX: u64 = 1024;

/// Why a record was not opened, checked, copied or restored: what, why, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system would not.
    #[error("cannot {doing} {}: {error}; see that the disk has room and that the folder belongs to the user the broker runs as", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// Somebody has it open.
    #[error("the record in {} is in use by another process; stop that one first", folder.display())]
    InUse {
        /// Which record.
        folder: PathBuf,
    },
    /// Written by a later broker.
    #[error("{} was written by a later version (format {found}, and this one knows formats up to {known}); run that version, or restore a backup that this one made", path.display())]
    Future {
        /// What.
        path: PathBuf,
        /// The format it says it has.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// Not what was written.
    #[error("{} is damaged at byte {offset} (entry {position}): {problem}; nothing was changed; restore a backup with `elevated store restore`", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// Which entry that would be.
        position: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// A file of the log is not there.
    #[error("{} holds no file that begins with entry {position}, and files with later entries; put the missing file back, or restore a backup with `elevated store restore`", folder.display())]
    Missing {
        /// Where it should be.
        folder: PathBuf,
        /// What it should begin with.
        position: u64,
    },
    /// An entry that cannot stand where it stands.
    #[error("entry {position} in {} cannot be right: {problem}; restore a backup with `elevated store restore`", folder.display())]
    Unfit {
        /// Which log.
        folder: PathBuf,
        /// Which entry.
        position: u64,
        /// What is wrong.
        problem: String,
    },
    /// Shorter than it was.
    #[error("the record in {} ends after {size} entries, and its anchor says that it had {anchored}: an older copy was put there or the log was cut; put the newer log back, or accept the loss with `elevated store reanchor`", folder.display())]
    Behind {
        /// Which record.
        folder: PathBuf,
        /// How many entries there are.
        size: u64,
        /// How many there were.
        anchored: u64,
    },
    /// As long as it was, and not the same.
    #[error("the first {anchored} entries of the record in {} are not those that its anchor stands for: they were changed or belong to another record; put the right log back, or accept this one with `elevated store reanchor`", folder.display())]
    AnotherPast {
        /// Which record.
        folder: PathBuf,
        /// How many entries the anchor stands for.
        anchored: u64,
    },
    /// Entries, and nothing that says how many there should be.
    #[error("the record holds {size} entries, and {} are missing or damaged, so nothing says whether that is all of them; put them back, or accept what is there with `elevated store reanchor`", files.display())]
    NoAnchor {
        /// Which files.
        files: PathBuf,
        /// How many entries there are.
        size: u64,
    },
    /// Not even a new index can be opened.
    #[error("the index in {} cannot be made: {reason}; see that the disk has room and that the folder belongs to the user the broker runs as", folder.display())]
    Index {
        /// Which record.
        folder: PathBuf,
        /// Why.
        reason: String,
        /// Whether that is because there is no room.
        full: bool,
    },
    /// There is something already.
    #[error("{} holds {what} already; move it away, or name an empty folder", folder.display())]
    NotEmpty {
        /// Where.
        folder: PathBuf,
        /// What is there.
        what: String,
    },
    /// What is to be restored would take the record back.
    #[error("the backup ends after {size} entries, and the record in {} had {anchored} (or others): what came after would be forgotten, and privileges granted since would not be taken back; restore a newer backup, or accept that with `--accept-rollback`", folder.display())]
    Older {
        /// Where it was to be restored.
        folder: PathBuf,
        /// How many entries the backup has.
        size: u64,
        /// How many the anchor there stands for.
        anchored: u64,
    },
}

/// Sizes that tests make small.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) segment_bytes: u64,
    pub(super) anchor_every: u64,
    pub(super) ballast_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES, anchor_every: 1000, ballast_bytes: ballast::BYTES }
    }
}

/// A record in agreement with itself.
pub(super) struct Parts {
    pub(super) lock: File,
    pub(super) log: Log,
    pub(super) index: Index,
    pub(super) applied: Applied,
    pub(super) anchor: Anchored,
    /// Whether the ballast is held.
    pub(super) has_room: bool,
}

/// The anchor last written.
#[derive(Debug)]
pub(super) struct Anchored {
    pub(super) generation: u64,
    pub(super) size: u64,
    /// The boot under which the record was written before.
    pub(super) boot_before: Option<String>,
}

/// All but the lock.
type Agreed = (Log, Index, Applied, Anchored);

impl Parts {
    /// On a disk that is full the ballast is let go of, and it is opened in the room that this leaves.
    pub(super) fn open(folder: &Path, limits: Limits, disk: Box<dyn Disk>) -> Result<Self, OpenError> {
        disk::make_folder(folder)?;
        let lock = guard::lock(folder)?;
        let has_room = match ballast::take(folder, limits.ballast_bytes) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the disk has no room for the ballast: nothing new is taken, revocations go on");
                false
            }
        };
        match Self::agreed(folder, limits, disk.another()) {
            Ok(parts) => Ok(Self::locked(lock, parts, has_room)),
            Err(error) if ballast::let_go_over(folder, &error) => {
                tracing::error!(%error, "the disk is full, and the ballast is let go of: nothing new is taken, revocations go on");
                Ok(Self::locked(lock, Self::agreed(folder, limits, disk)?, false))
            }
            Err(error) => Err(error),
        }
    }

    fn locked(lock: File, (log, index, applied, anchor): Agreed, has_room: bool) -> Self {
        Self { lock, log, index, applied, anchor, has_room }
    }

    fn agreed(folder: &Path, limits: Limits, disk: Box<dyn Disk>) -> Result<Agreed, OpenError> {
        let log_folder = folder.join("log");
        let found = Anchor::find(folder)?;
        let before = found.newest;
        let floor = before.as_ref().map_or(0, |anchor| anchor.tree.size());
        if floor > 0 && Segments::of(&log_folder)?.is_empty() {
            return Err(OpenError::Behind { folder: folder.to_owned(), size: 0, anchored: floor });
        }
        let (mut log, cut) = Log::open(&log_folder, floor, limits.segment_bytes, disk)?;
        let size = log.size();
        if size < floor {
            return Err(OpenError::Behind { folder: folder.to_owned(), size, anchored: floor });
        }
        if size > 0 && before.is_none() {
            return Err(OpenError::NoAnchor { files: anchor::files(folder), size });
        }
        if found.damaged {
            tracing::warn!("one of two anchors is damaged; the other one is used");
        }
        if let Some(cut) = cut {
            let log::Cut { path, offset, bytes } = cut;
            tracing::warn!(path = %path.display(), offset, bytes, "cut off a last write that never finished");
        }
        let empty = Tree::default();
        let anchored = before.as_ref().map_or(&empty, |anchor| &anchor.tree);
        let (index, applied) = agree(folder, &log.segments(), size, anchored)?;
        let anchor = Anchor {
            generation: before.as_ref().map_or(1, |anchor| anchor.generation.saturating_add(1)),
            tree: applied.tree.clone(),
            high_water: applied.high_water,
            boot_id: anchor::boot_id(),
        };
        anchor.write(folder, log.disk())?;
        let boot_before = before.and_then(|anchor| anchor.boot_id);
        let anchor = Anchored { generation: anchor.generation, size, boot_before };
        Ok((log, index, applied, anchor))
    }
}

/// Opens the index and brings it to the end of the log. One that cannot be, or that is of another log, is
/// set aside, and another is made.
pub(super) fn agree(
    folder: &Path,
    segments: &Segments,
    size: u64,
    anchored: &Tree,
) -> Result<(Index, Applied), OpenError> {
    let path = folder.join("index");
    if path.exists() {
        match try_index(folder, segments, size, anchored, true) {
            Ok(opened) => return Ok(opened),
            Err(Failed::Refused(error)) => return Err(error),
            Err(Failed::SetAside(reason)) => {
                let kept = guard::set_aside(folder)?;
                tracing::warn!(%reason, kept_as = %kept, "the index is made again from the log");
            }
        }
    }
    match try_index(folder, segments, size, anchored, false) {
        Ok(opened) => Ok(opened),
        Err(Failed::Refused(error)) => Err(error),
        Err(Failed::SetAside(reason)) => Err(OpenError::index(folder, reason)),
    }
}

enum Failed {
    /// The index may be at fault: another one may do.
    SetAside(String),
    /// It would not help.
    Refused(OpenError),
}

impl From<OpenError> for Failed {
    fn from(error: OpenError) -> Self {
        Self::Refused(error)
    }
}

fn try_index(
    folder: &Path,
    segments: &Segments,
    size: u64,
    anchored: &Tree,
    is_old: bool,
) -> Result<(Index, Applied), Failed> {
    let path = folder.join("index");
    if path.exists() && !path.is_dir() {
        return Err(Failed::SetAside("it is not a folder".to_owned()));
    }
    disk::make_folder(&path)?;
    guard::inspect(&path)?.map_err(|reason| Failed::SetAside(reason.to_owned()))?;
    // sled asserts what damage can make untrue.
    let opened = catch_unwind(|| {
        let index = Index::open(&path)?;
        let applied = index.applied()?;
        Ok((index, applied))
    });
    let opened = opened.unwrap_or_else(|_| Err(Broken::Damaged("sled panicked".to_owned())));
    let (index, applied) = opened.map_err(|broken| match broken {
        Broken::Disk { hopeless: true, .. } => Failed::Refused(OpenError::over_index(folder, &broken)),
        broken => Failed::SetAside(broken.to_string()),
    })?;
    let at = applied.tree.size();
    if at > size {
        // Acknowledged entries are gone from the end of the log, or this is not its index.
        return Err(Failed::SetAside(format!("it had seen {at} entries, and the log ends after {size}")));
    }
    if at >= anchored.size() {
        let mut tree = anchored.clone();
        rehash(segments, &mut tree, at)?;
        if tree != applied.tree {
            return Err(Failed::SetAside("it is the index of another log".to_owned()));
        }
    }
    let brought_up = catch_unwind(AssertUnwindSafe(|| {
        let applied = bring_up(folder, &index, applied, segments, size, anchored)?;
        let broken = |broken: Broken| OpenError::over_index(folder, &broken);
        if !is_old || at == size {
            return Ok((index, applied));
        }
        // A hole in sled's own file ends every later recovery there, whatever is written behind it.
        index.flush().map_err(broken)?;
        drop(index);
        let index = Index::open(&path).map_err(broken)?;
        if index.applied().map_err(broken)? == applied {
            Ok((index, applied))
        } else {
            let reason = "it does not keep what is written to it".to_owned();
            Err(OpenError::index(folder, reason))
        }
    }));
    match brought_up {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(error @ (OpenError::Io { .. } | OpenError::Future { .. } | OpenError::Damaged { .. }))) => {
            Err(Failed::Refused(error))
        }
        Ok(Err(error)) if is_old => Err(Failed::SetAside(error.to_string())),
        Ok(Err(error)) => Err(Failed::Refused(error)),
        Err(_) => Err(Failed::SetAside("sled panicked".to_owned())),
    }
}

/// Adds leaves to a tree, up to (not with) `to`.
pub(super) fn rehash(segments: &Segments, tree: &mut Tree, to: u64) -> Result<(), OpenError> {
    let read = segments.read_from(tree.size(), to, |leaf| {
        tree.push(leaf.bytes);
        Ok::<(), OpenError>(())
    });
    read.map_err(|error| error.into_open_error(std::convert::identity))
}

/// Replays the log into an index, up to (not with) `to`; at the anchor's size the trees must agree.
pub(super) fn bring_up(
    folder: &Path,
    index: &Index,
    mut applied: Applied,
    segments: &Segments,
    to: u64,
    anchored: &Tree,
) -> Result<Applied, OpenError> {
    let index_error = |broken: &Broken| OpenError::over_index(folder, broken);
    while applied.tree.size() < to {
        let from = applied.tree.size();
        let end = from.saturating_add(REPLAY_MAX).min(to);
        let mut draft = Draft::new(index, applied);
        let replayed = segments.read_from(from, end, |leaf| {
            let position = leaf.position;
            draft.replay(leaf.bytes).map_err(|unfit| match unfit {
                Unfit::Unreadable(Unreadable::Future { found }) => {
                    OpenError::Future { path: folder.join("log"), found, known: super::record::FORMAT }
                }
                Unfit::Index(broken) => index_error(&broken),
                unfit => OpenError::Unfit { folder: folder.to_owned(), position, problem: unfit.to_string() },
            })?;
            if draft.size() == anchored.size() && draft.tree() != anchored {
                return Err(OpenError::AnotherPast { folder: folder.to_owned(), anchored: anchored.size() });
            }
            Ok(())
        });
        replayed.map_err(|error| error.into_open_error(std::convert::identity))?;
        if draft.size() != end {
            let size = draft.size();
            return Err(OpenError::Behind { folder: folder.to_owned(), size, anchored: end });
        }
        applied = index.take(draft).map_err(|broken| index_error(&broken))?;
    }
    Ok(applied)
}
