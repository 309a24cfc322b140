//! The broker as a managed identity of its host.

use serde_json::json;

use super::*;
use crate::graph::{Finding, ManagedIdentity, Source};
use crate::ports::Directory;

const UAMI: &str = "1b4e28ba-2fa1-4d12-883f-b9a761bde3fb";
const HEADER: &str = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a";

fn machine(stub: &Stub) -> Source {
    Source::Machine(stub.url("/metadata/identity/oauth2/token"))
}

fn platform(stub: &Stub) -> Source {
    Source::Platform { endpoint: stub.url("/msi/token"), header: HEADER.into() }
}

async fn bench(source: fn(&Stub) -> Source, user_assigned: Option<&str>) -> Bench {
    let (stub, clock) = (Stub::start().await, ManualClock::new());
    let user_assigned = user_assigned.map(|id| id.parse().unwrap());
    let identity = ManagedIdentity::new(source(&stub), user_assigned, http()).unwrap();
    let credential = Credential::ManagedIdentity { identity, client_id: None };
    let graph = Graph::new(Settings { credential, ..settings(&stub) }, http(), clock.clone()).unwrap();
    Bench { stub, clock, graph }
}

impl Bench {
    async fn look(&self) -> Result<(), (String, Option<u64>)> {
        self.stub.expect(format!("GET roleAssignments?$filter=principalId eq '{ANN}'"), nothing());
        let looked = self.graph.look(slot().principal, &target(Way::Assignment)).await;
        self.stub.script.lock().unwrap().steps.clear();
        looked.map(|_| ()).map_err(|fault| (fault.reason, fault.after.map(|after| after.as_secs())))
    }

    fn fetches(&self) -> usize {
        self.stub.fetches().len()
    }
}

/// As the machine's metadata service writes it: every number a text.
fn given(expires_in: i64, expires_on: i64) -> Reply {
    ok(json!({
        "access_token": "a", "refresh_token": "", "expires_in": expires_in.to_string(),
        "expires_on": expires_on.to_string(), "not_before": "1775779200",
        "resource": "https://graph.microsoft.com", "token_type": "Bearer",
    }))
}

#[tokio::test]
async fn a_machine_is_asked_by_its_metadata_service() {
    let resource = "api-version=2018-02-01&resource=https%3A%2F%2Fgraph.microsoft.com";
    for (id, wanted) in [(None, resource.to_owned()), (Some(UAMI), format!("{resource}&client_id={UAMI}"))] {
        let bench = bench(machine, id).await;
        bench.stub.token(given(3600, START + 3600));
        bench.look().await.unwrap();
        let seen = &bench.stub.fetches()[0];
        assert_eq!(seen.line, format!("GET /metadata/identity/oauth2/token?{wanted}"));
        assert_eq!(seen.header("metadata"), Some("true"));
        assert_eq!(seen.header("x-identity-header"), None);
        assert_eq!(bench.stub.is_done()[0].header("authorization"), Some("Bearer a"));
        assert_eq!(bench.clock.heard_of(), [], "what comes unencrypted bears no witness");
    }
}

#[tokio::test]
async fn an_app_is_asked_by_its_platform() {
    let bench = bench(platform, Some(UAMI)).await;
    // No `expires_in` here, and the end as a second of the epoch.
    bench.stub.token(ok(json!({
        "access_token": "a", "expires_on": (START + 1000).to_string(), "token_type": "Bearer", "client_id": CLIENT,
        "resource": "https://graph.microsoft.com",
    })));
    bench.look().await.unwrap();
    let seen = &bench.stub.fetches()[0];
    let query = format!("api-version=2019-08-01&resource=https%3A%2F%2Fgraph.microsoft.com&client_id={UAMI}");
    assert_eq!(seen.line, format!("GET /msi/token?{query}"));
    assert_eq!(seen.header("x-identity-header"), Some(HEADER));
    assert!(!format!("{:?}", bench.graph).contains(HEADER));
    for (passed, fetches) in [(899, 1), (1, 2)] {
        bench.clock.advance(passed);
        bench.look().await.unwrap();
        assert_eq!(bench.fetches(), fetches);
    }
}

#[tokio::test]
async fn a_token_that_the_host_kept_ends_when_it_says_not_a_whole_life_from_now() {
    let bench = bench(machine, None).await;
    bench.stub.token(given(86_400, START + 1000));
    for (passed, fetches) in [(0, 1), (899, 1), (1, 2)] {
        bench.clock.advance(passed);
        bench.look().await.unwrap();
        assert_eq!(bench.fetches(), fetches);
    }
}

#[tokio::test]
async fn what_passes_is_asked_again_after_longer_and_longer() {
    for status in [404, 429, 500, 503] {
        let bench = bench(machine, None).await;
        for pause in [0, 2, 6, 14, 30, 30] {
            bench.stub.token(reply(status, json!({ "error": "not_found" }).to_string()));
            let (why, after) = bench.look().await.unwrap_err();
            assert!(why.contains(&format!("(not_found, status {status})")), "{why}");
            assert_eq!(after, Some(pause), "{status}");
            let asked = bench.fetches();
            if pause > 0 {
                bench.clock.advance(pause.try_into().unwrap());
                bench.clock.advance(-1);
                assert!(bench.look().await.is_err());
                assert_eq!(bench.fetches(), asked, "it is left alone for {pause} s");
                bench.clock.advance(1);
            }
        }
        bench.look().await.unwrap();
        bench.clock.advance(3600);
        bench.stub.token(reply(status, ""));
        assert_eq!(bench.look().await.unwrap_err().1, Some(0), "success begins anew");
    }
}

#[tokio::test]
async fn an_update_of_the_service_is_waited_out() {
    let bench = bench(machine, None).await;
    for _ in 0..7 {
        bench.stub.token(reply(410, ""));
        let (why, after) = bench.look().await.unwrap_err();
        assert!(
            why.contains("it is being updated, which takes up to 70 seconds") && after == Some(10),
            "{why}"
        );
        bench.clock.advance(10);
    }
    bench.look().await.unwrap();
    let bench = self::bench(machine, None).await;
    bench.stub.token(reply(429, "").with("retry-after", "20"));
    assert_eq!(bench.look().await.unwrap_err().1, Some(20), "its own wish counts where it is longer");
}

#[tokio::test]
async fn what_does_not_pass_says_what_to_do() {
    for (status, wanted) in [
        (400, "no such identity is assigned to this host; assign it, or correct `graph.managed_identity`"),
        (403, "is `graph.managed_identity` meant for this host?"),
        (302, "is `graph.managed_identity` meant for this host?"),
    ] {
        let bench = bench(machine, Some(UAMI)).await;
        let body = json!({ "error": "invalid_request", "error_description": "Identity not found" });
        bench.stub.token(reply(status, body.to_string()));
        let (why, after) = bench.look().await.unwrap_err();
        assert!(why.contains(wanted) && after.is_none(), "{why}");
    }
    let bench = bench(machine, None).await;
    bench.stub.token(lost());
    let (why, _) = bench.look().await.unwrap_err();
    assert!(why.contains("is this a host of Azure's with a managed identity?"), "{why}");
}

#[tokio::test]
async fn only_this_host_is_believed() {
    for (address, is_here) in [
        ("http://169.254.169.254/metadata/identity/oauth2/token", true),
        ("http://127.0.0.1:42356/msi/token", true),
        ("http://localhost:42356/msi/token", true),
        ("http://[::1]/msi/token", true),
        ("https://169.254.169.254/metadata/identity/oauth2/token", false),
        ("http://10.0.0.1/metadata/identity/oauth2/token", false),
        ("http://localhost.example/msi/token", false),
        ("http://metadata.example/msi/token", false),
    ] {
        let source = Source::Machine(address.parse().unwrap());
        assert_eq!(ManagedIdentity::new(source, None, http()).is_ok(), is_here, "{address}");
    }
}

#[tokio::test]
async fn doctor_names_the_identity_and_looks_its_permissions_up_by_its_id() {
    let whats = |findings: &[Finding]| findings.iter().map(|f| f.what.clone()).collect::<Vec<_>>();
    let definition = |bench: &Bench| {
        bench.stub.expect(format!("GET roleDefinitions/{GROUPS_ADMIN}"), ok(json!({ "id": GROUPS_ADMIN })));
    };
    let bench_of = bench(machine, Some(UAMI)).await;
    let asked =
        bench_of.stub.expect(format!("GET servicePrincipals(appId='{UAMI}')?$select=id"), problem(403, "x"));
    asked.expect(format!("GET roleAssignments?$filter=roleDefinitionId eq '{GROUPS_ADMIN}'"), nothing());
    definition(&bench_of);
    let found = whats(&bench_of.graph.check(&[target(Way::Assignment)], false).await);
    let named = format!(
        "the broker's credential, the managed identity of this machine (user-assigned, client id {UAMI})"
    );
    assert_eq!(found[..2], [named, "a token for Graph".to_owned()]);
    bench_of.stub.is_done();

    // The host's own identity, and the host does not say which application that is.
    let bench = bench(machine, None).await;
    bench.stub.token(given(3600, START + 3600));
    bench.stub.expect(format!("GET roleAssignments?$filter=roleDefinitionId eq '{GROUPS_ADMIN}'"), nothing());
    definition(&bench);
    let findings = bench.graph.check(&[target(Way::Assignment)], false).await;
    assert_eq!(
        findings[0].what,
        "the broker's credential, the managed identity of this machine (system-assigned)"
    );
    let unknown = findings.iter().find(|finding| !finding.is_ok()).unwrap();
    assert!(unknown.wrong.as_ref().unwrap().remedy.contains("`graph.client_id`"), "{unknown:?}");
    bench.stub.is_done();
}
