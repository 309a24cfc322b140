//! `[graph]`: who the broker is for Graph. Exactly one way to show it; several would hide which one counts.

use std::path::PathBuf;
use std::str::FromStr;

use elevate_core::document::{Faults, Table};
use elevate_core::names::ObjectId;
use secrecy::SecretString;

use super::{HostUrl, HttpsUrl, Reader, Tenant};

/// Who the broker is for Graph.
#[derive(Debug, Clone)]
pub enum Credential {
    /// An application registration.
    Application {
        /// Its application id.
        client_id: ObjectId,
        /// Where it gets its tokens.
        token_url: HttpsUrl,
        /// How it shows that it is this one.
        proof: Proof,
    },
    /// An identity of the host's.
    ManagedIdentity(HostIdentity),
}

/// How an application shows that it is one. Always files: a secret in the environment or the arguments is
/// seen by others.
#[derive(Debug, Clone)]
pub enum Proof {
    /// A certificate and its key, PEM.
    Certificate {
        /// The certificate.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// A file that holds a token of another issuer, whom the application trusts. Read at every use.
    Federated {
        /// The file.
        file: PathBuf,
    },
    /// A file that holds a client secret.
    Secret {
        /// The file.
        file: PathBuf,
    },
}

/// A managed identity.
#[derive(Debug, Clone)]
pub struct HostIdentity {
    /// The client id of one that is assigned by it; none for the host's own.
    pub user_assigned: Option<ObjectId>,
    /// Its application id, where somebody wrote it down: only for `elevated doctor`.
    pub client_id: Option<ObjectId>,
    /// Where the host gives out its tokens.
    pub source: IdentitySource,
}

/// Where a host gives out tokens.
#[derive(Debug, Clone)]
pub enum IdentitySource {
    /// The metadata service of a machine.
    Machine(HostUrl),
    /// The platform of App Service, Functions and Container Apps, as the process's environment says.
    Platform {
        /// `IDENTITY_ENDPOINT`.
        endpoint: HostUrl,
        /// `IDENTITY_HEADER`: to be sent back.
        header: SecretString,
    },
}

/// What the platform told the process, of use only where a managed identity is asked for.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    endpoint: Option<String>,
    header: Option<SecretString>,
    is_service_fabric: bool,
}

impl Surroundings {
    /// Notes a variable of the environment.
    pub(super) fn note(&mut self, name: &str, value: &str) {
        match name {
            "IDENTITY_ENDPOINT" if !value.is_empty() => self.endpoint = Some(value.to_owned()),
            "IDENTITY_HEADER" if !value.is_empty() => self.header = Some(SecretString::from(value)),
            "IDENTITY_SERVER_THUMBPRINT" => self.is_service_fabric = true,
            _ => {}
        }
    }

    fn source(&self, faults: &mut Faults) -> Option<IdentitySource> {
        let variable = "IDENTITY_ENDPOINT";
        match (&self.endpoint, &self.header) {
            (Some(_), Some(_)) if self.is_service_fabric => {
                faults.push(variable, "", "is Service Fabric's, whose managed identities are not supported");
                None
            }
            (Some(endpoint), Some(header)) => match endpoint.parse() {
                Ok(endpoint) => Some(IdentitySource::Platform { endpoint, header: header.clone() }),
                Err(why) => {
                    faults.push(variable, "", why);
                    None
                }
            },
            (Some(_), None) => {
                let why = "is there without IDENTITY_HEADER, as with Azure Arc, whose managed identities are not supported";
                faults.push(variable, "", why);
                None
            }
            (None, _) => HostUrl::METADATA.parse().ok().map(IdentitySource::Machine),
        }
    }
}

/// `system`, or a client id.
struct Which(Option<ObjectId>);

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "system" {
            return Ok(Self(None));
        }
        text.parse().map(|id| Self(Some(id))).map_err(|_| {
            format!("`{text}` is neither `system` nor the client id of a user-assigned managed identity")
        })
    }
}

impl Reader<'_> {
    pub(super) fn credential(
        &self,
        table: &mut Table,
        tenant: Option<&Tenant>,
        surroundings: &Surroundings,
        faults: &mut Faults,
    ) -> Option<Credential> {
        let certificate = self.file(table, "certificate", false, faults);
        let key = self.file(table, "key", false, faults);
        let federated = self.file(table, "federated_token_file", false, faults);
        let secret = self.file(table, "secret_file", false, faults);
        let is_host = table.has("managed_identity");
        let proof = match (certificate, key, federated, is_host, secret) {
            (Some(certificate), Some(key), None, false, None) => {
                Some(Proof::Certificate { certificate, key })
            }
            (None, None, Some(file), false, None) => Some(Proof::Federated { file }),
            (None, None, None, false, Some(file)) => Some(Proof::Secret { file }),
            (None, None, None, true, None) => None,
            _ => {
                let problem = "needs exactly one credential: `certificate` with `key`, `federated_token_file`, \
                               `managed_identity`, or (last) `secret_file`";
                table.fault(faults, "", problem);
                None
            }
        };
        if is_host {
            return host_identity(table, surroundings, faults).map(Credential::ManagedIdentity);
        }
        if table.has("managed_identity_url") {
            table.fault(faults, "managed_identity_url", "is of use with `managed_identity` only");
            let _: Option<HostUrl> = table.text("managed_identity_url", faults);
        }
        let client_id = table.required("client_id", faults);
        let token_url = token_url(table, tenant, faults);
        Some(Credential::Application { client_id: client_id?, token_url: token_url?, proof: proof? })
    }
}

fn token_url(table: &mut Table, tenant: Option<&Tenant>, faults: &mut Faults) -> Option<HttpsUrl> {
    if table.has("token_url") {
        return table.text("token_url", faults);
    }
    let authority = tenant?.issuer.as_str().strip_suffix("/v2.0");
    if authority.is_none() {
        table.fault(faults, "token_url", "is missing: it cannot be told from an issuer that is not Entra's");
    }
    format!("{}/oauth2/v2.0/token", authority?).parse().ok()
}

fn host_identity(
    table: &mut Table,
    surroundings: &Surroundings,
    faults: &mut Faults,
) -> Option<HostIdentity> {
    let which: Option<Which> = table.text("managed_identity", faults);
    let client_id: Option<ObjectId> = table.text("client_id", faults);
    let user_assigned = which.as_ref().and_then(|which| which.0);
    if client_id.is_some() && user_assigned.is_some() && client_id != user_assigned {
        let problem = "is another one than `managed_identity` names; leave it out";
        table.fault(faults, "client_id", problem);
    }
    if table.has("token_url") {
        table.fault(faults, "token_url", "is of no use with `managed_identity`: the host gives the tokens");
        let _: Option<HttpsUrl> = table.text("token_url", faults);
    }
    let source = if table.has("managed_identity_url") {
        let url: Option<HostUrl> = table.text("managed_identity_url", faults);
        if url.as_ref().is_some_and(|url| !url.is_loopback()) {
            table.fault(faults, "managed_identity_url", "must be a loopback address");
        }
        url.map(IdentitySource::Machine)
    } else {
        surroundings.source(faults)
    };
    Some(HostIdentity { user_assigned: which?.0, client_id, source: source? })
}
