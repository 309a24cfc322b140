//! What a chapter is played on: a tenant, a real broker in a process of its own, people at their terminals, and one
//! clock for all of them that can be moved on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use elevate_client::Exit;
use elevate_sandbox::stage::{self, Broker, Person, Told};
use elevate_sandbox::{Clock, Lag, Settings, Tenant, people};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::process::Child;

use super::graph::{Graph, TENANT_WIDE};
use super::guide::Guide;

/// How long a role may outlive its end here: the reaper wakes in milliseconds, and the tenant's listings
/// lag by less than a second.
pub(super) const SOON: Duration = Duration::from_secs(15);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// How much of a line is shown, in characters.
const LINE: usize = 160;

pub(super) struct Stage<'a> {
    pub(super) guide: &'a mut Guide,
    pub(super) tenant: Tenant,
    pub(super) graph: Graph,
    pub(super) folder: PathBuf,
    clock: Clock,
    listen: SocketAddr,
    admin: SocketAddr,
    /// `None` while it is dead.
    broker: Option<Broker>,
    /// What people were told they are about to do, by its first line: in full once, and then no more.
    introduced: BTreeSet<String>,
}

impl<'a> Stage<'a> {
    /// A tenant and a broker over TLS, in this folder. `configuration` is what the broker's has besides the usual.
    pub(super) async fn set(guide: &'a mut Guide, folder: &Path, configuration: &str) -> Result<Self> {
        Self::written(guide, folder, |_, usual| Ok(format!("{usual}\n{configuration}"))).await
    }

    /// As [`set`](Self::set), with the configuration that is made of the usual one.
    pub(super) async fn written(
        guide: &'a mut Guide,
        folder: &Path,
        write: impl FnOnce(&Tenant, &str) -> Result<String>,
    ) -> Result<Self> {
        let clock = Clock::ahead(folder.join("clock"));
        let settings = Settings {
            folder: folder.to_owned(),
            address: ([127, 0, 0, 1], 0).into(),
            clock: clock.clone(),
            lag: Lag::everyday(),
        };
        let tenant = Tenant::start(settings).await?;
        let graph = Graph::of(&tenant)?;
        let (listen, admin) = (stage::free_port()?, stage::free_port()?);
        let usual = stage::configuration(&tenant, listen, admin, &folder.join("record"))?;
        std::fs::write(folder.join("elevated.toml"), write(&tenant, &usual)?)?;
        let mut set = Self {
            guide,
            tenant,
            graph,
            folder: folder.to_owned(),
            clock,
            listen,
            admin,
            broker: None,
            introduced: BTreeSet::new(),
        };
        set.start_broker().await?;
        set.guide.says(&format!("tenant {}   broker localhost:{}", set.tenant.base_url(), listen.port()))?;
        Ok(set)
    }

    pub(super) fn step(&mut self, title: &str) -> Result<()> {
        self.guide.step(title)
    }

    pub(super) fn seen(&mut self, what: &str) -> Result<()> {
        self.guide.seen(what)
    }

    // The broker.

    pub(super) async fn start_broker(&mut self) -> Result<()> {
        let (config, log) = (self.folder.join("elevated.toml"), self.folder.join("elevated.log"));
        let program = std::env::current_exe()?;
        self.broker =
            Some(Broker::start(&program, &config, self.listen, self.admin, &log, &self.clock).await?);
        Ok(())
    }

    pub(super) async fn kill_broker(&mut self) -> Result<()> {
        self.guide.says("kill -9 elevated")?;
        self.broker.take().context("the broker is dead already")?.kill_9().await
    }

    pub(super) async fn stop_broker(&mut self) -> Result<()> {
        self.broker.take().context("the broker is dead already")?.stop().await
    }

    /// One of the broker's metrics.
    pub(super) async fn metric(&self, name: &str) -> Result<f64> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let text = client.get(format!("http://{}/metrics", self.admin)).send().await?.text().await?;
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        let line = line.with_context(|| format!("no metric `{name}`"))?;
        self.guide.says(&format!("/metrics: {line}"))?;
        Ok(line.rsplit(' ').next().unwrap_or_default().parse()?)
    }

    /// The lines of the broker's log in which it tells somebody something.
    pub(super) fn notices(&self) -> Result<Vec<String>> {
        let log = std::fs::read_to_string(self.folder.join("elevated.log"))?;
        Ok(log.lines().filter(|line| line.contains(" notices: ")).map(str::to_owned).collect())
    }

    // Time.

    /// Moves the clock of the tenant, the broker and everybody on.
    pub(super) fn passes(&self, time: SignedDuration) -> Result<()> {
        self.guide.says(&format!("… {} pass …", humantime::format_duration(time.unsigned_abs())))?;
        ensure!(self.clock.advance(time), "the clock cannot be moved");
        Ok(())
    }

    // People.

    pub(super) fn person(&self, name: &str) -> Person {
        let address = format!("localhost:{}", self.listen.port());
        Person::new(name, &self.folder.join("people"), &address, self.tenant.ca_file(), self.clock.clone())
    }

    /// These people, signed in to the broker.
    pub(super) async fn people<const N: usize>(&self, names: [&str; N]) -> Result<[Person; N]> {
        let people = names.map(|name| self.person(name));
        for person in &people {
            let told = person.types(&["login"]).await;
            ensure!(told.exit == Exit::Ok, "{} could not sign in: {}", person.name(), told.err);
        }
        Ok(people)
    }

    /// Types `elevate {line}`; words in it are kept together by `'`.
    pub(super) async fn types(&mut self, person: &Person, line: &str) -> Result<Told> {
        self.types_with(person, line, "").await
    }

    /// As [`types`](Self::types), and `input` when asked.
    pub(super) async fn types_with(&mut self, person: &Person, line: &str, input: &str) -> Result<Told> {
        let words = words(line);
        let told = person.types_with(&words, input).await;
        self.show(person, line, input, &told)?;
        Ok(told)
    }

    /// As [`types`](Self::types), and it must be done.
    pub(super) async fn done(&mut self, person: &Person, line: &str) -> Result<Told> {
        let told = self.types(person, line).await?;
        ensure!(told.exit == Exit::Ok, "`elevate {line}` ended with {:?}", told.exit);
        Ok(told)
    }

    /// As [`types`](Self::types), and it must end so and say this.
    pub(super) async fn refused(
        &mut self,
        person: &Person,
        line: &str,
        exit: Exit,
        says: &str,
    ) -> Result<Told> {
        let told = self.types(person, line).await?;
        ensure!(told.exit == exit, "`elevate {line}` ended with {:?}", told.exit);
        ensure!(told.err.contains(says), "`elevate {line}` does not say `{says}`");
        Ok(told)
    }

    /// Asks with `elevate activate {what}` for this reason, and does not wait. Gives the activation's id.
    pub(super) async fn asks(&mut self, person: &Person, what: &str, reason: &str) -> Result<String> {
        self.ask(person, &format!("activate {what} --no-wait"), reason).await
    }

    /// As [`activates`](Self::activates), with a verb of its own.
    pub(super) async fn activates_by(
        &mut self,
        person: &Person,
        verb: &str,
        what: &str,
        reason: &str,
    ) -> Result<String> {
        self.ask(person, &format!("{verb} {what}"), reason).await
    }

    /// As [`asks`](Self::asks), and waits until the role is held.
    pub(super) async fn activates(&mut self, person: &Person, what: &str, reason: &str) -> Result<String> {
        self.ask(person, &format!("activate {what}"), reason).await
    }

    async fn ask(&mut self, person: &Person, what: &str, reason: &str) -> Result<String> {
        let line = format!("{what} --reason-file - --yes");
        let told = self.types_with(person, &line, reason).await?;
        ensure!(told.exit == Exit::Ok, "`elevate {line}` ended with {:?}", told.exit);
        let id = newest(person).await?.get("id").and_then(Value::as_str).map(str::to_owned);
        id.context("an activation without id")
    }

    /// The command line in a process of its own, which runs `command` in a shell; its input stays open.
    pub(super) fn spawns(&mut self, person: &Person, words: &[&str], command: &str) -> Result<Child> {
        self.guide.says(&self.short(&format!(
            "{}$ elevate {} sh -c \"…\"",
            person.name(),
            words.join(" ")
        )))?;
        let said = std::fs::File::create(self.folder.join("elevate.log"))?;
        let mut child = person.process(&std::env::current_exe()?);
        child.args(words).args(["sh", "-c", command]);
        child.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(said).kill_on_drop(true);
        child.spawn().context("the command line cannot be started")
    }

    /// Eve puts this into force; the names in it stand for ids, see [`named`].
    pub(super) async fn policy(&self, text: &str) -> Result<()> {
        let [eve] = self.people(["eve"]).await?;
        let text = named(text);
        let file = self.folder.join("policy.toml");
        std::fs::write(&file, &text)?;
        let file = file.display().to_string();
        let told = eve.types(&["policy", "apply", "--yes", &file]).await;
        ensure!(told.exit == Exit::Ok, "the policy cannot be applied: {}", told.err);
        self.guide.says("The policy in force:")?;
        text.lines().try_for_each(|line| self.guide.says(&format!("    {line}")))
    }

    /// Shows what somebody typed and what they were told.
    pub(super) fn show(&mut self, person: &Person, line: &str, input: &str, told: &Told) -> Result<()> {
        let piped = if input.is_empty() { String::new() } else { format!(" <<< '{input}'") };
        self.guide.says(&self.short(&format!("{}$ elevate {line}{piped}", person.name())))?;
        // What is left out: the rest of a block that nobody reads, or reads again.
        let mut left_out = false;
        for line in told.err.lines().chain(told.out.lines()) {
            left_out &= line.trim().is_empty() || line.starts_with(char::is_whitespace);
            if line.starts_with("To sign in, your browser opens") {
                self.guide.says("    (the browser opens, and they sign in)")?;
                left_out = true;
            } else if line.starts_with("You are about to") && !self.introduced.insert(line.to_owned()) {
                self.guide.says(&format!("    {line} …"))?;
                left_out = true;
            } else if line.starts_with("Next, you sign in again") && self.introduced.len() > 1 {
                continue;
            }
            if left_out {
                continue;
            }
            let shown: String = line.chars().take(LINE).collect();
            let cut = if line.chars().count() > LINE { "…" } else { "" };
            self.guide.says(&self.short(&format!("    {shown}{cut}")))?;
        }
        Ok(())
    }

    /// Without the name of the folder, which is long and says nothing.
    fn short(&self, line: &str) -> String {
        line.replace(&self.folder.display().to_string(), "…")
    }

    // What Graph shows.

    /// Graph comes to show that the person holds the role in the whole tenant.
    pub(super) async fn holds(&self, person: &people::Person, role: &people::Role) -> Result<()> {
        self.holds_at(person, role, TENANT_WIDE).await
    }

    /// Graph comes to show that the person holds the role at this scope.
    pub(super) async fn holds_at(
        &self,
        person: &people::Person,
        role: &people::Role,
        scope: &str,
    ) -> Result<()> {
        let held = self.graph.comes_to_show(person, role, scope).await?;
        self.says_held(person, &held)
    }

    /// Graph shows no role of this person's.
    pub(super) async fn holds_nothing(&self, person: &people::Person) -> Result<()> {
        let held = self.graph.held_by(person).await?;
        self.says_held(person, &held)?;
        ensure!(held.is_empty(), "Graph shows roles of {}", person.display_name);
        Ok(())
    }

    /// Graph comes to show the role no more, and it stays so.
    pub(super) async fn loses(&self, person: &people::Person, role: &people::Role) -> Result<Duration> {
        let waited = self.graph.gone_within(person, role, SOON).await?;
        self.graph.gone_within(person, role, Duration::ZERO).await.context("it came back")?;
        self.says_held(person, &self.graph.held_by(person).await?)?;
        Ok(waited)
    }

    fn says_held(&self, person: &people::Person, held: &[String]) -> Result<()> {
        let held = if held.is_empty() { "none".to_owned() } else { held.join(", ") };
        self.guide.says(&format!("Graph: roleAssignments of {}: {held}", person.display_name))
    }
}

/// The activation as this person sees it.
pub(super) async fn shown(person: &Person, id: &str) -> Result<Value> {
    person.types(&["show", id, "--output", "json"]).await.json()
}

/// A field of it, as text; empty if it is none.
pub(super) fn field<'v>(activation: &'v Value, name: &str) -> &'v str {
    activation.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The newest activation of this person, as they see it.
pub(super) async fn newest(person: &Person) -> Result<Value> {
    let told = person.types(&["list", "--all", "--output", "json"]).await;
    let list = told.json()?;
    list.pointer("/activations/0")
        .cloned()
        .with_context(|| format!("nothing is listed: {}{}", told.out, told.err))
}

/// Waits until this person's newest activation is in this state, and gives its id.
pub(super) async fn until_newest(person: &Person, state: &str) -> Result<String> {
    let asked = Instant::now();
    let mut last = Value::Null;
    while asked.elapsed() < SOON {
        if let Ok(activation) = newest(person).await {
            if field(&activation, "state") == state {
                return Ok(field(&activation, "id").to_owned());
            }
            last = activation;
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!("{}'s activation did not become {state}: {last}", person.name())
}

/// Waits until this activation is in this state.
pub(super) async fn until(person: &Person, id: &str, state: &str) -> Result<Value> {
    let asked = Instant::now();
    loop {
        let activation = shown(person, id).await;
        match activation {
            Ok(activation) if field(&activation, "state") == state => return Ok(activation),
            last if asked.elapsed() > SOON => bail!("{id} did not become {state}: {last:?}"),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Waits until `show` tells this of the activation.
pub(super) async fn until_told(person: &Person, id: &str, what: &str) -> Result<()> {
    let asked = Instant::now();
    while !person.types(&["show", id]).await.out.contains(what) {
        ensure!(asked.elapsed() < SOON, "`elevate show {id}` does not say `{what}`");
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Waits until this activation is closed, and it must have ended so.
pub(super) async fn until_over(person: &Person, id: &str, outcome: &str) -> Result<()> {
    let over = until(person, id, "closed").await?;
    ensure!(field(&over, "outcome") == outcome, "it ended otherwise than {outcome}: {over}");
    Ok(())
}

/// The words of a line. `'` keeps some together.
fn words(line: &str) -> Vec<&str> {
    let pieces = line.split('\'').enumerate();
    pieces
        .flat_map(|(at, piece)| match at % 2 {
            0 => piece.split_whitespace().collect(),
            _ => vec![piece],
        })
        .collect()
}

/// The policy with ids instead of names: `{ann}`, `{approvers}`, `{groups-administrator}`, `{unit}`.
fn named(text: &str) -> String {
    let mut ids = BTreeMap::from([("unit".to_owned(), people::UNIT)]);
    ids.extend(people::EVERYBODY.iter().map(|person| (person.name.to_owned(), person.id)));
    ids.extend(people::GROUPS.iter().map(|group| (group.name.to_lowercase(), group.id)));
    ids.extend(people::ROLES.iter().map(|role| (role.name.to_lowercase().replace(' ', "-"), role.id)));
    ids.into_iter().fold(text.trim().to_owned(), |text, (name, id)| text.replace(&format!("{{{name}}}"), id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(words("deny 01 --reason 'not today'  -y"), ["deny", "01", "--reason", "not today", "-y"]);
    }

    #[test]
    fn names_in_a_policy_stand_for_ids() {
        let text = named("[\"user:{dave}\", \"group:{staff}\"] # {groups-administrator}");
        assert!(text.contains(people::DAVE.id) && text.contains(people::STAFF.id), "{text}");
        assert!(text.contains(people::GROUPS_ADMINISTRATOR.id) && !text.contains('{'), "{text}");
    }
}
