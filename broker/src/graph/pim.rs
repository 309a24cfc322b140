//! The way `pim`: `roleAssignmentScheduleRequests`, which Entra ends by itself.
//!
//! A request is known as ours by its justification, the marker `Elevate activation {id}`; what the
//! asker wrote stays in the record. The assignment's name is the schedule's id (`targetScheduleId`, as
//! a rule the request's own id), which every instance carries, so that a listing and a revocation
//! speak of the same thing. The end is sent as a date, not as a length: a request that is late in
//! arriving, or sent again, must not end later than the record says.
//!
//! There is no DELETE here. A removal names the triple and nothing else, so the broker first sees that
//! what the triple holds is its own. Entra removes nothing in the first five minutes
//! (`ActiveDurationTooShort`). Graph's pages:
//! <https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignmentschedulerequests> and
//! <https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignmentscheduleinstances>.

use std::collections::{BTreeMap, BTreeSet};

use elevate_core::names::{ActivationId, AssignmentId, DirectoryRole, Slot, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::absence::Absences;
use super::assignment::{self, LAG, not_yet, somebody_else, unnamed};
use super::budget::Priority;
use super::call::{Call, Fault, Line};
use super::wire::{Instance, Place, Progress, ScheduleRequest};
use crate::ports::directory::{
    Assignment, GrantAnswer, GrantPermit, Held, RevokeAnswer, RevokePermit, Unreachable,
};

const REQUESTS: &str = "roleAssignmentScheduleRequests";
const INSTANCES: &str = "roleAssignmentScheduleInstances";
/// Entra ends nothing sooner.
const SHORTEST: SignedDuration = SignedDuration::from_mins(5);

/// What marks a request as this activation's.
fn marker(activation: ActivationId) -> String {
    format!("Elevate activation {activation}")
}

/// A role counts as held when it is active, and also when it is scheduled or on its way.
pub(super) async fn look(line: &Line, place: &Place) -> Result<Held, Unreachable> {
    if let Some(instance) = at_slot(line, Priority::Grant, place).await? {
        return Ok(Held::By(instance.name().ok_or_else(unnamed)?));
    }
    if let Some(id) = assignment::at_slot(line, Priority::Grant, place).await? {
        return Ok(Held::By(id));
    }
    let now = line.clock.now().earliest();
    let waiting = requests_of(line, Priority::Grant, place).await?.into_iter().find(|request| {
        let may_come = matches!(request.progress(), Progress::Granted | Progress::Pending);
        may_come && request.assigns_anything() && request.end().is_none_or(|end| now < end)
    });
    match waiting {
        Some(request) => Ok(Held::By(request.ids().next().ok_or_else(unnamed)?)),
        None => Ok(Held::Nothing),
    }
}

/// The plain assignments, under their schedules' ids where PIM knows one.
pub(super) async fn list(
    line: &Line,
    tenant: TenantId,
    role: &DirectoryRole,
) -> Result<Vec<Assignment>, Unreachable> {
    let mut held: BTreeMap<Slot, AssignmentId> =
        assignment::list(line, tenant, role).await?.into_iter().map(|each| (each.slot, each.id)).collect();
    let url = line.root.roles_by(INSTANCES, role.definition);
    let instances: Vec<Instance> = line.list("pim.instances", Priority::List, url).await?;
    for instance in instances.iter().filter(|instance| instance.is_direct()) {
        let Some(place) = instance.triple.place(tenant) else { continue };
        if place.role == *role {
            held.insert(place.slot(), instance.name().ok_or_else(unnamed)?);
        }
    }
    Ok(held.into_iter().map(|(slot, id)| Assignment { id, slot }).collect())
}

pub(super) async fn grant(line: &Line, permit: &GrantPermit, place: &Place) -> GrantAnswer {
    try_grant(line, permit, place).await.unwrap_or_else(GrantAnswer::from)
}

async fn try_grant(line: &Line, permit: &GrantPermit, place: &Place) -> Result<GrantAnswer, Fault> {
    let now = line.clock.now();
    if permit.has_earlier_try() {
        if let Some(answer) = earlier(line, permit, place).await? {
            return Ok(answer);
        }
        if permit.not_after().duration_since(now.latest()) < SHORTEST {
            return Err(Fault::unclear("no earlier request is listed, and Entra starts nothing this short"));
        }
    }
    let body = json!({
        "action": "adminAssign",
        "justification": marker(permit.activation()),
        "principalId": place.principal.object.to_string(),
        "roleDefinitionId": place.role.definition.to_string(),
        "directoryScopeId": place.role.scope.to_string(),
        "scheduleInfo": {
            // Not in the future, or it is only scheduled.
            "startDateTime": seconds(now.earliest()),
            "expiration": { "type": "afterDateTime", "endDateTime": seconds(permit.not_after()) },
        },
    });
    let call = Call::write("pim.assign", Priority::Grant, line.root.roles(REQUESTS), Some(body))
        .before(permit.not_after());
    match line.send(call).await {
        Ok(body) => settled(line, place, &[body.read::<ScheduleRequest>()?]).await,
        Err(Fault::Refused(refusal)) if refusal.is_duplicate() && !permit.has_earlier_try() => {
            Ok(somebody_else())
        }
        Err(Fault::Refused(refusal)) if refusal.is_duplicate() => match earlier(line, permit, place).await? {
            Some(answer) => Ok(answer),
            None => Err(Fault::Unclear {
                reason: "Entra says that it is there, and lists no request of ours yet".to_owned(),
                after: Some(LAG),
            }),
        },
        // Somebody just created is not known everywhere yet.
        Err(Fault::Refused(refusal)) if refusal.is_missing() => Err(Fault::unclear(format!(
            "Entra does not know the principal or role yet ({})",
            refusal.brief()
        ))),
        Err(Fault::Refused(refusal)) => Ok(GrantAnswer::Refused(refusal.words())),
        Err(unclear) => Err(unclear),
    }
}

/// What became of an earlier try; `None` when there is no trace of one.
async fn earlier(line: &Line, permit: &GrantPermit, place: &Place) -> Result<Option<GrantAnswer>, Fault> {
    let ours = ours(line, Priority::Grant, place, permit.activation()).await?;
    if ours.is_empty() {
        return Ok(None);
    }
    settled(line, place, &ours).await.map(Some)
}

/// Whether one of our requests has made it active. That it was taken (201) means nothing yet.
async fn settled(line: &Line, place: &Place, requests: &[ScheduleRequest]) -> Result<GrantAnswer, Fault> {
    let named = |request: &ScheduleRequest| request.ids().next().ok_or_else(|| Fault::from(unnamed()));
    if let Some(done) = requests.iter().find(|request| request.progress() == Progress::Provisioned) {
        return Ok(GrantAnswer::Done(named(done)?));
    }
    let active = at_slot(line, Priority::Grant, place).await?.and_then(|instance| instance.schedule());
    if let Some(made) = requests.iter().find(|request| request.ids().any(|id| Some(&id) == active.as_ref())) {
        return Ok(GrantAnswer::Done(named(made)?));
    }
    let Some(on_its_way) = requests.iter().find(|request| request.progress() != Progress::Over) else {
        let status = requests.first().map_or("unknown", ScheduleRequest::status);
        return Ok(GrantAnswer::Refused(format!(
            "Entra's Privileged Identity Management did not carry it out ({}); ask again, and tell your operator \
             if it stays",
            plain(status)
        )));
    };
    let reason =
        format!("Entra has taken the request, and not made it active yet ({})", plain(on_its_way.status()));
    Ok(GrantAnswer::Unclear { reason, after: Some(LAG) })
}

pub(super) async fn revoke(
    line: &Line,
    absences: &Absences,
    permit: &RevokePermit,
    place: &Place,
) -> RevokeAnswer {
    let answer = take_away(line, absences, permit, place).await.unwrap_or_else(RevokeAnswer::from);
    if answer == RevokeAnswer::Gone {
        absences.forget(permit.activation());
    }
    answer
}

async fn take_away(
    line: &Line,
    absences: &Absences,
    permit: &RevokePermit,
    place: &Place,
) -> Result<RevokeAnswer, Fault> {
    let activation = permit.activation();
    let before = line.clock.now();
    let requests = ours(line, Priority::Revoke, place, activation).await?;
    let ours = Ours::of(permit, &requests, before.earliest());
    let there = at_slot(line, Priority::Revoke, place).await?;
    let is_ours = there.as_ref().is_some_and(|instance| ours.made(instance));
    let is_anothers = there.is_some() && !is_ours;

    if let Some(waiting) = &ours.on_its_way
        && !is_ours
    {
        return stop(line, waiting).await;
    }
    // Provisioned, not over, and not shown: reads lag. Entra holds one a triple, so unless another's is
    // shown, the removal can only meet ours.
    if is_ours || (ours.is_live && !is_anothers) {
        absences.seen(activation);
        let start = there.as_ref().and_then(Instance::start);
        if let Some(answer) = remove(line, permit, place, start).await? {
            return Ok(answer);
        }
        return confirmed(line, place, &ours).await;
    }
    if requests.is_empty() {
        // Nothing of ours is listed. It may have been asked for a moment ago.
        return Ok(match absences.unseen(activation, before, line.clock.now()) {
            None => confirmed(line, place, &ours).await?,
            Some(after) => not_yet("one read lists no request of ours, and a second must agree", after),
        });
    }
    confirmed(line, place, &ours).await
}

/// What this activation may have made.
struct Ours {
    ids: BTreeSet<AssignmentId>,
    /// It was provisioned, and its end has not come.
    is_live: bool,
    on_its_way: Option<ScheduleRequest>,
}

impl Ours {
    fn of(permit: &RevokePermit, requests: &[ScheduleRequest], now: Timestamp) -> Self {
        let lasting = |request: &&ScheduleRequest| request.end().is_none_or(|end| now < end);
        let mut ids: BTreeSet<_> = requests.iter().flat_map(ScheduleRequest::ids).collect();
        ids.extend(permit.held().cloned());
        Self {
            ids,
            is_live: requests.iter().filter(lasting).any(|r| r.progress() == Progress::Provisioned),
            on_its_way: requests
                .iter()
                .filter(lasting)
                .find(|r| matches!(r.progress(), Progress::Granted | Progress::Pending))
                .cloned(),
        }
    }

    fn made(&self, instance: &Instance) -> bool {
        match instance.schedule() {
            Some(schedule) => self.ids.contains(&schedule),
            None => self.is_live,
        }
    }
}

/// Asks Entra to remove what the triple holds. `None` when it did, or says that there is nothing.
async fn remove(
    line: &Line,
    permit: &RevokePermit,
    place: &Place,
    start: Option<Timestamp>,
) -> Result<Option<RevokeAnswer>, Fault> {
    let body: Value = json!({
        "action": "adminRemove",
        "justification": marker(permit.activation()),
        "principalId": place.principal.object.to_string(),
        "roleDefinitionId": place.role.definition.to_string(),
        "directoryScopeId": place.role.scope.to_string(),
    });
    let call = Call::write("pim.remove", Priority::Revoke, line.root.roles(REQUESTS), Some(body));
    match line.send(call).await {
        Ok(_) => Ok(None),
        Err(Fault::Refused(refusal)) if refusal.is("RoleAssignmentDoesNotExist") => Ok(None),
        Err(Fault::Refused(refusal)) if refusal.is("ActiveDurationTooShort") => {
            let now = line.clock.now().earliest();
            let removable = start.and_then(|start| start.checked_add(SHORTEST).ok());
            let left = removable.map_or(SHORTEST / 10, |moment| moment.duration_since(now));
            let left = left.clamp(SignedDuration::from_secs(2), SHORTEST);
            let reason = "Entra's Privileged Identity Management removes nothing in the first five minutes";
            Ok(Some(not_yet(reason, left.unsigned_abs())))
        }
        Err(fault) => Err(fault),
    }
}

/// Keeps from coming what is only on its way.
async fn stop(line: &Line, request: &ScheduleRequest) -> Result<RevokeAnswer, Fault> {
    let status = plain(request.status());
    let answer = not_yet(&format!("our request is on its way in Entra ({status})"), LAG);
    let (Progress::Granted, Some(id)) = (request.progress(), &request.id) else { return Ok(answer) };
    let url = line.root.at(&["roleManagement", "directory", REQUESTS, id, "cancel"]);
    match line.send(Call::write("pim.cancel", Priority::Revoke, url, None)).await {
        // Cancelled, or it is no longer only scheduled: the next look says which.
        Ok(_) | Err(Fault::Refused(_)) => Ok(answer),
        Err(fault) => Err(fault),
    }
}

/// Whether a read shows it gone: no instance of ours, and no plain assignment that none explains.
async fn confirmed(line: &Line, place: &Place, ours: &Ours) -> Result<RevokeAnswer, Fault> {
    match at_slot(line, Priority::Confirm, place).await? {
        Some(instance) if ours.made(&instance) => Ok(not_yet("removed, and Entra still shows it", LAG)),
        Some(_) => Ok(RevokeAnswer::Gone),
        None => match assignment::at_slot(line, Priority::Confirm, place).await? {
            Some(_) => Ok(not_yet("removed, and Entra still shows the assignment", LAG)),
            None => Ok(RevokeAnswer::Gone),
        },
    }
}

/// What is active at the slot.
async fn at_slot(line: &Line, priority: Priority, place: &Place) -> Result<Option<Instance>, Fault> {
    let url = line.root.roles_of(INSTANCES, place.principal.object);
    let listed: Vec<Instance> = line.list("pim.instances", priority, url).await?;
    Ok(listed.into_iter().find(|each| each.is_direct() && each.triple.is(place)))
}

/// Our requests for the slot, known by the marker.
async fn ours(
    line: &Line,
    priority: Priority,
    place: &Place,
    activation: ActivationId,
) -> Result<Vec<ScheduleRequest>, Fault> {
    let marker = marker(activation);
    let mut requests = requests_of(line, priority, place).await?;
    requests.retain(|request| request.assigns() && request.says(&marker));
    Ok(requests)
}

async fn requests_of(line: &Line, priority: Priority, place: &Place) -> Result<Vec<ScheduleRequest>, Fault> {
    let url = line.root.roles_of(REQUESTS, place.principal.object);
    let mut listed: Vec<ScheduleRequest> = line.list("pim.requests", priority, url).await?;
    listed.retain(|request| request.triple.is(place));
    Ok(listed)
}

/// In whole seconds, rounded down: a start is not in the future for it, and an end not later.
fn seconds(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment).to_string()
}

/// A status is Graph's word; keep it short and plain.
fn plain(status: &str) -> String {
    status.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}
