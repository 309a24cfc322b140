//! Privileged Identity Management: requests, the schedules they leave, and their clockwork.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Life, Problem, State};
use crate::{Duplicate, people};

/// Nothing that PIM made active may be removed sooner.
const SHORTEST_ACTIVE: SignedDuration = SignedDuration::from_mins(5);
/// A start this far in the past still counts as now: the caller's clock may be behind.
const LATE_START: SignedDuration = SignedDuration::from_mins(5);

/// A `roleAssignmentScheduleRequest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRequest {
    /// Its id, a GUID.
    pub id: String,
    /// `adminAssign` or `adminRemove`.
    pub action: &'static str,
    /// `PendingProvisioning`, `Provisioned`, `Granted`, `Revoked`, `Canceled` or `Failed`.
    pub status: &'static str,
    /// The object id of whom it is about.
    pub principal: String,
    /// The role's id.
    pub role: String,
    /// The scope.
    pub scope: String,
    /// What was given as the reason.
    pub justification: Option<String>,
    /// The ticket's number and the system it is in.
    pub ticket: (Option<String>, Option<String>),
    /// The object id of the service principal that made it.
    pub created_by: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it came to its end.
    pub completed: Option<Timestamp>,
    /// The schedule it made or ended.
    pub schedule: Option<String>,
    /// From when the role is held.
    pub start: Option<Timestamp>,
    /// Until when; none for good, and for a removal.
    pub end: Option<Timestamp>,
    /// How the end was given: `noExpiration`, `afterDateTime` or `afterDuration`.
    pub expiration: &'static str,
    /// The duration as it was given.
    pub duration: Option<String>,
}

/// A `roleAssignmentSchedule`: from when until when PIM sees to it that a role is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its id, which is that of the request behind it.
    pub id: String,
    /// The object id of who is to hold it.
    pub principal: String,
    /// The role's id.
    pub role: String,
    /// The scope.
    pub scope: String,
    /// From when.
    pub start: Timestamp,
    /// Until when; none for good.
    pub end: Option<Timestamp>,
    /// When the role is really held: the start, or as long after it as provisioning takes.
    pub ready: Timestamp,
    /// Whether it has made its assignment.
    pub live: bool,
    /// From when until when there is this schedule.
    pub life: Life,
}

/// What a caller asks PIM for, read from the request's body.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) principal: String,
    pub(crate) role: String,
    pub(crate) scope: String,
    pub(crate) justification: Option<String>,
    pub(crate) ticket: (Option<String>, Option<String>),
    pub(crate) created_by: String,
    pub(crate) start: Option<Timestamp>,
    pub(crate) end: End,
    pub(crate) validation_only: bool,
}

/// How long.
#[derive(Clone, Debug)]
pub(crate) enum End {
    Never,
    At(Timestamp),
    After(SignedDuration, String),
}

impl State {
    /// Lets happen what was due by now, at the time it was due.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        for index in 0..self.schedules.len() {
            let Some(schedule) = self.schedules.get(index).filter(|s| s.life.lasts()).cloned() else {
                continue;
            };
            if !schedule.live && schedule.ready <= now {
                self.provision(index, &schedule);
            }
            if schedule.end.is_some_and(|end| end <= now) {
                self.expire(&schedule);
            }
        }
    }

    pub(crate) fn admin_assign(&mut self, wish: Wish, now: Timestamp) -> Result<ScheduleRequest, Problem> {
        self.check_subject(&wish, now)?;
        let (start, end) = self.term(&wish, now)?;
        let same = |s: &&Schedule| {
            s.life.lasts() && s.principal == wish.principal && s.role == wish.role && s.scope == wish.scope
        };
        match self.schedules.iter().find(same) {
            Some(waiting) if !waiting.live && waiting.start <= now => return Err(pending()),
            Some(_) => return Err(exists()),
            None if self.holder(&wish.principal, &wish.role, &wish.scope).is_some() => return Err(exists()),
            None => {}
        }
        let id = if wish.validation_only { Uuid::nil() } else { Uuid::new_v4() }.to_string();
        let (expiration, duration) = match &wish.end {
            End::Never => ("noExpiration", None),
            End::At(_) => ("afterDateTime", None),
            End::After(_, duration) => ("afterDuration", Some(duration.clone())),
        };
        let future = start > now;
        let request = ScheduleRequest {
            id: id.clone(),
            action: "adminAssign",
            // 201 is not yet a role: it is provisioned some time after.
            status: if future || wish.validation_only { "Granted" } else { "PendingProvisioning" },
            principal: wish.principal,
            role: wish.role,
            scope: wish.scope,
            justification: wish.justification,
            ticket: wish.ticket,
            created_by: wish.created_by,
            created: now,
            completed: None,
            schedule: Some(id.clone()),
            start: Some(start),
            end,
            expiration,
            duration,
        };
        if wish.validation_only {
            return Ok(request);
        }
        self.schedules.push(Schedule {
            id,
            principal: request.principal.clone(),
            role: request.role.clone(),
            scope: request.scope.clone(),
            start,
            end,
            ready: start.saturating_add(self.lag.provision).unwrap_or(start),
            live: false,
            life: Life::from(now),
        });
        self.requests.push(request.clone());
        Ok(request)
    }

    /// Removes whatever the triple holds, also what was made outside PIM: the key is the triple and nothing else.
    pub(crate) fn admin_remove(&mut self, wish: Wish, now: Timestamp) -> Result<ScheduleRequest, Problem> {
        self.check_subject(&wish, now)?;
        let schedule = self
            .schedules
            .iter()
            .find(|s| {
                s.life.lasts()
                    && s.principal == wish.principal
                    && s.role == wish.role
                    && s.scope == wish.scope
            })
            .cloned();
        let assignment = self.holder(&wish.principal, &wish.role, &wish.scope).cloned();
        match (&schedule, &assignment) {
            (None, None) => return Err(nothing_there()),
            (Some(waiting), None) if waiting.start <= now => return Err(pending()),
            (Some(_), Some(assignment)) if now.duration_since(assignment.life.born) < SHORTEST_ACTIVE => {
                return Err(too_short());
            }
            _ => {}
        }
        let request = ScheduleRequest {
            id: if wish.validation_only { Uuid::nil() } else { Uuid::new_v4() }.to_string(),
            action: "adminRemove",
            status: "Revoked",
            principal: wish.principal,
            role: wish.role,
            scope: wish.scope,
            justification: wish.justification,
            ticket: wish.ticket,
            created_by: wish.created_by,
            created: now,
            completed: Some(now),
            schedule: schedule.as_ref().map(|schedule| schedule.id.clone()),
            start: None,
            end: None,
            expiration: "notSpecified",
            duration: None,
        };
        if wish.validation_only {
            return Ok(request);
        }
        if let Some(assignment) = assignment {
            self.unassign(&assignment.id, now);
        } else if let Some(schedule) = schedule {
            self.end_schedule(&schedule.id, now);
        }
        self.requests.push(request.clone());
        Ok(request)
    }

    /// Only what has not begun can be cancelled.
    pub(crate) fn cancel(&mut self, id: &str, now: Timestamp) -> Result<(), Problem> {
        let request = self
            .requests
            .iter_mut()
            .find(|request| request.id == id)
            .ok_or_else(|| Problem::not_found(id))?;
        if request.status != "Granted" {
            let message = format!("The request cannot be canceled in status '{}'.", request.status);
            return Err(Problem::new(400, "InvalidRoleAssignmentRequest", message));
        }
        request.status = "Canceled";
        request.completed = Some(now);
        if let Some(schedule) = self.schedules.iter_mut().find(|schedule| schedule.id == id) {
            schedule.life.gone = Some(now);
        }
        Ok(())
    }

    /// The schedule is over before its time, because somebody removed what it was for.
    pub(crate) fn end_schedule(&mut self, id: &str, at: Timestamp) {
        if let Some(schedule) = self.schedules.iter_mut().find(|s| s.life.lasts() && s.id == id) {
            schedule.life.gone = Some(at);
        }
        self.finish(id, "Revoked", at);
    }

    fn provision(&mut self, index: usize, schedule: &Schedule) {
        let Schedule { id, principal, role, scope, ready, .. } = schedule;
        let assigned = self.assign(principal, role, scope, Some(id), *ready, Duplicate::BadRequest);
        if let Some(schedule) = self.schedules.get_mut(index) {
            schedule.live = assigned.is_ok();
            schedule.life.gone = assigned.is_err().then_some(*ready);
        }
        self.finish(id, if assigned.is_ok() { "Provisioned" } else { "Failed" }, *ready);
    }

    fn expire(&mut self, schedule: &Schedule) {
        let end = schedule.end.unwrap_or(schedule.ready);
        if let Some(schedule) = self.schedules.iter_mut().find(|s| s.life.lasts() && s.id == schedule.id) {
            schedule.life.gone = Some(end);
        }
        let mine = |a: &&mut super::Assignment| a.life.lasts() && a.schedule.as_deref() == Some(&schedule.id);
        if let Some(assignment) = self.assignments.iter_mut().find(mine) {
            assignment.life.gone = Some(end);
        }
    }

    fn finish(&mut self, request: &str, status: &'static str, at: Timestamp) {
        if let Some(request) = self.requests.iter_mut().find(|each| each.id == request) {
            request.status = status;
            request.completed = Some(at);
        }
    }

    fn check_subject(&self, wish: &Wish, now: Timestamp) -> Result<(), Problem> {
        if !people::ROLES.iter().any(|role| role.id == wish.role) {
            return Err(Problem::new(404, "RoleNotFound", "The role is not found."));
        }
        let known = self.kind_of(&wish.principal).is_some() && self.replicated(&wish.principal, now);
        if !known {
            return Err(Problem::new(404, "SubjectNotFound", "The subject is not found."));
        }
        self.check_scope(&wish.scope)
            .map_err(|_| Problem::new(400, "InvalidScope", "The directory scope is not valid."))
    }

    fn term(&self, wish: &Wish, now: Timestamp) -> Result<(Timestamp, Option<Timestamp>), Problem> {
        let asked = wish.start.unwrap_or(now);
        let invalid = |message| Problem::new(400, "InvalidRoleAssignmentRequestSchedule", message);
        if now.duration_since(asked) > LATE_START {
            return Err(invalid("The start of the schedule lies in the past."));
        }
        let start = asked.max(now);
        let end = match &wish.end {
            End::Never => None,
            End::At(end) => Some(*end),
            End::After(duration, _) => Some(
                start
                    .checked_add(*duration)
                    .map_err(|_| invalid("The end of the schedule is out of range."))?,
            ),
        };
        if end.is_some_and(|end| end <= start) {
            return Err(invalid("The schedule ends before it starts."));
        }
        Ok((start, end))
    }
}

fn exists() -> Problem {
    Problem::new(400, "RoleAssignmentExists", "The Role assignment already exists.")
}

fn nothing_there() -> Problem {
    Problem::new(400, "RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
}

fn pending() -> Problem {
    Problem::new(
        400,
        "PendingRoleAssignmentRequest",
        "There is already an existing pending Role assignment request.",
    )
}

fn too_short() -> Problem {
    // The spelling is Microsoft's.
    Problem::new(
        400,
        "ActiveDurationTooShort",
        "The Active duration is too short. Miniumum Required is 5 minutes.",
    )
}
