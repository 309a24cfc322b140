//! Where a setting comes from.

use std::sync::Arc;

use clap::CommandFactory as _;
use elevate_proto::v1;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;

use super::bench::{Bench, ann};
use crate::exit::Exit;

#[test]
fn the_command_line_is_sound() {
    crate::cli::Cli::command().debug_assert();
}

#[tokio::test]
async fn flags_count_before_the_environment_and_that_before_the_file() {
    let mut bench = Bench::signed_in().await;
    bench.broker.says("get_caller", &v1::Caller { principal: Some(ann()), ..v1::Caller::default() });
    let real = bench.env.remove("ELEVATE_BROKER").unwrap();
    let folder = bench.folder.path().join("config");
    std::fs::create_dir(&folder).unwrap();
    let file = |broker: &str| {
        std::fs::write(folder.join("config.toml"), format!("broker = \"{broker}\"\noutput = \"json\"\n"))
            .unwrap();
    };
    file(&real);
    let ran = bench.elevate(&["whoami"]).await;
    assert!(ran.exit == Exit::Ok && ran.out.starts_with('{'), "the file: {ran:?}");
    let ran = bench.elevate(&["whoami", "--output", "table"]).await;
    assert!(!ran.out.starts_with('{'), "a flag over the file");

    file("localhost:1");
    assert_eq!(bench.elevate(&["whoami"]).await.exit, Exit::Unreachable);
    bench.env.insert("ELEVATE_BROKER".to_owned(), real.clone());
    assert_eq!(bench.elevate(&["whoami"]).await.exit, Exit::Ok, "the environment over the file");
    bench.env.insert("ELEVATE_BROKER".to_owned(), "localhost:1".to_owned());
    assert_eq!(bench.elevate(&["whoami", "--broker", &real]).await.exit, Exit::Ok, "a flag over both");
    assert_eq!(
        bench.elevate(&["whoami", "--broker", &format!("https://{real}/")]).await.exit,
        Exit::Ok,
        "as pasted"
    );
}

#[tokio::test]
async fn login_keeps_what_else_the_file_says() {
    let bench = Bench::new().await;
    let folder = bench.folder.path().join("config");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "output = \"json\"\n").unwrap();
    assert_eq!(bench.elevate(&["login"]).await.exit, Exit::Ok);
    let text = std::fs::read_to_string(folder.join("config.toml")).unwrap();
    assert!(
        text.contains("output = \"json\"")
            && text.contains(&format!("broker = \"localhost:{}\"", bench.port))
    );
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_the_broker_asks_for_one() {
    let bench = Bench::signed_in().await;
    bench.broker.says("get_caller", &v1::Caller { principal: Some(ann()), ..v1::Caller::default() });
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(bench.certificates.ca.as_bytes()).unwrap()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let key = PrivateKeyDer::from_pem_slice(bench.certificates.key.as_bytes()).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(bench.certificates.chain.clone(), key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let broker = format!("localhost:{}", bench.broker.serve_tls(config).await);

    let file = |name: &str, text: String| {
        let path = bench.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let cert = file("me.pem", bench.certificates.leaf.clone());
    let key = file("me.key", bench.certificates.key.clone());
    let ran = bench.elevate(&["whoami", "--broker", &broker, "--cert", &cert, "--key", &key]).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    let ran = bench.elevate(&["whoami", "--broker", &broker]).await;
    assert_eq!(ran.exit, Exit::Unreachable, "{ran:?}");
    assert!(ran.err.contains("--cert FILE --key FILE"), "{ran:?}");
}
