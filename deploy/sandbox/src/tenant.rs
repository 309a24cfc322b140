//! The tenant as a test or the command line holds it: started, looked at, stopped and started again.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use anyhow::{Context, Result, ensure};
use rustls::ServerConfig;

use crate::{
    Behaviour, Calls, Clock, Directory, Faults, Lag, Mint, Strength, Tickets,
    files::Files,
    keys::Keys,
    oidc::{self, FederatedCredential, Federation, SignIns},
    people,
    serve::{self, Serving},
    world::World,
};

/// How a tenant is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where its certificates and the broker's credentials lie; made if it is not there.
    pub folder: PathBuf,
    /// Where it listens. Loopback only; port 0 takes any free one.
    pub address: SocketAddr,
    /// Its time.
    pub clock: Clock,
    /// How far its directory lags behind itself.
    pub lag: Lag,
}

impl Settings {
    /// Any free port, the machine's time, no lag.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock: Clock::system(),
            lag: Lag::default(),
        }
    }
}

/// A running tenant. Dropping it stops serving.
#[derive(Debug)]
pub struct Tenant {
    world: Arc<World>,
    address: SocketAddr,
    tls: Arc<ServerConfig>,
    tokens: Mint,
    _host: Serving,
    serving: tokio::sync::Mutex<Option<Serving>>,
}

impl Tenant {
    /// Opens the folder, takes the port and serves.
    pub async fn start(settings: Settings) -> Result<Self> {
        let Settings { folder, address, clock, lag } = settings;
        ensure!(
            address.ip().is_loopback(),
            "{address} is not a loopback address; the sandbox trusts everybody who reaches it"
        );
        // Whoever comes first wins, and it is the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let files = Files::open(&folder)?;
        let (certificate, key) = files.server()?;
        let tls = serve::tls(certificate, key)?;
        let listener = serve::listen(address).await?;
        let address = listener.local_addr().context("cannot tell the port")?;
        let behaviour = Arc::new(Mutex::new(Behaviour::default()));
        let host = serve::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let base_url = format!("https://localhost:{}", address.port());
        let world = Arc::new(World {
            federation: Federation::new(&base_url)?,
            base_url,
            host_url: format!("http://{}", host.local_addr().context("cannot tell the port")?),
            directory: Directory::new(clock.clone(), lag, Arc::clone(&behaviour)),
            clock,
            files,
            keys: Keys::fresh()?,
            sign_ins: SignIns::default(),
            tickets: Tickets::default(),
            faults: Faults::default(),
            calls: Calls::default(),
            behaviour,
        });
        let serving = Serving::start(listener, Arc::clone(&tls), Arc::clone(&world));
        let host = Serving::host(host, Arc::clone(&world));
        let tokens = Mint::new(Arc::clone(&world));
        Ok(Self { tokens, world, address, tls, _host: host, serving: Some(serving).into() })
    }

    /// `https://localhost:PORT`, where both the login service and Graph are.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.world.base_url
    }

    /// The tenant's id.
    #[must_use]
    pub fn id(&self) -> &str {
        people::TENANT
    }

    /// The issuer of its tokens.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.world.issuer()
    }

    /// The root of its Graph.
    #[must_use]
    pub fn graph_url(&self) -> String {
        format!("{}/v1.0", self.world.base_url)
    }

    /// The folder it was started with; the names of the files in it are in [`crate::files`].
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.world.files.folder()
    }

    /// The certificate of its authority, as a file.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.world.files.ca_file
    }

    /// The certificate of its authority.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.world.files.ca_pem.clone()
    }

    /// `http://127.0.0.1:PORT`, where the host of the tenant says who it is: as a machine's metadata service under
    /// `/metadata/identity/oauth2/token`, as a platform under `/msi/token` for whoever has [`crate::host::HEADER`].
    #[must_use]
    pub fn host_url(&self) -> &str {
        &self.world.host_url
    }

    /// The federated credentials of the broker's application.
    #[must_use]
    pub fn federated_credentials(&self) -> Vec<FederatedCredential> {
        self.world.federation.registered()
    }

    /// Has these and no others from now on.
    pub fn register_federated(&self, credentials: Vec<FederatedCredential>) {
        self.world.federation.register(credentials);
    }

    /// The codes of devices that somebody waits for.
    #[must_use]
    pub fn device_codes(&self) -> Vec<String> {
        oidc::waiting(&self.world)
    }

    /// Somebody enters a device's code and signs in; `false` if nobody waits for it.
    #[must_use]
    pub fn enter_code(&self, code: &str, person: &people::Person, strength: Strength) -> bool {
        oidc::enter(&self.world, code, person.id, strength)
    }

    /// Somebody enters a device's code and declines; `false` if nobody waits for it.
    #[must_use]
    pub fn decline_code(&self, code: &str) -> bool {
        oidc::decline(&self.world, code)
    }

    /// The secret of the broker's application.
    #[must_use]
    pub fn broker_secret(&self) -> &str {
        &self.world.files.secret
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.world.clock
    }

    /// The directory itself, past every lag.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.world.directory
    }

    /// The ticket system beside it.
    #[must_use]
    pub fn tickets(&self) -> &Tickets {
        &self.world.tickets
    }

    /// The script of what goes wrong.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// Tokens without a sign-in.
    #[must_use]
    pub fn tokens(&self) -> &Mint {
        &self.tokens
    }

    /// What it was asked so far.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.world.calls
    }

    /// How it is set up.
    #[must_use]
    pub fn behaviour(&self) -> Behaviour {
        self.world.behaviour()
    }

    /// Changes how it is set up.
    pub fn change_behaviour(&self, change: impl FnOnce(&mut Behaviour)) {
        let mut behaviour = self.world.behaviour();
        change(&mut behaviour);
        self.world.set_behaviour(behaviour);
    }

    /// Signs with a new key from now on, and gives its `kid`. The old key stays published.
    pub fn rotate_keys(&self) -> Result<String> {
        self.world.keys.rotate()
    }

    /// Publishes a key no more; `false` if it was not published.
    #[must_use]
    pub fn withdraw_key(&self, kid: &str) -> bool {
        self.world.keys.withdraw(kid)
    }

    /// Closes the socket and every connection, and keeps everything else: an outage.
    pub async fn stop(&self) {
        if let Some(serving) = self.serving.lock().await.take() {
            serving.stop().await;
        }
    }

    /// Serves again after [`Tenant::stop`], on the same port.
    pub async fn restart(&self) -> Result<()> {
        self.stop().await;
        let listener = serve::listen(self.address).await?;
        let serving = Serving::start(listener, Arc::clone(&self.tls), Arc::clone(&self.world));
        *self.serving.lock().await = Some(serving);
        Ok(())
    }
}
