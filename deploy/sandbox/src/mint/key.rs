//! Signing keys, and the ways of signing, honest or not.

use std::sync::Arc;

use anyhow::{Context, Result};
use aws_lc_rs::{
    encoding::AsDer,
    hmac, rand,
    rsa::{KeyPair, KeySize},
    signature::{
        KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
        UnparsedPublicKey,
    },
};
use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::{Value, json};

/// An RSA key with a name.
#[derive(Clone, Debug)]
pub struct Key {
    kid: String,
    pair: Arc<KeyPair>,
    /// Modulus and exponent, in base64url.
    public: (String, String),
}

impl Key {
    /// A new key under a new name.
    pub fn fresh() -> Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).context("cannot generate an RSA key")?;
        Self::of(super::unique(), pair)
    }

    /// The key of a PKCS#8 PEM file, such as `broker-credential.key`.
    pub fn from_pem(kid: &str, pem: &str) -> Result<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).context("no PKCS#8 key in PEM form")?;
        Self::of(kid.to_owned(), KeyPair::from_pkcs8(der.secret_pkcs8_der()).context("no RSA key")?)
    }

    /// The same key under another name.
    #[must_use]
    pub fn named(&self, kid: &str) -> Self {
        Self { kid: kid.to_owned(), ..self.clone() }
    }

    /// Its name (`kid`).
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The header of a token that it signs as the login service does.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({ "typ": "JWT", "alg": "RS256", "kid": self.kid })
    }

    pub(crate) fn jwk(&self, issuer: &str) -> Value {
        let (n, e) = &self.public;
        json!({ "kty": "RSA", "use": "sig", "kid": self.kid, "x5t": self.kid, "n": n, "e": e, "issuer": issuer })
    }

    /// Whether it made this signature, RSA with PKCS#1 padding.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key().as_ref());
        public.verify(message, signature).is_ok()
    }

    fn of(kid: String, pair: KeyPair) -> Result<Self> {
        let der =
            AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).context("cannot export a key")?;
        let pem = rcgen::KeyPair::try_from(der.as_ref()).context("cannot read a key back")?.serialize_pem();
        let jwk = Jwk::from_encoding_key(&EncodingKey::from_rsa_pem(pem.as_bytes())?, Algorithm::RS256)?;
        let jwk = serde_json::to_value(jwk)?;
        let part = |name: &str| jwk.get(name).and_then(Value::as_str).map(str::to_owned);
        let public = part("n").zip(part("e")).context("the key has no modulus")?;
        Ok(Self { kid, pair: Arc::new(pair), public })
    }

    fn sign(&self, how: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        match self.pair.sign(how, &rand::SystemRandom::new(), message, &mut signature) {
            Ok(()) => signature,
            // It cannot happen with a buffer of that size; an empty signature convinces nobody.
            Err(_) => Vec::new(),
        }
    }
}

/// A way of signing a token.
#[derive(Clone, Debug)]
pub enum Signature {
    /// RSA with PKCS#1 padding, as the login service signs.
    Rs256(Key),
    /// RSA with PSS padding, as client assertions are signed.
    Ps256(Key),
    /// A shared secret: with the public key for the secret, the classic forgery.
    Hs256(Vec<u8>),
    /// These bytes, whatever they are; none for `alg: none`.
    Bytes(Vec<u8>),
}

impl Signature {
    pub(super) fn over(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rs256(key) => key.sign(&RSA_PKCS1_SHA256, message),
            Self::Ps256(key) => key.sign(&RSA_PSS_SHA256, message),
            Self::Hs256(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
            }
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}
