use std::num::NonZeroU8;

use jiff::SignedDuration;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::names::{DirectoryRole, ObjectId, Scope, Subject, TenantId};
use crate::policy::PolicyVersion;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn person(n: u128) -> Principal {
    let object = ObjectId::from_uuid(Uuid::from_u128(n));
    Principal { tenant: TenantId::from_uuid(Uuid::from_u128(1)), object }
}

pub(crate) fn id() -> ActivationId {
    ActivationId::from_uuid(Uuid::from_u128(77))
}

pub(crate) fn request(approvers: u8) -> Request {
    Request {
        request_id: RequestId::from_uuid(Uuid::from_u128(5)),
        asked: Asked {
            principal: person(2),
            role: "groups-admin".parse().unwrap(),
            target: Target::Assignment(DirectoryRole {
                definition: "fdd7a751-b60b-444a-984c-02652fe8fa1c".parse().unwrap(),
                scope: Scope::Tenant,
            }),
            term: "1h".parse().unwrap(),
            starts_at: None,
            justification: "a reason".parse().unwrap(),
            ticket: None,
            policy: PolicyVersion(1),
            continues: None,
        },
        requirements: NonZeroU8::new(approvers)
            .map(|count| ApprovalRequirement {
                count,
                from: vec![Subject::User(person(3).object), Subject::User(person(4).object)],
            })
            .into_iter()
            .collect(),
        approval_window: SignedDuration::from_secs(600),
        proof: shown(),
        at: at(0),
        kind: Kind::Ordinary,
        own_approval: false,
        sign_out: false,
        bundle: Vec::new(),
        ticket_verdict: None,
        told: Vec::new(),
    }
}

fn shown() -> ProofShown {
    ProofShown {
        token: "t".to_owned(),
        nonce: "n".to_owned(),
        signed_in_at: at(0),
        methods: vec![],
        contexts: vec![],
    }
}

pub(crate) fn by_broker(second: i64, change: Change) -> Event {
    Event { at: at(second), by: Actor::Broker, change }
}

pub(crate) fn requested(approvers: u8) -> Event {
    Event {
        at: at(0),
        by: Actor::Principal(person(2)),
        change: Change::Requested(Box::new(request(approvers))),
    }
}

pub(crate) fn approved(by: u128) -> Event {
    let approval = Approval {
        approver: person(by),
        request: request(1).asked.digest(),
        counts_for: vec![0],
        at: at(1),
        comment: String::new(),
        request_id: RequestId::from_uuid(Uuid::from_u128(by)),
        narrowed: Narrowed::NOTHING,
    };
    Event {
        at: at(1),
        by: Actor::Principal(person(by)),
        change: Change::Approved(Box::new(approval), Box::new(shown())),
    }
}

pub(crate) fn sought() -> Event {
    by_broker(0, Change::ApprovalSought { lapses_at: at(600) })
}

pub(crate) fn scheduled() -> Event {
    by_broker(2, Change::Scheduled { starts_at: at(2), lapses_at: at(3602) })
}

pub(crate) fn begun() -> Event {
    by_broker(3, Change::ActivationBegun { not_after: at(3603) })
}

pub(crate) fn activated() -> Event {
    by_broker(4, Change::Activated { held: "a-1".parse().unwrap() })
}

pub(crate) fn revoking(cause: Cause) -> Event {
    by_broker(5, Change::RevocationBegun(cause))
}

fn postponed() -> Event {
    by_broker(6, Change::Postponed { retry_at: at(9), reason: "busy".to_owned() })
}

/// The state that these events lead to, or that the last of them cannot follow.
fn check(events: &[Event], expected: &str) {
    let said = match Activation::replay(id(), events) {
        Ok(activation) => match activation.state {
            State::Closed { outcome, .. } => format!("closed: {outcome:?}"),
            state => state.word().to_owned(),
        },
        Err(illegal) => illegal.to_string(),
    };
    assert_eq!(said, expected, "{:?}", events.iter().map(|event| event.change.word()).collect::<Vec<_>>());
}

#[test]
fn the_ordinary_life() {
    let mut life = vec![
        (requested(1), "requested"),
        (sought(), "awaiting approval"),
        (approved(3), "awaiting approval"),
        (scheduled(), "scheduled"),
        (begun(), "activating"),
        (activated(), "active"),
        (revoking(Cause::Expired), "revoking"),
        (by_broker(7, Change::Removed), "closed: Ended(Expired)"),
    ];
    for n in 1..=life.len() {
        let events: Vec<_> = life.iter().take(n).map(|(event, _)| event.clone()).collect();
        check(&events, life[n - 1].1);
    }
    // Nothing follows a closed one.
    life.push((postponed(), ""));
    let events: Vec<_> = life.into_iter().map(|(event, _)| event).collect();
    check(&events, "an activation that is closed cannot become postponed");
}

#[test]
fn nothing_is_granted_before_it_is_approved() {
    let begin = "an activation that is awaiting approval cannot become activation-begun";
    check(&[requested(1), sought(), begun()], begin);
    check(&[requested(1), sought(), approved(3), begun()], begin);
    check(&[requested(1), scheduled()], "an activation that is requested cannot become scheduled");
    check(
        &[requested(1), sought(), scheduled()],
        "an activation that is awaiting approval cannot become scheduled",
    );
    check(
        &[requested(2), sought(), approved(3), scheduled()],
        "an activation that is awaiting approval cannot become scheduled",
    );
    check(&[requested(2), sought(), approved(3), approved(4), scheduled()], "scheduled");
    check(&[requested(0), scheduled(), begun()], "activating");
    check(&[requested(0), sought()], "an activation that is requested cannot become approval-sought");
}

#[test]
fn a_yes_that_does_not_count_cannot_be_recorded() {
    let refused = "an activation that is awaiting approval cannot become approved";
    // Nobody approves for themselves.
    check(&[requested(1), sought(), approved(2)], refused);
    // Nobody twice.
    check(&[requested(2), sought(), approved(3), approved(3)], refused);
    // Nobody for somebody else.
    check(&[requested(1), sought(), Event { by: Actor::Principal(person(4)), ..approved(3) }], refused);
    check(&[requested(1), sought(), Event { by: Actor::Broker, ..approved(3) }], refused);
    // Not to another request.
    let mut other = approved(3);
    if let Change::Approved(approval, _) = &mut other.change {
        approval.request = Digest::from_bytes([0; 32]);
    }
    check(&[requested(1), sought(), other], refused);
    // Not for a requirement that is not there.
    let mut other = approved(3);
    if let Change::Approved(approval, _) = &mut other.change {
        approval.counts_for = vec![1];
    }
    check(&[requested(1), sought(), other], refused);
}

#[test]
fn the_ways_out_before_it_begins() {
    let denied = by_broker(2, Change::Denied { reason: "no".to_owned() });
    let withdrawn = by_broker(2, Change::Withdrawn);
    let lapsed = by_broker(700, Change::Lapsed);
    let failed = by_broker(2, Change::Refused { reason: "why".to_owned() });
    check(&[requested(1), sought(), denied.clone()], "closed: Denied { reason: \"no\" }");
    check(&[requested(1), sought(), withdrawn.clone()], "closed: Withdrawn");
    check(&[requested(1), sought(), lapsed.clone()], "closed: Lapsed");
    check(&[requested(0), scheduled(), withdrawn.clone()], "closed: Withdrawn");
    check(&[requested(0), scheduled(), lapsed], "closed: Lapsed");
    check(&[requested(0), scheduled(), failed.clone()], "closed: Failed { reason: \"why\" }");
    check(&[requested(0), scheduled(), begun(), failed.clone()], "closed: Failed { reason: \"why\" }");
    // Once it may be held, only a revocation ends it.
    check(
        &[requested(0), scheduled(), begun(), withdrawn],
        "an activation that is activating cannot become withdrawn",
    );
    check(
        &[requested(0), scheduled(), begun(), activated(), failed],
        "an activation that is active cannot become refused",
    );
    check(
        &[requested(0), scheduled(), denied.clone()],
        "an activation that is scheduled cannot become denied",
    );
    let mut together = request(0);
    together.bundle = vec![id(), ActivationId::from_uuid(Uuid::from_u128(78))];
    let by = Actor::Principal(person(2));
    let together = Event { at: at(0), by, change: Change::Requested(Box::new(together)) };
    check(&[together, scheduled(), denied], "closed: Denied { reason: \"no\" }");
}

#[test]
fn what_may_be_held_leaves_only_by_a_read() {
    let held = [requested(0), scheduled(), begun(), activated()];
    let on = |event: Event| held.iter().cloned().chain([event]).collect::<Vec<_>>();
    check(&on(by_broker(9, Change::Removed)), "an activation that is active cannot become removed");
    check(&on(by_broker(9, Change::RemovedElsewhere)), "closed: RemovedElsewhere");
    check(
        &on(by_broker(9, Change::TakenOver { by: id() })),
        &format!("closed: TakenOver {{ by: {:?} }}", id()),
    );
    check(
        &[requested(0), scheduled(), begun(), by_broker(9, Change::Removed)],
        "an activation that is activating cannot become removed",
    );
    for (cause, expected) in [
        (Cause::Deactivated, "closed: Ended(Deactivated)"),
        (Cause::Unfinished, "closed: Ended(Unfinished)"),
        (Cause::Revoked { reason: "leak".to_owned() }, "closed: Ended(Revoked { reason: \"leak\" })"),
    ] {
        let tail = [revoking(cause), postponed(), by_broker(9, Change::Removed)];
        let events: Vec<_> = held.iter().cloned().chain(tail).collect();
        check(&events, expected);
    }
}

#[test]
fn what_was_in_the_way_the_last_time_is_known_until_the_step_is_settled() {
    let begun = [requested(0), scheduled(), begun()];
    let held = [activated(), revoking(Cause::Expired)];
    let hindered = |second, reason: &str| {
        by_broker(second, Change::Postponed { retry_at: at(second + 1), reason: reason.to_owned() })
    };
    let retry = |events: &[Event]| Activation::replay(id(), events).unwrap().state.retry().cloned();
    let not_yet = |events: &[Event], second| {
        assert_eq!(retry(events), Some(Retry::first(at(second))));
        let twice = [events, &[hindered(10, "busy"), hindered(20, "no answer")]].concat();
        let expected = Retry { tries: 2, at: at(21), hindrance: "no answer".to_owned() };
        assert_eq!(retry(&twice), Some(expected));
        twice
    };
    let scheduled = not_yet(&begun[..2], 2);
    let activating = not_yet(&[&scheduled[..], &begun[2..]].concat(), 3);
    assert_eq!(retry(&[&activating[..], &held[..1]].concat()), None);
    let revoking = not_yet(&[&activating[..], &held[..]].concat(), 5);
    assert_eq!(retry(&[&revoking[..], &[by_broker(30, Change::Removed)]].concat()), None);
}

#[test]
fn since_when_it_was_held_and_who_ended_it_is_known() {
    let by = |n, change| Event { by: Actor::Principal(person(n)), ..by_broker(900, change) };
    let of = |events: &[Event]| {
        let activation = Activation::replay(id(), events).unwrap();
        (activation.held_from, activation.ended_by)
    };
    let held = [requested(0), scheduled(), begun(), activated()];
    let since = Some(activated().at);
    assert_eq!(of(&held), (since, None));
    let with = |before: &[Event], more: &[Event]| of(&[before, more].concat());
    let removed = by_broker(901, Change::Removed);
    let expired = [revoking(Cause::Expired), removed.clone()];
    assert_eq!(with(&held, &expired), (since, None), "time is nobody");
    let taken = Cause::Revoked { reason: "incident".to_owned() };
    let revoked = [by(7, Change::RevocationBegun(taken)), removed];
    assert_eq!(with(&held, &revoked), (since, Some(person(7))), "not the broker that saw it gone");
    let no = Change::Denied { reason: "no".to_owned() };
    assert_eq!(with(&[requested(1), sought()], &[by(8, no)]), (None, Some(person(8))));
    let refused = Change::Refused { reason: "no licence".to_owned() };
    assert_eq!(with(&held[..3], &[by_broker(900, refused)]), (None, None));
}

#[test]
fn only_a_request_begins() {
    check(&[sought()], "an activation that is not asked for cannot become approval-sought");
    check(&[], "an activation that is not asked for cannot become anything");
    check(&[requested(0), requested(0)], "an activation that is requested cannot become requested");
}

pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_u8..3).prop_map(requested),
        Just(sought()),
        (2_u128..6).prop_map(approved),
        Just(by_broker(2, Change::Denied { reason: "no".to_owned() })),
        Just(by_broker(2, Change::Withdrawn)),
        Just(by_broker(2, Change::Lapsed)),
        Just(scheduled()),
        (0_i64..9000).prop_map(|end| by_broker(3, Change::ActivationBegun { not_after: at(end) })),
        Just(by_broker(3, Change::Refused { reason: "no".to_owned() })),
        Just(activated()),
        Just(postponed()),
        prop_oneof![
            Just(Cause::Expired),
            Just(Cause::Deactivated),
            Just(Cause::Unfinished),
            Just(Cause::Revoked { reason: String::new() })
        ]
        .prop_map(revoking),
        Just(by_broker(8, Change::Removed)),
        Just(by_broker(8, Change::RemovedElsewhere)),
        Just(by_broker(8, Change::TakenOver { by: id() })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever arrives in whatever order: illegal events change nothing, and what is promised holds.
    #[test]
    fn no_order_of_events_breaks_a_promise(
        needed in 0_u8..3,
        events in prop::collection::vec(any_event(), 0..60),
    ) {
        let mut activation = Activation::open(id(), &requested(needed)).unwrap();
        let mut seen: Vec<&'static str> = Vec::new();
        let mut end = None;
        for event in &events {
            let before = activation.clone();
            match activation.apply(event) {
                Err(_) => activation = before,
                Ok(after) => {
                    prop_assert_eq!(after.version, before.version + 1);
                    prop_assert!(before.is_live(), "something followed a closed one");
                    seen.push(event.change.word());
                    activation = after;
                }
            }
            // What may be held was approved by enough distinct people, none of them the holder.
            if seen.contains(&"activation-begun") {
                let people: std::collections::BTreeSet<_> = activation.approvals.iter().map(|a| a.approver).collect();
                prop_assert!(people.len() >= usize::from(needed));
                prop_assert!(!people.contains(&person(2)));
            }
            // The end never moves.
            let now_ends = match activation.state {
                State::Activating { not_after, .. } | State::Active { not_after, .. } | State::Revoking { not_after, .. } => Some(not_after),
                _ => None,
            };
            if let (Some(was), Some(is)) = (end, now_ends) {
                prop_assert_eq!(was, is);
            }
            end = end.or(now_ends);
            // Active only by way of an intent; over only by way of a read, or a handing on.
            if matches!(activation.state, State::Active { .. }) {
                prop_assert!(seen.contains(&"activation-begun"));
            }
            if seen.contains(&"activated") && !activation.is_live() {
                prop_assert!(["removed", "removed-elsewhere", "taken-over"].iter().any(|word| seen.contains(word)));
            }
            prop_assert_eq!(activation.digest, activation.request.asked.digest());
        }
    }
}

fn narrowing(by: u128, term: Option<&str>, scope: Option<&str>) -> Event {
    let mut event = approved(by);
    if let Change::Approved(approval, _) = &mut event.change {
        approval.narrowed = Narrowed {
            term: term.map(|term| term.parse().unwrap()),
            scope: scope.map(|scope| scope.parse().unwrap()),
        };
    }
    event
}

const UNIT: &str = "/administrativeUnits/00000000-0000-0000-0000-0000000000c1";
const OTHER_UNIT: &str = "/administrativeUnits/00000000-0000-0000-0000-0000000000c2";

#[test]
fn an_approver_may_take_off_and_never_add() {
    for (first, second, expected) in [
        (narrowing(3, Some("30m"), None), None, "30m at /"),
        (narrowing(3, Some("1h"), None), None, "1h at /"),
        (narrowing(3, Some("1h 1s"), None), None, "illegal"),
        (narrowing(3, None, Some(UNIT)), None, &format!("1h at {UNIT}")),
        (narrowing(3, Some("10m"), None), Some(narrowing(4, Some("20m"), None)), "illegal"),
        (narrowing(3, Some("20m"), None), Some(narrowing(4, Some("10m"), None)), "10m at /"),
        (narrowing(3, None, Some(UNIT)), Some(narrowing(4, None, Some("/"))), "illegal"),
        (narrowing(3, None, Some(UNIT)), Some(narrowing(4, None, Some(OTHER_UNIT))), "illegal"),
        // A yes to the whole, when the whole is there no more, is a yes to what nobody can have.
        (narrowing(3, Some("20m"), None), Some(approved(4)), "illegal"),
        (narrowing(3, None, Some(UNIT)), Some(approved(4)), "illegal"),
        (narrowing(3, None, Some(UNIT)), Some(narrowing(4, Some("20m"), None)), "illegal"),
        (
            narrowing(3, None, Some(UNIT)),
            Some(narrowing(4, Some("20m"), Some(UNIT))),
            &format!("20m at {UNIT}"),
        ),
        (narrowing(3, Some("20m"), None), Some(narrowing(4, Some("20m"), None)), "20m at /"),
    ] {
        let mut events = vec![requested(2), sought(), first];
        events.extend(second);
        let said = Activation::replay(id(), &events).map_or_else(
            |_| "illegal".to_owned(),
            |activation| format!("{} at {}", activation.term, activation.slot().resource.place()),
        );
        assert_eq!(said, expected, "{events:?}");
    }
}

#[test]
fn a_yes_counts_from_what_earlier_ones_left() {
    let off = |term: Option<&str>, scope: Option<&str>| Narrowed {
        term: term.map(|term| term.parse().unwrap()),
        scope: scope.map(|scope| scope.parse().unwrap()),
    };
    let events = [requested(3), sought(), narrowing(3, Some("30m"), None)];
    let left = Activation::replay(id(), &events).unwrap();
    for (taken, expected) in [
        (off(None, None), Ok(off(Some("30m"), None))),
        (off(Some("30m"), None), Ok(off(Some("30m"), None))),
        (off(Some("10m"), None), Ok(off(Some("10m"), None))),
        (off(None, Some(UNIT)), Ok(off(Some("30m"), Some(UNIT)))),
        (off(None, Some("/")), Ok(off(Some("30m"), None))),
        (off(Some("45m"), None), Err(ApprovalRefusal::NotNarrower("45m is longer than 30m".to_owned()))),
    ] {
        assert_eq!(left.narrowed_by(&taken), expected, "{taken:?}");
    }
    // What was seen before it was shortened is there no more.
    for seen in [off(None, None), off(Some("45m"), None), off(None, Some(UNIT))] {
        assert_eq!(left.after_yes_to(&seen), Err(ApprovalRefusal::LessIsLeft("30m".to_owned())));
    }
    let unit = left.clone().apply(&narrowing(4, Some("30m"), Some(UNIT))).unwrap();
    let elsewhere = off(Some("10m"), Some(OTHER_UNIT));
    assert_eq!(unit.after_yes_to(&elsewhere), Err(ApprovalRefusal::LessIsLeft(UNIT.to_owned())));
    let last = unit.apply(&narrowing(5, Some("30m"), Some(UNIT))).unwrap();
    let taken: Vec<_> = last.taken_off().map(|(_, off)| off).collect();
    assert_eq!(taken, [off(Some("30m"), None), off(None, Some(UNIT)), off(None, None)]);
}

#[test]
fn an_askers_own_yes_takes_one_place_and_only_where_the_role_says_so() {
    let with_own = |approvers: u8, own: bool| match requested(approvers) {
        Event { change: Change::Requested(mut request), at, by } => {
            request.own_approval = own;
            Event { change: Change::Requested(request), at, by }
        }
        other => other,
    };
    let after = |first: Event, yeses: &[u128]| {
        let events: Vec<_> =
            [first, sought()].into_iter().chain(yeses.iter().map(|by| approved(*by))).collect();
        Activation::replay(id(), &events).map(|activation| activation.still_needed()).ok()
    };
    assert_eq!(after(with_own(1, false), &[2]), None, "off unless the role says so");
    assert_eq!(after(with_own(1, true), &[2]), Some(0));
    assert_eq!(after(with_own(2, true), &[2]), Some(1), "alone it never makes two");
    assert_eq!(after(with_own(2, true), &[2, 2]), None);
    assert_eq!(after(with_own(2, true), &[2, 3]), Some(0));
    let both = Activation::replay(id(), &[with_own(2, true), sought(), approved(2), approved(3)]).unwrap();
    assert_eq!(both.approvals.iter().map(|yes| both.is_own(yes)).collect::<Vec<_>>(), [true, false]);
}

fn asked_with(change: impl FnOnce(&mut Request)) -> Event {
    let mut first = requested(0);
    if let Change::Requested(request) = &mut first.change {
        change(request);
    }
    first
}

#[test]
fn an_own_yes_counts_where_the_role_says_so() {
    let own = |own_approval| {
        let mut first = requested(1);
        if let Change::Requested(request) = &mut first.change {
            request.own_approval = own_approval;
        }
        Activation::replay(id(), &[first, sought(), approved(2)]).map(|activation| activation.still_needed())
    };
    assert_eq!(own(true), Ok(0));
    assert!(own(false).is_err());
}

#[test]
fn what_continues_another_takes_no_slot_and_revokes_nothing_before_it_has_taken_over() {
    let continuing =
        || asked_with(|request| request.asked.continues = Some(ActivationId::from_uuid(Uuid::from_u128(76))));
    let replay = |events: &[Event]| {
        Activation::replay(id(), &[vec![continuing(), scheduled()], events.to_vec()].concat())
    };
    assert!(!replay(&[]).unwrap().takes_slot());
    assert!(!replay(&[begun()]).unwrap().takes_slot());
    assert!(replay(&[begun(), activated()]).unwrap().takes_slot());
    assert!(replay(&[begun(), revoking(Cause::Unfinished)]).is_err());
    assert!(replay(&[begun(), activated(), revoking(Cause::Expired)]).is_ok());
}

#[test]
fn a_break_glass_use_is_looked_at_by_somebody_else_after_it_is_over() {
    let emergency = || asked_with(|request| request.kind = Kind::BreakGlass);
    let reviewed = |by: u128| Event {
        at: at(9),
        by: Actor::Principal(person(by)),
        change: Change::Reviewed { comment: "as it should be".to_owned() },
    };
    let used = [
        emergency(),
        scheduled(),
        begun(),
        activated(),
        revoking(Cause::Expired),
        by_broker(7, Change::Removed),
    ];
    assert_eq!(used[0].change.word(), "break-glass");
    let review = |more: &[Event]| {
        Activation::replay(id(), &[used.to_vec(), more.to_vec()].concat()).map(|activation| activation.review)
    };
    assert_eq!(review(&[]), Ok(Review::Open));
    assert!(review(&[reviewed(2)]).is_err(), "by the holder");
    assert!(matches!(review(&[reviewed(3)]), Ok(Review::Closed { by, .. }) if by == person(3)));
    assert!(review(&[reviewed(3), reviewed(4)]).is_err(), "twice");
    assert!(
        Activation::replay(id(), &[used[..4].to_vec(), vec![reviewed(3)]].concat()).is_err(),
        "while held"
    );
    let refused = by_broker(5, Change::Refused { reason: "no".to_owned() });
    let nothing_granted = [emergency(), scheduled(), begun(), refused];
    assert_eq!(Activation::replay(id(), &nothing_granted).unwrap().review, Review::NotNeeded);
    // An everyday activation needs none and takes none.
    let everyday = [used[1..].to_vec(), vec![reviewed(3)]].concat();
    assert!(Activation::replay(id(), &[vec![requested(0)], everyday].concat()).is_err());
}

#[test]
fn somebody_is_signed_out_after_the_role_is_gone_and_once() {
    let asked = |sign_out| {
        let mut event = requested(0);
        if let Change::Requested(request) = &mut event.change {
            request.sign_out = sign_out;
        }
        event
    };
    let held = |sign_out, more: &[Change]| {
        let begun = [asked(sign_out), scheduled(), begun(), activated()];
        let more = more.iter().map(|change| by_broker(9, change.clone()));
        Activation::replay(id(), &begun.into_iter().chain(more).collect::<Vec<_>>())
    };
    let ending = Change::RevocationBegun(Cause::Expired);
    let failed = || Change::SignOutFailed { reason: "no leave to".to_owned() };
    let postponed = || Change::Postponed { retry_at: at(20), reason: "busy".to_owned() };
    // Not while the role may be there, and not where it does not say so.
    for early in [Change::SignedOut, failed()] {
        held(true, &[ending.clone(), early.clone()]).unwrap_err();
        held(false, &[ending.clone(), Change::Removed, early]).unwrap_err();
    }
    held(false, &[ending.clone(), Change::Removed, postponed()]).unwrap_err();
    for gone in [&[ending.clone(), Change::Removed][..], &[Change::RemovedElsewhere]] {
        let due = held(true, &[gone, &[postponed()]].concat()).unwrap();
        assert!(matches!(&due.sign_out, SignOut::Due(retry) if retry.tries == 1), "{:?}", due.sign_out);
        assert!(due.may_change() && !due.is_live() && !due.takes_slot());
        let done = due.clone().apply(&by_broker(21, Change::SignedOut)).unwrap();
        assert_eq!(done.sign_out, SignOut::Done { at: at(21) });
        done.clone().apply(&by_broker(22, Change::SignedOut)).unwrap_err();
        assert!(!done.may_change());
        let not = due.apply(&by_broker(21, failed())).unwrap();
        assert_eq!(not.sign_out, SignOut::Failed { reason: "no leave to".to_owned() });
    }
    // An account that is gone has no sessions.
    let deleted = Change::RevocationBegun(Cause::AccountClosed { deleted: true });
    assert_eq!(held(true, &[deleted, Change::Removed]).unwrap().sign_out, SignOut::NotNeeded);
}
