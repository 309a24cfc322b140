//! The way `pim`: `roleAssignmentScheduleRequests`, which Entra ends by itself. How is in `schedule`.
//!
//! Graph's pages: <https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignmentschedulerequests>
//! and <https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignmentscheduleinstances>.

use elevate_core::names::{AssignmentId, DirectoryRole, Resource, Slot, TenantId, Way};
use serde_json::{Map, Value};

use super::assignment;
use super::budget::Priority;
use super::call::{Fault, Line};
use super::schedule::{self, Door, Kinds};
use super::wire::Place;
use crate::ports::directory::{Assignment, Unreachable};

impl Door for Place {
    const WAY: Way = Way::Pim;
    const REQUESTS: &'static [&'static str] =
        &["roleManagement", "directory", "roleAssignmentScheduleRequests"];
    const INSTANCES: &'static [&'static str] =
        &["roleManagement", "directory", "roleAssignmentScheduleInstances"];
    const KINDS: Kinds = Kinds {
        instances: "pim.instances",
        requests: "pim.requests",
        assign: "pim.assign",
        extend: "pim.extend",
        remove: "pim.remove",
        cancel: "pim.cancel",
    };

    fn slot(&self) -> Slot {
        Self::slot(self)
    }

    fn fields(&self) -> Map<String, Value> {
        Map::from_iter([
            ("principalId".to_owned(), self.principal.object.to_string().into()),
            ("roleDefinitionId".to_owned(), self.role.definition.to_string().into()),
            ("directoryScopeId".to_owned(), self.role.scope.to_string().into()),
        ])
    }

    async fn standing(&self, line: &Line, priority: Priority) -> Result<Option<AssignmentId>, Fault> {
        assignment::at_slot(line, priority, self).await
    }
}

/// The plain assignments, under their schedules' ids where PIM knows one.
pub(super) async fn list(
    line: &Line,
    tenant: TenantId,
    role: &DirectoryRole,
) -> Result<Vec<Assignment>, Unreachable> {
    let standing = assignment::list(line, tenant, role).await?;
    let filter = format!("$filter=roleDefinitionId eq '{}'", role.definition);
    schedule::list::<Place>(line, tenant, Resource::Role(*role), &filter, standing).await
}
