//! `organization` and `servicePrincipals`: enough to find out what an application was given.

use aws_lc_rs::digest;
use serde_json::{Value, json};

use super::{
    Answer,
    call::Call,
    listing::{self, Terms},
};
use crate::{
    directory::Problem,
    people::{self, App},
};

const ORGANIZATION: [&str; 4] =
    ["Organization.Read.All", "Directory.Read.All", "Directory.ReadWrite.All", "User.Read.All"];
const READ: [&str; 4] =
    ["Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
const TERMS: Terms<'_> =
    Terms { name: "servicePrincipals", filter: &["id", "appId", "displayName"], expand: &[], default: &[] };
const GRANTS: Terms<'_> = Terms { name: "appRoleAssignments", filter: &[], expand: &[], default: &[] };

/// Graph's application permissions with their well-known ids. What is not among them has an id of the sandbox's own.
const PERMISSIONS: [(&str, &str); 12] = [
    ("Application.Read.All", "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"),
    ("Directory.Read.All", "7ab1d382-f21e-4acd-a863-ba3e13f7da61"),
    ("GroupMember.Read.All", "98830695-27a2-44f7-8c18-0c3ebc9698f6"),
    ("GroupMember.ReadWrite.All", "dbaae8cf-10b5-4b86-a4a1-f871c94c6695"),
    ("Organization.Read.All", "498476ce-e0fe-48b0-b801-37ba7e2685c6"),
    ("RoleAssignmentSchedule.Read.Directory", "d5fe8ce8-684c-4c83-a52c-46e882ce4be1"),
    ("RoleAssignmentSchedule.ReadWrite.Directory", "dd199f4a-f148-40a4-a2ec-f0069cc799ec"),
    ("RoleManagement.Read.Directory", "483bed4a-2ad3-4361-a73b-c83ccdbdc53c"),
    ("RoleManagement.ReadWrite.Directory", "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8"),
    ("User.Read.All", "df021288-bdef-4463-88db-98f22de89214"),
    ("User.ReadWrite.All", "741f803b-c850-494e-b5df-cde7c675a1ca"),
    ("RoleAssignmentSchedule.Remove.Directory", ""),
];

pub(super) fn organization(call: &Call<'_>) -> Answer {
    call.needs(&ORGANIZATION)?;
    let plans =
        if call.world.behaviour().premium { json!(["AAD_PREMIUM", "AAD_PREMIUM_P2"]) } else { json!([]) };
    let plans = plans.as_array().into_iter().flatten();
    let plans: Vec<Value> = plans
        .map(|plan| json!({ "service": "AADPremiumService", "servicePlan": plan, "capabilityStatus": "Enabled" }))
        .collect();
    let organization = json!({
        "id": people::TENANT,
        "displayName": "Elevate sandbox",
        "verifiedDomains": [{ "name": people::DOMAIN, "isInitial": true, "isDefault": true, "type": "Managed" }],
        "assignedPlans": plans,
    });
    let terms = Terms { name: "organization", filter: &[], expand: &[], default: &[] };
    match (call.method(), call.segments().get(1)) {
        ("GET", None) => listing::page(call, &terms, vec![organization]),
        ("GET", Some(id)) if *id == people::TENANT => listing::entity(call, &terms, organization),
        ("GET", Some(id)) => Err(Problem::not_found(id)),
        _ => Err(call.not_allowed()),
    }
}

pub(super) fn service_principals(call: &Call<'_>, rest: &[&str]) -> Answer {
    call.needs(&READ)?;
    let find = |id: &str| {
        people::APPS.into_iter().find(|app| app.object_id == id).ok_or_else(|| Problem::not_found(id))
    };
    match (call.method(), rest) {
        ("GET", []) => listing::page(call, &TERMS, people::APPS.iter().map(|app| shown(call, app)).collect()),
        ("GET", [id]) => listing::entity(call, &TERMS, shown(call, &find(id)?)),
        ("GET", [id, "appRoleAssignments"]) => listing::page(call, &GRANTS, grants(call, &find(id)?)),
        (_, [] | [_] | [_, "appRoleAssignments"]) => Err(call.not_allowed()),
        (_, [.., last]) => Err(Problem::no_such_path(last)),
    }
}

/// `servicePrincipals(appId='…')`, and below it.
pub(super) fn by_app_id(call: &Call<'_>, segments: &[&str]) -> Answer {
    let Some((first, below)) = segments.split_first() else { return Err(Problem::no_such_path("")) };
    let id = first.strip_prefix("servicePrincipals(appId='").and_then(|rest| rest.strip_suffix("')"));
    let id = id.ok_or_else(|| Problem::no_such_path(first))?;
    let app =
        people::APPS.into_iter().find(|app| app.client_id == id).ok_or_else(|| Problem::not_found(id))?;
    service_principals(call, &[&[app.object_id], below].concat())
}

fn shown(call: &Call<'_>, app: &App) -> Value {
    let app_role = |id: &str, value: &str| {
        json!({
            "id": id,
            "value": value,
            "displayName": value,
            "description": value,
            "isEnabled": true,
            "allowedMemberTypes": ["User", "Application"],
        })
    };
    let roles: Vec<Value> = match *app {
        people::GRAPH => {
            known_permissions(call).iter().map(|name| app_role(&permission_id(name), name)).collect()
        }
        people::BROKER => people::APP_ROLES.iter().map(|role| app_role(role.id, role.value)).collect(),
        _ => Vec::new(),
    };
    json!({
        "id": app.object_id,
        "appId": app.client_id,
        "displayName": app.name,
        "appOwnerOrganizationId": people::TENANT,
        "accountEnabled": true,
        "servicePrincipalType": "Application",
        "appRoles": roles,
    })
}

fn grants(call: &Call<'_>, app: &App) -> Vec<Value> {
    let grant = |resource: &App, role: &str| {
        json!({
            "id": own_id(&format!("{} {role}", app.object_id)),
            "appRoleId": role,
            "principalId": app.object_id,
            "principalDisplayName": app.name,
            "principalType": "ServicePrincipal",
            "resourceId": resource.object_id,
            "resourceDisplayName": resource.name,
        })
    };
    let permissions = call.world.directory.permissions(app);
    let graph = permissions.iter().map(|name| grant(&people::GRAPH, &permission_id(name)));
    let held = people::APP_ROLES.iter().filter(|role| role.held_by.contains(&app.object_id));
    graph.chain(held.map(|role| grant(&people::BROKER, role.id))).collect()
}

/// Everything with an id that people know, and whatever else somebody was given.
fn known_permissions(call: &Call<'_>) -> Vec<String> {
    let mut names: Vec<String> = PERMISSIONS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for app in people::APPS {
        names.extend(call.world.directory.permissions(&app));
    }
    names.sort();
    names.dedup();
    names
}

fn permission_id(name: &str) -> String {
    let known = PERMISSIONS.iter().find(|(each, id)| *each == name && !id.is_empty());
    known.map_or_else(|| own_id(name), |(_, id)| (*id).to_owned())
}

fn own_id(name: &str) -> String {
    let digest = digest::digest(&digest::SHA256, name.as_bytes());
    let bytes = digest.as_ref().first_chunk::<16>().copied().unwrap_or_default();
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
