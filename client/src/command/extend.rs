//! `elevate extend`: to hold on to a role for longer.
//!
//! No end ever moves. This asks for another activation, with a sign-in and approvals of its own, that takes over
//! what is held; until then, and if it never does, what is held ends when it was to end.

use crate::command::ask::{self, AskArgs};
use crate::command::{activate, deactivate, dry};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{clean_line, time};

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER, mut_arg("scope", |scope| scope.hide(true)))]
pub(crate) struct Args {
    /// The activation's id, or the beginning of it, or the role's name; may be left out when you hold one role
    #[arg(value_name = "ID or ROLE")]
    which: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
    /// Do not wait until it has taken over
    #[arg(long)]
    no_wait: bool,
}

const AFTER: &str = "\
The time given with --for counts from the moment the new activation takes over, which is as soon as everybody has \
said yes. Without --ticket it is asked under the same ticket as before.";

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    if args.ask.scope.is_some() {
        return Err(Failure::usage("what you hold goes on as it is, at the same scope")
            .advice("leave `--scope` out, or ask for the narrower one with `elevate activate`"));
    }
    let broker = context.broker().await?;
    let id = deactivate::which(context, &broker, args.which.as_deref()).await?;
    let held = dry::look_at_own(&broker, &id).await?;
    let mut wish = ask::wish(&args.ask, held.role.clone(), context).await?;
    wish.ticket = wish.ticket.or_else(|| held.ticket.clone());
    wish.continues = id;
    if let Some(until) = time(held.held_until.as_ref()) {
        let until = context.look_aside().exact(until);
        context.console.say(&format!("You hold {} until {until}", clean_line(&held.role)));
    }
    let prepared = ask::prepare(wish, context, &broker).await?;
    if args.ask.dry_run {
        return prepared.would_be_asked(context);
    }
    let activation = prepared.request(&args.ask, context, &broker).await?;
    if args.no_wait {
        return activate::asked(context, activation);
    }
    let ended = ask::wait(context, broker, &activation).await?;
    let exit = activate::ending(context, ended, &prepared.title())?;
    if exit == Exit::NotHeld {
        context.console.hint("what you held before this is as it was; `elevate list` shows until when");
    }
    Ok(exit)
}
