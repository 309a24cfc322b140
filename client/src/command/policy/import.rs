//! A first policy, out of what the tenant holds today.

use std::path::Path;
use std::time::Duration;

use elevate_proto::v1;
use serde::Serialize;

use super::place;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::table::table;
use crate::render::{Look, clean_line};

/// It asks the directory many things, and gives way to everything else.
const PATIENCE: Duration = Duration::from_mins(5);

/// What became of the tenant's roles.
#[derive(Serialize)]
struct Imported {
    /// Where it was written to; null when it was not.
    files: Option<Vec<String>>,
    /// The policy, when it was not written; else null.
    text: Option<String>,
    roles: Vec<Role>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Role {
    name: String,
    title: String,
    eligible: i32,
    standing: i32,
    left_out: Vec<String>,
}

impl From<v1::ImportedRole> for Role {
    fn from(message: v1::ImportedRole) -> Self {
        let v1::ImportedRole { name, title, eligible, standing, left_out } = message;
        Self { name, title, eligible, standing, left_out }
    }
}

pub(super) async fn run(path: Option<&Path>, force: bool, context: &mut Context) -> Result<Exit> {
    let patience = context.settings.patience_or(PATIENCE);
    let broker = context.broker().await?.patient(patience);
    let request = broker.call(v1::ImportPolicyRequest {});
    let v1::ImportPolicyResponse { text, roles, notes } =
        broker.policy().import_policy(request).await?.into_inner();
    let roles: Vec<Role> = roles.into_iter().map(Into::into).collect();
    let Some(path) = path else {
        // Beside the text, not in it: what goes to stdout is a policy.
        let told = told(&roles, &notes, &context.look_aside());
        context.console.warn(&told);
        let shown = super::shown(&text);
        context.console.answer(&Imported { files: None, text: Some(text), roles, notes }, || shown)?;
        return Ok(Exit::Ok);
    };
    let files = place::write(path, &text, force)?;
    let mut told = told(&roles, &notes, &context.look());
    let where_to = path.display();
    told.push_str(&format!(
        "\n\nIt is in {where_to}, and not in force. Read it; then `elevate policy lint {where_to}` and `elevate policy plan {where_to}`"
    ));
    context.console.answer(&Imported { files: Some(files), text: None, roles, notes }, || told)?;
    Ok(Exit::Ok)
}

/// Role by role, and what became none.
fn told(roles: &[Role], notes: &[String], look: &Look) -> String {
    let mut told = if roles.is_empty() {
        "Nobody holds a role that could be offered".to_owned()
    } else {
        let rows = roles.iter().map(|role| {
            let Role { name, title, eligible, standing, left_out } = role;
            let left_out = if left_out.is_empty() { String::new() } else { left_out.len().to_string() };
            vec![clean_line(name), clean_line(title), eligible.to_string(), standing.to_string(), left_out]
        });
        table(look, &["ROLE", "IN ENTRA", "ELIGIBLE", "HELD FOR GOOD", "NOT CARRIED OVER"], rows)
    };
    for note in notes {
        told.push_str(&format!("\n{} {}", look.paint("33", "note:"), clean_line(note)));
    }
    told
}
