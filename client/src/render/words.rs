//! Activations, roles and people in words.

use elevate_proto::v1;
use v1::{ActivationState as State, Outcome};

use crate::render::table::{pairs, table};
use crate::render::{Look, clean, clean_line, coarse, seconds_as_written, time};

/// What people call somebody, and who it is.
pub(crate) fn person(principal: Option<&v1::Principal>) -> String {
    match principal {
        None => "nobody".to_owned(),
        Some(v1::Principal { object_id, display_name, .. }) if display_name.is_empty() => {
            clean_line(object_id)
        }
        Some(v1::Principal { object_id, display_name, .. }) => {
            format!("{} ({})", clean_line(display_name), clean_line(object_id))
        }
    }
}

/// The short form for tables.
pub(crate) fn person_short(principal: Option<&v1::Principal>) -> String {
    match principal {
        Some(v1::Principal { display_name, .. }) if !display_name.is_empty() => clean_line(display_name),
        other => person(other),
    }
}

/// Where a role counts, and what that is called; empty for a place in a group.
pub(crate) fn place(role: &v1::DirectoryRole) -> String {
    let scope = scope(&role.scope);
    match clean_line(&role.scope_name) {
        name if name.is_empty() => scope,
        name if scope.starts_with("/administrativeUnits/") => format!("administrative unit {name} ({scope})"),
        name => format!("{name} ({scope})"),
    }
}

/// A scope by itself, without a name.
pub(crate) fn scope(scope: &str) -> String {
    if scope == "/" { "the whole tenant".to_owned() } else { clean_line(scope) }
}

/// The role in the directory, and how it is granted.
pub(crate) fn directory_role(role: &v1::DirectoryRole) -> String {
    let what = if role.group_id.is_empty() {
        format!("role definition {}", clean_line(&role.role_definition_id))
    } else {
        format!("{} of group {}", clean_line(&role.relation), clean_line(&role.group_id))
    };
    format!("{what}, granted by way of `{}`", clean_line(&role.way))
}

/// Who must say yes.
pub(crate) fn requirements(requirements: &[v1::ApprovalRequirement]) -> String {
    let one = |requirement: &v1::ApprovalRequirement| {
        let from: Vec<String> =
            requirement.from.iter().map(|who| clean_line(&who.replacen(':', " ", 1))).collect();
        format!("{} of {}", requirement.count, from.join(" or "))
    };
    match requirements {
        [] => "nobody's approval is needed".to_owned(),
        all => all.iter().map(one).collect::<Vec<_>>().join(", and "),
    }
}

/// Who could say yes: a line for each requirement, and what is wrong where they are not enough.
pub(crate) fn approvers(approvers: Option<&v1::Approvers>) -> String {
    let Some(v1::Approvers { requirements, enough }) = approvers else { return String::new() };
    let line = |candidates: &v1::Candidates| {
        let v1::Candidates { count, people, more } = candidates;
        let mut names: Vec<_> = people.iter().map(|each| person_short(Some(each))).collect();
        names.sort();
        match (names.is_empty(), more) {
            (true, true) => format!("{count} of people who cannot be named right now"),
            (true, false) => format!("{count}, and there is nobody"),
            (false, true) => format!("{count} of {}, and others", names.join(", ")),
            (false, false) => format!("{count} of {}", names.join(", ")),
        }
    };
    let mut lines: Vec<_> = requirements.iter().map(line).collect();
    if enough == "no" {
        lines.push("not enough people: a request would wait and lapse".to_owned());
    }
    lines.join("\n")
}

/// What a role can do to the tenant.
pub(crate) fn power(power: Option<&v1::Power>) -> String {
    let Some(v1::Power { title, tier, ascent, how }) = power else { return String::new() };
    if tier == "unknown" && !how.is_empty() {
        return format!("unknown: {}", clean_line(how));
    }
    if tier == "unknown" {
        return "unknown: not a built-in role for the whole tenant".to_owned();
    }
    let (title, tier, how) = (clean_line(title), clean_line(tier), clean_line(how));
    match ascent.as_str() {
        "direct" => format!("tier {tier}, {title}: {how}"),
        "indirect" => format!("tier {tier}, {title}: where the tenant has what it takes, {how}"),
        _ => format!("tier {tier}, {title}: no way to grant itself more is known"),
    }
}

/// What a sign-in must show.
pub(crate) fn proof(requirement: &v1::ProofRequirement) -> String {
    let mut words = vec![match requirement.strength.as_str() {
        "mfa" => "with a second factor".to_owned(),
        "phishing-resistant" => "phishing-resistant (passkey, certificate or Windows Hello)".to_owned(),
        other => clean_line(other),
    }];
    if !requirement.auth_context.is_empty() {
        words.push(format!("authentication context {}", clean_line(&requirement.auth_context)));
    }
    words.push(format!("made within {}", seconds_as_written(requirement.fresh_within_seconds)));
    words.join(", ")
}

/// A ticket, as one line; empty without one.
pub(crate) fn ticket(ticket: Option<&v1::Ticket>) -> String {
    ticket.map(|ticket| clean_line(&format!("{} {}", ticket.system, ticket.number))).unwrap_or_default()
}

/// What a role wants of a ticket; empty when nothing.
pub(crate) fn ticket_rule(role: &v1::EligibleRole) -> String {
    let wants = [("like", &role.ticket_pattern), ("in", &role.ticket_system)];
    let wants = wants.into_iter().filter(|(_, what)| !what.is_empty());
    let mut parts: Vec<_> = wants.map(|(how, what)| format!("{how} `{}`", clean_line(what))).collect();
    if role.ticket_checked {
        parts.push("its own system is asked".to_owned());
    }
    match (role.ticket_required, parts.is_empty()) {
        (false, true) => String::new(),
        (true, true) => "needed".to_owned(),
        (needed, false) => {
            format!("{}: {}", if needed { "needed" } else { "if one is named" }, parts.join(", "))
        }
    }
}

/// A ticket, and what its own system said of it.
pub(crate) fn vouched(ticket: Option<&v1::Ticket>, verdict: v1::TicketVerdict) -> String {
    let ticket = self::ticket(ticket);
    match verdict {
        v1::TicketVerdict::Unspecified => ticket,
        v1::TicketVerdict::Confirmed => format!("{ticket}, confirmed there"),
        v1::TicketVerdict::Unanswered => format!("{ticket}, not confirmed: nobody answered there"),
    }
}

/// Where an activation stands, without the times.
pub(crate) fn standing(activation: &v1::Activation) -> String {
    let standing = by_itself(activation);
    match activation.state() {
        // Beside what is held, it is no second role.
        State::Requested | State::AwaitingApproval | State::Scheduled if !activation.continues.is_empty() => {
            format!("{standing} to go on longer")
        }
        State::Activating if !activation.continues.is_empty() => "taking over".to_owned(),
        _ => standing,
    }
}

fn by_itself(activation: &v1::Activation) -> String {
    match activation.state() {
        State::Unspecified => "in a state that this client does not know".to_owned(),
        State::Requested => "requested".to_owned(),
        State::AwaitingApproval if has_own(activation) => {
            format!("waiting for {} besides their own", approvals(activation.approvals_needed))
        }
        State::AwaitingApproval => format!("waiting for {}", approvals(activation.approvals_needed)),
        State::Scheduled => "scheduled".to_owned(),
        State::Activating => "being granted".to_owned(),
        State::Active => "active".to_owned(),
        State::Revoking => "being taken away".to_owned(),
        State::Closed => outcome(activation.outcome()).to_owned(),
    }
}

/// Where an activation stands, in a few words.
pub(crate) fn state(look: &Look, activation: &v1::Activation) -> String {
    let at = |label: &str, at: Option<&prost_types::Timestamp>| match time(at) {
        Some(at) => format!("{label} {}", look.time(at)),
        None => String::new(),
    };
    let word = standing(activation);
    let when = match activation.state() {
        State::AwaitingApproval => at("until", activation.answer_needed_by.as_ref()),
        State::Scheduled => at("from", activation.starts_at.as_ref()),
        State::Active => at("until", activation.held_until.as_ref()),
        State::Closed => {
            return match at("at", activation.closed_at.as_ref()) {
                when if when.is_empty() => word,
                when => format!("{word} {when}"),
            };
        }
        State::Unspecified | State::Requested | State::Activating | State::Revoking => String::new(),
    };
    if when.is_empty() { word } else { format!("{word}, {when}") }
}

fn has_own(activation: &v1::Activation) -> bool {
    activation.approvals.iter().any(|approval| approval.own)
}

/// Who said yes, counted, the asker's own apart: `1 own, 1 other`. A dash without any.
fn yeses(activation: &v1::Activation) -> String {
    let own = activation.approvals.iter().filter(|approval| approval.own).count();
    match (own, activation.approvals.len() - own) {
        (0, 0) => "-".to_owned(),
        (0, others) => others.to_string(),
        (own, others) => format!("{own} own, {others} other"),
    }
}

pub(crate) fn approvals(needed: i32) -> String {
    match needed {
        1 => "1 approval".to_owned(),
        more => format!("{more} approvals"),
    }
}

/// How an activation ended, in a word or two.
pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unspecified => "closed",
        Outcome::Denied => "denied",
        Outcome::Lapsed => "lapsed",
        Outcome::Withdrawn => "withdrawn",
        Outcome::Failed => "failed",
        Outcome::Expired => "expired",
        Outcome::Deactivated => "deactivated",
        Outcome::Revoked => "revoked",
        Outcome::Unfinished => "not finished",
        Outcome::RemovedElsewhere => "removed elsewhere",
        Outcome::TakenOver => "continued by another",
        Outcome::AccountClosed => "taken away, the account being closed",
    }
}

/// Whether an activation that ended so was held.
pub(crate) fn was_held(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Expired
        | Outcome::Deactivated
        | Outcome::Revoked
        | Outcome::RemovedElsewhere
        | Outcome::TakenOver
        | Outcome::AccountClosed => true,
        Outcome::Unspecified
        | Outcome::Denied
        | Outcome::Lapsed
        | Outcome::Withdrawn
        | Outcome::Failed
        | Outcome::Unfinished => false,
    }
}

/// `2 of 3`: its place in what was asked for together. A dash where it was asked for alone.
fn place_in_bundle(activation: &v1::Activation) -> String {
    let ids = &activation.bundle_ids;
    match ids.iter().position(|id| *id == activation.id) {
        Some(place) => format!("{} of {}", place + 1, ids.len()),
        None => "-".to_owned(),
    }
}

/// Many activations.
pub(crate) fn activations(look: &Look, activations: &[v1::Activation], with_holder: bool) -> String {
    // Who asks for one role at a time need not make room for it.
    let with_bundles = activations.iter().any(|activation| !activation.bundle_ids.is_empty());
    let headings: Vec<&str> = ["ROLE", "WHO", "STATE", "FOR", "TOGETHER", "WHY", "ID"]
        .into_iter()
        .filter(|heading| with_holder || *heading != "WHO")
        .filter(|heading| with_bundles || *heading != "TOGETHER")
        .collect();
    let rows = activations.iter().map(|activation| {
        let mut row = vec![activation.role.clone()];
        if with_holder {
            row.push(person_short(activation.principal.as_ref()));
        }
        row.push(state(look, activation));
        row.push(seconds_as_written(activation.term_seconds));
        if with_bundles {
            row.push(place_in_bundle(activation));
        }
        row.push(short(&activation.justification));
        row.push(activation.id.clone());
        row
    });
    table(look, &headings, rows)
}

/// Many activations with the time that is left, to the second.
pub(crate) fn board(look: &Look, activations: &[v1::Activation], with_holder: bool) -> String {
    let headings: &[&str] = if with_holder {
        &["ROLE", "WHO", "STATE", "LEFT", "WHY", "ID"]
    } else {
        &["ROLE", "STATE", "LEFT", "WHY", "ID"]
    };
    let rows = activations.iter().map(|activation| {
        let mut row = vec![activation.role.clone()];
        if with_holder {
            row.push(person_short(activation.principal.as_ref()));
        }
        row.push(standing(activation));
        row.push(left(look, activation));
        row.push(short(&activation.justification));
        row.push(activation.id.clone());
        row
    });
    table(look, headings, rows)
}

/// Until what is shown by [`standing`] changes by itself: the end of the term, the last moment for an answer,
/// the beginning.
fn left(look: &Look, activation: &v1::Activation) -> String {
    let until = match activation.state() {
        State::AwaitingApproval => activation.answer_needed_by.as_ref(),
        State::Scheduled => activation.starts_at.as_ref(),
        State::Activating | State::Active => activation.held_until.as_ref(),
        State::Unspecified | State::Requested | State::Revoking | State::Closed => None,
    };
    match time(until).map(|until| until.duration_since(look.now)) {
        None => "-".to_owned(),
        // Of one width, so that nothing moves as it counts down.
        Some(left) => {
            let seconds = left.as_secs().max(0);
            format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
        }
    }
}

/// Activations that are over: how each ended, by whom, and for how long it was held.
pub(crate) fn history(look: &Look, activations: &[v1::Activation], with_holder: bool) -> String {
    // Who never meets an own yes need not make room for it.
    let with_yeses = activations.iter().any(has_own);
    let headings: Vec<&str> = ["ROLE", "WHO", "APPROVED", "ENDED", "HELD", "WHY", "ID"]
        .into_iter()
        .filter(|heading| with_holder || *heading != "WHO")
        .filter(|heading| with_yeses || *heading != "APPROVED")
        .collect();
    let rows = activations.iter().map(|activation| {
        let mut row = vec![activation.role.clone()];
        if with_holder {
            row.push(person_short(activation.principal.as_ref()));
        }
        if with_yeses {
            row.push(yeses(activation));
        }
        row.push(ended(look, activation));
        row.push(held(look, activation));
        row.push(short(&activation.justification));
        row.push(activation.id.clone());
        row
    });
    table(look, &headings, rows)
}

/// `denied by Bob at 16:42`.
fn ended(look: &Look, activation: &v1::Activation) -> String {
    let mut words = outcome(activation.outcome()).to_owned();
    // Who gave back or withdrew is the one who asked.
    let another = activation
        .ended_by
        .as_ref()
        .filter(|who| activation.principal.as_ref().is_none_or(|asker| asker.object_id != who.object_id));
    if let Some(who) = another {
        words.push_str(&format!(" by {}", person_short(Some(who))));
    }
    if let Some(at) = time(activation.closed_at.as_ref()) {
        words.push_str(&format!(" at {}", look.clock(at)));
    }
    words
}

/// `14:00 to 15:59 (1h 59m)`; a dash where it never was.
fn held(look: &Look, activation: &v1::Activation) -> String {
    let Some(from) = time(activation.held_from.as_ref()) else { return "-".to_owned() };
    let Some(until) = time(activation.closed_at.as_ref()) else {
        return format!("from {}", look.clock(from));
    };
    let length = coarse(until.duration_since(from).abs());
    format!("{} to {} ({length})", look.clock(from), look.clock(until))
}

/// The first words of a long text.
fn short(text: &str) -> String {
    const LETTERS_MAX: usize = 60;
    let line = clean_line(text);
    match line.char_indices().nth(LETTERS_MAX) {
        None => line,
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default().trim_end()),
    }
}

/// Everything about one activation.
pub(crate) fn activation(look: &Look, activation: &v1::Activation) -> String {
    let at = |at: Option<&prost_types::Timestamp>| time(at).map(|at| look.time(at)).unwrap_or_default();
    let said: Vec<String> = activation.approvals.iter().map(|approval| said_yes(look, approval)).collect();
    let target = activation.directory_role.clone().unwrap_or_default();
    let tries = match activation.tries {
        0 => String::new(),
        tries => format!("{tries} without a clear answer from the directory"),
    };
    let head = format!("{}  {}", look.paint("1", &clean_line(&activation.role)), state(look, activation));
    let body = pairs(&[
        ("id", clean_line(&activation.id)),
        ("detail", clean(&activation.detail)),
        ("together", together(activation)),
        ("who", person(activation.principal.as_ref())),
        ("what", directory_role(&target)),
        ("scope", as_asked(place(&target), scope_asked(activation, &target))),
        ("for", as_asked(seconds_as_written(activation.term_seconds), term_asked(activation))),
        ("why", clean(&activation.justification)),
        ("ticket", vouched(activation.ticket.as_ref(), activation.ticket_verdict())),
        ("continues", clean_line(&activation.continues)),
        ("approval", requirements(&activation.requirements)),
        ("approved by", said.join("\n")),
        ("yeses", if has_own(activation) { yeses(activation) } else { String::new() }),
        (
            ended_label(activation),
            activation.ended_by.as_ref().map(|who| person(Some(who))).unwrap_or_default(),
        ),
        ("asked", at(activation.requested_at.as_ref())),
        ("answer by", at(activation.answer_needed_by.as_ref())),
        ("to begin", at(activation.asked_start.as_ref())),
        ("held from", at(activation.held_from.as_ref())),
        ("held until", at(activation.held_until.as_ref())),
        ("closed", at(activation.closed_at.as_ref())),
        ("tokens until", tokens(look, activation)),
        ("review", review(look, activation)),
        ("sign-out", signed_out(look, activation)),
        ("tries", tries),
        ("policy", format!("version {}", activation.policy_version)),
    ]);
    format!("{head}\n{body}")
}

/// Until when a token that was issued while the role was held may live, which nobody can take back.
fn tokens(look: &Look, activation: &v1::Activation) -> String {
    let is_overdue = time(activation.held_until.as_ref()).is_some_and(|end| end < look.now);
    if activation.state() == State::Revoking && is_overdue {
        return "an hour and a half after it is seen gone".to_owned();
    }
    time(activation.tokens_may_live_until.as_ref())
        .map(|until| format!("{}, or up to 28h where an app evaluates access continuously", look.time(until)))
        .unwrap_or_default()
}

/// That it was not asked for alone.
fn together(activation: &v1::Activation) -> String {
    match activation.bundle_ids.as_slice() {
        [] => String::new(),
        _ => format!("{} that were asked for together", place_in_bundle(activation)),
    }
}

/// `30m (2h was asked)`, where approvers took something off.
fn as_asked(is: String, asked: Option<String>) -> String {
    match asked {
        Some(asked) => format!("{is} ({asked} was asked)"),
        None => is,
    }
}

fn term_asked(activation: &v1::Activation) -> Option<String> {
    let asked = activation.asked_term_seconds;
    Some(asked).filter(|asked| *asked > 0 && *asked != activation.term_seconds).map(seconds_as_written)
}

fn scope_asked(activation: &v1::Activation, target: &v1::DirectoryRole) -> Option<String> {
    let asked = activation.asked_scope.as_str();
    let differs = target.group_id.is_empty() && !asked.is_empty() && asked != target.scope;
    differs.then(|| scope(asked))
}

/// What whoever ended it did: by the outcome, or by what is under way.
fn ended_label(activation: &v1::Activation) -> &'static str {
    match activation.outcome() {
        Outcome::Denied => "denied by",
        Outcome::Withdrawn => "withdrawn by",
        Outcome::Revoked => "revoked by",
        Outcome::Deactivated => "given back by",
        _ => "ended by",
    }
}

/// Since when nothing is granted, by whom and why.
pub(crate) fn frozen(look: &Look, frozen: &v1::Frozen) -> String {
    let at = time(frozen.at.as_ref()).map(|at| format!(" since {}", look.time(at))).unwrap_or_default();
    format!(
        "nothing is granted{at}, frozen by {}: {}",
        person(frozen.by.as_ref()),
        clean_line(&frozen.reason)
    )
}

/// Whether the holder is signed out after the role, and what came of it. It ends sessions, and no token that was
/// issued before.
fn signed_out(look: &Look, activation: &v1::Activation) -> String {
    const TOKENS: &str =
        "access tokens issued before live on for an hour or so where an app does not check continuously";
    match &activation.signed_out {
        None if activation.sign_out && activation.state() != State::Closed => {
            "the sign-in sessions end after the role".to_owned()
        }
        None => String::new(),
        Some(v1::SignedOut { word, detail, at }) => match word.as_str() {
            "done" => {
                let at = time(at.as_ref()).map(|at| format!(" at {}", look.clock(at))).unwrap_or_default();
                format!("sign-in sessions ended{at}; {TOKENS}")
            }
            "due" if detail.is_empty() => "sign-in sessions are being ended".to_owned(),
            "due" => format!("sign-in sessions are being ended: {}", clean(detail)),
            _ => format!(
                "failed: {}; an administrator can revoke the sessions in Entra by hand",
                clean(detail)
            ),
        },
    }
}

/// Whether somebody has to look at it after, or who has; empty for an everyday activation.
fn review(look: &Look, activation: &v1::Activation) -> String {
    match &activation.review {
        None => String::new(),
        Some(v1::Review { by: None, .. }) => {
            "open: a break-glass use that somebody else must look at, with `elevate review close`".to_owned()
        }
        Some(v1::Review { by, at, comment }) => {
            let at = time(at.as_ref()).map(|at| look.clock(at)).unwrap_or_default();
            format!("closed by {} at {at}: {}", person(by.as_ref()), clean(comment))
        }
    }
}

fn said_yes(look: &Look, approval: &v1::Approval) -> String {
    let at = time(approval.at.as_ref()).map(|at| look.clock(at)).unwrap_or_default();
    let comment = match clean_line(&approval.comment) {
        comment if comment.is_empty() => comment,
        comment => format!(": {comment}"),
    };
    let mut words = format!("{} at {at}", person(approval.approver.as_ref()));
    if approval.own {
        words.push_str(", their own");
    }
    if approval.term_seconds > 0 {
        words.push_str(&format!(", for {}", seconds_as_written(approval.term_seconds)));
    }
    if !approval.scope.is_empty() {
        words.push_str(&format!(", at {}", scope(&approval.scope)));
    }
    words + &comment
}
