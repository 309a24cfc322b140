//! Much at once: shown before it is taken away, followed until it is gone, and one that stays stops no other.

use std::path::Path;

use anyhow::{Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::people::{ANN, BOB, DAVE, GLOBAL_READER, GROUPS_ADMINISTRATOR};
use elevate_sandbox::{Fault, Kind};
use jiff::SignedDuration;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, field, newest, until_over};

pub(super) const POLICY: &str = r#"
[[role]]
name = "reader"
title = "Global Reader"
way = "assignment"
role_definition = "{global-reader}"
eligible = ["group:{staff}"]
longest = "8h"

[[role]]
name = "groups-admin"
title = "Groups Administrator"
way = "assignment"
role_definition = "{groups-administrator}"
eligible = ["user:{ann}"]
longest = "8h"
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Three people hold four roles")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann, bob, dave, eve] = stage.people(["ann", "bob", "dave", "eve"]).await?;
    stage.activates(&ann, "groups-admin --for 4h", "Move the sales team's groups").await?;
    for person in [&ann, &bob, &dave] {
        stage.activates(person, "reader --for 4h", "Look into an alert").await?;
    }
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.seen("they hold them")?;

    stage.step("Eve looks at what Ann has")?;
    let line = format!("revoke --principal {} --dry-run", ANN.id);
    let told = stage.done(&eve, &line).await?;
    ensure!(told.out.contains("2 to be taken away"), "it does not show both: {}", told.out);
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.seen("shown, and nothing is changed")?;

    stage.step("She takes it away; a script must say --yes")?;
    let line = format!("revoke --principal {} --reason 'Her laptop was stolen'", ANN.id);
    stage.refused(&eve, &line, Exit::Usage, "--yes").await?;
    stage.done(&eve, &format!("{line} --yes")).await?;
    stage.loses(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.holds_nothing(&ANN).await?;
    stage.seen("both are gone, and nobody else lost anything")?;

    stage.step("Everything, while Graph fails to remove Bob's")?;
    let held = stage.tenant.directory().assignments();
    let of_bob = held.iter().find(|held| held.principal == BOB.id).map(|held| held.id.clone());
    let path = format!("/v1.0/roleManagement/directory/roleAssignments/{}", of_bob.unwrap_or_default());
    let fails = Fault::on(&path, Kind::FailBefore { status: 500, retry_after: None }).method("DELETE");
    let fault = stage.tenant.faults().add(fails);
    let line = "revoke --everything --reason 'Incident 7' --yes --timeout 4s";
    let told = stage.types(&eve, line).await?;
    ensure!(told.exit == Exit::Overdue, "it ended with {:?}", told.exit);
    ensure!(
        told.out.contains("not yet seen gone: reader for Bob"),
        "it does not say what is left: {}",
        told.out
    );
    stage.loses(&DAVE, &GLOBAL_READER).await?;
    stage.seen("Dave's is gone; Bob's is told of at the end, with exit code 9")?;

    stage.step("Graph recovers")?;
    stage.tenant.faults().clear(fault);
    stage.passes(SignedDuration::from_mins(1))?;
    stage.loses(&BOB, &GLOBAL_READER).await?;
    let last = newest(&bob).await?;
    until_over(&bob, field(&last, "id"), "revoked").await?;
    stage.seen("the broker went on by itself, with the one reason on record")
}
