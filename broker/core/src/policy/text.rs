//! A policy as it is written: TOML, under review like code.
//!
//! ```toml
//! [[role]]
//! name = "groups-admin"
//! title = "Groups Administrator"
//! way = "assignment"
//! role_definition = "fdd7a751-b60b-444a-984c-02652fe8fa1c"
//! scope = "/"
//! eligible = ["group:5d0c1f8e-…"]
//! longest = "8h"
//! usual = "1h"
//!
//! [[role.approval]]
//! count = 1
//! from = ["group:0b8f…"]
//!
//! [role.proof]
//! strength = "mfa"
//! context = "c1"
//! fresh_within = "5m"
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU8;
use std::str::FromStr;

use jiff::SignedDuration;

use super::test::{self, Test, Verdict};
use super::{
    AuthContext, Bound, BreakGlass, CheckName, EligibleRole, Policy, ProofRule, Strength, TicketCheck,
    TicketRule, Unanswered,
};
use crate::approval::ApprovalRequirement;
use crate::document::{Faults, Places, Table};
use crate::names::{
    DirectoryRole, Membership, ObjectId, Relation, RoleName, Scope, Subject, Target, Way, is_plain,
};
use crate::term::Term;

/// Everything wrong with a policy's text, each with its line.
pub type PolicyFaults = Faults;

/// The largest policy, in bytes, and the most roles and tests in one.
const TEXT_MAX: usize = 1024 * 1024;
pub(super) const ROLES_MAX: usize = 1000;
const TESTS_MAX: usize = 1000;

/// The most people and groups in one list, and the most requirements of one role: a request carries those
/// it was asked under, and has to fit an entry of the record.
pub(super) const SUBJECTS_MAX: usize = 100;
const REQUIREMENTS_MAX: usize = 10;

/// A policy as it was written: its rules, and beside them what they are meant to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The rules.
    pub policy: Policy,
    /// What they must hold to.
    pub tests: Vec<Test>,
    /// Where each of the roles stands, in their order.
    pub(super) places: Vec<Places>,
}

impl Written {
    /// Every test's verdict, in the order of the text.
    pub fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.tests.iter().map(|test| test.run(&self.policy))
    }
}

/// Reads a policy that says what its own tests expect: what may come into force.
///
/// # Errors
/// Everything that is wrong with it, at once: what [`read`] finds, or every test that fails.
pub fn parse(text: &str) -> Result<Policy, PolicyFaults> {
    let written = read(text)?;
    let mut faults = Faults::default();
    faults.extend(written.verdicts().flat_map(Verdict::into_faults));
    faults.or(Some(written.policy))
}

/// Reads a policy, without running its tests.
///
/// # Errors
/// Everything that is wrong with it, at once: syntax, unknown keys, values, and what contradicts itself.
pub fn read(text: &str) -> Result<Written, PolicyFaults> {
    let mut faults = Faults::default();
    if text.len() > TEXT_MAX {
        faults.push("line 1", "", format!("the policy is larger than {TEXT_MAX} bytes"));
        return faults.or(None);
    }
    let mut document = Table::parse(text)?;
    let tables = document.tables("role", &mut faults);
    let tests = document.tables("test", &mut faults);
    document.finish(&mut faults);
    for (key, count, most) in [("role", tables.len(), ROLES_MAX), ("test", tests.len(), TESTS_MAX)] {
        if count > most {
            faults.push("line 1", key, format!("stands there {count} times; {most} is the most"));
        }
    }
    let mut names = BTreeSet::new();
    let roles: Vec<_> = tables.into_iter().map(|table| role(table, &mut names, &mut faults)).collect();
    let tests: Vec<_> = tests.into_iter().map(|table| test::test(table, &names, &mut faults)).collect();
    let roles = roles.into_iter().collect::<Option<Vec<_>>>();
    let tests = tests.into_iter().collect::<Option<_>>();
    faults.or(roles.zip(tests).map(|(roles, tests)| {
        let (roles, places) = roles.into_iter().unzip();
        Written { policy: Policy { roles }, tests, places }
    }))
}

fn role(
    mut table: Table,
    names: &mut BTreeSet<RoleName>,
    faults: &mut Faults,
) -> Option<(EligibleRole, Places)> {
    let name: Option<RoleName> = table.required("name", faults);
    if let Some(taken) = name.as_ref().filter(|name| !names.insert(RoleName::clone(name))) {
        table.fault(faults, "name", format!("`{taken}` is taken by a role above"));
    }
    let title: Option<Title> = table.text("title", faults);
    let way: Option<Way> = table.required("way", faults);
    let target = way.and_then(|way| target(&mut table, way, faults));
    let for_emergencies_only = table.has("break_glass") && !table.has("eligible");
    let eligible =
        if for_emergencies_only { Some(Vec::new()) } else { subjects(&mut table, "eligible", faults) };
    let denied = if table.has("denied") { subjects(&mut table, "denied", faults) } else { Some(Vec::new()) };
    let longest: Option<Term> = table.required("longest", faults);
    let usual: Option<Term> = if table.has("usual") { table.text("usual", faults) } else { longest };
    if let (Some(usual), Some(longest)) = (usual, longest)
        && usual > longest
    {
        table.fault(faults, "usual", format!("is {usual}, which is more than `longest` ({longest})"));
    }
    let window = Length::within(SignedDuration::from_secs(10), SignedDuration::from_hours(24 * 14));
    let approval_window = window.read(&mut table, "approval_window", SignedDuration::from_hours(24), faults);
    let ahead = Length::within(SignedDuration::ZERO, SignedDuration::from_hours(24 * 90));
    let start_ahead = ahead.read(&mut table, "start_ahead", SignedDuration::from_hours(24 * 7), faults);
    let ticket = ticket(&mut table, faults);
    let own_approval = table.truth("own_approval", faults).unwrap_or(false);
    let sign_out = table.truth("sign_out", faults).unwrap_or(false);
    let protected = table.truth("protected", faults).unwrap_or(false);
    let notify = if table.has("notify") { subjects(&mut table, "notify", faults) } else { Some(Vec::new()) };
    let approval = table
        .tables("approval", faults)
        .into_iter()
        .map(|table| requirement(table, faults))
        .collect::<Vec<_>>();
    if approval.len() > REQUIREMENTS_MAX {
        let problem = format!("stands there {} times; {REQUIREMENTS_MAX} is the most", approval.len());
        table.fault(faults, "approval", problem);
    }
    let proof_table = table.table("proof", faults);
    let proof = proof(proof_table, faults);
    let break_glass = if table.has("break_glass") {
        let emergency = table.table("break_glass", faults);
        break_glass(emergency, longest, way, faults).map(Some)
    } else {
        Some(None)
    };
    if way.is_some_and(Way::is_pim)
        && let Some(longest) = longest
        && longest < Term::FIVE_MINUTES
    {
        let instead = if way == Some(Way::Pim) { "assignment" } else { "group" };
        table.fault(
            faults,
            "longest",
            format!("is less than 5m, and Entra PIM ends nothing sooner; use `way = \"{instead}\"`"),
        );
    }
    if way.is_some_and(Way::is_pim)
        && let Some(usual) = usual
        && usual < Term::FIVE_MINUTES
        && usual != longest.unwrap_or(usual)
    {
        table.fault(faults, "usual", "is less than 5m, and Entra PIM ends nothing sooner");
    }
    let places = table.places();
    table.finish(faults);
    let name = name?;
    let role = EligibleRole {
        title: title.map_or_else(|| name.to_string(), |title| title.0),
        name,
        target: target?,
        eligible: eligible?,
        denied: denied?,
        longest: longest?,
        usual: usual?,
        approval: approval.into_iter().collect::<Option<_>>()?,
        approval_window: approval_window?,
        proof: proof?,
        ticket: ticket?,
        own_approval,
        start_ahead: start_ahead?,
        sign_out,
        protected,
        notify: notify?,
        break_glass: break_glass?,
    };
    Some((role, places))
}

/// What is held: a directory role at a scope, or a place in a group. A key of the other kind stays in the
/// table, and is a fault there.
fn target(table: &mut Table, way: Way, faults: &mut Faults) -> Option<Target> {
    match way {
        Way::Pim | Way::Assignment => {
            let definition = table.required("role_definition", faults);
            let scope = if table.has("scope") { table.text("scope", faults) } else { Some(Scope::Tenant) };
            let role = DirectoryRole { definition: definition?, scope: scope? };
            Some(if way == Way::Pim { Target::Pim(role) } else { Target::Assignment(role) })
        }
        Way::Group | Way::PimGroup => {
            let group = table.required("group", faults);
            let relation =
                if table.has("relation") { table.text("relation", faults) } else { Some(Relation::Member) };
            let membership = Membership { group: group?, relation: relation? };
            Some(if way == Way::Group { Target::Group(membership) } else { Target::PimGroup(membership) })
        }
    }
}

fn ticket(table: &mut Table, faults: &mut Faults) -> Option<TicketRule> {
    let required = table.truth("ticket_required", faults).unwrap_or(false);
    let pattern =
        if table.has("ticket_pattern") { table.text("ticket_pattern", faults).map(Some) } else { Some(None) };
    let system = if table.has("ticket_system") {
        table.text::<Title>("ticket_system", faults).map(|system| Some(system.0))
    } else {
        Some(None)
    };
    let name = if table.has("ticket_check") {
        table.text::<CheckName>("ticket_check", faults).map(Some)
    } else {
        Some(None)
    };
    let says_silence = table.has("ticket_unanswered");
    let unanswered =
        if says_silence { table.text("ticket_unanswered", faults) } else { Some(Unanswered::Refuse) };
    if says_silence && matches!(name, Some(None)) {
        table.fault(faults, "ticket_unanswered", "says what silence means, and `ticket_check` asks nobody");
    }
    let check = match (name?, unanswered?) {
        (Some(name), unanswered) => Some(TicketCheck { name, unanswered }),
        (None, _) => None,
    };
    Some(TicketRule { required, pattern: pattern?, system: system?, check })
}

fn break_glass(
    mut table: Table,
    role_longest: Option<Term>,
    way: Option<Way>,
    faults: &mut Faults,
) -> Option<BreakGlass> {
    let named = subjects(&mut table, "eligible", faults);
    let people: Option<Vec<ObjectId>> = named.and_then(|named| {
        let person = |subject: &Subject| match subject {
            Subject::User(id) => Some(*id),
            Subject::Group(_) => None,
        };
        let people: Option<_> = named.iter().map(person).collect();
        if people.is_none() {
            table.fault(
                faults,
                "eligible",
                "names a group; an emergency is for people who are named: `user:{object id}`",
            );
        }
        people
    });
    let longest: Option<Term> = table.required("longest", faults);
    if let (Some(longest), Some(most)) = (longest, role_longest)
        && longest > most
    {
        let problem = format!("is {longest}, which is more than the role's own `longest` ({most})");
        table.fault(faults, "longest", problem);
    }
    if way.is_some_and(Way::is_pim)
        && let Some(longest) = longest
        && longest < Term::FIVE_MINUTES
    {
        table.fault(faults, "longest", "is less than 5m, and Entra PIM ends nothing sooner");
    }
    let (strength, context, freshness) = sign_in(&mut table, Strength::PhishingResistant, faults);
    table.finish(faults);
    let proof = ProofRule { strength, context: context?, freshness: freshness?, bound: Bound::Nonce };
    Some(BreakGlass { eligible: people?, longest: longest?, proof })
}

fn requirement(mut table: Table, faults: &mut Faults) -> Option<ApprovalRequirement> {
    if !table.has("count") {
        table.fault(faults, "count", "is missing: how many people must say yes");
    }
    let count = table.whole("count", 1..=20, faults);
    let from = subjects(&mut table, "from", faults);
    if let (Some(count), Some(from)) = (count, &from) {
        let users_only = from.iter().all(|subject| matches!(subject, Subject::User(_)));
        let distinct = from.iter().collect::<BTreeSet<_>>().len();
        if users_only && i64::try_from(distinct).is_ok_and(|people| people < count) {
            table.fault(faults, "count", format!("asks for {count} people, and `from` names {distinct}"));
        }
    }
    table.finish(faults);
    let count = u8::try_from(count?).ok().and_then(NonZeroU8::new)?;
    Some(ApprovalRequirement { count, from: from? })
}

fn proof(mut table: Table, faults: &mut Faults) -> Option<ProofRule> {
    let (strength, context, freshness) = sign_in(&mut table, Strength::Mfa, faults);
    let bound = table.text::<WrittenBound>("bound_by", faults).map_or(Bound::Nonce, |b| b.0);
    table.finish(faults);
    Some(ProofRule { strength, context: context?, freshness: freshness?, bound })
}

/// How strong and how fresh a sign-in must be.
fn sign_in(
    table: &mut Table,
    usual: Strength,
    faults: &mut Faults,
) -> (Strength, Option<Option<AuthContext>>, Option<SignedDuration>) {
    let strength = table.text::<WrittenStrength>("strength", faults).map_or(usual, |s| s.0);
    let context = if table.has("context") {
        table.text("context", faults).map(|WrittenContext(context)| Some(context))
    } else {
        Some(None)
    };
    let within = Length::within(SignedDuration::from_secs(10), SignedDuration::from_hours(1));
    let freshness = within.read(table, "fresh_within", SignedDuration::from_mins(5), faults);
    (strength, context, freshness)
}

/// A list of people that names somebody, nobody twice.
pub(super) fn subjects(table: &mut Table, key: &str, faults: &mut Faults) -> Option<Vec<Subject>> {
    if !table.has(key) {
        table.fault(faults, key, "is missing: a list such as `[\"group:{object id}\"]`");
        return None;
    }
    let subjects: Vec<Subject> = table.texts(key, faults)?;
    if subjects.is_empty() {
        table.fault(faults, key, "names nobody");
    }
    if subjects.len() > SUBJECTS_MAX {
        let problem = format!("names {}; {SUBJECTS_MAX} is the most: use a group", subjects.len());
        table.fault(faults, key, problem);
    }
    let distinct = subjects.iter().collect::<BTreeSet<_>>().len();
    if distinct != subjects.len() {
        table.fault(faults, key, "names somebody twice");
    }
    Some(subjects)
}

struct Length {
    shortest: SignedDuration,
    longest: SignedDuration,
}

impl Length {
    const fn within(shortest: SignedDuration, longest: SignedDuration) -> Self {
        Self { shortest, longest }
    }

    fn read(
        &self,
        table: &mut Table,
        key: &str,
        usual: SignedDuration,
        faults: &mut Faults,
    ) -> Option<SignedDuration> {
        if !table.has(key) {
            return Some(usual);
        }
        let length = table.text::<humantime::Duration>(key, faults)?;
        match SignedDuration::try_from(*length) {
            Ok(length) if (self.shortest..=self.longest).contains(&length) => Some(length),
            _ => {
                let range = format!("from {} to {}", super::shown(self.shortest), super::shown(self.longest));
                table.fault(faults, key, format!("means {length}, and must be {range}"));
                None
            }
        }
    }
}

pub(super) struct Title(pub(super) String);

impl FromStr for Title {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = !text.trim().is_empty() && text.chars().count() <= 120 && text.chars().all(is_plain);
        if fits {
            Ok(Self(text.trim().to_owned()))
        } else {
            Err("1 to 120 characters on one line".to_owned())
        }
    }
}

pub(super) struct WrittenStrength(pub(super) Strength);

impl FromStr for WrittenStrength {
    type Err = Choice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Strength::Mfa, Strength::PhishingResistant]
            .into_iter()
            .find(|strength| strength.as_str() == text)
            .map(Self)
            .ok_or(Choice("`mfa` or `phishing-resistant`"))
    }
}

struct WrittenBound(Bound);

impl FromStr for WrittenBound {
    type Err = Choice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "nonce" => Ok(Self(Bound::Nonce)),
            "freshness" => Ok(Self(Bound::Loose)),
            _ => Err(Choice("`nonce` or `freshness`")),
        }
    }
}

struct WrittenContext(AuthContext);

impl FromStr for WrittenContext {
    type Err = Choice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        AuthContext::new(text).map(Self).ok_or(Choice("an authentication context, `c1` to `c99`"))
    }
}

/// What would have been right.
#[derive(Debug)]
pub(super) struct Choice(&'static str);

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it must be {}", self.0)
    }
}
