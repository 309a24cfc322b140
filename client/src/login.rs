//! Who is calling: sessions, and fresh sign-ins.
//!
//! A session is what `elevate login` leaves behind: an access token for the broker and the means to
//! renew it. A fresh sign-in (`sign_in`) is made for one request and leaves nothing behind.

pub(crate) mod device;
pub(crate) mod identity;
mod loopback;
mod session;
pub(crate) mod sign_in;
pub(crate) mod store;
pub(crate) mod workload;

pub(crate) use self::session::{Session, Workload};

use std::fs;

use jiff::SignedDuration;

use crate::connect::Broker;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::login::identity::{Provider, Refused};
use elevate_proto::v1;

/// A token that is good for less than this is renewed first: a call may take as long.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_secs(60);

/// An access token for the broker, renewed if need be.
pub(crate) async fn access_token(context: &mut Context) -> Result<zeroize::Zeroizing<String>> {
    if let Some(path) = &context.settings.access_token_file {
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::sign_in(format!("cannot read ELEVATE_ACCESS_TOKEN_FILE `{}`: {error}", path.display()))
                .advice("whatever starts this command has to put an access token there")
        })?;
        return Ok(zeroize::Zeroizing::new(text.trim().to_owned()));
    }
    let broker = context.settings.broker()?.to_owned();
    let Some(session) = store::load(context, &broker).await? else {
        return Err(Failure::sign_in(format!("you are not signed in to {broker}")));
    };
    let now = context.now();
    if session.expires_at.checked_sub(RENEW_BEFORE).is_ok_and(|until| now < until) {
        return Ok(session.access_token.0);
    }
    let renewed = renew(context, session).await?;
    store::save(context, &renewed).await?;
    Ok(renewed.access_token.0)
}

/// A new access token in place of one that is over.
async fn renew(context: &Context, mut session: Session) -> Result<Session> {
    let provider = Provider::discover(&context.settings, &session.issuer).await?;
    let now = context.now();
    if let Some(workload) = session.workload.clone() {
        let tokens = workload::tokens(&provider, &workload, &session.scope, now).await?;
        session.take(tokens, now);
        return Ok(session);
    }
    let over = |why: &str| Failure::sign_in(format!("the session with {} is over{why}", session.broker));
    let Some(refresh) = session.refresh_token.clone() else { return Err(over("")) };
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", &session.client_id),
        ("refresh_token", &refresh.0),
        ("scope", &session.scope),
    ];
    match provider.token(&form).await {
        Ok(tokens) => {
            session.take(tokens, now);
            Ok(session)
        }
        Err(Refused::Said { why, .. }) => Err(over(&format!(": {why}"))),
        Err(Refused::Lost(failure)) => Err(failure),
    }
}

/// How to sign in, as the broker says.
pub(crate) async fn how(broker: &Broker) -> Result<v1::SignIn> {
    Ok(broker.session().get_sign_in(broker.call(v1::GetSignInRequest {})).await?.into_inner())
}
