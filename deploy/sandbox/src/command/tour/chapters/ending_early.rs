//! Ending early: a request withdrawn, a role given back, a role taken away; and Entra's first five minutes, in which
//! nothing that PIM granted is removed.

use std::path::Path;

use anyhow::Result;
use elevate_client::Exit;
use elevate_sandbox::people::{ANN, APPLICATION_ADMINISTRATOR, GROUPS_ADMINISTRATOR};
use jiff::SignedDuration;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, until_over, until_told};

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

[[role]]
name = "app-admin"
title = "Application Administrator"
way = "pim"
role_definition = "{application-administrator}"
eligible = ["user:{ann}"]
longest = "4h"
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Two roles: one the broker assigns, one that PIM grants")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann, bob, eve] = stage.people(["ann", "bob", "eve"]).await?;
    stage.seen("the policy is in force")?;

    stage.step("Ann asks, and thinks better of it")?;
    let id = stage.asks(&ann, "groups-admin --for 2h", "Move the sales team's groups").await?;
    stage.done(&ann, &format!("withdraw {id}")).await?;
    stage.refused(&bob, &format!("approve {id} --yes"), Exit::State, "").await?;
    until_over(&ann, &id, "withdrawn").await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("withdrawn; a yes comes too late for it")?;

    stage.step("Ann has it for two hours, and is done after ten minutes")?;
    let id = stage.asks(&ann, "groups-admin --for 2h", "Move the sales team's groups").await?;
    stage.done(&bob, &format!("approve {id} --yes")).await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.passes(SignedDuration::from_mins(10))?;
    stage.done(&ann, "deactivate groups-admin").await?;
    stage.loses(&ANN, &GROUPS_ADMINISTRATOR).await?;
    until_over(&ann, &id, "deactivated").await?;
    stage.seen("given back, and Graph shows it gone")?;

    stage.step("Ann has it again, and Eve, a revoker, takes it away")?;
    let id = stage.asks(&ann, "groups-admin --for 2h", "One more team").await?;
    stage.done(&bob, &format!("approve {id} --yes")).await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.done(&eve, &format!("revoke {id} --reason 'Her laptop was stolen'")).await?;
    stage.loses(&ANN, &GROUPS_ADMINISTRATOR).await?;
    until_over(&ann, &id, "revoked").await?;
    stage.done(&ann, &format!("show {id}")).await?;
    stage.seen("taken away, with who and why on record")?;

    stage.step("PIM grants a role, and Ann gives it back at once")?;
    let id = stage.activates(&ann, "app-admin --for 1h", "Renew a secret").await?;
    stage.holds(&ANN, &APPLICATION_ADMINISTRATOR).await?;
    stage.done(&ann, &format!("deactivate {id}")).await?;
    until_told(&ann, &id, "removes nothing in the first five minutes").await?;
    stage.done(&ann, &format!("show {id}")).await?;
    stage.holds(&ANN, &APPLICATION_ADMINISTRATOR).await?;
    stage.seen(
        "Entra removes nothing in the first five minutes: `show` says so, and when it is asked again",
    )?;

    stage.step("Five minutes later")?;
    stage.passes(SignedDuration::from_mins(5))?;
    stage.loses(&ANN, &APPLICATION_ADMINISTRATOR).await?;
    until_over(&ann, &id, "deactivated").await?;
    stage.seen("nobody asked again: the broker did, and it is gone 54 minutes early")
}
