//! An account that is disabled or deleted loses its roles within a minute, and nothing is concluded from silence.

use std::path::Path;

use anyhow::{Result, ensure};
use elevate_sandbox::people::{ANN, BOB, DAVE, GLOBAL_READER};
use jiff::SignedDuration;

use super::revoking::POLICY;
use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, field, newest, until, until_over};

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Ann, Bob and Dave hold a role")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann, bob, dave, eve] = stage.people(["ann", "bob", "dave", "eve"]).await?;
    let mut ids = Vec::new();
    for person in [&ann, &bob, &dave] {
        ids.push(stage.activates(person, "reader --for 8h", "Look into an alert").await?);
    }
    stage.holds(&ANN, &GLOBAL_READER).await?;
    let [of_ann, of_bob, _] = ids.as_slice() else { anyhow::bail!("three were asked for") };
    stage.seen("they hold it for eight hours")?;

    stage.step("Somebody disables Ann's account")?;
    stage.tenant.directory().disable(ANN.name)?;
    stage.passes(SignedDuration::from_secs(30))?;
    stage.loses(&ANN, &GLOBAL_READER).await?;
    until_over(&eve, of_ann, "account_closed").await?;
    stage.seen("half a minute later her role is gone")?;

    stage.step("Bob's account is deleted, while Graph is down")?;
    let outage = stage.tenant.faults().graph_outage();
    ensure!(stage.tenant.directory().delete_user(BOB.id), "Bob was not there");
    stage.passes(SignedDuration::from_mins(2))?;
    until(&eve, of_bob, "active").await?;
    stage.seen("from no answer nothing is concluded")?;

    stage.step("Graph is back")?;
    stage.tenant.faults().clear(outage);
    for _ in 0..20 {
        stage.passes(SignedDuration::from_secs(15))?;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let shown = eve.types(&["show", of_bob, "--output", "json"]).await.json()?;
        if field(&shown, "state") == "closed" {
            break;
        }
    }
    until_over(&eve, of_bob, "account_closed").await?;
    stage.holds(&DAVE, &GLOBAL_READER).await?;
    ensure!(field(&newest(&dave).await?, "state") == "active", "Dave lost his");
    stage.seen("missing twice, half a minute apart, is gone; Dave keeps his")
}
