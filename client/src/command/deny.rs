//! `elevate deny`: no. It needs no fresh sign-in: no is always safe.

use elevate_proto::v1;

use crate::command::{bundle, dry};
use crate::context::{Among, Context};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{clean_line, json, words};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The activation's id, or the beginning of it. What was asked for together is denied together
    id: String,
    /// Why; the one who asked reads it. Left out, you are asked
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Show what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let id = context.whole_id(&broker, &args.id, Among::Pending).await?;
    let named = dry::look(&broker, &id).await?;
    let together = !named.bundle_ids.is_empty();
    if together {
        bundle::show_to_deny(context, &broker, &named).await?;
    }
    let reason = reason(context, args.reason, "why not? ").await?;
    if args.dry_run {
        // Who may say yes may say no: the broker answers for both by the same rules.
        let ask = v1::PrepareApprovalRequest { id, ..v1::PrepareApprovalRequest::default() };
        let prepared = broker.approvals().prepare_approval(broker.call(ask)).await?.into_inner();
        let what = format!("would be denied{}", besides(together));
        return dry::told(context, "deny", prepared.activation.unwrap_or_default(), &what);
    }
    let request = v1::DenyActivationRequest { id, reason };
    let denied = broker.approvals().deny_activation(broker.call(request)).await?.into_inner();
    let who = words::person_short(denied.principal.as_ref());
    let text = format!("Denied {} for {who}{}", clean_line(&denied.role), besides(together));
    context.console.answer(&json::Activation::from(denied), || text)?;
    Ok(Exit::Ok)
}

fn besides(together: bool) -> &'static str {
    if together { ", and with it all that was asked for together and has not begun" } else { "" }
}

/// A reason from the command line, or from the person.
pub(crate) async fn reason(context: &mut Context, given: Option<String>, question: &str) -> Result<String> {
    let text = match given {
        Some(text) => text,
        None if context.console.can_ask() => context.console.ask(question).await?.unwrap_or_default(),
        None => String::new(),
    };
    match text.trim() {
        "" => Err(Failure::new(Exit::Usage, "REASON_MISSING", "nobody said why")
            .advice("say it with `--reason TEXT`")),
        reason => Ok(reason.to_owned()),
    }
}
