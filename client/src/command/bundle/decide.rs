//! Saying yes to several by one sign-in, and seeing what a no would end.

use elevate_proto::v1;
use uuid::Uuid;

use crate::binding::{self, Less};
use crate::command::approve::{ACTION, Args, Left, digest, steering_is_told};
use crate::command::dry;
use crate::command::follow::twice;
use crate::command::prove::{Bound, prove};
use crate::connect::Broker;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Result;
use crate::render::{clean_line, json, words};

/// One of those a yes would be to.
struct Item {
    activation: v1::Activation,
    request_digest: String,
    less: Less,
    /// `, for 30m instead of 2h`; nothing where nothing is taken off.
    taken_off: String,
}

/// Yes to whatever was asked for together with this one and waits for the caller.
pub(crate) async fn approve(args: Args, id: String, context: &mut Context, broker: &Broker) -> Result<Exit> {
    let term_seconds = args.term_seconds();
    let ask = v1::PrepareBundleApprovalRequest {
        id: id.clone(),
        term_seconds: term_seconds.unwrap_or_default(),
        scope: args.scope.clone().unwrap_or_default(),
    };
    let prepared = broker.approvals().prepare_bundle_approval(broker.call(ask)).await?.into_inner();
    let challenge = prepared.challenge.unwrap_or_default();
    let items = prepared.activations.into_iter().map(|activation| {
        let left = Left::of(&activation);
        // What is shorter already stays as it is.
        let term_seconds = term_seconds.map_or(left.term_seconds, |most| most.min(left.term_seconds));
        let wish = Left { term_seconds, scope: args.scope.clone().unwrap_or_else(|| left.scope.clone()) };
        Ok(Item {
            request_digest: digest(&activation.id, &activation)?,
            less: wish.less_than_asked(&activation),
            taken_off: wish.beside(&left),
            activation,
        })
    });
    let items: Vec<Item> = items.collect::<Result<_>>()?;
    // Everything that is answered belongs together, and the one that was named is among it.
    let Some(named) = items.iter().find(|item| item.activation.id == id) else {
        return Err(binding::foreign());
    };
    let together = &named.activation.bundle_ids;
    if items.iter().any(|item| item.activation.bundle_ids != *together) {
        return Err(binding::foreign());
    }
    show(context, &items, together.len(), &challenge);
    let digests: Vec<_> = items
        .iter()
        .map(|item| binding::approval_digest(&item.activation.id, &item.request_digest, &item.less))
        .collect();
    let digest = binding::bundle_digest(&digests);
    if args.dry_run {
        binding::check(&challenge, &digest, ACTION)?;
        let what: Vec<_> = items
            .iter()
            .map(|item| format!("{}{}", clean_line(&item.activation.role), item.taken_off))
            .collect();
        let text = format!(
            "Nothing was changed. {} would be approved, as far as can be known before you sign in",
            what.join(" and ")
        );
        let activations = items.into_iter().map(|item| item.activation).collect();
        context.console.answer(&json::DryBundle::on("approve", activations), || text)?;
        return Ok(Exit::Ok);
    }
    let bound = Bound { challenge: &challenge, digest: &digest, action: ACTION };
    let proof = prove(context, broker, &bound, args.yes, &args.sign_in).await?;
    let yes = |item: &Item| v1::ApprovedItem {
        id: item.activation.id.clone(),
        digest: item.request_digest.clone(),
        term_seconds: item.less.term_seconds,
        scope: item.less.scope.clone(),
    };
    let request = v1::ApproveBundleRequest {
        request_id: Uuid::new_v4().to_string(),
        id,
        items: items.iter().map(yes).collect(),
        comment: args.comment,
        proof: Some(proof),
    };
    let approved = twice(|| {
        let (mut client, call) = (broker.approvals(), broker.call(request.clone()));
        async move { client.approve_bundle(call).await }
    })
    .await?;
    let look = context.look_aside();
    let line = |one: &v1::Activation| {
        let taken_off = items.iter().find(|item| item.activation.id == one.id).map(|item| &item.taken_off);
        let (role, who) = (clean_line(&one.role), words::person_short(one.principal.as_ref()));
        let taken_off = taken_off.map(String::as_str).unwrap_or_default();
        format!("Approved {role} for {who}{taken_off}: {}", words::state(&look, one))
    };
    let text = approved.activations.iter().map(line).collect::<Vec<_>>().join("\n");
    context.console.answer(&json::Bundle::from(approved.activations), || text)?;
    Ok(Exit::Ok)
}

/// What the yes is to, one by one, before anybody signs in for it.
fn show(context: &mut Context, items: &[Item], together: usize, challenge: &v1::Challenge) {
    let look = context.look_aside();
    let sign_in = words::proof(&challenge.requirement.clone().unwrap_or_default());
    let one = |item: &Item| {
        let yours = match item.taken_off.as_str() {
            "" => String::new(),
            less => format!("\n  your yes     is to less{less}"),
        };
        format!("{}{yours}", words::activation(&look, &item.activation))
    };
    let shown = items.iter().map(one).collect::<Vec<_>>().join("\n\n");
    let heading = match (items.len(), together) {
        (some, all) if some == all => format!("{all} roles that were asked for together"),
        (some, all) => {
            format!("{some} of {all} roles that were asked for together; the others do not wait for you")
        }
    };
    context
        .console
        .warn(&format!("You are about to approve {heading}:\n{shown}\n\n  sign-in, once  {sign_in}"));
    for item in items {
        steering_is_told(context, &item.activation);
    }
}

/// Everything that was asked for together with this one, as far as the caller may see it, and how much is not
/// theirs to see.
pub(super) async fn all_of(broker: &Broker, named: &v1::Activation) -> Result<(Vec<v1::Activation>, usize)> {
    let (mut all, mut hidden) = (Vec::new(), 0);
    for id in &named.bundle_ids {
        if *id == named.id {
            all.push(named.clone());
            continue;
        }
        match dry::look(broker, id).await {
            Ok(other) => all.push(other),
            Err(failure) if failure.reason() == "ACTIVATION_NOT_FOUND" => hidden += 1,
            Err(failure) => return Err(failure),
        }
    }
    Ok((all, hidden))
}

/// What was asked for together with this one, a line each: for people.
pub(crate) async fn others(context: &Context, broker: &Broker, named: &v1::Activation) -> Result<String> {
    let (all, hidden) = all_of(broker, named).await?;
    let look = context.look();
    let mut lines: Vec<_> = all
        .iter()
        .filter(|one| one.id != named.id)
        .map(|one| {
            format!("  {}  {}  {}", clean_line(&one.role), words::state(&look, one), clean_line(&one.id))
        })
        .collect();
    if hidden > 0 {
        lines.push(format!("  {hidden} not yours to see"));
    }
    Ok(lines.join("\n"))
}

/// What a no to this one ends besides.
pub(crate) async fn show_to_deny(
    context: &mut Context,
    broker: &Broker,
    named: &v1::Activation,
) -> Result<()> {
    let others = others(context, broker, named).await?;
    let who = words::person_short(named.principal.as_ref());
    let state = words::state(&context.look_aside(), named);
    let role = clean_line(&named.role);
    context.console.warn(&format!(
        "You are about to deny {role} for {who} ({state}), and with it whatever of these has not begun:\n{others}"
    ));
    Ok(())
}
