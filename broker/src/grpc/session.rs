//! `SessionService`.

use elevate_proto::v1 as api;
use elevate_proto::v1::session_service_server::SessionService;
use tonic::{Request, Response, Status};

use super::{Api, SignIn, to_proto};
use crate::ports::verifier::CallerKind;

/// Why people may not sign in by device code.
const NO_DEVICE_CODE: &str = "whoever starts such a sign-in gets the session of whoever enters its code, so it is off \
                              until the people who run the broker set `identity.device_code`";

#[tonic::async_trait]
impl SessionService for Api {
    async fn get_sign_in(&self, _: Request<api::GetSignInRequest>) -> Result<Response<api::SignIn>, Status> {
        let SignIn { issuer, client_id, scope, device_code } = self.inner.sign_in.clone();
        let device_code_refusal = if device_code { "" } else { NO_DEVICE_CODE }.to_owned();
        Ok(Response::new(api::SignIn { issuer, client_id, scope, device_code, device_code_refusal }))
    }

    async fn get_caller(
        &self,
        request: Request<api::GetCallerRequest>,
    ) -> Result<Response<api::Caller>, Status> {
        self.answer(None, request, |api, caller, api::GetCallerRequest {}| async move {
            let mut principal = to_proto::principal(caller.principal);
            principal.display_name = caller.name;
            let frozen = api.frozen().await?;
            Ok(api::Caller {
                principal: Some(principal),
                workload: caller.kind == CallerKind::Workload,
                app_roles: caller.roles.iter().map(|role| role.word().to_owned()).collect(),
                broker_version: env!("CARGO_PKG_VERSION").to_owned(),
                frozen,
            })
        })
        .await
    }
}
