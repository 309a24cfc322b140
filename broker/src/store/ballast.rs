//! The ballast: room that is held for the day on which the disk is full. Without it a full disk would end the
//! broker and bar its start, and roles that nobody but the broker takes away would stay.
//!
//! It is a file of nothing. The store lets go of it when it ends over a disk that is full, or finds it full when it
//! opens. From then on it says [`has_room`](crate::ports::Journal::has_room) no more: nothing new is taken, and
//! the room is for what ends what there is. It is taken again only where there is room for twice as much, so that a
//! disk that is just about full does not take and lose it in turns.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};

use super::OpenError;
use super::disk::{self, Disk as _, Kernel};

/// How much it is: tens of thousands of entries, each with what the index makes of it.
pub(super) const BYTES: u64 = 8 * 1024 * 1024;

/// The file, and the one it is made as before it takes that place.
pub(super) const FILES: [&str; 2] = ["ballast", "ballast.new"];

/// Blocks as `stat` counts them.
const BLOCK: u64 = 512;

/// How much is written at once where room cannot be had for the asking.
const PIECE: usize = 256 * 1024;

/// Whether the disk says that there is no room, be it all of it or one user's share.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Holds so much room, if it is not held yet.
///
/// # Errors
/// There is no room for twice as much, or nothing can be written there.
pub(super) fn take(folder: &Path, bytes: u64) -> io::Result<()> {
    let [path, new] = FILES.map(|name| folder.join(name));
    if bytes == 0 || is_held(&path, bytes) {
        return Ok(());
    }
    let taken = (|| {
        let file = disk::open_file(&new)?;
        file.set_len(0)?;
        match fallocate(&file, FallocateFlags::empty(), 0, bytes.saturating_mul(2)) {
            Ok(()) => {}
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                let piece = vec![0; PIECE];
                for at in (0..bytes.saturating_mul(2)).step_by(PIECE) {
                    Kernel.write(&file, &piece, at)?;
                }
            }
            Err(error) => return Err(error.into()),
        }
        file.set_len(bytes)?;
        fs::rename(&new, &path)?;
        disk::sync_folder(folder)
    })();
    if taken.is_err() {
        // What there is of it would only make the shortage worse.
        let _ = fs::remove_file(&new);
    }
    taken
}

/// Lets go of it. Whether there was any.
pub(super) fn let_go(folder: &Path) -> bool {
    let mut was_held = false;
    for name in FILES {
        was_held |= fs::remove_file(folder.join(name)).is_ok();
    }
    was_held
}

/// Lets go of it where this is why the store ends.
pub(super) fn let_go_over(folder: &Path, error: &OpenError) -> bool {
    match error {
        OpenError::Io { error, .. } if is_full(error) => let_go(folder),
        OpenError::Index { full: true, .. } => let_go(folder),
        _ => false,
    }
}

/// A file of that length may still hold no room: after a power cut, or as a copy.
fn is_held(path: &Path, bytes: u64) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).is_ok_and(|file| file.len() == bytes && file.blocks().saturating_mul(BLOCK) >= bytes)
}
