//! Why somebody may ask for a role or not, what stands in the way now, and who could say yes.

use std::collections::BTreeMap;

use elevate_core::names::{ActivationId, ObjectId, Principal, RoleName, Subject};
use elevate_core::policy::{Candidates, Decision, EligibleRole, could_be_met};

use super::see::Offer;
use super::{Refusal, Workflow, groups_among, has_one_of, person};
use crate::ports::directory::{Held, Members};
use crate::ports::journal::{Filter, Page, Recorded};
use crate::ports::verifier::{AppRole, Caller};

/// The most groups of approvers that are looked up for one answer, and the most people of each that are named:
/// enough to know whom to ask.
const GROUPS_MAX: usize = 10;
const PEOPLE_MAX: usize = 50;

/// Everything about one role for one person.
#[derive(Debug)]
pub struct Explained {
    /// The rule, as far as it is for them, and their live activation of it.
    pub offer: Offer,
    /// For whom.
    pub principal: Principal,
    /// What it says of them, and by which of its words.
    pub decision: Decision,
    /// What stands in the way now; what they bring themselves (ticket, sign-in) does not.
    pub obstacles: Vec<Obstacle>,
    /// Who could say yes.
    pub approvers: Approvers,
}

/// What stands in the way of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// By the rule.
    #[error("the rule does not offer it")]
    NotOffered,
    /// One live activation each.
    #[error("there is a live activation of this role already ({0})")]
    SlotTaken(ActivationId),
    /// By somebody else's hand.
    #[error("the directory holds this role already, and not by this broker")]
    AssignedElsewhere,
    /// Nothing is granted to anybody for the time being.
    #[error("the broker is frozen: nothing is granted until it is thawed")]
    Frozen,
    /// An emergency use that nobody has looked at.
    #[error(
        "an emergency use of it waits for its review ({0}); until then it is not to be had in an emergency"
    )]
    ReviewOpen(ActivationId),
    /// A request would lapse.
    #[error("there are not enough people who could say yes: a request would wait and lapse")]
    NobodyApproves,
}

impl Obstacle {
    /// As the contract names it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotOffered => "not-offered",
            Self::SlotTaken(_) => "slot-taken",
            Self::AssignedElsewhere => "assigned-elsewhere",
            Self::Frozen => "frozen",
            Self::ReviewOpen(_) => "review-open",
            Self::NobodyApproves => "nobody-approves",
        }
    }

    /// Which activation it is, if it is one.
    pub const fn activation(self) -> Option<ActivationId> {
        match self {
            Self::SlotTaken(by) | Self::ReviewOpen(by) => Some(by),
            Self::NotOffered | Self::AssignedElsewhere | Self::Frozen | Self::NobodyApproves => None,
        }
    }
}

/// Who could say yes to a request, as far as the directory says.
#[derive(Debug, Clone, Default)]
pub struct Approvers {
    /// By requirement, in the order of the rule.
    pub requirements: Vec<Candidates>,
    /// What they are called, where the directory said so along the way.
    pub names: BTreeMap<ObjectId, String>,
}

impl Approvers {
    /// Whether they are enough; `None` when that is not known.
    pub fn enough(&self) -> Option<bool> {
        could_be_met(&self.requirements)
    }
}

impl Workflow {
    /// What the policy says of this role for the caller, or, for a policy admin or auditor, for somebody else.
    ///
    /// # Errors
    /// The role is not there, or not offered to the caller who asks for themselves: one answer. No right to
    /// ask for somebody else. No policy, or no answer of the directory.
    pub async fn explain(
        &self,
        caller: &Caller,
        role: &RoleName,
        as_seen_by: Option<ObjectId>,
    ) -> Result<Explained, Refusal> {
        let principal = match as_seen_by {
            None => {
                person(caller)?;
                caller.principal
            }
            Some(object) => {
                has_one_of(caller, &[AppRole::PolicyAdmin, AppRole::Auditor])?;
                Principal { object, ..caller.principal }
            }
        };
        let in_force = self.in_force()?;
        // As for a request: neither an outage nor the time this takes tells a role that is not there.
        let named = |role: &EligibleRole| groups_among(role.eligible.iter().chain(&role.denied));
        let wished = in_force.policy.role(role);
        let mut asked_for = wished.into_iter().chain(in_force.policy.roles()).map(named);
        let groups = asked_for.find(|groups| !groups.is_empty()).unwrap_or_default();
        let standing = self.standing(principal, &groups).await?;
        let offer = match (wished, as_seen_by) {
            (Some(offer), Some(_)) => offer,
            // In an emergency, it is.
            (Some(offer), None) if offer.break_glass_for(&standing).is_some() => offer,
            _ => in_force.policy.offer(&standing, role)?,
        };
        let decision = offer.decide(principal.object, &standing.groups);
        let live = match self.ports.journal.holder(&offer.slot(principal)).await? {
            Some(id) => self.ports.journal.load(id).await?,
            None => None,
        };
        let approvers = self.approvers(principal, offer).await;
        let obstacles = self.obstacles(principal, offer, decision, live.as_ref(), &approvers).await?;
        let everyday = matches!(decision, Decision::Offered(_));
        let break_glass = offer.break_glass_for(&standing).cloned();
        let offer = Offer { role: offer.clone(), everyday, break_glass, live };
        Ok(Explained { offer, principal, decision, obstacles, approvers })
    }

    async fn obstacles(
        &self,
        principal: Principal,
        offer: &EligibleRole,
        decision: Decision,
        live: Option<&Recorded>,
        approvers: &Approvers,
    ) -> Result<Vec<Obstacle>, Refusal> {
        let mut obstacles = Vec::new();
        if !matches!(decision, Decision::Offered(_)) {
            obstacles.push(Obstacle::NotOffered);
        }
        if self.ports.journal.freeze().await?.is_some() {
            obstacles.push(Obstacle::Frozen);
        }
        match live {
            Some(live) => obstacles.push(Obstacle::SlotTaken(live.id)),
            // Without an answer nothing is known to stand in the way.
            None => match self.ports.directory.look(principal, &offer.target).await {
                Ok(Held::By(_)) => obstacles.push(Obstacle::AssignedElsewhere),
                Ok(Held::Nothing) | Err(_) => {}
            },
        }
        if offer.break_glass.is_some() {
            let filter = Filter {
                principal: Some(principal),
                role: Some(offer.name.clone()),
                unreviewed_only: true,
                ..Filter::default()
            };
            let found = self.ports.journal.find(&filter, &Page { limit: 1, after: None }).await?;
            obstacles.extend(found.activations.first().map(|recorded| Obstacle::ReviewOpen(recorded.id)));
        }
        if approvers.enough() == Some(false) {
            obstacles.push(Obstacle::NobodyApproves);
        }
        Ok(obstacles)
    }

    /// Who could say yes to a request of `asker` under this offer. Advice, and never a ground for a decision:
    /// where the directory does not answer, there may be others.
    pub async fn approvers(&self, asker: Principal, offer: &EligibleRole) -> Approvers {
        let groups = groups_among(offer.approval.iter().flat_map(|rule| &rule.from));
        let mut known = BTreeMap::new();
        for group in groups.into_iter().take(GROUPS_MAX) {
            if let Ok(members) = self.ports.directory.members_of(group, PEOPLE_MAX).await {
                known.insert(group, members);
            }
        }
        let mut names = BTreeMap::new();
        let mut requirements = Vec::new();
        for rule in &offer.approval {
            let mut candidates = Candidates { count: usize::from(rule.count.get()), ..Candidates::default() };
            for subject in &rule.from {
                match subject {
                    Subject::User(id) => drop(candidates.people.insert(*id)),
                    Subject::Group(id) => match known.get(id) {
                        Some(Members { people, more }) => {
                            candidates.more |= *more;
                            candidates.people.extend(people.iter().map(|(id, _)| *id));
                            let named = people.iter().filter_map(|(id, name)| Some((*id, name.clone()?)));
                            names.extend(named);
                        }
                        None => candidates.more = true,
                    },
                }
            }
            if !offer.own_approval {
                candidates.people.remove(&asker.object);
            }
            requirements.push(candidates);
        }
        Approvers { requirements, names }
    }
}
