//! A ticket system beside the tenant: changes with a state, and perhaps a time in which they may be carried out. It can
//! be asked in both of the forms that a broker knows: a question is posted to `/tickets/check`, or a change is read at
//! `/tickets/api/change`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    http::{Reply, Request},
    world::World,
};

/// Every path of the ticket system.
pub const TICKETS: &str = "/tickets/**";

/// The state in which a change may be carried out.
pub const IMPLEMENT: &str = "Implement";

/// A change, as its system knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Where it stands; [`IMPLEMENT`] is a yes.
    pub state: String,
    /// Not to be carried out before this, if said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Nor after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Change {
    /// One in this state, at any time.
    #[must_use]
    pub fn in_state(state: &str) -> Self {
        Self { state: state.to_owned(), from: None, until: None }
    }
}

/// Every change there is, by number.
#[derive(Debug, Default)]
pub struct Tickets(Mutex<BTreeMap<String, Change>>);

impl Tickets {
    /// Adds a change, or makes it another.
    pub fn put(&self, number: &str, change: Change) {
        self.with(|changes| changes.insert(number.to_owned(), change));
    }

    /// Takes one away; `false` if there is none.
    pub fn remove(&self, number: &str) -> bool {
        self.with(|changes| changes.remove(number).is_some())
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Change> {
        self.with(|changes| changes.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut BTreeMap<String, Change>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(crate) fn owns(path: &str) -> bool {
    path.starts_with("/tickets/")
}

pub(crate) fn answer(world: &World, request: &Request) -> Reply {
    if request.header("authorization") != Some(&format!("Bearer {}", world.files.tickets_secret)) {
        return failure(401);
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/tickets/check") => check(world, request),
        ("GET", "/tickets/api/change") => read(world, request),
        _ => failure(404),
    }
}

pub(crate) fn failure(status: u16) -> Reply {
    Reply::json(status, json!({ "error": { "message": "the ticket system cannot answer" } }))
}

#[derive(Deserialize)]
struct Question {
    number: String,
    start: Timestamp,
    end: Timestamp,
}

fn check(world: &World, request: &Request) -> Reply {
    let Ok(Question { number, start, end }) = serde_json::from_slice(&request.body) else {
        return failure(400);
    };
    let deny = |reason: String| Reply::json(200, json!({ "decision": "deny", "reason": reason }));
    let Some(Change { state, from, until }) = world.tickets.all().remove(&number) else {
        return deny(format!("there is no change {number}"));
    };
    if state != IMPLEMENT {
        return deny(format!("{number} is in the state {state}"));
    }
    if from.is_some_and(|from| start < from) || until.is_some_and(|until| until < end) {
        return deny(format!("{number} is not to be carried out at that time"));
    }
    Reply::json(200, json!({ "decision": "allow" }))
}

/// A list of results, empty where there is none: the shape that is common among ticket systems.
fn read(world: &World, request: &Request) -> Reply {
    let query = request.query();
    let number = query.get("number").unwrap_or_default();
    let found = world.tickets.all().remove(number);
    let shown: Vec<Value> =
        found.into_iter().map(|change| json!({ "number": number, "state": change.state })).collect();
    Reply::json(200, json!({ "result": shown }))
}
