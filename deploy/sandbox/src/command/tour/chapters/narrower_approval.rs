//! A yes to less than was asked, and a yes to one's own.

use std::path::Path;

use anyhow::{Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::people::{ANN, BOB, GROUPS_ADMINISTRATOR, UNIT, USER_ADMINISTRATOR};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, until, until_over};

const POLICY: &str = r#"
[[role]]
name = "groups-admin"
title = "Groups Administrator"
way = "assignment"
role_definition = "{groups-administrator}"
eligible = ["group:{staff}"]
longest = "8h"

[[role.approval]]
count = 2
from = ["group:{approvers}"]

[[role]]
name = "user-admin"
title = "User Administrator"
way = "assignment"
role_definition = "{user-administrator}"
eligible = ["group:{staff}"]
longest = "2h"
own_approval = true                # an approver who asks counts as one of the two

[[role.approval]]
count = 2
from = ["group:{approvers}"]
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Two roles; each asks for both of Approvers, which are Bob and Carol")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann, bob, carol] = stage.people(["ann", "bob", "carol"]).await?;
    stage.seen("the policy is in force")?;

    stage.step("Ann asks for two hours of the whole tenant; Bob says yes to half an hour")?;
    let id = stage.asks(&ann, "groups-admin --for 2h", "Move the sales team's groups").await?;
    stage.refused(&bob, &format!("approve {id} --yes --for 3h"), Exit::Usage, "never widen").await?;
    stage.done(&bob, &format!("approve {id} --yes --for 30m")).await?;
    stage.done(&ann, &format!("show {id}")).await?;
    stage.seen("more than was asked is refused; Ann sees what is left, and who took it off")?;

    stage
        .step("Carol counts from there: not three quarters of an hour, but the half, and in one unit only")?;
    stage.refused(&carol, &format!("approve {id} --yes --for 45m"), Exit::Usage, "never widen").await?;
    stage.done(&carol, &format!("approve {id} --yes --scope /administrativeUnits/{UNIT}")).await?;
    let held = until(&ann, &id, "active").await?;
    stage.holds_at(&ANN, &GROUPS_ADMINISTRATOR, &format!("/administrativeUnits/{UNIT}")).await?;
    ensure!(held.get("term_seconds") == Some(&json!(1800)), "not half an hour: {held}");
    stage.seen("Graph shows the role at the unit, and nowhere else")?;

    stage.step("Half an hour later it is over")?;
    stage.passes(SignedDuration::from_mins(30))?;
    until_over(&ann, &id, "expired").await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("it ended when the approvers said, not when Ann had asked")?;

    stage.step("Bob asks for the other role himself, and says yes: it counts, and is not enough")?;
    let own = stage.asks(&bob, "user-admin --for 1h", "Reset the night shift").await?;
    stage.done(&bob, &format!("approve {own} --yes")).await?;
    stage.done(&bob, "list").await?;
    stage.holds_nothing(&BOB).await?;
    stage.done(&carol, &format!("approve {own} --yes")).await?;
    let held = until(&bob, &own, "active").await?;
    stage.holds(&BOB, &USER_ADMINISTRATOR).await?;
    let own_ones = held.get("approvals").and_then(Value::as_array).into_iter().flatten();
    let marks: Vec<_> = own_ones.map(|yes| yes.get("own") == Some(&json!(true))).collect();
    ensure!(marks == [true, false], "not one own and one other: {held}");
    stage.done(&bob, &format!("show {own}")).await?;
    stage.seen("one place by himself, one by Carol; his own is marked, and counted apart")
}
