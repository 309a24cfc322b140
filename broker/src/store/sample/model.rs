//! The same journal once more, in memory, and all that a store answers compared with it.

use std::collections::BTreeMap;

use elevate_core::activation::{Activation, Change, Event, ProofShown};
use elevate_core::due::wake_at;
use elevate_core::names::{ActivationId, Principal, RequestId, Slot};
use jiff::Timestamp;

use super::{at, by_broker, id, principal, request, requested};
use crate::ports::Journal;
use crate::ports::journal::{
    AppendError, AppliedPolicy, Entry, Filter, Note, Page, Position, Recorded, Said,
};
use crate::store::Store;

/// The journal in memory, by brute force.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Model {
    pub(in crate::store) activations: BTreeMap<ActivationId, Activation>,
    pub(in crate::store) entries: Vec<Said>,
}

impl Model {
    pub(in crate::store) fn append(
        &mut self,
        id: ActivationId,
        expected: u64,
        events: &[Event],
    ) -> Result<Activation, AppendError> {
        let mut activation = self.activations.get(&id).cloned();
        let is = activation.as_ref().map_or(0, |activation| activation.version);
        if is != expected {
            return Err(AppendError::Conflict { expected, is });
        }
        let mut said = Vec::new();
        for event in events {
            let next = match activation {
                None => Activation::open(id, event)?,
                Some(activation) => activation.apply(event)?,
            };
            if let Change::Requested(request) = &event.change
                && let Some(by) = self.begun_by(request.asked.principal, request.request_id)
            {
                return Err(AppendError::RequestIdUsed { by });
            }
            if let Some(by) = self.holder(&next.slot()).filter(|by| next.takes_slot() && *by != id) {
                return Err(AppendError::SlotTaken { by });
            }
            if let Some(proof) = proof_in(event)
                && self.entries.iter().chain(&said).filter_map(proof_of).any(|used| same(used, proof))
            {
                return Err(AppendError::ProofUsed);
            }
            said.push(Said::Activation { id, version: next.version, event: event.clone() });
            activation = Some(next);
        }
        let activation = activation.unwrap();
        self.entries.extend(said);
        self.activations.insert(id, activation.clone());
        Ok(activation)
    }

    pub(in crate::store) fn note(&mut self, note: Note) -> Result<Position, AppendError> {
        let is = self.policy().map_or(0, |policy| policy.version.0);
        if let Note::PolicyApplied(policy) = &note
            && policy.version.0 != is + 1
        {
            return Err(AppendError::Conflict { expected: policy.version.0.saturating_sub(1), is });
        }
        self.entries.push(Said::Note(note));
        Ok(Position(self.entries.len() as u64 - 1))
    }

    pub(in crate::store) fn policy(&self) -> Option<AppliedPolicy> {
        self.entries.iter().rev().find_map(|said| match said {
            Said::Note(Note::PolicyApplied(policy)) => Some(policy.clone()),
            _ => None,
        })
    }

    pub(in crate::store) fn holder(&self, slot: &Slot) -> Option<ActivationId> {
        let mut holders = self.activations.values().filter(|a| a.takes_slot() && a.slot() == *slot);
        let holder = holders.next().map(|a| a.id);
        assert!(holders.next().is_none(), "two activations in one slot");
        holder
    }

    pub(in crate::store) fn begun_by(
        &self,
        principal: Principal,
        request: RequestId,
    ) -> Option<ActivationId> {
        let same =
            |a: &&Activation| a.request.asked.principal == principal && a.request.request_id == request;
        self.activations.values().find(same).map(|a| a.id)
    }

    pub(in crate::store) fn wakes(&self) -> Vec<(Timestamp, ActivationId)> {
        let mut wakes: Vec<_> = self.activations.values().filter_map(|a| Some((wake_at(a)?, a.id))).collect();
        wakes.sort();
        wakes
    }

    pub(in crate::store) fn found(&self, filter: &Filter) -> Vec<ActivationId> {
        let fits = |a: &&Activation| {
            filter.principal.is_none_or(|who| a.request.asked.principal == who)
                && filter.role.as_ref().is_none_or(|role| a.request.asked.role == *role)
                && (!filter.live_only || a.is_live())
                && (!filter.awaiting_only || a.state.word() == "awaiting approval")
                && (!filter.unreviewed_only || a.review == elevate_core::activation::Review::Open)
        };
        self.activations.values().rev().filter(fits).map(|a| a.id).collect()
    }

    /// Rebuilds the model from what a store has on record.
    pub(in crate::store) fn of(entries: Vec<Said>) -> Self {
        let mut model = Self::default();
        for said in entries {
            match said {
                Said::Activation { id, version, event } => {
                    let now = model.append(id, version - 1, &[event]).unwrap();
                    assert_eq!(now.version, version);
                }
                Said::Note(note) => drop(model.note(note).unwrap()),
            }
        }
        model
    }

    /// Every question that a journal answers, asked of both.
    pub(in crate::store) async fn assert_same(&self, store: &Store) {
        assert_eq!(entries(store).await, self.entries);
        assert_eq!(store.size().borrow().0, self.entries.len() as u64);
        assert_eq!(store.policy().await.unwrap(), self.policy());
        for (id, activation) in &self.activations {
            let loaded = store.load(*id).await.unwrap().unwrap();
            assert!(!loaded.is_just_appended());
            assert_eq!(Activation::clone(&loaded), *activation);
            assert_eq!(store.holder(&activation.slot()).await.unwrap(), self.holder(&activation.slot()));
            let asked = (activation.request.asked.principal, activation.request.request_id);
            assert_eq!(store.begun_by(asked.0, asked.1).await.unwrap(), Some(*id));
        }
        assert!(store.load(id(u64::MAX)).await.unwrap().is_none());
        self.assert_same_wakes(store).await;
        self.assert_same_finds(store).await;
        for (word, count) in store.census().await.unwrap() {
            let of_state = |a: &&Activation| a.is_live() && a.state.word() == word;
            assert_eq!(count, self.activations.values().filter(of_state).count() as u64, "{word}");
        }
    }

    async fn assert_same_wakes(&self, store: &Store) {
        let wakes = self.wakes();
        let far = at(1_000_000_000);
        assert_eq!(store.due(far, None, usize::MAX).await.unwrap(), wakes);
        let mut paged = Vec::new();
        while let Some(next) = store.due(far, paged.last().copied(), 2).await.unwrap().first().copied() {
            paged.push(next);
        }
        assert_eq!(paged, wakes);
        let moments: Vec<Timestamp> = wakes.iter().map(|wake| wake.0).chain([at(-1), far]).collect();
        for moment in moments {
            let until: Vec<_> = wakes.iter().filter(|wake| wake.0 <= moment).copied().collect();
            assert_eq!(store.due(moment, None, usize::MAX).await.unwrap(), until);
            let next = wakes.iter().map(|wake| wake.0).find(|at| *at > moment);
            assert_eq!(store.next_due(moment).await.unwrap(), next);
        }
    }

    async fn assert_same_finds(&self, store: &Store) {
        let principals = [None, Some(principal(0)), Some(principal(1)), Some(principal(99))];
        let roles = [None, Some("role-0".parse().unwrap()), Some("role".parse().unwrap())];
        for principal in principals {
            for role in &roles {
                for bits in 0..8 {
                    let filter = Filter {
                        principal,
                        role: role.clone(),
                        live_only: bits & 1 != 0,
                        awaiting_only: bits & 2 != 0,
                        unreviewed_only: bits & 4 != 0,
                    };
                    for limit in [1, 3, 1000] {
                        assert_eq!(found(store, &filter, limit).await, self.found(&filter), "{filter:?}");
                    }
                }
            }
        }
    }
}

/// All that fits, page by page.
pub(in crate::store) async fn found(store: &Store, filter: &Filter, limit: usize) -> Vec<ActivationId> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.find(filter, &Page { limit, after }).await.unwrap();
        assert!(page.activations.len() <= limit);
        found.extend(page.activations.iter().map(|recorded| recorded.id));
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

pub(in crate::store) async fn entries(store: &Store) -> Vec<Said> {
    let mut said = Vec::new();
    loop {
        let read: Vec<Entry> = store.read(Position(said.len() as u64), 100).await.unwrap();
        if read.is_empty() {
            return said;
        }
        for entry in read {
            assert_eq!(entry.position.0, said.len() as u64);
            said.push(entry.said);
        }
    }
}

fn proof_in(event: &Event) -> Option<&ProofShown> {
    match &event.change {
        Change::Requested(request) => Some(&request.proof),
        Change::Approved(_, proof) => Some(proof),
        _ => None,
    }
}

fn proof_of(said: &Said) -> Option<&ProofShown> {
    match said {
        Said::Activation { event, .. } => proof_in(event),
        Said::Note(_) => None,
    }
}

fn same(one: &ProofShown, other: &ProofShown) -> bool {
    one.token == other.token || (!one.nonce.is_empty() && one.nonce == other.nonce)
}

/// Appends to both, and demands one answer.
pub(in crate::store) async fn append_to_both(
    store: &Store,
    model: &mut Model,
    id: ActivationId,
    expected: u64,
    events: Vec<Event>,
) -> Result<Activation, AppendError> {
    let modelled = model.append(id, expected, &events);
    let stored = store.append(id, expected, events).await;
    assert!(stored.as_ref().map_or(true, Recorded::is_just_appended));
    let stored = stored.map(|recorded| Activation::clone(&recorded));
    assert_eq!(stored, modelled);
    stored
}

/// A life with three entries, two of them in one append: asked for, to be started, begun.
pub(in crate::store) async fn begin(store: &Store, model: &mut Model, n: u64) {
    let second = i64::try_from(n).unwrap();
    let scheduled = Change::Scheduled { starts_at: at(second), lapses_at: at(second + 60) };
    let first = vec![requested(request(n, n, 0, &[])), by_broker(second, scheduled)];
    append_to_both(store, model, id(n), 0, first).await.unwrap();
    let begun = by_broker(second, Change::ActivationBegun { not_after: at(second + 3600) });
    append_to_both(store, model, id(n), 2, vec![begun]).await.unwrap();
}
