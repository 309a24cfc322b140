//! PIM's clockwork: what was due by now has happened, at the time it was due.

use jiff::{SignedDuration, Timestamp};

use super::{Privilege, Schedule, ScheduleRequest};
use crate::{
    Duplicate,
    directory::{Relation, State, lag::View},
};

/// PIM tries for so long to take a group away from its last owner, and then lets them have it.
const LAST_OWNER_RETRIES: SignedDuration = SignedDuration::from_hours(30 * 24);

impl State {
    /// Lets happen what was due by now, at the time it was due.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        for index in 0..self.schedules.len() {
            let lasting = |state: &Self| state.schedules.get(index).filter(|s| s.life.lasts()).cloned();
            let Some(waiting) = lasting(self).filter(|schedule| !schedule.live) else {
                self.run(index, now);
                continue;
            };
            // What has not begun can still be moved.
            self.revise(index, now.min(waiting.ready));
            if let Some(schedule) = lasting(self).filter(|schedule| schedule.ready <= now) {
                self.provision(index, &schedule);
            }
            self.run(index, now);
        }
        for eligibility in &mut self.eligibilities {
            let over = eligibility.end.filter(|end| *end <= now);
            eligibility.life.gone = eligibility.life.gone.or(over);
        }
    }

    /// When what is asked for now has been provisioned.
    pub(super) fn provisioned(&self, asked: Timestamp) -> Timestamp {
        asked.saturating_add(self.lag.provision).unwrap_or(asked)
    }

    /// A change that was not provisioned before the schedule ended comes too late.
    pub(super) fn fail_revisions(&mut self, schedule: &str, at: Timestamp) {
        let waits = |r: &&mut ScheduleRequest| {
            r.status == "PendingProvisioning" && r.schedule.as_deref() == Some(schedule)
        };
        for request in self.requests.iter_mut().filter(waits) {
            request.status = "Failed";
            request.completed = Some(at);
        }
    }

    fn run(&mut self, index: usize, now: Timestamp) {
        self.revise(index, now);
        let over = |s: &&Schedule| s.life.lasts() && s.end.is_some_and(|end| end <= now);
        if let Some(schedule) = self.schedules.get(index).filter(over).cloned() {
            self.expire(&schedule, now);
        }
    }

    /// Provisions the changes that were due by then, one after the other, unless the end came first.
    fn revise(&mut self, index: usize, by: Timestamp) {
        while let Some(schedule) = self.schedules.get(index).filter(|s| s.life.lasts()) {
            let limit = schedule.end.map_or(by, |end| end.min(by));
            let is_due = |r: &&ScheduleRequest| {
                ["adminUpdate", "adminExtend"].contains(&r.action)
                    && r.status == "PendingProvisioning"
                    && r.schedule.as_deref() == Some(&schedule.id)
                    && self.provisioned(r.created) <= limit
            };
            let Some(request) = self.requests.iter().find(is_due).cloned() else { return };
            let (at, start) = (self.provisioned(request.created), request.start.unwrap_or(schedule.start));
            let ready = if schedule.live { schedule.ready } else { self.provisioned(start) };
            if let Some(schedule) = self.schedules.get_mut(index) {
                (schedule.start, schedule.end, schedule.ready) = (start, request.end, ready);
            }
            self.finish(&request.id, "Provisioned", at);
        }
    }

    fn provision(&mut self, index: usize, schedule: &Schedule) {
        let Schedule { id, request, principal, what, ready, .. } = schedule;
        let given = match what {
            Privilege::Role { role, scope } => {
                self.assign(principal, role, scope, Some(id), *ready, Duplicate::BadRequest).is_ok()
            }
            Privilege::Group { group, relation } => {
                self.may_relate(group, *relation, principal, *ready).is_ok()
                    && self.relate(group, *relation, principal, Some(id), *ready)
            }
        };
        if let Some(schedule) = self.schedules.get_mut(index) {
            schedule.live = given;
            schedule.life.gone = (!given).then_some(*ready);
        }
        self.finish(request, if given { "Provisioned" } else { "Failed" }, *ready);
    }

    fn expire(&mut self, schedule: &Schedule, now: Timestamp) {
        let Schedule { id, principal, what, .. } = schedule;
        let mut end = schedule.end.unwrap_or(now);
        let mine = self.held(principal, what).is_some_and(|held| held.schedule.as_deref() == Some(id));
        if let Privilege::Group { group, relation: Relation::Owner } = what
            && mine
        {
            if self.is_last_owner(group, Relation::Owner, principal) {
                let given_up = end.saturating_add(LAST_OWNER_RETRIES).unwrap_or(end);
                if given_up <= now {
                    self.close(id, given_up);
                    self.set_schedule(principal, what, None);
                }
                return;
            }
            // It could only be taken away once there was somebody else.
            let others = self.related(group, Relation::Owner, View::TRUTH).filter(|m| m.object != *principal);
            end = end.max(others.map(|m| m.life.born).min().unwrap_or(end));
        }
        self.close(id, end);
        if mine {
            self.take(principal, what, end);
        }
    }

    /// The schedule is over in its time. What its requests say stays.
    fn close(&mut self, id: &str, at: Timestamp) {
        if let Some(schedule) = self.schedules.iter_mut().find(|s| s.life.lasts() && s.id == id) {
            schedule.life.gone = Some(at);
        }
        self.fail_revisions(id, at);
    }
}
