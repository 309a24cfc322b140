//! `elevate whoami`: the caller, as the broker sees it.

use elevate_proto::v1;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::table::pairs;
use crate::render::{clean_line, json, words};

pub(crate) async fn run(context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let caller = broker.session().get_caller(broker.call(v1::GetCallerRequest {})).await?.into_inner();
    let principal = caller.principal.clone().unwrap_or_default();
    let app_roles = match caller.app_roles.as_slice() {
        [] => "none".to_owned(),
        roles => clean_line(&roles.join(", ")),
    };
    let address = context.settings.broker()?.to_owned();
    let frozen =
        caller.frozen.as_ref().map(|frozen| words::frozen(&context.look(), frozen)).unwrap_or_default();
    let text = pairs(&[
        ("who", words::person(Some(&principal))),
        ("tenant", clean_line(&principal.tenant_id)),
        ("kind", if caller.workload { "program" } else { "person" }.to_owned()),
        ("app roles", app_roles),
        ("frozen", frozen),
        ("broker", format!("{address}, version {}", clean_line(&caller.broker_version))),
    ]);
    context.console.answer(&json::Caller::from(caller), || text)?;
    Ok(Exit::Ok)
}
