//! Groups, their members and their owners.

use jiff::Timestamp;

use super::{
    Life, Problem, State,
    lag::View,
    state::{ObjectKind, User},
};
use crate::AbsentMember;

/// What somebody is to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// In it.
    Member,
    /// May change it. An owner is not thereby a member.
    Owner,
}

impl Relation {
    /// What PIM calls it: `accessId`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }

    /// What Graph calls the collection.
    fn collection(self) -> &'static str {
        match self {
            Self::Member => "members",
            Self::Owner => "owners",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role_assignable: bool,
    /// The rule that fills a dynamic group.
    pub(crate) rule: Option<String>,
    /// Whether it is kept on the premises and only copied here (`onPremisesSyncEnabled`).
    pub(crate) synced: bool,
    pub(crate) life: Life,
}

/// Somebody is directly in a group, or owns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The group's object id.
    pub group: String,
    /// In it, or owning it.
    pub relation: Relation,
    /// The object id of who is.
    pub object: String,
    /// The PIM schedule behind it; none if it was made outside PIM.
    pub schedule: Option<String>,
    /// From when until when.
    pub life: Life,
}

impl State {
    pub(crate) fn add_group(&mut self, group: Group) -> String {
        let id = group.id.clone();
        self.groups.push(group);
        id
    }

    pub(crate) fn group(&self, id: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.life.lasts() && group.id == id)
    }

    /// The direct memberships of a group, or its ownerships.
    pub(crate) fn related(
        &self,
        group: &str,
        relation: Relation,
        view: View,
    ) -> impl Iterator<Item = &Membership> {
        let wanted = move |m: &&Membership| m.relation == relation && m.group == group && view.shows(&m.life);
        self.memberships.iter().filter(wanted)
    }

    /// The membership of exactly this object. One may have been made and ended before: the last one counts.
    pub(crate) fn membership(
        &self,
        group: &str,
        relation: Relation,
        object: &str,
        view: View,
    ) -> Option<&Membership> {
        self.related(group, relation, view).filter(|m| m.object == object).last()
    }

    /// Whatever Graph would say about it. `false` if it is there already.
    pub(crate) fn relate(
        &mut self,
        group: &str,
        relation: Relation,
        object: &str,
        schedule: Option<&str>,
        now: Timestamp,
    ) -> bool {
        if self.membership(group, relation, object, View::TRUTH).is_some() {
            return false;
        }
        self.memberships.push(Membership {
            group: group.to_owned(),
            relation,
            object: object.to_owned(),
            schedule: schedule.map(str::to_owned),
            life: Life::from(now),
        });
        true
    }

    /// Whatever Graph would say about it; the PIM schedule behind it ends too. `false` if there was nothing.
    pub(crate) fn unrelate(&mut self, group: &str, relation: Relation, object: &str, now: Timestamp) -> bool {
        let found = self
            .memberships
            .iter_mut()
            .find(|m| m.life.lasts() && m.group == group && m.relation == relation && m.object == object);
        let Some(membership) = found else { return false };
        membership.life.gone = Some(now);
        if let Some(schedule) = membership.schedule.clone() {
            self.end_schedule(&schedule, now);
        }
        true
    }

    /// Adds somebody as Graph does, by reference.
    pub(crate) fn join(
        &mut self,
        group: &str,
        relation: Relation,
        object: &str,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.may_relate(group, relation, object, now)?;
        if self.relate(group, relation, object, None, now) {
            return Ok(());
        }
        Err(Problem::bad(format!(
            "One or more added object references already exist for the following modified properties: '{}'.",
            relation.collection()
        )))
    }

    /// Removes somebody as Graph does, by reference. One that is not replicated yet, or gone already, is not there.
    pub(crate) fn leave(
        &mut self,
        group: &str,
        relation: Relation,
        object: &str,
        now: Timestamp,
        absent: AbsentMember,
    ) -> Result<(), Problem> {
        self.may_change(group)?;
        let view = View { now, lag: self.lag.get };
        if !self.membership(group, relation, object, view).is_some_and(|m| m.life.lasts()) {
            return Err(nobody(relation, object, absent));
        }
        if self.is_last_owner(group, relation, object) {
            return Err(last_owner());
        }
        self.unrelate(group, relation, object, now);
        Ok(())
    }

    /// Whether the object can come to be this to the group, if it is not yet.
    pub(crate) fn may_relate(
        &self,
        group: &str,
        relation: Relation,
        object: &str,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.may_change(group)?;
        let role_assignable = self.group(group).is_some_and(|group| group.role_assignable);
        match (self.kind_of(object).filter(|_| self.replicated(object, now)), relation) {
            (None, _) => Err(Problem::not_found(object)),
            (Some(ObjectKind::Group), Relation::Member) if role_assignable => Err(Problem::bad(
                "Nesting is currently not supported for groups that can be assigned to a role.",
            )),
            (Some(ObjectKind::Group), Relation::Owner) => {
                Err(Problem::bad("The specified object type cannot be the owner of a group."))
            }
            (Some(_), _) => Ok(()),
        }
    }

    /// A rule fills a dynamic group, and a synchronised one is filled on the premises.
    fn may_change(&self, group: &str) -> Result<(), Problem> {
        let group = self.group(group).ok_or_else(|| Problem::not_found(group))?;
        if group.rule.is_some() {
            return Err(Problem::denied());
        }
        if group.synced {
            return Err(Problem::bad(
                "Unable to update the specified properties for on-premises mastered Directory Sync objects or \
                 objects currently undergoing migration.",
            ));
        }
        Ok(())
    }

    /// Once people own a group, one of them always does.
    pub(crate) fn is_last_owner(&self, group: &str, relation: Relation, object: &str) -> bool {
        let is_user = |id: &str| self.users.iter().any(|user| user.life.lasts() && user.id == id);
        let mut others = self.related(group, Relation::Owner, View::TRUTH).filter(|m| m.object != object);
        relation == Relation::Owner && is_user(object) && !others.any(|m| is_user(&m.object))
    }

    /// Groups within groups are followed once each, so a circle of groups ends.
    pub(crate) fn groups_of(&self, object: &str, view: View) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut open = vec![object.to_owned()];
        while let Some(object) = open.pop() {
            for group in self.direct_groups_of(&object, view) {
                if !found.iter().any(|each| each == group) {
                    found.push(group.to_owned());
                    open.push(group.to_owned());
                }
            }
        }
        found
    }

    pub(crate) fn direct_groups_of(&self, object: &str, view: View) -> impl Iterator<Item = &str> {
        let wanted = move |m: &&Membership| {
            m.relation == Relation::Member && m.object == object && view.shows(&m.life)
        };
        self.memberships.iter().filter(wanted).map(|m| m.group.as_str())
    }

    /// Everything in a group, also by way of other groups, and those groups too.
    pub(crate) fn transitive_members(&self, group: &str, view: View) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut open = vec![group.to_owned()];
        while let Some(group) = open.pop() {
            for membership in self.related(&group, Relation::Member, view) {
                if !found.contains(&membership.object) {
                    found.push(membership.object.clone());
                    open.push(membership.object.clone());
                }
            }
        }
        found
    }

    /// A deleted person is in no group and owns none, not even as the last one.
    pub(crate) fn forget_memberships(&mut self, object: &str, now: Timestamp) {
        let of: Vec<Membership> =
            self.memberships.iter().filter(|m| m.life.lasts() && m.object == object).cloned().collect();
        for membership in of {
            self.unrelate(&membership.group, membership.relation, object, now);
        }
    }
}

/// The person among a group's members, for whoever asks for people only.
pub(crate) fn person<'s>(state: &'s State, id: &str) -> Option<&'s User> {
    state.users.iter().find(|user| user.life.lasts() && user.id == id)
}

fn nobody(relation: Relation, object: &str, absent: AbsentMember) -> Problem {
    match absent {
        AbsentMember::NotFound => Problem::not_found(object),
        AbsentMember::BadRequest => Problem::bad(format!(
            "One or more removed object references do not exist for the following modified properties: '{}'.",
            relation.collection()
        )),
    }
}

pub(crate) fn last_owner() -> Problem {
    Problem::bad("The group must have at least one owner, hence this owner cannot be removed.")
}
