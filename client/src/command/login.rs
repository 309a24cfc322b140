//! `elevate login`: a session with a broker.

use std::path::{Path, PathBuf};

use elevate_proto::v1;
use serde_json::json;

use crate::cli::SignInArgs;
use crate::connect::Broker;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::login::identity::{Claims, Provider, Tokens};
use crate::login::sign_in::{Ask, random, sign_in};
use crate::login::{self, Session, Workload, device, store, workload};
use crate::render::clean_line;
use crate::settings::{File, Store};

/// Beside the broker's own: an ID token to show a name, and a refresh token to stay signed in.
const PERSON_SCOPES: [&str; 3] = ["openid", "profile", "offline_access"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sign_in: SignInArgs,
    /// Sign in elsewhere by entering a code, where the broker allows it: for looking, denying, giving back and revoking.
    /// Activating and approving take a sign-in with a browser all the same
    #[arg(long, conflicts_with_all = ["workload", "no_browser"])]
    device_code: bool,
    /// Sign in as a program, by its own credential
    #[arg(long, requires = "client_id", requires = "credential", conflicts_with = "no_browser")]
    workload: bool,
    /// The program's client id
    #[arg(long, value_name = "ID", requires = "workload")]
    client_id: Option<String>,
    /// The file that holds the program's secret
    #[arg(long, value_name = "FILE", group = "credential", requires = "workload")]
    secret_file: Option<PathBuf>,
    /// The program's certificate (PEM)
    #[arg(long, value_name = "FILE", group = "credential", requires = "certificate_key")]
    certificate: Option<PathBuf>,
    /// The certificate's key (PEM, RSA)
    #[arg(long, value_name = "FILE", requires = "certificate")]
    certificate_key: Option<PathBuf>,
    /// What the program asks for, where it does not follow from what the broker says
    #[arg(long, value_name = "SCOPE", requires = "workload")]
    scope: Option<String>,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.settings.broker()?.to_owned();
    let connected = Broker::connect(&context.settings).await?;
    let how = login::how(&connected).await?;
    if args.device_code && !how.device_code {
        return Err(no_device_code(&how));
    }
    let provider = Provider::discover(&context.settings, &how.issuer).await?;
    let session = match credential(&args)? {
        Some(credential) => {
            let scope = match args.scope {
                Some(scope) => scope,
                None => workload::default_scope(&how.scope)?,
            };
            let tokens = workload::tokens(&provider, &credential, &scope, context.now()).await?;
            session(context, &broker, &provider, scope, tokens, None, Some(credential))
        }
        None => {
            let mut scopes: Vec<&str> = how.scope.split_whitespace().collect();
            scopes.extend(
                PERSON_SCOPES.iter().filter(|scope| !how.scope.split_whitespace().any(|s| s == **scope)),
            );
            let scope = scopes.join(" ");
            if args.device_code {
                let (tokens, claims) = device::sign_in(context, &provider, &how.client_id, &scope).await?;
                context.console.say(
                    "This session is for looking, denying, withdrawing, giving back and revoking. `activate` and \
                     `approve` take a sign-in with a browser all the same; `--no-browser` where none opens here.",
                );
                let person = Some((how.client_id.clone(), claims));
                let session = session(context, &broker, &provider, scope, tokens, person, None);
                return kept(context, &broker, session).await;
            }
            let nonce = random()?;
            let ask = Ask {
                client_id: &how.client_id,
                scope: &scope,
                nonce: &nonce,
                login_hint: None,
                fresh: None,
            };
            let signed_in = sign_in(context, &provider, &ask, &args.sign_in).await?;
            let person = Some((how.client_id.clone(), signed_in.claims));
            session(context, &broker, &provider, scope, signed_in.tokens, person, None)
        }
    };
    kept(context, &broker, session).await
}

/// Keeps the session, and says so.
async fn kept(context: &mut Context, broker: &str, session: Session) -> Result<Exit> {
    store::save(context, &session).await?;
    remember(context, broker)?;
    told(context, &session).await
}

/// The broker's reason, and the next thing to try.
fn no_device_code(how: &v1::SignIn) -> Failure {
    let why = match clean_line(&how.device_code_refusal) {
        none if none.is_empty() => "it does not say that it does".to_owned(),
        why => why,
    };
    let told = format!("this broker takes no sign-in by device code: {why}");
    Failure::new(Exit::Refused, "DEVICE_CODE_OFF", told).advice(
        "run `elevate login`; on a machine without a browser `elevate login --no-browser`, and sign in with one on \
         another machine",
    )
}

/// The program's credential, where it is a program. Paths are kept, so they are made whole.
fn credential(args: &Args) -> Result<Option<Workload>> {
    let Some(client_id) = args.client_id.clone() else { return Ok(None) };
    match (&args.secret_file, &args.certificate, &args.certificate_key) {
        (Some(file), None, None) => Ok(Some(Workload::Secret { client_id, file: whole(file)? })),
        (None, Some(certificate), Some(key)) => {
            Ok(Some(Workload::Certificate { client_id, certificate: whole(certificate)?, key: whole(key)? }))
        }
        _ => Err(Failure::usage(
            "a program signs in by `--secret-file`, or by `--certificate` and `--certificate-key`",
        )),
    }
}

fn session(
    context: &Context,
    broker: &str,
    provider: &Provider,
    scope: String,
    tokens: Tokens,
    person: Option<(String, Claims)>,
    workload: Option<Workload>,
) -> Session {
    let now = context.now();
    let (client_id, claims) = person.unwrap_or_default();
    let mut session = Session {
        broker: broker.to_owned(),
        issuer: provider.issuer.clone(),
        client_id,
        scope,
        access_token: tokens.access_token.clone(),
        expires_at: now,
        refresh_token: None,
        username: claims.preferred_username,
        name: claims.name,
        object_id: claims.oid,
        workload,
    };
    session.take(tokens, now);
    session
}

/// Writes down which broker it is, so that nobody has to say it again.
fn remember(context: &mut Context, broker: &str) -> Result<()> {
    let mut file: File = context.settings.file.clone();
    file.broker = Some(broker.to_owned());
    file.ca = context.settings.ca.as_deref().map(whole).transpose()?;
    if let Some((cert, key)) = &context.settings.identity {
        file.cert = Some(whole(cert)?);
        file.key = Some(whole(key)?);
    }
    if file == context.settings.file {
        return Ok(());
    }
    let folder = context.settings.own_folder()?;
    file.write(folder)?;
    let path = File::path(folder).display().to_string();
    context.console.say(&format!("remembered the broker in {path}"));
    Ok(())
}

fn whole(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path)
        .map_err(|error| Failure::usage(format!("`{}` is no usable path: {error}", path.display())))
}

async fn told(context: &mut Context, session: &Session) -> Result<Exit> {
    let place = match context.settings.store {
        Some(Store::File) => "file",
        _ if store::place(context, &session.broker).await.is_ok_and(|place| place.ends_with("keyring")) => {
            "keyring"
        }
        _ => "file",
    };
    let program = session.workload.is_some();
    let json = json!({
        "broker": session.broker, "issuer": session.issuer, "workload": program,
        "name": session.name, "username": session.username, "object_id": session.object_id,
        "access_token_expires_at": session.expires_at, "kept_in": place,
    });
    let who = match (&session.name, &session.username) {
        _ if program => "as a program".to_owned(),
        (Some(name), Some(username)) => format!("as {name} ({username})"),
        (Some(one), None) | (None, Some(one)) => format!("as {one}"),
        (None, None) => String::new(),
    };
    let text = format!("Signed in to {} {}", session.broker, clean_line(&who));
    context.console.answer(&json, || text.trim_end().to_owned())?;
    Ok(Exit::Ok)
}
