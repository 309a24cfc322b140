//! `elevate-sandbox tenant`: serves the tenant until interrupted, and says where everything is.

use std::{fmt::Write, net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use elevate_sandbox::{Clock, Lag, Settings, Tenant, files, people};
use jiff::Timestamp;

use super::{FOLDER, say};

/// What `tenant` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the certificates and the broker's credentials are kept.
    #[arg(long, default_value = FOLDER, value_name = "FOLDER")]
    folder: PathBuf,
    /// Where to listen; loopback only.
    #[arg(long, default_value = "127.0.0.1:8443", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Let the directory lag behind itself as on an everyday tenant.
    #[arg(long)]
    lag: bool,
    /// Stand still at this time until moved by the control door, e.g. 2026-01-01T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    clock: Option<Timestamp>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let tenant = Tenant::start(Settings {
        folder: arguments.folder,
        address: arguments.listen,
        clock: arguments.clock.map_or_else(Clock::system, Clock::manual),
        lag: if arguments.lag { Lag::everyday() } else { Lag::default() },
    })
    .await?;
    say(&description(&tenant)?)?;
    tokio::signal::ctrl_c().await.context("cannot wait for an interrupt")?;
    Ok(())
}

fn description(tenant: &Tenant) -> Result<String> {
    let mut text = String::new();
    let folder = tenant.folder();
    writeln!(text, "The tenant is up. Press Ctrl-C to stop it.\n")?;
    for (name, value) in [
        ("tenant", tenant.id().to_owned()),
        ("issuer", tenant.issuer()),
        ("graph", tenant.graph_url()),
        ("control", format!("{}/sandbox", tenant.base_url())),
        ("host's identity", format!("{}/metadata/identity/oauth2/token", tenant.host_url())),
        ("authority", tenant.ca_file().display().to_string()),
        ("broker client id", people::BROKER.client_id.to_owned()),
        ("  certificate", folder.join(files::CREDENTIAL).display().to_string()),
        ("  key", folder.join(files::CREDENTIAL_KEY).display().to_string()),
        ("  secret", folder.join(files::SECRET).display().to_string()),
        ("broker TLS", folder.join(files::TLS).display().to_string()),
        ("  key", folder.join(files::TLS_KEY).display().to_string()),
        ("CLI client id", people::CLI.client_id.to_owned()),
        ("automation client id", people::AUTOMATION.client_id.to_owned()),
        ("  secret", people::AUTOMATION_SECRET.to_owned()),
    ] {
        writeln!(text, "  {name:<21} {value}")?;
    }
    writeln!(text)?;
    for person in people::EVERYBODY {
        writeln!(text, "  {:<21} {}  {}", person.name, person.id, person.display_name)?;
    }
    Ok(text)
}
