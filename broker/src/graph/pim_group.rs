//! The way `pim-group`: PIM for Groups' `assignmentScheduleRequests` about members and owners, which Entra
//! ends by itself. How is in `schedule`.
//!
//! Two things are not as with roles. A listing must name a group or a principal. And an owner may outlive
//! the end: PIM tries for thirty days to take the group from its last owner, and then leaves it to them
//! for good, under no schedule. Graph's pages:
//! <https://learn.microsoft.com/graph/api/privilegedaccessgroup-post-assignmentschedulerequests> and
//! <https://learn.microsoft.com/graph/api/privilegedaccessgroup-list-assignmentscheduleinstances>.

use elevate_core::names::{AssignmentId, Membership, Relation, Resource, Slot, TenantId, Way};
use serde_json::{Map, Value};

use super::budget::Priority;
use super::call::{Fault, Line};
use super::group;
use super::schedule::{self, Door, Kinds};
use super::wire::Seat;
use crate::ports::directory::{Assignment, GrantAnswer, Unreachable};

impl Door for Seat {
    const WAY: Way = Way::PimGroup;
    const REQUESTS: &'static [&'static str] =
        &["identityGovernance", "privilegedAccess", "group", "assignmentScheduleRequests"];
    const INSTANCES: &'static [&'static str] =
        &["identityGovernance", "privilegedAccess", "group", "assignmentScheduleInstances"];
    const KINDS: Kinds = Kinds {
        instances: "pim-group.instances",
        requests: "pim-group.requests",
        assign: "pim-group.assign",
        extend: "pim-group.extend",
        remove: "pim-group.remove",
        cancel: "pim-group.cancel",
    };

    fn slot(&self) -> Slot {
        Self::slot(self)
    }

    fn fields(&self) -> Map<String, Value> {
        Map::from_iter([
            ("principalId".to_owned(), self.principal.object.to_string().into()),
            ("groupId".to_owned(), self.membership.group.to_string().into()),
            ("accessId".to_owned(), self.membership.relation.as_str().into()),
        ])
    }

    async fn standing(&self, line: &Line, priority: Priority) -> Result<Option<AssignmentId>, Fault> {
        group::at_seat(line, priority, self).await
    }

    async fn barred(&self, line: &Line, has_earlier_try: bool) -> Result<Option<GrantAnswer>, Fault> {
        group::barred(line, has_earlier_try, self).await
    }

    fn left_as(&self) -> Option<AssignmentId> {
        (self.membership.relation == Relation::Owner).then(|| group::name(self).ok()).flatten()
    }
}

/// Who is in the group or owns it, under their schedules' ids where PIM knows one.
pub(super) async fn list(
    line: &Line,
    tenant: TenantId,
    membership: &Membership,
) -> Result<Vec<Assignment>, Unreachable> {
    let standing = group::list(line, tenant, membership).await?;
    let filter = format!("$filter=groupId eq '{}'", membership.group);
    schedule::list::<Seat>(line, tenant, Resource::Group(*membership), &filter, standing).await
}
