//! A program signs in: client credentials, by a certificate or by a secret in a file.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PSS_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use uuid::Uuid;

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::login::identity::{Provider, Refused, Tokens};
use crate::login::session::Workload;
use crate::settings::read_named;
use crate::tls;

/// How long an assertion is good. It is used at once.
const ASSERTION_SECONDS: i64 = 300;
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Gets an access token for a program.
pub(crate) async fn tokens(
    provider: &Provider,
    workload: &Workload,
    scope: &str,
    now: Timestamp,
) -> Result<Tokens> {
    let answer = match workload {
        Workload::Secret { client_id, file } => {
            let bytes = zeroize::Zeroizing::new(read_named(file, "the secret in")?);
            let secret = std::str::from_utf8(&bytes)
                .map_err(|_| Failure::usage(format!("`{}` holds no text", file.display())))?
                .trim();
            let form = [
                ("grant_type", "client_credentials"),
                ("client_id", client_id),
                ("client_secret", secret),
                ("scope", scope),
            ];
            provider.token(&form).await
        }
        Workload::Certificate { client_id, certificate, key } => {
            let certificates = tls::certificates(certificate)?;
            let leaf = certificates.first().ok_or_else(|| Failure::usage("there is no certificate"))?;
            let assertion = assertion(leaf, &tls::private_key(key)?, client_id, provider.audience(), now)?;
            let form = [
                ("grant_type", "client_credentials"),
                ("client_id", client_id),
                ("client_assertion_type", JWT_BEARER),
                ("client_assertion", &assertion),
                ("scope", scope),
            ];
            provider.token(&form).await
        }
    };
    answer.map_err(|no| match no {
        Refused::Said { why, error } => {
            Failure::new(Exit::SignIn, "SIGN_IN_REFUSED", format!("the tenant refused this program: {why}"))
                .advice(format!("check its client id and credential ({error})"))
        }
        Refused::Lost(failure) => failure,
    })
}

/// The scope of a program's token: everything that the resource has granted it.
pub(crate) fn default_scope(scope: &str) -> Result<String> {
    scope
        .split_whitespace()
        .find_map(|scope| scope.rsplit_once('/').map(|(resource, _)| format!("{resource}/.default")))
        .ok_or_else(|| {
            Failure::usage("the broker does not say for which resource a program signs in")
                .advice("name it with `--scope`, for example `--scope api://elevate/.default`")
        })
}

/// RFC 7523, as Entra wants it: PS256, and the certificate named by its SHA-256.
fn assertion(
    certificate: &[u8],
    key: &PrivateKeyDer<'_>,
    client_id: &str,
    audience: &str,
    now: Timestamp,
) -> Result<String> {
    let unusable = || Failure::usage("the program's key is no RSA key that can sign PS256");
    let pair = match key {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        _ => return Err(unusable()),
    }
    .map_err(|_| unusable())?;
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header =
        json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": encode(digest(&SHA256, certificate).as_ref()) });
    let now = now.as_second();
    let claims = json!({
        "aud": audience, "iss": client_id, "sub": client_id, "jti": Uuid::new_v4().to_string(),
        "nbf": now, "iat": now, "exp": now + ASSERTION_SECONDS,
    });
    let signed =
        format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_| unusable())?;
    Ok(format!("{signed}.{}", encode(&signature)))
}
