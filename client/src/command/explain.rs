//! `elevate explain`: why a role may be asked for or not, what stands in the way, who could say yes, and what
//! it can do to the tenant.

use elevate_proto::v1;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::table::pairs;
use crate::render::{Look, clean_line, json, seconds_as_written, words};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The role's name, as `elevate roles` shows it
    role: String,
    /// For somebody else, by their object id (needs the app role of a policy admin or an auditor)
    #[arg(long, value_name = "ID")]
    as_seen_by: Option<String>,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let Args { role, as_seen_by } = args;
    let broker = context.broker().await?;
    let is_other = as_seen_by.is_some();
    let request = v1::ExplainRoleRequest { role, as_seen_by: as_seen_by.unwrap_or_default() };
    let explained = broker.roles().explain_role(broker.call(request)).await?.into_inner();
    let text = told(&context.look(), &explained, is_other);
    context.console.answer(&json::Explained::from(explained), || text)?;
    Ok(Exit::Ok)
}

fn told(look: &Look, explained: &v1::ExplainRoleResponse, is_other: bool) -> String {
    let role = explained.role.clone().unwrap_or_default();
    let target = role.directory_role.clone().unwrap_or_default();
    let proof = role.proof.clone().unwrap_or_default();
    let who = match (clean_line(&explained.decided_by_name), clean_line(&explained.decided_by)) {
        (name, by) if name.is_empty() => by,
        (name, by) => format!("{name} ({by})"),
    };
    let decision = match explained.decision.as_str() {
        "offered" => format!("offered, because `eligible` names {who}"),
        "denied" => look.paint("31", &format!("not offered, because `denied` names {who}")),
        "not-named" => look.paint("31", "not offered: `eligible` names neither them nor a group of theirs"),
        other => clean_line(other),
    };
    let obstacles = match explained.obstacles.as_slice() {
        [] => "nothing".to_owned(),
        some => some.iter().map(|obstacle| clean_line(&obstacle.text)).collect::<Vec<_>>().join("\n"),
    };
    let for_whom = if is_other { words::person(explained.principal.as_ref()) } else { String::new() };
    let (usual, longest) = (seconds_as_written(role.usual_seconds), seconds_as_written(role.longest_seconds));
    pairs(&[
        ("role", format!("{} ({})", clean_line(&role.title), clean_line(&role.name))),
        ("for whom", for_whom),
        ("rule", decision),
        ("what", words::directory_role(&target)),
        ("scope", words::place(&target)),
        ("power", words::power(explained.power.as_ref())),
        ("in the way", obstacles),
        ("term", format!("{usual}, at most {longest}")),
        ("sign-in", words::proof(&proof)),
        ("ticket", words::ticket_rule(&role)),
        ("approval", words::requirements(&role.requirements)),
        ("could approve", words::approvers(explained.approvers.as_ref())),
    ])
}
