//! `elevate watch`: an activation, until it is over.

use crate::command::follow::follow;
use crate::context::{Among, Context};
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::{clean_line, json, words};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The activation's id, or the beginning of it
    id: String,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let id = context.whole_id(&broker, &args.id, Among::Both).await?;
    context.console.parting = Some("stopped watching; nothing changed".to_owned());
    let ended = follow(context, broker, &id, |context, activation| {
        let look = context.look();
        let detail = match clean_line(&activation.detail) {
            detail if detail.is_empty() => detail,
            detail => format!(": {detail}"),
        };
        let line = format!("{}  {}{detail}", look.stamp(look.now), words::state(&look, activation));
        context.console.answer_line(&json::Activation::from(activation.clone()), || line)?;
        Ok(false)
    })
    .await?;
    Ok(if words::was_held(ended.outcome()) { Exit::Ok } else { Exit::NotHeld })
}
