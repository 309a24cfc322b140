//! The policy in force, or one that was, as the files it was applied from.

use std::path::Path;

use elevate_proto::v1;
use serde::Serialize;

use super::place;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Result;

/// What was written where.
#[derive(Serialize)]
struct Exported {
    version: i64,
    files: Vec<String>,
}

pub(super) async fn run(
    path: Option<&Path>,
    version: Option<i64>,
    force: bool,
    context: &mut Context,
) -> Result<Exit> {
    let broker = context.broker().await?;
    let request = broker.call(v1::GetPolicyRequest { version: version.unwrap_or_default() });
    let policy = broker.policy().get_policy(request).await?.into_inner();
    let Some(path) = path else {
        let text = super::shown(&policy.text);
        context.console.answer(&crate::render::json::Policy::from(policy), || text)?;
        return Ok(Exit::Ok);
    };
    let files = place::write(path, &policy.text, force)?;
    let text = format!("Version {} is in {}", policy.version, files.join(", "));
    context.console.answer(&Exported { version: policy.version, files }, || text)?;
    Ok(Exit::Ok)
}
