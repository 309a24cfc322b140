//! What an operator is told.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::ports::notifier::Kept;
use crate::store::tree::Root;

/// What [`check`](super::check) found: every frame, leaf and activation was read, and the anchor holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// How many entries.
    pub entries: u64,
    /// In how many files.
    pub files: usize,
    /// Of how many bytes together.
    pub bytes: u64,
    /// How many activations, closed ones too.
    pub activations: u64,
    /// How many of them are live, by the word of their state.
    pub live: Vec<(&'static str, u64)>,
    /// The root of the tree over all entries.
    pub root: Root,
    /// How many of the entries the anchor stands for.
    pub anchored: u64,
    /// The latest time in any entry.
    pub high_water: Option<Timestamp>,
    /// How many bytes at the end a crash left half written; the next start cuts them off.
    pub torn_bytes: u64,
    /// Whether the index says what the log says.
    pub index: IndexVerdict,
    /// How far notices were told.
    pub notices: Kept,
}

/// Whether an index says what the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexVerdict {
    /// It does, as far as it has come.
    Agrees {
        /// How many entries of the log it has seen.
        applied: u64,
    },
    /// There is none; the next start makes it.
    Absent,
    /// It does not, or cannot be read; `rebuild` makes it again.
    Differs {
        /// In what.
        reason: String,
    },
}

/// What [`backup`](super::backup) copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// Where to.
    pub into: PathBuf,
    /// How many entries.
    pub entries: u64,
    /// The root of the tree over them.
    pub root: Root,
    /// The broker was running: what it wrote last may not be in it.
    pub while_running: bool,
}

/// What [`restore`](super::restore) put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// How many entries.
    pub entries: u64,
    /// The root of the tree over them.
    pub root: Root,
    /// How many there were before, where the record was taken back.
    pub rolled_back_from: Option<u64>,
}

/// What [`rebuild`](super::rebuild) made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Out of how many entries.
    pub entries: u64,
    /// How many activations are in it.
    pub activations: u64,
    /// Under which name the index before it is kept, if there was one.
    pub kept_as: Option<String>,
}

/// What [`reanchor`](super::reanchor) accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reanchored {
    /// How many entries.
    pub entries: u64,
    /// The root of the tree over them.
    pub root: Root,
    /// How many entries the anchor stood for before, if there was one.
    pub before: Option<u64>,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = if self.files == 1 { "file" } else { "files" };
        writeln!(f, "The record is whole.")?;
        writeln!(f, "  entries      {} in {} {files}, {} bytes", self.entries, self.files, self.bytes)?;
        writeln!(f, "  root         {}", self.root)?;
        writeln!(f, "  anchored     the first {}", self.anchored)?;
        if let Some(at) = self.high_water {
            writeln!(f, "  latest time  {at}")?;
        }
        if self.torn_bytes > 0 {
            writeln!(f, "  half written {} bytes at the end, cut off at the next start", self.torn_bytes)?;
        }
        let live: u64 = self.live.iter().map(|(_, count)| count).sum();
        write!(f, "  activations  {}, of them live {live}", self.activations)?;
        let words: Vec<String> =
            self.live.iter().filter(|(_, n)| *n > 0).map(|(word, n)| format!("{n} {word}")).collect();
        if !words.is_empty() {
            write!(f, " ({})", words.join(", "))?;
        }
        write!(f, "\n  index        {}", self.index)?;
        match &self.notices {
            Kept::At(cursor) => write!(f, "\n  notices      told up to entry {}", cursor.next.0),
            Kept::Nothing => {
                write!(f, "\n  notices      none told yet; the next start tells what the last day holds")
            }
            Kept::Unreadable(why) => {
                write!(f, "\n  notices      {why}; the next start tells all of the record again")
            }
        }
    }
}

impl fmt::Display for IndexVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agrees { applied } => write!(f, "agrees with the log up to entry {applied}"),
            Self::Absent => f.write_str("there is none; it is made at the next start"),
            Self::Differs { reason } => {
                write!(f, "differs ({reason}); make it again with `elevated store rebuild`")
            }
        }
    }
}

impl fmt::Display for BackedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Copied {} entries into {} and read them back.\n  root  {}",
            self.entries,
            self.into.display(),
            self.root
        )?;
        if self.while_running {
            write!(f, "\nThe broker was running: what it was writing just then may not be in the copy.")?;
        }
        Ok(())
    }
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Restored {} entries and made their index.\n  root  {}", self.entries, self.root)?;
        if let Some(before) = self.rolled_back_from {
            write!(
                f,
                "\nThe record had {before} entries before. Compare the directory with it: what was granted since is not known here."
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Rebuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Made the index again: {} activations out of {} entries.", self.activations, self.entries)?;
        if let Some(name) = &self.kept_as {
            write!(f, "\nThe one before is kept as `{name}`.")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reanchored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accepted the record as it is: {} entries.\n  root  {}", self.entries, self.root)?;
        match self.before {
            Some(before) if before > self.entries => {
                write!(f, "\nIt had {before} before: {} are lost.", before.saturating_sub(self.entries))
            }
            _ => Ok(()),
        }
    }
}
