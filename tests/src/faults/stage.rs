//! A tenant, and a broker beside it in a process of its own.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use elevate_broker::{cli, ports};
use elevate_sandbox::{Clock, Settings, Tenant, stage};
use jiff::{SignedDuration, Timestamp};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::{Caller, PATIENCE, POLICY};

/// How far time goes at each step once it is moved, and how much of the machine's time a step takes.
const STEP: (SignedDuration, Duration) = (SignedDuration::from_secs(2), Duration::from_millis(40));

/// The broker, in this process. Takes what `elevated` takes; `--clock FILE` before it has it go by the tenant's clock
/// instead of the machine's.
pub fn broker(words: impl Iterator<Item = OsString>) -> ExitCode {
    let mut words = words.peekable();
    let clock = words.next_if(|word| word == "--clock").and_then(|_| words.next());
    let clock = clock.map(|file| Arc::new(Clock::ahead(file)) as Arc<dyn ports::Clock>);
    cli::run_by(clock, std::iter::once(OsString::from("elevated")).chain(words))
}

/// A tenant, and where the broker beside it is to be.
#[derive(Debug)]
pub struct Stage {
    /// The tenant. Its clock goes with the machine's until it is moved.
    pub tenant: Tenant,
    /// When everybody who lives here was there.
    pub since: Timestamp,
    /// The folder of everything.
    pub folder: PathBuf,
    program: PathBuf,
    admin: SocketAddr,
    channel: Channel,
    /// Since when brokers go by the tenant's clock, which is moved from then on.
    moved: Mutex<Option<Timestamp>>,
}

/// Time goes faster as long as this lives.
#[derive(Debug)]
pub struct Faster(JoinHandle<()>);

impl Drop for Faster {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Who may have what on a stage.
pub fn policy() -> String {
    format!("{POLICY}\n{}", include_str!("policy.toml"))
}

impl Stage {
    /// A tenant in this folder, with the broker's configuration. `program` is the broker, if its first argument is
    /// `broker`.
    ///
    /// # Errors
    /// The tenant does not start.
    pub async fn set(folder: &Path, program: &Path) -> Result<Self> {
        let folder = std::path::absolute(folder)?;
        std::fs::create_dir_all(&folder)?;
        let clock = Clock::ahead(folder.join("clock"));
        let settings = Settings { clock: clock.clone(), ..Settings::in_folder(folder.join("tenant")) };
        let tenant = Tenant::start(settings).await?;
        let since = clock.now();
        let (listen, admin) = (stage::free_port()?, stage::free_port()?);
        let mut text = stage::configuration(&tenant, listen, admin, &folder.join("record"))?;
        // The usual limit of calls is for people; a test asks faster.
        text.push_str("\n[limits]\ncalls_per_minute = 100000\ncalls_per_second = 100000\n");
        std::fs::write(folder.join("elevated.toml"), text)?;
        let trusted = Certificate::from_pem(tenant.ca_pem());
        let tls = ClientTlsConfig::new().ca_certificate(trusted).domain_name("localhost");
        let endpoint = Endpoint::from_shared(format!("https://{listen}"))?.tls_config(tls)?;
        let channel = endpoint.timeout(Duration::from_secs(20)).connect_lazy();
        let moved = Mutex::default();
        Ok(Self { tenant, since, folder, program: program.to_owned(), admin, channel, moved })
    }

    /// Starts the first broker, and puts [`policy`] into force.
    ///
    /// # Errors
    /// It does not come to that.
    pub async fn open(&self) -> Result<Process> {
        let process = self.start().await?;
        self.grpc("eve").apply(&policy(), 0).await?;
        Ok(process)
    }

    /// From now on every broker that starts goes by the tenant's clock, so that time can be moved.
    pub fn take_the_clock(&self) {
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        moved.get_or_insert_with(|| self.tenant.clock().now());
    }

    /// Since when it can be.
    pub fn moved_since(&self) -> Option<Timestamp> {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves it. Only under brokers that started since [`take_the_clock`](Self::take_the_clock).
    pub fn advance(&self, by: SignedDuration) {
        self.tenant.clock().advance(by);
    }

    /// Has it go fifty times as fast until the answer is dropped: nobody waits half a minute of their own for two reads
    /// that are to be half a minute apart.
    pub fn faster(&self) -> Faster {
        let clock = self.tenant.clock().clone();
        Faster(tokio::spawn(async move {
            let (step, every) = STEP;
            loop {
                clock.advance(step);
                tokio::time::sleep(every).await;
            }
        }))
    }

    /// Where the record is.
    pub fn store(&self) -> PathBuf {
        self.folder.join("record")
    }

    /// What every broker here has said.
    pub fn log(&self) -> PathBuf {
        self.folder.join("elevated.log")
    }

    /// Runs the broker under this environment, and does not wait until it is ready.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn spawn(&self, environment: &[(String, String)]) -> Result<Process> {
        let said = std::fs::File::options().create(true).append(true).open(self.log())?;
        let mut command = self.command(&[]);
        command.envs(environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("cannot run `{}`", self.program.display()))?;
        Ok(Process { child, admin: self.admin })
    }

    /// Runs the broker and waits until it is ready.
    ///
    /// # Errors
    /// It does not come to that.
    pub async fn start(&self) -> Result<Process> {
        self.start_under(&[]).await
    }

    /// Likewise, under this environment.
    ///
    /// # Errors
    /// It does not come to that; the end of its log is in the error.
    pub async fn start_under(&self, environment: &[(String, String)]) -> Result<Process> {
        let mut process = self.spawn(environment)?;
        match process.ready().await {
            Ok(()) => Ok(process),
            Err(error) => Err(error.context(format!("its last words:\n{}", self.last_words()))),
        }
    }

    /// Runs `elevated WORDS` to its end: the exit code and what it printed.
    ///
    /// # Errors
    /// It cannot be run.
    pub async fn elevated(&self, words: &[&str]) -> Result<(Option<i32>, String)> {
        let said = self.command(words).output().await?;
        let text =
            format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        Ok((said.status.code(), text))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("broker");
        if self.moved_since().is_some() {
            command.arg("--clock").arg(self.folder.join("clock"));
        }
        command.args(words).arg("--config").arg(self.folder.join("elevated.toml"));
        command
    }

    /// The end of what the brokers said.
    pub fn last_words(&self) -> String {
        let said = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = said.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Somebody who speaks gRPC. Their connection outlives the broker.
    pub fn grpc(&self, name: &str) -> Caller {
        Caller::of(name, self.channel.clone(), &self.tenant)
    }
}

/// A broker's process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    admin: SocketAddr,
}

impl Process {
    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// It ended, or does not say so in time.
    pub async fn ready(&mut self) -> Result<()> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        let address = format!("http://{}/readyz", self.admin);
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended at once ({status})");
            }
            match client.get(&address).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        bail!("it was not ready within {} s", PATIENCE.as_secs())
    }

    /// Its number.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Where it says how it is.
    pub const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    ///
    /// # Errors
    /// It could not be killed.
    pub async fn kill_9(mut self) -> Result<()> {
        self.child.kill().await?;
        Ok(())
    }

    /// SIGTERM, and waits for its orderly end.
    ///
    /// # Errors
    /// It ended otherwise.
    pub async fn stop(mut self) -> Result<()> {
        let id = self.child.id().context("it has ended already")?;
        let killed = std::process::Command::new("kill").args(["-TERM", &id.to_string()]).status()?;
        ensure!(killed.success(), "process {id} cannot be told to end");
        let status = self.child.wait().await?;
        ensure!(status.success(), "the broker ended with {status}");
        Ok(())
    }

    /// Waits until it is killed by what it was started under, at most this long. Whether it was.
    ///
    /// # Errors
    /// It ended otherwise.
    pub async fn died(&mut self, within: Duration) -> Result<bool> {
        let Some(status) = self.ended(within).await? else { return Ok(false) };
        ensure!(status.signal() == Some(9), "it was to be killed, and ended with {status}");
        Ok(true)
    }

    /// Waits until it ends by itself, at most this long.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub async fn ended(&mut self, within: Duration) -> Result<Option<ExitStatus>> {
        match tokio::time::timeout(within, self.child.wait()).await {
            Ok(status) => Ok(Some(status?)),
            Err(_) => Ok(None),
        }
    }
}
