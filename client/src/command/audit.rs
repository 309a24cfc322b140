//! `elevate audit`: the record.

use std::time::Duration;

use elevate_proto::v1;

use crate::connect::Broker;
use crate::context::{Among, Context};
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::table::table;
use crate::render::{Look, clean_line, json, time, words};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Entries in the order they were written
    List(Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// From this position on
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    from: i64,
    /// Only entries of this activation
    #[arg(long, value_name = "ID")]
    activation: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// Go on with each new entry as it is written
    #[arg(long, short, conflicts_with = "limit")]
    follow: bool,
}

/// The most that the broker gives in a page.
const PAGE: usize = 1000;

pub(crate) async fn run(verb: Verb, context: &mut Context) -> Result<Exit> {
    let Verb::List(args) = verb;
    if args.follow { follow(args, context).await } else { list(args, context).await }
}

async fn list(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let activation_id = match &args.activation {
        Some(id) => context.whole_id(&broker, id, Among::Both).await?,
        None => String::new(),
    };
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut entries = Vec::new();
    let mut page_token = String::new();
    // A page may be short or empty and not the last: only the token says.
    loop {
        let page = v1::ListAuditEntriesRequest {
            from_position: args.from,
            page_size: i32::try_from((limit - entries.len()).min(PAGE)).unwrap_or(0),
            page_token,
            activation_id: activation_id.clone(),
        };
        let answer = broker.audit().list_audit_entries(broker.call(page)).await?.into_inner();
        entries.extend(answer.entries);
        page_token = answer.next_page_token;
        if page_token.is_empty() || entries.len() >= limit {
            break;
        }
    }
    if !page_token.is_empty() {
        context.console.hint("there are more; `--limit` shows more of them, `--from` later ones");
    }
    let look = context.look();
    let rows: Vec<Vec<String>> = entries.iter().map(|entry| row(&look, entry)).collect();
    if rows.is_empty() && !context.console.is_json() {
        context.console.say("The record holds nothing there.");
        return Ok(Exit::Ok);
    }
    let headings = ["#", "WHEN", "EVENT", "ROLE", "HOLDER", "BY", "MORE"];
    let json = json::AuditEntries {
        entries: entries.into_iter().map(Into::into).collect(),
        next_page_token: page_token,
    };
    context.console.answer(&json, || table(&look, &headings, rows))?;
    Ok(Exit::Ok)
}

async fn follow(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let only = match &args.activation {
        Some(id) => Some(context.whole_id(&broker, id, Among::Both).await?),
        None => None,
    };
    context.console.parting = Some("stopped following".to_owned());
    let mut from = args.from;
    let mut failures = 0;
    loop {
        // A token may be over by now; this renews it.
        let broker = context.broker().await?;
        match follow_once(context, &broker, only.as_deref(), &mut from, &mut failures).await {
            // The broker ends every stream after a while, so that nobody listens on a token that is over.
            Ok(()) => {}
            Err(failure) if failure.may_be_repeated() && failures < FAILURES_MAX => failures += 1,
            Err(failure) => {
                return Err(failure.advice(format!("go on with `elevate audit list --follow --from {from}`")));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How often in a row the stream may break before it is given up, and the pause between.
const FAILURES_MAX: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);

/// One stream, from `from` to its end. Afterwards `from` is behind the last entry seen.
async fn follow_once(
    context: &mut Context,
    broker: &Broker,
    only: Option<&str>,
    from: &mut i64,
    failures: &mut u32,
) -> Result<()> {
    let request = broker.stream(v1::StreamAuditEntriesRequest { from_position: *from });
    let mut stream = broker.audit().stream_audit_entries(request).await?.into_inner();
    while let Some(entry) = stream.message().await? {
        *failures = 0;
        *from = entry.position.saturating_add(1);
        if only.is_some_and(|only| *only != entry.activation_id) {
            continue;
        }
        let line = row(&context.look(), &entry).join("  ");
        context.console.answer_line(&json::AuditEntry::from(entry), || line)?;
    }
    Ok(())
}

fn row(look: &Look, entry: &v1::AuditEntry) -> Vec<String> {
    let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let mut details: Vec<String> =
        entry.details.iter().map(|(name, value)| format!("{name}={}", clean_line(value))).collect();
    details.sort();
    if !entry.activation_id.is_empty() {
        details.insert(0, format!("activation={}", clean_line(&entry.activation_id)));
    }
    vec![
        entry.position.to_string(),
        dash(time(entry.at.as_ref()).map(|at| look.stamp(at)).unwrap_or_default()),
        clean_line(&entry.event),
        dash(clean_line(&entry.role)),
        dash(entry.principal.as_ref().map(|holder| words::person_short(Some(holder))).unwrap_or_default()),
        entry
            .actor
            .as_ref()
            .map_or_else(|| "the broker".to_owned(), |actor| words::person_short(Some(actor))),
        dash(details.join(" ")),
    ]
}
