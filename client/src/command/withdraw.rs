//! `elevate withdraw`: a request taken back before it begins.

use elevate_proto::v1;

use crate::context::{Among, Context};
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::{clean_line, json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The activation's id, or the beginning of it
    id: String,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let id = context.whole_id(&broker, &args.id, Among::Own).await?;
    let request = v1::WithdrawActivationRequest { id };
    let withdrawn = broker.activations().withdraw_activation(broker.call(request)).await?.into_inner();
    let text = format!("Withdrawn: {}", clean_line(&withdrawn.role));
    context.console.answer(&json::Activation::from(withdrawn), || text)?;
    Ok(Exit::Ok)
}
