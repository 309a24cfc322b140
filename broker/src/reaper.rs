//! When to wake. Holds no rules and no data: a lost nudge costs a delay and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use elevate_core::due;
use elevate_core::names::ActivationId;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ports::clock::Mark;
use crate::ports::journal::StoreFault;
use crate::workflow::{Next, Ports, Workflow};

/// How many activations are settled at one moment. Each waits for Graph most of the time; one that
/// never gets an answer keeps one of these places for a call's deadline, and then waits its turn.
const AT_ONCE: usize = 64;

/// The longest sleep: a nudge that got lost is made up for.
const LONGEST_SLEEP: SignedDuration = SignedDuration::from_secs(15);

/// How often the record and the directory are compared.
const RECONCILE_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// How often a round is tried again that left something open: the directory cut it short, or something
/// was missing.
const RECONCILE_AGAIN: SignedDuration = SignedDuration::from_secs(45);

/// How often the accounts of those who hold something are looked at. One that is missing is looked at twice, half
/// a minute apart, and what it holds is to be on its way within the minute.
const ACCOUNTS_EVERY: SignedDuration = SignedDuration::from_secs(14);

/// How many sweeps are waited for at one moment; more wait to be asked.
const SWEEPS_AT_ONCE: usize = 64;

/// How long something rests that may be due and may be not.
const UNSURE_PAUSE: SignedDuration = SignedDuration::from_millis(100);

/// How long very many that come due at one moment wait for a second witness of the time. It delays an end by
/// no more, and cancels none.
const GUARDED_FOR: Duration = Duration::from_secs(60);

/// How soon it is looked again whether the time was confirmed.
const GUARD_GLANCE: SignedDuration = SignedDuration::from_secs(1);

/// Asks the reaper to settle what is due, and to say when it has.
#[derive(Debug, Clone)]
pub struct Sweeper {
    ask: mpsc::Sender<oneshot::Sender<Round>>,
}

/// What one look at the queue led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// How many were due.
    pub due: u64,
    /// How many of them are closed now.
    pub closed: u64,
}

impl Sweeper {
    /// Settles everything that is due now; `None` when the reaper has stopped.
    pub async fn sweep(&self) -> Option<Round> {
        let (answer, round) = oneshot::channel();
        self.ask.send(answer).await.ok()?;
        round.await.ok()
    }
}

/// A sweep that waits: what it still waits for, what it found, and whom to tell.
type Sweep = (BTreeSet<ActivationId>, Round, oneshot::Sender<Round>);

/// The part that wakes when something is due and settles it.
#[derive(Debug)]
pub struct Reaper {
    workflow: Arc<Workflow>,
    asked: mpsc::Receiver<oneshot::Sender<Round>>,
    settling: JoinSet<Result<(ActivationId, Next), StoreFault>>,
    in_hand: BTreeSet<ActivationId>,
    guard: Guard,
}

/// Whether so many came due at one moment that the time itself is in doubt.
#[derive(Debug)]
struct Guard {
    /// Until then everything due was taken up.
    calm_until: Timestamp,
    /// Since when what came due after is held back.
    since: Option<Mark>,
}

impl Reaper {
    /// A reaper, and how to ask it.
    pub fn new(workflow: Arc<Workflow>) -> (Self, Sweeper) {
        let (ask, asked) = mpsc::channel(16);
        // What waits for nothing is due since ever; what has its hour may not have come.
        let guard = Guard { calm_until: Timestamp::UNIX_EPOCH, since: None };
        let reaper = Self { workflow, asked, settling: JoinSet::new(), in_hand: BTreeSet::new(), guard };
        (reaper, Sweeper { ask })
    }

    /// Runs until `stop`, and then until everything in hand is settled or has met its deadline.
    ///
    /// # Errors
    /// The store failed; the process must end.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), StoreFault> {
        let clock = Arc::clone(&self.workflow.ports().clock);
        let mut sweeps: Vec<Sweep> = Vec::new();
        while !stop.is_cancelled() {
            let wake = self.take_up().await?;
            self.answer(&mut sweeps);
            // In this order, so that the same world runs the same way twice; each round looks at all of it.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(done) = self.settling.join_next() => {
                    if let Some((id, next)) = self.finished(done)? {
                        for (left, round, _) in &mut sweeps {
                            if left.remove(&id) && next == Next::Never {
                                round.closed = round.closed.saturating_add(1);
                            }
                        }
                    }
                }
                Some(answer) = self.asked.recv(), if sweeps.len() < SWEEPS_AT_ONCE => {
                    let due = self.all_due().await?;
                    let round = Round { due: u64::try_from(due.len()).unwrap_or(u64::MAX), closed: 0 };
                    sweeps.push((due, round, answer));
                }
                () = self.workflow.nudged() => {}
                () = clock.sleep_until(wake) => {}
            }
        }
        while let Some(done) = self.settling.join_next().await {
            self.finished(done)?;
        }
        Ok(())
    }

    /// Takes up what is due and not in hand, and says when to look again.
    async fn take_up(&mut self) -> Result<Timestamp, StoreFault> {
        let journal = &self.workflow.ports().journal;
        let now = self.workflow.ports().clock.now();
        let until = self.guard.until(&self.workflow, now.latest()).await?;
        let mut after = None;
        while self.in_hand.len() < AT_ONCE {
            let due = journal.due(until, after, AT_ONCE).await?;
            let Some(last) = due.last() else { break };
            after = Some(*last);
            for (_, id) in due {
                if self.in_hand.len() < AT_ONCE && self.in_hand.insert(id) {
                    let workflow = Arc::clone(&self.workflow);
                    self.settling.spawn(async move { Ok((id, settled(&workflow, id).await?)) });
                }
            }
        }
        let nap = if self.guard.since.is_some() { GUARD_GLANCE } else { LONGEST_SLEEP };
        let longest = now.latest().checked_add(nap).unwrap_or(now.latest());
        Ok(journal.next_due(now.latest()).await?.map_or(longest, |next| next.min(longest)))
    }

    async fn all_due(&self) -> Result<BTreeSet<ActivationId>, StoreFault> {
        let journal = &self.workflow.ports().journal;
        let now = self.workflow.ports().clock.now();
        let (mut after, mut all) = (None, BTreeSet::new());
        loop {
            let due = journal.due(now.latest(), after, 1000).await?;
            let Some(last) = due.last() else { return Ok(all) };
            after = Some(*last);
            all.extend(due.into_iter().map(|(_, id)| id));
        }
    }

    /// Answers the sweeps that wait for nothing any more. A sweep does not wait for what somebody else
    /// settled: with places left, all that is still due is in hand.
    fn answer(&self, sweeps: &mut Vec<Sweep>) {
        if self.in_hand.len() < AT_ONCE {
            for (left, ..) in sweeps.iter_mut() {
                left.retain(|id| self.in_hand.contains(id));
            }
        }
        for (_, round, answer) in sweeps.extract_if(.., |(left, ..)| left.is_empty()) {
            // Whoever asked may have gone.
            let _ = answer.send(round);
        }
    }

    fn finished(
        &mut self,
        done: Result<Result<(ActivationId, Next), StoreFault>, tokio::task::JoinError>,
    ) -> Result<Option<(ActivationId, Next)>, StoreFault> {
        match done {
            Ok(Ok((id, next))) => {
                self.in_hand.remove(&id);
                Ok(Some((id, next)))
            }
            Ok(Err(fault)) => Err(fault),
            // A bug of ours. The record is whole, and only a fresh start is sure to read it right.
            Err(panicked) => Err(StoreFault(format!("settling ended in disorder: {panicked}"))),
        }
    }
}

impl Guard {
    /// Up to when what is due may be taken up now.
    async fn until(&mut self, workflow: &Workflow, now: Timestamp) -> Result<Timestamp, StoreFault> {
        let Ports { journal, clock, .. } = workflow.ports();
        if clock.assurance().is_corroborated() {
            return Ok(self.calm(now));
        }
        let live = journal.census().await?.into_iter().map(|(_, count)| count).sum();
        // More would not be taken up at one moment either way.
        let behind = (self.calm_until, ActivationId::from_uuid(Uuid::max()));
        let most = usize::try_from(live / 5).unwrap_or(usize::MAX).saturating_add(26);
        let due = journal.due(now, Some(behind), most).await?.len();
        if !due::is_mass(u64::try_from(due).unwrap_or(u64::MAX), live) {
            return Ok(self.calm(now));
        }
        let since = *self.since.get_or_insert_with(|| {
            tracing::error!(
                due,
                live,
                "very many roles are to end at one moment, and the time was not said twice; \
                they wait for a second witness, a minute at most"
            );
            clock.mark()
        });
        if clock.mark().since(since) < GUARDED_FOR { Ok(self.calm_until) } else { Ok(self.calm(now)) }
    }

    const fn calm(&mut self, now: Timestamp) -> Timestamp {
        self.since = None;
        self.calm_until = now;
        now
    }
}

/// Settles one. Where a clock that is unsure makes it due by its late bound and not yet by its early one,
/// it keeps its place for a moment, instead of being taken up again in a circle.
async fn settled(workflow: &Workflow, id: ActivationId) -> Result<Next, StoreFault> {
    let next = workflow.settle(id).await?;
    let clock = &workflow.ports().clock;
    let now = clock.now().latest();
    if matches!(next, Next::At(until) if until <= now) {
        clock.sleep_until(now.checked_add(UNSURE_PAUSE).unwrap_or(now)).await;
    }
    Ok(next)
}

/// Compares the record and the directory now and then, until `stop`.
///
/// # Errors
/// The store failed; the process must end.
pub async fn reconcile(workflow: Arc<Workflow>, stop: CancellationToken) -> Result<(), StoreFault> {
    let clock = Arc::clone(&workflow.ports().clock);
    loop {
        let settled = workflow.reconcile().await?;
        let wait = if settled { RECONCILE_EVERY } else { RECONCILE_AGAIN };
        let now = clock.now().latest();
        let wake = now.checked_add(wait).unwrap_or(now);
        while clock.now().latest() < wake {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = clock.sleep_until(wake) => {}
            }
        }
    }
}

/// Looks at the accounts of those who hold something now and then, until `stop`.
///
/// # Errors
/// The store failed; the process must end.
pub async fn watch_accounts(workflow: Arc<Workflow>, stop: CancellationToken) -> Result<(), StoreFault> {
    let clock = Arc::clone(&workflow.ports().clock);
    loop {
        workflow.watch_accounts().await?;
        let now = clock.now().latest();
        let wake = now.checked_add(ACCOUNTS_EVERY).unwrap_or(now);
        while clock.now().latest() < wake {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = clock.sleep_until(wake) => {}
            }
        }
    }
}

/// How long the end of the process waits for what is in hand: a little more than one call to Graph.
pub const DRAIN_FOR: Duration = Duration::from_secs(40);

#[cfg(test)]
mod tests;
