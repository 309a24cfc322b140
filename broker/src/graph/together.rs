//! Revocations that are due together go together, up to twenty in one `$batch`.
//!
//! What comes alone goes alone, and at once. Only while [`LANES`] are under way does the next one wait, until one of
//! them is back; then all that wait go as one. So much is taken away as fast as Graph lets the broker, and one waits for
//! nobody.
//!
//! Whatever has no clear answer in company goes alone from then on: one that never ends holds up the others once, and
//! where Graph takes no batches at all everything goes as if there were none.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::batch;
use super::call::{Body, Call, Fault, Line};

/// How many go out at once: with twenty in each, more than the broker settles at a time.
const LANES: usize = 4;

/// How many are remembered to go alone. Beyond, all are forgotten, and tried in company again.
const ALONE_MOST: usize = 4096;

/// Who is under way, and who waits.
#[derive(Debug, Clone, Default)]
pub(super) struct Together(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    lanes_taken: usize,
    waiting: VecDeque<Waiting>,
    alone: HashSet<String>,
}

#[derive(Debug)]
struct Waiting {
    call: Call,
    turn: oneshot::Sender<Turn>,
}

/// What somebody who waits comes to hear.
#[derive(Debug)]
enum Turn {
    /// It is to send, with these.
    Send(Company),
    /// It was sent.
    Sent(Result<Body, Fault>),
}

/// A call, the lane on which it goes, and who comes along.
#[derive(Debug)]
struct Company {
    call: Call,
    others: Vec<Waiting>,
    lane: Lane,
}

/// Leave to send; whoever waits gets it next.
#[derive(Debug)]
struct Lane(Together);

impl Together {
    /// Sends it, alone or in company.
    pub(super) async fn send(&self, line: &Line, call: Call) -> Result<Body, Fault> {
        let name = call.name();
        if self.state().alone.contains(&name) {
            let outcome = line.send(call).await;
            self.learn(name, &outcome);
            return outcome;
        }
        match self.join(call) {
            Ok(company) => company.go(line).await,
            Err(turn) => match turn.await {
                Ok(Turn::Send(company)) => company.go(line).await,
                Ok(Turn::Sent(outcome)) => outcome,
                // Whoever was to send it was stopped on the way.
                Err(_) => Err(Fault::unclear("what it was sent along with was broken off")),
            },
        }
    }

    /// A lane of its own, or a place among those who wait.
    fn join(&self, call: Call) -> Result<Company, oneshot::Receiver<Turn>> {
        let mut state = self.state();
        if state.lanes_taken < LANES {
            state.lanes_taken += 1;
            return Ok(Company { call, others: Vec::new(), lane: Lane(self.clone()) });
        }
        let (turn, told) = oneshot::channel();
        state.waiting.push_back(Waiting { call, turn });
        Err(told)
    }

    /// Gives a lane to those who wait.
    fn hand_over(&self) {
        let (first, others) = {
            let mut state = self.state();
            // Whoever went away in the meantime asks again, or does not want it any more.
            state.waiting.retain(|waiting| !waiting.turn.is_closed());
            let Some(first) = state.waiting.pop_front() else {
                state.lanes_taken = state.lanes_taken.saturating_sub(1);
                return;
            };
            let others = state.waiting.len().min(batch::MOST - 1);
            (first, state.waiting.drain(..others).collect())
        };
        let company = Company { call: first.call, others, lane: Lane(self.clone()) };
        if let Err(Turn::Send(Company { call: _, others, lane })) = first.turn.send(Turn::Send(company)) {
            let mut state = self.state();
            others.into_iter().rev().for_each(|waiting| state.waiting.push_front(waiting));
            drop(state);
            drop(lane);
        }
    }

    /// Remembers what goes alone from now on.
    fn learn(&self, name: String, outcome: &Result<Body, Fault>) {
        let mut state = self.state();
        match outcome {
            Err(Fault::Unclear { .. }) => {
                if state.alone.len() >= ALONE_MOST {
                    state.alone.clear();
                }
                state.alone.insert(name);
            }
            Ok(_) | Err(Fault::Refused(_)) => {
                state.alone.remove(&name);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.0.hand_over();
    }
}

impl Company {
    async fn go(self, line: &Line) -> Result<Body, Fault> {
        let Self { call, others, lane } = self;
        if others.is_empty() {
            return line.send(call).await;
        }
        let (mut calls, mut turns) = (vec![call], Vec::new());
        for Waiting { call, turn } in others {
            calls.push(call);
            turns.push(turn);
        }
        let mut outcomes = batch::write(line, &calls).await.into_iter();
        let mut names = calls.iter().map(Call::name);
        let own = outcomes.next().unwrap_or_else(|| Err(Fault::unclear("Graph gave no answer")));
        lane.0.learn(names.next().unwrap_or_default(), &own);
        for ((turn, name), outcome) in turns.into_iter().zip(names).zip(outcomes) {
            lane.0.learn(name, &outcome);
            // Nobody is there any more who wants to know.
            let _ = turn.send(Turn::Sent(outcome));
        }
        own
    }
}
