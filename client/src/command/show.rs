//! `elevate show`: everything about one activation.

use elevate_proto::v1;

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
    let text = words::activation(&context.look(), &found);
    context.console.answer(&json::Activation::from(found), || text)?;
    Ok(Exit::Ok)
}
