//! Approval: several requirements by distinct people, a no that ends it, a right that is lost on the way, and a
//! window that closes.

use std::path::Path;

use anyhow::{Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::people::{ANN, APPROVERS, BOB, CAROL, GROUPS_ADMINISTRATOR};
use jiff::SignedDuration;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, until, until_over};

const POLICY: &str = r#"
[[role]]
name = "groups-admin"
title = "Groups Administrator"
way = "assignment"
role_definition = "{groups-administrator}"
eligible = ["group:{staff}"]       # Staff, and the groups in it
longest = "8h"
approval_window = "30m"

[[role.approval]]                  # one of Approvers, which are Bob and Carol
count = 1
from = ["group:{approvers}"]

[[role.approval]]                  # and one of these two besides
count = 1
from = ["user:{dave}", "user:{bob}"]
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("A role that asks for two yeses: of an approver, and of Dave or Bob")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann, bob, carol, dave] = stage.people(["ann", "bob", "carol", "dave"]).await?;
    stage.seen("the policy is in force")?;

    stage.step("Bob could say yes to both, and counts for one")?;
    let id = stage.asks(&ann, "groups-admin --for 1h", "Move the sales team's groups").await?;
    let approve = format!("approve {id} --yes");
    stage.done(&bob, &approve).await?;
    stage.refused(&bob, &approve, Exit::State, "already").await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("one more is asked for; Graph shows nothing")?;

    stage.step("Carol is the second person")?;
    stage.done(&carol, &approve).await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    let held = until(&ann, &id, "active").await?;
    ensure!(held.get("approvals").and_then(|a| a.as_array()).map(Vec::len) == Some(2), "not two: {held}");
    stage.done(&ann, &format!("deactivate {id}")).await?;
    stage.loses(&ANN, &GROUPS_ADMINISTRATOR).await?;
    until_over(&ann, &id, "deactivated").await?;
    stage.seen("Bob counts for the one requirement, Carol for the other; Ann had it, and gave it back")?;

    stage.step("One no ends it, whoever said yes before")?;
    let id = stage.asks(&ann, "groups-admin --for 1h", "Move them back").await?;
    stage.done(&dave, &format!("approve {id} --yes")).await?;
    stage.done(&carol, &format!("deny {id} --reason 'Not during the audit'")).await?;
    until_over(&ann, &id, "denied").await?;
    stage.refused(&bob, &format!("approve {id} --yes"), Exit::State, "").await?;
    stage.done(&ann, &format!("show {id}")).await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("denied, with Carol's reason; a later yes changes nothing")?;

    stage.step("Bob asks himself: he is eligible, and no approver of his own request")?;
    let own = stage.asks(&bob, "groups-admin --for 1h", "Tidy up").await?;
    stage.refused(&bob, &format!("approve {own} --yes"), Exit::Refused, "nobody approves their own").await?;
    stage.done(&bob, &format!("withdraw {own}")).await?;
    stage.holds_nothing(&BOB).await?;
    stage.seen("refused, with the reason")?;

    stage.step("Carol leaves Approvers between the request and her yes")?;
    let id = stage.asks(&ann, "groups-admin --for 1h", "Once more").await?;
    stage.done(&carol, "pending").await?;
    ensure!(stage.tenant.directory().remove_member(APPROVERS.id, CAROL.id), "Carol was not in it");
    stage.guide.says("Entra: Carol Cooper is taken out of Approvers")?;
    stage.passes(SignedDuration::from_mins(1))?;
    stage.refused(&carol, &format!("approve {id} --yes"), Exit::NotFound, "").await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("rights are read from Graph at the moment of the yes, and hers is gone")?;

    stage.step("Nobody answers in time")?;
    stage.passes(SignedDuration::from_mins(30))?;
    until_over(&ann, &id, "lapsed").await?;
    stage.done(&ann, "list --all").await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("the request lapsed after its half hour; its hour of the role never began")
}
