//! `elevate-sandbox tour`: what Elevate does, told in chapters. Each has a tenant and a broker of its own, and each
//! of its steps is seen true through Graph's own answers, not through what the broker says.

mod chapters;
mod graph;
mod guide;
mod stage;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser};

use self::chapters::{CHAPTERS, Chapter};
use self::guide::{Guide, Told};
use super::say;

/// What `tour` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Tell this chapter instead of the main story; may be repeated.
    #[arg(long, value_name = "NAME", value_parser = names(), conflicts_with_all = ["all", "list"])]
    chapter: Vec<String>,
    /// Tell every chapter, and how each went at the end.
    #[arg(long, conflicts_with = "list")]
    all: bool,
    /// Say which chapters there are.
    #[arg(long)]
    list: bool,
    /// Keep the folder with the records and the logs, and say where it is.
    #[arg(long)]
    keep: bool,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(
        CHAPTERS.iter().map(|chapter| PossibleValue::new(chapter.name).help(chapter.about)),
    )
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { chapter, all, list, keep } = arguments;
    if list {
        return Ok(say(&listing())?);
    }
    let chosen: Vec<&Chapter> = match (all, chapter.is_empty()) {
        (true, _) => CHAPTERS.iter().collect(),
        (false, true) => CHAPTERS.iter().take(1).collect(),
        (false, false) => {
            CHAPTERS.iter().filter(|each| chapter.iter().any(|name| name == each.name)).collect()
        }
    };
    let folder = tempfile::Builder::new().prefix("elevate-tour-").tempdir()?;
    let path = folder.path().to_owned();
    if keep {
        say(&format!("Everything is kept in {}\n", folder.keep().display()))?;
        return tell(&chosen, &path).await;
    }
    tell(&chosen, &path).await
}

fn listing() -> String {
    let mut text = String::new();
    for Chapter { name, about, .. } in CHAPTERS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<14} {about}");
    }
    text
}

/// Tells them one after another. One that breaks off does not keep the others from being told.
async fn tell(chosen: &[&Chapter], folder: &Path) -> Result<()> {
    let mut all = Vec::new();
    for chapter in chosen {
        if chosen.len() > 1 {
            say(&format!("\n== {}: {}\n", chapter.name, chapter.about))?;
        }
        let mut guide = Guide::new();
        let folder = folder.join(chapter.name);
        std::fs::create_dir_all(&folder)?;
        let told = (chapter.tell)(&mut guide, &folder).await;
        if let Err(error) = &told {
            say(&format!("\n  ✗ {error:#}\n"))?;
        }
        all.push((chapter.name, guide.told(told.is_ok())));
    }
    say(&summary(&all))?;
    let broken: Vec<_> = all.iter().filter(|(_, told)| !told.whole).map(|(name, _)| *name).collect();
    ensure!(broken.is_empty(), "the tour broke off in {}", broken.join(", "));
    Ok(())
}

/// How it went. The last line says it all, whatever became of it.
fn summary(all: &[(&str, Told)]) -> String {
    let mut text = String::new();
    if all.len() > 1 {
        text.push_str("\nCHAPTER        STEPS     TOOK\n");
        for (name, Told { begun, held, seconds, whole }) in all {
            let steps = format!("{held} of {begun}");
            let mark = if *whole { "" } else { "   ✗ broke off" };
            let _ = writeln!(text, "{name:<14} {steps:<9} {seconds} s{mark}");
        }
    }
    let (held, begun) =
        all.iter().fold((0, 0), |(held, begun), (_, told)| (held + told.held, begun + told.begun));
    let rest = if all.iter().all(|(_, told)| told.whole) { "" } else { "; the rest was not told" };
    let _ = writeln!(text, "\ntour: {held} of {begun} steps held{rest}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_what_held_and_says_when_it_broke_off() {
        let whole = Told { begun: 14, held: 14, seconds: 33, whole: true };
        let broken = Told { begun: 3, held: 2, seconds: 5, whole: false };
        assert_eq!(summary(&[("main", whole)]), "\ntour: 14 of 14 steps held\n");
        let text = summary(&[("main", whole), ("outage", broken)]);
        assert!(text.contains("\nmain           14 of 14  33 s\n"), "{text}");
        assert!(text.contains("\noutage         2 of 3    5 s   ✗ broke off\n"), "{text}");
        assert!(text.ends_with("\ntour: 16 of 17 steps held; the rest was not told\n"), "{text}");
    }

    #[test]
    fn every_chapter_has_a_name_of_its_own_and_the_first_is_the_main_one() {
        let mut names: Vec<_> = CHAPTERS.iter().map(|chapter| chapter.name).collect();
        assert_eq!(names.first(), Some(&"main"));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CHAPTERS.len());
    }
}
