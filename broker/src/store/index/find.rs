//! What the index is asked.

use std::ops::Bound;

use elevate_core::activation::{Activation, State};
use elevate_core::names::{ActivationId, Principal, RequestId, Slot};
use jiff::Timestamp;
use uuid::Uuid;

use super::keys::{
    card, fits_card, id_in, key, principal_key, request_key, role_key, slot_key, unsealed, wake_in, wake_key,
};
use super::{Answer, Broken, Index};
use crate::ports::journal::{Filter, Page};
use crate::store::record;

/// How many cards one page looks at, at the most.
const CARDS_MAX: usize = 4096;

/// How many activations one page holds, at the most.
const PAGE_MAX: usize = 1000;

impl Index {
    /// One activation.
    pub(in crate::store) fn activation(&self, id: ActivationId) -> Answer<Option<Activation>> {
        Ok(self
            .value(&key(b'a', &[id.uuid().as_bytes()]))?
            .map(|bytes| record::activation(&bytes))
            .transpose()?)
    }

    /// Who takes a slot.
    pub(in crate::store) fn holder(&self, slot: &Slot) -> Answer<Option<ActivationId>> {
        self.value(&slot_key(slot))?.map(|bytes| id_in(&bytes)).transpose()
    }

    /// What was begun under a request id.
    pub(in crate::store) fn begun_by(
        &self,
        principal: Principal,
        request: RequestId,
    ) -> Answer<Option<ActivationId>> {
        self.value(&request_key(principal, request))?.map(|bytes| id_in(&bytes)).transpose()
    }

    /// Activations to be looked at by `until`, behind `after`, the longest overdue first.
    pub(in crate::store) fn due(
        &self,
        until: Timestamp,
        after: Option<(Timestamp, ActivationId)>,
        limit: usize,
    ) -> Answer<Vec<(Timestamp, ActivationId)>> {
        let from = after.map_or(Bound::Included(vec![b'w']), |(at, id)| Bound::Excluded(wake_key(at, id)));
        let to = wake_key(until, ActivationId::from_uuid(Uuid::max()));
        if let Bound::Excluded(from) = &from
            && *from >= to
        {
            return Ok(Vec::new());
        }
        let mut due = Vec::new();
        for found in self.shelf.range((from, Bound::Included(to))).take(limit) {
            due.push(wake_in(&found?.0)?);
        }
        Ok(due)
    }

    /// When the first activation must be looked at that is due after `moment`.
    pub(in crate::store) fn next_due(&self, moment: Timestamp) -> Answer<Option<Timestamp>> {
        let from = Bound::Excluded(wake_key(moment, ActivationId::from_uuid(Uuid::max())));
        let next = self.shelf.range((from, Bound::Excluded(vec![b'w' + 1]))).next();
        next.map(|found| Ok(wake_in(&found?.0)?.0)).transpose()
    }

    /// Activations by filter, newest first, and where the next page begins.
    ///
    /// The narrowest list is walked, and what else is asked is read from the cards on it. At most
    /// [`CARDS_MAX`] of them: a page may be short.
    pub(in crate::store) fn find(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Answer<(Vec<Activation>, Option<ActivationId>)> {
        let limit = page.limit.clamp(1, PAGE_MAX);
        let list = match filter {
            Filter { awaiting_only: true, .. } => vec![b'v'],
            Filter { unreviewed_only: true, .. } => vec![b'o'],
            Filter { principal: Some(principal), .. } => principal_key(*principal),
            Filter { live_only: true, .. } => vec![b'l'],
            Filter { role: Some(role), .. } => role_key(role.as_str()),
            _ => vec![b'a'],
        };
        let with_id = |id: Uuid| [list.as_slice(), id.as_bytes()].concat();
        let below = page
            .after
            .map_or(Bound::Included(with_id(Uuid::max())), |id| Bound::Excluded(with_id(id.uuid())));
        let from = with_id(Uuid::nil());
        if matches!(&below, Bound::Excluded(key) if *key <= from) {
            return Ok((Vec::new(), None));
        }
        let mut found = Vec::new();
        let mut last = None;
        for (seen, entry) in self.shelf.range((Bound::Included(from), below)).rev().enumerate() {
            if found.len() == limit || seen == CARDS_MAX {
                return Ok((found, last));
            }
            let (key, value) = entry?;
            let id = id_in(key.get(list.len()..).unwrap_or_default())?;
            last = Some(id);
            // Those without a list of their own fit by being there.
            let fits = list == [b'a'] || fits_card(filter, &unsealed(&key, &value)?);
            if fits
                && let Some(activation) = self.activation(id)?.filter(|found| fits_card(filter, &card(found)))
            {
                found.push(activation);
            }
        }
        Ok((found, None))
    }

    /// How many live activations there are, by the word of their state, in the order of a life.
    pub(in crate::store) fn census(&self) -> Answer<Vec<(&'static str, u64)>> {
        let mut counts = [0_u64; State::LIVE_WORDS.len()];
        for entry in self.shelf.below(b"l") {
            let (key, value) = entry?;
            let card = unsealed(&key, &value)?;
            let state = card.first().map_or(usize::MAX, |byte| usize::from(*byte));
            let count = counts.get_mut(state);
            let count = count.ok_or_else(|| Broken::Damaged("a state that there is not".to_owned()))?;
            *count = count.saturating_add(1);
        }
        Ok(State::LIVE_WORDS.into_iter().zip(counts).collect())
    }
}
