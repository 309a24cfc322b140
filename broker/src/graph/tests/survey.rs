use elevate_core::names::{Resource, Way};
use elevate_core::policy::import::{Basis, HolderKind, Survey};
use serde_json::json;

use super::*;
use crate::ports::Inventory;

const ELIGIBLE: &str = "GET roleEligibilityScheduleInstances?$expand=principal";
const ACTIVE: &str = "GET roleAssignmentScheduleInstances?$expand=principal";
const ASSIGNED: &str = "GET roleAssignments?$expand=principal";
const DEFINITIONS: &str = "GET roleDefinitions?$select=id,displayName";
const POLICIES: &str =
    "GET policies/roleManagementPolicyAssignments?$filter=scopeId eq '/' and scopeType eq 'DirectoryRole'";
const RULES: &str = "GET policies/roleManagementPolicies/p1?$expand=rules";
const STAFF: &str = "5a4db0c5-0000-4000-8000-000000000102";

fn row(principal: &str, kind: &str, more: &Value) -> Value {
    let mut row = json!({
        "principalId": principal, "roleDefinitionId": GROUPS_ADMIN, "directoryScopeId": "/",
        "principal": { "@odata.type": format!("#microsoft.graph.{kind}"), "displayName": format!("a {kind}") },
    });
    for (key, value) in more.as_object().unwrap() {
        row[key] = value.clone();
    }
    row
}

fn definitions() -> Reply {
    value(&[json!({ "id": GROUPS_ADMIN, "displayName": "Groups Administrator" })])
}

fn rules(approval: &Value) -> Reply {
    ok(json!({ "id": "p1", "rules": [
        { "id": "Expiration_EndUser_Assignment", "isExpirationRequired": true, "maximumDuration": "PT4H" },
        { "id": "Expiration_Admin_Assignment", "isExpirationRequired": true, "maximumDuration": "P180D" },
        { "id": "Enablement_EndUser_Assignment", "enabledRules": ["MultiFactorAuthentication", "Ticketing"] },
        { "id": "AuthenticationContext_EndUser_Assignment", "isEnabled": true, "claimValue": "c1" },
        { "id": "Approval_EndUser_Assignment", "setting": approval },
        { "id": "Notification_Admin_EndUser_Assignment", "notificationRecipients": ["soc@example.com"] },
    ] }))
}

async fn surveyed(bench: &Bench) -> Survey {
    let survey = bench.graph.survey().await.unwrap();
    bench.stub.is_done();
    survey
}

#[tokio::test]
async fn all_that_is_held_and_may_be_activated_is_read_with_its_terms() {
    let bench = bench().await;
    bench
        .stub
        .expect(ELIGIBLE, value(&[row(STAFF, "group", &json!({ "memberType": "Direct" }))]))
        .expect(
            ACTIVE,
            value(&[
                row(ANN, "user", &json!({ "assignmentType": "Assigned", "endDateTime": null })),
                // Only for a while, by who is eligible; and by way of a group that stands there itself.
                row(BEN, "user", &json!({ "assignmentType": "Activated" })),
                row(BEN, "user", &json!({ "assignmentType": "Assigned", "memberType": "Group" })),
                row(CLIENT, "servicePrincipal", &json!({ "endDateTime": "2026-05-01T00:00:00Z" })),
                row(ANN, "user", &json!({ "directoryScopeId": null, "appScopeId": "/x" })),
            ]),
        )
        .expect(DEFINITIONS, definitions())
        .expect(
            format!(
                "GET identityGovernance/privilegedAccess/group/eligibilityScheduleInstances?$filter=groupId eq '{STAFF}'&$expand=principal"
            ),
            value(&[row(BEN, "user", &json!({ "accessId": "member", "groupId": STAFF }))]),
        )
        .expect(POLICIES, value(&[json!({ "policyId": "p1", "roleDefinitionId": GROUPS_ADMIN })]))
        .expect(
            RULES,
            rules(&json!({ "isApprovalRequired": true, "approvalStages": [{ "primaryApprovers": [
                { "@odata.type": "#microsoft.graph.groupMembers", "groupId": STAFF, "description": "Staff" },
                { "@odata.type": "#microsoft.graph.requestorManager", "managerLevel": 1 },
            ] }] })),
        )
        .expect(
            format!("GET policies/roleManagementPolicyAssignments?$filter=scopeId eq '{STAFF}' and scopeType eq 'Group'"),
            problem(403, "Authorization_RequestDenied"),
        );
    let survey = surveyed(&bench).await;
    let role = target(Way::Pim).resource();
    let found: Vec<_> = survey.holdings.iter().map(|h| (h.what == role, h.holder.kind, h.basis)).collect();
    let expected = [
        (true, HolderKind::Group, Basis::Eligible),
        (true, HolderKind::User, Basis::Standing),
        (true, HolderKind::Program, Basis::Standing),
        (false, HolderKind::User, Basis::Eligible),
    ];
    assert_eq!(found, expected);
    assert_eq!(survey.holdings[2].until, Some("2026-05-01T00:00:00Z".parse().unwrap()));
    assert!(survey.has_pim);
    assert_eq!(survey.notes.len(), 1, "{:?}", survey.notes);
    assert!(
        survey.notes[0].contains("1 assignments are at a scope that no policy has"),
        "{:?}",
        survey.notes
    );

    let terms = &survey.settings[&role];
    assert_eq!(terms.longest, Some(SignedDuration::from_hours(4)));
    assert!(terms.approval && terms.ticket && terms.second_factor && !terms.reason);
    assert_eq!(terms.context.as_deref(), Some("c1"));
    let approvers: Vec<_> = terms.stages[0].iter().map(|holder| holder.kind).collect();
    assert_eq!(approvers, [HolderKind::Group, HolderKind::Unknown]);
    assert!(terms.left_out[0].contains("mails to 1 more"), "{:?}", terms.left_out);
    let of_group = survey.settings.iter().find(|(what, _)| matches!(what, Resource::Group(_))).unwrap().1;
    assert!(of_group.left_out[0].contains("cannot be read"), "{:?}", of_group.left_out);
}

#[tokio::test]
async fn without_a_licence_only_plain_assignments_are_read() {
    for (status, code, words) in [
        (400, "AadPremiumLicenseRequired", "no licence"),
        (403, "AadPremiumLicenseRequired", "no licence"),
        (403, "Authorization_RequestDenied", "does not let the broker read it"),
    ] {
        let bench = bench().await;
        bench
            .stub
            .expect(ELIGIBLE, problem(status, code))
            .expect(ASSIGNED, value(&[row(ANN, "user", &json!({}))]))
            .expect(DEFINITIONS, definitions());
        let survey = surveyed(&bench).await;
        assert_eq!((survey.has_pim, survey.holdings.len(), survey.settings.len()), (false, 1, 0));
        assert!(survey.notes[0].contains(words), "{:?}", survey.notes);
    }
}

#[tokio::test]
async fn a_listing_that_breaks_off_is_no_survey() {
    let bench = bench().await;
    let next = bench.stub.url("/v1.0/roleManagement/directory/roleEligibilityScheduleInstances?$skiptoken=2");
    let first = json!({ "value": [row(ANN, "user", &json!({}))], "@odata.nextLink": next.as_str() });
    bench
        .stub
        .expect(ELIGIBLE, ok(first))
        .expect("GET roleEligibilityScheduleInstances?$skiptoken=2", problem(503, "serviceNotAvailable"));
    bench.graph.survey().await.unwrap_err();
    bench.stub.is_done();
}

#[tokio::test]
async fn terms_that_are_not_to_be_had_say_so_instead_of_saying_nothing_is_asked_for() {
    let answers = [
        (value(&[]), None, "PIM has none for it"),
        (problem(403, "Authorization_RequestDenied"), None, "does not let the broker read it"),
        (
            value(&[json!({ "policyId": "p1", "roleDefinitionId": GROUPS_ADMIN.to_uppercase() })]),
            Some(rules(&json!({}))),
            "whether PIM asks for approval",
        ),
    ];
    for (policies, policy, words) in answers {
        let bench = bench().await;
        bench
            .stub
            .expect(ELIGIBLE, value(&[row(ANN, "user", &json!({}))]))
            .expect(ACTIVE, nothing())
            .expect(DEFINITIONS, definitions())
            .expect(POLICIES, policies);
        if let Some(policy) = policy {
            bench.stub.expect(RULES, policy);
        }
        let survey = surveyed(&bench).await;
        let terms = &survey.settings[&target(Way::Pim).resource()];
        assert!(terms.left_out[0].contains(words), "{:?}", terms.left_out);
    }
}

#[tokio::test]
async fn every_call_of_a_survey_gives_way_to_what_matters_more() {
    let bench = bench().await;
    bench
        .stub
        .expect(ELIGIBLE, value(&[row(ANN, "user", &json!({}))]))
        .expect(ACTIVE, nothing())
        .expect(DEFINITIONS, definitions())
        .expect(POLICIES, value(&[json!({ "policyId": "p1", "roleDefinitionId": GROUPS_ADMIN })]))
        .expect(RULES, rules(&json!({ "isApprovalRequired": false })));
    bench.graph.survey().await.unwrap();
    for seen in bench.stub.is_done() {
        assert_eq!(seen.header("x-ms-throttle-priority"), Some("Low"), "{}", seen.line);
    }
}
