//! `RevocationService`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use elevate_core::names::ActivationId;
use elevate_proto::v1 as api;
use elevate_proto::v1::revocation_service_server::RevocationService;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

use super::streams::{self, Answers, Open};
use super::{Api, Attempt, WORDS_MAX, from_proto, status, to_proto};
use crate::ports::verifier::Caller;
use crate::workflow::{MOST_NAMED, Refusal, Selection, Taken, WouldBeTaken, kept_until};

#[tonic::async_trait]
impl RevocationService for Api {
    async fn revoke_activation(
        &self,
        request: Request<api::RevokeActivationRequest>,
    ) -> Result<Response<api::Activation>, Status> {
        let attempt = Attempt::on_activation("RevokeActivation", &request.get_ref().id);
        self.answer(attempt, request, |api, caller, api::RevokeActivationRequest { id, reason }| async move {
            let id = from_proto::activation_id(&id)?;
            let reason = from_proto::words("reason", &reason, WORDS_MAX, false)?;
            let recorded = api.inner.workflow.revoke(&caller, id, &reason).await?;
            Ok(api.named(&recorded).await)
        })
        .await
    }

    async fn preview_revocation(
        &self,
        request: Request<api::PreviewRevocationRequest>,
    ) -> Result<Response<api::PreviewRevocationResponse>, Status> {
        self.answer(None, request, |api, caller, message| async move {
            let api::PreviewRevocationRequest { selection, page_size, page_token } = message;
            let selection = self::selection(selection)?;
            let page = from_proto::page(page_size, &page_token, 100, 100)?;
            let would = api.inner.workflow.would_be_taken(&caller, &selection, &page).await?;
            let WouldBeTaken { activations, next, unknown } = would;
            let now = api.inner.workflow.ports().clock.now().earliest();
            let kept: Vec<_> =
                activations.iter().map(|one| kept_until(one, now).map(to_proto::time)).collect();
            let mut shown: Vec<_> = activations.iter().map(|one| to_proto::activation(one)).collect();
            api.inner.names.fill(&mut shown).await;
            let candidates = shown.into_iter().zip(kept).map(|(activation, kept_until)| {
                api::RevocationCandidate { activation: Some(activation), kept_until }
            });
            Ok(api::PreviewRevocationResponse {
                candidates: candidates.collect(),
                next_page_token: next.map(|id| id.to_string()).unwrap_or_default(),
                unknown_ids: unknown.iter().map(ToString::to_string).collect(),
            })
        })
        .await
    }

    type RevokeActivationsStream = Answers<api::RevocationProgress>;

    async fn revoke_activations(
        &self,
        request: Request<api::RevokeActivationsRequest>,
    ) -> Result<Response<Self::RevokeActivationsStream>, Status> {
        let attempt = Attempt::on_nothing("RevokeActivations");
        let asked = self.answer(attempt, request, |api, caller, message| async move {
            let api::RevokeActivationsRequest { selection, reason } = message;
            let selection = self::selection(selection)?;
            let reason = from_proto::words("reason", &reason, WORDS_MAX, false)?;
            api.inner.workflow.may_sweep(&caller)?;
            Ok((caller, selection, reason))
        });
        let (caller, selection, reason) = asked.await?.into_inner();
        let open = self.inner.streams.open(caller.principal)?;
        let (sender, answers) = streams::fed();
        let api = self.clone();
        tokio::spawn(async move { api.revoking(caller, selection, reason, open, sender).await });
        Ok(Response::new(answers))
    }

    async fn freeze(&self, request: Request<api::FreezeRequest>) -> Result<Response<api::Frozen>, Status> {
        let attempt = Attempt::on_nothing("Freeze");
        self.answer(attempt, request, |api, caller, api::FreezeRequest { reason }| async move {
            let reason = from_proto::words("reason", &reason, WORDS_MAX, false)?;
            let freeze = api.inner.workflow.freeze(&caller, &reason).await?;
            Ok(api.named_freeze(&freeze).await)
        })
        .await
    }

    async fn thaw(&self, request: Request<api::ThawRequest>) -> Result<Response<api::Frozen>, Status> {
        let attempt = Attempt::on_nothing("Thaw");
        self.answer(attempt, request, |api, caller, api::ThawRequest { reason }| async move {
            let reason = from_proto::words("reason", &reason, WORDS_MAX, false)?;
            let thaw = api.inner.workflow.thaw(&caller, &reason).await?;
            Ok(api.named_freeze(&thaw).await)
        })
        .await
    }

    async fn sweep(
        &self,
        request: Request<api::SweepRequest>,
    ) -> Result<Response<api::SweepResponse>, Status> {
        self.answer(Attempt::on_nothing("Sweep"), request, |api, caller, api::SweepRequest {}| async move {
            let workflow = &api.inner.workflow;
            workflow.may_sweep(&caller)?;
            let round = api.inner.sweeper.sweep().await.ok_or(Refusal::Draining)?;
            let overdue = workflow.overdue().await?;
            Ok(api::SweepResponse {
                due: count(round.due),
                closed: count(round.closed),
                overdue: count(overdue.count),
                unsettled: overdue.shown.iter().map(|recorded| to_proto::activation(recorded)).collect(),
            })
        })
        .await
    }
}

type Progress = mpsc::Sender<Result<api::RevocationProgress, Status>>;

impl Api {
    /// Records all of it in a task of its own, which no hanging up ends, and tells of each until it is gone.
    async fn revoking(
        self,
        caller: Caller,
        selection: Selection,
        reason: String,
        open: Open,
        told: Progress,
    ) {
        let workflow = &self.inner.workflow;
        // Listen first: what is gone before it is told of as begun is not missed.
        let mut changes = workflow.changes();
        let (taken, mut recorded) = mpsc::unbounded_channel();
        let recording = tokio::spawn(Arc::clone(workflow).revoke_many(caller, selection, reason, taken));
        let over = open.over();
        tokio::pin!(over);
        let mut waiting: BTreeMap<ActivationId, u64> = BTreeMap::new();
        while let Some(taken) = tokio::select! {
            taken = recorded.recv() => taken,
            () = told.closed() => return,
            () = &mut over => return,
        } {
            let progress = match taken {
                Taken::Begun(id) => self.step_of(id, &mut waiting).await,
                Taken::Over(id) => self.step_of(id, &mut waiting).await,
                Taken::Failed(id, refusal) => Ok(Some(failed(id, &refusal))),
            };
            if !hand_on(&told, progress, over.as_mut()).await {
                return;
            }
        }
        let all = match recording.await {
            Ok(Ok((selected, more))) => Ok(Some(api::RevocationProgress {
                step: api::RevocationStep::AllRecorded.into(),
                selected: i64::try_from(selected).unwrap_or(i64::MAX),
                more,
                ..api::RevocationProgress::default()
            })),
            Ok(Err(refusal)) => Err(refusal),
            Err(panicked) => {
                streams::give(&told, Err(status::internal(&panicked)), over.as_mut()).await;
                return;
            }
        };
        if !hand_on(&told, all, over.as_mut()).await {
            return;
        }
        // What changed while it was recorded is looked at once.
        let mut looked_at: Vec<_> = waiting.keys().copied().collect();
        loop {
            for id in std::mem::take(&mut looked_at) {
                let progress = self.step_of(id, &mut waiting).await;
                if !hand_on(&told, progress, over.as_mut()).await {
                    return;
                }
            }
            if waiting.is_empty() {
                return;
            }
            let changed = tokio::select! {
                changed = changes.recv() => changed,
                () = told.closed() => return,
                () = &mut over => return,
            };
            match changed {
                Ok(id) if waiting.contains_key(&id) => looked_at.push(id),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => looked_at.extend(waiting.keys().copied()),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Where one stands, if that was not told yet.
    async fn step_of(
        &self,
        id: ActivationId,
        waiting: &mut BTreeMap<ActivationId, u64>,
    ) -> Result<Option<api::RevocationProgress>, Refusal> {
        let Some(now) = self.inner.workflow.ports().journal.load(id).await? else { return Ok(None) };
        let step = if !now.is_live() {
            waiting.remove(&id);
            api::RevocationStep::Gone
        } else if waiting.insert(id, now.version).is_none() {
            api::RevocationStep::Begun
        } else {
            return Ok(None);
        };
        Ok(Some(api::RevocationProgress {
            step: step.into(),
            id: id.to_string(),
            activation: Some(to_proto::activation(&now)),
            ..api::RevocationProgress::default()
        }))
    }
}

async fn hand_on(
    told: &Progress,
    progress: Result<Option<api::RevocationProgress>, Refusal>,
    over: std::pin::Pin<&mut impl Future<Output = ()>>,
) -> bool {
    match progress {
        Ok(None) => true,
        Ok(Some(progress)) => streams::give(told, Ok(progress), over).await,
        Err(refusal) => {
            streams::give(told, Err(status::from(&refusal)), over).await;
            false
        }
    }
}

fn failed(id: ActivationId, refusal: &Refusal) -> api::RevocationProgress {
    api::RevocationProgress {
        step: api::RevocationStep::Failed.into(),
        id: id.to_string(),
        reason: refusal.reason().to_owned(),
        message: refusal.to_string(),
        ..api::RevocationProgress::default()
    }
}

fn selection(message: Option<api::RevocationSelection>) -> Result<Selection, Refusal> {
    let wrong = |problem: &str| Refusal::Field { field: "selection", problem: problem.to_owned() };
    let api::RevocationSelection { ids, principal_object_id, role, everything } = message.unwrap_or_default();
    let narrowed = !principal_object_id.is_empty() || !role.is_empty();
    match (ids.is_empty(), narrowed, everything) {
        (false, false, false) => {
            if ids.len() > MOST_NAMED {
                return Err(wrong(&format!("names {} activations; at most {MOST_NAMED} at once", ids.len())));
            }
            let ids = ids.iter().map(|id| from_proto::activation_id(id));
            Ok(Selection::Named(ids.collect::<Result<BTreeSet<_>, _>>()?))
        }
        (true, true, false) => Ok(Selection::Live {
            principal: match principal_object_id.as_str() {
                "" => None,
                id => Some(from_proto::field("principal_object_id", id)?),
            },
            role: if role.is_empty() { None } else { Some(from_proto::role(&role)?) },
        }),
        (true, false, true) => Ok(Selection::Live { principal: None, role: None }),
        (true, false, false) => Err(wrong("selects nothing; name ids, a principal, a role, or everything")),
        _ => Err(wrong("name ids, or a principal and a role, or everything; not several of these")),
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
