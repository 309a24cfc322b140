//! `token`: a code, a refresh token or the client's own credential becomes tokens.

use std::sync::Arc;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use super::{
    assertion, device,
    error::LoginError,
    registration::{self, Resource, Scopes},
    sign_ins::Refresh,
};
use crate::{
    Mint, SignIn,
    http::{Form, Reply, Request},
    people::{self, App},
    world::World,
};

pub(super) fn answer(world: &Arc<World>, request: &Request) -> Reply {
    let form = request.form();
    let tokens = match form.get("grant_type") {
        Some("authorization_code") => authorization_code(world, &form),
        Some("refresh_token") => refresh_token(world, &form),
        Some("urn:ietf:params:oauth:grant-type:device_code") => device_code(world, &form),
        Some("client_credentials") => client_credentials(world, request, &form),
        Some(other) => {
            let message = format!("The app requested an unsupported grant type '{other}'.");
            Err(LoginError::new(70003, "unsupported_grant_type", message))
        }
        None => Err(LoginError::missing("grant_type")),
    };
    match tokens {
        Ok(tokens) => Reply::json(200, tokens).header("Pragma", "no-cache"),
        Err(error) => error.reply(request),
    }
}

fn authorization_code(world: &Arc<World>, form: &Form) -> Result<Value, LoginError> {
    let app = public_client(form)?;
    let grant = |number, message: &str| LoginError::new(number, "invalid_grant", message);
    let name = form.get("code").ok_or_else(|| LoginError::missing("code"))?;
    let redirect_uri = form.get("redirect_uri").ok_or_else(|| LoginError::missing("redirect_uri"))?;
    let verifier = form.get("code_verifier").ok_or_else(|| LoginError::missing("code_verifier"))?;
    // From here on the code is spent, whatever comes of it.
    let code = world.sign_ins.redeem(name);
    let code = code.ok_or_else(|| grant(9_002_313, "Invalid request. Request is malformed or invalid."))?;
    if code.redeemed {
        let message = "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.";
        return Err(grant(54005, message));
    }
    if code.expired(world.clock.now()) {
        return Err(grant(
            70008,
            "The provided authorization code or refresh token has expired due to inactivity.",
        ));
    }
    if code.sign_in.client_id != app.client_id {
        return Err(grant(70002, "The code was issued to another client."));
    }
    if code.redirect_uri != redirect_uri {
        let message = format!(
            "The reply address '{redirect_uri}' does not match the reply address '{}' provided when requesting \
             Authorization code.",
            code.redirect_uri
        );
        return Err(grant(500_112, &message));
    }
    if challenge(verifier) != code.challenge {
        let message =
            "The Code_Verifier does not match the code_challenge supplied in the authorization request.";
        return Err(grant(501_481, message));
    }
    still_welcome(world, &code.sign_in, None)?;
    Ok(delegated_tokens(world, code.sign_in, code.scopes))
}

/// As Entra does it, each use gives a new refresh token, and the old one is not revoked.
fn refresh_token(world: &Arc<World>, form: &Form) -> Result<Value, LoginError> {
    let app = public_client(form)?;
    let name = form.get("refresh_token").ok_or_else(|| LoginError::missing("refresh_token"))?;
    let invalid = || LoginError::new(70000, "invalid_grant", "Provided grant is invalid or malformed.");
    let refresh = world.sign_ins.refresh(name).ok_or_else(invalid)?;
    if refresh.sign_in.client_id != app.client_id {
        return Err(invalid());
    }
    if refresh.expired(world.clock.now()) {
        let message = "The refresh token has expired due to inactivity.";
        return Err(LoginError::new(700_082, "invalid_grant", message));
    }
    still_welcome(world, &refresh.sign_in, Some(&refresh))?;
    let scopes = match form.get("scope") {
        Some(scope) => Scopes { offline: true, ..registration::delegated(world, scope)? },
        None => refresh.scopes.clone(),
    };
    // A refresh is no sign-in: `auth_time` stays, and there is no nonce to echo.
    Ok(delegated_tokens(world, SignIn { nonce: None, ..refresh.sign_in }, scopes))
}

fn device_code(world: &Arc<World>, form: &Form) -> Result<Value, LoginError> {
    let (sign_in, scopes) = device::redeem(world, form)?;
    still_welcome(world, &sign_in, None)?;
    Ok(delegated_tokens(world, sign_in, scopes))
}

fn client_credentials(world: &Arc<World>, request: &Request, form: &Form) -> Result<Value, LoginError> {
    let (client_id, secret) = client_of(request, form)?;
    let app = registration::app(&client_id)?;
    let assertion = form.get("client_assertion");
    if app == people::CLI {
        let message =
            "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.";
        return Err(LoginError::new(700_025, "invalid_client", message));
    }
    let azpacr = match (secret, assertion) {
        (Some(secret), None) => {
            check_secret(world, &app, &secret)?;
            "1"
        }
        (None, Some(assertion)) => {
            assertion::check(world, &app, form.get("client_assertion_type"), assertion)?;
            "2"
        }
        _ => {
            let message = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
            return Err(LoginError::new(7_000_218, "invalid_client", message));
        }
    };
    let scope = form.get("scope").ok_or_else(|| LoginError::missing("scope"))?;
    let (token, life) = match registration::application(world, scope)? {
        Resource::Graph => world.sign_ins.remember_graph(world, Some(app.client_id.to_owned())),
        Resource::Broker => {
            let mint = Mint::new(Arc::clone(world));
            let claims = mint.app_claims(&app, azpacr);
            let life = life_of(&claims, world);
            (mint.sign(&claims), life)
        }
    };
    Ok(json!({ "token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token }))
}

/// The client's name and secret: in the form, or in HTTP Basic.
fn client_of(request: &Request, form: &Form) -> Result<(String, Option<String>), LoginError> {
    let basic = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|value| STANDARD.decode(value).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|pair| {
            let decode = |part: &str| {
                Form::parse(format!("x={part}").as_bytes()).get("x").unwrap_or_default().to_owned()
            };
            pair.split_once(':').map(|(id, secret)| (decode(id), Some(decode(secret))))
        });
    match (basic, form.get("client_id")) {
        (Some(basic), _) => Ok(basic),
        (None, Some(client_id)) => Ok((client_id.to_owned(), form.get("client_secret").map(str::to_owned))),
        (None, None) => Err(LoginError::missing("client_id")),
    }
}

fn check_secret(world: &World, app: &App, secret: &str) -> Result<(), LoginError> {
    let registered = match *app {
        people::BROKER => Some(world.files.secret.as_str()),
        people::AUTOMATION => Some(people::AUTOMATION_SECRET),
        _ => None,
    };
    if registered == Some(secret) {
        return Ok(());
    }
    let message = format!(
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
         not the client secret ID, for a secret added to app '{}'.",
        app.client_id
    );
    Err(LoginError::new(7_000_215, "invalid_client", message))
}

pub(super) fn public_client(form: &Form) -> Result<App, LoginError> {
    let app = registration::app(form.get("client_id").ok_or_else(|| LoginError::missing("client_id"))?)?;
    if app != people::CLI {
        let message =
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        return Err(LoginError::new(7_000_218, "invalid_client", message));
    }
    if form.get("client_secret").or(form.get("client_assertion")).is_some() {
        let message =
            "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.";
        return Err(LoginError::new(700_025, "invalid_client", message));
    }
    Ok(app)
}

/// Between the sign-in and now the person may have been disabled, deleted, or signed out everywhere.
fn still_welcome(world: &World, sign_in: &SignIn, refresh: Option<&Refresh>) -> Result<(), LoginError> {
    let refused = |number, message: &str| Err(LoginError::new(number, "invalid_grant", message));
    match world.directory.user(&sign_in.oid) {
        None => refused(50034, "The user account does not exist in the directory."),
        Some(user) if !user.enabled => refused(50057, "The user account is disabled."),
        Some(user) if refresh.is_some_and(|refresh| refresh.made < user.sessions_valid_from) => refused(
            50173,
            "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
        ),
        Some(_) => Ok(()),
    }
}

fn delegated_tokens(world: &Arc<World>, sign_in: SignIn, scopes: Scopes) -> Value {
    let mint = Mint::new(Arc::clone(world));
    let (access, life) = match scopes.resource {
        Resource::Graph => world.sign_ins.remember_graph(world, None),
        Resource::Broker => {
            let claims = mint.access_claims(&sign_in);
            let life = life_of(&claims, world);
            (mint.sign(&claims), life)
        }
    };
    let mut tokens = json!({
        "token_type": "Bearer",
        "scope": scopes.asked,
        "expires_in": life,
        "ext_expires_in": life,
        "access_token": access,
    });
    if let Value::Object(tokens) = &mut tokens {
        if scopes.openid {
            tokens.insert("id_token".to_owned(), json!(mint.id(&sign_in)));
        }
        if scopes.offline {
            let made = world.clock.now();
            let name = world.sign_ins.remember_refresh(Refresh { sign_in, scopes, made });
            tokens.insert("refresh_token".to_owned(), json!(name));
        }
    }
    tokens
}

fn life_of(claims: &Value, world: &World) -> i64 {
    claims.get("exp").and_then(Value::as_i64).unwrap_or_default() - world.clock.now().as_second()
}

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()))
}
