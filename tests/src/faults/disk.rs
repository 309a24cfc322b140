//! The disk fails under a real broker: it is full, returns errors, takes half, takes nothing any more. The broker
//! ends in words that say so, or goes on and was right to; the next start has everything acknowledged.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use elevate_proto::v1 as api;

use super::compare::Mirror;
use super::kill::finish;
use super::load::{Answers, Load};
use super::preload::{Fault, Preload};
use super::stage::{Stage, policy};
use super::{Found, Plan};
use crate::{State, wish};

/// The calls that are made to fail, and below which part of the folder.
const PLACES: [(&str, &str); 14] = [
    ("write", "/log/"),
    ("sync", "/log/"),
    ("open", "/log/"),
    ("write", "/anchor."),
    ("sync", "/anchor."),
    ("open", "/anchor."),
    ("write", "/index/"),
    ("range", "/index/"),
    ("open", "/index/"),
    ("rename", "/index/"),
    ("write", "/notices"),
    ("rename", "/notices"),
    ("open", "/lock"),
    ("any", "-"),
];

/// How it fails.
const WAYS: [&str; 5] = ["ENOSPC", "EIO", "EROFS", "EIO1", "short"];

/// What the broker may say when its disk fails. It is always one of these, and never a panic.
const WORDS: [&str; 5] = [
    "the store failed",
    "the record cannot be opened",
    "No space left on device",
    "Input/output error",
    "Read-only file system",
];

/// At which call of its kind.
const NTHS: [u64; 8] = [1, 2, 4, 7, 11, 17, 26, 40];

/// All of them; where the n-th call of a kind is not reached, a later one is not tried.
pub const ALL: u64 = 480;

/// Has the disk fail in so many ways, evenly spread over all, one broker each.
///
/// # Errors
/// It does not start again, or does not answer.
pub async fn failing(stage: &Stage, preload: &Preload, plan: &Plan) -> Result<Found> {
    let (mut found, mut mirror) = (Found::default(), Mirror::default());
    let process = stage.open().await?;
    let load = Load::begin(stage, Answers::default(), plan.seed);
    tokio::time::sleep(Duration::from_millis(300)).await;
    process.kill_9().await?;
    let faults: Vec<Fault<'static>> = PLACES
        .into_iter()
        .flat_map(|(call, part)| NTHS.map(|nth| (call, part, nth)))
        .flat_map(|(call, part, nth)| WAYS.map(|what| Fault { call, part, nth, what }))
        .filter(|fault| fault.what != "short" || fault.call == "write")
        .collect();
    let (all, count) = (faults.len() as u64, plan.count.min(faults.len() as u64));
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    let mut beyond: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let began = Instant::now();
    let mut number = 0_u64;
    for tried in 0..count {
        let place = if count < all { (tried * all / count + plan.seed) % all } else { tried };
        let fault = faults[usize::try_from(place)?];
        let kind = (fault.call, fault.part);
        if beyond.get(&kind).is_some_and(|beyond| fault.nth > *beyond) {
            continue;
        }
        number += 1;
        let outcome = one(stage, preload, fault, &mut found).await.with_context(|| format!("{fault:?}"))?;
        *outcomes.entry(outcome).or_default() += 1;
        if outcome == NOT_MET {
            beyond.insert(kind, fault.nth);
        }
        let process = stage.start().await.with_context(|| format!("after {fault:?}"))?;
        mirror
            .compare(stage, &load.answers.so_far(), &mut found)
            .await
            .with_context(|| format!("after {fault:?}"))?;
        process.kill_9().await?;
        if !found.holds() {
            found.violations.push(format!("that was after {fault:?}"));
            break;
        }
    }
    let took = began.elapsed().as_secs_f64();
    let process = stage.start().await?;
    finish(stage, process, load, mirror, &mut found).await?;
    found
        .figures
        .insert(0, ("faults".to_owned(), format!("{number}, {:.0} an hour", number as f64 / took * 3600.0)));
    for (outcome, count) in outcomes {
        found.figure(outcome, count);
    }
    Ok(found)
}

const NOT_MET: &str = "was not met";

/// Whether the fault happened; forgets it.
fn was_met(met: &Path) -> Result<bool> {
    match std::fs::remove_file(met) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// One broker whose disk fails once: how it ended.
async fn one(stage: &Stage, preload: &Preload, fault: Fault<'_>, found: &mut Found) -> Result<&'static str> {
    let said_before = std::fs::metadata(stage.log()).map_or(0, |log| log.len());
    let met = stage.folder.join("met");
    let mut process = stage.spawn(&preload.failing_told(&stage.store(), fault, &met))?;
    let ended = process.ended(Duration::from_millis(1800)).await?;
    let said = std::fs::read(stage.log())?;
    let said = String::from_utf8_lossy(&said[usize::try_from(said_before)?..]).into_owned();
    let Some(status) = ended else {
        process.kill_9().await?;
        return Ok(if was_met(&met)? { "went on, and was right to" } else { NOT_MET });
    };
    ensure!(was_met(&met)?, "it ended with {status}, and no fault was met");
    let clear = said
        .lines()
        .any(|line| line.starts_with("elevated: ") && WORDS.iter().any(|words| line.contains(words)));
    match status.code() {
        Some(69) if clear => Ok("refused to start (69)"),
        Some(70) if clear => Ok("ended (70)"),
        code => {
            let end: Vec<&str> = said.lines().rev().take(6).collect();
            found
                .violations
                .push(format!("{fault:?} ended it with {code:?} ({status}) and it said {end:#?}"));
            Ok("ended otherwise")
        }
    }
}

/// The disk is full, in the middle of everything, and stays so: the broker comes back by itself, takes nothing new,
/// and revokes; once there is room again it takes requests.
///
/// # Errors
/// It does not.
pub async fn full(folder: &Path, preload: &Preload, plan: &Plan) -> Result<Found> {
    let mut found = Found::default();
    let stage = Stage::set(folder, &plan.program).await?;
    let flag = stage.folder.join("full");
    let environment = preload.full(&stage.store(), &flag);
    let mut process = stage.start_under(&environment).await?;
    stage.grpc("eve").apply(&policy(), 0).await?;
    ensure!(stage.store().join("ballast").exists(), "there is no ballast");
    let (ann, eve) = (stage.grpc("ann"), stage.grpc("eve"));
    let long = ann.ask(&wish("reader").lasting("30m")).await?;
    let short = ann.ask(&wish("exchange-admin").lasting("6s")).await?;
    for id in [&long.id, &short.id] {
        reaches(&stage, id, State::Active).await?;
    }

    std::fs::write(&flag, b"")?;
    // Whatever it writes next ends it.
    let refused = ann.ask(&wish("user-admin").lasting("10m")).await;
    ensure!(refused.is_err(), "a request was taken on a full disk: {refused:?}");
    let status = process.ended(Duration::from_secs(10)).await?.context("a full disk did not end it")?;
    ensure!(status.code() == Some(70), "a full disk ended it with {status}");

    // As a service manager does.
    let mut process = stage.start_under(&environment).await.context("a full disk bars its start")?;
    let refused = ann.ask(&wish("user-admin").lasting("10m")).await;
    let said = refused.as_ref().err().map(|status| status.message().to_owned()).unwrap_or_default();
    if !said.contains("disk") {
        found.violations.push(format!("a full disk, and a request was answered with {refused:?}"));
    }
    let freeze = api::FreezeRequest { reason: "the disk is full".to_owned() };
    eve.revocation().freeze(eve.call(freeze)).await.context("a freeze on a full disk")?;
    eve.revoke(&long.id, "the disk is full").await.context("a revocation on a full disk")?;
    for id in [&long.id, &short.id] {
        reaches(&stage, id, State::Closed).await?;
    }
    if !stage.tenant.directory().assignments().is_empty() {
        found.violations.push("closed, and something is still held".to_owned());
    }
    process.kill_9().await?;
    // And once more: the ballast is gone now, and there is still the room that it had.
    process = stage.start_under(&environment).await.context("a full disk bars its second start")?;
    if ann.ask(&wish("user-admin").lasting("10m")).await.is_ok() {
        found.violations.push("a second start on a full disk takes requests".to_owned());
    }
    std::fs::remove_file(&flag)?;
    let thaw = api::ThawRequest { reason: "there is room".to_owned() };
    eve.revocation().thaw(eve.call(thaw)).await.context("what was frozen on a full disk was kept")?;
    process.stop().await?;
    let process = stage.start_under(&environment).await?;
    ensure!(stage.store().join("ballast").exists(), "the ballast was not taken again");
    let asked =
        ann.ask(&wish("user-admin").lasting("5s")).await.context("a request once there is room again")?;
    reaches(&stage, &asked.id, State::Closed).await?;
    process.stop().await?;
    found.figure(
        "full disk",
        "ended, started again, refused requests, revoked two, took requests when there was room",
    );
    Ok(found)
}

async fn reaches(stage: &Stage, id: &str, state: State) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(40) {
        if stage.grpc("eve").show(id).await?.state() == state {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("{id} does not come to be {state:?}: {:?}", stage.grpc("eve").show(id).await)
}
