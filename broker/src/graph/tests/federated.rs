//! The broker with a token of another issuer.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::graph::{FederatedToken, Finding};
use crate::ports::Directory;

/// What Kubernetes gives a pod for this audience.
fn token(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmVk", part(&json!({ "alg": "RS256", "kid": "1" })), part(claims))
}

fn usual(number: u32) -> Value {
    json!({
        "iss": "https://outer.example/", "sub": "system:serviceaccount:elevate:elevated",
        "aud": ["api://AzureADTokenExchange"], "exp": START + 3600, "jti": number,
    })
}

struct Federated {
    stub: Stub,
    clock: Arc<ManualClock>,
    graph: Graph,
    file: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Federated {
    async fn with(text: &str) -> Self {
        let (stub, clock) = (Stub::start().await, ManualClock::new());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, text).unwrap();
        let proof = Proof::Federated(FederatedToken::in_file(file.clone()));
        let settings = Settings { credential: application(&stub, proof), ..settings(&stub) };
        let graph = Graph::new(settings, http(), clock.clone()).unwrap();
        Self { stub, clock, graph, file, _folder: folder }
    }

    async fn look(&self) -> Result<(), String> {
        self.stub.expect(format!("GET roleAssignments?$filter=principalId eq '{ANN}'"), nothing());
        let looked = self.graph.look(slot().principal, &target(Way::Assignment)).await;
        self.stub.script.lock().unwrap().steps.clear();
        looked.map(|_| ()).map_err(|fault| fault.reason)
    }

    async fn credential(&self) -> Finding {
        self.stub.token(problem(400, "x"));
        self.graph.check(&[], false).await.swap_remove(0)
    }
}

#[tokio::test]
async fn the_token_is_read_again_at_every_use_because_it_is_renewed() {
    let (first, second) = (token(&usual(1)), token(&usual(2)));
    let bench = Federated::with(&format!("{first}\n")).await;
    bench.look().await.unwrap();
    std::fs::write(&bench.file, &second).unwrap();
    bench.clock.advance(3600);
    bench.look().await.unwrap();
    for (seen, sent) in bench.stub.fetches().iter().zip([first, second]) {
        let form: Vec<(String, String)> =
            url::form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect();
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            form,
            [
                ("grant_type", "client_credentials"),
                ("client_id", CLIENT),
                ("scope", "https://graph.microsoft.com/.default"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", &sent),
            ]
        );
        assert!(!format!("{:?}", bench.graph).contains(&sent), "it is not shown");
    }
    assert_eq!(bench.stub.fetches().len(), 2);
}

#[tokio::test]
async fn a_file_without_a_token_is_not_sent_and_the_reason_names_no_content() {
    let signed_nothing = token(&usual(1)).replace(".c2lnbmVk", ".");
    for text in ["", "s3cr3t", "a.b.c", "not base64.???.c", "e30.e30.two words", &signed_nothing] {
        let bench = Federated::with(text).await;
        let why = bench.look().await.unwrap_err();
        assert_eq!(why, "the broker's federated token cannot be read; its log and `elevated doctor` say why");
        assert!(bench.stub.fetches().is_empty(), "{text:?} was sent");
        let error = FederatedToken::in_file(bench.file.clone()).read().unwrap_err().to_string();
        assert!(
            error.ends_with("holds no token; it must be one JWT of the outer issuer and nothing else"),
            "{error}"
        );
    }
    let bench = Federated::with(&token(&usual(1))).await;
    std::fs::remove_file(&bench.file).unwrap();
    assert!(bench.look().await.is_err());
    std::fs::write(&bench.file, token(&usual(2))).unwrap();
    assert!(bench.look().await.is_ok(), "as soon as it is there again");
}

#[tokio::test]
async fn a_token_that_no_federated_credential_fits_is_explained() {
    for (number, wanted) in [
        (70_021, "its issuer, subject and audience must be equal letter for letter"),
        (700_211, "its issuer, subject and audience must be equal letter for letter"),
        (700_212, "its issuer, subject and audience must be equal letter for letter"),
        (700_213, "its issuer, subject and audience must be equal letter for letter"),
        (700_024, "is the token in the file still renewed?"),
        (700_016, "check `graph.client_id` and `tenant.id`"),
    ] {
        let bench = Federated::with(&token(&usual(1))).await;
        let body =
            json!({ "error": "invalid_client", "error_codes": [number], "error_description": "quotes it" });
        bench.stub.token(reply(401, body.to_string()));
        let why = bench.look().await.unwrap_err();
        assert!(why.contains(&format!("AADSTS{number}")) && why.contains(wanted), "{why}");
        assert!(!why.contains("quotes it"), "{why}");
    }
}

#[tokio::test]
async fn doctor_shows_what_the_federated_credential_must_say() {
    let bench = Federated::with(&token(&usual(1))).await;
    let found = bench.credential().await;
    assert!(found.is_ok(), "{found:?}");
    let said = "issuer `https://outer.example/`, subject `system:serviceaccount:elevate:elevated`, audience \
                `api://AzureADTokenExchange`";
    assert!(found.what.ends_with(said), "{found:?}");

    let wrong = |found: Finding| found.wrong.unwrap().problem;
    for audience in
        [json!("https://kubernetes.default.svc"), json!(["api://AzureADTokenExchange", "x"]), Value::Null]
    {
        let mut claims = usual(1);
        claims["aud"] = audience;
        let found = Federated::with(&token(&claims)).await.credential().await;
        assert!(wrong(found).contains("`api://AzureADTokenExchange`"));
    }
    bench.clock.advance(3600);
    assert_eq!(wrong(bench.credential().await), "it ended at 2026-04-10T01:00:00Z");
    std::fs::write(&bench.file, "x").unwrap();
    assert!(wrong(bench.credential().await).contains("holds no token"));
    let mut claims = usual(1);
    claims["sub"] = json!("\u{1b}[31mred");
    assert!(!Federated::with(&token(&claims)).await.credential().await.what.contains('\u{1b}'));
}
