//! What the tenant was asked: every call to the login service and to Graph, so that a test can count them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::faults::glob;

/// A tenant that runs for days must not fill the memory: beyond this many the oldest are forgotten.
const KEPT: usize = 10_000;

/// One call that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When, by the tenant's clock.
    pub at: Timestamp,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query as sent, or nothing.
    pub query: String,
    /// The answer's status; `None` if the connection was closed without one.
    pub status: Option<u16>,
    /// The `client-request-id` header, if there was one.
    pub client_request_id: Option<String>,
    /// Whether it came inside a `$batch`.
    pub batched: bool,
}

/// The list of calls. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Mutex<VecDeque<Call>>>);

impl Calls {
    /// All calls, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Call> {
        self.with(|calls| calls.iter().cloned().collect())
    }

    /// The calls with this method (`*` for any) whose path matches, as in [`crate::Fault::path`].
    #[must_use]
    pub fn matching(&self, method: &str, path: &str) -> Vec<Call> {
        let wanted =
            |call: &&Call| (method == "*" || call.method == method) && glob::matches(path, &call.path);
        self.with(|calls| calls.iter().filter(wanted).cloned().collect())
    }

    /// Forgets them.
    pub fn clear(&self) {
        self.with(VecDeque::clear);
    }

    pub(crate) fn add(&self, call: Call) {
        self.with(|calls| {
            if calls.len() == KEPT {
                calls.pop_front();
            }
            calls.push_back(call);
        });
    }

    fn with<T>(&self, f: impl FnOnce(&mut VecDeque<Call>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
