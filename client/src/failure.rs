//! What went wrong, why, and what to do: one type for everything that ends a command early.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use rustls::AlertDescription;
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::connect::ConnectError;
use crate::exit::Exit;
use crate::render::{clean, clean_line};
use crate::tls;

/// The client's own result.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) struct Failure(Box<Told>);

#[derive(Debug)]
struct Told {
    exit: Exit,
    code: &'static str,
    reason: String,
    message: String,
    advice: Option<String>,
    fields: Vec<(String, String)>,
    retry_after_seconds: Option<u64>,
    /// The reader of our output went away; there is nobody to tell.
    silent: bool,
}

impl Failure {
    /// A failure of the client's own. `reason` is one of the client's stable words.
    pub(crate) fn new(exit: Exit, reason: &str, message: impl Into<String>) -> Self {
        Self(Box::new(Told {
            exit,
            code: "client",
            reason: reason.to_owned(),
            message: message.into(),
            advice: None,
            fields: Vec::new(),
            retry_after_seconds: None,
            silent: false,
        }))
    }

    /// A value on the command line, or in a file it names, that cannot be used.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "USAGE", message)
    }

    /// The session is missing or over.
    pub(crate) fn sign_in(message: impl Into<String>) -> Self {
        Self::new(Exit::SignIn, "NOT_SIGNED_IN", message).advice("run `elevate login`")
    }

    /// Something outside that cannot be reached.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, "UNREACHABLE", message)
    }

    /// With what to do about it.
    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    /// With the fields at fault, and what is wrong with each.
    pub(crate) fn fields(mut self, fields: Vec<(String, String)>) -> Self {
        self.0.fields = fields;
        self
    }

    /// Ending in another exit code than its kind does.
    pub(crate) fn ending(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    /// With what it means, before what it is.
    pub(crate) fn prefixed(mut self, what: &str) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// The exit code it ends in.
    pub(crate) fn exit(&self) -> Exit {
        self.0.exit
    }

    /// The stable word.
    pub(crate) fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What went wrong.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it, if anything is known.
    pub(crate) fn what_to_do(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    /// The fields at fault, to be rewritten by who knows them better.
    pub(crate) fn fields_mut(&mut self) -> impl Iterator<Item = &mut String> {
        self.0.fields.iter_mut().map(|(field, _)| field)
    }

    /// Whether there is nobody left to tell.
    pub(crate) fn is_silent(&self) -> bool {
        self.0.silent
    }

    /// Whether the same call, with the same request id, may be made once more at once.
    pub(crate) fn may_be_repeated(&self) -> bool {
        matches!(self.0.code, "unavailable" | "deadline_exceeded" | "unknown" | "cancelled")
    }

    /// For people.
    pub(crate) fn text(&self, label: impl fmt::Display) -> String {
        let Told { message, advice, fields, retry_after_seconds, .. } = &*self.0;
        // Where single fields are named below, the first line says the rest.
        let headline =
            if fields.is_empty() { message.as_str() } else { message.lines().next().unwrap_or_default() };
        let mut text = format!("{label} {headline}\n");
        for (field, problem) in fields.iter().filter(|(_, problem)| !headline.contains(problem.as_str())) {
            let line = match field.as_str() {
                "" => format!("  {problem}\n"),
                field => format!("  {field}: {problem}\n"),
            };
            text.push_str(&line);
        }
        // The broker's own texts say what to do behind a semicolon.
        if let Some(advice) = advice.as_ref().filter(|_| !headline.contains("; ")) {
            text.push_str(&format!("  {advice}\n"));
        }
        if let Some(seconds) = retry_after_seconds {
            text.push_str(&format!("  try again in {seconds}s\n"));
        }
        text
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let Told { code, reason, message, advice, fields, retry_after_seconds, exit, .. } = &*self.0;
        let fields: Vec<Value> =
            fields.iter().map(|(field, problem)| json!({ "field": field, "problem": problem })).collect();
        json!({ "error": {
            "code": code,
            "reason": reason,
            "message": message,
            "advice": advice,
            "fields": fields,
            "retry_after_seconds": retry_after_seconds,
            "exit": exit.code(),
        }})
    }
}

impl From<io::Error> for Failure {
    /// Writing our output failed. Everything else that fails with an I/O error says itself what it was.
    fn from(error: io::Error) -> Self {
        let mut failure = Self::new(Exit::Unexpected, "OUTPUT", format!("cannot write the output: {error}"));
        failure.0.silent = error.kind() == io::ErrorKind::BrokenPipe;
        failure
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        if let Some(error) = cause::<ConnectError>(&status) {
            return error.failure();
        }
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| clean_line(&info.reason)).unwrap_or_default();
        let lost = reason.is_empty() && status.source().is_some();
        let tls = lost.then(|| certificate_wanted(&status)).flatten();
        let message = match status.code() {
            _ if let Some((why, _)) = &tls => format!("cannot reach the broker: {why}"),
            _ if lost => "the connection to the broker was lost".to_owned(),
            Code::DeadlineExceeded | Code::Cancelled if reason.is_empty() => {
                "the broker did not answer in time".to_owned()
            }
            Code::Unimplemented => {
                "the broker does not know this call; it is older than this client".to_owned()
            }
            _ => clean(status.message()),
        };
        let fields = details
            .bad_request()
            .map(|bad| {
                let line =
                    |v: &tonic_types::FieldViolation| (clean_line(&v.field), clean_line(&v.description));
                bad.field_violations.iter().map(line).collect()
            })
            .unwrap_or_default();
        Self(Box::new(Told {
            exit: exit_of(status.code(), &reason, lost),
            code: if lost { "unavailable" } else { word(status.code()) },
            advice: tls
                .map(|(_, advice)| advice)
                .or_else(|| advice_for(&reason, status.code(), lost))
                .map(str::to_owned),
            retry_after_seconds: details
                .retry_info()
                .and_then(|info| info.retry_delay)
                .map(|delay| delay.as_secs().max(1)),
            reason: if reason.is_empty() { word(status.code()).to_uppercase() } else { reason },
            message: if message.is_empty() { format!("the broker said: {}", status.code()) } else { message },
            fields,
            silent: false,
        }))
    }
}

/// The first cause of this type behind an error.
pub(crate) fn cause<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // An I/O error's own `source` skips the error that it wraps.
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// With TLS 1.3 the broker's no to our certificate comes when our handshake is done already, and reaches
/// us through layers that keep nothing of it but its text.
fn certificate_wanted(error: &dyn StdError) -> Option<(String, &'static str)> {
    let alert = AlertDescription::CertificateRequired;
    let mut next = Some(error);
    while let Some(error) = next {
        if error.to_string().ends_with(&format!("{alert:?}")) {
            return Some(tls::told(&rustls::Error::AlertReceived(alert)));
        }
        next = error.source();
    }
    None
}

fn exit_of(code: Code, reason: &str, lost: bool) -> Exit {
    match code {
        _ if lost => Exit::Unreachable,
        Code::Ok => Exit::Ok,
        Code::InvalidArgument | Code::OutOfRange => Exit::Usage,
        Code::Unauthenticated => Exit::SignIn,
        Code::PermissionDenied => Exit::Refused,
        // Not offered and not existing are one answer; what it means to a script is "not for you".
        Code::NotFound if reason == "ROLE_NOT_OFFERED" => Exit::Refused,
        Code::NotFound => Exit::NotFound,
        Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => Exit::State,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::ResourceExhausted => {
            Exit::Unreachable
        }
        Code::Unknown | Code::Unimplemented | Code::Internal | Code::DataLoss => Exit::Unexpected,
    }
}

fn advice_for(reason: &str, code: Code, lost: bool) -> Option<&'static str> {
    Some(match reason {
        "ROLE_NOT_OFFERED" => "`elevate roles` shows what is offered to you",
        "ACTIVATION_NOT_FOUND" => "`elevate list --all` shows yours, `elevate pending` what waits for you",
        "JUSTIFICATION_MISSING" => {
            "say why with `--reason-file FILE`, or leave it out in a terminal and be asked"
        }
        "TICKET_MISSING" => "name it with `--ticket NUMBER`",
        "TICKET_MALFORMED" => "`elevate explain ROLE` shows what the role wants of a ticket",
        "TICKET_REFUSED" => "look at the ticket in its own system, or name another with `--ticket NUMBER`",
        "TICKET_CHECK_MISSING" => "tell the people who run the broker",
        "TICKET_UNANSWERED" => "try again in a moment; if it stays so, tell the people who run the broker",
        "PROOF_STALE" | "PROOF_USED" | "PROOF_UNBOUND" => "repeat the command and sign in when asked",
        "PROOF_WEAK" => {
            "repeat the command and sign in with a second factor, or a passkey where one is asked for"
        }
        "PROOF_FOREIGN" => "sign in as the person that `elevate whoami` shows",
        "OWN_APPROVAL" => "somebody else has to decide; `elevate withdraw` takes your own request back",
        "NOT_NARROWER" => {
            "ask for a shorter term with `--for`, or a scope within the one that `elevate show` shows"
        }
        "SLOT_TAKEN" | "EXTENDED_ALREADY" => "`elevate list` shows it",
        "REVIEW_OPEN" => "ask an auditor or an approver of the role to run `elevate review close`",
        "OWN_REVIEW" => "ask an auditor or an approver of the role to close it",
        "REQUEST_CHANGED" => "look at it again and repeat the command",
        "POLICY_MOVED" => "run `elevate policy plan` again and look at what it would change now",
        "SECOND_PERSON_NEEDED" => "another policy admin confirms it with `elevate policy confirm`",
        "NO_PROPOSAL" => "`elevate policy apply` proposes one where a protected role is touched",
        "FROZEN" => "`elevate whoami` shows whether it still is",
        "NO_POLICY" => "the people who run the broker apply one with `elevate policy apply`",
        "CONTENDED" => "repeat the command",
        _ if lost => "repeat the command; `elevate doctor` tries the way to the broker step by step",
        _ if code == Code::Unauthenticated => "run `elevate login`",
        _ if code == Code::DeadlineExceeded => {
            "see `elevate list` for what came of it; `--timeout` waits longer"
        }
        _ => return None,
    })
}

/// The status code as the JSON form spells it.
fn word(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}
