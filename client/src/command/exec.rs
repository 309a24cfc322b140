//! `elevate exec ROLE -- COMMAND`: a role for as long as a command runs.
//!
//! From the request on, the activation is held by a stream to the broker. When this process dies, whatever
//! the way, the stream breaks, and the broker gives the role back half a minute later.

use std::ffi::OsString;
use std::time::Duration;

use elevate_proto::v1;
use tonic::Streaming;
use v1::ActivationState as State;

use crate::command::ask::{self, AskArgs};
use crate::connect::Broker;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{clean_line, time, words};
use crate::world::Command;

/// What `env` and `timeout` end with when they fail themselves.
const OURS: Exit = Exit::Command(125);
const NOT_RUNNABLE: Exit = Exit::Command(126);
const NOT_FOUND: Exit = Exit::Command(127);
/// Between two attempts to hold again: often enough for the broker's half a minute.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
#[command(after_help = EXITS)]
pub(crate) struct Args {
    /// The role's name, as `elevate roles` shows it; a profile may name it
    role: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
    /// What to run, and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

const EXITS: &str = "\
The command sees ELEVATE_ROLE, ELEVATE_ACTIVATION_ID and ELEVATE_HELD_UNTIL. The role is given back when it ends.

Exit codes:
  the command's own (128 and the signal's number, where a signal ended it), or
  125  the role was not held, or the command ended with 0 and the role could not be given back
  126  the command cannot be run
  127  there is no such command";

pub(crate) async fn run(mut args: Args, context: &mut Context) -> Result<Exit> {
    match held(&mut args, context).await {
        Ok(Held { mut hold, activation }) => during(&args, context, &mut hold, activation).await,
        Err(Ended::Early(exit)) => Ok(exit),
        Err(Ended::Failed(failure)) => Err(failure.ending(OURS)),
    }
}

/// A role that is held, and what holds it.
struct Held {
    hold: Hold,
    activation: v1::Activation,
}

/// Why the command was not run.
enum Ended {
    Early(Exit),
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Asks, and waits until the role is held.
async fn held(args: &mut Args, context: &mut Context) -> std::result::Result<Held, Ended> {
    let interrupt = context.outside.interrupt.clone();
    let Some(role) = args.ask.role(args.role.take(), context)? else {
        let none = Failure::usage("no role is named")
            .advice("name one: `elevate exec ROLE -- COMMAND`; `elevate roles` shows what you may activate");
        return Err(none.into());
    };
    let asking = async {
        let broker = context.broker().await?;
        let wish = ask::wish(&args.ask, role, context).await?;
        let prepared = ask::prepare(wish, context, &broker).await?;
        if args.ask.dry_run {
            return Err(Ended::Early(prepared.would_be_asked(context)?));
        }
        let request = prepared.signed(&args.ask, context, &broker).await?;
        Ok((broker, request, prepared.title()))
    };
    let (broker, request, title) = tokio::select! {
        biased;
        () = interrupt.notified() => return Err(stopped().into()),
        signed = asking => signed?,
    };
    let asked = {
        let mut sent = std::pin::pin!(ask::sent(&broker, request));
        tokio::select! {
            biased;
            // What was sent may be granted: its answer names what is to be taken back.
            () = interrupt.notified() => {
                let asked = sent.await?;
                give_back(context, &asked.id).await?;
                return Err(stopped().into());
            }
            asked = &mut sent => asked?,
        }
    };
    context.console.say(&format!("Asked: {}", clean_line(&asked.id)));
    let mut hold = Hold { id: asked.id.clone(), broker: Some(broker), stream: None };
    let mut told = String::new();
    loop {
        let activation = tokio::select! {
            biased;
            () = interrupt.notified() => {
                give_back(context, &asked.id).await?;
                return Err(stopped().into());
            }
            next = hold.next(context) => next?,
        };
        match activation.state() {
            State::Active => return Ok(Held { hold, activation }),
            State::Closed => {
                let why = ask::not_held(context, &activation, &title);
                let advice = format!("`elevate show {}` tells all of it", clean_line(&asked.id));
                return Err(Failure::new(OURS, "NOT_HELD", why).advice(advice).into());
            }
            _ => {
                let state = words::state(&context.look(), &activation);
                if state != told {
                    context.console.say(&state);
                    told = state;
                }
            }
        }
    }
}

fn stopped() -> Failure {
    Failure::new(OURS, "INTERRUPTED", "stopped before the role was held; the command was not run")
        .advice("`elevate list` shows whether anything is left")
}

/// Runs the command, holds the role meanwhile, and gives it back.
async fn during(
    args: &Args,
    context: &mut Context,
    hold: &mut Hold,
    activation: v1::Activation,
) -> Result<Exit> {
    let look = context.look_aside();
    let until = time(activation.held_until.as_ref());
    let told = until.map(|at| look.exact(at)).unwrap_or_default();
    let role = clean_line(&activation.role);
    context.console.say(&format!("You hold {role} until {told}, and until the command ends"));
    let env = [
        ("ELEVATE_ROLE", activation.role.clone()),
        ("ELEVATE_ACTIVATION_ID", activation.id.clone()),
        ("ELEVATE_HELD_UNTIL", until.map(|at| at.to_string()).unwrap_or_default()),
    ];
    let command = Command {
        words: args.command.clone(),
        env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        // At a terminal the command is sent Ctrl-C itself.
        forward_interrupt: !context.console.terminals.input,
    };
    let mut running = context.outside.commands.run(command);
    let mut live = true;
    let mut held = activation.id;
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut running => break ended,
            next = hold.next(context), if live => match next {
                Ok(now) if now.state() == State::Active => {}
                // It goes on as another, and the command with it.
                Ok(now) if !now.continued_by.is_empty() => {
                    held = now.continued_by;
                    hold.go_on_with(&held);
                    context.console.say(&format!("{role} goes on as {}", clean_line(&held)));
                }
                Ok(now) => {
                    live = now.state() != State::Closed;
                    let state = words::state(&context.look_aside(), &now);
                    context.console.warn(&format!("{role}: {state}; the command goes on without it"));
                }
                // The command is not ours to end; without a hold the broker gives the role back soon.
                Err(failure) => {
                    live = false;
                    context.console.warn(&format!("{role} is held no longer: {}", clean_line(failure.message())));
                }
            },
        }
    };
    let given_back = give_back(context, &held).await;
    let exit = match ended {
        Ok(code) => Exit::Command(code),
        Err(error) => {
            let name = args.command.first().map(|word| word.to_string_lossy().into_owned());
            let what = format!("cannot run `{}`: {error}", clean_line(&name.unwrap_or_default()));
            let exit = if error.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE };
            given_back?;
            return Err(Failure::new(exit, "COMMAND", what)
                .advice("give the command by its path, and check that it may be run"));
        }
    };
    match given_back {
        Ok(()) => Ok(exit),
        Err(failure) if exit == Exit::Command(0) => Err(failure.ending(OURS)),
        Err(failure) => {
            context.console.warn(failure.text("error:").trim_end());
            Ok(exit)
        }
    }
}

/// Gives the role back, or withdraws what is not held yet. Safe to repeat.
async fn give_back(context: &mut Context, id: &str) -> Result<()> {
    let given_back = async {
        let broker = context.broker().await?;
        let request = v1::DeactivateActivationRequest { id: id.to_owned() };
        match broker.activations().deactivate_activation(broker.call(request)).await.map_err(Failure::from) {
            Ok(answer) => Ok(Some(answer.into_inner())),
            // Not held yet, or over without having been held.
            Err(failure) if failure.reason() == "WRONG_STATE" => {
                let request = v1::WithdrawActivationRequest { id: id.to_owned() };
                match broker
                    .activations()
                    .withdraw_activation(broker.call(request))
                    .await
                    .map_err(Failure::from)
                {
                    Ok(_) => Ok(None),
                    Err(failure) if failure.reason() == "WRONG_STATE" => Ok(None),
                    Err(failure) => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        }
    };
    match given_back.await {
        Ok(answer) => {
            let detail = answer.map(|answer| clean_line(&answer.detail)).unwrap_or_default();
            let told =
                if detail.is_empty() { "Given back".to_owned() } else { format!("Given back: {detail}") };
            context.console.say(&told);
            Ok(())
        }
        Err(failure) => {
            let id = clean_line(id);
            let advice = format!(
                "the broker gives it back by itself in half a minute; `elevate deactivate {id}` does it now"
            );
            Err(failure.prefixed("the role could not be given back").advice(advice))
        }
    }
}

/// The stream that holds, opened again whenever it breaks.
struct Hold {
    id: String,
    broker: Option<Broker>,
    stream: Option<Streaming<v1::Activation>>,
}

impl Hold {
    /// Holds this one from now on.
    fn go_on_with(&mut self, id: &str) {
        id.clone_into(&mut self.id);
        self.stream = None;
    }

    /// The activation as it stands now, and then after each change; waits through whatever breaks.
    ///
    /// May be dropped at any moment and called again: what is connected is kept.
    async fn next(&mut self, context: &mut Context) -> Result<v1::Activation> {
        loop {
            let failure = match self.open(context).await {
                Ok(stream) => match stream.message().await {
                    Ok(Some(activation)) => return Ok(activation),
                    // The broker ends every stream after a while.
                    Ok(None) => None,
                    Err(status) => Some(Failure::from(status)),
                },
                Err(failure) => Some(failure),
            };
            self.stream = None;
            match failure {
                None => {}
                Some(failure) if passes(&failure) => {
                    self.broker = None;
                    context.outside.clock.sleep(PAUSE).await;
                }
                Some(failure) => return Err(failure),
            }
        }
    }

    async fn open(&mut self, context: &mut Context) -> Result<&mut Streaming<v1::Activation>> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let broker = match self.broker.take() {
                    Some(broker) => broker,
                    None => context.broker().await?,
                };
                let request = broker.stream(v1::HoldActivationRequest { id: self.id.clone() });
                broker.activations().hold_activation(request).await?.into_inner()
            }
        };
        Ok(self.stream.insert(stream))
    }
}

/// A broker that restarts is back soon, and a token that is over is renewed.
fn passes(failure: &Failure) -> bool {
    failure.may_be_repeated()
        || matches!(failure.reason(), "BROKER_UNREACHABLE" | "TOKEN_INVALID" | "TOO_MANY" | "DRAINING")
}
