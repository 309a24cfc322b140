//! Everything that the tenant holds of privilege, for a first policy: what is held for good, who is eligible in PIM,
//! and on which terms.
//!
//! Many calls, all of them such as can wait. Graph's pages:
//! <https://learn.microsoft.com/graph/api/rbacapplication-list-roleeligibilityscheduleinstances>,
//! <https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignmentscheduleinstances>,
//! <https://learn.microsoft.com/graph/api/privilegedaccessgroup-list-eligibilityscheduleinstances>. PIM needs a licence;
//! without one a policy is made of the plain assignments alone.

use std::collections::{BTreeMap, BTreeSet};

use elevate_core::names::{
    DirectoryRole, Membership, ObjectId, Relation, Resource, RoleDefinitionId, Scope, TenantId,
};
use elevate_core::policy::import::{Basis, Holder, HolderKind, Holding, Survey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::address::asking;
use super::budget::Priority;
use super::call::{Fault, Line};
use super::people::{Names, scope_name, shown};
use super::wire::{About, RoleDefinition};
use crate::ports::directory::Unreachable;

mod terms;

/// The most groups that are asked who may come in, and the most roles whose terms are read: each is a call.
const GROUPS_MAX: usize = 100;
const TERMS_MAX: usize = 200;

/// Who has what, as every listing shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(flatten)]
    about: About,
    principal: Option<Whoever>,
    assignment_type: Option<String>,
    member_type: Option<String>,
    end_date_time: Option<String>,
    access_id: Option<String>,
}

/// A principal, expanded.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whoever {
    #[serde(rename = "@odata.type")]
    kind: Option<String>,
    display_name: Option<String>,
}

impl Row {
    /// Through a group or a wider scope it comes by itself.
    fn is_direct(&self) -> bool {
        self.member_type.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("direct"))
    }

    /// Held for a while only, by who is eligible.
    fn is_activated(&self) -> bool {
        self.assignment_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("activated"))
    }

    fn holder(&self) -> Option<Holder> {
        let kind = match self.principal.as_ref().and_then(|principal| principal.kind.as_deref()) {
            Some("#microsoft.graph.user") => HolderKind::User,
            Some("#microsoft.graph.group") => HolderKind::Group,
            Some("#microsoft.graph.servicePrincipal") => HolderKind::Program,
            _ => HolderKind::Unknown,
        };
        let name = self.principal.as_ref().and_then(|principal| principal.display_name.as_deref()).map(shown);
        Some(Holder { id: self.about.principal()?, kind, name })
    }

    fn holding(&self, what: Resource, basis: Basis) -> Option<Holding> {
        let until = self.end_date_time.as_deref().and_then(|end| end.parse().ok());
        Some(Holding { holder: self.holder()?, what, basis, until })
    }
}

/// What may come of a listing that the broker can do without.
enum Read<T> {
    Whole(Vec<T>),
    /// Graph refused it: why, in words.
    Refused(String),
}

/// A survey being made.
struct Surveyor<'l> {
    line: &'l Line,
    known: &'l Names,
    tenant: TenantId,
    survey: Survey,
}

pub(super) async fn survey(line: &Line, known: &Names, tenant: TenantId) -> Result<Survey, Unreachable> {
    let mut surveyor = Surveyor { line, known, tenant, survey: Survey::default() };
    surveyor.roles().await?;
    surveyor.names().await?;
    if surveyor.survey.has_pim {
        surveyor.groups().await?;
        surveyor.terms().await?;
    }
    Ok(surveyor.survey)
}

impl Surveyor<'_> {
    /// Who is eligible for directory roles, and who holds them.
    async fn roles(&mut self) -> Result<(), Unreachable> {
        let eligible = self.expanded("roleEligibilityScheduleInstances");
        match self.list::<Row>("import.eligible", eligible).await? {
            Read::Whole(rows) => {
                self.survey.has_pim = true;
                self.take(&rows, Basis::Eligible);
            }
            Read::Refused(why) => {
                self.survey.notes.push(format!("who is eligible in PIM cannot be read: {why}"))
            }
        }
        if self.survey.has_pim {
            // These know what was only activated, and what ends by itself.
            let active = self.expanded("roleAssignmentScheduleInstances");
            match self.list::<Row>("import.active", active).await? {
                Read::Whole(rows) => {
                    self.take(&rows, Basis::Standing);
                    return Ok(());
                }
                Read::Refused(why) => self.survey.notes.push(format!(
                    "PIM does not say what is held for a while only, so all of it counts as held for good: {why}"
                )),
            }
        }
        let url = self.expanded("roleAssignments");
        let rows: Vec<Row> = self.line.list("import.assignments", Priority::List, url).await?;
        self.take(&rows, Basis::Standing);
        Ok(())
    }

    fn expanded(&self, collection: &str) -> Url {
        asking(self.line.root.roles(collection), "$expand=principal")
    }

    fn take(&mut self, rows: &[Row], basis: Basis) {
        let mut odd = 0u32;
        for row in rows.iter().filter(|row| row.is_direct() && !row.is_activated()) {
            let what = row.about.slot(self.tenant).map(|slot| slot.resource);
            match what.and_then(|what| row.holding(what, basis)) {
                Some(holding) => self.survey.holdings.push(holding),
                None => odd = odd.saturating_add(1),
            }
        }
        if odd > 0 {
            self.survey
                .notes
                .push(format!("{odd} assignments are at a scope that no policy has, such as an app's own"));
        }
    }

    /// What roles and scopes are called. The ids stand there in any case.
    async fn names(&mut self) -> Result<(), Unreachable> {
        let url = asking(self.line.root.roles("roleDefinitions"), "$select=id,displayName");
        let definitions: Vec<RoleDefinition> =
            self.line.list("import.definitions", Priority::List, url).await?;
        for RoleDefinition { id, display_name } in definitions {
            let id = id.and_then(|id| id.parse::<RoleDefinitionId>().ok());
            if let (Some(id), Some(name)) = (id, display_name) {
                self.survey.names.insert(id.uuid(), shown(&name));
            }
        }
        for what in self.held() {
            let Resource::Role(DirectoryRole { scope, .. }) = what else { continue };
            let (Scope::AdministrativeUnit(id) | Scope::Object(id)) = scope else { continue };
            if let Some(name) = scope_name(self.line, self.known, scope).await {
                self.survey.names.insert(id.uuid(), name);
            }
        }
        Ok(())
    }

    /// Who may come into the groups that hold roles.
    async fn groups(&mut self) -> Result<(), Unreachable> {
        let is_group = |holding: &&Holding| holding.holder.kind == HolderKind::Group;
        let groups: BTreeMap<ObjectId, Option<String>> = self
            .survey
            .holdings
            .iter()
            .filter(is_group)
            .map(|holding| (holding.holder.id, holding.holder.name.clone()))
            .collect();
        if groups.len() > GROUPS_MAX {
            let left = groups.len().saturating_sub(GROUPS_MAX);
            self.survey
                .notes
                .push(format!("{left} groups that hold roles were not asked who may come in by PIM"));
        }
        for (group, name) in groups.into_iter().take(GROUPS_MAX) {
            if let Some(name) = name {
                self.survey.names.insert(group.uuid(), name);
            }
            let path = ["identityGovernance", "privilegedAccess", "group", "eligibilityScheduleInstances"];
            let query = format!("$filter=groupId eq '{group}'&$expand=principal");
            match self.list::<Row>("import.groups", asking(self.line.root.at(&path), &query)).await? {
                Read::Whole(rows) => {
                    for row in rows.iter().filter(|row| row.is_direct()) {
                        let relation = row.access_id.as_deref().and_then(|id| id.parse::<Relation>().ok());
                        let what = relation.map(|relation| Resource::Group(Membership { group, relation }));
                        let holding = what.and_then(|what| row.holding(what, Basis::Eligible));
                        self.survey.holdings.extend(holding);
                    }
                }
                Read::Refused(why) => {
                    let note = format!("who may come into groups by PIM cannot be read: {why}");
                    self.survey.notes.push(note);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// On which terms PIM lets people activate what they are eligible for.
    async fn terms(&mut self) -> Result<(), Unreachable> {
        let whats: BTreeSet<Resource> = self.held().into_iter().map(everywhere).collect();
        if whats.len() > TERMS_MAX {
            let left = whats.len().saturating_sub(TERMS_MAX);
            self.survey.notes.push(format!("the terms of {left} roles were not read"));
        }
        let mut of_roles = None;
        for what in whats.into_iter().take(TERMS_MAX) {
            let policies = match (what, &of_roles) {
                (Resource::Role(_), Some(known)) => known,
                (Resource::Role(_), None) => {
                    &*of_roles.insert(terms::policies(self.line, "/", "DirectoryRole").await?)
                }
                (Resource::Group(place), _) => {
                    &terms::policies(self.line, &place.group.to_string(), "Group").await?
                }
            };
            let key = match what {
                Resource::Role(role) => role.definition.to_string(),
                Resource::Group(place) => place.relation.to_string(),
            };
            let settings = terms::of(self.line, policies, &key).await?;
            self.survey.settings.insert(what, settings);
        }
        Ok(())
    }

    fn held(&self) -> BTreeSet<Resource> {
        self.survey.holdings.iter().map(|holding| holding.what).collect()
    }

    async fn list<T: DeserializeOwned>(&self, kind: &'static str, url: Url) -> Result<Read<T>, Unreachable> {
        list(self.line, kind, url).await
    }
}

/// A listing that Graph may refuse.
async fn list<T: DeserializeOwned>(
    line: &Line,
    kind: &'static str,
    url: Url,
) -> Result<Read<T>, Unreachable> {
    match line.list(kind, Priority::List, url).await {
        Ok(found) => Ok(Read::Whole(found)),
        Err(Fault::Refused(refusal)) => Ok(Read::Refused(refusal.for_reading())),
        Err(unclear) => Err(unclear.into()),
    }
}

/// PIM has one set of terms for a role, wherever it is held.
const fn everywhere(what: Resource) -> Resource {
    match what {
        Resource::Role(DirectoryRole { definition, scope: _ }) => {
            Resource::Role(DirectoryRole { definition, scope: Scope::Tenant })
        }
        Resource::Group(place) => Resource::Group(place),
    }
}
