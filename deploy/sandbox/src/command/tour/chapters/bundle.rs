//! Several roles in one request: one sign-in, one approval, and each held by itself.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::people::{ANN, GLOBAL_READER, GROUPS_ADMINISTRATOR, USER_ADMINISTRATOR};
use jiff::SignedDuration;
use serde_json::Value;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, newest, shown, until, until_over};

const POLICY: &str = r#"
[[role]]
name = "groups-admin"
title = "Groups Administrator"
way = "assignment"
role_definition = "{groups-administrator}"
eligible = ["group:{staff}"]
longest = "8h"

[[role.approval]]
count = 1
from = ["group:{approvers}"]

[[role]]
name = "user-admin"
title = "User Administrator"
way = "assignment"
role_definition = "{user-administrator}"
eligible = ["group:{staff}"]
longest = "2h"

[[role.approval]]
count = 1
from = ["group:{approvers}"]

[[role]]
name = "reader"
title = "Global Reader"
way = "assignment"
role_definition = "{global-reader}"
eligible = ["group:{staff}"]       # nobody has to say yes
longest = "8h"
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Three roles that belong to one piece of work")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann, bob, carol] = stage.people(["ann", "bob", "carol"]).await?;
    stage.seen("the policy is in force")?;

    stage.step("What stands against one of them stands against all")?;
    let roles = "groups-admin user-admin reader";
    let line = format!("activate {roles} --for 4h --reason 'Open the branch office' --yes");
    stage.refused(&ann, &line, Exit::Usage, "`user-admin`").await?;
    let told = stage.done(&ann, "list --all").await?;
    ensure!(told.out.is_empty(), "something was asked for: {}", told.out);
    stage.seen("it is said of which, and none of the three is on record")?;

    stage.step("Ann asks for all three, with one sign-in")?;
    stage.asks(&ann, &format!("{roles} --for 2h"), "Open the branch office").await?;
    let ids = together(&newest(&ann).await?)?;
    let [groups, users, reader] = ids.as_slice() else { anyhow::bail!("not three: {ids:?}") };
    until(&ann, reader, "active").await?;
    stage.holds(&ANN, &GLOBAL_READER).await?;
    let told = stage.done(&ann, "list").await?;
    ensure!(told.out.contains("1 of 3"), "it does not say what belongs together: {}", told.out);
    stage.seen(
        "the one that asks for nobody is held at once; the others wait, each with a record of its own",
    )?;

    stage.step("Bob says yes once, by the id of one of them")?;
    let told = stage.done(&bob, &format!("approve {users} --yes")).await?;
    ensure!(told.out.lines().count() == 2, "not two yeses: {}", told.out);
    until(&ann, groups, "active").await?;
    until(&ann, users, "active").await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.holds(&ANN, &USER_ADMINISTRATOR).await?;
    stage.seen("he was shown both that wait for him, and Graph shows all three")?;

    stage.step("From here on each is held by itself")?;
    stage.done(&ann, &format!("deactivate {users}")).await?;
    stage.loses(&ANN, &USER_ADMINISTRATOR).await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.passes(SignedDuration::from_hours(2))?;
    until_over(&ann, groups, "expired").await?;
    until_over(&ann, reader, "expired").await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("one was given back early, the others ended at their time")?;

    stage.step("A no to one is a no to all that have not begun")?;
    stage.asks(&ann, "groups-admin user-admin --for 1h", "Close it again").await?;
    let ids = together(&newest(&ann).await?)?;
    let [groups, users] = ids.as_slice() else { anyhow::bail!("not two: {ids:?}") };
    stage.done(&carol, &format!("deny {groups} --reason 'Not before Monday'")).await?;
    for id in [groups, users] {
        until_over(&ann, id, "denied").await?;
    }
    stage.refused(&bob, &format!("approve {users} --yes"), Exit::State, "closed").await?;
    stage.seen("both are over, and a yes comes too late")?;

    stage.step("And what Ann takes back, she takes back together")?;
    stage.asks(&ann, "groups-admin user-admin --for 1h", "Close it on Monday").await?;
    let ids = together(&newest(&ann).await?)?;
    let [groups, users] = ids.as_slice() else { anyhow::bail!("not two: {ids:?}") };
    stage.done(&ann, &format!("withdraw {users}")).await?;
    let withdrawn = shown(&ann, groups).await?;
    ensure!(
        withdrawn.get("outcome").and_then(Value::as_str) == Some("withdrawn"),
        "still there: {withdrawn}"
    );
    stage.holds_nothing(&ANN).await?;
    stage.seen("nothing waits for anybody any more")
}

/// Everything that was asked for together with this one, in its order.
fn together(activation: &Value) -> Result<Vec<String>> {
    let ids = activation.get("bundle_ids").and_then(Value::as_array).context("it was asked for alone")?;
    Ok(ids.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}
