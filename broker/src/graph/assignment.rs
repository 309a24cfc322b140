//! The way `assignment`: `roleAssignments`, made by POST and ended by DELETE of the id.
//!
//! It works without a licence, and nobody but the broker ends it. Graph's pages:
//! <https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignments> and
//! <https://learn.microsoft.com/graph/api/unifiedroleassignment-delete>. Plain reads only: with
//! `ConsistencyLevel: eventual` Graph answers from an index that is older still.

use std::time::Duration;

use elevate_core::names::{AssignmentId, DirectoryRole, Resource, TenantId, Way};
use serde_json::json;

use super::absence::Absences;
use super::budget::Priority;
use super::call::{Call, Fault, Line};
use super::wire::{Place, RoleAssignment};
use crate::ports::directory::{
    Assignment, ExtendPermit, GrantAnswer, GrantPermit, Held, RevokeAnswer, RevokePermit, Unreachable,
};

const ASSIGNMENTS: &str = "roleAssignments";
/// How long Graph's reads are given to catch up with its writes.
pub(super) const LAG: Duration = Duration::from_secs(2);

pub(super) async fn look(line: &Line, place: &Place) -> Result<Held, Unreachable> {
    Ok(at_slot(line, Priority::Grant, place).await?.map_or(Held::Nothing, Held::By))
}

pub(super) async fn list(
    line: &Line,
    tenant: TenantId,
    role: &DirectoryRole,
) -> Result<Vec<Assignment>, Unreachable> {
    let url = line.root.roles_by(ASSIGNMENTS, role.definition);
    let listed: Vec<RoleAssignment> = line.list("assignments.list", Priority::List, url).await?;
    let held_there = listed.iter().filter_map(|each| {
        let slot = each.about.slot(tenant)?;
        (slot.resource == Resource::Role(*role)).then_some((each, slot))
    });
    held_there.map(|(each, slot)| Ok(Assignment { id: each.id().ok_or_else(unnamed)?, slot })).collect()
}

pub(super) async fn grant(line: &Line, permit: &GrantPermit, place: &Place) -> GrantAnswer {
    if permit.has_earlier_try() {
        match at_slot(line, Priority::Grant, place).await {
            // The slot was seen empty before the intent: what is there now came from that try.
            Ok(Some(id)) => return GrantAnswer::Done(id),
            Ok(None) => {}
            Err(fault) => return fault.into(),
        }
    }
    let wanted = json!({
        "@odata.type": "#microsoft.graph.unifiedRoleAssignment",
        "principalId": place.principal.object.to_string(),
        "roleDefinitionId": place.role.definition.to_string(),
        "directoryScopeId": place.role.scope.to_string(),
    });
    let url = line.root.roles(ASSIGNMENTS);
    let call =
        Call::write("assignments.create", Priority::Grant, url, Some(wanted)).before(permit.not_after());
    let made = match line.send(call).await.and_then(|body| body.read::<RoleAssignment>()) {
        Ok(made) => made,
        Err(Fault::Refused(refusal)) if refusal.is_duplicate() => return met(line, permit, place).await,
        // Somebody just created is not known everywhere yet.
        Err(Fault::Refused(refusal)) if refusal.is_missing() => {
            return Fault::unclear(format!("Graph does not know the principal yet ({})", refusal.brief()))
                .into();
        }
        Err(Fault::Refused(refusal)) => return GrantAnswer::Refused(refusal.words(Way::Assignment)),
        Err(unclear) => return unclear.into(),
    };
    match made.id().filter(|id| line.root.assignment(id).is_some()) {
        Some(id) => GrantAnswer::Done(id),
        None => Fault::from(unnamed()).into(),
    }
}

/// Graph says that it is there already: by whom?
async fn met(line: &Line, permit: &GrantPermit, place: &Place) -> GrantAnswer {
    if !permit.has_earlier_try() {
        return somebody_else(Way::Assignment);
    }
    match at_slot(line, Priority::Grant, place).await {
        Ok(Some(id)) => GrantAnswer::Done(id),
        Ok(None) => GrantAnswer::Unclear {
            reason: "Graph says that it is there, and does not list it yet".to_owned(),
            after: Some(LAG),
        },
        Err(fault) => fault.into(),
    }
}

/// Nobody but the broker ends it: there is no end to move, and the assignment is only read.
pub(super) async fn extend(line: &Line, permit: &ExtendPermit, place: &Place) -> GrantAnswer {
    kept(look(line, place).await, permit)
}

/// Whether what is to go on is still there, and the same.
pub(super) fn kept(look: Result<Held, Unreachable>, permit: &ExtendPermit) -> GrantAnswer {
    match look {
        Ok(Held::By(id)) if id == *permit.held() => GrantAnswer::Done(id),
        Ok(Held::By(_)) => another_holds_it(permit.target().way()),
        // One read proves nothing. If it is gone, comparing record and directory closes what it belonged to.
        Ok(Held::Nothing) => GrantAnswer::Unclear { reason: NOT_SHOWN.to_owned(), after: Some(LAG) },
        Err(Unreachable { reason, after }) => GrantAnswer::Unclear { reason, after },
    }
}

/// What is to go on is not in the directory's list.
pub(super) const NOT_SHOWN: &str = "the directory does not show what is to be extended";

/// What is there is not what the record says was granted.
pub(super) fn another_holds_it(way: Way) -> GrantAnswer {
    let words = match way {
        Way::Assignment | Way::Pim => {
            "the directory holds this role for you by another hand now, and the broker leaves that assignment alone"
        }
        Way::Group | Way::PimGroup => {
            "the directory holds this place in the group for you by another hand now, and the broker leaves it alone"
        }
    };
    GrantAnswer::Refused(words.to_owned())
}

/// The broker never adopts: to revoke it later would be to take somebody's standing role.
pub(super) fn somebody_else(way: Way) -> GrantAnswer {
    let words = match way {
        Way::Assignment | Way::Pim => {
            "somebody else assigned this role to you in the meantime; you hold it, and the broker leaves that \
             assignment alone"
        }
        Way::Group | Way::PimGroup => {
            "somebody else gave you this place in the group in the meantime; you have it, and the broker leaves \
             it alone"
        }
    };
    GrantAnswer::Refused(words.to_owned())
}

pub(super) async fn revoke(
    line: &Line,
    absences: &Absences,
    permit: &RevokePermit,
    place: &Place,
) -> RevokeAnswer {
    take_away(line, absences, permit, place).await.unwrap_or_else(RevokeAnswer::from)
}

async fn take_away(
    line: &Line,
    absences: &Absences,
    permit: &RevokePermit,
    place: &Place,
) -> Result<RevokeAnswer, Fault> {
    let activation = permit.activation();
    let before = line.clock.now();
    // Where no answer to the grant was ever heard, what the slot holds is ours: it was empty before.
    let known = permit.held().cloned().or_else(|| absences.deleted_id(activation));
    let seen = match known {
        Some(id) if is_there(line, Priority::Revoke, place, &id).await? => Some(id),
        Some(_) => None,
        None => at_slot(line, Priority::Revoke, place).await?,
    };
    let id = match seen {
        Some(id) => {
            absences.seen(activation);
            if absences.is_settling(activation, line.clock.now()) {
                return Ok(not_yet("deleted, and Graph still shows it", LAG));
            }
            id
        }
        None => match permit.held().filter(|_| !absences.knows(activation)) {
            // A read lags behind what was granted a moment ago. Asked to, Graph takes it away all the same.
            Some(id) => id.clone(),
            None => {
                return Ok(match absences.unseen(activation, before, line.clock.now()) {
                    None => RevokeAnswer::Gone,
                    Some(after) => not_yet("one read does not show it, and a second must agree", after),
                });
            }
        },
    };
    let address = line.root.assignment(&id).ok_or_else(|| Fault::from(unnamed()))?;
    match line.take_away(Call::delete("assignments.delete", &address)).await {
        Ok(_) => absences.deleted(activation, &id, line.clock.now().latest()),
        // No proof right after a create; the reads below say more.
        Err(Fault::Refused(refusal)) if refusal.is_missing() => {}
        Err(fault) => return Err(fault),
    }
    let before = line.clock.now();
    if is_there(line, Priority::Confirm, place, &id).await? {
        return Ok(not_yet("deleted, and Graph still shows it", LAG));
    }
    Ok(match absences.unseen(activation, before, line.clock.now()) {
        None => RevokeAnswer::Gone,
        Some(after) => not_yet("one read does not show it, and a second must agree", after),
    })
}

/// Whether this assignment is shown, by its id or in the principal's list.
///
/// # Errors
/// No answer, or the id is not about this principal: then it is not for the broker to touch.
async fn is_there(line: &Line, priority: Priority, place: &Place, id: &AssignmentId) -> Result<bool, Fault> {
    let url = line.root.assignment(id).ok_or_else(|| Fault::from(unnamed()))?.url();
    match line.send(Call::read("assignments.get", priority, url)).await {
        Ok(body) => {
            let shown: RoleAssignment = body.read()?;
            if shown.about.principal() == Some(place.principal.object) {
                return Ok(true);
            }
            Err(Fault::unclear("the assignment on record is somebody else's, and the broker leaves it alone"))
        }
        Err(Fault::Refused(refusal)) if refusal.is_missing() => {
            let listed = of_principal(line, priority, place).await?;
            Ok(listed.iter().any(|each| each.id.as_deref() == Some(id.as_str())))
        }
        Err(fault) => Err(fault),
    }
}

/// What the slot holds.
pub(super) async fn at_slot(
    line: &Line,
    priority: Priority,
    place: &Place,
) -> Result<Option<AssignmentId>, Fault> {
    let listed = of_principal(line, priority, place).await?;
    match listed.iter().find(|each| each.about.is(&place.slot())) {
        Some(found) => Ok(Some(found.id().ok_or_else(unnamed)?)),
        None => Ok(None),
    }
}

async fn of_principal(line: &Line, priority: Priority, place: &Place) -> Result<Vec<RoleAssignment>, Fault> {
    let url = line.root.roles_of(ASSIGNMENTS, place.principal.object);
    line.list("assignments.list", priority, url).await
}

pub(super) fn not_yet(reason: &str, after: Duration) -> RevokeAnswer {
    RevokeAnswer::NotYet { reason: reason.to_owned(), after: Some(after) }
}

/// An assignment whose id cannot be read can be neither told from others nor deleted.
pub(super) fn unnamed() -> Unnamed {
    Unnamed
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Unnamed;

impl From<Unnamed> for Fault {
    fn from(_: Unnamed) -> Self {
        Self::unclear("Graph showed an assignment without an id that can be read")
    }
}

impl From<Unnamed> for Unreachable {
    fn from(unnamed: Unnamed) -> Self {
        Fault::from(unnamed).into()
    }
}
