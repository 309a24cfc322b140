use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::names::TenantId;

fn object(n: u128) -> ObjectId {
    ObjectId::from_uuid(Uuid::from_u128(n))
}

fn person(n: u128) -> Principal {
    Principal { tenant: TenantId::from_uuid(Uuid::from_u128(1)), object: object(n) }
}

fn standing(n: u128, groups: &[u128]) -> Standing {
    Standing { principal: person(n), groups: groups.iter().copied().map(object).collect() }
}

fn requirement(count: u8, from: &[Subject]) -> ApprovalRequirement {
    ApprovalRequirement { count: NonZeroU8::new(count).unwrap(), from: from.to_vec() }
}

fn yes(n: u128, counts_for: &[usize]) -> Approval {
    Approval {
        approver: person(n),
        request: Digest::from_bytes([7; 32]),
        counts_for: counts_for.to_vec(),
        at: Timestamp::UNIX_EPOCH,
        comment: String::new(),
        request_id: RequestId::from_uuid(Uuid::from_u128(n)),
        narrowed: Narrowed::NOTHING,
    }
}

#[test]
fn who_may_approve() {
    let asker = person(1);
    let rules = [
        requirement(1, &[Subject::User(object(2)), Subject::Group(object(100))]),
        requirement(2, &[Subject::Group(object(200))]),
    ];
    for (approver, given, expected) in [
        (standing(2, &[]), vec![], Ok(vec![0])),
        (standing(3, &[100]), vec![], Ok(vec![0])),
        (standing(3, &[100, 200]), vec![], Ok(vec![0, 1])),
        (standing(3, &[200]), vec![yes(2, &[0])], Ok(vec![1])),
        (standing(3, &[300]), vec![], Err(ApprovalRefusal::NotAnApprover)),
        (standing(3, &[]), vec![], Err(ApprovalRefusal::NotAnApprover)),
        // Even somebody who is an approver otherwise.
        (standing(1, &[100, 200]), vec![], Err(ApprovalRefusal::Own)),
        (standing(2, &[]), vec![yes(2, &[0])], Err(ApprovalRefusal::Twice)),
        // Another tenant's object of the same id is another person.
        (
            Standing {
                principal: Principal { tenant: TenantId::from_uuid(Uuid::from_u128(9)), object: object(1) },
                groups: BTreeSet::new(),
            },
            vec![],
            Err(ApprovalRefusal::NotAnApprover),
        ),
    ] {
        assert_eq!(
            may_approve(&rules, &given, asker, false, &approver),
            expected,
            "{approver:?} after {given:?}"
        );
    }
    // Where the role says so, an asker who is among the approvers counts, once.
    assert_eq!(may_approve(&rules, &[], asker, true, &standing(1, &[100])), Ok(vec![0]));
    assert_eq!(may_approve(&rules, &[], asker, true, &standing(1, &[])), Err(ApprovalRefusal::NotAnApprover));
}

#[test]
fn how_many_more_are_needed() {
    let rule = |counts: &[u8]| counts.iter().map(|count| requirement(*count, &[])).collect::<Vec<_>>();
    for (counts, given, expected) in [
        (&[][..], vec![], 0),
        (&[1], vec![], 1),
        (&[1], vec![yes(2, &[0])], 0),
        (&[2], vec![yes(2, &[0])], 1),
        (&[2], vec![yes(2, &[0]), yes(3, &[0])], 0),
        // One person counts once, even where two rules name them.
        (&[1, 1], vec![yes(2, &[0, 1])], 1),
        (&[1, 1], vec![yes(2, &[0, 1]), yes(3, &[0])], 0),
        // Whoever counts for both steps aside for whoever counts for one.
        (&[1, 1], vec![yes(2, &[0, 1]), yes(3, &[1])], 0),
        (&[1, 2], vec![yes(2, &[0, 1]), yes(3, &[0]), yes(4, &[1])], 0),
        (&[1, 2], vec![yes(2, &[0]), yes(3, &[0]), yes(4, &[0])], 2),
        (&[1], vec![yes(2, &[]), yes(3, &[7])], 1),
    ] {
        assert_eq!(still_needed(&rule(counts), &given), expected, "{counts:?} after {given:?}");
    }
}

/// Every way of giving each person one place or none.
fn by_trying_everything(places: &[usize], given: &[Approval]) -> usize {
    let Some((first, rest)) = given.split_first() else { return places.len() };
    let mut best = by_trying_everything(places, rest);
    for at in 0..places.len() {
        if first.counts_for.contains(&places[at]) {
            let left: Vec<_> = places.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, p)| *p).collect();
            best = best.min(by_trying_everything(&left, rest));
        }
    }
    best
}

proptest! {
    #[test]
    fn the_matching_is_the_best_there_is(
        counts in prop::collection::vec(1_u8..3, 0..4),
        people in prop::collection::vec(prop::collection::btree_set(0_usize..4, 0..4), 0..5),
    ) {
        let rules: Vec<_> = counts.iter().map(|count| requirement(*count, &[])).collect();
        let given: Vec<_> = people
            .iter()
            .enumerate()
            .map(|(n, places)| yes(n as u128 + 2, &places.iter().copied().collect::<Vec<_>>()))
            .collect();
        let places: Vec<usize> = counts.iter().enumerate().flat_map(|(n, c)| vec![n; usize::from(*c)]).collect();
        prop_assert_eq!(still_needed(&rules, &given), by_trying_everything(&places, &given));
    }
}
