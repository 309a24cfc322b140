//! Notices: what somebody must hear of, told to whom it concerns; over a kill of the broker too.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use elevate_sandbox::people::{ANN, APPROVERS, GROUPS_ADMINISTRATOR};
use jiff::SignedDuration;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{SOON, Stage, until, until_over};

const POLICY: &str = r#"
[[role]]
name = "groups-admin"
title = "Groups Administrator"
way = "assignment"
role_definition = "{groups-administrator}"
eligible = ["user:{ann}"]
longest = "8h"

[[role.approval]]
count = 1
from = ["group:{approvers}"]
"#;

const REASON: &str = "Move the sales team's groups";

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Today a notice is a line in the broker's log; mail and chat come later")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann, bob] = stage.people(["ann", "bob"]).await?;
    told(&stage, "policy-applied", "role:policy-admin role:auditor").await?;
    stage.seen("policy admins and auditors hear of the new policy")?;

    stage.step("Ann asks")?;
    let id = stage.asks(&ann, "groups-admin --for 1h", REASON).await?;
    let notice = told(&stage, "approval-sought", &format!("group:{}", APPROVERS.id)).await?;
    ensure!(!notice.contains(REASON), "the notice holds her reason");
    stage.seen("the approvers hear that a yes is needed, and until when; Ann's reason is in no notice")?;

    stage.step("Bob says yes")?;
    stage.done(&bob, &format!("approve {id} --yes")).await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    until(&ann, &id, "active").await?;
    let to_ann = format!("user:{}", ANN.id);
    told(&stage, "approved", &to_ann).await?;
    told(&stage, "activated", &to_ann).await?;
    stage.seen("Ann hears that it is approved, and that she holds it, and until when")?;

    stage.step("The broker is killed, her hour passes, and it starts again")?;
    stage.kill_broker().await?;
    stage.passes(SignedDuration::from_hours(1))?;
    stage.start_broker().await?;
    stage.loses(&ANN, &GROUPS_ADMINISTRATOR).await?;
    until_over(&ann, &id, "expired").await?;
    told(&stage, "ended", &to_ann).await?;
    stage.seen("the notice of the end is not lost with the process: it is read from the record")?;

    stage.step("Nobody is told a thing twice as if it were two")?;
    let mut ids: Vec<_> = stage.notices()?.iter().map(|line| value(line, "id").to_owned()).collect();
    ids.sort();
    ids.dedup();
    let of_hers = |kind: &str| ids.iter().filter(|id| id.contains(&format!(".{kind}."))).count();
    for kind in ["approval-sought", "approved", "activated", "ended"] {
        ensure!(of_hers(kind) == 1, "{} notices are of the kind {kind}", of_hers(kind));
    }
    ensure!(stage.metric("elevate_notices_failed_total").await? == 0.0, "one could not be delivered");
    stage.seen("each notice has an id that stays; what a kill repeats comes under the same one")
}

/// Waits for the notice of this kind to these, shows it, and gives its line.
async fn told(stage: &Stage<'_>, kind: &str, to: &str) -> Result<String> {
    let asked = Instant::now();
    loop {
        let found = stage.notices()?.into_iter().find(|line| value(line, "kind") == kind);
        if let Some(line) = found {
            ensure!(value(&line, "to") == to, "it went to others: {line}");
            let says = line.split_once(" notices: ").map_or("", |(_, says)| says);
            let says = says.split(" id=").next().unwrap_or_default();
            stage.guide.says(&format!("notice to {to}:"))?;
            stage.guide.says(&format!("    {says}"))?;
            return Ok(line);
        }
        ensure!(asked.elapsed() < SOON, "nobody was told of {kind}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The value of a field of a line, without its quotes; empty if it is not there.
fn value<'l>(line: &'l str, field: &str) -> &'l str {
    let rest = line.split_once(&format!(" {field}=")).map_or("", |(_, rest)| rest);
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => rest.split(' ').next().unwrap_or_default(),
    }
}
