//! Going on longer: another activation takes over what one holds, or comes too late.

use std::path::Path;

use anyhow::Result;
use elevate_client::Exit;
use elevate_sandbox::people::{ANN, APPLICATION_ADMINISTRATOR, GROUPS_ADMINISTRATOR};
use jiff::SignedDuration;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, until_over};

const POLICY: &str = r#"
[[role]]
name = "groups-admin"
title = "Groups Administrator"
way = "assignment"
role_definition = "{groups-administrator}"
eligible = ["user:{ann}"]
longest = "4h"

[[role.approval]]
count = 1
from = ["group:{approvers}"]

[[role]]
name = "app-admin"
title = "Application Administrator"
way = "pim"
role_definition = "{application-administrator}"
eligible = ["user:{ann}"]
longest = "4h"
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Two roles: one the broker assigns, one that PIM grants and ends")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann, bob] = stage.people(["ann", "bob"]).await?;
    stage.seen("the policy is in force")?;

    stage.step("Ann holds a role for an hour, and sees after forty minutes that it takes longer")?;
    let old = stage.asks(&ann, "groups-admin --for 1h", "Move the sales team's groups").await?;
    stage.done(&bob, &format!("approve {old} --yes")).await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.passes(SignedDuration::from_mins(40))?;
    let new = stage
        .activates_by(&ann, "extend", "groups-admin --for 2h --no-wait", "There are more of them")
        .await?;
    stage.done(&ann, "list").await?;
    stage.seen("the old one is held, the new one waits for its own approval")?;

    stage.step("Bob says yes to that too")?;
    stage.done(&bob, &format!("approve {new} --yes")).await?;
    until_over(&ann, &old, "taken_over").await?;
    stage.done(&ann, &format!("show {new}")).await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.seen("the new one took over what the old one held: one assignment, and it was never cut")?;

    stage.step("The hour passes; then the two hours")?;
    stage.passes(SignedDuration::from_mins(30))?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.passes(SignedDuration::from_mins(90))?;
    stage.loses(&ANN, &GROUPS_ADMINISTRATOR).await?;
    until_over(&ann, &new, "expired").await?;
    stage.seen("it was there at the old end, and is gone at the new one")?;

    stage.step("Where PIM keeps the end, it moves along")?;
    stage.activates(&ann, "app-admin --for 1h", "Renew a secret").await?;
    stage.holds(&ANN, &APPLICATION_ADMINISTRATOR).await?;
    stage.passes(SignedDuration::from_mins(30))?;
    stage
        .refused(&ann, "extend app-admin --for 20m --yes --reason 'a little more'", Exit::State, "no later")
        .await?;
    let new = stage.activates_by(&ann, "extend", "app-admin --for 2h", "Another secret").await?;
    stage.passes(SignedDuration::from_mins(60))?;
    stage.holds(&ANN, &APPLICATION_ADMINISTRATOR).await?;
    stage.passes(SignedDuration::from_mins(60))?;
    stage.loses(&ANN, &APPLICATION_ADMINISTRATOR).await?;
    until_over(&ann, &new, "expired").await?;
    stage.seen("Entra kept it past its first end, and it is gone at the second")?;

    stage.step("A yes that comes too late")?;
    let old = stage.asks(&ann, "groups-admin --for 30m", "One more team").await?;
    stage.done(&bob, &format!("approve {old} --yes")).await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    let new = stage.activates_by(&ann, "extend", "groups-admin --for 2h --no-wait", "And one more").await?;
    stage.passes(SignedDuration::from_mins(30))?;
    stage.loses(&ANN, &GROUPS_ADMINISTRATOR).await?;
    until_over(&ann, &old, "expired").await?;
    until_over(&ann, &new, "failed").await?;
    stage.refused(&bob, &format!("approve {new} --yes"), Exit::State, "").await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("what waits for a yes holds nothing: the role ended when it was to end")
}
