//! `policies/roleManagementPolicyAssignments` and `policies/roleManagementPolicies`: PIM's role settings, to be read.

use serde_json::{Value, json};

use super::{
    Answer,
    call::Call,
    listing::{self, Terms},
    pim, shape,
};
use crate::{
    directory::{self, Privilege, Problem, Relation, RoleSettings, State},
    http::put,
    people,
};

const READ_ROLES: [&str; 5] = [
    "RoleManagement.Read.All",
    "RoleManagement.Read.Directory",
    "RoleManagement.ReadWrite.Directory",
    "RoleManagementPolicy.Read.Directory",
    "RoleManagementPolicy.ReadWrite.Directory",
];
const READ_GROUPS: [&str; 2] =
    ["RoleManagementPolicy.Read.AzureADGroup", "RoleManagementPolicy.ReadWrite.AzureADGroup"];
const ASSIGNMENTS: Terms<'_> = Terms {
    name: "policies/roleManagementPolicyAssignments",
    filter: &["scopeId", "scopeType", "roleDefinitionId", "policyId"],
    expand: &[],
    default: &[],
};
const POLICIES: Terms<'_> =
    Terms { name: "policies/roleManagementPolicies", filter: &[], expand: &["rules"], default: &[] };

pub(super) fn answer(call: &Call<'_>, collection: &str, rest: &[&str]) -> Answer {
    pim::licensed(call)?;
    match (call.method(), collection, rest) {
        ("GET", "roleManagementPolicyAssignments", []) => assignments(call),
        ("GET", "roleManagementPolicies", [id]) => policy(call, id),
        // Nobody changes them by an application's permission.
        (_, "roleManagementPolicyAssignments" | "roleManagementPolicies", _) => Err(call.not_allowed()),
        (_, other, _) => Err(Problem::no_such_path(other)),
    }
}

/// Whether the caller may read the settings of this.
fn may_read(call: &Call<'_>, what: &Privilege) -> Result<(), Problem> {
    match what {
        Privilege::Role { .. } => call.needs(&READ_ROLES),
        Privilege::Group { .. } => call.needs(&READ_GROUPS),
    }
}

fn assignments(call: &Call<'_>) -> Answer {
    for field in ["scopeId", "scopeType"] {
        if !listing::pins(call, &ASSIGNMENTS, &[field])? {
            let message = "The filter is invalid: it must name a scopeId and a scopeType.";
            return Err(Problem::new(400, "BadRequest", message));
        }
    }
    let asks_for_roles = call.query.get("$filter").is_some_and(|filter| filter.contains("'DirectoryRole'"));
    let all: Vec<Privilege> = everything(call)
        .into_iter()
        .filter(|what| matches!(what, Privilege::Role { .. }) == asks_for_roles)
        .collect();
    if let Some(first) = all.first() {
        may_read(call, first)?;
    }
    listing::page(call, &ASSIGNMENTS, all.iter().map(assignment).collect())
}

fn everything(call: &Call<'_>) -> Vec<Privilege> {
    let roles =
        people::ROLES.iter().map(|role| Privilege::Role { role: role.id.to_owned(), scope: "/".to_owned() });
    let groups: Vec<String> = call.world.directory.look(|state| {
        state.groups.iter().filter(|group| group.life.lasts()).map(|group| group.id.clone()).collect()
    });
    let places = groups.into_iter().flat_map(|group| {
        [Relation::Member, Relation::Owner]
            .map(|relation| Privilege::Group { group: group.clone(), relation })
    });
    roles.chain(places).collect()
}

fn assignment(what: &Privilege) -> Value {
    let policy = directory::policy_id(what);
    let (scope, kind, role) = match what {
        Privilege::Role { role, scope: _ } => ("/", "DirectoryRole", role.as_str()),
        Privilege::Group { group, relation } => (group.as_str(), "Group", relation.word()),
    };
    json!({
        "id": format!("{policy}_{role}"),
        "policyId": policy,
        "scopeId": scope,
        "scopeType": kind,
        "roleDefinitionId": role,
    })
}

fn policy(call: &Call<'_>, id: &str) -> Answer {
    let what = everything(call).into_iter().find(|what| directory::policy_id(what) == id);
    let what = what.ok_or_else(|| Problem::not_found(id))?;
    may_read(call, &what)?;
    let (scope, kind) = match &what {
        Privilege::Role { .. } => ("/", "DirectoryRole"),
        Privilege::Group { group, relation: _ } => (group.as_str(), "Group"),
    };
    let mut entry = json!({
        "id": id,
        "displayName": kind,
        "description": kind,
        "isOrganizationDefault": false,
        "scopeId": scope,
        "scopeType": kind,
    });
    if listing::expands(call, "rules") {
        let rules = call.world.directory.look(|state| rules(state, &state.settings_of(id)));
        put(&mut entry, "rules", Value::Array(rules));
    }
    listing::entity(call, &POLICIES, entry)
}

/// Of the seventeen, those that are about who activates, and those of them that are always there.
fn rules(state: &State, settings: &RoleSettings) -> Vec<Value> {
    let RoleSettings { longest, second_factor, justification, ticket, context, approval, approvers, mails } =
        settings;
    let enabled: Vec<&str> = [
        (second_factor, "MultiFactorAuthentication"),
        (justification, "Justification"),
        (ticket, "Ticketing"),
    ]
    .into_iter()
    .filter_map(|(is, name)| is.then_some(name))
    .collect();
    let approvers: Vec<Value> = approvers.iter().map(|id| approver(state, id)).collect();
    vec![
        rule(
            "Expiration_EndUser_Assignment",
            "Expiration",
            &json!({
                "isExpirationRequired": true,
                "maximumDuration": longest,
            }),
        ),
        rule(
            "Expiration_Admin_Eligibility",
            "Expiration",
            &json!({
                "isExpirationRequired": false,
                "maximumDuration": "P365D",
            }),
        ),
        rule("Enablement_EndUser_Assignment", "Enablement", &json!({ "enabledRules": enabled })),
        rule("Enablement_Admin_Assignment", "Enablement", &json!({ "enabledRules": ["Justification"] })),
        rule(
            "AuthenticationContext_EndUser_Assignment",
            "AuthenticationContext",
            &json!({
                "isEnabled": context.is_some(),
                "claimValue": context.clone().unwrap_or_default(),
            }),
        ),
        rule(
            "Approval_EndUser_Assignment",
            "Approval",
            &json!({
                "setting": {
                    "isApprovalRequired": approval,
                    "isApprovalRequiredForExtension": false,
                    "isRequestorJustificationRequired": justification,
                    "approvalMode": "SingleStage",
                    "approvalStages": [{
                        "approvalStageTimeOutInDays": 1,
                        "isApproverJustificationRequired": true,
                        "escalationTimeInMinutes": 0,
                        "isEscalationEnabled": false,
                        "primaryApprovers": approvers,
                        "escalationApprovers": [],
                    }],
                },
            }),
        ),
        rule(
            "Notification_Admin_EndUser_Assignment",
            "Notification",
            &json!({
                "notificationType": "Email",
                "recipientType": "Admin",
                "notificationLevel": "All",
                "isDefaultRecipientsEnabled": true,
                "notificationRecipients": mails,
            }),
        ),
    ]
}

fn rule(id: &str, kind: &str, more: &Value) -> Value {
    let parts: Vec<&str> = id.split('_').collect();
    let rule = json!({
        "@odata.type": format!("#microsoft.graph.unifiedRoleManagementPolicy{kind}Rule"),
        "id": id,
        "target": {
            "caller": if parts.contains(&"EndUser") { "EndUser" } else { "Admin" },
            "operations": ["All"],
            "level": if parts.contains(&"Eligibility") { "Eligibility" } else { "Assignment" },
            "inheritableSettings": [],
            "enforcedSettings": [],
        },
    });
    pim::with(rule, more.clone())
}

fn approver(state: &State, id: &str) -> Value {
    let object = shape::object(state, id);
    let name = object.get("displayName").cloned().unwrap_or_default();
    let is_group = object.get("@odata.type").and_then(Value::as_str) == Some("#microsoft.graph.group");
    if is_group {
        json!({
            "@odata.type": "#microsoft.graph.groupMembers", "isBackup": false, "groupId": id, "description": name,
        })
    } else {
        json!({ "@odata.type": "#microsoft.graph.singleUser", "isBackup": false, "userId": id, "description": name })
    }
}
