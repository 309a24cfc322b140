//! A person signs in elsewhere by entering a code: RFC 8628. For a session only: the ID token that comes of it
//! carries no nonce, so that it could belong to any sign-in.

use std::time::Duration;

use jiff::SignedDuration;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::login::identity::{Claims, Device, Provider, Refused, Tokens};
use crate::render::clean_line;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Between two questions where the service does not say, and the shortest that is kept to.
const USUAL_PAUSE: u64 = 5;
const PAUSE_SECONDS: std::ops::RangeInclusive<u64> = 1..=60;
/// How much longer when the service finds us too eager: section 3.5.
const SLOWER: Duration = Duration::from_secs(5);
/// No code is waited for longer than this; Entra's are good for fifteen minutes.
const LONGEST_SECONDS: u64 = 1800;
/// Codes are eight letters or nine.
const CODE_CHARS_MAX: usize = 32;
/// So many questions in a row may get no answer.
const LOST_MAX: usize = 5;

/// Shows a code, and waits until somebody has signed in with it.
pub(crate) async fn sign_in(
    context: &mut Context,
    provider: &Provider,
    client_id: &str,
    scope: &str,
) -> Result<(Tokens, Claims)> {
    let asked_at = context.now();
    let device =
        provider.device(&[("client_id", client_id), ("scope", scope)]).await.map_err(|no| match no {
            Refused::Said { why, .. } => refused(&why),
            Refused::Lost(failure) => failure,
        })?;
    let good_for = device.expires_in.min(LONGEST_SECONDS);
    show(context, &device, good_for)?;
    let good_for = SignedDuration::from_secs(i64::try_from(good_for).unwrap_or_default());
    let until = asked_at.checked_add(good_for).unwrap_or(asked_at);
    let seconds = device.interval.unwrap_or(USUAL_PAUSE);
    let mut pause = Duration::from_secs(seconds.clamp(*PAUSE_SECONDS.start(), *PAUSE_SECONDS.end()));
    let form = [("grant_type", GRANT), ("client_id", client_id), ("device_code", &device.device_code.0)];
    let mut lost = 0;
    loop {
        context.outside.clock.sleep(pause).await;
        if context.now() >= until {
            return Err(over());
        }
        match provider.token(&form).await {
            Ok(mut tokens) => {
                let id_token = tokens.id_token.take();
                let claims = id_token.and_then(|token| Claims::read(&token.0)).unwrap_or_default();
                return Ok((tokens, claims));
            }
            Err(Refused::Said { error, why }) => match error.as_str() {
                "authorization_pending" => lost = 0,
                "slow_down" => pause += SLOWER,
                "expired_token" | "code_expired" => return Err(over()),
                "authorization_declined" | "access_denied" => {
                    let told = "somebody declined the sign-in where the code was entered";
                    return Err(Failure::new(Exit::SignIn, "SIGN_IN_REFUSED", told)
                        .advice("repeat the command, and accept the sign-in if you began it yourself"));
                }
                _ => return Err(refused(&why)),
            },
            // A question that got lost is put again: RFC 8628, section 3.5.
            Err(Refused::Lost(failure)) => {
                lost += 1;
                if lost > LOST_MAX {
                    return Err(failure);
                }
            }
        }
    }
}

fn show(context: &mut Context, device: &Device, good_for: u64) -> Result<()> {
    let Device { user_code, verification_uri, .. } = device;
    let code = clean_line(user_code);
    if verification_uri.scheme() != "https" || code.is_empty() || code.chars().count() > CODE_CHARS_MAX {
        return Err(refused("the sign-in service gave no code that can be shown"));
    }
    context.console.warn(&format!(
        "To sign in, open this address in any browser, on any machine, and enter the code:\n\n  {verification_uri}\n  \
         {code}\n\nThe code is good for {} minutes. Enter it only because you began this sign-in yourself, and enter no \
         code that somebody else gives you: it would sign them in as you.",
        good_for.div_ceil(60)
    ));
    Ok(())
}

fn over() -> Failure {
    Failure::new(Exit::SignIn, "SIGN_IN_TIMEOUT", "nobody signed in while the code was good")
        .advice("repeat the command, and enter the new code that it shows then")
}

fn refused(why: &str) -> Failure {
    Failure::new(Exit::SignIn, "SIGN_IN_REFUSED", format!("the sign-in by device code did not succeed: {why}"))
        .advice(
            "run `elevate login`, with `--no-browser` where none opens here; a tenant may bar device codes, or let them \
             through from managed devices only",
        )
}
