//! `ReviewService`.

use elevate_proto::v1 as api;
use elevate_proto::v1::review_service_server::ReviewService;
use tonic::{Request, Response, Status};

use super::{Api, Attempt, WORDS_MAX, from_proto};

#[tonic::async_trait]
impl ReviewService for Api {
    async fn list_reviews(
        &self,
        request: Request<api::ListReviewsRequest>,
    ) -> Result<Response<api::ListReviewsResponse>, Status> {
        self.answer(None, request, |api, caller, message| async move {
            let api::ListReviewsRequest { page_size, page_token } = message;
            let page = from_proto::page(page_size, &page_token, 50, 100)?;
            let found = api.inner.workflow.reviews(&caller, &page).await?;
            let (activations, next_page_token) = api.page_of(&found).await;
            Ok(api::ListReviewsResponse { activations, next_page_token })
        })
        .await
    }

    async fn close_review(
        &self,
        request: Request<api::CloseReviewRequest>,
    ) -> Result<Response<api::Activation>, Status> {
        let attempt = Attempt::on_activation("CloseReview", &request.get_ref().id);
        self.answer(attempt, request, |api, caller, message| async move {
            let api::CloseReviewRequest { id, comment } = message;
            let id = from_proto::activation_id(&id)?;
            let comment = from_proto::words("comment", &comment, WORDS_MAX, false)?;
            let recorded = api.inner.workflow.close_review(&caller, id, &comment).await?;
            Ok(api.named(&recorded).await)
        })
        .await
    }
}
