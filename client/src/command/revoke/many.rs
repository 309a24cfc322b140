//! Many at once: shown first, and then followed until they are gone. The broker does it; this looks on.

use std::collections::BTreeMap;
use std::time::Duration;

use elevate_proto::v1;
use tokio::time::{Instant, timeout_at};
use v1::RevocationStep as Step;

use super::Args;
use super::preview::Preview;
use crate::command::deny::reason;
use crate::connect::Broker;
use crate::context::{Among, Context};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{clean_line, json, words};

/// How long it is waited for: Entra PIM removes nothing in the first five minutes.
const PATIENCE: Duration = Duration::from_mins(6);

pub(super) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    let broker = context.broker().await?;
    let mut ids = Vec::new();
    for id in &args.ids {
        ids.push(context.whole_id(&broker, id, Among::Both).await?);
    }
    let selection = v1::RevocationSelection {
        ids,
        principal_object_id: args.principal.unwrap_or_default(),
        role: args.role.unwrap_or_default(),
        everything: args.everything,
    };
    let preview = Preview::of(&broker, &selection).await?;
    if args.dry_run {
        let told = preview.told(&context.look());
        let json = json::Preview::of(preview.candidates, preview.unknown_ids);
        let text = format!("Nothing was changed. This would be taken away:\n{told}");
        context.console.answer(&json, || text)?;
        return Ok(Exit::Ok);
    }
    if preview.live() == 0 && preview.unknown_ids.is_empty() {
        context.console.say("Nothing is there to take away.");
        return if context.console.is_json() {
            Course { recorded: true, ..Course::default() }.end(context, false)
        } else {
            Ok(Exit::Ok)
        };
    }
    let told = preview.told(&context.look_aside());
    context.console.warn(&told);
    if selection.everything {
        context.console.hint("new ones may begin meanwhile; `elevate freeze` first keeps them from it");
    }
    agreed(args.yes, preview.live(), context).await?;
    let reason = reason(context, args.reason, "why? ").await?;
    let patience = context.settings.patience_or(PATIENCE);
    let request = v1::RevokeActivationsRequest { selection: Some(selection), reason };
    let mut course = Course::of(&preview);
    course.follow(context, &broker, request, patience, args.no_wait).await?;
    course.end(context, args.no_wait)
}

async fn agreed(yes: bool, live: usize, context: &mut Context) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !context.console.can_ask() {
        return Err(Failure::usage("nobody is there to look at what would be taken away")
            .advice("with `--yes` it is taken away all the same; `--dry-run` only shows it"));
    }
    let question = if live == 1 { "Take it away?".to_owned() } else { format!("Take these {live} away?") };
    if context.console.confirm(&question).await? {
        Ok(())
    } else {
        Err(Failure::new(Exit::Interrupted, "NOT_CONFIRMED", "nothing was taken away"))
    }
}

/// How far it has come.
#[derive(Debug, Default)]
struct Course {
    /// Which role of whom, from the preview: the progress comes without the names of people.
    names: BTreeMap<String, String>,
    /// On record and not yet seen gone.
    open: BTreeMap<String, String>,
    gone: usize,
    failed: BTreeMap<String, String>,
    /// Whether all is on record.
    recorded: bool,
    more: bool,
}

impl Course {
    fn of(preview: &Preview) -> Self {
        let named = |one: &v1::Activation| {
            let who = words::person_short(one.principal.as_ref());
            (one.id.clone(), format!("{} for {who}", clean_line(&one.role)))
        };
        Self { names: preview.activations().map(named).collect(), ..Self::default() }
    }

    async fn follow(
        &mut self,
        context: &mut Context,
        broker: &Broker,
        request: v1::RevokeActivationsRequest,
        patience: Duration,
        no_wait: bool,
    ) -> Result<()> {
        let mut steps = broker.revocation().revoke_activations(broker.stream(request)).await?.into_inner();
        let parting = "the broker goes on taking away what is on record; `elevate list --everybody` shows it";
        context.console.parting = Some(parting.to_owned());
        let end = Instant::now().checked_add(patience).unwrap_or_else(Instant::now);
        loop {
            let step = match timeout_at(end, steps.message()).await {
                Ok(Ok(Some(step))) => step,
                // Over, or out of patience: what is on record goes on without us.
                Ok(Ok(None)) | Err(_) => return Ok(()),
                Ok(Err(status)) => {
                    let failure = Failure::from(status);
                    let lost = format!("the broker is not heard any more: {}", clean_line(failure.message()));
                    context.console.warn(&lost);
                    return Ok(());
                }
            };
            self.take(context, step)?;
            context.console.spin(&self.counted());
            if no_wait && self.recorded {
                return Ok(());
            }
        }
    }

    fn take(&mut self, context: &mut Context, step: v1::RevocationProgress) -> Result<()> {
        let id = step.id.clone();
        // One that took over meanwhile was in no preview.
        let unseen = || match &step.activation {
            Some(one) => format!("{} ({})", clean_line(&one.role), clean_line(&id)),
            None => clean_line(&id),
        };
        let name = self.names.get(&id).cloned().unwrap_or_else(unseen);
        let text = match step.step() {
            Step::Unspecified => return Ok(()),
            Step::Begun => {
                self.open.insert(id, name.clone());
                format!("{name}: being taken away")
            }
            Step::Gone => {
                self.open.remove(&id);
                self.gone += 1;
                let ended = step.activation.as_ref().map(|one| match one.outcome() {
                    v1::Outcome::Failed => "refused before it began".to_owned(),
                    _ => words::state(&context.look(), one),
                });
                format!("{name}: {}", ended.unwrap_or_else(|| "over".to_owned()))
            }
            Step::Failed => {
                let why = clean_line(&step.message);
                self.failed.insert(id, format!("{name}: {why}"));
                format!("{name}: not taken away: {why}")
            }
            Step::AllRecorded => {
                (self.recorded, self.more) = (true, step.more);
                if !context.console.is_json() {
                    return Ok(());
                }
                String::new()
            }
        };
        context.console.answer_line(&json::Progress::from(step), || text)
    }

    fn counted(&self) -> String {
        let Self { open, gone, failed, .. } = self;
        format!("{gone} gone, {} being taken away, {} failed", open.len(), failed.len())
    }

    /// What is left, at the end: everything that failed, and everything that is not yet seen gone.
    fn end(self, context: &mut Context, no_wait: bool) -> Result<Exit> {
        let counted = self.counted();
        let Self { names: _, open, gone, failed, recorded, more } = self;
        let mut lines: Vec<_> = failed.values().map(|line| format!("failed: {line}")).collect();
        if !no_wait {
            lines.extend(open.iter().map(|(id, name)| {
                format!("not yet seen gone: {name}; `elevate watch {}` tells when it is", clean_line(id))
            }));
        }
        if more {
            lines.push("there are more than one call takes away; repeat the command".to_owned());
        }
        if !recorded {
            lines.push("perhaps not all of it is on record; repeat the command".to_owned());
        }
        lines.push(counted);
        let unfinished = !failed.is_empty() || more || !recorded || (!no_wait && !open.is_empty());
        let taken = json::Taken {
            selected: gone + open.len() + failed.len(),
            gone,
            open: open.into_keys().collect(),
            failed: failed.into_keys().collect(),
            complete: recorded && !more,
        };
        context.console.answer_line(&taken, || lines.join("\n"))?;
        Ok(if unfinished { Exit::Overdue } else { Exit::Ok })
    }
}
