//! Role assignments as such, `roleManagement/directory/roleAssignments`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Life, Problem, State, state::ObjectKind};
use crate::{Duplicate, people};

/// Somebody holds a role at a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Its id: opaque, and made from the three that follow, so the same assignment made again has it again.
    pub id: String,
    /// The object id of who holds it.
    pub principal: String,
    /// The role's id.
    pub role: String,
    /// The scope, `/` for the whole tenant.
    pub scope: String,
    /// The PIM schedule behind it; none if it was made outside PIM.
    pub schedule: Option<String>,
    /// From when until when.
    pub life: Life,
}

impl State {
    /// The assignment for exactly this principal, role and scope, if there is one now.
    pub(crate) fn holder(&self, principal: &str, role: &str, scope: &str) -> Option<&Assignment> {
        self.assignments
            .iter()
            .find(|a| a.life.lasts() && a.principal == principal && a.role == role && a.scope == scope)
    }

    pub(crate) fn assign(
        &mut self,
        principal: &str,
        role: &str,
        scope: &str,
        schedule: Option<&str>,
        now: Timestamp,
        duplicate: Duplicate,
    ) -> Result<Assignment, Problem> {
        self.can_hold(principal, now)?;
        if !people::ROLES.iter().any(|each| each.id == role) {
            return Err(Problem::not_found(role));
        }
        self.check_scope(scope)?;
        if self.holder(principal, role, scope).is_some() {
            return Err(conflict(duplicate));
        }
        let assignment = Assignment {
            id: assignment_id(principal, role, scope),
            principal: principal.to_owned(),
            role: role.to_owned(),
            scope: scope.to_owned(),
            schedule: schedule.map(str::to_owned),
            life: Life::from(now),
        };
        self.assignments.push(assignment.clone());
        Ok(assignment)
    }

    /// Ends the assignment, and the schedule behind it if there is one.
    pub(crate) fn unassign(&mut self, id: &str, at: Timestamp) -> bool {
        let Some(assignment) = self.assignments.iter_mut().find(|a| a.life.lasts() && a.id == id) else {
            return false;
        };
        assignment.life.gone = Some(at);
        if let Some(schedule) = assignment.schedule.clone() {
            self.end_schedule(&schedule, at);
        }
        true
    }

    /// A principal that has not been replicated yet cannot be referred to.
    fn can_hold(&self, principal: &str, now: Timestamp) -> Result<(), Problem> {
        match self.kind_of(principal).filter(|_| self.replicated(principal, now)) {
            None => Err(Problem::not_found(principal)),
            Some(ObjectKind::Group) if !self.group(principal).is_some_and(|group| group.role_assignable) => {
                Err(Problem::bad("The group is not role-assignable: 'isAssignableToRole' must be true."))
            }
            Some(_) => Ok(()),
        }
    }

    /// The tenant, the administrative unit, or one object without any segment before its id.
    pub(crate) fn check_scope(&self, scope: &str) -> Result<(), Problem> {
        let object = scope.strip_prefix('/').ok_or_else(|| {
            Problem::bad(
                "Invalid value specified for property 'directoryScopeId' of resource 'RoleAssignment'.",
            )
        })?;
        let known = object.is_empty()
            || object.strip_prefix("administrativeUnits/").is_some_and(|unit| unit == people::UNIT)
            || people::REGISTRATIONS.iter().any(|registration| registration.id == object)
            || people::APPS.iter().any(|app| app.object_id == object)
            || self.group(object).is_some();
        if known { Ok(()) } else { Err(Problem::not_found(object)) }
    }
}

fn conflict(duplicate: Duplicate) -> Problem {
    match duplicate {
        Duplicate::BadRequest => Problem::bad(
            "A conflicting object with one or more of the specified property values is present in the directory.",
        ),
        Duplicate::Conflict => Problem::new(
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            "A conflicting object with one or more of the specified property values is present in the directory.",
        )
        .detail("ConflictingObjects"),
    }
}

fn assignment_id(principal: &str, role: &str, scope: &str) -> String {
    let bytes = |id: &str| Uuid::parse_str(id).unwrap_or_default().to_bytes_le();
    let mut id = [bytes(role), bytes(principal)].concat();
    if scope == "/" {
        return format!("{}-1", URL_SAFE_NO_PAD.encode(id));
    }
    let object = scope.rsplit('/').next().unwrap_or_default();
    id.extend(bytes(object));
    format!("{}-2", URL_SAFE_NO_PAD.encode(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_begin_with_the_role_as_the_real_ones_do() {
        let id = assignment_id(people::ANN.id, people::GLOBAL_ADMINISTRATOR.id, "/");
        assert!(id.starts_with("lAPpYvVpN0KRkAEhdxReE") && id.ends_with("-1"), "{id}");
    }
}
