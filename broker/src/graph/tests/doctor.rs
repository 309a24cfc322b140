use serde_json::json;

use super::*;
use crate::graph::Finding;

const SELF: &str = "11111111-1111-4111-8111-111111111111";
const GRAPH: &str = "22222222-2222-4222-8222-222222222222";

fn wrong(findings: &[Finding]) -> Vec<&str> {
    findings.iter().filter(|finding| !finding.is_ok()).map(|finding| finding.what.as_str()).collect()
}

fn permissions(stub: &Stub, given: &[&str]) {
    let names = [
        "RoleManagement.ReadWrite.Directory",
        "GroupMember.Read.All",
        "User.Read.All",
        "GroupMember.ReadWrite.All",
        "Group.ReadWrite.All",
        "PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup",
    ];
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
    let all = ["RoleManagement.ReadWrite.Directory", "GroupMember.Read.All", "User.Read.All"];
    permissions(&stub, &all);
    definition(&stub, ok(json!({ "id": GROUPS_ADMIN, "displayName": "Groups Administrator" })));
    let findings = graph.check(&[target(Way::Assignment)], false).await;
    assert_eq!(wrong(&findings), [""; 0], "a secret works");
    assert!(
        findings.iter().any(|finding| finding.what.contains("a certificate is safer")),
        "and is worth a word"
    );
    stub.is_done();

    permissions(&stub, &["GroupMember.Read.All"]);
    definition(&stub, missing());
    let findings = graph.check(&[target(Way::Assignment), target(Way::Pim)], false).await;
    assert_eq!(
        wrong(&findings),
        [
            "permission to read people's names, and whether their accounts are enabled",
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
    let findings = graph.check(&[target(Way::Assignment), target(Way::Pim)], false).await;
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
    let findings = graph.check(&[target(Way::Assignment)], false).await;
    let last = findings.last().unwrap();
    assert!(last.wrong.as_ref().unwrap().problem.contains("AADSTS700027"), "{last:?}");
    assert!(stub.is_done().is_empty());
}

fn group(stub: &Stub, more: &Value) {
    let mut shown = json!({ "id": GROUPS_ADMIN, "displayName": "Server operators", "groupTypes": [] });
    shown.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let fields = "$select=id,displayName,isAssignableToRole,groupTypes,onPremisesSyncEnabled";
    stub.expect(format!("GET groups/{GROUPS_ADMIN}?{fields}"), ok(shown));
}

fn owners(stub: &Stub, owners: &[Value]) {
    stub.expect(format!("GET groups/{GROUPS_ADMIN}/owners?$select=id&$top=999"), value(owners));
}

fn place(relation: Relation) -> Membership {
    Membership { group: GROUPS_ADMIN.parse().unwrap(), relation }
}

#[tokio::test]
async fn groups_need_their_own_permissions_and_only_what_the_policy_uses() {
    let member = Target::Group(place(Relation::Member));
    let owner = Target::Group(place(Relation::Owner));
    let by_pim = Target::PimGroup(place(Relation::Member));
    let (members, owned, roles, pim) = (
        "permission to make members of groups by the way `group`",
        "permission to make owners of groups by the way `group`",
        "permission to change groups that can hold roles, by the way `group`",
        "permission to make members and owners of groups by the way `pim-group`",
    );
    let people = ["GroupMember.Read.All", "User.Read.All"];
    for (targets, holds_roles, given, lacking) in [
        (vec![member], false, "", vec![members]),
        (vec![member], false, "GroupMember.ReadWrite.All", vec![]),
        (vec![member], true, "GroupMember.ReadWrite.All", vec![roles]),
        (vec![member], true, "GroupMember.ReadWrite.All RoleManagement.ReadWrite.Directory", vec![]),
        (vec![owner], false, "GroupMember.ReadWrite.All", vec![owned]),
        (vec![owner, member], false, "Group.ReadWrite.All", vec![]),
        (vec![by_pim], true, "GroupMember.ReadWrite.All", vec![pim]),
        (vec![by_pim], true, "PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup", vec![]),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        group(&stub, &json!({ "isAssignableToRole": holds_roles }));
        if targets.contains(&owner) {
            owners(&stub, &[json!({ "@odata.type": "#microsoft.graph.user", "id": BEN })]);
        }
        permissions(&stub, &[people.as_slice(), &given.split_whitespace().collect::<Vec<_>>()].concat());
        let findings = graph.check(&targets, false).await;
        assert_eq!(wrong(&findings), lacking, "{targets:?} with {given}");
        stub.is_done();
    }
}

#[tokio::test]
async fn a_group_that_nobody_can_be_put_into_is_told() {
    let all = ["GroupMember.Read.All", "User.Read.All", "Group.ReadWrite.All"];
    for (more, problem) in [
        (json!({ "groupTypes": ["DynamicMembership"] }), "a rule says"),
        (json!({ "onPremisesSyncEnabled": true }), "on the premises"),
        (json!({ "id": BEN }), "another one"),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        group(&stub, &more);
        permissions(&stub, &all);
        let findings = graph.check(&[Target::Group(place(Relation::Member))], false).await;
        let wrong: Vec<_> = findings.iter().filter_map(|finding| finding.wrong.as_ref()).collect();
        assert!(matches!(wrong.as_slice(), [one] if one.problem.contains(problem)), "{findings:?}");
        stub.is_done();
    }
    // An application does not count as an owner.
    let Bench { stub, graph, .. } = bench().await;
    group(&stub, &json!({}));
    owners(&stub, &[json!({ "@odata.type": "#microsoft.graph.servicePrincipal", "id": BEN })]);
    permissions(&stub, &all);
    let findings = graph.check(&[Target::Group(place(Relation::Owner))], false).await;
    assert_eq!(wrong(&findings), [format!("owners of group {GROUPS_ADMIN}")]);
    stub.is_done();
}

#[tokio::test]
async fn without_leave_to_see_permissions_the_reads_of_groups_are_tried_too() {
    let Bench { stub, graph, .. } = bench().await;
    group(&stub, &json!({}));
    stub.expect(format!("GET servicePrincipals(appId='{CLIENT}')?$select=id"), problem(403, "x"))
        .expect(format!("GET groups/{GROUPS_ADMIN}/members?$select=id&$top=999"), nothing())
        .expect(
            format!(
                "GET identityGovernance/privilegedAccess/group/assignmentScheduleInstances?$filter=groupId eq '{GROUPS_ADMIN}'"
            ),
            problem(400, "AadPremiumLicenseRequired"),
        );
    let findings = graph.check(&[target(Way::Group), target(Way::PimGroup)], false).await;
    assert_eq!(wrong(&findings), ["the permissions of the broker's application", "reading PIM for Groups"]);
    stub.is_done();
}

#[tokio::test]
async fn leave_to_sign_people_out_is_asked_for_only_where_a_role_wants_it() {
    let Bench { stub, graph, .. } = bench().await;
    for (signs_out, lacking) in [(false, false), (true, true)] {
        permissions(&stub, &["RoleManagement.ReadWrite.Directory", "GroupMember.Read.All", "User.Read.All"]);
        definition(&stub, ok(json!({ "id": GROUPS_ADMIN, "displayName": "Groups Administrator" })));
        let findings = graph.check(&[target(Way::Assignment)], signs_out).await;
        let told = wrong(&findings).iter().any(|what| what.contains("sign people out"));
        assert_eq!(told, lacking, "{findings:?}");
    }
}
