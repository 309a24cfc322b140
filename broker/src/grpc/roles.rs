//! `RoleService`.

use elevate_core::names::{ObjectId, Principal};
use elevate_core::policy::{Candidates, Decision};
use elevate_proto::v1 as api;
use elevate_proto::v1::role_service_server::RoleService;
use tonic::{Request, Response, Status};

use super::{Api, Attempt, from_proto, to_proto};
use crate::workflow::{Approvers, Explained, Obstacle};

#[tonic::async_trait]
impl RoleService for Api {
    async fn list_eligible_roles(
        &self,
        request: Request<api::ListEligibleRolesRequest>,
    ) -> Result<Response<api::ListEligibleRolesResponse>, Status> {
        self.answer(None, request, |api, caller, message| async move {
            let api::ListEligibleRolesRequest { page_size, page_token } = message;
            let size = from_proto::size(page_size, 100, 100)?;
            let after = if page_token.is_empty() { None } else { Some(from_proto::role(&page_token)?) };
            let offers = api.inner.workflow.offers(&caller).await?;
            let mut rest =
                offers.into_iter().filter(|offer| after.as_ref().is_none_or(|a| offer.role.name > *a));
            let mut roles = Vec::new();
            for offer in rest.by_ref().take(size) {
                let activation = match &offer.live {
                    Some(live) => Some(api.named(live).await),
                    None => None,
                };
                roles.push(to_proto::role(&offer, activation));
            }
            let places = roles.iter_mut().filter_map(|role| role.directory_role.as_mut());
            api.inner.names.fill_places(places).await;
            let next_page_token = match (rest.next(), roles.last()) {
                (Some(_), Some(last)) => last.name.clone(),
                _ => String::new(),
            };
            let frozen = api.frozen().await?;
            Ok(api::ListEligibleRolesResponse { roles, next_page_token, frozen })
        })
        .await
    }

    async fn explain_role(
        &self,
        request: Request<api::ExplainRoleRequest>,
    ) -> Result<Response<api::ExplainRoleResponse>, Status> {
        // Nothing would change, and yet who asks about what is not theirs is on record.
        let attempt = Attempt::on_role("ExplainRole", &request.get_ref().role);
        self.answer(attempt, request, |api, caller, message| async move {
            let api::ExplainRoleRequest { role, as_seen_by } = message;
            let role = from_proto::role(&role)?;
            let as_seen_by = match as_seen_by.as_str() {
                "" => None,
                id => Some(from_proto::field("as_seen_by", id)?),
            };
            let explained = api.inner.workflow.explain(&caller, &role, as_seen_by).await?;
            Ok(api.explained(explained).await)
        })
        .await
    }
}

impl Api {
    async fn explained(&self, explained: Explained) -> api::ExplainRoleResponse {
        let Explained { offer, principal, decision, obstacles, approvers } = explained;
        let activation = match &offer.live {
            Some(live) => Some(self.named(live).await),
            None => None,
        };
        let (decision, decided_by) = match decision {
            Decision::Offered(by) => ("offered", by.to_string()),
            Decision::Denied(by) => ("denied", by.to_string()),
            Decision::NotNamed => ("not-named", String::new()),
        };
        let object_id = decided_by.split_once(':').map(|(_, id)| id.to_owned()).unwrap_or_default();
        let mut asked_for = to_proto::principal(principal);
        let mut decider = api::Principal { object_id, ..api::Principal::default() };
        self.inner.names.fill_people([&mut asked_for, &mut decider]).await;
        let obstacle = |obstacle: &Obstacle| api::Obstacle {
            word: obstacle.word().to_owned(),
            text: obstacle.to_string(),
            activation_id: obstacle.activation().map(|id| id.to_string()).unwrap_or_default(),
        };
        let mut role = to_proto::role(&offer, activation);
        self.inner.names.fill_places(role.directory_role.as_mut()).await;
        api::ExplainRoleResponse {
            role: Some(role),
            principal: Some(asked_for),
            decision: decision.to_owned(),
            decided_by,
            decided_by_name: decider.display_name,
            obstacles: obstacles.iter().map(obstacle).collect(),
            approvers: Some(self.approvers(principal, approvers).await),
            power: Some(to_proto::power(&offer.role)),
        }
    }

    /// Who could say yes, with their names: those that came along, and those of single people.
    pub(super) async fn approvers(&self, asker: Principal, approvers: Approvers) -> api::Approvers {
        let enough = match approvers.enough() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        let Approvers { requirements, names } = approvers;
        let person = |object: &ObjectId| api::Principal {
            display_name: names.get(object).cloned().unwrap_or_default(),
            ..to_proto::principal(Principal { object: *object, ..asker })
        };
        let candidates = |candidates: &Candidates| {
            let Candidates { count, people, more } = candidates;
            api::Candidates {
                count: i32::try_from(*count).unwrap_or(i32::MAX),
                people: people.iter().map(person).collect(),
                more: *more,
            }
        };
        let mut requirements: Vec<_> = requirements.iter().map(candidates).collect();
        let people = requirements.iter_mut().flat_map(|each| &mut each.people);
        self.inner.names.fill_people(people.filter(|person| person.display_name.is_empty())).await;
        api::Approvers { requirements, enough: enough.to_owned() }
    }
}
