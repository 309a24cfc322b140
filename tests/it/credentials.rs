//! The broker shows who it is by what somebody else vouches for, and grants and takes away all the same.

use std::path::PathBuf;

use elevate_sandbox::{Fault, Kind, Tenant, people};
use elevate_tests::{Logs, State, World, span, wish};

/// Everything of `[graph]` that says who the broker is, replaced by this.
fn by(text: &str, credential: &str) -> String {
    let is_credential = |line: &str| {
        ["certificate", "key", "client_id"].iter().any(|key| line.starts_with(&format!("{key} =")))
    };
    let mut is_graph = false;
    let mut written = String::new();
    for line in text.lines() {
        is_graph = if line.starts_with('[') { line == "[graph]" } else { is_graph };
        if !(is_graph && is_credential(line)) {
            written += &format!("{line}\n");
        }
        if line == "[graph]" {
            written += &format!("{credential}\n");
        }
    }
    written
}

fn token_file(tenant: &Tenant) -> PathBuf {
    tenant.folder().join("federated-token")
}

/// As Kubernetes writes it: good for the usual hour, and for as long as is said besides.
fn renew(tenant: &Tenant, besides: &str) -> String {
    let mint = tenant.tokens();
    let mut claims = mint.outer_claims();
    let end = claims["exp"].as_i64().unwrap() + span(besides).as_secs();
    claims["exp"] = end.into();
    let token = mint.outer(&claims);
    std::fs::write(token_file(tenant), &token).unwrap();
    token
}

fn federated(tenant: &Tenant, text: String) -> String {
    if !token_file(tenant).exists() {
        renew(tenant, "0s");
    }
    let file = token_file(tenant).display().to_string();
    by(&text, &format!("client_id = \"{}\"\nfederated_token_file = {file:?}", people::BROKER.client_id))
}

fn managed(tenant: &Tenant, text: String) -> String {
    let address = format!("{}/metadata/identity/oauth2/token", tenant.host_url());
    by(&text, &format!("managed_identity = \"system\"\nmanaged_identity_url = \"{address}\""))
}

async fn granted_and_taken_away(world: &World) {
    let asked = world.grpc("ann").ask(&wish("reader").lasting("10m")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    world.pass_to(&asked.id, State::Closed, "30m").await;
}

#[tokio::test]
async fn a_federated_token_that_is_renewed_in_its_file_serves_for_days() {
    let logs = Logs::kept();
    let world = World::written(federated).await;
    let first = std::fs::read_to_string(token_file(&world.tenant)).unwrap();
    granted_and_taken_away(&world).await;
    // Renewed before it ends, as it should be: a broker that wakes and finds the old one is refused, and whoever
    // asks at that moment hears of it.
    let second = renew(&world.tenant, "3h");
    // By now the first is over, and so is the broker's own token.
    world.advance("3h");
    granted_and_taken_away(&world).await;

    // One that nobody renews: Entra says no, and the log says what it means.
    world.advance("6h");
    world.grpc("ann").roles().await.unwrap_err();
    let text = logs.text();
    assert!(text.contains("is the token in the file still renewed?"), "{text}");
    for token in [first, second] {
        assert!(!text.contains(token.rsplit('.').next().unwrap()), "a token is in the log");
    }
}

#[tokio::test]
async fn a_managed_identity_grants_and_revokes_though_its_host_is_slow_to_say_who_it_is() {
    let world = World::written(managed).await;
    granted_and_taken_away(&world).await;
    // Its token is over, and the host has to be asked again.
    world.advance("25h");
    let before = world.tenant.calls().matching("GET", "/metadata").len();
    for status in [404, 404, 410, 410, 503] {
        let kind = Kind::FailBefore { status, retry_after: None };
        world.tenant.faults().add(Fault::on("/metadata", kind).times(1));
    }
    let asked = loop {
        match world.grpc("ann").ask(&wish("reader").lasting("10m")).await {
            Ok(asked) => break asked,
            Err(_) => world.advance("10s"),
        }
    };
    world.until(&asked.id, State::Active).await;
    world.pass_to(&asked.id, State::Closed, "30m").await;
    assert!(
        world.tenant.calls().matching("GET", "/metadata").len() > before + 5,
        "it was asked again and again"
    );
    assert!(world.tenant.calls().matching("POST", "/*/oauth2/v2.0/token").is_empty(), "and the tenant never");
}
