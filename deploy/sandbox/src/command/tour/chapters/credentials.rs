//! Who the broker is to Graph, without a key of its own: by federation, and by its host's managed identity.

use std::path::Path;

use anyhow::{Result, ensure};
use elevate_sandbox::Tenant;
use elevate_sandbox::people::{ANN, BROKER, GLOBAL_READER};
use jiff::SignedDuration;

use crate::command::tour::guide::Guide;
use crate::command::tour::stage::{Stage, until, until_over};

const POLICY: &str = r#"
[[role]]
name = "reader"
title = "Global Reader"
way = "assignment"
role_definition = "{global-reader}"
eligible = ["user:{ann}"]
longest = "8h"
"#;

/// A way to say who the broker is: how it is called, and what stands in `[graph]` for it.
type Way = (&'static str, fn(&Tenant) -> Result<String>);

const WAYS: [Way; 2] = [
    ("a token of another issuer, in a file that its host renews (workload identity federation)", federated),
    ("the managed identity of the host", managed),
];

pub(super) async fn tell(guide: &mut Guide, folder: &Path) -> Result<()> {
    for (number, (title, credential)) in WAYS.iter().enumerate() {
        guide.step(&format!("By {title}"))?;
        let own = folder.join(number.to_string());
        std::fs::create_dir_all(&own)?;
        let write = |tenant: &Tenant, usual: &str| Ok(by(usual, &credential(tenant)?));
        let mut stage = Stage::written(guide, &own, write).await?;
        stage.policy(POLICY).await?;
        let [ann] = stage.people(["ann"]).await?;
        let id = stage.asks(&ann, "reader --for 10m", "Look at the logs").await?;
        until(&ann, &id, "active").await?;
        stage.holds(&ANN, &GLOBAL_READER).await?;
        stage.passes(SignedDuration::from_mins(10))?;
        stage.loses(&ANN, &GLOBAL_READER).await?;
        until_over(&ann, &id, "expired").await?;
        let written = std::fs::read_to_string(own.join("elevated.toml"))?;
        let graph = written.split_once("[graph]").map_or("", |(_, graph)| graph);
        ensure!(!graph.contains("key ="), "the broker has a key for Graph: {graph}");
        stage.seen("granted and taken away, and no key or secret of the broker's lies anywhere")?;
        stage.stop_broker().await?;
    }
    Ok(())
}

/// What says in `[graph]` who the broker is, replaced by this.
fn by(usual: &str, credential: &str) -> String {
    let own = ["certificate =", "key =", "client_id ="];
    let (before, graph) = usual.split_once("[graph]\n").unwrap_or((usual, ""));
    let (graph, after) = graph.split_once("\n\n").unwrap_or((graph, ""));
    let kept: Vec<_> = graph.lines().filter(|line| !own.iter().any(|key| line.starts_with(key))).collect();
    format!("{before}[graph]\n{}\n{credential}\n\n{after}", kept.join("\n"))
}

fn federated(tenant: &Tenant) -> Result<String> {
    let file = tenant.folder().join("federated-token");
    let mint = tenant.tokens();
    std::fs::write(&file, mint.outer(&mint.outer_claims()))?;
    let file = file.display().to_string();
    Ok(format!("client_id = \"{}\"\nfederated_token_file = {file:?}", BROKER.client_id))
}

fn managed(tenant: &Tenant) -> Result<String> {
    let address = format!("{}/metadata/identity/oauth2/token", tenant.host_url());
    Ok(format!("managed_identity = \"system\"\nmanaged_identity_url = \"{address}\""))
}
