//! The policy: what a new one would change, and putting it into force.

use std::collections::BTreeSet;
use std::sync::Arc;

use elevate_core::activation::State;
use elevate_core::binding::policy_digest;
use elevate_core::names::{Resource, RoleName};
use elevate_core::policy::{
    self, BreakGlass, EligibleRole, Policy, PolicyVersion, ProofRule, Shift, TicketPattern, TicketRule,
};

use super::{InForce, Refusal, Workflow, has_one_of, person};
use crate::ports::journal::{AppendError, AppliedPolicy, Filter, Note, Page, Position, Recorded, Said};
use crate::ports::verifier::{AppRole, Caller};

/// How many entries are read at once when the record is read through.
const PAGE: u64 = 100;

/// What a policy would change.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The version in force; zero when there is none.
    pub current: PolicyVersion,
    /// Role by role.
    pub changes: Vec<RoleChange>,
}

/// What happens to one role.
#[derive(Debug, Clone)]
pub struct RoleChange {
    /// Its name.
    pub role: RoleName,
    /// `added`, `removed` or `changed`.
    pub kind: &'static str,
    /// One line a difference.
    pub differences: Vec<String>,
    /// Who gains and who loses what.
    pub shifts: Vec<Shift>,
    /// Live activations of it, and what the change means for them.
    pub live: Vec<(Recorded, Fate)>,
}

/// What becomes of a live activation when the rule of its role changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It has begun, and keeps the terms it was asked under.
    KeepsTerms,
    /// It has not begun: before it does, its asker must be offered the role by the new rule.
    CheckedAgain,
    /// It has not begun and will not: there is no such role any more, or it is another in the directory.
    WillNotBegin,
}

impl Fate {
    /// As the contract names it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::KeepsTerms => "keeps-terms",
            Self::CheckedAgain => "checked-again",
            Self::WillNotBegin => "will-not-begin",
        }
    }

    fn of(recorded: &Recorded, after: Option<&EligibleRole>) -> Self {
        match &recorded.state {
            State::Requested | State::AwaitingApproval { .. } | State::Scheduled { .. } => match after {
                Some(role) if role.target == recorded.request.asked.target => Self::CheckedAgain,
                _ => Self::WillNotBegin,
            },
            State::Activating { .. }
            | State::Active { .. }
            | State::Revoking { .. }
            | State::Closed { .. } => Self::KeepsTerms,
        }
    }
}

impl Workflow {
    /// What this policy would change. Changes nothing.
    ///
    /// # Errors
    /// The caller has no right to look, or the policy has faults: all of them at once.
    pub async fn plan(&self, caller: &Caller, text: &str) -> Result<Plan, Refusal> {
        has_one_of(caller, &[AppRole::PolicyAdmin, AppRole::Auditor])?;
        let new = self.sound(text)?;
        let in_force = self.policy.load_full();
        let nothing = Policy::default();
        let (current, old) = match &in_force {
            Some(in_force) => (in_force.version, &in_force.policy),
            None => (PolicyVersion(0), &nothing),
        };
        let mut changes = differences(old, &new);
        for change in &mut changes {
            let after = new.role(&change.role);
            change.shifts = policy::shifts(old.role(&change.role), after);
            let live = self.live_of(&change.role).await?;
            let told = |live: Recorded| {
                let fate = Fate::of(&live, after);
                (live, fate)
            };
            change.live = live.into_iter().map(told).collect();
        }
        Ok(Plan { current, changes })
    }

    /// Puts this policy into force as the version after `planned`.
    ///
    /// # Errors
    /// The caller has no right to, the policy has faults, it touches a protected role, or another came first.
    pub async fn apply(
        &self,
        caller: &Caller,
        text: &str,
        planned: PolicyVersion,
    ) -> Result<AppliedPolicy, Refusal> {
        has_one_of(caller, &[AppRole::PolicyAdmin])?;
        self.accepting()?;
        let policy = self.sound(text)?;
        let _only_one = self.applying.lock().await;
        let version = self.next_after(planned)?;
        if let Some(applied) = self.ports.journal.policy().await?.filter(|applied| applied.text == text) {
            // Word for word what is in force: nothing to put on record.
            return Ok(applied);
        }
        let touched = match self.policy.load_full() {
            Some(in_force) => policy::touched(&in_force.policy, &policy),
            None => BTreeSet::new(),
        };
        if !touched.is_empty() {
            let roles = touched.iter().map(ToString::to_string).collect();
            return Err(Refusal::SecondPersonNeeded { roles });
        }
        let (text, by, at) = (text.to_owned(), caller.principal, self.now().latest());
        self.put_into_force(AppliedPolicy { version, text, by, at, confirmed_by: None }, policy).await
    }

    /// Proposes this policy as the version after `planned`, for another policy admin to confirm.
    ///
    /// # Errors
    /// The caller has no right to or is no person, the policy has faults, or another came first.
    pub async fn propose(
        &self,
        caller: &Caller,
        text: &str,
        planned: PolicyVersion,
    ) -> Result<AppliedPolicy, Refusal> {
        has_one_of(caller, &[AppRole::PolicyAdmin])?;
        // Two people, and not one with a program.
        person(caller)?;
        self.accepting()?;
        self.sound(text)?;
        let _only_one = self.applying.lock().await;
        let version = self.next_after(planned)?;
        let (text, by, at) = (text.to_owned(), caller.principal, self.now().latest());
        let proposed = AppliedPolicy { version, text, by, at, confirmed_by: None };
        self.note_policy(Note::PolicyProposed(proposed.clone())).await?;
        Ok(proposed)
    }

    /// What waits to be confirmed.
    ///
    /// # Errors
    /// The caller has no right to look, or nothing waits.
    pub async fn proposal(&self, caller: &Caller) -> Result<AppliedPolicy, Refusal> {
        has_one_of(caller, &[AppRole::PolicyAdmin, AppRole::Auditor])?;
        self.waiting().await
    }

    /// Puts into force what was proposed, if it is still what the caller read: `digest` is over that.
    ///
    /// # Errors
    /// The caller has no right to, is no person or proposed it themselves; nothing waits, or something else does.
    pub async fn confirm(&self, caller: &Caller, digest: &str) -> Result<AppliedPolicy, Refusal> {
        has_one_of(caller, &[AppRole::PolicyAdmin])?;
        person(caller)?;
        self.accepting()?;
        let _only_one = self.applying.lock().await;
        let proposed = self.waiting().await?;
        if proposed.by == caller.principal {
            return Err(Refusal::OwnProposal);
        }
        if policy_digest(proposed.version.0, &proposed.text).to_string() != digest {
            return Err(Refusal::Changed("something else is proposed by now".to_owned()));
        }
        let policy = self.sound(&proposed.text)?;
        let (at, confirmed_by) = (self.now().latest(), Some(caller.principal));
        self.put_into_force(AppliedPolicy { at, confirmed_by, ..proposed }, policy).await
    }

    /// The proposal that is not overtaken: one against another version than that in force is dead.
    async fn waiting(&self) -> Result<AppliedPolicy, Refusal> {
        let proposed = self.ports.journal.proposal().await?.ok_or(Refusal::NoProposal)?;
        if proposed.version == self.version().next() { Ok(proposed) } else { Err(Refusal::NoProposal) }
    }

    /// The policy of this text, if it could come into force here.
    fn sound(&self, text: &str) -> Result<Policy, Refusal> {
        let written = policy::read(text).map_err(Refusal::PolicyInvalid)?;
        let mut faults = written.checks_beyond(|check| self.ports.tickets.knows(check));
        faults.extend(written.verdicts().flat_map(policy::Verdict::into_faults));
        faults.or(Some(written.policy)).map_err(Refusal::PolicyInvalid)
    }

    fn version(&self) -> PolicyVersion {
        self.policy.load().as_ref().map_or(PolicyVersion(0), |in_force| in_force.version)
    }

    fn next_after(&self, planned: PolicyVersion) -> Result<PolicyVersion, Refusal> {
        let current = self.version();
        if current == planned { Ok(current.next()) } else { Err(Refusal::PolicyMoved { is: current.0 }) }
    }

    async fn put_into_force(&self, applied: AppliedPolicy, policy: Policy) -> Result<AppliedPolicy, Refusal> {
        self.note_policy(Note::PolicyApplied(applied.clone())).await?;
        self.policy.store(Some(Arc::new(InForce { version: applied.version, policy })));
        Ok(applied)
    }

    async fn note_policy(&self, note: Note) -> Result<(), Refusal> {
        match self.ports.journal.note(note).await {
            Ok(_) => Ok(()),
            Err(AppendError::Conflict { is, .. }) => Err(Refusal::PolicyMoved { is }),
            Err(error) => Err(error.into()),
        }
    }

    /// The policy in force, or the one that was `version`, word for word. Zero: the one in force.
    ///
    /// # Errors
    /// The caller has no right to look, there is none, or there was no such version.
    pub async fn policy(&self, caller: &Caller, version: PolicyVersion) -> Result<AppliedPolicy, Refusal> {
        has_one_of(caller, &[AppRole::PolicyAdmin, AppRole::Auditor])?;
        let in_force = self.ports.journal.policy().await?.ok_or(Refusal::NoPolicy)?;
        match version {
            PolicyVersion(0) => Ok(in_force),
            version if version == in_force.version => Ok(in_force),
            version => self.applied_once(version).await?.ok_or(Refusal::NoPolicy),
        }
    }

    /// Reads through the record for it, backwards: what is wanted again is mostly not long ago.
    async fn applied_once(&self, version: PolicyVersion) -> Result<Option<AppliedPolicy>, Refusal> {
        let mut end = *self.ports.journal.size().borrow();
        while end > Position(0) {
            let from = Position(end.0.saturating_sub(PAGE));
            let limit = usize::try_from(end.0.saturating_sub(from.0)).unwrap_or(usize::MAX);
            for entry in self.ports.journal.read(from, limit).await? {
                match entry.said {
                    Said::Note(Note::PolicyApplied(applied)) if applied.version == version => {
                        return Ok(Some(applied));
                    }
                    _ => {}
                }
            }
            end = from;
        }
        Ok(None)
    }

    async fn live_of(&self, role: &RoleName) -> Result<Vec<Recorded>, Refusal> {
        let filter = Filter { role: Some(role.clone()), live_only: true, ..Filter::default() };
        let mut page = Page { limit: 100, after: None };
        let mut live = Vec::new();
        loop {
            let found = self.ports.journal.find(&filter, &page).await?;
            live.extend(found.activations);
            match found.next {
                Some(next) => page.after = Some(next),
                None => return Ok(live),
            }
        }
    }
}

fn differences(old: &Policy, new: &Policy) -> Vec<RoleChange> {
    let change = |role: &EligibleRole, kind, differences| RoleChange {
        role: role.name.clone(),
        kind,
        differences,
        shifts: Vec::new(),
        live: Vec::new(),
    };
    let mut changes = Vec::new();
    for role in new.roles() {
        match old.role(&role.name) {
            None => changes.push(change(
                role,
                "added",
                terms(role).iter().map(|(k, v)| format!("{k}: {v}")).collect(),
            )),
            Some(before) if before != role => {
                let lines = terms(before)
                    .iter()
                    .zip(terms(role))
                    .filter(|((_, was), (_, is))| was != is)
                    .map(|((key, was), (_, is))| format!("{key}: {was} -> {is}"))
                    .collect();
                changes.push(change(role, "changed", lines));
            }
            Some(_) => {}
        }
    }
    let removed = old.roles().iter().filter(|role| new.role(&role.name).is_none());
    changes.extend(removed.map(|role| change(role, "removed", Vec::new())));
    changes
}

/// The terms of an offer, by name, for people to compare.
fn terms(role: &EligibleRole) -> Vec<(&'static str, String)> {
    // No `..`: a new term must be looked at here.
    let EligibleRole {
        name: _,
        title,
        target,
        eligible,
        denied,
        longest,
        usual,
        approval,
        approval_window,
        proof,
        ticket,
        own_approval,
        start_ahead,
        sign_out,
        protected,
        notify,
        break_glass,
    } = role;
    let TicketRule { required, pattern, system, check } = ticket;
    let list = |subjects: &[elevate_core::names::Subject]| {
        subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let approval: Vec<_> =
        approval.iter().map(|rule| format!("{} of [{}]", rule.count, list(&rule.from))).collect();
    let length =
        |length: &jiff::SignedDuration| humantime::format_duration(length.unsigned_abs()).to_string();
    let (what, place) = match target.resource() {
        Resource::Role(_) => ("role_definition", "scope"),
        Resource::Group(_) => ("group", "relation"),
    };
    let nobody = |subjects: &[elevate_core::names::Subject]| {
        if subjects.is_empty() { "nobody".to_owned() } else { list(subjects) }
    };
    let none = |text: Option<&str>| text.unwrap_or("none").to_owned();
    let emergency = break_glass.as_ref().map(|BreakGlass { eligible, longest, proof }| {
        let people: Vec<_> = eligible.iter().map(|id| format!("user:{id}")).collect();
        let ProofRule { strength, context, freshness, bound: _ } = proof;
        let context = context.as_ref().map_or("none", |context| context.as_str());
        format!(
            "[{}] for at most {longest}, strength {}, context {context}, fresh within {}",
            people.join(", "),
            strength.as_str(),
            length(freshness)
        )
    });
    vec![
        ("title", title.clone()),
        ("way", target.way().to_string()),
        (what, target.resource().id().to_string()),
        (place, target.resource().place()),
        ("eligible", list(eligible)),
        ("denied", nobody(denied)),
        ("longest", longest.to_string()),
        ("usual", usual.to_string()),
        ("approval", if approval.is_empty() { "nobody".to_owned() } else { approval.join(" and ") }),
        ("approval_window", length(approval_window)),
        ("proof.strength", proof.strength.as_str().to_owned()),
        ("proof.context", proof.context.as_ref().map_or("none", |context| context.as_str()).to_owned()),
        ("proof.fresh_within", length(&proof.freshness)),
        (
            "proof.bound_by",
            match proof.bound {
                policy::Bound::Nonce => "nonce".to_owned(),
                policy::Bound::Loose => "freshness".to_owned(),
            },
        ),
        ("ticket_required", required.to_string()),
        ("ticket_pattern", none(pattern.as_ref().map(TicketPattern::as_str))),
        ("ticket_system", none(system.as_deref())),
        ("ticket_check", none(check.as_ref().map(|check| check.name.as_str()))),
        ("ticket_unanswered", none(check.as_ref().map(|check| check.unanswered.as_str()))),
        ("own_approval", own_approval.to_string()),
        ("start_ahead", length(start_ahead)),
        ("sign_out", sign_out.to_string()),
        ("protected", protected.to_string()),
        ("notify", nobody(notify)),
        ("break_glass", emergency.unwrap_or_else(|| "not offered".to_owned())),
    ]
}
