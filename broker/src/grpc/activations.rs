//! `ActivationService`.

use elevate_core::activation::TicketVerdict;
use elevate_core::binding::Asked;
use elevate_core::names::ActivationId;
use elevate_core::policy::EligibleRole;
use elevate_proto::v1 as api;
use elevate_proto::v1::activation_service_server::ActivationService;
use tokio::sync::broadcast::error::RecvError;
use tonic::{Request, Response, Status};

use super::streams::{self, Answers};
use super::{Api, Attempt, from_proto, status, to_proto};
use crate::ports::journal::{Filter, Found, Recorded};
use crate::ports::verifier::Caller;
use crate::workflow::{Hold, Prepared, PreparedBundle};

#[tonic::async_trait]
impl ActivationService for Api {
    async fn prepare_activation(
        &self,
        request: Request<api::PrepareActivationRequest>,
    ) -> Result<Response<api::PrepareActivationResponse>, Status> {
        // Nothing would change, and yet it is an attempt: who asks for what is not theirs is on record.
        let attempt = Attempt::on_role("PrepareActivation", &request.get_ref().role);
        self.answer(attempt, request, |api, caller, message| async move {
            let wish = from_proto::wish(message)?;
            let Prepared { asked, offer, ticket_verdict, challenge } =
                api.inner.workflow.prepare(&caller, &wish).await?;
            let challenge = to_proto::challenge(challenge, asked.digest(), &offer.proof);
            let prepared = api.prepared(&caller, &asked, &offer, ticket_verdict).await;
            Ok(api::PrepareActivationResponse { challenge: Some(challenge), ..prepared })
        })
        .await
    }

    async fn request_activation(
        &self,
        request: Request<api::RequestActivationRequest>,
    ) -> Result<Response<api::Activation>, Status> {
        let attempt = Attempt::on_role("RequestActivation", &request.get_ref().role);
        self.answer(attempt, request, |api, caller, message| async move {
            let api::RequestActivationRequest {
                request_id,
                role,
                term_seconds,
                justification,
                ticket,
                policy_version,
                proof,
                kind,
                starts_at,
                scope,
                continues,
            } = message;
            let request_id = from_proto::request_id(&request_id)?;
            let wish = api::PrepareActivationRequest {
                role,
                term_seconds,
                justification,
                ticket,
                kind,
                starts_at,
                scope,
                continues,
            };
            let wish = from_proto::wish(wish)?;
            let version = from_proto::policy_version(policy_version, "policy_version")?;
            let api::Proof { id_token, challenge } = from_proto::proof(proof)?;
            let workflow = &api.inner.workflow;
            let recorded =
                workflow.request(&caller, request_id, &wish, version, &id_token, &challenge).await?;
            Ok(api.named(&recorded).await)
        })
        .await
    }

    async fn prepare_bundle(
        &self,
        request: Request<api::PrepareBundleRequest>,
    ) -> Result<Response<api::PrepareBundleResponse>, Status> {
        let attempt = Attempt::on_role("PrepareBundle", first_role(&request.get_ref().items));
        self.answer(attempt, request, |api, caller, api::PrepareBundleRequest { items }| async move {
            let wishes = from_proto::wishes(items)?;
            let PreparedBundle { members, ticket_verdicts, rule, digest, challenge } =
                api.inner.workflow.prepare_bundle(&caller, &wishes).await?;
            let mut items = Vec::new();
            for ((asked, offer), verdict) in members.iter().zip(ticket_verdicts) {
                items.push(api.prepared(&caller, asked, offer, verdict).await);
            }
            let challenge = Some(to_proto::challenge(challenge, digest, &rule));
            Ok(api::PrepareBundleResponse { challenge, items })
        })
        .await
    }

    async fn request_bundle(
        &self,
        request: Request<api::RequestBundleRequest>,
    ) -> Result<Response<api::RequestBundleResponse>, Status> {
        let attempt = Attempt::on_role("RequestBundle", first_role(&request.get_ref().items));
        self.answer(attempt, request, |api, caller, message| async move {
            let api::RequestBundleRequest { request_id, items, policy_version, proof } = message;
            let request_id = from_proto::request_id(&request_id)?;
            let wishes = from_proto::wishes(items)?;
            let version = from_proto::policy_version(policy_version, "policy_version")?;
            let api::Proof { id_token, challenge } = from_proto::proof(proof)?;
            let workflow = &api.inner.workflow;
            let recorded =
                workflow.request_bundle(&caller, request_id, &wishes, version, &id_token, &challenge).await?;
            Ok(api::RequestBundleResponse { activations: api.all_named(&recorded).await })
        })
        .await
    }

    async fn get_activation(
        &self,
        request: Request<api::GetActivationRequest>,
    ) -> Result<Response<api::Activation>, Status> {
        self.answer(None, request, |api, caller, api::GetActivationRequest { id }| async move {
            let recorded = api.inner.workflow.show(&caller, from_proto::activation_id(&id)?).await?;
            Ok(api.named(&recorded).await)
        })
        .await
    }

    async fn list_activations(
        &self,
        request: Request<api::ListActivationsRequest>,
    ) -> Result<Response<api::ListActivationsResponse>, Status> {
        self.answer(None, request, |api, caller, message| async move {
            let api::ListActivationsRequest { everybody, role, include_closed, page_size, page_token } =
                message;
            let filter = Filter {
                role: if role.is_empty() { None } else { Some(from_proto::role(&role)?) },
                live_only: !include_closed,
                ..Filter::default()
            };
            let page = from_proto::page(page_size, &page_token, 50, 100)?;
            let found = api.inner.workflow.list(&caller, filter, everybody, &page).await?;
            let (activations, next_page_token) = api.page_of(&found).await;
            Ok(api::ListActivationsResponse { activations, next_page_token })
        })
        .await
    }

    type WatchActivationStream = Answers<api::Activation>;

    async fn watch_activation(
        &self,
        request: Request<api::WatchActivationRequest>,
    ) -> Result<Response<Self::WatchActivationStream>, Status> {
        let caller = self.caller(&request).await?;
        let api::WatchActivationRequest { id } = request.into_inner();
        let id = from_proto::activation_id(&id).map_err(|refusal| status::from(&refusal))?;
        self.watched(caller, id, None).await
    }

    type HoldActivationStream = Answers<api::Activation>;

    async fn hold_activation(
        &self,
        request: Request<api::HoldActivationRequest>,
    ) -> Result<Response<Self::HoldActivationStream>, Status> {
        let caller = self.caller(&request).await?;
        let api::HoldActivationRequest { id } = request.into_inner();
        let id = from_proto::activation_id(&id).map_err(|refusal| status::from(&refusal))?;
        let workflow = &self.inner.workflow;
        let (hold, _) = workflow.hold(&caller, id).await.map_err(|refusal| status::from(&refusal))?;
        self.watched(caller, id, Some(hold)).await
    }

    async fn withdraw_activation(
        &self,
        request: Request<api::WithdrawActivationRequest>,
    ) -> Result<Response<api::Activation>, Status> {
        let attempt = Attempt::on_activation("WithdrawActivation", &request.get_ref().id);
        self.answer(attempt, request, |api, caller, api::WithdrawActivationRequest { id }| async move {
            let recorded = api.inner.workflow.withdraw(&caller, from_proto::activation_id(&id)?).await?;
            Ok(api.named(&recorded).await)
        })
        .await
    }

    async fn withdraw_bundle(
        &self,
        request: Request<api::WithdrawBundleRequest>,
    ) -> Result<Response<api::WithdrawBundleResponse>, Status> {
        let attempt = Attempt::on_activation("WithdrawBundle", &request.get_ref().id);
        self.answer(attempt, request, |api, caller, api::WithdrawBundleRequest { id }| async move {
            let recorded =
                api.inner.workflow.withdraw_bundle(&caller, from_proto::activation_id(&id)?).await?;
            Ok(api::WithdrawBundleResponse { activations: api.all_named(&recorded).await })
        })
        .await
    }

    async fn deactivate_activation(
        &self,
        request: Request<api::DeactivateActivationRequest>,
    ) -> Result<Response<api::Activation>, Status> {
        let attempt = Attempt::on_activation("DeactivateActivation", &request.get_ref().id);
        self.answer(attempt, request, |api, caller, api::DeactivateActivationRequest { id }| async move {
            let recorded = api.inner.workflow.deactivate(&caller, from_proto::activation_id(&id)?).await?;
            Ok(api.named(&recorded).await)
        })
        .await
    }
}

/// The role that a refused bundle is remembered by.
fn first_role(items: &[api::PrepareActivationRequest]) -> &str {
    items.first().map(|item| item.role.as_str()).unwrap_or_default()
}

impl Api {
    /// What a wish means and needs, but for the sign-in.
    async fn prepared(
        &self,
        caller: &Caller,
        asked: &Asked,
        offer: &EligibleRole,
        ticket_verdict: Option<TicketVerdict>,
    ) -> api::PrepareActivationResponse {
        let approvers = self.inner.workflow.approvers(caller.principal, offer).await;
        let principal =
            api::Principal { display_name: caller.name.clone(), ..to_proto::principal(asked.principal) };
        api::PrepareActivationResponse {
            challenge: None,
            directory_role: Some(self.placed(&asked.target).await),
            title: offer.title.clone(),
            term_seconds: i64::from(asked.term.seconds()),
            requirements: to_proto::requirements(&offer.approval),
            approval_window_seconds: offer.approval_window.as_secs(),
            policy_version: i64::try_from(asked.policy.0).unwrap_or(i64::MAX),
            principal: Some(principal),
            approvers: Some(self.approvers(caller.principal, approvers).await),
            power: Some(to_proto::power(offer)),
            ticket_verdict: to_proto::verdict(ticket_verdict).into(),
        }
    }

    /// The activation as it stands, and again after every change. A hold lasts as long as the stream does.
    async fn watched(
        &self,
        caller: Caller,
        id: ActivationId,
        hold: Option<Hold>,
    ) -> Result<Response<Answers<api::Activation>>, Status> {
        let open = self.inner.streams.open(caller.principal)?;
        // Listen first, then look: no change falls between the two.
        let mut changes = self.inner.workflow.changes();
        let first = self.inner.workflow.show(&caller, id).await.map_err(|refusal| status::from(&refusal))?;
        let (sender, answers) = streams::fed();
        let api = self.clone();
        tokio::spawn(async move {
            let _hold = hold;
            let over = open.over();
            tokio::pin!(over);
            let mut shown = first;
            loop {
                let live = shown.is_live();
                let message = api.named(&shown).await;
                if !streams::give(&sender, Ok(message), over.as_mut()).await || !live {
                    return;
                }
                loop {
                    let changed = tokio::select! {
                        changed = changes.recv() => changed,
                        () = sender.closed() => return,
                        () = &mut over => return,
                    };
                    match changed {
                        Ok(other) if other != id => continue,
                        Ok(_) | Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => return,
                    }
                    match api.inner.workflow.show(&caller, id).await {
                        Ok(now) if now.version > shown.version => {
                            shown = now;
                            break;
                        }
                        Ok(_) => {}
                        Err(refusal) => {
                            streams::give(&sender, Err(status::from(&refusal)), over.as_mut()).await;
                            return;
                        }
                    }
                }
            }
        });
        Ok(Response::new(answers))
    }

    pub(super) async fn page_of(&self, found: &Found) -> (Vec<api::Activation>, String) {
        let next = found.next.map(|id| id.to_string()).unwrap_or_default();
        (self.all_named(&found.activations).await, next)
    }

    /// Activations with the names of the people and places in them.
    pub(super) async fn all_named(&self, recorded: &[Recorded]) -> Vec<api::Activation> {
        let mut activations: Vec<_> =
            recorded.iter().map(|recorded| to_proto::activation(recorded)).collect();
        self.inner.names.fill(&mut activations).await;
        let places = activations.iter_mut().filter_map(|activation| activation.directory_role.as_mut());
        self.inner.names.fill_places(places).await;
        activations
    }
}
