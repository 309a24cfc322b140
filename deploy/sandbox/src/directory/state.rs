//! What the directory holds. Nothing is ever taken out of the vectors: what is gone has an end to its life, so
//! that a reader who lags behind still finds it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{
    Assignment, Eligibility, Lag, Life, Membership, Relation, RoleSettings, Schedule, ScheduleRequest,
    groups::Group, lag::View,
};
use crate::{Strength, people};

/// A person in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The object id.
    pub id: String,
    /// The short name.
    pub name: String,
    /// The name that people read.
    pub display_name: String,
    /// Whether they may sign in (`accountEnabled`).
    pub enabled: bool,
    /// When that changed last.
    pub switched: Timestamp,
    /// How strongly they sign in when a script does not say.
    pub strength: Option<Strength>,
    /// How old their session is then.
    pub session_age: SignedDuration,
    /// Sessions from before this are void.
    pub sessions_valid_from: Timestamp,
    /// From when until when.
    pub life: Life,
}

impl User {
    /// The name they sign in with.
    #[must_use]
    pub fn user_principal_name(&self) -> String {
        format!("{}@{}", self.name, people::DOMAIN)
    }

    /// What a reader that lags behind takes for `accountEnabled`.
    pub(crate) fn seems_enabled(&self, view: View) -> bool {
        // A new account is enabled from its first day; only a switch after that is seen late.
        let news = self.switched > self.life.born && !view.shows(&Life::from(self.switched));
        self.enabled != news
    }
}

/// What kind of directory object an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    User,
    Group,
    ServicePrincipal,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) lag: Lag,
    pub(crate) users: Vec<User>,
    pub(crate) groups: Vec<Group>,
    pub(crate) memberships: Vec<Membership>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) schedules: Vec<Schedule>,
    pub(crate) requests: Vec<ScheduleRequest>,
    pub(crate) eligibilities: Vec<Eligibility>,
    /// PIM's role settings by policy id, where they are not the usual ones.
    pub(crate) settings: BTreeMap<String, RoleSettings>,
    /// Graph permissions by client id.
    pub(crate) permissions: BTreeMap<String, BTreeSet<String>>,
}

impl State {
    /// The tenant as it is at the start, with everybody long replicated.
    pub(crate) fn populated(now: Timestamp, lag: Lag) -> Self {
        let long_ago = now.saturating_sub(SignedDuration::from_hours(24 * 365)).unwrap_or(now);
        let broker: BTreeSet<String> = people::BROKER_PERMISSIONS.iter().map(ToString::to_string).collect();
        let mut state = Self {
            lag,
            users: Vec::new(),
            groups: Vec::new(),
            memberships: Vec::new(),
            assignments: Vec::new(),
            schedules: Vec::new(),
            requests: Vec::new(),
            eligibilities: Vec::new(),
            settings: BTreeMap::new(),
            permissions: [people::BROKER, people::HOST]
                .map(|app| (app.client_id.to_owned(), broker.clone()))
                .into(),
        };
        for person in people::EVERYBODY {
            state.add_user(person.id, person.name, person.display_name, long_ago);
        }
        for group in people::GROUPS {
            state.add_group(Group {
                id: group.id.to_owned(),
                name: group.name.to_owned(),
                role_assignable: group.role_assignable,
                rule: group.rule.map(str::to_owned),
                synced: group.synced,
                life: Life::from(long_ago),
            });
            for member in group.members {
                state.relate(group.id, Relation::Member, member, None, long_ago);
            }
            for owner in group.owners {
                state.relate(group.id, Relation::Owner, owner, None, long_ago);
            }
        }
        state
    }

    pub(crate) fn add_user(&mut self, id: &str, name: &str, display_name: &str, now: Timestamp) -> String {
        self.users.push(User {
            id: id.to_owned(),
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            enabled: true,
            switched: now,
            strength: None,
            session_age: SignedDuration::ZERO,
            sessions_valid_from: now,
            life: Life::from(now),
        });
        id.to_owned()
    }

    pub(crate) fn delete_user(&mut self, id: &str, now: Timestamp) -> bool {
        let Some(user) = self.users.iter_mut().find(|user| user.life.lasts() && user.id == id) else {
            return false;
        };
        user.life.gone = Some(now);
        self.forget_memberships(id, now);
        let held: Vec<_> =
            self.assignments.iter().filter(|a| a.life.lasts() && a.principal == id).cloned().collect();
        for assignment in held {
            self.unassign(&assignment.id, now);
        }
        let waiting: Vec<_> =
            self.schedules.iter().filter(|s| s.life.lasts() && s.principal == id).cloned().collect();
        for schedule in waiting {
            self.end_schedule(&schedule.id, now);
        }
        for eligibility in self.eligibilities.iter_mut().filter(|e| e.life.lasts() && e.principal == id) {
            eligibility.life.gone = Some(now);
        }
        true
    }

    pub(crate) fn user(&self, who: &str) -> Option<&User> {
        self.users.iter().find(|user| user.life.lasts() && answers_to(user, who))
    }

    pub(crate) fn user_mut(&mut self, who: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.life.lasts() && answers_to(user, who))
    }

    pub(crate) fn kind_of(&self, id: &str) -> Option<ObjectKind> {
        if self.users.iter().any(|user| user.life.lasts() && user.id == id) {
            Some(ObjectKind::User)
        } else if self.group(id).is_some() {
            Some(ObjectKind::Group)
        } else if people::APPS.iter().any(|app| app.object_id == id) {
            Some(ObjectKind::ServicePrincipal)
        } else {
            None
        }
    }

    /// Whether a new object has reached the replica that is asked.
    pub(crate) fn replicated(&self, id: &str, now: Timestamp) -> bool {
        let user = self.users.iter().find(|user| user.id == id).map(|user| user.life);
        let life = user.or_else(|| self.groups.iter().find(|group| group.id == id).map(|group| group.life));
        life.is_none_or(|life| life.shows(now, self.lag.get))
    }

    pub(crate) fn permissions_of(&self, client_id: &str) -> BTreeSet<String> {
        self.permissions.get(client_id).cloned().unwrap_or_default()
    }
}

fn answers_to(user: &User, who: &str) -> bool {
    user.id == who
        || user.name.eq_ignore_ascii_case(who)
        || user.user_principal_name().eq_ignore_ascii_case(who)
}
