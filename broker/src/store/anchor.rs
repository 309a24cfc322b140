//! The anchor: how far the log had come, kept beside it, so that a log that was cut or an older copy
//! that was put in its place is noticed.
//!
//! Two files, written in turn, each whole or not at all. They can be read by people:
//!
//! ```text
//! elevate-anchor 1
//! generation 12
//! size 1042
//! root 9f…
//! subtrees 4a… 77… 03…
//! time 2026-11-20T09:41:00Z        the latest time in any entry, or -
//! boot 5f0c…                       the machine's boot id, or -
//! crc32c 8d1f00a2
//! ```
//!
//! Filled up with empty lines to one length, so that writing it changes nothing but what it says.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::OpenError;
use super::disk::{self, Disk};
use super::tree::{Root, Tree};

const FORMAT: u32 = 1;

/// The length of the file: room for the 64 subtrees that a tree has at the most.
const BYTES: usize = 5120;
const SLOTS: [&str; 2] = ["anchor.0", "anchor.1"];

/// Where the log had come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor {
    /// Counts anchors, from 1.
    pub(super) generation: u64,
    /// The tree over all leaves at that moment.
    pub(super) tree: Tree,
    /// The latest time in any entry until then.
    pub(super) high_water: Option<Timestamp>,
    /// The boot of the machine that wrote it.
    pub(super) boot_id: Option<String>,
}

/// What was found beside a log.
#[derive(Debug)]
pub(super) struct Found {
    /// The newest whole one.
    pub(super) newest: Option<Anchor>,
    /// Whether there is a file that is no anchor.
    pub(super) damaged: bool,
}

impl Anchor {
    /// Reads both slots.
    pub(super) fn find(folder: &Path) -> Result<Found, OpenError> {
        let mut found = Found { newest: None, damaged: false };
        for slot in SLOTS {
            let path = folder.join(slot);
            let Some(bytes) = disk::read_file(&path)? else { continue };
            match parse(&bytes) {
                Ok(anchor) if found.newest.as_ref().is_none_or(|n| n.generation < anchor.generation) => {
                    found.newest = Some(anchor);
                }
                Ok(_) => {}
                Err(Faulty::Future(format)) => {
                    return Err(OpenError::Future { path, found: format, known: FORMAT });
                }
                Err(Faulty::Damaged) => found.damaged = true,
            }
        }
        Ok(found)
    }

    /// Writes it in its turn, and returns when it is durable.
    pub(super) fn write(&self, folder: &Path, disk: &mut dyn Disk) -> Result<(), OpenError> {
        let slot = if self.generation.is_multiple_of(2) { SLOTS[0] } else { SLOTS[1] };
        let path = folder.join(slot);
        let failed = |error| OpenError::io("write", &path, error);
        let is_new = !path.exists();
        let file = disk::open_file(&path).map_err(failed)?;
        let text = self.text();
        disk.write(&file, text.as_bytes(), 0).map_err(failed)?;
        disk.sync(&file).map_err(failed)?;
        if is_new {
            disk::sync_folder(folder).map_err(failed)?;
        }
        Ok(())
    }

    fn text(&self) -> String {
        let subtrees: Vec<String> = self.tree.subtrees().iter().map(Root::to_string).collect();
        let mut text = format!(
            "elevate-anchor {FORMAT}\ngeneration {}\nsize {}\nroot {}\nsubtrees {}\ntime {}\nboot {}\n",
            self.generation,
            self.tree.size(),
            self.tree.root(),
            if subtrees.is_empty() { "-".to_owned() } else { subtrees.join(" ") },
            self.high_water.map_or_else(|| "-".to_owned(), |at| at.to_string()),
            self.boot_id.as_deref().unwrap_or("-"),
        );
        let sum = crc32c::crc32c(text.as_bytes());
        text.push_str(&format!("crc32c {sum:08x}\n"));
        text.push_str(&"\n".repeat(BYTES.saturating_sub(text.len())));
        text
    }
}

/// The id of this boot of the machine, where the system gives one.
pub(super) fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let plain = |c: char| c.is_ascii_hexdigit() || c == '-';
    Some(id.trim().to_owned()).filter(|id| id.len() == 36 && id.chars().all(plain))
}

/// The files, for messages.
pub(super) fn files(folder: &Path) -> PathBuf {
    folder.join("anchor.*")
}

enum Faulty {
    Future(u32),
    Damaged,
}

fn parse(bytes: &[u8]) -> Result<Anchor, Faulty> {
    let text = str::from_utf8(bytes).map_err(|_| Faulty::Damaged)?;
    let (body, sum) = text.rsplit_once("crc32c ").ok_or(Faulty::Damaged)?;
    let said = sum.trim_end_matches('\n');
    if said != format!("{:08x}", crc32c::crc32c(body.as_bytes())) {
        return Err(Faulty::Damaged);
    }
    let mut lines = body.lines();
    let mut next = |key: &str| {
        let line =
            lines.next().and_then(|line| line.strip_prefix(key)).and_then(|rest| rest.strip_prefix(' '));
        line.ok_or(Faulty::Damaged)
    };
    let format = next("elevate-anchor")?.parse().map_err(|_| Faulty::Damaged)?;
    if format > FORMAT {
        return Err(Faulty::Future(format));
    }
    if bytes.len() != BYTES {
        return Err(Faulty::Damaged);
    }
    let number = |text: &str| text.parse::<u64>().map_err(|_| Faulty::Damaged);
    let generation = number(next("generation")?)?;
    let size = number(next("size")?)?;
    let root = hash(next("root")?)?;
    let subtrees = match next("subtrees")? {
        "-" => Vec::new(),
        hashes => hashes.split(' ').map(hash).collect::<Result<_, _>>()?,
    };
    let high_water = match next("time")? {
        "-" => None,
        time => Some(time.parse().map_err(|_| Faulty::Damaged)?),
    };
    let boot_id = Some(next("boot")?.to_owned()).filter(|id| id != "-");
    let tree = Tree::from_parts(size, subtrees).filter(|tree| tree.root() == root).ok_or(Faulty::Damaged)?;
    Ok(Anchor { generation, tree, high_water, boot_id })
}

fn hash(text: &str) -> Result<Root, Faulty> {
    let digits = text.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 64 {
        return Err(Faulty::Damaged);
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        let pair = str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        *byte = pair.ok_or(Faulty::Damaged)?;
    }
    Ok(Root(hash))
}

#[cfg(test)]
mod tests;
