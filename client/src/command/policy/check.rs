//! What a policy says by itself: its faults, its warnings, its tests. No broker is asked.

use std::path::Path;

use elevate_core::document::Fault;
use elevate_core::policy::{self, Verdict, Written};
use serde::Serialize;

use super::source::{Source, invalid};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::clean_line;

/// What `lint` found.
#[derive(Serialize)]
struct Findings {
    /// How many there are; null when the policy cannot be read.
    roles: Option<usize>,
    tests: Option<usize>,
    faults: Vec<Finding>,
    warnings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    place: String,
    key: String,
    problem: String,
}

/// What came of the tests.
#[derive(Serialize)]
struct Tested {
    tests: Vec<Test>,
    held: usize,
    failed: usize,
}

#[derive(Serialize)]
struct Test {
    name: String,
    place: String,
    held: bool,
    failures: Vec<Finding>,
}

impl From<Fault> for Finding {
    fn from(fault: Fault) -> Self {
        let Fault { place, key, problem } = fault;
        Self { place, key, problem }
    }
}

pub(super) fn lint(path: &Path, strict: bool, context: &mut Context) -> Result<Exit> {
    let source = Source::read(path)?;
    let (written, faults) = match policy::read(&source.text) {
        Ok(written) => {
            let failing = written.verdicts().flat_map(Verdict::into_faults);
            let faults = failing.map(|fault| source.place(fault)).collect();
            (Some(written), faults)
        }
        Err(faults) => (None, source.place_all(&faults)),
    };
    let warnings = written.as_ref().map(Written::warnings).unwrap_or_default();
    let warnings: Vec<_> = warnings.into_iter().map(|warning| source.place(warning)).collect();
    let exit = match (faults.is_empty(), warnings.is_empty()) {
        (false, _) => Exit::Usage,
        (true, false) if strict => Exit::Untrue,
        _ => Exit::Ok,
    };
    let look = context.look();
    let mut text = String::new();
    for (label, colour, found) in [("fault:", "31", &faults), ("warning:", "33", &warnings)] {
        for fault in found {
            text.push_str(&format!("{} {}\n", look.paint(colour, label), clean_line(&fault.to_string())));
        }
    }
    let (roles, tests) = written.map(|it| (it.policy.roles().len(), it.tests.len())).unzip();
    if let Some((roles, tests)) = roles.zip(tests) {
        text.push_str(&format!("{}, {}: ", counted(roles, "role"), counted(tests, "test")));
    }
    text.push_str(&format!("{}, {}", counted(faults.len(), "fault"), counted(warnings.len(), "warning")));
    let all = |faults: Vec<Fault>| faults.into_iter().map(Into::into).collect();
    let findings = Findings { roles, tests, faults: all(faults), warnings: all(warnings) };
    context.console.answer(&findings, || text)?;
    Ok(exit)
}

pub(super) fn test(path: &Path, context: &mut Context) -> Result<Exit> {
    let source = Source::read(path)?;
    let written = policy::read(&source.text).map_err(|faults| invalid(&source.place_all(&faults)))?;
    let tests: Vec<_> = written.verdicts().map(|verdict| tested(&source, verdict)).collect();
    let failed = tests.iter().filter(|test| !test.held).count();
    let look = context.look();
    let mut text = String::new();
    for test in &tests {
        let (word, colour) = if test.held { ("ok    ", "32") } else { ("FAILED", "31") };
        text.push_str(&format!("{}  {}\n", look.paint(colour, word), clean_line(&test.name)));
        for Finding { place, key, problem } in &test.failures {
            text.push_str(&format!("          {place}: `{key}` {}\n", clean_line(problem)));
        }
    }
    let held = tests.len().saturating_sub(failed);
    text.push_str(&format!("{}: {held} held, {failed} failed", counted(tests.len(), "test")));
    context.console.answer(&Tested { tests, held, failed }, || text)?;
    Ok(if failed == 0 { Exit::Ok } else { Exit::Untrue })
}

fn tested(source: &Source, verdict: Verdict) -> Test {
    let Verdict { name, place, failures } = verdict;
    let here = source.place(Fault { place, key: String::new(), problem: String::new() });
    let held = failures.is_empty();
    let failures = failures.into_iter().map(|fault| source.place(fault).into()).collect();
    Test { name, place: here.place, held, failures }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
