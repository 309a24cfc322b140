//! A certificate that signs an assertion (RFC 7523) as Entra wants it: PS256, named by `x5t#S256`, to the
//! token endpoint and for five minutes
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>). The key never leaves
//! the broker.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use elevate_core::due::Now;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// How long an assertion is good. Entra sets no maximum, and asks for five to ten minutes.
const ASSERTION_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// A certificate and the RSA key that belongs to it.
pub struct Certificate {
    thumbprint: String,
    not_after: Timestamp,
    key: EncodingKey,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("thumbprint", &self.thumbprint)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// Why a credential cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Not a certificate.
    #[error("the certificate cannot be read; it must be one X.509 certificate in PEM form")]
    Certificate,
    /// Not a private key, or of another kind.
    #[error("the private key cannot be read; it must be an RSA key in PEM form, without a passphrase")]
    Key,
    /// Two that do not go together.
    #[error("the private key is not the certificate's; put the key here that the certificate was made from")]
    Mismatch,
}

impl Certificate {
    /// From their PEM texts.
    ///
    /// # Errors
    /// One cannot be read, or they do not go together.
    pub fn from_pem(certificate: &str, key: &SecretString) -> Result<Self, CredentialError> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|_| CredentialError::Certificate)?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| CredentialError::Certificate)?;
        let not_after = Timestamp::from_second(parsed.validity().not_after.timestamp())
            .map_err(|_| CredentialError::Certificate)?;
        let Ok(PublicKey::RSA(public)) = parsed.public_key().parsed() else {
            return Err(CredentialError::Certificate);
        };
        // ASN.1 puts a zero before a number that would else read as negative.
        let modulus = public.modulus.strip_prefix(&[0]).unwrap_or(public.modulus);
        let public = DecodingKey::from_rsa_raw_components(modulus, public.exponent);
        let key =
            EncodingKey::from_rsa_pem(key.expose_secret().as_bytes()).map_err(|_| CredentialError::Key)?;
        let probe = b"elevate";
        let signed =
            jsonwebtoken::crypto::sign(probe, &key, Algorithm::PS256).map_err(|_| CredentialError::Key)?;
        match jsonwebtoken::crypto::verify(&signed, probe, &public, Algorithm::PS256) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(CredentialError::Mismatch),
        }
        Ok(Self { thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(&der)), not_after, key })
    }

    /// SHA-256 of the certificate, base64url: `x5t#S256`.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// When it ends.
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// One assertion, for one use.
    pub(super) fn assertion(&self, client_id: Uuid, endpoint: &Url, now: Now) -> Option<SecretString> {
        let mut header = Header::new(Algorithm::PS256);
        header.x5t_s256 = Some(self.thumbprint.clone());
        let client_id = client_id.to_string();
        let claims = Claims {
            aud: endpoint.as_str(),
            iss: &client_id,
            sub: &client_id,
            jti: Uuid::new_v4().to_string(),
            // A clock that is not sure gives an assertion that is good either way.
            nbf: now.earliest().as_second(),
            iat: now.earliest().as_second(),
            exp: now.latest().checked_add(ASSERTION_LIFE).ok()?.as_second(),
        };
        jsonwebtoken::encode(&header, &claims, &self.key).ok().map(SecretString::from)
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}
