use std::{fs, os::unix::fs::PermissionsExt};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use elevate_sandbox::{Key, SignIn, Signature, files, people};
use reqwest::Method;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};

use crate::setting::{Setting, answer, claims, code_of};

const GRAPH: &str = "https://graph.microsoft.com/.default";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[tokio::test]
async fn a_secret_buys_a_graph_token() {
    let setting = Setting::start().await;
    let secret = fs::read_to_string(setting.folder.path().join(files::SECRET)).unwrap();
    let (status, tokens) = with_secret(&setting, &people::BROKER, &secret, GRAPH).await;
    assert_eq!((status, &tokens["token_type"]), (200, &json!("Bearer")), "{tokens}");
    let graph = async |token: &str| {
        answer(setting.client.get(format!("{}/users", setting.tenant.graph_url())).bearer_auth(token)).await
    };
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(graph(token).await.0, 200);
    let (_, wrong) = with_secret(&setting, &people::BROKER, "wrong", GRAPH).await;
    assert_eq!((&wrong["error"], &wrong["error_codes"]), (&json!("invalid_client"), &json!([7_000_215])));

    setting.pass(tokens["expires_in"].as_i64().unwrap());
    let (status, error) = graph(token).await;
    assert_eq!((status, code_of(&error)), (401, "InvalidAuthenticationToken"));
}

#[tokio::test]
async fn what_a_client_may_ask_for_itself_is_everything_and_nothing_by_name() {
    let setting = Setting::start().await;
    let secret = setting.tenant.broker_secret().to_owned();
    for (scope, error) in [
        ("https://graph.microsoft.com/User.Read.All", "invalid_scope"),
        ("https://vault.azure.net/.default", "invalid_resource"),
    ] {
        assert_eq!(with_secret(&setting, &people::BROKER, &secret, scope).await.1["error"], error);
    }
    let own = format!("{}/.default", setting.tenant.base_url());
    assert_eq!(with_secret(&setting, &people::BROKER, &secret, &own).await.0, 200);
    assert_eq!(with_secret(&setting, &people::CLI, "x", GRAPH).await.1["error_codes"], json!([700_025]));
}

#[tokio::test]
async fn automation_gets_an_app_token_for_the_broker() {
    let setting = Setting::start().await;
    let scope = format!("api://{}/.default", people::BROKER.client_id);
    let (status, tokens) =
        with_secret(&setting, &people::AUTOMATION, people::AUTOMATION_SECRET, &scope).await;
    assert_eq!(status, 200, "{tokens}");
    let token = claims(&tokens["access_token"]);
    assert_eq!(token["idtyp"], "app");
    assert_eq!(token["roles"], json!(["Elevate.Revoker"]));
    assert_eq!(token["oid"], people::AUTOMATION.object_id);
    assert_eq!((&token["azp"], &token["azpacr"]), (&json!(people::AUTOMATION.client_id), &json!("1")));
    assert!(token.get("scp").is_none() && token.get("amr").is_none());
}

#[tokio::test]
async fn a_certificate_assertion_is_checked_in_every_part() {
    let setting = Setting::start().await;
    let (status, tokens) = with_assertion(&setting, |_, _| {}).await;
    assert_eq!(status, 200, "{tokens}");

    type Change = fn(&mut Value, &mut Value);
    let changes: [(&str, Change, u32); 10] = [
        ("alg", |header, _| header["alg"] = json!("RS256"), 5_002_738),
        ("thumbprint", |header, _| header["x5t#S256"] = json!("AAAA"), 700_027),
        ("iss", |_, claims| claims["iss"] = json!(people::AUTOMATION.client_id), 700_021),
        ("sub", |_, claims| claims["sub"] = json!("x"), 700_021),
        ("aud", |_, claims| claims["aud"] = json!("https://elsewhere/token"), 700_023),
        ("exp", |_, claims| claims["exp"] = json!(claims["exp"].as_i64().unwrap() - 2000), 700_024),
        ("nbf", |_, claims| claims["nbf"] = json!(claims["nbf"].as_i64().unwrap() + 2000), 700_024),
        ("no exp", |_, claims| claims["exp"] = Value::Null, 50027),
        ("no jti", |_, claims| claims["jti"] = Value::Null, 50027),
        ("jti", |_, claims| claims["jti"] = json!("once"), 0),
    ];
    for (what, change, number) in changes {
        let (status, error) = with_assertion(&setting, change).await;
        let expected = if number == 0 { 200 } else { 401 };
        assert_eq!(status, expected, "{what}: {error}");
        if number != 0 {
            assert_eq!(error["error_codes"], json!([number]), "{what}");
        }
    }
    let replayed = with_assertion(&setting, |_, claims| claims["jti"] = json!("once")).await;
    assert_eq!(replayed.0, 401, "the same jti a second time");

    let stranger = Key::fresh().unwrap();
    let (status, error) = send_assertion(&setting, &assertion(&setting, &stranger, |_, _| {})).await;
    assert_eq!((status, &error["error_codes"]), (401, &json!([700_027])));
}

#[tokio::test]
async fn graph_takes_no_token_but_its_own() {
    let setting = Setting::start().await;
    let mint = setting.tenant.tokens();
    let for_broker = mint.access(&SignIn::fresh(&people::EVE, setting.now()));
    let url = format!("{}/users", setting.tenant.graph_url());
    for (token, message) in [(for_broker.as_str(), "Invalid audience"), ("made-up", "not well formed")] {
        let (status, error) = answer(setting.client.get(&url).bearer_auth(token)).await;
        assert_eq!((status, code_of(&error)), (401, "InvalidAuthenticationToken"));
        assert!(error["error"]["message"].as_str().unwrap().contains(message), "{error}");
    }
    let response = setting.client.get(&url).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert!(response.headers().contains_key("www-authenticate"));
}

#[tokio::test]
async fn a_doctor_can_read_what_the_application_was_given() {
    let setting = Setting::start().await;
    let broker = format!("/servicePrincipals(appId='{}')", people::BROKER.client_id);
    let (_, found) = setting.get(&broker).await;
    assert_eq!(found["id"], people::BROKER.object_id);
    let (_, grants) =
        setting.get(&format!("/servicePrincipals/{}/appRoleAssignments", people::BROKER.object_id)).await;
    assert_eq!(
        grants,
        setting.get(&format!("{broker}/appRoleAssignments")).await.1.clone_with_context(&grants)
    );
    let (_, graph) = setting
        .get(&format!("/servicePrincipals(appId='{}')?$select=appRoles", people::GRAPH.client_id))
        .await;
    let names: Vec<&str> = grants["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|grant| {
            let roles = graph["appRoles"].as_array().unwrap();
            roles.iter().find(|role| role["id"] == grant["appRoleId"]).unwrap()["value"].as_str().unwrap()
        })
        .collect();
    assert_eq!(names, people::BROKER_PERMISSIONS);

    let (_, organization) = setting.get("/organization").await;
    assert_eq!(organization["value"][0]["id"], setting.tenant.id());
}

#[tokio::test]
async fn without_the_permission_there_is_no_answer() {
    let setting = Setting::start().await;
    setting.tenant.directory().set_permissions(&people::BROKER, ["User.Read.All"]);
    assert_eq!(setting.get("/users").await.0, 200);
    let assignments = "/roleManagement/directory/roleAssignments";
    for (method, path) in [
        (Method::GET, assignments),
        (Method::POST, assignments),
        (Method::DELETE, &format!("{assignments}/x")),
        (Method::GET, "/roleManagement/directory/roleAssignmentScheduleInstances"),
        (Method::GET, "/groups"),
        (Method::POST, &format!("/users/{}/revokeSignInSessions", people::ANN.id)),
    ] {
        let (status, error) = answer(setting.graph(method, path)).await;
        assert_eq!((status, code_of(&error)), (403, "Authorization_RequestDenied"), "{path}");
    }
}

#[tokio::test]
async fn the_folder_is_kept_and_its_keys_are_private() {
    let setting = Setting::start().await;
    let folder = setting.folder.path().to_owned();
    let read = |file: &str| fs::read(folder.join(file)).unwrap();
    let kept = [files::CA, files::CREDENTIAL, files::CREDENTIAL_KEY, files::SECRET].map(read);
    for file in [files::CA_KEY, files::CREDENTIAL_KEY, files::SECRET, files::TLS_KEY] {
        let mode = fs::metadata(folder.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let again = elevate_sandbox::Tenant::start(elevate_sandbox::Settings::in_folder(&folder)).await.unwrap();
    assert_eq!(kept, [files::CA, files::CREDENTIAL, files::CREDENTIAL_KEY, files::SECRET].map(read));
    // The client still trusts the authority that it met before.
    assert_eq!(answer(setting.client.get(format!("{}/sandbox", again.base_url()))).await.0, 200);
}

trait CloneWithContext {
    fn clone_with_context(&self, of: &Value) -> Value;
}

impl CloneWithContext for Value {
    fn clone_with_context(&self, of: &Value) -> Value {
        let mut clone = self.clone();
        clone["@odata.context"] = of["@odata.context"].clone();
        clone
    }
}

async fn with_secret(setting: &Setting, app: &people::App, secret: &str, scope: &str) -> (u16, Value) {
    setting
        .token(&[
            ("grant_type", "client_credentials"),
            ("client_id", app.client_id),
            ("client_secret", secret),
            ("scope", scope),
        ])
        .await
}

async fn with_assertion(setting: &Setting, change: impl FnOnce(&mut Value, &mut Value)) -> (u16, Value) {
    let pem = fs::read_to_string(setting.folder.path().join(files::CREDENTIAL_KEY)).unwrap();
    let key = Key::from_pem("credential", &pem).unwrap();
    send_assertion(setting, &assertion(setting, &key, change)).await
}

async fn send_assertion(setting: &Setting, assertion: &str) -> (u16, Value) {
    setting
        .token(&[
            ("grant_type", "client_credentials"),
            ("client_id", people::BROKER.client_id),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion),
            ("scope", GRAPH),
        ])
        .await
}

fn assertion(setting: &Setting, key: &Key, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let certificate = CertificateDer::from_pem_file(setting.folder.path().join(files::CREDENTIAL)).unwrap();
    let thumbprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificate);
    let mut header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(thumbprint) });
    let now = setting.now().as_second();
    let mut claims = json!({
        "aud": setting.login("oauth2/v2.0/token"),
        "iss": people::BROKER.client_id,
        "sub": people::BROKER.client_id,
        "jti": uuid::Uuid::new_v4().to_string(),
        "nbf": now,
        "iat": now,
        "exp": now + 600,
    });
    change(&mut header, &mut claims);
    setting.tenant.tokens().sign_with(&header, &claims, &Signature::Ps256(key.clone()))
}
