//! `authorize`: who is there, and how strongly did they sign in.
//!
//! A page asks. A script says it in the address: `login_hint` and `sandbox_strength`, or `login_hint` alone for
//! somebody whose way of signing in was set before. `sandbox_auth_age` is the age, in seconds, of a session that
//! the browser still has; `prompt=login`, and a `max_age` below it, make the person sign in anew.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use url::Url;

use super::{
    error::LoginError,
    page,
    registration::{self, Scopes},
    sign_ins::Code,
};
use crate::{
    SignIn, Strength,
    directory::User,
    http::{Form, Reply, Request},
    people::App,
    world::World,
};

/// What an application asks of whoever signs in, checked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) app: App,
    pub(super) redirect: Url,
    pub(super) redirect_uri: String,
    pub(super) scopes: Scopes,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    challenge: String,
    pub(super) prompt: Option<String>,
    pub(super) max_age: Option<i64>,
    pub(super) id_acrs: Vec<String>,
    pub(super) access_acrs: Vec<String>,
    capabilities: Vec<String>,
    pub(super) login_hint: Option<String>,
}

/// Where an error can be shown: to the person, or to the application.
enum Refused {
    OnPage(LoginError),
    ToApp(Box<(Url, Option<String>, LoginError)>),
}

/// How somebody chose to sign in.
struct Choice {
    strength: Strength,
    session_age: SignedDuration,
}

pub(super) fn ask(world: &Arc<World>, request: &Request) -> Reply {
    let query = request.query();
    let answer = read(world, &query).and_then(|asked| {
        let person = asked.login_hint.as_deref().and_then(|hint| world.directory.user(hint));
        let scripted = match &person {
            Some(person) => script(&query, person).map_err(|error| to_app(&asked, error))?,
            None => None,
        };
        match (person, scripted) {
            (Some(person), Some(choice)) => sign_in(world, &asked, &person, &choice),
            _ if asked.prompt.as_deref() == Some("none") => {
                let message = "Silent sign-in was sent but no user is signed in.";
                Err(to_app(&asked, LoginError::new(50058, "login_required", message)))
            }
            _ => Ok(Reply::html(200, page::choose(world, request, &asked))),
        }
    });
    answer.unwrap_or_else(|refused| show(request, refused))
}

/// The page came back, with the application's request as it was and the choice made.
pub(super) fn chosen(world: &Arc<World>, request: &Request) -> Reply {
    let form = request.form();
    let query = Form::parse(form.get("request").unwrap_or_default().as_bytes());
    let answer = read(world, &query).and_then(|asked| {
        let refuse = |message: &str| to_app(&asked, LoginError::new(50020, "access_denied", message));
        if form.get("action") == Some("cancel") {
            return Err(refuse(
                "The user has denied access to the scope requested by the client application.",
            ));
        }
        let person = form.get("person").and_then(|person| world.directory.user(person));
        let person = person.ok_or_else(|| refuse("Nobody was chosen."))?;
        let strength = form.get("strength").and_then(|word| word.parse().ok());
        let strength = strength.ok_or_else(|| refuse("No way of signing in was chosen."))?;
        let age = form.get("session_age").and_then(|age| age.parse().ok()).unwrap_or(0);
        let session_age = SignedDuration::from_secs(age);
        sign_in(world, &asked, &person, &Choice { strength, session_age })
    });
    answer.unwrap_or_else(|refused| show(request, refused))
}

/// Checks what the application asks. Until the redirect is known to be the application's own, nothing may be
/// sent there, so the first two errors stay on the page.
fn read(world: &World, query: &Form) -> Result<Asked, Refused> {
    let on_page = |parameter| Refused::OnPage(LoginError::missing(parameter));
    let client_id = query.get("client_id").ok_or_else(|| on_page("client_id"))?;
    let app = registration::app(client_id).map_err(Refused::OnPage)?;
    let redirect_uri = query.get("redirect_uri").ok_or_else(|| on_page("redirect_uri"))?;
    let redirect = registration::check_redirect(&app, redirect_uri).map_err(Refused::OnPage)?;
    let state = query.get("state").map(str::to_owned);
    read_rest(world, query, app, &redirect, redirect_uri)
        .map_err(|error| Refused::ToApp(Box::new((redirect, state, error))))
}

fn read_rest(
    world: &World,
    query: &Form,
    app: App,
    redirect: &Url,
    redirect_uri: &str,
) -> Result<Asked, LoginError> {
    let invalid = |message: &str| LoginError::new(90014, "invalid_request", message);
    if query.get("response_type") != Some("code") {
        let message = "The response_type must be 'code' for this client.";
        return Err(LoginError::new(700_054, "unsupported_response_type", message));
    }
    if !matches!(query.get("response_mode"), None | Some("query")) {
        return Err(invalid("The response_mode must be 'query'."));
    }
    if query.get("code_challenge_method") != Some("S256") {
        return Err(invalid("The code_challenge_method must be 'S256'."));
    }
    let challenge = query.get("code_challenge").ok_or_else(|| LoginError::missing("code_challenge"))?;
    let scope = query.get("scope").ok_or_else(|| LoginError::missing("scope"))?;
    let scopes = registration::delegated(world, scope)?;
    let max_age = query.get("max_age").map(str::parse).transpose();
    let max_age = max_age.map_err(|_| invalid("The max_age must be a number of seconds."))?;
    let prompt = query.get("prompt").map(str::to_owned);
    if !matches!(prompt.as_deref(), None | Some("login" | "none" | "select_account" | "consent")) {
        return Err(invalid("The prompt must be 'login', 'none', 'select_account' or 'consent'."));
    }
    let claims: Value = match query.get("claims").map(serde_json::from_str) {
        None => Value::Null,
        Some(Ok(claims @ Value::Object(_))) => claims,
        Some(_) => return Err(invalid("The claims parameter is not a JSON object.")),
    };
    Ok(Asked {
        app,
        redirect: redirect.clone(),
        redirect_uri: redirect_uri.to_owned(),
        scopes,
        state: query.get("state").map(str::to_owned),
        nonce: query.get("nonce").map(str::to_owned),
        challenge: challenge.to_owned(),
        prompt,
        max_age,
        id_acrs: wanted(&claims, "/id_token/acrs"),
        access_acrs: wanted(&claims, "/access_token/acrs"),
        capabilities: wanted(&claims, "/access_token/xms_cc"),
        login_hint: query.get("login_hint").map(str::to_owned),
    })
}

/// `{"value": "c1"}` or `{"values": ["c1", "c2"]}`.
fn wanted(claims: &Value, pointer: &str) -> Vec<String> {
    let Some(request) = claims.pointer(pointer) else { return Vec::new() };
    let several = request.get("values").and_then(Value::as_array).into_iter().flatten();
    several.chain(request.get("value")).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What the address says about the way of signing in; nothing if a page should ask.
fn script(query: &Form, person: &User) -> Result<Option<Choice>, LoginError> {
    let invalid = |message: String| LoginError::new(90014, "invalid_request", message);
    let strength = match query.get("sandbox_strength") {
        Some(word) => Some(word.parse().map_err(invalid)?),
        None => person.strength,
    };
    let session_age = match query.get("sandbox_auth_age").map(str::parse) {
        Some(Ok(age)) => SignedDuration::from_secs(age),
        Some(Err(_)) => return Err(invalid("The sandbox_auth_age must be a number of seconds.".to_owned())),
        None => person.session_age,
    };
    Ok(strength.map(|strength| Choice { strength, session_age }))
}

fn sign_in(world: &World, asked: &Asked, person: &User, choice: &Choice) -> Result<Reply, Refused> {
    if !person.enabled {
        let message = "The user account is disabled.";
        return Err(Refused::OnPage(LoginError::new(50057, "invalid_grant", message)));
    }
    let now = world.clock.now();
    let code = world.sign_ins.remember_code(Code {
        sign_in: SignIn {
            oid: person.id.clone(),
            name: person.name.clone(),
            client_id: asked.app.client_id.to_owned(),
            strength: choice.strength,
            auth_time: authenticated_at(asked, choice.session_age, now),
            nonce: asked.nonce.clone(),
            id_acrs: asked.id_acrs.clone(),
            access_acrs: asked.access_acrs.clone(),
            capabilities: asked.capabilities.clone(),
        },
        scopes: asked.scopes.clone(),
        redirect_uri: asked.redirect_uri.clone(),
        challenge: asked.challenge.clone(),
        made: now,
        redeemed: false,
    });
    let state = asked.state.as_deref().map(|state| ("state", state));
    let answer = [("code", code.as_str()), ("session_state", &crate::mint::unique())];
    Ok(back(&asked.redirect, answer.into_iter().chain(state)))
}

/// A session is good enough unless the application wants better.
fn authenticated_at(asked: &Asked, session_age: SignedDuration, now: Timestamp) -> Timestamp {
    let anew = asked.prompt.as_deref() == Some("login")
        || asked.max_age.is_some_and(|max_age| session_age.as_secs() > max_age);
    if anew { now } else { now.saturating_sub(session_age).unwrap_or(now) }
}

fn to_app(asked: &Asked, error: LoginError) -> Refused {
    Refused::ToApp(Box::new((asked.redirect.clone(), asked.state.clone(), error)))
}

fn show(request: &Request, refused: Refused) -> Reply {
    match refused {
        Refused::OnPage(error) => Reply::html(400, page::refused(&error.description(request))),
        Refused::ToApp(answer) => {
            let (redirect, state, error) = *answer;
            let description = error.description(request);
            let state = state.as_deref().map(|state| ("state", state));
            let answer = [("error", error.error), ("error_description", &description)];
            back(&redirect, answer.into_iter().chain(state))
        }
    }
}

fn back<'a>(redirect: &Url, answer: impl Iterator<Item = (&'a str, &'a str)>) -> Reply {
    let mut url = redirect.clone();
    url.query_pairs_mut().extend_pairs(answer);
    Reply::redirect(url.as_str())
}
