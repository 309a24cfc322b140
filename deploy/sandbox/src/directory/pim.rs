//! Privileged Identity Management: requests, and the schedules they leave. Its clockwork is in `clockwork`.

mod clockwork;
mod refusals;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Life, Problem, Relation, State, groups, lag::View};
use crate::people;
use refusals::{exists, invalid_schedule, nothing_there, pending, too_short};

/// Nothing that PIM made active may be removed sooner.
const SHORTEST_ACTIVE: SignedDuration = SignedDuration::from_mins(5);
/// A start this far in the past still counts as now: the caller's clock may be behind.
const LATE_START: SignedDuration = SignedDuration::from_mins(5);

/// What PIM gives for a time, or lets somebody ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// A directory role.
    Role {
        /// The role's id.
        role: String,
        /// The scope, `/` for the whole tenant.
        scope: String,
    },
    /// A place in a group: PIM for Groups.
    Group {
        /// The group's object id.
        group: String,
        /// Which place.
        relation: Relation,
    },
}

impl Privilege {
    /// A directory role at a scope.
    #[must_use]
    pub fn role(role: &people::Role, scope: &str) -> Self {
        Self::Role { role: role.id.to_owned(), scope: scope.to_owned() }
    }

    /// A place in a group.
    #[must_use]
    pub fn group(group: &people::Group, relation: Relation) -> Self {
        Self::Group { group: group.id.to_owned(), relation }
    }

    /// The id of a schedule that a request with this id makes.
    pub(crate) fn schedule_id(&self, request: &str) -> String {
        match self {
            Self::Role { .. } => request.to_owned(),
            Self::Group { group, relation } => format!("{group}_{}_{request}", relation.word()),
        }
    }
}

/// A `roleAssignmentScheduleRequest`, or an `assignmentScheduleRequest` of PIM for Groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRequest {
    /// Its id, a GUID.
    pub id: String,
    /// `adminAssign`, `adminUpdate`, `adminExtend` or `adminRemove`.
    pub action: &'static str,
    /// `PendingProvisioning`, `Provisioned`, `Granted`, `Revoked`, `Canceled` or `Failed`.
    pub status: &'static str,
    /// The object id of whom it is about.
    pub principal: String,
    /// What they are to have.
    pub what: Privilege,
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
    /// The schedule it made, changed or ended.
    pub schedule: Option<String>,
    /// From when it is held.
    pub start: Option<Timestamp>,
    /// Until when; none for good, and for a removal.
    pub end: Option<Timestamp>,
    /// How the end was given: `noExpiration`, `afterDateTime` or `afterDuration`.
    pub expiration: &'static str,
    /// The duration as it was given.
    pub duration: Option<String>,
}

/// A schedule: from when until when PIM sees to it that something is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its id, made from that of the request behind it.
    pub id: String,
    /// The id of the request behind it.
    pub request: String,
    /// The object id of who is to hold it.
    pub principal: String,
    /// What they are to hold.
    pub what: Privilege,
    /// From when.
    pub start: Timestamp,
    /// Until when; none for good.
    pub end: Option<Timestamp>,
    /// When it is really held: the start, or as long after it as provisioning takes.
    pub ready: Timestamp,
    /// Whether it is held already.
    pub live: bool,
    /// From when until when there is this schedule.
    pub life: Life,
}

/// What a caller asks PIM for, read from the request's body.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) principal: String,
    pub(crate) what: Privilege,
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

/// The two ways of changing what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revision {
    /// To any other end.
    Update,
    /// To a later end only.
    Extend,
}

/// What somebody has now.
struct Held {
    since: Timestamp,
    schedule: Option<String>,
}

impl State {
    pub(crate) fn admin_assign(&mut self, wish: Wish, now: Timestamp) -> Result<ScheduleRequest, Problem> {
        self.check_subject(&wish.principal, &wish.what, now)?;
        let start = from(wish.start.unwrap_or(now), now)?;
        let end = until(&wish.end, start)?;
        if end.is_some_and(|end| end <= start) {
            return Err(invalid_schedule("The schedule ends before it starts."));
        }
        if self.is_pending(&wish, now) {
            return Err(pending());
        }
        // Also one that is to start when the running one ends.
        if self.scheduled(&wish).is_some() || self.held(&wish.principal, &wish.what).is_some() {
            return Err(exists());
        }
        let validation_only = wish.validation_only;
        // 201 is not yet a role: it is provisioned some time after.
        let status = if start > now || validation_only { "Granted" } else { "PendingProvisioning" };
        let mut request = request(wish, "adminAssign", status, now);
        let schedule = request.what.schedule_id(&request.id);
        (request.start, request.end, request.schedule) = (Some(start), end, Some(schedule.clone()));
        if validation_only {
            return Ok(request);
        }
        self.schedules.push(Schedule {
            id: schedule,
            request: request.id.clone(),
            principal: request.principal.clone(),
            what: request.what.clone(),
            start,
            end,
            ready: self.provisioned(start),
            live: false,
            life: Life::from(now),
        });
        self.requests.push(request.clone());
        Ok(request)
    }

    /// As it was, without asking whether it may.
    pub(crate) fn put_back(&mut self, request: ScheduleRequest, now: Timestamp) {
        let start = request.start.unwrap_or(now);
        self.schedules.push(Schedule {
            id: request.what.schedule_id(&request.id),
            request: request.id.clone(),
            principal: request.principal.clone(),
            what: request.what.clone(),
            start,
            end: request.end,
            ready: start,
            live: false,
            life: Life::from(request.created),
        });
        self.requests.push(request);
    }

    /// Changes the end of what there is, and the start of what has not begun. Also of what was made outside PIM:
    /// from then on it is PIM's, and ends.
    pub(crate) fn admin_revise(
        &mut self,
        wish: Wish,
        revision: Revision,
        now: Timestamp,
    ) -> Result<ScheduleRequest, Problem> {
        self.check_subject(&wish.principal, &wish.what, now)?;
        let held = self.held(&wish.principal, &wish.what);
        let schedule = self.scheduled(&wish).cloned();
        if self.is_pending(&wish, now) {
            return Err(pending());
        }
        let (begun, old_start, old_end) = match (&held, &schedule) {
            (None, None) => return Err(nothing_there()),
            (None, Some(waiting)) => (false, waiting.start, waiting.end),
            (Some(held), schedule) => {
                let start = schedule.as_ref().map_or(held.since, |schedule| schedule.start);
                (true, start, schedule.as_ref().and_then(|schedule| schedule.end))
            }
        };
        // What runs has begun when it began; a start then only says from when a duration counts.
        let counted_from = wish.start.unwrap_or(old_start);
        let start = if begun { old_start } else { from(counted_from, now)? };
        let end = until(&wish.end, counted_from)?;
        if end.is_some_and(|end| end <= now.max(start)) {
            return Err(invalid_schedule("The schedule ends before it starts."));
        }
        if held.is_some_and(|held| end.is_some_and(|end| end.duration_since(held.since) < SHORTEST_ACTIVE)) {
            return Err(too_short());
        }
        let later = old_end.is_some_and(|old| end.is_none_or(|end| end > old));
        if revision == Revision::Extend && !later {
            return Err(invalid_schedule("An extension must end later than what it extends."));
        }
        let validation_only = wish.validation_only;
        let (action, status) = match revision {
            Revision::Update => ("adminUpdate", "PendingProvisioning"),
            Revision::Extend => ("adminExtend", "PendingProvisioning"),
        };
        let status = if validation_only { "Granted" } else { status };
        let mut request = request(wish, action, status, now);
        (request.start, request.end) = (Some(start), end);
        request.schedule = schedule.map(|schedule| schedule.id);
        if validation_only {
            return Ok(request);
        }
        if request.schedule.is_none() {
            request.schedule = Some(self.adopt(&request, old_start));
        }
        self.requests.push(request.clone());
        Ok(request)
    }

    /// Removes whatever the principal holds of it, also what was made outside PIM: nothing else is looked at.
    pub(crate) fn admin_remove(&mut self, wish: Wish, now: Timestamp) -> Result<ScheduleRequest, Problem> {
        self.check_subject(&wish.principal, &wish.what, now)?;
        let schedule = self.scheduled(&wish).cloned();
        let held = self.held(&wish.principal, &wish.what);
        match (&schedule, &held) {
            (None, None) => return Err(nothing_there()),
            (Some(waiting), None) if waiting.start <= now => return Err(pending()),
            (Some(_), Some(held)) if now.duration_since(held.since) < SHORTEST_ACTIVE => {
                return Err(too_short());
            }
            _ => {}
        }
        if let Privilege::Group { group, relation } = &wish.what
            && held.is_some()
            && self.is_last_owner(group, *relation, &wish.principal)
        {
            return Err(groups::last_owner());
        }
        let validation_only = wish.validation_only;
        let mut request = request(wish, "adminRemove", "Revoked", now);
        (request.completed, request.expiration, request.duration) = (Some(now), "notSpecified", None);
        request.schedule = schedule.as_ref().map(|schedule| schedule.id.clone());
        if validation_only {
            return Ok(request);
        }
        if held.is_some() {
            self.take(&request.principal, &request.what, now);
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
        if let Some(schedule) = self.schedules.iter_mut().find(|schedule| schedule.request == id) {
            schedule.life.gone = Some(now);
        }
        Ok(())
    }

    /// The schedule is over before its time, because somebody removed what it was for.
    pub(crate) fn end_schedule(&mut self, id: &str, at: Timestamp) {
        let Some(schedule) = self.schedules.iter_mut().find(|s| s.life.lasts() && s.id == id) else {
            return;
        };
        schedule.life.gone = Some(at);
        let request = schedule.request.clone();
        self.finish(&request, "Revoked", at);
        self.fail_revisions(id, at);
    }

    /// Whether this can be given to the principal at all.
    pub(crate) fn check_subject(
        &self,
        principal: &str,
        what: &Privilege,
        now: Timestamp,
    ) -> Result<(), Problem> {
        if let Privilege::Role { role, .. } = what
            && !people::ROLES.iter().any(|each| each.id == *role)
        {
            return Err(Problem::new(404, "RoleNotFound", "The role is not found."));
        }
        if self.kind_of(principal).is_none() || !self.replicated(principal, now) {
            return Err(Problem::new(404, "SubjectNotFound", "The subject is not found."));
        }
        match what {
            Privilege::Role { scope, .. } => self
                .check_scope(scope)
                .map_err(|_| Problem::new(400, "InvalidScope", "The directory scope is not valid.")),
            Privilege::Group { group, relation } => {
                let found = self.group(group).filter(|_| self.replicated(group, now));
                let found = found.ok_or_else(|| Problem::not_found(group))?;
                if found.rule.is_some() || found.synced {
                    return Err(Problem::bad(
                        "Dynamic groups and groups synchronized from on-premises cannot be managed in PIM.",
                    ));
                }
                self.may_relate(group, *relation, principal, now)
            }
        }
    }

    /// The schedule for this, running or yet to start.
    fn scheduled(&self, wish: &Wish) -> Option<&Schedule> {
        self.schedules.iter().find(|s| s.life.lasts() && s.principal == wish.principal && s.what == wish.what)
    }

    /// What is due and not yet provisioned, or changed and the change not yet provisioned.
    fn is_pending(&self, wish: &Wish, now: Timestamp) -> bool {
        self.scheduled(wish).is_some_and(|schedule| {
            let revised = |r: &ScheduleRequest| {
                r.status == "PendingProvisioning" && r.schedule.as_deref() == Some(&schedule.id)
            };
            (!schedule.live && schedule.start <= now) || self.requests.iter().any(revised)
        })
    }

    fn held(&self, principal: &str, what: &Privilege) -> Option<Held> {
        match what {
            Privilege::Role { role, scope } => self
                .holder(principal, role, scope)
                .map(|a| Held { since: a.life.born, schedule: a.schedule.clone() }),
            Privilege::Group { group, relation } => self
                .membership(group, *relation, principal, View::TRUTH)
                .map(|m| Held { since: m.life.born, schedule: m.schedule.clone() }),
        }
    }

    /// Ends what is held, and the schedule behind it if there is one.
    fn take(&mut self, principal: &str, what: &Privilege, at: Timestamp) {
        match what {
            Privilege::Role { role, scope } => {
                let held = self.holder(principal, role, scope).map(|assignment| assignment.id.clone());
                if let Some(id) = held {
                    self.unassign(&id, at);
                }
            }
            Privilege::Group { group, relation } => {
                self.unrelate(group, *relation, principal, at);
            }
        }
    }

    /// What was made outside PIM gets a schedule, and so can end by itself.
    fn adopt(&mut self, request: &ScheduleRequest, since: Timestamp) -> String {
        let ScheduleRequest { id, principal, what, created, .. } = request;
        let schedule = what.schedule_id(id);
        self.schedules.push(Schedule {
            id: schedule.clone(),
            request: id.clone(),
            principal: principal.clone(),
            what: what.clone(),
            start: since,
            end: None,
            ready: since,
            live: true,
            life: Life::from(*created),
        });
        self.set_schedule(principal, what, Some(&schedule));
        schedule
    }

    fn set_schedule(&mut self, principal: &str, what: &Privilege, schedule: Option<&str>) {
        let schedule = schedule.map(str::to_owned);
        match what {
            Privilege::Role { role, scope } => {
                let mine = self.assignments.iter_mut().find(|a| {
                    a.life.lasts() && a.principal == principal && a.role == *role && a.scope == *scope
                });
                if let Some(assignment) = mine {
                    assignment.schedule = schedule;
                }
            }
            Privilege::Group { group, relation } => {
                let mine = self.memberships.iter_mut().find(|m| {
                    m.life.lasts() && m.object == principal && m.group == *group && m.relation == *relation
                });
                if let Some(membership) = mine {
                    membership.schedule = schedule;
                }
            }
        }
    }

    fn finish(&mut self, request: &str, status: &'static str, at: Timestamp) {
        if let Some(request) = self.requests.iter_mut().find(|each| each.id == request) {
            request.status = status;
            request.completed = Some(at);
        }
    }
}

fn request(wish: Wish, action: &'static str, status: &'static str, now: Timestamp) -> ScheduleRequest {
    let Wish { principal, what, justification, ticket, created_by, start, end, validation_only } = wish;
    let (expiration, duration) = match end {
        End::Never => ("noExpiration", None),
        End::At(_) => ("afterDateTime", None),
        End::After(_, duration) => ("afterDuration", Some(duration)),
    };
    ScheduleRequest {
        id: if validation_only { Uuid::nil() } else { Uuid::new_v4() }.to_string(),
        action,
        status,
        principal,
        what,
        justification,
        ticket,
        created_by,
        created: now,
        completed: None,
        schedule: None,
        start,
        end: None,
        expiration,
        duration,
    }
}

fn from(asked: Timestamp, now: Timestamp) -> Result<Timestamp, Problem> {
    if now.duration_since(asked) > LATE_START {
        return Err(invalid_schedule("The start of the schedule lies in the past."));
    }
    Ok(asked.max(now))
}

fn until(end: &End, start: Timestamp) -> Result<Option<Timestamp>, Problem> {
    match end {
        End::Never => Ok(None),
        End::At(end) => Ok(Some(*end)),
        End::After(duration, _) => match start.checked_add(*duration) {
            Ok(end) => Ok(Some(end)),
            Err(_) => Err(invalid_schedule("The end of the schedule is out of range.")),
        },
    }
}
