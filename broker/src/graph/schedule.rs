//! What PIM's two doors share: requests that Entra carries out, and schedules that it ends by itself.
//!
//! A request is known as ours by its justification, the marker `Elevate activation {id}`; what the
//! asker wrote stays in the record. The assignment's name is the schedule's id (`targetScheduleId`),
//! which every instance carries, so that a listing and a revocation speak of the same thing. The end is
//! sent as a date, not as a length: a request that is late in arriving, or sent again, must not end later
//! than the record says.
//!
//! There is no DELETE here. A removal names who and what and nothing else, so the broker first sees that
//! what is held there is its own. Entra removes nothing in the first five minutes
//! (`ActiveDurationTooShort`).

use std::collections::{BTreeMap, BTreeSet};

use elevate_core::names::{ActivationId, AssignmentId, Resource, Slot, TenantId, Way};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use url::Url;

use super::absence::Absences;
use super::address::asking;
use super::assignment::{LAG, not_yet, somebody_else, unnamed};
use super::budget::Priority;
use super::call::{Call, Fault, Line};
use super::group::LAST_OWNER;
use super::wire::{Instance, Progress, ScheduleRequest};
use crate::ports::directory::{
    Assignment, GrantAnswer, GrantPermit, Held, RevokeAnswer, RevokePermit, Unreachable,
};

mod extend;

pub(super) use extend::extend;

/// One of PIM's doors: what is asked about by it, and where.
pub(super) trait Door: Sync {
    /// Which.
    const WAY: Way;
    /// Where requests are made and listed.
    const REQUESTS: &'static [&'static str];
    /// Where it lists what is active.
    const INSTANCES: &'static [&'static str];
    /// What its calls are counted as.
    const KINDS: Kinds;

    /// Who is to hold what.
    fn slot(&self) -> Slot;

    /// The same, as the fields of a request.
    fn fields(&self) -> Map<String, Value>;

    /// What is held there outside of PIM, or by it: a plain read.
    fn standing(
        &self,
        line: &Line,
        priority: Priority,
    ) -> impl Future<Output = Result<Option<AssignmentId>, Fault>> + Send;

    /// Why it is not to be granted although it is free, where there is such a reason.
    fn barred(
        &self,
        _line: &Line,
        _has_earlier_try: bool,
    ) -> impl Future<Output = Result<Option<GrantAnswer>, Fault>> + Send {
        std::future::ready(Ok(None))
    }

    /// What the instance names as its schedule that PIM leaves in place after its end, if it may do that.
    fn left_as(&self) -> Option<AssignmentId> {
        None
    }
}

/// What a door's calls are counted as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kinds {
    pub(super) instances: &'static str,
    pub(super) requests: &'static str,
    pub(super) assign: &'static str,
    pub(super) extend: &'static str,
    pub(super) remove: &'static str,
    pub(super) cancel: &'static str,
}

/// What is to be done about what PIM gave up ending.
const LEFT: &str = "Entra's Privileged Identity Management shows an ownership there under no schedule: after thirty days it \
     leaves a group to its last owner. See who is to own the group, and remove this owner by hand";
/// Entra ends nothing sooner.
const SHORTEST: SignedDuration = SignedDuration::from_mins(5);

/// What every request of the broker's begins with.
const MARK: &str = "Elevate activation ";

/// What marks a request as this activation's.
fn marker(activation: ActivationId) -> String {
    format!("{MARK}{activation}")
}

fn marked(request: &ScheduleRequest, activation: ActivationId) -> bool {
    request.says(&marker(activation))
}

/// A role counts as held when it is active, and also when it is scheduled or on its way.
pub(super) async fn look<D: Door>(line: &Line, door: &D) -> Result<Held, Unreachable> {
    if let Some(instance) = at_slot(line, Priority::Grant, door).await? {
        return Ok(Held::By(instance.name().ok_or_else(unnamed)?));
    }
    if let Some(id) = door.standing(line, Priority::Grant).await? {
        return Ok(Held::By(id));
    }
    let now = line.clock.now().earliest();
    let waiting = requests_of(line, Priority::Grant, door).await?.into_iter().find(|request| {
        let may_come = matches!(request.progress(), Progress::Granted | Progress::Pending);
        may_come && request.assigns_anything() && request.end().is_none_or(|end| now < end)
    });
    match waiting {
        Some(request) => Ok(Held::By(request.ids().next().ok_or_else(unnamed)?)),
        None => Ok(Held::Nothing),
    }
}

/// What is held without asking PIM, under the schedules' ids where PIM knows one. `filter` names what, in
/// PIM's words.
pub(super) async fn list<D: Door>(
    line: &Line,
    tenant: TenantId,
    resource: Resource,
    filter: &str,
    standing: Vec<Assignment>,
) -> Result<Vec<Assignment>, Unreachable> {
    let mut held: BTreeMap<Slot, AssignmentId> =
        standing.into_iter().map(|each| (each.slot, each.id)).collect();
    let url = asking(line.root.at(D::INSTANCES), filter);
    let instances: Vec<Instance> = line.list(D::KINDS.instances, Priority::List, url).await?;
    for instance in instances.iter().filter(|instance| instance.is_direct()) {
        let Some(slot) = instance.about.slot(tenant) else { continue };
        if slot.resource == resource {
            held.insert(slot, instance.name().ok_or_else(unnamed)?);
        }
    }
    Ok(held.into_iter().map(|(slot, id)| Assignment { id, slot }).collect())
}

pub(super) async fn grant<D: Door>(line: &Line, permit: &GrantPermit, door: &D) -> GrantAnswer {
    try_grant(line, permit, door).await.unwrap_or_else(GrantAnswer::from)
}

async fn try_grant<D: Door>(line: &Line, permit: &GrantPermit, door: &D) -> Result<GrantAnswer, Fault> {
    let now = line.clock.now();
    if permit.has_earlier_try() {
        if let Some(answer) = earlier(line, permit, door).await? {
            return Ok(answer);
        }
        if permit.not_after().duration_since(now.latest()) < SHORTEST {
            return Err(Fault::unclear("no earlier request is listed, and Entra starts nothing this short"));
        }
    }
    if let Some(answer) = door.barred(line, permit.has_earlier_try()).await? {
        return Ok(answer);
    }
    let mut body = request(door, "adminAssign", permit.activation());
    let term = json!({
        // Not in the future, or it is only scheduled.
        "startDateTime": seconds(now.earliest()),
        "expiration": { "type": "afterDateTime", "endDateTime": seconds(permit.not_after()) },
    });
    body.insert("scheduleInfo".to_owned(), term);
    let call = Call::write(D::KINDS.assign, Priority::Grant, line.root.at(D::REQUESTS), Some(body.into()))
        .before(permit.not_after());
    match line.send(call).await {
        Ok(body) => settled(line, door, &[body.read::<ScheduleRequest>()?]).await,
        Err(Fault::Refused(refusal)) if refusal.is_duplicate() && !permit.has_earlier_try() => {
            Ok(somebody_else(D::WAY))
        }
        Err(Fault::Refused(refusal)) if refusal.is_duplicate() => match earlier(line, permit, door).await? {
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
        Err(Fault::Refused(refusal)) => Ok(GrantAnswer::Refused(refusal.words(D::WAY))),
        Err(unclear) => Err(unclear),
    }
}

/// What became of an earlier try; `None` when there is no trace of one.
async fn earlier<D: Door>(line: &Line, permit: &GrantPermit, door: &D) -> Result<Option<GrantAnswer>, Fault> {
    let ours = ours(line, Priority::Grant, door, permit.activation()).await?;
    if ours.is_empty() {
        return Ok(None);
    }
    settled(line, door, &ours).await.map(Some)
}

/// Whether one of our requests has made it active. That it was taken (201) means nothing yet.
async fn settled<D: Door>(line: &Line, door: &D, requests: &[ScheduleRequest]) -> Result<GrantAnswer, Fault> {
    let named = |request: &ScheduleRequest| request.ids().next().ok_or_else(|| Fault::from(unnamed()));
    if let Some(done) = requests.iter().find(|request| request.progress() == Progress::Provisioned) {
        return Ok(GrantAnswer::Done(named(done)?));
    }
    let active = at_slot(line, Priority::Grant, door).await?.and_then(|instance| instance.schedule());
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

pub(super) async fn revoke<D: Door>(
    line: &Line,
    absences: &Absences,
    permit: &RevokePermit,
    door: &D,
) -> RevokeAnswer {
    let answer = take_away(line, absences, permit, door).await.unwrap_or_else(RevokeAnswer::from);
    if answer == RevokeAnswer::Gone {
        absences.forget(permit.activation());
    }
    answer
}

async fn take_away<D: Door>(
    line: &Line,
    absences: &Absences,
    permit: &RevokePermit,
    door: &D,
) -> Result<RevokeAnswer, Fault> {
    let activation = permit.activation();
    let before = line.clock.now();
    let mut requests = requests_of(line, Priority::Revoke, door).await?;
    let over = over(&requests);
    keep_ours(&mut requests, activation, permit.held());
    let ours = Ours::of(permit, &requests, &over, before.earliest());
    let there = at_slot(line, Priority::Revoke, door).await?;
    let is_ours = there.as_ref().is_some_and(|instance| ours.made(instance));
    let is_anothers = there.is_some() && !is_ours;

    if let Some(waiting) = &ours.on_its_way
        && !is_ours
    {
        return stop::<D>(line, waiting).await;
    }
    // Provisioned, not over, and not shown: reads lag. Entra holds one of each, so unless another's is
    // shown, the removal can only meet ours.
    if is_ours || (ours.is_live && !is_anothers) {
        absences.seen(activation);
        let start = there.as_ref().and_then(Instance::start);
        if let Some(answer) = remove(line, permit, door, start).await? {
            return Ok(answer);
        }
        return confirmed(line, door, &ours).await;
    }
    if requests.is_empty() {
        // Nothing of ours is listed. It may have been asked for a moment ago.
        return Ok(match absences.unseen(activation, before, line.clock.now()) {
            None => confirmed(line, door, &ours).await?,
            Some(after) => not_yet("one read lists no request of ours, and a second must agree", after),
        });
    }
    confirmed(line, door, &ours).await
}

/// What this activation may have made.
struct Ours {
    ids: BTreeSet<AssignmentId>,
    /// It was provisioned, and its end has not come.
    is_live: bool,
    on_its_way: Option<ScheduleRequest>,
    /// It was provisioned, nobody removed it, and its end has come.
    ran_out: bool,
}

impl Ours {
    fn of(
        permit: &RevokePermit,
        requests: &[ScheduleRequest],
        over: &BTreeSet<AssignmentId>,
        now: Timestamp,
    ) -> Self {
        // An extension says nothing any more once the schedule that it extended is over.
        let standing =
            |request: &&ScheduleRequest| request.schedule().is_none_or(|schedule| !over.contains(&schedule));
        let lasting = |request: &&ScheduleRequest| request.end().is_none_or(|end| now < end);
        let made = |request: &ScheduleRequest| request.progress() == Progress::Provisioned;
        let mut ids: BTreeSet<_> = requests.iter().flat_map(ScheduleRequest::ids).collect();
        ids.extend(permit.held().cloned());
        Self {
            ids,
            ran_out: requests.iter().filter(standing).any(|r| made(r) && !lasting(&r)),
            is_live: requests.iter().filter(standing).filter(lasting).any(made),
            on_its_way: requests
                .iter()
                .filter(standing)
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

/// Asks Entra to remove what is held there. `None` when it did, or says that there is nothing.
async fn remove<D: Door>(
    line: &Line,
    permit: &RevokePermit,
    door: &D,
    start: Option<Timestamp>,
) -> Result<Option<RevokeAnswer>, Fault> {
    let body = request(door, "adminRemove", permit.activation());
    let call = Call::write(D::KINDS.remove, Priority::Revoke, line.root.at(D::REQUESTS), Some(body.into()));
    match line.take_away(call).await {
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
        Err(Fault::Refused(refusal)) if refusal.is_last_owner() => Err(Fault::unclear(LAST_OWNER)),
        Err(fault) => Err(fault),
    }
}

/// A request about this, marked as the activation's.
fn request<D: Door>(door: &D, action: &str, activation: ActivationId) -> Map<String, Value> {
    let mut fields = door.fields();
    fields.insert("action".to_owned(), action.into());
    fields.insert("justification".to_owned(), marker(activation).into());
    fields
}

/// Keeps from coming what is only on its way.
async fn stop<D: Door>(line: &Line, request: &ScheduleRequest) -> Result<RevokeAnswer, Fault> {
    let status = plain(request.status());
    let answer = not_yet(&format!("our request is on its way in Entra ({status})"), LAG);
    let (Progress::Granted, Some(id)) = (request.progress(), &request.id) else { return Ok(answer) };
    let url = line.root.at(&[D::REQUESTS, &[id, "cancel"]].concat());
    match line.take_away(Call::write(D::KINDS.cancel, Priority::Revoke, url, None)).await {
        // Cancelled, or it is no longer only scheduled: the next look says which.
        Ok(_) | Err(Fault::Refused(_)) => Ok(answer),
        Err(fault) => Err(fault),
    }
}

/// Whether a read shows it gone: no instance of ours, and no plain assignment that none explains.
async fn confirmed<D: Door>(line: &Line, door: &D, ours: &Ours) -> Result<RevokeAnswer, Fault> {
    match at_slot(line, Priority::Confirm, door).await? {
        Some(instance) if ours.made(&instance) => Ok(not_yet("removed, and Entra still shows it", LAG)),
        // Not ours by its schedule, and not to be removed as ours. But it cannot be said either that ours is gone.
        Some(instance) if ours.ran_out && door.left_as().is_some_and(|id| instance.name() == Some(id)) => {
            Err(Fault::unclear(LEFT))
        }
        Some(_) => Ok(RevokeAnswer::Gone),
        None => match door.standing(line, Priority::Confirm).await? {
            Some(_) => Ok(not_yet("removed, and Entra still shows the assignment", LAG)),
            None => Ok(RevokeAnswer::Gone),
        },
    }
}

/// What is active at the slot.
async fn at_slot<D: Door>(line: &Line, priority: Priority, door: &D) -> Result<Option<Instance>, Fault> {
    let url = of_principal(line, D::INSTANCES, door);
    let listed: Vec<Instance> = line.list(D::KINDS.instances, priority, url).await?;
    Ok(listed.into_iter().find(|each| each.is_direct() && each.about.is(&door.slot())))
}

/// Our requests that assign, known by the marker.
async fn ours<D: Door>(
    line: &Line,
    priority: Priority,
    door: &D,
    activation: ActivationId,
) -> Result<Vec<ScheduleRequest>, Fault> {
    let mut requests = requests_of(line, priority, door).await?;
    requests.retain(|request| request.assigns() && marked(request, activation));
    Ok(requests)
}

/// Keeps what this activation has asked for, and what the broker has asked for in another's name about the
/// same schedule: an extension that was never taken over ends with what it was to extend.
fn keep_ours(requests: &mut Vec<ScheduleRequest>, activation: ActivationId, held: Option<&AssignmentId>) {
    let asks = |request: &ScheduleRequest| request.assigns() || request.extends();
    let mut ids: BTreeSet<AssignmentId> = held.cloned().into_iter().collect();
    for request in requests.iter().filter(|request| asks(request) && marked(request, activation)) {
        ids.extend(request.ids());
    }
    requests.retain(|request| {
        let same = || request.schedule().is_some_and(|schedule| ids.contains(&schedule));
        asks(request)
            && (marked(request, activation) || (request.extends() && request.says_first(MARK) && same()))
    });
}

/// The schedules of the broker's own requests that are over: an extension of one says nothing any more.
fn over(requests: &[ScheduleRequest]) -> BTreeSet<AssignmentId> {
    let over =
        requests.iter().filter(|r| r.assigns() && r.says_first(MARK) && r.progress() == Progress::Over);
    over.flat_map(ScheduleRequest::ids).collect()
}

async fn requests_of<D: Door>(
    line: &Line,
    priority: Priority,
    door: &D,
) -> Result<Vec<ScheduleRequest>, Fault> {
    let url = of_principal(line, D::REQUESTS, door);
    let mut listed: Vec<ScheduleRequest> = line.list(D::KINDS.requests, priority, url).await?;
    listed.retain(|request| request.about.is(&door.slot()));
    Ok(listed)
}

/// A collection, as far as it concerns one principal. What they hold there is matched here and not by Graph:
/// they hold little.
fn of_principal<D: Door>(line: &Line, collection: &[&str], door: &D) -> Url {
    let principal = door.slot().principal.object;
    asking(line.root.at(collection), &format!("$filter=principalId eq '{principal}'"))
}

/// In whole seconds, rounded down: a start is not in the future for it, and an end not later.
fn seconds(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment).to_string()
}

/// A status is Graph's word; keep it short and plain.
fn plain(status: &str) -> String {
    status.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}
