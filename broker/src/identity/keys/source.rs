//! How the tenant's documents come in: one bounded read over TLS.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use url::Url;

use super::KeyFault;
use crate::ports::Clock;

/// The longest wait for one document.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest document. Entra's key sets have some 15 KiB.
pub(in crate::identity) const BODY_MAX: usize = 256 * 1024;

/// Where documents are read from. Tests bring their own; the world outside is the web.
#[async_trait]
pub(in crate::identity) trait Source: Send + Sync + std::fmt::Debug {
    async fn read(&self, address: &Url) -> Result<Vec<u8>, KeyFault>;
}

/// The tenant itself.
#[derive(Debug)]
pub(in crate::identity) struct Web {
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
}

impl Web {
    pub(in crate::identity) const fn new(client: reqwest::Client, clock: Arc<dyn Clock>) -> Self {
        Self { client, clock }
    }
}

#[async_trait]
impl Source for Web {
    async fn read(&self, address: &Url) -> Result<Vec<u8>, KeyFault> {
        let refused = |why: String| KeyFault::new(format!("`{address}` {why}"));
        let failed =
            |error: reqwest::Error| refused(format!("cannot be read ({})", causes(&error.without_url())));
        let asked = self.clock.mark();
        let request = self.client.get(address.clone()).timeout(READ_TIMEOUT);
        let mut response = request.send().await.map_err(failed)?;
        // The client is told not to follow redirects; what came from elsewhere is not believed anyway.
        if response.url() != address {
            return Err(refused("led elsewhere".to_owned()));
        }
        if response.status() != reqwest::StatusCode::OK {
            return Err(refused(format!("answered {}", response.status().as_u16())));
        }
        if let Some(said) = date(response.headers()) {
            self.clock.heard(said, asked);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len().saturating_add(chunk.len()) > BODY_MAX {
                return Err(refused("is larger than 256 KiB".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// When the tenant says it answered: RFC 9110, section 6.6.1.
fn date(headers: &http::HeaderMap) -> Option<Timestamp> {
    let text = headers.get(http::header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

/// What went wrong and why: the library's own first line never says.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
