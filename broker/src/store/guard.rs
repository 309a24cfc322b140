//! What must hold before the store is touched: nobody else has it open; and before sled is let near the
//! index: nothing in its folder that 0.34.7 is known to trip over.
//!
//! Each of these was reproduced. A kill while sled writes its first snapshot leaves `snap.*.generating`,
//! which it later takes for a snapshot and never opens again (probably issue 1533). A `db` without a
//! snapshot opens *empty*, without an error, and is written over. `flush` syncs no metadata (issues 1351
//! and 1452), so a power cut may leave `db` without `conf`. The index can be made again from the log, so
//! whatever looks odd is set aside rather than opened.

use std::fs::{self, File};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::OpenError;
use super::disk;

/// How many set-aside indexes are kept for somebody to look at.
const KEPT_ASIDE: usize = 2;
const ASIDE: &str = "index.set-aside-";

/// The store's own lock, held as long as it lives.
pub(super) fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join("lock");
    let file = disk::open_file(&path).map_err(|error| OpenError::io("open", &path, error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse { folder: folder.to_owned() }),
        Err(error) => Err(OpenError::io("lock", &path, error.into())),
    }
}

/// Whether sled may open the index; if not, why. Removes unfinished snapshots, which are nothing.
pub(super) fn inspect(index: &Path) -> Result<Result<(), &'static str>, OpenError> {
    let mut names = disk::names_in(index)?;
    for name in names.extract_if(.., |name| name.starts_with("snap.") && name.ends_with(".generating")) {
        let path = index.join(name);
        fs::remove_file(&path).map_err(|error| OpenError::io("remove", &path, error))?;
    }
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let has_snapshot = names.iter().any(|name| name.starts_with("snap."));
    Ok(match (has("db"), has("conf"), has_snapshot) {
        (false, false, false) => Ok(()),
        (true, true, true) => Ok(()),
        (_, false, _) => Err("its `conf` is missing"),
        (false, ..) => Err("its `db` is missing"),
        (_, _, false) => Err("its snapshot is missing"),
    })
}

/// Moves the index out of the way, where somebody can look at it, and forgets the oldest of those.
pub(super) fn set_aside(folder: &Path) -> Result<String, OpenError> {
    let number = |name: &str| name.strip_prefix(ASIDE).and_then(|digits| digits.parse::<u64>().ok());
    let mut aside: Vec<u64> = disk::names_in(folder)?.iter().filter_map(|name| number(name)).collect();
    aside.sort_unstable();
    let name = format!("{ASIDE}{}", aside.last().map_or(1, |last| last.saturating_add(1)));
    let index = folder.join("index");
    fs::rename(&index, folder.join(&name)).map_err(|error| OpenError::io("rename", &index, error))?;
    let too_many = aside.len().saturating_sub(KEPT_ASIDE.saturating_sub(1));
    for old in aside.into_iter().take(too_many) {
        let old = folder.join(format!("{ASIDE}{old}"));
        let removed = if old.is_dir() { fs::remove_dir_all(&old) } else { fs::remove_file(&old) };
        removed.map_err(|error| OpenError::io("remove", &old, error))?;
    }
    Ok(name)
}
