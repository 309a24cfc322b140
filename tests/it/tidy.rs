//! The rules of the house that no compiler holds: who may know what.

use std::fs;
use std::path::{Path, PathBuf};

/// Where a word may stand: in these files and folders, and nowhere else below the first column.
const WORDS: [(&str, &str, &[&str]); 19] = [
    // Only `grpc` knows tonic.
    ("broker/src", "tonic", &["broker/src/grpc"]),
    // Only `store` knows sled.
    ("broker/src", "sled::", &["broker/src/store"]),
    // Only `graph` knows Graph, and only it, `identity` and `tickets` call out; `app` and `tls` make the client.
    ("broker/src", "roleManagement", &["broker/src/graph"]),
    ("broker/src", "roleAssignment", &["broker/src/graph"]),
    (
        "broker/src",
        "reqwest",
        &[
            "broker/src/graph",
            "broker/src/identity",
            "broker/src/tickets",
            "broker/src/app.rs",
            "broker/src/tls.rs",
        ],
    ),
    // Only `identity` reads tokens; `graph/credential` signs one.
    ("broker/src", "jsonwebtoken", &["broker/src/identity", "broker/src/graph/credential.rs"]),
    // Only the clock reads a clock.
    ("broker", "Timestamp::now", &["broker/src/clock.rs"]),
    ("broker", "Zoned::now", &[]),
    ("broker", "SystemTime", &[]),
    ("broker", "clock_gettime", &["broker/src/clock.rs"]),
    ("client/src", "Timestamp::now", &["client/src/real.rs"]),
    ("deploy/sandbox/src", "Timestamp::now", &["deploy/sandbox/src/clock.rs"]),
    // A policy is read by the broker's own rules; everything else the command line knows is the contract.
    ("client/src", "elevate_core", &["client/src/command/policy.rs"]),
    // What only its maker may say.
    ("broker/src", "VerifiedProof::attested", &["broker/src/identity"]),
    ("broker/src", "Recorded::loaded", &["broker/src/store"]),
    ("broker/src", "Recorded::appended", &["broker/src/store"]),
    // Nothing is left for later.
    (".", "todo!(", &[]),
    (".", "unimplemented!(", &[]),
    (".", "#[ignore", &[]),
];

/// Who may not know whom: the folder, and the words that must not stand in it.
const STRANGERS: [(&str, &[&str]); 11] = [
    (
        "broker/core/src",
        &["tokio", "serde", "tonic", "prost", "async ", "std::fs", "std::net", "std::env", "Instant"],
    ),
    (
        "broker/src/ports",
        &["crate::workflow", "crate::grpc", "crate::graph", "crate::store", "crate::identity"],
    ),
    (
        "broker/src/workflow",
        &["crate::grpc", "crate::graph", "crate::store", "crate::identity", "crate::notify", "crate::app"],
    ),
    (
        "broker/src/reaper.rs",
        &["crate::grpc", "crate::graph", "crate::store", "crate::identity", "crate::notify", "crate::app"],
    ),
    (
        "broker/src/notify",
        &[
            "crate::workflow",
            "crate::reaper",
            "crate::grpc",
            "crate::graph",
            "crate::store",
            "crate::identity",
            "crate::notice_log",
            "crate::app",
        ],
    ),
    (
        "broker/src/notice_log.rs",
        &[
            "crate::workflow",
            "crate::notify",
            "crate::grpc",
            "crate::graph",
            "crate::store",
            "crate::identity",
            "crate::app",
        ],
    ),
    ("broker/src/grpc", &["crate::graph", "crate::store", "crate::identity", "crate::app"]),
    (
        "broker/src/graph",
        &["crate::grpc", "crate::store", "crate::identity", "crate::workflow", "crate::app"],
    ),
    (
        "broker/src/store",
        &["crate::grpc", "crate::graph", "crate::identity", "crate::workflow", "crate::app"],
    ),
    (
        "broker/src/identity",
        &["crate::grpc", "crate::graph", "crate::store", "crate::workflow", "crate::app"],
    ),
    (
        "broker/src/tickets",
        &[
            "crate::grpc",
            "crate::graph",
            "crate::store",
            "crate::identity",
            "crate::workflow",
            "crate::config",
            "crate::app",
        ],
    ),
];

/// The longest a file may be, and those that are longer for a reason.
const LINES: usize = 600;
const LONGER: [(&str, usize, &str); 0] = [];

#[test]
fn every_word_stands_where_it_may() {
    let mut wrong = Vec::new();
    for (folder, word, places) in WORDS {
        for (file, text) in sources(folder, &["rs"]) {
            let may = places.iter().any(|place| is_in(&file, place)) || is_test(&file) || is_this(&file);
            if !may && code(&text).any(|(_, line)| line.contains(word)) {
                wrong.push(format!("{file}: `{word}` may stand in {places:?} only"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nobody_knows_whom_they_should_not() {
    let mut wrong = Vec::new();
    for (folder, strangers) in STRANGERS {
        let found = sources(folder, &["rs"]);
        assert!(!found.is_empty(), "{folder} is not there: this table has to follow it");
        for (file, text) in found.into_iter().filter(|(file, _)| !is_test(file)) {
            for (number, line) in code(&text) {
                for word in strangers.iter().filter(|word| line.contains(**word)) {
                    wrong.push(format!("{file}:{number}: {folder} does not know `{word}`"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_sandbox_is_no_part_of_what_is_shipped() {
    for manifest in ["broker/Cargo.toml", "broker/core/Cargo.toml", "client/Cargo.toml", "proto/Cargo.toml"] {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        assert!(!text.contains("sandbox"), "{manifest}");
    }
    let core = fs::read_to_string(root().join("broker/core/Cargo.toml")).unwrap();
    let (_, dependencies) = core.split_once("[dependencies]").unwrap();
    let (dependencies, _) = dependencies.split_once("\n[").unwrap_or((dependencies, ""));
    for heavy in ["tokio", "serde", "tonic", "prost", "reqwest", "sled", "async"] {
        assert!(!dependencies.contains(heavy), "core depends on {heavy}");
    }
}

#[test]
fn no_file_is_longer_than_one_story() {
    let mut wrong = Vec::new();
    for (file, text) in sources(".", &["rs"]) {
        let lines = text.lines().count();
        let most = LONGER.iter().find(|(longer, ..)| *longer == file).map_or(LINES, |(_, most, _)| *most);
        if lines > most && !file.contains("/gen/") {
            wrong.push(format!("{file} has {lines} lines; {most} is the most"));
        }
    }
    for (file, ..) in LONGER {
        let short = fs::read_to_string(root().join(file)).is_ok_and(|text| text.lines().count() <= LINES);
        assert!(!short, "{file} is no exception any more");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // Put together here, so that this file does not name them.
    let machines =
        [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["/Us", "ers/"]].map(|parts| parts.concat());
    let mut wrong = Vec::new();
    for (file, text) in sources(".", &["rs", "toml", "md", "proto", "yml", "yaml", "sh", "service", "lock"]) {
        for (number, line) in text.lines().enumerate() {
            if machines.iter().any(|machine| line.contains(machine.as_str())) {
                wrong.push(format!("{file}:{}: {line}", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    for line in lock.lines().filter(|line| line.starts_with("source = ")) {
        assert_eq!(line, public, "a dependency from elsewhere");
    }
}

/// The lines of code, with their numbers: without comments and documentation.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Tests fake the outside, and may say what only its maker says.
fn is_test(file: &str) -> bool {
    file.contains("/tests/")
        || file.ends_with("/tests.rs")
        || file.ends_with("/sample.rs")
        || file.starts_with("tests/")
}

/// The table of forbidden words holds them.
fn is_this(file: &str) -> bool {
    file == "tests/it/tidy.rs"
}

fn is_in(file: &str, place: &str) -> bool {
    let below = file.strip_prefix(place.trim_end_matches(".rs"));
    below.is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file below `folder` (or the one file, or the module of that name) with one of these endings.
fn sources(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    let beside = root().join(format!("{folder}.rs"));
    for file in [root().join(folder), beside].into_iter().filter(|path| path.is_file()) {
        found.push(file);
    }
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != ".git" {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| endings.iter().any(|each| ending == *each)) {
                found.push(path);
            }
        }
    }
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().trim_start_matches("./").to_owned();
        (name, fs::read_to_string(&path).unwrap())
    };
    found.into_iter().map(named).collect()
}
