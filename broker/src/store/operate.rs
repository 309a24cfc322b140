//! What operators do with a record: check it, copy it, put a copy back, make its index again, accept it as
//! it is. Each says what it found in a report that can be printed.

use std::fs;
use std::path::Path;

use jiff::Timestamp;

use super::anchor::{self, Anchor};
use super::disk::{self, Disk as _, Kernel};
use super::guard;
use super::index::{Applied, Index};
use super::log::{self, Log, Segments};
use super::opening::{self, Limits, OpenError, Parts};
use super::record;
use super::tree::Tree;
use super::{ballast, bookmark, time};
use crate::ports::notifier::Kept;

mod report;

pub use report::{BackedUp, Checked, IndexVerdict, Reanchored, Rebuilt, Restored};

/// Whether [`restore`] may take a record back to an older state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollback {
    /// It must not.
    Refuse,
    /// Somebody has decided so.
    Accept,
}

/// Reads all of a record, changes nothing in it, and says what is there: every checksum, every leaf, the
/// life of every activation, the tree against the anchor, the index against the log. The broker must be
/// stopped; or check a backup.
///
/// # Errors
/// The first thing that is not right, where, and what to do.
pub fn check(folder: &Path) -> Result<Checked, OpenError> {
    let _lock = guard::lock(folder)?;
    let found = Anchor::find(folder)?;
    let anchored = found.newest.map(|anchor| anchor.tree);
    let floor = anchored.as_ref().map_or(0, Tree::size);
    let log_folder = folder.join("log");
    let survey = log::survey(&log_folder, floor)?;
    held_up(folder, survey.size, anchored.as_ref())?;
    let anchored = anchored.unwrap_or_default();
    let segments = Segments::of(&log_folder)?;

    let scratch_folder = folder.join("index.check");
    remove(&scratch_folder)?;
    let scratch = new_index(folder, &scratch_folder)?;
    let bring_up =
        |applied: Applied, to: u64| opening::bring_up(folder, &scratch, applied, &segments, to, &anchored);
    let mut applied = Applied::default();
    let verdict = match old_index(folder)? {
        None => IndexVerdict::Absent,
        Some(Err(reason)) => IndexVerdict::Differs { reason },
        Some(Ok((index, at))) if at.tree.size() <= survey.size => {
            // Compared where it stands: a crash may have left it behind, and that is no fault.
            applied = bring_up(applied, at.tree.size())?;
            match index.compare(&scratch) {
                Ok(Ok(())) => IndexVerdict::Agrees { applied: at.tree.size() },
                Ok(Err(reason)) => IndexVerdict::Differs { reason },
                Err(broken) => IndexVerdict::Differs { reason: broken.to_string() },
            }
        }
        Some(Ok((_, at))) => {
            let reason = format!("it has seen {} entries, and the log ends before", at.tree.size());
            IndexVerdict::Differs { reason }
        }
    };
    applied = bring_up(applied, survey.size)?;
    let index_error = |broken: super::Broken| OpenError::over_index(folder, &broken);
    let live = scratch.census().map_err(index_error)?;
    let activations = scratch.activations().map_err(index_error)?;
    drop(scratch);
    remove(&scratch_folder)?;
    let (files, bytes) = segments.extent();
    Ok(Checked {
        entries: survey.size,
        files,
        bytes,
        activations,
        live,
        root: applied.tree.root(),
        anchored: anchored.size(),
        high_water: applied.high_water,
        torn_bytes: survey.cut.map_or(0, |cut| cut.bytes),
        index: verdict,
        notices: bookmark::find(folder),
    })
}

/// Copies log and anchor into an empty folder, beside a running broker too, and reads the copy back.
///
/// # Errors
/// The record is not right, or the copy could not be made.
pub fn backup(folder: &Path, into: &Path) -> Result<BackedUp, OpenError> {
    let lock = match guard::lock(folder) {
        Ok(lock) => Some(lock),
        Err(OpenError::InUse { .. }) => None,
        Err(error) => return Err(error),
    };
    refuse_unless_empty(into, &[])?;
    // The cursor and the anchor first: what they stand for is in the log already.
    let told = bookmark::find(folder);
    let anchor = Anchor::find(folder)?.newest;
    let anchored = anchor.as_ref().map_or_else(Tree::default, |anchor| anchor.tree.clone());
    copy_log(folder, into, anchored.size(), lock.is_none())?;
    let survey = log::survey(&into.join("log"), anchored.size())?;
    held_up(folder, survey.size, anchor.as_ref().map(|anchor| &anchor.tree))?;
    let (tree, high_water) = read_back(into, survey.size, &anchored)?;
    let copy = Anchor {
        generation: anchor.as_ref().map_or(1, |anchor| anchor.generation),
        tree,
        high_water,
        boot_id: anchor.and_then(|anchor| anchor.boot_id),
    };
    keep_told(into, &told)?;
    copy.write(into, &mut Kernel)?;
    Ok(BackedUp {
        into: into.to_owned(),
        entries: survey.size,
        root: copy.tree.root(),
        while_running: lock.is_none(),
    })
}

/// Puts a backup where there is no record, or only the anchor of one, and makes its index.
///
/// # Errors
/// The backup is not right; there is a record already; or it is older than the anchor that is there, and
/// nobody accepted that.
pub fn restore(backup: &Path, folder: &Path, rollback: Rollback) -> Result<Restored, OpenError> {
    let anchor = Anchor::find(backup)?.newest;
    let anchored = anchor.as_ref().map_or_else(Tree::default, |anchor| anchor.tree.clone());
    let survey = log::survey(&backup.join("log"), anchored.size())?;
    held_up(backup, survey.size, anchor.as_ref().map(|anchor| &anchor.tree))?;
    let (tree, high_water) = read_back(backup, survey.size, &anchored)?;

    disk::make_folder(folder)?;
    let _lock = guard::lock(folder)?;
    let [told, told_new] = bookmark::FILES;
    let [time, time_new] = time::FILES;
    let [room, room_new] = ballast::FILES;
    refuse_unless_empty(
        folder,
        &["anchor.0", "anchor.1", "lock", told, told_new, time, time_new, room, room_new],
    )?;
    let before = Anchor::find(folder)?.newest;
    let mut rolled_back_from = None;
    if let Some(before) = &before {
        let there = &before.tree;
        let mut same = Tree::default();
        let goes_on = there.size() <= tree.size() && {
            opening::rehash(&Segments::of(&backup.join("log"))?, &mut same, there.size())?;
            same == *there
        };
        if !goes_on && rollback == Rollback::Refuse {
            return Err(OpenError::Older {
                folder: folder.to_owned(),
                size: tree.size(),
                anchored: there.size(),
            });
        }
        rolled_back_from = (!goes_on).then_some(there.size());
    }
    copy_log(backup, folder, tree.size(), false)?;
    let (restored, _) = read_back(folder, tree.size(), &tree)?;
    let segments = Segments::of(&folder.join("log"))?;
    opening::agree(folder, &segments, restored.size(), &restored)?;
    // The cursor that is there has gone on since the backup; but not if what it had told of is no more.
    if rolled_back_from.is_some() {
        bookmark::forget(folder).map_err(|error| OpenError::io("remove a file in", folder, error))?;
    }
    if !matches!(bookmark::find(folder), Kept::At(_)) {
        keep_told(folder, &bookmark::find(backup))?;
    }
    // Last: without it the record is refused, so a restore that broke off is not taken for a record.
    let generation = [&before, &anchor].into_iter().flatten().map(|anchor| anchor.generation).max();
    let generation = generation.unwrap_or(0).saturating_add(1);
    let root = restored.root();
    Anchor { generation, tree: restored, high_water, boot_id: None }.write(folder, &mut Kernel)?;
    Ok(Restored { entries: tree.size(), root, rolled_back_from })
}

/// Makes the index again from the log. The broker must be stopped.
///
/// # Errors
/// The record is not right.
pub fn rebuild(folder: &Path) -> Result<Rebuilt, OpenError> {
    let lock = guard::lock(folder)?;
    let kept_as = if folder.join("index").exists() { Some(guard::set_aside(folder)?) } else { None };
    drop(lock);
    let Parts { lock: _lock, index, applied, .. } = Parts::open(folder, Limits::default(), Box::new(Kernel))?;
    let broken = |error: super::Broken| OpenError::over_index(folder, &error);
    let activations = index.activations().map_err(broken)?;
    index.flush().map_err(broken)?;
    Ok(Rebuilt { entries: applied.tree.size(), activations, kept_as })
}

/// Accepts the log as it is, however it came to be so: writes new anchors over all that it holds. For when
/// anchors were lost, or the end of the log was and cannot be had back. The broker must be stopped.
///
/// # Errors
/// The log is damaged; accepting would not make it whole.
pub fn reanchor(folder: &Path) -> Result<Reanchored, OpenError> {
    let _lock = guard::lock(folder)?;
    let before = Anchor::find(folder)?.newest;
    let (log, _) = Log::open(&folder.join("log"), 0, Limits::default().segment_bytes, Box::new(Kernel))?;
    let (tree, high_water) = read_back(folder, log.size(), &Tree::default())?;
    let mut anchor = Anchor {
        generation: before.as_ref().map_or(0, |anchor| anchor.generation),
        tree,
        high_water,
        boot_id: anchor::boot_id(),
    };
    // Both slots, so that nothing older is left to be believed.
    for _ in 0..2 {
        anchor.generation = anchor.generation.saturating_add(1);
        anchor.write(folder, &mut Kernel)?;
    }
    let before = before.map(|anchor| anchor.tree.size());
    Ok(Reanchored { entries: log.size(), root: anchor.tree.root(), before })
}

/// Puts a cursor into this folder, if there is one.
fn keep_told(into: &Path, told: &Kept) -> Result<(), OpenError> {
    match told {
        Kept::At(cursor) => {
            bookmark::write(into, *cursor).map_err(|error| OpenError::io("write a file in", into, error))
        }
        Kept::Nothing | Kept::Unreadable(_) => Ok(()),
    }
}

/// Whether a log is as long as its anchor says, and has one.
fn held_up(folder: &Path, size: u64, anchored: Option<&Tree>) -> Result<(), OpenError> {
    match anchored {
        None if size > 0 => Err(OpenError::NoAnchor { files: anchor::files(folder), size }),
        Some(tree) if tree.size() > size => {
            Err(OpenError::Behind { folder: folder.to_owned(), size, anchored: tree.size() })
        }
        None | Some(_) => Ok(()),
    }
}

/// Hashes and decodes every leaf of a log, and compares with a tree over its beginning.
fn read_back(folder: &Path, size: u64, anchored: &Tree) -> Result<(Tree, Option<Timestamp>), OpenError> {
    let mut tree = Tree::default();
    let mut high_water = None;
    let read = Segments::of(&folder.join("log"))?.read_from(0, size, |leaf| {
        let said = record::said_by(leaf.bytes).map_err(|error| OpenError::Unfit {
            folder: folder.to_owned(),
            position: leaf.position,
            problem: error.to_string(),
        })?;
        high_water = high_water.max(Some(said.at()));
        tree.push(leaf.bytes);
        if tree.size() == anchored.size() && tree != *anchored {
            return Err(OpenError::AnotherPast { folder: folder.to_owned(), anchored: anchored.size() });
        }
        Ok(())
    });
    read.map_err(|error| error.into_open_error(std::convert::identity))?;
    Ok((tree, high_water))
}

/// Copies the files of a log. Of a running one only what was durable: what its anchor stands for, and
/// every group that another one follows.
fn copy_log(from: &Path, into: &Path, anchored: u64, while_running: bool) -> Result<(), OpenError> {
    let (from, into) = (from.join("log"), into.join("log"));
    disk::make_folder(&into)?;
    let paths = Segments::of(&from)?.paths();
    for (at, path) in paths.iter().enumerate() {
        let mut bytes = fs::read(path).map_err(|error| OpenError::io("read", path, error))?;
        if at.saturating_add(1) == paths.len() {
            bytes.truncate(log::sure_bytes(path, &bytes, anchored, while_running)?);
        }
        let copy = into.join(path.file_name().unwrap_or_default());
        let failed = |error| OpenError::io("write", &copy, error);
        let file = disk::open_file(&copy).map_err(failed)?;
        Kernel.write(&file, &bytes, 0).and_then(|()| Kernel.sync(&file)).map_err(failed)?;
    }
    let synced = disk::sync_folder(&into);
    synced.map_err(|error| OpenError::io("write", &into, error))
}

fn refuse_unless_empty(folder: &Path, but: &[&str]) -> Result<(), OpenError> {
    let names = disk::names_in(folder)?;
    match names.into_iter().find(|name| !but.contains(&name.as_str())) {
        Some(name) => Err(OpenError::NotEmpty { folder: folder.to_owned(), what: format!("`{name}`") }),
        None => Ok(()),
    }
}

fn remove(folder: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(OpenError::io("remove", folder, error))
        }
        _ => Ok(()),
    }
}

fn new_index(folder: &Path, path: &Path) -> Result<Index, OpenError> {
    disk::make_folder(path)?;
    Index::open(path).map_err(|broken| OpenError::over_index(folder, &broken))
}

/// The index that is there, and how far it has come; or why it cannot be used.
type OldIndex = Option<Result<(Index, Applied), String>>;

fn old_index(folder: &Path) -> Result<OldIndex, OpenError> {
    let path = folder.join("index");
    if !path.exists() {
        return Ok(None);
    }
    if let Err(reason) = guard::inspect(&path)? {
        return Ok(Some(Err(reason.to_owned())));
    }
    let opened = std::panic::catch_unwind(|| {
        let index = Index::open(&path)?;
        let applied = index.applied()?;
        Ok::<_, super::Broken>((index, applied))
    });
    Ok(Some(match opened {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(broken)) => Err(broken.to_string()),
        Err(_) => Err("sled panicked".to_owned()),
    }))
}

#[cfg(test)]
mod tests;
