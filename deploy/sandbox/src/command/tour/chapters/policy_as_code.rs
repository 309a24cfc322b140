//! The policy as code: checked and tested without a broker, planned, applied, exported; and a rule that takes two people.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::people::{self, ANN, APPROVERS, GROUPS_ADMINISTRATOR, STAFF};

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, until};

const TESTS: &str = r#"
[[test]]
name = "staff may administer groups, once somebody says yes"
who = "user:{ann}"
groups = ["group:{staff}"]
may = ["groups-admin"]

[[test.needs]]
role = "groups-admin"
approvals = 1
longest = "8h"

[[test]]
name = "whoever is in no group may nothing"
who = "user:{frank}"
may_not = ["groups-admin"]
"#;

/// The rule, with this many approvals.
fn rule(approvals: u8, protected: bool) -> String {
    format!(
        "[[role]]\nname = \"groups-admin\"\ntitle = \"Groups Administrator\"\nway = \"assignment\"\n\
         role_definition = \"{}\"\neligible = [\"group:{}\"]\nlongest = \"8h\"\nprotected = {protected}\n\n\
         [[role.approval]]\ncount = {approvals}\nfrom = [\"group:{}\"]\n",
        GROUPS_ADMINISTRATOR.id, STAFF.id, APPROVERS.id
    )
}

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("A folder of files: a rule, and what it is meant to say; no broker is asked")?;
    let mut stage = Stage::set(guide, folder, "").await?;
    let files = folder.join("policy");
    std::fs::create_dir_all(&files)?;
    let path = files.display().to_string();
    let write = |name: &str, text: &str| std::fs::write(files.join(name), text);
    let tests =
        TESTS.replace("{ann}", ANN.id).replace("{frank}", people::FRANK.id).replace("{staff}", STAFF.id);
    write("10-groups.toml", &rule(1, true))?;
    write("90-tests.toml", &tests)?;
    let eve = stage.person("eve");
    stage.done(&eve, &format!("policy lint {path}")).await?;
    stage.done(&eve, &format!("policy test {path}")).await?;
    stage.seen("no fault, and every test holds")?;

    stage.step("Somebody changes the rule, and forgets the test")?;
    write("10-groups.toml", &rule(2, true))?;
    let told = stage.types(&eve, &format!("policy test {path}")).await?;
    ensure!(told.exit.code() == 10, "it ended with {:?}", told.exit);
    let [eve, grace, ann, bob] = stage.people(["eve", "grace", "ann", "bob"]).await?;
    let told = stage.types(&eve, &format!("policy apply --yes {path}")).await?;
    ensure!(told.exit != Exit::Ok, "a policy whose test fails was applied");
    stage.refused(&eve, "policy show", Exit::State, "").await?;
    stage.seen("the test says what the rule says now; `apply` runs it too, and applies nothing")?;

    stage.step("As it was meant, it is applied, and Ann uses it")?;
    write("10-groups.toml", &rule(1, true))?;
    stage.done(&eve, &format!("policy apply --yes {path}")).await?;
    let id = stage.asks(&ann, "groups-admin --for 1h", "Move the sales team's groups").await?;
    stage.done(&bob, &format!("approve {id} --yes")).await?;
    until(&ann, &id, "active").await?;
    stage.holds(&ANN, &GROUPS_ADMINISTRATOR).await?;
    stage.seen("version 1 is in force")?;

    stage.step("A change is planned: what it means, for whom, and for what is held now")?;
    write("10-groups.toml", &rule(2, true))?;
    write("90-tests.toml", &tests.replace("approvals = 1", "approvals = 2"))?;
    let told = stage.done(&eve, &format!("policy plan {path}")).await?;
    ensure!(told.out.contains("groups-admin") && told.out.contains(&id[..8]), "not planned: {}", told.out);
    stage.seen("Ann's live activation is named; nothing has changed")?;

    stage.step("The rule is protected: Eve proposes, Grace confirms")?;
    let told = stage.types(&eve, &format!("policy apply --yes {path}")).await?;
    ensure!(told.exit == Exit::Refused, "it ended with {:?}", told.exit);
    stage.refused(&eve, "policy confirm --yes", Exit::Refused, "").await?;
    stage.done(&grace, "policy show --proposed").await?;
    stage.done(&grace, "policy confirm --yes").await?;
    stage.seen("not in force by one hand; version 2 by two, both on record")?;

    stage.step("The files come back word for word")?;
    let out = folder.join("exported");
    stage.done(&eve, &format!("policy export {}", out.display())).await?;
    for name in ["10-groups.toml", "90-tests.toml"] {
        let there = std::fs::read_to_string(out.join(name)).context("not exported")?;
        ensure!(there == std::fs::read_to_string(files.join(name))?, "{name} is not as it was");
    }
    stage.seen("`export` writes what was applied")
}
