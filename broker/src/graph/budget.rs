//! One budget for all calls, so that what matters most never waits for what matters less.
//!
//! Entra takes 3,000 writes in 150 seconds from one app in one tenant, and 3,500 resource units in ten
//! seconds in the smallest tenants (<https://learn.microsoft.com/graph/throttling-limits>); what role
//! management itself takes is published nowhere. The budget stays below both, and obeys Retry-After.
//!
//! There is no queue: each priority must leave more behind than the one above it, of tokens and of
//! places alike. So a listing can use neither the last write nor the last connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use crate::ports::Clock;

/// What a call is for, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Priority {
    /// Takes a role away.
    Revoke,
    /// Looks whether it is gone.
    Confirm,
    /// Gives one.
    Grant,
    /// Everything that can wait.
    List,
}

/// What a call costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    units: i64,
    writes: i64,
}

impl Cost {
    pub(super) const READ: Self = Self { units: 1, writes: 0 };
    pub(super) const WRITE: Self = Self { units: 1, writes: 1 };
    /// Of so many reads that go together. A batch has no more than twenty.
    #[expect(clippy::cast_possible_wrap, reason = "twenty at the most")]
    pub(super) const fn reads(count: usize) -> Self {
        Self { units: count as i64, writes: 0 }
    }

    /// Likewise of writes.
    #[expect(clippy::cast_possible_wrap, reason = "twenty at the most")]
    pub(super) const fn writes(count: usize) -> Self {
        Self { units: count as i64, writes: count as i64 }
    }

    /// Who is in a group itself, or owns it.
    pub(super) const DIRECT_MEMBERS: Self = Self { units: 3, writes: 0 };
    /// The members of a group and of those in it.
    pub(super) const MEMBERS: Self = Self { units: 5, writes: 0 };
    /// `checkMemberGroups` is a POST that changes nothing.
    pub(super) const GROUPS: Self = Self { units: 4, writes: 0 };
}

/// How a stock of tokens fills up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// As many at once.
    burst: i64,
    /// As many a second.
    refill: i64,
}

/// In any 150 seconds at most 1,000 + 150 x 12 = 2,800.
pub(super) const WRITES: Rate = Rate { burst: 1000, refill: 12 };
/// In any ten seconds at most 1,000 + 10 x 200 = 3,000.
pub(super) const UNITS: Rate = Rate { burst: 1000, refill: 200 };

const _: () = assert!(WRITES.burst + 150 * WRITES.refill < 3000 && UNITS.burst + 10 * UNITS.refill < 3500);

/// How many calls are under way at once, at most.
const PLACES: usize = 32;
/// No pause is longer, whatever was said: revocation goes on.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(300);

impl Priority {
    const ALL: [Self; 4] = [Self::Revoke, Self::Confirm, Self::Grant, Self::List];

    /// Of each hundred tokens, how many it must leave behind.
    const fn reserve(self) -> i64 {
        match self {
            Self::Revoke => 0,
            Self::Confirm => 10,
            Self::Grant => 30,
            Self::List => 50,
        }
    }

    /// How many calls may be under way when it begins one more.
    const fn places(self) -> usize {
        match self {
            Self::Revoke => PLACES,
            Self::Confirm => PLACES - 4,
            Self::Grant => PLACES - 12,
            Self::List => 4,
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// Counts what was spent, and lets a call begin or wait.
#[derive(Debug)]
pub(super) struct Budget {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    writes: Stock,
    units: Stock,
    under_way: usize,
    /// By priority: what was told to wait holds up itself and what is below it.
    paused_until: [Timestamp; 4],
}

#[derive(Debug)]
struct Stock {
    rate: Rate,
    /// In thousandths of a token.
    level: i64,
    at: Timestamp,
}

/// Leave for one call, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a>(&'a Budget);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.under_way = state.under_way.saturating_sub(1);
        drop(state);
        self.0.freed.notify_waiters();
    }
}

/// Why a call has to wait.
enum Wait {
    Until(Timestamp),
    ForAPlace,
}

impl Budget {
    pub(super) fn new(clock: Arc<dyn Clock>, writes: Rate, units: Rate) -> Self {
        let at = clock.now().latest();
        let state = Mutex::new(State {
            writes: Stock::full(writes, at),
            units: Stock::full(units, at),
            under_way: 0,
            paused_until: [Timestamp::MIN; 4],
        });
        Self { clock, state, freed: Notify::new() }
    }

    /// Leave to begin a call now, or as soon as there is room, waiting for `patience` at most.
    ///
    /// # Errors
    /// There will be no room in that time; how long to stay away.
    pub(super) async fn enter(
        &self,
        priority: Priority,
        cost: Cost,
        patience: Duration,
    ) -> Result<Place<'_>, Duration> {
        let until = after(self.clock.now().latest(), patience);
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // From here on a place that is freed is heard of, also between the look and the wait.
            freed.as_mut().enable();
            let now = self.clock.now().latest();
            let moment = match self.state().take(priority, cost, now) {
                Ok(()) => return Ok(Place(self)),
                Err(Wait::Until(moment)) if moment > until => return Err(between(now, moment)),
                Err(Wait::Until(moment)) => moment,
                Err(Wait::ForAPlace) if now >= until => return Err(Duration::from_secs(1)),
                Err(Wait::ForAPlace) => until,
            };
            tokio::select! {
                biased;
                () = freed => {}
                () = self.clock.sleep_until(moment) => {}
            }
        }
    }

    /// Graph asked to be left alone. What is more urgent than the call it said so to may still try.
    pub(super) fn pause(&self, priority: Priority, length: Duration) {
        let until = after(self.clock.now().latest(), length.min(LONGEST_PAUSE));
        let mut state = self.state();
        for each in Priority::ALL.into_iter().filter(|each| *each >= priority) {
            if let Some(paused) = state.paused_until.get_mut(each.index()) {
                *paused = until.max(*paused);
            }
        }
    }

    /// How many writes could be made now.
    pub(super) fn writes_left(&self) -> u64 {
        let now = self.clock.now().latest();
        let mut state = self.state();
        state.writes.fill(now);
        u64::try_from(state.writes.level / 1000).unwrap_or(0)
    }

    /// How long revocations have to wait, because Graph said so.
    pub(super) fn paused(&self) -> Duration {
        let now = self.clock.now().latest();
        self.state().paused_until.first().map_or(Duration::ZERO, |until| between(now, *until))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, priority: Priority, cost: Cost, now: Timestamp) -> Result<(), Wait> {
        let paused = self.paused_until.get(priority.index()).copied().unwrap_or(Timestamp::MIN);
        if now < paused {
            return Err(Wait::Until(paused));
        }
        self.writes.fill(now);
        self.units.fill(now);
        let lacking =
            self.writes.lacking(priority, cost.writes).max(self.units.lacking(priority, cost.units));
        if let Some(moment) = lacking {
            return Err(Wait::Until(moment));
        }
        if self.under_way >= priority.places() {
            return Err(Wait::ForAPlace);
        }
        self.under_way += 1;
        self.writes.level -= cost.writes * 1000;
        self.units.level -= cost.units * 1000;
        Ok(())
    }
}

impl Stock {
    const fn full(rate: Rate, at: Timestamp) -> Self {
        Self { rate, level: rate.burst * 1000, at }
    }

    /// A clock that stood still or went back fills nothing.
    fn fill(&mut self, now: Timestamp) {
        let passed = now.duration_since(self.at).as_millis().clamp(0, 3_600_000);
        let more = i64::try_from(passed).unwrap_or(0).saturating_mul(self.rate.refill);
        self.level = self.level.saturating_add(more).min(self.rate.burst * 1000);
        self.at = now.max(self.at);
    }

    /// From when on so many may be taken; `None` for now.
    fn lacking(&self, priority: Priority, tokens: i64) -> Option<Timestamp> {
        if tokens == 0 {
            return None;
        }
        let wanted = tokens * 1000 + self.rate.burst * 10 * priority.reserve();
        let short = wanted - self.level;
        // Tokens come in thousandths, `refill` of them each millisecond: round up, or wait for ever.
        let millis = (short + self.rate.refill - 1) / self.rate.refill.max(1);
        (short > 0).then(|| after(self.at, Duration::from_millis(u64::try_from(millis).unwrap_or(0))))
    }
}

/// A moment later; past the calendar's end it is at once.
fn after(start: Timestamp, length: Duration) -> Timestamp {
    SignedDuration::try_from(length).ok().and_then(|length| start.checked_add(length).ok()).unwrap_or(start)
}

fn between(now: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(now)).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::ManualClock;

    const SMALL: Rate = Rate { burst: 10, refill: 1 };
    const NO_WAIT: Duration = Duration::ZERO;
    const MINUTE: Duration = Duration::from_secs(60);

    fn budget(clock: &Arc<ManualClock>) -> Budget {
        Budget::new(Arc::clone(clock) as Arc<dyn Clock>, SMALL, UNITS)
    }

    /// How many writes of this priority begin before one has to wait.
    async fn drained(budget: &Budget, priority: Priority) -> usize {
        let mut count = 0;
        while let Ok(place) = budget.enter(priority, Cost::WRITE, NO_WAIT).await {
            drop(place);
            count += 1;
        }
        count
    }

    #[tokio::test]
    async fn each_priority_leaves_more_behind_than_the_one_above() {
        let clock = ManualClock::new();
        let budget = budget(&clock);
        assert_eq!(drained(&budget, Priority::List).await, 5);
        assert_eq!(drained(&budget, Priority::Grant).await, 2);
        assert_eq!(drained(&budget, Priority::Confirm).await, 2);
        assert_eq!(drained(&budget, Priority::Revoke).await, 1);
        assert_eq!(budget.writes_left(), 0);
    }

    #[tokio::test]
    async fn what_was_spent_comes_back_with_time_and_to_revocations_first() {
        let clock = ManualClock::new();
        let budget = budget(&clock);
        drained(&budget, Priority::Revoke).await;
        clock.advance(2);
        assert_eq!(drained(&budget, Priority::Grant).await, 0);
        assert_eq!(drained(&budget, Priority::Revoke).await, 2);
        clock.advance(-60);
        assert_eq!(drained(&budget, Priority::Revoke).await, 0);
        clock.advance(100_000);
        assert_eq!(budget.writes_left(), 10);
    }

    #[tokio::test]
    async fn a_call_waits_for_as_long_as_it_may_and_no_longer() {
        let clock = ManualClock::new();
        let budget = budget(&clock);
        drained(&budget, Priority::Revoke).await;
        let short = budget.enter(Priority::Grant, Cost::WRITE, Duration::from_secs(3)).await;
        assert_eq!(short.unwrap_err(), Duration::from_secs(4));

        let mut waiting = std::pin::pin!(budget.enter(Priority::Grant, Cost::WRITE, MINUTE));
        assert!(at_once(waiting.as_mut()).await.is_none());
        clock.advance(4);
        assert!(waiting.await.is_ok());
    }

    #[tokio::test]
    async fn what_graph_told_to_wait_holds_up_itself_and_what_is_below_it() {
        let clock = ManualClock::new();
        let budget = budget(&clock);
        budget.pause(Priority::List, Duration::from_millis(2500));
        assert!(budget.enter(Priority::List, Cost::READ, NO_WAIT).await.is_err());
        for unhindered in [Priority::Revoke, Priority::Confirm, Priority::Grant] {
            assert!(budget.enter(unhindered, Cost::READ, NO_WAIT).await.is_ok(), "{unhindered:?}");
        }
        assert_eq!(budget.paused(), Duration::ZERO);
        clock.advance(3);
        assert!(budget.enter(Priority::List, Cost::READ, NO_WAIT).await.is_ok());

        budget.pause(Priority::Revoke, Duration::from_secs(100_000));
        for held in Priority::ALL {
            assert_eq!(budget.enter(held, Cost::READ, MINUTE).await.unwrap_err(), LONGEST_PAUSE, "{held:?}");
        }
        assert_eq!(budget.paused(), LONGEST_PAUSE);
    }

    #[tokio::test]
    async fn listings_cannot_take_the_places_of_revocations() {
        let clock = ManualClock::new();
        let budget = Budget::new(clock.clone(), WRITES, UNITS);
        let mut held = Vec::new();
        for _ in 0..Priority::List.places() {
            held.push(budget.enter(Priority::List, Cost::READ, NO_WAIT).await.unwrap());
        }
        assert!(budget.enter(Priority::List, Cost::READ, NO_WAIT).await.is_err());
        while let Ok(place) = budget.enter(Priority::Revoke, Cost::READ, NO_WAIT).await {
            held.push(place);
        }
        assert_eq!(held.len(), PLACES);
        let mut waiting = std::pin::pin!(budget.enter(Priority::Revoke, Cost::READ, MINUTE));
        assert!(at_once(waiting.as_mut()).await.is_none());
        held.pop();
        assert!(waiting.await.is_ok(), "a freed place is heard of");
    }

    /// What the future has to say without waiting.
    async fn at_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        std::future::poll_fn(|cx| match std::pin::Pin::new(&mut future).poll(cx) {
            std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
