//! `ApprovalService`.

use elevate_core::binding::approval_digest;
use elevate_proto::v1 as api;
use elevate_proto::v1::approval_service_server::ApprovalService;
use tonic::{Request, Response, Status};

use super::{Api, Attempt, WORDS_MAX, from_proto, to_proto};
use crate::workflow::{BundleToApprove, ToApprove, Yes, YesToAll};

#[tonic::async_trait]
impl ApprovalService for Api {
    async fn list_pending_approvals(
        &self,
        request: Request<api::ListPendingApprovalsRequest>,
    ) -> Result<Response<api::ListPendingApprovalsResponse>, Status> {
        self.answer(None, request, |api, caller, message| async move {
            let api::ListPendingApprovalsRequest { page_size, page_token } = message;
            let page = from_proto::page(page_size, &page_token, 50, 100)?;
            let found = api.inner.workflow.pending(&caller, &page).await?;
            let (activations, next_page_token) = api.page_of(&found).await;
            Ok(api::ListPendingApprovalsResponse { activations, next_page_token })
        })
        .await
    }

    async fn prepare_approval(
        &self,
        request: Request<api::PrepareApprovalRequest>,
    ) -> Result<Response<api::PrepareApprovalResponse>, Status> {
        let attempt = Attempt::on_activation("PrepareApproval", &request.get_ref().id);
        self.answer(attempt, request, |api, caller, message| async move {
            let api::PrepareApprovalRequest { id, term_seconds, scope } = message;
            let id = from_proto::activation_id(&id)?;
            let off = from_proto::narrowed(term_seconds, &scope)?;
            let ToApprove { recorded, offer, much, challenge } =
                api.inner.workflow.prepare_approval(&caller, id, &off).await?;
            let digest = approval_digest(id, recorded.digest, &much);
            Ok(api::PrepareApprovalResponse {
                challenge: Some(to_proto::challenge(challenge, digest, &offer.proof.for_approval())),
                activation: Some(api.named(&recorded).await),
            })
        })
        .await
    }

    async fn approve_activation(
        &self,
        request: Request<api::ApproveActivationRequest>,
    ) -> Result<Response<api::Activation>, Status> {
        let attempt = Attempt::on_activation("ApproveActivation", &request.get_ref().id);
        self.answer(attempt, request, |api, caller, message| async move {
            let api::ApproveActivationRequest {
                request_id, id, digest, comment, proof, term_seconds, scope,
            } = message;
            let id = from_proto::activation_id(&id)?;
            let api::Proof { id_token, challenge } = from_proto::proof(proof)?;
            let comment = from_proto::words("comment", &comment, WORDS_MAX, true)?;
            let yes = Yes {
                request_id: from_proto::request_id(&request_id)?,
                digest: from_proto::digest(&digest)?,
                much: from_proto::narrowed(term_seconds, &scope)?,
                comment: &comment,
                proof: &id_token,
                challenge: &challenge,
            };
            let recorded = api.inner.workflow.approve(&caller, id, yes).await?;
            Ok(api.named(&recorded).await)
        })
        .await
    }

    async fn prepare_bundle_approval(
        &self,
        request: Request<api::PrepareBundleApprovalRequest>,
    ) -> Result<Response<api::PrepareBundleApprovalResponse>, Status> {
        let attempt = Attempt::on_activation("PrepareBundleApproval", &request.get_ref().id);
        self.answer(attempt, request, |api, caller, message| async move {
            let api::PrepareBundleApprovalRequest { id, term_seconds, scope } = message;
            let id = from_proto::activation_id(&id)?;
            let off = from_proto::narrowed(term_seconds, &scope)?;
            let BundleToApprove { members, rule, digest, challenge } =
                api.inner.workflow.prepare_bundle_approval(&caller, id, &off).await?;
            let members: Vec<_> = members.into_iter().map(|(recorded, _)| recorded).collect();
            Ok(api::PrepareBundleApprovalResponse {
                challenge: Some(to_proto::challenge(challenge, digest, &rule)),
                activations: api.all_named(&members).await,
            })
        })
        .await
    }

    async fn approve_bundle(
        &self,
        request: Request<api::ApproveBundleRequest>,
    ) -> Result<Response<api::ApproveBundleResponse>, Status> {
        let attempt = Attempt::on_activation("ApproveBundle", &request.get_ref().id);
        self.answer(attempt, request, |api, caller, message| async move {
            let api::ApproveBundleRequest { request_id, id, items, comment, proof } = message;
            let id = from_proto::activation_id(&id)?;
            let api::Proof { id_token, challenge } = from_proto::proof(proof)?;
            let comment = from_proto::words("comment", &comment, WORDS_MAX, true)?;
            let yes = YesToAll {
                request_id: from_proto::request_id(&request_id)?,
                members: &from_proto::approved(&items)?,
                comment: &comment,
                proof: &id_token,
                challenge: &challenge,
            };
            let recorded = api.inner.workflow.approve_bundle(&caller, id, yes).await?;
            Ok(api::ApproveBundleResponse { activations: api.all_named(&recorded).await })
        })
        .await
    }

    async fn deny_activation(
        &self,
        request: Request<api::DenyActivationRequest>,
    ) -> Result<Response<api::Activation>, Status> {
        let attempt = Attempt::on_activation("DenyActivation", &request.get_ref().id);
        self.answer(attempt, request, |api, caller, api::DenyActivationRequest { id, reason }| async move {
            let id = from_proto::activation_id(&id)?;
            let reason = from_proto::words("reason", &reason, WORDS_MAX, false)?;
            let recorded = api.inner.workflow.deny(&caller, id, &reason).await?;
            Ok(api.named(&recorded).await)
        })
        .await
    }
}
