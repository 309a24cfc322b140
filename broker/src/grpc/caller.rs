//! Who is calling, and how often.

use std::net::IpAddr;
use std::num::NonZeroU32;

use elevate_core::names::Principal;
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{NotUntil, Quota, RateLimiter};
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use super::{Api, status};
use crate::ports::verifier::{Caller, TokenRefusal};

/// How many calls are answered.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// By one principal, a minute (and as many at once).
    pub each_a_minute: NonZeroU32,
    /// By everybody with an account, a second (and ten times as many at once); and as many from one address
    /// before it is known who calls.
    pub all_a_second: NonZeroU32,
}

#[derive(Debug)]
pub(super) struct Limits {
    /// By address, before anything that costs. Somebody without an account uses up their own only.
    addresses: RateLimiter<Option<IpAddr>, DashMapStateStore<Option<IpAddr>>, DefaultClock>,
    each: RateLimiter<Principal, DashMapStateStore<Principal>, DefaultClock>,
    all: governor::DefaultDirectRateLimiter,
    clock: DefaultClock,
}

impl Limits {
    pub(super) fn new(rates: Rates) -> Self {
        let burst = rates.all_a_second.saturating_mul(NonZeroU32::MIN.saturating_add(9));
        let quota = Quota::per_second(rates.all_a_second).allow_burst(burst);
        Self {
            addresses: RateLimiter::dashmap(quota),
            each: RateLimiter::dashmap(Quota::per_minute(rates.each_a_minute)),
            all: RateLimiter::direct(quota),
            clock: DefaultClock::default(),
        }
    }

    /// Somebody at this address calls, whoever it may be.
    fn knock(&self, address: Option<IpAddr>) -> Result<(), Status> {
        let refused =
            |until: NotUntil<_>| status::too_many("your address is", until.wait_time_from(self.clock.now()));
        self.addresses.check_key(&address).map_err(refused)
    }

    /// It is this principal.
    fn enter(&self, principal: Principal) -> Result<(), Status> {
        let refused =
            |who: &str, until: NotUntil<_>| status::too_many(who, until.wait_time_from(self.clock.now()));
        self.all.check().map_err(|until| refused("the broker is", until))?;
        self.each.check_key(&principal).map_err(|until| refused("you are", until))
    }
}

impl Api {
    /// Whose call this is, if within the rates.
    pub(super) async fn caller<M>(&self, request: &Request<M>) -> Result<Caller, Status> {
        let limits = &self.inner.limits;
        limits.knock(request.remote_addr().map(|address| address.ip()))?;
        let caller = match bearer(request.metadata()) {
            Some(token) => self.inner.workflow.ports().verifier.caller(token).await,
            None => Err(TokenRefusal::Invalid("there is no access token with this call".to_owned())),
        };
        let caller = caller.map_err(|refusal| {
            self.inner.workflow.count_refusal(refusal.reason());
            status::from(&refusal.into())
        })?;
        limits.enter(caller.principal)?;
        Ok(caller)
    }

    /// Forgets the rates of those who have not called for long.
    pub fn forget_idle_callers(&self) {
        self.inner.limits.addresses.retain_recent();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_without_an_account_uses_up_its_own_address_and_nothing_else() {
        let few = NonZeroU32::MIN;
        let limits = Limits::new(Rates { each_a_minute: few, all_a_second: few });
        let (flood, other) = (Some([192, 0, 2, 1].into()), Some([192, 0, 2, 2].into()));
        let let_in = (0..1000).filter(|_| limits.knock(flood).is_ok()).count();
        assert!(let_in < 20, "{let_in}");
        let ann = Principal {
            tenant: "72f988bf-86f1-41af-91ab-2d7cd011db47".parse().unwrap(),
            object: "071cc716-8147-4397-a5ba-b2105951cc0b".parse().unwrap(),
        };
        limits.knock(other).unwrap();
        limits.enter(ann).unwrap();
        let refused = limits.enter(ann).unwrap_err();
        assert!(refused.message().starts_with("you are over the rate"), "{}", refused.message());
    }
}
