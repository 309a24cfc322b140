//! People: which groups they are in, and what they are called.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use elevate_core::names::{ObjectId, Scope};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::address::asking;
use super::budget::Priority;
use super::call::{Call, Fault, Line};
use super::wire::{Groups, Member, Named, Page};
use crate::ports::directory::{Members, Unreachable};

/// The most groups that one call asks for
/// (<https://learn.microsoft.com/graph/api/directoryobject-checkmembergroups>).
const AT_ONCE: usize = 20;
/// How long a name is kept, and how many are: they change seldom and lists show many.
const NAME_KEPT: SignedDuration = SignedDuration::from_hours(1);
const MOST_NAMES: usize = 4096;
/// How long the members of a group are kept, and of how many groups.
const MEMBERS_KEPT: SignedDuration = SignedDuration::from_mins(1);
const MOST_CIRCLES: usize = 256;
/// The longest name shown, in characters.
const LONGEST_NAME: usize = 256;

/// Asked of `/users/{id}`: a policy names users, and for them this needs the least permission.
pub(super) async fn groups_of(
    line: &Line,
    principal: ObjectId,
    groups: &BTreeSet<ObjectId>,
) -> Result<BTreeSet<ObjectId>, Unreachable> {
    let asked: Vec<_> = groups.iter().copied().collect();
    let mut found = BTreeSet::new();
    for chunk in asked.chunks(AT_ONCE) {
        let url = line.root.at(&["users", &principal.to_string(), "checkMemberGroups"]);
        let ids: Vec<_> = chunk.iter().map(ToString::to_string).collect();
        let answer = match line.send(Call::groups(url, json!({ "groupIds": ids }))).await {
            Ok(body) => body.read::<Groups>()?,
            Err(Fault::Refused(refusal)) if refusal.is_missing() => {
                return Err(Unreachable { reason: "the tenant has no such user".to_owned(), after: None });
            }
            Err(fault) => return Err(fault.into()),
        };
        // Only what was asked for counts.
        found.extend(answer.value.iter().filter_map(|id| id.parse().ok()).filter(|id| chunk.contains(id)));
    }
    Ok(found)
}

/// Members seen lately: a request is prepared more often than groups change.
#[derive(Debug, Default)]
pub(super) struct Circles(Mutex<HashMap<ObjectId, (Timestamp, usize, Members)>>);

/// One page, and no more: whom to ask is known from it. Graph's page:
/// <https://learn.microsoft.com/graph/api/group-list-transitivemembers>.
pub(super) async fn members_of(
    line: &Line,
    circles: &Circles,
    group: ObjectId,
    most: usize,
) -> Result<Members, Unreachable> {
    let now = line.clock.now().latest();
    let kept = circles.0.lock().unwrap_or_else(PoisonError::into_inner).get(&group).cloned();
    if let Some((_, _, members)) =
        kept.filter(|(at, asked, _)| now.duration_since(*at) < MEMBERS_KEPT && *asked == most)
    {
        return Ok(members);
    }
    let only_people = ["groups", &group.to_string(), "transitiveMembers", "microsoft.graph.user"];
    let url = asking(line.root.at(&only_people), &format!("$select=id,displayName&$top={most}"));
    let members = match line.send(Call::members(url)).await {
        Ok(body) => {
            let page: Page<Member> = body.read()?;
            let known = |member: Member| {
                Some((member.id?.parse().ok()?, member.display_name.map(|name| shown(&name))))
            };
            let people = page.value.into_iter().filter_map(known).collect();
            Members { people, more: page.next_link.is_some() }
        }
        // Nobody is in a group that is not there.
        Err(Fault::Refused(refusal)) if refusal.is_missing() => Members::default(),
        Err(fault) => return Err(fault.into()),
    };
    let mut circles = circles.0.lock().unwrap_or_else(PoisonError::into_inner);
    if circles.len() >= MOST_CIRCLES {
        circles.clear();
    }
    circles.insert(group, (now, most, members.clone()));
    Ok(members)
}

/// Names heard lately.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashMap<ObjectId, (Timestamp, String)>>);

pub(super) async fn display_name(line: &Line, names: &Names, object: ObjectId) -> Option<String> {
    name_of(line, names, object, &["users", "groups"]).await
}

/// Of what a role counts for. A role over one application counts for its registration, or for its service principal.
pub(super) async fn scope_name(line: &Line, names: &Names, scope: Scope) -> Option<String> {
    match scope {
        Scope::Tenant => None,
        Scope::AdministrativeUnit(id) => name_of(line, names, id, &["directory/administrativeUnits"]).await,
        Scope::Object(id) => name_of(line, names, id, &["applications", "servicePrincipals"]).await,
    }
}

/// The name of an object that is one of these kinds; the first that Graph knows it by.
async fn name_of(line: &Line, names: &Names, object: ObjectId, kinds: &[&str]) -> Option<String> {
    let now = line.clock.now().latest();
    let kept = names.0.lock().unwrap_or_else(PoisonError::into_inner).get(&object).cloned();
    if let Some((_, name)) = kept.filter(|(at, _)| now.duration_since(*at) < NAME_KEPT) {
        return Some(name);
    }
    let mut name = None;
    for kind in kinds {
        let id = object.to_string();
        let path: Vec<&str> = kind.split('/').chain([id.as_str()]).collect();
        let url = asking(line.root.at(&path), "$select=id,displayName");
        match line.send(Call::read("names", Priority::List, url)).await {
            Ok(body) => {
                name = body.read::<Named>().ok()?.display_name;
                break;
            }
            Err(Fault::Refused(refusal)) if refusal.is_missing() => {}
            Err(_) => return None,
        }
    }
    let name = shown(&name?);
    let mut names = names.0.lock().unwrap_or_else(PoisonError::into_inner);
    if names.len() >= MOST_NAMES {
        names.clear();
    }
    names.insert(object, (now, name.clone()));
    Some(name)
}

pub(super) fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}
