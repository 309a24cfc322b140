//! How an imported role is written.
//!
//! No line begins with what the tenant calls something: behind `# ` it could pass for the mark between two files.

use std::fmt::Write as _;

use jiff::SignedDuration;

use super::{Basis, Draft, Offered, Settings, called};
use crate::names::{Resource, Subject, Way};
use crate::policy::AuthContext;
use crate::policy::tier::{self, Ascent, Power, Tier};
use crate::term::Term;

/// What PIM has where nobody changed it.
const USUAL_LONGEST: &str = "8h";
/// Who names no term asks for this much, where the role allows it.
const USUAL: &str = "1h";
const GLOBAL_ADMINISTRATOR: &str = "Global Administrator";
/// The longest title, in characters.
const TITLE_MAX: usize = 120;

/// What stands before the roles.
pub(super) fn preface(notes: &[String], roles: usize) -> String {
    let mut text = format!(
        "# A first policy, out of what the tenant held when it was asked: {roles} role{s}, one file each.\n\
         #\n\
         # Whoever holds a role for good, or is eligible for it in PIM, is eligible for it here. Nothing is in force\n\
         # before it is applied, and nothing in Entra changes by it. Then:\n\
         #   1. read every role, and what was not carried over\n\
         #   2. say by [[test]] what it is meant to say, and run `elevate policy lint`\n\
         #   3. `elevate policy plan` and `elevate policy apply`\n\
         #   4. take the standing assignments away in Entra, for as long as they are there nothing is gained\n\
         # Keep two accounts for emergencies that hold Global Administrator for good, and out of this policy.\n",
        s = if roles == 1 { "" } else { "s" },
    );
    if !notes.is_empty() {
        text.push_str("#\n# What became no role, or could not be read:\n");
        for note in notes {
            let _ = writeln!(text, "#   - {note}");
        }
    }
    text
}

/// One role.
pub(super) fn role(draft: &Draft<'_>) -> String {
    let Draft { name, title, what, place, eligible, settings, stages, has_pim, left_out } = draft;
    let mut text = format!("# From {title}, {place}.\n");
    if let Some(danger) = danger(what) {
        let _ = writeln!(text, "# {danger}");
    }
    let standing = eligible.iter().filter(|offered| is_standing(offered)).count();
    if standing > 0 {
        let _ = writeln!(
            text,
            "# {standing} of them hold{s} it for good today, and would not have to ask: take that away in Entra.",
            s = if standing == 1 { "s" } else { "" }
        );
    }
    if title == GLOBAL_ADMINISTRATOR {
        text.push_str("# Accounts for emergencies keep it for good: take them out of `eligible`.\n");
    }
    if !left_out.is_empty() {
        text.push_str("# Not carried over:\n");
        for each in left_out {
            let _ = writeln!(text, "#   - {each}");
        }
    }
    let title: String = title.chars().take(TITLE_MAX).collect();
    let _ = write!(text, "[[role]]\nname = \"{name}\"\ntitle = {}\n", quoted(title.trim()));
    let way = match (what, has_pim) {
        (Resource::Role(_), true) => Way::Pim,
        (Resource::Role(_), false) => Way::Assignment,
        (Resource::Group(_), true) => Way::PimGroup,
        (Resource::Group(_), false) => Way::Group,
    };
    let _ = writeln!(text, "way = \"{way}\"");
    let _ = match what {
        Resource::Role(role) => {
            writeln!(text, "role_definition = \"{}\"\nscope = \"{}\"", role.definition, role.scope)
        }
        Resource::Group(place) => {
            writeln!(text, "group = \"{}\"\nrelation = \"{}\"", place.group, place.relation)
        }
    };
    let who: Vec<_> = eligible.iter().map(|offered| (offered.subject, has(offered))).collect();
    list(&mut text, "eligible", &who);
    terms(&mut text, *settings);
    for stage in stages {
        text.push_str("\n[[role.approval]]\ncount = 1\n");
        let subject = |holder: &super::Holder| match holder.kind {
            super::HolderKind::Group => Subject::Group(holder.id),
            _ => Subject::User(holder.id),
        };
        let who: Vec<_> = stage.iter().map(|holder| (subject(holder), called(holder))).collect();
        list(&mut text, "from", &who);
    }
    proof(&mut text, *settings);
    text
}

fn is_standing(offered: &Offered<'_>) -> bool {
    offered.has.iter().any(|(basis, _)| *basis == Basis::Standing)
}

/// What a role can do to the tenant, where that is known and much.
fn danger(what: &Resource) -> Option<String> {
    let Resource::Role(role) = what else { return None };
    let Power { tier: Tier::Zero, ascent, .. } = tier::power(role.definition)? else { return None };
    let how = match ascent {
        Ascent::Direct(how) | Ascent::Indirect(how) => how,
        Ascent::NoneKnown => "a way to the whole tenant is known",
    };
    Some(format!("Tier 0: {how}."))
}

/// How somebody has it today.
fn has(offered: &Offered<'_>) -> String {
    let mut words = called(offered.holder);
    for (basis, until) in &offered.has {
        let how = match basis {
            Basis::Eligible => "eligible in PIM",
            Basis::Standing => "holds it",
        };
        let end = match until {
            // A policy has no end for being eligible.
            Some(until) => format!("until {until}, which is not carried over"),
            None => "for good".to_owned(),
        };
        let _ = write!(words, "; {how} {end}");
    }
    words
}

fn list(text: &mut String, key: &str, who: &[(Subject, String)]) {
    let _ = writeln!(text, "{key} = [");
    for (subject, words) in who {
        let _ = writeln!(text, "    \"{subject}\", # {words}");
    }
    text.push_str("]\n");
}

fn terms(text: &mut String, settings: Option<&Settings>) {
    let longest = settings.and_then(|settings| settings.longest);
    let written = longest.map(within);
    let _ = match (longest, written) {
        (Some(is), Some(term)) if is.as_secs() == i64::from(term.seconds()) => {
            writeln!(text, "longest = \"{term}\"")
        }
        (Some(is), Some(term)) => {
            let is = humantime::format_duration(is.unsigned_abs());
            writeln!(text, "longest = \"{term}\" # PIM has {is}")
        }
        _ => writeln!(text, "longest = \"{USUAL_LONGEST}\" # not known; this is what PIM has by default"),
    };
    if written.is_none_or(|term| term.seconds() > 3600) {
        let _ = writeln!(text, "usual = \"{USUAL}\"");
    }
    if settings.is_some_and(|settings| settings.ticket) {
        text.push_str("ticket_required = true\n");
    }
    if settings.is_some_and(|settings| !settings.reason) {
        text.push_str("# PIM asks for no reason here; Elevate always does.\n");
    }
}

/// The nearest term that a role can have and PIM can end.
fn within(length: SignedDuration) -> Term {
    let most = i64::from(Term::LONGEST.seconds());
    let least = i64::from(Term::FIVE_MINUTES.seconds());
    Term::from_seconds(length.as_secs().clamp(least, most)).unwrap_or(Term::FIVE_MINUTES)
}

fn proof(text: &mut String, settings: Option<&Settings>) {
    text.push_str("\n[role.proof]\n");
    if settings.is_some_and(|settings| !settings.second_factor && settings.context.is_none()) {
        text.push_str("# PIM asks for no second factor here; Elevate always does.\n");
    }
    text.push_str("strength = \"mfa\"\n");
    match settings.and_then(|settings| settings.context.as_deref()).map(AuthContext::new) {
        Some(Some(context)) => {
            let _ = writeln!(text, "context = \"{}\"", context.as_str());
        }
        Some(None) => text.push_str("# PIM asks for an authentication context that is none of c1 to c99.\n"),
        None => {}
    }
}

/// As a TOML string; there is no control character in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
