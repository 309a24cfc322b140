//! What people are called, for people to read; kept for a while, so that a list costs few calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use elevate_core::names::ObjectId;
use elevate_proto::v1 as api;
use tokio::task::JoinSet;

use crate::ports::Directory;

const KEPT_FOR: Duration = Duration::from_secs(10 * 60);
const KEPT: usize = 10_000;
/// A name is not worth waiting for.
const PATIENCE: Duration = Duration::from_secs(2);
const AT_ONCE: usize = 8;

#[derive(Debug)]
pub(super) struct Names {
    directory: Arc<dyn Directory>,
    kept: Mutex<BTreeMap<ObjectId, (Instant, String)>>,
}

impl Names {
    pub(super) fn new(directory: Arc<dyn Directory>) -> Self {
        Self { directory, kept: Mutex::default() }
    }

    /// Fills in the display names of the people in these activations, as far as they can be had soon.
    pub(super) async fn fill(&self, activations: &mut [api::Activation]) {
        let people = activations.iter_mut().flat_map(|activation| {
            let approvers = activation.approvals.iter_mut().filter_map(|approval| approval.approver.as_mut());
            activation.principal.as_mut().into_iter().chain(approvers)
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

    async fn fill_in(&self, mut people: Vec<&mut api::Principal>) {
        let ids = people.iter().filter_map(|person| person.object_id.parse().ok());
        let names = self.of(ids.collect()).await;
        for person in &mut people {
            let name = person.object_id.parse().ok().and_then(|id: ObjectId| names.get(&id));
            person.display_name = name.cloned().unwrap_or_default();
        }
    }

    async fn of(&self, ids: std::collections::BTreeSet<ObjectId>) -> BTreeMap<ObjectId, String> {
        let mut known = BTreeMap::new();
        let mut wanted = Vec::new();
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            for id in ids {
                match kept.get(&id) {
                    Some((at, name)) if at.elapsed() < KEPT_FOR => {
                        known.insert(id, name.clone());
                    }
                    _ => wanted.push(id),
                }
            }
        }
        for some in wanted.chunks(AT_ONCE) {
            let mut asked = JoinSet::new();
            for id in some.iter().copied() {
                let directory = Arc::clone(&self.directory);
                asked.spawn(async move {
                    (id, tokio::time::timeout(PATIENCE, directory.display_name(id)).await.ok().flatten())
                });
            }
            while let Some(answer) = asked.join_next().await {
                if let Ok((id, Some(name))) = answer {
                    self.keep(id, &name);
                    known.insert(id, name);
                }
            }
        }
        known
    }

    fn keep(&self, id: ObjectId, name: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.retain(|_, (at, _)| at.elapsed() < KEPT_FOR);
        }
        if kept.len() < KEPT {
            kept.insert(id, (Instant::now(), name.to_owned()));
        }
    }
}
