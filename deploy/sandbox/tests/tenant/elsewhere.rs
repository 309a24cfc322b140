//! Signing in with what somebody else vouches for: an outer issuer's token, the host's identity, a code on another machine.

use elevate_sandbox::{Fault, FederatedCredential, Kind, Strength, host, people};
use reqwest::Method;
use serde_json::{Value, json};

use crate::setting::{Setting, answer, claims};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

impl Setting {
    async fn by_federation(&self, app: &people::App, token: &str) -> (u16, Value) {
        self.token(&[
            ("grant_type", "client_credentials"),
            ("client_id", app.client_id),
            ("scope", "https://graph.microsoft.com/.default"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", token),
        ])
        .await
    }

    async fn by_host(&self, path: &str, header: Option<(&str, &str)>) -> (u16, Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.get(format!("{}{path}", self.tenant.host_url()));
        answer(match header {
            Some((name, value)) => request.header(name, value),
            None => request,
        })
        .await
    }

    async fn device(&self) -> (String, String) {
        let scope = format!("api://{}/access_as_user openid offline_access", people::BROKER.client_id);
        let form = [("client_id", people::CLI.client_id), ("scope", &scope)];
        let (status, device) =
            answer(self.client.post(self.login("oauth2/v2.0/devicecode")).form(&form)).await;
        assert_eq!(
            (status, &device["expires_in"], &device["interval"]),
            (200, &json!(900), &json!(5)),
            "{device}"
        );
        assert!(device.get("verification_uri_complete").is_none());
        let text = |name: &str| device[name].as_str().unwrap().to_owned();
        (text("device_code"), text("user_code"))
    }

    async fn poll(&self, device_code: &str) -> (u16, Value) {
        let form =
            [("grant_type", DEVICE), ("client_id", people::CLI.client_id), ("device_code", device_code)];
        self.token(&form).await
    }
}

#[tokio::test]
async fn an_outer_token_counts_where_issuer_subject_and_audience_match_to_the_letter() {
    let setting = Setting::start().await;
    let mint = setting.tenant.tokens();
    let usual = mint.outer_claims();
    let (status, tokens) = setting.by_federation(&people::BROKER, &mint.outer(&usual)).await;
    assert_eq!(status, 200, "{tokens}");
    // Unlike an assertion of the application's own, again and again.
    assert_eq!(setting.by_federation(&people::BROKER, &mint.outer(&usual)).await.0, 200);

    let issuer = usual["iss"].as_str().unwrap();
    for (name, value, number) in [
        ("iss", json!(format!("{issuer}/")), 700_211),
        ("sub", json!("system:serviceaccount:elevate:Elevated"), 700_213),
        ("aud", json!("https://kubernetes.default.svc"), 700_212),
        ("exp", json!(setting.now().as_second() - 301), 700_024),
        ("nbf", json!(setting.now().as_second() + 301), 700_024),
    ] {
        let mut altered = usual.clone();
        altered[name] = value;
        let (status, error) = setting.by_federation(&people::BROKER, &mint.outer(&altered)).await;
        assert_eq!((status, &error["error_codes"]), (401, &json!([number])), "{name}: {error}");
    }
    let mut forged = mint.outer(&usual);
    forged.truncate(forged.rfind('.').unwrap());
    let (_, error) = setting.by_federation(&people::BROKER, &format!("{forged}.AAAA")).await;
    assert_eq!(error["error_codes"], json!([700_027]));
    let (_, error) = setting.by_federation(&people::AUTOMATION, &mint.outer(&usual)).await;
    assert_eq!(error["error_codes"], json!([700_211]), "another application trusts nobody");

    let elsewhere = FederatedCredential {
        issuer: "https://issuer.example".to_owned(),
        subject: "repo:x".to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
    };
    setting.tenant.register_federated(vec![elsewhere.clone()]);
    assert_eq!(setting.tenant.federated_credentials(), [elsewhere]);
    let (_, error) = setting.by_federation(&people::BROKER, &mint.outer(&usual)).await;
    assert_eq!(error["error_codes"], json!([700_211]), "registered no more");
}

#[tokio::test]
async fn a_host_says_who_it_is_to_whoever_asks_as_it_wants() {
    let setting = Setting::start().await;
    let machine =
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://graph.microsoft.com";
    let metadata = Some(("Metadata", "true"));
    let (status, token) = setting.by_host(machine, metadata).await;
    assert_eq!(status, 200, "{token}");
    let now = setting.now().as_second();
    assert_eq!(
        (&token["expires_in"], &token["expires_on"]),
        (&json!("86400"), &json!((now + 86_400).to_string()))
    );
    let used = setting.client.get(format!("{}/users", setting.tenant.graph_url()));
    let used = answer(used.bearer_auth(token["access_token"].as_str().unwrap())).await;
    assert_eq!(used.0, 200, "{}", used.1);

    // The same again, with a length that is the whole one and an end that is not.
    setting.pass(3600);
    let (_, later) = setting.by_host(machine, metadata).await;
    assert_eq!(later, token);

    let platform = "/msi/token?api-version=2019-08-01&resource=https://graph.microsoft.com";
    let (status, app) = setting.by_host(platform, Some(("X-IDENTITY-HEADER", host::HEADER))).await;
    assert_eq!((status, &app["expires_in"], &app["expires_on"]), (200, &Value::Null, &token["expires_on"]));

    let id = people::HOST.client_id;
    for (path, header, status) in [
        (format!("{machine}&client_id={id}"), metadata, 200),
        (format!("{machine}&client_id={}", people::BROKER.client_id), metadata, 400),
        (machine.to_owned(), None, 400),
        (machine.to_owned(), Some(("Metadata", "True")), 400),
        (machine.replace("2018-02-01", "2019-08-01"), metadata, 400),
        (machine.replace("graph.microsoft.com", "vault.azure.net"), metadata, 400),
        ("/metadata/identity/oauth2/token?api-version=2018-02-01".to_owned(), metadata, 400),
        (platform.to_owned(), metadata, 401),
        ("/v1.0/users".to_owned(), metadata, 404),
        ("/sandbox".to_owned(), metadata, 404),
    ] {
        assert_eq!(setting.by_host(&path, header).await.0, status, "{path} {header:?}");
    }
    assert_eq!(answer(setting.client.get(setting.url(machine)).header("Metadata", "true")).await.0, 404);

    for status in [404, 410, 503] {
        let fault = Kind::FailBefore { status, retry_after: None };
        setting.tenant.faults().add(Fault::on("/metadata", fault).times(1));
        assert_eq!(setting.by_host(machine, metadata).await.0, status);
    }
}

#[tokio::test]
async fn a_code_is_waited_for_and_makes_a_session_without_a_nonce() {
    let setting = Setting::start().await;
    let (device, code) = setting.device().await;
    let error = async |seconds: i64| {
        setting.pass(seconds);
        let (status, body) = setting.poll(&device).await;
        assert_eq!(status, 400, "{body}");
        body["error"].as_str().unwrap().to_owned()
    };
    assert_eq!(error(5).await, "authorization_pending");
    assert_eq!(error(4).await, "slow_down");
    assert_eq!(error(9).await, "slow_down", "five seconds more from then on");
    assert_eq!(error(15).await, "authorization_pending");
    assert_eq!(setting.tenant.device_codes(), std::slice::from_ref(&code));
    assert!(!setting.tenant.enter_code("ANOTHER", &people::ANN, Strength::Mfa));
    assert!(setting.tenant.enter_code(&code.to_lowercase(), &people::ANN, Strength::Mfa));
    assert!(!setting.tenant.decline_code(&code), "it was entered");
    setting.pass(15);
    let (status, tokens) = setting.poll(&device).await;
    assert_eq!(status, 200, "{tokens}");
    let id = claims(&tokens["id_token"]);
    assert_eq!((&id["oid"], id.get("nonce")), (&json!(people::ANN.id), None));
    assert!(tokens["refresh_token"].is_string());
    assert_eq!(setting.poll(&device).await.1["error"], "bad_verification_code", "it counts once");
}

#[tokio::test]
async fn a_code_is_declined_or_runs_out() {
    let setting = Setting::start().await;
    let (device, code) = setting.device().await;
    assert!(setting.tenant.decline_code(&code));
    assert_eq!(setting.poll(&device).await.1["error"], "authorization_declined");
    let (device, code) = setting.device().await;
    setting.pass(900);
    assert!(
        setting.tenant.device_codes().is_empty()
            && !setting.tenant.enter_code(&code, &people::ANN, Strength::Mfa)
    );
    assert_eq!(setting.poll(&device).await.1["error"], "expired_token");
    let form = [("client_id", people::BROKER.client_id), ("scope", "openid")];
    let (_, error) = answer(setting.client.post(setting.login("oauth2/v2.0/devicecode")).form(&form)).await;
    assert_eq!(error["error_codes"], json!([7_000_218]), "for public clients only");
}

#[tokio::test]
async fn all_of_it_can_be_done_from_outside() {
    let setting = Setting::start().await;
    let control = async |method: Method, path: &str, body: Value| {
        answer(setting.client.request(method, setting.url(&format!("/sandbox{path}"))).json(&body)).await
    };
    let (_, made) =
        control(Method::POST, "/federation/token", json!({ "subject": "somebody", "seconds": 60 })).await;
    let token = made["token"].as_str().unwrap();
    assert_eq!(claims(&made["token"])["exp"], setting.now().as_second() + 60);
    assert_eq!(setting.by_federation(&people::BROKER, token).await.1["error_codes"], json!([700_213]));
    let (_, mut registered) = control(Method::GET, "/federation", json!(null)).await;
    registered[0]["subject"] = json!("somebody");
    assert_eq!(control(Method::PUT, "/federation", registered.clone()).await.0, 200);
    assert_eq!(setting.by_federation(&people::BROKER, token).await.0, 200);
    let too_many = Value::Array(vec![registered[0].clone(); 21]);
    assert_eq!(control(Method::PUT, "/federation", too_many).await.0, 400);

    let (device, code) = setting.device().await;
    assert_eq!(control(Method::GET, "/devices", json!(null)).await.1, json!([code]));
    let entered = json!({ "person": "bob", "strength": "fido" });
    assert_eq!(control(Method::POST, &format!("/devices/{code}"), entered.clone()).await.0, 204);
    assert_eq!(control(Method::POST, &format!("/devices/{code}"), entered).await.0, 404);
    assert_eq!(claims(&setting.poll(&device).await.1["id_token"])["oid"], people::BOB.id);

    // And on the page that a device names.
    let (device, code) = setting.device().await;
    let at = setting.login("oauth2/v2.0/deviceauth");
    let page = setting.client.get(&at).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Only if you began the sign-in on the device yourself"), "{page}");
    let form =
        [("code", code.as_str()), ("person", people::DAVE.id), ("strength", "mfa"), ("action", "sign-in")];
    assert_eq!(setting.client.post(&at).form(&form).send().await.unwrap().status(), 200);
    assert_eq!(setting.client.post(&at).form(&form).send().await.unwrap().status(), 400);
    assert_eq!(claims(&setting.poll(&device).await.1["id_token"])["oid"], people::DAVE.id);
}
