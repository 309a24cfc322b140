//! What one person alone does not change: a policy is proposed by one and confirmed by another.

use elevate_core::binding::policy_digest;
use elevate_proto::v1;

use super::{agreed, in_force, planned, shown};
use crate::connect::Broker;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{json, time, words};

/// Proposes what may not be applied by one person. It is not in force: the command does not succeed.
pub(super) async fn propose(
    text: String,
    current_version: i64,
    why: &Failure,
    broker: &Broker,
    context: &mut Context,
) -> Result<Exit> {
    let request = v1::ProposePolicyRequest { text, current_version };
    let proposed = broker.policy().propose_policy(broker.call(request)).await?.into_inner();
    let told = why.message().split("; ").next().unwrap_or_default().to_owned();
    let text = format!(
        "{told}: proposed as version {}, and not in force. Another policy admin confirms it with `elevate policy confirm`",
        proposed.version
    );
    context.console.answer(&json::Proposal::from(proposed), || text)?;
    Ok(Exit::Refused)
}

/// Shows what another has proposed and what it would change, and puts it into force.
pub(super) async fn confirm(yes: bool, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let proposed = proposal(&broker).await?;
    let request = v1::PlanPolicyRequest { text: proposed.text.clone() };
    let plan = broker.policy().plan_policy(broker.call(request)).await?.into_inner();
    let told = format!("{}\n{}", heading(&proposed, context), planned(&context.look_aside(), &plan));
    context.console.warn(&told);
    agreed(yes, "Put it into force?", "confirmed", context).await?;
    // Over what was shown here, whatever the broker says it is.
    let version = u64::try_from(proposed.version).unwrap_or_default();
    let digest = policy_digest(version, &proposed.text).to_string();
    let request = v1::ConfirmPolicyRequest { digest };
    let applied = broker.policy().confirm_policy(broker.call(request)).await?.into_inner();
    in_force(applied, context)
}

pub(super) async fn show(context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let proposed = proposal(&broker).await?;
    if !context.console.is_json() {
        let heading = heading(&proposed, context);
        context.console.say(&heading);
    }
    let text = shown(&proposed.text);
    context.console.answer(&json::Proposal::from(proposed), || text)?;
    Ok(Exit::Ok)
}

async fn proposal(broker: &Broker) -> Result<v1::Proposal> {
    Ok(broker.policy().get_proposal(broker.call(v1::GetProposalRequest {})).await?.into_inner())
}

fn heading(proposed: &v1::Proposal, context: &Context) -> String {
    let at = time(proposed.proposed_at.as_ref()).map(|at| context.look().time(at)).unwrap_or_default();
    let by = words::person(proposed.proposed_by.as_ref());
    format!("version {}, proposed by {by} at {at}, not in force", proposed.version)
}
