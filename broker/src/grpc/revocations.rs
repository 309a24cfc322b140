//! `RevocationService`.

use elevate_proto::v1 as api;
use elevate_proto::v1::revocation_service_server::RevocationService;
use tonic::{Request, Response, Status};

use super::{Api, Attempt, from_proto, to_proto};
use crate::workflow::Refusal;

#[tonic::async_trait]
impl RevocationService for Api {
    async fn revoke_activation(
        &self,
        request: Request<api::RevokeActivationRequest>,
    ) -> Result<Response<api::Activation>, Status> {
        let attempt = Attempt::on_activation("RevokeActivation", &request.get_ref().id);
        self.answer(attempt, request, |api, caller, api::RevokeActivationRequest { id, reason }| async move {
            let id = from_proto::activation_id(&id)?;
            let reason = from_proto::words("reason", &reason, super::WORDS_MAX, false)?;
            let recorded = api.inner.workflow.revoke(&caller, id, &reason).await?;
            Ok(api.named(&recorded).await)
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

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
