//! What a sign-in is bound to, computed here from what the person was shown.
//!
//! The broker sends a digest and a nonce too. They are compared, never trusted: a broker (or somebody
//! in its place) that shows one request and asks for a sign-in to another is found out before the
//! browser opens. The recipes are those of the contract, see `PrepareActivation`, `PrepareApproval` and
//! `Challenge` there.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use elevate_proto::v1;

use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// What a request is, as far as it is bound: every field that its digest covers.
#[derive(Debug, Clone)]
pub(crate) struct Asked<'a> {
    pub(crate) principal: &'a v1::Principal,
    pub(crate) role: &'a str,
    pub(crate) directory_role: &'a v1::DirectoryRole,
    /// Where it counts, or as what: as asked, which approvers may have narrowed since.
    pub(crate) place: &'a str,
    pub(crate) term_seconds: i64,
    /// In seconds since 1970; absent when it is to begin at once.
    pub(crate) starts_at: Option<i64>,
    pub(crate) justification: &'a str,
    pub(crate) ticket: Option<&'a v1::Ticket>,
    pub(crate) policy_version: i64,
    /// The activation that is to go on as this one; empty where there is none.
    pub(crate) continues: &'a str,
}

impl<'a> Asked<'a> {
    /// What was asked when this activation began; `None` where the broker does not say it all.
    pub(crate) fn of(activation: &'a v1::Activation) -> Option<Self> {
        Some(Self {
            principal: activation.principal.as_ref()?,
            role: &activation.role,
            directory_role: activation.directory_role.as_ref()?,
            place: &activation.asked_scope,
            term_seconds: activation.asked_term_seconds,
            starts_at: activation.asked_start.as_ref().map(|at| at.seconds),
            justification: &activation.justification,
            ticket: activation.ticket.as_ref(),
            policy_version: activation.policy_version,
            continues: &activation.continues,
        })
    }

    /// The digest of the request, lower-case hex.
    pub(crate) fn digest(&self) -> String {
        let ticket = |part: fn(&v1::Ticket) -> &str| self.ticket.map(part).unwrap_or_default().trim();
        let v1::DirectoryRole { way, role_definition_id, scope: _, group_id, relation: _, scope_name: _ } =
            self.directory_role;
        let what = if group_id.is_empty() { role_definition_id } else { group_id };
        hex(&hash(
            "elevate-activation-v1",
            &[
                &self.principal.tenant_id,
                &self.principal.object_id,
                self.role,
                way,
                what,
                self.place,
                &self.term_seconds.to_string(),
                &self.starts_at.map(|at| at.to_string()).unwrap_or_default(),
                self.justification.trim(),
                ticket(|t| &t.number),
                ticket(|t| &t.system),
                &self.policy_version.to_string(),
                self.continues,
            ],
        ))
    }
}

/// Where a role counts, or what one is to a group.
pub(crate) fn place(role: &v1::DirectoryRole) -> &str {
    if role.group_id.is_empty() { &role.scope } else { &role.relation }
}

/// To how much of a request a yes is, where that is not the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Less {
    /// The term in seconds; 0 is the whole.
    pub(crate) term_seconds: i64,
    /// The scope; empty is the whole.
    pub(crate) scope: String,
}

/// What an approver says yes to, lower-case hex.
pub(crate) fn approval_digest(activation_id: &str, request_digest: &str, less: &Less) -> String {
    let Less { term_seconds, scope } = less;
    if *less == Less::default() {
        return hex(&hash("elevate-approval-v1", &[activation_id, request_digest]));
    }
    let term = if *term_seconds == 0 { String::new() } else { term_seconds.to_string() };
    hex(&hash("elevate-approval-narrowed-v1", &[activation_id, request_digest, &term, scope]))
}

/// What one sign-in is to where it is for several, lower-case hex: the digests of each, in their order.
pub(crate) fn bundle_digest(members: &[String]) -> String {
    hex(&hash("elevate-bundle-v1", &members.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// The `nonce` that binds a sign-in to a challenge, a digest and an action.
pub(crate) fn nonce(challenge: &str, digest: &str, action: &str) -> String {
    URL_SAFE_NO_PAD.encode(hash("elevate-nonce-v1", &[challenge, digest, action]))
}

/// Refuses a challenge that is not for what was shown.
pub(crate) fn check(challenge: &v1::Challenge, digest: &str, action: &str) -> Result<()> {
    if challenge.digest == digest && challenge.nonce == nonce(&challenge.challenge, digest, action) {
        return Ok(());
    }
    Err(foreign())
}

/// The broker asks for a sign-in to something else than what is shown.
pub(crate) fn foreign() -> Failure {
    Failure::new(
        Exit::Refused,
        "CHALLENGE_FOREIGN",
        "the broker's challenge is not for what is shown; do not sign in",
    )
    .advice(
        "tell the people who run the broker, and check with `elevate doctor` that you reach the right \
         one. An `elevate` much older or newer than the broker would show this too",
    )
}

/// SHA-256 of a prefix and fields, each field behind its length in four bytes, big endian.
fn hash(domain: &str, fields: &[&str]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(domain.as_bytes());
    for field in fields {
        context.update(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        context.update(field.as_bytes());
    }
    let mut sum = [0; 32];
    for (to, from) in sum.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    sum
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
