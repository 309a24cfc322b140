//! What is sent to a ticket system, and what its answer means. README has the contract.
//!
//! These are answers of somebody else's making, which may carry more than we ask for: what is not named here is left
//! alone. What we need must be there, and of its kind; else nobody has answered.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ports::tickets::{Question, Said};

/// The longest reason that is passed on, in characters.
const REASON_MAX: usize = 200;

/// A question as it is posted.
#[derive(Debug, Serialize)]
pub(super) struct Asked<'a> {
    number: &'a str,
    system: &'a str,
    role: &'a str,
    place: &'a str,
    tenant: String,
    requester: String,
    start: String,
    end: String,
    /// It is `elevated doctor` that asks, and no decision hangs on it.
    test: bool,
}

impl<'a> Asked<'a> {
    pub(super) fn of(question: &Question<'a>, test: bool) -> Self {
        let Question { check: _, ticket, role, place, requester, starts_at, ends_at } = question;
        Self {
            number: ticket.number(),
            system: ticket.system(),
            role: role.as_str(),
            place,
            tenant: requester.tenant.to_string(),
            requester: requester.object.to_string(),
            start: format!("{starts_at:.0}"),
            end: format!("{ends_at:.0}"),
            test,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Answer {
    decision: Decision,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Allow,
    Deny,
}

/// What the answer to a posted question means.
pub(super) fn decision(body: &[u8]) -> Said {
    match serde_json::from_slice(body) {
        Ok(Answer { decision: Decision::Allow, .. }) => Said::Confirmed,
        Ok(Answer { decision: Decision::Deny, reason }) => {
            let reason = reason.map(|reason| plain(&reason)).filter(|reason| !reason.is_empty());
            Said::Refused(reason.unwrap_or_else(|| "it gave no reason".to_owned()))
        }
        Err(_) => Said::Unanswered("its answer is not one that is understood here".to_owned()),
    }
}

/// What to read of a ticket, and the number of the one that was asked about.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) asked: &'a str,
    pub(super) number: &'a str,
    pub(super) state: &'a str,
    pub(super) accepted: &'a [String],
}

/// What a ticket that was read means.
pub(super) fn state(body: &[u8], reading: &Reading<'_>) -> Said {
    let Ok(ticket) = serde_json::from_slice::<Value>(body) else {
        return Said::Unanswered("its answer is no JSON".to_owned());
    };
    // An empty list of results, as a rule. A no in any case: silence might be let pass.
    let (Some(number), Some(state)) = (word(&ticket, reading.number), word(&ticket, reading.state)) else {
        return Said::Refused("it knows no such ticket, or no state of it".to_owned());
    };
    // Some systems pass over a search that they do not understand, and show whatever ticket comes first.
    if !number.eq_ignore_ascii_case(reading.asked) {
        return Said::Refused(format!("it showed another ticket, `{}`", plain(&number)));
    }
    if reading.accepted.contains(&state) {
        Said::Confirmed
    } else {
        Said::Refused(format!("the ticket is in the state `{}`", plain(&state)))
    }
}

fn word(ticket: &Value, pointer: &str) -> Option<String> {
    match ticket.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a number may stand in an address: there is nothing in it that an address, or a query language behind it,
/// would read as anything but a part of a number.
pub(super) fn may_stand_in_an_address(number: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    number.bytes().all(is_plain) && number.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// Somebody else's words, as far as they can be shown: on one line, and not too long.
fn plain(text: &str) -> String {
    let shown = |letter: char| if elevate_core::names::is_plain(letter) { letter } else { ' ' };
    text.trim().chars().map(shown).take(REASON_MAX).collect::<String>().trim().to_owned()
}
