//! Asking ticket systems over HTTP, in either of two forms: the whole question is posted to somebody who decides, or
//! the ticket is read where it is and its state decides.
//!
//! Whoever is on the other side may be slow, down or wrong. So every wait has an end, the body a size, and there are
//! never more than `AT_ONCE` questions to one system under way: who comes then waits for a place, for
//! `PLACE_WITHIN` at most. That is our own doing and not the system's silence, which a policy may let pass. Nobody is
//! followed elsewhere.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use elevate_core::policy::CheckName;
use http::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::StatusCode;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::ports::Tickets;
use crate::ports::tickets::{Question, Said};

mod settings;
mod wire;

pub use settings::{Address, Form, Secret, ShownAs, System};

/// Questions to one system at one time. They take a second as a rule.
const AT_ONCE: usize = 16;

/// How long a question waits for a place. With the longest deadline it fits into a caller's patience.
const PLACE_WITHIN: Duration = Duration::from_secs(5);

/// The largest answer, in bytes: a whole ticket is a fraction of it.
const BODY_MAX: usize = 256 * 1024;

/// The longest secret, in bytes.
const SECRET_MAX: u64 = 16 * 1024;

/// Every system that the configuration names.
#[derive(Debug, Default)]
pub struct Checks(BTreeMap<CheckName, Check>);

impl Checks {
    /// Of these systems, each with the client that it is asked through, or why there is none.
    pub fn new(systems: impl IntoIterator<Item = (System, Result<reqwest::Client, String>)>) -> Self {
        let check = |(system, http): (System, _)| {
            (system.name.clone(), Check { system, http, places: Semaphore::new(AT_ONCE) })
        };
        Self(systems.into_iter().map(check).collect())
    }

    /// Asks a system a question that nothing hangs on.
    ///
    /// # Errors
    /// What stands in the way of an answer that could be believed.
    pub async fn try_out(&self, question: &Question<'_>) -> Result<(), String> {
        let Some(check) = self.0.get(question.check) else { return Err("it is not configured".to_owned()) };
        if let Err(why) = &check.http {
            return Err(why.clone());
        }
        if let Some(secret) = &check.system.secret {
            read(secret).map_err(|why| format!("{} cannot be used: {why}", secret.file.display()))?;
        }
        match (check.ask(question, true).await, &check.system.form) {
            (Ok(Said::Confirmed), Form::Lookup { .. }) => {
                Err(format!("it confirms `{}`, a ticket that nobody has", question.ticket.number()))
            }
            // What is odd about a number is no matter here.
            (Ok(_), _) | (Err(Trouble::Unfit(_)), Form::Lookup { .. }) => Ok(()),
            (Err(Trouble::Silent(why) | Trouble::Unfit(why) | Trouble::Ours(why)), _) => Err(why),
        }
    }
}

#[async_trait]
impl Tickets for Checks {
    fn knows(&self, check: &CheckName) -> bool {
        self.0.contains_key(check)
    }

    async fn ask(&self, question: &Question<'_>) -> Said {
        let asked = match self.0.get(question.check) {
            Some(check) => check.ask(question, false).await,
            None => Err(Trouble::Ours("the broker is not configured to ask it".to_owned())),
        };
        let (said, why) = match asked {
            Ok(said) => return said,
            Err(Trouble::Silent(why)) => (Said::Unanswered(why.clone()), why),
            Err(Trouble::Unfit(why)) => (Said::Refused(why.clone()), why),
            Err(Trouble::Ours(why)) => (Said::NotAsked(why.clone()), why),
        };
        tracing::warn!(check = %question.check, %why, "a ticket system gave no answer");
        said
    }
}

/// One system.
#[derive(Debug)]
struct Check {
    system: System,
    http: Result<reqwest::Client, String>,
    places: Semaphore,
}

/// Why there is no answer, in words for the asker.
#[derive(Debug)]
enum Trouble {
    /// The system says nothing that could be understood.
    Silent(String),
    /// It does not take this question. What it takes may hang on what the asker wrote, so this is no silence.
    Unfit(String),
    /// The broker could not ask.
    Ours(String),
}

impl Check {
    async fn ask(&self, question: &Question<'_>, test: bool) -> Result<Said, Trouble> {
        let busy = || Trouble::Ours("too many ask it at this moment".to_owned());
        let place = tokio::time::timeout(PLACE_WITHIN, self.places.acquire()).await;
        let _place = place.ok().and_then(Result::ok).ok_or_else(busy)?;
        let deadline = self.system.deadline;
        let late =
            |_| Trouble::Silent(format!("it did not answer within {}", humantime::format_duration(deadline)));
        tokio::time::timeout(deadline, self.exchange(question, test)).await.map_err(late)?
    }

    async fn exchange(&self, question: &Question<'_>, test: bool) -> Result<Said, Trouble> {
        let unusable = || Trouble::Ours("its address cannot be used".to_owned());
        let http =
            self.http.as_ref().map_err(|_| Trouble::Ours("the broker is not able to ask it".to_owned()))?;
        let number = question.ticket.number();
        let request = match &self.system.form {
            Form::Question(url) => {
                http.post(url.of("").ok_or_else(unusable)?).json(&wire::Asked::of(question, test))
            }
            Form::Lookup { url, .. } => {
                if !wire::may_stand_in_an_address(number) {
                    return Ok(Said::Refused(
                        "a number there has letters, digits, `-`, `_` and `.` only".to_owned(),
                    ));
                }
                http.get(url.of(number).ok_or_else(unusable)?)
            }
        };
        let mut request = request.header(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(secret) = &self.system.secret {
            let (name, value) = header(secret)?;
            request = request.header(name, value);
        }
        let response = request.timeout(self.system.deadline).send().await.map_err(|error| failed(&error))?;
        match (response.status(), &self.system.form) {
            (StatusCode::OK, Form::Question(_)) => Ok(wire::decision(&body(response).await?)),
            (StatusCode::OK, Form::Lookup { number: shown, state, accepted, .. }) => {
                let reading = wire::Reading { asked: number, number: shown, state, accepted };
                Ok(wire::state(&body(response).await?, &reading))
            }
            (StatusCode::NOT_FOUND, Form::Lookup { .. }) => {
                Ok(Said::Refused("it knows no such ticket".to_owned()))
            }
            // It may be this one ticket that the broker's account may not read, and who asks chose the number.
            (StatusCode::FORBIDDEN, Form::Lookup { .. }) => {
                Ok(Said::Refused("it does not show the broker that ticket".to_owned()))
            }
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
                Err(Trouble::Silent("it does not let the broker ask".to_owned()))
            }
            (status, _) => Err(odd(status)),
        }
    }
}

/// A status that is no answer. Whether it blames the question is the difference: nobody is to have a ticket let through
/// by a number that their system stumbles over.
fn odd(status: StatusCode) -> Trouble {
    let why = format!("it answered {}", status.as_u16());
    let not_now = matches!(
        status,
        StatusCode::PROXY_AUTHENTICATION_REQUIRED
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS
    );
    if status.is_client_error() && !not_now { Trouble::Unfit(why) } else { Trouble::Silent(why) }
}

async fn body(mut response: reqwest::Response) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if body.len().saturating_add(chunk.len()) > BODY_MAX {
            return Err(Trouble::Unfit("its answer is larger than any ticket".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What the system knows us by. Read at every use, so that a renewed secret needs no restart.
fn header(secret: &Secret) -> Result<(HeaderName, HeaderValue), Trouble> {
    let Secret { file, shown } = secret;
    let text = read(secret).map_err(|why| {
        tracing::error!(file = %file.display(), %why, "the secret for a ticket system cannot be read");
        Trouble::Ours("the broker cannot read what it would be known by there".to_owned())
    })?;
    let (name, value) = match shown {
        ShownAs::Bearer => (AUTHORIZATION, Zeroizing::new(format!("Bearer {}", *text))),
        ShownAs::Basic => {
            (AUTHORIZATION, Zeroizing::new(format!("Basic {}", STANDARD.encode(text.as_bytes()))))
        }
        ShownAs::Header(name) => (name.clone(), text),
    };
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_| Trouble::Ours("what the broker would be known by there cannot be sent".to_owned()))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The secret in a file.
///
/// # Errors
/// It cannot be read, or there is none in it.
fn read(secret: &Secret) -> Result<Zeroizing<String>, String> {
    use std::io::Read as _;
    let mut text = Zeroizing::new(String::new());
    let file = std::fs::File::open(&secret.file).map_err(|error| error.to_string())?;
    file.take(SECRET_MAX).read_to_string(&mut text).map_err(|error| error.to_string())?;
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        text => Ok(Zeroizing::new(text.to_owned())),
    }
}

/// What happened to the call, without the address: it may carry a ticket's number, and names the inside of a house.
fn failed(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        return Trouble::Silent("it did not answer in time".to_owned());
    }
    let mut cause = error.source();
    let mut last = String::new();
    while let Some(error) = cause {
        last = error.to_string();
        cause = error.source();
    }
    tracing::debug!(%last, "a call to a ticket system failed");
    Trouble::Silent(
        if error.is_connect() { "it cannot be reached" } else { "the connection broke" }.to_owned(),
    )
}

#[cfg(test)]
mod tests;
