//! TLS 1.3 by rustls: what the broker serves with, and what it trusts when it calls out.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What the server serves with. Refuses everything older than TLS 1.3.
///
/// With `client_ca`, callers must also show a certificate that chains to it; their token still says
/// who they are.
///
/// # Errors
/// A file cannot be read or is not what it should be.
pub fn server(
    certificate: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) -> anyhow::Result<rustls::ServerConfig> {
    let chain = certificates(certificate)?;
    let private = private_key(key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .context("TLS 1.3 is not to be had")?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots
                    .add(certificate)
                    .with_context(|| format!("{} holds an unusable certificate", file.display()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .with_context(|| format!("{} cannot be used to check client certificates", file.display()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, private).with_context(|| {
        format!("the certificate {} and the key {} do not go together", certificate.display(), key.display())
    })?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// The client for the login service and for Graph: HTTPS only, no redirects, no proxy from the
/// environment, every wait bounded. With `ca`, exactly those roots are trusted; else the system's.
///
/// # Errors
/// The file cannot be read or is not what it should be.
pub fn outward(ca: Option<&Path>) -> anyhow::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(30))
        .pool_idle_timeout(Duration::from_secs(60))
        .user_agent(concat!("elevated/", env!("CARGO_PKG_VERSION")));
    if let Some(file) = ca {
        let pem = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let roots = reqwest::Certificate::from_pem_bundle(&pem)
            .with_context(|| format!("{} holds no usable certificates in PEM", file.display()))?;
        builder = builder.tls_certs_only(roots);
    }
    builder.build().context("the HTTPS client cannot be set up")
}

/// The client for what this very host says without encryption: no redirects, and no proxy from the
/// environment, which would be told who the broker is.
///
/// # Errors
/// It cannot be set up.
pub fn within_host() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_secs(30))
        .user_agent(concat!("elevated/", env!("CARGO_PKG_VERSION")))
        .build()
        .context("the client for this host cannot be set up")
}

/// When the first certificate in this file is good no more.
///
/// # Errors
/// The file cannot be read or holds no certificate.
pub fn good_until(file: &Path) -> anyhow::Result<Timestamp> {
    let chain = certificates(file)?;
    let first = chain.first().ok_or_else(|| anyhow!("{} holds no certificate", file.display()))?;
    let (_, parsed) = x509_parser::parse_x509_certificate(first)
        .with_context(|| format!("{} holds a certificate that cannot be read", file.display()))?;
    Timestamp::from_second(parsed.validity().not_after.timestamp())
        .with_context(|| format!("{} holds a certificate with an impossible end", file.display()))
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(file)
        .with_context(|| format!("{} cannot be read", file.display()))?
        .collect::<Result<_, _>>()
        .with_context(|| format!("{} is not PEM", file.display()))?;
    if chain.is_empty() {
        return Err(anyhow!("{} holds no certificate in PEM", file.display()));
    }
    Ok(chain)
}

fn private_key(file: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(file)
        .with_context(|| format!("{} holds no private key in PEM", file.display()))
}

#[cfg(test)]
mod tests;
