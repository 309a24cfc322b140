//! A terminal, a folder, a clock that stands still, and who is on the other side.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use elevate_proto::v1;
use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::sync::Notify;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::broker::Broker;
use super::tenant::{Manner, Person, Tenant};
use crate::exit::Exit;
use crate::world::{Clock, Command, Commands, Key, Keyring, Keys, Running, Terminals, World};

pub(super) const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
pub(super) const ANN: &str = "071cc716-8147-4397-a5ba-b2105951cc0b";
pub(super) const BOB: &str = "1b2c3d4e-0000-4000-8000-000000000002";
pub(super) const ID: &str = "0199a1b2-0000-7000-8000-000000000001";
/// 15:00 UTC; the person is an hour ahead.
pub(super) const NOW: i64 = 1_795_186_800;

pub(super) struct Bench {
    pub(super) broker: Arc<Broker>,
    pub(super) tenant: Arc<Tenant>,
    pub(super) folder: TempDir,
    pub(super) certificates: Certificates,
    pub(super) env: BTreeMap<String, String>,
    pub(super) terminals: Terminals,
    pub(super) manner: Manner,
    pub(super) keyring: Arc<dyn Keyring>,
    pub(super) interrupt: Arc<Notify>,
    pub(super) port: u16,
    pub(super) now: i64,
    /// After so many pauses they have had enough, and press Ctrl-C.
    pub(super) pauses: Option<u32>,
    pub(super) keys: Arc<Fingers>,
    pub(super) shell: Arc<Shell>,
}

/// What came of a command.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) exit: Exit,
    pub(super) out: String,
    pub(super) err: String,
}

impl Bench {
    /// A person who is signed in by a token in a file.
    pub(super) async fn signed_in() -> Self {
        let mut bench = Self::new().await;
        let token = bench.folder.path().join("token");
        std::fs::write(&token, "a-token\n").unwrap();
        bench.env.insert("ELEVATE_ACCESS_TOKEN_FILE".to_owned(), token.to_str().unwrap().to_owned());
        bench
    }

    /// A person who is not signed in.
    pub(super) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let certificates = Certificates::new();
        let broker = Arc::new(Broker::default());
        let port = broker.serve(&certificates).await;
        let tenant = Arc::new(Tenant::default());
        tenant.serve(&certificates).await;
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, &certificates.ca).unwrap();
        let issuer = tenant.issuer();
        broker.says(
            "get_sign_in",
            &v1::SignIn {
                issuer,
                client_id: "client-1".to_owned(),
                scope: "api://elevate/use".to_owned(),
                ..v1::SignIn::default()
            },
        );
        let env = [
            ("ELEVATE_BROKER", format!("localhost:{port}")),
            ("ELEVATE_CA", ca.to_str().unwrap().to_owned()),
            ("ELEVATE_CONFIG_DIR", folder.path().join("config").to_str().unwrap().to_owned()),
        ];
        Self {
            broker,
            tenant,
            folder,
            certificates,
            env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            terminals: Terminals::default(),
            manner: Manner::SignsIn,
            keyring: Arc::new(NoKeyring),
            interrupt: Arc::new(Notify::new()),
            port,
            now: NOW,
            pauses: None,
            keys: Arc::default(),
            shell: Arc::default(),
        }
    }

    /// Somebody sits at it.
    pub(super) fn at_a_terminal(mut self) -> Self {
        self.terminals = Terminals { input: true, out: true, err: true, width: Some(100), height: Some(30) };
        self.env.insert("NO_COLOR".to_owned(), "1".to_owned());
        self
    }

    pub(super) async fn elevate(&self, args: &[&str]) -> Ran {
        self.typing(args, "").await
    }

    /// With this to read.
    pub(super) async fn typing(&self, args: &[&str], input: &'static str) -> Ran {
        let err = Buffer::default();
        self.with_input(args, Arc::new(Mutex::new(input.as_bytes())), err).await
    }

    pub(super) async fn with_input(
        &self,
        args: &[&str],
        input: Arc<Mutex<dyn BufRead + Send>>,
        err: Buffer,
    ) -> Ran {
        let out = Buffer::default();
        let world = World { input, ..self.world(self.terminals, out.clone(), err.clone()) };
        let args = ["elevate"].iter().chain(args).map(OsString::from);
        let exit = crate::run(args, world).await;
        Ran { exit, out: self.same_everywhere(&out.text()), err: self.same_everywhere(&err.text()) }
    }

    /// What surrounds one command here.
    pub(super) fn world(&self, terminals: Terminals, out: Buffer, err: Buffer) -> World {
        World {
            out: Box::new(out),
            err: Box::new(err),
            input: Arc::new(Mutex::new(io::empty())),
            terminals,
            env: self.env.clone(),
            browser: Arc::new(Person { tenant: Arc::clone(&self.tenant), manner: self.manner }),
            clock: match self.pauses {
                None => Arc::new(Stopped(self.now)),
                Some(left) => Arc::new(Moved {
                    now: AtomicI64::new(self.now),
                    left: AtomicU32::new(left),
                    interrupt: Arc::clone(&self.interrupt),
                }),
            },
            time_zone: TimeZone::fixed(offset(1)),
            keyring: Arc::clone(&self.keyring),
            keys: Arc::clone(&self.keys) as _,
            commands: Arc::clone(&self.shell) as _,
            interrupt: Arc::clone(&self.interrupt),
        }
    }

    /// Without what differs from run to run.
    fn same_everywhere(&self, text: &str) -> String {
        text.replace(&format!("localhost:{}", self.port), "broker:8443")
            .replace(&format!("session-localhost_{}", self.port), "session-broker_8443")
            .replace(&self.tenant.issuer(), "https://tenant/v2.0")
            .replace(self.folder.path().to_str().unwrap(), "FOLDER")
    }
}

impl Ran {
    /// All of it, as one text.
    pub(super) fn all(&self) -> String {
        let mut text = String::new();
        for (name, stream) in [("out", &self.out), ("err", &self.err)] {
            for line in stream.lines() {
                text.push_str(format!("{name}: {line}").trim_end());
                text.push('\n');
            }
        }
        format!("{text}exit: {}\n", self.exit.code())
    }

    /// The answer, as a program reads it.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(super) fn ann() -> v1::Principal {
    who(ANN, "Ann")
}

pub(super) fn who(object_id: &str, name: &str) -> v1::Principal {
    v1::Principal {
        tenant_id: TENANT.to_owned(),
        object_id: object_id.to_owned(),
        display_name: name.to_owned(),
    }
}

pub(super) fn at(minutes: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: NOW + 60 * minutes, nanos: 0 })
}

/// Ann's request, as it stands in this state.
pub(super) fn activation(state: v1::ActivationState) -> v1::Activation {
    use v1::ActivationState as State;
    let mut activation = v1::Activation {
        id: ID.to_owned(),
        principal: Some(ann()),
        role: "groups-admin".to_owned(),
        directory_role: Some(v1::DirectoryRole {
            way: "assignment".to_owned(),
            role_definition_id: "fdd7a751-b60b-444a-984c-02652fe8fa1c".to_owned(),
            scope: "/".to_owned(),
            ..v1::DirectoryRole::default()
        }),
        term_seconds: 7200,
        asked_term_seconds: 7200,
        asked_scope: "/".to_owned(),
        justification: "reset a group".to_owned(),
        ticket: Some(v1::Ticket { number: "INC0012345".to_owned(), system: "ServiceNow".to_owned() }),
        requested_at: at(-1),
        requirements: vec![requirement()],
        approvals_needed: i32::from(state == State::AwaitingApproval),
        policy_version: 3,
        version: state as i64,
        ..v1::Activation::default()
    };
    activation.set_state(state);
    activation.answer_needed_by = (state == State::AwaitingApproval).then(|| at(239)).flatten();
    let held = [State::Activating, State::Active, State::Revoking].contains(&state);
    activation.held_until = held.then(|| at(120)).flatten();
    activation.closed_at = (state == State::Closed).then(|| at(0)).flatten();
    activation.asked_term_seconds = activation.term_seconds;
    activation.asked_scope = "/".to_owned();
    activation.digest = digest_of(&activation);
    activation
}

pub(super) fn ended(outcome: v1::Outcome) -> v1::Activation {
    let mut activation = activation(v1::ActivationState::Closed);
    activation.set_outcome(outcome);
    activation
}

pub(super) fn digest_of(activation: &v1::Activation) -> String {
    crate::binding::Asked::of(activation).unwrap().digest()
}

pub(super) fn requirement() -> v1::ApprovalRequirement {
    v1::ApprovalRequirement { count: 1, from: vec![format!("user:{BOB}"), "group:9f0e".to_owned()] }
}

pub(super) fn challenge(digest: &str, action: &str) -> v1::Challenge {
    v1::Challenge {
        challenge: "challenge-1".to_owned(),
        nonce: crate::binding::nonce("challenge-1", digest, action),
        digest: digest.to_owned(),
        expires_at: at(5),
        requirement: Some(v1::ProofRequirement {
            strength: "mfa".to_owned(),
            auth_context: "c1".to_owned(),
            fresh_within_seconds: 300,
            nonce_required: true,
        }),
    }
}

/// The answer to a question for [`activation`]'s role.
pub(super) fn prepared() -> v1::PrepareActivationResponse {
    let activation = activation(v1::ActivationState::Requested);
    v1::PrepareActivationResponse {
        challenge: Some(challenge(&activation.digest, "activate")),
        directory_role: activation.directory_role,
        title: "Groups Administrator".to_owned(),
        term_seconds: 7200,
        requirements: vec![requirement()],
        approval_window_seconds: 14_400,
        policy_version: 3,
        principal: Some(ann()),
        approvers: Some(approvers()),
        power: Some(power()),
        ..v1::PrepareActivationResponse::default()
    }
}

/// Bob, and others in a group.
pub(super) fn approvers() -> v1::Approvers {
    let bob = v1::Principal { object_id: BOB.to_owned(), display_name: "Bob".to_owned(), ..ann() };
    let candidates = v1::Candidates { count: 1, people: vec![bob], more: true };
    v1::Approvers { requirements: vec![candidates], enough: "yes".to_owned() }
}

/// Of tier 0, as most are.
pub(super) fn power() -> v1::Power {
    v1::Power {
        title: "Groups Administrator".to_owned(),
        tier: "0".to_owned(),
        ascent: "indirect".to_owned(),
        how: "it can join a group".to_owned(),
    }
}

/// A refusal as the broker makes it.
pub(super) fn refusal(code: Code, reason: &str, message: &str) -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, "elevate", std::collections::HashMap::new());
    Status::with_error_details(code, message, details)
}

/// What was written so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Stopped(i64);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0).unwrap()
    }
}

/// Moved by whoever waits for it.
struct Moved {
    now: AtomicI64,
    left: AtomicU32,
    interrupt: Arc<Notify>,
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.now.load(Ordering::SeqCst)).unwrap()
    }

    fn sleep(&self, length: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.now.fetch_add(i64::try_from(length.as_secs()).unwrap(), Ordering::SeqCst);
        if self.left.fetch_sub(1, Ordering::SeqCst) > 1 {
            return Box::pin(std::future::ready(()));
        }
        self.interrupt.notify_one();
        Box::pin(std::future::pending())
    }
}

/// Presses these keys, where they can be pressed.
#[derive(Default)]
pub(super) struct Fingers {
    pub(super) next: Mutex<VecDeque<Key>>,
    /// How often the keyboard was taken, and given back.
    pub(super) taken: Mutex<(u32, u32)>,
}

impl Keys for Fingers {
    fn open(&self) -> io::Result<()> {
        self.taken.lock().unwrap().0 += 1;
        Ok(())
    }

    fn next(&self) -> io::Result<Key> {
        self.next.lock().unwrap().pop_front().ok_or_else(|| io::Error::other("nobody presses anything"))
    }

    fn close(&self) {
        self.taken.lock().unwrap().1 += 1;
    }
}

/// Programs that end as they are told to.
#[derive(Default)]
pub(super) struct Shell {
    pub(super) ran: Mutex<Vec<Command>>,
    pub(super) ends: Mutex<VecDeque<io::Result<u8>>>,
    /// They end when they are told.
    pub(super) until: Option<Arc<Notify>>,
}

impl Commands for Shell {
    fn run(&self, command: Command) -> Running {
        self.ran.lock().unwrap().push(command);
        let end = self.ends.lock().unwrap().pop_front().unwrap_or(Ok(0));
        let until = self.until.clone();
        Box::pin(async move {
            if let Some(until) = until {
                until.notified().await;
            }
            end
        })
    }
}

/// A server without a desktop.
pub(super) struct NoKeyring;

impl Keyring for NoKeyring {
    fn load(&self, _: &str) -> Result<Option<String>, String> {
        Err("no secret service".to_owned())
    }

    fn save(&self, _: &str, _: &str) -> Result<(), String> {
        Err("no secret service".to_owned())
    }

    fn forget(&self, _: &str) -> Result<(), String> {
        Err("no secret service".to_owned())
    }
}

/// A desktop.
#[derive(Default)]
pub(super) struct Drawer(pub(super) Mutex<BTreeMap<String, String>>);

impl Keyring for Drawer {
    fn load(&self, name: &str) -> Result<Option<String>, String> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    fn save(&self, name: &str, secret: &str) -> Result<(), String> {
        assert!(secret.encode_utf16().count() * 2 <= 2560, "Windows would refuse it");
        self.0.lock().unwrap().insert(name.to_owned(), secret.to_owned());
        Ok(())
    }

    fn forget(&self, name: &str) -> Result<(), String> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }
}

/// A CA, and a certificate for `localhost`.
pub(super) struct Certificates {
    pub(super) ca: String,
    pub(super) leaf: String,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: String,
}

impl Certificates {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "elevate test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&ca_key).unwrap();
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        leaf.distinguished_name.push(DnType::CommonName, "elevate test broker");
        let key = KeyPair::generate().unwrap();
        let signed = leaf.signed_by(&key, &Issuer::new(params, ca_key)).unwrap();
        Self { ca: ca.pem(), leaf: signed.pem(), chain: vec![signed.der().clone()], key: key.serialize_pem() }
    }

    pub(super) fn server(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        http2: bool,
    ) -> rustls::ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .unwrap();
        if http2 {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        config
    }
}
