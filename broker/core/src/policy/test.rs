//! What a policy is meant to say, beside its rules: tests that every new version must pass.
//!
//! ```toml
//! [[test]]
//! name = "staff may ask for app-admin, and two others say yes"
//! who = "user:5a4db0c5-…"
//! groups = ["group:5a4db0c5-…"]         # the groups they are taken to be in; nobody else is asked
//! may = ["groups-admin"]
//! may_not = ["user-admin"]
//!
//! [[test.needs]]                        # they may ask for it, and on these terms
//! role = "app-admin"
//! approvals = 2
//! ticket = true
//! ```

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::str::FromStr;

use super::text::{Title, WrittenStrength, subjects};
use super::{AuthContext, Decision, EligibleRole, Policy, Strength};
use crate::document::{Fault, Faults, Places, Table};
use crate::names::{ObjectId, RoleName, Subject};
use crate::term::Term;

/// The most roles that one test names, and the most `[[test.needs]]` in one.
const NAMED_MAX: usize = 1000;

/// One `[[test]]`: somebody, and what a policy must say of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// What it is called.
    pub name: String,
    who: ObjectId,
    groups: BTreeSet<ObjectId>,
    may: Vec<RoleName>,
    may_not: Vec<RoleName>,
    needs: Vec<Needs>,
    places: Places,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What the test is called.
    pub name: String,
    /// Where it stands: `line 12`.
    pub place: String,
    /// What was expected and found otherwise; empty when it holds.
    pub failures: Vec<Fault>,
}

impl Verdict {
    /// Its failures as faults of the policy, which name the test.
    pub fn into_faults(self) -> impl Iterator<Item = Fault> {
        let Self { name, place: _, failures } = self;
        failures
            .into_iter()
            .map(move |fault| Fault { problem: format!("fails \"{name}\": {}", fault.problem), ..fault })
    }
}

/// The terms that a role must be offered on. What is not said here is not tested.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Needs {
    role: RoleName,
    approvals: Option<usize>,
    approvers: Option<BTreeSet<Subject>>,
    ticket: Option<bool>,
    strength: Option<Strength>,
    context: Option<WantedContext>,
    longest: Option<Term>,
    places: Places,
}

/// Reads one test. `names` are the roles that the policy has: a test of another one would hold for ever.
pub(super) fn test(mut table: Table, names: &BTreeSet<RoleName>, faults: &mut Faults) -> Option<Test> {
    let name: Option<Title> = table.required("name", faults);
    let who = who(&mut table, faults);
    let groups = groups(&mut table, faults);
    let may = roles(&mut table, "may", names, faults);
    let may_not = roles(&mut table, "may_not", names, faults);
    let tables = table.tables("needs", faults);
    if may.is_empty() && may_not.is_empty() && tables.is_empty() {
        table.fault(faults, "", "tests nothing; say `may`, `may_not` or `[[test.needs]]`");
    }
    if tables.len() > NAMED_MAX {
        let problem = format!("stands there {} times; {NAMED_MAX} is the most", tables.len());
        table.fault(faults, "needs", problem);
    }
    if let Some(both) = may.iter().find(|role| may_not.contains(role)) {
        table.fault(faults, "may_not", format!("names `{both}`, and so does `may`"));
    }
    let needs: Vec<_> = tables.into_iter().map(|table| needs(table, names, faults)).collect();
    let places = table.places();
    table.finish(faults);
    let needs = needs.into_iter().collect::<Option<_>>()?;
    Some(Test { name: name?.0, who: who?, groups: groups?, may, may_not, needs, places })
}

impl Test {
    /// Whether `policy` says what it is meant to say.
    pub fn run(&self, policy: &Policy) -> Verdict {
        let offered = self.may.iter().filter_map(|role| self.not_offered(policy, role));
        let may = offered.map(|found| self.places.fault("may", found));
        let withheld = self.may_not.iter().filter_map(|role| match self.decision(policy, role) {
            Some(Decision::Offered(by)) => {
                let found = format!(
                    "expected that `{role}` is not offered to them, found that `eligible` names {by}"
                );
                Some(self.places.fault("may_not", found))
            }
            _ => None,
        });
        let needs = self.needs.iter().flat_map(|needs| match self.not_offered(policy, &needs.role) {
            Some(found) => vec![needs.places.fault("role", found)],
            None => policy.role(&needs.role).map(|role| needs.unmet(role)).unwrap_or_default(),
        });
        Verdict {
            name: self.name.clone(),
            place: self.places.place().to_owned(),
            failures: may.chain(withheld).chain(needs).collect(),
        }
    }

    fn decision(&self, policy: &Policy, role: &RoleName) -> Option<Decision> {
        policy.role(role).map(|role| role.decide(self.who, &self.groups))
    }

    fn not_offered(&self, policy: &Policy, role: &RoleName) -> Option<String> {
        let found = match self.decision(policy, role) {
            Some(Decision::Offered(_)) => return None,
            Some(Decision::Denied(by)) => format!("`denied` names {by}"),
            Some(Decision::NotNamed) | None => {
                "`eligible` names neither them nor a group of theirs".to_owned()
            }
        };
        Some(format!("expected that `{role}` is offered to them, found that {found}"))
    }
}

impl Needs {
    fn unmet(&self, role: &EligibleRole) -> Vec<Fault> {
        // No `..`: a new term to be tested must be looked at here.
        let Self { role: name, approvals, approvers, ticket, strength, context, longest, places } = self;
        let people = role.approval.iter().map(|rule| usize::from(rule.count.get())).sum();
        let from: BTreeSet<Subject> = role.approval.iter().flat_map(|rule| rule.from.clone()).collect();
        let found_context = WantedContext(role.proof.context.clone());
        let spoken = |needed: bool| if needed { "needed" } else { "not needed" };
        let compared = [
            ("approvals", differs(approvals.as_ref(), &people, ToString::to_string)),
            ("approvers", differs(approvers.as_ref(), &from, list)),
            ("ticket", differs(ticket.as_ref(), &role.ticket.required, |it| spoken(*it).to_owned())),
            ("strength", differs(strength.as_ref(), &role.proof.strength, |it| it.as_str().to_owned())),
            ("context", differs(context.as_ref(), &found_context, ToString::to_string)),
            ("longest", differs(longest.as_ref(), &role.longest, ToString::to_string)),
        ];
        let told = |(key, found): (&str, Option<String>)| {
            Some(places.fault(key, format!("of `{name}`, {}", found?)))
        };
        compared.into_iter().filter_map(told).collect()
    }
}

fn differs<T: PartialEq>(wanted: Option<&T>, found: &T, shown: impl Fn(&T) -> String) -> Option<String> {
    let wanted = wanted.filter(|wanted| *wanted != found)?;
    Some(format!("expected {}, found {}", shown(wanted), shown(found)))
}

fn list(subjects: &BTreeSet<Subject>) -> String {
    match subjects.len() {
        0 => "nobody".to_owned(),
        _ => subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn needs(mut table: Table, names: &BTreeSet<RoleName>, faults: &mut Faults) -> Option<Needs> {
    let role: Option<RoleName> = table.required("role", faults);
    if let Some(unknown) = role.as_ref().filter(|role| !names.contains(role)) {
        table.fault(faults, "role", format!("names `{unknown}`, and no role is called that"));
    }
    let approvals = table.whole("approvals", 0..=200, faults).and_then(|count| usize::try_from(count).ok());
    let approvers = if table.has("approvers") { subjects(&mut table, "approvers", faults) } else { None };
    let ticket = table.truth("ticket", faults);
    let strength =
        table.text::<WrittenStrength>("strength", faults).map(|WrittenStrength(strength)| strength);
    let context = table.text("context", faults);
    let longest = table.text("longest", faults);
    let places = table.places();
    table.finish(faults);
    let approvers = approvers.map(|approvers| approvers.into_iter().collect());
    Some(Needs { role: role?, approvals, approvers, ticket, strength, context, longest, places })
}

fn who(table: &mut Table, faults: &mut Faults) -> Option<ObjectId> {
    match table.required("who", faults)? {
        Subject::User(id) => Some(id),
        Subject::Group(_) => {
            let problem = "must be one person, `user:{object id}`; the groups they are in stand in `groups`";
            table.fault(faults, "who", problem);
            None
        }
    }
}

fn groups(table: &mut Table, faults: &mut Faults) -> Option<BTreeSet<ObjectId>> {
    let named: Vec<Subject> = table.texts("groups", faults).unwrap_or_default();
    let groups: Option<BTreeSet<_>> = named
        .into_iter()
        .map(|subject| match subject {
            Subject::Group(id) => Some(id),
            Subject::User(_) => None,
        })
        .collect();
    if groups.is_none() {
        table.fault(faults, "groups", "must name groups, each as `group:{object id}`");
    }
    groups
}

fn roles(table: &mut Table, key: &str, names: &BTreeSet<RoleName>, faults: &mut Faults) -> Vec<RoleName> {
    let roles: Vec<RoleName> = table.texts(key, faults).unwrap_or_default();
    for unknown in roles.iter().filter(|role| !names.contains(role)) {
        table.fault(faults, key, format!("names `{unknown}`, and no role is called that"));
    }
    if roles.len() > NAMED_MAX {
        table.fault(faults, key, format!("names {}; {NAMED_MAX} is the most", roles.len()));
    }
    roles
}

/// `c1` to `c99`, or `none`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct WantedContext(Option<AuthContext>);

impl Display for WantedContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref().map_or("none", AuthContext::as_str))
    }
}

impl FromStr for WantedContext {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, AuthContext::new(text)) {
            ("none", _) => Ok(Self(None)),
            (_, Some(context)) => Ok(Self(Some(context))),
            _ => Err("it must be an authentication context, `c1` to `c99`, or `none`"),
        }
    }
}

#[cfg(test)]
mod tests;
