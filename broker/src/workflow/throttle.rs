//! How many refusals one caller may put on record.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use elevate_core::names::Principal;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

const EACH_A_MINUTE: NonZeroU32 = NonZeroU32::new(20).unwrap();
const ALL_A_MINUTE: NonZeroU32 = NonZeroU32::new(600).unwrap();

type Rate<K, S, C> = RateLimiter<K, S, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// Refused attempts go on record, but a caller who is refused all day must not fill the disk: each has
/// a share, and all together have one. What is over it is counted and left out.
#[derive(Debug)]
pub(super) struct Throttle<C: Clock = DefaultClock> {
    each: Rate<Option<Principal>, DashMapStateStore<Option<Principal>>, C>,
    all: Rate<NotKeyed, InMemoryState, C>,
    left_out: AtomicU64,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::by(DefaultClock::default())
    }
}

impl<C: Clock + Clone> Throttle<C> {
    fn by(clock: C) -> Self {
        Self {
            each: RateLimiter::dashmap_with_clock(Quota::per_minute(EACH_A_MINUTE), clock.clone()),
            all: RateLimiter::direct_with_clock(Quota::per_minute(ALL_A_MINUTE), clock),
            left_out: AtomicU64::new(0),
        }
    }

    pub(super) fn admits(&self, caller: Option<Principal>) -> bool {
        let admitted = self.each.check_key(&caller).is_ok() && self.all.check().is_ok();
        if !admitted {
            self.leave_out();
        }
        admitted
    }

    /// Counts one that is left out.
    pub(super) fn leave_out(&self) {
        self.left_out.fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets the shares that are whole again, so that many callers take no room for ever.
    pub(super) fn forget_idle(&self) {
        self.each.retain_recent();
    }

    /// How many were left out since the start.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
