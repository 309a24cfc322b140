use proptest::prelude::*;

use super::*;
use crate::activation::tests::{
    activated, any_event, approved, at, begun, by_broker, id, requested, revoking, scheduled, sought,
};
use crate::activation::{Event, Outcome};

fn after(events: &[Event]) -> Activation {
    Activation::replay(id(), events).unwrap()
}

#[test]
fn what_is_owed_when() {
    let asked = after(&[requested(1)]);
    let free = after(&[requested(0)]);
    let waiting = after(&[requested(1), sought()]);
    let enough = after(&[requested(1), sought(), approved(3)]);
    let ready = after(&[requested(0), scheduled()]);
    let activating = after(&[requested(0), scheduled(), begun()]);
    let unclear = after(&[
        requested(0),
        scheduled(),
        begun(),
        by_broker(5, Change::Postponed { retry_at: at(9), reason: String::new() }),
    ]);
    let active = after(&[requested(0), scheduled(), begun(), activated()]);
    let ending = after(&[requested(0), scheduled(), begun(), activated(), revoking(Cause::Expired)]);
    let closed = after(&[requested(0), scheduled(), by_broker(3, Change::Withdrawn)]);
    let start =
        |second| Due::Record(Change::Scheduled { starts_at: at(second), lapses_at: at(second + 3600) });
    for (name, activation, second, expected) in [
        ("asked", &asked, 0, Due::Record(Change::ApprovalSought { lapses_at: at(600) })),
        ("free", &free, 0, start(0)),
        ("waiting", &waiting, 599, Due::Wait(at(600))),
        ("waiting", &waiting, 600, Due::Record(Change::Lapsed)),
        ("enough", &enough, 5, start(5)),
        // A yes in time is a yes, however late it is looked at.
        ("enough", &enough, 700, start(700)),
        ("ready", &ready, 1, Due::Wait(at(2))),
        ("ready", &ready, 2, Due::Begin),
        ("ready", &ready, 3601, Due::Begin),
        ("ready", &ready, 3602, Due::Record(Change::Lapsed)),
        ("activating", &activating, 3, Due::Grant),
        ("activating", &activating, 3602, Due::Grant),
        // We were down past the end: never grant late, take back what may be there.
        ("activating", &activating, 3603, Due::Record(Change::RevocationBegun(Cause::Unfinished))),
        ("unclear", &unclear, 8, Due::Wait(at(9))),
        ("unclear", &unclear, 9, Due::Grant),
        ("active", &active, 3602, Due::Wait(at(3603))),
        ("active", &active, 3603, Due::Record(Change::RevocationBegun(Cause::Expired))),
        ("ending", &ending, 5, Due::Revoke),
        // The clock that set the moment was unsure, and is surer now: the first try waits for nothing.
        ("ending", &ending, 4, Due::Revoke),
        // However long it takes.
        ("ending", &ending, 99_999_999, Due::Revoke),
        ("closed", &closed, 99, Due::Nothing),
    ] {
        assert_eq!(due(activation, Now::exactly(at(second))), expected, "{name} at {second}");
    }
}

#[test]
fn an_unsure_clock_denies() {
    let active = after(&[requested(0), scheduled(), begun(), activated()]);
    let unsure = Now::between(at(3500), at(3700));
    assert_eq!(due(&active, unsure), Due::Record(Change::RevocationBegun(Cause::Expired)));
    // Does not begin before it is sure that it may.
    let ready = after(&[requested(0), scheduled()]);
    assert_eq!(due(&ready, Now::between(at(0), at(100))), Due::Wait(at(2)));
    let waiting = after(&[requested(1), sought()]);
    assert_eq!(due(&waiting, Now::between(at(599), at(600))), Due::Record(Change::Lapsed));
}

#[test]
fn tries_come_back_later_and_later_but_always_within_a_minute() {
    let mut activation = after(&[requested(0), scheduled(), begun(), activated(), revoking(Cause::Expired)]);
    let mut last = SignedDuration::ZERO;
    for nth in 0..40 {
        let delay = retry_delay(&activation);
        assert!(delay > SignedDuration::from_millis(700) && delay <= RETRY_MAX, "{nth}: {delay:?}");
        if nth < 6 {
            assert!(delay > last, "{nth}: {delay:?} after {last:?}");
        }
        last = delay;
        let again = by_broker(9, Change::Postponed { retry_at: at(9), reason: String::new() });
        activation = activation.apply(&again).unwrap();
    }
    assert!(last >= SignedDuration::from_secs(45), "{last:?}");
}

#[test]
fn very_many_is_more_than_a_fifth_and_more_than_twenty_five() {
    for (due, live, mass) in [
        (0, 0, false),
        (25, 25, false),
        (26, 26, true),
        (26, 129, true),
        (26, 130, false),
        (27, 130, true),
        (200, 1000, false),
        (201, 1000, true),
    ] {
        assert_eq!(is_mass(due, live), mass, "{due} of {live}");
    }
}

fn signing_out(approvers: u8, sign_out: bool) -> Event {
    let mut event = requested(approvers);
    if let Change::Requested(request) = &mut event.change {
        request.sign_out = sign_out;
    }
    event
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The queue wakes exactly when there is something to do; and what is due can always be recorded.
    #[test]
    fn waking_agrees_with_what_is_due(
        needed in 0_u8..3,
        sign_out in any::<bool>(),
        events in prop::collection::vec(any_event(), 0..40),
        second in -100_i64..10_000,
    ) {
        let mut activation = Activation::open(id(), &signing_out(needed, sign_out)).unwrap();
        for event in events {
            activation = activation.clone().apply(&event).unwrap_or(activation);
        }
        let now = Now::exactly(at(second));
        match (due(&activation, now), wake_at(&activation)) {
            (Due::Nothing, None) => prop_assert!(!activation.is_live()),
            (Due::Wait(until), Some(wake)) => {
                prop_assert!(until > now.latest(), "waits for what is past");
                prop_assert!(wake > now.latest() && wake <= until);
            }
            (Due::Record(change), Some(wake)) => {
                prop_assert!(wake <= now.latest());
                let followed = activation.apply(&Event { at: at(second), by: crate::activation::Actor::Broker, change });
                prop_assert!(followed.is_ok());
            }
            (Due::Begin | Due::Grant | Due::Revoke | Due::SignOut, Some(wake)) => prop_assert!(wake <= now.latest()),
            (due, wake) => prop_assert!(false, "{due:?} but wakes at {wake:?}"),
        }
    }

    /// From anywhere, with a directory that answers, everything ends by itself.
    #[test]
    fn everything_ends_when_faults_stop(
        needed in 0_u8..3,
        sign_out in any::<bool>(),
        events in prop::collection::vec(any_event(), 0..40),
    ) {
        let mut activation = Activation::open(id(), &signing_out(needed, sign_out)).unwrap();
        for event in events {
            activation = activation.clone().apply(&event).unwrap_or(activation);
        }
        let mut second = 0;
        for _ in 0..50 {
            let change = match due(&activation, Now::exactly(at(second))) {
                Due::Nothing => break,
                Due::Wait(until) => {
                    second = until.as_second() - at(0).as_second();
                    continue;
                }
                Due::Record(change) => change,
                Due::Begin => Change::ActivationBegun { not_after: activation.request.asked.term.end_from(at(second)) },
                Due::Grant => Change::Activated { held: "a-1".parse().unwrap() },
                Due::Revoke => Change::Removed,
                Due::SignOut => Change::SignedOut,
            };
            let event = Event { at: at(second), by: crate::activation::Actor::Broker, change };
            activation = activation.apply(&event).unwrap();
        }
        prop_assert!(!activation.is_live(), "{:?}", activation.state);
        prop_assert!(!matches!(activation.sign_out, SignOut::Due(_)), "somebody is still to be signed out");
        let held = matches!(&activation.state, State::Closed { outcome: Outcome::Ended(_), .. });
        prop_assert!(!held || activation.approvals.len() >= usize::from(needed));
    }
}
