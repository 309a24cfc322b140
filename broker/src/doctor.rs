//! `elevated doctor`: tries every outside part, and says what to do about each failure.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use elevate_core::names::{Principal, Target, Ticket};
use elevate_core::policy::{CheckName, Policy};
use jiff::SignedDuration;

use crate::app;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::ports::tickets::Question;
use crate::ports::{Clock, Journal as _};
use crate::store::{self, OpenError, Store};
use crate::tls;

/// A certificate that ends sooner than this is worth a word.
const ENDS_SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// More than this between our clock and the tenant's makes tokens look stale or early.
const SKEW_MAX: SignedDuration = SignedDuration::from_secs(5);

/// What was found, part by part.
#[derive(Debug, Clone, Default)]
pub struct Findings(Vec<Finding>);

#[derive(Debug, Clone)]
struct Finding {
    what: String,
    wrong: Option<(String, String)>,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn all_well(&self) -> bool {
        self.0.iter().all(|finding| finding.wrong.is_none())
    }

    fn well(&mut self, what: impl Into<String>) {
        self.0.push(Finding { what: what.into(), wrong: None });
    }

    fn wrong(&mut self, what: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { what: what.into(), wrong: Some((problem.into(), remedy.into())) });
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { what, wrong } in &self.0 {
            match wrong {
                None => writeln!(f, "ok    {what}")?,
                Some((problem, remedy)) => writeln!(f, "FAIL  {what}: {problem}\n      do: {remedy}")?,
            }
        }
        let failed = self.0.iter().filter(|finding| finding.wrong.is_some()).count();
        match failed {
            0 => write!(f, "all {} checks passed", self.0.len()),
            _ => write!(f, "{failed} of {} checks failed", self.0.len()),
        }
    }
}

/// Tries everything. Changes nothing but what opening the store mends by itself.
pub async fn examine(config: &Config) -> Findings {
    let mut findings = Findings::default();
    findings.well("the configuration");
    certificate(&mut findings, "the server's certificate", &config.server.certificate);
    let server = &config.server;
    match tls::server(&server.certificate, &server.key, server.client_ca.as_deref()) {
        Ok(_) => findings.well("the server's key goes with its certificate"),
        Err(error) => {
            findings.wrong("the server's key", format!("{error:#}"), "fix the files under [server]")
        }
    }
    if config.identity.device_code {
        findings.well(
            "people may sign in by device code (a sign-in with a browser is safer: a code can be had entered by \
             somebody who does not know whose it is)",
        );
    }
    let managed = record(&mut findings, config).await;
    outside(&mut findings, config, &managed).await;
    tickets(&mut findings, config).await;
    findings
}

/// What the policy in force needs of the directory.
#[derive(Debug, Default)]
struct Managed {
    targets: Vec<Target>,
    /// Whether a role ends its holder's sign-in sessions.
    signs_out: bool,
}

/// The store, and what the policy in it manages.
async fn record(findings: &mut Findings, config: &Config) -> Managed {
    let folder = config.store.folder.clone();
    if !folder.join("log").exists() {
        // Opening it would make one, perhaps as another user than the broker's.
        findings
            .well(format!("no record in {} yet: the broker makes it at its first start", folder.display()));
        return Managed::default();
    }
    let opened = tokio::task::spawn_blocking(move || Store::open(&store::Settings { folder })).await;
    let store = match opened {
        Ok(Ok(store)) => store,
        Ok(Err(OpenError::InUse { .. })) => {
            let at = config.store.folder.display();
            findings.well(format!(
                "the record in {at} is in use by a running broker, which checked it (stop it to have the \
                 permissions looked at way by way)"
            ));
            return Managed::default();
        }
        Ok(Err(error)) => {
            findings.wrong("the record", error.to_string(), "run `elevated store check`");
            return Managed::default();
        }
        Err(panicked) => {
            findings.wrong("the record", panicked.to_string(), "run `elevated store check`");
            return Managed::default();
        }
    };
    let entries = store.size().borrow().0;
    findings.well(format!("the record opens: {entries} entries"));
    let managed = match store.policy().await {
        Ok(None) => {
            findings.well("no policy applied yet: nobody can ask for anything");
            Managed::default()
        }
        Ok(Some(applied)) => match elevate_core::policy::parse(&applied.text) {
            Ok(policy) => {
                findings.well(format!("policy version {}: {} roles", applied.version, policy.roles().len()));
                unknown_checks(findings, config, &policy);
                Managed {
                    targets: policy.roles().iter().map(|role| role.target).collect(),
                    signs_out: policy.roles().iter().any(|role| role.sign_out),
                }
            }
            Err(faults) => {
                findings.wrong(
                    "the policy on record",
                    faults.to_string(),
                    "apply one that this version reads",
                );
                Managed::default()
            }
        },
        Err(fault) => {
            findings.wrong("the record", fault.to_string(), "run `elevated store check`");
            Managed::default()
        }
    };
    if let Err(fault) = store.close().await {
        findings.wrong("the record", fault.to_string(), "run `elevated store check`");
    }
    managed
}

/// A role whose tickets nobody can be asked about cannot be had under one.
fn unknown_checks(findings: &mut Findings, config: &Config, policy: &Policy) {
    for role in policy.roles() {
        let known = |name: &CheckName| config.tickets.iter().any(|system| system.name == *name);
        if let Some(check) = role.ticket.check.as_ref().filter(|check| !known(&check.name)) {
            findings.wrong(
                format!("the ticket check of `{}`", role.name),
                format!("there is no `[tickets.{}]`", check.name),
                "add it to the configuration, or apply a policy without it",
            );
        }
    }
}

/// Asks every ticket system about a ticket that nobody has.
async fn tickets(findings: &mut Findings, config: &Config) {
    let checks = app::tickets(config);
    let (Ok(ticket), Ok(role)) = (Ticket::new("ELEVATE-DOCTOR", ""), "elevate-doctor".parse()) else {
        return;
    };
    let now = SystemClock::wall();
    let nobody = Principal { tenant: config.tenant.id, object: config.identity.audience };
    for system in &config.tickets {
        let question = Question {
            check: &system.name,
            ticket: &ticket,
            role: &role,
            place: "/",
            requester: nobody,
            starts_at: now,
            ends_at: now,
        };
        match checks.try_out(&question).await {
            Ok(()) => findings.well(format!("the ticket system `{}` answers", system.name)),
            Err(why) => findings.wrong(
                format!("the ticket system `{}`", system.name),
                why,
                format!(
                    "check `url`, `secret_file` and `ca` under [tickets.{}], and that this host reaches it",
                    system.name
                ),
            ),
        }
    }
}

async fn outside(findings: &mut Findings, config: &Config, managed: &Managed) {
    let http = match tls::outward(config.tenant.ca.as_deref()) {
        Ok(http) => http,
        Err(error) => {
            findings.wrong("the roots to trust", format!("{error:#}"), "fix `ca` under [tenant]");
            return;
        }
    };
    let clock = Arc::new(SystemClock::start(None, None));
    let port: Arc<dyn Clock> = Arc::clone(&clock) as _;
    match app::identity(config, &http, &port) {
        Err(error) => findings.wrong("the identity settings", format!("{error:#}"), "fix [identity]"),
        Ok(identity) => match identity.check().await {
            Err(fault) => findings.wrong(
                "the tenant's signing keys",
                fault.to_string(),
                "check `issuer` and `ca` under [tenant], and that this host reaches it",
            ),
            Ok(check) => {
                findings.well(format!(
                    "the tenant's signing keys: {} usable at {}",
                    check.usable, check.keys_address
                ));
            }
        },
    }
    let graph = match app::graph(config, &http, &port) {
        Ok(graph) => graph,
        Err(error) => {
            findings.wrong("the Graph settings", format!("{error:#}"), "fix [graph]");
            return;
        }
    };
    for finding in graph.check(&managed.targets, managed.signs_out).await {
        match finding.wrong {
            None => findings.well(finding.what),
            Some(wrong) => findings.wrong(finding.what, wrong.problem, wrong.remedy),
        }
    }
    time(findings, &clock);
}

/// What the outside said of the time, and whether the machine's own clock agrees.
fn time(findings: &mut Findings, clock: &SystemClock) {
    if !clock.assurance().is_good_for_grants() {
        findings.wrong(
            "the clock",
            "nobody outside was heard, or they contradict each other, so that it cannot be compared",
            "mend the above first; a broker grants nothing before the tenant said what time it is",
        );
        return;
    }
    let now = clock.now();
    let wall = SystemClock::wall();
    let skew = wall.duration_since(now.latest()).max(now.earliest().duration_since(wall));
    if skew > SKEW_MAX {
        findings.wrong(
            "the clock",
            format!(
                "the machine's is {} s away from the tenant's (the broker goes by the tenant's; logs and other \
                 programs do not)",
                skew.as_secs()
            ),
            "set up time synchronisation (chrony, systemd-timesyncd)",
        );
    } else {
        let width = clock.quality().width.as_secs_f64();
        findings.well(format!("the clock agrees with the tenant's, which tells it to within {width:.1} s"));
    }
}

fn certificate(findings: &mut Findings, what: &str, file: &Path) {
    match tls::good_until(file) {
        Err(error) => findings.wrong(what, format!("{error:#}"), "fix the file"),
        Ok(end) => {
            let left = end.duration_since(SystemClock::wall());
            if left.is_negative() {
                findings.wrong(what, format!("it ended at {end}"), "issue a new one and restart the broker");
            } else if left < ENDS_SOON {
                let problem = format!("it ends at {end}, in {} days", left.as_hours() / 24);
                findings.wrong(what, problem, "issue a new one and restart the broker");
            } else {
                findings.well(format!("{what} is good until {end}"));
            }
        }
    }
}
