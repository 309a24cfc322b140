//! Where a session is kept: the operating system's keyring, or a file only its owner can read.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::login::Session;
use crate::settings::Store;
use crate::world::Keyring;

/// Windows keeps 2560 bytes an entry, in UTF-16: a session is kept in pieces.
const PIECE_CHARS: usize = 1200;
/// No session is that long.
const PIECES_MAX: usize = 32;

/// Keeps a session. Where the keyring does not answer, it says so aloud and keeps a file.
pub(crate) async fn save(context: &mut Context, session: &Session) -> Result<()> {
    let text =
        zeroize::Zeroizing::new(serde_json::to_string(session).map_err(|error| broken(error.to_string()))?);
    if context.settings.store != Some(Store::File) {
        let (name, secret) = (session.broker.clone(), text.clone());
        match in_keyring(context, move |keyring| keep(keyring, &name, &secret)).await {
            Ok(()) => {
                // An older session must not outlive the one that took its place.
                return forget_file(context, &session.broker);
            }
            Err(why) if context.settings.store == Some(Store::Keyring) => {
                return Err(broken(format!("the keyring does not take the session: {why}"))
                    .advice("ELEVATE_TOKEN_STORE=file keeps it in a file that only you can read"));
            }
            Err(_) => {}
        }
    }
    let path = file_path(context.settings.own_folder()?, &session.broker);
    let new = !path.exists();
    write_private(&path, text.as_bytes())
        .map_err(|error| broken(format!("cannot write `{}`: {error}", path.display())))?;
    if new {
        let why = match context.settings.store {
            Some(Store::File) => "as ELEVATE_TOKEN_STORE asks",
            _ => "no keyring answers here",
        };
        context
            .console
            .warn(&format!("{why}; the session is kept in {}, readable only by you", path.display()));
    }
    Ok(())
}

/// The session with this broker, if there is one.
pub(crate) async fn load(context: &mut Context, broker: &str) -> Result<Option<Session>> {
    if context.settings.store != Some(Store::File) {
        let name = broker.to_owned();
        match in_keyring(context, move |keyring| fetch(keyring, &name)).await {
            Ok(Some(text)) => return Ok(serde_json::from_str(&text).ok()),
            Ok(None) => {}
            Err(why) if context.settings.store == Some(Store::Keyring) => {
                return Err(broken(format!("the keyring does not answer: {why}")));
            }
            Err(_) => {}
        }
    }
    let Some(folder) = &context.settings.folder else { return Ok(None) };
    let path = file_path(folder, broker);
    match fs::read(&path).map(zeroize::Zeroizing::new) {
        // One that cannot be read (of another version, say) is none: signing in again mends it.
        // Two brokers' names may make one file name: the session says whose it is.
        Ok(text) => {
            Ok(serde_json::from_slice(&text).ok().filter(|session: &Session| session.broker == broker))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(broken(format!("cannot read `{}`: {error}", path.display()))),
    }
}

/// Forgets the session with this broker, wherever it is.
pub(crate) async fn forget(context: &mut Context, broker: &str) -> Result<()> {
    if context.settings.store != Some(Store::File) {
        let name = broker.to_owned();
        let done = in_keyring(context, move |keyring| drop_pieces(keyring, &name, 0)).await;
        if let (Err(why), Some(Store::Keyring)) = (done, context.settings.store) {
            return Err(broken(format!("the keyring does not answer: {why}")));
        }
    }
    forget_file(context, broker)
}

/// Where sessions are kept here, for `doctor`.
pub(crate) async fn place(context: &Context, broker: &str) -> std::result::Result<String, String> {
    let file = || {
        let folder =
            context.settings.folder.as_deref().ok_or("neither a keyring nor a configuration folder")?;
        let path = file_path(folder, broker);
        check_private(&path)?;
        Ok(format!("the file {}", path.display()))
    };
    if context.settings.store == Some(Store::File) {
        return file();
    }
    let name = broker.to_owned();
    match in_keyring(context, move |keyring| keyring.load(&piece_name(&name, 0)).map(drop)).await {
        Ok(()) => Ok("the operating system's keyring".to_owned()),
        Err(why) if context.settings.store == Some(Store::Keyring) => Err(why),
        Err(_) => file(),
    }
}

async fn in_keyring<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce(&dyn Keyring) -> std::result::Result<T, String> + Send + 'static,
) -> std::result::Result<T, String> {
    let keyring = Arc::clone(&context.outside.keyring);
    // It blocks: it may even ask the person to unlock it.
    tokio::task::spawn_blocking(move || work(&*keyring)).await.unwrap_or_else(|error| Err(error.to_string()))
}

fn keep(keyring: &dyn Keyring, name: &str, secret: &str) -> std::result::Result<(), String> {
    let letters: Vec<char> = secret.chars().collect();
    let pieces: Vec<String> = letters.chunks(PIECE_CHARS).map(|piece| piece.iter().collect()).collect();
    if pieces.len() > PIECES_MAX {
        return Err("the session is too long for it".to_owned());
    }
    // The first piece last: until it is there, nothing is.
    for (number, piece) in pieces.iter().enumerate().rev() {
        let head = if number == 0 { format!("{}\n", pieces.len()) } else { String::new() };
        keyring.save(&piece_name(name, number), &format!("{head}{piece}"))?;
    }
    drop_pieces(keyring, name, pieces.len())
}

fn fetch(keyring: &dyn Keyring, name: &str) -> std::result::Result<Option<String>, String> {
    let Some(first) = keyring.load(&piece_name(name, 0))? else { return Ok(None) };
    let Some((count, text)) = first.split_once('\n') else { return Ok(None) };
    let count: usize = count.parse().unwrap_or(0);
    let mut text = text.to_owned();
    for number in 1..count.min(PIECES_MAX) {
        match keyring.load(&piece_name(name, number))? {
            Some(piece) => text.push_str(&piece),
            None => return Ok(None),
        }
    }
    Ok(Some(text))
}

fn drop_pieces(keyring: &dyn Keyring, name: &str, from: usize) -> std::result::Result<(), String> {
    for number in from..PIECES_MAX {
        let name = piece_name(name, number);
        if keyring.load(&name)?.is_none() {
            break;
        }
        keyring.forget(&name)?;
    }
    Ok(())
}

fn piece_name(name: &str, number: usize) -> String {
    if number == 0 { name.to_owned() } else { format!("{name}#{number}") }
}

/// One file a broker, named after it.
fn file_path(folder: &Path, broker: &str) -> PathBuf {
    let name: String = broker
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' })
        .collect();
    folder.join(format!("session-{name}.json"))
}

fn forget_file(context: &Context, broker: &str) -> Result<()> {
    let Some(folder) = &context.settings.folder else { return Ok(()) };
    let path = file_path(folder, broker);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(broken(format!("cannot delete `{}`: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

/// Writes beside and renames: the file is there whole, or as it was, and never readable by others.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    // A leftover might be somebody else's to read.
    let _ = fs::remove_file(&beside);
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let moved = written.and_then(|()| fs::rename(&beside, path));
    if moved.is_err() {
        let _ = fs::remove_file(&beside);
    }
    moved
}

#[cfg(unix)]
fn check_private(path: &Path) -> std::result::Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    match fs::metadata(path) {
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
            Err(format!("{} can be read by others: run `chmod 600` on it", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> std::result::Result<(), String> {
    Ok(())
}

fn broken(message: String) -> Failure {
    Failure::new(Exit::Unexpected, "TOKEN_STORE", message)
}
