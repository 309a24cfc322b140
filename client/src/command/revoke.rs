//! `elevate revoke`: somebody's role taken away.

use elevate_proto::v1;

use crate::command::deactivate::ending;
use crate::command::deny::reason;
use crate::context::{Among, Context};
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::json;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The activation's id
    id: String,
    /// Why; the holder and the auditors read it. Left out, you are asked
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let id = context.whole_id(&broker, &args.id, Among::Both).await?;
    let reason = reason(context, args.reason, "why? ").await?;
    let request = v1::RevokeActivationRequest { id, reason };
    let revoked = broker.revocation().revoke_activation(broker.call(request)).await?.into_inner();
    let text = ending(context, &revoked);
    context.console.answer(&json::Activation::from(revoked), || text)?;
    Ok(Exit::Ok)
}
