use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::super::credential::{Certificate, CredentialError};
use super::*;
use crate::ports::Directory;

fn key_and_certificate() -> (KeyPair, rcgen::Certificate) {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let mut params = CertificateParams::new(vec!["elevate".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2027, 1, 2);
    let certificate = params.self_signed(&key).unwrap();
    (key, certificate)
}

fn form(seen: &Seen) -> Vec<(String, String)> {
    url::form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect()
}

async fn looked(graph: &Graph, stub: &Stub) -> bool {
    stub.expect(format!("GET roleAssignments?$filter=principalId eq '{ANN}'"), nothing());
    let is_ok = graph.look(slot().principal, &target(Way::Assignment)).await.is_ok();
    if !is_ok {
        stub.script.lock().unwrap().steps.clear();
    }
    is_ok
}

#[tokio::test]
async fn a_certificate_signs_an_assertion_for_the_token_endpoint() {
    let (key, certificate) = key_and_certificate();
    let stub = Stub::start().await;
    let clock = ManualClock::new();
    let pem = Certificate::from_pem(&certificate.pem(), &key.serialize_pem().into()).unwrap();
    assert_eq!(pem.not_after().to_string(), "2027-01-02T00:00:00Z");
    let settings = Settings { credential: application(&stub, Proof::Certificate(pem)), ..settings(&stub) };
    let graph = Graph::new(settings, http(), clock.clone()).unwrap();
    stub.token(ok(json!({ "token_type": "Bearer", "expires_in": 0, "access_token": "a" })));
    assert!(looked(&graph, &stub).await);
    clock.advance(1);
    assert!(looked(&graph, &stub).await);

    let mut jtis = Vec::new();
    for (seen, second) in stub.fetches().iter().zip([START, START + 1]) {
        let form = form(seen);
        let names: Vec<_> = form.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["grant_type", "client_id", "scope", "client_assertion_type", "client_assertion"]);
        assert_eq!(form[0].1, "client_credentials");
        assert_eq!(form[1].1, CLIENT);
        assert_eq!(form[2].1, "https://graph.microsoft.com/.default");
        assert_eq!(form[3].1, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");

        // Decoded and checked by hand, not by what made it.
        let parts: Vec<_> = form[4].1.split('.').collect();
        let json =
            |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
        let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(certificate.der()));
        assert_eq!(json(parts[0]), json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint }));
        let mut claims = json(parts[1]);
        jtis.push(claims["jti"].take());
        assert_eq!(
            claims,
            json!({
                "aud": stub.url("/token").as_str(), "iss": CLIENT, "sub": CLIENT, "jti": null,
                "nbf": second, "iat": second, "exp": second + 300,
            })
        );
        let spki = x509_parser::parse_x509_certificate(certificate.der()).unwrap().1;
        let public =
            UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &spki.public_key().subject_public_key.data);
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        public.verify(format!("{}.{}", parts[0], parts[1]).as_bytes(), &signature).unwrap();
    }
    assert_eq!(jtis.len(), 2);
    assert_ne!(jtis[0], jtis[1]);
}

#[tokio::test]
async fn a_secret_is_sent_in_the_form_and_nowhere_else() {
    let Bench { stub, graph, .. } = bench().await;
    assert!(looked(&graph, &stub).await);
    let fetch = &stub.fetches()[0];
    let names: Vec<_> = form(fetch).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["grant_type", "client_id", "scope", "client_secret"]);
    assert_eq!(form(fetch)[3].1, SECRET);
    assert!(!fetch.headers.contains(SECRET) && !format!("{:?}", stub.is_done()).contains(SECRET));
}

#[tokio::test]
async fn no_secret_shows_when_things_are_printed() {
    let (key, certificate) = key_and_certificate();
    let stub = Stub::start().await;
    let pem = Certificate::from_pem(&certificate.pem(), &key.serialize_pem().into()).unwrap();
    let with_key = Settings { credential: application(&stub, Proof::Certificate(pem)), ..settings(&stub) };
    let with_key = Graph::new(with_key, http(), ManualClock::new()).unwrap();
    let with_secret = Graph::new(settings(&stub), http(), ManualClock::new()).unwrap();
    for graph in [with_key, with_secret] {
        assert!(looked(&graph, &stub).await);
        let printed = format!("{graph:?}");
        assert!(!printed.contains(SECRET) && !printed.contains("token-"), "{printed}");
        assert!(!printed.contains("BEGIN") && !printed.contains("content"), "{printed}");
    }
    let printed = format!("{:?}", settings(&stub));
    assert!(!printed.contains(SECRET), "{printed}");
}

#[test]
fn a_key_must_be_the_certificates() {
    let (key, certificate) = key_and_certificate();
    let (other, _) = key_and_certificate();
    let elliptic = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let signed_by_elliptic = CertificateParams::new(vec![]).unwrap().self_signed(&elliptic).unwrap();
    let (pem, right) = (certificate.pem(), key.serialize_pem());
    for (certificate, key, wanted) in [
        (pem.clone(), right.clone(), None),
        (pem.clone(), other.serialize_pem(), Some(CredentialError::Mismatch)),
        (pem.clone(), elliptic.serialize_pem(), Some(CredentialError::Key)),
        (pem.clone(), "x".to_owned(), Some(CredentialError::Key)),
        (pem, String::new(), Some(CredentialError::Key)),
        ("x".to_owned(), right.clone(), Some(CredentialError::Certificate)),
        (signed_by_elliptic.pem(), right.clone(), Some(CredentialError::Certificate)),
        (right.clone(), right, Some(CredentialError::Certificate)),
    ] {
        assert_eq!(Certificate::from_pem(&certificate, &key.into()).err(), wanted);
    }
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_its_end() {
    let Bench { stub, clock, graph } = bench().await;
    stub.token(ok(json!({ "token_type": "bearer", "expires_in": "3600", "access_token": "a" })));
    for (passed, fetches) in [(0, 1), (3299, 1), (1, 2), (3299, 2), (1, 3)] {
        clock.advance(passed);
        assert!(looked(&graph, &stub).await);
        assert_eq!(stub.fetches().len(), fetches);
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_serves_until_its_end() {
    let Bench { stub, clock, graph } = bench().await;
    assert!(looked(&graph, &stub).await);
    clock.advance(3300);
    stub.token(problem(503, "x"));
    assert!(looked(&graph, &stub).await);
    clock.advance(9);
    assert!(looked(&graph, &stub).await);
    assert_eq!(stub.fetches().len(), 2, "not asked for at every call");
    clock.advance(291);
    stub.token(problem(503, "x").with("retry-after", "4"));
    assert!(!looked(&graph, &stub).await, "it has ended");
    clock.advance(3);
    assert!(!looked(&graph, &stub).await, "the endpoint asked to be left alone");
    assert_eq!(stub.fetches().len(), 3);
    clock.advance(1);
    assert!(looked(&graph, &stub).await);
    assert_eq!(stub.fetches().len(), 4);
}

#[tokio::test]
async fn an_endpoint_that_asked_to_be_left_alone_is_left_alone_while_an_old_token_serves() {
    let Bench { stub, clock, graph } = bench().await;
    assert!(looked(&graph, &stub).await);
    clock.advance(3300);
    stub.token(problem(429, "x").with("retry-after", "200"));
    for (passed, fetches) in [(0, 2), (199, 2), (1, 3)] {
        clock.advance(passed);
        assert!(looked(&graph, &stub).await);
        assert_eq!(stub.fetches().len(), fetches);
    }
    // Beyond its end, too.
    clock.advance(3300);
    stub.token(problem(503, "x")).token(problem(429, "x").with("retry-after", "300"));
    for (passed, is_ok, fetches) in
        [(0, true, 4), (10, true, 5), (290, false, 5), (9, false, 5), (1, true, 6)]
    {
        clock.advance(passed);
        assert_eq!(looked(&graph, &stub).await, is_ok);
        assert_eq!(stub.fetches().len(), fetches);
    }
}

#[tokio::test]
async fn many_calls_at_once_fetch_one_token_or_one_refusal() {
    let Bench { stub, graph, .. } = bench().await;
    let groups = [ANN.parse().unwrap()].into();
    let ask = || graph.groups_of(slot().principal, &groups);
    let line = format!("POST users/{ANN}/checkMemberGroups");
    for _ in 0..4 {
        stub.expect(line.clone(), nothing());
    }
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    assert!(a.is_ok() && b.is_ok() && c.is_ok() && d.is_ok());
    assert_eq!(stub.fetches().len(), 1);
    stub.is_done();

    let Bench { stub, graph, .. } = bench().await;
    stub.token(reply(401, json!({ "error": "invalid_client", "error_codes": [7_000_215] }).to_string()));
    let ask = || graph.groups_of(slot().principal, &groups);
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    for fault in [a, b, c, d] {
        let reason = fault.unwrap_err().reason;
        assert!(reason.contains("invalid_client, AADSTS7000215, status 401"), "{reason}");
    }
    assert_eq!(stub.fetches().len(), 1);
}

#[tokio::test]
async fn what_is_no_token_is_not_used() {
    let token = |kind: &str, life: Value, text: &str| {
        ok(json!({ "token_type": kind, "expires_in": life, "access_token": text }))
    };
    for answer in [
        token("mac", json!(3600), "a"),
        token("Bearer", json!("soon"), "a"),
        token("Bearer", Value::Null, "a"),
        token("Bearer", json!(3600), "a\r\nx: y"),
        ok(json!({ "token_type": "Bearer", "expires_in": 3600 })),
        reply(200, "<html>"),
        reply(302, "").with("location", "https://evil.example/"),
        reply(400, json!({ "error": "x", "error_description": "quotes s3cr3t" }).to_string()),
        lost(),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.token(answer.clone());
        let fault = graph.look(slot().principal, &target(Way::Assignment)).await.unwrap_err();
        assert!(fault.reason.contains("token endpoint"), "{answer:?}: {}", fault.reason);
        assert!(!fault.reason.contains("s3cr3t"), "{}", fault.reason);
        assert!(stub.is_done().is_empty());
    }
}
