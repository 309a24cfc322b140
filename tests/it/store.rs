//! A record that cannot be trusted is refused, in words that say what to do.

use std::path::{Path, PathBuf};

use elevate_tests::{State, World, wish};

fn files(folder: &Path, named: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap().to_string_lossy().starts_with(named) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Starting on this record is refused, and these words are among those said.
async fn refused(world: &World, words: &[&str]) {
    let error = world.try_restart().await.expect_err("it must be refused");
    let said = format!("{error:#}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not said in: {said}");
    }
}

/// A world whose record holds a role that is live, and whose broker has ended.
async fn with_a_record() -> World {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("reader")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    world.stop().await.unwrap();
    world
}

#[tokio::test]
async fn a_record_from_a_later_version_is_refused_and_left_as_it_is() {
    let world = with_a_record().await;
    for anchor in files(&world.store(), "anchor.") {
        // As a later version would write it: whole, and of another format.
        let text = std::fs::read_to_string(&anchor).unwrap().replace("elevate-anchor 1", "elevate-anchor 2");
        let (body, _) = text.split_once("crc32c ").unwrap();
        let sum = crc32c::crc32c(body.as_bytes());
        std::fs::write(&anchor, format!("{body}crc32c {sum:08x}\n")).unwrap();
    }
    let before: Vec<_> =
        files(&world.store(), "anchor.").iter().map(|file| std::fs::read(file).unwrap()).collect();
    refused(&world, &["was written by a later version", "format 2", "run that version, or restore a backup"])
        .await;
    let after: Vec<_> =
        files(&world.store(), "anchor.").iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert_eq!(before, after);
}

#[tokio::test]
async fn an_older_copy_of_the_record_is_refused() {
    let world = World::start().await;
    world.stop().await.unwrap();
    let older = world.folder().join("older");
    copy(&world.store(), &older);
    world.restart().await;
    let asked = world.grpc("ann").ask(&wish("reader")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    world.stop().await.unwrap();

    // The log is put back, its anchor is not: a role that was granted since would be forgotten.
    let now = world.store();
    for name in ["log", "index"] {
        std::fs::remove_dir_all(now.join(name)).unwrap_or_default();
        if older.join(name).exists() {
            copy(&older.join(name), &now.join(name));
        }
    }
    refused(&world, &["an older copy was put there or the log was cut", "elevated store reanchor"]).await;
}

#[tokio::test]
async fn a_record_that_was_changed_is_refused_and_says_where() {
    let world = with_a_record().await;
    let segments: Vec<_> = files(&world.store().join("log"), "").into_iter().collect();
    let segment = segments.last().expect("a log");
    let mut bytes = std::fs::read(segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(segment, bytes).unwrap();
    refused(&world, &["is damaged at byte", "restore a backup"]).await;
}

#[tokio::test]
async fn a_lost_index_is_made_again_and_nothing_is_forgotten() {
    let world = with_a_record().await;
    std::fs::remove_dir_all(world.store().join("index")).unwrap();
    world.restart().await;
    let eve = world.grpc("eve");
    let all = eve.list(true).await.unwrap();
    assert_eq!((all.len(), all[0].state()), (1, State::Active));
    world.advance("1h");
    assert_eq!(world.outcome(&all[0].id).await, elevate_tests::Outcome::Expired);
}

#[tokio::test]
async fn a_record_in_use_is_not_opened_twice() {
    let world = World::start().await;
    let any = "127.0.0.1:0".parse().unwrap();
    let second = elevate_broker::app::start(world.config(any, any), None).await.expect_err("a second broker");
    assert!(format!("{second:#}").contains("in use by another process"), "{second:#}");
    world.grpc("ann").roles().await.unwrap();
}
