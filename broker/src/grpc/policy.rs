//! `PolicyService`.

use elevate_core::policy::Shift;
use elevate_core::policy::import::{Imported, ImportedRole};
use elevate_proto::v1 as api;
use elevate_proto::v1::policy_service_server::PolicyService;
use tonic::{Request, Response, Status};

use super::{Api, Attempt, from_proto, to_proto};
use crate::ports::journal::AppliedPolicy;
use crate::workflow::RoleChange;

#[tonic::async_trait]
impl PolicyService for Api {
    async fn plan_policy(
        &self,
        request: Request<api::PlanPolicyRequest>,
    ) -> Result<Response<api::PlanPolicyResponse>, Status> {
        self.answer(None, request, |api, caller, api::PlanPolicyRequest { text }| async move {
            let plan = api.inner.workflow.plan(&caller, &text).await?;
            let mut changes = Vec::new();
            for change in plan.changes {
                changes.push(api.change(change).await);
            }
            Ok(api::PlanPolicyResponse {
                current_version: i64::try_from(plan.current.0).unwrap_or(i64::MAX),
                changes,
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

    async fn propose_policy(
        &self,
        request: Request<api::ProposePolicyRequest>,
    ) -> Result<Response<api::Proposal>, Status> {
        let attempt = Attempt::on_nothing("ProposePolicy");
        self.answer(attempt, request, |api, caller, message| async move {
            let api::ProposePolicyRequest { text, current_version } = message;
            let planned = from_proto::policy_version(current_version, "current_version")?;
            let proposed = api.inner.workflow.propose(&caller, &text, planned).await?;
            Ok(api.proposal(&proposed).await)
        })
        .await
    }

    async fn get_proposal(
        &self,
        request: Request<api::GetProposalRequest>,
    ) -> Result<Response<api::Proposal>, Status> {
        self.answer(None, request, |api, caller, api::GetProposalRequest {}| async move {
            let proposed = api.inner.workflow.proposal(&caller).await?;
            Ok(api.proposal(&proposed).await)
        })
        .await
    }

    async fn confirm_policy(
        &self,
        request: Request<api::ConfirmPolicyRequest>,
    ) -> Result<Response<api::Policy>, Status> {
        let attempt = Attempt::on_nothing("ConfirmPolicy");
        self.answer(attempt, request, |api, caller, api::ConfirmPolicyRequest { digest }| async move {
            let applied = api.inner.workflow.confirm(&caller, &digest).await?;
            Ok(to_proto::policy(&applied))
        })
        .await
    }

    async fn import_policy(
        &self,
        request: Request<api::ImportPolicyRequest>,
    ) -> Result<Response<api::ImportPolicyResponse>, Status> {
        self.answer(None, request, |api, caller, api::ImportPolicyRequest {}| async move {
            let (text, imported) = api.inner.workflow.import(&caller).await?;
            let Imported { files: _, roles, notes } = imported;
            let roles = roles.into_iter().map(imported_role).collect();
            Ok(api::ImportPolicyResponse { text, roles, notes })
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

/// The most live activations that one change tells of: each may be as long as its justification.
const LIVE_MAX: usize = 100;

fn imported_role(role: ImportedRole) -> api::ImportedRole {
    let ImportedRole { name, title, eligible, standing, left_out } = role;
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let (eligible, standing) = (count(eligible), count(standing));
    api::ImportedRole { name: name.to_string(), title, eligible, standing, left_out }
}

impl Api {
    async fn proposal(&self, proposed: &AppliedPolicy) -> api::Proposal {
        let mut message = to_proto::proposal(proposed);
        self.inner.names.fill_people(message.proposed_by.as_mut()).await;
        message
    }

    async fn change(&self, change: RoleChange) -> api::RoleChange {
        let RoleChange { role, kind, differences, shifts, live } = change;
        let shift = |shift: &Shift| api::Shift {
            subject: shift.subject.to_string(),
            display_name: String::new(),
            right: shift.right.word().to_owned(),
        };
        let (gains, loses): (Vec<_>, Vec<_>) = shifts.iter().partition(|shift| shift.gains);
        let mut gains: Vec<_> = gains.into_iter().map(shift).collect();
        let mut loses: Vec<_> = loses.into_iter().map(shift).collect();
        self.inner.names.fill_shifts(gains.iter_mut().chain(&mut loses)).await;
        let live_activation_ids = live.iter().map(|(live, _)| live.id.to_string()).collect();
        let mut shown = Vec::new();
        for (live, fate) in live.iter().take(LIVE_MAX) {
            let activation = Some(self.named(live).await);
            shown.push(api::LiveActivation { activation, fate: fate.word().to_owned() });
        }
        api::RoleChange {
            role: role.to_string(),
            kind: kind.to_owned(),
            differences,
            live_activation_ids,
            gains,
            loses,
            live: shown,
        }
    }
}
