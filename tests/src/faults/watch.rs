//! What the directory held, and for how long, beside what the record says of it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use elevate_proto::v1 as api;
use jiff::{SignedDuration, Timestamp};

use super::Found;
use super::held::{self, Held};
use super::stage::Stage;

/// How long a role may be held behind its end, the broker's own downs included: each is shorter by far.
pub const BOUND: Duration = Duration::from_secs(60);

/// The same while time goes fifty times as fast: each second that the machine is busy is most of a minute.
pub const BOUND_FASTER: Duration = Duration::from_secs(300);

/// How much later than it happened the record may say that it did: it takes the late bound of the time, which is a
/// `Date`'s second and two seconds of slack behind what the tenant says, and the way of an answer.
const LATE_BOUND: SignedDuration = SignedDuration::from_secs(6);

/// An intent on record: who is to hold what until when.
struct Begun {
    id: String,
    slot: (String, String),
    at: Timestamp,
    until: Timestamp,
    /// When the last was said of it.
    over: Timestamp,
    /// The directory confirmed it.
    activated: bool,
}

/// Compares everything that the directory ever held with the record: each holding belongs to one intent, which was on
/// record before; each that was confirmed was held, once; and each ended in time. Nothing may be held any more. `whats`
/// says what each activation is about.
pub fn settle(
    stage: &Stage,
    entries: &[api::AuditEntry],
    whats: &BTreeMap<String, String>,
    found: &mut Found,
) {
    let mut holdings: BTreeMap<(String, String), VecDeque<Held>> = BTreeMap::new();
    let mut count = 0_u64;
    for held in held::ever(stage) {
        count += 1;
        holdings.entry((held.principal.clone(), held.what.clone())).or_default().push_back(held);
    }
    let mut intents: BTreeMap<(String, String), Vec<Begun>> = BTreeMap::new();
    for begun in begun(entries, whats) {
        intents.entry(begun.slot.clone()).or_default().push(begun);
    }
    let moved = stage.moved_since();
    let (mut worst, mut worst_moved) = (Duration::ZERO, Duration::ZERO);
    // A slot has one after another, in the record as in the directory.
    for (slot, intents) in intents {
        let held = holdings.entry(slot).or_default();
        let mut confirmed = intents.iter().filter(|begun| begun.activated).count();
        for begun in intents {
            confirmed -= usize::from(begun.activated);
            // One whose answer was lost may have been granted all the same.
            let granted = begun.activated
                || held.len() > confirmed && held.front().is_some_and(|next| next.life.born <= begun.over);
            if !granted {
                continue;
            }
            let Some(held) = held.pop_front() else {
                found.violations.push(format!("{} is confirmed on record, and was never held", begun.id));
                continue;
            };
            if held.life.born.duration_since(begun.at) < -LATE_BOUND {
                found
                    .violations
                    .push(format!("{} was held before the intent was on record: {held:?}", begun.id));
            }
            let Some(gone) = held.life.gone else {
                found.violations.push(format!("still held, of {}: {held:?}", begun.id));
                continue;
            };
            let late = Duration::try_from(gone.duration_since(begun.until)).unwrap_or_default();
            let (of_all, bound) = if moved.is_some_and(|moved| gone >= moved) {
                (&mut worst_moved, BOUND_FASTER)
            } else {
                (&mut worst, BOUND)
            };
            *of_all = late.max(*of_all);
            if late > bound {
                found.violations.push(format!("{} outlived its end by {late:?}: {held:?}", begun.id));
            }
        }
    }
    for held in holdings.into_values().flatten() {
        found.violations.push(format!("no intent is on record for {held:?}, or it was granted twice"));
    }
    found.figure("held in the directory, over all", count);
    found.figure("worst lateness", format!("{:.2} s", worst.as_secs_f64()));
    if moved.is_some() {
        let name = "worst lateness once time went faster";
        found.figure(name, format!("{:.0} s of {}", worst_moved.as_secs_f64(), BOUND_FASTER.as_secs()));
    }
}

/// Every intent, in order.
fn begun(entries: &[api::AuditEntry], whats: &BTreeMap<String, String>) -> Vec<Begun> {
    let mut all: Vec<Begun> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        let id = entry.activation_id.as_str();
        let at = entry.at.as_ref().and_then(|at| Timestamp::new(at.seconds, at.nanos).ok());
        let Some(at) = at else { continue };
        if entry.event == "activation-begun" {
            let until = entry.details.get("held_until").and_then(|until| until.parse().ok());
            let (Some(who), Some(what), Some(until)) = (&entry.principal, whats.get(id), until) else {
                continue;
            };
            let slot = (who.object_id.clone(), what.clone());
            places.insert(id, all.len());
            all.push(Begun { id: id.to_owned(), slot, at, until, over: at, activated: false });
        } else if let Some(begun) = places.get(id).and_then(|place| all.get_mut(*place))
            && entry.event != "attempt-refused"
        {
            begun.over = at;
            begun.activated |= entry.event == "activated";
        }
    }
    all
}
