//! A signed token in its compact form (RFC 7515), taken apart without leniency.
//!
//! Its claims can be had in one way only: by [`Token::open`], with a key that fits its signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::json::{Fault, Object};
use super::keys::Key;

/// The longest token. Entra's stay under 8 KiB with 200 groups in them.
pub(super) const TOKEN_MAX: usize = 16 * 1024;

/// The longest name of a key.
pub(super) const KID_MAX: usize = 128;

/// Header members that bring a key of the sender's own, point to one, or change what is signed or meant.
/// `crit` too: we understand no extension, so a critical one is a refusal (RFC 7515 section 4.1.11).
const REFUSED_MEMBERS: [&str; 9] = ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc", "cty"];

/// What a token is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Access,
    Id,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access token",
            Self::Id => "ID token",
        }
    }

    /// `at+jwt` is how RFC 9068 keeps an access token from passing for anything else.
    fn may_be(self, typ: &str) -> bool {
        typ == "JWT" || (self == Self::Access && typ == "at+jwt")
    }
}

/// How a token may be signed. Nothing else is ever looked at, "none" and the HMACs least of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
}

impl Algorithm {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }

    pub(super) const fn library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
        }
    }
}

/// A well-formed token whose signature nobody has looked at yet.
pub(super) struct Token<'t> {
    algorithm: Algorithm,
    kid: String,
    /// What was signed: header and payload as they came.
    signed: &'t str,
    signature: &'t str,
    payload: Vec<u8>,
}

impl<'t> Token<'t> {
    pub(super) fn read(text: &'t str, kind: Kind) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::refused("is missing"));
        }
        if text.len() > TOKEN_MAX {
            return Err(Fault::refused("is larger than 16 KiB"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or_else(not_compact)?;
        let (header, payload) = signed.split_once('.').ok_or_else(not_compact)?;
        // A second dot in the payload, as in an encrypted token, is no base64url.
        let header = Object::read(&strict(header)?).ok_or_else(not_compact)?;
        let payload = strict(payload)?;
        strict(signature)?;

        if let Some(name) = REFUSED_MEMBERS.iter().find(|name| header.has(name)) {
            return Err(Fault::refused(format!("has `{name}` in its header, which is never accepted")));
        }
        if header.text_if_any("typ")?.is_some_and(|typ| !kind.may_be(typ)) {
            return Err(Fault::refused("is of another type, by its header"));
        }
        let algorithm = Algorithm::named(header.text("alg")?)
            .ok_or_else(|| Fault::refused("is not signed with RS256, PS256 or ES256"))?;
        let kid = header.text("kid")?;
        if kid.len() > KID_MAX {
            return Err(Fault::wrong("kid", "a text of at most 128 bytes"));
        }
        Ok(Self { algorithm, kid: kid.to_owned(), signed, signature, payload })
    }

    /// The name of the key it says it was signed with. Only ever looked up in a map.
    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// Its claims, if `key` signed it.
    pub(super) fn open(self, key: &Key) -> Result<Object, Fault> {
        if !key.signs_with(self.algorithm) {
            return Err(Fault::refused("is signed with an algorithm that its key is not for"));
        }
        if !key.signed(self.algorithm, self.signed, self.signature) {
            return Err(Fault::refused("has a signature that does not fit"));
        }
        Object::read(&self.payload)
            .ok_or_else(|| Fault::refused("holds no JSON object, or two claims of one name"))
    }
}

fn not_compact() -> Fault {
    Fault::refused("is not three parts of base64url (a compact JWS)")
}

/// Without padding, white space, the other alphabet, or loose last bits; never empty.
fn strict(part: &str) -> Result<Vec<u8>, Fault> {
    match URL_SAFE_NO_PAD.decode(part) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(not_compact()),
    }
}
