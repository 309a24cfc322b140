//! `elevate-sandbox up`: a tenant and a broker that stay, and what to type in a second terminal.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use elevate_sandbox::stage::{self, Broker, Person};
use elevate_sandbox::{Clock, Lag, Settings, Tenant};

use super::{FOLDER, say};

/// The policy that is applied at the start.
/// The sample policy, as `elevate policy apply deploy/policy` would send it.
pub(crate) const POLICY: &str = concat!(
    "# --- file: 10-groups-admin.toml\n",
    include_str!("../../../policy/10-groups-admin.toml"),
    "# --- file: 20-user-admin.toml\n",
    include_str!("../../../policy/20-user-admin.toml"),
    "# --- file: 30-app-admin.toml\n",
    include_str!("../../../policy/30-app-admin.toml"),
    "# --- file: 90-tests.toml\n",
    include_str!("../../../policy/90-tests.toml"),
);

/// What `up` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where everything is kept: certificates, the record (begun anew at every start), sessions.
    #[arg(long, default_value = FOLDER, value_name = "FOLDER")]
    folder: PathBuf,
    /// Where the tenant listens; loopback only.
    #[arg(long, default_value = "127.0.0.1:8443", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the broker listens; loopback only.
    #[arg(long, default_value = "127.0.0.1:7443", value_name = "ADDRESS")]
    broker: SocketAddr,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let folder = std::path::absolute(&arguments.folder)?;
    let settings = Settings {
        folder: folder.clone(),
        address: arguments.listen,
        clock: Clock::system(),
        lag: Lag::everyday(),
    };
    let tenant = Tenant::start(settings).await?;
    let admin = stage::free_port()?;
    let config = folder.join("elevated.toml");
    let store = folder.join("sandbox-record");
    begin_anew(&store)?;
    std::fs::write(&config, stage::configuration(&tenant, arguments.broker, admin, &store)?)?;
    std::fs::write(folder.join("policy.toml"), POLICY)?;
    let program = std::env::current_exe()?;
    let log = folder.join("elevated.log");
    let mut broker =
        Broker::start(&program, &config, arguments.broker, admin, &log, &Clock::system()).await?;

    let address = format!("localhost:{}", arguments.broker.port());
    let eve = Person::new("eve", &folder.join("people"), &address, tenant.ca_file(), Clock::system());
    let policy = folder.join("policy.toml").display().to_string();
    for words in [&["login"][..], &["policy", "apply", "--yes", &policy]] {
        let told = eve.types(words).await;
        anyhow::ensure!(told.exit == elevate_client::Exit::Ok, "eve could not {words:?}: {}", told.err);
    }
    say(&description(&tenant, &broker, &address, &program, &folder))?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for an interrupt")?,
        ended = broker.ended() => {
            let again = format!("{} broker --config {}", program.display(), config.display());
            say(&format!("\nThe broker ended by itself ({}). The tenant goes on; to start it again:\n  {again}\n", ended?))?;
            return Ok(tokio::signal::ctrl_c().await?);
        }
    }
    broker.stop().await
}

/// Removes the record of the last time: a tenant that begins anew knows nothing of what an older record
/// says was granted in it. Not under the feet of a broker that still runs.
fn begin_anew(store: &std::path::Path) -> Result<()> {
    if !store.exists() {
        return Ok(());
    }
    if let Ok(lock) = std::fs::File::open(store.join("lock")) {
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).ok().with_context(
            || format!("{} is in use by a broker that still runs; stop that one first", store.display()),
        )?;
    }
    std::fs::remove_dir_all(store).context("the record of the last time cannot be removed")
}

fn description(
    tenant: &Tenant,
    broker: &Broker,
    address: &str,
    program: &std::path::Path,
    folder: &std::path::Path,
) -> String {
    let elevate = program.with_file_name("elevate");
    let build = if elevate.exists() { "" } else { "  cargo build -p elevate-client\n" };
    format!(
        "\
The tenant and a broker are up. Press Ctrl-C to stop them.

  tenant   {base}   (its control door: {base}/sandbox)
  broker   {address}   (log: {log})
  health   http://{admin}/readyz and /metrics

In a second terminal:

{build}  export ELEVATE_BROKER={address} ELEVATE_CA={ca}
  alias elevate={elevate}
  as() {{ export ELEVATE_CONFIG_DIR={people}/$1 ELEVATE_TOKEN_STORE=file BROWSER=\"{program} browser --ca {ca} --as $1 --strength fido\"; }}

  as ann                        # Ann: eligible for groups-admin and user-admin
  elevate login
  elevate roles
  elevate activate groups-admin --for 2m --no-wait
  as bob                        # Bob: an approver
  elevate login
  elevate pending
  elevate approve ID            # the ID that `pending` shows
  as ann
  elevate list
  elevate watch ID              # until its two minutes are over
  as eve                        # Eve: policy admin, auditor and revoker (signed in already)
  elevate policy show
  elevate audit list

`BROWSER` is a browser without a screen that signs the person in. To use your own: `unset BROWSER`, or
`--no-browser` to paste the redirected address; your browser must trust {ca}.
",
        base = tenant.base_url(),
        log = folder.join("elevated.log").display(),
        admin = broker.admin,
        ca = tenant.ca_file().display(),
        elevate = elevate.display(),
        people = folder.join("people").display(),
        program = program.display(),
    )
}
