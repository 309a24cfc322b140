//! `groups`, and who is in them.

use serde_json::{Value, json};

use super::{
    Answer,
    call::Call,
    listing::{self, Terms},
    shape, users,
};
use crate::{
    directory::{ObjectKind, Problem},
    http::Reply,
};

const READ: [&str; 8] = [
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "GroupMember.ReadBasic.All",
    "Group.ReadBasic.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const WRITE: [&str; 3] = ["GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All"];
/// On top of that, for a group that can hold directory roles.
const WRITE_ROLES: [&str; 1] = ["RoleManagement.ReadWrite.Directory"];
const TERMS: Terms<'_> = Terms {
    name: "groups",
    filter: &["id", "displayName", "isAssignableToRole", "securityEnabled"],
    expand: &[],
    default: &[],
};
const MEMBERS: Terms<'_> =
    Terms { name: "directoryObjects", filter: &["id", "displayName"], expand: &[], default: &[] };

pub(super) fn answer(call: &Call<'_>, rest: &[&str]) -> Answer {
    match (call.method(), rest) {
        ("GET", []) => {
            call.needs(&READ)?;
            let all = call.world.directory.look(|state| {
                let shows = state.groups.iter().filter(|group| group.life.shows(call.now, call.lag.list));
                shows.map(|group| shown(&group.id, &group.name, group.role_assignable)).collect()
            });
            listing::page(call, &TERMS, all)
        }
        ("GET", [group]) => {
            call.needs(&READ)?;
            let found = call.world.directory.look(|state| {
                let group = state.group(group).filter(|group| group.life.shows(call.now, call.lag.get));
                group.map(|group| shown(&group.id, &group.name, group.role_assignable))
            });
            listing::entity(call, &TERMS, found.ok_or_else(|| Problem::not_found(group))?)
        }
        ("GET", [group, "members"]) => {
            call.needs(&READ)?;
            exists(call, group)?;
            let members = call.world.directory.look(|state| {
                let shows = state
                    .memberships
                    .iter()
                    .filter(|m| m.group == *group && m.life.shows(call.now, call.lag.list));
                shows.map(|m| shape::object(state, &m.member)).filter(|m| !m.is_null()).collect()
            });
            listing::page(call, &MEMBERS, members)
        }
        ("GET", [group, "transitiveMembers"]) => {
            call.needs(&READ)?;
            exists(call, group)?;
            let members = call.world.directory.look(|state| {
                let members = state.transitive_members(group).into_iter();
                members.map(|member| shape::object(state, &member)).collect()
            });
            listing::page(call, &MEMBERS, members)
        }
        ("POST", [group, "members", "$ref"]) => {
            may_write(call, group)?;
            add(call, group)
        }
        ("DELETE", [group, "members", member, "$ref"]) => {
            may_write(call, group)?;
            let removed = call.world.directory.change(|state, now| state.remove_member(group, member, now));
            if removed { Ok(Reply::empty(204)) } else { Err(Problem::not_found(member)) }
        }
        // Without `$ref` at its end the address is that of the member, not of the membership: an application
        // that may manage people has just deleted one.
        ("DELETE", [group, "members", member]) => {
            exists(call, group)?;
            if !call.world.directory.members(group).iter().any(|each| each == member) {
                return Err(Problem::not_found(member));
            }
            users::delete(call, member)
        }
        (_, [] | [_] | [_, "members" | "transitiveMembers"] | [_, "members", ..]) => Err(call.not_allowed()),
        (_, [.., last]) => Err(Problem::no_such_path(last)),
    }
}

fn shown(id: &str, name: &str, role_assignable: bool) -> Value {
    json!({
        "id": id,
        "displayName": name,
        "description": null,
        "groupTypes": [],
        "mailEnabled": false,
        "securityEnabled": true,
        "isAssignableToRole": if role_assignable { json!(true) } else { Value::Null },
    })
}

fn exists(call: &Call<'_>, group: &str) -> Result<bool, Problem> {
    let group_is = call.world.directory.look(|state| {
        state.group(group).filter(|g| g.life.shows(call.now, call.lag.get)).map(|g| g.role_assignable)
    });
    group_is.ok_or_else(|| Problem::not_found(group))
}

fn may_write(call: &Call<'_>, group: &str) -> Result<(), Problem> {
    call.needs(&WRITE)?;
    if exists(call, group)? { call.needs(&WRITE_ROLES) } else { Ok(()) }
}

fn add(call: &Call<'_>, group: &str) -> Answer {
    let body = call.body()?;
    let reference = body.get("@odata.id").and_then(Value::as_str);
    let reference = reference.ok_or_else(|| Problem::bad("The required property '@odata.id' is missing."))?;
    let member = reference.rsplit('/').next().unwrap_or_default().to_owned();
    call.world.directory.change(|state, now| {
        let kind = state.kind_of(&member).filter(|_| state.replicated(&member, now));
        let role_assignable = state.group(group).is_some_and(|group| group.role_assignable);
        match kind {
            None => Err(Problem::not_found(&member)),
            Some(ObjectKind::Group) if role_assignable => {
                Err(Problem::bad("Nesting is currently not supported for groups that can be assigned to a role."))
            }
            Some(_) if state.add_member(group, &member, now) => Ok(Reply::empty(204)),
            Some(_) => Err(Problem::bad(
                "One or more added object references already exist for the following modified properties: 'members'.",
            )),
        }
    })
}
