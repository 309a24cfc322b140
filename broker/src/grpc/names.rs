//! What people are called, for people to read; kept for a while, so that a list costs few calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use elevate_core::names::{ObjectId, Scope};
use elevate_proto::v1 as api;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ports::Directory;

const KEPT_FOR: Duration = Duration::from_secs(10 * 60);
/// Somebody who has no name, or a directory that did not answer.
const NONE_KEPT_FOR: Duration = Duration::from_secs(60);
const KEPT: usize = 10_000;
/// A name is not worth waiting for: all of one answer's together take no longer.
const PATIENCE: Duration = Duration::from_secs(2);
const AT_ONCE: usize = 8;

#[derive(Debug)]
pub(super) struct Names {
    directory: Arc<dyn Directory>,
    kept: Mutex<BTreeMap<Named, Kept>>,
}

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    /// A person or a group.
    Body(ObjectId),
    /// Where a role counts.
    Place(Scope),
}

impl Names {
    pub(super) fn new(directory: Arc<dyn Directory>) -> Self {
        Self { directory, kept: Mutex::default() }
    }

    /// Fills in the display names of the people in these activations, as far as they can be had soon.
    pub(super) async fn fill(&self, activations: &mut [api::Activation]) {
        let people = activations.iter_mut().flat_map(|activation| {
            let approvers = activation.approvals.iter_mut().filter_map(|approval| approval.approver.as_mut());
            let others = activation.principal.as_mut().into_iter().chain(activation.ended_by.as_mut());
            let reviewer = activation.review.as_mut().and_then(|review| review.by.as_mut());
            others.chain(approvers).chain(reviewer)
        });
        self.fill_in(people.collect()).await;
    }

    /// Likewise for the people in these entries of the record.
    pub(super) async fn fill_entries(&self, entries: &mut [api::AuditEntry]) {
        let people = entries.iter_mut().flat_map(|entry| {
            let api::AuditEntry { actor, principal, .. } = entry;
            actor.as_mut().into_iter().chain(principal.as_mut())
        });
        self.fill_in(people.collect()).await;
    }

    /// Likewise for those who gain or lose a right.
    pub(super) async fn fill_shifts(&self, shifts: impl Iterator<Item = &mut api::Shift>) {
        let mut shifts: Vec<_> = shifts.collect();
        let object = |shift: &api::Shift| {
            shift.subject.split_once(':').and_then(|(_, id)| id.parse().ok()).map(Named::Body)
        };
        let names = self.of(shifts.iter().filter_map(|shift| object(shift)).collect()).await;
        for shift in &mut shifts {
            let name = object(shift).and_then(|id| names.get(&id));
            shift.display_name = name.cloned().unwrap_or_default();
        }
    }

    /// Likewise for these people.
    pub(super) async fn fill_people(&self, people: impl IntoIterator<Item = &mut api::Principal>) {
        self.fill_in(people.into_iter().collect()).await;
    }

    /// Likewise for the places in which these roles count.
    pub(super) async fn fill_places(&self, roles: impl IntoIterator<Item = &mut api::DirectoryRole>) {
        let mut roles: Vec<_> = roles.into_iter().collect();
        // The whole tenant needs no name.
        let place = |role: &api::DirectoryRole| {
            role.scope.parse().ok().filter(|scope| *scope != Scope::Tenant).map(Named::Place)
        };
        let names = self.of(roles.iter().filter_map(|role| place(role)).collect()).await;
        for role in &mut roles {
            let name = place(role).and_then(|place| names.get(&place));
            role.scope_name = name.cloned().unwrap_or_default();
        }
    }

    async fn fill_in(&self, mut people: Vec<&mut api::Principal>) {
        let body = |person: &api::Principal| person.object_id.parse().ok().map(Named::Body);
        let names = self.of(people.iter().filter_map(|person| body(person)).collect()).await;
        for person in &mut people {
            let name = body(person).and_then(|id| names.get(&id));
            person.display_name = name.cloned().unwrap_or_default();
        }
    }

    async fn of(&self, ids: BTreeSet<Named>) -> BTreeMap<Named, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut known = BTreeMap::new();
        let mut wanted = Vec::new();
        {
            let kept = self.kept();
            for id in ids {
                match kept.get(&id).filter(|kept| kept.is_fresh()) {
                    Some(Kept { name: Some(name), .. }) => drop(known.insert(id, name.clone())),
                    Some(Kept { name: None, .. }) => {}
                    None => wanted.push(id),
                }
            }
        }
        let mut wanted = wanted.into_iter();
        let mut asked = JoinSet::new();
        loop {
            while asked.len() < AT_ONCE
                && let Some(id) = wanted.next()
            {
                let directory = Arc::clone(&self.directory);
                asked.spawn(async move {
                    let name = match id {
                        Named::Body(id) => directory.display_name(id).await,
                        Named::Place(scope) => directory.scope_name(scope).await,
                    };
                    (id, name)
                });
            }
            match tokio::time::timeout_at(deadline, asked.join_next()).await {
                Ok(Some(Ok((id, name)))) => {
                    self.keep(id, name.clone());
                    known.extend(name.map(|name| (id, name)));
                }
                Ok(Some(Err(_))) => {}
                // All are answered; or it has been waited for long enough, and the rest has none.
                Ok(None) | Err(_) => return known,
            }
        }
    }

    fn keep(&self, id: Named, name: Option<String>) {
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.retain(|_, kept| kept.is_fresh());
        }
        if kept.len() < KEPT {
            kept.insert(id, Kept { at: Instant::now(), name });
        }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<Named, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name, or that there was none.
#[derive(Debug)]
struct Kept {
    at: Instant,
    name: Option<String>,
}

impl Kept {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < if self.name.is_some() { KEPT_FOR } else { NONE_KEPT_FOR }
    }
}

#[cfg(test)]
mod tests;
