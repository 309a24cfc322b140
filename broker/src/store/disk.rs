//! What the store asks of the disk when it must be sure: the one seam at which tests break it.

use std::fmt::Debug;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::OpenError;

/// Writes and makes durable. An error is final: a failed sync is never repeated, for the kernel may have
/// dropped what could not be written and would then report success.
pub(super) trait Disk: Send + Debug {
    /// Writes all of `bytes` at `at`.
    fn write(&mut self, file: &File, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Returns when everything written to `file` is on the platter.
    fn sync(&mut self, file: &File) -> io::Result<()>;

    /// The same disk, for whoever opens it next.
    fn another(&self) -> Box<dyn Disk>;
}

/// The real one.
#[derive(Debug)]
pub(super) struct Kernel;

impl Disk for Kernel {
    fn write(&mut self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn another(&self) -> Box<dyn Disk> {
        Box::new(Self)
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder that only its owner may enter, and those above it.
pub(super) fn make_folder(folder: &Path) -> Result<(), OpenError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| OpenError::io("create", folder, error))
}

/// Opens a file for reading and writing, made 0600 where it was not there.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Puts a small file into a folder, whole or not at all, and returns when it is durable. It is written as
/// `{name}.new` first.
pub(super) fn replace_file(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (new, name) = (folder.join(format!("{name}.new")), folder.join(name));
    let file = open_file(&new)?;
    file.set_len(0)?;
    Kernel.write(&file, bytes, 0)?;
    Kernel.sync(&file)?;
    std::fs::rename(&new, &name)?;
    sync_folder(folder)
}

/// What a folder holds, by name; nothing when it is not there.
pub(super) fn names_in(folder: &Path) -> Result<Vec<String>, OpenError> {
    let failed = |error| OpenError::io("list", folder, error);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Reads a whole file; `None` when it is not there.
pub(super) fn read_file(path: &PathBuf) -> Result<Option<Vec<u8>>, OpenError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::io("read", path, error)),
    }
}
