//! `elevate revoke`: roles taken away, one by its id or many at once.

use elevate_proto::v1;
use v1::ActivationState as State;

use crate::command::deactivate::ending;
use crate::command::deny::reason;
use crate::command::dry;
use crate::connect::Broker;
use crate::context::{Among, Context};
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::{clean_line, json};

mod many;
mod preview;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
pub(crate) struct Args {
    /// The activations' ids
    #[arg(value_name = "ID", group = "which", conflicts_with_all = ["principal", "role", "everything"])]
    ids: Vec<String>,
    /// Everything of this person, by their object id
    #[arg(long, value_name = "ID", group = "which", conflicts_with = "everything")]
    principal: Option<String>,
    /// Everything of this role
    #[arg(long, value_name = "NAME", group = "which", conflicts_with = "everything")]
    role: Option<String>,
    /// Everything of everybody
    #[arg(long, group = "which")]
    everything: bool,
    /// Why; the holders and the auditors read it. Left out, you are asked
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Do not ask whether to go on
    #[arg(long, short)]
    yes: bool,
    /// Return when all is on record, and do not wait until it is seen gone
    #[arg(long)]
    no_wait: bool,
    /// Show what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    match args.ids.as_slice() {
        // Who names one thing means it.
        [id] => one(id, args.reason, args.dry_run, context).await,
        _ => many::run(args, context).await,
    }
}

async fn one(id: &str, why: Option<String>, dry_run: bool, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let id = context.whole_id(&broker, id, Among::Both).await?;
    if dry_run {
        return would_be_taken(context, &broker, &id).await;
    }
    let reason = reason(context, why, "why? ").await?;
    let request = v1::RevokeActivationRequest { id, reason };
    let revoked = broker.revocation().revoke_activation(broker.call(request)).await?.into_inner();
    let text = ending(context, &revoked);
    context.console.answer(&json::Activation::from(revoked), || text)?;
    Ok(Exit::Ok)
}

async fn would_be_taken(context: &mut Context, broker: &Broker, id: &str) -> Result<Exit> {
    dry::needs(broker, "revoker").await?;
    let activation = dry::look(broker, id).await?;
    let what = match activation.state() {
        State::Unspecified | State::Requested | State::AwaitingApproval | State::Scheduled => {
            "would be refused before it begins"
        }
        State::Activating if !activation.continues.is_empty() => {
            "would be refused before it takes over; what it is to continue stays"
        }
        State::Activating | State::Active => "would be taken away now",
        State::Revoking => "is being taken away already; nothing would change",
        State::Closed if !activation.continued_by.is_empty() => {
            let advice =
                format!("`elevate revoke {}` takes that one away", clean_line(&activation.continued_by));
            return Err(dry::wrong_state(&activation, &advice));
        }
        State::Closed => {
            return Err(dry::wrong_state(
                &activation,
                "there is nothing to take away; `elevate list --everybody` shows what is live",
            ));
        }
    };
    dry::told(context, "revoke", activation, what)
}
