//! The only place that reads a clock.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use elevate_core::due::Now;
use jiff::Timestamp;

use crate::ports::Clock;

/// The machine's clock, never going back while the process lives.
///
/// Wall time at the start, moved on by the boot-time clock: a step of the wall clock in either
/// direction changes nothing until the next start.
#[derive(Debug)]
pub struct SystemClock {
    machine: Arc<dyn Machine>,
    started_at: Timestamp,
    booted_for: Duration,
}

/// What a machine shows of the time. The true time is what nobody can read from it.
#[async_trait]
pub trait Machine: Send + Sync + fmt::Debug {
    /// The wall clock: set by anybody, to anything.
    fn wall(&self) -> Timestamp;

    /// How long ago this boot was, time in suspension included. Set by nobody.
    fn since_boot(&self) -> Duration;

    /// Returns after about this long, in which time in suspension does not count.
    async fn nap(&self, length: Duration);
}

/// The machine that this process runs on.
#[derive(Debug, Clone, Copy)]
struct Kernel;

impl SystemClock {
    /// Reads the wall clock once, and does not begin before `known`, the latest time on record: a wall
    /// clock that was set back while nothing ran makes no time go back that is on record.
    pub fn start(known: Option<Timestamp>) -> Self {
        Self::on(Arc::new(Kernel), known)
    }

    /// The same on another machine.
    pub fn on(machine: Arc<dyn Machine>, known: Option<Timestamp>) -> Self {
        let wall = machine.wall();
        let booted_for = machine.since_boot();
        Self { machine, started_at: known.map_or(wall, |known| known.max(wall)), booted_for }
    }

    /// What the machine's wall clock says now: for `doctor` to compare, never for a decision.
    pub fn wall() -> Timestamp {
        Kernel.wall()
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

    async fn nap(&self, length: Duration) {
        tokio::time::sleep(length).await;
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Now {
        let elapsed = self.machine.since_boot().saturating_sub(self.booted_for);
        Now::exactly(self.started_at.checked_add(elapsed).unwrap_or(Timestamp::MAX))
    }

    async fn sleep_until(&self, moment: Timestamp) {
        let left = moment.duration_since(self.now().latest());
        // In short naps: the timer does not count the time of a suspended machine.
        let nap = left.unsigned_abs().min(Duration::from_secs(5));
        if left.is_positive() {
            self.machine.nap(nap).await;
        }
    }
}

#[cfg(test)]
mod tests;
