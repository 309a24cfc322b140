//! The rules of a proof: the ID token of a fresh sign-in, made for one request.

use elevate_core::activation::ProofShown;
use elevate_core::due::Now;
use elevate_core::policy::{Bound, ProofRule, Strength};
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq as _;

use super::challenge::{Seal, nonce};
use super::claims::{LEEWAY, is_to_come, vouched};
use super::json::{Fault, Object};
use super::settings::Settings;
use super::token::Kind;
use crate::ports::verifier::{TokenRefusal, Wanted};

/// The most methods (`amr`) or contexts (`acrs`) in one token, and the longest of them in bytes.
const LIST_MAX: usize = 32;
const ITEM_MAX: usize = 64;

/// The longest nonce kept; ours have 43 characters.
const NONCE_MAX: usize = 256;

/// Entra writes an `iat` five minutes before the true one, so that clocks that are behind do not mind.
const BACKDATED: SignedDuration = SignedDuration::from_mins(5);

/// What of the ID token goes on record, if it proves what is wanted.
pub(super) fn shown(
    claims: &Object,
    wanted: &Wanted<'_>,
    settings: &Settings,
    seal: &Seal,
    now: Now,
) -> Result<ProofShown, TokenRefusal> {
    let vouched = vouched(claims, &settings.proof_client, settings, now).map_err(not_a_proof)?;
    is_an_id_token(claims, settings).map_err(not_a_proof)?;
    if vouched.principal != wanted.caller {
        return Err(TokenRefusal::Foreign);
    }
    let nonce = claims.text_if_any("nonce").map_err(not_a_proof)?;
    if nonce.is_some_and(|nonce| nonce.len() > NONCE_MAX) {
        return Err(not_a_proof(Fault::wrong("nonce", "a text of at most 256 bytes")));
    }
    match wanted.rule.bound {
        Bound::Nonce => bound(nonce, vouched.issued_at, wanted, seal, now)?,
        Bound::Loose => {}
    }
    let signed_in_at = fresh(claims, wanted.rule.freshness, settings, now)?;
    let (methods, contexts) = strong(claims, wanted.rule, settings)?;
    // A refreshed session gives new tokens of one sign-in, each with an id of its own and no nonce: where
    // nothing binds the token, it is the sign-in that counts once.
    let mark = match wanted.rule.bound {
        Bound::Nonce => nonce.unwrap_or_default().to_owned(),
        Bound::Loose => format!("sign-in of {} at {}", vouched.principal, signed_in_at.as_second()),
    };
    Ok(ProofShown { token: vouched.token_id, nonce: mark, signed_in_at, methods, contexts })
}

/// An access token proves nothing about a sign-in, even one that names the same client.
fn is_an_id_token(claims: &Object, settings: &Settings) -> Result<(), Fault> {
    if ["scp", "idtyp", "appid"].iter().any(|name| claims.has(name)) {
        return Err(Fault::refused("is an access token"));
    }
    match claims.text_if_any("azp")? {
        Some(client) if client != settings.proof_client => {
            Err(Fault::refused("was issued to another client (`azp`)"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Made for this challenge, which was made for this request.
fn bound(
    shown: Option<&str>,
    issued_at: Timestamp,
    wanted: &Wanted<'_>,
    seal: &Seal,
    now: Now,
) -> Result<(), TokenRefusal> {
    let unbound = |why: &str| TokenRefusal::Unbound { why: why.to_owned() };
    let made = seal.open(wanted, now).map_err(|fault| unbound(&fault.to_string()))?;
    let shown = shown.ok_or_else(|| unbound("the ID token has no `nonce`"))?;
    let computed = nonce(wanted.challenge, wanted.digest, wanted.action);
    if !bool::from(shown.as_bytes().ct_eq(computed.as_bytes())) {
        return Err(unbound("the `nonce` of the ID token is not the one for it"));
    }
    // The nonce holds our seal, so it cannot be older; a token that says so is not to be trusted.
    let oldest = made.saturating_sub(BACKDATED).and_then(|at| at.saturating_sub(LEEWAY)).unwrap_or(made);
    if issued_at < oldest {
        return Err(unbound("the ID token was issued before the challenge was made"));
    }
    Ok(())
}

/// When the person signed in: not when the token was issued, which a kept session does alone.
fn fresh(
    claims: &Object,
    allowed: SignedDuration,
    settings: &Settings,
    now: Now,
) -> Result<Timestamp, TokenRefusal> {
    let Some(at) = claims.moment_if_any("auth_time").map_err(not_a_proof)? else {
        return Err(not_a_proof(not_opted_in("auth_time", settings)));
    };
    if is_to_come(at, now) {
        return Err(not_a_proof(Fault::refused("is of a sign-in in the future (`auth_time`)")));
    }
    if now.latest().duration_since(at) > allowed {
        return Err(TokenRefusal::Stale { allowed: format!("{allowed:#}") });
    }
    Ok(at)
}

/// Returns the methods and the contexts of the sign-in.
fn strong(
    claims: &Object,
    rule: &ProofRule,
    settings: &Settings,
) -> Result<(Vec<String>, Vec<String>), TokenRefusal> {
    let methods = claims.texts_if_any("amr", LIST_MAX, ITEM_MAX).map_err(not_a_proof)?;
    let methods = methods.ok_or_else(|| not_a_proof(not_opted_in("amr", settings)))?;
    let used = |method: &str| methods.contains(&method);
    let (satisfied, wanted) = match rule.strength {
        Strength::Mfa => (used("mfa"), "use a second factor"),
        Strength::PhishingResistant => (
            used("fido") || (used("hwk") && used("mfa")),
            "use a passkey, a FIDO2 key, Windows Hello or a certificate on a device",
        ),
    };
    if !satisfied {
        return Err(TokenRefusal::Weak { wanted: wanted.to_owned() });
    }
    let contexts = claims.texts_if_any("acrs", LIST_MAX, ITEM_MAX).map_err(not_a_proof)?;
    if let Some(context) = rule.context.as_ref().map(|context| context.as_str()) {
        let missing = match &contexts {
            Some(met) if met.contains(&context) => None,
            Some(_) => Some(format!("authentication context `{context}` was not satisfied")),
            // Entra leaves the claim out when no context was asked for, too.
            None => Some(format!(
                "authentication context `{context}` was not satisfied, or {}",
                not_opted_in("acrs", settings)
            )),
        };
        if let Some(wanted) = missing {
            return Err(TokenRefusal::Weak { wanted });
        }
    }
    let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
    Ok((owned(methods), owned(contexts.unwrap_or_default())))
}

fn not_opted_in(claim: &str, settings: &Settings) -> Fault {
    Fault::refused(format!(
        "has no `{claim}`: the registration `{}` does not ask for it (an administrator adds `{claim}` to the \
         optional claims of its ID tokens)",
        settings.proof_client
    ))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn not_a_proof(fault: Fault) -> TokenRefusal {
    TokenRefusal::NotAProof(format!("the {} {fault}", Kind::Id.as_str()))
}
