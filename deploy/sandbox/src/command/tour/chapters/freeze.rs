//! A freeze: nothing new is granted to anybody, over a restart too, and what takes away goes on.

use std::path::Path;

use anyhow::{Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::people::{ANN, DAVE, GLOBAL_READER};
use jiff::SignedDuration;

use super::revoking::POLICY;
use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, until_newest};

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Ann holds a role, and something is wrong")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann, dave, eve] = stage.people(["ann", "dave", "eve"]).await?;
    stage.activates(&ann, "reader --for 4h", "Look into an alert").await?;
    stage.holds(&ANN, &GLOBAL_READER).await?;
    stage.done(&eve, "freeze --reason 'Incident 7: see the incident channel'").await?;
    ensure!(stage.metric("elevate_frozen").await? == 1.0, "the metric does not say so");
    stage.seen("Eve, a revoker, freezes the broker")?;

    stage.step("Dave asks")?;
    let line = "activate reader --for 1h --reason test --yes";
    stage.refused(&dave, line, Exit::State, "Incident 7").await?;
    stage.done(&dave, "whoami").await?;
    stage.holds_nothing(&DAVE).await?;
    stage.seen("refused, with who, when and why; `whoami` shows it too")?;

    stage.step("The broker is killed, and starts again")?;
    stage.kill_broker().await?;
    stage.start_broker().await?;
    stage.refused(&dave, line, Exit::State, "Incident 7").await?;
    stage.seen("a freeze stands in the record, not in memory")?;

    stage.step("What is held ends as ever")?;
    stage.passes(SignedDuration::from_hours(4))?;
    stage.loses(&ANN, &GLOBAL_READER).await?;
    stage.seen("its time was up, and it is gone")?;

    stage.step("Eve thaws it")?;
    stage.done(&eve, "thaw --reason 'A false alarm'").await?;
    stage.activates(&dave, "reader --for 1h", "Look into an alert").await?;
    until_newest(&dave, "active").await?;
    stage.holds(&DAVE, &GLOBAL_READER).await?;
    stage.seen("grants are given again")
}
