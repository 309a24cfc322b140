//! One call to Graph, and what its answer means.
//!
//! Three meanings: done; [`Fault::Refused`], it did not happen; [`Fault::Unclear`], it may have.
//! Whatever is not surely one of the first two is the third.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use elevate_core::due::Now;
use http::header::{ACCEPT, AUTHORIZATION, DATE, HeaderMap, RETRY_AFTER};
use jiff::Timestamp;
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use super::Settings;
use super::address::{Removable, Root};
use super::budget::{self, Budget, Cost, Priority};
use super::credential::Tokens;
use super::refusal::Refusal;
use super::together::Together;
use super::wire::{Page, Problem};
use crate::ports::Clock;
use crate::ports::directory::{GrantAnswer, RevokeAnswer, Unreachable};

/// The largest answer that is read, in bytes: a page of assignments is a fifth of it.
const LARGEST: usize = 1024 * 1024;
/// The most pages of one listing. Graph's are of a hundred and more.
const MOST_PAGES: usize = 200;

/// What the calls were, and what is left of the budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    /// How many calls of each kind ended how: `done`, `refused` or `unclear`.
    pub calls: Vec<(&'static str, &'static str, u64)>,
    /// How many writes could be made now.
    pub writes_left: u64,
    /// How long Graph has asked the broker to stay away, revocations included.
    pub paused: Duration,
}

/// What is to be asked.
#[derive(Debug)]
pub(super) struct Call {
    kind: &'static str,
    priority: Priority,
    cost: Cost,
    method: Method,
    url: Url,
    body: Option<Value>,
    not_after: Option<Timestamp>,
}

impl Call {
    pub(super) const fn read(kind: &'static str, priority: Priority, url: Url) -> Self {
        Self { kind, priority, cost: Cost::READ, method: Method::GET, url, body: None, not_after: None }
    }

    pub(super) const fn write(kind: &'static str, priority: Priority, url: Url, body: Option<Value>) -> Self {
        Self { kind, priority, cost: Cost::WRITE, method: Method::POST, url, body, not_after: None }
    }

    pub(super) const fn members(url: Url) -> Self {
        let (kind, priority, cost) = ("members", Priority::List, Cost::MEMBERS);
        Self { kind, priority, cost, method: Method::GET, url, body: None, not_after: None }
    }

    /// Several in one.
    pub(super) const fn batch(
        kind: &'static str,
        priority: Priority,
        cost: Cost,
        url: Url,
        body: Value,
    ) -> Self {
        Self { kind, priority, cost, method: Method::POST, url, body: Some(body), not_after: None }
    }

    pub(super) const fn groups(url: Url, body: Value) -> Self {
        Self {
            kind: "groups",
            priority: Priority::Grant,
            cost: Cost::GROUPS,
            method: Method::POST,
            url,
            body: Some(body),
            not_after: None,
        }
    }

    /// The only `DELETE` there is: of a role assignment, or of a place in a group.
    pub(super) fn delete(kind: &'static str, what: &Removable) -> Self {
        let (priority, cost) = (Priority::Revoke, Cost::WRITE);
        Self { kind, priority, cost, method: Method::DELETE, url: what.url(), body: None, not_after: None }
    }

    /// It is not sent at or after this moment: nothing is granted late because the line was busy.
    pub(super) fn before(mut self, moment: Timestamp) -> Self {
        self.not_after = Some(moment);
        self
    }

    /// What is asked, where, and with what.
    pub(super) const fn question(&self) -> (&Method, &Url, Option<&Value>) {
        (&self.method, &self.url, self.body.as_ref())
    }

    /// By which the same call is known when it is made again.
    pub(super) fn name(&self) -> String {
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        format!("{} {} {body}", self.method, self.url)
    }

    /// An answer inside a batch that is not "done".
    pub(super) fn log_problem(&self, status: u16, problem: &Problem) {
        let (kind, code) = (self.kind, problem.code());
        if status == 404 {
            // What a revocation hopes to hear.
            tracing::debug!(kind, status, code, "graph has no such thing");
        } else {
            tracing::warn!(kind, status, code, "graph did not do it");
        }
    }
}

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It did not happen.
    Refused(Refusal),
    /// It may have happened.
    Unclear { reason: String, after: Option<Duration> },
}

impl Fault {
    pub(super) fn unclear(reason: impl Into<String>) -> Self {
        Self::Unclear { reason: reason.into(), after: None }
    }

    /// How long it asked to be left alone.
    pub(super) fn wish(&self) -> Duration {
        match self {
            Self::Refused(_) => Duration::ZERO,
            Self::Unclear { after, .. } => after.unwrap_or_default(),
        }
    }

    fn parts(self) -> (String, Option<Duration>) {
        match self {
            Self::Refused(refusal) => (format!("Graph refused ({})", refusal.brief()), None),
            Self::Unclear { reason, after } => (reason, after),
        }
    }
}

impl From<Fault> for Unreachable {
    fn from(fault: Fault) -> Self {
        let (reason, after) = fault.parts();
        Self { reason, after }
    }
}

/// A read that failed, on the way to a grant or a revocation, leaves both open.
impl From<Fault> for GrantAnswer {
    fn from(fault: Fault) -> Self {
        let (reason, after) = fault.parts();
        Self::Unclear { reason, after }
    }
}

impl From<Fault> for RevokeAnswer {
    fn from(fault: Fault) -> Self {
        let (reason, after) = fault.parts();
        Self::NotYet { reason, after }
    }
}

/// The body of an answer that was done.
#[derive(Debug)]
pub(super) struct Body(Vec<u8>);

impl Body {
    /// What came in a batch.
    pub(super) fn of(value: &Value) -> Self {
        Self(value.to_string().into_bytes())
    }

    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_slice(&self.0).map_err(|_| Fault::unclear("Graph's answer could not be read"))
    }
}

/// What carries a question to Graph and brings the answer: HTTPS, or a model of Graph.
#[async_trait]
pub trait Wire: Send + Sync + std::fmt::Debug {
    /// Sends once, and waits for the answer's head for as long as the question says.
    ///
    /// # Errors
    /// There is no answer, and whether the question arrived is not known: what went wrong, in words for an
    /// operator and without the address.
    async fn send(&self, question: reqwest::Request) -> Result<Response, &'static str>;
}

#[async_trait]
impl Wire for reqwest::Client {
    async fn send(&self, question: reqwest::Request) -> Result<Response, &'static str> {
        self.execute(question).await.map_err(|error| broken(&error))
    }
}

/// The line to Graph that every call goes through.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) root: Root,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tokens: Tokens,
    http: reqwest::Client,
    wire: Arc<dyn Wire>,
    budget: Budget,
    together: Together,
    deadline: Duration,
    tally: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
}

impl Line {
    pub(super) fn new(
        settings: Settings,
        http: reqwest::Client,
        wire: Arc<dyn Wire>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            root: Root::new(settings.graph.clone()),
            budget: Budget::new(Arc::clone(&clock), budget::WRITES, budget::UNITS),
            together: Together::default(),
            deadline: settings.deadline,
            tokens: Tokens::new(settings, http.clone(), Arc::clone(&wire), Arc::clone(&clock)),
            http,
            wire,
            clock,
            tally: Mutex::default(),
        }
    }

    /// Asks once; a second time with a fresh token when Graph did not take the first, for then it did
    /// not look at the call either.
    pub(super) async fn send(&self, call: Call) -> Result<Body, Fault> {
        let outcome = self.send_uncounted(&call).await;
        self.count(&call, &outcome);
        outcome
    }

    /// Takes something away: alone, or with whatever else is to be taken away at this moment.
    pub(super) async fn take_away(&self, call: Call) -> Result<Body, Fault> {
        self.together.send(self, call).await
    }

    /// Counts how a call ended.
    pub(super) fn count(&self, call: &Call, outcome: &Result<Body, Fault>) {
        let word = match outcome {
            Ok(_) => "done",
            Err(Fault::Refused(_)) => "refused",
            Err(Fault::Unclear { .. }) => "unclear",
        };
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.entry((call.kind, word)).or_default() += 1;
    }

    /// Every page of a listing, or an error: never a part.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        kind: &'static str,
        priority: Priority,
        first: Url,
    ) -> Result<Vec<T>, Fault> {
        self.list_at(Cost::READ, kind, priority, first).await
    }

    /// Likewise, where a page costs more than a read.
    pub(super) async fn list_at<T: DeserializeOwned>(
        &self,
        cost: Cost,
        kind: &'static str,
        priority: Priority,
        first: Url,
    ) -> Result<Vec<T>, Fault> {
        let mut found = Vec::new();
        let mut url = first;
        for _ in 0..MOST_PAGES {
            let call = Call { cost, ..Call::read(kind, priority, url) };
            let page: Page<T> = self.send(call).await?.read()?;
            found.extend(page.value);
            let Some(link) = page.next_link else { return Ok(found) };
            url = self
                .root
                .next(&link)
                .ok_or_else(|| Fault::unclear("Graph's listing goes on at an address that is not Graph's"))?;
        }
        Err(Fault::unclear(format!("Graph's listing has more than {MOST_PAGES} pages")))
    }

    /// One call of a `$batch` was told to stay away, and the batch as a whole was not.
    pub(super) fn stay_away(&self, priority: Priority, length: Duration) {
        self.budget.pause(priority, length);
    }

    pub(super) fn meter(&self) -> Meter {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        Meter {
            calls: tally.iter().map(|((kind, outcome), count)| (*kind, *outcome, *count)).collect(),
            writes_left: self.budget.writes_left(),
            paused: self.budget.paused(),
        }
    }

    async fn send_uncounted(&self, call: &Call) -> Result<Body, Fault> {
        let _place = self.budget.enter(call.priority, call.cost, self.deadline).await.map_err(|after| {
            Fault::Unclear { reason: "the budget of calls to Graph is spent".to_owned(), after: Some(after) }
        })?;
        for is_last in [false, true] {
            let token = self.tokens.token().await?;
            if call.not_after.is_some_and(|end| self.clock.now().latest() >= end) {
                return Err(Fault::unclear("its time was up before Graph could be asked"));
            }
            match self.once(call, token.header()).await {
                Err(Fault::Refused(refusal)) if refusal.status == 401 => {
                    self.tokens.forget(&token).await;
                    if is_last {
                        let reason = format!("Graph does not take the broker's token ({})", refusal.brief());
                        return Err(Fault::unclear(reason));
                    }
                }
                outcome => return outcome,
            }
        }
        Err(Fault::unclear("Graph does not take the broker's token"))
    }

    async fn once(&self, call: &Call, token: http::HeaderValue) -> Result<Body, Fault> {
        let client_request_id = Uuid::new_v4().to_string();
        let urgency = match call.priority {
            Priority::Revoke | Priority::Confirm => "High",
            Priority::Grant => "Normal",
            Priority::List => "Low",
        };
        let mut request = self
            .http
            .request(call.method.clone(), call.url.clone())
            .timeout(self.deadline)
            .header(AUTHORIZATION, token)
            .header(ACCEPT, "application/json")
            .header("client-request-id", &client_request_id)
            .header("x-ms-throttle-priority", urgency);
        if let Some(body) = &call.body {
            request = request.json(body);
        } else if call.method == Method::POST {
            request = request.header(http::header::CONTENT_LENGTH, 0);
        }
        let asked = self.clock.mark();
        let response = sent(&*self.wire, request).await.map_err(|reason| {
            tracing::warn!(kind = call.kind, client_request_id, reason, "no answer from graph");
            Fault::unclear(format!("Graph: {reason}"))
        })?;
        if let Some(said) = date(response.headers()) {
            self.clock.heard(said, asked);
        }
        let status = response.status().as_u16();
        let request_id = plain(response.headers(), "request-id");
        let after = retry_after(response.headers(), self.clock.now());
        let body = whole(response).await;
        if (200..300).contains(&status) {
            tracing::debug!(kind = call.kind, client_request_id, request_id, status, "graph answered");
            return body.map(Body).map_err(|why| Fault::unclear(format!("Graph: {why}")));
        }
        let problem = Problem::read(&body.unwrap_or_default());
        let code = problem.code();
        if status == 404 {
            // What a revocation hopes to hear.
            tracing::debug!(
                kind = call.kind,
                client_request_id,
                request_id,
                status,
                code,
                "graph has no such thing"
            );
        } else {
            tracing::warn!(
                kind = call.kind,
                client_request_id,
                request_id,
                status,
                code,
                "graph did not do it"
            );
        }
        if let Some(length) = after.filter(|_| matches!(status, 429 | 503)) {
            self.budget.pause(call.priority, length);
        }
        Err(judge(status, problem, after))
    }
}

/// What an answer means that is not "done".
pub(super) fn judge(status: u16, problem: Problem, after: Option<Duration>) -> Fault {
    let refusal = Refusal { status, problem };
    let is_sure = match status {
        408 | 423 | 425 | 429 => false,
        // A conflict is a write that lost against another, unless it says what it met.
        409 => refusal.is_duplicate(),
        400..500 => !refusal.is("Directory_ConcurrencyViolation") && !refusal.is("ResourceIsLocked"),
        _ => false,
    };
    if is_sure {
        return Fault::Refused(refusal);
    }
    let reason = match status {
        429 => format!("Graph has too much to do ({})", refusal.brief()),
        300..400 => format!("Graph sent the broker elsewhere ({})", refusal.brief()),
        _ => format!("Graph did not say whether it was done ({})", refusal.brief()),
    };
    Fault::Unclear { reason, after }
}

/// How long to stay away: RFC 9110, section 10.2.3. Graph sends seconds, also in fractions.
pub(super) fn retry_after(headers: &HeaderMap, now: Now) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let moment = http_date(text)?;
    // By the sender's own clock where it tells the time.
    let sent = date(headers);
    let wait = moment.duration_since(sent.unwrap_or(now.earliest()));
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}

/// The `Date` of a reply.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

/// The body, as far as it is not too long.
pub(super) async fn whole(mut response: Response) -> Result<Vec<u8>, &'static str> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        if body.len() + chunk.len() > LARGEST {
            return Err("the answer is too long");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Sends a question that is made up, and waits for the answer's head.
pub(super) async fn sent(
    wire: &dyn Wire,
    question: reqwest::RequestBuilder,
) -> Result<Response, &'static str> {
    wire.send(question.build().map_err(|error| broken(&error))?).await
}

/// What went wrong on the way, without the address.
pub(super) fn broken(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}

/// A header for the log: short, and without what could forge a line.
fn plain(headers: &HeaderMap, name: &str) -> String {
    let text = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect()
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`: RFC 9110, section 5.6.7. Its two older forms are not sent any more.
fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}
