//! The stored form, and back: `elevate.record.v1` <-> [`Said`] and [`Activation`].
//!
//! Strict both ways. Reading re-encodes what was understood and compares it with the bytes: a missing or
//! unknown field, an unknown choice, a second spelling of the same thing are faults. Writing reads back
//! what it encoded: nothing is written that could not be read.

use elevate_core::activation::Activation;
use elevate_proto::record::v1 as stored;
use prost::Message as _;

use crate::ports::journal::{Note, Said};

mod leaf;
mod parts;
mod snapshot;

use leaf::{leaf_form, said_in};
pub(super) use parts::{freeze_form, freeze_in, time_form, time_in};
use snapshot::{activation_form, activation_in};

/// The newest form of a leaf. This broker writes it, and reads all before it: what a later form adds is
/// absent from an earlier leaf, so it encodes to the same bytes.
pub(super) const FORMAT: u32 = 2;

/// The longest leaf, in bytes: what one event may say.
pub(super) const EVENT_MAX: usize = 64 * 1024;

/// The longest leaf that holds a policy, which is the only text that grows with the house.
pub(super) const POLICY_MAX: usize = 1024 * 1024 + 4096;

/// How long a leaf that says this may be.
pub(super) const fn most_bytes(said: &Said) -> usize {
    match said {
        Said::Note(Note::PolicyApplied(_) | Note::PolicyProposed(_)) => POLICY_MAX,
        Said::Note(_) | Said::Activation { .. } => EVENT_MAX,
    }
}

/// Why stored bytes were not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// Written by a later broker.
    #[error("it has format {found}, and this broker knows formats up to {FORMAT}")]
    Future {
        /// The format it says it has.
        found: u32,
    },
    /// Not something that any broker wrote.
    #[error("{0}")]
    Faulty(&'static str),
}

type Read<T> = Result<T, Unreadable>;

/// The bytes of a leaf that says this.
pub(super) fn leaf(said: &Said) -> Read<Vec<u8>> {
    let bytes = leaf_form(said, FORMAT)?.encode_to_vec();
    if said_by(&bytes)? == *said { Ok(bytes) } else { Err(Unreadable::Faulty("it would not read back")) }
}

/// What a leaf says.
pub(super) fn said_by(bytes: &[u8]) -> Read<Said> {
    let form = stored::Leaf::decode(bytes).map_err(|_| Unreadable::Faulty("it is not a leaf"))?;
    let format = form.format;
    match format {
        1..=FORMAT => {}
        0 => return Err(Unreadable::Faulty("it names no format")),
        found => return Err(Unreadable::Future { found }),
    }
    let said = said_in(form)?;
    if leaf_form(&said, format)?.encode_to_vec() == bytes {
        Ok(said)
    } else {
        Err(Unreadable::Faulty("it holds more than this broker understands"))
    }
}

/// The bytes of an activation in the index.
pub(super) fn snapshot(activation: &Activation) -> Read<Vec<u8>> {
    Ok(activation_form(activation)?.encode_to_vec())
}

/// The activation that these bytes hold.
pub(super) fn activation(bytes: &[u8]) -> Read<Activation> {
    let form =
        stored::Activation::decode(bytes).map_err(|_| Unreadable::Faulty("it is not an activation"))?;
    activation_in(form)
}

#[cfg(test)]
mod tests;
