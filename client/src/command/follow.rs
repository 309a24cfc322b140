//! Waiting for an activation, through whatever breaks on the way.

use std::time::Duration;

use elevate_proto::v1;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tonic::Code;

use crate::connect::Broker;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::render::{clean_line, words};

/// A turn of the spinner.
const TURN: Duration = Duration::from_millis(120);
const WHEEL: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// Between two attempts to watch again.
const PAUSE: [u64; 5] = [0, 1, 2, 5, 10];
/// So many attempts in a row without an answer are enough: the activation goes on without us.
const ATTEMPTS_MAX: usize = 12;

/// Follows an activation and shows each change, until `done` says so or it is closed.
pub(crate) async fn follow(
    context: &mut Context,
    broker: Broker,
    id: &str,
    mut changed: impl FnMut(&mut Context, &v1::Activation) -> Result<bool>,
) -> Result<v1::Activation> {
    let begun = Instant::now();
    let mut last: Option<v1::Activation> = None;
    let mut broker = Some(broker);
    let mut attempt = 0;
    loop {
        let failure =
            match watch(context, &mut broker, id, begun, &mut last, &mut changed, &mut attempt).await {
                Ok(Some(activation)) => return Ok(activation),
                Ok(None) => Failure::unreachable("the broker ended the watch"),
                Err(failure) if passes(&failure) => failure,
                Err(failure) => return Err(failure),
            };
        if attempt >= ATTEMPTS_MAX {
            return Err(failure.advice(format!(
                "the activation goes on without us: `elevate watch {id}` follows it again"
            )));
        }
        broker = None;
        let pause = PAUSE.get(attempt).or(PAUSE.last()).copied().unwrap_or_default();
        attempt += 1;
        context.console.spin("the connection to the broker was lost; trying again");
        sleep(Duration::from_secs(pause)).await;
    }
}

/// Whether it is worth trying again.
fn passes(failure: &Failure) -> bool {
    failure.may_be_repeated() || failure.reason() == "BROKER_UNREACHABLE"
}

/// One stream, from its first answer to its end.
async fn watch(
    context: &mut Context,
    broker: &mut Option<Broker>,
    id: &str,
    begun: Instant,
    last: &mut Option<v1::Activation>,
    changed: &mut impl FnMut(&mut Context, &v1::Activation) -> Result<bool>,
    attempt: &mut usize,
) -> Result<Option<v1::Activation>> {
    let connected = match broker.take() {
        Some(broker) => broker,
        // A token may be over by now; this renews it.
        None => context.broker().await?,
    };
    let request = connected.stream(v1::WatchActivationRequest { id: id.to_owned() });
    let mut stream = connected.activations().watch_activation(request).await?.into_inner();
    let mut turns = interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut turn = 0_usize;
    loop {
        tokio::select! {
            message = stream.message() => {
                let Some(activation) = message? else { return Ok(None) };
                *attempt = 0;
                let news = last.as_ref().is_none_or(|last| last.version != activation.version);
                let over = activation.state() == v1::ActivationState::Closed;
                let done = news && changed(context, &activation)?;
                if done || over {
                    return Ok(Some(activation));
                }
                *last = Some(activation);
            }
            _ = turns.tick() => {
                turn = turn.wrapping_add(1);
                let wheel = WHEEL.get(turn % WHEEL.len()).copied().unwrap_or_default();
                let state = last.as_ref().map(|last| words::state(&context.look(), last)).unwrap_or_default();
                let elapsed = humantime::format_duration(Duration::from_secs(begun.elapsed().as_secs())).to_string();
                context.console.spin(&format!("{wheel} {} · {elapsed}", clean_line(&state)));
            }
        }
    }
}

/// A call that is safe to repeat under its request id, repeated once when its answer is lost.
pub(crate) async fn twice<T, F>(mut call: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = std::result::Result<tonic::Response<T>, tonic::Status>>,
{
    match call().await {
        Ok(answer) => Ok(answer.into_inner()),
        Err(status) if matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled) => {
            Ok(call().await?.into_inner())
        }
        Err(status) => Err(status.into()),
    }
}
