//! `elevate revoke`: somebody's role taken away.

use elevate_proto::v1;
use v1::ActivationState as State;

use crate::command::deactivate::ending;
use crate::command::deny::reason;
use crate::command::dry;
use crate::connect::Broker;
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
    /// Show what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let id = context.whole_id(&broker, &args.id, Among::Both).await?;
    let reason = reason(context, args.reason, "why? ").await?;
    if args.dry_run {
        return dry_run(context, &broker, &id).await;
    }
    let request = v1::RevokeActivationRequest { id, reason };
    let revoked = broker.revocation().revoke_activation(broker.call(request)).await?.into_inner();
    let text = ending(context, &revoked);
    context.console.answer(&json::Activation::from(revoked), || text)?;
    Ok(Exit::Ok)
}

async fn dry_run(context: &mut Context, broker: &Broker, id: &str) -> Result<Exit> {
    dry::needs(broker, "revoker").await?;
    let activation = dry::look(broker, id).await?;
    let what = match activation.state() {
        State::Unspecified | State::Requested | State::AwaitingApproval | State::Scheduled => {
            "would be refused before it begins"
        }
        State::Activating | State::Active => "would be taken away now",
        State::Revoking => "is being taken away already; nothing would change",
        State::Closed => {
            return Err(dry::wrong_state(
                &activation,
                "there is nothing to take away; `elevate list --everybody` shows what is live",
            ));
        }
    };
    dry::told(context, "revoke", activation, what)
}
