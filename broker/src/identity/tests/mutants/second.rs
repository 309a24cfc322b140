//! A second verifier, to be asked what it thinks of the first: written from RFC 7515, 7517 and 7518 and from what
//! Entra says of its claims, not from the code beside it. It shares neither base64, nor JSON reading, nor
//! cryptography with that (`data-encoding`, plain maps, `ring`), and nothing of this file may be called there.
//!
//! It is the lenient reader that others might be: unknown members of a header are passed over, the last of two
//! claims counts, and null is as good as absent where a claim may be absent.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::Value;

/// What the second verifier goes by.
pub(super) struct Second {
    pub(super) keys: Vec<Value>,
    pub(super) issuer: String,
    pub(super) tenant: &'static str,
    pub(super) broker: &'static str,
    pub(super) client: &'static str,
    pub(super) now: u64,
}

/// What a proof is wanted for.
pub(super) struct Sought {
    pub(super) person: &'static str,
    pub(super) nonce: String,
    pub(super) made: u64,
}

/// Whose token it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) object: String,
    pub(super) is_program: bool,
    pub(super) roles: Vec<String>,
}

type Claims = BTreeMap<String, Value>;

/// `None`: refused.
type Verdict<T> = Option<T>;

impl Second {
    pub(super) fn caller(&self, token: &str) -> Verdict<Who> {
        let claims = self.claims(token)?;
        self.common(&claims, self.broker)?;
        must(!["nonce", "at_hash", "c_hash"].iter().any(|name| claims.contains_key(*name)))?;
        let object = text(&claims, "oid")?.to_lowercase();
        let roles: Vec<String> = match claims.get("roles") {
            None | Some(Value::Null) => Vec::new(),
            Some(roles) => roles.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        };
        let mut roles: Vec<_> = roles.into_iter().filter_map(|role| known(&role)).collect();
        roles.sort();
        roles.dedup();
        let idtyp = claims.get("idtyp").and_then(Value::as_str);
        if let Some(scopes) = claims.get("scp") {
            must(scopes.as_str()?.split(' ').any(|scope| scope == "access_as_user"))?;
            must(text(&claims, "azp")? == self.client && idtyp != Some("app"))?;
            return Some(Who { object, is_program: false, roles });
        }
        let subject_is_object =
            claims.get("sub").and_then(Value::as_str).is_some_and(|sub| sub.to_lowercase() == object);
        must(idtyp == Some("app") || (idtyp.is_none() && subject_is_object))?;
        text(&claims, "azp")?;
        must(!roles.is_empty())?;
        Some(Who { object, is_program: true, roles })
    }

    /// The id of the token.
    pub(super) fn proof(&self, token: &str, sought: &Sought) -> Verdict<String> {
        let claims = self.claims(token)?;
        self.common(&claims, self.client)?;
        must(!["scp", "idtyp", "appid"].iter().any(|name| claims.contains_key(*name)))?;
        must(claims.get("azp").is_none_or(|azp| azp.as_str() == Some(self.client)))?;
        must(text(&claims, "oid")?.eq_ignore_ascii_case(sought.person))?;
        must(text(&claims, "nonce")? == sought.nonce)?;
        // Entra dates a token five minutes back, and five seconds are for its clock.
        must(number(&claims, "iat")? + 305 >= sought.made)?;
        let signed_in = number(&claims, "auth_time")?;
        must(signed_in <= self.now + 5 && self.now.saturating_sub(signed_in) <= 300)?;
        let methods = claims.get("amr")?.as_array()?;
        must(methods.iter().any(|method| method.as_str() == Some("mfa")))?;
        let contexts = claims.get("acrs")?.as_array()?;
        must(contexts.iter().any(|context| context.as_str() == Some("c1")))?;
        text(&claims, "uti").map(str::to_owned)
    }

    fn common(&self, claims: &Claims, audience: &str) -> Verdict<()> {
        must(text(claims, "iss")? == self.issuer && text(claims, "aud")? == audience)?;
        must(text(claims, "tid")?.eq_ignore_ascii_case(self.tenant))?;
        must(claims.get("ver").is_none_or(|version| version.as_str() == Some("2.0")))?;
        let object = text(claims, "oid")?;
        let hyphens: Vec<_> = object.match_indices('-').map(|(at, _)| at).collect();
        let digits = object.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
        must(object.len() == 36 && hyphens == [8, 13, 18, 23] && digits)?;
        must(!text(claims, "uti")?.is_empty())?;
        must(self.now < number(claims, "exp")?)?;
        must(number(claims, "iat")? <= self.now + 5)?;
        match claims.get("nbf") {
            None | Some(Value::Null) => Some(()),
            Some(begins) => must(begins.as_u64()? <= self.now + 5),
        }
    }

    /// The claims of a compact JWS that a published key signed.
    fn claims(&self, token: &str) -> Verdict<Claims> {
        let parts: Vec<_> = token.split('.').collect();
        let &[header, payload, signature] = parts.as_slice() else { return None };
        let head: Claims = serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).ok()?).ok()?;
        let algorithm = text(&head, "alg")?;
        let name = text(&head, "kid")?;
        let named: Vec<_> = self.keys.iter().filter(|key| key["kid"] == name).collect();
        let &[key] = named.as_slice() else { return None };
        must(key.get("alg").is_none_or(|only| only == algorithm))?;
        let signed = token.rsplit_once('.')?.0.as_bytes();
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        let part = |name: &str| BASE64URL_NOPAD.decode(key[name].as_str()?.as_bytes()).ok();
        let holds = match (key["kty"].as_str()?, algorithm) {
            ("RSA", "RS256") => RsaPublicKeyComponents { n: part("n")?, e: part("e")? }
                .verify(&RSA_PKCS1_2048_8192_SHA256, signed, &signature)
                .is_ok(),
            ("RSA", "PS256") => RsaPublicKeyComponents { n: part("n")?, e: part("e")? }
                .verify(&RSA_PSS_2048_8192_SHA256, signed, &signature)
                .is_ok(),
            ("EC", "ES256") => {
                let point = [vec![4], part("x")?, part("y")?].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, &signature).is_ok()
            }
            _ => false,
        };
        must(holds)?;
        serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?).ok()
    }
}

fn must(holds: bool) -> Verdict<()> {
    holds.then_some(())
}

fn text<'c>(claims: &'c Claims, name: &str) -> Verdict<&'c str> {
    claims.get(name)?.as_str()
}

fn number(claims: &Claims, name: &str) -> Verdict<u64> {
    claims.get(name)?.as_u64()
}

fn known(role: &str) -> Option<String> {
    let word = match role {
        "Elevate.PolicyAdmin" => "policy-admin",
        "Elevate.Auditor" => "auditor",
        "Elevate.Revoker" => "revoker",
        _ => return None,
    };
    Some(word.to_owned())
}
