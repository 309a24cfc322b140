//! Which permissions the ways in use take, and which the broker was given.

use std::collections::{BTreeMap, BTreeSet};

use elevate_core::names::{Relation, Resource, Target, Way};
use uuid::Uuid;

use super::Finding;
use crate::graph::address::asking;
use crate::graph::budget::Priority;
use crate::graph::call::{Call, Fault, Line};
use crate::graph::wire::{AppRoleAssignment, ServicePrincipal};

/// Something to be allowed: any of these permissions does, the least first.
pub(super) struct Need {
    for_what: &'static str,
    any_of: &'static [&'static str],
}

impl Need {
    pub(super) fn judged(&self, given: &BTreeSet<String>) -> Finding {
        let least = self.any_of.first().copied().unwrap_or_default();
        let what = format!("permission to {}", self.for_what);
        match self.any_of.iter().find(|each| given.contains(**each)) {
            Some(held) => Finding::fine(format!("{what} ({held})")),
            None => Finding::wrong(
                what,
                format!("the application lacks {least}"),
                format!(
                    "add the application permission {least} of Microsoft Graph and let an administrator consent"
                ),
            ),
        }
    }
}

const SEE_GROUPS: Need = Need {
    for_what: "see who is in which group",
    any_of: &[
        "GroupMember.Read.All",
        "GroupMember.ReadWrite.All",
        "Group.Read.All",
        "Group.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    ],
};
const READ_NAMES: Need = Need {
    for_what: "read people's names, and whether their accounts are enabled",
    any_of: &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
};
const SIGN_OUT: Need = Need {
    for_what: "sign people out (a role says `sign_out`)",
    any_of: &["User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All"],
};
const READ_ROLES: Need = Need {
    for_what: "read role assignments",
    any_of: &["RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "Directory.Read.All"],
};
const BY_ASSIGNMENT: Need = Need {
    for_what: "assign roles by the way `assignment`",
    any_of: &["RoleManagement.ReadWrite.Directory"],
};
const BY_PIM: Need = Need {
    for_what: "assign roles by the way `pim`",
    any_of: &["RoleAssignmentSchedule.ReadWrite.Directory", "RoleManagement.ReadWrite.Directory"],
};
const BY_EITHER: Need = Need { for_what: "assign roles, by one way or the other", ..BY_PIM };
const MEMBERS: Need = Need {
    for_what: "make members of groups by the way `group`",
    any_of: &["GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All"],
};
/// The smaller permission to change members does not reach to owners.
const OWNERS: Need = Need {
    for_what: "make owners of groups by the way `group`",
    any_of: &["Group.ReadWrite.All", "Directory.ReadWrite.All"],
};
/// On top of that.
const ROLE_GROUPS: Need = Need {
    for_what: "change groups that can hold roles, by the way `group`",
    any_of: &["RoleManagement.ReadWrite.Directory"],
};
const BY_PIM_GROUP: Need = Need {
    for_what: "make members and owners of groups by the way `pim-group`",
    any_of: &["PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup"],
};

/// Microsoft's permissions reference names the first of each as the least, and then the wider ones.
/// `is_over_roles`: whether the way `group` leads to a group that can hold directory roles; `signs_out`:
/// whether a role ends people's sign-in sessions.
pub(super) fn needs(targets: &[Target], is_over_roles: bool, signs_out: bool) -> Vec<Need> {
    let ways: BTreeSet<_> = targets.iter().map(Target::way).collect();
    let relations: BTreeSet<_> = targets
        .iter()
        .filter(|target| target.way() == Way::Group)
        .filter_map(|target| match target.resource() {
            Resource::Group(membership) => Some(membership.relation),
            Resource::Role(_) => None,
        })
        .collect();
    let mut needs = vec![SEE_GROUPS, READ_NAMES];
    let mut add = |is_needed: bool, need: Need| needs.extend(is_needed.then_some(need));
    let is_unknown = ways.is_empty();
    add((is_unknown || ways.contains(&Way::Pim)) && !ways.contains(&Way::Assignment), READ_ROLES);
    add(ways.contains(&Way::Assignment), BY_ASSIGNMENT);
    // Which ways the policy goes is not known, or there is none yet: one of them must be open.
    add(is_unknown, BY_EITHER);
    add(ways.contains(&Way::Pim), BY_PIM);
    add(relations.contains(&Relation::Member), MEMBERS);
    add(relations.contains(&Relation::Owner), OWNERS);
    add(is_over_roles, ROLE_GROUPS);
    add(signs_out, SIGN_OUT);
    add(ways.contains(&Way::PimGroup), BY_PIM_GROUP);
    needs
}

/// The application permissions that the broker was given.
pub(super) async fn given(line: &Line, client_id: Uuid) -> Result<BTreeSet<String>, Fault> {
    let read = |url| line.send(Call::read("check", Priority::List, url));
    let itself = format!("servicePrincipals(appId='{client_id}')");
    let url = asking(line.root.at(&[&itself]), "$select=id");
    let itself: ServicePrincipal = read(url).await?.read()?;
    let id = itself.id.ok_or_else(|| Fault::unclear("Graph showed a service principal without an id"))?;
    let url = line.root.at(&["servicePrincipals", &id, "appRoleAssignments"]);
    let assigned: Vec<AppRoleAssignment> = line.list("check", Priority::List, url).await?;
    let mut by_resource: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for AppRoleAssignment { app_role_id, resource_id } in assigned {
        if let (Some(role), Some(resource)) = (app_role_id, resource_id) {
            by_resource.entry(resource).or_default().insert(role);
        }
    }
    let mut given = BTreeSet::new();
    for (resource, roles) in by_resource {
        let url = asking(line.root.at(&["servicePrincipals", &resource]), "$select=id,appRoles");
        let offered: ServicePrincipal = read(url).await?.read()?;
        let held = offered
            .app_roles
            .into_iter()
            .filter(|role| role.id.as_ref().is_some_and(|id| roles.contains(id)));
        given.extend(held.filter_map(|role| role.value));
    }
    Ok(given)
}
