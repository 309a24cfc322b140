//! Which certificates are trusted, and what to say when one is not.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, ClientConfig, ConfigBuilder, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::failure::{Failure, Result, cause};
use crate::settings::{Settings, read_named};

/// TLS 1.3 to the broker, trusting `--ca` if there is one and else what the operating system trusts.
pub(crate) fn for_broker(settings: &Settings) -> Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| Failure::unreachable(format!("TLS cannot be set up: {error}")))?;
    let builder: ConfigBuilder<ClientConfig, WantsClientCert> = match &settings.ca {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| {
                    Failure::usage(format!(
                        "`{}` holds a certificate that cannot be used: {error}",
                        path.display()
                    ))
                })?;
            }
            builder.with_root_certificates(roots)
        }
        None => builder.with_platform_verifier().map_err(|error| {
            Failure::unreachable(format!("the operating system's certificates cannot be read: {error}"))
                .advice("name the broker's own with `--ca FILE`")
        })?,
    };
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            builder.with_client_auth_cert(certificates(cert)?, private_key(key)?).map_err(|error| {
                Failure::usage(format!(
                    "certificate `{}` and its key do not go together: {error}",
                    cert.display()
                ))
            })?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// The certificates in a PEM file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = read_named(path, "the certificates in")?;
    let bad =
        |why: String| Failure::usage(format!("`{}` holds no usable certificate: {why}", path.display()));
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(certificates) if certificates.is_empty() => {
            Err(bad("it is no PEM file of certificates".to_owned()))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(bad(error.to_string())),
    }
}

/// The private key in a PEM file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let bytes = zeroize::Zeroizing::new(read_named(path, "the key in")?);
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|error| Failure::usage(format!("`{}` holds no usable private key: {error}", path.display())))
}

/// What failed in a handshake, and what to do about it.
pub(crate) fn in_plain_words(error: &io::Error) -> (String, &'static str) {
    let Some(error) = cause::<rustls::Error>(error) else {
        return (format!("it does not speak TLS ({error})"), "check the port: is it the broker's?");
    };
    told(error)
}

/// The same for what TLS itself says.
pub(crate) fn told(error: &rustls::Error) -> (String, &'static str) {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage, PeerIncompatible};
    match error {
        // A CA that was made anew under its old name shows as a bad signature.
        InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => (
            "its certificate is signed by nobody trusted here".to_owned(),
            "if the broker has a CA of its own, name it with `--ca FILE`; get the file from the people who run it",
        ),
        InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => (
            "its certificate has expired".to_owned(),
            "tell the people who run it; if your clock is wrong, set it",
        ),
        InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            ("its certificate is not valid yet".to_owned(), "is your clock right?")
        }
        InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            "its certificate is for another name".to_owned(),
            "use the name that the broker's certificate carries",
        ),
        InvalidCertificate(other) => {
            (format!("its certificate is not trusted: {other}"), "see `elevate doctor`")
        }
        AlertReceived(AlertDescription::CertificateRequired) => {
            ("it asks for a client certificate".to_owned(), "name yours with `--cert FILE --key FILE`")
        }
        AlertReceived(AlertDescription::ProtocolVersion) | PeerIncompatible(_) => (
            "it does not speak TLS 1.3".to_owned(),
            "check the port, and what stands between here and the broker",
        ),
        InvalidMessage(_) => ("it does not speak TLS".to_owned(), "check the port: is it the broker's?"),
        other => (format!("the secure connection failed: {other}"), "see `elevate doctor`"),
    }
}
