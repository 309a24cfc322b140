//! `elevate-sandbox tour`: the main story, told in steps, each seen true through Graph's own answers.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use elevate_client::Exit;
use elevate_sandbox::stage::{self, Broker, Person, Told};
use elevate_sandbox::{Clock, Lag, Settings, Strength, Tenant, people};
use serde_json::Value;

use super::up::POLICY;

/// Groups Administrator, by its template id.
const GROUPS_ADMINISTRATOR: &str = "fdd7a751-b60b-444a-984c-02652fe8fa1c";
/// User Administrator, by its template id.
const USER_ADMINISTRATOR: &str = "fe930be7-5e62-47db-91af-98c3a49a38b1";

/// How long a role may outlive its end here: the reaper wakes in milliseconds, and the tenant's listings
/// lag by less than a second.
const TAKEN_AWAY_WITHIN: Duration = Duration::from_secs(15);

/// How long an answer to a grant may be ahead of Graph's listings.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

/// How much of a line is shown, in characters.
const LINE: usize = 160;

/// What `tour` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Keep the folder with the record and the logs, and say where it is.
    #[arg(long)]
    keep: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("elevate-tour-").tempdir()?;
    let path = folder.path().to_owned();
    if arguments.keep {
        let kept = folder.keep();
        writeln!(io::stdout(), "Everything is kept in {}", kept.display())?;
        return tell(&kept).await;
    }
    tell(&path).await
}

async fn tell(folder: &Path) -> Result<()> {
    let mut guide = Guide::new();
    let told = story(folder, &mut guide).await;
    let Guide { steps, held, .. } = guide;
    if let Err(error) = &told {
        writeln!(io::stdout(), "\n  ✗ {error:#}\n")?;
    }
    // The last line says it all, whatever became of it.
    writeln!(io::stdout(), "tour: {held} of {steps} steps held")?;
    told.context("the tour ended early")
}

/// The number of steps that the story has.
const STEPS: usize = 14;

/// Says what is about to be seen, and counts what was.
struct Guide {
    steps: usize,
    begun: usize,
    held: usize,
    started: Instant,
}

impl Guide {
    fn new() -> Self {
        Self { steps: STEPS, begun: 0, held: 0, started: Instant::now() }
    }

    fn step(&mut self, title: &str) -> Result<()> {
        self.begun += 1;
        let (begun, steps, at) = (self.begun, self.steps, self.started.elapsed().as_secs());
        writeln!(io::stdout(), "\n[{begun:>2}/{steps}] {title}   ({at} s)")?;
        Ok(())
    }

    /// The step that was begun is true.
    fn seen(&mut self, what: &str) -> Result<()> {
        self.held += 1;
        writeln!(io::stdout(), "  ✓ {what}")?;
        Ok(())
    }
}

/// Shows what somebody typed and what they were told.
fn show(person: &Person, arguments: &[&str], told: &Told) -> Result<()> {
    let words: Vec<_> =
        arguments.iter().map(|w| if w.contains(' ') { format!("'{w}'") } else { (*w).to_owned() }).collect();
    let mut out = io::stdout().lock();
    writeln!(out, "  {}$ elevate {}", person.name(), words.join(" "))?;
    for line in told.err.lines().chain(told.out.lines()) {
        // A sign-in's address is long, and nobody reads it here.
        let shown: String = line.chars().take(LINE).collect();
        writeln!(out, "      {shown}{}", if line.chars().count() > LINE { "…" } else { "" })?;
    }
    Ok(())
}

async fn typed(person: &Person, arguments: &[&str]) -> Result<Told> {
    let told = person.types(arguments).await;
    show(person, arguments, &told)?;
    Ok(told)
}

async fn typed_well(person: &Person, arguments: &[&str]) -> Result<Told> {
    let told = typed(person, arguments).await?;
    ensure!(told.exit == Exit::Ok, "`elevate {}` ended with {:?}", arguments.join(" "), told.exit);
    Ok(told)
}

/// The directory as anybody sees it who asks Graph.
struct Graph {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Graph {
    fn of(tenant: &Tenant) -> Result<Self> {
        let roots = reqwest::Certificate::from_pem_bundle(tenant.ca_pem().as_bytes())?;
        let http = reqwest::Client::builder().tls_certs_only(roots).no_proxy().build()?;
        let token = tenant.tokens().graph(&people::BROKER).context("no token for Graph")?;
        Ok(Self { http, url: tenant.graph_url(), token })
    }

    async fn holds(&self, person: &people::Person, role: &str) -> Result<bool> {
        let held = self.assignments(person).await?;
        writeln!(io::stdout(), "  Graph: roleAssignments of {}: {}", person.display_name, compact(&held))?;
        Ok(held.iter().any(|assignment| is_of(assignment, role)))
    }

    async fn holds_quietly(&self, person: &people::Person, role: &str) -> Result<bool> {
        Ok(self.assignments(person).await?.iter().any(|assignment| is_of(assignment, role)))
    }

    async fn assignments(&self, person: &people::Person) -> Result<Vec<Value>> {
        let filter = format!("principalId eq '{}'", person.id);
        let answer: Value = self
            .http
            .get(format!("{}/roleManagement/directory/roleAssignments", self.url))
            .query(&[("$filter", filter.as_str())])
            .bearer_auth(&self.token)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        answer.get("value").and_then(Value::as_array).cloned().context("Graph gave no list")
    }

    /// Listings lag a little behind the grant.
    async fn comes_to_hold(&self, person: &people::Person, role: &str) -> Result<bool> {
        let asked = Instant::now();
        while asked.elapsed() < SHOWN_WITHIN && !self.holds_quietly(person, role).await? {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.holds(person, role).await
    }

    async fn gone_within(&self, person: &people::Person, role: &str, patience: Duration) -> Result<Duration> {
        let asked = Instant::now();
        while asked.elapsed() < patience {
            if !self.holds_quietly(person, role).await? {
                return Ok(asked.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("Graph still shows the role after {} s", patience.as_secs())
    }
}

fn is_of(assignment: &Value, role: &str) -> bool {
    assignment.get("roleDefinitionId").is_some_and(|is| is == role)
}

fn compact(held: &[Value]) -> String {
    let one = |assignment: &Value| {
        let role = match assignment.get("roleDefinitionId").and_then(Value::as_str) {
            Some(GROUPS_ADMINISTRATOR) => "Groups Administrator",
            Some(USER_ADMINISTRATOR) => "User Administrator",
            other => other.unwrap_or("?"),
        };
        format!("{role} at {}", assignment.get("directoryScopeId").and_then(Value::as_str).unwrap_or("?"))
    };
    if held.is_empty() { "none".to_owned() } else { held.iter().map(one).collect::<Vec<_>>().join(", ") }
}

/// The newest activation of this person, as they see it.
async fn newest(person: &Person) -> Result<Value> {
    let told = person.types(&["list", "--all", "--output", "json"]).await;
    let list = told.json()?;
    list.pointer("/activations/0")
        .cloned()
        .with_context(|| format!("nothing is listed: {}{}", told.out, told.err))
}

/// Waits until this person's newest activation is in this state, and gives its id.
async fn until(person: &Person, state: &str, patience: Duration) -> Result<String> {
    let asked = Instant::now();
    let mut last = Value::Null;
    while asked.elapsed() < patience {
        if let Ok(activation) = newest(person).await {
            if activation.get("state").is_some_and(|is| is == state) {
                return Ok(activation
                    .get("id")
                    .and_then(Value::as_str)
                    .context("an activation without id")?
                    .to_owned());
            }
            last = activation;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!("{}'s activation did not become {state}: {last}", person.name())
}

#[expect(clippy::too_many_lines, reason = "a story is told from its beginning to its end")]
async fn story(folder: &Path, guide: &mut Guide) -> Result<()> {
    guide.step("A tenant and a broker, over TLS, in a folder of their own")?;
    let settings = Settings {
        folder: folder.to_owned(),
        address: ([127, 0, 0, 1], 0).into(),
        clock: Clock::system(),
        lag: Lag::everyday(),
    };
    let tenant = Tenant::start(settings).await?;
    let graph = Graph::of(&tenant)?;
    let (listen, admin) = (stage::free_port()?, stage::free_port()?);
    let (config, log) = (folder.join("elevated.toml"), folder.join("elevated.log"));
    std::fs::write(&config, stage::configuration(&tenant, listen, admin, &folder.join("record"))?)?;
    let program: PathBuf = std::env::current_exe()?;
    let broker = Broker::start(&program, &config, listen, admin, &log, &Clock::system()).await?;
    writeln!(io::stdout(), "  tenant {}   broker localhost:{}", tenant.base_url(), listen.port())?;
    guide.seen("the broker says it is ready")?;

    let address = format!("localhost:{}", listen.port());
    let person = |name: &str| {
        let folder = folder.join("people");
        Person::new(name, &folder, &address, tenant.ca_file(), Clock::system())
    };
    let (ann, bob, eve) = (person("ann"), person("bob"), person("eve"));

    guide.step("Eve, policy admin, says who may have what")?;
    typed_well(&eve, &["login"]).await?;
    let policy = folder.join("policy.toml");
    std::fs::write(&policy, POLICY)?;
    let policy = policy.display().to_string();
    typed_well(&eve, &["policy", "apply", "--yes", &policy]).await?;
    guide.seen("a policy is in force")?;

    guide.step("Ann is eligible, and holds nothing")?;
    typed_well(&ann, &["login"]).await?;
    typed_well(&ann, &["roles"]).await?;
    ensure!(!graph.holds(&people::ANN, GROUPS_ADMINISTRATOR).await?, "Ann holds the role already");
    guide.seen("Graph shows no role of Ann's")?;

    guide.step("Ann asks, with a fresh sign-in and a reason; nothing is granted yet")?;
    let reason = folder.join("reason.txt");
    std::fs::write(&reason, "Move the sales team's groups (CHG0042)")?;
    let reason = reason.display().to_string();
    let ask = ["activate", "groups-admin", "--for", "15s", "--reason-file", reason.as_str(), "--yes"];
    let asking = tokio::spawn({
        let (ann, ask) = (ann.clone(), ask.map(ToOwned::to_owned));
        async move { ann.types(&ask.each_ref().map(String::as_str)).await }
    });
    let id = until(&ann, "awaiting_approval", Duration::from_secs(20)).await?;
    ensure!(!graph.holds(&people::ANN, GROUPS_ADMINISTRATOR).await?, "granted without approval");
    guide.seen("the request waits for a second person, and Graph shows nothing")?;

    guide.step("Bob, an approver, sees it and says yes, with a fresh sign-in of his own")?;
    typed_well(&bob, &["login"]).await?;
    typed_well(&bob, &["pending"]).await?;
    typed_well(&bob, &["approve", &id, "--yes"]).await?;
    guide.seen("the yes is recorded")?;

    guide.step("Ann holds the role")?;
    let told = asking.await?;
    show(&ann, &ask, &told)?;
    ensure!(told.exit == Exit::Ok, "Ann's request ended with {:?}", told.exit);
    ensure!(graph.comes_to_hold(&people::ANN, GROUPS_ADMINISTRATOR).await?, "Graph does not show it");
    guide.seen("Graph shows the assignment")?;

    guide.step("Time runs out")?;
    let waited = graph
        .gone_within(&people::ANN, GROUPS_ADMINISTRATOR, Duration::from_secs(15) + TAKEN_AWAY_WITHIN)
        .await?;
    ensure!(!graph.holds(&people::ANN, GROUPS_ADMINISTRATOR).await?, "it came back");
    until(&ann, "closed", TAKEN_AWAY_WITHIN).await?;
    typed_well(&ann, &["show", &id]).await?;
    guide.seen(&format!(
        "after {} s more Graph shows nothing, and the record says how it ended",
        waited.as_secs()
    ))?;

    guide.step("The record of it, as Eve, auditor, reads it")?;
    let told = typed_well(&eve, &["audit", "list", "--activation", &id]).await?;
    let record = eve.types(&["audit", "list", "--activation", &id, "--output", "json"]).await.out;
    for event in ["requested", "approved", "activation-begun", "activated", "revocation-begun", "removed"] {
        ensure!(record.contains(event) || told.out.contains(event), "the record lacks `{event}`");
    }
    guide.seen("asked, approved, begun, held, ended, gone: each has its entry")?;

    guide.step("Bob asks for himself, and may not approve it himself")?;
    typed_well(
        &bob,
        &["activate", "groups-admin", "--for", "1m", "--reason-file", &reason, "--yes", "--no-wait"],
    )
    .await?;
    let own = until(&bob, "awaiting_approval", Duration::from_secs(20)).await?;
    let told = typed(&bob, &["approve", &own, "--yes"]).await?;
    ensure!(told.exit == Exit::Refused, "his own yes ended with {:?}", told.exit);
    ensure!(!graph.holds(&people::BOB, GROUPS_ADMINISTRATOR).await?, "Bob approved himself");
    guide.seen("refused, with the reason; Graph shows nothing")?;

    guide.step("A sign-in that is too weak buys nothing")?;
    let weak = ann.signing_in_with(Strength::Mfa);
    let told =
        typed(&weak, &["activate", "user-admin", "--for", "10s", "--reason-file", &reason, "--yes"]).await?;
    ensure!(told.exit == Exit::Refused, "a weak sign-in ended with {:?}", told.exit);
    ensure!(!graph.holds(&people::ANN, USER_ADMINISTRATOR).await?, "granted on a weak sign-in");
    guide.seen("the role asks for a passkey, and a telephone is none")?;

    guide.step("Ann activates a role that needs no approval, and the broker is killed with -9")?;
    typed_well(&ann, &["activate", "user-admin", "--for", "10s", "--reason-file", &reason, "--yes"]).await?;
    let id = until(&ann, "active", TAKEN_AWAY_WITHIN).await?;
    ensure!(graph.comes_to_hold(&people::ANN, USER_ADMINISTRATOR).await?, "Graph does not show it");
    broker.kill_9().await?;
    guide.seen("the role is live and nobody watches over it")?;

    guide.step("Its end passes while the broker is dead")?;
    tokio::time::sleep(Duration::from_secs(12)).await;
    ensure!(graph.holds(&people::ANN, USER_ADMINISTRATOR).await?, "something else took it away");
    guide.seen("Graph still shows the role: only the broker takes it away, and it is down")?;

    guide.step("The broker starts again")?;
    let broker = Broker::start(&program, &config, listen, admin, &log, &Clock::system()).await?;
    let waited = graph.gone_within(&people::ANN, USER_ADMINISTRATOR, TAKEN_AWAY_WITHIN).await?;
    ensure!(!graph.holds(&people::ANN, USER_ADMINISTRATOR).await?, "it came back");
    guide.seen(&format!("the role was gone {:.1} s after it was ready", waited.as_secs_f32()))?;

    guide.step("And the record knows it")?;
    until(&ann, "closed", TAKEN_AWAY_WITHIN).await?;
    let told = typed_well(&ann, &["show", &id]).await?;
    let shown = ann.types(&["show", &id, "--output", "json"]).await.json()?;
    ensure!(
        shown.get("outcome").is_some_and(|is| is == "expired"),
        "the record says otherwise: {}",
        told.out
    );
    broker.stop().await?;
    guide.seen("closed as expired, and the broker ends in order when told to")?;
    writeln!(io::stdout())?;
    Ok(())
}
