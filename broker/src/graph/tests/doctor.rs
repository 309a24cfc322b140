use serde_json::json;

use super::*;
use crate::graph::Finding;

const SELF: &str = "11111111-1111-4111-8111-111111111111";
const GRAPH: &str = "22222222-2222-4222-8222-222222222222";

fn wrong(findings: &[Finding]) -> Vec<&str> {
    findings.iter().filter(|finding| !finding.is_ok()).map(|finding| finding.what.as_str()).collect()
}

fn permissions(stub: &Stub, given: &[&str]) {
    let names = ["RoleManagement.ReadWrite.Directory", "GroupMember.Read.All", "User.ReadBasic.All"];
    let offered: Vec<_> =
        names.iter().enumerate().map(|(n, name)| json!({ "id": format!("r{n}"), "value": name })).collect();
    let held = offered.iter().filter(|role| given.iter().any(|name| role["value"] == json!(name)));
    let held: Vec<_> = held.map(|role| json!({ "appRoleId": role["id"], "resourceId": GRAPH })).collect();
    stub.expect(format!("GET servicePrincipals(appId='{CLIENT}')?$select=id"), ok(json!({ "id": SELF })))
        .expect(format!("GET servicePrincipals/{SELF}/appRoleAssignments"), value(&held));
    if !held.is_empty() {
        stub.expect(
            format!("GET servicePrincipals/{GRAPH}?$select=id,appRoles"),
            ok(json!({ "id": GRAPH, "appRoles": offered })),
        );
    }
}

fn definition(stub: &Stub, reply: Reply) {
    stub.expect(format!("GET roleDefinitions/{GROUPS_ADMIN}"), reply);
}

#[tokio::test]
async fn what_is_given_and_what_is_lacking_is_said_one_by_one() {
    let Bench { stub, graph, .. } = bench().await;
    let all = ["RoleManagement.ReadWrite.Directory", "GroupMember.Read.All", "User.ReadBasic.All"];
    permissions(&stub, &all);
    definition(&stub, ok(json!({ "id": GROUPS_ADMIN, "displayName": "Groups Administrator" })));
    let findings = graph.check(&[target(Way::Assignment)]).await;
    assert_eq!(wrong(&findings), [""; 0], "a secret works");
    assert!(
        findings.iter().any(|finding| finding.what.contains("a certificate is safer")),
        "and is worth a word"
    );
    stub.is_done();

    permissions(&stub, &["GroupMember.Read.All"]);
    definition(&stub, missing());
    let findings = graph.check(&[target(Way::Assignment), target(Way::Pim)]).await;
    assert_eq!(
        wrong(&findings),
        [
            "permission to read people's names",
            "permission to assign roles by the way `assignment`",
            "permission to assign roles by the way `pim`",
            &format!("role definition {GROUPS_ADMIN}"),
        ]
    );
    stub.is_done();
}

#[tokio::test]
async fn without_leave_to_see_permissions_the_reads_are_tried() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(format!("GET servicePrincipals(appId='{CLIENT}')?$select=id"), problem(403, "x"))
        .expect(format!("GET roleAssignments?$filter=roleDefinitionId eq '{GROUPS_ADMIN}'"), nothing())
        .expect(
            format!("GET roleAssignmentScheduleInstances?$filter=roleDefinitionId eq '{GROUPS_ADMIN}'"),
            problem(400, "AadPremiumLicenseRequired"),
        );
    definition(&stub, ok(json!({ "id": USER_ADMIN })));
    let findings = graph.check(&[target(Way::Assignment), target(Way::Pim)]).await;
    assert_eq!(
        wrong(&findings),
        [
            "the permissions of the broker's application",
            "reading roleAssignmentScheduleInstances",
            &format!("role definition {GROUPS_ADMIN}"),
        ]
    );
    stub.is_done();
}

#[tokio::test]
async fn without_a_token_nothing_else_is_tried() {
    let Bench { stub, graph, .. } = bench().await;
    stub.token(reply(401, json!({ "error": "invalid_client", "error_codes": [700_027] }).to_string()));
    let findings = graph.check(&[target(Way::Assignment)]).await;
    let last = findings.last().unwrap();
    assert!(last.wrong.as_ref().unwrap().problem.contains("AADSTS700027"), "{last:?}");
    assert!(stub.is_done().is_empty());
}
