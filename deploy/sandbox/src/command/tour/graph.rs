//! The directory as anybody sees it who asks Graph.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use elevate_sandbox::people::{self, Person, Role};
use elevate_sandbox::{Mint, Tenant};
use serde_json::Value;

/// How long an answer may be ahead of Graph's listings.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// The whole tenant, as a scope.
pub(super) const TENANT_WIDE: &str = "/";

/// Asks Graph as the broker's application, and by no way that the broker goes.
pub(super) struct Graph {
    http: reqwest::Client,
    url: String,
    tokens: Mint,
}

impl Graph {
    pub(super) fn of(tenant: &Tenant) -> Result<Self> {
        let roots = reqwest::Certificate::from_pem_bundle(tenant.ca_pem().as_bytes())?;
        let http = reqwest::Client::builder().tls_certs_only(roots).no_proxy().build()?;
        Ok(Self { http, url: tenant.graph_url(), tokens: tenant.tokens().clone() })
    }

    /// The roles that this person holds directly, as `Groups Administrator at /`.
    pub(super) async fn held_by(&self, person: &Person) -> Result<Vec<String>> {
        let filter = format!("principalId eq '{}'", person.id);
        let found = self.get("roleManagement/directory/roleAssignments", &[("$filter", &filter)]).await?;
        found.iter().map(held).collect()
    }

    /// Whether the person comes to hold the role there, within the time that listings lag.
    pub(super) async fn comes_to_show(
        &self,
        person: &Person,
        role: &Role,
        scope: &str,
    ) -> Result<Vec<String>> {
        let wanted = format!("{} at {scope}", role.name);
        let (now, _) = self.awaited(person, SHOWN_WITHIN, |held| held.contains(&wanted)).await?;
        ensure!(now.contains(&wanted), "Graph does not show {wanted} for {}", person.display_name);
        Ok(now)
    }

    /// Waits until the person holds the role nowhere, and says how long that took.
    pub(super) async fn gone_within(
        &self,
        person: &Person,
        role: &Role,
        patience: Duration,
    ) -> Result<Duration> {
        let of_role = format!("{} at ", role.name);
        let gone = |held: &[String]| !held.iter().any(|each| each.starts_with(&of_role));
        let (now, waited) = self.awaited(person, patience, gone).await?;
        ensure!(gone(&now), "Graph still shows {} after {} s", role.name, patience.as_secs());
        Ok(waited)
    }

    async fn awaited(
        &self,
        person: &Person,
        patience: Duration,
        wanted: impl Fn(&[String]) -> bool,
    ) -> Result<(Vec<String>, Duration)> {
        let asked = Instant::now();
        loop {
            let now = self.held_by(person).await?;
            if wanted(&now) || asked.elapsed() > patience {
                return Ok((now, asked.elapsed()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>> {
        // A new one each time: the last may be over when time was moved on.
        let token = self.tokens.graph(&people::BROKER).context("no token for Graph")?;
        let call = self.http.get(format!("{}/{path}", self.url)).query(query).bearer_auth(token);
        let answer: Value = call.send().await?.error_for_status()?.json().await?;
        answer.get("value").and_then(Value::as_array).cloned().context("Graph gave no list")
    }
}

fn held(assignment: &Value) -> Result<String> {
    let text = |key: &str| assignment.get(key).and_then(Value::as_str).context("an odd assignment");
    let id = text("roleDefinitionId")?;
    let role = people::ROLES.iter().find(|role| role.id == id).map_or(id, |role| role.name);
    Ok(format!("{role} at {}", text("directoryScopeId")?))
}
