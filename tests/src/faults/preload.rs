//! The library that stands between the broker's process and its disk: built here, from tests/preload/disk.c.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

const SOURCE: &str = include_str!("../../preload/disk.c");

/// The library, built.
#[derive(Debug, Clone)]
pub struct Preload(PathBuf);

/// What becomes of one call to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault<'f> {
    /// Which kind of call: `write`, `sync`, `range`, `open`, `rename`, `unlink`, `mkdir`, `truncate`, `any`.
    pub call: &'f str,
    /// A part of the path below the folder; `-` for any.
    pub part: &'f str,
    /// The how manieth such call of the process, from 1.
    pub nth: u64,
    /// `ENOSPC`, `EIO`, `EROFS`, `EDQUOT` from then on; `EIO1` once; `short`; `kill-before`, `kill-half`,
    /// `kill-after`.
    pub what: &'f str,
}

impl Preload {
    /// Builds it into this folder, with the C compiler that building the project takes anyway.
    ///
    /// # Errors
    /// There is none, or it does not like the source.
    pub fn build(into: &Path) -> Result<Self> {
        std::fs::create_dir_all(into)?;
        let (source, library) = (into.join("disk.c"), into.join("disk.so"));
        std::fs::write(&source, SOURCE)?;
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let said = Command::new(&compiler)
            .args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .args(["-ldl", "-lpthread"])
            .output()
            .with_context(|| {
                let name = compiler.display();
                format!(
                    "{name} cannot be run: install a C compiler (Debian: `apt-get install gcc libc6-dev`; Fedora: `dnf \
                     install gcc`), or name one in CC"
                )
            })?;
        ensure!(
            said.status.success(),
            "{} cannot be built: {}",
            source.display(),
            String::from_utf8_lossy(&said.stderr)
        );
        Ok(Self(std::path::absolute(library)?))
    }

    /// The environment under which a process is looked at, below this folder.
    pub fn over(&self, store: &Path) -> Vec<(String, String)> {
        let text = |path: &Path| path.display().to_string();
        vec![("LD_PRELOAD".into(), text(&self.0)), ("FAULTY_DISK_FOLDER".into(), text(store))]
    }

    /// Likewise, and everything that happens is written down.
    pub fn logging(&self, store: &Path, log: &Path) -> Vec<(String, String)> {
        let mut environment = self.over(store);
        environment.push(("FAULTY_DISK_LOG".into(), log.display().to_string()));
        environment
    }

    /// Likewise, and this happens to it.
    pub fn failing(&self, store: &Path, fault: Fault<'_>) -> Vec<(String, String)> {
        let Fault { call, part, nth, what } = fault;
        let mut environment = self.over(store);
        environment.push(("FAULTY_DISK_FAULT".into(), format!("{call} {part} {nth} {what}")));
        environment
    }

    /// Likewise, and this file is made when it does.
    pub fn failing_told(&self, store: &Path, fault: Fault<'_>, met: &Path) -> Vec<(String, String)> {
        let mut environment = self.failing(store, fault);
        environment.push(("FAULTY_DISK_MET".into(), met.display().to_string()));
        environment
    }

    /// Likewise, but only calls made while this file is there are counted.
    pub fn failing_once(&self, store: &Path, fault: Fault<'_>, armed: &Path) -> Vec<(String, String)> {
        let mut environment = self.failing(store, fault);
        environment.push(("FAULTY_DISK_ARMED".into(), armed.display().to_string()));
        environment
    }

    /// Likewise, and the disk is full while this file is there, but for the room that the ballast took.
    pub fn full(&self, store: &Path, flag: &Path) -> Vec<(String, String)> {
        let mut environment = self.over(store);
        environment.push(("FAULTY_DISK_FULL".into(), flag.display().to_string()));
        environment
    }
}
