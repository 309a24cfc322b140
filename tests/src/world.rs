//! The tenant, the broker beside it, and the hand on the clock.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use elevate_broker::app;
use elevate_broker::config::Config;
use elevate_proto::v1 as api;
use elevate_sandbox::people::{self, Role};
use elevate_sandbox::stage::{self, Person};
use elevate_sandbox::{Settings, Tenant};
use jiff::SignedDuration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_stream::StreamExt as _;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::{Caller, Hands, Outcome, State};

/// When every test begins.
pub const START: &str = "2026-01-05T08:00:00Z";

/// How long anything may take by the machine's clock before a test gives up. No test waits this long
/// unless something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Who may have what in these tests.
pub const POLICY: &str = include_str!("policy.toml");

/// The usual limit of calls is for people; a test asks faster.
const BESIDE: [(&str, &str); 2] =
    [("ELEVATE_LIMITS_CALLS_PER_MINUTE", "100000"), ("ELEVATE_LIMITS_CALLS_PER_SECOND", "100000")];

/// A tenant and a broker, and everybody in it.
#[derive(Debug)]
pub struct World {
    /// The tenant.
    pub tenant: Tenant,
    /// The clock of both.
    pub hands: Hands,
    folder: TempDir,
    environment: Vec<(String, String)>,
    written: fn(&Tenant, String) -> String,
    addresses: Mutex<Option<(SocketAddr, SocketAddr)>>,
    broker: Mutex<Option<Broker>>,
}

/// A broker that serves, in a runtime of its own, so that it can end as a process does.
#[derive(Debug)]
struct Broker {
    running: app::Running,
    runtime: Runtime,
    channel: Channel,
}

/// How a broker ended that was told to.
pub type Halted = Result<(), app::Failure>;

/// Everything that must not change when something is refused.
#[derive(Debug, PartialEq)]
pub struct Changed {
    record: Vec<api::AuditEntry>,
    held: Vec<String>,
    requests: usize,
}

impl World {
    /// A tenant, a broker, and [`POLICY`] in force.
    pub async fn start() -> Self {
        Self::set(&[]).await
    }

    /// Likewise, with these variables over the broker's configuration.
    pub async fn set(environment: &[(&str, &str)]) -> Self {
        let world = Self::without_policy(environment).await;
        world.grpc("eve").apply(POLICY, 0).await.expect("the tests' own policy is good");
        world
    }

    /// A broker that was never given a policy.
    pub async fn without_policy(environment: &[(&str, &str)]) -> Self {
        let world = Self::without_broker(environment).await;
        world.restart().await;
        world
    }

    /// Likewise, with a configuration that is written otherwise.
    pub async fn written(written: fn(&Tenant, String) -> String) -> Self {
        let mut world = Self::without_broker(&[]).await;
        world.written = written;
        world.restart().await;
        world.grpc("eve").apply(POLICY, 0).await.expect("the tests' own policy is good");
        world
    }

    /// Only the tenant.
    pub async fn without_broker(environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let hands = Hands::at(START.parse().expect("a moment"));
        let settings = Settings { clock: hands.clock(), ..Settings::in_folder(folder.path().join("tenant")) };
        let tenant = Tenant::start(settings).await.expect("the tenant starts");
        let environment = BESIDE.iter().chain(environment).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let environment = environment.collect();
        let (addresses, broker) = (Mutex::default(), Mutex::default());
        Self { tenant, hands, folder, environment, written: |_, text| text, addresses, broker }
    }

    /// The broker's configuration, as it would be written, with the variables over it.
    pub fn config(&self, listen: SocketAddr, admin: SocketAddr) -> Config {
        let text = stage::configuration(&self.tenant, listen, admin, &self.store()).expect("a configuration");
        Config::parse(&(self.written)(&self.tenant, text), self.folder(), self.environment.clone())
            .expect("a good configuration")
    }

    /// The folder of everything in this world.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the record is.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("record")
    }

    /// Starts the broker on the record that is there, at the address that it had. One that serves is told
    /// to end first.
    pub async fn restart(&self) {
        self.try_restart().await.expect("the broker starts");
    }

    /// Likewise, where it may be refused.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn try_restart(&self) -> anyhow::Result<()> {
        if self.held().is_some() {
            self.stop().await.expect("it ends in order");
        }
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (listen, admin) = self.addresses().unwrap_or((any, any));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let started = tokio::time::Instant::now();
        let running = loop {
            let (config, hands) = (self.config(listen, admin), self.hands.clone());
            match runtime.spawn(app::start(config, Some(Arc::new(hands)))).await? {
                Ok(running) => break running,
                // One that was killed in this process may take a moment to let go of its files.
                Err(error) if is_in_use(&error) && started.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => {
                    runtime.shutdown_background();
                    return Err(error);
                }
            }
        };
        let (address, admin) = (running.address, running.admin_address);
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = Some((address, admin));
        let channel = self.endpoint().connect_lazy();
        *self.held() = Some(Broker { running, runtime, channel });
        Ok(())
    }

    /// Tells the broker to end, and waits until it has.
    ///
    /// # Errors
    /// It ended otherwise.
    pub async fn stop(&self) -> Halted {
        let Broker { running, runtime, .. } = self.held().take().expect("a broker that serves");
        running.stop();
        let ended = running.wait().await;
        runtime.shutdown_background();
        ended
    }

    /// Ends the broker as a kill does, as nearly as one process can do that to a part of itself: every
    /// task stops where it is, and nothing more is written or said.
    pub async fn kill(&self) {
        let Broker { running, runtime, .. } = self.held().take().expect("a broker that serves");
        drop(running);
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE)).await.expect("it ends");
    }

    /// Tells the broker to end, and does not wait. The answer is how it ended.
    pub fn told_to_end(&self) -> impl Future<Output = Halted> + use<> {
        let Broker { running, runtime, .. } = self.held().take().expect("a broker that serves");
        running.stop();
        async move {
            let ended = running.wait().await;
            runtime.shutdown_background();
            ended
        }
    }

    /// Where the broker listens.
    pub fn address(&self) -> SocketAddr {
        self.addresses().expect("a broker that was started").0
    }

    /// Where the broker says how it is: the status and the text of the answer.
    pub async fn admin(&self, path: &str) -> (u16, String) {
        let address = self.addresses().expect("a broker that was started").1;
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.get(format!("http://{address}{path}")).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }

    /// The way to the broker, for whoever trusts the tenant's authority.
    pub fn endpoint(&self) -> Endpoint {
        let trusted = Certificate::from_pem(self.tenant.ca_pem());
        let tls = ClientTlsConfig::new().ca_certificate(trusted).domain_name("localhost");
        let endpoint = Endpoint::from_shared(format!("https://{}", self.address())).expect("an address");
        endpoint.tls_config(tls).expect("TLS")
    }

    /// Somebody at a terminal: the real command line.
    pub fn person(&self, name: &str) -> Person {
        let broker = format!("localhost:{}", self.address().port());
        let folder = self.folder().join("people");
        Person::new(name, &folder, &broker, self.tenant.ca_file(), self.hands.clock())
    }

    /// Somebody who is signed in at a terminal.
    pub async fn signed_in(&self, name: &str) -> Person {
        let person = self.person(name);
        let told = person.types(&["login"]).await;
        assert_eq!(told.exit, elevate_client::Exit::Ok, "{name} cannot sign in: {}", told.err);
        person
    }

    /// Somebody who speaks gRPC.
    pub fn grpc(&self, name: &str) -> Caller {
        let channel = self.held().as_ref().expect("a broker that serves").channel.clone();
        self.grpc_by(name, channel)
    }

    /// Likewise, by a way of their own.
    pub fn grpc_by(&self, name: &str, channel: Channel) -> Caller {
        Caller::of(name, channel, &self.tenant)
    }

    /// Moves the clock on, and wakes whoever waits for it.
    pub fn advance(&self, by: &str) {
        self.hands.advance(span(by));
    }

    /// Lets time go by in steps, the broker doing in each of them what is due.
    pub async fn pass(&self, time: &str) {
        self.pass_until(time, || false).await;
    }

    /// Likewise, and stops where something is so. Says whether it came to that.
    pub async fn pass_until(&self, time: &str, mut so: impl FnMut() -> bool) -> bool {
        let (mut left, step) = (span(time), SignedDuration::from_secs(5));
        let revoker = self.grpc("eve");
        loop {
            // A call that waits for the clock is not waited for: the clock is what it waits for.
            let _ = tokio::time::timeout(Duration::from_secs(1), revoker.sweep()).await;
            if so() || !left.is_positive() {
                return so();
            }
            self.hands.advance(step.min(left));
            left = left.saturating_sub(step);
        }
    }

    /// Lets time go by until the activation is in this state, and gives it as it is then.
    pub async fn pass_to(&self, id: &str, state: State, within: &str) -> api::Activation {
        let end = self.hands.now().checked_add(span(within)).expect("a moment");
        loop {
            let shown = self.grpc("eve").show(id).await.expect("it is shown");
            if shown.state() == state {
                return shown;
            }
            assert!(self.hands.now() < end, "not {state:?} within {within}: {shown:#?}");
            self.pass("5s").await;
        }
    }

    /// Waits until the activation is in this state, and gives it as it is then. The clock stands still.
    pub async fn until(&self, id: &str, state: State) -> api::Activation {
        self.until_that(id, |shown| shown.state() == state).await
    }

    /// Waits until this is true of the activation, and gives it as it is then.
    pub async fn until_that(&self, id: &str, so: impl Fn(&api::Activation) -> bool) -> api::Activation {
        let waited = tokio::time::timeout(PATIENCE, async {
            let mut shown = self.grpc("eve").watch(id).await.expect("it can be watched");
            let mut last = None;
            while let Some(now) = shown.next().await {
                let now = now.expect("it goes on");
                if so(&now) {
                    return now;
                }
                last = Some(now);
            }
            panic!("it ended otherwise: {last:#?}");
        });
        match waited.await {
            Ok(activation) => activation,
            Err(_) => panic!("it did not come to that: {:#?}", self.grpc("eve").show(id).await),
        }
    }

    /// Waits until the activation is over, and says how it ended.
    pub async fn outcome(&self, id: &str) -> Outcome {
        self.until(id, State::Closed).await.outcome()
    }

    /// Waits until the record and the directory have been compared once more from now on.
    pub async fn compared(&self) {
        let mut rounds = self.hands.rounds();
        let mut wait_for = async |count: u64| {
            let reached = tokio::time::timeout(PATIENCE, rounds.wait_for(|now| *now >= count)).await;
            *reached.expect("the record and the directory are compared").expect("a clock")
        };
        let before = wait_for(1).await;
        self.advance("5m");
        wait_for(before + 1).await;
    }

    /// Whether the directory holds it, at the whole tenant.
    pub fn holds(&self, person: &people::Person, role: &Role) -> bool {
        self.tenant.directory().holds(person.id, role, "/")
    }

    /// What is on record of one activation, word by word in order.
    pub async fn record_of(&self, id: &str) -> Vec<String> {
        let audit = self.grpc("eve").audit().await.expect("the record");
        let about = audit.into_iter().filter(|entry| entry.activation_id == id);
        about.filter(|entry| entry.event != "attempt-refused").map(|entry| entry.event).collect()
    }

    /// Everything that a refusal must leave as it is.
    pub async fn whole(&self) -> Changed {
        let mut record = self.grpc("eve").audit().await.expect("the record");
        record.retain(|entry| entry.event != "attempt-refused");
        for entry in &mut record {
            // The refused attempts stand between them.
            entry.position = 0;
            // Names are looked up for people, and left out where the directory is slow to say them.
            for who in [&mut entry.actor, &mut entry.principal].into_iter().flatten() {
                who.display_name.clear();
            }
        }
        let directory = self.tenant.directory();
        let held = directory.assignments().iter().map(|held| format!("{held:?}")).collect();
        Changed { record, held, requests: directory.requests().len() }
    }

    /// The writes that Graph was sent, oldest first: `POST roleAssignments 201`.
    pub fn writes(&self) -> Vec<String> {
        let calls = self.tenant.calls().matching("*", "/v1.0/roleManagement/directory/**");
        let writes = calls.into_iter().filter(|call| call.method != "GET");
        writes
            .map(|call| {
                let what = call.path.trim_start_matches("/v1.0/roleManagement/directory/");
                let what = what.split('/').next().unwrap_or_default();
                let status = call.status.map_or_else(|| "lost".to_owned(), |status| status.to_string());
                format!("{} {what} {status}", call.method)
            })
            .collect()
    }

    fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Broker>> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A runtime may not be waited for where other tasks run.
        if let Some(Broker { runtime, .. }) = self.held().take() {
            runtime.shutdown_background();
        }
    }
}

fn is_in_use(error: &anyhow::Error) -> bool {
    format!("{error:#}").contains("in use")
}

/// A length of time as people write it.
pub fn span(text: &str) -> SignedDuration {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no length of time"))
}

/// Waits until something is so that nothing tells of: looks again and again.
pub async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let started = tokio::time::Instant::now();
    while !so() {
        assert!(started.elapsed() < PATIENCE, "it did not come to this: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
