//! `AuditService`.

use std::collections::BTreeMap;

use elevate_core::names::ActivationId;
use elevate_proto::v1 as api;
use elevate_proto::v1::audit_service_server::AuditService;
use tonic::{Request, Response, Status};

use super::streams::{self, Answers};
use super::{Api, from_proto, status, to_proto};
use crate::ports::journal::{Entry, Position, Recorded, Said};
use crate::workflow::Refusal;

/// How many entries are read in one go.
const BATCH: usize = 200;

/// How many entries one page may look through for those of one activation.
const LOOKED_THROUGH: usize = 20_000;

#[tonic::async_trait]
impl AuditService for Api {
    async fn list_audit_entries(
        &self,
        request: Request<api::ListAuditEntriesRequest>,
    ) -> Result<Response<api::ListAuditEntriesResponse>, Status> {
        self.answer(None, request, |api, caller, message| async move {
            let api::ListAuditEntriesRequest { from_position, page_size, page_token, activation_id } =
                message;
            let wanted = from_proto::size(page_size, 100, 1000)?;
            let only = match activation_id.as_str() {
                "" => None,
                id => Some(from_proto::field("activation_id", id)?),
            };
            let mut from = start(from_position, &page_token)?;
            let (mut entries, mut looked_through) = (Vec::new(), 0);
            let next_page_token = loop {
                let batch = api.inner.workflow.audit(&caller, from, BATCH).await?;
                if batch.is_empty() {
                    break String::new();
                }
                looked_through += batch.len();
                for entry in batch {
                    if entries.len() == wanted {
                        break;
                    }
                    from = Position(entry.position.0.saturating_add(1));
                    if only.is_none_or(|id| is_about(&entry, id)) {
                        entries.push(entry);
                    }
                }
                if entries.len() >= wanted || looked_through >= LOOKED_THROUGH {
                    break from.0.to_string();
                }
            };
            let entries = api.told(entries).await?;
            Ok(api::ListAuditEntriesResponse { entries, next_page_token })
        })
        .await
    }

    type StreamAuditEntriesStream = Answers<api::AuditEntry>;

    async fn stream_audit_entries(
        &self,
        request: Request<api::StreamAuditEntriesRequest>,
    ) -> Result<Response<Self::StreamAuditEntriesStream>, Status> {
        let caller = self.caller(&request).await?;
        let refused = |refusal: Refusal| status::from(&refusal);
        let mut from = start(request.into_inner().from_position, "").map_err(refused)?;
        let open = self.inner.streams.open(caller.principal)?;
        let mut size = self.inner.workflow.ports().journal.size();
        // The right to read is told at once, not with the first entry.
        self.inner.workflow.audit(&caller, from, 1).await.map_err(refused)?;
        let (sender, answers) = streams::fed();
        let api = self.clone();
        tokio::spawn(async move {
            let over = open.over();
            tokio::pin!(over);
            loop {
                size.mark_unchanged();
                let batch = match api.inner.workflow.audit(&caller, from, BATCH).await {
                    Ok(batch) => batch,
                    Err(refusal) => {
                        streams::give(&sender, Err(status::from(&refusal)), over.as_mut()).await;
                        return;
                    }
                };
                if let Some(last) = batch.last() {
                    from = Position(last.position.0.saturating_add(1));
                    let told = match api.told(batch).await {
                        Ok(told) => told,
                        Err(refusal) => {
                            streams::give(&sender, Err(status::from(&refusal)), over.as_mut()).await;
                            return;
                        }
                    };
                    for entry in told {
                        if !streams::give(&sender, Ok(entry), over.as_mut()).await {
                            return;
                        }
                    }
                    continue;
                }
                tokio::select! {
                    grown = size.changed() => if grown.is_err() { return },
                    () = sender.closed() => return,
                    () = &mut over => return,
                }
            }
        });
        Ok(Response::new(answers))
    }
}

impl Api {
    /// Entries as messages, with the holder and role of the activation each belongs to.
    async fn told(&self, entries: Vec<Entry>) -> Result<Vec<api::AuditEntry>, Refusal> {
        let journal = &self.inner.workflow.ports().journal;
        let mut about: BTreeMap<ActivationId, Option<Recorded>> = BTreeMap::new();
        let mut told = Vec::new();
        for entry in entries {
            let activation = match &entry.said {
                Said::Activation { id, .. } => {
                    if !about.contains_key(id) {
                        about.insert(*id, journal.load(*id).await?);
                    }
                    about.get(id).and_then(Option::as_ref)
                }
                Said::Note(_) => None,
            };
            told.push(to_proto::entry(&entry, activation.map(|recorded| &**recorded)));
        }
        self.inner.names.fill_entries(&mut told).await;
        Ok(told)
    }
}

fn is_about(entry: &Entry, wanted: ActivationId) -> bool {
    match &entry.said {
        Said::Activation { id, .. } => *id == wanted,
        Said::Note(crate::ports::journal::Note::Refused { activation, .. }) => *activation == Some(wanted),
        Said::Note(_) => false,
    }
}

fn start(from_position: i64, page_token: &str) -> Result<Position, Refusal> {
    if !page_token.is_empty() {
        return from_proto::field("page_token", page_token).map(Position);
    }
    let wrong = |_| Refusal::Field { field: "from_position", problem: "must not be negative".to_owned() };
    u64::try_from(from_position).map(Position).map_err(wrong)
}
