//! Who is calling, and how often.

use std::num::NonZeroU32;

use elevate_core::names::Principal;
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::{Api, status};
use crate::ports::verifier::{Caller, TokenRefusal};

/// How many calls are answered.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// By one principal, a minute (and as many at once).
    pub each_a_minute: NonZeroU32,
    /// By everybody, a second (and ten times as many at once).
    pub all_a_second: NonZeroU32,
}

#[derive(Debug)]
pub(super) struct Limits {
    each: RateLimiter<Principal, DashMapStateStore<Principal>, DefaultClock>,
    all: governor::DefaultDirectRateLimiter,
    clock: DefaultClock,
}

impl Limits {
    pub(super) fn new(rates: Rates) -> Self {
        let burst = rates.all_a_second.saturating_mul(NonZeroU32::MIN.saturating_add(9));
        Self {
            each: RateLimiter::dashmap(Quota::per_minute(rates.each_a_minute)),
            all: RateLimiter::direct(Quota::per_second(rates.all_a_second).allow_burst(burst)),
            clock: DefaultClock::default(),
        }
    }
}

impl Api {
    /// The caller of a call with this metadata, if within the rates.
    pub(super) async fn caller(&self, metadata: &MetadataMap) -> Result<Caller, Status> {
        let limits = &self.inner.limits;
        // Before anything that costs: a flood of tokens that are none is refused here.
        limits
            .all
            .check()
            .map_err(|until| status::too_many("the broker is", until.wait_time_from(limits.clock.now())))?;
        let caller = match bearer(metadata) {
            Some(token) => self.inner.workflow.ports().verifier.caller(token).await,
            None => Err(TokenRefusal::Invalid("there is no access token with this call".to_owned())),
        };
        let caller = caller.map_err(|refusal| {
            self.inner.workflow.count_refusal(refusal.reason());
            status::from(&refusal.into())
        })?;
        limits
            .each
            .check_key(&caller.principal)
            .map_err(|until| status::too_many("you are", until.wait_time_from(limits.clock.now())))?;
        Ok(caller)
    }

    /// Forgets the rates of those who have not called for long.
    pub fn forget_idle_callers(&self) {
        self.inner.limits.each.retain_recent();
        self.inner.workflow.forget_idle_callers();
    }
}

fn bearer(metadata: &MetadataMap) -> Option<&str> {
    let mut values = metadata.get_all("authorization").iter();
    // Exactly one: two could be read differently by two readers.
    let (Some(only), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}
