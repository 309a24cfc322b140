//! `elevate history`: past activations, newest first.

use std::time::Duration;

use elevate_proto::v1;
use jiff::{SignedDuration, Timestamp};

use crate::connect::Broker;
use crate::context::{Context, PAGES_MAX};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{json, time, words};

/// As many as the broker gives in a page.
const PAGE: i32 = 100;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only of this role
    #[arg(long, value_name = "ROLE", default_value = "")]
    role: String,
    /// Only those asked for within this time: `12h`, `30d`
    #[arg(long, value_name = "TIME", value_parser = crate::cli::span)]
    since: Option<Duration>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=2000))]
    limit: u16,
    /// Everybody's, not only yours (needs the app role of an auditor or revoker)
    #[arg(long)]
    everybody: bool,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let since = args.since.map(|span| before(context.now(), span)).transpose()?;
    let broker = context.broker().await?;
    let found = past(&broker, &args, since).await?;
    if let Some(more) = found.more {
        context.console.hint(more);
    }
    if found.activations.is_empty() && !context.console.is_json() {
        let nothing = match found.more {
            Some(_) => "Nothing that is over was found.",
            None => "Nothing is over yet. `elevate list` shows what is held or asked for.",
        };
        context.console.say(nothing);
        return Ok(Exit::Ok);
    }
    let text = words::history(&context.look(), &found.activations, args.everybody);
    let json = json::History {
        activations: found.activations.into_iter().map(Into::into).collect(),
        complete: found.more.is_none(),
    };
    context.console.answer(&json, || text)?;
    Ok(Exit::Ok)
}

/// What is over, and why that may not be all.
struct Found {
    activations: Vec<v1::Activation>,
    more: Option<&'static str>,
}

/// Looks back page by page until there are enough, or nothing newer than `since` is left. The broker lists
/// by the moment of asking, so the first that is too old ends the search.
async fn past(broker: &Broker, args: &Args, since: Option<Timestamp>) -> Result<Found> {
    let mut activations = Vec::new();
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let page = v1::ListActivationsRequest {
            everybody: args.everybody,
            role: args.role.clone(),
            include_closed: true,
            page_size: PAGE,
            page_token,
        };
        let answer = broker.activations().list_activations(broker.call(page)).await?.into_inner();
        for activation in answer.activations {
            if since.is_some_and(|since| time(activation.requested_at.as_ref()).is_some_and(|at| at < since))
            {
                return Ok(Found { activations, more: None });
            }
            if activation.state() != v1::ActivationState::Closed {
                continue;
            }
            if activations.len() == usize::from(args.limit) {
                return Ok(Found { activations, more: Some("there are more; `--limit` shows more of them") });
            }
            activations.push(activation);
        }
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Ok(Found { activations, more: None });
        }
    }
    Ok(Found { activations, more: Some("older ones were not looked at; `--role` narrows the search") })
}

fn before(now: Timestamp, span: Duration) -> Result<Timestamp> {
    let span = SignedDuration::try_from(span).ok();
    span.and_then(|span| now.checked_sub(span).ok())
        .ok_or_else(|| Failure::usage("`--since` is further back than any calendar goes"))
}
