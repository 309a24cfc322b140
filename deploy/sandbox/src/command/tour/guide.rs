//! Says what is about to be seen, and counts what was.

use std::time::Instant;

use anyhow::Result;

use super::say;

/// Tells one chapter, step by step.
#[derive(Debug)]
pub(super) struct Guide {
    begun: usize,
    held: usize,
    started: Instant,
}

/// How a chapter went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// The steps that were begun.
    pub(super) begun: usize,
    /// The steps that were seen to be true.
    pub(super) held: usize,
    /// How long it took.
    pub(super) seconds: u64,
    /// Whether it was told to its end, and every step of it held.
    pub(super) whole: bool,
}

impl Guide {
    pub(super) fn new() -> Self {
        Self { begun: 0, held: 0, started: Instant::now() }
    }

    /// A new step begins.
    pub(super) fn step(&mut self, title: &str) -> Result<()> {
        self.begun += 1;
        let (begun, at) = (self.begun, self.started.elapsed().as_secs());
        Ok(say(&format!("\n[{begun:>2}] {title}   ({at} s)\n"))?)
    }

    /// The step that was begun is true.
    pub(super) fn seen(&mut self, what: &str) -> Result<()> {
        self.held += 1;
        self.says(&format!("✓ {what}"))
    }

    /// A line in between.
    pub(super) fn says(&self, line: &str) -> Result<()> {
        Ok(say(&format!("  {line}\n"))?)
    }

    /// How it went: `ended` is whether the chapter came to its end.
    pub(super) fn told(&self, ended: bool) -> Told {
        let Self { begun, held, started } = *self;
        Told { begun, held, seconds: started.elapsed().as_secs(), whole: ended && held == begun }
    }
}
