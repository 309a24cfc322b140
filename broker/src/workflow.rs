//! The use cases: what people, programs and time can make happen.
//!
//! Calls decide and record; they never ask the directory to change anything. That is [`Workflow::settle`]'s
//! part, run by the reaper, so that a cancelled call cancels no grant. Every change of an activation is
//! made under its lock, on what the journal holds at that moment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use elevate_core::activation::{Activation, Actor, Change, Event};
use elevate_core::approval::Standing;
use elevate_core::due::{self, Due, Now};
use elevate_core::names::{ActivationId, ObjectId, Principal};
use elevate_core::policy::{Policy, PolicyVersion, TicketCheck};
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, broadcast};

use crate::ports::clock::Assurance;
use crate::ports::directory::Unreachable;
use crate::ports::journal::{Append, AppendError, Note, Recorded, StoreFault};
use crate::ports::verifier::{AppRole, Caller, CallerKind, TokenRefusal};
use crate::ports::{Clock, Directory, Inventory, Journal, Tickets, Verifier};

mod accounts;
mod ask;
mod bundle;
mod decide;
mod explain;
mod extend;
mod freeze;
mod hold;
mod ids;
mod import;
mod locks;
mod policies;
mod reconcile;
mod refusal;
mod review;
mod revoke;
mod revoke_many;
mod see;
mod settle;
mod tally;
mod throttle;
mod ticket;

pub use ask::{Prepared, Wish};
pub use bundle::{BundleToApprove, PreparedBundle, YesToAll, YesToOne};
pub use decide::{ToApprove, Yes};
pub use explain::{Approvers, Explained, Obstacle};
pub use hold::Hold;
pub use ids::Ids;
pub use policies::{Plan, RoleChange};
pub use refusal::Refusal;
pub use revoke::Overdue;
pub use revoke_many::{MOST_NAMED, Selection, Taken, WouldBeTaken, kept_until};
pub use see::Offer;
pub use settle::Next;

/// The outside, as the use cases see it.
#[derive(Debug, Clone)]
pub struct Ports {
    /// What holds assignments.
    pub directory: Arc<dyn Directory>,
    /// What tells all of them at once.
    pub inventory: Arc<dyn Inventory>,
    /// What remembers.
    pub journal: Arc<dyn Journal>,
    /// What knows tokens.
    pub verifier: Arc<dyn Verifier>,
    /// What vouches for tickets.
    pub tickets: Arc<dyn Tickets>,
    /// What knows the time.
    pub clock: Arc<dyn Clock>,
}

/// The policy in force.
#[derive(Debug)]
struct InForce {
    version: PolicyVersion,
    policy: Policy,
}

/// The use cases.
#[derive(Debug)]
pub struct Workflow {
    ports: Ports,
    policy: ArcSwapOption<InForce>,
    applying: tokio::sync::Mutex<()>,
    freezing: tokio::sync::Mutex<()>,
    locks: locks::Locks,
    holds: hold::Holds,
    nudge: Notify,
    changes: broadcast::Sender<ActivationId>,
    draining: AtomicBool,
    refusals: throttle::Throttle,
    sightings: reconcile::Sightings,
    missing: accounts::Missing,
    tally: tally::Tally,
    ids: Ids,
}

impl Workflow {
    /// Takes up the policy in force.
    ///
    /// # Errors
    /// The store failed, or the recorded policy cannot be read by this version.
    pub async fn open(ports: Ports) -> Result<Self, StoreFault> {
        let in_force = match ports.journal.policy().await? {
            None => None,
            Some(applied) => {
                let unreadable = |faults| {
                    StoreFault(format!(
                        "policy version {} on record cannot be read: {faults}",
                        applied.version
                    ))
                };
                // Its tests held when it was applied. Were one to fail by now, nothing due may wait for it.
                let policy = elevate_core::policy::read(&applied.text).map_err(unreadable)?.policy;
                Some(Arc::new(InForce { version: applied.version, policy }))
            }
        };
        if let Some(in_force) = &in_force {
            for role in in_force.policy.roles() {
                let check = role.ticket.check.as_ref().filter(|check| !ports.tickets.knows(&check.name));
                if let Some(TicketCheck { name, .. }) = check {
                    tracing::warn!(role = %role.name, check = %name, "the configuration has no such ticket system; \
                        nobody can ask for the role under a ticket");
                }
            }
        }
        Ok(Self {
            ports,
            policy: ArcSwapOption::from(in_force),
            applying: tokio::sync::Mutex::default(),
            freezing: tokio::sync::Mutex::default(),
            locks: locks::Locks::default(),
            holds: hold::Holds::default(),
            nudge: Notify::new(),
            changes: broadcast::channel(1024).0,
            draining: AtomicBool::new(false),
            refusals: throttle::Throttle::default(),
            sightings: reconcile::Sightings::default(),
            missing: accounts::Missing::default(),
            tally: tally::Tally::default(),
            ids: Ids::default(),
        })
    }

    /// The same, with ids from elsewhere.
    #[must_use]
    pub fn naming(self, ids: Ids) -> Self {
        Self { ids, ..self }
    }

    /// From now on nothing new is accepted; what is recorded goes on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Resolves when something was recorded that may be due at once.
    pub async fn nudged(&self) {
        self.nudge.notified().await;
    }

    /// The ids of activations as they change. A slow reader is told that it missed some.
    pub fn changes(&self) -> broadcast::Receiver<ActivationId> {
        self.changes.subscribe()
    }

    /// The outside, as the use cases see it.
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Adds its counters to what is shown to operators.
    pub fn register(&self, registry: &mut Registry) {
        self.tally.register(registry);
    }

    /// Whether nothing new is accepted any more.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Whether a policy is in force.
    pub fn has_policy(&self) -> bool {
        self.policy.load().is_some()
    }

    /// How many refused attempts were left out of the record since the start, being over their share.
    pub fn refusals_left_out(&self) -> u64 {
        self.refusals.left_out()
    }

    /// Forgets the shares of those who were not refused for long.
    pub fn forget_idle_callers(&self) {
        self.refusals.forget_idle();
    }

    /// Counts a refused call.
    pub fn count_refusal(&self, reason: &'static str) {
        self.tally.refused(reason);
    }

    /// Notes a refused attempt in the record, as far as the caller's share of it goes.
    ///
    /// # Errors
    /// The store failed.
    pub async fn note_refusal(&self, note: Note) -> Result<(), StoreFault> {
        let Note::Refused { caller, .. } = &note else { return Ok(()) };
        // On a full disk what is left is for what ends privileges.
        if !self.ports.journal.has_room() {
            self.refusals.leave_out();
            return Ok(());
        }
        if !self.refusals.admits(*caller) {
            return Ok(());
        }
        match self.ports.journal.note(note).await {
            Err(AppendError::Store(fault)) => Err(fault),
            _ => Ok(()),
        }
    }

    fn now(&self) -> Now {
        self.ports.clock.now()
    }

    fn in_force(&self) -> Result<Arc<InForce>, Refusal> {
        self.policy.load_full().ok_or(Refusal::NoPolicy)
    }

    fn accepting(&self) -> Result<(), Refusal> {
        if self.draining.load(Ordering::SeqCst) {
            return Err(Refusal::Draining);
        }
        if !self.ports.journal.has_room() {
            return Err(Refusal::DiskFull);
        }
        match self.ports.clock.assurance() {
            Assurance::Unwitnessed => Err(TokenRefusal::TimeUnsure.into()),
            Assurance::Doubted => Err(Refusal::TimeDoubted),
            Assurance::Witnessed { .. } => Ok(()),
        }
    }

    /// Which of `groups` the principal is in, now.
    async fn standing(
        &self,
        principal: Principal,
        groups: &BTreeSet<ObjectId>,
    ) -> Result<Standing, Unreachable> {
        let groups = if groups.is_empty() {
            BTreeSet::new()
        } else {
            self.ports.directory.groups_of(principal, groups).await?
        };
        Ok(Standing { principal, groups })
    }

    async fn load(&self, id: ActivationId) -> Result<Recorded, Refusal> {
        self.ports.journal.load(id).await?.ok_or(Refusal::ActivationNotFound)
    }

    /// Appends a change, and with it, in the same durable step, what follows from it at once.
    async fn record(
        &self,
        recorded: &Activation,
        by: Actor,
        change: Change,
        now: Now,
    ) -> Result<Recorded, Refusal> {
        let first = Event { at: now.latest(), by, change };
        let after = Activation::clone(recorded).apply(&first)?;
        let events = with_consequences(first, after, now)?;
        Ok(self.append(recorded.id, Some(recorded), events).await?)
    }

    /// Appends, and tells whoever waits for changes.
    async fn append(
        &self,
        id: ActivationId,
        before: Option<&Activation>,
        events: Vec<Event>,
    ) -> Result<Recorded, AppendError> {
        let version = before.map_or(0, |before| before.version);
        let recorded = self.ports.journal.append(id, version, events.clone()).await?;
        self.tell(before, &recorded, &events);
        self.nudge.notify_one();
        Ok(recorded)
    }

    /// Appends to several, all or none, and tells whoever waits for changes. `before` is each of them without it.
    async fn append_all(
        &self,
        before: &[Option<&Activation>],
        appends: Vec<Append>,
    ) -> Result<Vec<Recorded>, AppendError> {
        let recorded = self.ports.journal.append_all(appends.clone()).await?;
        for ((before, append), recorded) in before.iter().zip(&appends).zip(&recorded) {
            self.tell(*before, recorded, &append.events);
        }
        self.nudge.notify_one();
        Ok(recorded)
    }

    fn tell(&self, before: Option<&Activation>, recorded: &Recorded, events: &[Event]) {
        self.tally.recorded(before, recorded, events);
        for event in events {
            tracing::info!(activation = %recorded.id, event = event.change.word(),
                role = %recorded.request.asked.role, holder = %recorded.request.asked.principal.object, "recorded");
        }
        // Nobody listening is no fault.
        let _ = self.changes.send(recorded.id);
    }
}

/// `first`, and the changes that are due the moment it has happened and need nothing from outside.
fn with_consequences(first: Event, mut after: Activation, now: Now) -> Result<Vec<Event>, Refusal> {
    let mut events = vec![first];
    while let Due::Record(change) = due::due(&after, now) {
        let event = Event { at: now.latest(), by: Actor::Broker, change };
        after = after.apply(&event)?;
        events.push(event);
    }
    Ok(events)
}

/// The groups among `subjects`.
fn groups_among<'s>(
    subjects: impl IntoIterator<Item = &'s elevate_core::names::Subject>,
) -> BTreeSet<ObjectId> {
    subjects
        .into_iter()
        .filter_map(|subject| match subject {
            elevate_core::names::Subject::Group(id) => Some(*id),
            elevate_core::names::Subject::User(_) => None,
        })
        .collect()
}

fn person(caller: &Caller) -> Result<(), Refusal> {
    match caller.kind {
        CallerKind::Person => Ok(()),
        CallerKind::Workload => Err(Refusal::PeopleOnly),
    }
}

fn has_one_of(caller: &Caller, roles: &[AppRole]) -> Result<(), Refusal> {
    if roles.iter().any(|role| caller.roles.contains(role)) {
        Ok(())
    } else {
        Err(Refusal::NotAllowed { wanted: roles.to_vec() })
    }
}

#[cfg(test)]
pub(crate) mod tests;
