//! A tenant in a folder of its own, and a client that trusts it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use elevate_sandbox::{Clock, Lag, Settings, Tenant, people};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, redirect::Policy};
use serde_json::{Value, json};

/// Somebody's first working day of 2026.
pub(crate) const START: &str = "2026-01-05T08:00:00Z";
pub(crate) const REDIRECT: &str = "http://localhost:51234";
pub(crate) const VERIFIER: &str = "a-verifier-that-is-long-enough-for-the-standard-0123456789";
pub(crate) const ASSIGNMENTS: &str = "/roleManagement/directory/roleAssignments";
pub(crate) const REQUESTS: &str = "/roleManagement/directory/roleAssignmentScheduleRequests";
pub(crate) const INSTANCES: &str = "/roleManagement/directory/roleAssignmentScheduleInstances";

pub(crate) struct Setting {
    pub(crate) tenant: Tenant,
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) folder: tempfile::TempDir,
}

impl Setting {
    pub(crate) async fn start() -> Self {
        Self::lagging(Lag::default()).await
    }

    pub(crate) async fn lagging(lag: Lag) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(START.parse().unwrap());
        let tenant =
            Tenant::start(Settings { clock: clock.clone(), lag, ..Settings::in_folder(folder.path()) })
                .await
                .unwrap();
        let client = client(&tenant);
        Self { tenant, client, clock, folder }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.tenant.base_url())
    }

    pub(crate) fn login(&self, path: &str) -> String {
        self.url(&format!("/{}/{path}", self.tenant.id()))
    }

    /// A call to Graph by the broker's application.
    pub(crate) fn graph(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.tenant.graph_url()))
            .bearer_auth(self.tenant.tokens().graph(&people::BROKER).unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.graph(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        answer(self.graph(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (u16, Value) {
        answer(self.graph(Method::DELETE, path)).await
    }

    /// How many entries a listing has.
    pub(crate) async fn count(&self, path: &str) -> usize {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{body}");
        body["value"].as_array().unwrap().len()
    }

    pub(crate) async fn token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        answer(self.client.post(self.login("oauth2/v2.0/token")).form(form)).await
    }

    /// The address that the command line would open, with `more` in its query.
    pub(crate) fn authorize_url(&self, more: &[(&str, &str)]) -> String {
        let scope =
            format!("api://{}/access_as_user openid profile offline_access", people::BROKER.client_id);
        let standing = [
            ("client_id", people::CLI.client_id),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", scope.as_str()),
            ("state", "the-state"),
            ("nonce", "the-nonce"),
            ("code_challenge", &challenge()),
            ("code_challenge_method", "S256"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut query: Vec<(String, String)> = standing.to_vec();
        for (name, value) in more {
            query.retain(|(each, _)| each != name);
            query.push(((*name).to_owned(), (*value).to_owned()));
        }
        url::Url::parse_with_params(&self.login("oauth2/v2.0/authorize"), query).unwrap().to_string()
    }

    /// Opens the sign-in address and gives the query of where it redirects to.
    pub(crate) async fn authorize(&self, more: &[(&str, &str)]) -> Landing {
        let response = self.client.get(self.authorize_url(more)).send().await.unwrap();
        assert_eq!(response.status(), 302, "{}", response.text().await.unwrap());
        Landing(response.headers()["location"].to_str().unwrap().parse().unwrap())
    }

    pub(crate) async fn redeem(&self, code: &str, verifier: &str) -> (u16, Value) {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("client_id", people::CLI.client_id),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", verifier),
        ])
        .await
    }

    /// The whole way from the address to the tokens.
    pub(crate) async fn tokens(&self, more: &[(&str, &str)]) -> Value {
        let landing = self.authorize(more).await;
        let (status, tokens) = self.redeem(&landing.get("code"), VERIFIER).await;
        assert_eq!(status, 200, "{tokens}");
        tokens
    }
}

pub(crate) struct Landing(pub(crate) url::Url);

impl Landing {
    pub(crate) fn get(&self, name: &str) -> String {
        let found = self.0.query_pairs().find(|(each, _)| each == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    }
}

pub(crate) fn client(tenant: &Tenant) -> Client {
    Client::builder()
        .tls_certs_only([Certificate::from_pem(tenant.ca_pem().as_bytes()).unwrap()])
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    body(request.send().await.unwrap()).await
}

pub(crate) async fn body(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// What a token says, whoever signed it.
pub(crate) fn claims(token: &Value) -> Value {
    let token = token.as_str().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

pub(crate) fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes()))
}

pub(crate) fn code_of(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or_default()
}

/// Ann as a role assignment's principal.
pub(crate) fn ann_is(role: &people::Role) -> Value {
    json!({ "principalId": people::ANN.id, "roleDefinitionId": role.id, "directoryScopeId": "/" })
}

pub(crate) fn ann_for(role: &people::Role, duration: &str) -> Value {
    json!({
        "action": "adminAssign",
        "justification": "INC0012345",
        "principalId": people::ANN.id,
        "roleDefinitionId": role.id,
        "directoryScopeId": "/",
        "scheduleInfo": { "expiration": { "type": "afterDuration", "duration": duration } },
    })
}
