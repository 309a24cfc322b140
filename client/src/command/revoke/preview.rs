//! What would be taken away: who, which role, until when, and what cannot end at once.

use elevate_proto::v1;
use v1::ActivationState as State;

use crate::connect::Broker;
use crate::failure::{Failure, Result};
use crate::render::table::table;
use crate::render::{Look, clean_line, time, words};

/// As many as the broker gives in a page, and more pages than one call takes away.
const PAGE: i32 = 100;
const PAGES_MAX: usize = 120;
/// How many are shown to somebody who has to say yes; the numbers are of all.
const SHOWN: usize = 50;

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Preview {
    pub(super) candidates: Vec<v1::RevocationCandidate>,
    pub(super) unknown_ids: Vec<String>,
}

impl Preview {
    pub(super) async fn of(broker: &Broker, selection: &v1::RevocationSelection) -> Result<Self> {
        let mut found = Self::default();
        let mut page_token = String::new();
        for _ in 0..PAGES_MAX {
            let selection = Some(selection.clone());
            let page = v1::PreviewRevocationRequest { selection, page_size: PAGE, page_token };
            let answer = broker.revocation().preview_revocation(broker.call(page)).await?.into_inner();
            let v1::PreviewRevocationResponse { candidates, next_page_token, unknown_ids } = answer;
            found.candidates.extend(candidates);
            found.unknown_ids.extend(unknown_ids);
            page_token = next_page_token;
            if page_token.is_empty() {
                return Ok(found);
            }
        }
        Err(Failure::usage("that is more than can be shown at once")
            .advice("narrow it by `--role` or `--principal`"))
    }

    /// How many can still be taken away.
    pub(super) fn live(&self) -> usize {
        self.activations().filter(|one| one.state() != State::Closed).count()
    }

    pub(super) fn activations(&self) -> impl Iterator<Item = &v1::Activation> {
        self.candidates.iter().filter_map(|candidate| candidate.activation.as_ref())
    }

    pub(super) fn told(&self, look: &Look) -> String {
        let rows = self.candidates.iter().take(SHOWN).filter_map(|candidate| {
            let activation = candidate.activation.as_ref()?;
            Some(vec![
                activation.role.clone(),
                words::person_short(activation.principal.as_ref()),
                words::state(look, activation),
                what(look, activation, candidate),
                activation.id.clone(),
            ])
        });
        let mut parts = Vec::new();
        if !self.candidates.is_empty() {
            parts.push(table(look, &["ROLE", "WHO", "STATE", "WHAT", "ID"], rows));
        }
        if let Some(more) = self.candidates.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            parts.push(format!("and {more} more"));
        }
        parts.extend(self.unknown_ids.iter().map(|id| format!("no such activation: {}", clean_line(id))));
        let count = |of: fn(&v1::Activation) -> bool| self.activations().filter(|one| of(one)).count();
        let held =
            count(|one| matches!(one.state(), State::Activating | State::Active) && !is_to_take_over(one));
        let waiting = count(|one| {
            matches!(one.state(), State::Requested | State::AwaitingApproval | State::Scheduled)
                || is_to_take_over(one)
        });
        let going = count(|one| one.state() == State::Revoking);
        parts.push(format!(
            "{held} to be taken away, {waiting} not begun and to be refused, {going} on their way out already"
        ));
        parts.join("\n")
    }
}

/// What is to continue another holds nothing before it has taken over.
fn is_to_take_over(activation: &v1::Activation) -> bool {
    activation.state() == State::Activating && !activation.continues.is_empty()
}

/// What would become of one.
fn what(look: &Look, activation: &v1::Activation, candidate: &v1::RevocationCandidate) -> String {
    let kept = time(candidate.kept_until.as_ref());
    match (activation.state(), kept) {
        (State::Active | State::Revoking, Some(until)) => {
            format!("Entra PIM keeps it until {}", look.clock(until))
        }
        (State::Activating, _) if is_to_take_over(activation) => "refused before it takes over".to_owned(),
        (State::Activating | State::Active, _) => "taken away now".to_owned(),
        (State::Revoking, None) => "on its way out already".to_owned(),
        (State::Closed, _) if !activation.continued_by.is_empty() => {
            format!("continued by {}, which stays", clean_line(&activation.continued_by))
        }
        (State::Closed, _) => "over already".to_owned(),
        (State::Unspecified | State::Requested | State::AwaitingApproval | State::Scheduled, _) => {
            "refused before it begins".to_owned()
        }
    }
}
