//! `$batch`: up to twenty calls in one, each with an answer of its own
//! (<https://learn.microsoft.com/graph/json-batching>). The batch succeeds even where none of them does, and each
//! costs as much as if it went alone.

use std::collections::BTreeMap;
use std::time::Duration;

use elevate_core::due::Now;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Method;
use serde_json::{Value, json};

use super::budget::{Cost, Priority};
use super::call::{Body, Call, Fault, Line, judge, retry_after};
use super::wire::{Answered, Batch, Problem};

/// The most that one takes.
pub(super) const MOST: usize = 20;

/// One call of it, in the form that it has there.
#[derive(Debug)]
pub(super) struct Item {
    id: String,
    method: Method,
    url: String,
    body: Option<Value>,
}

impl Item {
    /// A read. Ids must be unique in a batch, whatever their case.
    pub(super) const fn read(id: String, url: String) -> Self {
        Self { id, method: Method::GET, url, body: None }
    }

    /// The n-th of several calls. `None` where its address is not below Graph's root.
    fn nth(n: usize, call: &Call, line: &Line) -> Option<Self> {
        let (method, url, body) = call.question();
        let url = line.root.relative(url)?;
        Some(Self { id: n.to_string(), method: method.clone(), url, body: body.cloned() })
    }

    fn written(self) -> Value {
        let Self { id, method, url, body } = self;
        let mut item = json!({ "id": id, "method": method.as_str(), "url": url });
        if let (Some(item), Some(body)) = (item.as_object_mut(), body) {
            item.insert("headers".to_owned(), json!({ "Content-Type": "application/json" }));
            item.insert("body".to_owned(), body);
        }
        item
    }
}

/// Asks all of these at once, and has the line heed what each answer wishes.
///
/// # Errors
/// Of the batch as a whole: none of them has an answer.
pub(super) async fn ask(
    line: &Line,
    kind: &'static str,
    priority: Priority,
    cost: Cost,
    items: Vec<Item>,
) -> Result<Vec<Answered>, Fault> {
    let items: Vec<Value> = items.into_iter().map(Item::written).collect();
    let url = line.root.at(&["$batch"]);
    let call = Call::batch(kind, priority, cost, url, json!({ "requests": items }));
    let Batch { responses } = line.send(call).await?.read()?;
    let wished = responses.iter().filter_map(|answered| told_to_wait(answered, line.clock.now())).max();
    if let Some(length) = wished {
        line.stay_away(priority, length);
    }
    Ok(responses)
}

/// Sends these writes at once. One outcome for each, in their order; [`Fault::Unclear`] for what has no answer.
pub(super) async fn write(line: &Line, calls: &[Call]) -> Vec<Result<Body, Fault>> {
    let unclear = |reason: &str| Err(Fault::unclear(reason));
    let items =
        calls.iter().enumerate().map(|(n, call)| Item::nth(n, call, line)).collect::<Option<Vec<_>>>();
    let Some(items) = items else {
        return calls.iter().map(|_| unclear("an address that is not Graph's")).collect();
    };
    let answered = ask(line, "batch", Priority::Revoke, Cost::writes(calls.len()), items).await;
    let mut answers: BTreeMap<String, Answered> = match answered {
        Ok(answered) => answered.into_iter().map(|answered| (answered.id.clone(), answered)).collect(),
        // Refused as a whole, or not heard of: nothing is said of any one.
        Err(Fault::Refused(refusal)) => {
            let reason = format!("Graph refused it among others ({})", refusal.brief());
            return calls.iter().map(|_| unclear(&reason)).collect();
        }
        Err(fault) => return calls.iter().map(|_| Err(fault.clone())).collect(),
    };
    let mut outcomes = Vec::with_capacity(calls.len());
    for (n, call) in calls.iter().enumerate() {
        let outcome = match answers.remove(&n.to_string()) {
            Some(answered) => meaning(call, answered, line.clock.now()),
            None => unclear("Graph answered others and not this"),
        };
        line.count(call, &outcome);
        outcomes.push(outcome);
    }
    outcomes
}

/// What an answer inside a batch means: the same as if it had come alone.
fn meaning(call: &Call, answered: Answered, now: Now) -> Result<Body, Fault> {
    let after = told_to_wait(&answered, now);
    let Answered { id: _, status, headers: _, body } = answered;
    if (200..300).contains(&status) {
        return Ok(Body::of(&body));
    }
    let problem = Problem::read(body.to_string().as_bytes());
    call.log_problem(status, &problem);
    match status {
        // It is asked alone next time, and then the line sees to the token.
        401 => Err(Fault::unclear("Graph does not take the broker's token")),
        _ => Err(judge(status, problem, after)),
    }
}

/// Each answer has its own wish, and the batch has none.
fn told_to_wait(answered: &Answered, now: Now) -> Option<Duration> {
    if !matches!(answered.status, 429 | 503) {
        return None;
    }
    let pair = |(name, value): (&String, &String)| {
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::from_str(value).ok()?))
    };
    let headers: HeaderMap = answered.headers.iter().filter_map(pair).collect();
    retry_after(&headers, now)
}
