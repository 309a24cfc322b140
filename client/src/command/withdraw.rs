//! `elevate withdraw`: a request taken back before it begins.

use elevate_proto::v1;
use v1::ActivationState as State;

use crate::command::{bundle, dry};
use crate::connect::Broker;
use crate::context::{Among, Context};
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::{clean_line, json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The activation's id, or the beginning of it. Of what was asked for together, any one's id stands for all
    id: String,
    /// This one alone, and not all that was asked for together with it
    #[arg(long)]
    only: bool,
    /// Show what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let id = context.whole_id(&broker, &args.id, Among::Own).await?;
    if args.dry_run {
        return dry_run(context, &broker, &id, args.only).await;
    }
    if !args.only && !dry::look(&broker, &id).await?.bundle_ids.is_empty() {
        return bundle::withdraw(context, &broker, id).await;
    }
    let request = v1::WithdrawActivationRequest { id };
    let withdrawn = broker.activations().withdraw_activation(broker.call(request)).await?.into_inner();
    let text = format!("Withdrawn: {}", clean_line(&withdrawn.role));
    context.console.answer(&json::Activation::from(withdrawn), || text)?;
    Ok(Exit::Ok)
}

async fn dry_run(context: &mut Context, broker: &Broker, id: &str, only: bool) -> Result<Exit> {
    let activation = dry::look_at_own(broker, id).await?;
    if !only && !activation.bundle_ids.is_empty() {
        return bundle::would_be_withdrawn(context, broker, activation).await;
    }
    let what = match activation.state() {
        State::Requested | State::AwaitingApproval | State::Scheduled => "would be taken back",
        State::Closed if activation.outcome() == v1::Outcome::Withdrawn => {
            "is taken back already; nothing would change"
        }
        State::Activating | State::Active => {
            let advice = format!("it has begun; `elevate deactivate {id}` gives it back");
            return Err(dry::wrong_state(&activation, &advice));
        }
        State::Unspecified | State::Revoking | State::Closed => {
            return Err(dry::wrong_state(
                &activation,
                "there is nothing to withdraw; `elevate list` shows what is asked for",
            ));
        }
    };
    dry::told(context, "withdraw", activation, what)
}
