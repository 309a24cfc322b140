//! The whole store, on a real disk or a broken one. Here is what the stories share.

use std::path::PathBuf;

use elevate_core::policy::PolicyVersion;

use super::sample::{
    Faulty, Model, append_to_both, approved, at, begin, block_on, by_broker, copy, entries, id, open,
    open_with, possible, principal, proof, request, requested,
};
use super::*;

mod appending;
mod crashes;
mod damage;
mod failing;
mod journal;
mod refusing;
mod room;

/// Small files and rare anchors, so that little is enough to see them.
const SMALL: Limits = Limits { segment_bytes: 2000, anchor_every: 20, ballast_bytes: 0 };

/// Anchors only at open and close: all else is a tail that only the log vouches for.
const UNANCHORED: Limits = Limits { segment_bytes: u64::MAX, anchor_every: u64::MAX, ballast_bytes: 0 };

fn policy(version: u64, second: i64) -> Note {
    Note::PolicyApplied(AppliedPolicy {
        version: PolicyVersion(version),
        text: format!("# policy {version}"),
        by: principal(7),
        at: at(second),
        confirmed_by: None,
    })
}

fn log_files(folder: &Path) -> Vec<PathBuf> {
    Segments::of(&folder.join("log")).unwrap().paths()
}

fn agrees(folder: &Path) {
    let checked = check(folder).unwrap();
    assert_eq!(checked.index, IndexVerdict::Agrees { applied: checked.entries }, "{checked}");
}
