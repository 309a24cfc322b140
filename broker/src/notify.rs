//! The outbox: tells people what concerns them.
//!
//! ```text
//! record, from the cursor on -> lives -> concern: whom? -> Notifier -> cursor
//! ```
//!
//! The record is durable and in order already, so nothing is put into an outbox: it *is* the record, behind
//! a [`Cursor`] that moves on after delivery. Whoever grants or takes away writes the record as ever and
//! knows nothing of this part, which reads behind them in a task of its own; so it can delay neither.
//!
//! A crash between delivery and cursor tells the same again, under the same id. Nothing is left out.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::ports::journal::{Entry, Position, StoreFault};
use crate::ports::notifier::{Cursor, Kept, Notice, Undelivered};
use crate::ports::{Bookmark, Clock, Journal, Notifier};

mod concern;
mod lives;
mod meter;

pub use meter::Meter;

use lives::{Lives, Unknown};

/// How many entries are read at once. Few, for an entry may hold a policy.
const AT_ONCE: usize = 64;

/// How long one delivery may take.
const DELIVERED_WITHIN: Duration = Duration::from_secs(30);

/// How long after a first failure it is tried again; after each further one twice as long.
const AGAIN_FIRST: SignedDuration = SignedDuration::from_secs(5);

/// The longest it rests before it is tried again.
const AGAIN_MAX: SignedDuration = SignedDuration::from_mins(2);

/// How far back it is told again where no cursor is found beside a record. Either the broker had no outbox
/// before, and people are told at most this much once; or the cursor was lost, and what nobody heard of is
/// commonly no older. All of an old record would bury what is new.
const TOLD_AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// How long the end of the process waits for what is still to be told.
pub const DRAIN_FOR: Duration = Duration::from_secs(5);

/// The outside, as the outbox sees it.
#[derive(Debug, Clone)]
pub struct Ports {
    /// What is told.
    pub journal: Arc<dyn Journal>,
    /// How far it was.
    pub bookmark: Arc<dyn Bookmark>,
    /// What carries it.
    pub notifier: Arc<dyn Notifier>,
    /// What knows the time.
    pub clock: Arc<dyn Clock>,
}

/// The part that tells people what concerns them.
#[derive(Debug)]
pub struct Outbox {
    ports: Ports,
    lives: Lives,
    /// The entry to be read next.
    at: Position,
    /// Whether it was read from the very start.
    is_whole: bool,
    told: Told,
    meter: Arc<Meter>,
}

/// What counts as told already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Every entry before this one.
    Before(Position),
    /// Every entry before the first that is as young as this.
    Until(Timestamp),
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Onward {
    Yes,
    No,
}

impl Outbox {
    /// An outbox that goes on where the last one came to. To be opened before anything is recorded: a
    /// cursor beyond the end is known by that.
    pub async fn open(ports: Ports) -> Self {
        let size = *ports.journal.size().borrow();
        let whole = Position(0);
        let (at, told) = match ports.bookmark.kept().await {
            Kept::At(Cursor { begin, next }) if next <= size => (begin.min(next), Told::Before(next)),
            Kept::At(Cursor { next, .. }) => {
                // An older record was put here. What it holds was told; what comes has new ids.
                tracing::warn!(
                    next = next.0,
                    size = size.0,
                    "the record is shorter than what was told of it"
                );
                keep(&ports, Cursor { begin: whole, next: size }).await;
                (whole, Told::Before(size))
            }
            Kept::Nothing => {
                let now = ports.clock.now().earliest();
                (whole, Told::Until(now.checked_sub(TOLD_AGAIN).unwrap_or(Timestamp::MIN)))
            }
            Kept::Unreadable(reason) => {
                tracing::warn!(%reason, "how far notices were told is not known; all of the record is told again");
                (whole, Told::Before(whole))
            }
        };
        let meter = Arc::new(Meter::default());
        meter.at(if let Told::Before(next) = told { next } else { whole });
        Self { ports, lives: Lives::default(), at, is_whole: at == whole, told, meter }
    }

    /// How it is.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Tells until `stop`, and then what is on record by then, trying each once.
    ///
    /// # Errors
    /// The store failed; the process must end.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), StoreFault> {
        let mut size = self.ports.journal.size();
        loop {
            let at = self.at;
            tokio::select! {
                // What is on record comes before the end.
                biased;
                grown = size.wait_for(|size| *size > at) => if grown.is_err() { return Ok(()) },
                () = stop.cancelled() => return Ok(()),
            }
            let before = self.told;
            let mut onward = Onward::Yes;
            for entry in self.ports.journal.read(self.at, AT_ONCE).await? {
                onward = self.take_up(&entry, &stop).await;
                // Not taken up, or to be read again from elsewhere.
                if self.at <= entry.position {
                    break;
                }
            }
            if let Told::Before(next) = self.told
                && self.told != before
            {
                // Once a batch. If it cannot be kept, a restart tells more again; nothing waits for it.
                keep(&self.ports, Cursor { begin: self.lives.begin(next), next }).await;
            }
            if onward == Onward::No {
                return Ok(());
            }
        }
    }

    async fn take_up(&mut self, entry: &Entry, stop: &CancellationToken) -> Onward {
        let Position(place) = entry.position;
        let after = Position(place.saturating_add(1));
        if let Told::Until(moment) = self.told
            && entry.said.at() >= moment
        {
            self.told = Told::Before(entry.position);
        }
        let is_told = !matches!(self.told, Told::Before(next) if entry.position >= next);
        let notice = match self.lives.follow(entry) {
            Ok(notice) => notice,
            // It ended before the cursor.
            Err(Unknown(_)) if is_told => None,
            // The cursor promised its beginning and did not keep that. From the start everything is known.
            Err(Unknown(id)) if !self.is_whole => {
                tracing::warn!(activation = %id, "its beginning was not read; the record is read from its start");
                (self.lives, self.at, self.is_whole) = (Lives::default(), Position(0), true);
                return Onward::Yes;
            }
            Err(Unknown(id)) => {
                tracing::error!(activation = %id, position = place, "an entry is not understood and not told");
                None
            }
        };
        if let Some(notice) = notice.filter(|_| !is_told)
            && self.tell(notice, stop).await == Onward::No
        {
            return Onward::No;
        }
        self.at = after;
        match self.told {
            Told::Before(next) if after <= next => {}
            Told::Before(_) => {
                self.told = Told::Before(after);
                self.meter.at(after);
            }
            Told::Until(_) => self.meter.at(after),
        }
        Onward::Yes
    }

    /// Hands a notice over, again and again until it is taken, or until `stop`.
    async fn tell(&self, notice: Notice, stop: &CancellationToken) -> Onward {
        let clock = &self.ports.clock;
        let notice = Arc::new(notice);
        let mut pause = AGAIN_FIRST;
        self.meter.begins(notice.at);
        loop {
            let undelivered = match self.deliver(&notice).await {
                Ok(()) => {
                    self.meter.delivered(notice.kind.word());
                    return Onward::Yes;
                }
                Err(undelivered) => undelivered,
            };
            self.meter.failed();
            tracing::warn!(notice = %notice.id, reason = %undelivered, "a notice could not be delivered");
            let now = clock.now().latest();
            tokio::select! {
                // It is told after the next start.
                () = stop.cancelled() => return Onward::No,
                () = clock.sleep_until(now.checked_add(pause).unwrap_or(now)) => {}
            }
            pause = pause.saturating_mul(2).min(AGAIN_MAX);
        }
    }

    /// One try, in a task of its own: an adapter that hangs or panics ends that and nothing else.
    async fn deliver(&self, notice: &Arc<Notice>) -> Result<(), Undelivered> {
        let (notifier, notice) = (Arc::clone(&self.ports.notifier), Arc::clone(notice));
        let trying = AbortOnDropHandle::new(tokio::spawn(async move { notifier.deliver(&notice).await }));
        match tokio::time::timeout(DELIVERED_WITHIN, trying).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Undelivered("delivering it ended in disorder".to_owned())),
            Err(_) => Err(Undelivered(format!("no answer within {} s", DELIVERED_WITHIN.as_secs()))),
        }
    }
}

async fn keep(ports: &Ports, cursor: Cursor) {
    if let Err(unkept) = ports.bookmark.keep(cursor).await {
        tracing::warn!(reason = %unkept, "how far notices were told could not be kept; a restart may repeat some");
    }
}

#[cfg(test)]
mod tests;
