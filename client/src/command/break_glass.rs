//! `elevate break-glass`: a role in an emergency. Nobody is asked before, everybody concerned is told, and somebody
//! else looks at it after.

use elevate_proto::v1;

use crate::command::activate;
use crate::command::ask::{self, AskArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The role's name; `elevate roles` says which are offered to you in an emergency
    role: String,
    #[command(flatten)]
    ask: AskArgs,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let mut wish = ask::wish(&args.ask, args.role, context).await?;
    wish.set_kind(v1::ActivationKind::BreakGlass);
    let prepared = ask::prepare(wish, context, &broker).await?;
    if args.ask.dry_run {
        return prepared.would_be_asked(context);
    }
    let activation = prepared.request(&args.ask, context, &broker).await?;
    let ended = ask::wait(context, broker, &activation).await?;
    activate::ending(context, ended, &prepared.title())
}
