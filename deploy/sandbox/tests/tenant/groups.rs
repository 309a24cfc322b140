use elevate_sandbox::{AbsentMember, Lag, people};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::setting::{Setting, code_of};

const ROLE: people::Role = people::USER_ADMINISTRATOR;
const OPERATORS: people::Group = people::SERVER_OPERATORS;

#[tokio::test]
async fn groups_hold_people_and_groups() {
    let setting = Setting::start().await;
    let staff = format!("/groups/{}", people::STAFF.id);
    assert_eq!(setting.get(&staff).await.1["displayName"], "Staff");
    assert_eq!(setting.count(&format!("{staff}/members")).await, 3);
    assert_eq!(setting.count(&format!("{staff}/members?$top=2")).await, 2);
    assert_eq!(setting.count(&format!("{staff}/transitiveMembers")).await, 5);
    let check = format!("/users/{}/checkMemberGroups", people::BOB.id);
    let ids = json!({ "groupIds": [people::STAFF.id, people::HELPDESK.id] });
    assert_eq!(setting.post(&check, ids).await.1["value"], json!([people::STAFF.id]));
    let many = json!({ "groupIds": vec!["x"; 21] });
    assert_eq!(setting.post(&check, many).await.0, 400);
}

#[tokio::test]
async fn members_come_and_go_by_reference() {
    let setting = Setting::start().await;
    let members = format!("/groups/{}/members", people::APPROVERS.id);
    let dave = json!({ "@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{}", people::DAVE.id) });
    assert_eq!(setting.post(&format!("{members}/$ref"), dave.clone()).await.0, 204);
    let (status, error) = setting.post(&format!("{members}/$ref"), dave).await;
    assert_eq!(status, 400);
    assert!(error["error"]["message"].as_str().unwrap().contains("already exist"));
    let reference = format!("{members}/{}/$ref", people::DAVE.id);
    assert_eq!(setting.delete(&reference).await.0, 204);
    assert_eq!(setting.delete(&reference).await.0, 404);
    assert!(setting.tenant.directory().user("dave").is_some());
}

#[tokio::test]
async fn without_the_reference_the_person_is_deleted() {
    let setting = Setting::start().await;
    let directory = setting.tenant.directory();
    directory.assign_in_portal(people::BOB.id, ROLE.id, "/").unwrap();
    let trap = format!("/groups/{}/members/{}", people::APPROVERS.id, people::BOB.id);
    assert_eq!(setting.delete(&trap).await.0, 403, "the broker may not manage people");
    directory.set_permissions(&people::BROKER, ["GroupMember.ReadWrite.All", "User.ReadWrite.All"]);
    assert_eq!(setting.delete(&trap).await.0, 204);
    assert!(directory.user("bob").is_none());
    assert!(directory.assignments().is_empty(), "and with him what he held");
}

#[tokio::test]
async fn a_membership_is_read_by_its_own_address() {
    let setting = Setting::start().await;
    let members = format!("/groups/{}/members", people::STAFF.id);
    let ann = format!("{members}/{}", people::ANN.id);
    let (_, object) = setting.get(&ann).await;
    assert_eq!(
        (&object["@odata.type"], &object["id"]),
        (&json!("#microsoft.graph.user"), &json!(people::ANN.id))
    );
    let (_, found) = setting.get(&format!("{ann}/$ref")).await;
    assert!(found["@odata.id"].as_str().unwrap().ends_with(people::ANN.id), "{found}");
    assert_eq!(setting.count(&format!("{members}/$ref")).await, 3);
    assert_eq!(
        setting.get(&format!("{members}/{}/$ref", people::BOB.id)).await.0,
        404,
        "only through a group"
    );
    assert_eq!(setting.get("/groups/5a4db0c5-0000-4000-8000-00000000ffff/members").await.0, 404);
}

#[tokio::test]
async fn a_cast_leaves_people_or_groups() {
    let setting = Setting::start().await;
    let on_call = format!("/groups/{}", people::ON_CALL.id);
    let all = format!("{on_call}/transitiveMembers");
    assert_eq!(setting.count(&format!("{on_call}/members/microsoft.graph.user")).await, 0);
    assert_eq!(setting.count(&format!("{on_call}/members/microsoft.graph.group")).await, 1);
    assert_eq!(setting.count(&all).await, 3);
    let people_only = format!("{all}/microsoft.graph.user?$select=id,accountEnabled&$top=1");
    let (_, first) = setting.get(&people_only).await;
    assert_eq!(first["value"][0], json!({ "id": people::BOB.id, "accountEnabled": true }));
    let next = first["@odata.nextLink"].as_str().unwrap().strip_prefix(&setting.tenant.graph_url()).unwrap();
    let (_, second) = setting.get(next).await;
    assert_eq!(second["value"][0]["id"], people::CAROL.id);
    assert!(second.get("@odata.nextLink").is_none());
    assert_eq!(setting.get(&format!("{all}/microsoft.graph.device")).await.0, 400);
}

#[tokio::test]
async fn a_group_says_of_what_kind_it_is() {
    let setting = Setting::start().await;
    let kind = async |group: people::Group| {
        let select = "$select=isAssignableToRole,groupTypes,onPremisesSyncEnabled,membershipRule";
        let (_, mut shown) = setting.get(&format!("/groups/{}?{select}", group.id)).await;
        shown.as_object_mut().unwrap().retain(|name, _| !name.starts_with('@'));
        shown
    };
    let plain = json!({ "isAssignableToRole": null, "groupTypes": [], "onPremisesSyncEnabled": null, "membershipRule": null });
    assert_eq!(kind(OPERATORS).await, plain);
    assert_eq!(kind(people::TIER0_OPERATORS).await["isAssignableToRole"], true);
    assert_eq!(kind(people::SYNCED).await["onPremisesSyncEnabled"], true);
    let dynamic = kind(people::DYNAMIC).await;
    assert_eq!(dynamic["groupTypes"], json!(["DynamicMembership"]));
    assert_eq!(dynamic["membershipRule"], people::DYNAMIC.rule.unwrap());
}

#[tokio::test]
async fn what_is_filled_elsewhere_takes_nobody_and_gives_nobody_back() {
    let setting = Setting::start().await;
    for (group, member, status, code) in [
        (people::DYNAMIC, people::EVE, 403, "Authorization_RequestDenied"),
        (people::SYNCED, people::DAVE, 400, "Request_BadRequest"),
    ] {
        let members = format!("/groups/{}/members", group.id);
        let (got, error) = setting.post(&format!("{members}/$ref"), reference(people::BOB.id)).await;
        assert_eq!((got, code_of(&error)), (status, code), "{error}");
        let (got, error) = setting.delete(&format!("{members}/{}/$ref", member.id)).await;
        assert_eq!((got, code_of(&error)), (status, code), "{error}");
        assert_eq!(setting.tenant.directory().members(group.id), [member.id]);
    }
}

#[tokio::test]
async fn a_reference_must_name_an_object_that_is_there() {
    let setting = Setting::start().await;
    let members = format!("/groups/{}/members/$ref", OPERATORS.id);
    let (status, error) = setting.post(&members, reference("5a4db0c5-0000-4000-8000-00000000ffff")).await;
    assert_eq!((status, code_of(&error)), (404, "Request_ResourceNotFound"));
    for wrong in
        [json!({}), json!({ "@odata.id": people::ANN.id }), json!({ "@odata.id": "https://x/me/ann" })]
    {
        assert_eq!(setting.post(&members, wrong.clone()).await.0, 400, "{wrong}");
    }
    let nowhere = "/groups/5a4db0c5-0000-4000-8000-00000000ffff/members/$ref";
    assert_eq!(setting.post(nowhere, reference(people::ANN.id)).await.0, 404);
}

#[tokio::test]
async fn who_was_never_in_is_told_so_in_one_of_two_ways() {
    let setting = Setting::start().await;
    let ann = format!("/groups/{}/members/{}/$ref", OPERATORS.id, people::ANN.id);
    assert_eq!(setting.delete(&ann).await.0, 404);
    setting.tenant.change_behaviour(|behaviour| behaviour.absent_member = AbsentMember::BadRequest);
    let (status, error) = setting.delete(&ann).await;
    assert_eq!(status, 400);
    assert!(error["error"]["message"].as_str().unwrap().contains("do not exist"), "{error}");
}

#[tokio::test]
async fn a_membership_is_seen_late_and_forgotten_late() {
    let lag = Lag {
        list: SignedDuration::from_secs(10),
        get: SignedDuration::from_secs(4),
        provision: SignedDuration::ZERO,
    };
    let setting = Setting::lagging(lag).await;
    let members = format!("/groups/{}/members", OPERATORS.id);
    let one = format!("{members}/{}/$ref", people::ANN.id);
    let check = format!("/users/{}/checkMemberGroups", people::ANN.id);
    let looks = async || {
        let (_, groups) = setting.post(&check, json!({ "groupIds": [OPERATORS.id] })).await;
        (setting.get(&one).await.0, setting.count(&members).await, groups["value"].as_array().unwrap().len())
    };
    let add = async || setting.post(&format!("{members}/$ref"), reference(people::ANN.id)).await.0;
    assert_eq!(add().await, 204);
    assert_eq!(looks().await, (404, 0, 0));
    assert_eq!((add().await, setting.delete(&one).await.0), (400, 404), "there already, and not there yet");
    setting.pass(4);
    assert_eq!(looks().await, (200, 0, 0));
    setting.pass(6);
    assert_eq!(looks().await, (200, 1, 1));
    assert_eq!(setting.delete(&one).await.0, 204);
    assert_eq!(looks().await, (200, 1, 1));
    assert_eq!(setting.delete(&one).await.0, 404);
    setting.pass(4);
    assert_eq!(looks().await, (404, 1, 1));
    setting.pass(6);
    assert_eq!(looks().await, (404, 0, 0));
}

#[tokio::test]
async fn owners_are_no_members_and_the_last_one_stays() {
    let setting = Setting::start().await;
    let owners = format!("/groups/{}/owners", OPERATORS.id);
    let one = |person: people::Person| format!("{owners}/{}/$ref", person.id);
    assert_eq!(setting.get(&owners).await.1["value"][0]["id"], people::EVE.id);
    assert_eq!(setting.count(&format!("/groups/{}/members", OPERATORS.id)).await, 0);

    let (status, error) = setting.delete(&one(people::EVE)).await;
    assert_eq!(status, 400);
    assert!(error["error"]["message"].as_str().unwrap().contains("at least one owner"), "{error}");
    let add = format!("{owners}/$ref");
    assert_eq!(setting.post(&add, reference(people::BROKER.object_id)).await.0, 204);
    assert_eq!(setting.delete(&one(people::EVE)).await.0, 400, "an application does not count");
    assert_eq!(setting.post(&add, reference(people::ANN.id)).await.0, 204);
    let (status, error) = setting.post(&add, reference(people::ANN.id)).await;
    assert_eq!(status, 400);
    assert!(error["error"]["message"].as_str().unwrap().contains("'owners'"), "{error}");
    assert_eq!(setting.post(&add, reference(people::STAFF.id)).await.0, 400, "no group owns a group");
    assert_eq!(setting.delete(&one(people::EVE)).await.0, 204);
    assert_eq!(setting.delete(&one(people::EVE)).await.0, 404);
    assert_eq!(setting.get(&one(people::ANN)).await.0, 200);
}

#[tokio::test]
async fn each_write_needs_its_own_permission() {
    let setting = Setting::start().await;
    let add = async |group: people::Group, relation: &str| {
        setting.post(&format!("/groups/{}/{relation}/$ref", group.id), reference(people::ANN.id)).await.0
    };
    let directory = setting.tenant.directory();
    directory.set_permissions(&people::BROKER, ["GroupMember.ReadWrite.All"]);
    assert_eq!(add(OPERATORS, "members").await, 204);
    assert_eq!(add(OPERATORS, "owners").await, 403, "for owners it takes Group.ReadWrite.All");
    assert_eq!(add(people::TIER0_OPERATORS, "members").await, 403, "it can hold roles");
    directory.set_permissions(
        &people::BROKER,
        ["GroupMember.ReadWrite.All", "RoleManagement.ReadWrite.Directory"],
    );
    assert_eq!(add(people::TIER0_OPERATORS, "members").await, 204);
    let nested = reference(people::STAFF.id);
    let tier0 = format!("/groups/{}/members/$ref", people::TIER0_OPERATORS.id);
    assert_eq!(setting.post(&tier0, nested).await.0, 400, "no groups within a role-assignable one");
    assert!(directory.take_permission(&people::BROKER, "GroupMember.ReadWrite.All"));
    assert!(!directory.take_permission(&people::BROKER, "GroupMember.ReadWrite.All"));
    assert_eq!(add(people::HELPDESK, "members").await, 403);
}

#[tokio::test]
async fn a_deleted_person_is_in_no_group_and_owns_none() {
    let setting = Setting::start().await;
    let directory = setting.tenant.directory();
    directory.add_member(OPERATORS.id, people::EVE.id).unwrap();
    assert!(directory.delete_user(people::EVE.id));
    assert!(directory.members(OPERATORS.id).is_empty() && directory.owners(OPERATORS.id).is_empty());
    assert_eq!(setting.get(&format!("/users/{}", people::EVE.id)).await.0, 404);
}

fn reference(id: &str) -> Value {
    json!({ "@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{id}") })
}
