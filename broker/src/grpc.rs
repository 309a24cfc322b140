//! The service: translate, call the workflow, translate. The only part that knows tonic.

use std::future::Future;
use std::sync::Arc;

use elevate_core::names::{ActivationId, RoleName};
use elevate_proto::v1 as api;
use tonic::{Request, Response, Status};

use crate::ports::journal::{Freeze, Note};
use crate::ports::verifier::Caller;
use crate::reaper::Sweeper;
use crate::workflow::{Refusal, Workflow};

mod activations;
mod approvals;
mod audit;
mod caller;
mod from_proto;
mod names;
mod policy;
mod reviews;
mod revocations;
mod roles;
pub mod server;
mod session;
mod status;
mod streams;
mod to_proto;

pub use caller::Rates;

/// The longest comment or reason, in characters.
const WORDS_MAX: usize = 1000;

/// How to sign in, as the configuration says it: told to everybody.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The tenant's issuer.
    pub issuer: String,
    /// The public client registration.
    pub client_id: String,
    /// The scopes that give an access token for this broker.
    pub scope: String,
    /// Whether people may sign in by device code.
    pub device_code: bool,
}

/// Every service of `elevate.v1`.
#[derive(Debug, Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    workflow: Arc<Workflow>,
    sweeper: Sweeper,
    sign_in: SignIn,
    limits: caller::Limits,
    names: names::Names,
    streams: streams::Streams,
}

/// A call that changes something: its name, and what it names, for the record of what was refused.
#[derive(Debug, Clone)]
struct Attempt {
    call: &'static str,
    role: Option<RoleName>,
    activation: Option<ActivationId>,
}

impl Attempt {
    fn on_role(call: &'static str, role: &str) -> Option<Self> {
        Some(Self { call, role: role.parse().ok(), activation: None })
    }

    fn on_activation(call: &'static str, id: &str) -> Option<Self> {
        Some(Self { call, role: None, activation: id.parse().ok() })
    }

    const fn on_nothing(call: &'static str) -> Option<Self> {
        Some(Self { call, role: None, activation: None })
    }
}

impl Api {
    /// The services over this workflow.
    pub fn new(workflow: Arc<Workflow>, sweeper: Sweeper, sign_in: SignIn, rates: Rates) -> Self {
        let names = names::Names::new(Arc::clone(&workflow.ports().directory));
        let inner = Inner {
            workflow,
            sweeper,
            sign_in,
            limits: caller::Limits::new(rates),
            names,
            streams: streams::Streams::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Answers one call: who is calling, within their rate, and then `run`. A refused `attempt` goes
    /// on record.
    ///
    /// `run` is a task of its own: a caller who hangs up does not stop what was begun.
    async fn answer<M, T, F, R>(
        &self,
        attempt: Option<Attempt>,
        request: Request<M>,
        run: R,
    ) -> Result<Response<T>, Status>
    where
        M: Send + 'static,
        T: Send + 'static,
        F: Future<Output = Result<T, Refusal>> + Send,
        R: FnOnce(Self, Caller, M) -> F + Send + 'static,
    {
        let caller = self.caller(&request).await?;
        let message = request.into_inner();
        let api = self.clone();
        let answered = tokio::spawn(async move {
            let principal = caller.principal;
            let answer = run(api.clone(), caller, message).await;
            let refused = answer.as_ref().err().map(Refusal::reason);
            if let Some(reason) = refused {
                api.inner.workflow.count_refusal(reason);
            }
            if let (Some(reason), Some(Attempt { call, role, activation })) = (refused, attempt) {
                let note = Note::Refused {
                    caller: Some(principal),
                    attempt: call.to_owned(),
                    reason: reason.to_owned(),
                    role,
                    activation,
                    at: api.inner.workflow.ports().clock.now().latest(),
                };
                api.inner.workflow.note_refusal(note).await?;
            }
            answer
        });
        match answered.await {
            Ok(Ok(message)) => Ok(Response::new(message)),
            Ok(Err(refusal)) => Err(status::from(&refusal)),
            Err(panicked) => Err(status::internal(&panicked)),
        }
    }

    /// Since when nothing is granted, with the name of who said so.
    async fn frozen(&self) -> Result<Option<api::Frozen>, Refusal> {
        let Some(freeze) = self.inner.workflow.frozen().await? else { return Ok(None) };
        Ok(Some(self.named_freeze(&freeze).await))
    }

    async fn named_freeze(&self, freeze: &Freeze) -> api::Frozen {
        let mut message = to_proto::frozen(freeze);
        self.inner.names.fill_people(message.by.as_mut()).await;
        message
    }

    /// An activation with the names of the people in it.
    async fn named(&self, activation: &elevate_core::activation::Activation) -> api::Activation {
        let mut message = to_proto::activation(activation);
        self.inner.names.fill(std::slice::from_mut(&mut message)).await;
        self.inner.names.fill_places(message.directory_role.as_mut()).await;
        message
    }

    /// What is held, with the name of the place it counts in.
    async fn placed(&self, target: &elevate_core::names::Target) -> api::DirectoryRole {
        let mut message = to_proto::target(target);
        self.inner.names.fill_places([&mut message]).await;
        message
    }
}
