use elevate_sandbox::{Duplicate, Lag, people};
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::setting::{ASSIGNMENTS, INSTANCES, Setting, ann_is, code_of};

const ROLE: people::Role = people::USER_ADMINISTRATOR;

#[tokio::test]
async fn a_role_is_given_read_and_taken() {
    let setting = Setting::start().await;
    let (status, made) = setting.post(ASSIGNMENTS, ann_is(&ROLE)).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap();
    let one = format!("{ASSIGNMENTS}/{id}");
    assert_eq!(setting.get(&one).await.1["principalId"], people::ANN.id);
    assert!(setting.tenant.directory().holds(people::ANN.id, &ROLE, "/"));
    assert_eq!(setting.delete(&one).await, (204, Value::Null));
    assert_eq!(setting.get(&one).await.0, 404);
    let (status, error) = setting.delete(&one).await;
    assert_eq!((status, code_of(&error)), (404, "Request_ResourceNotFound"));

    let (_, again) = setting.post(ASSIGNMENTS, ann_is(&ROLE)).await;
    assert_eq!(again["id"], id, "an id is made from what is assigned, so it comes back");
}

#[tokio::test]
async fn a_second_one_is_refused_in_either_of_two_ways() {
    let setting = Setting::start().await;
    setting.tenant.directory().assign_in_portal(people::ANN.id, ROLE.id, "/").unwrap();
    let (status, error) = setting.post(ASSIGNMENTS, ann_is(&ROLE)).await;
    assert_eq!((status, code_of(&error)), (400, "Request_BadRequest"));
    let message =
        "A conflicting object with one or more of the specified property values is present in the directory.";
    assert_eq!(error["error"]["message"], message);
    for field in ["date", "request-id", "client-request-id"] {
        assert!(error["error"]["innerError"][field].is_string(), "{field}");
    }
    setting.tenant.change_behaviour(|behaviour| behaviour.duplicate = Duplicate::Conflict);
    let (status, error) = setting.post(ASSIGNMENTS, ann_is(&ROLE)).await;
    assert_eq!((status, code_of(&error)), (409, "Request_MultipleObjectsWithSameKeyValue"));
    assert_eq!(error["error"]["details"][0]["code"], "ConflictingObjects");
}

#[tokio::test]
async fn what_cannot_be_assigned_is_refused() {
    let setting = Setting::start().await;
    let cases = [
        ("principalId", json!("5a4db0c5-0000-4000-8000-00000000ffff"), 404),
        ("principalId", json!(people::APPROVERS.id), 400),
        ("roleDefinitionId", json!("5a4db0c5-0000-4000-8000-00000000ffff"), 404),
        ("directoryScopeId", json!("/administrativeUnits/nowhere"), 404),
        ("directoryScopeId", json!("tenant"), 400),
        ("directoryScopeId", Value::Null, 400),
        ("appScopeId", json!("/"), 400),
    ];
    for (field, value, status) in cases {
        let mut body = ann_is(&ROLE);
        body[field] = value.clone();
        assert_eq!(setting.post(ASSIGNMENTS, body).await.0, status, "{field} {value}");
    }
    for (field, value) in [
        ("principalId", json!(people::HELPDESK.id)),
        ("directoryScopeId", json!(format!("/administrativeUnits/{}", people::UNIT))),
        ("directoryScopeId", json!(format!("/{}", people::AUTOMATION.object_id))),
    ] {
        let mut body = ann_is(&ROLE);
        body[field] = value;
        assert_eq!(setting.post(ASSIGNMENTS, body).await.0, 201, "{field}");
    }
    let bare = setting.graph(Method::POST, ASSIGNMENTS).body("{}").send().await.unwrap();
    assert_eq!(bare.status(), 415);
}

#[tokio::test]
async fn listings_filter_expand_select_and_page() {
    let setting = Setting::start().await;
    let directory = setting.tenant.directory();
    for person in [people::ANN, people::BOB] {
        for role in [people::USER_ADMINISTRATOR, people::SECURITY_READER, people::GLOBAL_READER] {
            directory.assign_in_portal(person.id, role.id, "/").unwrap();
        }
    }
    let ann = people::ANN.id;
    let role = people::GLOBAL_READER.id;
    let both = format!("{ASSIGNMENTS}?$filter=principalId eq '{ann}' and roleDefinitionId eq '{role}'");
    assert_eq!(setting.count(ASSIGNMENTS).await, 6);
    assert_eq!(setting.count(&format!("{ASSIGNMENTS}?$filter=principalId eq '{ann}'")).await, 3);
    assert_eq!(setting.count(&both).await, 1);
    assert_eq!(setting.count(&format!("{both} and directoryScopeId eq '/nowhere'")).await, 0);

    let (_, expanded) = setting.get(&format!("{both}&$expand=principal")).await;
    assert_eq!(expanded["value"][0]["principal"]["@odata.type"], "#microsoft.graph.user");
    let (_, selected) = setting.get(&format!("{both}&$select=id")).await;
    assert_eq!(selected["value"][0].as_object().unwrap().len(), 1);

    let mut seen = 0;
    let mut next = format!("{}{ASSIGNMENTS}?$top=4&$filter=principalId ne 'x'", setting.tenant.graph_url());
    for expected in [4, 2] {
        let path = next.strip_prefix(&setting.tenant.graph_url()).unwrap().to_owned();
        let (_, page) = setting.get(&path).await;
        assert_eq!(page["value"].as_array().unwrap().len(), expected);
        seen += expected;
        next = page["@odata.nextLink"].as_str().unwrap_or_default().to_owned();
    }
    assert!(seen == 6 && next.is_empty());
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused() {
    let setting = Setting::start().await;
    for query in [
        "$filter=principalId eq 'a' or principalId eq 'b'",
        "$filter=startswith(principalId,'a')",
        "$filter=createdDateTime ge 2026-01-01T00:00:00Z",
        "$filter=principalId eq a",
        "$expand=principal,roleDefinition",
        "$expand=owner",
        "$orderby=id",
        "$search=\"ann\"",
        "$top=0",
        "$top=1000",
        "$skiptoken=xyz",
    ] {
        let (status, error) = setting.get(&format!("{ASSIGNMENTS}?{query}")).await;
        assert_eq!(status, 400, "{query}: {error}");
        assert!(!code_of(&error).is_empty());
    }
    assert_eq!(setting.get("/me").await.0, 400, "what is not imitated says so");
}

#[tokio::test]
async fn replicas_lag_and_lists_lag_more() {
    let lag = Lag {
        list: SignedDuration::from_secs(10),
        get: SignedDuration::from_secs(4),
        provision: SignedDuration::ZERO,
    };
    let setting = Setting::lagging(lag).await;
    let (_, made) = setting.post(ASSIGNMENTS, ann_is(&ROLE)).await;
    let one = format!("{ASSIGNMENTS}/{}", made["id"].as_str().unwrap());
    let looks = async || (setting.get(&one).await.0, setting.count(ASSIGNMENTS).await);
    assert_eq!(looks().await, (404, 0));
    assert_eq!(setting.delete(&one).await.0, 404, "too new to be deleted");
    setting.pass(4);
    assert_eq!(looks().await, (200, 0));
    setting.pass(6);
    assert_eq!(looks().await, (200, 1));
    assert_eq!(setting.delete(&one).await.0, 204);
    assert_eq!(looks().await, (200, 1), "gone, and still shown");
    assert_eq!(setting.delete(&one).await.0, 404);
    setting.pass(4);
    assert_eq!(looks().await, (404, 1));
    setting.pass(6);
    assert_eq!(looks().await, (404, 0));

    let newcomer = setting.tenant.directory().add_user("henry", "Henry Hill");
    let mut body = ann_is(&ROLE);
    body["principalId"] = json!(newcomer);
    assert_eq!(setting.post(ASSIGNMENTS, body.clone()).await.0, 404, "not replicated yet");
    setting.pass(4);
    assert_eq!(setting.post(ASSIGNMENTS, body).await.0, 201);
}

#[tokio::test]
async fn a_batch_succeeds_whatever_its_parts_do() {
    let setting = Setting::start().await;
    let json_headers = json!({ "Content-Type": "application/json" });
    let batch = json!({ "requests": [
        { "id": "a", "method": "POST", "url": ASSIGNMENTS, "headers": json_headers, "body": ann_is(&ROLE) },
        { "id": "b", "method": "GET", "url": format!("{INSTANCES}?$filter=principalId eq '{}'", people::ANN.id), "dependsOn": ["A"] },
        { "id": "c", "method": "GET", "url": "/users/nobody@sandbox.example" },
        { "id": "d", "method": "GET", "url": "/users", "dependsOn": ["c"] },
    ] });
    let (status, answer) = setting.post("/$batch", batch).await;
    assert_eq!(status, 200, "{answer}");
    let part = |id: &str| {
        answer["responses"].as_array().unwrap().iter().find(|part| part["id"] == id).unwrap().clone()
    };
    assert_eq!(["a", "b", "c", "d"].map(|id| part(id)["status"].as_u64().unwrap()), [201, 200, 404, 424]);
    assert_eq!(part("b")["body"]["value"].as_array().unwrap().len(), 1);

    let get = |id: &str| json!({ "id": id, "method": "GET", "url": "/users" });
    for requests in [
        json!([get("a"), get("A")]),
        (0..21).map(|id| get(&id.to_string())).collect(),
        json!([]),
        json!([{ "id": "a", "method": "GET", "url": "https://graph.microsoft.com/v1.0/users" }]),
        json!([{ "id": "a", "method": "POST", "url": ASSIGNMENTS, "body": {} }]),
        json!([{ "id": "a", "method": "GET", "url": "/users", "dependsOn": ["z"] }]),
    ] {
        assert_eq!(setting.post("/$batch", json!({ "requests": requests })).await.0, 400, "{requests}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_tenants_date_and_the_ids() {
    let setting = Setting::start().await;
    let trace = "5a4db0c5-aaaa-4000-8000-000000000000";
    for path in ["/users", "/nowhere"] {
        let request = setting.graph(Method::GET, path).header("client-request-id", trace);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["date"], "Mon, 05 Jan 2026 08:00:00 GMT");
        assert_eq!(response.headers()["client-request-id"], trace);
        assert!(response.headers().contains_key("request-id"));
    }
    let login = setting.client.get(setting.login("discovery/v2.0/keys")).send().await.unwrap();
    assert_eq!(login.headers()["date"], "Mon, 05 Jan 2026 08:00:00 GMT");
}
