//! Where a policy is kept: a file, or a folder of files that are applied as one text.

use std::fs;
use std::path::Path;

use elevate_core::document::{Fault, Faults};
use elevate_core::policy::files::{self, File};

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::settings::read_named;

/// A policy's text, and the way from its lines to the files they stand in.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) text: String,
}

impl Source {
    /// One file, or all the `.toml` files of a folder, in the order of their names.
    pub(super) fn read(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return Ok(Self { text: read_text(path)? });
        }
        let unreadable = |error: std::io::Error| {
            Failure::usage(format!("cannot read the folder `{}`: {error}", path.display()))
        };
        let mut paths = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        if paths.is_empty() {
            return Err(Failure::usage(format!("the folder `{}` holds no .toml file", path.display())));
        }
        let named = |path: &std::path::PathBuf| -> Result<File> {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok(File { name, text: read_text(path)? })
        };
        let files = paths.iter().map(named).collect::<Result<Vec<_>>>()?;
        let text =
            files::join(&files).map_err(|faults| invalid(&faults.iter().cloned().collect::<Vec<_>>()))?;
        Ok(Self { text })
    }

    /// A failure whose places name the file that the person wrote.
    pub(super) fn placed(&self, mut failure: Failure) -> Failure {
        for field in failure.fields_mut() {
            let (place, rest) = field.split_once(':').unwrap_or((field, ""));
            if let Some(placed) = files::place(&self.text, place) {
                *field = if rest.is_empty() { placed } else { format!("{placed}:{rest}") };
            }
        }
        failure
    }

    /// Likewise of a fault.
    pub(super) fn place(&self, fault: Fault) -> Fault {
        Fault { place: files::place(&self.text, &fault.place).unwrap_or(fault.place), ..fault }
    }

    /// Likewise of them all.
    pub(super) fn place_all(&self, faults: &Faults) -> Vec<Fault> {
        faults.iter().cloned().map(|fault| self.place(fault)).collect()
    }
}

/// What the broker would say of a policy with these faults.
pub(super) fn invalid(faults: &[Fault]) -> Failure {
    let s = if faults.len() == 1 { "" } else { "s" };
    let field = |fault: &Fault| match fault.key.as_str() {
        "" => (fault.place.clone(), fault.problem.clone()),
        key => (format!("{}: {key}", fault.place), fault.problem.clone()),
    };
    Failure::new(Exit::Usage, "POLICY_INVALID", format!("the policy has {} fault{s}", faults.len()))
        .fields(faults.iter().map(field).collect())
}

fn read_text(path: &Path) -> Result<String> {
    let text = String::from_utf8(read_named(path, "the policy")?)
        .map_err(|_| Failure::usage(format!("`{}` holds no text", path.display())))?;
    // Editors of some systems put a mark at the beginning; within a text of several files it is none.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
