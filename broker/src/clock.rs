//! The only place that reads a clock.

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
    started_at: Timestamp,
    booted_for: Duration,
}

impl SystemClock {
    /// Reads the wall clock once, and does not begin before `known`, the latest time on record: a wall
    /// clock that was set back while nothing ran makes no time go back that is on record.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start(known: Option<Timestamp>) -> Self {
        Self::begun(Timestamp::now(), known)
    }

    fn begun(wall: Timestamp, known: Option<Timestamp>) -> Self {
        Self { started_at: known.map_or(wall, |known| known.max(wall)), booted_for: since_boot() }
    }

    /// What the machine's wall clock says now: for `doctor` to compare, never for a decision.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn wall() -> Timestamp {
        Timestamp::now()
    }
}

/// `CLOCK_BOOTTIME`: goes on while the machine is suspended, and is not set by anybody.
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Now {
        let elapsed = since_boot().saturating_sub(self.booted_for);
        Now::exactly(self.started_at.checked_add(elapsed).unwrap_or(Timestamp::MAX))
    }

    async fn sleep_until(&self, moment: Timestamp) {
        let left = moment.duration_since(self.now().latest());
        // In short naps: the timer does not count the time of a suspended machine.
        let nap = left.unsigned_abs().min(Duration::from_secs(5));
        if left.is_positive() {
            tokio::time::sleep(nap).await;
        }
    }
}

#[cfg(test)]
mod tests;
