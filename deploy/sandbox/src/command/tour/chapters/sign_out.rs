//! Signing out: a role that ends its holder's sign-in sessions when it is gone.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use elevate_sandbox::people::{ANN, BROKER, GLOBAL_READER};
use jiff::{SignedDuration, Timestamp};

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{SOON, Stage, until_over, until_told};

const POLICY: &str = r#"
[[role]]
name = "reader"
title = "Global Reader"
way = "assignment"
role_definition = "{global-reader}"
eligible = ["user:{ann}"]
longest = "8h"
sign_out = true
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Ann holds a role that says `sign_out`")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann] = stage.people(["ann"]).await?;
    let id = stage.activates(&ann, "reader --for 1h", "Look into an alert").await?;
    stage.holds(&ANN, &GLOBAL_READER).await?;
    stage.passes(SignedDuration::from_mins(10))?;
    let before = sessions(&stage)?;
    stage.seen("she holds it, and her sessions are untouched")?;

    stage.step("She gives it back")?;
    stage.done(&ann, &format!("deactivate {id}")).await?;
    stage.loses(&ANN, &GLOBAL_READER).await?;
    until_over(&ann, &id, "deactivated").await?;
    let asked = Instant::now();
    while sessions(&stage)? == before {
        ensure!(asked.elapsed() < SOON, "her sessions are still good");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    until_told(&ann, &id, "access tokens issued before live on").await?;
    stage.done(&ann, &format!("show {id}")).await?;
    stage.seen("first the role, then the sessions; `show` says what that does not reach")?;

    stage.step("The broker loses the permission to sign people out")?;
    let taken = stage.tenant.directory().take_permission(&BROKER, "User.RevokeSessions.All");
    ensure!(taken, "the broker had it not");
    let id = stage.activates(&ann, "reader --for 1h", "Look into another").await?;
    stage.holds(&ANN, &GLOBAL_READER).await?;
    stage.done(&ann, &format!("deactivate {id}")).await?;
    stage.loses(&ANN, &GLOBAL_READER).await?;
    until_over(&ann, &id, "deactivated").await?;
    until_told(&ann, &id, "failed: Graph refused").await?;
    stage.seen("the role is gone all the same, and that she is not signed out is on record")
}

/// From when on Ann's sessions are good.
fn sessions(stage: &Stage<'_>) -> Result<Timestamp> {
    Ok(stage.tenant.directory().user(ANN.name).context("Ann is there")?.sessions_valid_from)
}
