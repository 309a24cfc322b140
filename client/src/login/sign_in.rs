//! A person signs in: authorization code with PKCE, by a browser here or by one elsewhere.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use elevate_proto::v1;
use serde_json::json;
use url::Url;

use crate::cli::SignInArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::login::identity::{Claims, Provider, Refused, Tokens, said};
use crate::login::loopback::Loopback;
use crate::login::session::Secret;

/// How many wrong lines are taken when the redirected address is pasted.
const PASTES_MAX: usize = 3;

/// What a sign-in is for.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) scope: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) login_hint: Option<&'a str>,
    /// Made now, and this strong: for a proof.
    pub(crate) fresh: Option<&'a v1::ProofRequirement>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) tokens: Tokens,
    pub(crate) id_token: Secret,
    pub(crate) claims: Claims,
}

/// What the sign-in service said by way of the browser.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The code to exchange.
    Code(Secret),
    /// No, and why.
    No(String),
}

/// Which answer is ours.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    state: String,
    issuer: String,
}

/// Lets the person sign in.
pub(crate) async fn sign_in(
    context: &mut Context,
    provider: &Provider,
    ask: &Ask<'_>,
    args: &SignInArgs,
) -> Result<SignedIn> {
    let verifier = random()?;
    let expected = Expected { state: random()?, issuer: provider.issuer.clone() };
    let (answer, redirect_uri) = if args.no_browser || context.settings.no_browser {
        // Nobody listens there: the browser, wherever it is, shows an error and the address.
        let redirect_uri = "http://localhost".to_owned();
        let address = address(provider, ask, &expected, &verifier, &redirect_uri);
        (pasted(context, &address, &expected).await?, redirect_uri)
    } else {
        let loopback = Loopback::bind().await?;
        let redirect_uri = loopback.redirect_uri();
        let address = address(provider, ask, &expected, &verifier, &redirect_uri);
        (by_browser(context, &address, loopback, &expected).await?, redirect_uri)
    };
    let code = match answer {
        Answer::Code(code) => code,
        Answer::No(why) => return Err(refused(&why)),
    };
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", ask.client_id),
        ("code", &code.0),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", &verifier),
        ("scope", ask.scope),
    ];
    let mut tokens = provider.token(&form).await.map_err(|no| match no {
        Refused::Said { why, .. } => refused(&why),
        Refused::Lost(failure) => failure,
    })?;
    let id_token = tokens.id_token.take().ok_or_else(|| refused("the sign-in service gave no ID token"))?;
    let claims = Claims::read(&id_token.0).ok_or_else(|| refused("its ID token cannot be read"))?;
    let nonce_needed = ask.fresh.is_none_or(|requirement| requirement.nonce_required);
    match &claims.nonce {
        Some(nonce) if nonce == ask.nonce => {}
        None if !nonce_needed => {}
        _ => return Err(refused("its ID token is for another sign-in (the nonce differs)")),
    }
    Ok(SignedIn { tokens, id_token, claims })
}

/// 256 bits that nobody guesses, as text that fits everywhere.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Failure::new(Exit::Unexpected, "RANDOM", "the system gives no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The address to sign in at.
fn address(
    provider: &Provider,
    ask: &Ask<'_>,
    expected: &Expected,
    verifier: &str,
    redirect_uri: &str,
) -> Url {
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let mut address = provider.authorization_endpoint.clone();
    let mut query = address.query_pairs_mut();
    query
        .append_pair("client_id", ask.client_id)
        .append_pair("response_type", "code")
        .append_pair("response_mode", "query")
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("scope", ask.scope)
        .append_pair("state", &expected.state)
        .append_pair("nonce", ask.nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    if let Some(hint) = ask.login_hint {
        query.append_pair("login_hint", hint);
    }
    if let Some(requirement) = ask.fresh {
        query.append_pair("prompt", "login").append_pair("max_age", "0");
        if !requirement.auth_context.is_empty() {
            let claims = json!({ "id_token": {
                "acrs": { "essential": true, "value": requirement.auth_context },
                "amr": { "essential": true },
                "auth_time": { "essential": true },
            }});
            query.append_pair("claims", &claims.to_string());
        }
    }
    drop(query);
    address
}

async fn by_browser(
    context: &mut Context,
    address: &Url,
    loopback: Loopback,
    expected: &Expected,
) -> Result<Answer> {
    context.console.warn(&format!("To sign in, your browser opens this address:\n\n  {address}\n"));
    let (browser, url) = (Arc::clone(&context.outside.browser), address.to_string());
    let opened = tokio::task::spawn_blocking(move || browser.open(&url)).await;
    let why = match opened.map_err(std::io::Error::other).and_then(|opened| opened) {
        Ok(()) => return loopback.answer(expected.clone()).await,
        Err(why) => why,
    };
    if !context.console.can_ask() {
        return Err(Failure::new(Exit::SignIn, "NO_BROWSER", format!("no browser opens here ({why}), and nobody is at a terminal"))
            .advice(
                "run it in a terminal with `--no-browser` and sign in with a browser elsewhere; \
                 a program signs in with `elevate login --workload`, or brings its token in ELEVATE_ACCESS_TOKEN_FILE",
            ));
    }
    // Still listening: the address may be opened by hand on this very machine.
    context.console.warn(&format!(
        "No browser opens here ({why}). Open the address in any browser and sign in. If that browser is on \
         another machine it ends at an address that does not load: paste that address here."
    ));
    tokio::select! {
        answer = loopback.answer(expected.clone()) => answer,
        answer = paste(context, expected) => answer,
    }
}

async fn pasted(context: &mut Context, address: &Url, expected: &Expected) -> Result<Answer> {
    context.console.warn(&format!("Open this address in any browser and sign in:\n\n  {address}\n"));
    if context.console.can_ask() {
        context.console.warn(
            "The browser ends at an address that begins with http://localhost and does not load. Paste that address here.",
        );
    }
    paste(context, expected).await
}

async fn paste(context: &mut Context, expected: &Expected) -> Result<Answer> {
    let question = if context.console.can_ask() { "redirected to: " } else { "" };
    for _ in 0..PASTES_MAX {
        let Some(line) = context.console.ask(question).await? else {
            return Err(Failure::new(
                Exit::SignIn,
                "NO_ANSWER",
                "the input ended before the redirected address came",
            )
            .advice("paste the address that the browser ended at, on a line of its own"));
        };
        let query = line.split_once('?').map_or(line.as_str(), |(_, query)| query);
        let query = query.split('#').next().unwrap_or(query);
        match expected.read(query) {
            Some(answer) => return Ok(answer),
            None => context
                .console
                .warn("That is not the address of this sign-in. It has `code=` and `state=` in it."),
        }
    }
    Err(Failure::new(Exit::SignIn, "NO_ANSWER", "none of that was the answer to this sign-in")
        .advice("repeat the command, and sign in at the address that it prints then"))
}

impl Expected {
    /// The answer in this query, if it is to our sign-in.
    pub(crate) fn read(&self, query: &str) -> Option<Answer> {
        let pairs = || url::form_urlencoded::parse(query.as_bytes());
        let value =
            |wanted: &str| pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
        if value("state")? != self.state {
            return None;
        }
        // RFC 9207: where the service says who it is, it must be the one we asked.
        if value("iss").is_some_and(|issuer| issuer != self.issuer) {
            return None;
        }
        match (value("code"), value("error")) {
            (_, Some(error)) => {
                Some(Answer::No(said(&error, &value("error_description").unwrap_or_default())))
            }
            (Some(code), None) => Some(Answer::Code(Secret::new(code))),
            (None, None) => None,
        }
    }
}

fn refused(why: &str) -> Failure {
    Failure::new(Exit::SignIn, "SIGN_IN_REFUSED", format!("the sign-in did not succeed: {why}"))
}
