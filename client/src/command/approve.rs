//! `elevate approve`: yes to exactly what is shown.

use elevate_proto::v1;
use uuid::Uuid;

use crate::binding::{self, Asked};
use crate::cli::SignInArgs;
use crate::command::dry;
use crate::command::follow::twice;
use crate::command::prove::{Bound, prove};
use crate::context::{Among, Context};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{json, words};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The activation's id, or the beginning of it
    id: String,
    /// Something to say with it
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Do not ask whether to go on
    #[arg(long, short)]
    yes: bool,
    /// Show what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    sign_in: SignInArgs,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let id = context.whole_id(&broker, &args.id, Among::Pending).await?;
    let ask = v1::PrepareApprovalRequest { id: id.clone() };
    let prepared = broker.approvals().prepare_approval(broker.call(ask)).await?.into_inner();
    let activation = prepared.activation.unwrap_or_default();
    let challenge = prepared.challenge.unwrap_or_default();
    let look = context.look_aside();
    let sign_in = words::proof(&challenge.requirement.clone().unwrap_or_default());
    context.console.warn(&format!(
        "You are about to approve:\n{}\n  sign-in      {sign_in}",
        words::activation(&look, &activation)
    ));
    if crate::render::clean(&activation.justification) != activation.justification {
        context.console.warn("The justification holds characters that are not shown here, because they would steer a terminal.");
    }
    let request_digest = digest(&id, &activation)?;
    let digest = binding::approval_digest(&id, &request_digest);
    if args.dry_run {
        binding::check(&challenge, &digest, ACTION)?;
        let what = "would be approved, as far as can be known before you sign in";
        return dry::told(context, "approve", activation, what);
    }
    let bound = Bound { challenge: &challenge, digest: &digest, action: ACTION };
    let proof = prove(context, &broker, &bound, args.yes, &args.sign_in).await?;
    let request = v1::ApproveActivationRequest {
        request_id: Uuid::new_v4().to_string(),
        id,
        digest: request_digest,
        comment: args.comment,
        proof: Some(proof),
    };
    let approved = twice(|| {
        let (mut client, call) = (broker.approvals(), broker.call(request.clone()));
        async move { client.approve_activation(call).await }
    })
    .await?;
    let state = words::state(&look, &approved);
    let who = words::person_short(approved.principal.as_ref());
    let text = format!("Approved {} for {who}: {state}", crate::render::clean_line(&approved.role));
    context.console.answer(&json::Activation::from(approved), || text)?;
    Ok(Exit::Ok)
}

/// What the sign-in is for, as the contract names it.
const ACTION: &str = "approve";

/// The request's digest, from every field that is shown.
fn digest(id: &str, activation: &v1::Activation) -> Result<String> {
    let Some(asked) = Asked::of(activation) else { return Err(binding::foreign()) };
    let digest = asked.digest();
    // What is shown to be left must be what was asked, unless an approver took something off.
    let whole =
        activation.term_seconds == asked.term_seconds && binding::place(asked.directory_role) == asked.place;
    let is_less = |yes: &v1::Approval| yes.term_seconds != 0 || !yes.scope.is_empty();
    let left = whole || activation.approvals.iter().any(is_less);
    if activation.id != id || activation.digest != digest || !left {
        return Err(Failure::new(
            Exit::Refused,
            "CHALLENGE_FOREIGN",
            "what the broker shows is not what was asked for; do not sign in",
        )
        .advice("tell the people who run the broker"));
    }
    Ok(digest)
}
