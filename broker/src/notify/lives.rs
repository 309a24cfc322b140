//! What the record says, read in order: the entries alone decide what is told, so that reading again tells
//! the same again.

use std::collections::BTreeMap;

use elevate_core::activation::{Activation, Actor, Event};
use elevate_core::names::{ActivationId, Principal};

use super::concern;
use crate::ports::journal::{Entry, Note, Position, Said};
use crate::ports::notifier::{About, Notice, NoticeId};

/// The activations that may still change at one place of the record.
#[derive(Debug, Default)]
pub(super) struct Lives(BTreeMap<ActivationId, Life>);

#[derive(Debug)]
struct Life {
    began: Position,
    activation: Activation,
}

/// An event of an activation whose beginning was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unknown(pub(super) ActivationId);

impl Lives {
    /// Takes up an entry, and says what it has to tell.
    pub(super) fn follow(&mut self, entry: &Entry) -> Result<Option<Notice>, Unknown> {
        let Entry { position, said } = entry;
        let (kind, about, by, to) = match said {
            Said::Activation { id, version, event } => {
                let life = self.after(*id, *position, event)?;
                let activation = &life.activation;
                if activation.version != *version {
                    return Err(Unknown(*id));
                }
                let concern = concern::of_event(activation, event);
                let asked = &activation.request.asked;
                let about = About::Activation { id: *id, role: asked.role.clone(), holder: asked.principal };
                if activation.may_change() {
                    self.0.insert(*id, life);
                }
                let Some((kind, to)) = concern else { return Ok(None) };
                (kind, about, by(event.by), to)
            }
            Said::Note(note) => {
                let Some((kind, about, to)) = concern::of_note(note) else { return Ok(None) };
                (kind, about, noted_by(note), to)
            }
        };
        let at = said.at();
        Ok(Some(Notice { id: NoticeId::new(*position, &kind, at), kind, at, about, by, to }))
    }

    /// From where the record must be read to know all that may still change, when `next` comes next.
    pub(super) fn begin(&self, next: Position) -> Position {
        self.0.values().map(|life| life.began).min().unwrap_or(next)
    }

    fn after(&mut self, id: ActivationId, position: Position, event: &Event) -> Result<Life, Unknown> {
        let after = match self.0.remove(&id) {
            Some(Life { began, activation }) => {
                activation.apply(event).map(|activation| Life { began, activation })
            }
            None => Activation::open(id, event).map(|activation| Life { began: position, activation }),
        };
        after.map_err(|_| Unknown(id))
    }
}

const fn by(actor: Actor) -> Option<Principal> {
    match actor {
        Actor::Principal(principal) => Some(principal),
        Actor::Broker => None,
    }
}

const fn noted_by(note: &Note) -> Option<Principal> {
    match note {
        Note::PolicyApplied(policy) | Note::PolicyProposed(policy) => Some(policy.by),
        Note::Frozen(freeze) | Note::Thawed(freeze) => Some(freeze.by),
        Note::Refused { caller, .. } => *caller,
        Note::Broker { .. } | Note::Drift { .. } => None,
    }
}
