//! `elevate list --watch`: the list as it changes, until Ctrl-C.
//!
//! On a terminal it is one picture that is drawn over itself, with the time that is left. For a program, and
//! in a pipe, it is one line a change: first each activation as it stands, then each again when it changes.
//! An activation that leaves the list has its end told.

use std::collections::BTreeMap;
use std::time::Duration;

use elevate_proto::v1;

use crate::command::list::{self, Args};
use crate::connect::Broker;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{Look, clean_line, json, words};

/// Between two pictures: the time that is left is shown in seconds.
const TICK: Duration = Duration::from_secs(1);
/// So many ticks from one look at the broker to the next: twenty calls a minute, a fraction of what one
/// person may make.
const TICKS_PER_LOOK: u32 = 3;
/// So many looks in a row without an answer are enough.
const FAILURES_MAX: u32 = 20;

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<Exit> {
    // What stands against it from the start is told at once; only later is it worth trying again.
    let mut broker = Some(context.broker().await?);
    let mut board = Board::default();
    let (mut failures, mut ticks) = (0, 0_u32);
    context.console.parting = Some("stopped watching; nothing changed".to_owned());
    loop {
        if ticks.is_multiple_of(TICKS_PER_LOOK) {
            match look(&args, context, &mut broker, &mut board).await {
                Ok(()) => failures = 0,
                Err(failure) if failures < FAILURES_MAX && ticks > 0 && may_pass(&failure) => {
                    failures += 1;
                    broker = None;
                    board.note = format!("not up to date: {}", clean_line(failure.message()));
                }
                Err(failure) => return Err(failure),
            }
        }
        if context.console.draws() {
            let picture = board.picture(&context.look(), args.everybody);
            context.console.redraw(&picture)?;
        }
        context.outside.clock.sleep(TICK).await;
        ticks = ticks.wrapping_add(1);
    }
}

/// A token that is over is renewed by the next try, and a broker that restarts is back soon.
fn may_pass(failure: &Failure) -> bool {
    failure.may_be_repeated()
        || failure.reason() == "BROKER_UNREACHABLE"
        || failure.reason() == "TOKEN_INVALID"
        || failure.reason() == "TOO_MANY"
}

/// One look at the broker; what changed since the last one is told, where each change is a line.
async fn look(
    args: &Args,
    context: &mut Context,
    broker: &mut Option<Broker>,
    board: &mut Board,
) -> Result<()> {
    let connected = match broker.take() {
        Some(connected) => connected,
        None => context.broker().await?,
    };
    let (activations, more) = list::fetch(&connected, args).await?;
    let mut changed: Vec<v1::Activation> =
        activations.iter().filter(|activation| board.is_news(activation)).cloned().collect();
    for id in board.gone(&activations) {
        let request = connected.call(v1::GetActivationRequest { id: id.clone() });
        let ended = connected.activations().get_activation(request).await?.into_inner();
        // Pushed off the end of a full list by newer ones, it goes on.
        if ended.state() == v1::ActivationState::Closed {
            changed.push(ended);
        }
    }
    if !context.console.draws() {
        for activation in changed {
            let look = context.look();
            let line = line(&look, &activation, args.everybody);
            context.console.answer_line(&json::Activation::from(activation), || line)?;
        }
    }
    board.note =
        if more.is_empty() { String::new() } else { "there are more; `--limit` shows more".to_owned() };
    board.versions = activations.iter().map(|one| (one.id.clone(), one.version)).collect();
    board.activations = activations;
    *broker = Some(connected);
    Ok(())
}

/// `2026-11-20 16:42:07  groups-admin  active, until 18:00 (in 1h 18m)  0199…`.
fn line(look: &Look, activation: &v1::Activation, with_holder: bool) -> String {
    let mut parts = vec![look.stamp(look.now), clean_line(&activation.role)];
    if with_holder {
        parts.push(words::person_short(activation.principal.as_ref()));
    }
    parts.push(words::state(look, activation));
    parts.push(clean_line(&activation.id));
    parts.join("  ")
}

/// What was seen last.
#[derive(Default)]
struct Board {
    activations: Vec<v1::Activation>,
    /// By id, so that a change is known.
    versions: BTreeMap<String, i64>,
    /// What the picture does not show.
    note: String,
}

impl Board {
    fn is_news(&self, activation: &v1::Activation) -> bool {
        self.versions.get(&activation.id) != Some(&activation.version)
    }

    fn gone(&self, activations: &[v1::Activation]) -> Vec<String> {
        let still = |id: &String| activations.iter().any(|activation| activation.id == *id);
        self.versions.keys().filter(|id| !still(id)).cloned().collect()
    }

    fn picture(&self, look: &Look, with_holder: bool) -> String {
        let table = match self.activations.as_slice() {
            [] => "Nothing is held or asked for.".to_owned(),
            some => words::board(look, some, with_holder),
        };
        let at = look.stamp(look.now);
        let note = if self.note.is_empty() { String::new() } else { format!("\n{}", self.note) };
        format!("{at}  (Ctrl-C ends it)\n{table}{note}")
    }
}
