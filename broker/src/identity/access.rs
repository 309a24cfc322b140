//! The rules of an access token: who is calling the broker.

use std::collections::BTreeSet;

use elevate_core::due::Now;
use elevate_core::names::{ObjectId, is_plain};

use super::claims::vouched;
use super::json::{Fault, Object};
use super::settings::Settings;
use crate::ports::verifier::{AppRole, Caller, CallerKind};

/// The most app roles in one token, and the longest of them in bytes.
const ROLES_MAX: usize = 64;
const ROLE_MAX: usize = 128;

/// The longest name shown, in characters.
const NAME_MAX: usize = 128;

/// Claims that are in ID tokens only (OpenID Connect Core sections 2 and 3.3.2.11).
const OF_ID_TOKENS: [&str; 3] = ["nonce", "at_hash", "c_hash"];

/// Whose access token this is.
pub(super) fn caller(claims: &Object, settings: &Settings, now: Now) -> Result<Caller, Fault> {
    let vouched = vouched(claims, &settings.audience, settings, now)?;
    if OF_ID_TOKENS.iter().any(|name| claims.has(name)) {
        return Err(Fault::refused("is an ID token"));
    }
    let object = vouched.principal.object;
    let roles = roles(claims, settings)?;
    let kind = kind(claims, object)?;
    match kind {
        CallerKind::Person => person(claims, settings)?,
        CallerKind::Workload if roles.is_empty() => {
            return Err(Fault::refused("holds no app role of the broker (`roles`)"));
        }
        CallerKind::Workload => {}
    }
    Ok(Caller { principal: vouched.principal, kind, roles, name: name(claims, object) })
}

/// A scope says that somebody signed in (`scp`); without one, the token must say that it is a program's.
fn kind(claims: &Object, object: ObjectId) -> Result<CallerKind, Fault> {
    let says_app = match claims.text_if_any("idtyp")? {
        None => None,
        Some("app") => Some(true),
        Some("user") => Some(false),
        Some(_) => return Err(Fault::wrong("idtyp", "`app` or `user`")),
    };
    if claims.has("scp") {
        return match says_app {
            Some(true) => Err(Fault::refused("says both that somebody signed in and that nobody did")),
            Some(false) | None => Ok(CallerKind::Person),
        };
    }
    // `idtyp` is an optional claim. Without it, only an app-only token has a `sub` equal to `oid`: a
    // person's is pairwise. An ID token with app roles in it would pass otherwise.
    let is_app = says_app.unwrap_or(claims.text("sub")?.parse() == Ok(object));
    if !is_app {
        return Err(Fault::refused("has no scope (`scp`) and is not a program's"));
    }
    claims.text("azp")?;
    Ok(CallerKind::Workload)
}

fn person(claims: &Object, settings: &Settings) -> Result<(), Fault> {
    let scope = &settings.scope;
    if !claims.text("scp")?.split(' ').any(|held| held == scope) {
        return Err(Fault::refused(format!("lacks the scope `{scope}` (`scp`)")));
    }
    let client = claims.text("azp")?;
    if !settings.clients.iter().any(|allowed| allowed == client) {
        return Err(Fault::refused("was issued to a client that is not allowed here (`azp`)"));
    }
    if settings.guests {
        return Ok(());
    }
    match claims.whole("acct") {
        Ok(0) => Ok(()),
        Ok(_) => Err(Fault::refused("is a guest's, and guests are not allowed (`acct`)")),
        Err(Fault::Absent(_)) => Err(Fault::refused(
            "has no `acct`, without which guests cannot be told (an administrator adds the optional claim)",
        )),
        Err(fault) => Err(fault),
    }
}

/// The roles that mean something here; others are another program's business.
fn roles(claims: &Object, settings: &Settings) -> Result<BTreeSet<AppRole>, Fault> {
    let held = claims.texts_if_any(&settings.claims.roles, ROLES_MAX, ROLE_MAX)?.unwrap_or_default();
    Ok(held.into_iter().filter_map(|value| settings.roles.get(value).copied()).collect())
}

/// For people to read, so a name that cannot be read is no ground to refuse: the object id does.
fn name(claims: &Object, object: ObjectId) -> String {
    let given = ["preferred_username", "name", "app_displayname"]
        .into_iter()
        .find_map(|claim| claims.text_if_any(claim).ok().flatten());
    // A name must not rewrite the line it stands in.
    let shown: String = given.unwrap_or_default().chars().filter(|c| is_plain(*c)).take(NAME_MAX).collect();
    if shown.trim().is_empty() { object.to_string() } else { shown }
}
