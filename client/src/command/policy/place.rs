//! Where a policy is written to: a file, or a folder as the files that it is made of.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use elevate_core::policy::files::{self, File};

use crate::failure::{Failure, Result};

/// What a text that was applied as one file is called in a folder.
const ONLY: &str = "policy.toml";

/// Writes it there, over nothing that is there already unless `force` says so. Gives the files.
pub(super) fn write(path: &Path, text: &str, force: bool) -> Result<Vec<String>> {
    let into_folder = path.is_dir() || path.extension().is_none();
    let files = if into_folder { in_folder(path, text) } else { vec![(path.to_owned(), text.to_owned())] };
    nothing_in_the_way(path, into_folder, &files, force)?;
    if into_folder {
        fs::create_dir_all(path).map_err(|error| unwritable(path, &error))?;
    }
    for (path, text) in &files {
        write_one(path, text, force)?;
    }
    Ok(files.iter().map(|(path, _)| path.display().to_string()).collect())
}

fn in_folder(folder: &Path, text: &str) -> Vec<(PathBuf, String)> {
    let files =
        files::split(text).unwrap_or_else(|| vec![File { name: ONLY.to_owned(), text: text.to_owned() }]);
    files.into_iter().map(|File { name, text }| (folder.join(name), text)).collect()
}

/// A file left over in the folder would be applied with the others the next time.
fn nothing_in_the_way(path: &Path, is_folder: bool, files: &[(PathBuf, String)], force: bool) -> Result<()> {
    let here: Vec<PathBuf> = if is_folder {
        let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
    } else {
        path.exists().then(|| path.to_owned()).into_iter().collect()
    };
    let (ours, strangers): (Vec<_>, Vec<_>) =
        here.into_iter().partition(|here| files.iter().any(|(path, _)| path == here));
    match (strangers.first(), ours.first()) {
        (Some(stranger), _) => {
            let told = format!("`{}` is there, and is no part of this policy", stranger.display());
            Err(Failure::usage(told).advice("name another folder, or move it away"))
        }
        (None, Some(taken)) if !force => {
            Err(Failure::usage(format!("`{}` is there already", taken.display()))
                .advice("name another place, or write over it with `--force`"))
        }
        _ => Ok(()),
    }
}

fn write_one(path: &Path, text: &str, force: bool) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::usage(format!("cannot write `{}`: {error}", path.display()));
    if error.kind() == ErrorKind::NotFound { failure.advice("make the folder first") } else { failure }
}
