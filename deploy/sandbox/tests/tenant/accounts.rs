use elevate_sandbox::{Lag, people};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::setting::{ASSIGNMENTS, Setting, code_of};

const ROLE: people::Role = people::GROUPS_ADMINISTRATOR;
/// What a broker asks of the people who hold something.
const THREE: [people::Person; 3] = [people::ANN, people::BOB, people::CAROL];

#[tokio::test]
async fn people_are_found_and_show_what_is_selected() {
    let setting = Setting::start().await;
    let (_, ann) = setting.get(&format!("/users/{}", people::ANN.id)).await;
    assert_eq!(ann["userPrincipalName"], "ann@sandbox.example");
    assert!(ann.get("accountEnabled").is_none(), "only if selected");
    let (_, ann) = setting.get("/users/ann@sandbox.example?$select=id,accountEnabled").await;
    assert_eq!((&ann["id"], &ann["accountEnabled"]), (&json!(people::ANN.id), &json!(true)));
    assert_eq!(setting.count("/users").await, people::EVERYBODY.len());
    assert_eq!(setting.count("/users?$filter=userPrincipalName eq 'bob@sandbox.example'").await, 1);
    assert_eq!(setting.get("/users/ann").await.0, 404, "short names are not Graph's");
}

#[tokio::test]
async fn several_accounts_are_asked_about_at_once() {
    let setting = Setting::start().await;
    setting.tenant.directory().disable("bob").unwrap();
    let ids = THREE.map(|person| format!("'{}'", person.id)).join(",");
    let (_, found) = setting.get(&format!("/users?$filter=id in ({ids})&$select=id,accountEnabled")).await;
    let enabled: Vec<&Value> =
        found["value"].as_array().unwrap().iter().map(|user| &user["accountEnabled"]).collect();
    assert_eq!(enabled, [&json!(true), &json!(false), &json!(true)]);
    assert_eq!(setting.count("/users?$filter=accountEnabled eq false").await, 1);

    let many = vec!["'x'"; 16].join(",");
    let (status, error) = setting.get(&format!("/users?$filter=id in ({many})")).await;
    assert_eq!((status, code_of(&error)), (400, "Request_UnsupportedQuery"), "15 values at most");

    let url = |who: &str| format!("/users/{who}?$select=id,accountEnabled");
    let batch = json!({ "requests": [
        { "id": "bob", "method": "GET", "url": url(people::BOB.id) },
        { "id": "nobody", "method": "GET", "url": url("5a4db0c5-0000-4000-8000-00000000ffff") },
    ] });
    let (_, answer) = setting.post("/$batch", batch).await;
    let part = |id: &str| {
        answer["responses"].as_array().unwrap().iter().find(|part| part["id"] == id).unwrap().clone()
    };
    assert_eq!(part("bob")["body"]["accountEnabled"], false);
    assert_eq!(part("nobody")["status"], 404);
}

#[tokio::test]
async fn a_disabled_account_seems_enabled_for_a_while() {
    let lag = Lag {
        list: SignedDuration::from_secs(10),
        get: SignedDuration::from_secs(4),
        provision: SignedDuration::ZERO,
    };
    let setting = Setting::lagging(lag).await;
    let directory = setting.tenant.directory();
    let looks = async || {
        let (_, one) = setting.get(&format!("/users/{}?$select=accountEnabled", people::BOB.id)).await;
        (
            one["accountEnabled"].as_bool().unwrap(),
            setting.count("/users?$filter=accountEnabled eq false").await,
        )
    };
    assert_eq!(looks().await, (true, 0));
    directory.disable("bob").unwrap();
    assert_eq!(looks().await, (true, 0));
    setting.pass(4);
    directory.disable("bob").unwrap();
    assert_eq!(looks().await, (false, 0), "saying it again does not make it new");
    setting.pass(6);
    assert_eq!(looks().await, (false, 1));
    directory.set_enabled("bob", true).unwrap();
    assert_eq!(looks().await, (false, 1));
    setting.pass(10);
    assert_eq!(looks().await, (true, 0));
}

#[tokio::test]
async fn who_may_read_names_may_not_read_whether_an_account_is_enabled() {
    let setting = Setting::start().await;
    setting.tenant.directory().set_permissions(&people::BROKER, ["User.ReadBasic.All"]);
    let ann = format!("/users/{}?$select=id", people::ANN.id);
    assert_eq!(setting.get(&ann).await.0, 200);
    assert_eq!(setting.get(&format!("{ann},accountEnabled")).await.0, 403);
    assert_eq!(setting.get("/users?$filter=accountEnabled eq false").await.0, 403);
}

#[tokio::test]
async fn with_a_person_goes_what_they_held() {
    let setting = Setting::start().await;
    let directory = setting.tenant.directory();
    directory.assign_in_portal(people::ANN.id, ROLE.id, "/").unwrap();
    assert_eq!(setting.count(ASSIGNMENTS).await, 1);
    assert!(directory.delete_user(people::ANN.id));
    assert!(!directory.delete_user(people::ANN.id));
    assert_eq!(setting.get(&format!("/users/{}", people::ANN.id)).await.0, 404);
    assert_eq!(setting.count(ASSIGNMENTS).await, 0);
    assert_eq!(setting.count(&format!("/groups/{}/members", people::STAFF.id)).await, 2);
    let check = format!("/users/{}/checkMemberGroups", people::ANN.id);
    assert_eq!(setting.post(&check, json!({ "groupIds": [people::STAFF.id] })).await.0, 404);
}

#[tokio::test]
async fn sessions_are_ended_by_whoever_may_and_only_for_who_is_there() {
    let setting = Setting::start().await;
    let sign_out = |who: &str| format!("/users/{who}/revokeSignInSessions");
    let (status, answer) = setting.post(&sign_out(people::ANN.id), json!({})).await;
    assert_eq!((status, &answer["value"]), (200, &json!(true)));
    assert_eq!(setting.post(&sign_out("nobody@sandbox.example"), json!({})).await.0, 404);
    assert!(setting.tenant.directory().take_permission(&people::BROKER, "User.RevokeSessions.All"));
    assert_eq!(setting.post(&sign_out(people::ANN.id), json!({})).await.0, 403);
}
