//! `elevate approve`: yes to exactly what is shown, or to less of it.

use std::time::Duration;

use elevate_proto::v1;
use uuid::Uuid;

use crate::binding::{self, Asked, Less};
use crate::cli::SignInArgs;
use crate::command::follow::twice;
use crate::command::prove::{Bound, prove};
use crate::command::{bundle, dry};
use crate::context::{Among, Context};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{clean, clean_line, json, seconds_as_written, words};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The activation's id, or the beginning of it. Of what was asked for together, any one's id stands for all
    id: String,
    /// Yes to this one alone, and not to all that was asked for together with it
    #[arg(long)]
    only: bool,
    /// Yes, but for less time than asked: `30m`, `1h 30m`
    #[arg(long = "for", value_name = "TIME", value_parser = crate::cli::term)]
    term: Option<Duration>,
    /// Yes, but only there: `/administrativeUnits/{id}` or `/{object id}`
    #[arg(long, value_name = "SCOPE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(super) scope: Option<String>,
    /// Something to say with it
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(super) comment: String,
    /// Do not ask whether to go on
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Show what would happen, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) sign_in: SignInArgs,
}

impl Args {
    /// To how many seconds at most.
    pub(super) fn term_seconds(&self) -> Option<i64> {
        self.term.map(|term| i64::try_from(term.as_secs()).unwrap_or(i64::MAX))
    }
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let id = context.whole_id(&broker, &args.id, Among::Pending).await?;
    let term_seconds = args.term_seconds();
    let ask = v1::PrepareApprovalRequest {
        id: id.clone(),
        term_seconds: term_seconds.unwrap_or_default(),
        scope: args.scope.clone().unwrap_or_default(),
    };
    let prepared = match broker.approvals().prepare_approval(broker.call(ask)).await {
        Ok(prepared) => prepared.into_inner(),
        Err(status) => {
            let failure = Failure::from(status);
            // Too long for the one that is named may be less than is asked of another.
            let narrows = !args.only && failure.reason() == "NOT_NARROWER";
            if narrows && dry::look(&broker, &id).await.is_ok_and(|one| !one.bundle_ids.is_empty()) {
                return bundle::approve_all(args, id, context, &broker).await;
            }
            return Err(failure);
        }
    };
    let activation = prepared.activation.unwrap_or_default();
    if !args.only && !activation.bundle_ids.is_empty() {
        return bundle::approve_all(args, id, context, &broker).await;
    }
    let challenge = prepared.challenge.unwrap_or_default();
    let left = Left::of(&activation);
    let wish = Left {
        term_seconds: term_seconds.unwrap_or(left.term_seconds),
        scope: args.scope.unwrap_or_else(|| left.scope.clone()),
    };
    show(context, &activation, &challenge, &left, &wish);
    let request_digest = digest(&id, &activation)?;
    let less = wish.less_than_asked(&activation);
    let digest = binding::approval_digest(&id, &request_digest, &less);
    if args.dry_run {
        binding::check(&challenge, &digest, ACTION)?;
        let what =
            format!("would be approved{}, as far as can be known before you sign in", wish.beside(&left));
        return dry::told(context, "approve", activation, &what);
    }
    let bound = Bound { challenge: &challenge, digest: &digest, action: ACTION };
    let proof = prove(context, &broker, &bound, args.yes, &args.sign_in).await?;
    let Less { term_seconds, scope } = less;
    let request = v1::ApproveActivationRequest {
        request_id: Uuid::new_v4().to_string(),
        id,
        digest: request_digest,
        comment: args.comment,
        proof: Some(proof),
        term_seconds,
        scope,
    };
    let approved = twice(|| {
        let (mut client, call) = (broker.approvals(), broker.call(request.clone()));
        async move { client.approve_activation(call).await }
    })
    .await?;
    let state = words::state(&context.look_aside(), &approved);
    let who = words::person_short(approved.principal.as_ref());
    let role = clean_line(&approved.role);
    let text = format!("Approved {role} for {who}{}: {state}", wish.beside(&left));
    context.console.answer(&json::Activation::from(approved), || text)?;
    Ok(Exit::Ok)
}

/// What the sign-in is for, as the contract names it.
pub(super) const ACTION: &str = "approve";

/// How long and where: what earlier approvers left, or what this one leaves.
#[derive(PartialEq)]
pub(super) struct Left {
    pub(super) term_seconds: i64,
    pub(super) scope: String,
}

impl Left {
    pub(super) fn of(activation: &v1::Activation) -> Self {
        let place = activation.directory_role.as_ref().map(binding::place).unwrap_or_default();
        Self { term_seconds: activation.term_seconds, scope: place.to_owned() }
    }

    /// What the yes is to, counted from what was asked.
    pub(super) fn less_than_asked(&self, activation: &v1::Activation) -> Less {
        Less {
            term_seconds: Some(self.term_seconds)
                .filter(|seconds| *seconds != activation.asked_term_seconds)
                .unwrap_or_default(),
            scope: Some(&self.scope)
                .filter(|scope| **scope != activation.asked_scope)
                .cloned()
                .unwrap_or_default(),
        }
    }

    /// `, for 30m instead of 2h`; nothing where nothing is taken off.
    pub(super) fn beside(&self, left: &Self) -> String {
        let mut text = String::new();
        if self.term_seconds != left.term_seconds {
            let (now, was) = (seconds_as_written(self.term_seconds), seconds_as_written(left.term_seconds));
            text.push_str(&format!(", for {now} instead of {was}"));
        }
        if self.scope != left.scope {
            let (now, was) = (words::scope(&self.scope), words::scope(&left.scope));
            text.push_str(&format!(", at {now} instead of {was}"));
        }
        text
    }
}

/// What the yes is to, before anybody signs in for it.
fn show(
    context: &mut Context,
    activation: &v1::Activation,
    challenge: &v1::Challenge,
    left: &Left,
    wish: &Left,
) {
    let look = context.look_aside();
    let sign_in = words::proof(&challenge.requirement.clone().unwrap_or_default());
    let yours = match wish.beside(left) {
        nothing if nothing.is_empty() => nothing,
        less => format!("\n  your yes     is to less{less}"),
    };
    context.console.warn(&format!(
        "You are about to approve:\n{}{yours}\n  sign-in      {sign_in}",
        words::activation(&look, activation)
    ));
    steering_is_told(context, activation);
}

/// What is left out of what is shown is said.
pub(super) fn steering_is_told(context: &mut Context, activation: &v1::Activation) {
    if clean(&activation.justification) != activation.justification {
        context.console.warn("The justification holds characters that are not shown here, because they would steer a terminal.");
    }
}

/// The request's digest, from every field that is shown: as it was asked, whatever approvers left of it.
pub(super) fn digest(id: &str, activation: &v1::Activation) -> Result<String> {
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
