//! `users`: looking at people, their groups, and signing them out.

use serde_json::{Value, json};

use super::{
    Answer,
    call::Call,
    listing::{self, Terms},
    shape,
};
use crate::{
    directory::{Problem, User, View},
    http::Reply,
};

const READ: [&str; 5] = [
    "User.ReadBasic.All",
    "User.Read.All",
    "User.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
/// All that the smallest permission to read shows.
const BASIC: [&str; 6] = ["displayName", "givenName", "id", "mail", "surname", "userPrincipalName"];
const READ_MORE: [&str; 4] =
    ["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
const DELETE: [&str; 2] = ["User.DeleteRestore.All", "User.ReadWrite.All"];
const SIGN_OUT: [&str; 3] = ["User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All"];
const GROUPS: [&str; 8] = [
    "User.Read.All",
    "User.ReadWrite.All",
    "GroupMember.Read.All",
    "GroupMember.ReadBasic.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "Application.Read.All",
];
/// So many groups can be asked about at once.
const MOST_GROUPS: usize = 20;
pub(super) const TERMS: Terms<'_> = Terms {
    name: "users",
    filter: &["id", "userPrincipalName", "displayName", "mail", "accountEnabled", "userType"],
    expand: &[],
    // Whether the account is enabled is not among them: who wants to know must select it.
    default: &[
        "businessPhones",
        "displayName",
        "givenName",
        "id",
        "jobTitle",
        "mail",
        "mobilePhone",
        "officeLocation",
        "preferredLanguage",
        "surname",
        "userPrincipalName",
    ],
};

pub(super) fn answer(call: &Call<'_>, rest: &[&str]) -> Answer {
    match (call.method(), rest) {
        ("GET", []) => {
            may_read(call)?;
            let all = call.world.directory.look(|state| {
                let shows = |user: &&User| user.life.shows(call.now, call.lag.list);
                state.users.iter().filter(shows).map(|user| shown(user, call.lists())).collect()
            });
            listing::page(call, &TERMS, all)
        }
        ("GET", [who]) => {
            may_read(call)?;
            listing::entity(call, &TERMS, find(call, who, |user| shown(user, call.reads()))?)
        }
        ("DELETE", [who]) => {
            call.needs(&DELETE)?;
            delete(call, &id_of(call, who)?)
        }
        ("POST", [who, "checkMemberGroups"]) => {
            call.needs(&GROUPS)?;
            check_member_groups(call, &id_of(call, who)?)
        }
        (
            "GET",
            [who, "transitiveMemberOf" | "memberOf"]
            | [who, "transitiveMemberOf" | "memberOf", "microsoft.graph.group"],
        ) => {
            call.needs(&GROUPS)?;
            member_of(call, &id_of(call, who)?, rest.get(1) == Some(&"transitiveMemberOf"))
        }
        ("POST", [who, "revokeSignInSessions"]) => {
            call.needs(&SIGN_OUT)?;
            let id = id_of(call, who)?;
            call.world.directory.change(|state, now| {
                state
                    .user_mut(&id)
                    .map(|user| user.sessions_valid_from = now)
                    .ok_or_else(|| Problem::not_found(who))
            })?;
            Ok(Reply::json(200, json!({ "@odata.context": call.context("Edm.Boolean"), "value": true })))
        }
        (_, [] | [_]) | (_, [_, "checkMemberGroups" | "revokeSignInSessions"]) => Err(call.not_allowed()),
        (_, [.., last]) => Err(Problem::no_such_path(last)),
    }
}

/// Whether an account is enabled is not for everybody who may read names.
fn may_read(call: &Call<'_>) -> Result<(), Problem> {
    call.needs(&READ)?;
    let select = call.query.get("$select").unwrap_or_default().split(',');
    let beyond = select.map(str::trim).any(|name| !name.is_empty() && !BASIC.contains(&name));
    let filters = call.query.get("$filter").is_some_and(|filter| filter.contains("accountEnabled"));
    if beyond || filters { call.needs(&READ_MORE) } else { Ok(()) }
}

/// Deletes a person. `groups` comes here too: see there.
pub(super) fn delete(call: &Call<'_>, id: &str) -> Answer {
    call.needs(&DELETE)?;
    let deleted = call.world.directory.change(|state, now| state.delete_user(id, now));
    if deleted { Ok(Reply::empty(204)) } else { Err(Problem::not_found(id)) }
}

pub(super) fn shown(user: &User, view: View) -> Value {
    let (given, family) = user.display_name.split_once(' ').unwrap_or((&user.display_name, ""));
    let name = user.user_principal_name();
    json!({
        "businessPhones": [],
        "displayName": user.display_name,
        "givenName": given,
        "id": user.id,
        "jobTitle": null,
        "mail": name,
        "mobilePhone": null,
        "officeLocation": null,
        "preferredLanguage": null,
        "surname": family,
        "userPrincipalName": name,
        "accountEnabled": user.seems_enabled(view),
        "userType": "Member",
        "onPremisesSyncEnabled": null,
        "onPremisesImmutableId": null,
        "createdDateTime": shape::time(user.life.born),
        "lastPasswordChangeDateTime": shape::time(user.life.born),
        "signInSessionsValidFromDateTime": shape::time(user.sessions_valid_from),
        "identities": [{
            "signInType": "userPrincipalName",
            "issuer": crate::people::DOMAIN,
            "issuerAssignedId": name,
        }],
        "isManagementRestricted": null,
    })
}

/// By object id or user principal name, if it has been replicated. Short names are the sandbox's own, not Graph's.
fn find<T>(call: &Call<'_>, who: &str, f: impl FnOnce(&User) -> T) -> Result<T, Problem> {
    call.world.directory.look(|state| {
        let named = |user: &&User| user.id == who || user.user_principal_name().eq_ignore_ascii_case(who);
        let shows = |user: &&User| user.life.shows(call.now, call.lag.get);
        let user = state.users.iter().filter(shows).find(named);
        user.map(f).ok_or_else(|| Problem::not_found(who))
    })
}

fn id_of(call: &Call<'_>, who: &str) -> Result<String, Problem> {
    find(call, who, |user| user.id.clone())
}

fn check_member_groups(call: &Call<'_>, id: &str) -> Answer {
    let body = call.body()?;
    let asked = body.get("groupIds").and_then(Value::as_array);
    let asked = asked.ok_or_else(|| Problem::bad("The required parameter 'groupIds' is missing."))?;
    if asked.len() > MOST_GROUPS {
        return Err(Problem::bad(format!("The number of groups exceeds the limit of {MOST_GROUPS}.")));
    }
    let all = call.world.directory.look(|state| state.groups_of(id, call.lists()));
    let is_in = |group: &&Value| group.as_str().is_some_and(|group| all.iter().any(|each| each == group));
    let found: Vec<&Value> = asked.iter().filter(is_in).collect();
    Ok(Reply::json(200, json!({ "@odata.context": call.context("Collection(Edm.String)"), "value": found })))
}

fn member_of(call: &Call<'_>, id: &str, transitive: bool) -> Answer {
    let groups = call.world.directory.look(|state| {
        let direct = state.direct_groups_of(id, call.lists()).map(str::to_owned).collect();
        let groups: Vec<String> = if transitive { state.groups_of(id, call.lists()) } else { direct };
        groups.iter().map(|group| shape::object(state, group)).collect()
    });
    listing::page(
        call,
        &Terms { name: "directoryObjects", filter: &["id", "displayName"], expand: &[], default: &[] },
        groups,
    )
}
