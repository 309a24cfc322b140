//! The power goes: what a disk may hold of a real broker's writes is opened as a starting broker opens it.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::history::{Call, Disk, Line, Model, read, same};
use super::load::{Acknowledged, Answers, Load};
use super::preload::Preload;
use super::record::{Opened, Record, open, open_apart};
use super::stage::{Stage, policy};
use super::{Dice, Found, Plan, copy, scratch};

/// How many images are made of one broker's history before another is written.
const OF_ONE: u64 = 2500;

/// How many brokers write one history, one after another.
const LIVES: u64 = 3;

/// A broker's writes, what it answered, and what its record said in the end.
struct History {
    lines: Vec<Line>,
    answers: Vec<Acknowledged>,
    whole: Record,
}

/// Makes so many images and opens each.
///
/// # Errors
/// A history cannot be made.
pub async fn cuts(folder: &Path, preload: &Preload, plan: &Plan) -> Result<Found> {
    all(folder, preload, plan, |_| true).await
}

/// Likewise, and what was synced of the log counts as not synced: this must be noticed, or the images prove nothing.
///
/// # Errors
/// A history cannot be made.
pub async fn without_syncs(folder: &Path, preload: &Preload, plan: &Plan) -> Result<Found> {
    all(folder, preload, plan, |call| !matches!(call, Call::Sync { name, .. } if name.starts_with("log")))
        .await
}

async fn all(folder: &Path, preload: &Preload, plan: &Plan, counts: fn(&Call) -> bool) -> Result<Found> {
    let mut found = Found::default();
    let mut told = Told::default();
    let mut round = 0;
    let (mut opening, mut acknowledged, mut lines, mut ranges) = (Duration::ZERO, 0, 0, 0);
    while told.images.load(Ordering::Relaxed) < plan.count && found.holds() {
        let seed = plan.seed.wrapping_add(round);
        let of_it = folder.join(format!("history-{round}"));
        std::fs::create_dir_all(&of_it)?;
        let mut history =
            written(&of_it, preload, plan, seed).await.with_context(|| format!("history of seed {seed}"))?;
        history.lines.retain(|line| counts(&line.call));
        acknowledged += history.answers.len();
        lines += history.lines.len();
        ranges += history.lines.iter().filter(|line| matches!(line.call, Call::Range { .. })).count();
        let wanted = OF_ONE.min(plan.count - told.images.load(Ordering::Relaxed));
        let began = Instant::now();
        let (seed_of, kept) = (seed, of_it.clone());
        let (given, violations) = tokio::task::spawn_blocking(move || {
            let violations = Mutex::new(Vec::new());
            images(&history, wanted, seed_of, &kept, &told, &violations);
            (told, violations.into_inner().unwrap_or_default())
        })
        .await?;
        told = given;
        opening += began.elapsed();
        for violation in violations {
            found.violations.push(format!("seed {seed}, kept in {}: {violation}", of_it.display()));
        }
        if found.holds() {
            std::fs::remove_dir_all(&of_it)?;
        }
        round += 1;
    }
    let images = told.images.load(Ordering::Relaxed);
    found.figure("images", images);
    found.figure("images a second", format!("{:.0}", images as f64 / opening.as_secs_f64()));
    for (model, count) in Model::ALL.iter().zip(&told.by_model) {
        found.figure(&format!("images, {model:?}"), count.load(Ordering::Relaxed));
    }
    found.figure(
        "histories",
        format!("{round}, {lines} calls to the disk ({ranges} that sled takes for a sync)"),
    );
    found.figure("acknowledgements in them", acknowledged);
    found.figure("acknowledgements checked, over all images", told.checked.load(Ordering::Relaxed));
    found.figure("images that had lost what was not synced", told.shorter.load(Ordering::Relaxed));
    Ok(found)
}

#[derive(Debug, Default)]
struct Told {
    images: AtomicU64,
    by_model: [AtomicU64; 3],
    checked: AtomicU64,
    shorter: AtomicU64,
}

/// Runs brokers under load, kills them but for the last, and reads what they wrote.
async fn written(folder: &Path, preload: &Preload, plan: &Plan, seed: u64) -> Result<History> {
    let stage = Stage::set(folder, &plan.program).await?;
    let log = folder.join("disk.log");
    let environment = preload.logging(&stage.store(), &log);
    let mark = log.clone();
    let answers = Answers::marked(move || std::fs::metadata(&mark).map_or(0, |log| log.len()));
    let mut dice = Dice::of(seed);
    let mut load = None;
    for life in 0..LIVES {
        let process = stage.start_under(&environment).await?;
        if load.is_none() {
            stage.grpc("eve").apply(&policy(), 0).await?;
            load = Some(Load::begin(&stage, answers.clone(), seed));
        }
        tokio::time::sleep(Duration::from_millis(400 + dice.throw(1200))).await;
        if life + 1 < LIVES {
            process.kill_9().await?;
        } else {
            process.stop().await?;
        }
    }
    if let Some(load) = load {
        load.end().await;
    }
    let lines = read(&log, &stage.store())?;
    // What was written down is what happened: otherwise no image of it proves anything.
    let image = scratch()?;
    let mut disk = Disk::default();
    for line in &lines {
        disk.follow(&line.call)?;
    }
    disk.whole(image.path())?;
    for part in ["log", "anchor.0", "anchor.1"] {
        let (made, real) = (image.path().join(part), stage.store().join(part));
        if real.is_dir() {
            same(&made, &real)?;
        } else {
            ensure!(std::fs::read(&made)? == std::fs::read(&real)?, "{part} is not what was written down");
        }
    }
    let copied = scratch()?;
    copy(&stage.store(), copied.path())?;
    let whole = match open_apart(copied.path()).await {
        Opened::Read(whole) => *whole,
        other => bail!("the record itself cannot be read: {other:?}"),
    };
    Ok(History { lines, answers: answers.so_far(), whole })
}

/// Two threads, each with a disk of its own that goes through the history once.
fn images(
    history: &History,
    count: u64,
    seed: u64,
    kept: &Path,
    told: &Told,
    violations: &Mutex<Vec<String>>,
) {
    let mut dice = Dice::of(seed ^ 0xcafe);
    // Half at any moment, half where something has just been synced or is about to be.
    let seams: Vec<usize> = history
        .lines
        .iter()
        .enumerate()
        .filter(|(_, line)| matches!(line.call, Call::Sync { .. } | Call::Rename { .. } | Call::Mkdir { .. }))
        .flat_map(|(at, _)| [at, at + 1])
        .collect();
    let mut cuts: Vec<(usize, u64)> = (0..count)
        .map(|number| {
            let anywhere = dice.place(history.lines.len() + 1);
            let cut =
                if number % 2 == 0 || seams.is_empty() { anywhere } else { seams[dice.place(seams.len())] };
            (cut, number)
        })
        .collect();
    cuts.sort_unstable();
    let needed: Vec<(u64, u64)> = history
        .answers
        .iter()
        .filter_map(|answer| Some((answer.mark, history.whole.position_of(answer)?)))
        .collect();
    if needed.len() != history.answers.len() {
        let mut violations = violations.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        violations.push("something acknowledged is not even in the record as it stands".to_owned());
        return;
    }
    let next = AtomicUsize::new(0);
    let chunks: Vec<&[(usize, u64)]> = cuts.chunks(50).collect();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (mut disk, mut followed) = (Disk::default(), 0);
                while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for (cut, number) in *chunk {
                        while followed < *cut {
                            if disk.follow(&history.lines[followed].call).is_err() {
                                return;
                            }
                            followed += 1;
                        }
                        let one = One { history, needed: &needed, cut: *cut, number: *number, seed };
                        if let Err(problem) = one.check(&disk, told, kept) {
                            violations
                                .lock()
                                .unwrap_or_else(std::sync::PoisonError::into_inner)
                                .push(format!("{problem:#}"));
                        }
                    }
                }
            });
        }
    });
}

/// One image.
struct One<'h> {
    history: &'h History,
    needed: &'h [(u64, u64)],
    cut: usize,
    number: u64,
    seed: u64,
}

impl One<'_> {
    fn check(&self, disk: &Disk, told: &Told, kept: &Path) -> Result<()> {
        let which = usize::try_from(self.number % 3)?;
        let model = Model::ALL[which];
        let image = scratch()?;
        let mut dice = Dice::of(self.seed ^ self.number.wrapping_mul(0x1_0001));
        disk.image(model, &mut dice, image.path())?;
        let aside = scratch()?;
        copy(image.path(), aside.path())?;
        let problem = match open(image.path()) {
            Opened::Read(record) => self.right(&record, told).err(),
            Opened::Refused(words) => Some(format!("refused: {words}")),
            Opened::Broke(words) => Some(words),
        };
        told.images.fetch_add(1, Ordering::Relaxed);
        told.by_model[which].fetch_add(1, Ordering::Relaxed);
        if let Some(problem) = problem {
            let keep: PathBuf = kept.join(format!("image-{}", self.number));
            copy(aside.path(), &keep)?;
            bail!(
                "image {} ({model:?}, cut behind call {}), kept in {}: {problem}",
                self.number,
                self.cut,
                keep.display()
            );
        }
        Ok(())
    }

    fn right(&self, record: &Record, told: &Told) -> Result<(), String> {
        record.begins(&self.history.whole)?;
        let size = record.entries.len() as u64;
        let at =
            self.cut.checked_sub(1).and_then(|last| self.history.lines.get(last)).map_or(0, |line| line.ends);
        let answered = self.needed.iter().filter(|(mark, _)| *mark <= at);
        let mut checked = 0;
        for (_, position) in answered {
            checked += 1;
            if *position >= size {
                return Err(format!("entry {position} was acknowledged, and the record ends after {size}"));
            }
        }
        told.checked.fetch_add(checked, Ordering::Relaxed);
        if size < self.history.whole.entries.len() as u64 {
            told.shorter.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
