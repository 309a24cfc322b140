//! `elevate activate`: ask for a role, and wait until it is held.

use elevate_proto::v1;

use crate::command::ask::{self, AskArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{clean_line, json, time, words};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The role's name, as `elevate roles` shows it; a profile may name it
    role: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
    /// Do not wait until it is held
    #[arg(long)]
    no_wait: bool,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let Some(role) = args.ask.role(args.role, context)? else {
        return Err(Failure::usage("no role is named")
            .advice("name one: `elevate activate ROLE`; `elevate roles` shows what you may activate"));
    };
    let broker = context.broker().await?;
    let wish = ask::wish(&args.ask, role, context).await?;
    let prepared = ask::prepare(wish, context, &broker).await?;
    if args.ask.dry_run {
        return prepared.would_be_asked(context);
    }
    let activation = prepared.request(&args.ask, context, &broker).await?;
    if args.no_wait {
        return asked(context, activation);
    }
    let ended = ask::wait(context, broker, &activation).await?;
    ending(context, ended, &prepared.title())
}

fn asked(context: &mut Context, activation: v1::Activation) -> Result<Exit> {
    let id = clean_line(&activation.id);
    let state = words::state(&context.look(), &activation);
    context.console.answer(&json::Activation::from(activation), || format!("{id}  {state}"))?;
    context.console.say(&format!("`elevate watch {id}` follows it, `elevate withdraw {id}` takes it back"));
    Ok(Exit::Ok)
}

/// What the person holds, or why not.
fn ending(context: &mut Context, activation: v1::Activation, title: &str) -> Result<Exit> {
    if activation.state() != v1::ActivationState::Active {
        let text = ask::not_held(context, &activation, title);
        context.console.answer(&json::Activation::from(activation), || text)?;
        return Ok(Exit::NotHeld);
    }
    let look = context.look();
    let until = time(activation.held_until.as_ref()).map(|at| look.exact(at)).unwrap_or_default();
    let text = format!("You hold {} until {until}", look.paint("1;32", title));
    let id = clean_line(&activation.id);
    context.console.answer(&json::Activation::from(activation), || text)?;
    context.console.hint(&format!(
        "sign in afresh where you use it, so that your token carries it; one issued before its end may carry it \
         for up to about an hour longer. `elevate deactivate {id}` gives it back early"
    ));
    Ok(Exit::Ok)
}
