//! Moving the end that Entra keeps: `adminExtend`, which can make it later and nothing else.
//!
//! It names who and what, as a removal does, so the broker first sees that what is held there is its own. The
//! schedule stays, and with it the name of what is held; the request says by its marker for which activation it
//! was. Should the record never come to say that the new activation took over, the old one's end stands: its
//! revocation removes the schedule, whatever end Entra has for it by then.

use serde_json::json;

use super::{Door, at_slot, marked, plain, request, requests_of, seconds};
use crate::graph::assignment::{LAG, NOT_SHOWN, another_holds_it};
use crate::graph::budget::Priority;
use crate::graph::call::{Call, Fault, Line};
use crate::graph::wire::{Instance, Progress, ScheduleRequest};
use crate::ports::directory::{ExtendPermit, GrantAnswer};

pub(in crate::graph) async fn extend<D: Door>(line: &Line, permit: &ExtendPermit, door: &D) -> GrantAnswer {
    try_extend(line, permit, door).await.unwrap_or_else(GrantAnswer::from)
}

async fn try_extend<D: Door>(line: &Line, permit: &ExtendPermit, door: &D) -> Result<GrantAnswer, Fault> {
    let Some(there) = at_slot(line, Priority::Grant, door).await? else { return Err(not_shown()) };
    if there.schedule().as_ref() != Some(permit.held()) {
        return Ok(another_holds_it(D::WAY));
    }
    if permit.has_earlier_try() {
        let earlier = ours(line, permit, door).await?;
        if !earlier.is_empty() {
            return settled::<D>(permit, &there, &earlier);
        }
    }
    // Whatever an earlier try may have moved ends with what it was to extend.
    if let Some(answer) = door.barred(line, false).await? {
        return Ok(answer);
    }
    let mut body = request(door, "adminExtend", permit.activation());
    let term = json!({
        "startDateTime": seconds(line.clock.now().earliest()),
        "expiration": { "type": "afterDateTime", "endDateTime": seconds(permit.not_after()) },
    });
    body.insert("scheduleInfo".to_owned(), term);
    let call = Call::write(D::KINDS.extend, Priority::Grant, line.root.at(D::REQUESTS), Some(body.into()))
        .before(permit.held_until());
    let refusal = match line.send(call).await {
        Ok(body) => {
            let request = body.read::<ScheduleRequest>()?;
            let Some(there) = at_slot(line, Priority::Grant, door).await? else { return Err(not_shown()) };
            return settled::<D>(permit, &there, &[request]);
        }
        Err(Fault::Refused(refusal)) => refusal,
        Err(unclear) => return Err(unclear),
    };
    // Another change of it is on its way, ours of an earlier try or somebody else's.
    if refusal.is_duplicate() || refusal.is_missing() {
        let reason = format!("Entra does not take the extension yet ({})", refusal.brief());
        return Err(Fault::Unclear { reason, after: Some(LAG) });
    }
    // It may be no extension any more because an earlier try got through, and is not listed yet.
    if permit.has_earlier_try() && refusal.is("InvalidRoleAssignmentRequestSchedule") {
        let reason = "Entra says that it does not end later, and lists no request of ours yet".to_owned();
        return Err(Fault::Unclear { reason, after: Some(LAG) });
    }
    if refusal.is("RoleAssignmentDoesNotExist") {
        return Ok(GrantAnswer::Refused(
            "Entra's Privileged Identity Management has ended it already".to_owned(),
        ));
    }
    Ok(GrantAnswer::Refused(refusal.words(D::WAY)))
}

/// Whether Entra ends what is there by the new end. That the request was taken (201) means nothing yet.
fn settled<D: Door>(
    permit: &ExtendPermit,
    there: &Instance,
    requests: &[ScheduleRequest],
) -> Result<GrantAnswer, Fault> {
    if there.schedule().as_ref() != Some(permit.held()) {
        return Ok(another_holds_it(D::WAY));
    }
    let is_moved = there.end().is_some_and(|end| end.as_second() >= permit.not_after().as_second());
    if is_moved || requests.iter().any(|request| request.progress() == Progress::Provisioned) {
        return Ok(GrantAnswer::Done(permit.held().clone()));
    }
    let Some(on_its_way) = requests.iter().find(|request| request.progress() != Progress::Over) else {
        let status = requests.first().map_or("unknown", ScheduleRequest::status);
        return Ok(GrantAnswer::Refused(format!(
            "Entra's Privileged Identity Management did not extend it ({}); it ends when it was to end",
            plain(status)
        )));
    };
    let status = plain(on_its_way.status());
    let reason = format!("Entra has taken the extension, and not made it yet ({status})");
    Err(Fault::Unclear { reason, after: Some(LAG) })
}

fn not_shown() -> Fault {
    Fault::Unclear { reason: NOT_SHOWN.to_owned(), after: Some(LAG) }
}

/// The extensions that were asked for this activation.
async fn ours<D: Door>(line: &Line, permit: &ExtendPermit, door: &D) -> Result<Vec<ScheduleRequest>, Fault> {
    let mut requests = requests_of(line, Priority::Grant, door).await?;
    requests.retain(|request| request.extends() && marked(request, permit.activation()));
    Ok(requests)
}
