//! Client assertions: a JWT, signed with the key of a certificate that is registered on the application, or a token of
//! another issuer.

use aws_lc_rs::{
    digest,
    signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::Value;
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use super::{error::LoginError, federation};
use crate::{
    people::{self, App},
    world::World,
};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// What Entra grants clocks to differ by.
const SKEW_SECONDS: i64 = 300;

pub(super) fn check(
    world: &World,
    app: &App,
    assertion_type: Option<&str>,
    assertion: &str,
) -> Result<(), LoginError> {
    if assertion_type != Some(TYPE) {
        let message =
            "The value of 'client_assertion_type' is not valid; expected the JWT bearer assertion type.";
        return Err(LoginError::new(900_144, "invalid_request", message));
    }
    let malformed = || refused(50027, "JWT token is invalid or malformed.");
    let (message, signature) = assertion.rsplit_once('.').ok_or_else(malformed)?;
    let (header, claims) = message.split_once('.').ok_or_else(malformed)?;
    let header = json(header).ok_or_else(malformed)?;
    let claims = json(claims).ok_or_else(malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
    if federation::is_outer(&claims, app) {
        return federation::check(world, app, &claims, message.as_bytes(), &signature);
    }
    check_signature(world, app, &header, message.as_bytes(), &signature)?;
    check_claims(world, app, &claims)
}

fn check_signature(
    world: &World,
    app: &App,
    header: &Value,
    message: &[u8],
    signature: &[u8],
) -> Result<(), LoginError> {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    if text("alg") != Some("PS256") {
        return Err(refused(5_002_738, "Invalid JWT token. 'alg' must be 'PS256'."));
    }
    let unknown = || {
        let id = app.client_id;
        refused(
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application '{id}'."
            ),
        )
    };
    let registered = world.files.credential.as_ref();
    let thumbprint = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, registered));
    if *app != people::BROKER || text("x5t#S256") != Some(thumbprint.as_str()) {
        return Err(unknown());
    }
    let (_, certificate) = X509Certificate::from_der(registered).map_err(|_| unknown())?;
    let key =
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &certificate.public_key().subject_public_key.data);
    key.verify(message, signature)
        .map_err(|_| refused(700_027, "Client assertion contains an invalid signature."))
}

fn check_claims(world: &World, app: &App, claims: &Value) -> Result<(), LoginError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let second = |name: &str| claims.get(name).and_then(Value::as_i64);
    if text("iss") != Some(app.client_id) || text("sub") != Some(app.client_id) {
        return Err(refused(
            700_021,
            "Client assertion application identifier doesn't match 'client_id' parameter.",
        ));
    }
    let audiences = [world.token_endpoint(), world.issuer()];
    if !text("aud").is_some_and(|aud| audiences.iter().any(|each| each == aud)) {
        return Err(refused(700_023, "Client assertion audience claim does not match Realm issuer."));
    }
    let now = world.clock.now();
    let (Some(nbf), Some(exp)) = (second("nbf"), second("exp")) else {
        return Err(refused(50027, "JWT token is invalid or malformed: 'nbf' and 'exp' are required."));
    };
    if nbf > now.as_second() + SKEW_SECONDS || exp < now.as_second() - SKEW_SECONDS {
        return Err(refused(700_024, "Client assertion is not within its valid time range."));
    }
    let until = Timestamp::from_second(exp.saturating_add(SKEW_SECONDS)).unwrap_or(Timestamp::MAX);
    match text("jti") {
        None | Some("") => Err(refused(50027, "JWT token is invalid or malformed: 'jti' is required.")),
        Some(jti) if world.sign_ins.first_use(app.client_id, jti, until, now) => Ok(()),
        Some(_) => Err(refused(50027, "JWT token is invalid: the assertion was used before.")),
    }
}

fn refused(number: u32, message: impl Into<String>) -> LoginError {
    LoginError::new(number, "invalid_client", message)
}

fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
