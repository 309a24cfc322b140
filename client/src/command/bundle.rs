//! Several roles in one request: shown one by one, asked for by one sign-in, all or none of them.

use elevate_proto::v1;
use uuid::Uuid;
use v1::ActivationState as State;

use crate::binding;
use crate::command::activate::told;
use crate::command::ask::{self, AskArgs};
use crate::command::dry;
use crate::command::follow::twice;
use crate::command::prove::{Bound, prove};
use crate::connect::Broker;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::{clean_line, json, words};

mod decide;

pub(crate) use decide::approve as approve_all;
pub(crate) use decide::{others, show_to_deny};

/// What the sign-in is for, as the contract names it.
const ACTION: &str = "activate";

/// These roles, each asked for in the same way.
pub(crate) async fn wishes(
    args: &AskArgs,
    roles: &[String],
    starts_at: Option<prost_types::Timestamp>,
    context: &mut Context,
) -> Result<Vec<v1::PrepareActivationRequest>> {
    let one = ask::wish(args, roles.join(" and "), context).await?;
    let each = |role: &String| v1::PrepareActivationRequest { role: role.clone(), starts_at, ..one.clone() };
    Ok(roles.iter().map(each).collect())
}

/// Asks for all of them, and waits until each is held or over.
pub(crate) async fn run(
    wishes: Vec<v1::PrepareActivationRequest>,
    args: &AskArgs,
    no_wait: bool,
    context: &mut Context,
    broker: Broker,
) -> Result<Exit> {
    let prepared = prepare(wishes, context, &broker).await?;
    if args.dry_run {
        return prepared.would_be_asked(context);
    }
    let asked = prepared.request(args, context, &broker).await?;
    if no_wait {
        return asked_for(context, asked);
    }
    let ended = wait(context, broker, &asked).await?;
    ending(context, ended, &prepared)
}

/// What the broker makes of the wishes: shown to the person, and found to be what was wished for.
struct Prepared {
    items: Vec<v1::PrepareActivationRequest>,
    told: Vec<v1::PrepareActivationResponse>,
    challenge: v1::Challenge,
    /// Of each.
    digests: Vec<String>,
    /// Of all.
    digest: String,
}

/// Has the broker say what the wishes mean together, and shows it. Changes nothing.
async fn prepare(
    items: Vec<v1::PrepareActivationRequest>,
    context: &mut Context,
    broker: &Broker,
) -> Result<Prepared> {
    let request = v1::PrepareBundleRequest { items: items.clone() };
    let v1::PrepareBundleResponse { challenge, items: told } =
        broker.activations().prepare_bundle(broker.call(request)).await?.into_inner();
    let challenge = challenge.unwrap_or_default();
    if told.len() != items.len() {
        return Err(binding::foreign());
    }
    let look = context.look_aside();
    let bodies: Vec<_> = items.iter().zip(&told).map(|(ask, told)| ask::body(&look, ask, told)).collect();
    let sign_in = words::proof(&challenge.requirement.clone().unwrap_or_default());
    context.console.warn(&format!(
        "You are about to ask for {} roles together, all or none of them:\n{}\n\n  sign-in, once  {sign_in}",
        items.len(),
        bodies.join("\n\n"),
    ));
    let digests: Vec<String> =
        items.iter().zip(&told).map(|(ask, told)| ask::digest(ask, told)).collect::<Result<_>>()?;
    let digest = binding::bundle_digest(&digests);
    binding::check(&challenge, &digest, ACTION)?;
    Ok(Prepared { items, told, challenge, digests, digest })
}

impl Prepared {
    /// Ends a dry run: it has come as far as it can without a sign-in.
    fn would_be_asked(self, context: &mut Context) -> Result<Exit> {
        let Self { items, told, challenge, digests, digest } = self;
        let titles: Vec<_> = items.iter().zip(&told).map(|(ask, told)| ask::title(told, &ask.role)).collect();
        let text = format!(
            "Nothing was asked for. {} would be, together, as far as can be known before you sign in",
            titles.join(" and ")
        );
        let each = items.into_iter().zip(told).zip(digests).map(|((ask, told), digest)| (ask, told, digest));
        context.console.answer(&json::DryBundle::asked(each, challenge, digest), || text)?;
        Ok(Exit::Ok)
    }

    /// Has the person sign in for them, once, and asks.
    async fn request(
        &self,
        args: &AskArgs,
        context: &mut Context,
        broker: &Broker,
    ) -> Result<Vec<v1::Activation>> {
        let bound = Bound { challenge: &self.challenge, digest: &self.digest, action: ACTION };
        let proof = prove(context, broker, &bound, args.yes, &args.sign_in).await?;
        let items = self.items.iter().zip(&self.told).map(|(ask, told)| v1::PrepareActivationRequest {
            term_seconds: told.term_seconds,
            ..ask.clone()
        });
        let request = v1::RequestBundleRequest {
            request_id: Uuid::new_v4().to_string(),
            items: items.collect(),
            policy_version: self.told.first().map(|told| told.policy_version).unwrap_or_default(),
            proof: Some(proof),
        };
        let answer = twice(|| {
            let (mut client, call) = (broker.activations(), broker.call(request.clone()));
            async move { client.request_bundle(call).await }
        })
        .await?;
        Ok(answer.activations)
    }

    fn title(&self, role: &str) -> String {
        let of = |(ask, told): (&v1::PrepareActivationRequest, &v1::PrepareActivationResponse)| {
            (ask.role == role).then(|| ask::title(told, role))
        };
        self.items.iter().zip(&self.told).find_map(of).unwrap_or_else(|| clean_line(role))
    }
}

/// One line for each, and what takes them back.
fn asked_for(context: &mut Context, asked: Vec<v1::Activation>) -> Result<Exit> {
    let look = context.look();
    let line = |one: &v1::Activation| {
        format!("{}  {}  {}", clean_line(&one.id), clean_line(&one.role), words::state(&look, one))
    };
    let text = asked.iter().map(line).collect::<Vec<_>>().join("\n");
    let id = asked.first().map(|one| clean_line(&one.id)).unwrap_or_default();
    context.console.answer(&json::Bundle::from(asked), || text)?;
    context.console.say(&format!("`elevate show {id}` shows them, `elevate withdraw {id}` takes them back"));
    Ok(Exit::Ok)
}

/// Waits until each is held or over, those first that wait for nobody, and tells each step on the way.
async fn wait(
    context: &mut Context,
    broker: Broker,
    asked: &[v1::Activation],
) -> Result<Vec<v1::Activation>> {
    for one in asked {
        context.console.say(&format!("Asked: {}  {}", clean_line(&one.id), clean_line(&one.role)));
    }
    let id = asked.first().map(|one| clean_line(&one.id)).unwrap_or_default();
    context.console.parting = Some(format!(
        "stopped waiting; the requests stand. `elevate show {id}` shows them, `elevate withdraw {id}` takes back what \
         has not begun"
    ));
    let mut in_turn: Vec<_> = asked.iter().collect();
    in_turn.sort_by_key(|one| one.approvals_needed);
    for one in &in_turn {
        let before = format!("{}: ", clean_line(&one.role));
        let ended = ask::until_held(context, broker.clone(), &one.id, &before).await?;
        if ended.state() == State::Active {
            context.console.say(&format!("{before}{}", words::state(&context.look(), &ended)));
        }
    }
    // While one was waited for, another may have come to its end.
    let broker = context.broker().await?;
    let mut ended = Vec::new();
    for one in asked {
        ended.push(dry::look(&broker, &one.id).await?);
    }
    context.console.parting = None;
    Ok(ended)
}

/// What the person holds, or will, or why not: a line for each. Done is what holds, or will, for all of them.
fn ending(context: &mut Context, ended: Vec<v1::Activation>, prepared: &Prepared) -> Result<Exit> {
    let lines: Vec<_> = ended.iter().map(|one| told(context, one, &prepared.title(&one.role))).collect();
    let exit = lines.iter().map(|(_, exit)| *exit).find(|exit| *exit != Exit::Ok).unwrap_or(Exit::Ok);
    let text = lines.into_iter().map(|(line, _)| line).collect::<Vec<_>>().join("\n");
    let some_held = ended.iter().any(|one| one.state() == State::Active);
    context.console.answer(&json::Bundle::from(ended), || text)?;
    if some_held {
        context.console.hint(
        "each ends by itself: `elevate deactivate ID` gives one back early. Sign in afresh where you use them, so that \
         your token carries them",
    );
    }
    Ok(exit)
}

/// Takes back what has not begun of what was asked for together.
pub(crate) async fn withdraw(context: &mut Context, broker: &Broker, id: String) -> Result<Exit> {
    let request = v1::WithdrawBundleRequest { id };
    let answer = broker.activations().withdraw_bundle(broker.call(request)).await?.into_inner();
    let look = context.look();
    let line = |one: &v1::Activation| match one.outcome() {
        v1::Outcome::Withdrawn => format!("Withdrawn: {}", clean_line(&one.role)),
        _ => format!("Not withdrawn: {}, {}", clean_line(&one.role), words::state(&look, one)),
    };
    let text = answer.activations.iter().map(line).collect::<Vec<_>>().join("\n");
    let held = answer.activations.iter().any(|one| one.state() == State::Active);
    context.console.answer(&json::Bundle::from(answer.activations), || text)?;
    if held {
        context.console.hint("`elevate deactivate ID` gives back what is held");
    }
    Ok(Exit::Ok)
}

/// What of it would be taken back.
pub(crate) async fn would_be_withdrawn(
    context: &mut Context,
    broker: &Broker,
    named: v1::Activation,
) -> Result<Exit> {
    let (all, _) = decide::all_of(broker, &named).await?;
    let open = |one: &&v1::Activation| {
        matches!(one.state(), State::Requested | State::AwaitingApproval | State::Scheduled)
    };
    let roles: Vec<_> = all.iter().filter(open).map(|one| clean_line(&one.role)).collect();
    if roles.is_empty() && all.iter().all(|one| one.outcome() != v1::Outcome::Withdrawn) {
        let advice = "nothing of what was asked for together waits to begin; `elevate deactivate ID` gives back what is held";
        return Err(dry::wrong_state(&named, advice));
    }
    let text = match roles.as_slice() {
        [] => "Nothing was changed. It is taken back already; nothing would change".to_owned(),
        some => format!("Nothing was changed. {} would be taken back", some.join(" and ")),
    };
    context.console.answer(&json::DryBundle::on("withdraw", all), || text)?;
    Ok(Exit::Ok)
}
