//! What a change of a rule gives and takes, and from whom.

use std::collections::BTreeSet;

use super::EligibleRole;
use crate::names::Subject;

/// What a rule lets somebody do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Ask for the role.
    Ask,
    /// Say yes to somebody else's request.
    Approve,
}

impl Right {
    /// As the contract names it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Approve => "approve",
        }
    }
}

/// Somebody gains or loses a right to a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shift {
    /// Gains it, or loses it.
    pub gains: bool,
    /// Which right.
    pub right: Right,
    /// Who: a person, or everybody in a group whom no other rule names.
    pub subject: Subject,
}

/// Who gains and who loses what between two rules of one role; an absent one gives nobody anything.
///
/// By name: a person who is in two groups is not looked for. A new denial takes from whomever it names.
pub fn shifts(before: Option<&EligibleRole>, after: Option<&EligibleRole>) -> Vec<Shift> {
    let mut shifts = BTreeSet::new();
    for (right, was, is) in [
        (Right::Ask, before.map(asking), after.map(asking)),
        (Right::Approve, before.map(approving), after.map(approving)),
    ] {
        let (was, is) = (was.unwrap_or_default(), is.unwrap_or_default());
        shifts.extend(is.difference(&was).map(|subject| Shift { gains: true, right, subject: *subject }));
        shifts.extend(was.difference(&is).map(|subject| Shift { gains: false, right, subject: *subject }));
    }
    if let (Some(before), Some(after)) = (before, after) {
        let denied = |role: &EligibleRole| role.denied.iter().copied().collect::<BTreeSet<_>>();
        let (was, is) = (denied(before), denied(after));
        let shift =
            |gains: bool| move |subject: &Subject| Shift { gains, right: Right::Ask, subject: *subject };
        shifts.extend(is.difference(&was).map(shift(false)));
        // Somebody whose denial ends is offered it by what names them, if anything does.
        shifts.extend(was.difference(&is).map(shift(true)));
    }
    shifts.into_iter().collect()
}

fn asking(role: &EligibleRole) -> BTreeSet<Subject> {
    role.eligible.iter().filter(|subject| !role.denied.contains(subject)).copied().collect()
}

fn approving(role: &EligibleRole) -> BTreeSet<Subject> {
    role.approval.iter().flat_map(|rule| rule.from.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;

    fn role(lists: &str) -> EligibleRole {
        let text = format!(
            "[[role]]\nname = \"a\"\nway = \"assignment\"\nlongest = \"1h\"\n\
             role_definition = \"fdd7a751-b60b-444a-984c-02652fe8fa1c\"\n{lists}"
        );
        let policy = parse(&text.replace('@', "user:00000000-0000-0000-0000-0000000000")).unwrap();
        policy.roles().first().unwrap().clone()
    }

    fn told(before: Option<&EligibleRole>, after: Option<&EligibleRole>) -> Vec<String> {
        let short = |subject: Subject| subject.to_string().split_off(39);
        let told = |shift: Shift| {
            let Shift { gains, right, subject } = shift;
            format!("{} {} {}", short(subject), if gains { "gains" } else { "loses" }, right.word())
        };
        let mut told: Vec<_> = shifts(before, after).into_iter().map(told).collect();
        told.sort();
        told
    }

    const APPROVAL: &str = "[[role.approval]]\ncount = 1\nfrom = [\"@b1\"]\n";

    #[test]
    fn who_is_named_no_more_loses_and_who_is_newly_named_gains() {
        let before = role(&format!("eligible = [\"@a1\", \"@a2\"]\n{APPROVAL}"));
        let after = role(&format!("eligible = [\"@a2\", \"@a3\"]\n{}", APPROVAL.replace("b1", "b2")));
        assert_eq!(
            told(Some(&before), Some(&after)),
            ["a1 loses ask", "a3 gains ask", "b1 loses approve", "b2 gains approve"]
        );
        assert!(told(Some(&before), Some(&before)).is_empty());
    }

    #[test]
    fn what_comes_and_what_goes_is_everybodys() {
        let only = role(&format!("eligible = [\"@a1\", \"@a2\"]\ndenied = [\"@a2\"]\n{APPROVAL}"));
        assert_eq!(told(None, Some(&only)), ["a1 gains ask", "b1 gains approve"]);
        assert_eq!(told(Some(&only), None), ["a1 loses ask", "b1 loses approve"]);
    }

    #[test]
    fn a_denial_takes_from_whomever_it_names() {
        let before = role("eligible = [\"@a1\"]\n");
        let after = role("eligible = [\"@a1\"]\ndenied = [\"@a9\"]\n");
        assert_eq!(told(Some(&before), Some(&after)), ["a9 loses ask"]);
        assert_eq!(told(Some(&after), Some(&before)), ["a9 gains ask"]);
    }
}
