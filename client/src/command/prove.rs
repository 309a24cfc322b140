//! A fresh sign-in for exactly one request: what stands between a stolen session and a role.

use elevate_proto::v1;
use jiff::Timestamp;

use crate::binding;
use crate::cli::SignInArgs;
use crate::connect::Broker;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::login::identity::Provider;
use crate::login::sign_in::{Ask, sign_in};
use crate::login::{self, store};
use crate::render::time;

/// Only an ID token is wanted, and no access to anything.
const SCOPE: &str = "openid profile";

/// What the sign-in is bound to, as computed here.
#[derive(Debug)]
pub(crate) struct Bound<'a> {
    pub(crate) challenge: &'a v1::Challenge,
    pub(crate) digest: &'a str,
    pub(crate) action: &'a str,
}

/// Asks whether to go on, and signs in. The ID token goes to the broker and nowhere else.
pub(crate) async fn prove(
    context: &mut Context,
    broker: &Broker,
    bound: &Bound<'_>,
    yes: bool,
    args: &SignInArgs,
) -> Result<v1::Proof> {
    let Bound { challenge, digest, action } = bound;
    binding::check(challenge, digest, action)?;
    still_good(challenge, context.now())?;
    context.console.warn("Next, you sign in again. The sign-in counts for exactly this, once.");
    if !yes && context.console.can_ask() && !context.console.confirm("Go on?").await? {
        return Err(Failure::new(Exit::Interrupted, "NOT_CONFIRMED", "nothing was asked; nothing changed"));
    }
    let how = login::how(broker).await?;
    let provider = Provider::discover(&context.settings, &how.issuer).await?;
    let address = context.settings.broker()?.to_owned();
    let hint = store::load(context, &address).await.ok().flatten().and_then(|session| session.username);
    // Computed here, not taken from the broker.
    let nonce = binding::nonce(&challenge.challenge, digest, action);
    let requirement = challenge.requirement.clone().unwrap_or_default();
    let ask = Ask {
        client_id: &how.client_id,
        scope: SCOPE,
        nonce: &nonce,
        login_hint: hint.as_deref(),
        fresh: Some(&requirement),
    };
    let signed_in = sign_in(context, &provider, &ask, args).await?;
    Ok(v1::Proof { id_token: signed_in.id_token.0.to_string(), challenge: challenge.challenge.clone() })
}

fn still_good(challenge: &v1::Challenge, now: Timestamp) -> Result<()> {
    match time(challenge.expires_at.as_ref()) {
        Some(end) if end <= now => Err(Failure::new(
            Exit::State,
            "CHALLENGE_OVER",
            "the broker's challenge is over before the sign-in began",
        )
        .advice("is your clock right? `elevate doctor` compares it")),
        _ => Ok(()),
    }
}
