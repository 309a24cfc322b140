use elevate_sandbox::{
    Lag,
    directory::{Privilege, Relation},
    people,
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::setting::{Setting, code_of};

const ROOT: &str = "/identityGovernance/privilegedAccess/group";
const GROUP: people::Group = people::TIER0_OPERATORS;
const OWNED: people::Group = people::SERVER_OPERATORS;

#[tokio::test]
async fn a_membership_by_pim_ends_by_itself() {
    let setting = Setting::start().await;
    let (status, made) = setting.post(&requests(), ask("adminAssign", &GROUP, "member", "PT2H")).await;
    assert_eq!((status, &made["status"]), (201, &json!("PendingProvisioning")), "{made}");
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["targetScheduleId"], format!("{}_member_{id}", GROUP.id));
    assert_eq!((&made["groupId"], &made["accessId"]), (&json!(GROUP.id), &json!("member")));
    assert_eq!(made["ticketInfo"]["ticketNumber"], "INC0012345");
    assert_eq!(setting.get(&format!("{}/{id}", requests())).await.1["status"], "Provisioned");
    let member = format!("/groups/{}/members/{}/$ref", GROUP.id, people::ANN.id);
    assert_eq!(setting.get(&member).await.0, 200);

    let (_, instances) = setting.get(&listing("assignmentScheduleInstances", &GROUP)).await;
    let instance = &instances["value"][0];
    assert_eq!(instance["assignmentScheduleId"], made["targetScheduleId"]);
    assert_eq!(instance["endDateTime"], "2026-01-05T10:00:00Z");
    let words = (&instance["assignmentType"], &instance["memberType"]);
    assert_eq!(words, (&json!("assigned"), &json!("direct")), "in small letters, unlike for roles");
    let by_schedule = format!("{ROOT}/assignmentSchedules/{}", made["targetScheduleId"].as_str().unwrap());
    assert_eq!(setting.get(&by_schedule).await.1["createdUsing"], id);

    setting.pass(7199);
    assert_eq!(setting.get(&member).await.0, 200);
    setting.pass(1);
    assert_eq!(setting.get(&member).await.0, 404);
    assert_eq!(setting.count(&listing("assignmentScheduleInstances", &GROUP)).await, 0);
}

#[tokio::test]
async fn a_listing_must_name_a_group_or_a_principal() {
    let setting = Setting::start().await;
    for collection in [
        "assignmentScheduleRequests",
        "assignmentSchedules",
        "assignmentScheduleInstances",
        "eligibilitySchedules",
        "eligibilityScheduleInstances",
    ] {
        let all = format!("{ROOT}/{collection}");
        assert_eq!(setting.get(&all).await.0, 400, "{collection}");
        assert_eq!(setting.get(&format!("{all}?$filter=groupId ne 'x'")).await.0, 400, "{collection}");
        assert_eq!(setting.get(&format!("{all}?$filter=accessId eq 'member'")).await.0, 400, "{collection}");
        assert_eq!(setting.get(&format!("{all}?$filter=principalId eq 'x'")).await.0, 200, "{collection}");
        assert_eq!(setting.get(&listing(collection, &GROUP)).await.0, 200, "{collection}");
    }
}

#[tokio::test]
async fn what_pim_did_not_make_is_shown_and_in_the_way() {
    let setting = Setting::start().await;
    setting.tenant.directory().add_member(GROUP.id, people::ANN.id).unwrap();
    let (_, instances) = setting.get(&listing("assignmentScheduleInstances", &GROUP)).await;
    assert_eq!(instances["value"][0]["endDateTime"], Value::Null);
    let (_, schedules) = setting.get(&listing("assignmentSchedules", &GROUP)).await;
    assert_eq!(schedules["value"][0]["scheduleInfo"]["expiration"]["type"], "noExpiration");
    let (status, error) = setting.post(&requests(), ask("adminAssign", &GROUP, "member", "PT1H")).await;
    assert_eq!((status, code_of(&error)), (400, "RoleAssignmentExists"));
    let owner = setting.post(&requests(), ask("adminAssign", &GROUP, "owner", "PT1H")).await;
    assert_eq!(owner.0, 201, "to own it is something else");
    assert_eq!(setting.post(&requests(), remove(&GROUP, "member")).await.0, 201);
    assert!(setting.tenant.directory().members(GROUP.id).is_empty());
}

#[tokio::test]
async fn members_too_are_not_removed_in_the_first_five_minutes() {
    let setting = Setting::start().await;
    let code = async |body| code_of(&setting.post(&requests(), body).await.1).to_owned();
    assert_eq!(code(remove(&GROUP, "member")).await, "RoleAssignmentDoesNotExist");
    setting.post(&requests(), ask("adminAssign", &GROUP, "member", "PT1H")).await;
    setting.pass(299);
    assert_eq!(code(remove(&GROUP, "member")).await, "ActiveDurationTooShort");
    setting.pass(1);
    let (status, removed) = setting.post(&requests(), remove(&GROUP, "member")).await;
    assert_eq!((status, &removed["status"]), (201, &json!("Revoked")));
    assert_eq!(code(remove(&GROUP, "member")).await, "RoleAssignmentDoesNotExist");

    setting.post(&requests(), ask("adminAssign", &GROUP, "member", "PT1H")).await;
    let member = format!("/groups/{}/members/{}/$ref", GROUP.id, people::ANN.id);
    assert_eq!(setting.delete(&member).await.0, 204, "the group itself knows no such rule");
    assert!(setting.tenant.directory().schedules().is_empty(), "and PIM lets go");
}

#[tokio::test]
async fn the_end_of_a_membership_is_moved() {
    let lag = Lag { provision: SignedDuration::from_secs(5), ..Lag::default() };
    let setting = Setting::lagging(lag).await;
    setting.post(&requests(), ask("adminAssign", &GROUP, "member", "PT1H")).await;
    let refused = setting.post(&requests(), ask("adminExtend", &GROUP, "member", "PT2H")).await.1;
    assert_eq!(code_of(&refused), "PendingRoleAssignmentRequest", "not even the first is provisioned");
    setting.pass(5);
    assert_eq!(setting.post(&requests(), ask("adminExtend", &GROUP, "member", "PT2H")).await.0, 201);
    setting.pass(3600);
    assert_eq!(setting.tenant.directory().members(GROUP.id), [people::ANN.id]);
    setting.pass(3600);
    assert!(setting.tenant.directory().members(GROUP.id).is_empty());
}

#[tokio::test]
async fn each_wrong_request_about_a_group_has_its_answer() {
    let setting = Setting::start().await;
    let nobody = json!("5a4db0c5-0000-4000-8000-00000000ffff");
    for (field, value, status, code) in [
        ("principalId", nobody.clone(), 404, "SubjectNotFound"),
        ("groupId", nobody, 404, "Request_ResourceNotFound"),
        ("groupId", json!(people::DYNAMIC.id), 400, "Request_BadRequest"),
        ("groupId", json!(people::SYNCED.id), 400, "Request_BadRequest"),
        ("principalId", json!(people::STAFF.id), 400, "Request_BadRequest"),
        ("accessId", json!("guest"), 400, "Request_BadRequest"),
        ("action", json!("selfActivate"), 403, "Authorization_RequestDenied"),
        ("action", json!("adminApprove"), 400, "InvalidRoleAssignmentRequest"),
        ("scheduleInfo", json!({}), 400, "RoleAssignmentRequestPolicyValidationFailed"),
    ] {
        let mut body = ask("adminAssign", &GROUP, "member", "PT1H");
        body[field] = value;
        let (got, error) = setting.post(&requests(), body).await;
        assert_eq!((got, code_of(&error)), (status, code), "{field}: {error}");
    }
    setting.tenant.change_behaviour(|behaviour| behaviour.premium = false);
    let refused = setting.post(&requests(), ask("adminAssign", &GROUP, "member", "PT1H")).await.1;
    assert_eq!(code_of(&refused), "AadPremiumLicenseRequired");
}

#[tokio::test]
async fn pim_for_groups_has_permissions_of_its_own() {
    let setting = Setting::start().await;
    let directory = setting.tenant.directory();
    directory.add_member(GROUP.id, people::ANN.id).unwrap();
    directory.set_permissions(&people::BROKER, ["PrivilegedAssignmentSchedule.Remove.AzureADGroup"]);
    assert_eq!(setting.post(&requests(), ask("adminAssign", &GROUP, "owner", "PT1H")).await.0, 403);
    assert_eq!(setting.get(&listing("assignmentSchedules", &GROUP)).await.0, 403);
    assert_eq!(setting.post(&requests(), remove(&GROUP, "member")).await.0, 201);
    directory.set_permissions(&people::BROKER, ["RoleAssignmentSchedule.ReadWrite.Directory"]);
    assert_eq!(setting.post(&requests(), ask("adminAssign", &GROUP, "member", "PT1H")).await.0, 403);
    directory.set_permissions(&people::BROKER, ["PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup"]);
    let made = setting.post(&requests(), ask("adminAssign", &GROUP, "member", "PT1H")).await;
    assert_eq!(made.0, 201, "also for a group that can hold roles");
    assert_eq!(setting.get(&listing("eligibilitySchedules", &GROUP)).await.0, 403);
}

#[tokio::test]
async fn the_last_owner_stays_for_as_long_as_there_is_no_other() {
    let setting = Setting::start().await;
    let directory = setting.tenant.directory();
    setting.post(&requests(), ask("adminAssign", &GROUP, "owner", "PT1H")).await;
    setting.pass(3600);
    assert_eq!(directory.owners(GROUP.id), [people::ANN.id], "nobody else owns it");
    let (status, error) = setting.post(&requests(), remove(&GROUP, "owner")).await;
    assert_eq!(status, 400, "{error}");
    setting.pass(24 * 3600);
    directory.add_owner(GROUP.id, people::EVE.id).unwrap();
    assert_eq!(directory.owners(GROUP.id), [people::EVE.id], "PIM has tried again");

    assert!(directory.remove_owner(GROUP.id, people::EVE.id));
    setting.post(&requests(), ask("adminAssign", &GROUP, "owner", "PT1H")).await;
    setting.pass(31 * 24 * 3600);
    assert!(directory.schedules().is_empty(), "and after thirty days it gives up");
    directory.add_owner(GROUP.id, people::EVE.id).unwrap();
    assert_eq!(directory.owners(GROUP.id), [people::ANN.id, people::EVE.id]);
}

#[tokio::test]
async fn an_owner_with_others_beside_them_goes_in_time() {
    let setting = Setting::start().await;
    setting.post(&requests(), ask("adminAssign", &OWNED, "owner", "PT1H")).await;
    assert_eq!(setting.count(&format!("/groups/{}/owners", OWNED.id)).await, 2);
    setting.pass(3600);
    assert_eq!(setting.tenant.directory().owners(OWNED.id), [people::EVE.id]);
}

#[tokio::test]
async fn what_starts_later_is_cancelled_here_and_not_at_the_other_door() {
    let setting = Setting::start().await;
    let mut later = ask("adminAssign", &GROUP, "member", "PT1H");
    later["scheduleInfo"]["startDateTime"] = json!("2026-01-05T09:00:00Z");
    let (_, made) = setting.post(&requests(), later).await;
    assert_eq!(made["status"], "Granted");
    let id = made["id"].as_str().unwrap();
    let roles = format!("/roleManagement/directory/roleAssignmentScheduleRequests/{id}");
    assert_eq!(setting.get(&roles).await.0, 404);
    assert_eq!(setting.post(&format!("{roles}/cancel"), json!({})).await.0, 404);
    assert_eq!(setting.post(&format!("{}/{id}/cancel", requests()), json!({})).await.0, 204);
    setting.pass(3600);
    assert!(setting.tenant.directory().members(GROUP.id).is_empty());
}

#[tokio::test]
async fn who_may_come_into_a_group_is_listed() {
    let setting = Setting::start().await;
    let directory = setting.tenant.directory();
    let what = Privilege::group(&GROUP, Relation::Member);
    let id = directory.make_eligible(people::ANN.id, what, None).unwrap();
    let (_, schedules) = setting.get(&listing("eligibilitySchedules", &GROUP)).await;
    let schedule = &schedules["value"][0];
    let shown = (&schedule["id"], &schedule["accessId"], &schedule["principalId"]);
    assert_eq!(shown, (&json!(id), &json!("member"), &json!(people::ANN.id)));
    let (_, instances) = setting.get(&listing("eligibilityScheduleInstances", &GROUP)).await;
    assert_eq!(instances["value"][0]["eligibilityScheduleId"], json!(id));
    assert_eq!(setting.count("/roleManagement/directory/roleEligibilitySchedules").await, 0);
    assert!(directory.delete_user(people::ANN.id));
    assert_eq!(setting.count(&listing("eligibilitySchedules", &GROUP)).await, 0);
}

#[tokio::test]
async fn with_a_person_go_their_schedules() {
    let setting = Setting::start().await;
    setting.post(&requests(), ask("adminAssign", &GROUP, "member", "PT1H")).await;
    assert!(setting.tenant.directory().delete_user(people::ANN.id));
    assert_eq!(setting.count(&listing("assignmentSchedules", &GROUP)).await, 0);
    assert_eq!(setting.count(&listing("assignmentScheduleInstances", &GROUP)).await, 0);
}

fn requests() -> String {
    format!("{ROOT}/assignmentScheduleRequests")
}

fn listing(collection: &str, group: &people::Group) -> String {
    format!("{ROOT}/{collection}?$filter=groupId eq '{}'", group.id)
}

fn remove(group: &people::Group, access: &str) -> Value {
    json!({ "action": "adminRemove", "principalId": people::ANN.id, "groupId": group.id, "accessId": access })
}

fn ask(action: &str, group: &people::Group, access: &str, duration: &str) -> Value {
    let mut body = remove(group, access);
    body["action"] = json!(action);
    body["justification"] = json!("INC0012345");
    body["ticketInfo"] = json!({ "ticketNumber": "INC0012345", "ticketSystem": "ServiceNow" });
    body["scheduleInfo"] = json!({ "expiration": { "type": "afterDuration", "duration": duration } });
    body
}
