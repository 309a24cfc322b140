//! The command line for people in a hurry: profiles, what would happen, what happened, answers for programs.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::people::{ANN, GROUPS_ADMINISTRATOR};
use serde_json::Value;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, until_newest, until_over};

const POLICY: &str = r#"
[[role]]
name = "groups-admin"
title = "Groups Administrator"
way = "assignment"
role_definition = "{groups-administrator}"
eligible = ["user:{ann}"]
longest = "8h"
"#;

const PROFILE: &str = r#"
[profile.oncall]
role = "groups-admin"
for = "2h"
reason = "on call"
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("Ann writes down what she asks for often")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    stage.policy(POLICY).await?;
    let [ann] = stage.people(["ann"]).await?;
    let file = folder.join("people/ann/config.toml");
    let text = std::fs::read_to_string(&file).context("`login` has written no config.toml")?;
    std::fs::write(&file, format!("{text}{PROFILE}"))?;
    stage.done(&ann, "profiles").await?;
    stage.seen("a profile is a name for a role, a term and a reason")?;

    stage.step("What would be asked, without asking")?;
    let told = stage.done(&ann, "activate --profile oncall --dry-run").await?;
    ensure!(told.err.contains("groups-admin") || told.out.contains("groups-admin"), "not said");
    let told = stage.types(&ann, "activate --profile oncall --for 9h --dry-run").await?;
    ensure!(told.exit != Exit::Ok, "nine hours of eight");
    stage.holds_nothing(&ANN).await?;
    stage.seen("shown, or refused with the same words; nothing is held")?;

    stage.step("One line, and she has it")?;
    stage.done(&ann, "activate --profile oncall --yes").await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.done(&ann, "list").await?;
    stage.done(&ann, "deactivate groups-admin").await?;
    stage.loses(&ANN, &GROUPS_ADMINISTRATOR).await?;
    until_newest(&ann, "closed").await?;
    stage.seen("held, listed with the time that is left, and given back by the role's name")?;

    stage.step("What she had, for herself and for programs")?;
    let told = stage.done(&ann, "history --since 1d").await?;
    ensure!(told.out.contains("deactivated"), "not in the history");
    let told = ann.types(&["history", "--output", "json"]).await.json()?;
    let first = told.pointer("/activations/0").context("nothing in the history")?;
    let id = first.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    until_over(&ann, &id, "deactivated").await?;
    stage.seen("one answer, two forms")?;

    stage.step("A wrong word ends with what to try")?;
    stage.refused(&ann, "activate group-admin --reason x --yes", Exit::Refused, "`elevate roles`").await?;
    let told = stage.types(&ann, "deactivate groups-admin").await?;
    ensure!(told.exit != Exit::Ok && told.err.contains("elevate list"), "no next thing to try");
    let told = stage.done(&ann, "man activate").await?;
    ensure!(told.out.contains(".TH"), "no page of the manual");
    stage.seen("every refusal has its exit code, its reason for programs, and the next thing to try")
}
