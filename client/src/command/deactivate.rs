//! `elevate deactivate`: a held role given back early.

use elevate_proto::v1;
use uuid::Uuid;
use v1::ActivationState as State;

use crate::command::dry;
use crate::connect::Broker;
use crate::context::{self, Among, Context};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{clean_line, json, words};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The activation's id, or the beginning of it, or the role's name
    #[arg(value_name = "ID or ROLE")]
    which: Option<String>,
    /// Show what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let id = which(context, &broker, args.which.as_deref()).await?;
    if args.dry_run {
        return dry_run(context, &broker, &id).await;
    }
    let request = v1::DeactivateActivationRequest { id };
    let given_back = broker.activations().deactivate_activation(broker.call(request)).await?.into_inner();
    let text = ending(context, &given_back);
    context.console.answer(&json::Activation::from(given_back), || text)?;
    Ok(Exit::Ok)
}

async fn dry_run(context: &mut Context, broker: &Broker, id: &str) -> Result<Exit> {
    let activation = dry::look_at_own(broker, id).await?;
    let what = match activation.state() {
        State::Activating if !activation.continues.is_empty() => {
            "would be refused before it takes over; what it is to continue stays"
        }
        State::Activating | State::Active => "would be given back now",
        State::Revoking => "is being taken away already; nothing would change",
        State::Closed if !activation.continued_by.is_empty() => {
            let advice =
                format!("`elevate deactivate {}` gives that one back", clean_line(&activation.continued_by));
            return Err(dry::wrong_state(&activation, &advice));
        }
        State::Closed if words::was_held(activation.outcome()) => "is over already; nothing would change",
        State::Closed => {
            return Err(dry::wrong_state(
                &activation,
                "there is nothing to give back; `elevate list` shows what you hold",
            ));
        }
        State::Unspecified | State::Requested | State::AwaitingApproval | State::Scheduled => {
            let advice = format!("it is not held yet; `elevate withdraw {id}` takes it back");
            return Err(dry::wrong_state(&activation, &advice));
        }
    };
    dry::told(context, "deactivate", activation, what)
}

/// Where a role that is being taken away stands, and how to see it gone.
pub(crate) fn ending(context: &Context, activation: &v1::Activation) -> String {
    let state = words::state(&context.look(), activation);
    let mut text = format!("{}: {state}", clean_line(&activation.role));
    let detail = clean_line(&activation.detail);
    if !detail.is_empty() {
        text.push_str(&format!(" ({detail})"));
    }
    if activation.state() != State::Closed {
        text.push_str(&format!(
            "; `elevate watch {}` tells when it is seen gone",
            clean_line(&activation.id)
        ));
    }
    text
}

/// The activation meant: by role, by id, or the only one held.
pub(crate) async fn which(context: &mut Context, broker: &Broker, given: Option<&str>) -> Result<String> {
    if let Some(given) = given
        && Uuid::try_parse(given).is_ok()
    {
        return context.whole_id(broker, given, Among::Own).await;
    }
    let begun = |activation: &v1::Activation| {
        match activation.state() {
            State::Active | State::Revoking => true,
            // What is to continue another holds nothing before it has taken over.
            State::Activating => activation.continues.is_empty(),
            _ => false,
        }
    };
    let mut held: Vec<v1::Activation> =
        context::own(broker, false, "").await?.into_iter().filter(begun).collect();
    if let Some(given) = given {
        let of_role: Vec<_> = held.iter().filter(|activation| activation.role == given).cloned().collect();
        if of_role.is_empty() && given.len() >= 6 && given.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
        {
            return context.whole_id(broker, given, Among::Own).await;
        }
        held = of_role;
    }
    match (held.as_slice(), given) {
        ([one], _) => Ok(one.id.clone()),
        ([], Some(role)) => Err(Failure::new(
            Exit::NotFound,
            "ACTIVATION_NOT_FOUND",
            format!("you hold no role `{}`", clean_line(role)),
        )
        .advice(
            "`elevate list` shows what you hold; a request that waits is taken back with `elevate withdraw`",
        )),
        ([], None) => Err(Failure::new(Exit::NotFound, "ACTIVATION_NOT_FOUND", "you hold no role")),
        (several, _) => {
            let roles: Vec<String> =
                several.iter().map(|a| format!("{} ({})", clean_line(&a.role), clean_line(&a.id))).collect();
            Err(Failure::usage(format!("you hold {} roles; say which: {}", several.len(), roles.join(", "))))
        }
    }
}
