//! Outages: an answer that is lost, a broker that dies in the middle of a grant, a Graph that is down when the end
//! comes. What may have happened counts as happened, and is taken away.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::people::{ANN, USER_ADMINISTRATOR};
use elevate_sandbox::{Fault, Kind};
use jiff::SignedDuration;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, until, until_over, until_told};

const POLICY: &str = r#"
[[role]]
name = "user-admin"
title = "User Administrator"
way = "assignment"
role_definition = "{user-administrator}"
eligible = ["user:{ann}"]
longest = "2h"
"#;

const ASSIGNMENTS: &str = "/v1.0/roleManagement/directory/roleAssignments";

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("A role without approval")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann, eve] = stage.people(["ann", "eve"]).await?;
    stage.seen("the policy is in force")?;

    stage.step("Graph grants, and its answer is lost")?;
    stage.tenant.faults().add(Fault::on(ASSIGNMENTS, Kind::LoseReply).method("POST").times(1));
    let id = stage.activates(&ann, "user-admin --for 30m", "Reset a password").await?;
    stage.holds(&ANN, &USER_ADMINISTRATOR).await?;
    let sent = stage.tenant.calls().matching("POST", ASSIGNMENTS).len();
    until(&ann, &id, "active").await?;
    ensure!(sent == 1, "asked {sent} times");
    stage.seen("the broker looked before it asked again, and found it granted: it asked once")?;

    stage.step("Graph removes, and its answer is lost too")?;
    stage.tenant.faults().add(Fault::on(ASSIGNMENTS, Kind::LoseReply).method("DELETE").times(1));
    stage.passes(SignedDuration::from_mins(30))?;
    stage.loses(&ANN, &USER_ADMINISTRATOR).await?;
    until_told(&ann, &id, "a second must agree").await?;
    stage.done(&ann, &format!("show {id}")).await?;
    stage.passes(SignedDuration::from_secs(30))?;
    until_over(&ann, &id, "expired").await?;
    stage
        .seen("whether the removal got through nobody said: two reads, half a minute apart, show it gone")?;

    stage.step("The broker dies between asking Graph and hearing from it")?;
    stage.tenant.faults().add(Fault::on(ASSIGNMENTS, Kind::LoseReply).method("POST").times(1));
    let id = stage.asks(&ann, "user-admin --for 30m", "Reset a password").await?;
    while stage.tenant.calls().matching("POST", ASSIGNMENTS).len() == sent {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stage.kill_broker().await?;
    stage.holds(&ANN, &USER_ADMINISTRATOR).await?;
    stage.seen("Graph granted it, and nobody heard")?;

    stage.step("The broker starts again")?;
    stage.start_broker().await?;
    until(&ann, &id, "active").await?;
    stage.done(&ann, &format!("show {id}")).await?;
    stage.holds(&ANN, &USER_ADMINISTRATOR).await?;
    stage.seen("its intent was on disk before it asked, so it looked, and knows the role for its own")?;

    stage.step("Graph is down when the end comes")?;
    let outage = stage.tenant.faults().graph_outage();
    stage.passes(SignedDuration::from_mins(30))?;
    until(&ann, &id, "revoking").await?;
    until_told(&ann, &id, "the connection broke").await?;
    stage.refused(&eve, "sweep", Exit::Overdue, "").await?;
    stage.done(&ann, &format!("show {id}")).await?;
    ensure!(stage.metric("elevate_overdue").await? > 0.0, "the metric is silent");
    ensure!(stage.tenant.directory().holds(ANN.id, &USER_ADMINISTRATOR, "/"), "the role is gone");
    stage.seen(
        "nothing is believed gone that no read showed gone: `sweep` and the metric say it is overdue",
    )?;

    stage.step("Graph comes back")?;
    ensure!(stage.tenant.faults().clear(outage), "there was no outage");
    stage.passes(SignedDuration::from_mins(1))?;
    let waited = stage.loses(&ANN, &USER_ADMINISTRATOR).await?;
    until_over(&ann, &id, "expired").await?;
    stage.done(&eve, "sweep").await?;
    ensure!(waited < Duration::from_secs(15), "it took {waited:?}");
    stage.seen("tried again, and gone; nothing is overdue")
}
