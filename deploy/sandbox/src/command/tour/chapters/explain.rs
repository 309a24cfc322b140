//! Why a role may be asked for or not, who could say yes, and what it can do to the tenant.

use std::path::Path;

use anyhow::{Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::people::{APPROVERS, BOB, CAROL, DAVE};

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::Stage;

const POLICY: &str = r#"
[[role]]
name = "app-admin"
title = "Application Administrator"
way = "assignment"
role_definition = "{application-administrator}"
eligible = ["group:{staff}"]
denied = ["user:{dave}"]
longest = "4h"

[[role.approval]]
count = 1
from = ["group:{approvers}"]

[[role]]
name = "reader"
title = "Global Reader"
way = "assignment"
role_definition = "{global-reader}"
eligible = ["group:{staff}"]
longest = "8h"
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("A role that administers applications, and one that reads")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann, eve] = stage.people(["ann", "eve"]).await?;
    stage.seen("the policy is in force")?;

    stage.step("Ann asks what stands between her and the role")?;
    let told = stage.done(&ann, "explain app-admin").await?;
    for what in ["offered, because", "tier 0", "Bob Baker, Carol Cooper"] {
        ensure!(told.out.contains(what), "not said: {what}");
    }
    let told = stage.done(&ann, "explain reader").await?;
    ensure!(!told.out.contains("tier 0"), "a reader is no tier 0");
    stage.seen("which rule, who could say yes, and that who has it can become more")?;

    stage.step("Both approvers leave the group")?;
    for approver in [BOB, CAROL] {
        ensure!(stage.tenant.directory().remove_member(APPROVERS.id, approver.id), "not in the group");
    }
    stage.passes(jiff::SignedDuration::from_mins(10))?;
    let told = stage.done(&ann, "explain app-admin").await?;
    ensure!(!told.out.contains("Bob Baker"), "an approver who is none any more");
    stage.seen("nobody could say yes: Ann knows it before she asks")?;

    stage.step("Eve, an auditor, asks about Dave; Ann may not")?;
    let of_dave = format!("explain app-admin --as-seen-by {}", DAVE.id);
    let told = stage.done(&eve, &of_dave).await?;
    ensure!(told.out.contains("not offered, because `denied` names Dave Dyer"), "not said");
    stage.refused(&ann, &of_dave, Exit::Refused, "policy-admin or auditor").await?;
    stage.seen("`denied` goes before `eligible`, and it says by which line")
}
