//! One call to Graph: who makes it, what for, and what they may do.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;

use super::ROOT;
use crate::{
    Lag,
    directory::{Problem, View},
    http::{Form, Request},
    people,
    world::World,
};

pub(super) struct Call<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) request: &'a Request,
    pub(super) query: Form,
    pub(super) now: Timestamp,
    pub(super) lag: Lag,
    segments: Vec<String>,
    caller: Caller,
}

struct Caller {
    object_id: String,
    permissions: BTreeSet<String>,
}

impl<'a> Call<'a> {
    /// Reads the call, and refuses one whose token is not Graph's own.
    pub(super) fn read(world: &'a Arc<World>, request: &'a Request) -> Result<Self, Problem> {
        let segments: Vec<String> =
            request.segments().into_iter().skip(1).filter(|s| !s.is_empty()).collect();
        if !request.path.starts_with(ROOT) {
            // What exists only there is not imitated, so that nobody comes to rely on it.
            return Err(Problem::no_such_path(segments.first().map_or("", String::as_str)));
        }
        let caller = Self::caller(world, request)?;
        let (now, lag) = (request.at, world.directory.lag());
        Ok(Self { world, request, query: request.query(), now, lag, segments, caller })
    }

    pub(super) fn method(&self) -> &str {
        &self.request.method
    }

    pub(super) fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// What a listing shows.
    pub(super) fn lists(&self) -> View {
        View { now: self.now, lag: self.lag.list }
    }

    /// What reading by id shows.
    pub(super) fn reads(&self) -> View {
        View { now: self.now, lag: self.lag.get }
    }

    /// The object id of the service principal that calls.
    pub(super) fn caller_id(&self) -> &str {
        &self.caller.object_id
    }

    /// The caller must hold one of these permissions.
    pub(super) fn needs(&self, any_of: &[&str]) -> Result<(), Problem> {
        if any_of.iter().any(|permission| self.caller.permissions.contains(*permission)) {
            Ok(())
        } else {
            Err(Problem::denied())
        }
    }

    /// The body, which must be a JSON object.
    pub(super) fn body(&self) -> Result<Value, Problem> {
        let json = self.request.header("content-type").is_some_and(|t| t.starts_with("application/json"));
        if !json {
            return Err(Problem::new(
                415,
                "Request_UnsupportedMediaType",
                "A content type of application/json is required with a body.",
            ));
        }
        match serde_json::from_slice(&self.request.body) {
            Ok(body @ Value::Object(_)) => Ok(body),
            _ => Err(Problem::new(
                400,
                "BadRequest",
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
            )),
        }
    }

    /// What is not there for this method.
    pub(super) fn not_allowed(&self) -> Problem {
        Problem::new(
            405,
            "Request_BadRequest",
            format!("Specified HTTP method '{}' is not allowed for the request target.", self.method()),
        )
    }

    /// The address of a collection, for `@odata.context` and the next page.
    pub(super) fn address(&self) -> String {
        format!("{}{}", self.world.base_url, self.request.path)
    }

    pub(super) fn context(&self, of: &str) -> String {
        format!("{}{ROOT}/$metadata#{of}", self.world.base_url)
    }

    fn caller(world: &World, request: &Request) -> Result<Caller, Problem> {
        let invalid = |message: &str| Problem::new(401, "InvalidAuthenticationToken", message);
        let token = request
            .header("authorization")
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .filter(|token| !token.is_empty())
            .ok_or_else(|| invalid("Access token is empty."))?;
        let Some(known) = world.sign_ins.graph(token) else {
            // A token for the broker's own API is a good token, and not for this door.
            let message = if token.matches('.').count() == 2 {
                "Access token validation failure. Invalid audience."
            } else {
                "IDX14100: JWT is not well formed, there are no dots (.)."
            };
            return Err(invalid(message));
        };
        if known.expires <= request.at {
            return Err(invalid("Lifetime validation failed, the token is expired."));
        }
        // A person's token can look at nothing here: everything a broker does, it does as itself.
        let Some(client_id) = known.client_id else { return Err(Problem::denied()) };
        let object_id = people::APPS.iter().find(|app| app.client_id == client_id).map(|app| app.object_id);
        Ok(Caller {
            object_id: object_id.unwrap_or_default().to_owned(),
            permissions: world.directory.look(|state| state.permissions_of(&client_id)),
        })
    }
}
