//! The one test that goes out: a real TLS server on loopback, with a certificate of its own.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::super::keys::source::{BODY_MAX, Web};
use super::*;
use crate::ports::clock::Mark;

/// A clock that only listens.
#[derive(Debug, Default)]
struct Ear(Mutex<Vec<Timestamp>>);

#[async_trait]
impl Clock for Ear {
    fn now(&self) -> Now {
        Now::exactly(at(0))
    }

    async fn sleep_until(&self, _: Timestamp) {}

    fn heard(&self, said: Timestamp, _: Mark) {
        self.0.lock().unwrap().push(said);
    }
}

/// Answers every request of a connection with what its path says; returns its address and certificate.
async fn serve() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = vec![0; 4096];
                let read = stream.read(&mut head).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                let answer = match head.split(' ').nth(1).unwrap_or_default() {
                    "/good" => {
                        "HTTP/1.1 200 OK\r\nDate: Fri, 10 Apr 2026 00:00:07 GMT\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}".to_owned()
                    }
                    "/largest" => large(BODY_MAX),
                    "/larger" => large(BODY_MAX + 1),
                    "/endless" => "HTTP/1.1 200 OK\r\n\r\n".to_owned() + &"x".repeat(4 * BODY_MAX),
                    "/elsewhere" => {
                        "HTTP/1.1 302 Found\r\nLocation: /good\r\nContent-Length: 0\r\n\r\n".to_owned()
                    }
                    _ => "HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        .to_owned(),
                };
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (address, made.cert.pem())
}

fn large(size: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n{}", "x".repeat(size))
}

#[tokio::test]
async fn one_document_is_read_over_tls_whole_bounded_and_from_where_it_was_asked() {
    let (address, certificate) = serve().await;
    let ear = Arc::new(Ear::default());
    let clock = || -> Arc<dyn Clock> { ear.clone() };
    let trusting = |redirects: reqwest::redirect::Policy| {
        let root = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([root]).redirect(redirects);
        Web::new(client.build().unwrap(), clock())
    };
    let read =
        async |web: &Web, path: &str| web.read(&Url::parse(&format!("{address}{path}")).unwrap()).await;

    let web = trusting(reqwest::redirect::Policy::none());
    assert_eq!(read(&web, "/good").await.unwrap(), b"{}");
    assert_eq!(*ear.0.lock().unwrap(), ["2026-04-10T00:00:07Z".parse().unwrap()], "the clock hears it");
    assert_eq!(read(&web, "/largest").await.unwrap().len(), BODY_MAX);
    for (path, reason) in [
        ("/larger", "larger than 256 KiB"),
        ("/endless", "larger than 256 KiB"),
        ("/elsewhere", "answered 302"),
        ("/broken", "answered 503"),
    ] {
        let fault = read(&web, path).await.unwrap_err().to_string();
        assert!(fault.contains(reason), "{path}: {fault}");
    }
    // Even a client that follows is not led away.
    let following = trusting(reqwest::redirect::Policy::default());
    assert!(read(&following, "/elsewhere").await.unwrap_err().to_string().contains("led elsewhere"));
    // And one that does not know the certificate reads nothing.
    let stranger = Web::new(reqwest::Client::new(), clock());
    let fault = read(&stranger, "/good").await.unwrap_err().to_string();
    assert!(fault.contains("certificate"), "{fault}");
}
