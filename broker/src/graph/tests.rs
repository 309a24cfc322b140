//! Graph as a script: what it is asked, in order, and what it answers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use elevate_core::activation::{Activation, Cause, Kind, ProofShown, Request, Retry, Review, SignOut, State};
use elevate_core::binding::Asked;
use elevate_core::due::Now;
use elevate_core::names::{
    ActivationId, AssignmentId, DirectoryRole, Membership, Principal, Relation, Scope, Slot, Target, Way,
};
use elevate_core::policy::PolicyVersion;
use elevate_core::term::Term;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

use super::{Application, Credential, Graph, Proof, Settings};
use crate::ports::Clock;
use crate::ports::clock::Mark;
use crate::ports::directory::{ExtendPermit, GrantPermit, RevokePermit};
use crate::ports::journal::Recorded;

mod accounts;
mod address;
mod assignment;
mod call;
mod credential;
mod doctor;
mod extending;
mod federated;
mod group;
mod managed;
mod people;
mod pim;
mod pim_group;
mod scopes;
mod survey;
mod together;

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const CLIENT: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const ANN: &str = "071cc716-8147-4397-a5ba-b2105951cc0b";
const BEN: &str = "f8ca5a85-489a-49a0-b555-0a6d81e56f0d";
const GROUPS_ADMIN: &str = "fdd7a751-b60b-444a-984c-02652fe8fa1c";
const USER_ADMIN: &str = "fe930be7-5e62-47db-91af-98c3a49a38b1";
const ACTIVATION: &str = "0198a2f0-0000-7000-8000-000000000001";
const ANOTHER: &str = "0198a2f0-0000-7000-8000-000000000002";
const SECRET: &str = "s3cr3t-of-the-broker";
/// 2026-04-10T00:00:00Z, where every test begins.
const START: i64 = 1_775_779_200;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(super) struct ManualClock(watch::Sender<Timestamp>, Mutex<Vec<Timestamp>>);

impl ManualClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(at(0)), Mutex::default()))
    }

    /// What witnesses said.
    pub(super) fn heard_of(&self) -> Vec<Timestamp> {
        self.1.lock().unwrap().clone()
    }

    pub(super) fn advance(&self, seconds: i64) {
        self.0.send_modify(|now| *now += SignedDuration::from_secs(seconds));
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Now {
        Now::exactly(*self.0.borrow())
    }

    async fn sleep_until(&self, moment: Timestamp) {
        let _ = self.0.subscribe().wait_for(|now| *now >= moment).await;
    }

    fn heard(&self, said: Timestamp, asked: Mark) {
        assert!(asked <= self.mark());
        self.1.lock().unwrap().push(said);
    }
}

/// What Graph was asked.
#[derive(Debug, Clone)]
struct Seen {
    /// Method, path behind the root, and query: `GET roleAssignments?$filter=..`.
    line: String,
    headers: String,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)))
            .map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What it answers.
#[derive(Debug, Clone)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    /// How many bytes of the answer arrive, where it is cut off.
    cut: Option<usize>,
}

impl Reply {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn reply(status: u16, body: impl Into<String>) -> Reply {
    Reply { status, headers: Vec::new(), body: body.into(), cut: None }
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where `json!` is written in the call")]
fn ok(body: Value) -> Reply {
    reply(200, body.to_string())
}

fn value(items: &[Value]) -> Reply {
    ok(serde_json::json!({ "value": items }))
}

fn nothing() -> Reply {
    value(&[])
}

fn problem(status: u16, code: &str) -> Reply {
    reply(
        status,
        serde_json::json!({ "error": { "code": code, "message": "see https://internal.example/x" } })
            .to_string(),
    )
}

fn missing() -> Reply {
    problem(404, "Request_ResourceNotFound")
}

/// The connection ends without an answer.
fn lost() -> Reply {
    Reply { cut: Some(0), ..reply(200, "") }
}

/// The connection stays, and no answer comes.
fn silence() -> Reply {
    reply(0, "")
}

struct Stub {
    base: String,
    script: Arc<Mutex<Script>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Script {
    steps: VecDeque<(String, Reply)>,
    tokens: VecDeque<Reply>,
    seen: Vec<Seen>,
    fetches: Vec<Seen>,
    unexpected: Vec<String>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { base, script, task }
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("{}{path}", self.base)).unwrap()
    }

    /// Graph will be asked this next, and answer that.
    fn expect(&self, line: impl Into<String>, reply: Reply) -> &Self {
        self.script.lock().unwrap().steps.push_back((line.into(), reply));
        self
    }

    fn token(&self, reply: Reply) -> &Self {
        self.script.lock().unwrap().tokens.push_back(reply);
        self
    }

    /// Everything was asked that was to be asked, and nothing else.
    #[track_caller]
    fn is_done(&self) -> Vec<Seen> {
        let mut script = self.script.lock().unwrap();
        assert_eq!(script.unexpected, Vec::<String>::new(), "asked and not expected");
        let left: Vec<_> = script.steps.iter().map(|(line, _)| line).collect();
        assert_eq!(left, Vec::<&String>::new(), "expected and not asked");
        std::mem::take(&mut script.seen)
    }

    fn fetches(&self) -> Vec<Seen> {
        self.script.lock().unwrap().fetches.clone()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    let Some(seen) = read(&mut stream).await else { return };
    let reply = answer(&mut script.lock().unwrap(), seen);
    if reply.status == 0 {
        std::future::pending::<()>().await;
    }
    let mut text = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{}", reply.body.len(), reply.body));
    let bytes = text.as_bytes();
    let _ = stream.write_all(&bytes[..reply.cut.unwrap_or(bytes.len()).min(bytes.len())]).await;
    let _ = stream.shutdown().await;
}

fn answer(script: &mut Script, seen: Seen) -> Reply {
    // Whoever is asked for a token: the tenant, or the host.
    if seen.line == "POST /token"
        || seen.line.starts_with("GET /metadata/")
        || seen.line.starts_with("GET /msi/")
    {
        script.fetches.push(seen);
        let number = script.fetches.len();
        let usual = serde_json::json!({
            "token_type": "Bearer", "expires_in": 3600, "access_token": format!("token-{number}") });
        return script.tokens.pop_front().unwrap_or_else(|| ok(usual));
    }
    let reply = match script.steps.front() {
        Some((line, _)) if *line == seen.line => script.steps.pop_front().unwrap().1,
        other => {
            let wanted = other.map(|(line, _)| line.clone());
            script.unexpected.push(format!("{} (wanted: {wanted:?})", seen.line));
            reply(418, "")
        }
    };
    script.seen.push(seen);
    reply
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let (head, mut body) = loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break (String::from_utf8(bytes[..end].to_vec()).unwrap(), bytes[end + 4..].to_vec());
        }
    };
    let (first, headers) = head.split_once("\r\n").unwrap();
    let mut seen = Seen { line: String::new(), headers: headers.replace('\r', ""), body: String::new() };
    let length: usize = seen.header("content-length").map_or(0, |text| text.parse().unwrap());
    while body.len() < length {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        body.extend_from_slice(&chunk[..count]);
    }
    seen.body = String::from_utf8(body).unwrap();
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    assert!(!target.contains('+'), "OData reads a plus sign as one: {target}");
    let target = target.replace("%20", " ").replace("%27", "'");
    let target = target
        .strip_prefix("/v1.0/roleManagement/directory/")
        .or_else(|| target.strip_prefix("/v1.0/"))
        .unwrap_or(&target);
    seen.line = format!("{method} {target}");
    Some(seen)
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

fn settings(stub: &Stub) -> Settings {
    Settings {
        tenant: TENANT.parse().unwrap(),
        credential: application(stub, Proof::Secret(SECRET.into())),
        graph: stub.url("/v1.0"),
        scope: "https://graph.microsoft.com/.default".to_owned(),
        deadline: Duration::from_secs(20),
    }
}

fn application(stub: &Stub, proof: Proof) -> Credential {
    let (client_id, token_endpoint) = (CLIENT.parse().unwrap(), stub.url("/token"));
    Credential::Application(Application { client_id, token_endpoint, proof })
}

/// A broker before a scripted Graph.
struct Bench {
    stub: Stub,
    clock: Arc<ManualClock>,
    graph: Graph,
}

async fn bench() -> Bench {
    let stub = Stub::start().await;
    let clock = ManualClock::new();
    let graph = Graph::new(settings(&stub), http(), clock.clone()).unwrap();
    Bench { stub, clock, graph }
}

fn slot() -> Slot {
    let principal = Principal { tenant: TENANT.parse().unwrap(), object: ANN.parse().unwrap() };
    target(Way::Assignment).slot(principal)
}

fn target(way: Way) -> Target {
    let role = DirectoryRole { definition: GROUPS_ADMIN.parse().unwrap(), scope: Scope::Tenant };
    let membership = Membership { group: GROUPS_ADMIN.parse().unwrap(), relation: Relation::Member };
    match way {
        Way::Assignment => Target::Assignment(role),
        Way::Pim => Target::Pim(role),
        Way::Group => Target::Group(membership),
        Way::PimGroup => Target::PimGroup(membership),
    }
}

fn id(text: &str) -> AssignmentId {
    text.parse().unwrap()
}

fn activation_of(target: Target, state: State) -> Activation {
    let asked = Asked {
        principal: slot().principal,
        role: "groups-admin".parse().unwrap(),
        target,
        term: Term::from_seconds(3600).unwrap(),
        starts_at: None,
        justification: "because of INC7, privately".parse().unwrap(),
        ticket: None,
        policy: PolicyVersion(1),
        continues: None,
    };
    let proof = ProofShown {
        token: "uti".to_owned(),
        nonce: String::new(),
        signed_in_at: at(0),
        methods: Vec::new(),
        contexts: Vec::new(),
    };
    let digest = asked.digest();
    let request = Request {
        request_id: ACTIVATION.parse().unwrap(),
        asked,
        requirements: Vec::new(),
        approval_window: SignedDuration::from_hours(1),
        proof,
        at: at(0),
        kind: Kind::Ordinary,
        own_approval: false,
        sign_out: false,
        bundle: Vec::new(),
        ticket_verdict: None,
        told: Vec::new(),
    };
    let id: ActivationId = ACTIVATION.parse().unwrap();
    Activation {
        id,
        digest,
        approvals: Vec::new(),
        term: request.asked.term,
        target: request.asked.target,
        review: Review::NotNeeded,
        sign_out: SignOut::NotNeeded,
        request,
        state,
        held_from: None,
        ended_by: None,
        version: 3,
    }
}

/// Nothing was sent yet.
fn first_try(way: Way) -> GrantPermit {
    first_try_of(target(way))
}

fn first_try_of(target: Target) -> GrantPermit {
    let state = State::Activating { not_after: at(3600), retry: Retry::first(at(0)) };
    GrantPermit::from(&Recorded::appended(activation_of(target, state))).unwrap()
}

/// An earlier try may have got through.
fn later_try(way: Way) -> GrantPermit {
    later_try_of(target(way))
}

fn later_try_of(target: Target) -> GrantPermit {
    let state =
        State::Activating { not_after: at(3600), retry: Retry::first(at(0)).again(at(0), "busy".to_owned()) };
    GrantPermit::from(&Recorded::loaded(activation_of(target, state))).unwrap()
}

/// What holds `held` until the first hour is over is to go on as another, until the third is.
fn extension_of(target: Target, held: &str, retry: &Retry) -> ExtendPermit {
    let old = Recorded::loaded(activation_of(target, State::Active { not_after: at(3600), held: id(held) }));
    let mut new = activation_of(target, State::Activating { not_after: at(3 * 3600), retry: retry.clone() });
    new.request.asked.continues = Some(old.id);
    new.id = ANOTHER.parse().unwrap();
    let new = if retry.tries == 0 { Recorded::appended(new) } else { Recorded::loaded(new) };
    ExtendPermit::from(&new, &old).unwrap()
}

fn revocation(way: Way, held: Option<&str>) -> RevokePermit {
    revocation_of(target(way), held)
}

fn revocation_of(target: Target, held: Option<&str>) -> RevokePermit {
    let state = State::Revoking {
        held: held.map(id),
        not_after: at(3600),
        cause: Cause::Expired,
        retry: Retry::first(at(0)),
    };
    RevokePermit::from(&Recorded::loaded(activation_of(target, state))).unwrap()
}
