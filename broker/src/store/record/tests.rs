use std::num::NonZeroU8;

use elevate_core::activation::{
    Actor, Cause, Change, Event, Kind, Outcome, ProofShown, Request, Retry, Review, SignOut, State,
    TicketVerdict,
};
use elevate_core::approval::{Approval, ApprovalRequirement, Narrowed};
use elevate_core::binding::{Asked, Digest};
use elevate_core::names::{
    ActivationId, AssignmentId, DirectoryRole, Justification, Membership, ObjectId, Principal, Relation,
    RequestId, RoleDefinitionId, RoleName, Scope, Slot, Subject, Target, TenantId, Ticket,
};
use elevate_core::policy::PolicyVersion;
use elevate_core::term::Term;
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::ports::journal::{AppliedPolicy, Freeze};

fn times() -> impl Strategy<Value = Timestamp> {
    let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let any = (first..=last, 0..1_000_000_000_i32);
    any.prop_map(|(second, nano)| Timestamp::new(second, nano).unwrap_or(Timestamp::UNIX_EPOCH))
}

fn words() -> impl Strategy<Value = String> {
    "\\PC{0,40}"
}

fn uuids() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn activation_ids() -> impl Strategy<Value = ActivationId> {
    uuids().prop_map(ActivationId::from_uuid)
}

fn principals() -> impl Strategy<Value = Principal> {
    (uuids(), uuids()).prop_map(|(tenant, object)| Principal {
        tenant: TenantId::from_uuid(tenant),
        object: ObjectId::from_uuid(object),
    })
}

fn scopes() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::Tenant),
        uuids().prop_map(|id| Scope::AdministrativeUnit(ObjectId::from_uuid(id))),
        uuids().prop_map(|id| Scope::Object(ObjectId::from_uuid(id))),
    ]
}

fn slots() -> impl Strategy<Value = Slot> {
    (principals(), targets()).prop_map(|(principal, target)| target.slot(principal))
}

fn targets() -> impl Strategy<Value = Target> {
    let roles = || {
        (uuids(), scopes())
            .prop_map(|(role, scope)| DirectoryRole { definition: RoleDefinitionId::from_uuid(role), scope })
    };
    let relations = || prop_oneof![Just(Relation::Member), Just(Relation::Owner)];
    let memberships = || {
        (uuids(), relations())
            .prop_map(|(group, relation)| Membership { group: ObjectId::from_uuid(group), relation })
    };
    prop_oneof![
        roles().prop_map(Target::Pim),
        roles().prop_map(Target::Assignment),
        memberships().prop_map(Target::Group),
        memberships().prop_map(Target::PimGroup),
    ]
}

fn roles() -> impl Strategy<Value = RoleName> {
    "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?".prop_map(|name| name.parse().unwrap())
}

fn held() -> impl Strategy<Value = AssignmentId> {
    "[A-Za-z0-9._~-]{1,60}".prop_map(|id| id.parse().unwrap())
}

fn proofs() -> impl Strategy<Value = ProofShown> {
    (words(), words(), times(), vec(words(), 0..4), vec(words(), 0..4)).prop_map(
        |(token, nonce, signed_in_at, methods, contexts)| ProofShown {
            token,
            nonce,
            signed_in_at,
            methods,
            contexts,
        },
    )
}

fn approvals() -> impl Strategy<Value = Approval> {
    let narrowed = (proptest::option::of(terms()), proptest::option::of(scopes()))
        .prop_map(|(term, scope)| Narrowed { term, scope });
    let who = (principals(), any::<[u8; 32]>(), vec(0_usize..300, 0..4), times(), words(), uuids());
    (who, narrowed).prop_map(|((approver, request, counts_for, at, comment, id), narrowed)| Approval {
        approver,
        request: Digest::from_bytes(request),
        counts_for,
        at,
        comment,
        request_id: RequestId::from_uuid(id),
        narrowed,
    })
}

fn subjects() -> impl Strategy<Value = Subject> {
    prop_oneof![
        uuids().prop_map(|id| Subject::User(ObjectId::from_uuid(id))),
        uuids().prop_map(|id| Subject::Group(ObjectId::from_uuid(id))),
    ]
}

fn requirements() -> impl Strategy<Value = ApprovalRequirement> {
    (1_u8.., vec(subjects(), 0..4))
        .prop_map(|(count, from)| ApprovalRequirement { count: NonZeroU8::new(count).unwrap(), from })
}

fn asked() -> impl Strategy<Value = Asked> {
    // Also what today's rules would refuse: the record outlives them.
    let justification = "(?s).{0,20}".prop_map(Justification::recorded);
    let ticket = (".{0,10}", ".{0,10}").prop_map(|(number, system)| Ticket::recorded(number, system));
    (
        (principals(), roles(), targets(), terms(), proptest::option::of(times())),
        (justification, proptest::option::of(ticket), any::<u64>(), proptest::option::of(activation_ids())),
    )
        .prop_map(
            |((principal, role, target, term, starts_at), (justification, ticket, policy, continues))| {
                Asked {
                    principal,
                    role,
                    target,
                    term,
                    starts_at,
                    justification,
                    ticket,
                    policy: PolicyVersion(policy),
                    continues,
                }
            },
        )
}

fn terms() -> impl Strategy<Value = Term> {
    (5_i64..=86_400).prop_map(|seconds| Term::from_seconds(seconds).unwrap())
}

fn reviews() -> impl Strategy<Value = Review> {
    prop_oneof![
        Just(Review::NotNeeded),
        Just(Review::Open),
        (principals(), times(), words()).prop_map(|(by, at, comment)| Review::Closed { by, at, comment }),
    ]
}

fn requests() -> impl Strategy<Value = Request> {
    let windows = (any::<i64>(), 0..1_000_000_000_i32)
        .prop_map(|(seconds, nanos)| SignedDuration::new(seconds, if seconds < 0 { -nanos } else { nanos }));
    let verdicts =
        proptest::option::of(prop_oneof![Just(TicketVerdict::Confirmed), Just(TicketVerdict::Unanswered)]);
    let kinds = prop_oneof![Just(Kind::Ordinary), Just(Kind::BreakGlass)];
    let more =
        (kinds, any::<bool>(), any::<bool>(), vec(activation_ids(), 0..3), verdicts, vec(subjects(), 0..3));
    (uuids(), asked(), vec(requirements(), 0..3), windows, proofs(), times(), more).prop_map(
        |(request_id, asked, requirements, approval_window, proof, at, more)| Request {
            request_id: RequestId::from_uuid(request_id),
            asked,
            requirements,
            approval_window,
            proof,
            at,
            kind: more.0,
            own_approval: more.1,
            sign_out: more.2,
            bundle: more.3,
            ticket_verdict: more.4,
            told: more.5,
        },
    )
}

fn causes() -> impl Strategy<Value = Cause> {
    prop_oneof![
        Just(Cause::Expired),
        Just(Cause::Deactivated),
        words().prop_map(|reason| Cause::Revoked { reason }),
        Just(Cause::Unfinished),
        any::<bool>().prop_map(|deleted| Cause::AccountClosed { deleted }),
    ]
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        requests().prop_map(|request| Change::Requested(Box::new(request))),
        times().prop_map(|lapses_at| Change::ApprovalSought { lapses_at }),
        (approvals(), proofs())
            .prop_map(|(approval, proof)| Change::Approved(Box::new(approval), Box::new(proof))),
        words().prop_map(|reason| Change::Denied { reason }),
        Just(Change::Withdrawn),
        Just(Change::Lapsed),
        (times(), times()).prop_map(|(starts_at, lapses_at)| Change::Scheduled { starts_at, lapses_at }),
        times().prop_map(|not_after| Change::ActivationBegun { not_after }),
        words().prop_map(|reason| Change::Refused { reason }),
        held().prop_map(|held| Change::Activated { held }),
        (times(), words()).prop_map(|(retry_at, reason)| Change::Postponed { retry_at, reason }),
        causes().prop_map(Change::RevocationBegun),
        Just(Change::Removed),
        Just(Change::RemovedElsewhere),
        activation_ids().prop_map(|by| Change::TakenOver { by }),
        Just(Change::SignedOut),
        words().prop_map(|reason| Change::SignOutFailed { reason }),
        words().prop_map(|comment| Change::Reviewed { comment }),
    ]
}

fn applied() -> impl Strategy<Value = AppliedPolicy> {
    (any::<u64>(), words(), principals(), times(), proptest::option::of(principals())).prop_map(
        |(version, text, by, at, confirmed_by)| AppliedPolicy {
            version: PolicyVersion(version),
            text,
            by,
            at,
            confirmed_by,
        },
    )
}

fn freezes() -> impl Strategy<Value = Freeze> {
    (principals(), words(), times()).prop_map(|(by, reason, at)| Freeze { by, reason, at })
}

fn notes() -> impl Strategy<Value = Note> {
    use proptest::option::of;
    prop_oneof![
        applied().prop_map(Note::PolicyApplied),
        applied().prop_map(Note::PolicyProposed),
        freezes().prop_map(Note::Frozen),
        freezes().prop_map(Note::Thawed),
        (of(principals()), words(), words(), of(roles()), of(activation_ids()), times()).prop_map(
            |(caller, attempt, reason, role, activation, at)| Note::Refused {
                caller,
                attempt,
                reason,
                role,
                activation,
                at,
            }
        ),
        (words(), words(), times()).prop_map(|(what, version, at)| Note::Broker { what, version, at }),
        (slots(), words(), times()).prop_map(|(slot, assignment, at)| Note::Drift { slot, assignment, at }),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    let actors = prop_oneof![principals().prop_map(Actor::Principal), Just(Actor::Broker)];
    prop_oneof![
        4 => (activation_ids(), any::<u64>(), times(), actors, changes()).prop_map(
            |(id, version, at, by, change)| Said::Activation { id, version, event: Event { at, by, change } }
        ),
        1 => notes().prop_map(Said::Note),
    ]
}

fn retries() -> impl Strategy<Value = Retry> {
    (any::<u32>(), times(), words()).prop_map(|(tries, at, hindrance)| Retry { tries, at, hindrance })
}

fn states() -> impl Strategy<Value = State> {
    use proptest::option::of;
    let outcomes = prop_oneof![
        words().prop_map(|reason| Outcome::Denied { reason }),
        Just(Outcome::Lapsed),
        Just(Outcome::Withdrawn),
        words().prop_map(|reason| Outcome::Failed { reason }),
        causes().prop_map(Outcome::Ended),
        Just(Outcome::RemovedElsewhere),
        activation_ids().prop_map(|by| Outcome::TakenOver { by }),
    ];
    prop_oneof![
        Just(State::Requested),
        times().prop_map(|lapses_at| State::AwaitingApproval { lapses_at }),
        (times(), times(), retries()).prop_map(|(starts_at, lapses_at, retry)| State::Scheduled {
            starts_at,
            lapses_at,
            retry
        }),
        (times(), retries()).prop_map(|(not_after, retry)| State::Activating { not_after, retry }),
        (times(), held()).prop_map(|(not_after, held)| State::Active { not_after, held }),
        (of(held()), times(), causes(), retries())
            .prop_map(|(held, not_after, cause, retry)| State::Revoking { held, not_after, cause, retry }),
        (outcomes, times()).prop_map(|(outcome, at)| State::Closed { outcome, at }),
    ]
}

fn sign_outs() -> impl Strategy<Value = SignOut> {
    prop_oneof![
        Just(SignOut::NotNeeded),
        (any::<u32>(), times(), words()).prop_map(|(tries, at, hindrance)| SignOut::Due(Retry {
            tries,
            at,
            hindrance
        })),
        times().prop_map(|at| SignOut::Done { at }),
        words().prop_map(|reason| SignOut::Failed { reason }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_is_said_reads_back_as_it_was_said(said in said()) {
        let bytes = leaf(&said).unwrap();
        prop_assert_eq!(said_by(&bytes).unwrap(), said);
    }

    #[test]
    fn an_activation_in_any_state_reads_back_as_it_was(
        (id, request, digest) in (activation_ids(), requests(), any::<[u8; 32]>()),
        (approvals, state, version) in (vec(approvals(), 0..3), states(), any::<u64>()),
        (held_from, ended_by) in (proptest::option::of(times()), proptest::option::of(principals())),
        (term, target, review, sign_out) in (terms(), targets(), reviews(), sign_outs()),
    ) {
        let digest = Digest::from_bytes(digest);
        let was = Activation {
            id, request, digest, approvals, term, target, review, sign_out, state, held_from, ended_by, version,
        };
        prop_assert_eq!(activation(&snapshot(&was).unwrap()).unwrap(), was);
    }

    /// One thing, one spelling: other bytes are another leaf, or none.
    #[test]
    fn a_changed_leaf_is_refused_or_says_something_else(
        said in said(),
        (place, value) in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let mut bytes = leaf(&said).unwrap();
        let place = place.index(bytes.len());
        prop_assume!(bytes[place] != value);
        bytes[place] = value;
        // The number of an earlier format may stand before what can be said in both.
        let format = stored::Leaf::decode(bytes.as_slice()).map_or(FORMAT, |leaf| leaf.format);
        if let Ok(read) = said_by(&bytes) {
            prop_assert!(read != said || format != FORMAT);
        }
    }

    #[test]
    fn a_leaf_that_was_cut_or_lengthened_is_refused_or_says_something_else(
        said in said(),
        (place, tail) in (any::<prop::sample::Index>(), vec(any::<u8>(), 0..8)),
    ) {
        let whole = leaf(&said).unwrap();
        let mut bytes = whole.clone();
        bytes.truncate(place.index(bytes.len() + 1));
        bytes.extend(tail);
        prop_assume!(bytes != whole);
        if let Ok(read) = said_by(&bytes) {
            prop_assert_ne!(read, said);
        }
    }
}

#[test]
fn a_leaf_of_a_later_format_is_told_from_a_faulty_one() {
    let later = stored::Leaf { format: FORMAT + 1, said: None };
    assert_eq!(said_by(&later.encode_to_vec()), Err(Unreadable::Future { found: FORMAT + 1 }));
    let none = stored::Leaf { format: 0, said: None };
    assert_eq!(said_by(&none.encode_to_vec()), Err(Unreadable::Faulty("it names no format")));
    assert!(matches!(said_by(b""), Err(Unreadable::Faulty(_))));
}

#[test]
fn an_unknown_field_or_choice_is_a_fault() {
    let said = Said::Note(Note::Broker {
        what: "started".into(),
        version: "0.1.0".into(),
        at: Timestamp::UNIX_EPOCH,
    });
    let mut bytes = leaf(&said).unwrap();
    // Field 99, a number: what a later broker might add.
    bytes.extend([0x98, 0x06, 0x01]);
    assert_eq!(said_by(&bytes), Err(Unreadable::Faulty("it holds more than this broker understands")));
    let mut form = leaf_form(&said, FORMAT).unwrap();
    form.said = None;
    assert_eq!(said_by(&form.encode_to_vec()), Err(Unreadable::Faulty("it says nothing")));
}

/// Leaves as the first format had them, one of each kind.
const FORMAT_1: &str = include_str!("format-1.hex");

#[test]
fn what_was_written_under_the_first_format_reads_for_ever() {
    let bytes = |line: &str| -> Vec<u8> {
        let pairs = line.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    };
    let leaves: Vec<_> = FORMAT_1.lines().map(bytes).collect();
    assert_eq!(leaves.len(), 23);
    for leaf in leaves {
        assert_eq!(stored::Leaf::decode(leaf.as_slice()).unwrap().format, 1);
        let said = said_by(&leaf).unwrap();
        assert_eq!(leaf_form(&said, 1).unwrap().encode_to_vec(), leaf);
        // Said again today it is the same, under today's format.
        assert_eq!(said_by(&super::leaf(&said).unwrap()), Ok(said));
    }
}

/// The bytes of a leaf never change. If this fails, the record of every house out there became unreadable:
/// a new form takes a new format.
#[test]
fn the_bytes_of_a_leaf_are_these_for_ever() {
    let said = Said::Activation {
        id: ActivationId::from_uuid(Uuid::from_u128(1)),
        version: 7,
        event: Event {
            at: Timestamp::new(1_790_000_000, 5).unwrap(),
            by: Actor::Broker,
            change: Change::RevocationBegun(Cause::Revoked { reason: "incident".into() }),
        },
    };
    let hex: String = leaf(&said).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "0802122f0a100000000000000000000000000000000110071a080880f7c4d50610052a00aa010c1a0a0a08696e636964656e74"
    );
}
