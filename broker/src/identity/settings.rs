//! What the operator says about the tenant and its registrations.

use std::collections::BTreeMap;
use std::sync::Arc;

use elevate_core::names::TenantId;

use crate::ports::Clock;
use crate::ports::verifier::AppRole;

/// Whose tokens count, and for whom they are.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The `iss` of every token, exactly; discovery is at `{issuer}/.well-known/openid-configuration`.
    pub issuer: String,
    /// Another host that the signing keys may be on; without one they must be on the issuer's.
    pub keys_host: Option<String>,
    /// The tenant that every token must be of.
    pub tenant: TenantId,
    /// The `aud` of access tokens: the client id of the broker's own registration.
    pub audience: String,
    /// The `aud` of proofs: the client id of the command line's registration.
    pub proof_client: String,
    /// The clients (`azp`) by which people may call.
    pub clients: Vec<String>,
    /// The scope that a person's access token must hold.
    pub scope: String,
    /// What the claims are called.
    pub claims: ClaimNames,
    /// The app roles that mean something here, by the `value` they have in the registration.
    pub roles: BTreeMap<String, AppRole>,
    /// Whether guests of the tenant may call. If not, access tokens must carry the optional claim `acct`.
    pub guests: bool,
    /// How the tenant is reached. It must not follow redirects, and bounds its own time.
    pub http: reqwest::Client,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Settings {
    /// The usual settings for a tenant in Entra's public cloud.
    pub fn entra(
        tenant: TenantId,
        audience: String,
        proof_client: String,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            issuer: format!("https://login.microsoftonline.com/{tenant}/v2.0"),
            keys_host: None,
            tenant,
            audience,
            clients: vec![proof_client.clone()],
            proof_client,
            scope: "access_as_user".to_owned(),
            claims: ClaimNames::default(),
            roles: BTreeMap::from([
                ("Elevate.PolicyAdmin".to_owned(), AppRole::PolicyAdmin),
                ("Elevate.Auditor".to_owned(), AppRole::Auditor),
                ("Elevate.Revoker".to_owned(), AppRole::Revoker),
            ]),
            guests: true,
            http,
            clock,
        }
    }

    /// An empty name would equal an empty claim, or ask for a claim that cannot be.
    pub(super) fn check(&self) -> Result<(), SettingsFault> {
        let ClaimNames { tenant, object, token_id, roles } = &self.claims;
        for (name, value) in [
            ("audience", &self.audience),
            ("proof client", &self.proof_client),
            ("scope", &self.scope),
            ("tenant claim", tenant),
            ("object claim", object),
            ("token id claim", token_id),
            ("roles claim", roles),
        ] {
            if value.trim().is_empty() {
                return Err(SettingsFault::Empty(name));
            }
        }
        match self.clients.iter().any(|client| client.trim().is_empty()) || self.clients.is_empty() {
            true => Err(SettingsFault::Empty("calling client")),
            false => Ok(()),
        }
    }
}

/// What the claims are called: as Entra has them, unless another provider calls them otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The tenant: a GUID.
    pub tenant: String,
    /// The person or program within the tenant: a GUID, the same in every token.
    pub object: String,
    /// The token's own id.
    pub token_id: String,
    /// The app roles.
    pub roles: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            tenant: "tid".to_owned(),
            object: "oid".to_owned(),
            token_id: "uti".to_owned(),
            roles: "roles".to_owned(),
        }
    }
}

/// Why the settings cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsFault {
    /// The issuer cannot be asked for its keys.
    #[error(
        "issuer `{0}` is not an https address without a query, such as https://login.microsoftonline.com/{{tenant id}}/v2.0"
    )]
    Issuer(String),
    /// Something must be named and is not.
    #[error("the {0} is empty; name it")]
    Empty(&'static str),
    /// The system gave no random bytes to seal challenges with.
    #[error("the system gives no random bytes; challenges cannot be sealed")]
    NoRandomness,
}
