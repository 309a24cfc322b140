//! The way `group`: a group's `members` and `owners`, made by POST of a reference and ended by DELETE of it.
//!
//! What counts is to be in the group itself: who is in it through a group within it holds nothing here, is
//! given a place of their own, and keeps what the other group gives when that place is taken away again.
//! Graph keeps no note of who put somebody there, and a membership has no id: its name is PIM's own,
//! `{group}_{member|owner}_{principal}`. What a lost answer left is ours only because the place was seen
//! empty before the intent.
//!
//! The last person who owns a group cannot be removed. So nobody is made the only owner of one, and who
//! became the last since is taken away as soon as there is another. Graph's pages:
//! <https://learn.microsoft.com/graph/api/group-post-members>,
//! <https://learn.microsoft.com/graph/api/group-delete-members> (mind the caution),
//! <https://learn.microsoft.com/graph/api/group-post-owners>.

use elevate_core::names::{AssignmentId, Membership, Principal, Relation, TenantId, Way};
use serde_json::json;

use super::absence::Absences;
use super::assignment::{LAG, kept, not_yet, somebody_else, unnamed};
use super::budget::{Cost, Priority};
use super::call::{Call, Fault, Line};
use super::wire::{Object, Reference, Seat};
use crate::ports::directory::{
    Assignment, ExtendPermit, GrantAnswer, GrantPermit, Held, RevokeAnswer, RevokePermit, Unreachable,
};

/// What keeps an ownership from being taken away.
pub(super) const LAST_OWNER: &str = "they are the last person who owns the group, and Entra removes no last owner; make somebody else an \
     owner of it, and the broker takes this one away";

/// What a place in a group shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    There,
    Absent,
    /// There is no such group, or not where this read was answered.
    NoGroup,
}

pub(super) async fn look(line: &Line, seat: &Seat) -> Result<Held, Unreachable> {
    match sight(line, Priority::Grant, seat).await? {
        Sight::There => Ok(Held::By(name(seat)?)),
        Sight::Absent => Ok(Held::Nothing),
        Sight::NoGroup => {
            let reason = format!("the tenant has no group {}", seat.membership.group);
            Err(Unreachable { reason, after: None })
        }
    }
}

/// What the place holds, for whoever knows that there is such a group, or that it does not matter.
pub(super) async fn at_seat(
    line: &Line,
    priority: Priority,
    seat: &Seat,
) -> Result<Option<AssignmentId>, Fault> {
    match sight(line, priority, seat).await? {
        Sight::There => Ok(Some(name(seat)?)),
        Sight::Absent | Sight::NoGroup => Ok(None),
    }
}

pub(super) async fn list(
    line: &Line,
    tenant: TenantId,
    membership: &Membership,
) -> Result<Vec<Assignment>, Unreachable> {
    let listed = related(line, Priority::List, membership).await?;
    let held = listed.iter().filter_map(Object::id).map(|object| {
        let seat = Seat { principal: Principal { tenant, object }, membership: *membership };
        Ok(Assignment { id: name(&seat)?, slot: seat.slot() })
    });
    held.collect()
}

pub(super) async fn grant(line: &Line, permit: &GrantPermit, seat: &Seat) -> GrantAnswer {
    try_grant(line, permit, seat).await.unwrap_or_else(GrantAnswer::from)
}

async fn try_grant(line: &Line, permit: &GrantPermit, seat: &Seat) -> Result<GrantAnswer, Fault> {
    let name = name(seat)?;
    // The place was seen empty before the intent: who is there now came by that try.
    if permit.has_earlier_try() && sight(line, Priority::Grant, seat).await? == Sight::There {
        return Ok(GrantAnswer::Done(name));
    }
    if let Some(answer) = barred(line, permit.has_earlier_try(), seat).await? {
        return Ok(answer);
    }
    let principal = line.root.at(&["directoryObjects", &seat.principal.object.to_string()]);
    let body = json!({ "@odata.id": principal.as_str() });
    let url = line.root.references(&seat.membership);
    let call = Call::write("group.add", Priority::Grant, url, Some(body)).before(permit.not_after());
    match line.send(call).await {
        Ok(_) => Ok(GrantAnswer::Done(name)),
        Err(Fault::Refused(refusal)) if refusal.is_duplicate() && !permit.has_earlier_try() => {
            Ok(somebody_else(Way::Group))
        }
        Err(Fault::Refused(refusal)) if refusal.is_duplicate() => {
            match sight(line, Priority::Grant, seat).await? {
                Sight::There => Ok(GrantAnswer::Done(name)),
                Sight::Absent | Sight::NoGroup => Ok(GrantAnswer::Unclear {
                    reason: "Graph says that they are there, and does not show it yet".to_owned(),
                    after: Some(LAG),
                }),
            }
        }
        // Somebody just created is not known everywhere yet.
        Err(Fault::Refused(refusal)) if refusal.is_missing() => Err(Fault::unclear(format!(
            "Graph does not know the group or the principal yet ({})",
            refusal.brief()
        ))),
        Err(Fault::Refused(refusal)) => Ok(GrantAnswer::Refused(refusal.words(Way::Group))),
        Err(unclear) => Err(unclear),
    }
}

/// Why this place is not given although it is free: it could not be taken away again.
pub(super) async fn barred(
    line: &Line,
    has_earlier_try: bool,
    seat: &Seat,
) -> Result<Option<GrantAnswer>, Fault> {
    if seat.membership.relation != Relation::Owner {
        return Ok(None);
    }
    let owners = related(line, Priority::Grant, &seat.membership).await?;
    let is_another = |owner: &Object| owner.is_person() && owner.id() != Some(seat.principal.object);
    if owners.iter().any(is_another) {
        return Ok(None);
    }
    let reason = "nobody else owns this group, and Entra takes no group from its last owner, so the broker could \
                  not take it back; tell your operator to give the group an owner who stays";
    if has_earlier_try {
        // It may be on its way all the same.
        return Err(Fault::unclear(reason));
    }
    Ok(Some(GrantAnswer::Refused(reason.to_owned())))
}

pub(super) async fn revoke(
    line: &Line,
    absences: &Absences,
    permit: &RevokePermit,
    seat: &Seat,
) -> RevokeAnswer {
    take_away(line, absences, permit, seat).await.unwrap_or_else(RevokeAnswer::from)
}

/// Nobody but the broker ends it: there is no end to move, and the place is only read. But it must be one that can
/// be taken away by the later end, too.
pub(super) async fn extend(line: &Line, permit: &ExtendPermit, seat: &Seat) -> GrantAnswer {
    match barred(line, false, seat).await {
        Ok(None) => kept(look(line, seat).await, permit),
        Ok(Some(answer)) => answer,
        Err(fault) => fault.into(),
    }
}

async fn take_away(
    line: &Line,
    absences: &Absences,
    permit: &RevokePermit,
    seat: &Seat,
) -> Result<RevokeAnswer, Fault> {
    let activation = permit.activation();
    let before = line.clock.now();
    if sight(line, Priority::Revoke, seat).await? == Sight::There {
        absences.seen(activation);
        // A place that is given again has the same name, so deleting over and over could hit another's.
        if absences.is_settling(activation, line.clock.now()) {
            return Ok(not_yet("removed, and Graph still shows it", LAG));
        }
    } else if permit.held().is_none() || absences.knows(activation) {
        return Ok(match absences.unseen(activation, before, line.clock.now()) {
            None => RevokeAnswer::Gone,
            Some(after) => not_yet("one read does not show it, and a second must agree", after),
        });
    }
    // A read lags behind what was granted a moment ago, too. Asked to, Graph takes it away all the same.
    let reference = line.root.reference(&seat.membership, seat.principal.object);
    match line.take_away(Call::delete("group.remove", &reference)).await {
        Ok(_) => absences.deleted(activation, &name(seat)?, line.clock.now().latest()),
        // No proof right after an addition; the reads below say more.
        Err(Fault::Refused(refusal)) if refusal.is_missing() || refusal.is_no_reference() => {}
        Err(Fault::Refused(refusal)) if refusal.is_last_owner() => return Err(Fault::unclear(LAST_OWNER)),
        Err(fault) => return Err(fault),
    }
    let before = line.clock.now();
    if sight(line, Priority::Confirm, seat).await? == Sight::There {
        return Ok(not_yet("removed, and Graph still shows it", LAG));
    }
    Ok(match absences.unseen(activation, before, line.clock.now()) {
        None => RevokeAnswer::Gone,
        Some(after) => not_yet("one read does not show it, and a second must agree", after),
    })
}

/// Whether the principal has this very place, by its own address or in the group's list.
///
/// Neither follows groups within the group. `checkMemberGroups` does, and can say nothing here.
async fn sight(line: &Line, priority: Priority, seat: &Seat) -> Result<Sight, Fault> {
    let object = seat.principal.object;
    let url = line.root.reference(&seat.membership, object).url();
    match line.send(Call::read("group.get", priority, url)).await {
        Ok(body) if body.read::<Reference>()?.is_to(object) => return Ok(Sight::There),
        Ok(_) => return Err(Fault::unclear("Graph showed somebody else's place in the group")),
        Err(Fault::Refused(refusal)) if refusal.is_missing() => {}
        Err(fault) => return Err(fault),
    }
    match related(line, priority, &seat.membership).await {
        Ok(listed) if listed.iter().any(|each| each.id() == Some(object)) => Ok(Sight::There),
        Ok(_) => Ok(Sight::Absent),
        Err(Fault::Refused(refusal)) if refusal.is_missing() => Ok(Sight::NoGroup),
        Err(fault) => Err(fault),
    }
}

async fn related(line: &Line, priority: Priority, membership: &Membership) -> Result<Vec<Object>, Fault> {
    line.list_at(Cost::DIRECT_MEMBERS, "group.list", priority, line.root.related(membership)).await
}

/// What a place is called: as PIM for Groups calls one that it did not make.
pub(super) fn name(seat: &Seat) -> Result<AssignmentId, super::assignment::Unnamed> {
    let Membership { group, relation } = seat.membership;
    format!("{group}_{relation}_{}", seat.principal.object).parse().map_err(|_| unnamed())
}
