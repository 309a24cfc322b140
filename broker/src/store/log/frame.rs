//! Headers and frames: the bytes that a segment is made of.

use std::io::{self, Read as _};

use crate::store::record::POLICY_MAX;

/// The form of segment and frame that this broker writes and reads.
pub(super) const FORMAT: u32 = 1;
pub(super) const MAGIC: [u8; 8] = *b"elevate\n";
pub(super) const HEADER_BYTES: usize = 24;
pub(super) const FRAME_BYTES: usize = 8;

pub(super) const BEGINS_GROUP: u32 = 1 << 31;
pub(super) const ENDS_APPEND: u32 = 1 << 30;
const LENGTH: u32 = (1 << 21) - 1;

pub(super) fn header_of(first: u64) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend(FORMAT.to_le_bytes());
    header.extend(first.to_le_bytes());
    header.extend(crc32c::crc32c(&header).to_le_bytes());
    header
}

pub(super) fn header_sums(bytes: &[u8]) -> bool {
    let body = bytes.get(..HEADER_BYTES.saturating_sub(4));
    body.map(crc32c::crc32c) == u32_at(bytes, HEADER_BYTES.saturating_sub(4))
}

pub(super) fn push_frame(
    bytes: &mut Vec<u8>,
    leaf: &[u8],
    first: u64,
    begins_group: bool,
    ends_append: bool,
) -> io::Result<()> {
    let length = u32::try_from(leaf.len()).unwrap_or(u32::MAX);
    if leaf.is_empty() || leaf.len() > POLICY_MAX || length > LENGTH {
        return Err(io::Error::other("a leaf is empty or too long"));
    }
    let begins = if begins_group { BEGINS_GROUP } else { 0 };
    let ends = if ends_append { ENDS_APPEND } else { 0 };
    let word = length | begins | ends;
    bytes.extend(word.to_le_bytes());
    bytes.extend(frame_sum(word, leaf, first).to_le_bytes());
    bytes.extend(leaf);
    Ok(())
}

fn frame_sum(word: u32, leaf: &[u8], first: u64) -> u32 {
    let seed = crc32c::crc32c(&first.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &word.to_le_bytes()), leaf)
}

/// The length of the leaf, if this can be the first word of a frame.
fn length_in(word: u32) -> Option<usize> {
    let plain = word & !(LENGTH | BEGINS_GROUP | ENDS_APPEND) == 0;
    let length = usize::try_from(word & LENGTH).ok()?;
    (plain && (1..=POLICY_MAX).contains(&length)).then_some(length)
}

pub(super) fn frame_at(bytes: &[u8], offset: usize, first: u64) -> Option<(u32, &[u8])> {
    let frame = bytes.get(offset..)?;
    let (word, sum) = (u32_at(frame, 0)?, u32_at(frame, 4)?);
    let leaf = frame.get(FRAME_BYTES..)?.get(..length_in(word)?)?;
    (frame_sum(word, leaf, first) == sum).then_some((word, leaf))
}

/// Whether a whole group begins anywhere behind `offset`.
pub(super) fn group_begins_behind(bytes: &[u8], offset: usize, first: u64) -> bool {
    let behind = offset.saturating_add(1)..bytes.len();
    behind.into_iter().any(|at| {
        let begins = u32_at(bytes, at).is_some_and(|word| word & BEGINS_GROUP != 0);
        begins && frame_at(bytes, at, first).is_some()
    })
}

/// Reads one frame's leaf; whether there was a whole one.
pub(super) fn next_frame(file: &mut impl io::Read, leaf: &mut Vec<u8>, first: u64) -> io::Result<bool> {
    let mut head = [0; FRAME_BYTES];
    match file.read_exact(&mut head) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    }
    let (Some(word), Some(sum)) = (u32_at(&head, 0), u32_at(&head, 4)) else { return Ok(false) };
    let Some(length) = length_in(word) else { return Ok(false) };
    leaf.clear();
    file.take(length as u64).read_to_end(leaf)?;
    Ok(leaf.len() == length && frame_sum(word, leaf, first) == sum)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}
