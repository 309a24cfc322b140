//! Keys and values: under what an activation stands, and how each is written.

use std::collections::BTreeMap;

use elevate_core::activation::{Activation, Review, State};
use elevate_core::due::wake_at;
use elevate_core::names::{
    ActivationId, DirectoryRole, Membership, Principal, Relation, RequestId, Resource, Scope, Slot,
};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Answer, Broken};
use crate::ports::journal::Filter;
use crate::store::record;

pub(super) type Key = Vec<u8>;
pub(in crate::store) type Changes = BTreeMap<Key, Option<Vec<u8>>>;

/// Everything an activation stands under.
pub(super) fn entries_of(activation: &Activation) -> Answer<BTreeMap<Key, Vec<u8>>> {
    let asked = &activation.request.asked;
    let id = activation.id.uuid();
    let id = id.as_bytes().as_slice();
    let card = card(activation);
    let mut entries = BTreeMap::from([
        (key(b'a', &[id]), record::snapshot(activation)?),
        ([principal_key(asked.principal).as_slice(), id].concat(), card.clone()),
        ([role_key(asked.role.as_str()).as_slice(), id].concat(), card.clone()),
    ]);
    // What was asked for together is found by its first.
    if activation.request.bundle.first().is_none_or(|lead| *lead == activation.id) {
        entries.insert(request_key(asked.principal, activation.request.request_id), id.to_vec());
    }
    if activation.review == Review::Open {
        entries.insert(key(b'o', &[id]), card.clone());
    }
    if activation.is_live() {
        entries.insert(key(b'l', &[id]), card.clone());
    }
    if matches!(activation.state, State::AwaitingApproval { .. }) {
        entries.insert(key(b'v', &[id]), card);
    }
    if let Some(at) = wake_at(activation) {
        entries.insert(wake_key(at, activation.id), Vec::new());
    }
    if activation.takes_slot() {
        entries.insert(slot_key(&activation.slot()), id.to_vec());
    }
    Ok(entries)
}

/// The first byte of a closed one's card; the second says whether somebody still has to look at it. A live one's is the place of its word in [`State::LIVE_WORDS`].
const CLOSED: u8 = 6;

/// What a filter asks about.
pub(super) fn card(activation: &Activation) -> Vec<u8> {
    let state = match activation.state {
        State::Requested => 0,
        State::AwaitingApproval { .. } => 1,
        State::Scheduled { .. } => 2,
        State::Activating { .. } => 3,
        State::Active { .. } => 4,
        State::Revoking { .. } => 5,
        State::Closed { .. } => CLOSED,
    };
    let asked = &activation.request.asked;
    let Principal { tenant, object } = asked.principal;
    let unreviewed = u8::from(activation.review == Review::Open);
    [
        &[state, unreviewed],
        tenant.uuid().as_bytes().as_slice(),
        object.uuid().as_bytes(),
        asked.role.as_str().as_bytes(),
    ]
    .concat()
}

pub(super) fn fits_card(filter: &Filter, card: &[u8]) -> bool {
    let Filter { principal, role, live_only, awaiting_only, unreviewed_only } = filter;
    let Some(((flags, who), what)) =
        card.split_first_chunk::<34>().map(|(head, role)| (head.split_at(2), role))
    else {
        return false;
    };
    let [state, unreviewed] = flags else { return false };
    let same_principal = |principal: &Principal| {
        who == [principal.tenant.uuid().as_bytes().as_slice(), principal.object.uuid().as_bytes()].concat()
    };
    principal.as_ref().is_none_or(same_principal)
        && role.as_ref().is_none_or(|role| what == role.as_str().as_bytes())
        && !(*live_only && *state == CLOSED)
        && !(*awaiting_only && *state != 1)
        && !(*unreviewed_only && *unreviewed == 0)
}

pub(super) fn key(kind: u8, parts: &[&[u8]]) -> Key {
    let mut key = vec![kind];
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

pub(super) fn principal_key(principal: Principal) -> Key {
    key(b'P', &[principal.tenant.uuid().as_bytes(), principal.object.uuid().as_bytes()])
}

pub(super) fn role_key(role: &str) -> Key {
    key(b'R', &[role.as_bytes(), &[0]])
}

pub(super) fn request_key(principal: Principal, request: RequestId) -> Key {
    let Principal { tenant, object } = principal;
    key(b'r', &[tenant.uuid().as_bytes(), object.uuid().as_bytes(), request.uuid().as_bytes()])
}

pub(super) fn slot_key(slot: &Slot) -> Key {
    let Slot { principal: Principal { tenant, object }, resource } = slot;
    let (kind, at) = match resource {
        Resource::Role(DirectoryRole { scope: Scope::Tenant, .. }) => (0, Uuid::nil()),
        Resource::Role(DirectoryRole { scope: Scope::AdministrativeUnit(id), .. }) => (1, id.uuid()),
        Resource::Role(DirectoryRole { scope: Scope::Object(id), .. }) => (2, id.uuid()),
        Resource::Group(Membership { relation: Relation::Member, .. }) => (3, Uuid::nil()),
        Resource::Group(Membership { relation: Relation::Owner, .. }) => (4, Uuid::nil()),
    };
    key(
        b's',
        &[
            tenant.uuid().as_bytes(),
            object.uuid().as_bytes(),
            resource.id().as_bytes(),
            &[kind],
            at.as_bytes(),
        ],
    )
}

pub(super) fn wake_key(at: Timestamp, id: ActivationId) -> Key {
    key(b'w', &[&time_key(at), id.uuid().as_bytes()])
}

pub(super) fn wake_in(key: &[u8]) -> Answer<(Timestamp, ActivationId)> {
    let damaged = || Broken::Damaged("a time to wake that is none".to_owned());
    let time = key.get(1..13).and_then(time_in).ok_or_else(damaged)?;
    Ok((time, id_in(key.get(13..).unwrap_or_default())?))
}

/// Twelve bytes that sort as the times do.
pub(super) fn time_key(at: Timestamp) -> [u8; 12] {
    let prost_types::Timestamp { seconds, nanos } = record::time_form(at);
    let sortable = seconds.cast_unsigned() ^ (1 << 63);
    let mut key = [0; 12];
    let (high, low) = key.split_at_mut(8);
    high.copy_from_slice(&sortable.to_be_bytes());
    low.copy_from_slice(&nanos.to_be_bytes());
    key
}

pub(super) fn time_in(key: &[u8]) -> Option<Timestamp> {
    let (seconds, nanos) = key.split_first_chunk::<8>()?;
    let seconds = (u64::from_be_bytes(*seconds) ^ (1 << 63)).cast_signed();
    let nanos = i32::from_be_bytes(nanos.try_into().ok()?);
    record::time_in(Some(prost_types::Timestamp { seconds, nanos })).ok()
}

pub(super) fn id_in(bytes: &[u8]) -> Answer<ActivationId> {
    let id = Uuid::from_slice(bytes).map_err(|_| Broken::Damaged("an id that is none".to_owned()))?;
    Ok(ActivationId::from_uuid(id))
}

/// A value with a checksum over its key and itself in front.
pub(super) fn sealed(key: &[u8], value: &[u8]) -> Vec<u8> {
    [&seal(key, value), value].concat()
}

pub(super) fn unsealed(key: &[u8], sealed: &[u8]) -> Answer<Vec<u8>> {
    match sealed.split_first_chunk::<4>() {
        Some((sum, value)) if *sum == seal(key, value) => Ok(value.to_vec()),
        _ => Err(Broken::Damaged("a checksum in it does not hold".to_owned())),
    }
}

pub(super) fn seal(key: &[u8], value: &[u8]) -> [u8; 4] {
    crc32c::crc32c_append(crc32c::crc32c(key), value).to_le_bytes()
}

#[cfg(test)]
mod tests;
