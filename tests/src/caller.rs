//! Somebody who speaks gRPC: a person with an access token, and their verbs.

use elevate_proto::v1 as api;
use elevate_sandbox::people::{self, Person};
use elevate_sandbox::{Clock, Mint, SignIn, Strength, Tenant};
use tokio_stream::StreamExt as _;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};
use uuid::Uuid;

use crate::{PATIENCE, span};

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Which role.
    pub role: String,
    /// For how many seconds; zero is the usual term.
    pub seconds: i64,
    /// Why.
    pub why: String,
    /// Under which ticket.
    pub ticket: Option<api::Ticket>,
    /// Under which of the role's offers.
    pub kind: api::ActivationKind,
    /// Not before then.
    pub starts_at: Option<jiff::Timestamp>,
    /// At which scope; empty for the one that is offered.
    pub scope: String,
    /// The activation that is to go on as this one; empty for one of its own.
    pub continues: String,
}

/// A wish for this role, for its usual term and a good reason.
pub fn wish(role: &str) -> Wish {
    Wish {
        role: role.to_owned(),
        seconds: 0,
        why: "the sales team moves".to_owned(),
        ticket: None,
        kind: api::ActivationKind::Unspecified,
        starts_at: None,
        scope: String::new(),
        continues: String::new(),
    }
}

impl Wish {
    /// For this long: `15m`.
    #[must_use]
    pub fn lasting(self, term: &str) -> Self {
        Self { seconds: span(term).as_secs(), ..self }
    }

    /// For this many seconds, sensible or not.
    #[must_use]
    pub fn seconds(self, seconds: i64) -> Self {
        Self { seconds, ..self }
    }

    /// For this reason.
    #[must_use]
    pub fn because(self, why: &str) -> Self {
        Self { why: why.to_owned(), ..self }
    }

    /// Under this ticket.
    #[must_use]
    pub fn under(self, number: &str) -> Self {
        Self { ticket: Some(api::Ticket { number: number.to_owned(), system: String::new() }), ..self }
    }

    /// Under this ticket of this system.
    #[must_use]
    pub fn under_one_of(self, system: &str, number: &str) -> Self {
        Self { ticket: Some(api::Ticket { number: number.to_owned(), system: system.to_owned() }), ..self }
    }

    /// Not before then.
    #[must_use]
    pub fn from(self, at: jiff::Timestamp) -> Self {
        Self { starts_at: Some(at), ..self }
    }

    /// At this scope.
    #[must_use]
    pub fn at(self, scope: &str) -> Self {
        Self { scope: scope.to_owned(), ..self }
    }

    /// To go on longer with what this one holds.
    #[must_use]
    pub fn continuing(self, old: &api::Activation) -> Self {
        Self { continues: old.id.clone(), ..self }
    }

    /// In an emergency.
    #[must_use]
    pub fn in_an_emergency(self) -> Self {
        Self { kind: api::ActivationKind::BreakGlass, ..self }
    }

    /// As it is prepared.
    pub fn prepare(&self) -> api::PrepareActivationRequest {
        let Self { role, seconds, why, ticket, kind, starts_at, scope, continues } = self.clone();
        api::PrepareActivationRequest {
            role,
            term_seconds: seconds,
            justification: why,
            ticket,
            kind: kind.into(),
            starts_at: starts_at.map(second),
            scope,
            continues,
        }
    }

    /// As it is asked for, once it was prepared.
    pub fn request(
        &self,
        prepared: &api::PrepareActivationResponse,
        proof: api::Proof,
    ) -> api::RequestActivationRequest {
        let Self { role, seconds: _, why, ticket, kind, starts_at, scope, continues } = self.clone();
        api::RequestActivationRequest {
            request_id: Uuid::new_v4().to_string(),
            role,
            term_seconds: prepared.term_seconds,
            justification: why,
            ticket,
            policy_version: prepared.policy_version,
            proof: Some(proof),
            kind: kind.into(),
            starts_at: starts_at.map(second),
            scope,
            continues,
        }
    }
}

/// Somebody with an access token and a connection.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub person: Person,
    channel: Channel,
    tokens: Mint,
    clock: Clock,
    bearer: Option<String>,
}

type Answer<T> = Result<T, Status>;

macro_rules! clients {
    ($($name:ident: $module:ident :: $client:ident;)*) => {
        $(
            /// The bare client of this service.
            pub fn $name(&self) -> api::$module::$client<Channel> {
                api::$module::$client::new(self.channel.clone()).max_decoding_message_size(16 * 1024 * 1024)
            }
        )*
    };
}

impl Caller {
    /// Somebody who lives in this tenant, by this connection.
    pub fn of(name: &str, channel: Channel, tenant: &Tenant) -> Self {
        let person = people::find(name).expect("somebody who lives here");
        let (tokens, clock) = (tenant.tokens().clone(), tenant.clock().clone());
        Self { person, channel, tokens, clock, bearer: None }
    }

    /// The same connection with these words in place of a good token; none at all if they are empty.
    #[must_use]
    pub fn bearing(&self, token: &str) -> Self {
        Self { bearer: Some(token.to_owned()), ..self.clone() }
    }

    clients! {
        session: session_service_client::SessionServiceClient;
        role: role_service_client::RoleServiceClient;
        activation: activation_service_client::ActivationServiceClient;
        approval: approval_service_client::ApprovalServiceClient;
        review: review_service_client::ReviewServiceClient;
        revocation: revocation_service_client::RevocationServiceClient;
        policy: policy_service_client::PolicyServiceClient;
        record: audit_service_client::AuditServiceClient;
    }

    /// A message with the caller's token beside it.
    pub fn call<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        let token = match &self.bearer {
            Some(token) => token.clone(),
            None => self.tokens.access(&self.sign_in()),
        };
        if !token.is_empty() {
            let value = format!("Bearer {token}").parse().expect("a token is plain text");
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    /// A fresh and strong sign-in, just now.
    pub fn sign_in(&self) -> SignIn {
        SignIn::fresh(&self.person, self.clock.now()).strength(Strength::Fido)
    }

    /// The proof that this challenge asks for.
    pub fn proof(&self, challenge: &api::Challenge) -> api::Proof {
        self.proof_by(challenge, |sign_in| sign_in)
    }

    /// The proof of a sign-in that is altered first.
    pub fn proof_by(&self, challenge: &api::Challenge, alter: impl FnOnce(SignIn) -> SignIn) -> api::Proof {
        let mut sign_in = self.sign_in().nonce(&challenge.nonce);
        if let Some(wanted) = challenge.requirement.as_ref().filter(|wanted| !wanted.auth_context.is_empty())
        {
            sign_in = sign_in.acrs(&wanted.auth_context);
        }
        api::Proof { id_token: self.tokens.id(&alter(sign_in)), challenge: challenge.challenge.clone() }
    }

    /// What a wish means.
    pub async fn prepare(&self, wish: &Wish) -> Answer<api::PrepareActivationResponse> {
        Ok(self.activation().prepare_activation(self.call(wish.prepare())).await?.into_inner())
    }

    /// Prepares, signs in and asks.
    pub async fn ask(&self, wish: &Wish) -> Answer<api::Activation> {
        let prepared = self.prepare(wish).await?;
        let proof = self.proof(challenge(&prepared.challenge));
        self.request(wish.request(&prepared, proof)).await
    }

    /// Asks, with a message of the test's own.
    pub async fn request(&self, message: api::RequestActivationRequest) -> Answer<api::Activation> {
        Ok(self.activation().request_activation(self.call(message)).await?.into_inner())
    }

    /// One activation.
    pub async fn show(&self, id: &str) -> Answer<api::Activation> {
        Ok(self
            .activation()
            .get_activation(self.call(api::GetActivationRequest { id: id.into() }))
            .await?
            .into_inner())
    }

    /// The caller's own activations, or everybody's, closed ones too.
    pub async fn list(&self, everybody: bool) -> Answer<Vec<api::Activation>> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let page = api::ListActivationsRequest {
                everybody,
                role: String::new(),
                include_closed: true,
                page_size: 100,
                page_token,
            };
            let page = self.activation().list_activations(self.call(page)).await?.into_inner();
            all.extend(page.activations);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// The activation as it changes.
    pub async fn watch(&self, id: &str) -> Answer<Streaming<api::Activation>> {
        let message = api::WatchActivationRequest { id: id.into() };
        Ok(self.activation().watch_activation(self.call(message)).await?.into_inner())
    }

    /// Takes a request back.
    pub async fn withdraw(&self, id: &str) -> Answer<api::Activation> {
        let message = api::WithdrawActivationRequest { id: id.into() };
        Ok(self.activation().withdraw_activation(self.call(message)).await?.into_inner())
    }

    /// Gives a role back.
    pub async fn deactivate(&self, id: &str) -> Answer<api::Activation> {
        let message = api::DeactivateActivationRequest { id: id.into() };
        Ok(self.activation().deactivate_activation(self.call(message)).await?.into_inner())
    }

    /// What waits for the caller.
    pub async fn pending(&self) -> Answer<Vec<api::Activation>> {
        let message = api::ListPendingApprovalsRequest::default();
        Ok(self.approval().list_pending_approvals(self.call(message)).await?.into_inner().activations)
    }

    /// What an approval means.
    pub async fn prepare_approval(&self, id: &str) -> Answer<api::PrepareApprovalResponse> {
        let message = api::PrepareApprovalRequest { id: id.into(), ..Default::default() };
        Ok(self.approval().prepare_approval(self.call(message)).await?.into_inner())
    }

    /// Prepares, signs in and says yes.
    pub async fn approve(&self, id: &str) -> Answer<api::Activation> {
        let prepared = self.prepare_approval(id).await?;
        let proof = self.proof(challenge(&prepared.challenge));
        self.approve_with(yes(&prepared, proof)).await
    }

    /// As [`approve`](Self::approve), to less of it: seconds, or a scope.
    pub async fn approve_to(&self, id: &str, seconds: i64, scope: &str) -> Answer<api::Activation> {
        let less = api::PrepareApprovalRequest { id: id.into(), term_seconds: seconds, scope: scope.into() };
        let prepared = self.approval().prepare_approval(self.call(less)).await?.into_inner();
        let proof = self.proof(challenge(&prepared.challenge));
        let to_less = api::ApproveActivationRequest {
            term_seconds: seconds,
            scope: scope.into(),
            ..yes(&prepared, proof)
        };
        self.approve_with(to_less).await
    }

    /// Says yes, with a message of the test's own.
    pub async fn approve_with(&self, message: api::ApproveActivationRequest) -> Answer<api::Activation> {
        Ok(self.approval().approve_activation(self.call(message)).await?.into_inner())
    }

    /// Says no.
    pub async fn deny(&self, id: &str, reason: &str) -> Answer<api::Activation> {
        let message = api::DenyActivationRequest { id: id.into(), reason: reason.into() };
        Ok(self.approval().deny_activation(self.call(message)).await?.into_inner())
    }

    /// Takes a role away.
    pub async fn revoke(&self, id: &str, reason: &str) -> Answer<api::Activation> {
        let message = api::RevokeActivationRequest { id: id.into(), reason: reason.into() };
        Ok(self.revocation().revoke_activation(self.call(message)).await?.into_inner())
    }

    /// Settles what is due.
    pub async fn sweep(&self) -> Answer<api::SweepResponse> {
        Ok(self.revocation().sweep(self.call(api::SweepRequest {})).await?.into_inner())
    }

    /// What the policy says of a role for this caller.
    pub async fn explain(&self, role: &str) -> Answer<api::ExplainRoleResponse> {
        let message = api::ExplainRoleRequest { role: role.to_owned(), as_seen_by: String::new() };
        Ok(self.role().explain_role(self.call(message)).await?.into_inner())
    }

    /// The roles offered.
    pub async fn roles(&self) -> Answer<Vec<api::EligibleRole>> {
        let message = api::ListEligibleRolesRequest::default();
        Ok(self.role().list_eligible_roles(self.call(message)).await?.into_inner().roles)
    }

    /// Puts a policy into force behind this version.
    pub async fn apply(&self, text: &str, current_version: i64) -> Answer<api::Policy> {
        let message = api::ApplyPolicyRequest { text: text.into(), current_version };
        Ok(self.policy().apply_policy(self.call(message)).await?.into_inner())
    }

    /// The policy in force, word for word.
    pub async fn policy_text(&self) -> Answer<String> {
        let message = api::GetPolicyRequest { version: 0 };
        Ok(self.policy().get_policy(self.call(message)).await?.into_inner().text)
    }

    /// Proposes a policy behind this version.
    pub async fn propose(&self, text: &str, current_version: i64) -> Answer<api::Proposal> {
        let message = api::ProposePolicyRequest { text: text.into(), current_version };
        Ok(self.policy().propose_policy(self.call(message)).await?.into_inner())
    }

    /// What is proposed.
    pub async fn proposal(&self) -> Answer<api::Proposal> {
        Ok(self.policy().get_proposal(self.call(api::GetProposalRequest {})).await?.into_inner())
    }

    /// Confirms the proposal of this digest.
    pub async fn confirm(&self, digest: &str) -> Answer<api::Policy> {
        let message = api::ConfirmPolicyRequest { digest: digest.into() };
        Ok(self.policy().confirm_policy(self.call(message)).await?.into_inner())
    }

    /// Everything on record.
    pub async fn audit(&self) -> Answer<Vec<api::AuditEntry>> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let page = api::ListAuditEntriesRequest { page_size: 1000, page_token, ..Default::default() };
            let page = self.record().list_audit_entries(self.call(page)).await?.into_inner();
            all.extend(page.entries);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Waits for the first entry of this kind, from the record's beginning.
    pub async fn hears(&self, event: &str) -> Answer<api::AuditEntry> {
        let from = api::StreamAuditEntriesRequest { from_position: 0 };
        let mut entries = self.record().stream_audit_entries(self.call(from)).await?.into_inner();
        let never = || Status::not_found(format!("the record says nothing of `{event}`"));
        loop {
            let next = tokio::time::timeout(PATIENCE, entries.next()).await;
            let entry = next.ok().flatten().ok_or_else(never)??;
            if entry.event == event {
                return Ok(entry);
            }
        }
    }
}

/// A moment as the contract has it, to the second.
fn second(at: jiff::Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: 0 }
}

/// A challenge that is always sent.
pub fn challenge(sent: &Option<api::Challenge>) -> &api::Challenge {
    sent.as_ref().expect("what was prepared has a challenge")
}

/// Yes to exactly what was shown.
pub fn yes(prepared: &api::PrepareApprovalResponse, proof: api::Proof) -> api::ApproveActivationRequest {
    let shown = prepared.activation.as_ref().expect("what was prepared is shown");
    api::ApproveActivationRequest {
        request_id: Uuid::new_v4().to_string(),
        id: shown.id.clone(),
        digest: shown.digest.clone(),
        comment: "fine".to_owned(),
        proof: Some(proof),
        term_seconds: Some(shown.term_seconds)
            .filter(|left| *left != shown.asked_term_seconds)
            .unwrap_or_default(),
        scope: shown
            .directory_role
            .as_ref()
            .map(|role| role.scope.clone())
            .filter(|left| *left != shown.asked_scope)
            .unwrap_or_default(),
    }
}
