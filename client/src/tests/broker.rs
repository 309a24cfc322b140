//! A broker that answers as it was told, and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use elevate_proto::v1;
use prost::Message;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::bench::Certificates;

/// What the broker says to the next call of a kind. The last one said is said again.
#[derive(Clone)]
enum Reply {
    Message(Vec<u8>),
    /// Messages, and then the end or a failure.
    Stream(Vec<Vec<u8>>, Option<Status>),
    Failure(Status),
}

#[derive(Default)]
pub(super) struct Broker {
    replies: Mutex<HashMap<&'static str, VecDeque<Reply>>>,
    seen: Mutex<Vec<Seen>>,
}

struct Seen {
    call: &'static str,
    message: Vec<u8>,
    authorization: Option<String>,
    deadline: bool,
}

impl Broker {
    /// Serves on loopback until the test ends; gives the port.
    pub(super) async fn serve(self: &Arc<Self>, certificates: &Certificates) -> u16 {
        self.serve_tls(certificates.server(&[&rustls::version::TLS13], true)).await
    }

    pub(super) async fn serve_tls(self: &Arc<Self>, config: rustls::ServerConfig) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let incoming = TcpListenerStream::new(listener)
            .then(move |tcp| {
                let acceptor = acceptor.clone();
                async move { acceptor.accept(tcp?).await }
            })
            .filter(Result::is_ok);
        let server = tonic::transport::Server::builder()
            .add_service(v1::session_service_server::SessionServiceServer::from_arc(Arc::clone(self)))
            .add_service(v1::role_service_server::RoleServiceServer::from_arc(Arc::clone(self)))
            .add_service(v1::activation_service_server::ActivationServiceServer::from_arc(Arc::clone(self)))
            .add_service(v1::approval_service_server::ApprovalServiceServer::from_arc(Arc::clone(self)))
            .add_service(v1::review_service_server::ReviewServiceServer::from_arc(Arc::clone(self)))
            .add_service(v1::revocation_service_server::RevocationServiceServer::from_arc(Arc::clone(self)))
            .add_service(v1::policy_service_server::PolicyServiceServer::from_arc(Arc::clone(self)))
            .add_service(v1::audit_service_server::AuditServiceServer::from_arc(Arc::clone(self)))
            .serve_with_incoming(incoming);
        tokio::spawn(server);
        port
    }

    pub(super) fn says(&self, call: &'static str, message: &impl Message) {
        self.next(call, Reply::Message(message.encode_to_vec()));
    }

    /// From now on it says only this to a call.
    pub(super) fn says_only(&self, call: &'static str, message: &impl Message) {
        self.replies.lock().unwrap().remove(call);
        self.says(call, message);
    }

    pub(super) fn streams<M: Message>(&self, call: &'static str, messages: &[M], end: Option<Status>) {
        self.next(call, Reply::Stream(messages.iter().map(Message::encode_to_vec).collect(), end));
    }

    pub(super) fn fails(&self, call: &'static str, status: Status) {
        self.next(call, Reply::Failure(status));
    }

    fn next(&self, call: &'static str, reply: Reply) {
        self.replies.lock().unwrap().entry(call).or_default().push_back(reply);
    }

    /// The messages of these calls so far.
    pub(super) fn asked<M: Message + Default>(&self, call: &str) -> Vec<M> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|s| s.call == call).map(|s| M::decode(s.message.as_slice()).unwrap()).collect()
    }

    /// Whether a call of this kind came.
    pub(super) fn was_called(&self, call: &str) -> bool {
        self.seen.lock().unwrap().iter().any(|seen| seen.call == call)
    }

    /// Token and deadline of the last of these calls.
    pub(super) fn carried(&self, call: &str) -> (Option<String>, bool) {
        let seen = self.seen.lock().unwrap();
        let last = seen.iter().rev().find(|s| s.call == call).unwrap();
        (last.authorization.clone(), last.deadline)
    }

    fn reply<Q: Message>(&self, call: &'static str, request: Request<Q>) -> Reply {
        let text = |name: &str| request.metadata().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let (authorization, deadline) = (text("authorization"), text("grpc-timeout").is_some());
        let message = request.into_inner().encode_to_vec();
        self.seen.lock().unwrap().push(Seen { call, message, authorization, deadline });
        let mut replies = self.replies.lock().unwrap();
        match replies.get_mut(call) {
            Some(queue) if queue.len() > 1 => queue.pop_front().unwrap(),
            Some(queue) => queue.front().unwrap().clone(),
            None => Reply::Failure(Status::unimplemented(call)),
        }
    }

    fn one<Q: Message, A: Message + Default>(
        &self,
        call: &'static str,
        request: Request<Q>,
    ) -> Result<Response<A>, Status> {
        match self.reply(call, request) {
            Reply::Message(bytes) => Ok(Response::new(A::decode(bytes.as_slice()).unwrap())),
            Reply::Failure(status) => Err(status),
            Reply::Stream(..) => unreachable!("{call} is no stream"),
        }
    }

    fn many<Q: Message, A: Message + Default + 'static>(
        &self,
        call: &'static str,
        request: Request<Q>,
    ) -> Result<Response<Many<A>>, Status> {
        match self.reply(call, request) {
            Reply::Stream(messages, end) => {
                let messages = messages.into_iter().map(|bytes| Ok(A::decode(bytes.as_slice()).unwrap()));
                Ok(Response::new(Box::pin(tokio_stream::iter(messages.chain(end.map(Err))))))
            }
            Reply::Failure(status) => Err(status),
            Reply::Message(_) => unreachable!("{call} is a stream"),
        }
    }
}

type Many<A> = Pin<Box<dyn tokio_stream::Stream<Item = Result<A, Status>> + Send>>;

macro_rules! service {
    ($service:path { $($call:ident: $ask:ident -> $answer:ident),* $(,)? }
     $($stream:ident: $call_many:ident: $ask_many:ident -> $answer_many:ident)*) => {
        #[tonic::async_trait]
        impl $service for Broker {
            $(async fn $call(&self, request: Request<v1::$ask>) -> Result<Response<v1::$answer>, Status> {
                self.one(stringify!($call), request)
            })*
            $(type $stream = Many<v1::$answer_many>;
            async fn $call_many(&self, request: Request<v1::$ask_many>) -> Result<Response<Many<v1::$answer_many>>, Status> {
                self.many(stringify!($call_many), request)
            })*
        }
    };
}

service!(v1::session_service_server::SessionService {
    get_sign_in: GetSignInRequest -> SignIn,
    get_caller: GetCallerRequest -> Caller,
});
service!(v1::role_service_server::RoleService {
    list_eligible_roles: ListEligibleRolesRequest -> ListEligibleRolesResponse,
    explain_role: ExplainRoleRequest -> ExplainRoleResponse,
});
service!(v1::activation_service_server::ActivationService {
    prepare_activation: PrepareActivationRequest -> PrepareActivationResponse,
    request_activation: RequestActivationRequest -> Activation,
    prepare_bundle: PrepareBundleRequest -> PrepareBundleResponse,
    request_bundle: RequestBundleRequest -> RequestBundleResponse,
    get_activation: GetActivationRequest -> Activation,
    list_activations: ListActivationsRequest -> ListActivationsResponse,
    withdraw_bundle: WithdrawBundleRequest -> WithdrawBundleResponse,
    withdraw_activation: WithdrawActivationRequest -> Activation,
    deactivate_activation: DeactivateActivationRequest -> Activation,
} WatchActivationStream: watch_activation: WatchActivationRequest -> Activation
  HoldActivationStream: hold_activation: HoldActivationRequest -> Activation);
service!(v1::approval_service_server::ApprovalService {
    list_pending_approvals: ListPendingApprovalsRequest -> ListPendingApprovalsResponse,
    prepare_approval: PrepareApprovalRequest -> PrepareApprovalResponse,
    approve_activation: ApproveActivationRequest -> Activation,
    prepare_bundle_approval: PrepareBundleApprovalRequest -> PrepareBundleApprovalResponse,
    approve_bundle: ApproveBundleRequest -> ApproveBundleResponse,
    deny_activation: DenyActivationRequest -> Activation,
});
service!(v1::review_service_server::ReviewService {
    list_reviews: ListReviewsRequest -> ListReviewsResponse,
    close_review: CloseReviewRequest -> Activation,
});
service!(v1::revocation_service_server::RevocationService {
    revoke_activation: RevokeActivationRequest -> Activation,
    preview_revocation: PreviewRevocationRequest -> PreviewRevocationResponse,
    freeze: FreezeRequest -> Frozen,
    thaw: ThawRequest -> Frozen,
    sweep: SweepRequest -> SweepResponse,
} RevokeActivationsStream: revoke_activations: RevokeActivationsRequest -> RevocationProgress);
service!(v1::policy_service_server::PolicyService {
    plan_policy: PlanPolicyRequest -> PlanPolicyResponse,
    apply_policy: ApplyPolicyRequest -> Policy,
    propose_policy: ProposePolicyRequest -> Proposal,
    get_proposal: GetProposalRequest -> Proposal,
    confirm_policy: ConfirmPolicyRequest -> Policy,
    get_policy: GetPolicyRequest -> Policy,
    import_policy: ImportPolicyRequest -> ImportPolicyResponse,
});
service!(v1::audit_service_server::AuditService {
    list_audit_entries: ListAuditEntriesRequest -> ListAuditEntriesResponse,
} StreamAuditEntriesStream: stream_audit_entries: StreamAuditEntriesRequest -> AuditEntry);
