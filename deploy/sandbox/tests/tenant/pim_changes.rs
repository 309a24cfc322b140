use elevate_sandbox::{Lag, directory::Privilege, people};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::setting::{ASSIGNMENTS, INSTANCES, REQUESTS, Setting, ann_for, ann_is, code_of};

const ROLE: people::Role = people::GROUPS_ADMINISTRATOR;
const ELIGIBLE: &str = "/roleManagement/directory/roleEligibilitySchedules";
const ELIGIBLE_NOW: &str = "/roleManagement/directory/roleEligibilityScheduleInstances";

#[tokio::test]
async fn the_end_of_what_runs_is_moved() {
    let setting = Setting::start().await;
    let (_, first) = setting.post(REQUESTS, ann_for(&ROLE, "PT1H")).await;
    setting.pass(1800);
    let (status, made) = setting.post(REQUESTS, change("adminUpdate", "2026-01-05T10:30:00Z")).await;
    assert_eq!((status, &made["status"]), (201, &json!("PendingProvisioning")), "{made}");
    assert_eq!(made["targetScheduleId"], first["targetScheduleId"], "it is the same schedule");
    assert_ne!(made["id"], first["id"]);
    let one = format!("{REQUESTS}/{}", made["id"].as_str().unwrap());
    assert_eq!(setting.get(&one).await.1["status"], "Provisioned");
    let (_, instances) = setting.get(INSTANCES).await;
    assert_eq!(instances["value"].as_array().unwrap().len(), 1);
    assert_eq!(instances["value"][0]["endDateTime"], "2026-01-05T10:30:00Z");
    setting.pass(7199);
    assert_eq!(setting.count(ASSIGNMENTS).await, 1);
    setting.pass(1);
    assert_eq!(setting.count(ASSIGNMENTS).await, 0);
}

#[tokio::test]
async fn a_duration_counts_from_the_start_that_is_given_or_that_was() {
    let setting = Setting::start().await;
    setting.post(REQUESTS, ann_for(&ROLE, "PT1H")).await;
    setting.pass(1800);
    let mut change = ann_for(&ROLE, "PT2H");
    change["action"] = json!("adminUpdate");
    let end = async || setting.get(INSTANCES).await.1["value"][0]["endDateTime"].clone();
    assert_eq!(setting.post(REQUESTS, change.clone()).await.0, 201);
    assert_eq!(end().await, "2026-01-05T10:00:00Z");
    change["scheduleInfo"]["startDateTime"] = json!("2026-01-05T08:30:00Z");
    assert_eq!(setting.post(REQUESTS, change).await.0, 201);
    assert_eq!(end().await, "2026-01-05T10:30:00Z");
}

#[tokio::test]
async fn a_change_takes_its_time_and_may_come_too_late() {
    let lag = Lag { provision: SignedDuration::from_secs(60), ..Lag::default() };
    let setting = Setting::lagging(lag).await;
    setting.post(REQUESTS, ann_for(&ROLE, "PT1H")).await;
    setting.pass(600);
    let end = async || setting.get(INSTANCES).await.1["value"][0]["endDateTime"].clone();
    setting.post(REQUESTS, change("adminExtend", "2026-01-05T09:10:00Z")).await;
    assert_eq!(end().await, "2026-01-05T09:00:00Z");
    let again = setting.post(REQUESTS, change("adminExtend", "2026-01-05T09:20:00Z")).await.1;
    assert_eq!(code_of(&again), "PendingRoleAssignmentRequest");
    setting.pass(60);
    assert_eq!(end().await, "2026-01-05T09:10:00Z");

    setting.pass(3480 + 30);
    let (_, late) = setting.post(REQUESTS, change("adminExtend", "2026-01-05T10:00:00Z")).await;
    assert_eq!(late["status"], "PendingProvisioning", "{late}");
    setting.pass(300);
    assert_eq!(setting.count(ASSIGNMENTS).await, 0, "the end came first");
    let one = format!("{REQUESTS}/{}", late["id"].as_str().unwrap());
    assert_eq!(setting.get(&one).await.1["status"], "Failed");
}

#[tokio::test]
async fn only_what_is_there_can_be_changed_and_only_sensibly() {
    let setting = Setting::start().await;
    let refused = async |body: Value| {
        let (status, error) = setting.post(REQUESTS, body).await;
        assert_eq!(status, 400, "{error}");
        code_of(&error).to_owned()
    };
    assert_eq!(refused(change("adminUpdate", "2026-01-05T10:00:00Z")).await, "RoleAssignmentDoesNotExist");
    setting.post(REQUESTS, ann_for(&ROLE, "PT1H")).await;
    setting.pass(60);
    let schedule = "InvalidRoleAssignmentRequestSchedule";
    assert_eq!(refused(change("adminUpdate", "2026-01-05T08:00:30Z")).await, schedule, "it is over then");
    assert_eq!(refused(change("adminUpdate", "2026-01-05T08:03:00Z")).await, "ActiveDurationTooShort");
    assert_eq!(
        refused(change("adminExtend", "2026-01-05T08:50:00Z")).await,
        schedule,
        "that is no extension"
    );
    assert_eq!(setting.post(REQUESTS, change("adminUpdate", "2026-01-05T08:50:00Z")).await.0, 201);
    let mut check = change("adminUpdate", "2026-01-05T11:00:00Z");
    check["isValidationOnly"] = json!(true);
    assert_eq!(setting.post(REQUESTS, check).await.0, 201);
    assert_eq!(setting.get(INSTANCES).await.1["value"][0]["endDateTime"], "2026-01-05T08:50:00Z");
    let only_remove = ["RoleAssignmentSchedule.Remove.Directory"];
    setting.tenant.directory().set_permissions(&people::BROKER, only_remove);
    assert_eq!(setting.post(REQUESTS, change("adminUpdate", "2026-01-05T11:00:00Z")).await.0, 403);
}

#[tokio::test]
async fn a_second_grant_is_refused_also_for_later() {
    let setting = Setting::start().await;
    setting.post(REQUESTS, ann_for(&ROLE, "PT1H")).await;
    assert_eq!(code_of(&setting.post(REQUESTS, ann_for(&ROLE, "PT2H")).await.1), "RoleAssignmentExists");
    let mut chained = ann_for(&ROLE, "PT1H");
    chained["scheduleInfo"]["startDateTime"] = json!("2026-01-05T09:00:00Z");
    assert_eq!(code_of(&setting.post(REQUESTS, chained).await.1), "RoleAssignmentExists");
    setting.pass(3600);
    assert_eq!(setting.post(REQUESTS, ann_for(&ROLE, "PT1H")).await.0, 201);
}

#[tokio::test]
async fn what_was_made_outside_pim_ends_once_it_is_changed() {
    let setting = Setting::start().await;
    setting.post(ASSIGNMENTS, ann_is(&ROLE)).await;
    setting.pass(3600);
    let extend = setting.post(REQUESTS, change("adminExtend", "2026-01-05T12:00:00Z")).await.1;
    assert_eq!(
        code_of(&extend),
        "InvalidRoleAssignmentRequestSchedule",
        "what never ends needs no extension"
    );
    assert_eq!(setting.post(REQUESTS, change("adminUpdate", "2026-01-05T12:00:00Z")).await.0, 201);
    assert_eq!(setting.get(INSTANCES).await.1["value"][0]["endDateTime"], "2026-01-05T12:00:00Z");
    setting.pass(3 * 3600);
    assert_eq!(setting.count(ASSIGNMENTS).await, 0);
}

#[tokio::test]
async fn what_has_not_begun_is_moved_whole() {
    let setting = Setting::start().await;
    let mut later = ann_for(&ROLE, "PT1H");
    later["scheduleInfo"]["startDateTime"] = json!("2026-01-05T10:00:00Z");
    setting.post(REQUESTS, later.clone()).await;
    later["action"] = json!("adminUpdate");
    later["scheduleInfo"]["startDateTime"] = json!("2026-01-05T12:00:00Z");
    assert_eq!(setting.post(REQUESTS, later).await.0, 201);
    setting.pass(2 * 3600);
    assert_eq!(setting.count(ASSIGNMENTS).await, 0);
    setting.pass(2 * 3600);
    assert_eq!(setting.count(ASSIGNMENTS).await, 1);
    setting.pass(3600);
    assert_eq!(setting.count(ASSIGNMENTS).await, 0);
}

#[tokio::test]
async fn who_may_activate_what_is_listed() {
    let setting = Setting::start().await;
    let directory = setting.tenant.directory();
    let what = Privilege::role(&ROLE, "/");
    let end = Some("2026-01-05T12:00:00Z".parse().unwrap());
    let id = directory.make_eligible(people::ANN.id, what.clone(), end).unwrap();
    let forever = directory.make_eligible(people::BOB.id, what.clone(), None).unwrap();
    assert!(directory.make_eligible(people::BOB.id, what, None).is_err(), "once is enough");
    let nowhere = Privilege::role(&ROLE, "/administrativeUnits/nowhere");
    assert!(directory.make_eligible(people::BOB.id, nowhere, None).is_err());

    let mine = format!("$filter=principalId eq '{}'&$expand=roleDefinition", people::ANN.id);
    let (_, schedules) = setting.get(&format!("{ELIGIBLE}?{mine}")).await;
    let schedule = &schedules["value"][0];
    assert_eq!(
        (&schedule["id"], &schedule["roleDefinitionId"], &schedule["directoryScopeId"]),
        (&json!(id), &json!(ROLE.id), &json!("/"))
    );
    assert_eq!(schedule["scheduleInfo"]["expiration"]["endDateTime"], "2026-01-05T12:00:00Z");
    assert_eq!(schedule["roleDefinition"]["displayName"], ROLE.name);
    let (_, instances) = setting.get(&format!("{ELIGIBLE_NOW}?{mine}")).await;
    assert_eq!(instances["value"][0]["roleEligibilityScheduleId"], json!(id));
    assert_eq!(setting.count(INSTANCES).await, 0, "nobody holds anything by it");

    setting.pass(4 * 3600);
    let (_, left) = setting.get(ELIGIBLE).await;
    assert_eq!((left["value"].as_array().unwrap().len(), &left["value"][0]["id"]), (1, &json!(forever)));
    assert!(directory.end_eligibility(&forever));
    assert_eq!(setting.count(ELIGIBLE_NOW).await, 0);
    directory.set_permissions(&people::BROKER, ["RoleAssignmentSchedule.ReadWrite.Directory"]);
    assert_eq!(setting.get(ELIGIBLE).await.0, 403);
}

fn change(action: &str, end: &str) -> Value {
    let mut body = ann_for(&ROLE, "PT1H");
    body["action"] = json!(action);
    body["scheduleInfo"]["expiration"] = json!({ "type": "afterDateTime", "endDateTime": end });
    body
}
