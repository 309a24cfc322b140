//! After every restart: what people were answered, what the record says, what the directory holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use elevate_proto::v1 as api;

use super::load::{ANY, Acknowledged, Subject};
use super::stage::Stage;
use super::{Found, held};
use crate::State;

/// How many entries are read again at each comparison, beside the new ones. At the end it is all of them.
const AGAIN: usize = 200;

/// How long what is live may take to come to its end once nobody asks for anything, by the machine's clock while the
/// tenant's goes faster.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// The record, as it was read so far.
#[derive(Debug, Default)]
pub struct Mirror {
    entries: Vec<api::AuditEntry>,
    /// How many of the answers were compared already, and found.
    compared: usize,
    versions: BTreeMap<String, Vec<String>>,
    /// What was said beside activations, and why.
    said: BTreeSet<(String, String)>,
    frozen: bool,
}

impl Mirror {
    /// Reads what is new, and compares all three.
    ///
    /// # Errors
    /// The broker does not answer.
    pub async fn compare(
        &mut self,
        stage: &Stage,
        answers: &[Acknowledged],
        found: &mut Found,
    ) -> Result<()> {
        self.read_on(stage, found).await?;
        for answer in answers.get(self.compared..).unwrap_or_default() {
            self.is_there(answer, found);
        }
        self.compared = answers.len();
        directory(stage, found).await
    }

    /// How many answers were compared.
    pub const fn compared(&self) -> usize {
        self.compared
    }

    /// How many entries were read.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Whether the last word on record is that nothing new is granted.
    pub const fn is_frozen(&self) -> bool {
        self.frozen
    }

    fn is_there(&self, answer: &Acknowledged, found: &mut Found) {
        let events = match &answer.of {
            Subject::Activation { id, .. } => self.versions.get(id).map_or(&[][..], Vec::as_slice),
            Subject::Broker { .. } => &[],
        };
        let known = match &answer.of {
            Subject::Activation { version, .. } => {
                let version = version.and_then(|version| usize::try_from(version).ok());
                let so_far = events.get(..version.unwrap_or(events.len()));
                so_far.is_some_and(|events| {
                    answer.event == ANY || events.iter().any(|event| event == answer.event)
                })
            }
            Subject::Broker { reason } => self.said.contains(&(answer.event.to_owned(), reason.clone())),
        };
        if !known {
            found
                .violations
                .push(format!("acknowledged and not on record: {answer:?}; on record: {events:?}"));
        }
    }

    async fn read_on(&mut self, stage: &Stage, found: &mut Found) -> Result<()> {
        let from = self.entries.len().saturating_sub(AGAIN);
        let new = read(stage, from).await?;
        ensure!(
            from + new.len() >= self.entries.len(),
            "the record has become shorter: {} entries, and there were {}",
            from + new.len(),
            self.entries.len()
        );
        for (at, entry) in new.into_iter().enumerate() {
            match self.entries.get(from + at) {
                Some(before) if *before == entry => {}
                Some(before) => {
                    found.violations.push(format!("entry {} was {before:?} and is {entry:?}", from + at))
                }
                None => {
                    if !entry.activation_id.is_empty() && entry.event != "attempt-refused" {
                        self.versions
                            .entry(entry.activation_id.clone())
                            .or_default()
                            .push(entry.event.clone());
                    }
                    if ["frozen", "thawed"].contains(&entry.event.as_str()) {
                        self.frozen = entry.event == "frozen";
                        let reason = entry.details.get("reason").cloned().unwrap_or_default();
                        self.said.insert((entry.event.clone(), reason));
                    }
                    self.entries.push(entry);
                }
            }
        }
        Ok(())
    }

    /// At the end: everything live comes to its end by itself, the whole record is what it was, nothing is held, and
    /// nothing ever was that is not on record or outlived its end. Time goes faster meanwhile. Stops the broker, and
    /// checks the record without it.
    ///
    /// # Errors
    /// The broker does not answer.
    pub async fn close(
        mut self,
        stage: &Stage,
        process: super::stage::Process,
        answers: &[Acknowledged],
        found: &mut Found,
    ) -> Result<()> {
        let began = Instant::now();
        let faster = stage.faster();
        let eve = stage.grpc("eve");
        // What waits to be granted may go on. If nothing is frozen it is refused.
        let thaw = api::ThawRequest { reason: "everybody went".to_owned() };
        let _ = eve.revocation().thaw(eve.call(thaw)).await;
        loop {
            let live = live(stage).await?;
            if live.is_empty() {
                break;
            }
            if began.elapsed() > ENDS_WITHIN {
                found.violations.push(format!("still live {ENDS_WITHIN:?} after everybody went: {live:?}"));
                break;
            }
            for waits in live.iter().filter(|each| each.state() == State::AwaitingApproval) {
                // Nobody says yes any more to what still waits; it may have moved on meanwhile.
                let _ = eve.revoke(&waits.id, "everybody went").await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(faster);
        self.compare(stage, answers, found).await?;
        let whole = read(stage, 0).await?;
        for (at, (before, now)) in self.entries.iter().zip(&whole).enumerate() {
            if before != now {
                found.violations.push(format!("entry {at} was {before:?} and is {now:?}"));
            }
        }
        let all = eve.list(true).await?;
        let whats = all.iter().map(|each| (each.id.clone(), held::named(each))).collect();
        super::watch::settle(stage, &whole, &whats, found);
        process.stop().await.context("at the end")?;
        let (code, said) = stage.elevated(&["store", "check"]).await?;
        if code != Some(0) {
            found.violations.push(format!("`elevated store check` ended with {code:?}: {said}"));
        }
        Ok(())
    }
}

async fn read(stage: &Stage, from: usize) -> Result<Vec<api::AuditEntry>> {
    let eve = stage.grpc("eve");
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = api::ListAuditEntriesRequest {
            from_position: i64::try_from(from)?,
            page_size: 1000,
            page_token,
            ..Default::default()
        };
        let page = eve.record().list_audit_entries(eve.call(page)).await?.into_inner();
        all.extend(page.entries.into_iter().map(|mut entry| {
            // Names are looked up for people, and left out where the directory is slow to say them.
            for who in [&mut entry.actor, &mut entry.principal].into_iter().flatten() {
                who.display_name.clear();
            }
            entry
        }));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

async fn live(stage: &Stage) -> Result<Vec<api::Activation>> {
    let eve = stage.grpc("eve");
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = api::ListActivationsRequest {
            everybody: true,
            role: String::new(),
            include_closed: false,
            page_size: 100,
            page_token,
        };
        let page = eve.activation().list_activations(eve.call(page)).await?.into_inner();
        all.extend(page.activations);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

/// What the directory holds the record knows as live, and what the record calls held the directory holds. Both move
/// while we look, so what is wrong must be so twice.
async fn directory(stage: &Stage, found: &mut Found) -> Result<()> {
    let mut wrong = Vec::new();
    for _ in 0..5 {
        wrong = differences(stage).await?;
        if wrong.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    found.violations.append(&mut wrong);
    Ok(())
}

async fn differences(stage: &Stage) -> Result<Vec<String>> {
    let before = held::now(stage);
    let live = live(stage).await?;
    let after = held::now(stage);
    let mut wrong = Vec::new();
    for held in before.iter().filter(|held| after.contains(held)) {
        let known = |each: &api::Activation| {
            held::is_of(held, each)
                && [State::Activating, State::Active, State::Revoking].contains(&each.state())
        };
        if !live.iter().any(known) {
            wrong.push(format!("held, and the record does not know it as live: {held:?}"));
        }
    }
    for active in live.iter().filter(|each| each.state() == State::Active) {
        if !before.iter().chain(&after).any(|held| held::is_of(held, active)) {
            wrong.push(format!("active on record, and the directory does not hold it: {}", active.id));
        }
    }
    Ok(wrong)
}
