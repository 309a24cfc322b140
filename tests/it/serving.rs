//! How the broker serves: TLS and who is let in, what it says of itself, how much it takes, how it ends.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use elevate_proto::v1 as api;
use elevate_sandbox::{Fault, Kind};
use elevate_tests::{Outcome, PATIENCE, State, World, told, wish};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const ASSIGNMENTS: &str = "/v1.0/roleManagement/directory/roleAssignments";

#[tokio::test]
async fn it_says_how_it_is_on_a_port_of_its_own() {
    let world = World::without_policy(&[]).await;
    assert_eq!(world.admin("/livez").await, (200, "alive\n".to_owned()));
    assert_eq!(world.admin("/readyz").await, (200, "ready; no policy applied yet\n".to_owned()));
    world.grpc("eve").apply(elevate_tests::POLICY, 0).await.unwrap();
    assert_eq!(world.admin("/readyz").await, (200, "ready\n".to_owned()));

    let asked = world.grpc("ann").ask(&wish("reader")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    world.grpc("ann").prepare(&wish("no-such-role")).await.unwrap_err();
    let (status, metrics) = world.admin("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "elevate_live_activations{state=\"active\"} 1",
        "elevate_overdue 0",
        "elevate_stuck 0",
        "elevate_activation_events_total{event=\"activated\"} 1",
        "elevate_refused_calls_total{reason=\"ROLE_NOT_OFFERED\"} 1",
        "elevate_signing_keys 1",
        "elevate_graph_paused_seconds 0",
    ] {
        assert!(metrics.lines().any(|each| each == line), "`{line}` is not in\n{metrics}");
    }
    assert!(metrics.contains("elevate_graph_writes_left") && metrics.contains("elevate_record_entries"));
    assert!(metrics.ends_with("# EOF\n"), "OpenMetrics ends so");
}

#[tokio::test]
async fn it_answers_the_standard_health_service_without_a_token() {
    let world = World::start().await;
    let mut health = HealthClient::new(world.endpoint().connect().await.unwrap());
    for service in ["", "elevate.v1.ActivationService"] {
        let asked = HealthCheckRequest { service: service.to_owned() };
        let answer = health.check(asked).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "`{service}`");
    }
    let asked = HealthCheckRequest { service: "elevate.v1.Nothing".to_owned() };
    assert_eq!(health.check(asked).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn reflection_is_answered_in_both_versions_where_it_is_told_to_and_not_at_all_elsewhere() {
    use tonic_reflection::pb::{v1, v1alpha};
    let world = World::without_policy(&[]).await;
    let channel = world.endpoint().connect().await.unwrap();
    let list = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(String::new())),
    };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let mut answers =
        client.server_reflection_info(tokio_stream::once(list.clone())).await.unwrap().into_inner();
    let answer = format!("{:?}", answers.next().await.unwrap().unwrap());
    let older = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
            "elevate.v1.ActivationService".to_owned(),
        )),
    };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(tokio_stream::once(older)).await.unwrap().into_inner();
    let file = format!("{:?}", answers.next().await.unwrap().unwrap());
    assert!(file.contains("FileDescriptorResponse"), "{file}");
    for service in ["Session", "Role", "Activation", "Approval", "Revocation", "Policy", "Audit"] {
        assert!(answer.contains(&format!("elevate.v1.{service}Service")), "{service} is not in {answer}");
    }

    let world = World::without_policy(&[("ELEVATE_SERVER_REFLECTION", "false")]).await;
    let channel = world.endpoint().connect().await.unwrap();
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel);
    let refused = client.server_reflection_info(tokio_stream::once(list)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}

/// Whether a handshake in this version of TLS succeeds, or why not.
fn handshake(world: &World, version: &'static SupportedProtocolVersion) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(world.tenant.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(world.address()).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_tls_1_3_is_spoken() {
    let world = World::without_policy(&[]).await;
    let (new, old) = tokio::task::block_in_place(|| {
        (handshake(&world, &rustls::version::TLS13), handshake(&world, &rustls::version::TLS12))
    });
    assert_eq!(new, Ok(()));
    assert!(old.as_ref().is_err_and(|why| why.contains("ProtocolVersion")), "TLS 1.2: {old:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_answered_in_the_clear() {
    let world = World::without_policy(&[]).await;
    let clear = Endpoint::from_shared(format!("http://{}", world.address())).unwrap();
    let eve = world.grpc_by("eve", clear.connect_lazy());
    let call = eve.call(api::GetSignInRequest {});
    eve.session().get_sign_in(call).await.expect_err("HTTP/2 in the clear");
    let answer = tokio::task::block_in_place(|| {
        let mut stream = TcpStream::connect(world.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // It closes, in order or not.
        let _ = stream.read_to_end(&mut answer);
        answer
    });
    // An alert of TLS at the most: content type 21.
    assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
}

#[tokio::test]
async fn where_an_authority_for_clients_is_named_nobody_is_let_in_without_its_certificate() {
    let authority = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = parameters.clone().self_signed(&authority).unwrap();
    let issuer = rcgen::Issuer::new(parameters, authority);
    let made_by = |issuer: &rcgen::Issuer<'_, rcgen::KeyPair>| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec!["a-client".to_owned()]).unwrap();
        parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        Identity::from_pem(parameters.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
    };
    let stranger = rcgen::Issuer::new(
        rcgen::CertificateParams::new(Vec::new()).unwrap(),
        rcgen::KeyPair::generate().unwrap(),
    );

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clients.pem");
    std::fs::write(&file, root.pem()).unwrap();
    let world = World::without_policy(&[("ELEVATE_SERVER_CLIENT_CA", &file.display().to_string())]).await;
    let tls = || {
        ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(world.tenant.ca_pem()))
            .domain_name("localhost")
    };
    let call = async |tls: ClientTlsConfig| {
        let endpoint = world.endpoint().tls_config(tls).unwrap();
        let eve = world.grpc_by("eve", endpoint.connect_lazy());
        eve.session().get_sign_in(eve.call(api::GetSignInRequest {})).await
    };
    call(tls()).await.expect_err("without one");
    call(tls().identity(made_by(&stranger))).await.expect_err("with another authority's");
    call(tls().identity(made_by(&issuer))).await.unwrap();
}

#[tokio::test]
async fn who_calls_too_often_is_told_when_to_come_back_and_nobody_else_is_held_up() {
    let world = World::set(&[("ELEVATE_LIMITS_CALLS_PER_MINUTE", "20")]).await;
    let (ann, bob) = (world.grpc("ann"), world.grpc("bob"));
    let mut refused = None;
    for _ in 0..40 {
        if let Err(status) = ann.roles().await {
            refused = Some(told(&status));
            break;
        }
    }
    let refused = refused.expect("forty calls at once are more than twenty a minute");
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "TOO_MANY"));
    let again = refused.again_in.unwrap();
    assert!(again > Duration::ZERO && again <= Duration::from_secs(60), "{again:?}");
    bob.roles().await.unwrap();
}

#[tokio::test]
async fn so_many_streams_and_no_more() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let asked = ann.ask(&wish("groups-admin")).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(ann.watch(&asked.id).await.unwrap());
    }
    let status = ann.watch(&asked.id).await.unwrap_err();
    assert_eq!(told(&status).reason, "TOO_MANY");
    world.grpc("bob").watch(&asked.id).await.unwrap();
}

#[tokio::test]
async fn told_to_end_it_takes_nothing_new_and_finishes_what_is_under_way() {
    let world = World::start().await;
    let (ann, bob) = (world.grpc("ann"), world.grpc("bob"));
    let waits = bob.ask(&wish("groups-admin")).await.unwrap();
    let mut watched = bob.watch(&waits.id).await.unwrap();
    watched.next().await.unwrap().unwrap();
    let late = Kind::Latency { milliseconds: 1500 };
    world.tenant.faults().add(Fault::on(ASSIGNMENTS, late).method("POST").times(1));
    let asked = ann.ask(&wish("reader").lasting("30m")).await.unwrap();
    world.until(&asked.id, State::Activating).await;

    let ended = tokio::spawn(world.told_to_end());
    // Open streams end by themselves, in order.
    let after = tokio::time::timeout(PATIENCE, watched.next()).await.expect("the stream ends");
    assert!(after.is_none(), "{after:?}");
    let refused = ann.prepare(&wish("exchange-admin")).await.expect_err("something new");
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    ended.await.unwrap().unwrap();

    world.restart().await;
    let record = world.record_of(&asked.id).await;
    assert_eq!(record.last().map(String::as_str), Some("activated"), "{record:?}");
    let audit = world.grpc("eve").audit().await.unwrap();
    let broker: Vec<_> =
        audit.iter().filter(|e| e.event.starts_with("broker-")).map(|e| e.event.as_str()).collect();
    assert_eq!(broker, ["broker-started", "broker-stopped", "broker-started"]);
    assert_eq!(world.writes(), ["POST roleAssignments 201"]);
    world.advance("30m");
    assert_eq!(world.outcome(&asked.id).await, Outcome::Expired);
}

#[tokio::test]
async fn the_record_is_read_by_pages_and_followed_as_it_grows() {
    let world = World::start().await;
    let eve = world.grpc("eve");
    let asked = world.grpc("ann").ask(&wish("reader").lasting("15m")).await.unwrap();
    world.until(&asked.id, State::Active).await;
    let from = api::StreamAuditEntriesRequest { from_position: 0 };
    let mut stream = eve.record().stream_audit_entries(eve.call(from)).await.unwrap().into_inner();
    world.advance("15m");
    world.until(&asked.id, State::Closed).await;
    let mut followed = Vec::new();
    while followed.last().is_none_or(|last: &api::AuditEntry| last.event != "removed") {
        followed.push(tokio::time::timeout(PATIENCE, stream.next()).await.unwrap().unwrap().unwrap());
    }
    let (mut paged, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = api::ListAuditEntriesRequest { page_size: 2, page_token, ..Default::default() };
        let page = eve.record().list_audit_entries(eve.call(page)).await.unwrap().into_inner();
        assert!(page.entries.len() <= 2);
        paged.extend(page.entries);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, followed);
    let places: Vec<_> = paged.iter().map(|entry| entry.position).collect();
    assert_eq!(places, (0..places.len().try_into().unwrap()).collect::<Vec<i64>>(), "no gap");
}
