//! `elevate list`: activations, newest first.

use elevate_proto::v1;

use crate::command::board;
use crate::connect::Broker;
use crate::context::{Context, PAGES_MAX};
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::{json, words};

/// As many as the broker gives in a page.
const PAGE: usize = 100;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also those that are over
    #[arg(long)]
    all: bool,
    /// Everybody's, not only yours (needs the app role of an auditor or revoker)
    #[arg(long)]
    pub(crate) everybody: bool,
    /// Only of this role
    #[arg(long, value_name = "ROLE", default_value = "")]
    role: String,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=2000))]
    limit: u16,
    /// Go on showing it as it changes, with the time that is left, until Ctrl-C
    #[arg(long, short)]
    watch: bool,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    if args.watch {
        return board::run(args, context).await;
    }
    let broker = context.broker().await?;
    let (activations, page_token) = fetch(&broker, &args).await?;
    if !page_token.is_empty() {
        context.console.hint("there are more; `--limit` shows more of them");
    }
    print(
        context,
        activations,
        page_token,
        args.everybody,
        "Nothing is held or asked for. `--all` shows what is over.",
    )
}

/// The activations asked for, and the token of what is left out, empty when nothing is.
pub(crate) async fn fetch(broker: &Broker, args: &Args) -> Result<(Vec<v1::Activation>, String)> {
    let limit = usize::from(args.limit);
    let mut activations: Vec<v1::Activation> = Vec::new();
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let page = v1::ListActivationsRequest {
            everybody: args.everybody,
            role: args.role.clone(),
            include_closed: args.all,
            page_size: i32::try_from((limit - activations.len()).min(PAGE)).unwrap_or(0),
            page_token,
        };
        let answer = broker.activations().list_activations(broker.call(page)).await?.into_inner();
        activations.extend(answer.activations);
        page_token = answer.next_page_token;
        if page_token.is_empty() || activations.len() >= limit {
            break;
        }
    }
    Ok((activations, page_token))
}

/// A list, or a word that there is nothing.
pub(crate) fn print(
    context: &mut Context,
    activations: Vec<v1::Activation>,
    next_page_token: String,
    with_holder: bool,
    nothing: &str,
) -> Result<Exit> {
    if activations.is_empty() && !context.console.is_json() {
        context.console.say(nothing);
        return Ok(Exit::Ok);
    }
    let text = words::activations(&context.look(), &activations, with_holder);
    let json =
        json::Activations { activations: activations.into_iter().map(Into::into).collect(), next_page_token };
    context.console.answer(&json, || text)?;
    Ok(Exit::Ok)
}
