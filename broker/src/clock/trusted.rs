//! The rules of trusted time: what may be said of the hour, from a clock that nobody sets and from what
//! witnesses say. No I/O, and no clock of its own: every moment is handed in.
//!
//! The true time lies between two bounds. Witnesses narrow them, time that passes widens them by what a
//! machine's oscillator may drift. A witness that disagrees is not believed until a second one, some seconds
//! later, says the same; until then nothing is granted, and roles end by the time that was carried on. So
//! neither a wall clock that is set nor one wrong answer ends a role early, and nothing lengthens one:
//! the late bound never goes back, over restarts neither.

use std::time::Duration;

use elevate_core::due::Now;
use jiff::{SignedDuration, Timestamp};

use crate::ports::clock::{Assurance, Mark, TimeMark};

/// How much a machine's oscillator may be off, one part in this many: 200 ppm, twice what hardware promises.
const DRIFT: u32 = 5_000;

/// A `Date` tells whole seconds, cut off: the truth is up to this much later.
const GRAIN: SignedDuration = SignedDuration::from_secs(1);

/// How far a witness' own clock may be off, leap seconds that are smeared over a day included.
const SLACK: SignedDuration = SignedDuration::from_secs(1);

/// An answer that took longer says too little about when it was given.
const SLOWEST: Duration = Duration::from_secs(30);

/// How far apart two witnesses must be to confirm each other: one fault, one cached answer, is not two.
pub const APART: Duration = Duration::from_secs(5);

/// How far the first witness after a start may be from the time that was carried on, to be believed alone.
const BELIEVED: SignedDuration = SignedDuration::from_mins(2);

/// Bounds of the true time, at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    earliest: Timestamp,
    latest: Timestamp,
    at: Mark,
}

impl Span {
    /// What a reply says: the truth was not before its `Date`, nor later than that, the grain and the way.
    fn said(said: Timestamp, asked: Mark, heard: Mark) -> Option<Self> {
        let way = heard.since(asked);
        if way > SLOWEST {
            return None;
        }
        Some(Self {
            earliest: later(said, -SLACK),
            latest: later(said, GRAIN + SLACK + signed(way)),
            at: heard,
        })
    }

    /// The same, some time after: wider by what the oscillator may have been off.
    fn carried(self, to: Mark) -> Self {
        let passed = to.since(self.at);
        let drift = passed / DRIFT;
        Self {
            earliest: later(self.earliest, signed(passed.saturating_sub(drift))),
            latest: later(self.latest, signed(passed.saturating_add(drift))),
            at: to,
        }
    }

    /// What both of them allow; none if they contradict each other.
    fn and(self, other: Self) -> Option<Self> {
        let both = Self {
            earliest: self.earliest.max(other.earliest),
            latest: self.latest.min(other.latest),
            at: self.at,
        };
        (both.earliest <= both.latest).then_some(both)
    }
}

/// Bounds, and since when they are supported.
#[derive(Debug, Clone, Copy)]
struct Supported {
    span: Span,
    first_heard: Option<Mark>,
    corroborated: bool,
}

/// What is known of the time.
#[derive(Debug, Clone)]
pub struct Trusted {
    believed: Option<Supported>,
    /// Somebody who contradicts, and since when.
    doubt: Option<(Span, Mark)>,
    /// The latest time ever given out; none while it was a wall clock's only.
    high_water: Option<Timestamp>,
    /// What it was at the start as far as was known, and when that was.
    guess: (Timestamp, Mark),
    doubts: u64,
    heard_at: Option<Mark>,
}

impl Trusted {
    /// At the start of a process. `kept` counts as witnessed in the same boot of the machine only: another
    /// boot's clock began anew. `known` is the latest time on record, and `wall` what the machine's clock says,
    /// which decides nothing but the first guess of a broker that has no record.
    pub fn begin(
        kept: Option<&TimeMark>,
        boot_id: &str,
        known: Option<Timestamp>,
        wall: Timestamp,
        now: Mark,
    ) -> Self {
        let same_boot = |kept: &&TimeMark| kept.boot_id == boot_id && kept.mark <= now;
        let believed = kept.filter(same_boot).and_then(|kept| {
            let (earliest, latest) = kept.witnessed?;
            let span = Span { earliest, latest, at: kept.mark }.carried(now);
            Some(Supported { span, first_heard: None, corroborated: false })
        });
        let on_record = kept.map(|kept| kept.high_water).max(known);
        Self {
            believed,
            doubt: None,
            high_water: on_record,
            guess: (on_record.unwrap_or(wall), now),
            doubts: 0,
            heard_at: None,
        }
    }

    /// What time it may be. The late bound never goes back.
    pub fn now(&mut self, now: Mark) -> Now {
        let bounds = match self.believed {
            Some(believed) => {
                let span = believed.span.carried(now);
                Now::between(span.earliest, self.high_water.map_or(span.latest, |high| high.max(span.latest)))
            }
            None => {
                let (guess, since) = self.guess;
                Now::exactly(later(guess, signed(now.since(since))))
            }
        };
        if self.believed.is_some() || self.high_water.is_some() {
            self.high_water = Some(bounds.latest());
        }
        bounds
    }

    /// Hears a witness.
    pub fn heard(&mut self, said: Timestamp, asked: Mark, now: Mark) {
        let Some(witness) = Span::said(said, asked, now) else { return };
        self.heard_at = Some(now);
        match self.believed {
            Some(believed) => match believed.span.carried(now).and(witness) {
                Some(span) => self.confirmed(believed, span, now),
                None => self.contradicted(witness, now),
            },
            None => {
                let guess = self.now(now).latest();
                if witness.earliest.duration_since(guess) > BELIEVED {
                    self.contradicted(witness, now);
                } else {
                    self.take_up(witness, now, false);
                }
            }
        }
    }

    fn confirmed(&mut self, believed: Supported, span: Span, now: Mark) {
        let first = believed.first_heard.unwrap_or(now);
        let corroborated = believed.corroborated || now.since(first) >= APART;
        self.believed = Some(Supported { span, first_heard: Some(first), corroborated });
        self.doubt = None;
    }

    fn contradicted(&mut self, witness: Span, now: Mark) {
        let agreed = self.doubt.and_then(|(doubt, since)| Some((doubt.carried(now).and(witness)?, since)));
        match agreed {
            Some((both, since)) if now.since(since) >= APART => self.take_up(both, now, true),
            Some((both, since)) => self.doubt = Some((both, since)),
            None => {
                self.doubts = self.doubts.saturating_add(u64::from(self.believed.is_some()));
                self.doubt = Some((witness, now));
            }
        }
    }

    fn take_up(&mut self, span: Span, now: Mark, corroborated: bool) {
        self.believed = Some(Supported { span, first_heard: Some(now), corroborated });
        self.doubt = None;
    }

    /// How far it can be relied on.
    pub const fn assurance(&self) -> Assurance {
        match (&self.believed, &self.doubt) {
            (None, _) => Assurance::Unwitnessed,
            (Some(_), Some(_)) => Assurance::Doubted,
            (Some(believed), None) => Assurance::Witnessed { corroborated: believed.corroborated },
        }
    }

    /// What to keep over a restart; nothing as long as there is only a guess.
    pub fn to_keep(&mut self, boot_id: &str, now: Mark) -> Option<TimeMark> {
        self.now(now);
        let high_water = self.high_water?;
        let witnessed = self.believed.map(|believed| {
            let span = believed.span.carried(now);
            (span.earliest, span.latest)
        });
        Some(TimeMark { witnessed, mark: now, boot_id: boot_id.to_owned(), high_water })
    }

    /// How often somebody contradicted.
    pub const fn doubts(&self) -> u64 {
        self.doubts
    }

    /// How long ago a witness was heard; none if none was, in this process.
    pub fn unheard_for(&self, now: Mark) -> Option<Duration> {
        self.heard_at.map(|heard| now.since(heard))
    }
}

/// A moment later, or earlier; at the calendar's ends it stands still.
fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.saturating_add(by).unwrap_or(from)
}

fn signed(length: Duration) -> SignedDuration {
    SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests;
