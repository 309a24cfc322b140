//! An emergency: nobody is asked, everybody concerned is told, and somebody else looks at it before the next.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::Strength;
use elevate_sandbox::people::{EVE, EXCHANGE_ADMINISTRATOR, FRANK};
use jiff::SignedDuration;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{SOON, Stage, until_over};

const POLICY: &str = r#"
[[role]]
name = "rescue"
title = "Exchange Administrator"
way = "assignment"
role_definition = "{exchange-administrator}"
longest = "1h"
notify = ["user:{eve}"]

[[role.approval]]
count = 2
from = ["group:{approvers}"]

[role.break_glass]
eligible = ["user:{frank}"]
longest = "30m"
"#;

const REASON: &str = "Mail is down, and both approvers are on one aeroplane";

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("A role that takes two approvers; Frank may have it in an emergency")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [bob, eve, frank] = stage.people(["bob", "eve", "frank"]).await?;
    stage.refused(&frank, "activate rescue --reason 'As usual' --yes", Exit::Refused, "").await?;
    stage.refused(&bob, "break-glass rescue --reason 'For me' --yes", Exit::Refused, "").await?;
    stage.seen("not every day, and not for somebody who is not named")?;

    stage.step("Its own proof rule: a passkey, though the role has none for every day")?;
    let by_phone = frank.signing_in_with(Strength::Mfa);
    let told = stage.types_with(&by_phone, "break-glass rescue --reason-file - --yes", REASON).await?;
    ensure!(told.exit == Exit::Refused, "it ended with {:?}", told.exit);
    stage.holds_nothing(&FRANK).await?;
    stage.seen("an app on the telephone is not enough")?;

    stage.step("Mail is down: Frank breaks the glass")?;
    let id = stage.activates_by(&frank, "break-glass", "rescue", REASON).await?;
    stage.holds(&FRANK, &EXCHANGE_ADMINISTRATOR).await?;
    told_to(&stage, "break-glass", EVE.id).await?;
    stage.seen("held at once, for half an hour at most; approvers and Eve are told")?;

    stage.step("Half an hour later it is gone, and there is no second time before somebody has looked")?;
    stage.passes(SignedDuration::from_mins(30))?;
    stage.loses(&FRANK, &EXCHANGE_ADMINISTRATOR).await?;
    until_over(&frank, &id, "expired").await?;
    stage.refused(&frank, "break-glass rescue --reason 'Again' --yes", Exit::State, "review").await?;
    let own = format!("review close {id} --comment 'All was well'");
    stage.refused(&frank, &own, Exit::Refused, "").await?;
    stage.seen("Frank does not look at his own")?;

    stage.step("Bob looks, and closes it")?;
    stage.done(&bob, "review list").await?;
    stage
        .done(&bob, &format!("review close {id} --comment 'The mail queue was restarted; as it should be'"))
        .await?;
    stage.done(&frank, "break-glass rescue --reason 'Again' --dry-run").await?;
    let record = stage.done(&eve, &format!("audit list --activation {id}")).await?;
    for kind in ["break-glass", "reviewed"] {
        ensure!(record.out.contains(kind), "the record does not say {kind}");
    }
    stage.seen("who looked, when and what they found is on record; Frank may again")
}

/// Waits for the notice of this kind that this person is told too.
async fn told_to(stage: &Stage<'_>, kind: &str, person: &str) -> Result<()> {
    let asked = Instant::now();
    loop {
        let is_it = |line: &String| line.contains(kind) && line.contains(person);
        if let Some(line) = stage.notices()?.into_iter().find(is_it) {
            let says = line.split_once(" notices: ").map_or("", |(_, says)| says);
            return stage.guide.says(&format!("notice: {}", says.split(" id=").next().unwrap_or_default()));
        }
        ensure!(asked.elapsed() < SOON, "nobody was told of {kind}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
