//! `elevate show`: everything about one activation.

use elevate_proto::v1;

use crate::command::bundle;
use crate::context::{Among, Context};
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::{json, words};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The activation's id, or the beginning of it
    id: String,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let id = context.whole_id(&broker, &args.id, Among::Both).await?;
    let found =
        broker.activations().get_activation(broker.call(v1::GetActivationRequest { id })).await?.into_inner();
    let mut text = words::activation(&context.look(), &found);
    if !found.bundle_ids.is_empty() && !context.console.is_json() {
        let others = bundle::others(context, &broker, &found).await?;
        text = format!("{text}\n\nasked for together with it:\n{others}");
    }
    context.console.answer(&json::Activation::from(found), || text)?;
    Ok(Exit::Ok)
}
