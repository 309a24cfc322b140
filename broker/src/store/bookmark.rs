//! How far the record was told, kept beside it. One small file, replaced whole, that people can read:
//!
//! ```text
//! elevate-notices 1
//! begin 1017
//! next 1042
//! crc32c 8d1f00a2
//! ```
//!
//! It is no part of the record: lost or damaged, it costs that some is told again, and never a start. Nor
//! does it wait for the writer or the writer for it.

use std::fs;
use std::io;
use std::path::Path;

use async_trait::async_trait;

use super::Store;
use super::disk;
use crate::ports::Bookmark;
use crate::ports::journal::Position;
use crate::ports::notifier::{Cursor, Kept, Unkept};

/// The file, and the one it is written as before it takes that place.
pub(super) const FILES: [&str; 2] = ["notices", "notices.new"];

#[async_trait]
impl Bookmark for Store {
    async fn kept(&self) -> Kept {
        let folder = self.shared.folder.clone();
        let found = tokio::task::spawn_blocking(move || find(&folder)).await;
        found.unwrap_or_else(|_| Kept::Unreadable("reading it was broken off".to_owned()))
    }

    async fn keep(&self, cursor: Cursor) -> Result<(), Unkept> {
        let folder = self.shared.folder.clone();
        let written = tokio::task::spawn_blocking(move || write(&folder, cursor)).await;
        let written = written.unwrap_or_else(|_| Err(io::Error::other("writing it was broken off")));
        written.map_err(|error| Unkept(error.to_string()))
    }
}

/// What is there.
pub(super) fn find(folder: &Path) -> Kept {
    let [name, _] = FILES;
    match fs::read_to_string(folder.join(name)) {
        Ok(text) => parse(&text).map_or_else(
            || Kept::Unreadable(format!("`{name}` in {} is damaged", folder.display())),
            Kept::At,
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::Nothing,
        Err(error) => Kept::Unreadable(format!("`{name}` in {}: {error}", folder.display())),
    }
}

/// Puts it there, whole or not at all, and returns when it is durable.
pub(super) fn write(folder: &Path, cursor: Cursor) -> io::Result<()> {
    let [name, _] = FILES;
    disk::replace_file(folder, name, text(cursor).as_bytes())
}

/// Takes it away, where it is of a record that is no more.
pub(super) fn forget(folder: &Path) -> io::Result<()> {
    let [name, _] = FILES;
    match fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => disk::sync_folder(folder),
    }
}

fn text(Cursor { begin, next }: Cursor) -> String {
    let body = format!("elevate-notices 1\nbegin {}\nnext {}\n", begin.0, next.0);
    let sum = crc32c::crc32c(body.as_bytes());
    format!("{body}crc32c {sum:08x}\n")
}

fn parse(given: &str) -> Option<Cursor> {
    let mut lines = given.lines().skip(1);
    let mut number =
        |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix(' ')?.parse().ok().map(Position);
    let cursor = Cursor { begin: number("begin")?, next: number("next")? };
    // Written again it must be the same, its sum too: nothing in it was not read.
    (text(cursor) == given).then_some(cursor)
}

#[cfg(test)]
mod tests;
