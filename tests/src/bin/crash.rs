//! The real broker under faults: killed, its disk failing, the power gone, its files damaged. See tests/README.md.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use elevate_tests::faults::preload::Preload;
use elevate_tests::faults::stage::{self, Stage};
use elevate_tests::faults::{Found, Plan, damage, deeds, disk, golden, kill, points, power};

const USAGE: &str = "\
usage: crash VERB [--count N] [--seed S] [--folder DIR]

  kill     kill -9 at random moments of a load                             (--count kills, 1000)
  points   kill -9 at every named durable step, and of a first start       (--count a step, 9)
  graph    kill -9 at every step at Graph                                  (--count a step, 9)
  deeds    kill -9 at every durable step of what takes several             (--count deeds, 104)
  startup  kill -9 while it starts                                         (--count kills, 200)
  power    power cuts: images of what a disk may hold                      (--images N, 20000)
  damage   damaged, missing and older files                                (--images N, 2000)
  disk     ENOSPC, EIO, EROFS and short writes at the n-th call; a full disk  (--count faults, 480)
  golden   write a record with an activation in every state, as this version leaves it  (--folder tests/golden/VERSION)

Exits with 1 on a violation, and keeps the folder.";

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|first| first == "broker") {
        return stage::broker(words);
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crash: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<bool> {
    let mut words = words.iter();
    let Some(verb) = words.next() else { bail!("{USAGE}") };
    let standard = match verb.as_str() {
        "kill" => 1000,
        "points" | "graph" => 9,
        "deeds" => 104,
        "startup" => 200,
        "power" => 20_000,
        "damage" => 2000,
        "disk" => disk::ALL,
        "golden" => 1,
        _ => bail!("{USAGE}"),
    };
    let mut plan = Plan { program: std::env::current_exe()?, count: standard, seed: 1 };
    let mut folder = None;
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} wants a value\n{USAGE}"))?;
        match word.as_str() {
            "--count" | "--images" => plan.count = value.parse()?,
            "--seed" => plan.seed = value.parse()?,
            "--folder" => folder = Some(PathBuf::from(value)),
            _ => bail!("{USAGE}"),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if verb == "golden" {
        runtime.block_on(golden::write(&folder.context(USAGE)?))?;
        return Ok(true);
    }
    let kept = kept(folder)?;
    let began = Instant::now();
    let found = runtime.block_on(done(verb, &plan, &kept));
    let found = found
        .with_context(|| format!("{verb} --seed {}: the folder {} is kept", plan.seed, kept.display()))?;
    println!("crash {verb} --count {} --seed {}", plan.count, plan.seed);
    for (name, figure) in &found.figures {
        println!("  {name:<44} {figure}");
    }
    println!("  {:<44} {:.0} s", "took", began.elapsed().as_secs_f64());
    println!("  {:<44} {}", "violations", found.violations.len());
    for violation in &found.violations {
        println!("VIOLATION {violation}");
    }
    if found.holds() {
        std::fs::remove_dir_all(&kept)?;
    } else {
        println!("seed {}; the folder {} is kept", plan.seed, kept.display());
    }
    Ok(found.holds())
}

/// The folder that is asked for, or a temporary one.
fn kept(folder: Option<PathBuf>) -> Result<PathBuf> {
    match folder {
        Some(folder) => {
            std::fs::create_dir_all(&folder)?;
            Ok(folder)
        }
        None => Ok(tempfile::Builder::new().prefix("elevate-crash-").tempdir()?.keep()),
    }
}

async fn done(verb: &str, plan: &Plan, folder: &Path) -> Result<Found> {
    let preload = Preload::build(&folder.join("preload"))?;
    let here = folder.join(verb);
    std::fs::create_dir_all(&here)?;
    Ok(match verb {
        "power" => power::cuts(&here, &preload, plan).await?,
        "damage" => damage::all(&here, plan).await?,
        "kill" => kill::at_random(&Stage::set(&here, &plan.program).await?, plan).await?,
        "startup" => kill::while_starting(&Stage::set(&here, &plan.program).await?, &preload, plan).await?,
        "deeds" => deeds::cut_off(&Stage::set(&here, &plan.program).await?, &preload, plan).await?,
        "graph" => points::at_graph(&Stage::set(&here, &plan.program).await?, plan).await?,
        "points" => {
            let mut found = points::all(&Stage::set(&here, &plan.program).await?, &preload, plan).await?;
            let Found { figures, violations } = points::first_starts(folder, &preload, plan).await?;
            found.figures.extend(figures);
            found.violations.extend(violations);
            found
        }
        _ => {
            let mut found = disk::failing(&Stage::set(&here, &plan.program).await?, &preload, plan).await?;
            let full = folder.join("full");
            std::fs::create_dir_all(&full)?;
            let Found { figures, violations } = disk::full(&full, &preload, plan).await?;
            found.figures.extend(figures);
            found.violations.extend(violations);
            found
        }
    })
}
