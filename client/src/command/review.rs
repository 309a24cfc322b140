//! `elevate review`: looking at what was done in emergencies.

use elevate_proto::v1;

use crate::command::deny::reason;
use crate::connect::Broker;
use crate::context::{Context, PAGES_MAX};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{clean_line, json, words};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// What nobody has looked at yet
    List,
    /// Say that you have looked at one; its holder may then use the role in an emergency again
    Close(CloseArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct CloseArgs {
    /// The activation's id, or the beginning of it
    id: String,
    /// What you found. Left out, you are asked
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

pub(crate) async fn run(verb: Verb, context: &mut Context) -> Result<Exit> {
    match verb {
        Verb::List => list(context).await,
        Verb::Close(args) => close(args, context).await,
    }
}

async fn list(context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let (open, next_page_token) = open(&broker).await?;
    if open.is_empty() {
        context.console.say("Nothing waits for you to look at it.");
        if !context.console.is_json() {
            return Ok(Exit::Ok);
        }
    }
    let text = words::activations(&context.look(), &open, true);
    let activations = open.into_iter().map(Into::into).collect();
    context.console.answer(&json::Activations { activations, next_page_token }, || text)?;
    Ok(Exit::Ok)
}

async fn close(args: CloseArgs, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let given = args.id.trim().to_lowercase();
    let mut ids: Vec<String> = open(&broker).await?.0.into_iter().map(|open| open.id).collect();
    ids.retain(|id| id.starts_with(&given));
    let id = match ids.as_slice() {
        [id] => id.clone(),
        // Whole, it may be one whose review is closed already: the broker says so.
        [] if given.len() == 36 => given,
        [] => {
            let none = format!("no open review that you can see begins with `{given}`");
            return Err(Failure::new(Exit::NotFound, "ACTIVATION_NOT_FOUND", none)
                .advice("`elevate review list` shows those you can close"));
        }
        several => {
            return Err(Failure::usage(format!("`{given}` is the beginning of {} ids", several.len()))
                .advice(format!("it may be one of: {}", several.join(", "))));
        }
    };
    let comment = reason(context, args.comment, "what did you find? ").await.map_err(|failure| {
        if failure.reason() == "REASON_MISSING" {
            Failure::new(Exit::Usage, "COMMENT_MISSING", "nobody said what was found")
                .advice("say it with `--comment TEXT`")
        } else {
            failure
        }
    })?;
    let request = v1::CloseReviewRequest { id, comment };
    let closed = broker.reviews().close_review(broker.call(request)).await?.into_inner();
    let who = words::person_short(closed.principal.as_ref());
    let text = format!("Closed the review of {} for {who}; they may use it again", clean_line(&closed.role));
    context.console.answer(&json::Activation::from(closed), || text)?;
    Ok(Exit::Ok)
}

/// What nobody has looked at yet, and the token of what was left out.
async fn open(broker: &Broker) -> Result<(Vec<v1::Activation>, String)> {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    for _ in 0..PAGES_MAX {
        let page = v1::ListReviewsRequest { page_size: 100, page_token };
        let answer = broker.reviews().list_reviews(broker.call(page)).await?.into_inner();
        found.extend(answer.activations);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok((found, page_token))
}
