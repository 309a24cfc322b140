//! Accounts: whether they can sign in, and ending their sign-in sessions.

use std::collections::{BTreeMap, BTreeSet};

use elevate_core::names::{ObjectId, Principal};
use serde_json::Value;

use super::batch;
use super::budget::{Cost, Priority};
use super::call::{Call, Fault, Line};
use super::refusal::Refusal;
use super::wire::{Answered, Problem, User};
use crate::ports::directory::{Account, SignOutAnswer, Unreachable};

/// Below what takes away and what confirms, and above what can wait: a listing cannot starve it.
const PRIORITY: Priority = Priority::Grant;

/// Whether each can sign in, read by id: lists lag more. Graph says so only where it is selected.
pub(super) async fn accounts(
    line: &Line,
    people: &BTreeSet<Principal>,
) -> Result<BTreeMap<Principal, Account>, Unreachable> {
    let people: Vec<_> = people.iter().copied().collect();
    let mut known = BTreeMap::new();
    for some in people.chunks(batch::MOST) {
        known.extend(read_all(line, some).await?);
    }
    Ok(known)
}

async fn read_all(line: &Line, people: &[Principal]) -> Result<BTreeMap<Principal, Account>, Unreachable> {
    let items = people
        .iter()
        .map(|person| {
            let url = format!("/users/{}?$select=id,accountEnabled", person.object);
            batch::Item::read(person.object.to_string(), url)
        })
        .collect();
    let responses = batch::ask(line, "accounts", PRIORITY, Cost::reads(people.len()), items).await?;
    let (mut known, mut in_the_way) = (BTreeMap::new(), None);
    for answered in responses {
        // Only what was asked for counts, and each answer for the one it is to.
        let Some(person) = people.iter().find(|person| person.object.to_string() == answered.id) else {
            continue;
        };
        match read(person.object, answered) {
            Ok(account) => drop(known.insert(*person, account)),
            Err(reason) => in_the_way = Some(reason),
        }
    }
    match in_the_way {
        // Not one of them: a permission that lacks, most likely, and not something about one account.
        Some(reason) if known.is_empty() => Err(Unreachable { reason, after: None }),
        _ => Ok(known),
    }
}

fn read(object: ObjectId, answered: Answered) -> Result<Account, String> {
    let Answered { id: _, status, headers: _, body } = answered;
    if !(200..300).contains(&status) {
        let refusal = Refusal { status, problem: Problem::read(body.to_string().as_bytes()) };
        // A 404 may also be about the way there; this one is about the account.
        if refusal.is_missing() && refusal.is("Request_ResourceNotFound") {
            return Ok(Account::Missing);
        }
        return Err(format!("Graph does not show accounts ({})", refusal.brief()));
    }
    let unread = || "Graph does not say whether accounts are enabled".to_owned();
    let User { id, account_enabled } = serde_json::from_value(body).map_err(|_| unread())?;
    if id.and_then(|id| id.parse().ok()) != Some(object) {
        return Err(unread());
    }
    match account_enabled {
        Some(true) => Ok(Account::Enabled),
        Some(false) => Ok(Account::Disabled),
        None => Err(unread()),
    }
}

/// Graph's page: <https://learn.microsoft.com/graph/api/user-revokesigninsessions>.
pub(super) async fn sign_out(line: &Line, object: ObjectId) -> SignOutAnswer {
    let url = line.root.at(&["users", &object.to_string(), "revokeSignInSessions"]);
    match line.send(Call::write("sign-out", Priority::Confirm, url, None::<Value>)).await {
        Ok(_) => SignOutAnswer::Done,
        Err(Fault::Refused(refusal)) if refusal.is_missing() => {
            SignOutAnswer::Refused("the tenant has no such account".to_owned())
        }
        Err(Fault::Refused(refusal)) => SignOutAnswer::Refused(format!(
            "Graph refused ({}); `elevated doctor` says whether a permission lacks",
            refusal.brief()
        )),
        Err(Fault::Unclear { reason, after }) => SignOutAnswer::Unclear { reason, after },
    }
}
