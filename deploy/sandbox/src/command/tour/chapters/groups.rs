//! Places in groups: members and owners, by the broker's own hand and by PIM for Groups.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::people::{ANN, BOB, EVE, Group, SERVER_OPERATORS, TIER0_OPERATORS};
use jiff::SignedDuration;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{SOON, Stage, until, until_over};

const POLICY: &str = r#"
[[role]]
name = "operator"
title = "Opens servers"
way = "group"
group = "5a4db0c5-0000-4000-8000-000000000105"
relation = "member"
eligible = ["group:{staff}"]
longest = "8h"

[[role]]
name = "keeper"
title = "Says who opens servers"
way = "group"
group = "5a4db0c5-0000-4000-8000-000000000105"
relation = "owner"
eligible = ["group:{staff}"]
longest = "1h"

[[role]]
name = "tier0"
title = "Tier-0 operator"
way = "pim-group"
group = "5a4db0c5-0000-4000-8000-000000000106"
relation = "member"
eligible = ["group:{staff}"]
longest = "4h"
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Three places: a member and an owner of a group, and a member by PIM for Groups")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann, bob] = stage.people(["ann", "bob"]).await?;
    stage.seen("the policy is in force")?;

    stage.step("Ann becomes a member, Bob an owner, and Ann a member by PIM")?;
    let member = stage.asks(&ann, "operator --for 1h", "Patch the servers").await?;
    let owner = stage.asks(&bob, "keeper --for 1h", "Let the new colleague in").await?;
    let tier0 = stage.asks(&ann, "tier0 --for 2h", "The domain controllers").await?;
    until(&ann, &member, "active").await?;
    until(&bob, &owner, "active").await?;
    until(&ann, &tier0, "active").await?;
    comes_to(&stage, "members", &SERVER_OPERATORS, &[ANN.id]).await?;
    comes_to(&stage, "owners", &SERVER_OPERATORS, &[EVE.id, BOB.id]).await?;
    comes_to(&stage, "members", &TIER0_OPERATORS, &[ANN.id]).await?;
    stage.done(&ann, &format!("show {member}")).await?;
    stage.seen("the directory has them in; an owner is no member")?;

    stage.step("What a group gives no table knows")?;
    let told = stage.done(&ann, "explain tier0").await?;
    ensure!(told.out.contains("role-assignable") || told.out.contains("unknown"), "not said: {}", told.out);
    stage.seen("`explain` calls it so, and that a role-assignable group is power")?;

    stage.step("Ann gives the PIM place back at once: five minutes stand before that")?;
    stage.done(&ann, "deactivate tier0").await?;
    stage.passes(SignedDuration::from_mins(6))?;
    until_over(&ann, &tier0, "deactivated").await?;
    comes_to(&stage, "members", &TIER0_OPERATORS, &[]).await?;
    stage.seen("queued, and done when Entra lets it")?;

    stage.step("Eve leaves; Bob is the last owner, and Entra keeps the last")?;
    ensure!(stage.tenant.directory().remove_owner(SERVER_OPERATORS.id, EVE.id), "Eve owned it not");
    stage.passes(SignedDuration::from_hours(1))?;
    until_over(&ann, &member, "expired").await?;
    comes_to(&stage, "members", &SERVER_OPERATORS, &[]).await?;
    until(&bob, &owner, "revoking").await?;
    crate::command::tour::stage::until_told(&bob, &owner, "make somebody else an owner").await?;
    stage.done(&bob, &format!("show {owner}")).await?;
    stage.refused(&bob, &format!("withdraw {owner}"), Exit::State, "").await?;
    stage.tenant.directory().add_owner(SERVER_OPERATORS.id, EVE.id)?;
    stage.passes(SignedDuration::from_mins(10))?;
    until_over(&bob, &owner, "expired").await?;
    comes_to(&stage, "owners", &SERVER_OPERATORS, &[EVE.id]).await?;
    stage.seen("said and tried again; gone as soon as there is another owner")
}

/// The directory comes to have exactly these in that place of the group.
async fn comes_to(stage: &Stage<'_>, place: &str, group: &Group, who: &[&str]) -> Result<()> {
    let asked = Instant::now();
    loop {
        let directory = stage.tenant.directory();
        let there = if place == "owners" { directory.owners(group.id) } else { directory.members(group.id) };
        if there == who {
            return stage.guide.says(&format!("{place} of {}: {}", group.name, there.len()));
        }
        ensure!(asked.elapsed() < SOON, "{place} of {}: {there:?}", group.name);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
