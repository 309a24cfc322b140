//! What the directory held, and for how long, beside what the record says of it.

use std::collections::BTreeMap;
use std::time::Duration;

use elevate_proto::v1 as api;
use elevate_sandbox::Tenant;
use jiff::Timestamp;

use super::Found;

/// How long a role may be held behind its end, the broker's own downs included: each is shorter by far.
pub const BOUND: Duration = Duration::from_secs(60);

/// An intent on record: who is to hold what until when.
struct Begun {
    id: String,
    principal: String,
    role: String,
    at: Timestamp,
    until: Timestamp,
    times: u32,
}

/// Compares everything that the directory ever held with the record: each holding belongs to one activation, whose
/// intent was on record before, no activation was granted twice, and each ended in time. Nothing may be held any
/// more. `roles` says which definition a role of the policy is.
pub fn settle(
    tenant: &Tenant,
    entries: &[api::AuditEntry],
    roles: &BTreeMap<String, String>,
    found: &mut Found,
) {
    let mut begun: Vec<Begun> = entries.iter().filter_map(|entry| begun(entry, roles)).collect();
    let (mut worst, mut count) = (Duration::ZERO, 0_u64);
    for held in tenant.directory().every_assignment() {
        count += 1;
        let of_slot =
            begun.iter_mut().filter(|begun| begun.principal == held.principal && begun.role == held.role);
        let Some(of) = of_slot.filter(|begun| begun.at <= held.life.born).max_by_key(|begun| begun.at) else {
            found.violations.push(format!("no intent is on record for {held:?}"));
            continue;
        };
        of.times += 1;
        if of.times > 1 {
            found.violations.push(format!("{} was granted {} times: {held:?}", of.id, of.times));
        }
        let Some(gone) = held.life.gone else {
            found.violations.push(format!("still held, of {}: {held:?}", of.id));
            continue;
        };
        let late = Duration::try_from(gone.duration_since(of.until)).unwrap_or_default();
        worst = worst.max(late);
        if late > BOUND {
            found.violations.push(format!("{} outlived its end by {late:?}: {held:?}", of.id));
        }
    }
    found.figure("assignments in the directory", count);
    found.figure("worst lateness", format!("{:.2} s", worst.as_secs_f64()));
}

fn begun(entry: &api::AuditEntry, roles: &BTreeMap<String, String>) -> Option<Begun> {
    if entry.event != "activation-begun" {
        return None;
    }
    let at = entry.at.as_ref()?;
    Some(Begun {
        id: entry.activation_id.clone(),
        principal: entry.principal.as_ref()?.object_id.clone(),
        role: roles.get(&entry.role)?.clone(),
        at: Timestamp::new(at.seconds, at.nanos).ok()?,
        until: entry.details.get("held_until")?.parse().ok()?,
        times: 0,
    })
}
