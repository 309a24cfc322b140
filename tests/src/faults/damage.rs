//! Files are damaged, lost, swapped for older ones. What is opened is right or refused, never silently shorter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::load::{Answers, Load};
use super::record::{Opened, Record, open, open_apart};
use super::stage::Stage;
use super::{Dice, Found, Plan, copy, scratch};

/// A closed record, and older copies of it.
struct Stored {
    now: PathBuf,
    older: Vec<PathBuf>,
    whole: Record,
}

/// The ways to damage it. The name, and whether what is opened behind it may be all of an older copy: that is so
/// only where the anchor was taken back too, which nothing on the same disk can tell.
const WAYS: [&str; 11] = [
    "a flipped bit",
    "several flipped bits",
    "a zeroed page",
    "a zeroed sector",
    "a cut",
    "a longer file",
    "a missing file",
    "an older file in its place",
    "the older log and index beside this anchor",
    "the older log beside this index",
    "the older index beside this log",
];

/// Damages copies of a record so many times.
///
/// # Errors
/// The record cannot be made.
pub async fn all(folder: &Path, plan: &Plan) -> Result<Found> {
    let stored = stored(folder, plan).await?;
    let (plan, kept) = (plan.clone(), folder.to_owned());
    tokio::task::spawn_blocking(move || damaged(&stored, &plan, &kept)).await?
}

async fn stored(folder: &Path, plan: &Plan) -> Result<Stored> {
    let stage = Stage::set(folder, &plan.program).await?;
    let mut older = Vec::new();
    let process = stage.open().await?;
    let load = Load::begin(&stage, Answers::default(), plan.seed);
    let mut running = Some(process);
    for copied in 0..3 {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        if let Some(process) = running.take() {
            process.stop().await?;
        }
        let into = folder.join(format!("older-{copied}"));
        copy(&stage.store(), &into)?;
        older.push(into);
        running = Some(stage.start().await?);
    }
    tokio::time::sleep(Duration::from_millis(800)).await;
    if let Some(process) = running {
        process.stop().await?;
    }
    load.end().await;
    let now = folder.join("now");
    copy(&stage.store(), &now)?;
    let read = scratch()?;
    copy(&now, read.path())?;
    match open_apart(read.path()).await {
        Opened::Read(whole) => Ok(Stored { now, older, whole: *whole }),
        other => bail!("the record itself cannot be read: {other:?}"),
    }
}

fn damaged(stored: &Stored, plan: &Plan, kept: &Path) -> Result<Found> {
    let mut found = Found::default();
    let began = Instant::now();
    let mut outcomes: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let pristine = files(&stored.now)?;
    for number in 0..plan.count {
        let mut dice = Dice::of(plan.seed ^ number.wrapping_mul(0x1_0003));
        let way = WAYS[dice.place(WAYS.len())];
        let image = scratch()?;
        copy(&stored.now, image.path())?;
        let what = damage(stored, &pristine, way, &mut dice, image.path()).with_context(|| way.to_owned())?;
        let aside = scratch()?;
        copy(image.path(), aside.path())?;
        let outcome = match open(image.path()) {
            Opened::Read(record) if record.entries.len() < stored.whole.entries.len() => {
                Err(format!("opened with {} of {} entries", record.entries.len(), stored.whole.entries.len()))
            }
            Opened::Read(record) => record.begins(&stored.whole).map(|()| "right"),
            Opened::Refused(_) => Ok("refused"),
            Opened::Broke(words) => Err(words),
        };
        // The log beside its anchor is never taken back: it must be refused, and say why.
        let outcome = match (way, outcome) {
            (
                "the older log and index beside this anchor" | "the older log beside this index",
                Ok("right"),
            ) => Err("an older log was believed".to_owned()),
            (_, outcome) => outcome,
        };
        match outcome {
            Ok(outcome) => *outcomes.entry((way, outcome)).or_default() += 1,
            Err(problem) => {
                let keep = kept.join(format!("damage-{number}"));
                copy(aside.path(), &keep)?;
                found.violations.push(format!(
                    "seed {}, damage {number} ({way}: {what}), kept in {}: {problem}",
                    plan.seed,
                    keep.display()
                ));
            }
        }
    }
    found.figure("damages", plan.count);
    found.figure("damages a second", format!("{:.0}", plan.count as f64 / began.elapsed().as_secs_f64()));
    found.figure("entries in the record", stored.whole.entries.len());
    for way in WAYS {
        let count = |outcome| outcomes.get(&(way, outcome)).copied().unwrap_or(0);
        found.figure(way, format!("{} right, {} refused", count("right"), count("refused")));
    }
    Ok(found)
}

/// Every file, below the folder. The lock is none of the record.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut all, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "lock" && name != "ballast") {
                all.push(path.strip_prefix(folder)?.to_owned());
            }
        }
    }
    all.sort();
    Ok(all)
}

fn damage(stored: &Stored, files: &[PathBuf], way: &str, dice: &mut Dice, image: &Path) -> Result<String> {
    let replace = |from: &Path, part: &str| -> Result<()> {
        std::fs::remove_dir_all(image.join(part))?;
        Ok(copy(&from.join(part), &image.join(part))?)
    };
    let older = &stored.older[dice.place(stored.older.len())];
    match way {
        "the older log and index beside this anchor" => {
            replace(older, "log")?;
            replace(older, "index")?;
            return Ok(older.display().to_string());
        }
        "the older log beside this index" => {
            replace(older, "log")?;
            return Ok(older.display().to_string());
        }
        "the older index beside this log" => {
            replace(older, "index")?;
            return Ok(older.display().to_string());
        }
        _ => {}
    }
    // The log and the anchors as often as sled's many files.
    let of_log: Vec<&PathBuf> = files.iter().filter(|file| !file.starts_with("index")).collect();
    let all: Vec<&PathBuf> = files.iter().collect();
    let from = if dice.throw(3) > 0 { &of_log } else { &all };
    let name = from[dice.place(from.len())].clone();
    let path = image.join(&name);
    let mut bytes = std::fs::read(&path)?;
    // Where something stands: the rest of sled's files is zeros.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let at = dice.place(used.max(1));
    match way {
        "a flipped bit" | "several flipped bits" => {
            for _ in 0..if way == "a flipped bit" { 1 } else { 2 + dice.throw(30) } {
                let at = dice.place(used.max(1));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.throw(8);
                }
            }
        }
        "a zeroed page" | "a zeroed sector" => {
            let size = if way == "a zeroed page" { 4096 } else { 512 };
            let from = at / size * size;
            let to = (from + size).min(bytes.len());
            bytes[from..to].fill(0);
        }
        "a cut" => bytes.truncate(at),
        "a longer file" => {
            for _ in 0..1 + dice.throw(600) {
                bytes.push(u8::try_from(dice.throw(256))?);
            }
        }
        "a missing file" => {
            std::fs::remove_file(&path)?;
            return Ok(name.display().to_string());
        }
        "an older file in its place" => {
            let was = older.join(&name);
            if !was.exists() {
                std::fs::remove_file(&path)?;
                return Ok(format!("{} gone", name.display()));
            }
            bytes = std::fs::read(was)?;
        }
        other => bail!("no such way: {other}"),
    }
    std::fs::write(&path, bytes)?;
    Ok(format!("{} at byte {at}", name.display()))
}
