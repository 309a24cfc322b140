//! Signing in by a code that is entered elsewhere: off, and when it is on, a session and never a proof.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use elevate_client::Exit;
use elevate_sandbox::Strength;
use elevate_sandbox::people::ANN;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{SOON, Stage};

const POLICY: &str = r#"
[[role]]
name = "reader"
title = "Global Reader"
way = "assignment"
role_definition = "{global-reader}"
eligible = ["user:{ann}"]
longest = "8h"
"#;

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    guide.step("A broker as it comes takes no device code")?;
    let off = folder.join("off");
    std::fs::create_dir_all(&off)?;
    let mut stage = Stage::set(guide, &off, "").await?;
    let ann = stage.person("ann");
    stage.refused(&ann, "login --device-code", Exit::Refused, "whoever starts such a sign-in").await?;
    ensure!(stage.tenant.device_codes().is_empty(), "a code was asked for");
    stage.seen("refused, with the reason, before the sign-in service is asked")?;
    stage.stop_broker().await?;

    guide.step("Another has `identity.device_code = true`")?;
    let on = folder.join("on");
    std::fs::create_dir_all(&on)?;
    let allow = |_: &_, usual: &str| Ok(usual.replace("[identity]\n", "[identity]\ndevice_code = true\n"));
    let mut stage = Stage::written(guide, &on, allow).await?;
    stage.policy(POLICY).await?;
    let ann = stage.person("ann");
    let typed = tokio::spawn({
        let ann = ann.clone();
        async move { ann.types(&["login", "--device-code"]).await }
    });
    let asked = Instant::now();
    let code = loop {
        if let Some(code) = stage.tenant.device_codes().first() {
            break code.clone();
        }
        ensure!(asked.elapsed() < SOON, "no code was asked for");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    ensure!(stage.tenant.enter_code(&code, &ANN, Strength::Fido), "no such code");
    stage.passes(jiff::SignedDuration::from_secs(10))?;
    let told = typed.await.context("the command ended early")?;
    stage.show(&ann, "login --device-code", "", &told)?;
    ensure!(told.exit == Exit::Ok, "it ended with {:?}", told.exit);
    stage.done(&ann, "roles").await?;
    stage.seen("Ann entered the code on her telephone, and has a session")?;

    stage.step("That session looks; to ask takes a sign-in of its own, with a browser")?;
    let line = "activate reader --for 1h --reason x --yes --device-code";
    let told = stage.types(&ann, line).await?;
    ensure!(told.exit == Exit::Usage, "it ended with {:?}", told.exit);
    stage.holds_nothing(&ANN).await?;
    stage.seen(
        "there is no such switch on `activate`: a code that somebody was talked into never makes a grant",
    )
}
