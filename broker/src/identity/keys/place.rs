//! Where an issuer publishes its keys, and where it may not.

use url::Url;

use super::super::json::Object;
use super::super::settings::{Settings, SettingsFault};
use super::KeyFault;

/// One issuer, its discovery document, and where its keys may be.
#[derive(Debug)]
pub(in crate::identity) struct Place {
    issuer: String,
    tenant: String,
    pub(super) discovery: Url,
    keys_host: Option<String>,
}

impl Place {
    pub(in crate::identity) fn new(settings: &Settings) -> Result<Self, SettingsFault> {
        let refused = || SettingsFault::Issuer(settings.issuer.chars().take(200).collect());
        let issuer = Url::parse(&settings.issuer).map_err(|_| refused())?;
        let plain = issuer.query().is_none() && issuer.fragment().is_none() && issuer.username().is_empty();
        if !is_https(&issuer) || !plain {
            return Err(refused());
        }
        // OpenID Connect Discovery section 4: a closing slash is dropped before the path is added.
        let base = settings.issuer.trim_end_matches('/');
        let discovery =
            Url::parse(&format!("{base}/.well-known/openid-configuration")).map_err(|_| refused())?;
        Ok(Self {
            issuer: settings.issuer.clone(),
            tenant: settings.tenant.to_string(),
            discovery,
            keys_host: settings.keys_host.clone(),
        })
    }

    /// Whether a key that names its issuer names ours. Entra writes `{tenantid}` where a key is for
    /// every tenant ("Access tokens in the Microsoft identity platform", validating the issuer).
    pub(super) fn is_issuer(&self, named: &str) -> bool {
        named.replace("{tenantid}", &self.tenant) == self.issuer
    }

    /// Where the discovery document says the keys are, if it is ours and they are where they may be.
    pub(super) fn keys_address(&self, document: &[u8]) -> Result<Url, KeyFault> {
        let document = Object::read(document)
            .ok_or_else(|| KeyFault::new("the discovery document is not a JSON object"))?;
        let text = |name| {
            document.text(name).map_err(|fault| KeyFault::new(format!("the discovery document {fault}")))
        };
        if text("issuer")? != self.issuer {
            return Err(KeyFault::new(format!(
                "the discovery document is of another issuer than `{}`; set the issuer exactly as it has it",
                self.issuer
            )));
        }
        let address = Url::parse(text("jwks_uri")?)
            .map_err(|_| KeyFault::new("the discovery document has a `jwks_uri` that is no address"))?;
        let same_place = address.host() == self.discovery.host()
            && address.port_or_known_default() == self.discovery.port_or_known_default();
        let named = self.keys_host.as_deref().is_some_and(|host| address.host_str() == Some(host));
        if !is_https(&address) || !(same_place || named) {
            return Err(KeyFault::new(
                "the discovery document has a `jwks_uri` that is not https, or on a host that is neither \
                 the issuer's nor the one configured for keys",
            ));
        }
        Ok(address)
    }
}

fn is_https(address: &Url) -> bool {
    address.scheme() == "https" && address.has_host() && address.password().is_none()
}
