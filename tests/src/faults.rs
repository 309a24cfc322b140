//! The real broker in a process of its own, and everything that a machine can do to it: it is killed, its disk
//! fails, the power goes, its files are damaged. `tests/it/faults.rs` does a little of each on every run of the
//! tests; `--bin crash` does as much as one likes.
//!
//! ```text
//! stage      a tenant, and a broker in a process, with or without the library that stands before its disk
//! load       people who ask, approve, deny, give back and revoke; what they were answered
//! held       what the directory holds, by the record's names
//! watch      for how long it held it
//! compare    answers, record and directory, after every restart
//! preload    the library, tests/preload/disk.c
//! points     names for the durable steps
//! deeds      what is done in several of them, cut off in each
//! history    what it wrote down, and what a disk may hold of it
//! record     a record read back without a broker
//! ```

pub mod compare;
pub mod damage;
pub mod deeds;
pub mod disk;
pub mod golden;
pub mod held;
pub mod history;
pub mod kill;
pub mod load;
pub mod points;
pub mod power;
pub mod preload;
pub mod record;
pub mod stage;
pub mod watch;

use std::path::PathBuf;

/// How a run is made.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The executable that is the broker when its first argument is `broker`.
    pub program: PathBuf,
    /// How many: kills, images, damages.
    pub count: u64,
    /// From which all chance comes.
    pub seed: u64,
}

/// What a run found.
#[derive(Debug, Default)]
pub struct Found {
    /// What it did, for people: a name and a figure.
    pub figures: Vec<(String, String)>,
    /// What must not be. Empty when all is well.
    pub violations: Vec<String>,
}

impl Found {
    /// Notes a figure.
    pub fn figure(&mut self, name: &str, value: impl ToString) {
        self.figures.push((name.to_owned(), value.to_string()));
    }

    /// Whether nothing was found that must not be.
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Chance that a number determines.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The same throws for the same seed.
    pub fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// From 0 up to, not with, `sides`.
    pub fn throw(&mut self, sides: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides.max(1)
    }

    /// As an index into something of this length.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.throw(length as u64)).unwrap_or(0)
    }
}

/// Copies a folder, but for the ballast, which is only room.
///
/// # Errors
/// The system would not.
pub fn copy(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if entry.file_name() != "ballast" {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A folder in memory where there is one, for images that are made and thrown away by the thousand.
///
/// # Errors
/// There is no room for one.
pub fn scratch() -> std::io::Result<tempfile::TempDir> {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir())
    } else {
        tempfile::tempdir()
    }
}
