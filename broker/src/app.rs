//! The composition root: a configuration becomes parts, wired; they serve; they end in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use elevate_core::names::{ObjectId, TenantId};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::{SystemClock, trusted};
use crate::config::{Config, Credential, HostIdentity, IdentitySource, Proof};
use crate::graph::{self, Graph};
use crate::grpc::server::Bounds;
use crate::grpc::{self, Api, Rates, SignIn};
use crate::identity::{self, ClaimNames, Identity};
use crate::notice_log::NoticeLog;
use crate::notify::{self, Outbox};
use crate::ports::clock::{Assurance, TimeKeeper as _};
use crate::ports::journal::{Note, StoreFault};
use crate::ports::verifier::AppRole;
use crate::ports::{Clock, Journal as _};
use crate::reaper::{self, Reaper};
use crate::store::{self, Store};
use crate::telemetry::{Health, Telemetry};
use crate::tickets::Checks;
use crate::tls;
use crate::workflow::{Ports, Workflow};

/// How long calls under way may take to end, once the broker is told to.
const CALLS_END_WITHIN: Duration = Duration::from_secs(15);

/// How long the tenant may say nothing of the time before it is asked.
const WITNESS_EVERY: Duration = Duration::from_secs(5 * 60);

/// How often the anchor is brought up to a quiet record, and every so often idle callers are forgotten.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(30);

/// A broker that serves.
#[derive(Debug)]
pub struct Running {
    /// Where the gRPC service listens.
    pub address: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub admin_address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), Failure>>,
}

/// Why a broker ended that was not told to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The store failed. Only a fresh start is sure of what is on disk.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// A part failed that cannot be done without.
    #[error("{0:#}")]
    Part(anyhow::Error),
}

impl Running {
    /// Tells it to end: nothing new is accepted, what is under way is finished.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// What [`Running::stop`] does, to be kept elsewhere.
    pub fn stop_handle(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// It was not told to.
    pub async fn wait(self) -> Result<(), Failure> {
        self.serving.await.unwrap_or_else(|panicked| Err(Failure::Part(panicked.into())))
    }
}

/// Starts a broker. Without a clock of somebody else's it takes the machine's, but never an earlier
/// time than the record knows of.
///
/// # Errors
/// Something of the configuration is not so, or the store is refused. Nothing serves then.
pub async fn start(config: Config, clock: Option<Arc<dyn Clock>>) -> anyhow::Result<Running> {
    // Bound first, so that a taken port is known before anything is touched.
    let listen = config.server.listen;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("{listen} cannot be listened on"))?;
    let admin = config.server.admin_listen;
    let admin_listener =
        TcpListener::bind(admin).await.with_context(|| format!("{admin} cannot be listened on"))?;
    let (address, admin_address) = (listener.local_addr()?, admin_listener.local_addr()?);
    let client_ca = config.server.client_ca.as_deref();
    let tls = tls::server(&config.server.certificate, &config.server.key, client_ca)?;
    let http = tls::outward(config.tenant.ca.as_deref())?;

    let folder = config.store.folder.clone();
    let opened = tokio::task::spawn_blocking(move || Store::open(&store::Settings { folder })).await?;
    let store = Arc::new(opened.context("the record cannot be opened")?);
    let (clock, own_clock) = match clock {
        Some(clock) => (clock, None),
        None => {
            let kept = store.kept_time().await;
            let own = Arc::new(SystemClock::start(kept.as_ref(), store.high_water()));
            (Arc::clone(&own) as Arc<dyn Clock>, Some(own))
        }
    };
    let identity = Arc::new(identity(&config, &http, &clock)?);
    let graph = Arc::new(graph(&config, &http, &clock)?);
    if let Err(fault) = identity.warm().await {
        tracing::warn!(%fault, "the tenant's keys cannot be read yet; callers are refused until they can");
    }

    let ports = Ports {
        directory: Arc::clone(&graph) as _,
        inventory: Arc::clone(&graph) as _,
        journal: Arc::clone(&store) as _,
        verifier: Arc::clone(&identity) as _,
        tickets: Arc::new(tickets(&config)),
        clock: Arc::clone(&clock),
    };
    let workflow = Arc::new(Workflow::open(ports).await?);
    let outbox = Outbox::open(notify::Ports {
        journal: Arc::clone(&store) as _,
        bookmark: Arc::clone(&store) as _,
        notifier: Arc::new(NoticeLog),
        clock: Arc::clone(&clock),
    });
    let outbox = outbox.await;
    // By a wall clock that nobody vouches for nothing goes on record: a record that was once ahead stays so.
    let started = clock.assurance() != Assurance::Unwitnessed || store.high_water().is_some();
    if started {
        note(&store, &clock, "started").await?;
    } else {
        tracing::warn!("nobody said yet what time it is: the record begins when the tenant has");
    }

    let (reaper, sweeper) = Reaper::new(Arc::clone(&workflow));
    let sign_in = SignIn {
        issuer: config.tenant.issuer.as_str().to_owned(),
        client_id: config.identity.client_id.to_string(),
        scope: config.identity.sign_in_scope.clone(),
        device_code: config.identity.device_code,
    };
    let rates =
        Rates { each_a_minute: config.limits.calls_per_minute, all_a_second: config.limits.calls_per_second };
    let api = Api::new(Arc::clone(&workflow), sweeper, sign_in, rates);
    let bounds = Bounds {
        connections: config.limits.connections,
        calls_per_connection: config.limits.calls_per_connection,
    };
    let parts = Arc::new(Outer {
        identity: Arc::clone(&identity),
        graph: Arc::clone(&graph),
        own_clock: own_clock.clone(),
        store: Arc::clone(&store),
    });
    let time = own_clock.map(|own| Time { own, graph: Arc::clone(&graph), started });
    let telemetry = Arc::new(Telemetry::new(Arc::clone(&workflow), outbox.meter(), parts));

    let stop = CancellationToken::new();
    let whole = Whole {
        workflow,
        store,
        clock,
        time,
        identity,
        api,
        reaper,
        outbox,
        telemetry,
        listener,
        admin_listener,
        tls,
        bounds,
        reflection: config.server.reflection,
    };
    let serving = tokio::spawn(whole.serve(stop.clone()));
    tracing::info!(%address, %admin_address, version = env!("CARGO_PKG_VERSION"), "serving");
    Ok(Running { address, admin_address, stop, serving })
}

/// Everything that serves, until it ends.
struct Whole {
    workflow: Arc<Workflow>,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    time: Option<Time>,
    identity: Arc<Identity>,
    api: Api,
    reaper: Reaper,
    outbox: Outbox,
    telemetry: Arc<Telemetry>,
    listener: TcpListener,
    admin_listener: TcpListener,
    tls: rustls::ServerConfig,
    bounds: Bounds,
    reflection: bool,
}

/// What keeps the broker's own clock: who is asked for the time, and where it is kept.
struct Time {
    own: Arc<SystemClock>,
    graph: Arc<Graph>,
    /// Whether the record says that the broker started.
    started: bool,
}

impl Time {
    /// Asks the tenant until it has said the time twice, and then whenever it was not heard for long; keeps what
    /// it said.
    async fn run(mut self, store: Arc<Store>) {
        for round in 1_u64.. {
            let unheard = self.own.quality().unheard_for;
            if !self.own.assurance().is_corroborated() || unheard.is_none_or(|since| since > WITNESS_EVERY) {
                self.graph.ask_the_time().await;
            }
            if !self.started && self.own.assurance() != Assurance::Unwitnessed {
                let clock = Arc::clone(&self.own) as Arc<dyn Clock>;
                // A failed store is told of elsewhere.
                self.started = note(&store, &clock, "started").await.is_ok();
            }
            if round % 6 == 1
                && let Err(why) = self.own.keep(&store).await
            {
                tracing::warn!(%why, "the time could not be kept; a restart would wait for the tenant to say it");
            }
            tokio::time::sleep(trusted::APART).await;
        }
    }
}

impl Whole {
    async fn serve(self, stop: CancellationToken) -> Result<(), Failure> {
        // Four ends, in this order: calls, then what settles, then the notices of it, then what tells about all.
        let [calls, settling, noticing, telling] = [(); 4].map(|()| CancellationToken::new());
        let api = self.api.clone();
        let mut server = tokio::spawn(grpc::server::serve(
            self.api,
            self.listener,
            self.tls,
            self.bounds,
            self.reflection,
            calls.clone(),
        ));
        let mut reaper = tokio::spawn(self.reaper.run(settling.clone()));
        let mut reconciler = tokio::spawn(reaper::reconcile(Arc::clone(&self.workflow), settling.clone()));
        let mut accounts = tokio::spawn(reaper::watch_accounts(Arc::clone(&self.workflow), settling.clone()));
        let mut outbox = tokio::spawn(noticed(self.outbox.run(noticing.clone())));
        let telling_ended = telling.clone();
        tokio::spawn(Arc::clone(&self.telemetry).serve(self.admin_listener, telling.clone()));
        let identity = Arc::clone(&self.identity);
        tokio::spawn(async move { identity.run(telling_ended).await });
        let store = Arc::clone(&self.store);
        let housekeeping = tokio::spawn(async move {
            for round in 1_u64.. {
                tokio::time::sleep(HOUSEKEEPING_EVERY).await;
                // A failed store is told of elsewhere.
                let _ = store.anchor().await;
                store.regain_room().await;
                if round.is_multiple_of(20) {
                    api.forget_idle_callers();
                }
            }
        });

        let timing = self.time.map(|time| tokio::spawn(time.run(Arc::clone(&self.store))));

        let ended = tokio::select! {
            () = stop.cancelled() => Ok(()),
            fault = self.store.fatal() => Err(Failure::Store(fault)),
            ended = &mut server => Err(Failure::Part(part("the service", ended))),
            ended = &mut reaper => Err(settling_ended("the reaper", ended)),
            ended = &mut reconciler => Err(settling_ended("the reconciler", ended)),
            ended = &mut accounts => Err(settling_ended("the watch of accounts", ended)),
        };
        self.workflow.drain();
        calls.cancel();
        housekeeping.abort();
        if let Some(timing) = timing {
            timing.abort();
        }
        if let Err(failure) = ended {
            // Nothing more is said or done over a store in doubt; every task ends with the process.
            server.abort();
            reaper.abort();
            reconciler.abort();
            accounts.abort();
            outbox.abort();
            telling.cancel();
            return Err(failure);
        }
        tracing::info!("ending: nothing new is accepted");
        if tokio::time::timeout(CALLS_END_WITHIN, &mut server).await.is_err() {
            tracing::warn!("some calls did not end in time and are cut off; what they recorded stands");
            server.abort();
        }
        settling.cancel();
        reconciler.abort();
        accounts.abort();
        match tokio::time::timeout(reaper::DRAIN_FOR, &mut reaper).await {
            Ok(Ok(Ok(()))) => {}
            Ok(ended) => return Err(settling_ended("the reaper", ended)),
            Err(_) => {
                tracing::warn!("a call to the directory did not end in time; the next start settles it");
                reaper.abort();
            }
        }
        note(&self.store, &self.clock, "stopped").await.map_err(Failure::Part)?;
        noticing.cancel();
        if tokio::time::timeout(notify::DRAIN_FOR, &mut outbox).await.is_err() {
            tracing::warn!("not every notice was delivered in time; the next start goes on with them");
            outbox.abort();
        }
        telling.cancel();
        self.store.close().await?;
        tracing::info!("ended");
        Ok(())
    }
}

/// The outbox is not waited for as the others are: broken, it must not end what grants and takes away.
async fn noticed(running: impl Future<Output = Result<(), StoreFault>> + Send + 'static) {
    match AbortOnDropHandle::new(tokio::spawn(running)).await {
        // A failed store is told of by itself.
        Ok(_) => {}
        Err(broken) if broken.is_cancelled() => {}
        Err(_) => tracing::error!("the outbox ended in disorder; nobody is told of anything until a restart"),
    }
}

/// How what settles ended; a failed store is told as that, whoever met it first.
fn settling_ended(name: &str, ended: Result<Result<(), StoreFault>, tokio::task::JoinError>) -> Failure {
    match ended {
        Ok(Err(fault)) => Failure::Store(fault),
        other => Failure::Part(part(name, other)),
    }
}

fn part<E: Into<anyhow::Error>>(
    name: &str,
    ended: Result<Result<(), E>, tokio::task::JoinError>,
) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("{name} ended by itself"),
        Ok(Err(error)) => error.into().context(format!("{name} failed")),
        Err(panicked) => anyhow::Error::from(panicked).context(format!("{name} ended in disorder")),
    }
}

async fn note(store: &Store, clock: &Arc<dyn Clock>, what: &str) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    store.note(Note::Broker { what: what.to_owned(), version, at: clock.now().latest() }).await?;
    Ok(())
}

/// The verifier that this configuration describes.
///
/// # Errors
/// A setting that could not work.
pub fn identity(config: &Config, http: &reqwest::Client, clock: &Arc<dyn Clock>) -> anyhow::Result<Identity> {
    let from = &config.identity;
    let mut clients = vec![from.client_id.to_string()];
    clients.extend(from.further_clients.iter().map(ToString::to_string));
    let settings = identity::Settings {
        issuer: config.tenant.issuer.as_str().to_owned(),
        clients,
        scope: from.required_scope.clone(),
        guests: from.guests,
        claims: ClaimNames {
            tenant: from.tenant_claim.clone(),
            object: from.object_claim.clone(),
            token_id: from.token_id_claim.clone(),
            ..ClaimNames::default()
        },
        roles: [
            (from.policy_admin_role.clone(), AppRole::PolicyAdmin),
            (from.auditor_role.clone(), AppRole::Auditor),
            (from.revoker_role.clone(), AppRole::Revoker),
        ]
        .into(),
        ..identity::Settings::entra(
            config.tenant.id,
            from.audience.to_string(),
            from.client_id.to_string(),
            http.clone(),
            Arc::clone(clock),
        )
    };
    Identity::new(settings).context("the identity settings cannot work")
}

/// The directory that this configuration describes.
///
/// # Errors
/// A file cannot be read, or a setting could not work.
pub fn graph(config: &Config, http: &reqwest::Client, clock: &Arc<dyn Clock>) -> anyhow::Result<Graph> {
    let from = &config.graph;
    let tenant: TenantId = config.tenant.id;
    let settings = graph::Settings {
        tenant,
        credential: credential(&from.credential)?,
        graph: from.url.as_str().parse().context("the Graph address cannot be read")?,
        scope: from.scope.clone(),
        deadline: graph::Settings::DEADLINE,
    };
    Ok(Graph::new(settings, http.clone(), Arc::clone(clock))?)
}

/// The ticket systems that this configuration names. One whose files are not in order is not asked, and what hangs on
/// it is refused; the broker starts all the same, for there is something to take back.
pub fn tickets(config: &Config) -> Checks {
    Checks::new(config.tickets.iter().map(|system| {
        let http = tls::outward(system.ca.as_deref()).map_err(|error| {
            tracing::error!(check = %system.name, error = format!("{error:#}"), "a ticket system cannot be asked");
            format!("{error:#}")
        });
        (system.clone(), http)
    }))
}

fn credential(from: &Credential) -> anyhow::Result<graph::Credential> {
    match from {
        Credential::Application { client_id, token_url, proof: by } => {
            let token_endpoint = token_url.as_str().parse().context("the token address cannot be read")?;
            let client_id = client_id.uuid();
            Ok(graph::Credential::Application(graph::Application {
                client_id,
                token_endpoint,
                proof: proof(by)?,
            }))
        }
        Credential::ManagedIdentity(HostIdentity { user_assigned, client_id, source }) => {
            let source = match source {
                IdentitySource::Machine(url) => graph::Source::Machine(url.url().clone()),
                IdentitySource::Platform { endpoint, header } => {
                    graph::Source::Platform { endpoint: endpoint.url().clone(), header: header.clone() }
                }
            };
            let user_assigned = user_assigned.as_ref().map(ObjectId::uuid);
            let identity = graph::ManagedIdentity::new(source, user_assigned, tls::within_host()?)?;
            Ok(graph::Credential::ManagedIdentity {
                identity,
                client_id: client_id.as_ref().map(ObjectId::uuid),
            })
        }
    }
}

fn proof(from: &Proof) -> anyhow::Result<graph::Proof> {
    let read = |file: &std::path::Path| {
        std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
    };
    match from {
        Proof::Certificate { certificate, key } => {
            let key = SecretString::from(read(key)?);
            let made = graph::Certificate::from_pem(&read(certificate)?, &key)
                .with_context(|| format!("{} and its key cannot be used", certificate.display()))?;
            Ok(graph::Proof::Certificate(made))
        }
        Proof::Federated { file } => {
            let token = graph::FederatedToken::in_file(file.clone());
            // Only to see that it can be; each use reads what is there then.
            token.read()?;
            Ok(graph::Proof::Federated(token))
        }
        Proof::Secret { file } => {
            let secret = read(file)?.trim().to_owned();
            anyhow::ensure!(!secret.is_empty(), "{} is empty", file.display());
            Ok(graph::Proof::Secret(SecretString::from(secret)))
        }
    }
}

/// What the loopback port asks about the parts outside the workflow.
#[derive(Debug)]
struct Outer {
    identity: Arc<Identity>,
    graph: Arc<Graph>,
    own_clock: Option<Arc<SystemClock>>,
    store: Arc<Store>,
}

impl Health for Outer {
    fn ailments(&self) -> Vec<String> {
        let mut ailments = Vec::new();
        let status = self.identity.status();
        if status.keys == 0 {
            let why = status.last_error.unwrap_or_else(|| "they were not read yet".to_owned());
            ailments.push(format!("the tenant's signing keys are not to be had: {why}"));
        }
        match self.own_clock.as_ref().map(|clock| clock.assurance()) {
            Some(Assurance::Unwitnessed) => {
                ailments.push("the tenant has not said yet what time it is; nothing is granted".to_owned());
            }
            Some(Assurance::Doubted) => {
                ailments.push("the tenant says another time than was kept; nothing is granted".to_owned());
            }
            Some(Assurance::Witnessed { .. }) | None => {}
        }
        ailments
    }

    fn figures(&self) -> Vec<(&'static str, &'static str, f64)> {
        let meter = self.graph.meter();
        let keys = u32::try_from(self.identity.status().keys).unwrap_or(u32::MAX);
        let left = u32::try_from(meter.writes_left).unwrap_or(u32::MAX);
        let mut figures = vec![
            ("signing_keys", "Usable signing keys of the tenant", f64::from(keys)),
            ("graph_writes_left", "Writes that Graph's published limit still allows now", f64::from(left)),
            (
                "disk_full",
                "1 while the record's disk has no room: nothing new is taken, revocations go on",
                f64::from(u8::from(!self.store.has_room())),
            ),
            ("graph_paused_seconds", "How long Graph asked to be left alone", meter.paused.as_secs_f64()),
        ];
        if let Some(clock) = &self.own_clock {
            let quality = clock.quality();
            let good = if quality.assurance.is_good_for_grants() { 1.0 } else { 0.0 };
            let doubts = f64::from(u32::try_from(quality.doubts).unwrap_or(u32::MAX));
            figures.extend([
                ("clock_good", "Whether the time is vouched for, so that roles are granted", good),
                (
                    "clock_width_seconds",
                    "The distance between the bounds of the time",
                    quality.width.as_secs_f64(),
                ),
                ("clock_doubts", "How often the tenant said another time than was kept", doubts),
            ]);
            figures.extend(quality.unheard_for.map(|since| {
                let help = "How long ago the tenant last said what time it is";
                ("clock_unheard_seconds", help, since.as_secs_f64())
            }));
        }
        figures
    }
}
