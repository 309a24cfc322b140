//! A tenant, a real broker beside it, and people at their terminals: what the tour and the tests play on.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{self, Cursor, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use elevate_client::{Browser, Commands, Exit, Key, Keyring, Keys, Running, Terminals, World};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use crate::{Clock, Strength, Tenant, browser, files, people};

/// How often who waits looks at a clock that does not say when it is moved.
const LOOKS_EVERY: Duration = Duration::from_millis(10);

/// The broker's configuration for this tenant: its own certificates, this folder, these addresses.
///
/// # Errors
/// The folder has no name that can be written down.
pub fn configuration(tenant: &Tenant, listen: SocketAddr, admin: SocketAddr, store: &Path) -> Result<String> {
    let folder = std::path::absolute(tenant.folder())?;
    let file = |name: &str| format!("{:?}", folder.join(name).display().to_string());
    let mut text = String::new();
    writeln!(text, "# Written by elevate-sandbox, for its own tenant.")?;
    writeln!(text, "[server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"")?;
    writeln!(
        text,
        "certificate = {}\nkey = {}\nreflection = true\n",
        file(files::TLS),
        file(files::TLS_KEY)
    )?;
    writeln!(
        text,
        "[tenant]\nid = \"{}\"\nissuer = \"{}\"\nca = {}\n",
        tenant.id(),
        tenant.issuer(),
        file(files::CA)
    )?;
    writeln!(
        text,
        "[identity]\naudience = \"{}\"\nclient_id = \"{}\"\n",
        people::BROKER.client_id,
        people::CLI.client_id
    )?;
    writeln!(
        text,
        "[graph]\nurl = \"{}\"\nclient_id = \"{}\"",
        tenant.graph_url(),
        people::BROKER.client_id
    )?;
    writeln!(text, "certificate = {}\nkey = {}\n", file(files::CREDENTIAL), file(files::CREDENTIAL_KEY))?;
    writeln!(text, "[store]\nfolder = {:?}\n", std::path::absolute(store)?.display().to_string())?;
    // The one ticket system, in both forms.
    let beside = |name: &str, url: &str| {
        let (ca, secret) = (file(files::CA), file(files::TICKETS_SECRET));
        format!("[tickets.{name}]\nurl = \"{url}\"\nca = {ca}\nsecret_file = {secret}\n")
    };
    writeln!(text, "{}", beside("calendar", &format!("{}/tickets/check", tenant.base_url())))?;
    let read = format!("{}/tickets/api/change?number={{number}}", tenant.base_url());
    writeln!(
        text,
        "{}number_pointer = \"/result/0/number\"\nstate_pointer = \"/result/0/state\"\naccepted = [\"Implement\"]\n",
        beside("changes", &read)
    )?;
    writeln!(text, "[log]\nformat = \"text\"")?;
    Ok(text)
}

/// A port of this machine that was free a moment ago.
///
/// # Errors
/// There is none.
pub fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A broker in a process of its own: this very executable, run again.
#[derive(Debug)]
pub struct Broker {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it tells how it is.
    pub admin: SocketAddr,
}

impl Broker {
    /// Starts `{program} broker --config {config}` and waits until it says it is ready. It goes by `clock`,
    /// which is the machine's or one [`Clock::ahead`]. What it logs is appended to `log`.
    ///
    /// # Errors
    /// It ended, or was not ready in time; the end of its log is in the error.
    pub async fn start(
        program: &Path,
        config: &Path,
        address: SocketAddr,
        admin: SocketAddr,
        log: &Path,
        clock: &Clock,
    ) -> Result<Self> {
        let written = std::fs::File::options().create(true).append(true).open(log)?;
        let child = Command::new(program)
            .arg("broker")
            .args(clock.file().map(|file| [OsStr::new("--clock"), file.as_os_str()]).into_iter().flatten())
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(written.try_clone()?)
            .stderr(written)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run `{}`", program.display()))?;
        let mut broker = Self { child, address, admin };
        let ready = broker.ready().await;
        ready.with_context(|| {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            let end: Vec<_> = said.lines().rev().take(12).collect();
            format!(
                "the broker did not come up; its last words:\n{}",
                end.into_iter().rev().collect::<Vec<_>>().join("\n")
            )
        })?;
        Ok(broker)
    }

    async fn ready(&mut self) -> Result<()> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        let address = format!("http://{}/readyz", self.admin);
        for _ in 0..300 {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("it ended at once ({status})");
            }
            match client.get(&address).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        anyhow::bail!("it was not ready within 30 s")
    }

    /// Waits until it ends by itself, and says how.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub async fn ended(&mut self) -> Result<std::process::ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    ///
    /// # Errors
    /// It could not be killed.
    pub async fn kill_9(mut self) -> Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }

    /// SIGTERM, and waits for its orderly end.
    ///
    /// # Errors
    /// It ended otherwise.
    pub async fn stop(mut self) -> Result<()> {
        let id =
            self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.context("it has ended already")?, rustix::process::Signal::TERM)?;
        let status = self.child.wait().await?;
        ensure!(status.success(), "the broker ended with {status}");
        Ok(())
    }
}

/// A person at a terminal: the real command line, with its own folder, and a browser that signs in as them.
#[derive(Debug, Clone)]
pub struct Person {
    name: String,
    strength: Strength,
    folder: PathBuf,
    broker: String,
    ca: PathBuf,
    clock: Clock,
}

/// What a command said and how it ended.
#[derive(Debug, Clone)]
pub struct Told {
    /// How it ended.
    pub exit: Exit,
    /// What it printed: the answer.
    pub out: String,
    /// What else it said.
    pub err: String,
}

impl Told {
    /// The answer, as JSON.
    ///
    /// # Errors
    /// It is not.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.out).with_context(|| format!("not JSON: {}{}", self.out, self.err))
    }
}

impl Person {
    /// `name` is one of [`people::EVERYBODY`]; `folder` keeps their session.
    pub fn new(name: &str, folder: &Path, broker: &str, ca: &Path, clock: Clock) -> Self {
        Self {
            name: name.to_owned(),
            strength: Strength::Fido,
            folder: folder.join(name),
            broker: broker.to_owned(),
            ca: ca.to_owned(),
            clock,
        }
    }

    /// The same person, signing in with this from now on.
    #[must_use]
    pub fn signing_in_with(&self, strength: Strength) -> Self {
        Self { strength, ..self.clone() }
    }

    /// Their short name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The command line in a process of its own, as `elevate-sandbox elevate` runs it; `program` is that one.
    pub fn process(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.args(["elevate", "--as", &self.name]).arg("--ca").arg(&self.ca);
        if let Some(file) = self.clock.file() {
            command.arg("--clock").arg(file);
        }
        command.arg("--").envs(self.environment());
        command
    }

    /// What a process has of this person: their browser, and their time.
    #[must_use]
    pub fn at_a_terminal(&self) -> World {
        World {
            browser: Arc::new(Screenless(self.clone())),
            clock: Arc::new(HeldClock(self.clock.clone())),
            ..World::real()
        }
    }

    fn environment(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("ELEVATE_CONFIG_DIR".to_owned(), self.folder.display().to_string()),
            ("ELEVATE_TOKEN_STORE".to_owned(), "file".to_owned()),
            ("ELEVATE_BROKER".to_owned(), self.broker.clone()),
            ("ELEVATE_CA".to_owned(), self.ca.display().to_string()),
        ])
    }

    /// Types `elevate {arguments}`.
    pub async fn types(&self, arguments: &[&str]) -> Told {
        self.types_with(arguments, "").await
    }

    /// Types `elevate {arguments}`, and `input` when asked.
    pub async fn types_with(&self, arguments: &[&str], input: &str) -> Told {
        let (out, err) = (Pad::default(), Pad::default());
        let world = World {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            input: Arc::new(Mutex::new(Cursor::new(input.to_owned().into_bytes()))),
            terminals: Terminals::default(),
            env: self.environment(),
            browser: Arc::new(Screenless(self.clone())),
            clock: Arc::new(HeldClock(self.clock.clone())),
            time_zone: TimeZone::UTC,
            keyring: Arc::new(NoKeyring),
            keys: Arc::new(NoKeyboard),
            commands: Arc::new(NoPrograms),
            interrupt: Arc::new(Notify::new()),
        };
        let words = std::iter::once("elevate").chain(arguments.iter().copied()).map(OsString::from);
        let words: Vec<_> = words.collect();
        // A thread and a runtime of its own, as a process would have.
        let run = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            Some(runtime.block_on(elevate_client::run(words, world)))
        });
        let exit = run.await.ok().flatten().unwrap_or(Exit::Unexpected);
        Told { exit, out: out.text(), err: err.text() }
    }
}

/// What a command writes on.
#[derive(Debug, Clone, Default)]
struct Pad(Arc<Mutex<Vec<u8>>>);

impl Pad {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Pad {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Signs the person in, as they would in a browser.
struct Screenless(Person);

impl Browser for Screenless {
    fn open(&self, url: &str) -> io::Result<()> {
        let (url, person) = (url.to_owned(), self.0.clone());
        tokio::spawn(async move {
            // A sign-in that fails is seen by whoever waits for it, as with a person who gives up.
            let _ = browser::sign_in(&url, &person.name, person.strength, &person.ca).await;
        });
        Ok(())
    }
}

struct HeldClock(Clock);

impl elevate_client::Clock for HeldClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// By the tenant's time, which somebody else may move.
    fn sleep(&self, length: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let clock = self.0.clone();
        let length = jiff::SignedDuration::try_from(length).unwrap_or(jiff::SignedDuration::MAX);
        let until = clock.now().saturating_add(length).unwrap_or(Timestamp::MAX);
        Box::pin(async move {
            while clock.now() < until {
                tokio::time::sleep(LOOKS_EVERY).await;
            }
        })
    }
}

struct NoKeyring;

impl Keyring for NoKeyring {
    fn load(&self, _: &str) -> Result<Option<String>, String> {
        Err("none here".to_owned())
    }

    fn save(&self, _: &str, _: &str) -> Result<(), String> {
        Err("none here".to_owned())
    }

    fn forget(&self, _: &str) -> Result<(), String> {
        Err("none here".to_owned())
    }
}

/// Nobody presses single keys here.
struct NoKeyboard;

impl Keys for NoKeyboard {
    fn open(&self) -> io::Result<()> {
        Err(io::Error::other("none here"))
    }

    fn next(&self) -> io::Result<Key> {
        Err(io::Error::other("none here"))
    }

    fn close(&self) {}
}

/// Nothing is run here.
struct NoPrograms;

impl Commands for NoPrograms {
    fn run(&self, _: elevate_client::Command) -> Running {
        Box::pin(std::future::ready(Err(io::Error::other("none here"))))
    }
}
