//! Our words to messages.

use std::collections::BTreeMap;

use elevate_core::activation::{
    Activation, Actor, Cause, Change, Event, Kind, Outcome, ProofShown, Retry, Review, SignOut, State,
    TicketVerdict,
};
use elevate_core::approval::ApprovalRequirement;
use elevate_core::binding::policy_digest;
use elevate_core::due;
use elevate_core::names::{DirectoryRole, Membership, Principal, Relation, Resource, Target};
use elevate_core::policy::tier::{Ascent, Power};
use elevate_core::policy::{Bound, BreakGlass, EligibleRole, ProofRule};
use elevate_proto::v1 as api;
use jiff::{SignedDuration, Timestamp};
use prost_types::Timestamp as WireTime;

use crate::ports::journal::{AppliedPolicy, Entry, Freeze, Note, Position, Said};
use crate::ports::verifier::Challenge;
use crate::workflow::Offer;

pub(super) fn time(at: Timestamp) -> WireTime {
    WireTime { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

pub(super) fn principal(principal: Principal) -> api::Principal {
    api::Principal {
        tenant_id: principal.tenant.to_string(),
        object_id: principal.object.to_string(),
        display_name: String::new(),
    }
}

pub(super) fn target(target: &Target) -> api::DirectoryRole {
    api::DirectoryRole { way: target.way().to_string(), ..resource(&target.resource()) }
}

fn resource(resource: &Resource) -> api::DirectoryRole {
    match resource {
        Resource::Role(DirectoryRole { definition, scope }) => api::DirectoryRole {
            role_definition_id: definition.to_string(),
            scope: scope.to_string(),
            ..api::DirectoryRole::default()
        },
        Resource::Group(Membership { group, relation }) => api::DirectoryRole {
            group_id: group.to_string(),
            relation: relation.to_string(),
            ..api::DirectoryRole::default()
        },
    }
}

pub(super) fn requirements(requirements: &[ApprovalRequirement]) -> Vec<api::ApprovalRequirement> {
    requirements
        .iter()
        .map(|requirement| api::ApprovalRequirement {
            count: i32::from(requirement.count.get()),
            from: requirement.from.iter().map(ToString::to_string).collect(),
        })
        .collect()
}

pub(super) fn proof_rule(rule: &ProofRule) -> api::ProofRequirement {
    api::ProofRequirement {
        strength: rule.strength.as_str().to_owned(),
        auth_context: rule.context.as_ref().map(|context| context.as_str().to_owned()).unwrap_or_default(),
        fresh_within_seconds: rule.freshness.as_secs(),
        nonce_required: rule.bound == Bound::Nonce,
    }
}

pub(super) fn challenge(
    challenge: Challenge,
    digest: elevate_core::binding::Digest,
    rule: &ProofRule,
) -> api::Challenge {
    let Challenge { text, nonce, expires_at } = challenge;
    api::Challenge {
        challenge: text,
        nonce,
        digest: digest.to_string(),
        expires_at: Some(time(expires_at)),
        requirement: Some(proof_rule(rule)),
    }
}

/// What the role behind an offer can do to the tenant.
pub(super) fn power(offer: &EligibleRole) -> api::Power {
    let Some(Power { title, tier, ascent, .. }) = offer.power() else {
        let unknown = || "unknown".to_owned();
        let how = match offer.target.resource() {
            Resource::Role(_) => "",
            Resource::Group(Membership { relation: Relation::Member, .. }) => {
                "what a group gives is not in the table: roles, applications and Azure resources may come with it"
            }
            Resource::Group(Membership { relation: Relation::Owner, .. }) => {
                "what a group gives is not in the table; an owner decides who is in it, and can join it"
            }
        };
        return api::Power { title: String::new(), tier: unknown(), ascent: unknown(), how: how.to_owned() };
    };
    let (ascent, how) = match ascent {
        Ascent::Direct(how) => ("direct", *how),
        Ascent::Indirect(how) => ("indirect", *how),
        Ascent::NoneKnown => ("none-known", ""),
    };
    api::Power {
        title: (*title).to_owned(),
        tier: tier.number().to_string(),
        ascent: ascent.to_owned(),
        how: how.to_owned(),
    }
}

pub(super) fn role(offered: &Offer, activation: Option<api::Activation>) -> api::EligibleRole {
    let Offer { role: offer, everyday, break_glass, live: _ } = offered;
    api::EligibleRole {
        name: offer.name.to_string(),
        title: offer.title.clone(),
        directory_role: Some(target(&offer.target)),
        longest_seconds: i64::from(offer.longest.seconds()),
        usual_seconds: i64::from(offer.usual.seconds()),
        requirements: requirements(&offer.approval),
        approval_window_seconds: offer.approval_window.as_secs(),
        proof: Some(proof_rule(&offer.proof)),
        ticket_required: offer.ticket.required,
        activation,
        ticket_pattern: offer.ticket.pattern.as_ref().map(|p| p.as_str().to_owned()).unwrap_or_default(),
        ticket_system: offer.ticket.system.clone().unwrap_or_default(),
        ticket_checked: offer.ticket.check.is_some(),
        own_approval: offer.own_approval,
        start_ahead_seconds: offer.start_ahead.as_secs(),
        break_glass: break_glass.as_ref().map(|BreakGlass { eligible: _, longest, proof }| {
            api::BreakGlassOffer {
                longest_seconds: i64::from(longest.seconds()),
                proof: Some(proof_rule(proof)),
            }
        }),
        break_glass_only: !everyday,
        sign_out: offer.sign_out,
    }
}

pub(super) fn activation(activation: &Activation) -> api::Activation {
    let request = &activation.request;
    let asked = &request.asked;
    let mut message = api::Activation {
        id: activation.id.to_string(),
        principal: Some(principal(asked.principal)),
        role: asked.role.to_string(),
        directory_role: Some(target(&activation.target)),
        term_seconds: i64::from(activation.term.seconds()),
        justification: asked.justification.as_str().to_owned(),
        ticket: asked.ticket.as_ref().map(|ticket| api::Ticket {
            number: ticket.number().to_owned(),
            system: ticket.system().to_owned(),
        }),
        requested_at: Some(time(request.at)),
        requirements: requirements(&request.requirements),
        approvals: activation
            .taken_off()
            .map(|(approval, off)| api::Approval {
                approver: Some(principal(approval.approver)),
                at: Some(time(approval.at)),
                comment: approval.comment.clone(),
                own: activation.is_own(approval),
                term_seconds: off.term.map_or(0, |term| i64::from(term.seconds())),
                scope: off.scope.map(|scope| scope.to_string()).unwrap_or_default(),
            })
            .collect(),
        approvals_needed: i32::try_from(activation.still_needed()).unwrap_or(i32::MAX),
        policy_version: i64::try_from(asked.policy.0).unwrap_or(i64::MAX),
        version: i64::try_from(activation.version).unwrap_or(i64::MAX),
        digest: activation.digest.to_string(),
        held_from: activation.held_from.map(time),
        ended_by: activation.ended_by.map(principal),
        continues: asked.continues.map(|id| id.to_string()).unwrap_or_default(),
        bundle_ids: request.bundle.iter().map(ToString::to_string).collect(),
        asked_term_seconds: i64::from(asked.term.seconds()),
        asked_scope: asked.target.resource().place(),
        asked_start: asked.starts_at.map(time),
        tokens_may_live_until: due::tokens_may_live_until(activation).map(time),
        review: review(&activation.review),
        sign_out: request.sign_out,
        signed_out: signed_out(&activation.sign_out),
        ..api::Activation::default()
    };
    message.set_kind(match request.kind {
        Kind::Ordinary => api::ActivationKind::Unspecified,
        Kind::BreakGlass => api::ActivationKind::BreakGlass,
    });
    message.set_ticket_verdict(verdict(request.ticket_verdict));
    match &activation.state {
        State::Requested => message.set_state(api::ActivationState::Requested),
        State::AwaitingApproval { lapses_at } => {
            message.set_state(api::ActivationState::AwaitingApproval);
            message.answer_needed_by = Some(time(*lapses_at));
        }
        State::Scheduled { starts_at, .. } => {
            message.set_state(api::ActivationState::Scheduled);
            message.starts_at = Some(time(*starts_at));
        }
        State::Activating { not_after, .. } => {
            message.set_state(api::ActivationState::Activating);
            message.held_until = Some(time(*not_after));
        }
        State::Active { not_after, .. } => {
            message.set_state(api::ActivationState::Active);
            message.held_until = Some(time(*not_after));
        }
        State::Revoking { not_after, .. } => {
            message.set_state(api::ActivationState::Revoking);
            message.held_until = Some(time(*not_after));
        }
        State::Closed { outcome, at } => {
            message.set_state(api::ActivationState::Closed);
            message.closed_at = Some(time(*at));
            let (word, detail) = self::outcome(outcome);
            message.set_outcome(word);
            message.detail = detail;
            if let Outcome::TakenOver { by } = outcome {
                message.continued_by = by.to_string();
            }
        }
    }
    if let Some(retry) = activation.state.retry() {
        message.tries = i32::try_from(retry.tries).unwrap_or(i32::MAX);
        message.detail = hindered(retry);
    }
    message
}

pub(super) const fn verdict(verdict: Option<TicketVerdict>) -> api::TicketVerdict {
    match verdict {
        None => api::TicketVerdict::Unspecified,
        Some(TicketVerdict::Confirmed) => api::TicketVerdict::Confirmed,
        Some(TicketVerdict::Unanswered) => api::TicketVerdict::Unanswered,
    }
}

fn signed_out(sign_out: &SignOut) -> Option<api::SignedOut> {
    let (word, detail, at) = match sign_out {
        SignOut::NotNeeded => return None,
        SignOut::Due(retry) => ("due", hindered(retry), None),
        SignOut::Done { at } => ("done", String::new(), Some(time(*at))),
        SignOut::Failed { reason } => ("failed", reason.clone(), None),
    };
    Some(api::SignedOut { word: word.to_owned(), detail, at })
}

pub(super) fn frozen(freeze: &Freeze) -> api::Frozen {
    let Freeze { by, reason, at } = freeze;
    api::Frozen { by: Some(principal(*by)), reason: reason.clone(), at: Some(time(*at)) }
}

fn review(review: &Review) -> Option<api::Review> {
    match review {
        Review::NotNeeded => None,
        Review::Open => Some(api::Review::default()),
        Review::Closed { by, at, comment } => {
            Some(api::Review { by: Some(principal(*by)), at: Some(time(*at)), comment: comment.clone() })
        }
    }
}

/// Why a step is tried again, and when; empty as long as it is not.
fn hindered(retry: &Retry) -> String {
    let Retry { tries: _, at, hindrance } = retry;
    if hindrance.is_empty() {
        return String::new();
    }
    format!("{hindrance}; the directory is asked again at {at:.0}")
}

fn outcome(outcome: &Outcome) -> (api::Outcome, String) {
    match outcome {
        Outcome::Denied { reason } => (api::Outcome::Denied, reason.clone()),
        Outcome::Lapsed => (api::Outcome::Lapsed, String::new()),
        Outcome::Withdrawn => (api::Outcome::Withdrawn, String::new()),
        Outcome::Failed { reason } => (api::Outcome::Failed, reason.clone()),
        Outcome::Ended(Cause::Expired) => (api::Outcome::Expired, String::new()),
        Outcome::Ended(Cause::Deactivated) => (api::Outcome::Deactivated, String::new()),
        Outcome::Ended(Cause::Revoked { reason }) => (api::Outcome::Revoked, reason.clone()),
        Outcome::Ended(Cause::Unfinished) => (api::Outcome::Unfinished, String::new()),
        Outcome::Ended(Cause::AccountClosed { deleted }) => {
            (api::Outcome::AccountClosed, account_closed(*deleted).to_owned())
        }
        Outcome::RemovedElsewhere => (api::Outcome::RemovedElsewhere, String::new()),
        Outcome::TakenOver { by } => (api::Outcome::TakenOver, format!("continued by {by}")),
    }
}

const fn account_closed(deleted: bool) -> &'static str {
    if deleted { "the account is gone" } else { "the account is disabled" }
}

pub(super) fn policy(applied: &AppliedPolicy) -> api::Policy {
    api::Policy {
        version: i64::try_from(applied.version.0).unwrap_or(i64::MAX),
        text: applied.text.clone(),
        applied_by: Some(principal(applied.by)),
        applied_at: Some(time(applied.at)),
        confirmed_by: applied.confirmed_by.map(principal),
    }
}

pub(super) fn proposal(proposed: &AppliedPolicy) -> api::Proposal {
    api::Proposal {
        version: i64::try_from(proposed.version.0).unwrap_or(i64::MAX),
        text: proposed.text.clone(),
        proposed_by: Some(principal(proposed.by)),
        proposed_at: Some(time(proposed.at)),
        digest: policy_digest(proposed.version.0, &proposed.text).to_string(),
    }
}

pub(super) fn position(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

/// An entry of the record. `about` is the activation it belongs to, for its holder and role.
pub(super) fn entry(entry: &Entry, about: Option<&Activation>) -> api::AuditEntry {
    let mut message = api::AuditEntry { position: position(entry.position), ..api::AuditEntry::default() };
    match &entry.said {
        Said::Activation { id, version, event } => {
            let Event { at, by, change } = event;
            message.at = Some(time(*at));
            message.event = change.word().to_owned();
            message.actor = actor(*by);
            message.activation_id = id.to_string();
            message.details = change_details(change);
            if let (Change::Approved(approval, _), Some(activation)) = (change, about)
                && activation.is_own(approval)
            {
                message.details.insert("own".to_owned(), "true".to_owned());
            }
            message.details.insert("version".to_owned(), version.to_string());
            if let Some(activation) = about {
                message.principal = Some(principal(activation.request.asked.principal));
                message.role = activation.request.asked.role.to_string();
            }
        }
        Said::Note(note) => self::note(note, &mut message),
    }
    message
}

fn actor(by: Actor) -> Option<api::Principal> {
    match by {
        Actor::Principal(who) => Some(principal(who)),
        Actor::Broker => None,
    }
}

fn note(note: &Note, message: &mut api::AuditEntry) {
    let set = |details: &mut BTreeMap<String, String>, key: &str, value: String| {
        details.insert(key.to_owned(), value);
    };
    message.at = Some(time(note.at()));
    match note {
        Note::PolicyApplied(policy) | Note::PolicyProposed(policy) => {
            let AppliedPolicy { version, text, by, at: _, confirmed_by } = policy;
            let applied = matches!(note, Note::PolicyApplied(_));
            message.event = if applied { "policy-applied" } else { "policy-proposed" }.to_owned();
            message.actor = Some(principal(*by));
            set(&mut message.details, "policy_version", version.to_string());
            set(&mut message.details, "bytes", text.len().to_string());
            if let Some(second) = confirmed_by {
                set(&mut message.details, "confirmed_by", second.object.to_string());
            }
        }
        Note::Frozen(freeze) | Note::Thawed(freeze) => {
            let Freeze { by, reason, at: _ } = freeze;
            let frozen = matches!(note, Note::Frozen(_));
            message.event = if frozen { "frozen" } else { "thawed" }.to_owned();
            message.actor = Some(principal(*by));
            set(&mut message.details, "reason", reason.clone());
        }
        Note::Refused { caller, attempt, reason, role, activation, at: _ } => {
            message.event = "attempt-refused".to_owned();
            message.actor = caller.map(principal);
            message.role = role.as_ref().map(ToString::to_string).unwrap_or_default();
            message.activation_id = activation.map(|id| id.to_string()).unwrap_or_default();
            set(&mut message.details, "attempt", attempt.clone());
            set(&mut message.details, "reason", reason.clone());
        }
        Note::Broker { what, version, at: _ } => {
            message.event = format!("broker-{what}");
            set(&mut message.details, "broker_version", version.clone());
        }
        Note::Drift { slot, assignment, at: _ } => {
            message.event = "drift".to_owned();
            message.principal = Some(principal(slot.principal));
            let (what, place) = match slot.resource {
                Resource::Role(_) => ("role_definition_id", "scope"),
                Resource::Group(_) => ("group_id", "relation"),
            };
            set(&mut message.details, what, slot.resource.id().to_string());
            set(&mut message.details, place, slot.resource.place());
            set(&mut message.details, "assignment", assignment.clone());
        }
    }
}

fn change_details(change: &Change) -> BTreeMap<String, String> {
    let details: Vec<(&str, String)> = match change {
        Change::Requested(request) => {
            let asked = &request.asked;
            let mut details = vec![
                ("justification", asked.justification.as_str().to_owned()),
                ("term_seconds", asked.term.seconds().to_string()),
                ("policy_version", asked.policy.to_string()),
                ("digest", asked.digest().to_string()),
                ("request_id", request.request_id.to_string()),
                ("approval_window_seconds", seconds(request.approval_window)),
            ];
            if let Some(ticket) = &asked.ticket {
                details.push(("ticket_number", ticket.number().to_owned()));
                details.push(("ticket_system", ticket.system().to_owned()));
            }
            if let Some(verdict) = request.ticket_verdict {
                let said = match verdict {
                    TicketVerdict::Confirmed => "confirmed",
                    TicketVerdict::Unanswered => "unanswered",
                };
                details.push(("ticket_verdict", said.to_owned()));
            }
            if let Some(starts_at) = asked.starts_at {
                details.push(("starts_at", starts_at.to_string()));
            }
            if let Some(continues) = asked.continues {
                details.push(("continues", continues.to_string()));
            }
            if !request.bundle.is_empty() {
                let ids: Vec<_> = request.bundle.iter().map(ToString::to_string).collect();
                details.push(("bundle", ids.join(" ")));
            }
            details.extend(proof_details(&request.proof));
            details
        }
        Change::ApprovalSought { lapses_at } => vec![("answer_needed_by", lapses_at.to_string())],
        Change::Approved(approval, proof) => {
            let mut details =
                vec![("comment", approval.comment.clone()), ("digest", approval.request.to_string())];
            if let Some(term) = approval.narrowed.term {
                details.push(("narrowed_term_seconds", term.seconds().to_string()));
            }
            if let Some(scope) = approval.narrowed.scope {
                details.push(("narrowed_scope", scope.to_string()));
            }
            details.extend(proof_details(proof));
            details
        }
        Change::Denied { reason } | Change::Refused { reason } | Change::SignOutFailed { reason } => {
            vec![("reason", reason.clone())]
        }
        Change::Withdrawn
        | Change::Lapsed
        | Change::Removed
        | Change::RemovedElsewhere
        | Change::SignedOut => Vec::new(),
        Change::Reviewed { comment } => vec![("comment", comment.clone())],
        Change::Scheduled { starts_at, lapses_at } => {
            vec![("starts_at", starts_at.to_string()), ("lapses_at", lapses_at.to_string())]
        }
        Change::ActivationBegun { not_after } => vec![("held_until", not_after.to_string())],
        Change::Activated { held } => vec![("assignment", held.to_string())],
        Change::Postponed { retry_at, reason } => {
            vec![("retry_at", retry_at.to_string()), ("reason", reason.clone())]
        }
        Change::RevocationBegun(cause) => match cause {
            Cause::Expired => vec![("cause", "expired".to_owned())],
            Cause::Deactivated => vec![("cause", "deactivated".to_owned())],
            Cause::Revoked { reason } => vec![("cause", "revoked".to_owned()), ("reason", reason.clone())],
            Cause::Unfinished => vec![("cause", "unfinished".to_owned())],
            Cause::AccountClosed { deleted } => {
                vec![("cause", "account-closed".to_owned()), ("reason", account_closed(*deleted).to_owned())]
            }
        },
        Change::TakenOver { by } => vec![("by", by.to_string())],
    };
    details.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn proof_details(proof: &ProofShown) -> [(&'static str, String); 3] {
    [
        ("signed_in_at", proof.signed_in_at.to_string()),
        ("methods", proof.methods.join(" ")),
        ("contexts", proof.contexts.join(" ")),
    ]
}

fn seconds(length: SignedDuration) -> String {
    length.as_secs().to_string()
}

#[cfg(test)]
mod tests;
