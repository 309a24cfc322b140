use elevate_sandbox::people;
use reqwest::Method;
use serde_json::{Value, json};

use crate::setting::{ASSIGNMENTS, Setting, answer, claims};

impl Setting {
    async fn control(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        answer(self.client.request(method, self.url(&format!("/sandbox{path}"))).json(&body)).await
    }
}

#[tokio::test]
async fn time_moves_from_outside() {
    let setting = Setting::start().await;
    let (status, clock) = setting.control(Method::POST, "/clock/advance", json!({ "by": "1h 30m" })).await;
    assert_eq!((status, &clock["now"]), (200, &json!("2026-01-05T09:30:00Z")));
    setting.control(Method::PUT, "/clock", json!({ "now": "2026-02-01T00:00:00Z" })).await;
    assert_eq!(setting.now().to_string(), "2026-02-01T00:00:00Z");
    assert_eq!(setting.control(Method::PUT, "/clock", json!({ "now": "noon" })).await.0, 400);
}

#[tokio::test]
async fn faults_are_scripted_from_outside() {
    let setting = Setting::start().await;
    for fault in [
        json!({ "path": "/v1.0/users", "kind": "throttle", "retry_after": "0.5", "times": 1 }),
        json!({ "path": "/v1.0/groups", "method": "GET", "kind": "fail_after", "status": 502, "skip": 1 }),
        json!({ "path": "/v1.0/**/nothing", "kind": "lose_reply" }),
    ] {
        assert_eq!(setting.control(Method::POST, "/faults", fault).await.0, 201);
    }
    let (_, listed) = setting.control(Method::GET, "/faults", json!(null)).await;
    assert_eq!(listed["faults"].as_array().unwrap().len(), 3, "{listed}");
    assert_eq!(setting.get("/users").await.0, 429);
    assert_eq!(setting.get("/users").await.0, 200);
    assert_eq!(setting.get("/groups").await.0, 200);
    assert_eq!(setting.get("/groups").await.0, 502);
    assert_eq!(setting.control(Method::DELETE, "/faults/2", json!(null)).await.0, 204);
    assert_eq!(setting.get("/groups").await.0, 200);
    setting.control(Method::POST, "/outages/graph", json!(null)).await;
    assert!(setting.graph(Method::GET, "/users").send().await.is_err());
    assert_eq!(setting.control(Method::DELETE, "/faults", json!(null)).await.0, 204);
    assert_eq!(setting.get("/users").await.0, 200);
    for wrong in [
        json!({ "path": "/", "kind": "earthquake" }),
        json!({ "path": "users", "kind": "drop" }),
        json!({ "path": "/", "kind": "drop", "time": 1 }),
        json!({ "path": "/", "kind": "fail_after", "status": 200 }),
    ] {
        assert_eq!(setting.control(Method::POST, "/faults", wrong).await.0, 400);
    }
}

#[tokio::test]
async fn behaviour_is_merged_or_left_alone() {
    let setting = Setting::start().await;
    let patch = json!({ "premium": false, "claims": { "id_token": ["amr"] }, "contexts": { "c2": "fido" } });
    let (status, now) = setting.control(Method::PATCH, "/behaviour", patch).await;
    assert_eq!(status, 200, "{now}");
    assert_eq!(now["contexts"], json!({ "c1": "mfa", "c2": "fido" }));
    assert_eq!(now["claims"]["id_token"], json!(["amr"]));
    let (status, _) = setting.control(Method::PATCH, "/behaviour", json!({ "premium": "maybe" })).await;
    assert_eq!(status, 400);
    assert!(!setting.tenant.behaviour().premium);
}

#[tokio::test]
async fn people_get_habits_and_strangers_get_roles() {
    let setting = Setting::start().await;
    let habits = json!({ "strength": "fido", "session_age_seconds": 60 });
    assert_eq!(setting.control(Method::PATCH, "/people/ann", habits).await.0, 200);
    let id = claims(&setting.tokens(&[("login_hint", "ann")]).await["id_token"]);
    assert_eq!(
        (&id["amr"], &id["auth_time"]),
        (&json!(["fido", "mfa"]), &json!(setting.now().as_second() - 60))
    );
    assert_eq!(setting.control(Method::PATCH, "/people/mallory", json!({ "enabled": true })).await.0, 404);
    assert_eq!(setting.control(Method::DELETE, "/people/bob", json!(null)).await.0, 204);
    assert_eq!(setting.control(Method::DELETE, "/people/bob", json!(null)).await.0, 404);
    assert_eq!(setting.get(&format!("/users/{}", people::BOB.id)).await.0, 404);

    let foreign = json!({ "principal": "dave", "role": "Global Administrator" });
    let (status, made) = setting.control(Method::POST, "/assignments", foreign).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(setting.count(ASSIGNMENTS).await, 1);
    let one = format!("/assignments/{}", made["id"].as_str().unwrap());
    assert_eq!(setting.control(Method::DELETE, &one, json!(null)).await.0, 204);
    assert_eq!(setting.count(ASSIGNMENTS).await, 0);
}

#[tokio::test]
async fn keys_lag_permissions_and_calls_are_within_reach() {
    let setting = Setting::start().await;
    let old = setting.control(Method::GET, "/keys", json!(null)).await.1["signing"].clone();
    setting.control(Method::POST, "/keys/rotate", json!(null)).await;
    let one = format!("/keys/{}", old.as_str().unwrap());
    assert_eq!(setting.control(Method::DELETE, &one, json!(null)).await.0, 204);
    assert_eq!(setting.control(Method::DELETE, &one, json!(null)).await.0, 404);

    let (_, lag) = setting.control(Method::PUT, "/lag", json!({ "list": 1500 })).await;
    assert_eq!(lag, json!({ "list": 1500, "get": 0, "provision": 0 }));
    assert_eq!(setting.control(Method::PUT, "/lag", json!({ "list": -1 })).await.0, 400);

    let path = format!("/permissions/{}", people::BROKER.client_id);
    setting.control(Method::PUT, &path, json!(["User.Read.All"])).await;
    assert_eq!(setting.get("/groups").await.0, 403);
    let (_, calls) = setting.control(Method::GET, "/calls?method=GET&path=/v1.0/groups", json!(null)).await;
    assert_eq!((&calls["count"], &calls["calls"][0]["status"]), (&json!(1), &json!(403)));
    assert_eq!(setting.control(Method::GET, "/nothing", json!(null)).await.0, 404);
}

#[tokio::test]
async fn places_and_eligibility_are_given_and_taken_from_outside() {
    let setting = Setting::start().await;
    let directory = setting.tenant.directory();
    let place = format!("/groups/{}/members/dave", people::SERVER_OPERATORS.id);
    assert_eq!(setting.control(Method::PUT, &place, json!(null)).await.0, 204);
    assert_eq!(directory.members(people::SERVER_OPERATORS.id), [people::DAVE.id]);
    assert_eq!(setting.control(Method::DELETE, &place, json!(null)).await.0, 204);
    assert_eq!(setting.control(Method::DELETE, &place, json!(null)).await.0, 404);
    assert_eq!(setting.control(Method::PUT, "/groups/none/owners/dave", json!(null)).await.0, 404);

    for (body, status) in [
        (json!({ "principal": "ann", "role": "Global Reader", "end": "2026-02-01T00:00:00Z" }), 201),
        (json!({ "principal": "ann", "group": "Tier-0 operators", "relation": "owner" }), 201),
        (json!({ "principal": "ann", "role": "Global Reader", "group": "Staff" }), 400),
        (json!({ "principal": "ann" }), 400),
        (json!({ "principal": "ann", "role": "Global Reader", "end": "soon" }), 400),
        (json!({ "principal": "nobody", "role": "Global Reader" }), 400),
    ] {
        assert_eq!(setting.control(Method::POST, "/eligibilities", body.clone()).await.0, status, "{body}");
    }
    let (_, listed) = setting.control(Method::GET, "/eligibilities", json!(null)).await;
    assert_eq!(listed["eligibilities"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(listed["eligibilities"][1]["relation"], "owner");
    let one = format!("/eligibilities/{}", listed["eligibilities"][0]["id"].as_str().unwrap());
    assert_eq!(setting.control(Method::DELETE, &one, json!(null)).await.0, 204);
    assert_eq!(directory.eligibilities().len(), 1);

    let one = format!("/permissions/{}/User.Read.All", people::BROKER.client_id);
    assert_eq!(setting.control(Method::DELETE, &one, json!(null)).await.0, 204);
    assert_eq!(setting.control(Method::DELETE, &one, json!(null)).await.0, 404);
    assert_eq!(setting.get("/users").await.0, 403);
}
