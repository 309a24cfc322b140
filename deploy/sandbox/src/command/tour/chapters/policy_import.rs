//! The first day: what the tenant holds becomes a policy, which is read, applied and used.

use std::path::Path;

use anyhow::{Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::directory::{Privilege, RoleSettings};
use elevate_sandbox::people::{
    self, ANN, APPROVERS, AUTOMATION, BOB, DAVE, EVE, GLOBAL_ADMINISTRATOR, GLOBAL_READER,
    GROUPS_ADMINISTRATOR, Role, SECURITY_READER,
};

use jiff::SignedDuration;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, until};

fn whole(role: &Role) -> Privilege {
    Privilege::Role { role: role.id.to_owned(), scope: "/".to_owned() }
}

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("A tenant that has been lived in, and a broker that has no policy")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    lived_in(&stage)?;
    stage.passes(SignedDuration::from_hours(1))?;
    let [ann, bob, eve] = stage.people(["ann", "bob", "eve"]).await?;
    stage.refused(&eve, "policy show", Exit::State, "").await?;
    stage.seen("standing assignments, a service principal with a role, people eligible in PIM")?;

    stage.step("Eve, policy admin, makes a policy of it")?;
    let files = folder.join("policy");
    let path = files.display().to_string();
    stage.done(&eve, &format!("policy import {path}")).await?;
    let read = |name: &str| std::fs::read_to_string(files.join(name));
    let role = read("groups-administrator.toml")?;
    for line in role.lines() {
        stage.guide.says(&format!("    {line}"))?;
    }
    ensure!(
        role.contains(ANN.id) && role.contains(APPROVERS.id) && role.contains("longest = \"2h\""),
        "not PIM's"
    );
    ensure!(read("00-import.toml")?.contains(AUTOMATION.name), "a service principal went unsaid");
    ensure!(!files.join("security-reader.toml").exists(), "a role that nobody could ask for");
    stage.refused(&eve, &format!("policy import {path}"), Exit::Usage, "is there already").await?;
    stage.seen("one file a role, on the terms that PIM has; what a policy cannot say is a comment")?;

    stage.step("It has no fault, and warnings that make one think")?;
    let lint = stage.done(&eve, &format!("policy lint {path}")).await?;
    ensure!(lint.out.contains(" 0 faults") && lint.out.contains("tier 0"), "not linted: {}", lint.out);
    stage.seen("nothing is in force yet")?;

    stage.step("Applied, it is used like any other")?;
    stage.done(&eve, &format!("policy apply --yes {path}")).await?;
    let id = stage.asks(&ann, "groups-administrator --for 1h --ticket CHG0042", "The first day").await?;
    stage.holds_nothing(&ANN).await?;
    stage.done(&bob, &format!("approve {id} --yes")).await?;
    until(&ann, &id, "active").await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.seen("Ann has it by the broker, with a ticket and a yes, as PIM would have asked")?;

    stage.step("Who could not read PIM, and who has no licence, hears what is missing")?;
    stage.tenant.change_behaviour(|behaviour| behaviour.premium = false);
    let told = stage.done(&eve, "policy import --output json").await?;
    let told = told.json()?;
    let text = told.get("text").and_then(|text| text.as_str()).unwrap_or_default();
    ensure!(
        text.contains("no licence") && text.contains(DAVE.id) && !text.contains(BOB.id),
        "not said: {text}"
    );
    stage.seen("only what is held for good, and the reason")
}

fn lived_in(stage: &Stage<'_>) -> Result<()> {
    let directory = stage.tenant.directory();
    for (who, role) in
        [(EVE.id, GLOBAL_ADMINISTRATOR), (DAVE.id, GLOBAL_READER), (AUTOMATION.object_id, SECURITY_READER)]
    {
        directory.assign_in_portal(who, role.id, "/")?;
    }
    directory.make_eligible(ANN.id, whole(&GROUPS_ADMINISTRATOR), None)?;
    directory.make_eligible(BOB.id, whole(&people::USER_ADMINISTRATOR), None)?;
    let settings = RoleSettings {
        longest: "PT2H".to_owned(),
        approval: true,
        approvers: vec![APPROVERS.id.to_owned()],
        ticket: true,
        ..RoleSettings::default()
    };
    directory.set_role_settings(&whole(&GROUPS_ADMINISTRATOR), settings);
    Ok(())
}
