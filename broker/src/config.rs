//! The configuration: a file, what the environment overrides, and every fault at once.
//!
//! A key `key` of a table `[section]` is overridden by `ELEVATE_SECTION_KEY`. What is not known is a
//! fault, in either place: a misspelt limit must not silently be no limit.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use elevate_core::document::{Faults, Table};
use elevate_core::names::{ObjectId, TenantId};

mod address;
mod credential;
mod tickets;

pub use address::{HostUrl, HttpsUrl};
pub use credential::{Credential, HostIdentity, IdentitySource, Proof};

use credential::Surroundings;

/// A whole and valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where and how to serve.
    pub server: Server,
    /// Whose directory.
    pub tenant: Tenant,
    /// Whose tokens.
    pub identity: Identity,
    /// How to reach Graph.
    pub graph: Graph,
    /// Where the record is.
    pub store: StoreFolder,
    /// Which ticket systems are asked, in the order of their names.
    pub tickets: Vec<crate::tickets::System>,
    /// How much is answered.
    pub limits: Limits,
    /// What is logged.
    pub log: Log,
}

/// Where and how to serve.
#[derive(Debug, Clone)]
pub struct Server {
    /// The address of the gRPC service. TLS 1.3; there is no plaintext port.
    pub listen: SocketAddr,
    /// The address of `/livez`, `/readyz` and `/metrics`: loopback only.
    pub admin_listen: SocketAddr,
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Client certificates must chain to one of these, when given.
    pub client_ca: Option<PathBuf>,
    /// Whether the API describes itself over the wire.
    pub reflection: bool,
}

/// Whose directory.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The tenant.
    pub id: TenantId,
    /// Its issuer, exactly as it stands in tokens.
    pub issuer: HttpsUrl,
    /// The only roots to trust for the login service and Graph, when given; else the system's.
    pub ca: Option<PathBuf>,
}

/// Whose tokens.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The broker's own registration: the audience of access tokens.
    pub audience: ObjectId,
    /// The command line's registration: the audience of proofs.
    pub client_id: ObjectId,
    /// Further registrations that may call on behalf of people.
    pub further_clients: Vec<ObjectId>,
    /// Whether guests of the tenant may call. If not, access tokens must carry the optional claim `acct`.
    pub guests: bool,
    /// The scope a person's token must carry.
    pub required_scope: String,
    /// What clients ask for at the sign-in.
    pub sign_in_scope: String,
    /// Whether people may sign in by device code, for a session.
    pub device_code: bool,
    /// The claim that carries the tenant.
    pub tenant_claim: String,
    /// The claim that carries the object id.
    pub object_claim: String,
    /// The claim that carries the token's own id.
    pub token_id_claim: String,
    /// What the app roles are called in the tenant.
    pub policy_admin_role: String,
    /// Likewise.
    pub auditor_role: String,
    /// Likewise.
    pub revoker_role: String,
}

/// How to reach Graph.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The root, with the version: `https://graph.microsoft.com/v1.0`.
    pub url: HttpsUrl,
    /// The scope of the tokens for it.
    pub scope: String,
    /// Who the broker is there.
    pub credential: Credential,
}

/// Where the record is.
#[derive(Debug, Clone)]
pub struct StoreFolder {
    /// On a local disk.
    pub folder: PathBuf,
}

/// How much is answered.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls of one principal, a minute.
    pub calls_per_minute: NonZeroU32,
    /// Calls of everybody, a second.
    pub calls_per_second: NonZeroU32,
    /// Connections at one time.
    pub connections: usize,
    /// Calls at one time on one connection.
    pub calls_per_connection: u32,
}

/// What is logged.
#[derive(Debug, Clone)]
pub struct Log {
    /// `trace`, `debug`, `info`, `warn` or `error`; or a filter such as `info,elevate_broker::graph=debug`.
    pub filter: String,
    /// One JSON object a line, or text.
    pub json: bool,
}

const SECTIONS: [&str; 7] = ["server", "tenant", "identity", "graph", "store", "limits", "log"];

/// Variables of the command line, which may run beside the broker.
const NOT_OURS: [&str; 12] = [
    "ELEVATE_BROKER",
    "ELEVATE_CA",
    "ELEVATE_CERT",
    "ELEVATE_KEY",
    "ELEVATE_OUTPUT",
    "ELEVATE_TIMEOUT",
    "ELEVATE_CONFIG",
    "ELEVATE_CONFIG_DIR",
    "ELEVATE_TOKEN_STORE",
    "ELEVATE_ACCESS_TOKEN_FILE",
    "ELEVATE_NO_BROWSER",
    "ELEVATE_NO_COLOR",
];

impl Config {
    /// Reads a configuration's text, with the environment over it. Files are named relative to `folder`.
    ///
    /// # Errors
    /// Every fault at once, each with its line or the variable it came from.
    pub fn parse(
        text: &str,
        folder: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut document = Table::parse(text)?;
        let mut surroundings = Surroundings::default();
        for (name, value) in environment {
            surroundings.note(&name, &value);
            let Some(rest) = name.strip_prefix("ELEVATE_") else { continue };
            let lower = rest.to_ascii_lowercase();
            match lower.split_once('_') {
                Some((section, key)) if SECTIONS.contains(&section) => {
                    document.set(&[section, key], &value, &name)
                }
                _ if NOT_OURS.contains(&name.as_str()) => {}
                _ => faults.push(
                    &name,
                    "",
                    "is not a variable that is known here; they are named ELEVATE_SECTION_KEY",
                ),
            }
        }
        let reader = Reader { folder };
        let [server, tenant, identity, graph, store, limits, log] =
            SECTIONS.map(|section| document.table(section, &mut faults));
        let mut tickets = document.table("tickets", &mut faults);
        document.finish(&mut faults);
        let tenant = reader.tenant(tenant, &mut faults);
        let config = (|| {
            let server = reader.server(server, &mut faults);
            let identity = reader.identity(identity, &mut faults);
            let graph = reader.graph(graph, tenant.as_ref(), &surroundings, &mut faults);
            let store = reader.store(store, &mut faults);
            let limits = reader.limits(limits, &mut faults);
            let log = reader.log(log, &mut faults);
            let tickets = reader.tickets(&mut tickets, &mut faults);
            Some(Self {
                server: server?,
                tenant: tenant?,
                identity: identity?,
                graph: graph?,
                store: store?,
                tickets: tickets?,
                limits,
                log,
            })
        })();
        faults.or(config)
    }
}

struct Reader<'a> {
    folder: &'a Path,
}

impl Reader<'_> {
    fn server(&self, mut table: Table, faults: &mut Faults) -> Option<Server> {
        let listen = table.required("listen", faults);
        let admin_listen: Option<SocketAddr> = if table.has("admin_listen") {
            table.text("admin_listen", faults)
        } else {
            Some(SocketAddr::from(([127, 0, 0, 1], 9464)))
        };
        if admin_listen.is_some_and(|address| !address.ip().is_loopback()) {
            table.fault(faults, "admin_listen", "must be a loopback address: it answers without a token");
        }
        let certificate = self.file(&mut table, "certificate", true, faults);
        let key = self.file(&mut table, "key", true, faults);
        let client_ca = self.file(&mut table, "client_ca", false, faults);
        let reflection = table.truth("reflection", faults).unwrap_or(false);
        table.finish(faults);
        Some(Server {
            listen: listen?,
            admin_listen: admin_listen?,
            certificate: certificate?,
            key: key?,
            client_ca,
            reflection,
        })
    }

    fn tenant(&self, mut table: Table, faults: &mut Faults) -> Option<Tenant> {
        let id: Option<TenantId> = table.required("id", faults);
        let issuer = if table.has("issuer") {
            table.text("issuer", faults)
        } else {
            id.and_then(|id| format!("https://login.microsoftonline.com/{id}/v2.0").parse().ok())
        };
        let ca = self.file(&mut table, "ca", false, faults);
        table.finish(faults);
        Some(Tenant { id: id?, issuer: issuer?, ca })
    }

    fn identity(&self, mut table: Table, faults: &mut Faults) -> Option<Identity> {
        let audience: Option<ObjectId> = table.required("audience", faults);
        let client_id: Option<ObjectId> = table.required("client_id", faults);
        if audience.is_some() && audience == client_id {
            table.fault(
                faults,
                "client_id",
                "must be another registration than `audience`: a proof is no access token",
            );
        }
        let further_clients = table.texts("further_clients", faults).unwrap_or_default();
        let guests = table.truth("guests", faults).unwrap_or(true);
        let required_scope = word(&mut table, "required_scope", "access_as_user", faults);
        let sign_in_scope = if table.has("sign_in_scope") {
            table.text("sign_in_scope", faults)
        } else {
            audience
                .map(|audience| format!("api://{audience}/{required_scope} openid profile offline_access"))
        };
        let device_code = table.truth("device_code", faults).unwrap_or(false);
        let tenant_claim = word(&mut table, "tenant_claim", "tid", faults);
        let object_claim = word(&mut table, "object_claim", "oid", faults);
        let token_id_claim = word(&mut table, "token_id_claim", "uti", faults);
        let policy_admin_role = word(&mut table, "policy_admin_role", "Elevate.PolicyAdmin", faults);
        let auditor_role = word(&mut table, "auditor_role", "Elevate.Auditor", faults);
        let revoker_role = word(&mut table, "revoker_role", "Elevate.Revoker", faults);
        table.finish(faults);
        Some(Identity {
            audience: audience?,
            client_id: client_id?,
            further_clients,
            guests,
            required_scope,
            sign_in_scope: sign_in_scope?,
            device_code,
            tenant_claim,
            object_claim,
            token_id_claim,
            policy_admin_role,
            auditor_role,
            revoker_role,
        })
    }

    fn graph(
        &self,
        mut table: Table,
        tenant: Option<&Tenant>,
        surroundings: &Surroundings,
        faults: &mut Faults,
    ) -> Option<Graph> {
        let url: Option<HttpsUrl> = if table.has("url") {
            table.text("url", faults)
        } else {
            "https://graph.microsoft.com/v1.0".parse().ok()
        };
        let scope = if table.has("scope") {
            table.text("scope", faults)
        } else {
            url.as_ref()
                .and_then(|url| url::Url::parse(url.as_str()).ok())
                .map(|url| format!("{}/.default", url.origin().ascii_serialization()))
        };
        let credential = self.credential(&mut table, tenant, surroundings, faults);
        table.finish(faults);
        Some(Graph { url: url?, scope: scope?, credential: credential? })
    }

    fn store(&self, mut table: Table, faults: &mut Faults) -> Option<StoreFolder> {
        let folder = table.required::<String>("folder", faults).map(|name| self.folder.join(name));
        table.finish(faults);
        Some(StoreFolder { folder: folder? })
    }

    fn limits(&self, mut table: Table, faults: &mut Faults) -> Limits {
        let mut positive = |key, most: u32, usual: u32| {
            let number = table.whole(key, 1..=i64::from(most), faults).and_then(|n| u32::try_from(n).ok());
            NonZeroU32::new(number.unwrap_or(usual)).unwrap_or(NonZeroU32::MIN)
        };
        let limits = Limits {
            calls_per_minute: positive("calls_per_minute", 1_000_000, 300),
            calls_per_second: positive("calls_per_second", 1_000_000, 1000),
            connections: usize::try_from(positive("connections", 100_000, 1000).get()).unwrap_or(1000),
            calls_per_connection: positive("calls_per_connection", 1000, 64).get(),
        };
        table.finish(faults);
        limits
    }

    fn log(&self, mut table: Table, faults: &mut Faults) -> Log {
        let filter =
            table.text::<Filter>("filter", faults).map_or_else(|| "info".to_owned(), |filter| filter.0);
        let json = match table.text::<String>("format", faults).as_deref() {
            None | Some("json") => true,
            Some("text") => false,
            Some(_) => {
                table.fault(faults, "format", "must be `json` or `text`");
                true
            }
        };
        table.finish(faults);
        Log { filter, json }
    }

    fn file(&self, table: &mut Table, key: &str, needed: bool, faults: &mut Faults) -> Option<PathBuf> {
        let name: Option<String> = if needed { table.required(key, faults) } else { table.text(key, faults) };
        Some(self.folder.join(name?))
    }
}

struct Filter(String);

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match tracing_subscriber::EnvFilter::try_new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(format!("`{text}` is no log filter ({error})")),
        }
    }
}

fn word(table: &mut Table, key: &str, usual: &str, faults: &mut Faults) -> String {
    let given: Option<String> = table.text(key, faults);
    if given.as_deref().is_some_and(|word| word.is_empty() || word.contains(char::is_whitespace)) {
        table.fault(faults, key, "must be one word");
    }
    given.unwrap_or_else(|| usual.to_owned())
}

#[cfg(test)]
mod tests;
