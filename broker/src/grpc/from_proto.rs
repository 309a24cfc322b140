//! Messages to our words. What does not fit is refused here, with its field.

use std::str::FromStr;

use elevate_core::activation::Kind;
use elevate_core::approval::Narrowed;
use elevate_core::binding::Digest;
use elevate_core::names::{ActivationId, Justification, RequestId, RoleName, Ticket, is_plain};
use elevate_core::policy::PolicyVersion;
use elevate_core::term::{Term, TermError};
use elevate_proto::v1 as api;
use jiff::Timestamp;

use crate::ports::journal::Page;
use crate::workflow::{Refusal, Wish, YesToOne};

pub(super) fn field<T>(field: &'static str, text: &str) -> Result<T, Refusal>
where
    T: FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|error: T::Err| Refusal::Field { field, problem: error.to_string() })
}

pub(super) fn activation_id(text: &str) -> Result<ActivationId, Refusal> {
    field("id", text)
}

pub(super) fn request_id(text: &str) -> Result<RequestId, Refusal> {
    field("request_id", text)
}

/// A name that could be no role's tells nothing about the roles there are, and is refused as what it is.
pub(super) fn role(text: &str) -> Result<RoleName, Refusal> {
    field("role", text)
}

pub(super) fn term(seconds: i64) -> Result<Option<Term>, Refusal> {
    if seconds == 0 {
        return Ok(None);
    }
    let refused = |error: TermError| Refusal::Field { field: "term_seconds", problem: error.to_string() };
    Term::from_seconds(seconds).map(Some).map_err(refused)
}

/// Less than the whole, where something is said.
pub(super) fn narrowed(seconds: i64, scope: &str) -> Result<Narrowed, Refusal> {
    let scope = if scope.is_empty() { None } else { Some(field("scope", scope)?) };
    Ok(Narrowed { term: term(seconds)?, scope })
}

pub(super) fn justification(text: &str) -> Result<Justification, Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::JustificationMissing);
    }
    field("justification", text)
}

pub(super) fn ticket(ticket: Option<api::Ticket>) -> Result<Option<Ticket>, Refusal> {
    let Some(api::Ticket { number, system }) = ticket else { return Ok(None) };
    if number.is_empty() && system.is_empty() {
        return Ok(None);
    }
    Ticket::new(&number, &system)
        .map(Some)
        .map_err(|error| Refusal::Field { field: "ticket", problem: error.to_string() })
}

/// What is wished for. A request for it is read the same way, and may be no other wish.
pub(super) fn wish(message: api::PrepareActivationRequest) -> Result<Wish, Refusal> {
    let api::PrepareActivationRequest {
        role: name,
        term_seconds,
        justification: why,
        ticket: under,
        kind: offer,
        starts_at,
        scope,
        continues,
    } = message;
    Ok(Wish {
        role: role(&name)?,
        term: term(term_seconds)?,
        justification: justification(&why)?,
        ticket: ticket(under)?,
        kind: kind(offer)?,
        starts_at: starts_at.map(start).transpose()?,
        continues: if continues.is_empty() { None } else { Some(field("continues", &continues)?) },
        scope: if scope.is_empty() { None } else { Some(field("scope", &scope)?) },
    })
}

/// What is wished for together.
pub(super) fn wishes(items: Vec<api::PrepareActivationRequest>) -> Result<Vec<Wish>, Refusal> {
    items.into_iter().map(wish).collect()
}

/// In whole seconds, as it enters the digest.
fn start(at: prost_types::Timestamp) -> Result<Timestamp, Refusal> {
    let wrong = |problem: &str| Refusal::Field { field: "starts_at", problem: problem.to_owned() };
    if at.nanos != 0 {
        return Err(wrong("must be in whole seconds"));
    }
    Timestamp::from_second(at.seconds).map_err(|_| wrong("is beyond all calendars"))
}

fn kind(offer: i32) -> Result<Kind, Refusal> {
    match api::ActivationKind::try_from(offer) {
        Ok(api::ActivationKind::Unspecified) => Ok(Kind::Ordinary),
        Ok(api::ActivationKind::BreakGlass) => Ok(Kind::BreakGlass),
        Err(_) => Err(Refusal::Field { field: "kind", problem: "is none that there is".to_owned() }),
    }
}

pub(super) fn policy_version(number: i64, field: &'static str) -> Result<PolicyVersion, Refusal> {
    let wrong = |_| Refusal::Field { field, problem: "must not be negative".to_owned() };
    u64::try_from(number).map(PolicyVersion).map_err(wrong)
}

pub(super) fn digest(text: &str) -> Result<Digest, Refusal> {
    let wrong =
        || Refusal::Field { field: "digest", problem: "must be 64 digits of lower-case hex".to_owned() };
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return Err(wrong());
    }
    let mut bytes = [0_u8; 32];
    for (byte, place) in bytes.iter_mut().zip(0..) {
        let pair = text.get(place * 2..place * 2 + 2).ok_or_else(wrong)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(Digest::from_bytes(bytes))
}

/// Which ones a yes is to, and to what of each.
pub(super) fn approved(items: &[api::ApprovedItem]) -> Result<Vec<YesToOne>, Refusal> {
    let one = |item: &api::ApprovedItem| {
        let api::ApprovedItem { id, digest: shown, term_seconds, scope } = item;
        let much = narrowed(*term_seconds, scope)?;
        Ok(YesToOne { id: activation_id(id)?, digest: digest(shown)?, much })
    };
    items.iter().map(one).collect()
}

/// A free text of one to `max` characters (or none, where `optional`).
pub(super) fn words(field: &'static str, text: &str, max: usize, optional: bool) -> Result<String, Refusal> {
    let text = text.trim();
    let plain = text.chars().all(|letter| letter == '\n' || is_plain(letter));
    if text.chars().count() > max || !plain || (text.is_empty() && !optional) {
        let least = i32::from(!optional);
        let problem =
            format!("must be {least} to {max} characters, without control characters or hidden ones");
        return Err(Refusal::Field { field, problem });
    }
    Ok(text.to_owned())
}

/// A proof, or none: an absent one is an empty one, and no token is empty.
pub(super) fn proof(proof: Option<api::Proof>) -> Result<api::Proof, Refusal> {
    proof.ok_or_else(|| Refusal::Field {
        field: "proof",
        problem: "is missing: prepare, sign in for the challenge, and send the ID token".to_owned(),
    })
}

pub(super) fn size(asked: i32, usual: usize, most: usize) -> Result<usize, Refusal> {
    match usize::try_from(asked) {
        Ok(0) => Ok(usual),
        Ok(size) if size <= most => Ok(size),
        _ => Err(Refusal::Field { field: "page_size", problem: format!("must be from 0 to {most}") }),
    }
}

pub(super) fn page(asked: i32, token: &str, usual: usize, most: usize) -> Result<Page, Refusal> {
    let after = if token.is_empty() { None } else { Some(field("page_token", token)?) };
    Ok(Page { limit: size(asked, usual, most)?, after })
}

#[cfg(test)]
mod tests;
