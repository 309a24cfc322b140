//! What can be made to go wrong between a client and the tenant, scripted ahead.

pub(crate) mod glob;

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Every path of Graph.
pub const GRAPH: &str = "/v1.0/**";
/// Every path of the login service.
pub const LOGIN: &str = "/*/{v2.0,discovery,oauth2}/**";

/// One thing that goes wrong, for the calls that match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The HTTP method, or any if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Which paths: `*` stands for anything within one segment, `**` for anything at all, `{a,b}` for either.
    /// A pattern also matches everything below it, at segment boundaries.
    pub path: String,
    /// How many matching calls pass unharmed first.
    #[serde(default)]
    pub skip: u32,
    /// How many calls it hits; until it is cleared, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// What happens.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What goes wrong. *Before* and *after* are about the effect: after it, the tenant has done what was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// The answer comes late. The call is otherwise untouched.
    Latency {
        /// By how much of the machine's time.
        milliseconds: u64,
    },
    /// 429, and nothing was done.
    Throttle {
        /// The `Retry-After` header as it is sent, such as `2.128`; none if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<String>,
    },
    /// An error status, and nothing was done.
    FailBefore {
        /// The status, 500 to 599.
        status: u16,
        /// The `Retry-After` header, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<String>,
    },
    /// It was done, and an error status says otherwise.
    FailAfter {
        /// The status, 500 to 599.
        status: u16,
    },
    /// It was done, and the connection closes without an answer.
    LoseReply,
    /// The connection closes without an answer, and nothing was done.
    Drop,
}

impl Fault {
    /// A fault of `kind` for every call to `path`, until cleared.
    #[must_use]
    pub fn on(path: &str, kind: Kind) -> Self {
        Self { method: None, path: path.to_owned(), skip: 0, times: None, kind }
    }

    /// Only calls with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only so many calls.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Only after so many matching calls passed.
    #[must_use]
    pub fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && glob::matches(&self.path, path)
    }
}

/// The script of faults. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    last_id: u64,
    faults: Vec<(u64, Fault)>,
}

impl Faults {
    /// Adds a fault and gives the number to clear it by.
    pub fn add(&self, fault: Fault) -> u64 {
        self.with(|script| {
            script.last_id += 1;
            script.faults.push((script.last_id, fault));
            script.last_id
        })
    }

    /// Graph is gone: connections close without an answer until the fault is cleared.
    pub fn graph_outage(&self) -> u64 {
        self.add(Fault::on(GRAPH, Kind::Drop))
    }

    /// The login service is gone.
    pub fn login_outage(&self) -> u64 {
        self.add(Fault::on(LOGIN, Kind::Drop))
    }

    /// The ticket system is gone.
    pub fn tickets_outage(&self) -> u64 {
        self.add(Fault::on(crate::tickets::TICKETS, Kind::Drop))
    }

    /// The faults that still wait, with their numbers.
    #[must_use]
    pub fn list(&self) -> Vec<(u64, Fault)> {
        self.with(|script| script.faults.clone())
    }

    /// Clears one fault; `false` if there is none with that number.
    pub fn clear(&self, id: u64) -> bool {
        self.with(|script| {
            let before = script.faults.len();
            script.faults.retain(|(each, _)| *each != id);
            script.faults.len() != before
        })
    }

    /// Clears all of them.
    pub fn clear_all(&self) {
        self.with(|script| script.faults.clear());
    }

    /// What hits this call: any latency, and the first other fault that matches.
    pub(crate) fn strike(&self, method: &str, path: &str) -> Vec<Kind> {
        self.with(|script| {
            let mut struck = Vec::new();
            let mut harmed = false;
            for (_, fault) in &mut script.faults {
                let late = matches!(fault.kind, Kind::Latency { .. });
                if !fault.matches(method, path) || (harmed && !late) || fault.times == Some(0) {
                    continue;
                }
                if fault.skip > 0 {
                    fault.skip -= 1;
                    continue;
                }
                fault.times = fault.times.map(|left| left - 1);
                harmed |= !late;
                struck.push(fault.kind.clone());
            }
            script.faults.retain(|(_, fault)| fault.times != Some(0));
            struck
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Script) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_as_often_as_it_says_and_no_more() {
        let faults = Faults::default();
        faults.add(Fault::on("/v1.0/users", Kind::LoseReply).method("POST").skip(1).times(2));
        let hits = |method: &str| faults.strike(method, "/v1.0/users/x").len();
        assert_eq!([hits("GET"), hits("POST"), hits("POST"), hits("POST"), hits("POST")], [0, 0, 1, 1, 0]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn latency_comes_on_top_of_another_fault() {
        let faults = Faults::default();
        faults.add(Fault::on("/", Kind::Drop));
        faults.add(Fault::on("/", Kind::LoseReply));
        faults.add(Fault::on("/", Kind::Latency { milliseconds: 1 }));
        assert_eq!(faults.strike("GET", "/a"), [Kind::Drop, Kind::Latency { milliseconds: 1 }]);
    }
}
