//! The tenant's directory: people, groups, role assignments and PIM's schedules.
//!
//! [`Directory`] is the handle that a test holds. It shows the truth at once; what Graph shows of it, and how
//! late, is the business of the `graph` module and of [`Lag`]. PIM's own clockwork runs whenever somebody
//! looks: everything due by then has happened, at the time it was due.

mod eligibility;
mod groups;
mod lag;
mod pim;
mod problem;
mod roles;
mod settings;
mod state;

pub use eligibility::Eligibility;
pub use groups::{Membership, Relation};
pub use lag::{Lag, Life};
pub use pim::{Privilege, Schedule, ScheduleRequest};
pub use roles::Assignment;
pub use settings::RoleSettings;
pub use state::User;

pub(crate) use groups::{Group, person};
pub(crate) use lag::View;
pub(crate) use pim::{End, Revision, Wish};
pub(crate) use problem::Problem;
pub(crate) use settings::policy_id;
pub(crate) use state::{ObjectKind, State};

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Behaviour, Clock, Strength,
    people::{App, Role},
};

/// A handle to the directory. Clones share it.
#[derive(Clone, Debug)]
pub struct Directory {
    clock: Clock,
    state: Arc<Mutex<State>>,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Directory {
    pub(crate) fn new(clock: Clock, lag: Lag, behaviour: Arc<Mutex<Behaviour>>) -> Self {
        let state = State::populated(clock.now(), lag);
        Self { clock, state: Arc::new(Mutex::new(state)), behaviour }
    }

    /// The role assignments there are now, whoever made them.
    #[must_use]
    pub fn assignments(&self) -> Vec<Assignment> {
        self.look(|state| state.assignments.iter().filter(|a| a.life.lasts()).cloned().collect())
    }

    /// Every role assignment there ever was, oldest first, with when it was made and removed.
    #[must_use]
    pub fn every_assignment(&self) -> Vec<Assignment> {
        self.look(|state| state.assignments.clone())
    }

    /// Everybody who ever was in a group or owned one, oldest first, with when it began and ended.
    #[must_use]
    pub fn every_membership(&self) -> Vec<Membership> {
        self.look(|state| state.memberships.clone())
    }

    /// Whether the principal holds the role at this scope now, directly.
    #[must_use]
    pub fn holds(&self, principal: &str, role: &Role, scope: &str) -> bool {
        self.look(|state| state.holder(principal, role.id, scope).is_some())
    }

    /// Every PIM request ever made, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<ScheduleRequest> {
        self.look(|state| state.requests.clone())
    }

    /// A PIM request that was provisioned elsewhere, in an earlier life of this tenant: it and what it gives are here
    /// from now on.
    pub fn put_back(&self, request: ScheduleRequest) {
        self.change(|state, now| state.put_back(request, now));
    }

    /// The PIM schedules that run or wait for their start.
    #[must_use]
    pub fn schedules(&self) -> Vec<Schedule> {
        self.look(|state| state.schedules.iter().filter(|s| s.life.lasts()).cloned().collect())
    }

    /// Who may activate what, by PIM's own account.
    #[must_use]
    pub fn eligibilities(&self) -> Vec<Eligibility> {
        self.look(|state| state.eligibilities.iter().filter(|e| e.life.lasts()).cloned().collect())
    }

    /// Makes somebody eligible in PIM, from now until `end` or for good. Gives the id of the schedule.
    pub fn make_eligible(&self, principal: &str, what: Privilege, end: Option<Timestamp>) -> Result<String> {
        self.change(|state, now| state.make_eligible(principal, what, end, now))
            .map_err(|problem| anyhow!("{}: {}", problem.code, problem.message))
    }

    /// Ends an eligibility. `false` if there was none with that id.
    #[must_use]
    pub fn end_eligibility(&self, id: &str) -> bool {
        self.change(|state, now| state.end_eligibility(id, now))
    }

    /// Sets the terms on which PIM lets people activate this, at every scope.
    pub fn set_role_settings(&self, what: &Privilege, settings: RoleSettings) {
        self.change(|state, _| state.settings.insert(policy_id(what), settings));
    }

    /// Somebody assigns a role for good, outside PIM. Gives the assignment's id.
    pub fn assign_in_portal(&self, principal: &str, role: &str, scope: &str) -> Result<String> {
        let duplicate = self.behaviour().duplicate;
        self.change(|state, now| {
            state.assign(principal, role, scope, None, now, duplicate).map(|assignment| assignment.id)
        })
        .map_err(|problem| anyhow!("{}: {}", problem.code, problem.message))
    }

    /// Somebody removes an assignment, PIM's or not. `false` if there was none with that id.
    #[must_use]
    pub fn remove_in_portal(&self, assignment: &str) -> bool {
        self.change(|state, now| state.unassign(assignment, now))
    }

    /// Adds a person and gives the object id. Until [`Lag::get`] has passed, Graph knows nothing of them.
    #[must_use]
    pub fn add_user(&self, name: &str, display_name: &str) -> String {
        self.change(|state, now| state.add_user(&uuid::Uuid::new_v4().to_string(), name, display_name, now))
    }

    /// Deletes a person, and with them their memberships and assignments. `false` if there is no such person.
    #[must_use]
    pub fn delete_user(&self, id: &str) -> bool {
        self.change(|state, now| state.delete_user(id, now))
    }

    /// A person by object id, user principal name or short name.
    #[must_use]
    pub fn user(&self, who: &str) -> Option<User> {
        self.look(|state| state.user(who).cloned())
    }

    /// Lets a person sign in, or not.
    pub fn set_enabled(&self, who: &str, enabled: bool) -> Result<()> {
        let now = self.clock.now();
        self.user_change(who, |user| {
            if user.enabled != enabled {
                user.enabled = enabled;
                user.switched = now;
            }
        })
    }

    /// Shorthand for [`Directory::set_enabled`] with `false`.
    pub fn disable(&self, who: &str) -> Result<()> {
        self.set_enabled(who, false)
    }

    /// How a person signs in when a script does not say: how strongly, and how long ago the session began.
    pub fn set_sign_in(&self, who: &str, strength: Option<Strength>, age: SignedDuration) -> Result<()> {
        self.user_change(who, |user| {
            user.strength = strength;
            user.session_age = age;
        })
    }

    /// Ends a person's sessions: refresh tokens from before now are worth nothing.
    pub fn revoke_sessions(&self, who: &str) -> Result<()> {
        let now = self.clock.now();
        self.user_change(who, |user| user.sessions_valid_from = now)
    }

    /// The object ids directly in a group.
    #[must_use]
    pub fn members(&self, group: &str) -> Vec<String> {
        self.related(group, Relation::Member)
    }

    /// The object ids of a group's owners.
    #[must_use]
    pub fn owners(&self, group: &str) -> Vec<String> {
        self.related(group, Relation::Owner)
    }

    /// Puts a person or a group into a group, whatever kind of group it is; nothing happens if it is there.
    pub fn add_member(&self, group: &str, member: &str) -> Result<()> {
        self.relate(group, Relation::Member, member)
    }

    /// Makes somebody an owner of a group; nothing happens if they are one.
    pub fn add_owner(&self, group: &str, owner: &str) -> Result<()> {
        self.relate(group, Relation::Owner, owner)
    }

    /// Takes somebody out of a group. `false` if they were not in it.
    #[must_use]
    pub fn remove_member(&self, group: &str, member: &str) -> bool {
        self.change(|state, now| state.unrelate(group, Relation::Member, member, now))
    }

    /// Takes a group away from an owner, be it the last one. `false` if they were none.
    #[must_use]
    pub fn remove_owner(&self, group: &str, owner: &str) -> bool {
        self.change(|state, now| state.unrelate(group, Relation::Owner, owner, now))
    }

    /// Adds an empty group and gives its object id.
    #[must_use]
    pub fn add_group(&self, name: &str, role_assignable: bool) -> String {
        let (id, name) = (uuid::Uuid::new_v4().to_string(), name.to_owned());
        self.change(|state, now| {
            let life = Life::from(now);
            state.add_group(Group { id, name, role_assignable, rule: None, synced: false, life })
        })
    }

    /// Every group that the object is in, also by way of other groups.
    #[must_use]
    pub fn groups_of(&self, object: &str) -> Vec<String> {
        self.look(|state| state.groups_of(object, View::TRUTH))
    }

    /// The Graph permissions of an application.
    #[must_use]
    pub fn permissions(&self, app: &App) -> Vec<String> {
        self.look(|state| state.permissions_of(app.client_id).into_iter().collect())
    }

    /// Sets the Graph permissions of an application. They hold for calls from now on.
    pub fn set_permissions<'a>(&self, app: &App, permissions: impl IntoIterator<Item = &'a str>) {
        let permissions = permissions.into_iter().map(str::to_owned).collect();
        self.change(|state, _| state.permissions.insert(app.client_id.to_owned(), permissions));
    }

    /// Takes one Graph permission from an application. `false` if it did not have it.
    #[must_use]
    pub fn take_permission(&self, app: &App, permission: &str) -> bool {
        self.change(|state, _| {
            state.permissions.get_mut(app.client_id).is_some_and(|held| held.remove(permission))
        })
    }

    /// How far Graph lags behind.
    #[must_use]
    pub fn lag(&self) -> Lag {
        self.look(|state| state.lag)
    }

    /// Changes how far Graph lags behind, also for what has happened already.
    pub fn set_lag(&self, lag: Lag) {
        self.change(|state, _| state.lag = lag);
    }

    pub(crate) fn app_roles(&self, object: &str) -> Vec<&'static str> {
        crate::people::APP_ROLES
            .iter()
            .filter(|role| role.held_by.contains(&object))
            .map(|role| role.value)
            .collect()
    }

    pub(crate) fn display_name(&self, object: &str) -> Option<String> {
        self.look(|state| state.user(object).map(|user| user.display_name.clone()))
    }

    pub(crate) fn look<T>(&self, f: impl FnOnce(&State) -> T) -> T {
        self.change(|state, _| f(state))
    }

    pub(crate) fn change<T>(&self, f: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.settle(now);
        f(&mut state, now)
    }

    fn related(&self, group: &str, relation: Relation) -> Vec<String> {
        self.look(|state| state.related(group, relation, View::TRUTH).map(|m| m.object.clone()).collect())
    }

    fn relate(&self, group: &str, relation: Relation, object: &str) -> Result<()> {
        self.change(|state, now| {
            state.group(group).with_context(|| format!("there is no group `{group}`"))?;
            state.kind_of(object).with_context(|| format!("there is no object `{object}`"))?;
            state.relate(group, relation, object, None, now);
            Ok(())
        })
    }

    fn user_change(&self, who: &str, f: impl FnOnce(&mut User)) -> Result<()> {
        self.change(|state, _| {
            state.user_mut(who).map(f).with_context(|| format!("there is no person `{who}`"))
        })
    }

    fn behaviour(&self) -> Behaviour {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
