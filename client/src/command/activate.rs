//! `elevate activate`: ask for a role, and wait until it is held.

use elevate_proto::v1;

use crate::command::ask::{self, AskArgs};
use crate::command::bundle;
use crate::command::pick::{Choice, pick};
use crate::command::roles;
use crate::connect::Broker;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::moment::moment;
use crate::render::{Look, clean_line, json, seconds_as_written, time, words};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The role's name, as `elevate roles` shows it; a profile may name it, and on a terminal you may choose it.
    /// Several are asked for together: by one sign-in, all or none of them, and approved by one
    #[arg(value_name = "ROLE")]
    roles: Vec<String>,
    #[command(flatten)]
    ask: AskArgs,
    /// Not before then: `18:00` (today), `2026-12-01T09:00`, with an offset as in `…T09:00+01:00` or `…Z`, or from
    /// now, as in `+2h` [default: as soon as it is approved]
    #[arg(long, value_name = "WHEN")]
    at: Option<String>,
    /// Do not wait until it is held
    #[arg(long)]
    no_wait: bool,
}

pub(crate) async fn run(mut args: Args, context: &mut Context) -> Result<Exit> {
    let starts_at = args.at.as_deref().map(|text| moment(&context.look_aside(), text)).transpose()?;
    let named = args.ask.roles(std::mem::take(&mut args.roles), context)?;
    if named.is_empty() && !can_pick(context) {
        return Err(Failure::usage("no role is named")
            .advice("name one: `elevate activate ROLE`; `elevate roles` shows what you may activate"));
    }
    let broker = context.broker().await?;
    let role = match named.as_slice() {
        [] => picked(&mut args.ask, context, &broker).await?,
        [role] => role.clone(),
        several => {
            let wishes = bundle::wishes(&args.ask, several, starts_at, context).await?;
            return bundle::run(wishes, &args.ask, args.no_wait, context, broker).await;
        }
    };
    let mut wish = ask::wish(&args.ask, role, context).await?;
    wish.starts_at = starts_at;
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

/// Only a person at a terminal chooses; a program is told what it left out.
fn can_pick(context: &Context) -> bool {
    context.console.can_ask() && !context.console.is_json()
}

/// Has the person choose a role out of what is offered, and say what it needs besides.
async fn picked(ask: &mut AskArgs, context: &mut Context, broker: &Broker) -> Result<String> {
    let (mut roles, ..) = roles::offered(broker).await?;
    roles.retain(|role| !role.break_glass_only);
    if roles.is_empty() {
        return Err(Failure::new(Exit::Refused, "ROLE_NOT_OFFERED", "no role is offered to you")
            .advice("the people who run the broker decide that by its policy"));
    }
    let look = context.look();
    let choices = roles.iter().map(|role| Choice { name: role.name.clone(), about: about(&look, role) });
    let chosen = pick(context, "Which role?", choices.collect()).await?;
    let role = roles.get(chosen).cloned().unwrap_or_default();
    ask.ask_for_term(context, &role).await?;
    if role.ticket_required {
        ask.ask_for_ticket(context).await?;
    }
    Ok(role.name)
}

/// `Groups Administrator, 2h (at most 8h), 1 approval`.
fn about(look: &Look, role: &v1::EligibleRole) -> String {
    let (usual, longest) = (seconds_as_written(role.usual_seconds), seconds_as_written(role.longest_seconds));
    let mut about = vec![role.title.clone(), format!("{usual} (at most {longest})")];
    match role.requirements.iter().map(|requirement| requirement.count).sum::<i32>() {
        0 => {}
        people => about.push(words::approvals(people)),
    }
    if let Some(activation) = &role.activation {
        about.push(words::state(look, activation));
    }
    about.join(", ")
}

pub(crate) fn asked(context: &mut Context, activation: v1::Activation) -> Result<Exit> {
    let id = clean_line(&activation.id);
    let state = words::state(&context.look(), &activation);
    context.console.answer(&json::Activation::from(activation), || format!("{id}  {state}"))?;
    context.console.say(&format!("`elevate watch {id}` follows it, `elevate withdraw {id}` takes it back"));
    Ok(Exit::Ok)
}

/// What the person holds, or will, or why not.
pub(crate) fn ending(context: &mut Context, activation: v1::Activation, title: &str) -> Result<Exit> {
    let (text, exit) = told(context, &activation, title);
    let later = ask::starts_later(context, &activation);
    let id = clean_line(&activation.id);
    let look = context.look();
    let tokens = time(activation.tokens_may_live_until.as_ref()).map(|at| look.exact(at));
    let tokens = tokens.map_or_else(|| "longer".to_owned(), |at| format!("until {at}"));
    context.console.answer(&json::Activation::from(activation), || text)?;
    if later {
        context.console.hint(&format!(
            "until then you cannot ask for it again; `elevate watch {id}` follows it, `elevate withdraw {id}` takes it back"
        ));
    } else if exit == Exit::Ok {
        context.console.hint(&format!(
            "sign in afresh where you use it, so that your token carries it; one issued before its end may live \
             {tokens}. `elevate deactivate {id}` gives it back early"
        ));
    }
    Ok(exit)
}

/// The same of one activation, in a line.
pub(crate) fn told(context: &Context, activation: &v1::Activation, title: &str) -> (String, Exit) {
    let look = context.look();
    let name = look.paint("1;32", title);
    if ask::starts_later(context, activation) {
        let from = time(activation.starts_at.as_ref()).map(|at| look.exact(at)).unwrap_or_default();
        let term = seconds_as_written(activation.term_seconds);
        return (format!("{name} begins at {from}, for {term}"), Exit::Ok);
    }
    if activation.state() != v1::ActivationState::Active {
        return (ask::not_held(context, activation, title), Exit::NotHeld);
    }
    let until = time(activation.held_until.as_ref()).map(|at| look.exact(at)).unwrap_or_default();
    (format!("You hold {name} until {until}"), Exit::Ok)
}
