//! `groups`, who is in them, and who owns them.

use serde_json::{Value, json};

use super::{
    Answer,
    call::Call,
    listing::{self, Terms},
    shape, users,
};
use crate::{
    directory::{Group, ObjectKind, Problem, Relation, State, person},
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
const READ_OWNERS: [&str; 5] = [
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
];
const WRITE: [&str; 3] = ["GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All"];
/// The smaller permission to change members does not reach to owners.
const WRITE_OWNERS: [&str; 2] = ["Group.ReadWrite.All", "Directory.ReadWrite.All"];
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
const REFERENCES: Terms<'_> =
    Terms { name: "Collection($ref)", filter: &[], expand: &[], default: &["@odata.id"] };
/// What a reference may call the object that it names.
const REFERABLE: [&str; 4] = ["directoryObjects", "users", "groups", "servicePrincipals"];

pub(super) fn answer(call: &Call<'_>, rest: &[&str]) -> Answer {
    match (call.method(), rest) {
        ("GET", []) => {
            call.needs(&READ)?;
            let all = call.world.directory.look(|state| {
                state.groups.iter().filter(|group| call.lists().shows(&group.life)).map(shown).collect()
            });
            listing::page(call, &TERMS, all)
        }
        ("GET", [group]) => {
            call.needs(&READ)?;
            let found = call
                .world
                .directory
                .look(|state| state.group(group).filter(|g| call.reads().shows(&g.life)).map(shown));
            listing::entity(call, &TERMS, found.ok_or_else(|| Problem::not_found(group))?)
        }
        (_, [group, "members", rest @ ..]) => relation(call, group, Relation::Member, rest),
        (_, [group, "owners", rest @ ..]) => relation(call, group, Relation::Owner, rest),
        ("GET", [group, "transitiveMembers", cast @ ..]) => {
            call.needs(&READ)?;
            exists(call, group)?;
            let ids = call.world.directory.look(|state| state.transitive_members(group, call.lists()));
            objects(call, &ids, cast)
        }
        (_, [] | [_] | [_, "transitiveMembers"]) => Err(call.not_allowed()),
        (_, [.., last]) => Err(Problem::no_such_path(last)),
    }
}

/// `members` or `owners` of a group, and below.
fn relation(call: &Call<'_>, group: &str, relation: Relation, rest: &[&str]) -> Answer {
    match (call.method(), rest) {
        ("GET", []) => objects(call, &listed(call, group, relation)?, &[]),
        ("GET", ["$ref"]) => {
            let ids = listed(call, group, relation)?;
            let references = ids.iter().map(|id| json!({ "@odata.id": reference(call, id) })).collect();
            listing::page(call, &REFERENCES, references)
        }
        ("GET", [cast]) if cast.starts_with(CAST) => objects(call, &listed(call, group, relation)?, rest),
        ("GET", [id]) => {
            let id = one(call, group, relation, id)?;
            let object = call.world.directory.look(|state| shape::object(state, &id));
            listing::entity(call, &MEMBERS, object)
        }
        ("GET", [id, "$ref"]) => {
            let id = one(call, group, relation, id)?;
            listing::entity(call, &REFERENCES, json!({ "@odata.id": reference(call, &id) }))
        }
        ("POST", ["$ref"]) => {
            may_write(call, group, relation)?;
            let object = referred(call)?;
            call.world.directory.change(|state, now| state.join(group, relation, &object, now))?;
            Ok(Reply::empty(204))
        }
        ("DELETE", [id, "$ref"]) => {
            may_write(call, group, relation)?;
            let absent = call.world.behaviour().absent_member;
            call.world.directory.change(|state, now| state.leave(group, relation, id, now, absent))?;
            Ok(Reply::empty(204))
        }
        // Without `$ref` at its end the address is that of the member, not of the membership: an application
        // that may manage people has just deleted one.
        ("DELETE", [id]) => {
            let is_there = call
                .world
                .directory
                .look(|state| state.membership(group, relation, id, call.reads()).is_some());
            exists(call, group)?;
            if is_there { users::delete(call, id) } else { Err(Problem::not_found(id)) }
        }
        (_, [] | [_] | [_, "$ref"]) => Err(call.not_allowed()),
        (_, [.., last]) => Err(Problem::no_such_path(last)),
    }
}

fn may_read(call: &Call<'_>, relation: Relation) -> Result<(), Problem> {
    call.needs(match relation {
        Relation::Member => &READ,
        Relation::Owner => &READ_OWNERS,
    })
}

fn listed(call: &Call<'_>, group: &str, relation: Relation) -> Result<Vec<String>, Problem> {
    may_read(call, relation)?;
    exists(call, group)?;
    let ids = |state: &State| {
        state.related(group, relation, call.lists()).map(|membership| membership.object.clone()).collect()
    };
    Ok(call.world.directory.look(ids))
}

/// The id of who is in the group, or owns it, as far as this reader sees.
fn one(call: &Call<'_>, group: &str, relation: Relation, id: &str) -> Result<String, Problem> {
    may_read(call, relation)?;
    exists(call, group)?;
    let found = |state: &State| {
        state.membership(group, relation, id, call.reads()).map(|membership| membership.object.clone())
    };
    call.world.directory.look(found).ok_or_else(|| Problem::not_found(id))
}

const CAST: &str = "microsoft.graph.";

/// The objects, or those of them that the cast at the end of the path leaves.
fn objects(call: &Call<'_>, ids: &[String], cast: &[&str]) -> Answer {
    let kind = match cast {
        [] => None,
        ["microsoft.graph.user"] => Some(ObjectKind::User),
        ["microsoft.graph.group"] => Some(ObjectKind::Group),
        ["microsoft.graph.servicePrincipal"] => Some(ObjectKind::ServicePrincipal),
        [.., last] => return Err(Problem::no_such_path(last)),
    };
    let (shown, terms) = call.world.directory.look(|state| {
        if kind == Some(ObjectKind::User) {
            let people = ids.iter().filter_map(|id| person(state, id));
            (people.map(|user| users::shown(user, call.lists())).collect(), &users::TERMS)
        } else {
            let ids = ids.iter().filter(|id| kind.is_none_or(|kind| state.kind_of(id) == Some(kind)));
            let objects = ids.map(|id| shape::object(state, id)).filter(|object| !object.is_null());
            (objects.collect(), &MEMBERS)
        }
    });
    listing::page(call, terms, shown)
}

fn shown(group: &Group) -> Value {
    let Group { id, name, role_assignable, rule, synced, life } = group;
    let or_null = |is: bool| if is { json!(true) } else { Value::Null };
    json!({
        "id": id,
        "createdDateTime": shape::time(life.born),
        "displayName": name,
        "description": null,
        "groupTypes": if rule.is_some() { json!(["DynamicMembership"]) } else { json!([]) },
        "mailEnabled": false,
        "securityEnabled": true,
        "isAssignableToRole": or_null(*role_assignable),
        "membershipRule": rule,
        "membershipRuleProcessingState": rule.as_ref().map(|_| "On"),
        "onPremisesSyncEnabled": or_null(*synced),
    })
}

/// Whether the group can hold roles, if there is one.
fn exists(call: &Call<'_>, group: &str) -> Result<bool, Problem> {
    let found = call
        .world
        .directory
        .look(|state| state.group(group).filter(|g| call.reads().shows(&g.life)).map(|g| g.role_assignable));
    found.ok_or_else(|| Problem::not_found(group))
}

fn may_write(call: &Call<'_>, group: &str, relation: Relation) -> Result<(), Problem> {
    match relation {
        Relation::Member => call.needs(&WRITE)?,
        Relation::Owner => call.needs(&WRITE_OWNERS)?,
    }
    if exists(call, group)? { call.needs(&WRITE_ROLES) } else { Ok(()) }
}

fn reference(call: &Call<'_>, id: &str) -> String {
    format!("{}{}/directoryObjects/{id}", call.world.base_url, super::ROOT)
}

/// The id of the object that the body refers to.
fn referred(call: &Call<'_>) -> Result<String, Problem> {
    let body = call.body()?;
    let reference = body.get("@odata.id").and_then(Value::as_str);
    let reference = reference.ok_or_else(|| Problem::bad("The required property '@odata.id' is missing."))?;
    let mut segments = reference.rsplit('/');
    let (id, collection) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    if REFERABLE.contains(&collection) && !id.is_empty() {
        Ok(id.to_owned())
    } else {
        Err(Problem::bad(format!("Invalid URL format specified in '@odata.id': '{reference}'.")))
    }
}
