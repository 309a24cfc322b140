//! What a verb would do to an activation, without doing it. The rules by state are the broker's own; they are
//! repeated here, for a look changes nothing and the call itself would.

use elevate_proto::v1;

use crate::connect::Broker;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{clean_line, json, words};

/// One activation as it stands.
pub(crate) async fn look(broker: &Broker, id: &str) -> Result<v1::Activation> {
    let request = v1::GetActivationRequest { id: id.to_owned() };
    Ok(broker.activations().get_activation(broker.call(request)).await?.into_inner())
}

/// The same, for what only the one who asked may do.
pub(crate) async fn look_at_own(broker: &Broker, id: &str) -> Result<v1::Activation> {
    let activation = look(broker, id).await?;
    let caller = broker.session().get_caller(broker.call(v1::GetCallerRequest {})).await?.into_inner();
    let object_id = |who: &Option<v1::Principal>| who.clone().unwrap_or_default().object_id;
    if object_id(&caller.principal) == object_id(&activation.principal) {
        Ok(activation)
    } else {
        Err(Failure::new(Exit::NotFound, "ACTIVATION_NOT_FOUND", "that activation is somebody else's")
            .advice("`elevate list --all` shows yours"))
    }
}

/// Refuses whoever lacks the app role, as the call itself would.
pub(crate) async fn needs(broker: &Broker, app_role: &str) -> Result<()> {
    let caller = broker.session().get_caller(broker.call(v1::GetCallerRequest {})).await?.into_inner();
    if caller.app_roles.iter().any(|role| role == app_role) {
        return Ok(());
    }
    Err(Failure::new(Exit::Refused, "NOT_ALLOWED", format!("this needs the app role {app_role}"))
        .advice("an administrator of the tenant assigns it; `elevate whoami` shows what you have"))
}

/// The verb cannot follow in this state.
pub(crate) fn wrong_state(activation: &v1::Activation, advice: &str) -> Failure {
    let state = words::standing(activation);
    Failure::new(Exit::State, "WRONG_STATE", format!("this activation is {state}")).advice(advice)
}

/// What would be done: `what` is a sentence's end, `Nothing was changed. … would be denied`.
pub(crate) fn told(
    context: &mut Context,
    verb: &'static str,
    activation: v1::Activation,
    what: &str,
) -> Result<Exit> {
    let who = words::person_short(activation.principal.as_ref());
    let text = format!("Nothing was changed. {} for {who} {what}", clean_line(&activation.role));
    context.console.answer(&json::DryRun::on(verb, activation), || text)?;
    Ok(Exit::Ok)
}
