//! `elevate sweep`: settles what is due, and fails while something is overdue.

use std::time::Duration;

use elevate_proto::v1;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::{json, words};

/// It waits for the directory, role by role.
const PATIENCE: Duration = Duration::from_mins(5);

pub(crate) async fn run(context: &mut Context) -> Result<Exit> {
    let patience = context.settings.patience_or(PATIENCE);
    let broker = context.broker().await?.patient(patience);
    let found = broker.revocation().sweep(broker.call(v1::SweepRequest {})).await?.into_inner();
    let exit = if found.overdue > 0 { Exit::Overdue } else { Exit::Ok };
    let mut text = format!("{} due, {} closed, {} overdue", found.due, found.closed, found.overdue);
    if !found.unsettled.is_empty() {
        text.push_str(&format!("\n\n{}", words::activations(&context.look(), &found.unsettled, true)));
    }
    context.console.answer(&json::Sweep::from(found), || text)?;
    Ok(exit)
}
