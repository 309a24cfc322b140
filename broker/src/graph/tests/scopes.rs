//! Roles that are held over a part of the tenant: an administrative unit, or one application.

use serde_json::json;

use super::*;
use crate::ports::Directory;
use crate::ports::directory::{Assignment, GrantAnswer, Held, RevokeAnswer};

const OURS: &str = "YUb1sHQtUEyvox7IA_Eu_mm3jqnUe4lEhvatluHVi2I-1";
const MARKER: &str = "Elevate activation 0198a2f0-0000-7000-8000-000000000001";

fn scopes() -> [Scope; 2] {
    [Scope::AdministrativeUnit(BEN.parse().unwrap()), Scope::Object(BEN.parse().unwrap())]
}

fn at_scope(way: Way, scope: Scope) -> Target {
    let role = DirectoryRole { definition: GROUPS_ADMIN.parse().unwrap(), scope };
    if way == Way::Pim { Target::Pim(role) } else { Target::Assignment(role) }
}

fn of_ann(collection: &str) -> String {
    format!("GET {collection}?$filter=principalId eq '{ANN}'")
}

fn of_role(collection: &str) -> String {
    format!("GET {collection}?$filter=roleDefinitionId eq '{GROUPS_ADMIN}'")
}

fn entry(id: &str, scope: &str) -> Value {
    json!({ "id": id, "principalId": ANN, "roleDefinitionId": GROUPS_ADMIN, "directoryScopeId": scope,
        "appScopeId": null })
}

/// What is at every scope but this one. An app scope is another provider's, whatever it says.
fn elsewhere(scope: Scope) -> Vec<Value> {
    let all = ["/".to_owned(), format!("/administrativeUnits/{BEN}"), format!("/{BEN}"), format!("/{ANN}")];
    let mut entries: Vec<_> =
        all.iter().filter(|each| **each != scope.to_string()).map(|each| entry("other", each)).collect();
    entries.push(json!({ "id": "app", "principalId": ANN, "roleDefinitionId": GROUPS_ADMIN,
        "directoryScopeId": null, "appScopeId": scope.to_string() }));
    entries
}

fn instance(scope: Scope, kind: &str) -> Value {
    let mut instance = entry("i1", &scope.to_string());
    let more =
        json!({ "memberType": kind, "roleAssignmentScheduleId": OURS, "startDateTime": at(0).to_string() });
    instance.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    instance
}

#[tokio::test]
async fn an_assignment_is_made_seen_and_deleted_at_its_own_scope() {
    for scope in scopes() {
        let Bench { stub, graph, .. } = bench().await;
        let target = at_scope(Way::Assignment, scope);
        let held = entry(OURS, &scope.to_string());
        let others = elsewhere(scope);

        stub.expect(of_ann("roleAssignments"), value(&others));
        assert_eq!(graph.look(slot().principal, &target).await, Ok(Held::Nothing), "{scope}");

        stub.expect("POST roleAssignments", reply(201, held.to_string()));
        assert_eq!(graph.grant(&first_try_of(target)).await, GrantAnswer::Done(id(OURS)));
        let body = stub.is_done().pop().unwrap().json();
        assert_eq!(body["directoryScopeId"], scope.to_string());
        assert_eq!(body.get("appScopeId"), None);

        let all = [others.clone(), vec![held.clone()]].concat();
        stub.expect(of_ann("roleAssignments"), value(&all));
        assert_eq!(graph.look(slot().principal, &target).await, Ok(Held::By(id(OURS))));

        stub.expect(of_role("roleAssignments"), value(&all));
        let listed = graph.assignments(&target).await.unwrap();
        assert_eq!(listed, [Assignment { id: id(OURS), slot: target.slot(slot().principal) }]);

        // An answer that was lost: what is at the scope is ours, and what is at others stays.
        stub.expect(of_ann("roleAssignments"), value(&all))
            .expect(format!("DELETE roleAssignments/{OURS}"), reply(204, ""))
            .expect(format!("GET roleAssignments/{OURS}"), missing())
            .expect(of_ann("roleAssignments"), value(&others));
        assert_eq!(graph.revoke(&revocation_of(target, None)).await, RevokeAnswer::Gone);
        stub.is_done();
    }
}

#[tokio::test]
async fn a_schedule_is_made_seen_and_removed_at_its_own_scope() {
    let (requests, instances) = ("roleAssignmentScheduleRequests", "roleAssignmentScheduleInstances");
    for scope in scopes() {
        let Bench { stub, clock, graph } = bench().await;
        let target = at_scope(Way::Pim, scope);
        let others = elsewhere(scope);
        let mut request = entry(OURS, &scope.to_string());
        let more = json!({ "targetScheduleId": OURS, "status": "Provisioned", "action": "adminAssign",
            "justification": MARKER });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());

        // Held over the whole tenant it counts here too, and is shown as such; it is another slot.
        stub.expect(of_ann(instances), value(&[instance(scope, "Inherited")]))
            .expect(of_ann("roleAssignments"), value(&others))
            .expect(of_ann(requests), value(&others));
        assert_eq!(graph.look(slot().principal, &target).await, Ok(Held::Nothing), "{scope}");

        stub.expect(format!("POST {requests}"), reply(201, request.to_string()));
        assert_eq!(graph.grant(&first_try_of(target)).await, GrantAnswer::Done(id(OURS)));
        let body = stub.is_done().pop().unwrap().json();
        assert_eq!(body["directoryScopeId"], scope.to_string());

        stub.expect(of_role("roleAssignments"), value(&others))
            .expect(of_role(instances), value(&[instance(scope, "Direct")]));
        let listed = graph.assignments(&target).await.unwrap();
        assert_eq!(listed, [Assignment { id: id(OURS), slot: target.slot(slot().principal) }]);

        clock.advance(600);
        stub.expect(of_ann(requests), value(&[request]))
            .expect(of_ann(instances), value(&[instance(scope, "Direct")]))
            .expect(format!("POST {requests}"), reply(201, "{}"))
            .expect(of_ann(instances), nothing())
            .expect(of_ann("roleAssignments"), value(&others));
        assert_eq!(graph.revoke(&revocation_of(target, Some(OURS))).await, RevokeAnswer::Gone);
        let removal = stub.is_done().remove(4).json();
        assert_eq!(
            (&removal["action"], &removal["directoryScopeId"]),
            (&json!("adminRemove"), &json!(scope.to_string()))
        );
    }
}
