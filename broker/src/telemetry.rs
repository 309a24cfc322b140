//! Logs for operators, and what `/livez`, `/readyz` and `/metrics` answer.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use elevate_core::activation;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::Dispatch;
use tracing_log::{AsLog as _, LogTracer};
use tracing_subscriber::EnvFilter;

use crate::config::Log;
use crate::notify::Meter;
use crate::workflow::{Ports, Workflow};

/// Starts writing logs to standard error. Once a process; a second call changes nothing.
pub fn log_to_stderr(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Somebody, a test's harness perhaps, may have begun already: theirs goes on.
    let _ =
        if log.json { log_to(builder.json().finish()) } else { log_to(builder.with_ansi(false).finish()) };
}

/// Hands what is logged to this subscriber, for as long as the process lives. `false` when another has it already.
///
/// sled is not heard, at any level. It runs what it put off while a thread ends, and logs there; the text of an
/// event is put together in a thread-local that may be gone by then, and a panic in that place aborts the
/// process. What goes wrong in sled its calls answer.
pub fn log_to(subscriber: impl Into<Dispatch>) -> bool {
    if tracing::dispatcher::set_global_default(subscriber.into()).is_err() {
        return false;
    }
    let level = tracing::level_filters::LevelFilter::current().as_log();
    LogTracer::builder().ignore_crate("sled").with_max_level(level).init().is_ok()
}

/// Whether the parts outside the workflow are well: asked at every look.
pub trait Health: Send + Sync + std::fmt::Debug {
    /// What keeps the broker from serving well, in words for an operator. Empty when nothing does.
    fn ailments(&self) -> Vec<String>;

    /// Numbers to show: name, help, value.
    fn figures(&self) -> Vec<(&'static str, &'static str, f64)>;
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Where {
    state: &'static str,
}

/// What the loopback port answers from.
#[derive(Debug)]
pub struct Telemetry {
    workflow: Arc<Workflow>,
    health: Arc<dyn Health>,
    registry: Registry,
    live: Family<Where, Gauge>,
    overdue: Gauge,
    stuck: Gauge,
    entries: Gauge,
    left_out: Gauge<u64, AtomicU64>,
    notices: Arc<Meter>,
    untold: Gauge<u64, AtomicU64>,
    frozen: Gauge,
    oldest: Gauge<f64, AtomicU64>,
}

impl Telemetry {
    /// Over this workflow, the outbox and the parts around them.
    pub fn new(workflow: Arc<Workflow>, notices: Arc<Meter>, health: Arc<dyn Health>) -> Self {
        let mut registry = Registry::with_prefix("elevate");
        workflow.register(&mut registry);
        notices.register(&mut registry);
        let (live, overdue, stuck, entries, left_out) = Default::default();
        let (untold, oldest, frozen) = Default::default();
        Self {
            workflow,
            health,
            registry,
            live,
            overdue,
            stuck,
            entries,
            left_out,
            notices,
            untold,
            frozen,
            oldest,
        }
        .registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "live_activations",
            "Activations that can still change, by state",
            self.live.clone(),
        );
        registry.register("overdue", "Roles that are to be gone and not yet seen gone", self.overdue.clone());
        registry.register(
            "stuck",
            "Steps that the directory has not answered clearly after many tries",
            self.stuck.clone(),
        );
        registry.register("frozen", "Whether nothing new is granted: 1 while it is so", self.frozen.clone());
        registry.register("record_entries", "Entries in the record", self.entries.clone());
        registry.register(
            "refusals_left_out",
            "Refused attempts left out of the record",
            self.left_out.clone(),
        );
        registry.register(
            "notices_behind",
            "Entries of the record that were not yet looked at for whom they concern",
            self.untold.clone(),
        );
        registry.register_with_unit(
            "notices_oldest",
            "How long ago that happened which waits to be told next",
            Unit::Seconds,
            self.oldest.clone(),
        );
        self
    }

    /// Serves until `stop`.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        let routes = Router::new()
            .route("/livez", get(|| async { "alive\n" }))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(self);
        let served = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the admin port failed");
        }
    }

    async fn look(&self) -> Result<(), crate::ports::journal::StoreFault> {
        let Ports { journal, clock, .. } = self.workflow.ports();
        for state in activation::State::LIVE_WORDS {
            self.live.get_or_create(&Where { state }).set(0);
        }
        for (state, count) in journal.census().await? {
            self.live.get_or_create(&Where { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let overdue = self.workflow.overdue().await?;
        self.overdue.set(i64::try_from(overdue.count).unwrap_or(i64::MAX));
        self.stuck.set(i64::try_from(overdue.stuck).unwrap_or(i64::MAX));
        self.frozen.set(i64::from(self.workflow.frozen().await?.is_some()));
        let size = *journal.size().borrow();
        self.entries.set(i64::try_from(size.0).unwrap_or(i64::MAX));
        self.untold.set(self.notices.behind(size));
        self.oldest.set(self.notices.oldest(clock.now().latest()).as_secs_f64());
        self.left_out.set(self.workflow.refusals_left_out());
        Ok(())
    }
}

async fn readyz(State(telemetry): State<Arc<Telemetry>>) -> impl IntoResponse {
    let mut ailments = telemetry.health.ailments();
    if telemetry.workflow.is_draining() {
        ailments.push("the broker is shutting down".to_owned());
    }
    if ailments.is_empty() {
        // A frozen broker is ready: it takes away, and that must go on.
        let frozen = match telemetry.workflow.frozen().await {
            Ok(Some(_)) => "; frozen, nothing new is granted",
            Ok(None) => "",
            Err(fault) => return (StatusCode::SERVICE_UNAVAILABLE, format!("{fault}\n")),
        };
        let policy = if telemetry.workflow.has_policy() { "" } else { "; no policy applied yet" };
        return (StatusCode::OK, format!("ready{policy}{frozen}\n"));
    }
    (StatusCode::SERVICE_UNAVAILABLE, ailments.join("\n") + "\n")
}

async fn metrics(State(telemetry): State<Arc<Telemetry>>) -> impl IntoResponse {
    let plain = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    if let Err(fault) = telemetry.look().await {
        return (StatusCode::INTERNAL_SERVER_ERROR, plain, fault.to_string());
    }
    let mut text = String::new();
    for (name, help, value) in telemetry.health.figures() {
        text.push_str(&format!(
            "# HELP elevate_{name} {help}\n# TYPE elevate_{name} gauge\nelevate_{name} {value}\n"
        ));
    }
    match prometheus_client::encoding::text::encode(&mut text, &telemetry.registry) {
        Ok(()) => (StatusCode::OK, plain, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, plain, error.to_string()),
    }
}
