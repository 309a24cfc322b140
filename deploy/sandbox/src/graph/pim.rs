//! What both kinds of PIM share: reading a request, and showing what became of it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Answer,
    call::Call,
    listing::{self, Terms},
    shape,
};
use crate::{
    directory::{Eligibility, End, Privilege, Problem, Revision, Schedule, ScheduleRequest, Wish},
    http::put,
};

/// Which permissions a request takes.
pub(super) struct Needs<'a> {
    /// For every action; also for reading requests.
    pub(super) write: &'a [&'a str],
    /// For removing.
    pub(super) remove: &'a [&'a str],
}

/// Makes the request that the body asks for.
pub(super) fn ask(
    call: &Call<'_>,
    needs: &Needs<'_>,
    what: impl FnOnce(&Value) -> Result<Privilege, Problem>,
) -> Result<(ScheduleRequest, Value), Problem> {
    let body = call.body()?;
    let action = body.get("action").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let revision = match action.as_str() {
        "adminassign" | "adminremove" => None,
        "adminupdate" => Some(Revision::Update),
        "adminextend" => Some(Revision::Extend),
        // These act for whoever is signed in, and an application is nobody.
        _ if action.starts_with("self") => return Err(Problem::denied()),
        _ => {
            let message = format!("The action '{action}' is not one that the sandbox knows.");
            return Err(Problem::new(400, "InvalidRoleAssignmentRequest", message));
        }
    };
    let removes = action == "adminremove";
    call.needs(if removes { needs.remove } else { needs.write })?;
    let wish = wish(call, &body, what(&body)?, !removes)?;
    let made = call.world.directory.change(|state, now| match revision {
        Some(revision) => state.admin_revise(wish, revision, now),
        None if removes => state.admin_remove(wish, now),
        None => state.admin_assign(wish, now),
    })?;
    let validation_only = json!(body.get("isValidationOnly") == Some(&json!(true)));
    let mut entry = request(&made);
    put(&mut entry, "isValidationOnly", validation_only);
    Ok((made, entry))
}

/// A property that the body must have.
pub(super) fn required(body: &Value, name: &str) -> Result<String, Problem> {
    let text = body.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| Problem::bad(format!("The required property '{name}' is missing.")))
}

pub(super) fn licensed(call: &Call<'_>) -> Result<(), Problem> {
    if call.world.behaviour().premium {
        return Ok(());
    }
    let message = "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.";
    Err(Problem::new(400, "AadPremiumLicenseRequired", message))
}

pub(super) fn one_or_all(call: &Call<'_>, rest: &[&str], terms: &Terms<'_>, all: Vec<Value>) -> Answer {
    match (call.method(), rest) {
        ("GET", []) => listing::page(call, terms, all),
        ("GET", [id]) => {
            let found = all.into_iter().find(|entry| entry.get("id").and_then(Value::as_str) == Some(id));
            listing::entity(call, terms, found.ok_or_else(|| Problem::not_found(id))?)
        }
        // Schedules come and go by requests; there is no other way.
        _ => Err(call.not_allowed()),
    }
}

/// Requests that a listing shows by now.
pub(super) fn shows(call: &Call<'_>, request: &ScheduleRequest) -> bool {
    call.lag.list.is_zero() || call.now.duration_since(request.created) >= call.lag.list
}

/// A request, but for what it is about.
pub(super) fn request(request: &ScheduleRequest) -> Value {
    let schedule_info = request.start.filter(|_| request.action != "adminRemove").map_or(Value::Null, |start| {
        json!({
            "startDateTime": shape::time(start),
            "recurrence": null,
            "expiration": {
                "type": request.expiration,
                "endDateTime": if request.expiration == "afterDateTime" { shape::maybe_time(request.end) } else { Value::Null },
                "duration": request.duration,
            },
        })
    });
    let (number, system) = &request.ticket;
    json!({
        "id": request.id,
        "status": request.status,
        "createdDateTime": shape::time(request.created),
        "completedDateTime": shape::maybe_time(request.completed),
        "approvalId": null,
        "customData": null,
        "action": request.action,
        "principalId": request.principal,
        "isValidationOnly": false,
        "targetScheduleId": request.schedule,
        "justification": request.justification,
        "createdBy": { "application": null, "device": null, "user": { "displayName": null, "id": request.created_by } },
        "scheduleInfo": schedule_info,
        "ticketInfo": { "ticketNumber": number, "ticketSystem": system },
    })
}

/// A schedule, but for what it is about.
pub(super) fn schedule(schedule: &Schedule) -> Value {
    json!({
        "id": schedule.id,
        "principalId": schedule.principal,
        "createdUsing": schedule.request,
        "createdDateTime": shape::time(schedule.life.born),
        "modifiedDateTime": null,
        "status": if schedule.live { "Provisioned" } else { "PendingProvisioning" },
        "scheduleInfo": term_of(Some(schedule.start), schedule.end),
    })
}

/// The schedule that PIM shows for what it did not make: there is nothing in it but that it never ends.
pub(super) fn standing(id: &str, principal: &str) -> Value {
    json!({
        "id": id,
        "principalId": principal,
        "createdUsing": null,
        "createdDateTime": null,
        "modifiedDateTime": null,
        "status": "Provisioned",
        "scheduleInfo": term_of(None, None),
    })
}

/// An eligibility's schedule, but for what it is about.
pub(super) fn eligibility(eligibility: &Eligibility) -> Value {
    let Eligibility { id, principal, what: _, start, end, life } = eligibility;
    json!({
        "id": id,
        "principalId": principal,
        "createdUsing": id,
        "createdDateTime": shape::time(life.born),
        "modifiedDateTime": null,
        "status": "Provisioned",
        "scheduleInfo": term_of(Some(*start), *end),
    })
}

/// The same for an eligibility that counts now.
pub(super) fn eligibility_instance(eligibility: &Eligibility) -> Value {
    let Eligibility { id, principal, what: _, start, end, life: _ } = eligibility;
    json!({
        "id": id,
        "principalId": principal,
        "startDateTime": shape::time(*start),
        "endDateTime": shape::maybe_time(*end),
    })
}

/// Puts the fields of the one into the other.
pub(super) fn with(mut entry: Value, more: Value) -> Value {
    if let Value::Object(more) = more {
        for (name, value) in more {
            put(&mut entry, &name, value);
        }
    }
    entry
}

fn term_of(start: Option<Timestamp>, end: Option<Timestamp>) -> Value {
    json!({
        "startDateTime": shape::maybe_time(start),
        "recurrence": null,
        "expiration": {
            "type": if end.is_some() { "afterDateTime" } else { "noExpiration" },
            "endDateTime": shape::maybe_time(end),
            "duration": null,
        },
    })
}

fn wish(call: &Call<'_>, body: &Value, what: Privilege, scheduled: bool) -> Result<Wish, Problem> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let (start, end) = if scheduled { term(body)? } else { (None, End::Never) };
    Ok(Wish {
        principal: required(body, "principalId")?,
        what,
        justification: text("/justification"),
        ticket: (text("/ticketInfo/ticketNumber"), text("/ticketInfo/ticketSystem")),
        created_by: call.caller_id().to_owned(),
        start,
        end,
        validation_only: body.get("isValidationOnly") == Some(&json!(true)),
    })
}

fn term(body: &Value) -> Result<(Option<Timestamp>, End), Problem> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let invalid = |message: &str| Problem::new(400, "InvalidRoleAssignmentRequestSchedule", message);
    let read_time =
        |text: &str| text.parse::<Timestamp>().map_err(|_| invalid("A time of the schedule is not valid."));
    let start = text("/scheduleInfo/startDateTime").map(read_time).transpose()?;
    let kind = text("/scheduleInfo/expiration/type").unwrap_or_default().to_ascii_lowercase();
    let (duration, until) =
        (text("/scheduleInfo/expiration/duration"), text("/scheduleInfo/expiration/endDateTime"));
    let end = match (kind.as_str(), duration, until) {
        ("noexpiration", None, None) => End::Never,
        ("afterdatetime", None, Some(until)) => End::At(read_time(until)?),
        ("afterduration", Some(duration), None) => {
            let length = edm_duration(duration).ok_or_else(|| invalid("The duration is not valid."))?;
            End::After(length, duration.to_owned())
        }
        _ => {
            let message = "The following policy rules failed: [\"ExpirationRule\"]";
            return Err(Problem::new(400, "RoleAssignmentRequestPolicyValidationFailed", message));
        }
    };
    Ok((start, end))
}

/// Edm.Duration: days, hours, minutes and seconds; no weeks, months or years.
fn edm_duration(text: &str) -> Option<SignedDuration> {
    let (date, time) = text.strip_prefix('P')?.split_once('T').unwrap_or((text.strip_prefix('P')?, ""));
    let allowed =
        |text: &str, units: &str| text.chars().all(|c| c.is_ascii_digit() || c == '.' || units.contains(c));
    if !allowed(date, "D") || !allowed(time, "HMS") {
        return None;
    }
    let (days, time) = match date.strip_suffix('D') {
        Some(days) => (days.parse::<i64>().ok()?, time),
        None if date.is_empty() => (0, time),
        None => return None,
    };
    let rest = if time.is_empty() { SignedDuration::ZERO } else { format!("PT{time}").parse().ok()? };
    let length = SignedDuration::try_from_hours(days.checked_mul(24)?)?.checked_add(rest)?;
    length.is_positive().then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_days_hours_minutes_and_seconds() {
        for (text, minutes) in [("PT2H", 120), ("P1D", 1440), ("P1DT30M", 1470), ("PT1H30M", 90)] {
            assert_eq!(edm_duration(text), Some(SignedDuration::from_mins(minutes)), "{text}");
        }
        for text in ["", "2h", "P1W", "P1M", "P1Y", "PT", "P", "PT0S", "-PT1H", "P9999999999999999999D"] {
            assert_eq!(edm_duration(text), None, "{text}");
        }
    }
}
