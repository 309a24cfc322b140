//! What a policy that has no fault may still not mean: warnings, which stop nothing.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::tier::{Power, Tier};
use super::{Bound, EligibleRole, Strength, TicketRule, Unanswered, Written};
use crate::approval::ApprovalRequirement;
use crate::document::Fault;
use crate::names::Subject;

/// A usual term that is longer than a working day is likely not to have been chosen.
const WORKING_DAY: SignedDuration = SignedDuration::from_hours(10);

impl Written {
    /// What looks like a mistake, each with its line, in the order of the text.
    pub fn warnings(&self) -> Vec<Fault> {
        let mut warnings = Vec::new();
        if self.tests.is_empty() {
            warnings.push(Fault {
                place: "line 1".to_owned(),
                key: "test".to_owned(),
                problem: "is missing: nothing says what this policy is meant to say".to_owned(),
            });
        }
        for (nth, (role, places)) in self.policy.roles().iter().zip(&self.places).enumerate() {
            let found = who(role).into_iter().chain(approvers(role)).chain(dangers(role)).chain(terms(role));
            let found = found.chain(tickets(role));
            warnings.extend(found.map(|(key, problem)| places.fault(key, problem)));
            let earlier = self.policy.roles().iter().take(nth).find(|other| other.target == role.target);
            if let Some(other) = earlier {
                let problem = format!(
                    "`{}` means the same in the directory as `{}` above: who holds one cannot ask for the other",
                    role.name, other.name
                );
                warnings.push(places.fault("name", problem));
            }
        }
        warnings
    }
}

type Warning = (&'static str, String);

fn who(role: &EligibleRole) -> Vec<Warning> {
    let both: Vec<_> = role.eligible.iter().filter(|subject| role.denied.contains(subject)).collect();
    let named =
        |subjects: &[&Subject]| subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if both.is_empty() {
        return Vec::new();
    }
    let problem = if both.len() == role.eligible.len() {
        "names everybody who is `eligible`: nobody can ask for this role".to_owned()
    } else {
        format!("names {}, and so does `eligible`: the denial wins", named(&both))
    };
    vec![("denied", problem)]
}

fn approvers(role: &EligibleRole) -> Vec<Warning> {
    let odd = role.approval.iter().filter_map(|rule| approver_problem(role, rule)).map(|p| ("approval", p));
    odd.chain(own_approval(role)).collect()
}

/// What `own_approval` does that may not be meant.
fn own_approval(role: &EligibleRole) -> Option<Warning> {
    let places: usize = role.approval.iter().map(|rule| usize::from(rule.count.get())).sum();
    let problem = match places {
        _ if !role.own_approval => return None,
        0 => "changes nothing: nobody has to say yes",
        1 => "lets an approver who asks have the role alone: one yes is enough, and it may be their own",
        _ => return None,
    };
    Some(("own_approval", problem.to_owned()))
}

/// What is odd about the people of one requirement, the worst of it.
fn approver_problem(role: &EligibleRole, rule: &ApprovalRequirement) -> Option<String> {
    let from: BTreeSet<_> = rule.from.iter().collect();
    let all_among = |subjects: &[Subject]| from.iter().all(|subject| subjects.contains(subject));
    let alone = matches!(role.eligible.as_slice(), [Subject::User(_)]);
    if alone && !role.own_approval && all_among(&role.eligible) {
        return Some("names only the one person who may ask: their own yes does not count".to_owned());
    }
    if all_among(&role.denied) {
        return Some("names only people who are denied the role themselves; is that meant?".to_owned());
    }
    if all_among(&role.eligible) {
        return Some(
            "names only people who may ask for it themselves: they say yes to each other".to_owned(),
        );
    }
    None
}

fn dangers(role: &EligibleRole) -> Vec<Warning> {
    let Some(Power { title, tier: Tier::Zero, .. }) = role.power() else { return Vec::new() };
    let mut warnings = Vec::new();
    if role.approval.is_empty() {
        warnings.push(("name", format!("gives {title}, which is tier 0, and nobody has to say yes")));
    }
    if role.proof.strength != Strength::PhishingResistant {
        let problem =
            format!("gives {title}, which is tier 0, for a sign-in that a look-alike site can pass on");
        warnings.push(("proof", problem));
    }
    if role.proof.bound == Bound::Loose {
        let problem =
            format!("gives {title}, which is tier 0, for a sign-in that is not bound to the request");
        warnings.push(("proof", problem));
    }
    warnings
}

fn terms(role: &EligibleRole) -> Vec<Warning> {
    let usual = i64::from(role.usual.seconds());
    if SignedDuration::from_secs(usual) <= WORKING_DAY {
        return Vec::new();
    }
    vec![("usual", format!("is {}: who names no term holds it for so long", role.usual))]
}

/// What a ticket's check lets past.
fn tickets(role: &EligibleRole) -> Vec<Warning> {
    let TicketRule { required, pattern, check: Some(check), .. } = &role.ticket else { return Vec::new() };
    let mut warnings = Vec::new();
    if !required {
        let problem = "asks nobody where no ticket is named: say `ticket_required = true` if one must be";
        warnings.push(("ticket_check", problem.to_owned()));
    }
    if check.unanswered == Unanswered::Allow && pattern.is_none() {
        let problem = "lets pass what the ticket system fails over, and any number will do: say with \
            `ticket_pattern` what a number looks like";
        warnings.push(("ticket_unanswered", problem.to_owned()));
    }
    warnings
}

#[cfg(test)]
mod tests;
