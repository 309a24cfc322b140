//! Who may have what, on which terms.
//!
//! A deny always wins; no match means no. Nothing here knows where a policy is kept.

use std::collections::BTreeSet;
use std::fmt;

use jiff::SignedDuration;

use crate::approval::{ApprovalRequirement, Standing};
use crate::names::{ObjectId, Principal, RoleName, Scope, Slot, Subject, Target, Ticket};
use crate::term::Term;

mod approvers;
mod bundle;
mod decision;
pub mod files;
pub mod import;
mod lint;
mod protected;
mod reach;
mod test;
mod text;
mod ticket;
pub mod tier;

pub use approvers::{Candidates, could_be_met};
pub use bundle::{BUNDLE_MAX, BundleRefusal, may_be_together};
pub use decision::Decision;
pub use import::import;
pub use protected::touched;
pub use reach::{Right, Shift, shifts};
pub use test::{Test, Verdict};
pub use text::{PolicyFaults, Written, parse, read};
pub use ticket::{CheckName, TicketCheck, TicketPattern, TicketRule, Unanswered};

/// Counts applied policies, from 1. Every activation is pinned to the one it was asked under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyVersion(pub u64);

impl PolicyVersion {
    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for PolicyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An authentication context class of Conditional Access, `c1` to `c99`: the `acrs` claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthContext(String);

impl AuthContext {
    /// `c1` to `c99`, and nothing else.
    pub fn new(text: &str) -> Option<Self> {
        let number = text.strip_prefix('c')?;
        let plain = !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit());
        (plain && (1..=2).contains(&number.len())).then(|| Self(text.to_owned()))
    }

    /// As it stands in the claim.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How strong a sign-in must have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// `amr` holds `mfa`: some second factor, perhaps a text message.
    Mfa,
    /// `amr` holds `fido`, or `hwk` with `mfa`: nothing a look-alike site can pass on.
    PhishingResistant,
}

impl Strength {
    /// As written in a policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mfa => "mfa",
            Self::PhishingResistant => "phishing-resistant",
        }
    }
}

/// What ties a proof to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// The `nonce` must be the one computed for this request.
    Nonce,
    /// Nothing but freshness and single use: for token sources that cannot carry a nonce.
    Loose,
}

/// What a proof must show before a role is activated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofRule {
    /// How strong.
    pub strength: Strength,
    /// The authentication context that must be satisfied too, if any.
    pub context: Option<AuthContext>,
    /// How long ago the sign-in may be (`auth_time`).
    pub freshness: SignedDuration,
    /// What ties it to the request.
    pub bound: Bound,
}

impl ProofRule {
    /// What approvers show: a fresh, bound second factor, at least as strong as the role asks of its
    /// holder, and always bound (an approval that could be moved to another request is forged).
    #[must_use]
    pub fn for_approval(&self) -> Self {
        Self { bound: Bound::Nonce, ..self.clone() }
    }
}

/// The policy's offer: these principals may activate this role, on these terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EligibleRole {
    /// What people type.
    pub name: RoleName,
    /// What people read.
    pub title: String,
    /// What holding it means in the directory, and by which way.
    pub target: Target,
    /// Who may activate it.
    pub eligible: Vec<Subject>,
    /// Who may not, whatever else is said.
    pub denied: Vec<Subject>,
    /// The longest term that may be asked for.
    pub longest: Term,
    /// The term when none is asked for.
    pub usual: Term,
    /// Who must say yes. Empty: nobody.
    pub approval: Vec<ApprovalRequirement>,
    /// How long approvers have to answer.
    pub approval_window: SignedDuration,
    /// What the proof must show.
    pub proof: ProofRule,
    /// What is asked of a ticket.
    pub ticket: TicketRule,
    /// Whether the asker may count as one of the approvers, where they are among them.
    pub own_approval: bool,
    /// How far ahead a start may lie.
    pub start_ahead: SignedDuration,
    /// Whether the holder's sign-in sessions are revoked with the role.
    pub sign_out: bool,
    /// Whether a change of this rule needs a second policy admin.
    pub protected: bool,
    /// Who is told of every break-glass use, beside the approvers.
    pub notify: Vec<Subject>,
    /// For emergencies, if it is offered for them.
    pub break_glass: Option<BreakGlass>,
}

/// The offer of a role for emergencies: no approval, a shorter term, its own proof, and a review after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlass {
    /// The people who may, by name; a deny of the role counts here too.
    pub eligible: Vec<ObjectId>,
    /// The longest term, which is also the usual one.
    pub longest: Term,
    /// What the proof must show. Always bound by nonce.
    pub proof: ProofRule,
}

impl EligibleRole {
    /// The slot that `principal` takes by holding this role.
    pub const fn slot(&self, principal: Principal) -> Slot {
        self.target.slot(principal)
    }

    /// The offer of this role to this principal in an emergency.
    pub fn break_glass_for(&self, standing: &Standing) -> Option<&BreakGlass> {
        let named = |offer: &&BreakGlass| offer.eligible.contains(&standing.principal.object);
        self.break_glass.as_ref().filter(named).filter(|_| !standing.is_among(&self.denied))
    }
}

/// Why a request may not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such role, or not for this principal: deliberately one answer.
    #[error("role `{role}` is not offered to you; `elevate roles` shows what is")]
    NotOffered {
        /// As typed.
        role: RoleName,
    },
    /// Longer than the policy allows.
    #[error("{asked} is longer than `{role}` allows; ask for {longest} or less")]
    TooLong {
        /// Which role.
        role: RoleName,
        /// What was asked.
        asked: Term,
        /// What may be asked.
        longest: Term,
    },
    /// Shorter than the way of granting can end.
    #[error("{asked} is shorter than Entra PIM can grant for `{role}`; ask for {shortest} or more")]
    TooShort {
        /// Which role.
        role: RoleName,
        /// What was asked.
        asked: Term,
        /// What may be asked.
        shortest: Term,
    },
    /// The policy wants a ticket.
    #[error("`{role}` needs a ticket; name it with `--ticket NUMBER`")]
    TicketMissing {
        /// Which role.
        role: RoleName,
    },
    /// The ticket is not of the form that the policy wants.
    #[error("ticket `{number}` is not one for `{role}`: {wanted}")]
    TicketMalformed {
        /// Which role.
        role: RoleName,
        /// What was given.
        number: String,
        /// What would do.
        wanted: String,
    },
    /// The start lies further ahead than the policy allows.
    #[error("`{role}` may begin at most {} from now; ask later, or for an earlier start", shown(*.ahead))]
    StartTooFar {
        /// Which role.
        role: RoleName,
        /// How far ahead it may lie.
        ahead: SignedDuration,
    },
    /// The start is past.
    #[error(
        "a start in the past cannot be asked for `{role}`; ask for a later one, or for none to begin at once"
    )]
    StartPast {
        /// Which role.
        role: RoleName,
    },
    /// Not within the scope that is offered.
    #[error(
        "`{role}` is offered at {offered}, and {asked} is not within that; `elevate roles` shows the scopes"
    )]
    ScopeNotOffered {
        /// Which role.
        role: RoleName,
        /// What was asked.
        asked: Scope,
        /// What is offered: a scope, or a relation to a group.
        offered: String,
    },
}

/// A length of time as people write it.
pub(crate) fn shown(length: SignedDuration) -> humantime::FormattedDuration {
    humantime::format_duration(length.unsigned_abs())
}

/// Every offer, and nothing else: a role that is not in here cannot be activated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    roles: Vec<EligibleRole>,
}

impl Policy {
    /// The offers, in the order of the policy.
    pub fn roles(&self) -> &[EligibleRole] {
        &self.roles
    }

    /// The offer of this name, whoever it is made to.
    pub fn role(&self, name: &RoleName) -> Option<&EligibleRole> {
        self.roles.iter().find(|role| role.name == *name)
    }

    /// What is offered to this principal.
    pub fn offers<'p>(&'p self, standing: &'p Standing) -> impl Iterator<Item = &'p EligibleRole> {
        self.roles.iter().filter(|role| role.is_offered_to(standing))
    }

    /// The offer that lets this principal ask for `role`. May they?
    ///
    /// # Errors
    /// [`Refusal::NotOffered`], the same for a role that is missing and for one not offered to them.
    pub fn offer(&self, standing: &Standing, role: &RoleName) -> Result<&EligibleRole, Refusal> {
        self.role(role)
            .filter(|offer| offer.is_offered_to(standing))
            .ok_or_else(|| Refusal::NotOffered { role: role.clone() })
    }

    /// The offer of `role` to this principal in an emergency, as terms like any other's: nobody is asked, no
    /// ticket is needed, and those who would have been asked are told.
    ///
    /// # Errors
    /// [`Refusal::NotOffered`], as for [`Policy::offer`].
    pub fn break_glass_offer(&self, standing: &Standing, role: &RoleName) -> Result<EligibleRole, Refusal> {
        let not_offered = || Refusal::NotOffered { role: role.clone() };
        let offer = self.role(role).ok_or_else(not_offered)?;
        let BreakGlass { eligible: _, longest, proof } =
            offer.break_glass_for(standing).ok_or_else(not_offered)?;
        let mut told: Vec<Subject> = offer.approval.iter().flat_map(|rule| rule.from.clone()).collect();
        told.extend(&offer.notify);
        told.sort();
        told.dedup();
        Ok(EligibleRole {
            longest: *longest,
            usual: *longest,
            proof: proof.clone(),
            approval: Vec::new(),
            ticket: TicketRule::default(),
            notify: told,
            ..offer.clone()
        })
    }

    /// Every group that this policy names, to be looked up for a [`Standing`].
    pub fn groups(&self) -> BTreeSet<ObjectId> {
        let approvers =
            |role: &EligibleRole| role.approval.iter().flat_map(|r| r.from.clone()).collect::<Vec<_>>();
        self.roles
            .iter()
            .flat_map(|role| [role.eligible.clone(), role.denied.clone(), approvers(role)].concat())
            .filter_map(|subject| match subject {
                Subject::Group(id) => Some(id),
                Subject::User(_) => None,
            })
            .collect()
    }
}

impl EligibleRole {
    /// The shortest term that may be asked for.
    pub const fn shortest(&self) -> Term {
        Term::shortest_by(self.target.way())
    }

    /// Whether this much may be asked under the offer, once it is known to be made to the asker; `ahead` is
    /// how far from now it is to begin.
    ///
    /// # Errors
    /// What is too much, and what may be asked instead.
    pub fn admits(
        &self,
        term: Term,
        ticket: Option<&Ticket>,
        ahead: Option<SignedDuration>,
    ) -> Result<(), Refusal> {
        self.admits_term(term, self.longest)?;
        if ahead.is_some_and(|ahead| ahead.is_negative()) {
            return Err(Refusal::StartPast { role: self.name.clone() });
        }
        if ahead.is_some_and(|ahead| ahead > self.start_ahead) {
            return Err(Refusal::StartTooFar { role: self.name.clone(), ahead: self.start_ahead });
        }
        self.ticket.admits(&self.name, ticket)
    }

    /// Whether a term is one that can be granted under an offer with this longest one.
    ///
    /// # Errors
    /// What is too much or too little, and what may be asked instead.
    pub fn admits_term(&self, term: Term, longest: Term) -> Result<(), Refusal> {
        if term > longest {
            return Err(Refusal::TooLong { role: self.name.clone(), asked: term, longest });
        }
        if term < self.shortest() {
            return Err(Refusal::TooShort {
                role: self.name.clone(),
                asked: term,
                shortest: self.shortest(),
            });
        }
        Ok(())
    }

    /// What is offered, at the scope that was wished for.
    ///
    /// # Errors
    /// It is not within what is offered.
    pub fn target_at(&self, scope: Option<Scope>) -> Result<Target, Refusal> {
        let Some(scope) = scope else { return Ok(self.target) };
        self.target.narrowed_to(scope).ok_or_else(|| Refusal::ScopeNotOffered {
            role: self.name.clone(),
            asked: scope,
            offered: self.target.resource().place(),
        })
    }
}

#[cfg(test)]
mod tests;
