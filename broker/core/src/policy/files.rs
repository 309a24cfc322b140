//! A policy kept as a folder of files, and applied as one text.
//!
//! Before each file stands a comment that names it, so that the text can be taken apart again: what is in
//! force is exported as the files it was written in, and a fault is told with the file and its own line.

use super::text::PolicyFaults;
use crate::document::{Fault, Faults, Table};

/// What stands before a file's name in the comment above it.
const MARK: &str = "# --- file: ";
/// The longest name of a file, in bytes.
const NAME_MAX: usize = 100;

/// One file of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, without a folder: [`File::may_be_called`].
    pub name: String,
    /// Word for word.
    pub text: String,
}

impl File {
    /// Whether a file may have this name: it is written into a folder again, perhaps somebody else's, so it
    /// names no other folder, is not hidden, and ends in `.toml`.
    pub fn may_be_called(name: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let ends = name.strip_suffix(".toml").is_some_and(|stem| !stem.is_empty());
        ends && name.len() <= NAME_MAX && name.chars().all(plain) && !name.starts_with(['.', '-'])
    }

    /// What is wrong with the file by itself. Joined to others it would go unseen: its first keys would belong
    /// to the last role of the file before it.
    fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        if !Self::may_be_called(&self.name) {
            let problem =
                "is no name for a file of a policy: letters, digits, `-`, `_`, and `.toml` at its end";
            faults.push("line 1", "", problem);
        }
        for (nth, _) in self.text.lines().enumerate().filter(|(_, line)| line.starts_with(MARK)) {
            let problem =
                format!("`{}` is how the files of a folder are told apart; take the line out", MARK.trim());
            faults.push(&format!("line {}", nth + 1), "", problem);
        }
        match Table::parse(&self.text) {
            Ok(mut document) => {
                for key in ["role", "test"] {
                    document.tables(key, &mut faults);
                }
                document.finish(&mut faults);
            }
            Err(syntax) => faults.extend(syntax.iter().cloned()),
        }
        faults
    }
}

/// One text out of these files, in the order they are given in.
///
/// # Errors
/// What is wrong with one of them by itself, each with its file and line.
pub fn join(files: &[File]) -> Result<String, PolicyFaults> {
    let mut faults = Faults::default();
    let mut text = String::new();
    for file in files {
        let own = file.faults();
        faults.extend(
            own.iter().map(|fault| Fault { place: in_file(&file.name, &fault.place), ..fault.clone() }),
        );
        text.push_str(&format!("{MARK}{}\n{}", file.name, file.text));
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    if faults.is_empty() { Ok(text) } else { faults.or(None) }
}

/// The files that a text was joined from; `None` when it was not.
pub fn split(text: &str) -> Option<Vec<File>> {
    let mut files: Vec<File> = Vec::new();
    for line in text.split_inclusive('\n') {
        match (named(line), files.last_mut()) {
            (Some(name), _) => files.push(File { name: name.to_owned(), text: String::new() }),
            (None, Some(file)) => file.text.push_str(line),
            // Something stands before the first file: it was written otherwise.
            (None, None) => return None,
        }
    }
    let mut names: Vec<_> = files.iter().map(|file| &file.name).collect();
    names.sort();
    names.dedup();
    (!files.is_empty() && names.len() == files.len()).then_some(files)
}

/// `line 12` of a joined text as `people.toml line 3`; `None` when that is in no file.
pub fn place(text: &str, place: &str) -> Option<String> {
    let line: usize = place.strip_prefix("line ")?.parse().ok()?;
    let before: Vec<_> = text.lines().take(line).collect();
    let (above, name) = before.iter().enumerate().rev().find_map(|(at, line)| Some((at, named(line)?)))?;
    Some(in_file(name, &format!("line {}", line.saturating_sub(above.saturating_add(1)).max(1))))
}

fn named(line: &str) -> Option<&str> {
    line.strip_prefix(MARK).map(str::trim_end).filter(|name| File::may_be_called(name))
}

fn in_file(name: &str, place: &str) -> String {
    format!("{name} {place}")
}

#[cfg(test)]
mod tests;
