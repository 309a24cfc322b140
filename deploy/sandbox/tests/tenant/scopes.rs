use elevate_sandbox::people;
use serde_json::json;

use crate::setting::{ASSIGNMENTS, REQUESTS, Setting, ann_for, ann_is, code_of};

const ROLE: people::Role = people::APPLICATION_ADMINISTRATOR;

#[tokio::test]
async fn scopes_are_looked_up_by_kind() {
    let setting = Setting::start().await;
    let units = "/directory/administrativeUnits";
    assert_eq!(setting.count(units).await, 1);
    assert_eq!(setting.get(&format!("{units}/{}", people::UNIT)).await.1["displayName"], "Branch office");
    assert_eq!(setting.get(&format!("{units}/{}", people::PAYROLL.id)).await.0, 404);
    let payroll = format!("/applications/{}", people::PAYROLL.id);
    assert_eq!(setting.get(&payroll).await.1["appId"], people::PAYROLL.client_id);
    assert_eq!(setting.get(&format!("/applications/{}", people::PAYROLL.client_id)).await.0, 404);
    let by_client = format!("/applications?$filter=appId eq '{}'", people::BROKER.client_id);
    assert_eq!(setting.get(&by_client).await.1["value"][0]["id"], people::BROKER_REGISTRATION.id);

    let directory = setting.tenant.directory();
    assert!(directory.take_permission(&people::BROKER, "AdministrativeUnit.Read.All"));
    assert_eq!(setting.get(units).await.0, 403);
    assert!(directory.take_permission(&people::BROKER, "Application.Read.All"));
    assert_eq!(setting.get(&payroll).await.0, 403);
}

#[tokio::test]
async fn what_an_id_is_takes_the_right_to_read_everything() {
    let setting = Setting::start().await;
    let object = |id: &str| format!("/directoryObjects/{id}");
    assert_eq!(setting.get(&object(people::ANN.id)).await.0, 403, "the broker has no such right");
    setting.tenant.directory().set_permissions(&people::BROKER, ["Directory.Read.All"]);
    for (id, kind) in [
        (people::ANN.id, "user"),
        (people::STAFF.id, "group"),
        (people::BROKER.object_id, "servicePrincipal"),
        (people::PAYROLL.id, "application"),
        (people::UNIT, "administrativeUnit"),
    ] {
        assert_eq!(setting.get(&object(id)).await.1["@odata.type"], format!("#microsoft.graph.{kind}"));
    }
    assert_eq!(setting.get(&object("5a4db0c5-0000-4000-8000-00000000ffff")).await.0, 404);
}

#[tokio::test]
async fn a_scope_must_be_there_to_hold_a_role_over_it() {
    let setting = Setting::start().await;
    let unit = format!("/administrativeUnits/{}", people::UNIT);
    let payroll = format!("/{}", people::PAYROLL.id);
    for scope in [&unit, &payroll] {
        let mut direct = ann_is(&ROLE);
        direct["directoryScopeId"] = json!(scope);
        assert_eq!(setting.post(ASSIGNMENTS, direct).await.0, 201, "{scope}");
        let mut timed = ann_for(&people::HELPDESK_ADMINISTRATOR, "PT1H");
        timed["directoryScopeId"] = json!(scope);
        assert_eq!(setting.post(REQUESTS, timed).await.0, 201, "{scope}");
    }
    for scope in [
        "/administrativeUnits/5a4db0c5-0000-4000-8000-00000000ffff".to_owned(),
        "/5a4db0c5-0000-4000-8000-00000000ffff".to_owned(),
        format!("/applications/{}", people::PAYROLL.id),
        format!("/{}", people::PAYROLL.client_id),
        format!("/{}", people::UNIT),
    ] {
        let mut direct = ann_is(&ROLE);
        direct["directoryScopeId"] = json!(scope);
        let (status, error) = setting.post(ASSIGNMENTS, direct).await;
        assert_eq!((status, code_of(&error)), (404, "Request_ResourceNotFound"), "{scope}");
        let mut timed = ann_for(&ROLE, "PT1H");
        timed["directoryScopeId"] = json!(scope);
        let (status, error) = setting.post(REQUESTS, timed).await;
        assert_eq!((status, code_of(&error)), (400, "InvalidScope"), "{scope}");
    }
}
