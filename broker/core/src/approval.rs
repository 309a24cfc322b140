//! Who must say yes, and whether enough have.

use std::collections::BTreeSet;
use std::num::NonZeroU8;

use jiff::Timestamp;

use crate::binding::Digest;
use crate::names::{ObjectId, Principal, RequestId, Scope, Subject};
use crate::term::Term;

/// So many distinct people out of these. A role may list several; all must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRequirement {
    /// How many people. Zero cannot be said.
    pub count: NonZeroU8,
    /// Out of whom.
    pub from: Vec<Subject>,
}

/// A principal, and the groups it is in (nested ones too) out of those that the policy names.
///
/// Read from the directory when the question is asked; never taken from what a caller sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub principal: Principal,
    /// The groups, by object id.
    pub groups: BTreeSet<ObjectId>,
}

impl Standing {
    /// Whether this principal is one of `subjects`.
    pub fn is_among(&self, subjects: &[Subject]) -> bool {
        subjects.iter().any(|subject| match subject {
            Subject::User(id) => *id == self.principal.object,
            Subject::Group(id) => self.groups.contains(id),
        })
    }
}

/// How much a yes is to, where that is less than what was asked. It can add nothing.
///
/// It counts from what was asked and not from what an earlier approver left, so that each yes says by itself
/// what it is to, and its proof is bound to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Narrowed {
    /// A shorter term.
    pub term: Option<Term>,
    /// A narrower scope.
    pub scope: Option<Scope>,
}

impl Narrowed {
    /// A yes to the whole.
    pub const NOTHING: Self = Self { term: None, scope: None };
}

/// One person's yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who said it.
    pub approver: Principal,
    /// The digest of the request they saw: [`crate::binding::Asked::digest`].
    pub request: Digest,
    /// The requirements they could count for at that moment, by place in the list.
    pub counts_for: Vec<usize>,
    /// When.
    pub at: Timestamp,
    /// What they said with it.
    pub comment: String,
    /// Their own id for this mutation: a repetition of the same call changes nothing and succeeds.
    pub request_id: RequestId,
    /// To how much of the request, where that is not the whole.
    pub narrowed: Narrowed,
}

/// Why a yes does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalRefusal {
    /// Nobody approves for themselves, where the role does not say so.
    #[error("you asked for this activation, and nobody approves their own; ask another approver")]
    Own,
    /// One person, one yes.
    #[error("you have approved this activation already; another person must approve it too")]
    Twice,
    /// Not one of those the policy names.
    #[error("you are not an approver of this activation; `elevate pending` shows those you can decide")]
    NotAnApprover,
    /// More than is asked, or than an earlier approver left of it.
    #[error("an approver may shorten or narrow, never widen: {0}")]
    NotNarrower(String),
    /// An earlier approver took off some of what this yes is to.
    #[error("an earlier approver left less of it: {0}")]
    LessIsLeft(String),
}

/// The requirements that this person could count for, if they may approve at all. Their own request they
/// may only where the role says so (`own_approval`).
///
/// # Errors
/// Why they may not.
pub fn may_approve(
    requirements: &[ApprovalRequirement],
    given: &[Approval],
    asker: Principal,
    own_approval: bool,
    approver: &Standing,
) -> Result<Vec<usize>, ApprovalRefusal> {
    if approver.principal == asker && !own_approval {
        return Err(ApprovalRefusal::Own);
    }
    let counts_for: Vec<usize> = requirements
        .iter()
        .enumerate()
        .filter(|(_, requirement)| approver.is_among(&requirement.from))
        .map(|(place, _)| place)
        .collect();
    if counts_for.is_empty() {
        return Err(ApprovalRefusal::NotAnApprover);
    }
    if given.iter().any(|approval| approval.approver == approver.principal) {
        return Err(ApprovalRefusal::Twice);
    }
    Ok(counts_for)
}

/// How many more people must say yes, at the least: zero when every requirement holds.
///
/// One person counts for one requirement only, whichever helps most: so two requirements of one
/// always mean two people. (A maximum matching of people to places; both are few.)
pub fn still_needed(requirements: &[ApprovalRequirement], given: &[Approval]) -> usize {
    let places: Vec<usize> = requirements
        .iter()
        .enumerate()
        .flat_map(|(place, requirement)| std::iter::repeat_n(place, usize::from(requirement.count.get())))
        .collect();
    let mut taken_by: Vec<Option<usize>> = vec![None; places.len()];
    for person in 0..given.len() {
        seat(person, &places, given, &mut taken_by, &mut vec![false; places.len()]);
    }
    taken_by.iter().filter(|seat| seat.is_none()).count()
}

/// Finds a place for `person`, moving others to their alternatives where that frees one.
fn seat(
    person: usize,
    places: &[usize],
    given: &[Approval],
    taken_by: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    let Some(approval) = given.get(person) else { return false };
    for (at, requirement) in places.iter().enumerate() {
        let fresh = tried.get(at).is_some_and(|seen| !seen) && approval.counts_for.contains(requirement);
        if !fresh {
            continue;
        }
        mark(tried, at, true);
        let sitting = taken_by.get(at).copied().flatten();
        if sitting.is_none_or(|other| seat(other, places, given, taken_by, tried)) {
            mark(taken_by, at, Some(person));
            return true;
        }
    }
    false
}

fn mark<T>(seats: &mut [T], at: usize, value: T) {
    if let Some(seat) = seats.get_mut(at) {
        *seat = value;
    }
}

#[cfg(test)]
mod tests;
