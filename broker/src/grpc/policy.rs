//! `PolicyService`.

use elevate_proto::v1 as api;
use elevate_proto::v1::policy_service_server::PolicyService;
use tonic::{Request, Response, Status};

use super::{Api, Attempt, from_proto, to_proto};

#[tonic::async_trait]
impl PolicyService for Api {
    async fn plan_policy(
        &self,
        request: Request<api::PlanPolicyRequest>,
    ) -> Result<Response<api::PlanPolicyResponse>, Status> {
        self.answer(None, request, |api, caller, api::PlanPolicyRequest { text }| async move {
            let plan = api.inner.workflow.plan(&caller, &text).await?;
            let change = |change: crate::workflow::RoleChange| api::RoleChange {
                role: change.role.to_string(),
                kind: change.kind.to_owned(),
                differences: change.differences,
                live_activation_ids: change.live.iter().map(ToString::to_string).collect(),
            };
            Ok(api::PlanPolicyResponse {
                current_version: i64::try_from(plan.current.0).unwrap_or(i64::MAX),
                changes: plan.changes.into_iter().map(change).collect(),
            })
        })
        .await
    }

    async fn apply_policy(
        &self,
        request: Request<api::ApplyPolicyRequest>,
    ) -> Result<Response<api::Policy>, Status> {
        let attempt = Attempt::on_nothing("ApplyPolicy");
        self.answer(attempt, request, |api, caller, message| async move {
            let api::ApplyPolicyRequest { text, current_version } = message;
            let planned = from_proto::policy_version(current_version, "current_version")?;
            let applied = api.inner.workflow.apply(&caller, &text, planned).await?;
            Ok(to_proto::policy(&applied))
        })
        .await
    }

    async fn get_policy(
        &self,
        request: Request<api::GetPolicyRequest>,
    ) -> Result<Response<api::Policy>, Status> {
        self.answer(None, request, |api, caller, api::GetPolicyRequest { version }| async move {
            let version = from_proto::policy_version(version, "version")?;
            let applied = api.inner.workflow.policy(&caller, version).await?;
            Ok(to_proto::policy(&applied))
        })
        .await
    }
}
