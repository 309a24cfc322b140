//! A narrower scope than the one that is offered, and one that is not within it.

use std::path::Path;

use anyhow::{Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::people::{ANN, APPLICATION_ADMINISTRATOR, PAYROLL, UNIT, USER_ADMINISTRATOR};
use jiff::SignedDuration;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, until, until_over};

const POLICY: &str = r#"
[[role]]
name = "user-admin"
title = "User Administrator"
way = "assignment"
role_definition = "{user-administrator}"
eligible = ["user:{ann}"]
longest = "8h"

[[role]]
name = "app-admin"
title = "Application Administrator"
way = "pim"
role_definition = "{application-administrator}"
eligible = ["user:{ann}"]
longest = "8h"

[[role]]
name = "unit-admin"
title = "User Administrator of one unit"
way = "assignment"
role_definition = "{user-administrator}"
scope = "/administrativeUnits/{unit}"
eligible = ["user:{ann}"]
longest = "8h"
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Roles over the whole tenant; Ann needs one unit, and one application")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann] = stage.people(["ann"]).await?;
    stage.done(&ann, "roles").await?;
    stage.seen("three are offered")?;

    stage.step("One administrative unit")?;
    let unit = format!("/administrativeUnits/{UNIT}");
    let id = stage.asks(&ann, &format!("user-admin --for 1h --scope {unit}"), "A new team").await?;
    until(&ann, &id, "active").await?;
    stage.holds_at(&ANN, &USER_ADMINISTRATOR, &unit).await?;
    stage.done(&ann, &format!("show {id}")).await?;
    stage.seen("Graph shows it at the unit, and nowhere else")?;

    stage.step("One application, by PIM")?;
    let application = format!("/{}", PAYROLL.id);
    let other =
        stage.asks(&ann, &format!("app-admin --for 1h --scope {application}"), "A new secret").await?;
    until(&ann, &other, "active").await?;
    stage.holds_at(&ANN, &APPLICATION_ADMINISTRATOR, &application).await?;
    stage.seen("likewise")?;

    stage.step("Never wider than what is offered, and nothing that is no scope")?;
    for (role, scope) in [("unit-admin", "/"), ("user-admin", "somewhere")] {
        let line = format!("activate {role} --for 1h --scope {scope} --reason x --yes --no-wait");
        let told = stage.types(&ann, &line).await?;
        ensure!(matches!(told.exit, Exit::Refused | Exit::Usage), "it ended with {:?}", told.exit);
    }
    stage.seen("both are refused")?;

    stage.step("An hour later both are gone")?;
    stage.passes(SignedDuration::from_hours(1))?;
    until_over(&ann, &id, "expired").await?;
    until_over(&ann, &other, "expired").await?;
    stage.loses(&ANN, &USER_ADMINISTRATOR).await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("at every scope")
}
