//! Who is in which group, and who is eligible for what: changed from outside, past every rule of Graph's.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Refusal, body, done, not_found, ok};
use crate::{
    directory::{Eligibility, Privilege, Relation, RoleSettings},
    http::{Reply, Request},
    people,
    world::World,
};

/// `PUT` puts somebody into a group, or makes them its owner; `DELETE` takes them out.
pub(super) fn relate(world: &World, method: &str, group: &str, relation: &str, who: &str) -> Answer {
    let relation = match relation {
        "members" => Relation::Member,
        "owners" => Relation::Owner,
        other => return Err(not_found("relation", other)),
    };
    let (group, who) = (group_id(group), object_id(world, who));
    let directory = &world.directory;
    match (method, relation) {
        ("PUT", Relation::Member) => directory.add_member(&group, &who),
        ("PUT", Relation::Owner) => directory.add_owner(&group, &who),
        (_, Relation::Member) if directory.remove_member(&group, &who) => Ok(()),
        (_, Relation::Owner) if directory.remove_owner(&group, &who) => Ok(()),
        _ => return Err(not_found("place in the group for", &who)),
    }
    .map_err(|error| Refusal(404, format!("{error:#}")))?;
    done()
}

pub(super) fn eligibilities(world: &World) -> Answer {
    let shown = |eligibility: Eligibility| {
        let Eligibility { id, principal, what, start, end, life: _ } = eligibility;
        let (role, scope, group, relation) = match what {
            Privilege::Role { role, scope } => (Some(role), Some(scope), None, None),
            Privilege::Group { group, relation } => (None, None, Some(group), Some(relation)),
        };
        json!({
            "id": id,
            "principal": principal,
            "role": role,
            "scope": scope,
            "group": group,
            "relation": relation,
            "start": start.to_string(),
            "end": end.map(|end| end.to_string()),
        })
    };
    let all: Vec<Value> = world.directory.eligibilities().into_iter().map(shown).collect();
    ok(json!({ "eligibilities": all }))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEligibility {
    principal: String,
    role: Option<String>,
    scope: Option<String>,
    group: Option<String>,
    relation: Option<Relation>,
    end: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSettings {
    role: Option<String>,
    group: Option<String>,
    relation: Option<Relation>,
    settings: RoleSettings,
}

/// The terms on which PIM lets people activate a role, or a place in a group.
pub(super) fn set_settings(world: &World, request: &Request) -> Answer {
    let NewSettings { role, group, relation, settings } = body(request)?;
    world.directory.set_role_settings(&privilege(role, None, group, relation)?, settings);
    done()
}

fn privilege(
    role: Option<String>,
    scope: Option<String>,
    group: Option<String>,
    relation: Option<Relation>,
) -> Result<Privilege, Refusal> {
    Ok(match (role, group, scope, relation) {
        (Some(role), None, scope, None) => {
            let named = people::ROLES.iter().find(|each| each.name == role).map(|each| each.id.to_owned());
            Privilege::Role { role: named.unwrap_or(role), scope: scope.unwrap_or_else(|| "/".to_owned()) }
        }
        (None, Some(group), None, relation) => {
            Privilege::Group { group: group_id(&group), relation: relation.unwrap_or(Relation::Member) }
        }
        _ => {
            let message = "either a `role` with a `scope`, or a `group` with a `relation`";
            return Err(Refusal(400, message.to_owned()));
        }
    })
}

pub(super) fn add_eligibility(world: &World, request: &Request) -> Answer {
    let NewEligibility { principal, role, scope, group, relation, end } = body(request)?;
    let what = privilege(role, scope, group, relation)?;
    let end = end.map(|end| end.parse::<Timestamp>()).transpose();
    let end = end.map_err(|error| Refusal(400, format!("`end` is no time: {error}")))?;
    let id = world.directory.make_eligible(&object_id(world, &principal), what, end);
    let id = id.map_err(|error| Refusal(400, format!("{error:#}")))?;
    Ok(Reply::json(201, json!({ "id": id })))
}

fn object_id(world: &World, who: &str) -> String {
    world.directory.user(who).map_or_else(|| who.to_owned(), |user| user.id)
}

fn group_id(group: &str) -> String {
    let named = people::GROUPS.iter().find(|each| each.name == group);
    named.map_or(group, |each| each.id).to_owned()
}
