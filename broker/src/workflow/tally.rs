//! What happened since the start, counted for alarms.

use elevate_core::activation::{Activation, Cause, Change, Event, Outcome, State};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::ports::tickets::Said;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct What {
    event: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Whose {
    own: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Vouched {
    said: &'static str,
}

/// Counters over what was recorded.
#[derive(Debug)]
pub(super) struct Tally {
    events: Family<What, Counter>,
    approvals: Family<Whose, Counter>,
    tickets: Family<Vouched, Counter>,
    refusals: Family<Why, Counter>,
    lag: Histogram,
}

impl Default for Tally {
    fn default() -> Self {
        let bounds = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];
        Self {
            events: Family::default(),
            approvals: Family::default(),
            tickets: Family::default(),
            refusals: Family::default(),
            lag: Histogram::new(bounds),
        }
    }
}

impl Tally {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("activation_events", "Events recorded, by kind", self.events.clone());
        registry.register(
            "approvals",
            "Yeses recorded, the askers' own apart from those of others",
            self.approvals.clone(),
        );
        registry.register(
            "ticket_checks",
            "Questions to ticket systems, by what they said",
            self.tickets.clone(),
        );
        registry.register("refused_calls", "Calls that were refused, by reason", self.refusals.clone());
        registry.register_with_unit(
            "revocation_lag",
            "From the end of a term to the read that shows the role gone",
            Unit::Seconds,
            self.lag.clone(),
        );
    }

    pub(super) fn ticket(&self, said: &Said) {
        let said = match said {
            Said::Confirmed => "confirmed",
            Said::Refused(_) => "refused",
            Said::Unanswered(_) => "unanswered",
            Said::NotAsked(_) => "not_asked",
        };
        self.tickets.get_or_create(&Vouched { said }).inc();
    }

    pub(super) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&Why { reason }).inc();
    }

    /// Counts what was just recorded. `before` is the activation without it.
    pub(super) fn recorded(&self, before: Option<&Activation>, after: &Activation, events: &[Event]) {
        for event in events {
            self.events.get_or_create(&What { event: event.change.word() }).inc();
            if let Change::Approved(approval, _) = &event.change {
                let own = if after.is_own(approval) { "true" } else { "false" };
                self.approvals.get_or_create(&Whose { own }).inc();
            }
        }
        let ended = matches!(&after.state, State::Closed { outcome: Outcome::Ended(Cause::Expired), .. });
        if let (true, Some(State::Revoking { not_after, .. }), Some(last)) =
            (ended, before.map(|activation| &activation.state), events.last())
            && matches!(last.change, Change::Removed)
        {
            self.lag.observe(last.at.duration_since(*not_after).as_secs_f64());
        }
    }
}
