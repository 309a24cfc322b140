//! A managed identity: the host says who the broker is, and no secret is kept anywhere.
//!
//! Azure's machines ask their metadata service (IMDS); App Service, Functions and Container Apps have an
//! endpoint of the platform's, which wants a header back that only the process was told. Both speak plain
//! HTTP, on the host itself; no proxy must come between
//! (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>,
//! <https://learn.microsoft.com/azure/container-apps/managed-identity#rest-endpoint-reference>).

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};
use uuid::Uuid;

use crate::graph::SettingsError;
use crate::graph::call::Fault;

/// How long to stay away after the first failure, the second and so on, as the page above has it.
const PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_secs(2),
    Duration::from_secs(6),
    Duration::from_secs(14),
    Duration::from_secs(30),
];
/// How long to stay away while the service is being updated, which takes seventy seconds at most.
const WHILE_UPDATED: Duration = Duration::from_secs(10);

/// Who the broker is on this host.
#[derive(Debug)]
pub struct ManagedIdentity {
    source: Source,
    user_assigned: Option<Uuid>,
    http: reqwest::Client,
}

/// Where the host says it.
#[derive(Debug, Clone)]
pub enum Source {
    /// A machine's metadata service, `http://169.254.169.254/metadata/identity/oauth2/token`.
    Machine(Url),
    /// The platform of App Service, Functions and Container Apps.
    Platform {
        /// `IDENTITY_ENDPOINT`.
        endpoint: Url,
        /// `IDENTITY_HEADER`.
        header: SecretString,
    },
}

impl ManagedIdentity {
    /// The host's own identity, or with `user_assigned` the one of this client id. `http` must know no
    /// proxy and follow no redirects.
    ///
    /// # Errors
    /// The address is not one of this host's.
    pub fn new(
        source: Source,
        user_assigned: Option<Uuid>,
        http: reqwest::Client,
    ) -> Result<Self, SettingsError> {
        let (Source::Machine(address) | Source::Platform { endpoint: address, .. }) = &source;
        let is_here = match address.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_link_local(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if address.scheme() != "http" || !is_here {
            return Err(SettingsError::not_here(address));
        }
        Ok(Self { source, user_assigned, http })
    }

    /// The client id of the identity, where it is one that was assigned by its id.
    pub(crate) const fn user_assigned(&self) -> Option<Uuid> {
        self.user_assigned
    }

    /// Which it is, for people.
    pub(crate) fn described(&self) -> String {
        let which = match self.user_assigned {
            None => "system-assigned".to_owned(),
            Some(id) => format!("user-assigned, client id {id}"),
        };
        match &self.source {
            Source::Machine(_) => format!("the managed identity of this machine ({which})"),
            Source::Platform { .. } => format!("the managed identity of this app ({which})"),
        }
    }

    /// The question for a token for `resource`.
    pub(super) fn question(&self, resource: &str) -> reqwest::RequestBuilder {
        let (mut address, version) = match &self.source {
            Source::Machine(address) => (address.clone(), "2018-02-01"),
            Source::Platform { endpoint, .. } => (endpoint.clone(), "2019-08-01"),
        };
        address.query_pairs_mut().append_pair("api-version", version).append_pair("resource", resource);
        if let Some(id) = self.user_assigned {
            address.query_pairs_mut().append_pair("client_id", &id.to_string());
        }
        let request = self.http.get(address);
        match &self.source {
            Source::Machine(_) => request.header("Metadata", "true"),
            Source::Platform { header, .. } => request.header("X-IDENTITY-HEADER", header.expose_secret()),
        }
    }
}

/// What an answer means that holds no token, and how long to stay away.
pub(super) fn refused(status: u16, code: &str, after: Option<Duration>, failures: usize) -> Fault {
    let step = PAUSES.get(failures).or(PAUSES.last()).copied().unwrap_or_default();
    let (why, pause) = match status {
        404 => (
            "this host has no identity, or not yet; assign one to it, and it is asked again by itself",
            Some(step),
        ),
        410 => (
            "it is being updated, which takes up to 70 seconds; it is asked again by itself",
            Some(WHILE_UPDATED),
        ),
        429 | 500..600 => ("it cannot answer now; it is asked again by itself", Some(step)),
        400 => (
            "no such identity is assigned to this host; assign it, or correct `graph.managed_identity` (a host with \
             several user-assigned identities and none of its own needs the client id there)",
            None,
        ),
        _ => ("is `graph.managed_identity` meant for this host? `elevated doctor` tries it", None),
    };
    let reason =
        format!("the host's identity endpoint gave the broker no token ({code}, status {status}): {why}");
    Fault::Unclear { reason, after: pause.max(after) }
}

/// Nobody answered.
pub(super) fn unheard(reason: &str, failures: usize) -> Fault {
    let pause = PAUSES.get(failures).or(PAUSES.last()).copied();
    let reason = format!(
        "the host's identity endpoint: {reason}; is this a host of Azure's with a managed identity? It is asked \
         again by itself"
    );
    Fault::Unclear { reason, after: pause }
}
