//! The only place that reads a clock. What may be said of the time is decided in [`trusted`].

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use elevate_core::due::Now;
use jiff::Timestamp;

use crate::ports::Clock;
use crate::ports::clock::{Assurance, Mark, TimeKeeper, TimeMark};
use trusted::Trusted;

pub mod trusted;

/// The machine's boot clock, anchored to what the tenant says the time is.
///
/// The wall clock decides nothing: a step of it in either direction changes nothing, now or at the next start.
#[derive(Debug)]
pub struct SystemClock {
    machine: Arc<dyn Machine>,
    boot_id: String,
    trusted: Mutex<Trusted>,
}

/// What a machine shows of the time. The true time is what nobody can read from it.
#[async_trait]
pub trait Machine: Send + Sync + fmt::Debug {
    /// The wall clock: set by anybody, to anything.
    fn wall(&self) -> Timestamp;

    /// How long ago this boot was, time in suspension included. Set by nobody.
    fn since_boot(&self) -> Duration;

    /// Which boot this is.
    fn boot_id(&self) -> String;

    /// Returns after about this long, in which time in suspension does not count.
    async fn nap(&self, length: Duration);
}

/// The machine that this process runs on.
#[derive(Debug, Clone, Copy)]
struct Kernel;

/// What an operator wants to know of the clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// How far it can be relied on.
    pub assurance: Assurance,
    /// The distance between its two bounds.
    pub width: Duration,
    /// Since when no witness was heard; none: never in this process.
    pub unheard_for: Option<Duration>,
    /// How often a witness contradicted.
    pub doubts: u64,
}

impl SystemClock {
    /// Carries on from what was kept, where it is of this boot; else from the latest time on record, until a
    /// witness is heard.
    pub fn start(kept: Option<&TimeMark>, known: Option<Timestamp>) -> Self {
        Self::on(Arc::new(Kernel), kept, known)
    }

    /// The same on another machine.
    pub fn on(machine: Arc<dyn Machine>, kept: Option<&TimeMark>, known: Option<Timestamp>) -> Self {
        let boot_id = machine.boot_id();
        let trusted = Trusted::begin(kept, &boot_id, known, machine.wall(), Mark(machine.since_boot()));
        Self { machine, boot_id, trusted: Mutex::new(trusted) }
    }

    /// What the machine's wall clock says now: for `doctor` to compare, never for a decision.
    pub fn wall() -> Timestamp {
        Kernel.wall()
    }

    /// How good it is.
    pub fn quality(&self) -> Quality {
        let mark = self.mark();
        let mut trusted = self.trusted();
        let now = trusted.now(mark);
        Quality {
            assurance: trusted.assurance(),
            width: now.latest().duration_since(now.earliest()).unsigned_abs(),
            unheard_for: trusted.unheard_for(mark),
            doubts: trusted.doubts(),
        }
    }

    /// Keeps the time, so that the next start need not begin without any.
    ///
    /// # Errors
    /// It could not be written: in words for an operator.
    pub async fn keep(&self, keeper: &Arc<impl TimeKeeper + ?Sized>) -> Result<(), String> {
        let mark = self.trusted().to_keep(&self.boot_id, self.mark());
        match mark {
            Some(mark) => keeper.keep_time(mark).await,
            None => Ok(()),
        }
    }

    fn trusted(&self) -> MutexGuard<'_, Trusted> {
        self.trusted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Machine for Kernel {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    /// `CLOCK_BOOTTIME`.
    fn since_boot(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }

    /// Without an answer every start is of another boot, and waits for a witness.
    fn boot_id(&self) -> String {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let plain = |c: char| c.is_ascii_hexdigit() || c == '-';
        Some(id.trim().to_owned())
            .filter(|id| id.len() == 36 && id.chars().all(plain))
            .unwrap_or_else(|| uuid::Uuid::new_v4().to_string())
    }

    async fn nap(&self, length: Duration) {
        tokio::time::sleep(length).await;
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Now {
        self.trusted().now(self.mark())
    }

    async fn sleep_until(&self, moment: Timestamp) {
        let left = moment.duration_since(self.now().latest());
        // In short naps: the timer does not count the time of a suspended machine.
        let nap = left.unsigned_abs().min(Duration::from_secs(5));
        if left.is_positive() {
            self.machine.nap(nap).await;
        }
    }

    fn mark(&self) -> Mark {
        Mark(self.machine.since_boot())
    }

    fn heard(&self, said: Timestamp, asked: Mark) {
        let mut trusted = self.trusted();
        let before = trusted.assurance();
        trusted.heard(said, asked, self.mark());
        let after = trusted.assurance();
        drop(trusted);
        match (before, after) {
            (Assurance::Unwitnessed, Assurance::Witnessed { .. }) => {
                tracing::info!(%said, "the tenant said what time it is");
            }
            (Assurance::Witnessed { .. }, Assurance::Doubted) => {
                tracing::error!(%said, "the tenant says another time than was carried on; nothing is granted until it \
                    is said again");
            }
            (Assurance::Doubted, Assurance::Witnessed { .. }) => {
                tracing::warn!(%said, "the time is settled again");
            }
            _ => {}
        }
    }

    fn assurance(&self) -> Assurance {
        self.trusted().assurance()
    }
}

#[cfg(test)]
mod tests;
