//! `elevate profiles`: what is asked for often, as `config.toml` has it.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::table::table;
use crate::render::{clean_line, json, seconds_as_written};

pub(crate) fn run(context: &mut Context) -> Result<Exit> {
    let profiles = context.settings.file.profile.clone();
    if profiles.is_empty() && !context.console.is_json() {
        context.console.say("config.toml has no `[profile.NAME]`.");
        return Ok(Exit::Ok);
    }
    let or_dash =
        |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
    let rows: Vec<Vec<String>> = profiles
        .iter()
        .map(|(name, profile)| {
            let term = profile.term.map(|term| i64::try_from(term.as_secs()).unwrap_or(i64::MAX));
            let ticket = [&profile.ticket_system, &profile.ticket];
            let ticket: Vec<&str> = ticket.into_iter().flatten().map(String::as_str).collect();
            vec![
                clean_line(name),
                profile.roles.join(", "),
                or_dash(term.map(seconds_as_written)),
                or_dash(Some(ticket.join(" "))),
                or_dash(profile.reason.clone()),
            ]
        })
        .collect();
    let look = context.look();
    let json = json::Profiles { profiles: profiles.into_iter().map(Into::into).collect() };
    context.console.answer(&json, || table(&look, &["PROFILE", "ROLE", "FOR", "TICKET", "WHY"], rows))?;
    Ok(Exit::Ok)
}
