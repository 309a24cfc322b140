//! A browser without a screen: opens a sign-in address as somebody, and goes where it is sent.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Certificate, Client, StatusCode, header::LOCATION, redirect::Policy};
use url::Url;

use crate::Strength;

/// The tenant answers at once, and a listener on loopback too; whoever takes longer is not there.
const PATIENCE: Duration = Duration::from_secs(30);

/// Signs `person` in at the address that a client gave out, and follows the redirect to the client's listener.
/// Gives the redirect that was followed.
pub async fn sign_in(url: &str, person: &str, strength: Strength, ca: &Path) -> Result<Url> {
    let landing = redirect(url, person, strength, ca).await?;
    // The listener speaks plain HTTP on loopback, as the redirect says.
    let answer = Client::builder()
        .redirect(Policy::none())
        .timeout(PATIENCE)
        .no_proxy()
        .build()?
        .get(landing.clone())
        .send()
        .await
        // The address holds the code, which belongs in no message.
        .map_err(reqwest::Error::without_url)
        .with_context(|| format!("nobody listens at `{}`", landing.origin().ascii_serialization()))?;
    ensure!(
        !answer.status().is_client_error() && !answer.status().is_server_error(),
        "the listener answered {}",
        answer.status()
    );
    Ok(landing)
}

/// Signs `person` in and gives the redirect without following it, to be pasted where it is asked for.
pub async fn redirect(url: &str, person: &str, strength: Strength, ca: &Path) -> Result<Url> {
    // Whoever comes first wins, and it is the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let pem = tokio::fs::read(ca).await.with_context(|| format!("cannot read `{}`", ca.display()))?;
    let client = Client::builder()
        .tls_certs_only(Certificate::from_pem_bundle(&pem)?)
        .redirect(Policy::none())
        .timeout(PATIENCE)
        .no_proxy()
        .build()?;
    let answer = client
        .get(scripted(url, person, strength)?)
        .send()
        .await
        .context("cannot reach the sign-in page; is the tenant running, and is this its CA?")?;
    if answer.status() == StatusCode::FOUND {
        let location = answer.headers().get(LOCATION).context("a redirect to nowhere")?;
        return landing(Url::parse(location.to_str()?)?);
    }
    let page = answer.text().await?;
    match page.split_once("AADSTS").and_then(|(_, rest)| rest.split_once('<')) {
        Some((error, _)) => bail!("the sign-in page says: AADSTS{error}"),
        None => bail!("`{person}` is nobody that the tenant knows"),
    }
}

/// The address with the choices in it that a person would make on the page.
fn scripted(url: &str, person: &str, strength: Strength) -> Result<Url> {
    let mut url = Url::parse(url).with_context(|| format!("`{url}` is no address"))?;
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "login_hint" && name != "sandbox_strength")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(others)
        .append_pair("login_hint", person)
        .append_pair("sandbox_strength", strength.word());
    Ok(url)
}

fn landing(url: Url) -> Result<Url> {
    let value =
        |name: &str| url.query_pairs().find(|(each, _)| each == name).map(|(_, value)| value.into_owned());
    if let Some(error) = value("error") {
        bail!("the sign-in was refused: {error}: {}", value("error_description").unwrap_or_default());
    }
    ensure!(value("code").is_some(), "the redirect carries no code");
    Ok(url)
}
