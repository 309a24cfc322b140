//! `elevate roles`: what may be activated.

use elevate_proto::v1;

use crate::connect::Broker;
use crate::context::{Context, PAGES_MAX};
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::table::table;
use crate::render::{clean_line, json, seconds_as_written, words};

pub(crate) async fn run(context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let (roles, page_token, frozen) = offered(&broker).await?;
    if let Some(frozen) = &frozen {
        let told = words::frozen(&context.look_aside(), frozen);
        context.console.warn(&told);
    }
    if roles.is_empty() {
        context
            .console
            .say("No role is offered to you. The people who run the broker decide that by its policy.");
        if !context.console.is_json() {
            return Ok(Exit::Ok);
        }
    }
    let look = context.look();
    let emergencies: Vec<String> = roles
        .iter()
        .filter_map(|role| {
            let longest = seconds_as_written(role.break_glass.as_ref()?.longest_seconds);
            Some(format!("{} ({longest})", clean_line(&role.name)))
        })
        .collect();
    let rows: Vec<Vec<String>> = roles
        .iter()
        .filter(|role| !role.break_glass_only)
        .map(|role| {
            let needs = match role.requirements.iter().map(|requirement| requirement.count).sum::<i32>() {
                0 => "-".to_owned(),
                1 => "1 person".to_owned(),
                people => format!("{people} people"),
            };
            let now =
                role.activation.as_ref().map_or("-".to_owned(), |activation| words::state(&look, activation));
            vec![
                role.name.clone(),
                role.title.clone(),
                words::place(&role.directory_role.clone().unwrap_or_default()),
                format!(
                    "{} (at most {})",
                    seconds_as_written(role.usual_seconds),
                    seconds_as_written(role.longest_seconds)
                ),
                needs,
                if role.ticket_required { "needed" } else { "-" }.to_owned(),
                now,
            ]
        })
        .collect();
    let json = json::EligibleRoles {
        roles: roles.into_iter().map(Into::into).collect(),
        next_page_token: page_token,
        frozen: frozen.map(Into::into),
    };
    let headings = ["ROLE", "TITLE", "SCOPE", "FOR", "APPROVAL", "TICKET", "NOW"];
    let emergencies = match emergencies.as_slice() {
        [] => String::new(),
        some => format!("In an emergency, with `elevate break-glass`: {}", some.join(", ")),
    };
    let everyday = if rows.is_empty() { String::new() } else { table(&look, &headings, rows) };
    let told = [everyday, emergencies].into_iter().filter(|part| !part.is_empty());
    context.console.answer(&json, || told.collect::<Vec<_>>().join("\n\n"))?;
    Ok(Exit::Ok)
}

/// What is offered to the caller, the token of what was left out, empty when nothing was, and whether anything is
/// granted at all.
pub(crate) async fn offered(broker: &Broker) -> Result<(Vec<v1::EligibleRole>, String, Option<v1::Frozen>)> {
    let mut roles = Vec::new();
    let mut frozen = None;
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let page = v1::ListEligibleRolesRequest { page_size: 100, page_token };
        let answer = broker.roles().list_eligible_roles(broker.call(page)).await?.into_inner();
        roles.extend(answer.roles);
        frozen = answer.frozen;
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok((roles, page_token, frozen))
}
