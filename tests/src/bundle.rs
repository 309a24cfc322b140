//! Several roles in one request, and one yes to them.

use elevate_proto::v1 as api;
use tonic::Status;
use uuid::Uuid;

use crate::{Caller, Wish, challenge};

type Answer<T> = Result<T, Status>;

impl Caller {
    /// Prepares, signs in once and asks for all of these.
    pub async fn ask_together(&self, wishes: &[Wish]) -> Answer<Vec<api::Activation>> {
        let items: Vec<_> = wishes.iter().map(Wish::prepare).collect();
        let prepare = api::PrepareBundleRequest { items: items.clone() };
        let prepared = self.activation().prepare_bundle(self.call(prepare)).await?.into_inner();
        let filled = items
            .into_iter()
            .zip(&prepared.items)
            .map(|(item, told)| api::PrepareActivationRequest { term_seconds: told.term_seconds, ..item });
        let message = api::RequestBundleRequest {
            request_id: Uuid::new_v4().to_string(),
            items: filled.collect(),
            policy_version: prepared.items.first().map(|told| told.policy_version).unwrap_or_default(),
            proof: Some(self.proof(challenge(&prepared.challenge))),
        };
        Ok(self.activation().request_bundle(self.call(message)).await?.into_inner().activations)
    }

    /// Prepares a yes to all of it that waits for the caller, and signs in for it.
    pub async fn ready_to_approve_together(&self, id: &str) -> Answer<api::ApproveBundleRequest> {
        let message = api::PrepareBundleApprovalRequest { id: id.to_owned(), ..Default::default() };
        let prepared = self.approval().prepare_bundle_approval(self.call(message)).await?.into_inner();
        let item = |shown: &api::Activation| api::ApprovedItem {
            id: shown.id.clone(),
            digest: shown.digest.clone(),
            ..Default::default()
        };
        Ok(api::ApproveBundleRequest {
            request_id: Uuid::new_v4().to_string(),
            id: id.to_owned(),
            items: prepared.activations.iter().map(item).collect(),
            comment: "fine".to_owned(),
            proof: Some(self.proof(challenge(&prepared.challenge))),
        })
    }

    /// Says yes, with a message of the test's own.
    pub async fn approve_together_with(
        &self,
        message: api::ApproveBundleRequest,
    ) -> Answer<Vec<api::Activation>> {
        Ok(self.approval().approve_bundle(self.call(message)).await?.into_inner().activations)
    }

    /// Prepares, signs in and says yes to all of it that waits for the caller.
    pub async fn approve_together(&self, id: &str) -> Answer<Vec<api::Activation>> {
        self.approve_together_with(self.ready_to_approve_together(id).await?).await
    }

    /// Takes back what of it has not begun.
    pub async fn withdraw_together(&self, id: &str) -> Answer<Vec<api::Activation>> {
        let message = api::WithdrawBundleRequest { id: id.to_owned() };
        Ok(self.activation().withdraw_bundle(self.call(message)).await?.into_inner().activations)
    }
}
