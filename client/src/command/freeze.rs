//! `elevate freeze` and `elevate thaw`: nothing new is granted, until somebody says otherwise.

use elevate_proto::v1;

use crate::command::deny::reason;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::{json, words};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Why; everybody who asks for a role reads it. Left out, you are asked
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ThawArgs {
    /// Why; the auditors read it. Left out, you are asked
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) async fn freeze(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let reason = reason(context, args.reason, "why? ").await?;
    let request = v1::FreezeRequest { reason };
    let frozen = broker.revocation().freeze(broker.call(request)).await?.into_inner();
    context.console.hint("what is held stays; `elevate revoke --everything` takes it away");
    let text = words::frozen(&context.look(), &frozen);
    context.console.answer(&json::Frozen::from(frozen), || text)?;
    Ok(Exit::Ok)
}

pub(crate) async fn thaw(args: ThawArgs, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let reason = reason(context, args.reason, "why? ").await?;
    let request = v1::ThawRequest { reason };
    let thawed = broker.revocation().thaw(broker.call(request)).await?.into_inner();
    context.console.answer(&json::Thawed { thawed: thawed.into() }, || {
        "Grants are given again; what waited begins within a minute".to_owned()
    })?;
    Ok(Exit::Ok)
}
