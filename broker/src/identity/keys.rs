//! The tenant's signing keys: where they are published, and which are good now.
//!
//! As Entra asks of whoever verifies its tokens ("Signing key rollover in the Microsoft identity
//! platform"): read at the start and every hour, again when a token names a key that is not known, but
//! then at most once in five minutes, and the last good set is kept through an outage, for a day. A key
//! that is no longer published stops counting at the next read.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use elevate_core::due::Now;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::ports::Clock;
use set::KeySet;
use source::Source;

mod place;
mod set;
pub(super) mod source;

pub(super) use place::Place;
pub(super) use set::Key;

/// How old a set may be before it is read again.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// How old a set may be and still count, when it cannot be read again.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How often a key that nobody knows may make us ask: anybody can make one up.
const UNKNOWN_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// How soon a read is tried again that failed, or that came at an hour nobody is sure of.
const RETRY_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// Why the keys cannot be had. Holds addresses and reasons, no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyFault(String);

impl KeyFault {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// What is known of the tenant's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatus {
    /// How many are usable; zero before the first read.
    pub keys: usize,
    /// When the set that counts was read.
    pub fetched_at: Option<Timestamp>,
    /// Why the last read failed; `None` if it did not.
    pub last_error: Option<String>,
}

/// What a fresh look at the tenant found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCheck {
    /// Where discovery says the keys are.
    pub keys_address: String,
    /// How many are usable.
    pub usable: usize,
    /// Why the others are not.
    pub ignored: Vec<String>,
}

/// Why there is no key for a token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyMiss {
    #[error("is signed with a key that the tenant does not publish (`kid`)")]
    Unknown,
    #[error("cannot be verified: {0}")]
    Unreachable(String),
}

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct Keys(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    source: Box<dyn Source>,
    place: Place,
    clock: Arc<dyn Clock>,
    held: ArcSwapOption<Held>,
    /// Whoever reads the tenant holds it, so that one does and the others wait for what comes of it.
    turn: Arc<tokio::sync::Mutex<Pace>>,
    last_error: Mutex<Option<String>>,
}

#[derive(Debug)]
struct Held {
    set: KeySet,
    /// Before it was asked for, by the earliest bound: it is never younger than this says.
    fetched_at: Timestamp,
}

/// What was tried when.
#[derive(Debug, Default)]
struct Pace {
    /// A read for a key that nobody knew.
    unknown_at: Option<Timestamp>,
    /// Any read.
    read_at: Option<Timestamp>,
}

impl Pace {
    /// Whether `then` is so near that it is too soon to try again. In both directions: after a clock
    /// that was ahead has been put right we must not wait until it was.
    fn is_near(then: Option<Timestamp>, now: Now, pause: SignedDuration) -> bool {
        then.is_some_and(|then| now.latest().duration_since(then).abs() < pause)
    }
}

impl Keys {
    pub(super) fn new(source: Box<dyn Source>, place: Place, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shelf {
            source,
            place,
            clock,
            held: ArcSwapOption::empty(),
            turn: Arc::default(),
            last_error: Mutex::default(),
        }))
    }

    /// The key of this name, read anew if that may help.
    pub(super) async fn key(&self, kid: &str) -> Result<Arc<Key>, KeyMiss> {
        let held = self.0.held.load_full();
        let known = held.as_ref().and_then(|held| held.set.get(kid));
        let is_fresh = held.as_ref().is_some_and(|held| self.0.is_younger(held, FRESH));
        match (known, is_fresh) {
            (Some(key), true) => return Ok(key),
            (None, true) => self.read_for_unknown(kid).await,
            // What is kept will do while somebody else reads.
            (Some(_), false) if held.as_ref().is_some_and(|held| self.0.is_younger(held, KEPT)) => {
                if let Ok(turn) = self.0.turn.clone().try_lock_owned() {
                    self.read_if_old(turn).await;
                }
            }
            (_, false) => self.read_if_old(self.0.turn.clone().lock_owned().await).await,
        }
        let unreachable =
            || KeyMiss::Unreachable(self.0.error().unwrap_or_else(|| "not read yet".to_owned()));
        match self.0.held.load_full().filter(|held| self.0.is_younger(held, KEPT)) {
            None => Err(unreachable()),
            Some(held) => match held.set.get(kid) {
                Some(key) => Ok(key),
                // It may be a new key that we cannot see for an outage, and then it is worth trying again.
                None if self.0.error().is_some() => Err(unreachable()),
                None => Err(KeyMiss::Unknown),
            },
        }
    }

    /// Reads the tenant now.
    pub(super) async fn fetch(&self) -> Result<(), KeyFault> {
        let turn = self.0.turn.clone().lock_owned().await;
        self.read(turn).await
    }

    /// Reads the tenant whenever the set is old, until told to stop.
    pub(super) async fn run(&self, stop: CancellationToken) {
        loop {
            let next = self.next_look().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.clock.sleep_until(next) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = async { self.read_if_old(self.0.turn.clone().lock_owned().await).await } => {}
            }
        }
    }

    pub(super) fn status(&self) -> KeyStatus {
        let held = self.0.held.load();
        KeyStatus {
            keys: held.as_ref().map_or(0, |held| held.set.len()),
            fetched_at: held.as_ref().map(|held| held.fetched_at),
            last_error: self.0.error(),
        }
    }

    pub(super) async fn check(&self) -> Result<KeyCheck, KeyFault> {
        let (address, set) = self.0.read().await?;
        Ok(KeyCheck { keys_address: address.into(), usable: set.len(), ignored: set.ignored })
    }

    async fn next_look(&self) -> Timestamp {
        let now = self.0.clock.now();
        let later = |from: Timestamp, by| from.saturating_add(by).unwrap_or(from);
        if let Some(held) = self.0.held.load_full().filter(|held| self.0.is_younger(held, FRESH)) {
            return later(held.fetched_at, FRESH);
        }
        let read_at = self.0.turn.lock().await.read_at;
        match read_at.filter(|at| Pace::is_near(Some(*at), now, RETRY_PAUSE)) {
            Some(read_at) => later(read_at, RETRY_PAUSE),
            None => now.earliest(),
        }
    }

    async fn read_for_unknown(&self, kid: &str) {
        let mut turn = self.0.turn.clone().lock_owned().await;
        let now = self.0.clock.now();
        let known_by_now = self.0.held.load().as_ref().is_some_and(|held| held.set.get(kid).is_some());
        if !known_by_now && !Pace::is_near(turn.unknown_at, now, UNKNOWN_PAUSE) {
            turn.unknown_at = Some(now.latest());
            // What went wrong is kept for whoever asks next.
            let _ = self.read(turn).await;
        }
    }

    async fn read_if_old(&self, turn: tokio::sync::OwnedMutexGuard<Pace>) {
        let is_fresh = self.0.held.load().as_ref().is_some_and(|held| self.0.is_younger(held, FRESH));
        if !is_fresh && !Pace::is_near(turn.read_at, self.0.clock.now(), RETRY_PAUSE) {
            let _ = self.read(turn).await;
        }
    }

    /// On a task of its own, bounded by the source's time limit: a caller who hangs up in the middle
    /// would else leave the pause spent and the keys unread, or make us ask again and again.
    async fn read(&self, turn: tokio::sync::OwnedMutexGuard<Pace>) -> Result<(), KeyFault> {
        let shelf = self.0.clone();
        let reading = tokio::spawn(async move { shelf.renew(turn).await });
        reading.await.unwrap_or_else(|_| Err(KeyFault::new("the read was broken off")))
    }
}

impl Shelf {
    async fn renew(&self, mut turn: tokio::sync::OwnedMutexGuard<Pace>) -> Result<(), KeyFault> {
        let now = self.clock.now();
        let fetched_at = now.earliest();
        turn.read_at = Some(now.latest());
        match self.read().await {
            Ok((_, set)) => {
                tracing::info!(keys = set.len(), ignored = set.ignored.len(), "signing keys read");
                self.held.store(Some(Arc::new(Held { set, fetched_at })));
                self.set_error(None);
                Ok(())
            }
            Err(fault) => {
                tracing::warn!(why = %fault, "signing keys cannot be read");
                self.set_error(Some(fault.to_string()));
                Err(fault)
            }
        }
    }

    async fn read(&self) -> Result<(Url, KeySet), KeyFault> {
        let document = self.source.read(&self.place.discovery).await?;
        let address = self.place.keys_address(&document)?;
        let set = KeySet::read(&self.source.read(&address).await?, &self.place)?;
        Ok((address, set))
    }

    /// In both directions, as in [`Pace::is_near`].
    fn is_younger(&self, held: &Held, than: SignedDuration) -> bool {
        self.clock.now().latest().duration_since(held.fetched_at).abs() < than
    }

    fn error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_error(&self, error: Option<String>) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}
