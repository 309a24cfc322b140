use std::time::{Duration, Instant};

use elevate_sandbox::{Fault, Kind, people};
use reqwest::Method;
use serde_json::json;

use crate::setting::{ASSIGNMENTS, Setting, ann_is, answer, body, code_of};

const ROLE: people::Role = people::SECURITY_READER;
const PATH: &str = "/v1.0/roleManagement/directory/roleAssignments";

#[tokio::test]
async fn throttled_calls_are_told_how_long_to_wait_and_do_nothing() {
    let setting = Setting::start().await;
    let throttle = Kind::Throttle { retry_after: Some("2.128".to_owned()) };
    setting.tenant.faults().add(Fault::on(PATH, throttle.clone()).method("POST").times(1));
    let response = setting.graph(Method::POST, ASSIGNMENTS).json(&ann_is(&ROLE)).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "2.128");
    let (status, error) = body(response).await;
    assert_eq!((status, code_of(&error)), (429, "TooManyRequests"));
    assert!(!held(&setting));

    setting.tenant.faults().add(Fault::on("/v1.0/users", throttle).times(1));
    let batch = json!({ "requests": [{ "id": "1", "method": "GET", "url": "/users" }] });
    let (status, batch) = setting.post("/$batch", batch).await;
    assert_eq!(status, 200, "the batch itself is well");
    assert_eq!(batch["responses"][0]["status"], 429);
    assert_eq!(batch["responses"][0]["headers"]["Retry-After"], "2.128");
    assert_eq!(setting.post(ASSIGNMENTS, ann_is(&ROLE)).await.0, 201, "the fault is used up");
}

#[tokio::test]
async fn an_error_may_come_before_the_effect_or_after_it() {
    let setting = Setting::start().await;
    let faults = setting.tenant.faults();
    faults.add(Fault::on(PATH, Kind::FailBefore { status: 503, retry_after: Some("1".to_owned()) }).times(1));
    assert_eq!(setting.post(ASSIGNMENTS, ann_is(&ROLE)).await.0, 503);
    assert!(!held(&setting));
    faults.add(Fault::on(PATH, Kind::FailAfter { status: 504 }).times(1));
    assert_eq!(setting.post(ASSIGNMENTS, ann_is(&ROLE)).await.0, 504);
    assert!(held(&setting));
}

#[tokio::test]
async fn an_answer_may_be_lost_with_the_effect_or_without() {
    let setting = Setting::start().await;
    let faults = setting.tenant.faults();
    let send = || setting.graph(Method::POST, ASSIGNMENTS).json(&ann_is(&ROLE)).send();
    faults.add(Fault::on(PATH, Kind::Drop).times(1));
    assert!(send().await.is_err());
    assert!(!held(&setting));
    faults.add(Fault::on(PATH, Kind::LoseReply).times(1));
    assert!(send().await.is_err());
    assert!(held(&setting));
    let statuses: Vec<_> =
        setting.tenant.calls().matching("POST", PATH).iter().map(|call| call.status).collect();
    assert_eq!(statuses, [None, None]);
}

#[tokio::test]
async fn an_answer_is_lost_over_http_1_as_well() {
    let setting = Setting::start().await;
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(setting.tenant.ca_pem().as_bytes()).unwrap()])
        .http1_only()
        .no_proxy()
        .build()
        .unwrap();
    setting.tenant.faults().add(Fault::on("/v1.0", Kind::LoseReply).times(1));
    let url = format!("{}/users", setting.tenant.graph_url());
    assert!(client.get(&url).send().await.is_err());
    assert_eq!(client.get(&url).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn an_answer_may_come_late() {
    let setting = Setting::start().await;
    setting.tenant.faults().add(Fault::on("/v1.0/users", Kind::Latency { milliseconds: 120 }));
    let begun = Instant::now();
    assert_eq!(setting.get("/users").await.0, 200);
    assert!(begun.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn graph_can_be_out_while_the_login_service_is_up_and_the_other_way_round() {
    let setting = Setting::start().await;
    let keys = setting.login("discovery/v2.0/keys");
    let up = async || {
        let graph = setting.graph(Method::GET, "/users").send().await.is_ok();
        (graph, setting.client.get(&keys).send().await.is_ok())
    };
    let outage = setting.tenant.faults().graph_outage();
    assert_eq!(up().await, (false, true));
    assert!(setting.tenant.faults().clear(outage));
    setting.tenant.faults().login_outage();
    assert_eq!(up().await, (true, false));
    setting.tenant.faults().clear_all();
    assert_eq!(up().await, (true, true));
}

#[tokio::test]
async fn the_login_service_fails_in_its_own_words() {
    let setting = Setting::start().await;
    setting
        .tenant
        .faults()
        .add(Fault::on("/*/oauth2/**/token", Kind::FailBefore { status: 503, retry_after: None }));
    let (status, error) = setting.token(&[("grant_type", "client_credentials")]).await;
    assert_eq!((status, &error["error"]), (503, &json!("temporarily_unavailable")));
}

#[tokio::test]
async fn a_tenant_stops_and_comes_back_on_its_port_with_everything_in_it() {
    let setting = Setting::start().await;
    setting.post(ASSIGNMENTS, ann_is(&ROLE)).await;
    setting.tenant.stop().await;
    assert!(setting.graph(Method::GET, "/users").send().await.is_err());
    setting.tenant.restart().await.unwrap();
    assert_eq!(setting.count(ASSIGNMENTS).await, 1);
    let url = setting.url("/sandbox");
    drop(setting.tenant);
    // The socket closes as the runtime gets to it.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(answer_or_none(&setting.client, &url).await.is_none());
}

async fn answer_or_none(client: &reqwest::Client, url: &str) -> Option<u16> {
    match client.get(url).send().await {
        Ok(response) => Some(response.status().as_u16()),
        Err(_) => None,
    }
}

#[tokio::test]
async fn calls_are_counted() {
    let setting = Setting::start().await;
    setting.get("/users").await;
    answer(setting.graph(Method::GET, "/groups").header("client-request-id", "x")).await;
    let calls = setting.tenant.calls();
    assert_eq!(calls.matching("GET", "/v1.0").len(), 2);
    let groups = &calls.matching("*", "/v1.0/groups")[0];
    assert_eq!((groups.status, groups.client_request_id.as_deref()), (Some(200), Some("x")));
    calls.clear();
    assert!(calls.all().is_empty());
}

fn held(setting: &Setting) -> bool {
    setting.tenant.directory().holds(people::ANN.id, &ROLE, "/")
}
