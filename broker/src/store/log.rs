//! The log: every leaf in order, in segment files that only grow. It is the audit log, and the truth from
//! which everything else can be made again.
//!
//! ```text
//! log/00000000000000000000.log      named by the position of its first leaf, rolled at 64 MiB
//!   header  "elevate\n" | format u32 | first position u64 | crc32c u32
//!   frame   word u32 | crc32c u32 | leaf            (little endian; the checksum is over all the rest,
//!                                                    seeded with the segment's first position)
//!   word    bits 0-20 length of the leaf | bit 30 ends an append | bit 31 begins a group
//! ```
//!
//! A group is written at once and synced once, and the next one is written only after that. So when
//! something in the last segment is broken and no whole group begins behind it, it was never acknowledged:
//! a torn tail, which is cut, back to the end of a whole append. Anything else that is broken is damage,
//! and the log is refused.

use std::fs::File;
use std::io::{self, BufReader, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::OpenError;
use super::disk::{self, Disk};

mod frame;

use frame::{
    BEGINS_GROUP, ENDS_APPEND, FORMAT, FRAME_BYTES, HEADER_BYTES, MAGIC, frame_at, group_begins_behind,
    header_of, header_sums, next_frame, push_frame, u32_at,
};

/// A segment that has reached this size is followed by another.
pub(super) const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// Every so many leaves their place is kept in memory, so that a read does not begin at the segment's start.
const MARK_EVERY: u64 = 64;

/// The log, as its one writer has it.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    segment_bytes: u64,
    disk: Box<dyn Disk>,
    tail: File,
    tail_bytes: u64,
    size: u64,
    segments: Segments,
}

/// The log, as its readers have it.
#[derive(Debug, Clone)]
pub(super) struct Segments(Arc<RwLock<Vec<Segment>>>);

#[derive(Debug, Clone)]
struct Segment {
    first: u64,
    path: PathBuf,
    /// (position, offset), ascending.
    marks: Vec<(u64, u64)>,
}

/// What was cut off the end when the log was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) path: PathBuf,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// Why leaves could not be read back.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError<E> {
    /// The file is not what was written.
    #[error("{} is damaged at byte {offset} (entry {position}): its checksum does not hold", path.display())]
    Damaged { path: PathBuf, offset: u64, position: u64 },
    /// The system would not read it.
    #[error("cannot read {}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    /// Whoever was reading stopped.
    #[error(transparent)]
    Reader(E),
}

impl<E> ReadError<E> {
    /// As a reason not to open, where the reader's own is one already.
    pub(super) fn into_open_error(self, reader: impl FnOnce(E) -> OpenError) -> OpenError {
        match self {
            Self::Damaged { path, offset, position } => {
                OpenError::Damaged { path, offset, position, problem: CHECKSUM }
            }
            Self::Io { path, error } => OpenError::io("read", &path, error),
            Self::Reader(error) => reader(error),
        }
    }
}

const CHECKSUM: &str = "its checksum does not hold";

impl Log {
    /// Opens the log in `folder`, or begins one. What was not yet acknowledged and is broken is cut off
    /// the end; nothing below `floor` ever is.
    pub(super) fn open(
        folder: &Path,
        floor: u64,
        segment_bytes: u64,
        mut disk: Box<dyn Disk>,
    ) -> Result<(Self, Option<Cut>), OpenError> {
        disk::make_folder(folder)?;
        let Survey { mut segments, size, tail_bytes, cut, headless } = survey(folder, floor)?;
        if headless {
            segments.push(begin_segment(folder, size, disk.as_mut())?);
        }
        let tail_bytes = tail_bytes.max(HEADER_BYTES as u64);
        let last =
            segments.last().ok_or_else(|| OpenError::Missing { folder: folder.to_owned(), position: 0 })?;
        let failed = |error| OpenError::io("write", &last.path, error);
        let tail = disk::open_file(&last.path).map_err(failed)?;
        settle_tail(&tail, last, tail_bytes, floor, disk.as_mut()).map_err(failed)?;
        disk::sync_folder(folder).map_err(failed)?;
        let segments = Segments(Arc::new(RwLock::new(segments)));
        let log = Self { folder: folder.to_owned(), segment_bytes, disk, tail, tail_bytes, size, segments };
        Ok((log, cut))
    }

    /// How many leaves it holds.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// For reading beside the writer.
    pub(super) fn segments(&self) -> Segments {
        self.segments.clone()
    }

    /// The disk it is on.
    pub(super) fn disk(&mut self) -> &mut dyn Disk {
        self.disk.as_mut()
    }

    /// Writes a group of appends, each of one or more leaves, and returns when it is durable; says whether
    /// a new segment was begun for it. After an error nothing may be written any more.
    pub(super) fn append(&mut self, group: &[Vec<Vec<u8>>]) -> io::Result<bool> {
        let rolls = self.tail_bytes >= self.segment_bytes;
        if rolls {
            let segment = begin_segment(&self.folder, self.size, self.disk.as_mut())
                .map_err(|error| io::Error::other(error.to_string()))?;
            self.tail = disk::open_file(&segment.path)?;
            self.tail_bytes = HEADER_BYTES as u64;
            self.segments.write(|segments| segments.push(segment));
        }
        let first = self.segments.read(|segments| segments.last().map_or(0, |segment| segment.first));
        let mut bytes = Vec::new();
        let mut marks = Vec::new();
        let mut size = self.size;
        for append in group {
            for (at, leaf) in append.iter().enumerate() {
                if size.is_multiple_of(MARK_EVERY) {
                    marks.push((size, self.tail_bytes.saturating_add(bytes.len() as u64)));
                }
                let begins_group = size == self.size;
                let ends_append = at.saturating_add(1) == append.len();
                push_frame(&mut bytes, leaf, first, begins_group, ends_append)?;
                size = size.saturating_add(1);
            }
        }
        self.disk.write(&self.tail, &bytes, self.tail_bytes)?;
        self.disk.sync(&self.tail)?;
        self.tail_bytes = self.tail_bytes.saturating_add(bytes.len() as u64);
        self.size = size;
        self.segments.write(|segments| {
            if let Some(segment) = segments.last_mut() {
                segment.marks.extend(marks);
            }
        });
        Ok(rolls)
    }
}

impl Segments {
    /// The segments of a log that nobody has open, unchecked.
    pub(super) fn of(folder: &Path) -> Result<Self, OpenError> {
        Ok(Self(Arc::new(RwLock::new(listed(folder)?))))
    }

    /// Whether there is no file at all.
    pub(super) fn is_empty(&self) -> bool {
        self.read(Vec::is_empty)
    }

    /// The files, in order.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.read(|segments| segments.iter().map(|segment| segment.path.clone()).collect())
    }

    /// How many files there are, and how many bytes in them.
    pub(super) fn extent(&self) -> (usize, u64) {
        self.read(|segments| {
            let bytes = |segment: &Segment| std::fs::metadata(&segment.path).map_or(0, |file| file.len());
            (segments.len(), segments.iter().map(bytes).sum())
        })
    }

    /// Hands the leaves from `from` up to (not with) `to` to `each`, one after another. Stops early, and
    /// without an error, where the log ends.
    pub(super) fn read_from<E>(
        &self,
        from: u64,
        to: u64,
        mut each: impl FnMut(Leaf<'_>) -> Result<(), E>,
    ) -> Result<(), ReadError<E>> {
        let segments = self.read(|segments| {
            let begins = segments.partition_point(|segment| segment.first <= from).saturating_sub(1);
            segments.get(begins..).unwrap_or_default().to_vec()
        });
        let mut leaf = Vec::new();
        for (at, segment) in segments.iter().enumerate() {
            let ends = segments.get(at.saturating_add(1)).map_or(to, |next| next.first.min(to));
            let known = segment.marks.partition_point(|(position, _)| *position <= from);
            let start = known.checked_sub(1).and_then(|mark| segment.marks.get(mark).copied());
            let (mut position, mut offset) = start.unwrap_or((segment.first, HEADER_BYTES as u64));
            if position >= ends {
                continue;
            }
            let io_error = |error| ReadError::Io { path: segment.path.clone(), error };
            let mut file = BufReader::with_capacity(256 * 1024, File::open(&segment.path).map_err(io_error)?);
            file.seek(SeekFrom::Start(offset)).map_err(io_error)?;
            while position < ends {
                if !next_frame(&mut file, &mut leaf, segment.first).map_err(io_error)? {
                    return Err(ReadError::Damaged { path: segment.path.clone(), offset, position });
                }
                if position >= from {
                    each(Leaf { position, bytes: &leaf }).map_err(ReadError::Reader)?;
                }
                offset = offset.saturating_add((FRAME_BYTES as u64).saturating_add(leaf.len() as u64));
                position = position.saturating_add(1);
            }
        }
        Ok(())
    }

    fn read<T>(&self, look: impl FnOnce(&Vec<Segment>) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Vec<Segment>) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A leaf as it is read back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf<'l> {
    pub(super) position: u64,
    pub(super) bytes: &'l [u8],
}

impl Segment {
    fn damaged(&self, offset: usize, position: u64, problem: &'static str) -> OpenError {
        OpenError::Damaged { path: self.path.clone(), offset: offset as u64, position, problem }
    }
}

/// What a segment was found to hold.
struct Scan {
    /// The position behind the last whole append, and its offset.
    whole: u64,
    whole_offset: usize,
    /// The position behind the last whole frame.
    end: u64,
    /// Where the first thing stands that is no frame.
    broken: Option<usize>,
    marks: Vec<(u64, u64)>,
}

impl Scan {
    /// `None` when it does not even begin as a segment does.
    fn of(bytes: &[u8], segment: &Segment) -> Result<Option<Self>, OpenError> {
        let header = bytes.get(..HEADER_BYTES);
        if let Some(found) = header.filter(|header| header.starts_with(&MAGIC)).and_then(|h| u32_at(h, 8))
            && found > FORMAT
            && header_sums(bytes)
        {
            return Err(OpenError::Future { path: segment.path.clone(), found, known: FORMAT });
        }
        if header != Some(header_of(segment.first).as_slice()) {
            return Ok(None);
        }
        let mut scan = Self {
            whole: segment.first,
            whole_offset: HEADER_BYTES,
            end: segment.first,
            broken: None,
            marks: Vec::new(),
        };
        let mut offset = HEADER_BYTES;
        while offset < bytes.len() {
            let Some((word, leaf)) = frame_at(bytes, offset, segment.first) else {
                scan.broken = Some(offset);
                break;
            };
            if scan.end.is_multiple_of(MARK_EVERY) {
                scan.marks.push((scan.end, offset as u64));
            }
            scan.end = scan.end.saturating_add(1);
            offset = offset.saturating_add(FRAME_BYTES).saturating_add(leaf.len());
            if word & ENDS_APPEND != 0 {
                scan.whole = scan.end;
                scan.whole_offset = offset;
            }
        }
        Ok(Some(scan))
    }
}

/// What a folder was found to hold.
#[derive(Debug)]
pub(super) struct Survey {
    segments: Vec<Segment>,
    /// How many leaves, up to the end of the last whole append.
    pub(super) size: u64,
    /// How much of the last segment that is.
    tail_bytes: u64,
    /// What stands behind it.
    pub(super) cut: Option<Cut>,
    /// There is no last segment yet, or only the beginning of its header.
    headless: bool,
}

/// Reads the whole log and checks every frame. Changes nothing.
pub(super) fn survey(folder: &Path, floor: u64) -> Result<Survey, OpenError> {
    let mut found = Survey { segments: Vec::new(), size: 0, tail_bytes: 0, cut: None, headless: true };
    let listed = listed(folder)?;
    let last = listed.len().saturating_sub(1);
    for (at, mut segment) in listed.into_iter().enumerate() {
        if segment.first != found.size {
            return Err(OpenError::Missing { folder: folder.to_owned(), position: found.size });
        }
        let bytes = read_segment(&segment.path)?;
        let Some(scan) = Scan::of(&bytes, &segment)? else {
            // The header of a segment is synced before its first leaf is written.
            if at == last && found.size >= floor && !group_begins_behind(&bytes, 0, segment.first) {
                found.tail_bytes = 0;
                return Ok(Survey { headless: true, ..found });
            }
            return Err(segment.damaged(0, found.size, "it does not begin as a segment does"));
        };
        if scan.whole_offset < bytes.len() {
            let acknowledged = scan.broken.is_some_and(|at| group_begins_behind(&bytes, at, segment.first));
            if at != last || scan.whole < floor || acknowledged {
                let broken = scan.broken.unwrap_or(scan.whole_offset);
                return Err(segment.damaged(broken, scan.end, CHECKSUM));
            }
            found.cut = Some(Cut {
                path: segment.path.clone(),
                offset: scan.whole_offset as u64,
                bytes: bytes.len().saturating_sub(scan.whole_offset) as u64,
            });
        }
        segment.marks = scan.marks;
        segment.marks.retain(|(marked, _)| *marked < scan.whole);
        found.segments.push(segment);
        found.size = scan.whole;
        found.tail_bytes = scan.whole_offset as u64;
        found.headless = false;
    }
    Ok(found)
}

/// How much of the last segment is durable for sure, up to the end of a whole append. While somebody is
/// writing to it that is what the anchor stands for, and every group that another one follows.
pub(super) fn sure_bytes(
    path: &Path,
    bytes: &[u8],
    anchored: u64,
    while_running: bool,
) -> Result<usize, OpenError> {
    let name = path.file_stem().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
    let segment = Segment { first: name.unwrap_or(0), path: path.to_owned(), marks: Vec::new() };
    let Some(scan) = Scan::of(bytes, &segment)? else { return Ok(bytes.len()) };
    if !while_running {
        return Ok(scan.whole_offset);
    }
    let mut sure = HEADER_BYTES;
    let (mut position, mut offset) = (segment.first, HEADER_BYTES);
    while offset < scan.whole_offset
        && let Some((word, leaf)) = frame_at(bytes, offset, segment.first)
    {
        if position <= anchored || word & BEGINS_GROUP != 0 {
            sure = offset;
        }
        position = position.saturating_add(1);
        offset = offset.saturating_add(FRAME_BYTES).saturating_add(leaf.len());
    }
    Ok(if position <= anchored { scan.whole_offset } else { sure })
}

/// Cuts the tail and makes it durable. What lies above the floor is written over once more: it may be in
/// the page cache only, left there clean by a sync that failed, and would then never reach the disk.
fn settle_tail(file: &File, segment: &Segment, keep: u64, floor: u64, disk: &mut dyn Disk) -> io::Result<()> {
    file.set_len(keep)?;
    let sure = segment.marks.iter().rev().find(|(position, _)| *position <= floor).map_or(0, |mark| mark.1);
    let mut unsure = vec![0; usize::try_from(keep.saturating_sub(sure)).unwrap_or(0)];
    file.read_exact_at(&mut unsure, sure)?;
    disk.write(file, &unsure, sure)?;
    disk.sync(file)
}

fn begin_segment(folder: &Path, first: u64, disk: &mut dyn Disk) -> Result<Segment, OpenError> {
    let path = folder.join(format!("{first:020}.log"));
    let failed = |error| OpenError::io("write", &path, error);
    let file = disk::open_file(&path).map_err(failed)?;
    file.set_len(0).map_err(failed)?;
    disk.write(&file, &header_of(first), 0).map_err(failed)?;
    disk.sync(&file).map_err(failed)?;
    disk::sync_folder(folder).map_err(failed)?;
    folder.parent().map_or(Ok(()), disk::sync_folder).map_err(failed)?;
    Ok(Segment { first, path, marks: Vec::new() })
}

fn listed(folder: &Path) -> Result<Vec<Segment>, OpenError> {
    let mut segments = Vec::new();
    for name in disk::names_in(folder)? {
        let first = name.strip_suffix(".log").filter(|digits| digits.len() == 20);
        if let Some(first) = first.and_then(|digits| digits.parse().ok()) {
            segments.push(Segment { first, path: folder.join(&name), marks: Vec::new() });
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

fn read_segment(path: &Path) -> Result<Vec<u8>, OpenError> {
    std::fs::read(path).map_err(|error| OpenError::io("read", path, error))
}

#[cfg(test)]
mod tests;
