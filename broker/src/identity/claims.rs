//! What an access token and an ID token have in common: by whom, for whom, about whom, and when.

use elevate_core::due::Now;
use elevate_core::names::{ObjectId, Principal, TenantId};
use jiff::{SignedDuration, Timestamp};

use super::json::{Fault, Object};
use super::settings::Settings;

/// How far the issuer's clock may be ahead of ours. Only for beginnings: an end is an end.
pub(super) const LEEWAY: SignedDuration = SignedDuration::from_secs(5);

/// The longest token id. Entra's are 22 characters.
const TOKEN_ID_MAX: usize = 128;

/// What holds of every token that counts.
pub(super) struct Vouched {
    pub(super) principal: Principal,
    pub(super) token_id: String,
    pub(super) issued_at: Timestamp,
}

/// Checks everything that both kinds of token must show.
pub(super) fn vouched(
    claims: &Object,
    audience: &str,
    settings: &Settings,
    now: Now,
) -> Result<Vouched, Fault> {
    let issuer = claims.text("iss")?;
    if issuer != settings.issuer {
        return Err(Fault::refused(another_issuer(issuer, settings)));
    }
    if claims.text("aud")? != audience {
        return Err(Fault::refused(format!("is for another application than `{audience}` (`aud`)")));
    }
    if claims.text_if_any("ver")?.is_some_and(|version| version != "2.0") {
        return Err(Fault::refused("is not of version 2.0 (`ver`)"));
    }
    let principal = principal(claims, settings)?;
    let token_id = claims.text(&settings.claims.token_id)?;
    if token_id.len() > TOKEN_ID_MAX || !token_id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Fault::wrong(&settings.claims.token_id, "a token id"));
    }
    let issued_at = in_its_time(claims, now)?;
    Ok(Vouched { principal, token_id: token_id.to_owned(), issued_at })
}

/// Whether `moment` may be later than now, leeway or not. The bound that denies is the earliest.
pub(super) fn is_to_come(moment: Timestamp, now: Now) -> bool {
    now.earliest().saturating_add(LEEWAY).is_ok_and(|latest_allowed| moment > latest_allowed)
}

fn principal(claims: &Object, settings: &Settings) -> Result<Principal, Fault> {
    let name = &settings.claims.tenant;
    let tenant: TenantId = claims.text(name)?.parse().map_err(|_| Fault::wrong(name, "a GUID"))?;
    if tenant != settings.tenant {
        return Err(Fault::refused(format!("is of another tenant (`{name}`)")));
    }
    let name = &settings.claims.object;
    let object: ObjectId = claims.text(name)?.parse().map_err(|_| Fault::wrong(name, "a GUID"))?;
    Ok(Principal { tenant, object })
}

/// Returns when it was issued.
fn in_its_time(claims: &Object, now: Now) -> Result<Timestamp, Fault> {
    if now.latest() >= claims.moment("exp")? {
        return Err(Fault::refused("is over (`exp`)"));
    }
    if claims.moment_if_any("nbf")?.is_some_and(|begins| is_to_come(begins, now)) {
        return Err(Fault::refused("is not good yet (`nbf`)"));
    }
    let issued_at = claims.moment("iat")?;
    if is_to_come(issued_at, now) {
        return Err(Fault::refused("was issued in the future (`iat`)"));
    }
    Ok(issued_at)
}

fn another_issuer(issuer: &str, settings: &Settings) -> String {
    // The registration decides the version, not the endpoint: the commonest mistake in setting it up.
    let first_version = format!("https://sts.windows.net/{}/", settings.tenant);
    if issuer == first_version {
        "is of version 1.0 (an administrator sets `requestedAccessTokenVersion` to 2 in the registration)"
            .to_owned()
    } else {
        format!("is of another issuer than `{}` (`iss`)", settings.issuer)
    }
}
