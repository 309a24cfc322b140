//! Taking much away, freezing and thawing.

use elevate_proto::v1;
use jiff::Timestamp;
use serde::Serialize;

use super::{Activation, Principal, all, some, time};

/// That nothing new is granted.
#[derive(Debug, Serialize)]
pub(crate) struct Frozen {
    by: Option<Principal>,
    reason: String,
    at: Option<Timestamp>,
}

/// That it is again.
#[derive(Debug, Serialize)]
pub(crate) struct Thawed {
    pub(crate) thawed: Frozen,
}

/// What came of revoking the holder's sign-in sessions.
#[derive(Debug, Serialize)]
pub(crate) struct SignedOut {
    word: String,
    detail: Option<String>,
    at: Option<Timestamp>,
}

/// What would be taken away; nothing was.
#[derive(Debug, Serialize)]
pub(crate) struct Preview {
    dry_run: bool,
    verb: &'static str,
    candidates: Vec<Candidate>,
    unknown_ids: Vec<String>,
}

/// One of them.
#[derive(Debug, Serialize)]
struct Candidate {
    activation: Option<Activation>,
    kept_until: Option<Timestamp>,
}

/// One step of one of many; a line.
#[derive(Debug, Serialize)]
pub(crate) struct Progress {
    step: String,
    id: Option<String>,
    activation: Option<Activation>,
    reason: Option<String>,
    message: Option<String>,
    selected: i64,
    more: bool,
}

/// How it ended: the last line.
#[derive(Debug, Serialize)]
pub(crate) struct Taken {
    pub(crate) selected: usize,
    pub(crate) gone: usize,
    /// Ids of those that are on record and not yet seen gone.
    pub(crate) open: Vec<String>,
    /// Ids of those that could not be recorded.
    pub(crate) failed: Vec<String>,
    /// Whether all that was selected is on record.
    pub(crate) complete: bool,
}

impl Preview {
    /// Of everything that was found.
    pub(crate) fn of(candidates: Vec<v1::RevocationCandidate>, unknown_ids: Vec<String>) -> Self {
        Self { dry_run: true, verb: "revoke", candidates: all(candidates), unknown_ids }
    }
}

impl From<v1::Frozen> for Frozen {
    fn from(message: v1::Frozen) -> Self {
        let v1::Frozen { by, reason, at } = message;
        Self { by: by.map(Into::into), reason, at: time(at.as_ref()) }
    }
}

impl From<v1::SignedOut> for SignedOut {
    fn from(message: v1::SignedOut) -> Self {
        let v1::SignedOut { word, detail, at } = message;
        Self { word, detail: some(detail), at: time(at.as_ref()) }
    }
}

impl From<v1::RevocationCandidate> for Candidate {
    fn from(message: v1::RevocationCandidate) -> Self {
        let v1::RevocationCandidate { activation, kept_until } = message;
        Self { activation: activation.map(Into::into), kept_until: time(kept_until.as_ref()) }
    }
}

impl From<v1::RevocationProgress> for Progress {
    fn from(message: v1::RevocationProgress) -> Self {
        let step = message.step().as_str_name().trim_start_matches("REVOCATION_STEP_").to_lowercase();
        let v1::RevocationProgress { step: _, id, activation, reason, message, selected, more } = message;
        Self {
            step,
            id: some(id),
            activation: activation.map(Into::into),
            reason: some(reason),
            message: some(message),
            selected,
            more,
        }
    }
}
