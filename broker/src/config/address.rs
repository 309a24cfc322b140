//! Addresses that a configuration may name.

use std::str::FromStr;

use url::{Host, Url};

/// An address that begins with `https://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsUrl(String);

impl HttpsUrl {
    /// Without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HttpsUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an address that begins with https:// and names a host");
        let url = Url::parse(text).map_err(|_| wrong())?;
        // A parser forgives white space and backslashes; whoever compares this with a token does not.
        let as_written =
            text.starts_with("https://") && !text.contains(|c: char| c.is_whitespace() || c == '\\');
        let bare = url.query().is_none() && url.fragment().is_none();
        let unsigned = url.username().is_empty() && url.password().is_none();
        if url.host_str().is_none() || !as_written || !bare || !unsigned {
            return Err(wrong());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// An address that begins with `http://` and is this very host's: loopback, or link-local as the metadata
/// services of clouds are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostUrl(Url);

impl HostUrl {
    /// Where a machine of Azure's has its metadata service.
    pub(super) const METADATA: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

    /// The address.
    pub const fn url(&self) -> &Url {
        &self.0
    }

    /// Whether no packet leaves this host for it.
    pub(super) fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }
}

impl FromStr for HostUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an address of this host that begins with http://");
        let url = Url::parse(text).map(Self).map_err(|_| wrong())?;
        let is_near = matches!(url.0.host(), Some(Host::Ipv4(ip)) if ip.is_link_local());
        let is_bare = url.0.query().is_none() && url.0.fragment().is_none();
        let is_unsigned = url.0.username().is_empty() && url.0.password().is_none();
        let is_http = text.starts_with("http://") && !text.contains(char::is_whitespace);
        if is_http && is_bare && is_unsigned && (is_near || url.is_loopback()) {
            Ok(url)
        } else {
            Err(wrong())
        }
    }
}
