//! kill -9, at random moments, and while it starts.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::compare::Mirror;
use super::load::{Answers, Load};
use super::preload::{Fault, Preload};
use super::stage::Stage;
use super::{Dice, Found, Plan};

/// How long at the most a broker lives before it is killed.
const LIVES: u64 = 900;

/// And how long while it starts.
const STARTS: u64 = 160;

/// So many kills later time goes faster for a moment, in the second half: what was taken away by a broker that was killed
/// over it keeps its slot until two reads, half a minute apart, and nobody would ask for anything any more.
const CLEARED_EVERY: u64 = 16;

/// Kills a broker under load so many times, at any moment, and one in eight before it is ready. In the first half it goes
/// by the machine's clock, in the second by the tenant's.
///
/// # Errors
/// It does not start again, or does not answer.
pub async fn at_random(stage: &Stage, plan: &Plan) -> Result<Found> {
    let (mut found, mut mirror, mut dice) = (Found::default(), Mirror::default(), Dice::of(plan.seed));
    let began = Instant::now();
    let mut process = stage.open().await?;
    let load = Load::begin(stage, Answers::default(), plan.seed);
    let mut while_starting = 0_u64;
    for kill in 1..=plan.count {
        tokio::time::sleep(Duration::from_micros(dice.throw(LIVES * 1000))).await;
        process.kill_9().await?;
        if kill * 2 >= plan.count {
            stage.take_the_clock();
        }
        if dice.throw(8) == 0 {
            let unready = stage.spawn(&[])?;
            tokio::time::sleep(Duration::from_micros(dice.throw(STARTS * 1000))).await;
            unready.kill_9().await?;
            while_starting += 1;
        }
        process = stage.start().await.with_context(|| format!("after kill {kill}"))?;
        mirror
            .compare(stage, &load.answers.so_far(), &mut found)
            .await
            .with_context(|| format!("after kill {kill}"))?;
        if !found.holds() {
            found.violations.push(format!("that was after kill {kill}"));
            break;
        }
        if stage.moved_since().is_some() && kill % CLEARED_EVERY == 0 {
            let _faster = stage.faster();
            tokio::time::sleep(Duration::from_millis(1500)).await;
        }
    }
    let took = began.elapsed().as_secs_f64();
    finish(stage, process, load, mirror, &mut found).await?;
    let kills = plan.count + while_starting;
    found.figures.splice(
        0..0,
        [
            ("kills".to_owned(), format!("{kills}, {while_starting} of them while starting")),
            ("kills an hour".to_owned(), format!("{:.0}", kills as f64 / took * 3600.0)),
        ],
    );
    Ok(found)
}

/// Kills it while it starts: at swept moments, and before, in the middle of and behind each call by which sled writes
/// its snapshot and the store its anchor.
///
/// # Errors
/// It does not start again, or does not answer.
pub async fn while_starting(stage: &Stage, preload: &Preload, plan: &Plan) -> Result<Found> {
    let (mut found, mut mirror) = (Found::default(), Mirror::default());
    let process = stage.open().await?;
    let load = Load::begin(stage, Answers::default(), plan.seed);
    // Something must be there that a start has to read.
    tokio::time::sleep(Duration::from_secs(2)).await;
    process.kill_9().await?;
    let (mut kills, mut within) = (0_u64, 0_u64);
    let mut dice = Dice::of(plan.seed);
    for kill in 0..plan.count {
        if kill % 2 == 0 {
            let unready = stage.spawn(&[])?;
            let moment = STARTS * 1000 * kill / plan.count + dice.throw(1000);
            tokio::time::sleep(Duration::from_micros(moment)).await;
            unready.kill_9().await?;
            kills += 1;
        } else {
            let steps: [(&str, &str); 6] = [
                ("write", "/index/snap."),
                ("rename", "/index/snap."),
                ("write", "/index/db"),
                ("range", "/index/db"),
                ("write", "/anchor."),
                ("open", "/index/snap."),
            ];
            let (call, part) = steps[dice.place(steps.len())];
            let whats = ["kill-before", "kill-half", "kill-after"];
            let what = whats[dice.place(if call == "write" { 3 } else { 2 }) % 3];
            let what = if what == "kill-half" && call != "write" { "kill-after" } else { what };
            let fault = Fault { call, part, nth: 1 + dice.throw(3), what };
            let mut dying = stage.spawn(&preload.failing(&stage.store(), fault))?;
            let died = dying.died(Duration::from_millis(1500)).await?;
            within += u64::from(died);
            kills += 1;
            dying.kill_9().await?;
        }
        if kill % 4 == 3 || kill + 1 == plan.count {
            let process = stage.start().await.with_context(|| format!("after kill {kill} in start-up"))?;
            mirror.compare(stage, &load.answers.so_far(), &mut found).await?;
            tokio::time::sleep(Duration::from_millis(dice.throw(300))).await;
            process.kill_9().await?;
            if !found.holds() {
                found.violations.push(format!("that was after kill {kill} in start-up"));
                break;
            }
        }
    }
    let process = stage.start().await?;
    finish(stage, process, load, mirror, &mut found).await?;
    found.figures.insert(
        0,
        ("kills in start-up".to_owned(), format!("{kills}, {within} of them within a named write")),
    );
    Ok(found)
}

/// Everybody goes home, what is live comes to its end under a broker whose time goes faster, and all is compared once
/// more.
pub(super) async fn finish(
    stage: &Stage,
    process: super::stage::Process,
    load: Load,
    mirror: Mirror,
    found: &mut Found,
) -> Result<()> {
    let answers = load.end().await;
    let kept = answers.so_far();
    let (lost, refused) = answers.unanswered();
    process.kill_9().await?;
    stage.take_the_clock();
    let process = stage.start().await?;
    mirror.close(stage, process, &kept, found).await?;
    found.figures.splice(
        0..0,
        [
            ("acknowledgements compared".to_owned(), kept.len().to_string()),
            ("calls cut off".to_owned(), lost.to_string()),
            ("calls refused".to_owned(), refused.to_string()),
        ],
    );
    Ok(())
}
