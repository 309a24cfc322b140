//! What a policy would change, for people to read.

use elevate_proto::v1;

use crate::render::{Look, clean_line, words};

pub(super) fn planned(look: &Look, plan: &v1::PlanPolicyResponse) -> String {
    let from = match plan.current_version {
        0 => "no policy is in force yet".to_owned(),
        version => format!("version {version} is in force"),
    };
    if plan.changes.is_empty() {
        return format!("No role changes; {from}");
    }
    let mut text = format!("{from}; this would change:");
    for change in &plan.changes {
        let (sign, colour) = match change.kind.as_str() {
            "added" => ("+", "32"),
            "removed" => ("-", "31"),
            _ => ("~", "33"),
        };
        let role = format!("{sign} {} ({})", clean_line(&change.role), clean_line(&change.kind));
        text.push_str(&format!("\n{}", look.paint(colour, &role)));
        let shifts = [("gains", &change.gains), ("loses", &change.loses)];
        let shifts =
            shifts.into_iter().flat_map(|(word, shifts)| shifts.iter().map(move |who| shift(word, who)));
        let differences = change.differences.iter().map(|difference| clean_line(difference));
        for line in differences.chain(shifts).chain(live(look, change)) {
            text.push_str(&format!("\n    {line}"));
        }
    }
    text
}

/// `Staff (group:5a4d…) gains: may ask for it`.
fn shift(word: &str, shift: &v1::Shift) -> String {
    let who = match clean_line(&shift.display_name) {
        name if name.is_empty() => clean_line(&shift.subject),
        name => format!("{name} ({})", clean_line(&shift.subject)),
    };
    let right = match shift.right.as_str() {
        "ask" => "asking for it".to_owned(),
        "approve" => "approving it".to_owned(),
        other => clean_line(other),
    };
    format!("{word} {right}: {who}")
}

fn live(look: &Look, change: &v1::RoleChange) -> Vec<String> {
    let told = |live: &v1::LiveActivation| {
        let activation = live.activation.as_ref()?;
        let fate = match live.fate.as_str() {
            "keeps-terms" => "keeps its terms".to_owned(),
            "checked-again" => "is checked again when it begins".to_owned(),
            "will-not-begin" => look.paint("31", "will not begin"),
            other => clean_line(other),
        };
        let who = words::person_short(activation.principal.as_ref());
        let (state, id) = (words::state(look, activation), clean_line(&activation.id));
        Some(format!("live {id}: {who}, {state}: {fate}"))
    };
    let mut lines: Vec<_> = change.live.iter().filter_map(told).collect();
    let left_out = change.live_activation_ids.len().saturating_sub(lines.len());
    if left_out > 0 {
        lines.push(format!("live: {left_out} more"));
    }
    lines
}
