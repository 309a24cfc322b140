use elevate_sandbox::{Lag, people};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::setting::{ASSIGNMENTS, INSTANCES, REQUESTS, Setting, ann_for, ann_is, code_of};

const ROLE: people::Role = people::GROUPS_ADMINISTRATOR;

#[tokio::test]
async fn a_grant_by_pim_ends_by_itself() {
    let setting = Setting::start().await;
    let (status, made) = setting.post(REQUESTS, ann_for(&ROLE, "PT2H")).await;
    assert_eq!((status, &made["status"]), (201, &json!("PendingProvisioning")), "{made}");
    assert_eq!(made["createdBy"]["user"]["id"], people::BROKER.object_id);
    assert_eq!(made["scheduleInfo"]["expiration"]["type"], "afterDuration");
    let one = format!("{REQUESTS}/{}", made["id"].as_str().unwrap());
    assert_eq!(setting.get(&one).await.1["status"], "Provisioned");

    let (_, instances) =
        setting.get(&format!("{INSTANCES}?$filter=principalId eq '{}'", people::ANN.id)).await;
    let instance = &instances["value"][0];
    assert_eq!(instance["endDateTime"], "2026-01-05T10:00:00Z");
    assert_eq!(instance["roleAssignmentScheduleId"], made["targetScheduleId"]);
    assert_eq!(
        (&instance["assignmentType"], &instance["memberType"]),
        (&json!("Assigned"), &json!("Direct"))
    );
    let (_, assignments) = setting.get(ASSIGNMENTS).await;
    assert_eq!(assignments["value"][0]["id"], instance["roleAssignmentOriginId"]);

    setting.pass(7199);
    assert_eq!(setting.count(ASSIGNMENTS).await, 1);
    setting.pass(1);
    assert_eq!((setting.count(ASSIGNMENTS).await, setting.count(INSTANCES).await), (0, 0));
    assert_eq!(setting.get(&one).await.1["status"], "Provisioned", "the request stays as it was");
}

#[tokio::test]
async fn provisioning_takes_its_time() {
    let lag = Lag { provision: SignedDuration::from_secs(5), ..Lag::default() };
    let setting = Setting::lagging(lag).await;
    setting.post(REQUESTS, ann_for(&ROLE, "PT2H")).await;
    assert_eq!((setting.count(ASSIGNMENTS).await, setting.count(INSTANCES).await), (0, 0));
    let refused = async |body| code_of(&setting.post(REQUESTS, body).await.1).to_owned();
    assert_eq!(refused(ann_for(&ROLE, "PT2H")).await, "PendingRoleAssignmentRequest");
    assert_eq!(refused(remove()).await, "PendingRoleAssignmentRequest");
    setting.pass(5);
    assert_eq!(setting.count(INSTANCES).await, 1);
    assert_eq!(refused(ann_for(&ROLE, "PT2H")).await, "RoleAssignmentExists");
}

#[tokio::test]
async fn nothing_is_removed_in_the_first_five_minutes() {
    let setting = Setting::start().await;
    setting.post(REQUESTS, ann_for(&ROLE, "PT2H")).await;
    setting.pass(299);
    let (status, error) = setting.post(REQUESTS, remove()).await;
    assert_eq!((status, code_of(&error)), (400, "ActiveDurationTooShort"));
    assert!(setting.tenant.directory().holds(people::ANN.id, &ROLE, "/"));
    setting.pass(1);
    let (status, removed) = setting.post(REQUESTS, remove()).await;
    assert_eq!((status, &removed["status"]), (201, &json!("Revoked")), "{removed}");
    assert!(!setting.tenant.directory().holds(people::ANN.id, &ROLE, "/"));
    assert_eq!(code_of(&setting.post(REQUESTS, remove()).await.1), "RoleAssignmentDoesNotExist");
}

#[tokio::test]
async fn what_was_made_outside_pim_shows_and_can_be_removed_by_accident() {
    let setting = Setting::start().await;
    setting.post(ASSIGNMENTS, ann_is(&ROLE)).await;
    let (_, instances) = setting.get(INSTANCES).await;
    assert_eq!(instances["value"][0]["endDateTime"], Value::Null);
    assert_eq!(code_of(&setting.post(REQUESTS, ann_for(&ROLE, "PT1H")).await.1), "RoleAssignmentExists");
    assert_eq!(setting.post(REQUESTS, remove()).await.0, 201, "the triple is all that PIM looks at");
    assert_eq!(setting.count(ASSIGNMENTS).await, 0);
}

#[tokio::test]
async fn a_grant_by_pim_blocks_one_outside_and_can_be_deleted_there() {
    let setting = Setting::start().await;
    setting.post(REQUESTS, ann_for(&ROLE, "PT1H")).await;
    assert_eq!(setting.post(ASSIGNMENTS, ann_is(&ROLE)).await.0, 400);
    let id = setting.tenant.directory().assignments()[0].id.clone();
    assert_eq!(setting.delete(&format!("{ASSIGNMENTS}/{id}")).await.0, 204);
    assert!(setting.tenant.directory().schedules().is_empty());
    assert_eq!(setting.post(REQUESTS, ann_for(&ROLE, "PT1H")).await.0, 201);
}

#[tokio::test]
async fn what_starts_later_can_be_cancelled() {
    let setting = Setting::start().await;
    let mut later = ann_for(&ROLE, "PT1H");
    later["scheduleInfo"]["startDateTime"] = json!("2026-01-05T09:00:00Z");
    let (_, made) = setting.post(REQUESTS, later.clone()).await;
    assert_eq!(made["status"], "Granted");
    assert_eq!(setting.count(INSTANCES).await, 0);
    assert_eq!(setting.count("/roleManagement/directory/roleAssignmentSchedules").await, 1);
    let cancel = |made: &Value| format!("{REQUESTS}/{}/cancel", made["id"].as_str().unwrap());
    assert_eq!(setting.post(&cancel(&made), json!({})).await.0, 204);
    setting.pass(3600);
    assert_eq!(setting.count(INSTANCES).await, 0);

    let (_, now) = setting.post(REQUESTS, ann_for(&ROLE, "PT1H")).await;
    assert_eq!(setting.count(INSTANCES).await, 1);
    assert_eq!(setting.post(&cancel(&now), json!({})).await.0, 400, "what runs cannot be cancelled");
}

#[tokio::test]
async fn a_check_writes_nothing() {
    let setting = Setting::start().await;
    let mut check = ann_for(&ROLE, "PT1H");
    check["isValidationOnly"] = json!(true);
    let (status, answer) = setting.post(REQUESTS, check.clone()).await;
    assert_eq!((status, &answer["isValidationOnly"]), (201, &json!(true)));
    assert_eq!((setting.count(REQUESTS).await, setting.count(INSTANCES).await), (0, 0));
    setting.post(ASSIGNMENTS, ann_is(&ROLE)).await;
    assert_eq!(code_of(&setting.post(REQUESTS, check).await.1), "RoleAssignmentExists");
}

#[tokio::test]
async fn each_wrong_request_has_its_code() {
    let setting = Setting::start().await;
    let cases = [
        ("/principalId", json!("5a4db0c5-0000-4000-8000-00000000ffff"), 404, "SubjectNotFound"),
        ("/roleDefinitionId", json!("nothing"), 404, "RoleNotFound"),
        ("/directoryScopeId", json!("nowhere"), 400, "InvalidScope"),
        ("/scheduleInfo/expiration/duration", json!("P1M"), 400, "InvalidRoleAssignmentRequestSchedule"),
        (
            "/scheduleInfo/expiration/type",
            json!("notSpecified"),
            400,
            "RoleAssignmentRequestPolicyValidationFailed",
        ),
        ("/action", json!("selfActivate"), 403, "Authorization_RequestDenied"),
        ("/action", json!("adminApprove"), 400, "InvalidRoleAssignmentRequest"),
    ];
    for (pointer, value, status, code) in cases {
        let mut body = ann_for(&ROLE, "PT1H");
        *body.pointer_mut(pointer).unwrap() = value;
        let (got, error) = setting.post(REQUESTS, body).await;
        assert_eq!((got, code_of(&error)), (status, code), "{pointer}");
    }
    let mut past = ann_for(&ROLE, "PT1H");
    past["scheduleInfo"]["startDateTime"] = json!("2026-01-05T07:00:00Z");
    assert_eq!(code_of(&setting.post(REQUESTS, past).await.1), "InvalidRoleAssignmentRequestSchedule");
    setting.tenant.change_behaviour(|behaviour| behaviour.premium = false);
    let (status, error) = setting.post(REQUESTS, ann_for(&ROLE, "PT1H")).await;
    assert_eq!((status, code_of(&error)), (400, "AadPremiumLicenseRequired"));
}

#[tokio::test]
async fn an_identity_that_may_only_remove_can_only_remove() {
    let setting = Setting::start().await;
    setting.tenant.directory().assign_in_portal(people::ANN.id, ROLE.id, "/").unwrap();
    setting.tenant.directory().set_permissions(&people::BROKER, ["RoleAssignmentSchedule.Remove.Directory"]);
    assert_eq!(setting.post(REQUESTS, ann_for(&ROLE, "PT1H")).await.0, 403);
    assert_eq!(setting.post(REQUESTS, remove()).await.0, 201);
}

fn remove() -> Value {
    let mut body = ann_is(&ROLE);
    body["action"] = json!("adminRemove");
    body
}
