//! `elevate logout`: forgets the session, and says what that does not undo.

use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Result;
use crate::login::store;

pub(crate) async fn run(context: &mut Context) -> Result<Exit> {
    let broker = context.settings.broker()?.to_owned();
    // Forgotten even when it cannot be read.
    let known = store::load(context, &broker).await.ok().flatten();
    store::forget(context, &broker).await?;
    let json = json!({ "broker": broker, "was_signed_in": known.is_some() });
    context.console.answer(&json, || match &known {
        Some(_) => format!("Signed out of {broker}: the session is deleted here"),
        None => format!("There was no session with {broker}"),
    })?;
    if let Some(session) = known {
        context.console.say(
            "What remains: roles that you hold, until they end (`elevate deactivate` gives them back), and requests \
             that wait (`elevate withdraw`).",
        );
        if session.workload.is_none() {
            context.console.say("Your browser stays signed in to the tenant until you sign out there.");
        }
        if context.settings.access_token_file.is_some() {
            context.console.say("ELEVATE_ACCESS_TOKEN_FILE is set: commands go on with the token in it.");
        }
    }
    Ok(Exit::Ok)
}
