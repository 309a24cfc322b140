//! A role for one command: held while it runs, given back at its end, or when the tool dies.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use elevate_sandbox::people::{ANN, GLOBAL_READER};
use jiff::SignedDuration;
use tokio::process::Child;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{SOON, Stage, until_newest, until_over};

const POLICY: &str = r#"
[[role]]
name = "reader"
title = "Global Reader"
way = "assignment"
role_definition = "{global-reader}"
eligible = ["user:{ann}"]
longest = "8h"
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Ann holds a role for one command")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann] = stage.people(["ann"]).await?;
    let mark = folder.join("mark");
    let line = format!("echo $ELEVATE_ROLE until $ELEVATE_HELD_UNTIL > '{}'; cat; exit 7", mark.display());
    let mut child = stage.spawns(
        &ann,
        &["exec", "reader", "--for", "2h", "--reason", "the logs", "--yes", "--"],
        &line,
    )?;
    runs(&stage, &mark).await?;
    stage.holds(&ANN, &GLOBAL_READER).await?;
    stage.seen("the command runs, and knows for what role and how long")?;

    stage.step("The command ends, with 7")?;
    let ended = ends(&mut child).await?;
    ensure!(ended == Some(7), "it ended with {ended:?}");
    stage.loses(&ANN, &GLOBAL_READER).await?;
    until_newest(&ann, "closed").await?;
    stage.seen("the role is given back at once, and the code is the command's")?;

    stage.step("Another, and `elevate` is killed with kill -9")?;
    std::fs::remove_file(&mark)?;
    let mut child = stage.spawns(
        &ann,
        &["exec", "reader", "--for", "2h", "--reason", "the logs", "--yes", "--"],
        &line,
    )?;
    runs(&stage, &mark).await?;
    stage.holds(&ANN, &GLOBAL_READER).await?;
    child.kill().await.context("it cannot be killed")?;
    stage.guide.says("kill -9 elevate")?;
    // The half minute counts from when the broker sees the stream break.
    let killed = Instant::now();
    while !stage.graph.held_by(&ANN).await?.is_empty() && killed.elapsed() < SOON {
        stage.passes(SignedDuration::from_secs(10))?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    stage.loses(&ANN, &GLOBAL_READER).await?;
    let id = until_newest(&ann, "closed").await?;
    until_over(&ann, &id, "deactivated").await?;
    stage.seen("nobody was left to give it back: half a minute later the broker did, two hours early")
}

/// Waits until the command has left its mark, and shows it.
async fn runs(stage: &Stage<'_>, mark: &Path) -> Result<()> {
    let asked = Instant::now();
    loop {
        match std::fs::read_to_string(mark) {
            Ok(text) if text.ends_with('\n') => return stage.guide.says(&format!("    {}", text.trim())),
            _ => ensure!(asked.elapsed() < SOON, "the command does not run"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Ends the command's input, and says with what code all ended.
async fn ends(child: &mut Child) -> Result<Option<i32>> {
    drop(child.stdin.take());
    Ok(tokio::time::timeout(SOON, child.wait()).await.context("it does not end")??.code())
}
