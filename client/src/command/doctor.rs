//! `elevate doctor`: tries everything this command needs, one after the other, and says what to do.

use std::sync::Arc;

use elevate_proto::v1;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::connect::{Broker, dial};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::login::identity::Provider;
use crate::login::{self, store};
use crate::render::{clean_line, words};
use crate::settings::File;
use crate::tls;

/// A certificate that ends within this many days is told of.
const CERTIFICATE_DAYS_LEFT: i64 = 14;
/// The broker gives proofs and tokens a few seconds; a clock this far off will soon be in the way.
const SKEW_SECONDS_MAX: i64 = 5;

/// One thing tried.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    detail: String,
    advice: Option<String>,
    #[serde(skip)]
    exit: Exit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warning,
    Failed,
    Skipped,
}

pub(crate) async fn run(context: &mut Context) -> Result<Exit> {
    let mut checks = vec![configuration(context)];
    checks.push(match context.settings.broker().map(str::to_owned) {
        Ok(broker) => store_check(context, &broker).await,
        Err(_) => skipped("token store", "no broker is known"),
    });
    let secured = secured(context).await;
    let reachable = secured.verdict != Verdict::Failed;
    checks.push(secured);
    if reachable {
        checks.extend(service(context).await);
    } else {
        checks.extend(
            ["broker", "sign-in service", "clock", "session", "grants"]
                .map(|name| skipped(name, "the broker is not reached")),
        );
    }
    let exit =
        checks.iter().find(|check| check.verdict == Verdict::Failed).map_or(Exit::Ok, |check| check.exit);
    let look = context.look();
    let text = checks.iter().map(|check| line(&look, check)).collect::<Vec<_>>().join("\n");
    context.console.answer(&json!({ "checks": checks }), || text)?;
    Ok(exit)
}

fn line(look: &crate::render::Look, check: &Check) -> String {
    let verdict = match check.verdict {
        Verdict::Ok => look.paint("32", "ok     "),
        Verdict::Warning => look.paint("33", "warning"),
        Verdict::Failed => look.paint("1;31", "failed "),
        Verdict::Skipped => "-      ".to_owned(),
    };
    let mut text = format!("{verdict}  {:<16} {}", check.name, check.detail);
    if let Some(advice) = &check.advice {
        text.push_str(&format!("\n{:26}{advice}", ""));
    }
    text
}

fn ok(name: &'static str, detail: impl Into<String>) -> Check {
    Check { name, verdict: Verdict::Ok, detail: detail.into(), advice: None, exit: Exit::Ok }
}

fn warning(name: &'static str, detail: impl Into<String>, advice: &str) -> Check {
    let advice = Some(advice.to_owned());
    Check { name, verdict: Verdict::Warning, detail: detail.into(), advice, exit: Exit::Ok }
}

fn skipped(name: &'static str, why: &str) -> Check {
    Check {
        name,
        verdict: Verdict::Skipped,
        detail: format!("not tried: {why}"),
        advice: None,
        exit: Exit::Ok,
    }
}

fn failed(name: &'static str, failure: &Failure) -> Check {
    Check {
        name,
        verdict: Verdict::Failed,
        detail: failure.message().to_owned(),
        advice: failure.what_to_do().map(str::to_owned),
        exit: failure.exit(),
    }
}

fn configuration(context: &Context) -> Check {
    let broker = match context.settings.broker() {
        Ok(broker) => broker,
        Err(failure) => return failed("configuration", &failure),
    };
    let file = match &context.settings.folder {
        Some(folder) if File::path(folder).exists() => File::path(folder).display().to_string(),
        Some(folder) => format!("no {}", File::path(folder).display()),
        None => "no configuration folder".to_owned(),
    };
    let trust = match &context.settings.ca {
        Some(path) => format!("trusting {}", path.display()),
        None => "trusting the operating system's certificates".to_owned(),
    };
    ok("configuration", format!("broker {broker}, {trust}; {file}"))
}

async fn store_check(context: &Context, broker: &str) -> Check {
    match store::place(context, broker).await {
        Ok(place) => ok("token store", place),
        Err(why) => failed("token store", &Failure::new(Exit::Unexpected, "TOKEN_STORE", why)),
    }
}

/// TCP, TLS, and the broker's certificate.
async fn secured(context: &Context) -> Check {
    const NAME: &str = "connection";
    let tried = async {
        let address = context.settings.broker()?;
        let config = tls::for_broker(&context.settings)?;
        dial(address, Arc::new(config)).await.map_err(|error| error.failure())
    };
    let stream = match tried.await {
        Ok(stream) => stream,
        Err(failure) => return failed(NAME, &failure),
    };
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let end = certificates.first().and_then(|leaf| not_after(leaf));
    let look = context.look();
    match end {
        None => ok(NAME, "TLS 1.3; the certificate's dates cannot be read"),
        Some(end) => {
            let told = format!("TLS 1.3; the broker's certificate is good until {}", look.time(end));
            let days_left = end.duration_since(look.now).as_hours() / 24;
            if days_left < CERTIFICATE_DAYS_LEFT {
                warning(NAME, told, "tell the people who run the broker to renew it")
            } else {
                ok(NAME, told)
            }
        }
    }
}

fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

/// The broker itself, the sign-in service it names, our clock, and our session.
async fn service(context: &mut Context) -> Vec<Check> {
    let found = async {
        let broker = Broker::connect(&context.settings).await?;
        let how = login::how(&broker).await?;
        Ok::<_, Failure>(how)
    };
    let how = match found.await {
        Ok(how) => how,
        Err(failure) => {
            let skip = |name| skipped(name, "the broker does not answer");
            let skipped = ["sign-in service", "clock", "session", "grants"].map(skip);
            return std::iter::once(failed("broker", &failure)).chain(skipped).collect();
        }
    };
    let mut checks = vec![ok("broker", "answers")];
    match Provider::discover(&context.settings, &how.issuer).await {
        Ok(provider) => {
            checks.push(ok("sign-in service", clean_line(&provider.issuer)));
            checks.push(clock(context.now(), provider.date));
        }
        Err(failure) => {
            checks.push(failed("sign-in service", &failure));
            checks.push(skipped("clock", "nothing to compare it with"));
        }
    }
    checks.extend(session(context).await);
    checks
}

fn clock(now: Timestamp, witness: Option<Timestamp>) -> Check {
    let Some(witness) = witness else { return skipped("clock", "the sign-in service gave no date") };
    let skew = now.duration_since(witness).as_secs();
    match skew.abs() {
        0..=SKEW_SECONDS_MAX => ok("clock", "agrees with the sign-in service's"),
        off => {
            let which = if skew > 0 { "ahead of" } else { "behind" };
            let off = crate::render::seconds_as_written(off);
            warning("clock", format!("{off} {which} the sign-in service's"), "set it, or let it be set (NTP)")
        }
    }
}

/// The session, and whether anything is granted.
async fn session(context: &mut Context) -> [Check; 2] {
    let asked = async {
        let broker = context.broker().await?;
        Ok::<_, Failure>(
            broker.session().get_caller(broker.call(v1::GetCallerRequest {})).await?.into_inner(),
        )
    };
    match asked.await {
        Ok(caller) => {
            let signed_in =
                ok("session", format!("signed in as {}", words::person(caller.principal.as_ref())));
            let grants = match &caller.frozen {
                None => ok("grants", "are given"),
                Some(frozen) => warning(
                    "grants",
                    words::frozen(&context.look(), frozen),
                    "a revoker or a policy admin thaws it with `elevate thaw`",
                ),
            };
            [signed_in, grants]
        }
        Err(failure) => [failed("session", &failure), skipped("grants", "nobody is signed in")],
    }
}
