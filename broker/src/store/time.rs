//! The time, kept over a restart. One small file beside the record, replaced whole, that people can read:
//!
//! ```text
//! elevate-time 1
//! boot 5f0c…                              which boot of the machine
//! mark 86400123456789                     nanoseconds since then
//! witnessed 2026-11-20T09:41:00Z 2026-11-20T09:41:03Z      the bounds at that moment, or -
//! high-water 2026-11-20T09:41:03Z         the latest time given out
//! crc32c 8d1f00a2
//! ```
//!
//! It is no part of the record, and of this machine only. Lost or damaged, it costs that the next start waits
//! for a witness.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Store, disk};
use crate::ports::clock::{Mark, TimeKeeper, TimeMark};

/// The file, and the one it is written as before it takes that place.
pub(super) const FILES: [&str; 2] = ["time", "time.new"];

#[async_trait]
impl TimeKeeper for Store {
    async fn kept_time(&self) -> Option<TimeMark> {
        let folder = self.shared.folder.clone();
        tokio::task::spawn_blocking(move || find(&folder)).await.ok().flatten()
    }

    async fn keep_time(&self, mark: TimeMark) -> Result<(), String> {
        let folder = self.shared.folder.clone();
        let [name, _] = FILES;
        let written =
            tokio::task::spawn_blocking(move || disk::replace_file(&folder, name, text(&mark).as_bytes()))
                .await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("writing it was broken off".to_owned()),
        }
    }
}

/// What is there, if it is as it was written.
pub(super) fn find(folder: &Path) -> Option<TimeMark> {
    let [name, _] = FILES;
    parse(&std::fs::read_to_string(folder.join(name)).ok()?)
}

fn text(mark: &TimeMark) -> String {
    let TimeMark { witnessed, mark, boot_id, high_water } = mark;
    let witnessed = witnessed.map_or_else(|| "-".to_owned(), |(from, to)| format!("{from} {to}"));
    let body = format!(
        "elevate-time 1\nboot {boot_id}\nmark {}\nwitnessed {witnessed}\nhigh-water {high_water}\n",
        mark.0.as_nanos(),
    );
    let sum = crc32c::crc32c(body.as_bytes());
    format!("{body}crc32c {sum:08x}\n")
}

fn parse(given: &str) -> Option<TimeMark> {
    let mut lines = given.lines().skip(1);
    let mut next = |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix(' ');
    let boot_id = next("boot")?.to_owned();
    let mark = Mark(Duration::from_nanos(next("mark")?.parse().ok()?));
    let witnessed = match next("witnessed")? {
        "-" => None,
        bounds => {
            let (from, to) = bounds.split_once(' ')?;
            Some((from.parse::<Timestamp>().ok()?, to.parse::<Timestamp>().ok()?))
        }
    };
    let high_water = next("high-water")?.parse().ok()?;
    let mark = TimeMark { witnessed, mark, boot_id, high_water };
    // Written again it must be the same, its sum too: nothing in it was not read.
    (text(&mark) == given).then_some(mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample::{block_on, open};

    fn marks() -> Vec<TimeMark> {
        let at = |second| Timestamp::new(second, 123_456_789).unwrap();
        let boot_id = "5f0c1a52-0000-4000-8000-000000000001".to_owned();
        let mark = Mark(Duration::new(86_400, 123_456_789));
        [None, Some((at(1_790_000_000), at(1_790_000_003)))]
            .into_iter()
            .map(|witnessed| TimeMark {
                witnessed,
                mark,
                boot_id: boot_id.clone(),
                high_water: at(1_790_000_003),
            })
            .collect()
    }

    #[test]
    fn what_was_kept_last_is_found_by_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find(folder.path()), None);
        block_on(async {
            let store = open(folder.path());
            for mark in marks() {
                store.keep_time(mark.clone()).await.unwrap();
                assert_eq!(store.kept_time().await, Some(mark));
            }
            store.close().await.unwrap();
        });
        block_on(async {
            let store = open(folder.path());
            assert_eq!(store.kept_time().await, marks().pop());
            store.close().await.unwrap();
        });
    }

    #[test]
    fn a_change_anywhere_in_it_makes_it_count_for_nothing() {
        for mark in marks() {
            let whole = text(&mark).into_bytes();
            for at in 0..whole.len() {
                let mut bytes = whole.clone();
                bytes[at] ^= 1;
                assert_eq!(std::str::from_utf8(&bytes).ok().and_then(parse), None, "byte {at}");
                assert_eq!(std::str::from_utf8(&whole[..at]).ok().and_then(parse), None, "cut at {at}");
            }
        }
    }
}
