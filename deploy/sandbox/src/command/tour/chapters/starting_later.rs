//! A start in the future: asked and approved today, held tomorrow.

use std::path::Path;

use anyhow::{Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::people::{ANN, GROUPS_ADMINISTRATOR};
use jiff::SignedDuration;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, field, shown, until, until_over};

const POLICY: &str = r#"
[[role]]
name = "groups-admin"
title = "Groups Administrator"
way = "assignment"
role_definition = "{groups-administrator}"
eligible = ["user:{ann}"]
longest = "8h"
approval_window = "4h"
start_ahead = "7d"

[[role.approval]]
count = 1
from = ["group:{approvers}"]
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("A change window tomorrow; the approver has time today")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann, bob] = stage.people(["ann", "bob"]).await?;
    let id = stage.asks(&ann, "groups-admin --for 2h --at +1d", "The change window").await?;
    stage.done(&bob, &format!("approve {id} --yes")).await?;
    stage.done(&ann, "list").await?;
    let waits = until(&ann, &id, "scheduled").await?;
    ensure!(!field(&waits, "starts_at").is_empty(), "no start: {waits}");
    stage.holds_nothing(&ANN).await?;
    stage.seen("approved, and nobody holds anything yet")?;

    stage.step("The broker is killed, a day passes, it comes back")?;
    stage.kill_broker().await?;
    stage.passes(SignedDuration::from_hours(24))?;
    stage.start_broker().await?;
    until(&ann, &id, "active").await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.done(&ann, &format!("show {id}")).await?;
    stage.seen("it begins by itself, and its two hours count from now")?;

    stage.step("Two hours later")?;
    stage.passes(SignedDuration::from_hours(2))?;
    stage.loses(&ANN, &GROUPS_ADMINISTRATOR).await?;
    until_over(&ann, &id, "expired").await?;
    stage.seen("gone at its end")?;

    stage.step("What is too far ahead, or past, is refused; what waits can be taken back")?;
    let far = "activate groups-admin --for 1h --at +8d --reason x --yes --no-wait";
    let told = stage.types(&ann, far).await?;
    ensure!(told.exit != Exit::Ok && told.err.contains('7'), "it ended with {:?}", told.exit);
    let past = "activate groups-admin --for 1h --at 2020-01-01T00:00 --reason x --yes --no-wait";
    let told = stage.types(&ann, past).await?;
    ensure!(told.exit != Exit::Ok, "it ended with {:?}", told.exit);
    let id = stage.asks(&ann, "groups-admin --for 1h --at +2h", "Another window").await?;
    stage.done(&bob, &format!("approve {id} --yes")).await?;
    stage.done(&ann, &format!("withdraw {id}")).await?;
    stage.passes(SignedDuration::from_hours(3))?;
    until_over(&ann, &id, "withdrawn").await?;
    ensure!(field(&shown(&ann, &id).await?, "state") == "closed", "it is not over");
    stage.holds_nothing(&ANN).await?;
    stage.seen("withdrawn before its time: it never began")
}
