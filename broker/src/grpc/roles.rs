//! `RoleService`.

use elevate_proto::v1 as api;
use elevate_proto::v1::role_service_server::RoleService;
use tonic::{Request, Response, Status};

use super::{Api, from_proto, to_proto};

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
            let next_page_token = match (rest.next(), roles.last()) {
                (Some(_), Some(last)) => last.name.clone(),
                _ => String::new(),
            };
            Ok(api::ListEligibleRolesResponse { roles, next_page_token })
        })
        .await
    }
}
