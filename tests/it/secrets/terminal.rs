//! What the command line says and keeps: a session is in its one file, or in the keyring, and nowhere else. And no secret
//! can be typed, so that none comes into a shell's history or a list of processes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use elevate_tests::World;

/// Whatever stands in a session that nobody may see.
fn tokens(file: &Path) -> Vec<String> {
    let session: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    ["access_token", "refresh_token"]
        .iter()
        .filter_map(|key| Some(session.get(key)?.as_str()?.rsplit('.').next()?.to_owned()))
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

fn sessions(folder: &Path) -> Vec<PathBuf> {
    let holds =
        |path: &PathBuf| std::fs::read_to_string(path).is_ok_and(|text| text.contains("access_token"));
    files(folder).into_iter().filter(holds).collect()
}

#[tokio::test]
async fn no_verb_prints_a_token_and_none_is_kept_but_in_the_session() {
    let world = World::start().await;
    let (ann, bob) = (world.signed_in("ann").await, world.signed_in("bob").await);
    let people = world.folder().join("people");
    let mut secrets: Vec<String> = sessions(&people).iter().flat_map(|file| tokens(file)).collect();
    assert_eq!(secrets.len(), 4, "two people, two tokens each");

    let mut said = String::new();
    for words in [
        "whoami",
        "roles",
        "explain reader",
        "activate reader --reason x --yes",
        "activate groups-admin --reason x --yes --no-wait",
        "activate no-such-role --reason x --yes",
        "list",
        "history",
        "show 00000000-0000-4000-8000-000000000000",
        "deactivate reader",
        "doctor",
        "frobnicate",
        "login",
    ] {
        for format in ["table", "json"] {
            let words: Vec<&str> = words.split(' ').chain(["--output", format]).collect();
            let told = ann.types(&words).await;
            said += &format!("{words:?}\n{}{}\n", told.out, told.err);
        }
    }
    for words in [&["pending"][..], &["pending", "--output", "json"]] {
        let told = bob.types(words).await;
        said += &format!("{words:?}\n{}{}\n", told.out, told.err);
    }
    // With the broker gone everything fails, and says so.
    world.stop().await.unwrap();
    for words in [&["roles"][..], &["activate", "reader", "--reason", "x", "--yes", "--output", "json"]] {
        let told = ann.types(words).await;
        said += &format!("{words:?}\n{}{}\n", told.out, told.err);
    }

    let kept = sessions(&people);
    secrets.extend(kept.iter().flat_map(|file| tokens(file)));
    assert!(said.contains("Global Reader") && said.len() > 2000, "{said}");
    for secret in &secrets {
        let line = said.lines().find(|line| line.contains(secret.as_str()));
        assert!(line.is_none(), "it prints a token: {line:?}");
    }
    assert!(!said.contains("eyJ"), "it prints something like a token");
    for file in files(&people) {
        let bytes = std::fs::read(&file).unwrap();
        let holds = |secret: &String| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        if secrets.iter().any(holds) {
            assert!(kept.contains(&file), "{} holds a token", file.display());
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} can be read by others", file.display());
        }
    }
}

#[tokio::test]
async fn no_secret_can_be_typed_as_a_word_of_a_command() {
    let world = World::start().await;
    let ann = world.person("ann");
    let top = ann.types(&["--help"]).await;
    let verbs: Vec<String> = top
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-'))
        .map(str::to_owned)
        .collect();
    assert!(verbs.len() >= 20 && verbs.contains(&"login".to_owned()), "{verbs:?}");
    let mut options = 0;
    for verb in &verbs {
        let help = ann.types(&[verb, "--help"]).await.out;
        for line in help.lines().map(str::trim).filter(|line| line.starts_with('-')) {
            options += 1;
            let names: Vec<&str> = line.split([' ', ',']).filter(|word| word.starts_with("--")).collect();
            for name in names {
                let asks = ["token", "secret", "password", "key", "assertion", "proof"]
                    .iter()
                    .any(|word| name.contains(word));
                let a_file = line.contains("<FILE>") || line.contains("_FILE");
                assert!(!asks || a_file, "`elevate {verb} {name}` takes a secret as a word: {line}");
            }
        }
    }
    assert!(options > 40, "the help is not read here: {options}");
}
