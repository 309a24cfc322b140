use elevate_sandbox::directory::{Privilege, Relation, RoleSettings};
use elevate_sandbox::people;
use serde_json::{Value, json};

use crate::setting::{Setting, code_of};

const ROOT: &str = "/policies/roleManagementPolicyAssignments";
const ROLE: people::Role = people::GROUPS_ADMINISTRATOR;

async fn rules_of(setting: &Setting, role: &people::Role) -> Vec<Value> {
    let filter =
        format!("scopeId eq '/' and scopeType eq 'DirectoryRole' and roleDefinitionId eq '{}'", role.id);
    let (_, found) = setting.get(&format!("{ROOT}?$filter={filter}")).await;
    let policy = found["value"][0]["policyId"].as_str().unwrap().to_owned();
    let (status, policy) =
        setting.get(&format!("/policies/roleManagementPolicies/{policy}?$expand=rules")).await;
    assert_eq!(status, 200, "{policy}");
    policy["rules"].as_array().unwrap().clone()
}

fn rule<'r>(rules: &'r [Value], id: &str) -> &'r Value {
    rules.iter().find(|rule| rule["id"] == id).unwrap()
}

#[tokio::test]
async fn a_role_has_settings_and_a_test_sets_them() {
    let setting = Setting::start().await;
    let rules = rules_of(&setting, &ROLE).await;
    assert_eq!(rule(&rules, "Expiration_EndUser_Assignment")["maximumDuration"], "PT8H");
    assert_eq!(rule(&rules, "Approval_EndUser_Assignment")["setting"]["isApprovalRequired"], false);

    let what = Privilege::Role { role: ROLE.id.to_owned(), scope: "/".to_owned() };
    let approvers = vec![people::APPROVERS.id.to_owned(), people::EVE.id.to_owned()];
    let settings = RoleSettings {
        longest: "PT2H".to_owned(),
        ticket: true,
        approval: true,
        approvers,
        ..Default::default()
    };
    setting.tenant.directory().set_role_settings(&what, settings);
    let rules = rules_of(&setting, &ROLE).await;
    assert_eq!(rule(&rules, "Expiration_EndUser_Assignment")["maximumDuration"], "PT2H");
    let enabled = &rule(&rules, "Enablement_EndUser_Assignment")["enabledRules"];
    assert_eq!(*enabled, json!(["MultiFactorAuthentication", "Justification", "Ticketing"]));
    let stage = &rule(&rules, "Approval_EndUser_Assignment")["setting"]["approvalStages"][0];
    assert_eq!(stage["primaryApprovers"][0]["groupId"], people::APPROVERS.id);
    assert_eq!(stage["primaryApprovers"][1]["userId"], people::EVE.id);
    let others = rules_of(&setting, &people::GLOBAL_READER).await;
    assert_eq!(
        rule(&others, "Expiration_EndUser_Assignment")["maximumDuration"],
        "PT8H",
        "each role its own"
    );
}

#[tokio::test]
async fn settings_are_listed_by_scope_and_kind_and_nobody_changes_them() {
    let setting = Setting::start().await;
    for filter in ["", "?$filter=scopeId eq '/'", "?$filter=scopeType eq 'DirectoryRole'"] {
        assert_eq!(setting.get(&format!("{ROOT}{filter}")).await.0, 400, "{filter}");
    }
    let of_roles = format!("{ROOT}?$filter=scopeId eq '/' and scopeType eq 'DirectoryRole'");
    assert_eq!(setting.count(&of_roles).await, people::ROLES.len());
    let of_group =
        format!("{ROOT}?$filter=scopeId eq '{}' and scopeType eq 'Group'", people::TIER0_OPERATORS.id);
    assert_eq!(setting.get(&of_group).await.0, 403, "for groups it takes a permission of its own");
    let directory = setting.tenant.directory();
    directory.set_permissions(&people::BROKER, ["RoleManagementPolicy.Read.AzureADGroup"]);
    assert_eq!(setting.count(&of_group).await, 2);
    assert_eq!(setting.get(&of_roles).await.0, 403);
    let place = Privilege::Group { group: people::TIER0_OPERATORS.id.to_owned(), relation: Relation::Member };
    directory.set_role_settings(&place, RoleSettings { longest: "PT1H".to_owned(), ..Default::default() });
    let (status, _) = setting.post("/policies/roleManagementPolicies", json!({})).await;
    assert_eq!(status, 405);

    setting.tenant.change_behaviour(|behaviour| behaviour.premium = false);
    let (status, body) = setting.get(&of_group).await;
    assert_eq!((status, code_of(&body)), (400, "AadPremiumLicenseRequired"));
}
