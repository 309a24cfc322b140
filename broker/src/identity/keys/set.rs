//! A published set of signing keys (RFC 7517), and which of them are usable.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;

use super::super::json::{Fault, Object};
use super::super::token::{Algorithm, KID_MAX};
use super::{KeyFault, Place};

/// The most keys in one set. Entra publishes fewer than ten.
const KEYS_MAX: usize = 64;

/// The sizes of RSA keys, in bits: fewer are weak, more are a burden somebody put on us.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The smallest exponent (NIST SP 800-56B section 6.2), and the most bytes of one.
const EXPONENT_MIN: u64 = 65_537;
const EXPONENT_BYTES: usize = 5;

/// The bytes of a coordinate on P-256.
const COORDINATE: usize = 32;

/// A key that tokens are signed with.
pub(in crate::identity) struct Key {
    shape: Shape,
    /// The one algorithm it is for, if it says so.
    only: Option<Algorithm>,
    public: DecodingKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Rsa,
    P256,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("shape", &self.shape).field("only", &self.only).finish_non_exhaustive()
    }
}

impl Key {
    /// Whether it is for this algorithm, by its shape and by its own word.
    pub(in crate::identity) fn signs_with(&self, algorithm: Algorithm) -> bool {
        let fits = match self.shape {
            Shape::Rsa => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Shape::P256 => matches!(algorithm, Algorithm::Es256),
        };
        fits && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether it made this signature.
    pub(in crate::identity) fn signed(&self, algorithm: Algorithm, text: &str, signature: &str) -> bool {
        self.signs_with(algorithm)
            && jsonwebtoken::crypto::verify(signature, text.as_bytes(), &self.public, algorithm.library())
                .unwrap_or(false)
    }
}

/// The usable keys of a set, and why the others are not.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: BTreeMap<String, Arc<Key>>,
    pub(super) ignored: Vec<String>,
}

impl KeySet {
    /// A set without one usable key is refused: better the last good one, for a day.
    pub(super) fn read(body: &[u8], place: &Place) -> Result<Self, KeyFault> {
        let document = Object::read(body).ok_or_else(|| KeyFault::new("the key set is not a JSON object"))?;
        let published = document
            .into_objects("keys", KEYS_MAX)
            .map_err(|fault| KeyFault::new(format!("the key set {fault}")))?;
        let mut keys: BTreeMap<String, Option<Arc<Key>>> = BTreeMap::new();
        let mut ignored = Vec::new();
        for key in &published {
            match usable(key, place) {
                // Which of two keys of one name is meant cannot be known, so neither is.
                Ok((kid, key)) => {
                    keys.entry(kid).and_modify(|twice| *twice = None).or_insert_with(|| Some(Arc::new(key)));
                }
                Err(fault) => ignored.push(format!("a key {fault}")),
            }
        }
        let twice = keys.values().filter(|key| key.is_none()).count();
        ignored.extend((0..twice).map(|_| "a key has a `kid` that another key has too".to_owned()));
        let keys: BTreeMap<_, _> = keys.into_iter().filter_map(|(kid, key)| Some((kid, key?))).collect();
        if keys.is_empty() {
            return Err(KeyFault::new("the key set holds no usable key"));
        }
        Ok(Self { keys, ignored })
    }

    pub(super) fn get(&self, kid: &str) -> Option<Arc<Key>> {
        self.keys.get(kid).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

fn usable(key: &Object, place: &Place) -> Result<(String, Key), Fault> {
    let kid = key.text("kid")?;
    if kid.len() > KID_MAX {
        return Err(Fault::wrong("kid", "a text of at most 128 bytes"));
    }
    if key.text_if_any("use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(Fault::refused("is not for signatures (`use`)"));
    }
    if key.texts_if_any("key_ops", 16, 64)?.is_some_and(|uses| !uses.contains(&"verify")) {
        return Err(Fault::refused("is not for verifying (`key_ops`)"));
    }
    if key.text_if_any("issuer")?.is_some_and(|issuer| !place.is_issuer(issuer)) {
        return Err(Fault::refused("is another issuer's (`issuer`)"));
    }
    let only = match key.text_if_any("alg")? {
        None => None,
        Some(name) => {
            Some(Algorithm::named(name).ok_or_else(|| Fault::wrong("alg", "RS256, PS256 or ES256"))?)
        }
    };
    let (shape, public) = match key.text("kty")? {
        "RSA" => (Shape::Rsa, rsa(key)?),
        "EC" => (Shape::P256, p256(key)?),
        // A symmetric one above all: it would let its readers sign.
        _ => return Err(Fault::wrong("kty", "`RSA` or `EC`")),
    };
    let key = Key { shape, only, public };
    match only.is_none_or(|only| key.signs_with(only)) {
        true => Ok((kid.to_owned(), key)),
        false => Err(Fault::wrong("alg", "one for its `kty`")),
    }
}

fn rsa(key: &Object) -> Result<DecodingKey, Fault> {
    let modulus = bytes(key, "n")?;
    let leading = modulus.first().map_or(8, |byte| byte.leading_zeros()) as usize;
    let bits = (modulus.len() * 8).saturating_sub(leading);
    if leading == 8 || !RSA_BITS.contains(&bits) {
        return Err(Fault::wrong("n", "of 2048 to 8192 bits"));
    }
    let exponent = bytes(key, "e")?;
    let value = exponent.iter().fold(0, |value: u64, byte| (value << 8) | u64::from(*byte));
    if exponent.len() > EXPONENT_BYTES || value < EXPONENT_MIN || value % 2 == 0 {
        return Err(Fault::wrong("e", "a sound exponent"));
    }
    Ok(DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}

fn p256(key: &Object) -> Result<DecodingKey, Fault> {
    if key.text("crv")? != "P-256" {
        return Err(Fault::wrong("crv", "`P-256`"));
    }
    let (x, y) = (bytes(key, "x")?, bytes(key, "y")?);
    if x.len() != COORDINATE || y.len() != COORDINATE {
        return Err(Fault::refused("has no point of P-256 (`x`, `y`)"));
    }
    // An uncompressed point (SEC 1 section 2.3.3); whether it is on the curve is seen when it is used.
    Ok(DecodingKey::from_ec_der(&[[4].as_slice(), &x, &y].concat()))
}

fn bytes(key: &Object, name: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(key.text(name)?).map_err(|_| Fault::wrong(name, "base64url"))
}
